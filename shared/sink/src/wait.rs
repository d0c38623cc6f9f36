//! How long an answer asks to wait.

use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::Timestamp;
use http::HeaderMap;
use http::header::{DATE, RETRY_AFTER};

/// The longest wait that is believed; a longer one is a mistake, and the resource would not come back in time to be of use.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// The wait of `Retry-After`: seconds, or a date (RFC 9110 section 10.2.3), which is reckoned from the answer's own `Date` so that
/// neither side's clock matters. `None` if there is none or it makes no sense.
pub(crate) fn asked(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let sent = headers.get(DATE).and_then(|date| date.to_str().ok()).and_then(date).unwrap_or(now);
            (date(text)? - sent).to_std().unwrap_or_default()
        }
    };
    Some(wait.min(LONGEST))
}

fn date(text: &str) -> Option<Timestamp> {
    DateTime::parse_from_rfc2822(text.trim()).ok().map(|date| date.with_timezone(&Utc))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn seconds_and_dates_are_read_and_nonsense_says_nothing() {
        let now = Timestamp::from_timestamp(1_795_572_000, 0).unwrap(); // 2026-11-25T02:00:00Z
        let check = |value: &str, sent: Option<&str>, seconds: Option<u64>| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_str(value).unwrap());
            if let Some(sent) = sent {
                headers.insert(DATE, HeaderValue::from_str(sent).unwrap());
            }
            assert_eq!(asked(&headers, now).map(|wait| wait.as_secs()), seconds, "{value}");
        };
        check("30", None, Some(30));
        check("0", None, Some(0));
        check("Wed, 25 Nov 2026 02:01:00 GMT", None, Some(60));
        check("Wed, 25 Nov 2026 05:00:10 GMT", Some("Wed, 25 Nov 2026 05:00:00 GMT"), Some(10));
        check("Wed, 25 Nov 2020 02:00:00 GMT", None, Some(0));
        check("99999999999", None, Some(LONGEST.as_secs()));
        check("soon", None, None);
        check("-5", None, None);
        assert_eq!(asked(&HeaderMap::new(), now), None);
    }
}
