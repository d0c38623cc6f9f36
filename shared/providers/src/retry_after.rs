//! How long a provider asks to wait, in the forms that providers write it.

use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use domain::Timestamp;
use http::HeaderMap;
use serde_json::Value;

/// Longest wait that is believed. A longer one is a mistake, and the job would never come back.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

/// Headers that say when a limit has room again, each with the one that says how much room it has now. A reset counts only where
/// nothing is left, or where that is not told: providers write the resets of limits that were not reached, too.
const RESETS: &[(&str, &str)] = &[
    // GitHub (epoch seconds), Discord (with decimals), Jira and Confluence (ISO 8601).
    ("x-ratelimit-reset", "x-ratelimit-remaining"),
    // Discord, seconds with decimals.
    ("x-ratelimit-reset-after", "x-ratelimit-remaining"),
    // GitLab (epoch seconds, and an HTTP date), SharePoint (seconds).
    ("ratelimit-reset", "ratelimit-remaining"),
    ("ratelimit-resettime", "ratelimit-remaining"),
    // Linear, epoch milliseconds, a limit each for requests, for their weight, and for some endpoints.
    ("x-ratelimit-requests-reset", "x-ratelimit-requests-remaining"),
    ("x-ratelimit-complexity-reset", "x-ratelimit-complexity-remaining"),
    ("x-ratelimit-endpoint-requests-reset", "x-ratelimit-endpoint-requests-remaining"),
];
/// HubSpot tells the length of the window that was used up, in milliseconds.
const WINDOW: (&str, &str) = ("x-hubspot-ratelimit-interval-milliseconds", "x-hubspot-ratelimit-remaining");

/// Words of bodies that mean a limit whatever the status: Slack and Linear say it with 200 and 400, Salesforce with 403.
const LIMIT_WORDS: &[&str] = &[
    "ratelimited",
    "rate_limited",
    "rate_limit_exceeded",
    "too_many_requests",
    "too_many_write_operations",
    "request_limit_exceeded",
];

/// The wait that a refusal asks for, in whatever form: `Retry-After` and the body's `retry_after` (the longer of the two, where they
/// differ), or else the reset of a limit that is used up. `None` if it says nothing.
#[must_use]
pub fn asked(headers: &HeaderMap, body: &[u8], now: Timestamp) -> Option<Duration> {
    from_headers(headers, now).max(from_body(body)).or_else(|| from_resets(headers, now))
}

/// The wait that `Retry-After` asks for: seconds, an HTTP date (RFC 9110 section 10.2.3), or, as some servers write, RFC 3339 or
/// epoch seconds or milliseconds. Dates are reckoned from the answer's own `Date`, so that neither side's clock matters;
/// from `now` if it has none. `None` if there is no such header or it says nothing.
#[must_use]
pub fn from_headers(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    read(headers.get(http::header::RETRY_AFTER)?.to_str().ok()?, sent(headers).unwrap_or(now))
}

/// The longest wait until a limit that is used up has room again.
#[must_use]
pub fn from_resets(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let from = sent(headers).unwrap_or(now);
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let used_up =
        |remaining: &str| text(remaining).is_none_or(|left| left.trim().parse::<f64>().is_ok_and(|left| left < 1.0));
    let resets =
        RESETS.iter().filter(|(_, remaining)| used_up(remaining)).filter_map(|(reset, _)| read(text(reset)?, from));
    // A window's length means something only where the window is said to be used up.
    let window = text(WINDOW.1)
        .filter(|_| used_up(WINDOW.1))
        .and_then(|_| text(WINDOW.0)?.trim().parse().ok())
        .map(Duration::from_millis);
    resets.chain(window).max()
}

/// The seconds that a JSON body asks to wait: `retry_after` at the top (Discord) or in its `error` (Dropbox).
#[must_use]
pub fn from_body(body: &[u8]) -> Option<Duration> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let asked = body.get("retry_after").or_else(|| body.get("error")?.get("retry_after"))?;
    let seconds = asked.as_f64().or_else(|| asked.as_str()?.trim().parse().ok())?;
    bounded(Duration::try_from_secs_f64(seconds).ok()?)
}

/// Whether a body says "too much" whatever its status: an error word at the top, in its `error`, or in a list of errors.
#[must_use]
pub fn is_limit(body: &[u8]) -> bool {
    let Ok(body) = serde_json::from_slice::<Value>(body) else { return false };
    let lists = [Some(&body), body.get("errors")].into_iter().flatten().filter_map(Value::as_array).flatten();
    let mut places: Vec<&Value> = vec![&body];
    places.extend(body.get("error"));
    places.extend(lists);
    places.into_iter().any(|place| {
        let inner = [place.get("extensions"), place.get("reason")].into_iter().flatten();
        std::iter::once(place).chain(inner).any(|object| {
            ["error", "code", "errorCode", "type", ".tag"]
                .into_iter()
                .filter_map(|name| object.get(name)?.as_str())
                .any(|word| LIMIT_WORDS.contains(&word.to_ascii_lowercase().as_str()))
        })
    })
}

/// When the answer was made, by the provider's clock.
#[must_use]
pub fn sent(headers: &HeaderMap) -> Option<Timestamp> {
    http_date(headers.get(http::header::DATE)?.to_str().ok()?)
}

/// The wait in a text like "Retry after 2026-11-25T02:03:04.567Z", as Google's error messages have it. `None` if there is none.
#[must_use]
pub fn from_message(message: &str, now: Timestamp) -> Option<Duration> {
    const WORDS: &str = "retry after ";
    // Lower-casing ASCII keeps every byte position.
    let start = message.to_ascii_lowercase().find(WORDS)? + WORDS.len();
    let word = message.get(start..)?.split_whitespace().next()?;
    until(rfc3339(word.trim_end_matches(['.', ',', ')']))?, now)
}

/// A wait or a moment in any of its forms.
fn read(text: &str, from: Timestamp) -> Option<Duration> {
    let text = text.trim();
    match text.parse::<f64>() {
        Ok(number) => from_number(number, from),
        Err(_) => until(http_date(text).or_else(|| rfc3339(text))?, from),
    }
}

/// Seconds, or a moment as epoch seconds or milliseconds, told apart by size: no wait is thirty years long.
fn from_number(number: f64, now: Timestamp) -> Option<Duration> {
    let now_seconds = now.timestamp() as f64;
    let seconds = match number {
        n if n >= 1e11 => n / 1000.0 - now_seconds,
        n if n >= 1e9 => n - now_seconds,
        n => n,
    };
    bounded(Duration::try_from_secs_f64(seconds).ok()?)
}

fn until(moment: Timestamp, from: Timestamp) -> Option<Duration> {
    bounded((moment - from).max(TimeDelta::zero()).to_std().ok()?)
}

fn bounded(wait: Duration) -> Option<Duration> {
    (!wait.is_zero()).then(|| wait.min(LONGEST))
}

fn http_date(text: &str) -> Option<Timestamp> {
    DateTime::parse_from_rfc2822(text.trim()).ok().map(|date| date.with_timezone(&Utc))
}

/// RFC 3339, also without seconds, which ISO 8601 allows.
fn rfc3339(text: &str) -> Option<Timestamp> {
    let whole = DateTime::parse_from_rfc3339(text).ok().map(|date| date.with_timezone(&Utc));
    whole.or_else(|| Some(NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%MZ").ok()?.and_utc()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    fn now() -> Timestamp {
        rfc3339("2026-11-25T02:00:00Z").unwrap()
    }

    fn check(value: &str, date: Option<&str>, seconds: Option<u64>) {
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", HeaderValue::from_str(value).unwrap());
        if let Some(date) = date {
            headers.insert("date", HeaderValue::from_str(date).unwrap());
        }
        assert_eq!(from_headers(&headers, now()).map(|wait| wait.as_secs()), seconds, "{value}");
    }

    #[test]
    fn guarantee_16_every_form_of_the_header_is_read() {
        check("30", None, Some(30));
        check("1.5", None, Some(1));
        check("Wed, 25 Nov 2026 02:01:00 GMT", None, Some(60));
        check("2026-11-25T02:02:00Z", None, Some(120));
        check("1795572090000", None, Some(90));
        check("1795572030", None, Some(30));
    }

    #[test]
    fn guarantee_29_a_wrong_clock_of_either_side_does_not_lengthen_a_wait() {
        check("Wed, 25 Nov 2026 05:00:10 GMT", Some("Wed, 25 Nov 2026 05:00:00 GMT"), Some(10));
    }

    #[test]
    fn guarantee_16_nonsense_says_nothing_and_no_wait_is_endless() {
        for value in ["", "soon", "-5", "0", "NaN", "Wed, 25 Nov 2020 02:00:00 GMT"] {
            check(value, None, None);
        }
        check("99999999", None, Some(LONGEST.as_secs()));
        assert_eq!(from_headers(&HeaderMap::new(), now()), None);
    }

    #[test]
    fn guarantee_16_a_time_inside_a_message_is_found() {
        let wait = |text| from_message(text, now()).map(|wait| wait.as_secs());
        assert_eq!(wait("User-rate limit exceeded.  Retry after 2026-11-25T02:00:45.000Z"), Some(45));
        assert_eq!(wait("RETRY AFTER 2026-11-25T02:00:45Z. Thanks"), Some(45));
        assert_eq!(wait("Retry after a while"), None);
        assert_eq!(wait("İ retry after"), None);
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()))
            .collect()
    }

    #[test]
    fn guarantee_16_every_providers_reset_is_read_where_its_limit_is_used_up() {
        let check = |pairs: &[(&'static str, &str)], milliseconds: Option<u128>| {
            let wait = asked(&headers(pairs), b"", now()).map(|wait| wait.as_millis());
            assert_eq!(wait, milliseconds, "{pairs:?}");
        };
        // GitHub: the primary limit; a refusal with room left is another limit, which says nothing.
        check(&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1795572060")], Some(60_000));
        check(&[("x-ratelimit-remaining", "41"), ("x-ratelimit-reset", "1795575600")], None);
        check(
            &[("retry-after", "30"), ("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1795575600")],
            Some(30_000),
        );
        // Discord.
        check(&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset-after", "1.337")], Some(1_337));
        // Jira and Confluence.
        check(&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "2026-11-25T02:05:00Z")], Some(300_000));
        check(&[("x-ratelimit-reset", "2026-11-25T02:05Z")], Some(300_000));
        // GitLab, and SharePoint, which counts from now.
        check(&[("ratelimit-reset", "1795572120")], Some(120_000));
        check(&[("ratelimit-resettime", "Wed, 25 Nov 2026 02:02:00 GMT")], Some(120_000));
        check(&[("ratelimit-remaining", "0"), ("ratelimit-reset", "9")], Some(9_000));
        // Linear: of three limits the one that is used up counts.
        let linear = [
            ("x-ratelimit-requests-remaining", "900"),
            ("x-ratelimit-requests-reset", "1795575600000"),
            ("x-ratelimit-complexity-remaining", "0"),
            ("x-ratelimit-complexity-reset", "1795572045500"),
        ];
        check(&linear, Some(45_500));
        // HubSpot.
        check(
            &[("x-hubspot-ratelimit-interval-milliseconds", "10000"), ("x-hubspot-ratelimit-remaining", "0")],
            Some(10_000),
        );
        check(&[("x-hubspot-ratelimit-interval-milliseconds", "10000"), ("x-hubspot-ratelimit-remaining", "7")], None);
        check(&[("x-hubspot-ratelimit-interval-milliseconds", "10000")], None);
        check(&[("x-ratelimit-reset", "never"), ("x-ratelimit-remaining", "many")], None);
        check(&[], None);
    }

    #[test]
    fn guarantee_16_a_reset_is_reckoned_by_the_providers_own_clock() {
        let pairs = [("date", "Wed, 25 Nov 2026 05:00:00 GMT"), ("x-ratelimit-reset", "1795582830")];
        assert_eq!(asked(&headers(&pairs), b"", now()), Some(Duration::from_secs(30)));
    }

    #[test]
    fn guarantee_16_of_header_and_body_the_longer_wait_counts() {
        let check = |header: Option<&str>, body: &str, milliseconds: Option<u128>| {
            let pairs: Vec<_> = header.map(|value| ("retry-after", value)).into_iter().collect();
            assert_eq!(
                asked(&headers(&pairs), body.as_bytes(), now()).map(|wait| wait.as_millis()),
                milliseconds,
                "{body}"
            );
        };
        check(Some("2"), r#"{"message":"slow","retry_after":2.75,"global":false}"#, Some(2_750));
        check(Some("3"), r#"{"retry_after":2.75}"#, Some(3_000));
        check(None, r#"{"error":{"reason":{".tag":"too_many_requests"},"retry_after":15}}"#, Some(15_000));
        check(None, r#"{"error":"ratelimited"}"#, None);
        check(None, r#"{"retry_after":-1}"#, None);
        check(None, r#"{"retry_after":1e300}"#, None);
        check(None, r#"{"retry_after":"4"}"#, Some(4_000));
        check(None, "Retry later", None);
    }

    #[test]
    fn guarantee_16_a_limit_is_known_by_its_word_whatever_the_status() {
        let check = |body: &str, limit: bool| assert_eq!(is_limit(body.as_bytes()), limit, "{body}");
        check(r#"{"ok":false,"error":"ratelimited"}"#, true);
        check(r#"{"errors":[{"message":"x","extensions":{"code":"RATELIMITED","type":"ratelimited"}}]}"#, true);
        check(r#"[{"message":"TotalRequests Limit exceeded.","errorCode":"REQUEST_LIMIT_EXCEEDED"}]"#, true);
        check(r#"{"object":"error","status":429,"code":"rate_limited"}"#, true);
        check(r#"{"type":"error","status":429,"code":"rate_limit_exceeded"}"#, true);
        check(r#"{"error":{"reason":{".tag":"too_many_write_operations"},"retry_after":1}}"#, true);
        check(r#"{"ok":false,"error":"invalid_auth"}"#, false);
        check(r#"{"ok":true,"messages":[{"text":"ratelimited"}]}"#, false);
        check(r#"{"errors":[{"extensions":{"code":"INPUT_ERROR"}}]}"#, false);
        for body in ["", "ratelimited", "null", "[]", "\"ratelimited\"", "{\"error\":"] {
            check(body, false);
        }
    }
}
