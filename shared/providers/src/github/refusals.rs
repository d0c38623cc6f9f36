//! What GitHub's refusals mean.

use std::time::Duration;

use domain::Timestamp;
use http::HeaderMap;

use super::wire;
use crate::error::Kind;
use crate::retry_after;

/// The wait where a secondary limit does not say how long: "at least one minute", GitHub's page on rate limits.
pub const SECONDARY_WAIT: Duration = Duration::from_secs(60);

/// Whether a refusal is about one repository, so that the others can be read all the same: its organization asks for single sign-on, the
/// app is not installed in it, or GitHub has blocked it. Any other is about the account.
pub fn is_about_a_repository(kind: &Kind) -> bool {
    let words = ["sso_required", "not_accessible_by_integration", "blocked", "blocked_for_legal_reasons"];
    matches!(kind, Kind::Forbidden(word) if words.contains(word))
}

/// What a refusal means (GitHub's pages on rate limits and on troubleshooting the REST API).
pub fn classify(status: u16, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Kind {
    let failure = wire::Failure::read(body);
    let message = failure.message.to_ascii_lowercase();
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    match status {
        401 => Kind::TokenRejected,
        403 | 429 => {
            if let Some(wait) = retry_after::asked(headers, body, now) {
                return Kind::RateLimited { retry_after: Some(wait) };
            }
            let is_secondary = message.contains("secondary rate limit") || message.contains("abuse detection");
            if is_secondary {
                return Kind::RateLimited { retry_after: Some(SECONDARY_WAIT) };
            }
            if status == 429 || text("x-ratelimit-remaining") == Some("0") || message.contains("rate limit exceeded") {
                return Kind::RateLimited { retry_after: None };
            }
            if failure.has_code("too_large") {
                return Kind::TooLarge("GitHub serves no files of more than 100 MB".to_owned());
            }
            if lacks_scope(text("x-oauth-scopes"), text("x-accepted-oauth-scopes")) {
                return Kind::ScopeMissing;
            }
            Kind::Forbidden(if headers.contains_key("x-github-sso") {
                "sso_required"
            } else if message.contains("suspended") {
                "suspended"
            } else if message.contains("not accessible by integration") {
                "not_accessible_by_integration"
            } else if message.contains("repository access blocked") {
                "blocked"
            } else {
                "forbidden"
            })
        }
        // 410 is said of deleted issues and of features that are switched off.
        404 | 410 => Kind::NotFound,
        451 => Kind::Forbidden("blocked_for_legal_reasons"),
        // A renamed repository is called again by its number; what still moves is an issue that went to another repository.
        301 | 302 | 307 | 308 => Kind::NotFound,
        408 | 500..=599 => Kind::Unavailable,
        409 => Kind::Rejected("conflict".to_owned()),
        422 if message.contains("pagination") => Kind::PageExpired,
        422 => Kind::Rejected("invalid".to_owned()),
        _ => Kind::Rejected(format!("status {status}")),
    }
}

/// Whether an OAuth app's token was granted none of the scopes that a call takes.
fn lacks_scope(granted: Option<&str>, accepted: Option<&str>) -> bool {
    let list = |text: &str| text.split(',').map(|scope| scope.trim().to_owned()).filter(|s| !s.is_empty()).collect();
    let (Some(granted), Some(accepted)) = (granted, accepted) else { return false };
    let (granted, accepted): (Vec<String>, Vec<String>) = (list(granted), list(accepted));
    !accepted.is_empty() && !accepted.iter().any(|scope| granted.contains(scope))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    fn map(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()))
            .collect()
    }

    #[test]
    fn every_refusal_is_told_apart() {
        let now = "2026-11-25T02:00:00Z".parse().unwrap();
        let check = |status, pairs: &[(&'static str, &str)], body: &str, kind: Kind| {
            assert_eq!(classify(status, &map(pairs), body.as_bytes(), now), kind, "{status} {body}");
        };
        let limited = |seconds| Kind::RateLimited { retry_after: Some(Duration::from_secs(seconds)) };
        let used_up = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1795572090")];
        check(401, &[], r#"{"message":"Bad credentials"}"#, Kind::TokenRejected);
        check(403, &used_up, r#"{"message":"API rate limit exceeded for user ID 1."}"#, limited(90));
        check(429, &used_up, "{}", limited(90));
        check(403, &[("retry-after", "30")], "{}", limited(30));
        check(403, &[], r#"{"message":"You have exceeded a secondary rate limit."}"#, limited(60));
        check(429, &[], "", Kind::RateLimited { retry_after: None });
        let room = [("x-ratelimit-remaining", "41"), ("x-ratelimit-reset", "1795572090")];
        let denied = r#"{"message":"Resource not accessible by integration"}"#;
        check(403, &room, denied, Kind::Forbidden("not_accessible_by_integration"));
        check(403, &[("x-github-sso", "required; url=https://x")], "{}", Kind::Forbidden("sso_required"));
        check(403, &[], r#"{"message":"Sorry. Your account was suspended"}"#, Kind::Forbidden("suspended"));
        check(
            403,
            &[("x-oauth-scopes", "gist"), ("x-accepted-oauth-scopes", "repo, admin:org")],
            "{}",
            Kind::ScopeMissing,
        );
        check(
            403,
            &[("x-oauth-scopes", "repo, gist"), ("x-accepted-oauth-scopes", "repo")],
            "{}",
            Kind::Forbidden("forbidden"),
        );
        check(
            403,
            &[],
            r#"{"message":"This API returns blobs up to 100 MB","errors":[{"code":"too_large"}]}"#,
            Kind::TooLarge("GitHub serves no files of more than 100 MB".to_owned()),
        );
        check(404, &[], "{}", Kind::NotFound);
        check(410, &[], "{}", Kind::NotFound);
        check(301, &[], "{}", Kind::NotFound);
        check(451, &[], "{}", Kind::Forbidden("blocked_for_legal_reasons"));
        check(
            422,
            &[],
            r#"{"message":"Pagination with the page parameter is not supported for large datasets"}"#,
            Kind::PageExpired,
        );
        check(422, &[], r#"{"message":"Validation Failed"}"#, Kind::Rejected("invalid".to_owned()));
        for status in [500, 502, 503, 504] {
            check(status, &[], "<html>", Kind::Unavailable);
        }
    }
}
