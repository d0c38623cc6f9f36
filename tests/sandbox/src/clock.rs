//! What time it is, to the millisecond, as providers write it.

use chrono::{DateTime, SecondsFormat, SubsecRound, Utc};

/// The time now, without anything finer than a millisecond.
#[expect(clippy::disallowed_methods, reason = "the sandbox plays the outside world, whose clock nobody injects")]
pub fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(3)
}

/// RFC 3339 in UTC with milliseconds: `2026-01-31T09:30:00.000Z`.
pub fn rfc3339(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}
