//! A small drive: files by folder, with everything that a person does to them.

use std::collections::HashMap;

use axum::{
    Form, Router,
    extract::{Query, State},
    http::StatusCode,
    response::{Html, IntoResponse, Redirect, Response},
    routing::{get, post},
};

use crate::{
    clock,
    google::{
        change::{Edit, NewFile},
        drive::export,
        file::{Body, DOCUMENT, FOLDER, File, SPREADSHEET},
        material,
        state::{Account, Google},
    },
    pages::html::{escape, in_query, page as frame},
    state::Shared,
};

type Fields = HashMap<String, String>;

/// The pages.
pub fn routes() -> Router<Shared> {
    Router::new().route("/drive", get(page)).route("/drive/edit", get(edit_page)).route("/drive/do", post(act))
}

/// What the front page says.
pub fn front(sandbox: &Shared) -> String {
    let drives: String = sandbox.read(|world| {
        let link = |account: &Account| {
            format!(
                "<li><a href=\"/drive?account={}\">{}</a> <span class=quiet>{}</span></li>",
                in_query(&account.email),
                escape(&account.name),
                escape(&account.email)
            )
        };
        world.google.accounts.values().map(link).collect()
    });
    format!(
        "<p>Add, edit, move and delete files as their owner would:</p><ul>{drives}</ul>\
         <p class=quiet><a href=\"/control/google/channels\">Channels</a></p>"
    )
}

/// `GET /drive?account=`.
async fn page(State(sandbox): State<Shared>, Query(fields): Query<Fields>) -> Response {
    let shown = sandbox.read(|world| {
        let google = &world.google;
        let account = match fields.get("account") {
            Some(email) => google.accounts.get(email),
            None => google.accounts.values().next(),
        };
        account.map(|account| listing(google, account))
    });
    match shown {
        Some(html) => Html(html).into_response(),
        None => nothing("There is no such account here."),
    }
}

/// `GET /drive/edit?account=&id=`.
async fn edit_page(State(sandbox): State<Shared>, Query(fields): Query<Fields>) -> Response {
    let field = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
    let shown = sandbox.read(|world| {
        let google = &world.google;
        let account = google.accounts.get(field("account"))?;
        let file = google.visible(account, field("id"))?;
        Some(editor(google, account, file))
    });
    match shown {
        Some(html) => Html(html).into_response(),
        None => nothing("There is no such file in this account."),
    }
}

/// `POST /drive/do`: one action of the forms on these pages.
async fn act(State(sandbox): State<Shared>, Form(fields): Form<Fields>) -> Response {
    let field = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
    let account = field("account").to_owned();
    let done = sandbox.write(|world| perform(&mut world.google, &account, &fields));
    match done {
        Ok(()) => Redirect::to(&format!("/drive?account={}", in_query(&account))).into_response(),
        Err(message) => {
            let body = format!(
                "<h1>That did not work</h1><p>{}</p><p><a href=\"/drive?account={}\">Back</a></p>",
                escape(&message),
                in_query(&account)
            );
            (StatusCode::UNPROCESSABLE_ENTITY, Html(frame("Drive (sandbox)", &body))).into_response()
        }
    }
}

fn perform(google: &mut Google, account: &str, fields: &Fields) -> Result<(), String> {
    let field = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
    let viewer = google.accounts.get(account).cloned().ok_or("There is no such account here.")?;
    let (id, by) = (field("id"), Some(account.to_owned()));
    if field("action") != "add" && google.visible(&viewer, id).is_none() {
        return Err("There is no such file in this account.".to_owned());
    }
    let edit = match field("action") {
        "add" => {
            let (kind, name) = (field("kind"), field("name").trim());
            if name.is_empty() {
                return Err("A file needs a name.".to_owned());
            }
            let (body, text) =
                material::of_text(kind, &field("text").replace("\r\n", "\n")).map_err(|e| e.to_string())?;
            let parent = Some(field("parent")).filter(|parent| !parent.is_empty());
            let new = NewFile { id: None, name, mime_type: kind, body, text, parent, drive_id: None };
            return google.create(account, new).map(|_| ()).map_err(|refused| refused.to_string());
        }
        "delete" => return google.delete(id).map_err(|refused| refused.to_string()),
        "rename" => Edit { name: Some(field("name").to_owned()), by, ..Edit::default() },
        "move" => Edit { parent: Some(field("parent").to_owned()), by, ..Edit::default() },
        "trash" => Edit { trashed: Some(true), by, ..Edit::default() },
        "restore" => Edit { trashed: Some(false), by, ..Edit::default() },
        "write" => {
            let mime_type = google.files.get(id).map(|file| file.mime_type.clone()).unwrap_or_default();
            let content =
                material::of_text(&mime_type, &field("text").replace("\r\n", "\n")).map_err(|e| e.to_string())?;
            Edit { content: Some(content), by, ..Edit::default() }
        }
        other => return Err(format!("Unknown action: {other}")),
    };
    google.edit(id, edit).map_err(|refused| refused.to_string())
}

fn listing(google: &Google, account: &Account) -> String {
    let mut rows = String::new();
    let roots: Vec<&File> = std::iter::once(account.root_id.as_str())
        .chain(google.drives.values().filter(|d| d.members.contains(&account.email)).map(|drive| drive.id.as_str()))
        .filter_map(|id| google.files.get(id))
        .collect();
    for root in &roots {
        rows.push_str(&format!("<tr><th colspan=4>{}</th></tr>", escape(&root.name)));
        add_rows(google, account, &root.id, 0, &mut rows);
    }
    let shared: Vec<&File> =
        google.files_of(&account.email).filter(|file| file.drive_id.is_none() && file.owner != account.email).collect();
    if !shared.is_empty() {
        rows.push_str("<tr><th colspan=4>Shared with me</th></tr>");
        for file in shared {
            rows.push_str(&row(google, account, file, 0));
        }
    }
    let kinds: String = [
        ("text/plain", "Text file"),
        ("text/markdown", "Markdown file"),
        (DOCUMENT, "Google Doc"),
        (SPREADSHEET, "Google Sheet (CSV)"),
        (crate::google::file::DOCX, "Word document"),
        (crate::google::file::PDF, "PDF"),
        (FOLDER, "Folder"),
    ]
    .iter()
    .map(|(kind, name)| format!("<option value=\"{kind}\">{name}</option>"))
    .collect();
    frame(
        "Drive (sandbox)",
        &format!(
            "<p class=quiet><a href=\"/\">Sandbox</a></p><h1>Drive of {name}</h1>\
             <table>{rows}</table><h2>Add</h2><form method=post action=\"/drive/do\">\
             <input type=hidden name=account value=\"{email}\"><input type=hidden name=action value=add>\
             <p><label>Name <input name=name required></label> <label>Kind <select name=kind>{kinds}</select></label> \
             <label>In <select name=parent>{folders}</select></label></p>\
             <textarea name=text placeholder=\"What it says\"></textarea><p><button class=main>Add</button></p></form>",
            name = escape(&account.name),
            email = escape(&account.email),
            folders = folder_options(google, account, None),
        ),
    )
}

fn add_rows(google: &Google, account: &Account, folder: &str, depth: usize, rows: &mut String) {
    // A page for people: what lies deeper or comes later is not shown.
    if depth > 12 {
        return;
    }
    let children = google.children.get(folder).into_iter().flatten().filter_map(|id| google.files.get(id));
    let mut children: Vec<&File> = children.collect();
    children.sort_by_key(|file| (file.mime_type != FOLDER, file.name.to_lowercase()));
    for file in children.iter().take(500) {
        rows.push_str(&row(google, account, file, depth));
        add_rows(google, account, &file.id, depth + 1, rows);
    }
    if children.len() > 500 {
        rows.push_str(&format!("<tr><td colspan=4 class=quiet>and {} more</td></tr>", children.len() - 500));
    }
}

fn row(google: &Google, account: &Account, file: &File, depth: usize) -> String {
    let trashed = google.is_trashed(file);
    let hidden = format!(
        "<input type=hidden name=account value=\"{}\"><input type=hidden name=id value=\"{}\">",
        escape(&account.email),
        escape(&file.id)
    );
    let button = |action: &str, label: &str| {
        format!(
            "<form class=inline method=post action=\"/drive/do\">{hidden}<button name=action value={action}>{label}</button></form> "
        )
    };
    let actions = match (file.trashed_at.is_some(), trashed) {
        (true, _) => button("restore", "Restore") + &button("delete", "Delete for good"),
        (false, true) => String::new(),
        (false, false) => button("trash", "Trash") + &button("delete", "Delete for good"),
    };
    format!(
        "<tr><td style=\"padding-left:{indent}rem\"><a href=\"/drive/edit?account={account}&amp;id={id}\">{name}</a>{mark}</td>\
         <td class=quiet>{kind}</td><td class=quiet>{time}</td><td>{actions}</td></tr>",
        indent = 0.5 + 1.5 * f64::from(u8::try_from(depth).unwrap_or(u8::MAX)),
        account = in_query(&account.email),
        id = in_query(&file.id),
        name = escape(&file.name),
        mark = if trashed { " <span class=bad>(in the trash)</span>" } else { "" },
        kind = escape(file.mime_type.rsplit(['.', '/']).next().unwrap_or_default()),
        time = clock::rfc3339(file.modified).replace('T', " ").chars().take(19).collect::<String>(),
    )
}

/// Folders that a file may be put in, the present one chosen.
fn folder_options(google: &Google, account: &Account, present: Option<&str>) -> String {
    let mut folders: Vec<(String, &str)> = google
        .files
        .values()
        .filter(|file| file.mime_type == FOLDER && google.may_see(&account.email, file) && !google.is_trashed(file))
        .map(|file| {
            let mut names: Vec<&str> = google.with_ancestors(file).map(|file| file.name.as_str()).collect();
            names.reverse();
            (names.join(" / "), file.id.as_str())
        })
        .collect();
    folders.sort_unstable();
    let present = present.unwrap_or(&account.root_id);
    folders
        .iter()
        .map(|(name, id)| {
            let chosen = if *id == present { " selected" } else { "" };
            format!("<option value=\"{}\"{chosen}>{}</option>", escape(id), escape(name))
        })
        .collect()
}

fn editor(google: &Google, account: &Account, file: &File) -> String {
    let hidden = format!(
        "<input type=hidden name=account value=\"{}\"><input type=hidden name=id value=\"{}\">",
        escape(&account.email),
        escape(&file.id)
    );
    let text = match &file.body {
        Body::Document { markdown } => Some(markdown.clone()),
        Body::Spreadsheet { .. } => export::convert(&file.body, "text/csv")
            .and_then(Result::ok)
            .map(|csv| String::from_utf8_lossy(&csv).replace("\r\n", "\n")),
        Body::Presentation { slides } => Some(slides.join(material::SLIDE_BREAK)),
        Body::Blob { .. } if file.mime_type != "image/png" => file.text.clone(),
        _ => None,
    };
    let write = match text {
        Some(text) => format!(
            "<h2>Text</h2><form method=post action=\"/drive/do\">{hidden}<input type=hidden name=action value=write>\
             <textarea name=text>\n{}</textarea><p><button class=main>Save</button></p></form>",
            escape(&text)
        ),
        None => String::new(),
    };
    frame(
        "Drive (sandbox)",
        &format!(
            "<p class=quiet><a href=\"/drive?account={email}\">Back to the drive</a></p><h1>{name}</h1>\
             <p class=quiet>{kind} · id <code>{id}</code> · version {version}</p>{write}\
             <h2>Name</h2><form method=post action=\"/drive/do\">{hidden}<input type=hidden name=action value=rename>\
             <input name=name value=\"{name}\" required> <button>Rename</button></form>\
             <h2>Folder</h2><form method=post action=\"/drive/do\">{hidden}<input type=hidden name=action value=move>\
             <select name=parent>{folders}</select> <button>Move</button></form>",
            email = in_query(&account.email),
            name = escape(&file.name),
            kind = escape(&file.mime_type),
            id = escape(&file.id),
            version = file.version,
            folders = folder_options(google, account, file.parent.as_deref()),
        ),
    )
}

fn nothing(message: &str) -> Response {
    let body = format!("<h1>Nothing here</h1><p>{}</p><p><a href=\"/\">Sandbox</a></p>", escape(message));
    (StatusCode::NOT_FOUND, Html(frame("Drive (sandbox)", &body))).into_response()
}
