//! The generic cell rate algorithm (GCRA, ITU-T I.371): a rate limit kept in one number, the theoretical arrival time.

use std::time::Duration;

/// A limit of `units` per `period`, of which `burst` may be taken at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Units allowed per period; at least 1.
    pub units: u32,
    /// The period.
    pub period: Duration,
    /// Units that may be taken at once; at least 1.
    pub burst: u32,
}

/// What the algorithm says to a request for units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Granted; store this theoretical arrival time (milliseconds since the epoch).
    Granted {
        /// The new theoretical arrival time.
        tat_ms: i64,
    },
    /// Not now; ask again after this long.
    Wait(Duration),
}

impl Limit {
    /// Milliseconds that one unit takes.
    fn unit_ms(self) -> f64 {
        self.period.as_secs_f64() * 1000.0 / f64::from(self.units.max(1))
    }

    /// Decides whether `units` may be taken at `now_ms`, given the stored theoretical arrival time.
    ///
    /// Asking for more than the burst is granted as if it were the burst's size, so that a large request waits longest instead of for ever.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds since the epoch fit in 53 bits")]
    #[expect(clippy::cast_precision_loss, reason = "milliseconds since the epoch fit in 53 bits")]
    pub fn take(self, stored_tat_ms: Option<i64>, now_ms: i64, units: u32) -> Verdict {
        let tat = stored_tat_ms.unwrap_or(now_ms).max(now_ms);
        let new_tat = tat as f64 + self.unit_ms() * f64::from(units);
        let tolerance = self.unit_ms() * f64::from(self.burst.max(units).max(1));
        let allow_at = new_tat - tolerance;
        if allow_at <= now_ms as f64 {
            Verdict::Granted { tat_ms: new_tat.ceil() as i64 }
        } else {
            Verdict::Wait(Duration::from_secs_f64((allow_at - now_ms as f64).max(1.0) / 1000.0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Limit = Limit { units: 60, period: Duration::from_secs(60), burst: 10 };

    #[test]
    fn a_burst_passes_and_the_next_unit_waits_its_turn() {
        let Verdict::Granted { tat_ms } = LIMIT.take(None, 0, 10) else { panic!("refused") };
        assert_eq!(LIMIT.take(Some(tat_ms), 0, 1), Verdict::Wait(Duration::from_secs(1)));
        assert!(matches!(LIMIT.take(Some(tat_ms), 1000, 1), Verdict::Granted { .. }));
    }

    #[test]
    fn over_a_long_time_never_more_than_burst_and_rate_pass() {
        let (mut tat, mut granted) = (None, 0u32);
        for now_ms in (0..60_000).step_by(7) {
            if let Verdict::Granted { tat_ms } = LIMIT.take(tat, now_ms, 1) {
                (tat, granted) = (Some(tat_ms), granted + 1);
            }
        }
        assert!((69..=70).contains(&granted), "{granted}");
    }

    #[test]
    fn an_idle_bucket_saves_no_more_than_its_burst() {
        let Verdict::Granted { tat_ms } = LIMIT.take(Some(0), 1_000_000, 10) else { panic!("refused") };
        assert!(matches!(LIMIT.take(Some(tat_ms), 1_000_000, 1), Verdict::Wait(_)));
    }
}
