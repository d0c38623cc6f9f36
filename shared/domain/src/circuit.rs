//! The circuit breaker of a provider that is down as a whole: after some outages in a row nobody calls it for a while, then one tries
//! it for all. Waiting at an open circuit spends no attempt and counts as nobody's outage.

use chrono::TimeDelta;

use crate::clock::Timestamp;

/// Outages in a row, whoever's, that open the circuit.
pub const OPENS_AFTER: u32 = 5;
/// How long it stays open the first time; this doubles with every probe that fails.
pub const FIRST_OPEN: TimeDelta = TimeDelta::seconds(15);
/// The longest that it stays open before the next probe.
pub const LONGEST_OPEN: TimeDelta = TimeDelta::minutes(10);
/// How long a probe may take; then its worker counts as dead and another may probe.
pub const PROBE_TAKES: TimeDelta = TimeDelta::seconds(60);
/// How soon others look again while somebody probes: most probes end within seconds.
const LOOK_AGAIN: TimeDelta = TimeDelta::seconds(10);

/// What is known of a provider's health. The default is a closed circuit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Circuit {
    /// Outages since the last success, counted up to [`OPENS_AFTER`].
    pub failures: u32,
    /// Times in a row that it was opened; 0 while it is closed.
    pub opened: u32,
    /// Until when nobody calls; `None` while it is closed. Past: one may probe.
    pub open_until: Option<Timestamp>,
    /// Until when somebody's probe has time.
    pub probe_until: Option<Timestamp>,
}

/// Whether a call may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// Yes.
    Go,
    /// By one alone: whoever claims the probe.
    Probe,
    /// No; look again at this moment.
    Shut {
        /// When.
        until: Timestamp,
    },
}

impl Circuit {
    /// Whether a call may be made at `now`.
    #[must_use]
    pub fn gate(&self, now: Timestamp) -> Gate {
        match (self.open_until, self.probe_until) {
            (None, _) => Gate::Go,
            (Some(until), _) if now < until => Gate::Shut { until },
            (Some(_), Some(until)) if now < until => Gate::Shut { until: until.min(now + LOOK_AGAIN) },
            (Some(_), _) => Gate::Probe,
        }
    }

    /// Whether a success would change anything: only then is it worth a write.
    #[must_use]
    pub const fn is_healthy(&self) -> bool {
        self.failures == 0 && self.opened == 0
    }

    /// The circuit after an outage at `now`. One of a call that was under way when the circuit opened changes nothing, however late it
    /// comes; one while somebody probes is the probe's, and opens it again for longer.
    #[must_use]
    pub fn failed(self, now: Timestamp) -> Self {
        match self.open_until {
            Some(until) if now < until => self,
            Some(_) if self.probe_until.is_none() => self,
            Some(_) => self.open(now),
            None if self.failures + 1 < OPENS_AFTER => Self { failures: self.failures + 1, ..self },
            None => self.open(now),
        }
    }

    fn open(self, now: Timestamp) -> Self {
        let doubled = FIRST_OPEN * (1 << self.opened.min(16));
        Self {
            failures: OPENS_AFTER,
            opened: self.opened.saturating_add(1),
            open_until: Some(now + doubled.min(LONGEST_OPEN)),
            probe_until: None,
        }
    }

    /// The circuit with a probe begun at `now`.
    #[must_use]
    pub fn probing(self, now: Timestamp) -> Self {
        Self { probe_until: Some(now + PROBE_TAKES), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_timestamp(second, 0).unwrap()
    }

    /// A circuit after this many outages at second 0.
    fn after(outages: u32) -> Circuit {
        (0..outages).fold(Circuit::default(), |circuit, _| circuit.failed(at(0)))
    }

    #[test]
    fn guarantee_17_it_opens_after_five_outages_in_a_row() {
        assert_eq!(after(4).gate(at(0)), Gate::Go);
        assert_eq!(after(5).gate(at(0)), Gate::Shut { until: at(15) });
        assert_eq!(after(5).gate(at(15)), Gate::Probe);
        assert!(Circuit::default().is_healthy() && !after(1).is_healthy() && !after(5).is_healthy());
    }

    #[test]
    fn outages_of_calls_that_were_under_way_do_not_keep_it_open_longer() {
        assert_eq!(after(5).failed(at(14)), after(5));
        // Nobody has claimed the probe: it cannot be its outage.
        assert_eq!(after(5).failed(at(16)), after(5));
        assert_eq!(after(50), after(5));
    }

    #[test]
    fn guarantee_17_one_probes_and_the_rest_wait_and_a_dead_probe_frees_the_way() {
        let probing = after(5).probing(at(20));
        assert_eq!(probing.gate(at(21)), Gate::Shut { until: at(31) });
        assert_eq!(probing.gate(at(79)), Gate::Shut { until: at(80) });
        assert_eq!(probing.gate(at(80)), Gate::Probe);
    }

    #[test]
    fn it_stays_open_twice_as_long_after_every_failed_probe_up_to_ten_minutes() {
        let mut circuit = after(5);
        let mut stays = Vec::new();
        for _ in 0..9 {
            let opens = circuit.open_until.unwrap();
            circuit = circuit.probing(opens).failed(opens);
            stays.push((circuit.open_until.unwrap() - opens).num_seconds());
        }
        assert_eq!(stays, [30, 60, 120, 240, 480, 600, 600, 600, 600]);
    }
}
