//! A sink behind an address may be down, or have too much to do. Then nobody calls it for a while, one tries it for all, and whoever waits
//! spends no attempt. The rules are those of the providers' circuits; the state is one row for all workers.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::circuit::{Circuit, Gate};
use domain::clock::SharedClock;
use domain::rate::after;
use domain::{ExternalId, Timestamp};
use sink::{Deletion, Delivered, Error, Sink, Upsert};
use store::{SinkHealth, Store};

/// How long what found the sink down waits, as long as its circuit has not opened.
const OUTAGE: Duration = Duration::from_secs(15);
/// When to look again where the state of the sink cannot be read.
const UNREAD: Duration = Duration::from_secs(15);
/// Whatever waits for the same moment comes back spread over so many milliseconds.
const SPREAD_MS: u64 = 4000;

/// A sink with its circuit.
pub(crate) struct Guarded {
    sink: Arc<dyn Sink>,
    store: Store,
    clock: SharedClock,
}

/// What of a batch may be delivered.
enum May {
    All,
    One,
    Nothing(Duration),
}

impl Guarded {
    pub fn new(sink: Arc<dyn Sink>, store: Store, clock: SharedClock) -> Self {
        Self { sink, store, clock }
    }

    async fn may_call(&self) -> (SinkHealth, May) {
        let now = self.clock.now();
        let health = match self.store.sink_health().await {
            Ok(health) => health,
            Err(error) => {
                tracing::warn!(error = lambda::telemetry::chain(&error), "how the sink is could not be read");
                return (SinkHealth::default(), May::Nothing(UNREAD));
            }
        };
        if let Some(until) = health.blocked_until.filter(|until| *until > now) {
            return (health, May::Nothing(left(until, now)));
        }
        let gate = match health.circuit.gate(now) {
            Gate::Probe => self.store.claim_sink_probe(now).await,
            gate => Ok(gate),
        };
        let may = match gate {
            Ok(Gate::Go) => May::All,
            Ok(Gate::Probe) => May::One,
            Ok(Gate::Shut { until }) => May::Nothing(left(until, now)),
            Err(error) => {
                tracing::warn!(error = lambda::telemetry::chain(&error), "the probe of the sink could not be claimed");
                May::Nothing(UNREAD)
            }
        };
        (health, may)
    }

    /// Tells what the calls showed, where that changes anything; how long whatever found the sink down waits. `None`: that is the one
    /// resource's own trouble.
    async fn tell(&self, health: SinkHealth, look: Look) -> Option<Duration> {
        let now = self.clock.now();
        if let Some(wait) = look.asked {
            self.note(self.store.sink_blocked(after(now, wait), now).await);
        }
        let circuit = match look {
            Look { answered: true, .. } if health.circuit.is_healthy() => return None,
            Look { answered: true, .. } => {
                self.note(self.store.sink_succeeded().await);
                return None;
            }
            Look { down: 0, .. } => return None,
            Look { .. } => match self.store.sink_failed(now).await {
                Ok(circuit) => circuit,
                Err(error) => {
                    self.note(Err(error));
                    health.circuit
                }
            },
        };
        wait_of(circuit, look.down, now)
    }

    fn note(&self, told: Result<(), store::Error>) {
        if let Err(error) = told {
            tracing::warn!(error = lambda::telemetry::chain(&error), "what was seen of the sink could not be told");
        }
    }

    /// Calls the sink with so much of a batch as it may be given.
    async fn guard<T, R, F>(
        &self,
        mut batch: Vec<T>,
        id: impl Fn(&T) -> &ExternalId,
        call: impl FnOnce(Vec<T>) -> F,
    ) -> Result<Vec<Result<R, Error>>, Error>
    where
        F: Future<Output = Result<Vec<Result<R, Error>>, Error>>,
    {
        let (health, may) = self.may_call().await;
        let later = match may {
            May::All => Vec::new(),
            May::One => batch.split_off(1.min(batch.len())),
            May::Nothing(wait) => return Ok(batch.iter().map(|item| Err(spread(wait, id(item), false))).collect()),
        };
        let ids: Vec<ExternalId> = batch.iter().map(|item| id(item).clone()).collect();
        let mut results = call(batch).await?;
        let look = Look::at(&results);
        let outage = self.tell(health, look).await;
        for (result, id) in results.iter_mut().zip(&ids) {
            let wait = match (&*result, outage) {
                (Err(Error::Unavailable { .. }), Some(wait)) => Some(wait),
                _ => None,
            };
            if let Some(wait) = wait {
                if let Err(error) = &*result {
                    tracing::warn!(error = lambda::telemetry::chain(error), "the sink is down");
                }
                *result = Err(spread(wait, id, true));
            }
        }
        // While one tries it for all, the others wait for what that shows.
        let wait = outage.or(look.asked).unwrap_or(Duration::from_secs(1));
        results.extend(later.iter().map(|item| Err(spread(wait, id(item), false))));
        Ok(results)
    }
}

/// What a batch's calls showed of the sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Look {
    /// Some were answered, whatever the answer.
    answered: bool,
    /// So many were not.
    down: usize,
    /// How long it asked to wait, before anything was done.
    asked: Option<Duration>,
}

impl Look {
    fn at<R>(results: &[Result<R, Error>]) -> Self {
        let mut look = Self { answered: false, down: 0, asked: None };
        for result in results {
            match result {
                Err(Error::Unavailable { .. }) => look.down += 1,
                // What it asks goes for everybody.
                Err(Error::Busy { wait, asked: true, .. }) => {
                    look.answered = true;
                    look.asked = look.asked.max(Some(*wait));
                }
                Ok(_) | Err(Error::Busy { .. } | Error::Refused(_) | Error::Blocked(_)) => look.answered = true,
            }
        }
        look
    }
}

fn wait_of(circuit: Circuit, down: usize, now: Timestamp) -> Option<Duration> {
    match circuit.gate(now) {
        Gate::Shut { until } => Some(left(until, now)),
        // One failure alone says nothing of the sink.
        Gate::Go | Gate::Probe => (down > 1).then_some(OUTAGE),
    }
}

fn left(until: Timestamp, now: Timestamp) -> Duration {
    (until - now).to_std().unwrap_or_default()
}

fn spread(wait: Duration, id: &ExternalId, touched: bool) -> Error {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    Error::Busy { wait: wait + Duration::from_millis(hasher.finish() % SPREAD_MS), asked: false, touched }
}

#[async_trait]
impl Sink for Guarded {
    async fn upsert(&self, batch: Vec<Upsert>) -> Result<Vec<Result<Delivered, Error>>, Error> {
        self.guard(batch, |upsert| &upsert.content.external_id, |batch| self.sink.upsert(batch)).await
    }

    async fn delete(&self, batch: Vec<Deletion>) -> Result<Vec<Result<(), Error>>, Error> {
        self.guard(batch, |deletion| &deletion.external_id, |batch| self.sink.delete(batch)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::tests::at;

    fn down() -> Result<(), Error> {
        Err(Error::unavailable("reach it", "refused"))
    }

    #[test]
    fn guarantee_17_only_calls_that_nobody_answered_are_an_outage() {
        let look = |results: &[Result<(), Error>]| Look::at(results);
        assert_eq!(look(&[down(), down()]), Look { answered: false, down: 2, asked: None });
        assert!(look(&[down(), Ok(())]).answered);
        assert!(look(&[Err(Error::Blocked("x".to_owned()))]).answered);
        assert_eq!(look(&[]), Look { answered: false, down: 0, asked: None });
    }

    #[test]
    fn guarantee_16_a_wait_for_all_is_told_and_one_delivery_s_own_is_not() {
        let wait = Duration::from_secs(9);
        let results: [Result<(), Error>; 2] = [Err(Error::busy(wait)), Err(Error::under_way(wait * 2))];
        assert_eq!(Look::at(&results).asked, Some(wait));
        assert_eq!(Look::at(&results[1..]).asked, None);
    }

    #[test]
    fn guarantee_17_one_failure_is_the_resource_s_and_several_are_the_sink_s() {
        let closed = Circuit::default();
        assert_eq!(wait_of(closed, 1, at(0)), None);
        assert_eq!(wait_of(closed, 2, at(0)), Some(OUTAGE));
        let open = Circuit { failures: 5, opened: 1, open_until: Some(at(20)), probe_until: None };
        assert_eq!(wait_of(open, 1, at(0)), Some(Duration::from_secs(20)));
    }
}
