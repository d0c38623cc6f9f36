//! When a failed message comes back.

use std::time::Duration;

/// The longest that SQS keeps a message invisible.
const MAX_VISIBILITY_S: u64 = 43_200;

/// Doubling waits, as many as there are attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The wait after the first failed attempt.
    pub base: Duration,
    /// Attempts before the message goes to the dead letters: the queue's `maxReceiveCount`.
    pub attempts: u32,
}

impl Backoff {
    /// Seconds until the next attempt after `attempt` (from 1) has failed: the base doubled for every earlier one, and up to
    /// a quarter more by `chance` (0 to 1), so that those who failed together do not come back together.
    pub(crate) fn delay_s(self, attempt: u32, chance: f64) -> u64 {
        if attempt >= self.attempts {
            return 0;
        }
        let doubled = self.base.saturating_mul(1 << attempt.saturating_sub(1).min(16));
        let spread = doubled.min(Duration::from_secs(MAX_VISIBILITY_S)).mul_f64(1.0 + chance.clamp(0.0, 1.0) / 4.0);
        whole_seconds(spread).min(MAX_VISIBILITY_S)
    }
}

/// A duration in seconds, rounded up.
pub(crate) fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_from_the_base_and_end_with_the_attempts() {
        let backoff = Backoff { base: Duration::from_secs(5), attempts: 3 };
        assert_eq!([1, 2, 3, 4].map(|attempt| backoff.delay_s(attempt, 0.0)), [5, 10, 0, 0]);
    }

    #[test]
    fn waits_are_spread_by_a_quarter_at_most() {
        let backoff = Backoff { base: Duration::from_secs(8), attempts: 3 };
        assert_eq!(backoff.delay_s(1, 1.0), 10);
        assert_eq!(backoff.delay_s(1, 7.0), 10);
    }

    #[test]
    fn no_attempt_count_overflows() {
        let backoff = Backoff { base: Duration::from_secs(3600), attempts: u32::MAX };
        assert_eq!(backoff.delay_s(u32::MAX - 1, 0.5), MAX_VISIBILITY_S);
        assert_eq!(backoff.delay_s(0, 0.0), 3600);
    }

    #[test]
    fn part_of_a_second_counts_as_one() {
        assert_eq!(whole_seconds(Duration::ZERO), 0);
        assert_eq!(whole_seconds(Duration::from_millis(1)), 1);
        assert_eq!(whole_seconds(Duration::from_secs(2)), 2);
    }
}
