//! What the gate must know of Slack: names of operations, who calls, what calls cost, how errors look.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::json;

use super::api::{self, args, token};
use crate::{
    gate::{Dialect, Seen},
    listings::Listing,
    state::Shared,
};

/// Slack's dialect.
pub const SLACK: Dialect = Dialect { operation, account, cost, rate_limited, error, listing };

fn operation(seen: &Seen<'_>) -> String {
    let path = seen.path.trim_start_matches("/slack");
    match path.strip_prefix("/api/") {
        Some("oauth.v2.access") => {
            match args(seen.query, seen.headers, seen.body).get("grant_type").map(String::as_str) {
                Some("refresh_token") => "oauth2.token.refresh".to_owned(),
                _ => "oauth2.token.exchange".to_owned(),
            }
        }
        Some("auth.revoke") => "oauth2.revoke".to_owned(),
        Some(method) => method.to_owned(),
        None if path.starts_with("/oauth/") => "oauth2.page".to_owned(),
        None if path.starts_with("/files/") => "files.download".to_owned(),
        None => "unknown".to_owned(),
    }
}

/// The workspace, by whatever the request carries of it.
fn account(sandbox: &Shared, seen: &Seen<'_>) -> Option<String> {
    let args = args(seen.query, seen.headers, seen.body);
    sandbox.read(|world| {
        let grants = &world.slack.grants;
        let by_token = token(seen.headers, &args).and_then(|token| Some(grants.token(&token).ok()?.team.clone()));
        by_token
            .or_else(|| Some(grants.team_of_refresh(args.get("refresh_token")?)?.to_owned()))
            .or_else(|| Some(grants.team_of_code(args.get("code")?)?.to_owned()))
    })
}

fn cost(_: &Seen<'_>, operation: &str) -> Option<u32> {
    // Files do not come from the Web API, and its names and identities have limits far above the others.
    let is_free = operation.starts_with("oauth2.") || operation == "files.download" || operation == "unknown";
    (!is_free).then_some(1)
}

fn rate_limited() -> Response {
    api::too_fast(1)
}

/// Slack says nearly everything with status 200.
fn error(status: StatusCode, reason: Option<&str>) -> Response {
    let default = match status.as_u16() {
        401 => "invalid_auth",
        403 => "missing_scope",
        404 => "thread_not_found",
        410 => "invalid_cursor",
        429 => "ratelimited",
        400..=499 => "invalid_arguments",
        503 => "service_unavailable",
        _ => "internal_error",
    };
    let body = Json(json!({ "ok": false, "error": reason.unwrap_or(default) }));
    match status.as_u16() {
        429 | 500..=599 => (status, body).into_response(),
        _ => body.into_response(),
    }
}

fn listing(operation: &str) -> Option<Listing> {
    let pages =
        |items, id| Some(Listing { items, id, next: "response_metadata.next_cursor", token: "cursor", last: None });
    match operation {
        "users.conversations" | "conversations.list" => pages("channels", "id"),
        "conversations.history" | "conversations.replies" => pages("messages", "ts"),
        "users.list" => pages("members", "id"),
        _ => None,
    }
}
