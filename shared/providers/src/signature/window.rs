//! Timestamps that deliveries carry, and how far they may be from now.

use chrono::TimeDelta;
use domain::Timestamp;

use crate::provider::{Delivery, NotAuthentic};

/// The window of most schemes, to either side.
pub(super) const FIVE_MINUTES: TimeDelta = TimeDelta::minutes(5);

/// A header's value.
pub(super) fn header<'a>(delivery: &'a Delivery, name: &str, absent: &'static str) -> Result<&'a str, NotAuthentic> {
    delivery.header(name).ok_or(NotAuthentic(absent))
}

/// The moment that a text of whole seconds since the epoch names.
pub(super) fn seconds(text: &str) -> Result<Timestamp, NotAuthentic> {
    let seconds = text.parse().ok().filter(|_| is_plain(text));
    seconds.and_then(|seconds| Timestamp::from_timestamp(seconds, 0)).ok_or(NotAuthentic("no timestamp"))
}

/// The moment that a text of whole milliseconds since the epoch names.
pub(super) fn milliseconds(text: &str) -> Result<Timestamp, NotAuthentic> {
    let milliseconds = text.parse().ok().filter(|_| is_plain(text));
    milliseconds.and_then(Timestamp::from_timestamp_millis).ok_or(NotAuthentic("no timestamp"))
}

/// Digits only: what else `parse` takes (a sign) is not how anybody signs.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Fails unless the two moments are at most `most` apart, whichever is the earlier.
pub(super) fn check(then: Timestamp, now: Timestamp, most: TimeDelta) -> Result<(), NotAuthentic> {
    let apart = (now - then).abs();
    if apart <= most { Ok(()) } else { Err(NotAuthentic("outside of its time")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_open_to_both_sides_and_its_edge_is_in() {
        let at = |second| Timestamp::from_timestamp(second, 0).unwrap();
        let within = |then, now| check(at(then), at(now), FIVE_MINUTES).is_ok();
        assert!(within(1000, 1300) && within(1300, 1000) && within(1000, 1000));
        assert!(!within(1000, 1301) && !within(1301, 1000));
    }

    #[test]
    fn only_plain_numbers_are_timestamps() {
        for text in ["", "-1", "+1", "1.0", " 1", "0x1", "abc", "999999999999999999999999999999", "9223372036854775807"]
        {
            assert!(seconds(text).is_err(), "{text:?}");
        }
        assert_eq!(seconds("1531420618").unwrap().timestamp(), 1_531_420_618);
        assert_eq!(milliseconds("1531420618001").unwrap().timestamp_millis(), 1_531_420_618_001);
    }
}
