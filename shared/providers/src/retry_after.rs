//! How long a provider asks to wait, in the forms that providers write it.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use domain::Timestamp;
use http::HeaderMap;

/// Longest wait that is believed. A longer one is a mistake, and the job would never come back.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

/// The wait that `Retry-After` asks for: seconds, an HTTP date (RFC 9110 section 10.2.3), or, as some servers write, RFC 3339 or
/// epoch seconds or milliseconds. Dates are reckoned from the answer's own `Date`, so that neither side's clock matters;
/// from `now` if it has none. `None` if there is no such header or it says nothing.
#[must_use]
pub fn from_headers(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(http::header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(number) = text.parse::<f64>() {
        return from_number(number, sent(headers).unwrap_or(now));
    }
    until(http_date(text).or_else(|| rfc3339(text))?, sent(headers).unwrap_or(now))
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

/// Seconds, or a moment as epoch seconds or milliseconds, told apart by size: no wait is thirty years long.
fn from_number(number: f64, now: Timestamp) -> Option<Duration> {
    let now_seconds = now.timestamp() as f64;
    let seconds = match number {
        n if n >= 1e11 => n / 1000.0 - now_seconds,
        n if n >= 1e9 => n - now_seconds,
        n => n,
    };
    let wait = Duration::try_from_secs_f64(seconds).ok()?;
    (!wait.is_zero()).then(|| wait.min(LONGEST))
}

fn until(moment: Timestamp, from: Timestamp) -> Option<Duration> {
    let wait = (moment - from).max(TimeDelta::zero()).to_std().ok()?;
    (!wait.is_zero()).then(|| wait.min(LONGEST))
}

fn http_date(text: &str) -> Option<Timestamp> {
    DateTime::parse_from_rfc2822(text.trim()).ok().map(|date| date.with_timezone(&Utc))
}

fn rfc3339(text: &str) -> Option<Timestamp> {
    DateTime::parse_from_rfc3339(text).ok().map(|date| date.with_timezone(&Utc))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

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
    fn every_form_of_the_header_is_read() {
        check("30", None, Some(30));
        check("1.5", None, Some(1));
        check("Wed, 25 Nov 2026 02:01:00 GMT", None, Some(60));
        check("2026-11-25T02:02:00Z", None, Some(120));
        check("1795572090000", None, Some(90));
        check("1795572030", None, Some(30));
    }

    #[test]
    fn a_wrong_clock_of_either_side_does_not_matter() {
        check("Wed, 25 Nov 2026 05:00:10 GMT", Some("Wed, 25 Nov 2026 05:00:00 GMT"), Some(10));
    }

    #[test]
    fn nonsense_says_nothing_and_no_wait_is_endless() {
        for value in ["", "soon", "-5", "0", "NaN", "Wed, 25 Nov 2020 02:00:00 GMT"] {
            check(value, None, None);
        }
        check("99999999", None, Some(LONGEST.as_secs()));
        assert_eq!(from_headers(&HeaderMap::new(), now()), None);
    }

    #[test]
    fn a_time_inside_a_message_is_found() {
        let wait = |text| from_message(text, now()).map(|wait| wait.as_secs());
        assert_eq!(wait("User-rate limit exceeded.  Retry after 2026-11-25T02:00:45.000Z"), Some(45));
        assert_eq!(wait("RETRY AFTER 2026-11-25T02:00:45Z. Thanks"), Some(45));
        assert_eq!(wait("Retry after a while"), None);
        assert_eq!(wait("İ retry after"), None);
    }
}
