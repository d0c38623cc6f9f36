//! What the gate must know of GitHub: names of operations, who calls, how errors look.

use axum::{
    http::{Method, StatusCode},
    response::{IntoResponse, Response},
};

use super::{
    api,
    error::{self, ApiError},
    oauth,
};
use crate::{
    gate::{Dialect, Seen},
    listings::Listing,
    state::Shared,
};

/// GitHub's dialect.
pub const GITHUB: Dialect = Dialect { operation, account, cost, rate_limited: error::rate_limited, error, listing };

fn operation(seen: &Seen<'_>) -> String {
    let parts: Vec<&str> = seen.path.split('/').filter(|part| !part.is_empty()).skip(1).collect();
    let get = seen.method == Method::GET;
    let name = match parts.as_slice() {
        ["web", "login", "oauth", "authorize"] if get => "oauth2.page",
        ["web", "login", "oauth", "authorize"] => "oauth2.decide",
        ["web", "login", "oauth", "access_token"] => {
            match oauth::form(Some(seen.headers), seen.body).get("grant_type").map(String::as_str) {
                Some("refresh_token") => "oauth2.token.refresh",
                _ => "oauth2.token.exchange",
            }
        }
        ["api", "applications", ..] => "oauth2.revoke",
        ["api", "user"] => "user.get",
        ["api", "user", "repos"] => "repos.list",
        ["api", "graphql"] => "graphql",
        ["api", "repositories", _, rest @ ..] => in_repo(seen.method, rest),
        ["api", "repos", _, _, rest @ ..] => in_repo(seen.method, rest),
        _ => "unknown",
    };
    name.to_owned()
}

fn in_repo(method: &Method, rest: &[&str]) -> &'static str {
    match rest {
        [] => "repos.get",
        ["issues"] => "issues.list",
        ["issues", "comments"] => "comments.list",
        ["issues", _] => "issues.get",
        ["issues", _, "comments"] => "issues.comments",
        ["pulls", _] => "pulls.get",
        ["pulls", _, "reviews"] => "pulls.reviews",
        ["pulls", _, "comments"] => "pulls.comments",
        ["releases"] => "releases.list",
        ["releases", _] => "releases.get",
        ["git", "trees", _] => "trees.get",
        ["git", "blobs", _] => "blobs.get",
        ["commits"] => "commits.list",
        ["commits", ..] => "commits.get",
        ["compare", ..] => "compare",
        ["contents", ..] => "contents.get",
        ["hooks"] if method == Method::POST => "hooks.create",
        ["hooks"] => "hooks.list",
        ["hooks", _] => "hooks.delete",
        _ => "unknown",
    }
}

fn account(sandbox: &Shared, seen: &Seen<'_>) -> Option<String> {
    let bearer = api::bearer(seen.headers);
    sandbox.read(|world| {
        let grants = &world.github.grants;
        let found = match bearer {
            Some(token) => grants.account_of(token),
            None => {
                let form = oauth::form(Some(seen.headers), seen.body);
                let by_refresh = form.get("refresh_token").and_then(|token| grants.account_of_refresh(token));
                return by_refresh
                    .or_else(|| form.get("code").and_then(|code| grants.code_account(code)))
                    .map(str::to_owned);
            }
        };
        found.map(str::to_owned)
    })
}

/// Points of the secondary limit: five for what writes. OAuth is not metered.
fn cost(seen: &Seen<'_>, operation: &str) -> Option<u32> {
    match operation {
        other if other.starts_with("oauth2.") => None,
        _ if seen.method == Method::GET || operation == "graphql" => Some(1),
        _ => Some(5),
    }
}

fn error(status: StatusCode, reason: Option<&str>) -> Response {
    ApiError::of_status(status, reason).into_response()
}

/// Pages are bare lists whose next address is in a header, which no lie about fields can spoil.
fn listing(_: &str) -> Option<Listing> {
    None
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderMap;

    use super::*;

    #[test]
    fn operations_have_names() {
        let check = |method: Method, path: &str, body: &str, expected: &str| {
            let headers = HeaderMap::new();
            let seen = Seen { method: &method, path, query: "", headers: &headers, body: body.as_bytes() };
            assert_eq!(operation(&seen), expected, "{path}");
        };
        check(Method::GET, "/github/api/repos/acme/app/issues", "", "issues.list");
        check(Method::GET, "/github/api/repositories/5/issues/comments", "", "comments.list");
        check(Method::GET, "/github/api/repos/acme/app/contents/a/b.md", "", "contents.get");
        check(Method::POST, "/github/api/repositories/5/hooks", "", "hooks.create");
        check(Method::POST, "/github/web/login/oauth/access_token", "grant_type=refresh_token", "oauth2.token.refresh");
        check(Method::POST, "/github/web/login/oauth/access_token", "code=x", "oauth2.token.exchange");
        check(Method::GET, "/github/api/zen", "", "unknown");
    }
}
