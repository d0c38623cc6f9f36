//! The Web API: one address for each method, arguments in the query, in a form or in JSON, and `ok` in every answer.

use std::collections::BTreeMap;

use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::{
    grants::Token,
    lists, oauth, shapes,
    state::{Slack, Workspace},
    tiers,
};
use crate::state::Shared;

/// A method's arguments.
pub type Args = BTreeMap<String, String>;

/// A refusal: its word, and what else is said.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    pub error: String,
    pub more: Map<String, Value>,
}

impl From<&str> for Failure {
    fn from(error: &str) -> Self {
        Self { error: error.to_owned(), more: Map::new() }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut body = self.more;
        body.insert("ok".to_owned(), json!(false));
        body.insert("error".to_owned(), json!(self.error));
        Json(Value::Object(body)).into_response()
    }
}

/// "Too fast", with how many seconds to wait.
pub fn too_fast(seconds: u64) -> Response {
    let mut response =
        (StatusCode::TOO_MANY_REQUESTS, Json(json!({ "ok": false, "error": "ratelimited" }))).into_response();
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}

/// Who calls, and with what rights.
pub struct Caller<'s> {
    pub workspace: &'s Workspace,
    pub token: &'s Token,
}

/// `GET` or `POST /api/{method}`.
pub async fn call(
    State(sandbox): State<Shared>,
    Path(method): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let args = args(uri.query().unwrap_or_default(), &headers, &body);
    if let Some(answer) = oauth::method(&sandbox, &method, &headers, &args) {
        return answer;
    }
    let token = token(&headers, &args);
    // Tiers count by workspace and method.
    let late = sandbox.write(|world| {
        let slack = &mut world.slack;
        let team = token.as_deref().and_then(|token| slack.grants.token(token).ok()).map(|token| token.team.clone());
        team.and_then(|team| tiers::take(slack, &team, &method))
    });
    if let Some(seconds) = late {
        return too_fast(seconds);
    }
    sandbox.read(|world| match answer(&world.slack, &method, token.as_deref(), &args) {
        Ok(mut body) => {
            if let Some(fields) = body.as_object_mut() {
                fields.insert("ok".to_owned(), json!(true));
            }
            Json(body).into_response()
        }
        Err(failure) => failure.into_response(),
    })
}

fn answer(slack: &Slack, method: &str, token: Option<&str>, args: &Args) -> Result<Value, Failure> {
    if method == "api.test" {
        return Ok(json!({ "args": args }));
    }
    let needed = scopes(method).ok_or("unknown_method")?;
    let token = slack.grants.token(token.ok_or("not_authed")?)?;
    let workspace = slack.workspaces.get(&token.team).ok_or("invalid_auth")?;
    if !needed.is_empty() && !needed.iter().any(|scope| token.scopes.contains(*scope)) {
        let provided: Vec<&str> = token.scopes.iter().map(String::as_str).collect();
        let more = json!({ "needed": needed.join(","), "provided": provided.join(",") });
        let more = more.as_object().cloned().unwrap_or_default();
        return Err(Failure { more, ..Failure::from("missing_scope") });
    }
    let caller = Caller { workspace, token };
    match method {
        "auth.test" => Ok(identity(&caller)),
        "team.info" => Ok(json!({ "team": { "id": workspace.id, "name": workspace.name, "domain": workspace.domain,
            "url": address(workspace), "email_domain": "", "icon": {} } })),
        "users.conversations" => lists::conversations(slack, &caller, args, true),
        "conversations.list" => lists::conversations(slack, &caller, args, false),
        "conversations.info" => lists::conversation(&caller, args),
        "conversations.history" => lists::history(slack, &caller, args),
        "conversations.replies" => lists::replies(slack, &caller, args),
        "users.list" => lists::users(slack, &caller, args),
        "users.info" => {
            let user = args.get("user").and_then(|id| workspace.users.get(id)).ok_or("user_not_found")?;
            Ok(json!({ "user": shapes::user(workspace, user, token.scopes.contains("users:read.email")) }))
        }
        "files.list" => lists::files(&caller, args),
        "files.info" => lists::file(&caller, args),
        _ => Err("unknown_method".into()),
    }
}

/// What a method needs: one of these; nothing where the list is empty. `None` for methods that are not played.
fn scopes(method: &str) -> Option<&'static [&'static str]> {
    Some(match method {
        "auth.test" => &[],
        "team.info" => &["team:read"],
        "users.conversations" | "conversations.list" | "conversations.info" => {
            &["channels:read", "groups:read", "im:read", "mpim:read"]
        }
        "conversations.history" | "conversations.replies" => {
            &["channels:history", "groups:history", "im:history", "mpim:history"]
        }
        "users.list" | "users.info" => &["users:read"],
        "files.list" | "files.info" => &["files:read"],
        _ => return None,
    })
}

fn identity(caller: &Caller<'_>) -> Value {
    let (workspace, token) = (caller.workspace, caller.token);
    let handle = workspace.users.get(&token.user).map(|user| user.handle.clone());
    let mut body = json!({
        "url": address(workspace),
        "team": workspace.name,
        "user": handle,
        "team_id": workspace.id,
        "user_id": token.user,
        "is_enterprise_install": false,
    });
    if let Some(fields) = body.as_object_mut().filter(|_| token.is_bot) {
        fields.insert("bot_id".to_owned(), json!("B0SANDBOX"));
    }
    body
}

/// Where people find a workspace.
pub fn address(workspace: &Workspace) -> String {
    format!("https://{}.slack.com/", workspace.domain)
}

/// The token of a request: in its header, or as an argument.
pub fn token(headers: &HeaderMap, args: &Args) -> Option<String> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.split_once(' '));
    let bearer = bearer.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, token)| token.trim());
    bearer.map(str::to_owned).or_else(|| args.get("token").cloned())
}

/// The arguments of a request, wherever they are.
pub fn args(query: &str, headers: &HeaderMap, body: &[u8]) -> Args {
    let mut args: Args = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if kind.starts_with("application/json") {
        let fields = serde_json::from_slice::<Map<String, Value>>(body).unwrap_or_default();
        args.extend(fields.into_iter().map(|(name, value)| match value {
            Value::String(text) => (name, text),
            other => (name, other.to_string()),
        }));
    } else {
        args.extend(url::form_urlencoded::parse(body).into_owned());
    }
    args
}
