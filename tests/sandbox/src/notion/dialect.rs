//! What the gate must know of Notion: names of operations, who calls, how errors look.

use axum::{
    http::{Method, StatusCode},
    response::{IntoResponse, Response},
};
use serde_json::Value;

use super::{
    api,
    error::{self, ApiError, OAuthError},
};
use crate::{
    gate::{Dialect, Seen},
    listings::Listing,
    state::Shared,
};

/// Notion's dialect.
pub const NOTION: Dialect = Dialect { operation, account, cost, rate_limited: error::rate_limited, error, listing };

fn operation(seen: &Seen<'_>) -> String {
    let path = seen.path.trim_start_matches("/notion");
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let get = seen.method == Method::GET;
    let name = match parts.as_slice() {
        ["v1", "oauth", "authorize"] if get => "oauth2.page",
        ["v1", "oauth", "authorize"] => "oauth2.decide",
        ["v1", "oauth", "token"] => match field(seen.body, "grant_type").as_deref() {
            Some("authorization_code") => "oauth2.token.exchange",
            Some("refresh_token") => "oauth2.token.refresh",
            _ => "oauth2.token",
        },
        ["v1", "oauth", "revoke"] => "oauth2.revoke",
        ["v1", "oauth", "introspect"] => "oauth2.introspect",
        ["v1", "users"] => "users.list",
        ["v1", "users", "me"] => "users.me",
        ["v1", "users", _] => "users.get",
        ["v1", "search"] => "search",
        ["v1", "pages", _] => "pages.get",
        ["v1", "pages", _, "properties", _] => "pages.property",
        ["v1", "databases", _] => "databases.get",
        ["v1", "data_sources", _] => "data_sources.get",
        ["v1", "data_sources", _, "query"] => "data_sources.query",
        ["v1", "blocks", _] => "blocks.get",
        ["v1", "blocks", _, "children"] => "blocks.children",
        ["v1", "comments"] => "comments.list",
        _ => "unknown",
    };
    name.to_owned()
}

fn field(body: &[u8], name: &str) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    body.get(name)?.as_str().map(str::to_owned)
}

fn account(sandbox: &Shared, seen: &Seen<'_>) -> Option<String> {
    let named = ["refresh_token", "code", "token"].iter().find_map(|name| field(seen.body, name));
    let secret = api::bearer(seen.headers).map(str::to_owned).or(named)?;
    sandbox.read(|world| world.notion.grants.account_of(&secret).map(str::to_owned))
}

/// Every request counts the same; OAuth is not metered.
fn cost(_: &Seen<'_>, operation: &str) -> Option<u32> {
    (!operation.starts_with("oauth2.")).then_some(1)
}

fn error(status: StatusCode, reason: Option<&str>) -> Response {
    match reason {
        // Words that only the token endpoint knows.
        Some("invalid_grant") => OAuthError { status, error: "invalid_grant" }.into_response(),
        Some("invalid_client") => OAuthError { status, error: "invalid_client" }.into_response(),
        reason => ApiError::of_status(status, reason).into_response(),
    }
}

fn listing(operation: &str) -> Option<Listing> {
    let is_list = matches!(
        operation,
        "users.list" | "search" | "data_sources.query" | "blocks.children" | "comments.list" | "pages.property"
    );
    is_list.then_some(Listing { items: "results", id: "id", next: "next_cursor", token: "start_cursor", last: None })
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderMap;

    use super::*;

    #[test]
    fn every_request_has_a_name() {
        let check = |method: Method, path: &str, body: &str, expected: &str| {
            let headers = HeaderMap::new();
            let seen = Seen { method: &method, path, query: "", headers: &headers, body: body.as_bytes() };
            assert_eq!(operation(&seen), expected);
        };
        check(Method::POST, "/notion/v1/search", "{}", "search");
        check(Method::GET, "/notion/v1/blocks/x/children", "", "blocks.children");
        check(Method::POST, "/notion/v1/oauth/token", r#"{"grant_type":"refresh_token"}"#, "oauth2.token.refresh");
        check(Method::GET, "/notion/v1/pages/x/properties/y", "", "pages.property");
        check(Method::GET, "/notion/v2", "", "unknown");
    }
}
