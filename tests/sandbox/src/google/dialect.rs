//! What the gate must know of Google: names of operations, who calls, what they cost, how errors look.

use axum::{
    http::{Method, StatusCode},
    response::{IntoResponse, Response},
};

use super::{drive::caller, error::ApiError, oauth::token};
use crate::{
    gate::{Dialect, Seen},
    listings::Listing,
    state::Shared,
};

/// Google's dialect.
pub const GOOGLE: Dialect = Dialect { operation, account, cost, rate_limited, error, listing };

fn operation(seen: &Seen<'_>) -> String {
    let path = seen.path.trim_start_matches("/google");
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let get = seen.method == Method::GET;
    let media =
        || url::form_urlencoded::parse(seen.query.as_bytes()).any(|(key, value)| key == "alt" && value == "media");
    let name = match parts.as_slice() {
        ["accounts", ..] if get => "oauth2.page",
        ["accounts", ..] => "oauth2.decide",
        ["oauth2", "token"] => match token::form(seen.body).get("grant_type").map(String::as_str) {
            Some("authorization_code") => "oauth2.token.exchange",
            Some("refresh_token") => "oauth2.token.refresh",
            _ => "oauth2.token",
        },
        ["oauth2", "revoke"] => "oauth2.revoke",
        ["docs", ..] => "files.exportLink",
        ["www", "drive", "v3", rest @ ..] => match rest {
            ["about"] => "about.get",
            ["files"] => "files.list",
            ["files", _] if media() => "files.media",
            ["files", _] => "files.get",
            ["files", _, "export"] => "files.export",
            ["files", _, "watch"] => "files.watch",
            ["drives"] => "drives.list",
            ["drives", _] => "drives.get",
            ["changes", "startPageToken"] => "changes.getStartPageToken",
            ["changes"] => "changes.list",
            ["changes", "watch"] => "changes.watch",
            ["channels", "stop"] => "channels.stop",
            _ => "unknown",
        },
        _ => "unknown",
    };
    name.to_owned()
}

fn account(sandbox: &Shared, seen: &Seen<'_>) -> Option<String> {
    let bearer = caller::bearer(seen.headers).map(str::to_owned);
    let form = token::form(if seen.path.starts_with("/google/oauth2/") { seen.body } else { b"" });
    sandbox.read(|world| {
        let grants = &world.google.grants;
        let refresh = |token: &String| grants.account_of_refresh(token);
        let found = match &bearer {
            Some(token) => grants.account_of(token),
            None => form
                .get("refresh_token")
                .and_then(refresh)
                .or_else(|| form.get("code").and_then(|code| grants.code_account(code)))
                // What is to be revoked may be of either kind.
                .or_else(|| form.get("token").and_then(|token| refresh(token).or_else(|| grants.account_of(token)))),
        };
        found.map(str::to_owned)
    })
}

/// Quota units of Google's price list; OAuth is not metered.
fn cost(_: &Seen<'_>, operation: &str) -> Option<u32> {
    match operation {
        "files.list" | "changes.list" | "drives.list" => Some(100),
        "files.media" | "files.export" => Some(200),
        "files.exportLink" => None,
        other if other.starts_with("oauth2.") => None,
        _ => Some(5),
    }
}

fn rate_limited() -> Response {
    ApiError::too_fast().into_response()
}

fn error(status: StatusCode, reason: Option<&str>) -> Response {
    ApiError::of_status(status, reason).into_response()
}

fn listing(operation: &str) -> Option<Listing> {
    let pages = |items, id, last| Some(Listing { items, id, next: "nextPageToken", token: "pageToken", last });
    match operation {
        "files.list" => pages("files", "id", None),
        "changes.list" => pages("changes", "fileId", Some("newStartPageToken")),
        "drives.list" => pages("drives", "id", None),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderMap;

    use super::*;

    fn check(method: Method, path: &str, query: &str, body: &str, expected: &str) {
        let headers = HeaderMap::new();
        let seen = Seen { method: &method, path, query, headers: &headers, body: body.as_bytes() };
        assert_eq!(operation(&seen), expected, "{path}");
    }

    #[test]
    fn operations_have_the_names_that_google_gives_them() {
        check(Method::GET, "/google/www/drive/v3/files", "", "", "files.list");
        check(Method::GET, "/google/www/drive/v3/files/1a", "supportsAllDrives=true", "", "files.get");
        check(Method::GET, "/google/www/drive/v3/files/1a", "alt=media", "", "files.media");
        check(Method::GET, "/google/www/drive/v3/changes/startPageToken", "", "", "changes.getStartPageToken");
        check(Method::POST, "/google/oauth2/token", "", "grant_type=refresh_token", "oauth2.token.refresh");
        check(Method::POST, "/google/oauth2/token", "", "grant_type=authorization_code", "oauth2.token.exchange");
        check(Method::PUT, "/google/elsewhere", "", "", "unknown");
    }
}
