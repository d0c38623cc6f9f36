//! The calls of one integration's messages: each with its slot, as many at once as there are connections, in a few rounds.

use std::time::Duration;

use chrono::TimeDelta;
use domain::Timestamp;
use domain::circuit::Gate;
use domain::rate::after;
use domain::status::Event;
use integrations::Settled;
use providers::provider::{Access, Call};

use crate::batch::Group;
use crate::failure::Fault;
use crate::fetch::Wanted;
use crate::outage::{Look, May, spread};
use crate::permits::{Backs, Due, HORIZON, same};
use crate::records::Content;
use crate::worker::ResourceWorker;

/// Rounds of one batch: what came too late for its slot, or with a token that had to be renewed, is called again in the next.
const ROUNDS: u32 = 3;
/// When a message comes back that no round has got to.
const NO_ROUND_LEFT: Duration = Duration::from_secs(1);

/// When to look again after a probe that showed nothing.
const PROBED: Duration = Duration::from_secs(10);
/// A wait that people are shown is not shown anew for less than this.
const SHOWN_ENOUGH: TimeDelta = TimeDelta::minutes(10);
/// A row that was read longer ago is read again before more calls are made.
const OLD: TimeDelta = TimeDelta::seconds(30);

/// What came of the wanted, in their order.
struct Results(Vec<Option<Result<Content, Fault>>>);

impl Results {
    fn of(count: usize) -> Self {
        Self((0..count).map(|_| None).collect())
    }

    fn put(&mut self, place: usize, result: Result<Content, Fault>) {
        if let Some(slot) = self.0.get_mut(place) {
            *slot = Some(result);
        }
    }

    fn put_all(&mut self, backs: Backs) {
        for (place, fault) in backs {
            self.put(place, Err(fault));
        }
    }

    fn all(self) -> Vec<Result<Content, Fault>> {
        self.0.into_iter().map(|result| result.unwrap_or(Err(Fault::Wait(NO_ROUND_LEFT)))).collect()
    }
}

impl ResourceWorker {
    /// Fetches what is wanted, so far as there is leave to call: a result for each, in their order.
    ///
    /// Once the provider asks to wait, nothing more is begun, everybody on the account is told, and what is left goes back with slots
    /// that lie behind the wait.
    pub(crate) async fn fetch_wanted(&self, group: &mut Group, wanted: &[Wanted]) -> Vec<Result<Content, Fault>> {
        if wanted.is_empty() {
            return Vec::new();
        }
        match self.connections.metered(&group.integration, Call::Fetch).await {
            Ok(meter) => {
                self.store.counts_against(group.integration.id, &meter.key);
                group.meter = meter;
            }
            Err(error) => return Fault::from(error).of_all(wanted.len()).into_iter().map(Err).collect(),
        }
        let mut results = Results::of(wanted.len());
        let due = |(place, wanted): (usize, &Wanted)| Due { place, slot: wanted.slot, renewed: false };
        let mut todo: Vec<Due> = wanted.iter().enumerate().map(due).collect();
        for _ in 0..ROUNDS {
            if todo.is_empty() {
                break;
            }
            // While one call probes for all, the others wait for what it shows.
            let waiting = match self.may_call(group).await {
                May::All => Vec::new(),
                May::One => todo.split_off(1),
                May::Nothing(wait) => {
                    results.put_all(parked(&todo, wanted, wait));
                    break;
                }
            };
            let outcome = self.round(group, wanted, &mut results, std::mem::take(&mut todo)).await;
            match outcome {
                After::GoOn(again) => todo = again.into_iter().chain(waiting).collect(),
                After::Stop if waiting.is_empty() => break,
                // The probe has shown nothing, or nothing good.
                After::Stop => {
                    let wait = match group.circuit.gate(self.clock.now()) {
                        Gate::Shut { until } => (until - self.clock.now()).to_std().unwrap_or_default(),
                        Gate::Go | Gate::Probe => PROBED,
                    };
                    results.put_all(parked(&waiting, wanted, wait));
                    break;
                }
            }
        }
        self.reserve_next(group, wanted, &mut results).await;
        results.all()
    }

    /// Reserves the calls of those that go on in another message, so that it arrives when they are due.
    async fn reserve_next(&self, group: &Group, wanted: &[Wanted], results: &mut Results) {
        let going_on = results.0.iter().enumerate().filter(|(_, result)| matches!(result, Some(Err(Fault::GoesOn(_)))));
        let calls: Vec<Due> = going_on.map(|(place, _)| Due { place, slot: None, renewed: false }).collect();
        if calls.is_empty() {
            return;
        }
        for (place, slot) in self.later(group, wanted, calls).await {
            if let (Fault::Slot(slot), Some(Some(Err(Fault::GoesOn(slice))))) = (slot, results.0.get_mut(place)) {
                slice.slot = Some(slot);
            }
        }
    }

    /// One round of calls: what is to be called again, or nothing more.
    async fn round(&self, group: &mut Group, wanted: &[Wanted], results: &mut Results, calls: Vec<Due>) -> After {
        let (ready, backs) = self.allot(group, wanted, calls).await;
        self.tell_far(group, &backs).await;
        results.put_all(backs);
        if ready.is_empty() {
            return After::Stop;
        }
        let access = match self.access(group).await {
            Ok(access) => access,
            Err(fault) => {
                results.put_all(same(&ready, fault, self.clock.now()));
                return After::Stop;
            }
        };
        let at_once = match self.hold(group, wanted, &ready).await {
            Ok(at_once) => at_once,
            Err(backs) => {
                self.tell_far(group, &backs).await;
                results.put_all(backs);
                return After::Stop;
            }
        };
        let outcomes = self.fetch_some(&group.integration, &access, wanted, &ready, at_once, &group.time).await;
        self.let_go(group).await;
        let look = Look::at(&outcomes);
        let outage = self.tell_look(group, look).await;
        let mut round = Round::sort(ready, outcomes, wanted, outage, results);
        if let Some(wait) = round.limit {
            self.tell_limit(group, wait).await;
            round.late.extend(round.refused);
            round.late.extend(round.limited);
            let backs = self.later(group, wanted, round.late).await;
            results.put_all(backs);
            return After::Stop;
        }
        if !round.refused.is_empty() {
            match self.connections.renew_after(&group.integration, &access).await {
                Ok(renewed) => {
                    group.access = Some(renewed);
                    round.late.extend(round.refused);
                }
                Err(error) => results.put_all(same(&round.refused, error.into(), self.clock.now())),
            }
        }
        match look {
            Look::Down(_) => After::Stop,
            Look::Up | Look::Nothing => After::GoOn(round.late),
        }
    }

    /// The token, opened at the first need; in a long batch after another look, so that a disconnection is noticed.
    async fn access(&self, group: &mut Group) -> Result<Access, Fault> {
        let now = self.clock.now();
        let is_fresh = now - group.read_at < OLD;
        if let Some(access) = group.access.as_ref().filter(|_| is_fresh) {
            return Ok(access.clone());
        }
        let access = if is_fresh {
            self.connections.open(&group.integration).await?
        } else {
            (group.access, group.read_at) = (None, now);
            self.connections.reopen(&group.integration).await?
        };
        group.access = Some(access.clone());
        Ok(access)
    }

    /// Everybody on the account waits, and people see until when.
    async fn tell_limit(&self, group: &mut Group, wait: Duration) {
        let now = self.clock.now();
        let until = after(now, wait);
        if let Err(error) = self.store.limited(&group.meter.key, until, now).await {
            tracing::warn!(error = lambda::telemetry::chain(&error), "the wait could not be told to other workers");
        }
        self.show_limit(group, until, "The provider asks to wait.").await;
    }

    /// Calls that have no slot within reach: the provider refused some before, or our share of a day is used up. People are told, and
    /// the run is woken when there are slots again, because its messages do not wait so long.
    async fn tell_far(&self, group: &mut Group, backs: &Backs) {
        let far = backs.iter().filter_map(|(_, fault)| match fault {
            Fault::Far(wait) => Some(*wait),
            _ => None,
        });
        let Some(wait) = far.max() else { return };
        let until = after(self.clock.now(), wait);
        if group.integration.blocked_until.is_none_or(|shown| shown < until - SHOWN_ENOUGH) {
            self.show_limit(group, until, "The provider's limit is used up for now.").await;
        }
    }

    async fn show_limit(&self, group: &mut Group, until: Timestamp, why: &str) {
        let long = until - self.clock.now() > TimeDelta::from_std(HORIZON).unwrap_or(TimeDelta::MAX);
        let due_at = Some(until).filter(|_| long);
        let settled = Settled { last_error: Some(why.to_owned()), blocked_until: Some(until), due_at };
        group.integration.blocked_until = Some(until);
        // The wait itself is kept in the limit's row; this is for people, and for the run.
        if let Err(error) = self.syncs.settle(&group.integration, Event::LimitHit, settled).await {
            tracing::warn!(error = lambda::telemetry::chain(&error), "the wait could not be shown on the integration");
        }
    }
}

/// Calls that wait with many others for the same moment.
fn parked(calls: &[Due], wanted: &[Wanted], wait: Duration) -> Backs {
    let fault = |call: &Due| wanted.get(call.place).map_or(Fault::Wait(wait), |wanted| spread(wait, &wanted.id));
    calls.iter().map(|call| (call.place, fault(call))).collect()
}

/// What follows a round.
enum After {
    /// These are called again.
    GoOn(Vec<Due>),
    /// Nothing more is called.
    Stop,
}

/// What a round leaves to be done.
#[derive(Default)]
struct Round {
    /// Not begun, because their slots had lapsed by then.
    late: Vec<Due>,
    /// The token was refused to them, for the first time.
    refused: Vec<Due>,
    /// The provider asked them to wait, or they were not begun for that.
    limited: Vec<Due>,
    /// How long it asked to wait.
    limit: Option<Duration>,
}

impl Round {
    /// Puts aside what is to be called again, and the rest into the results.
    /// Whatever found the provider down waits as long as `outage` says.
    fn sort(
        calls: Vec<Due>,
        outcomes: Vec<Result<Content, Fault>>,
        wanted: &[Wanted],
        outage: Option<Duration>,
        results: &mut Results,
    ) -> Self {
        let mut round = Self::default();
        for (call, outcome) in calls.into_iter().zip(outcomes) {
            let anew = Due { slot: None, ..call };
            match outcome {
                Err(Fault::Late) => round.late.push(anew),
                Err(Fault::Limited(wait)) => {
                    round.limit = round.limit.max(Some(wait));
                    round.limited.push(anew);
                }
                Err(Fault::TokenRejected) if !call.renewed => round.refused.push(Due { renewed: true, ..anew }),
                Err(Fault::Outage(_)) if outage.is_some() => {
                    results.put_all(parked(&[call], wanted, outage.unwrap_or_default()));
                }
                outcome => results.put(call.place, outcome),
            }
        }
        round
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fetch::whole;
    use crate::records::tests::{at, resource};

    fn due(place: usize, renewed: bool) -> Due {
        Due { place, slot: Some(at(0)), renewed }
    }

    #[test]
    fn guarantee_16_after_a_refusal_nothing_is_an_outcome_that_was_not_one() {
        let mut results = Results::of(4);
        let fine = Ok(whole(resource("a", "1"), "text".to_owned()));
        let outcomes = vec![
            fine,
            Err(Fault::Limited(Duration::from_secs(9))),
            Err(Fault::Limited(Duration::from_secs(30))),
            Err(Fault::Late),
        ];
        let round = Round::sort((0..4).map(|place| due(place, false)).collect(), outcomes, &[], None, &mut results);
        assert_eq!(round.limit, Some(Duration::from_secs(30)), "the longest wait that was asked for");
        assert_eq!(round.limited.iter().map(|call| call.place).collect::<Vec<_>>(), [1, 2]);
        assert!(round.limited.iter().chain(&round.late).all(|call| call.slot.is_none()), "their slots are used up");
        assert_eq!(results.0.iter().filter(|result| result.is_some()).count(), 1);
    }

    #[test]
    fn a_token_is_renewed_once() {
        let mut results = Results::of(2);
        let refused = || Err(Fault::TokenRejected);
        let round = Round::sort(vec![due(0, false), due(1, true)], vec![refused(), refused()], &[], None, &mut results);
        assert_eq!(round.refused, [Due { place: 0, slot: None, renewed: true }]);
        assert!(matches!(results.0.as_slice(), [None, Some(Err(Fault::TokenRejected))]));
    }

    #[test]
    fn what_no_round_got_to_waits() {
        assert!(matches!(Results::of(1).all().as_slice(), [Err(Fault::Wait(NO_ROUND_LEFT))]));
    }
}
