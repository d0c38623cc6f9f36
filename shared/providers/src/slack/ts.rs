//! Slack's `ts`: when a message was sent, to the microsecond, and its id within the channel.

use std::fmt;

use chrono::TimeDelta;
use domain::Timestamp;
use serde::{Deserialize, Serialize};

/// A message's time. Never a float: that would lose its last digits, and with them which message it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ts(i64);

impl Ts {
    /// Reads seconds and six decimals, as Slack writes them.
    pub fn read(text: &str) -> Option<Self> {
        let (seconds, decimals) = text.split_once('.')?;
        let is_plain = |digits: &str| digits.bytes().all(|b| b.is_ascii_digit());
        if !(1..=11).contains(&seconds.len()) || decimals.len() != 6 || !is_plain(seconds) || !is_plain(decimals) {
            return None;
        }
        // 05.000000 would name a message a second time.
        if seconds.len() > 1 && seconds.starts_with('0') {
            return None;
        }
        let (seconds, decimals): (i64, i64) = (seconds.parse().ok()?, decimals.parse().ok()?);
        Some(Self(seconds * 1_000_000 + decimals))
    }

    /// The moment in Slack's form.
    pub fn of(at: Timestamp) -> Self {
        Self(at.timestamp_micros().max(0))
    }

    /// The moment in ours.
    pub fn at(self) -> Timestamp {
        Timestamp::from_timestamp_micros(self.0).unwrap_or_default()
    }

    /// So much earlier, but not before all time.
    pub fn earlier(self, by: TimeDelta) -> Self {
        Self(self.0.saturating_sub(by.num_microseconds().unwrap_or(i64::MAX)).max(0))
    }

    /// Whole seconds since the epoch.
    pub const fn seconds(self) -> i64 {
        self.0 / 1_000_000
    }

    /// As it stands in links to messages: digits only.
    pub fn digits(self) -> String {
        self.to_string().replace('.', "")
    }
}

impl fmt::Display for Ts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_digit_is_lost() {
        for text in ["1712345678.123456", "1712345678.000001", "0.000000", "99999999999.999999"] {
            assert_eq!(Ts::read(text).unwrap().to_string(), text);
        }
        let ts = Ts::read("1712345678.000100").unwrap();
        assert_eq!((ts.at().timestamp_micros(), ts.digits().as_str()), (1_712_345_678_000_100, "1712345678000100"));
        assert_eq!(Ts::of(ts.at()), ts);
    }

    #[test]
    fn what_slack_does_not_write_is_no_ts() {
        for text in
            ["", "1", "1.5", "1.0000000", "-1.000000", "+1.000000", "1e3.000000", "01.000000", "1.00000a", "1.000000 "]
        {
            assert_eq!(Ts::read(text), None, "{text:?}");
        }
        assert_eq!(Ts::read("5.000000").unwrap().earlier(TimeDelta::days(1)), Ts::read("0.000000").unwrap());
    }
}
