//! What time it is at the providers, to the millisecond, as they write it. Tests move it: no provider's clock is ours.

use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, SecondsFormat, SubsecRound, TimeDelta, Utc};

/// How far the providers' clock is ahead of the machine's, in milliseconds.
static AHEAD_MS: AtomicI64 = AtomicI64::new(0);

/// The time now, without anything finer than a millisecond.
#[expect(clippy::disallowed_methods, reason = "the sandbox plays the outside world, whose clock nobody injects")]
pub fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(3) + TimeDelta::milliseconds(AHEAD_MS.load(Ordering::Relaxed))
}

/// Sets how far the clock is ahead of the machine's; negative is behind.
pub fn set_ahead(milliseconds: i64) {
    AHEAD_MS.store(milliseconds, Ordering::Relaxed);
}

/// How far the clock is ahead of the machine's, in milliseconds.
pub fn ahead() -> i64 {
    AHEAD_MS.load(Ordering::Relaxed)
}

/// RFC 3339 in UTC with milliseconds: `2026-01-31T09:30:00.000Z`.
pub fn rfc3339(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// As the `Date` header has it, RFC 9110 section 5.6.7: `Sat, 31 Jan 2026 09:30:00 GMT`.
pub fn http_date(time: DateTime<Utc>) -> String {
    time.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_providers_write_them() {
        let time = DateTime::from_timestamp_millis(1_769_851_800_005).unwrap();
        assert_eq!(rfc3339(time), "2026-01-31T09:30:00.005Z");
        assert_eq!(http_date(time), "Sat, 31 Jan 2026 09:30:00 GMT");
    }
}
