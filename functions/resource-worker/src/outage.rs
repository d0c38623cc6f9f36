//! A provider that is down as a whole: nobody calls it while its circuit is open, one probes for all, and what a look has shown is told.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use domain::circuit::Gate;
use domain::{ExternalId, Timestamp};

use crate::batch::Group;
use crate::failure::Fault;
use crate::records::Content;
use crate::worker::ResourceWorker;

/// How long messages wait that found the provider down before its circuit opens: the first time that it stays open.
const OUTAGE: Duration = Duration::from_secs(15);
/// Messages that wait for the same moment come back spread over so many milliseconds.
const SPREAD_MS: u64 = 4000;

/// What may be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum May {
    /// All of it.
    All,
    /// One call alone; the others wait for what it shows.
    One,
    /// Nothing for this long.
    Nothing(Duration),
}

/// What the calls of a round showed of the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// Nothing: none was made.
    Nothing,
    /// It answers, whatever it says.
    Up,
    /// None of so many calls was answered.
    Down(usize),
}

impl Look {
    /// What outcomes show.
    pub fn at<'a>(outcomes: impl IntoIterator<Item = &'a Result<Content, Fault>>) -> Self {
        let mut down = 0;
        for outcome in outcomes {
            match outcome {
                Err(Fault::Outage(_)) => down += 1,
                Err(Fault::Late | Fault::Wait(_) | Fault::Slot(_) | Fault::Busy { .. } | Fault::Far(_)) => {}
                _ => return Self::Up,
            }
        }
        if down == 0 { Self::Nothing } else { Self::Down(down) }
    }
}

impl ResourceWorker {
    /// Whether calls may be made. A healthy circuit costs nothing.
    pub(crate) async fn may_call(&self, group: &Group) -> May {
        let now = self.clock.now();
        let gate = match group.circuit.gate(now) {
            Gate::Probe => self.store.claim_probe(group.integration.provider, now).await,
            gate => Ok(gate),
        };
        match gate {
            Ok(Gate::Go) => May::All,
            Ok(Gate::Probe) => May::One,
            Ok(Gate::Shut { until }) => May::Nothing(left(until, now)),
            Err(error) => {
                tracing::warn!(
                    error = lambda::telemetry::chain(&error),
                    "the probe of a provider could not be claimed"
                );
                May::Nothing(OUTAGE)
            }
        }
    }

    /// Tells what was seen, if that changes anything; how long whatever found the provider down waits, `None` if that is the resource's
    /// own trouble: one call alone says nothing of the provider.
    pub(crate) async fn tell_look(&self, group: &mut Group, look: Look) -> Option<Duration> {
        let (provider, now) = (group.integration.provider, self.clock.now());
        let told = match look {
            Look::Nothing => return None,
            Look::Up if group.circuit.is_healthy() => return None,
            Look::Up => self.store.circuit_succeeded(provider).await.map(|()| Default::default()),
            Look::Down(_) => self.store.circuit_failed(provider, now).await,
        };
        match told {
            Ok(circuit) => group.circuit = circuit,
            Err(error) => {
                tracing::warn!(
                    error = lambda::telemetry::chain(&error),
                    "what was seen of a provider could not be told"
                );
            }
        }
        match (look, group.circuit.gate(now)) {
            (Look::Down(_), Gate::Shut { until }) => Some(left(until, now)),
            (Look::Down(2..), _) => Some(OUTAGE),
            _ => None,
        }
    }
}

fn left(until: Timestamp, now: Timestamp) -> Duration {
    (until - now).to_std().unwrap_or_default()
}

/// A wait for a moment at which others will come too.
pub(crate) fn spread(wait: Duration, id: &ExternalId) -> Fault {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    Fault::Wait(wait + Duration::from_millis(hasher.finish() % SPREAD_MS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fetch::whole;
    use crate::records::tests::resource;

    #[test]
    fn guarantee_17_only_calls_that_nobody_answered_are_an_outage() {
        let down = || Err(Fault::Outage("503".into()));
        let fine = || Ok(whole(resource("a", "1"), "text".to_owned()));
        assert_eq!(Look::at(&[down(), down()]), Look::Down(2));
        assert_eq!(Look::at(&[down(), Err(Fault::Late)]), Look::Down(1));
        assert_eq!(Look::at(&[down(), fine()]), Look::Up);
        assert_eq!(Look::at(&[down(), Err(Fault::Gone)]), Look::Up);
        assert_eq!(Look::at(&[down(), Err(Fault::Limited(OUTAGE))]), Look::Up);
        assert_eq!(Look::at(&[Err(Fault::Late)]), Look::Nothing);
    }

    #[test]
    fn waits_for_the_same_moment_are_spread() {
        let wait = |id: &str| match spread(OUTAGE, &ExternalId::new(id).unwrap()) {
            Fault::Wait(wait) => wait,
            other => panic!("{other:?}"),
        };
        let waits: std::collections::BTreeSet<_> = (0..20).map(|number| wait(&number.to_string())).collect();
        assert!(waits.len() > 10 && waits.iter().all(|wait| *wait >= OUTAGE && wait.as_secs() < 19));
    }
}
