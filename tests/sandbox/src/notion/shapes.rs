//! What is known, in Notion's JSON.

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use serde_json::{Map, Value, json};

use super::{
    grants::Bot,
    outline::rich_text,
    state::{Comment, Node, Notion, Person, What},
};
use crate::clock::rfc3339;

/// References that a page carries of one value at most.
const CUT_AT: usize = 25;

/// A page, data source, database or block.
pub fn node(notion: &Notion, node: &Node) -> Value {
    match &node.what {
        What::Page { .. } => page(notion, node),
        What::Source { .. } => source(notion, node),
        What::Database { .. } => database(notion, node),
        What::Block { .. } => block(notion, node),
    }
}

/// The link to a page for people.
pub fn url(node: &Node) -> String {
    let words: String = node.title().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let words = words.trim_matches('-');
    let dash = if words.is_empty() { "" } else { "-" };
    format!("https://www.notion.so/{words}{dash}{}", node.id.replace('-', ""))
}

/// A time of an edit, which Notion tells to the minute.
fn time(time: DateTime<Utc>) -> String {
    rfc3339(time.duration_trunc(TimeDelta::minutes(1)).unwrap_or(time))
}

fn user(id: &str) -> Value {
    json!({ "object": "user", "id": id })
}

fn common(notion: &Notion, node: &Node, object: &str) -> Map<String, Value> {
    let trashed = notion.is_trashed(node);
    let value = json!({
        "object": object,
        "id": node.id,
        "created_time": time(node.created),
        "last_edited_time": time(node.edited),
        "created_by": user(&node.created_by),
        "last_edited_by": user(&node.edited_by),
        "in_trash": trashed,
        "archived": trashed,
        "is_archived": false,
        "parent": parent(notion, node),
    });
    value.as_object().cloned().unwrap_or_default()
}

/// What something is in.
fn parent(notion: &Notion, node: &Node) -> Value {
    let Some(above) = node.parent.as_ref().and_then(|id| notion.nodes.get(id)) else {
        return json!({ "type": "workspace", "workspace": true });
    };
    match &above.what {
        What::Page { .. } => json!({ "type": "page_id", "page_id": above.id }),
        What::Block { .. } => json!({ "type": "block_id", "block_id": above.id }),
        What::Database { .. } => json!({ "type": "database_id", "database_id": above.id }),
        What::Source { .. } => {
            json!({ "type": "data_source_id", "data_source_id": above.id, "database_id": above.parent })
        }
    }
}

fn page(notion: &Notion, node: &Node) -> Value {
    let What::Page { title, icon, values, .. } = &node.what else { return Value::Null };
    let mut properties = Map::new();
    let is_row = node
        .parent
        .as_ref()
        .and_then(|id| notion.nodes.get(id))
        .is_some_and(|above| matches!(above.what, What::Source { .. }));
    let name = if is_row { "Name" } else { "title" };
    properties.insert(name.to_owned(), json!({ "id": "title", "type": "title", "title": cut(rich_text(title)) }));
    for (name, value) in values {
        let mut value = value.clone();
        if let Some(fields) = value.as_object_mut() {
            fields.insert("id".to_owned(), json!(property_id(name)));
            for list in ["rich_text", "people", "relation"] {
                if let Some(items) = fields.get_mut(list) {
                    *items = cut(items.take());
                }
            }
        }
        properties.insert(name.clone(), value);
    }
    let mut shown = common(notion, node, "page");
    shown.insert("properties".to_owned(), Value::Object(properties));
    shown.insert(
        "icon".to_owned(),
        icon.as_ref().map_or(Value::Null, |emoji| json!({ "type": "emoji", "emoji": emoji })),
    );
    shown.insert("cover".to_owned(), Value::Null);
    shown.insert("is_locked".to_owned(), json!(false));
    shown.insert("url".to_owned(), json!(url(node)));
    shown.insert("public_url".to_owned(), Value::Null);
    Value::Object(shown)
}

fn cut(items: Value) -> Value {
    match items {
        Value::Array(mut items) => {
            items.truncate(CUT_AT);
            Value::Array(items)
        }
        other => other,
    }
}

/// The id of a property, which follows from its name.
pub fn property_id(name: &str) -> String {
    let id: String = name.chars().filter(char::is_ascii_alphanumeric).take(8).collect();
    format!("p%3A{}", id.to_lowercase())
}

fn source(notion: &Notion, node: &Node) -> Value {
    let What::Source { title, description, columns } = &node.what else { return Value::Null };
    let mut properties = Map::new();
    properties.insert(
        "Name".to_owned(),
        json!({ "id": "title", "name": "Name", "description": null, "type": "title", "title": {} }),
    );
    for (name, column) in columns {
        let mut column = column.clone();
        if let Some(fields) = column.as_object_mut() {
            fields.insert("id".to_owned(), json!(property_id(name)));
            fields.insert("name".to_owned(), json!(name));
            fields.insert("description".to_owned(), Value::Null);
        }
        properties.insert(name.clone(), column);
    }
    let database = node.parent.as_ref().and_then(|id| notion.nodes.get(id));
    let mut shown = common(notion, node, "data_source");
    shown.remove("is_archived");
    shown.insert("title".to_owned(), rich_text(title));
    shown.insert("description".to_owned(), rich_text(description));
    shown.insert("database_parent".to_owned(), database.map_or(Value::Null, |database| parent(notion, database)));
    shown.insert("properties".to_owned(), Value::Object(properties));
    for (name, value) in [("icon", Value::Null), ("cover", Value::Null), ("public_url", Value::Null)] {
        shown.insert(name.to_owned(), value);
    }
    shown.insert("is_inline".to_owned(), json!(false));
    shown.insert("url".to_owned(), json!(url(node)));
    Value::Object(shown)
}

fn database(notion: &Notion, node: &Node) -> Value {
    let sources: Vec<Value> = node
        .children
        .iter()
        .filter_map(|id| notion.nodes.get(id))
        .map(|source| json!({ "id": source.id, "name": source.title() }))
        .collect();
    let mut shown = common(notion, node, "database");
    for name in ["created_by", "last_edited_by", "is_archived"] {
        shown.remove(name);
    }
    shown.insert("title".to_owned(), rich_text(node.title()));
    shown.insert("description".to_owned(), json!([]));
    shown.insert("data_sources".to_owned(), json!(sources));
    for (name, value) in [("icon", Value::Null), ("cover", Value::Null), ("public_url", Value::Null)] {
        shown.insert(name.to_owned(), value);
    }
    shown.insert("is_inline".to_owned(), json!(false));
    shown.insert("is_locked".to_owned(), json!(false));
    shown.insert("url".to_owned(), json!(url(node)));
    Value::Object(shown)
}

/// Anything as a block: pages and databases appear among the blocks of the page that they are in.
pub fn block(notion: &Notion, node: &Node) -> Value {
    let (kind, content) = match &node.what {
        What::Block { kind, content } => (kind.as_str(), completed(kind, content)),
        What::Page { title, .. } => ("child_page", json!({ "title": title })),
        What::Database { title } | What::Source { title, .. } => ("child_database", json!({ "title": title })),
    };
    let mut shown = common(notion, node, "block");
    shown.remove("is_archived");
    let has_children = !children(notion, node).is_empty();
    shown.insert("has_children".to_owned(), json!(has_children && kind != "child_database"));
    shown.insert("type".to_owned(), json!(kind));
    shown.insert(kind.to_owned(), content);
    Value::Object(shown)
}

/// A block's content with the fields that its type always has.
fn completed(kind: &str, content: &Value) -> Value {
    let more = match kind {
        "paragraph" => json!({ "icon": null }),
        "heading_1" | "heading_2" | "heading_3" => json!({ "is_toggleable": false }),
        _ => return content.clone(),
    };
    let mut whole = content.clone();
    if let (Some(fields), Value::Object(more)) = (whole.as_object_mut(), more) {
        for (name, value) in more {
            fields.entry(name).or_insert(value);
        }
    }
    whole
}

/// What is in a page or block, in order. A synced copy holds what its original holds.
pub fn children<'a>(notion: &'a Notion, node: &'a Node) -> Vec<&'a Node> {
    let original = match &node.what {
        What::Block { kind, content } if kind == "synced_block" => {
            content.pointer("/synced_from/block_id").and_then(Value::as_str).and_then(|id| notion.nodes.get(id))
        }
        _ => None,
    };
    let held = original.unwrap_or(node);
    held.children.iter().filter_map(|id| notion.nodes.get(id)).filter(|child| !child.trashed).collect()
}

/// A person, with the address where that may be known.
pub fn person(person: &Person, with_email: bool) -> Value {
    let details = if with_email { json!({ "email": person.email }) } else { json!({}) };
    json!({
        "object": "user",
        "id": person.id,
        "type": "person",
        "name": person.name,
        "avatar_url": null,
        "person": details,
    })
}

/// A connection.
pub fn bot(notion: &Notion, bot: &Bot) -> Value {
    let owner = notion.people.get(&bot.account).map_or(Value::Null, |owner| person(owner, true));
    json!({
        "object": "user",
        "id": bot.id,
        "type": "bot",
        "name": bot.client,
        "avatar_url": null,
        "bot": {
            "owner": { "type": "user", "user": owner },
            "workspace_id": bot.workspace,
            "workspace_name": notion.workspaces.get(&bot.workspace).map(|workspace| workspace.name.clone()),
            "workspace_limits": { "max_file_upload_size_in_bytes": 5_242_880 },
        },
    })
}

/// A comment.
pub fn comment(notion: &Notion, comment: &Comment) -> Value {
    let name = notion.person_by_id(&comment.by).map(|person| person.name.clone());
    json!({
        "object": "comment",
        "id": comment.id,
        "parent": { "type": "page_id", "page_id": comment.page },
        "discussion_id": comment.id,
        "created_time": rfc3339(comment.created),
        "last_edited_time": rfc3339(comment.created),
        "created_by": user(&comment.by),
        "rich_text": rich_text(&comment.text),
        "display_name": { "type": "user", "resolved_name": name },
    })
}
