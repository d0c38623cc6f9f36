//! What a perfect sync delivers of the content, put together from what is known, without a look at how it is served.

use serde_json::Value;

use super::{
    shapes,
    state::{Node, Notion, What},
};
use crate::control::{Wrong, contract::True};

/// All live pages, rows and data sources of a person's workspace.
pub fn truth(notion: &Notion, account: &str) -> Result<Vec<True>, Wrong> {
    let person =
        notion.people.get(account).ok_or_else(|| Wrong::not_found(format!("there is no account {account}")))?;
    let live = notion.documents(&person.workspace).filter(|node| !notion.is_trashed(node));
    Ok(live.map(|node| of(notion, node)).collect())
}

fn of(notion: &Notion, node: &Node) -> True {
    True {
        id: node.id.clone(),
        title: if node.title().is_empty() { "Untitled".to_owned() } else { node.title().to_owned() },
        text: Some(text(notion, node)),
        url: Some(shapes::url(node)),
        author: notion.person_by_id(&node.created_by).map(|person| person.name.clone()),
        created_at: Some(node.created),
        updated_at: Some(node.edited),
    }
}

/// Properties, then the page's own text, then comments; each parted from the other by an empty line.
fn text(notion: &Notion, node: &Node) -> String {
    let mut parts = Vec::new();
    match &node.what {
        What::Page { values, text, .. } => {
            let mut lines: Vec<String> = values
                .iter()
                .map(|(name, value)| (name, words(value)))
                .filter(|(_, words)| !words.is_empty())
                .map(|(name, words)| format!("{name}: {words}"))
                .collect();
            lines.sort_unstable();
            parts.push(lines.join("\n"));
            parts.push(text.clone());
        }
        What::Source { description, columns, .. } => {
            let kind =
                |column: &Value| column.get("type").and_then(Value::as_str).unwrap_or_default().replace('_', " ");
            let mut lines: Vec<String> =
                columns.iter().map(|(name, column)| format!("- {name} ({})", kind(column))).collect();
            lines.push("- Name (title)".to_owned());
            lines.sort_unstable();
            parts.push(description.clone());
            parts.push(format!("Properties:\n{}", lines.join("\n")));
        }
        What::Database { .. } | What::Block { .. } => {}
    }
    let name = |id: &str| notion.person_by_id(id).map_or("", |person| person.name.as_str());
    let comments: Vec<String> = notion
        .comments
        .iter()
        .filter(|comment| comment.page == node.id)
        .map(|comment| format!("- {}: {}", name(&comment.by), comment.text.replace('\n', "\n  ")))
        .collect();
    if !comments.is_empty() {
        parts.push(format!("## Comments\n\n{}", comments.join("\n")));
    }
    parts.retain(|part| !part.is_empty());
    parts.join("\n\n")
}

/// A property's value in words.
fn words(value: &Value) -> String {
    let kind = value.get("type").and_then(Value::as_str).unwrap_or_default();
    let inner = value.get(kind).unwrap_or(&Value::Null);
    let texts = |field: &str| -> Vec<String> {
        inner.as_array().into_iter().flatten().filter_map(|item| item.get(field)?.as_str().map(str::to_owned)).collect()
    };
    match kind {
        "rich_text" => texts("plain_text").concat(),
        "multi_select" | "people" | "files" => texts("name").join(", "),
        "select" | "status" => inner.get("name").and_then(Value::as_str).unwrap_or_default().to_owned(),
        "date" => match (inner.get("start").and_then(Value::as_str), inner.get("end").and_then(Value::as_str)) {
            (Some(start), Some(end)) => format!("{start} to {end}"),
            (start, _) => start.unwrap_or_default().to_owned(),
        },
        "checkbox" => (if inner == &Value::Bool(true) { "yes" } else { "no" }).to_owned(),
        "number" => inner.as_f64().map(|number| number.to_string()).unwrap_or_default(),
        _ => inner.as_str().unwrap_or_default().to_owned(),
    }
}
