//! A small Notion: pages under pages, with everything that a person does to them.

use std::collections::HashMap;

use axum::{
    Form, Router,
    extract::{Query, State},
    http::StatusCode,
    response::{Html, IntoResponse, Redirect, Response},
    routing::{get, post},
};

use super::{
    change::NewPage,
    state::{Node, Notion, Person, What},
};
use crate::{
    control::Wrong,
    pages::html::{escape, in_query, page as frame},
    state::Shared,
};

type Fields = HashMap<String, String>;

/// Rows that a page for people shows at most.
const SHOWN: usize = 500;

/// The pages.
pub fn routes() -> Router<Shared> {
    Router::new()
        .route("/notion-pages", get(page))
        .route("/notion-pages/edit", get(edit_page))
        .route("/notion-pages/do", post(act))
}

/// What the front page says.
pub fn front(sandbox: &Shared) -> String {
    let people: String = sandbox.read(|world| {
        let link = |person: &Person| {
            format!(
                "<li><a href=\"/notion-pages?account={}\">{}</a> <span class=quiet>{}</span></li>",
                in_query(&person.email),
                escape(&person.name),
                escape(&person.email)
            )
        };
        world.notion.people.values().map(link).collect()
    });
    format!(
        "<p>Write, rename, trash and delete pages, and comment on them:</p><ul>{people}</ul>\
         <p class=quiet><a href=\"/control/notion/hook\">Webhook</a></p>"
    )
}

/// `GET /notion-pages?account=`.
async fn page(State(sandbox): State<Shared>, Query(fields): Query<Fields>) -> Response {
    let shown = sandbox.read(|world| {
        let notion = &world.notion;
        let person = match fields.get("account") {
            Some(email) => notion.people.get(email),
            None => notion.people.values().next(),
        };
        person.map(|person| tree(notion, person))
    });
    shown.map_or_else(|| nothing("There is no such account."), |html| Html(html).into_response())
}

/// `GET /notion-pages/edit?account=&id=`.
async fn edit_page(State(sandbox): State<Shared>, Query(fields): Query<Fields>) -> Response {
    let field = |name: &str| fields.get(name).map_or("", String::as_str);
    let shown = sandbox.read(|world| {
        let person = world.notion.people.get(field("account"))?;
        Some(editor(&world.notion, person, world.notion.nodes.get(field("id"))?))
    });
    shown.map_or_else(|| nothing("There is no such page."), |html| Html(html).into_response())
}

/// `POST /notion-pages/do`.
async fn act(State(sandbox): State<Shared>, Form(fields): Form<Fields>) -> Response {
    let field = |name: &str| fields.get(name).map_or("", String::as_str);
    let (who, id) = (field("account"), field("id"));
    let text = field("text").replace("\r\n", "\n");
    let done: Result<(), Wrong> = sandbox.write(|world| {
        let notion = &mut world.notion;
        match field("action") {
            "add" => {
                let parent = Some(field("parent")).filter(|parent| !parent.is_empty());
                notion
                    .add_page(who, NewPage { title: field("title"), text: &text, parent, ..NewPage::default() })
                    .map(drop)
            }
            "write" => notion.write_page(who, id, &text),
            "rename" => notion.rename(who, id, field("title")),
            "trash" => notion.trash(who, id, true),
            "restore" => notion.trash(who, id, false),
            "delete" => notion.delete(who, id),
            "comment" => notion.comment(who, id, &text).map(drop),
            _ => Err(Wrong::unprocessable("unknown action")),
        }
    });
    match done {
        Ok(()) => Redirect::to(&format!("/notion-pages?account={}", in_query(who))).into_response(),
        Err(wrong) => wrong.into_response(),
    }
}

fn hidden(person: &Person, id: &str) -> String {
    format!(
        "<input type=hidden name=account value=\"{}\"><input type=hidden name=id value=\"{}\">",
        escape(&person.email),
        escape(id)
    )
}

fn tree(notion: &Notion, person: &Person) -> String {
    let mut rows = String::new();
    let mut left = SHOWN;
    let mut stack: Vec<(usize, &Node)> = top(notion, person).into_iter().rev().map(|node| (0, node)).collect();
    while let Some((depth, node)) = stack.pop() {
        if left == 0 {
            rows.push_str("<tr><td colspan=3 class=quiet>and more</td></tr>");
            break;
        }
        let is_block = matches!(node.what, What::Block { .. });
        if !is_block {
            left -= 1;
            rows.push_str(&row(notion, person, node, depth));
        }
        let inside = node.children.iter().filter_map(|id| notion.nodes.get(id)).rev();
        stack.extend(inside.map(|child| (if is_block { depth } else { depth + 1 }, child)));
    }
    let workspace = notion.workspaces.get(&person.workspace).map_or("", |workspace| workspace.name.as_str());
    frame(
        "Notion (sandbox)",
        &format!(
            "<p class=quiet><a href=\"/\">Sandbox</a></p><h1>{workspace}</h1><p class=quiet>as {name}</p><table>{rows}</table>\
             <h2>New page</h2><form method=post action=\"/notion-pages/do\">{hidden}<input type=hidden name=action value=add>\
             <p><input name=title placeholder=Title required> in <select name=parent><option value=\"\">(top)</option>{places}</select></p>\
             <textarea name=text placeholder=\"Text\"></textarea><p><button class=main>Add</button></p></form>",
            workspace = escape(workspace),
            name = escape(&person.name),
            hidden = hidden(person, ""),
            places = places(notion, person),
        ),
    )
}

fn top<'a>(notion: &'a Notion, person: &Person) -> Vec<&'a Node> {
    let mut top: Vec<&Node> =
        notion.nodes.values().filter(|node| node.parent.is_none() && node.workspace == person.workspace).collect();
    top.sort_by_key(|node| node.title().to_lowercase());
    top
}

fn places(notion: &Notion, person: &Person) -> String {
    let mut all: Vec<&Node> =
        notion.documents(&person.workspace).filter(|node| !notion.is_trashed(node)).take(SHOWN).collect();
    all.sort_by_key(|node| node.title().to_lowercase());
    all.iter().map(|node| format!("<option value=\"{}\">{}</option>", escape(&node.id), escape(node.title()))).collect()
}

fn row(notion: &Notion, person: &Person, node: &Node, depth: usize) -> String {
    let button = |action: &str, label: &str| {
        format!(
            "<form class=inline method=post action=\"/notion-pages/do\">{}<button name=action value={action}>{label}</button></form> ",
            hidden(person, &node.id)
        )
    };
    let actions = match (node.trashed, notion.is_trashed(node)) {
        (true, _) => button("restore", "Restore") + &button("delete", "Delete for good"),
        (false, true) => String::new(),
        (false, false) => button("trash", "Trash"),
    };
    let kind = match node.what {
        What::Page { .. } => "page",
        What::Database { .. } => "database",
        What::Source { .. } => "data source",
        What::Block { .. } => "block",
    };
    format!(
        "<tr><td style=\"padding-left:{indent}rem\"><a href=\"/notion-pages/edit?account={account}&amp;id={id}\">{name}</a>{mark}</td>\
         <td class=quiet>{kind}</td><td>{actions}</td></tr>",
        indent = 0.5 + 1.5 * f64::from(u8::try_from(depth.min(12)).unwrap_or(12)),
        account = in_query(&person.email),
        id = in_query(&node.id),
        name = escape(if node.title().is_empty() { "Untitled" } else { node.title() }),
        mark = if notion.is_trashed(node) { " <span class=bad>(in the trash)</span>" } else { "" },
    )
}

fn editor(notion: &Notion, person: &Person, node: &Node) -> String {
    let hidden = hidden(person, &node.id);
    let write = match &node.what {
        What::Page { text, .. } => format!(
            "<h2>Text</h2><p class=quiet>Headings with #, lists with -, 1. or - [ ], quotes with &gt;, code between ```, tables with |.</p>\
             <form method=post action=\"/notion-pages/do\">{hidden}<input type=hidden name=action value=write>\
             <textarea name=text>\n{}</textarea><p><button class=main>Save</button></p></form>\
             <h2>Comments</h2><ul>{}</ul><form method=post action=\"/notion-pages/do\">{hidden}\
             <input type=hidden name=action value=comment><input name=text required> <button>Comment</button></form>",
            escape(text),
            notion
                .comments
                .iter()
                .filter(|comment| comment.page == node.id)
                .map(|comment| format!("<li>{}</li>", escape(&comment.text)))
                .collect::<String>(),
        ),
        _ => String::new(),
    };
    frame(
        "Notion (sandbox)",
        &format!(
            "<p class=quiet><a href=\"/notion-pages?account={email}\">Back to the workspace</a></p><h1>{title}</h1>\
             <p class=quiet>id <code>{id}</code></p><h2>Title</h2><form method=post action=\"/notion-pages/do\">{hidden}\
             <input type=hidden name=action value=rename><input name=title value=\"{title}\"> <button>Rename</button></form>{write}",
            email = in_query(&person.email),
            title = escape(node.title()),
            id = escape(&node.id),
        ),
    )
}

fn nothing(message: &str) -> Response {
    let body = format!("<h1>Nothing here</h1><p>{}</p><p><a href=\"/\">Sandbox</a></p>", escape(message));
    (StatusCode::NOT_FOUND, Html(frame("Notion (sandbox)", &body))).into_response()
}
