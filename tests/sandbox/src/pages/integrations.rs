//! A stand-in for the host application: a user connects accounts, starts syncs, and sees what became of them.
//! The page asks the product's API for everything it shows, with the user's own token.

use std::collections::HashMap;

use axum::{
    Form,
    extract::{Query, State},
    http::HeaderMap,
    response::{Html, IntoResponse, Redirect, Response},
};
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    html::{escape, in_query, page as frame},
    session,
};
use crate::{
    config::HostApp,
    emulated::{self, Emulated},
    state::Shared,
};

type Fields = HashMap<String, String>;

/// `GET /app`, and `GET /app/integrations` where the connect flow ends.
pub async fn page(State(sandbox): State<Shared>, Query(fields): Query<Fields>, headers: HeaderMap) -> Html<String> {
    let Some(app) = &sandbox.app else { return Html(frame("Host application", "<p>No API is configured.</p>")) };
    let mut body = String::from("<p class=quiet><a href=\"/\">Sandbox</a></p><h1>Host application</h1>");
    if let Some(provider) = fields.get("connected") {
        body.push_str(&format!("<p class=good>Connected: {}</p>", escape(provider)));
    }
    for error in ["error", "failed"].iter().filter_map(|name| fields.get(*name)) {
        body.push_str(&format!("<p class=bad>That did not work: {}</p>", escape(error)));
    }
    let signed_in = session::user(app, &headers);
    body.push_str(&people(app, signed_in.map(|(user, _)| user)));
    if let Some((_, token)) = signed_in {
        body.push_str(&integrations(&sandbox, app, token).await);
    }
    Html(frame("Host application", &body))
}

/// `POST /app/do`: what needs no trip of the browser to the API.
pub async fn act(State(sandbox): State<Shared>, headers: HeaderMap, Form(fields): Form<Fields>) -> Response {
    let Some((app, (_, token))) = sandbox.app.as_ref().and_then(|app| Some((app, session::user(app, &headers)?)))
    else {
        return Redirect::to("/app").into_response();
    };
    let Some(provider) = fields.get("provider").and_then(|id| emulated::ALL.iter().find(|emulated| emulated.id == id))
    else {
        return Redirect::to("/app").into_response();
    };
    let path = format!("/api/integrations/{}", provider.id);
    let answer = match fields.get("action").map(String::as_str) {
        Some("sync") => {
            let mode = if fields.contains_key("full") { "full" } else { "incremental" };
            call(&sandbox, app, token, Method::POST, &format!("{path}/sync"), Some(json!({ "mode": mode }))).await
        }
        Some("disconnect") => call(&sandbox, app, token, Method::DELETE, &path, None).await,
        _ => Err("unknown action".to_owned()),
    };
    match answer {
        Ok(_) => Redirect::to("/app").into_response(),
        Err(message) => Redirect::to(&format!("/app?failed={}", in_query(&message))).into_response(),
    }
}

fn people(app: &HostApp, signed_in: Option<&str>) -> String {
    let buttons: String = app
        .tokens
        .keys()
        .map(|user| {
            let class = if signed_in == Some(user) { " class=main" } else { "" };
            format!("<button name=user value=\"{user}\"{class}>{user}</button> ", user = escape(user))
        })
        .collect();
    format!(
        "<form method=post action=\"/app/user\"><p>Signed in as: {buttons}<button name=user value=\"\">Nobody</button></p></form>"
    )
}

/// Every provider that this sandbox plays, as far as the API offers it.
async fn integrations(sandbox: &Shared, app: &HostApp, token: &str) -> String {
    let (all, connected) = tokio::join!(
        get(sandbox, app, token, "/api/integrations"),
        get(sandbox, app, token, "/api/integrations/connected"),
    );
    let all = match all {
        Ok(all) => all,
        Err(message) => return format!("<p class=bad>The API did not answer: {}</p>", escape(&message)),
    };
    let mut html = String::new();
    for emulated in emulated::ALL {
        let row = connected.as_ref().ok().and_then(|json| find(json, &["provider", "id"], emulated.id));
        let offered = find(&all, &["id", "provider"], emulated.id).is_some();
        html.push_str(&match row {
            Some(row) => integration(sandbox, app, token, emulated, row).await,
            None => unconnected(app, emulated, offered),
        });
    }
    html.push_str("<p class=quiet><a href=\"/app\">Look again</a></p>");
    html
}

fn unconnected(app: &HostApp, emulated: &Emulated, offered: bool) -> String {
    let title = escape(emulated.title);
    let note = if offered { String::new() } else { format!("<p class=bad>The API does not offer {title}.</p>") };
    format!(
        "<h2>{title}</h2>{note}<form method=post action=\"{}/api/integrations/{}/connect\">\
         <button class=main>Connect {title}</button></form>",
        escape(&app.api_url),
        emulated.id
    )
}

async fn integration(sandbox: &Shared, app: &HostApp, token: &str, emulated: &Emulated, row: &Value) -> String {
    let path = format!("/api/integrations/{}", emulated.id);
    let (jobs_path, resources_path) = (format!("{path}/sync-jobs?limit=5"), format!("{path}/resources"));
    let (jobs, resources) =
        tokio::join!(get(sandbox, app, token, &jobs_path), get(sandbox, app, token, &resources_path));
    let mut html = format!(
        "<h2>{title}</h2><p>Status <b>{}</b>, last sync {}</p>{}\
         <form class=inline method=post action=\"/app/do\">{provider}\
         <button class=main name=action value=sync>Sync now</button> \
         <label><input type=checkbox name=full value=1> everything</label></form> \
         <form class=inline method=post action=\"/app/do\">{provider}\
         <button name=action value=disconnect>Disconnect</button></form>",
        shown(row, "status"),
        shown(row, "last_sync_at"),
        match row.get("last_error").and_then(Value::as_str) {
            Some(error) => format!("<p class=bad>{}</p>", escape(error)),
            None => String::new(),
        },
        title = escape(emulated.title),
        provider = format_args!("<input type=hidden name=provider value=\"{}\">", emulated.id),
    );
    html.push_str(&table(
        "Sync jobs",
        jobs,
        &[
            "mode",
            "status",
            "started_at",
            "resources_found",
            "resources_synced",
            "resources_unchanged",
            "resources_failed",
            "resources_deleted",
            "error_message",
        ],
    ));
    html.push_str(&table(
        "Resources",
        resources,
        &["title", "name", "external_id", "externalId", "state", "status", "resource_type", "last_synced_at", "error"],
    ));
    html
}

/// The first entry of a list that is about this provider.
fn find<'a>(json: &'a Value, keys: &[&str], provider: &str) -> Option<&'a Value> {
    list(json)?.iter().find(|entry| keys.iter().any(|key| entry.get(*key).and_then(Value::as_str) == Some(provider)))
}

fn list(json: &Value) -> Option<&Vec<Value>> {
    json.get("data")?.as_array()
}

/// Those of the columns that some row has; what the API calls them is its business.
fn table(title: &str, answer: Result<Value, String>, columns: &[&str]) -> String {
    let rows = match &answer {
        Ok(json) => list(json).map(Vec::as_slice).unwrap_or_default(),
        Err(message) => return format!("<h2>{title}</h2><p class=bad>{}</p>", escape(message)),
    };
    let present: Vec<&&str> =
        columns.iter().filter(|column| rows.iter().any(|row| row.get(**column).is_some())).collect();
    let head: String = present.iter().map(|column| format!("<th>{}</th>", escape(&column.replace('_', " ")))).collect();
    let body: String = rows
        .iter()
        .map(|row| {
            let cells: String = present.iter().map(|column| format!("<td>{}</td>", shown(row, column))).collect();
            format!("<tr>{cells}</tr>")
        })
        .collect();
    format!("<h2>{title}</h2><table><tr>{head}</tr>{body}</table>")
}

fn shown(row: &Value, name: &str) -> String {
    match row.get(name) {
        None | Some(Value::Null) => "–".to_owned(),
        Some(Value::String(text)) => escape(text),
        Some(other) => escape(&other.to_string()),
    }
}

async fn get(sandbox: &Shared, app: &HostApp, token: &str, path: &str) -> Result<Value, String> {
    send(sandbox.http.get(format!("{}{path}", app.api_url)).bearer_auth(token)).await
}

async fn call(
    sandbox: &Shared,
    app: &HostApp,
    token: &str,
    method: Method,
    path: &str,
    body: Option<Value>,
) -> Result<Value, String> {
    let address = format!("{}{path}", app.api_url);
    let request = sandbox.http.request(method, address).bearer_auth(token);
    send(match body {
        Some(body) => request.json(&body),
        None => request,
    })
    .await
}

/// The API's answer, or its own words on what is wrong.
async fn send(request: reqwest::RequestBuilder) -> Result<Value, String> {
    let request = request.header("accept", "application/json").timeout(std::time::Duration::from_secs(20));
    let response = request.send().await.map_err(|error| error.without_url().to_string())?;
    let status = response.status();
    let json: Value = response.json().await.unwrap_or_default();
    if status.is_success() {
        return Ok(json);
    }
    let said = json.get("error").and_then(Value::as_str).map(str::to_owned);
    Err(said.unwrap_or_else(|| format!("the API answered {status}")))
}
