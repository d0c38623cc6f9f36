//! What the scheduler does with a thing that is due.
//!
//! Everything is claimed by moving its due time on, so that of two schedulers one acts, and a claim whose holder dies falls
//! due again by itself. Two hours without a scheduler give one sync, not many: a due time is a moment, not a count.

use std::sync::PoisonError;

use connections::{offer, plan_of};
use domain::circuit::{Circuit, Gate};
use domain::plan::Plan;
use domain::{Integration, ProviderId, Status, SyncMode, Timestamp, Trigger};
use store::{Due, DueKind};

use crate::due::{next_due, spread};
use crate::error::Error;
use crate::syncs::{Syncs, WATCH};

/// When a subscription that was handed to a worker is looked at again; by then it is renewed and gone, or to be tried again.
const RENEWAL_TAKES: chrono::TimeDelta = chrono::TimeDelta::minutes(15);

/// An outage ends for everybody at once; those who waited for its end begin within a tenth of this.
const AFTER_OUTAGE: chrono::TimeDelta = chrono::TimeDelta::minutes(10);

/// For how long a sync that was started to try a provider that was down is the only one there: by then its worker has claimed the
/// probe and the circuit tells the rest.
const PROBED_FOR: chrono::TimeDelta = chrono::TimeDelta::seconds(60);

/// How soon those that are due beside it are looked at again.
const AFTER_PROBE: chrono::TimeDelta = chrono::TimeDelta::seconds(10);

/// What was done with a thing that was due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Woken {
    /// A sync was started.
    Started,
    /// A run under way was sent to the workers again.
    Watched,
    /// A subscription was handed over for renewal.
    Renewed,
    /// It was due, and nothing was to be done: it is due later, or never.
    Rescheduled,
    /// Another scheduler has it, or it is no longer what the index said.
    Skipped,
}

impl Syncs {
    /// Acts on something due. Five or six requests and one message for a sync that starts; one or two and one for a run or a
    /// subscription.
    ///
    /// # Errors
    /// [`Error::Unavailable`]; the thing falls due again.
    pub async fn wake(&self, due: &Due) -> Result<Woken, Error> {
        let now = self.clock.now();
        match &due.kind {
            DueKind::Subscription { id } => {
                if !self.store.move_due(due, Some(now + RENEWAL_TAKES)).await? {
                    return Ok(Woken::Skipped);
                }
                let found = self.store.find_integration(&due.integration).await?;
                if found.is_none_or(|integration| integration.status == Status::Disconnected) {
                    // Left over from a disconnection that was cut short: there are no tokens to stop it with, and it ends by itself.
                    self.store.delete_subscription(due.integration.integration_id, id).await?;
                    return Ok(Woken::Rescheduled);
                }
                self.subscribe(&due.integration).await?;
                Ok(Woken::Renewed)
            }
            DueKind::Integration { active: Some(job_id) } => {
                if !self.store.move_due(due, Some(now + WATCH)).await? {
                    return Ok(Woken::Skipped);
                }
                self.send_run(&due.integration, *job_id).await;
                Ok(Woken::Watched)
            }
            DueKind::Integration { active: None } => self.wake_integration(due, now).await,
        }
    }

    async fn wake_integration(&self, due: &Due, now: Timestamp) -> Result<Woken, Error> {
        let Some((integration, circuit)) = self.store.find_with_circuit(&due.integration).await? else {
            return Ok(Woken::Skipped);
        };
        let plan = plan_of(&self.store, &integration.owner, now).await?;
        let entry = self.registry_entry(integration.provider, now).await?;
        let is_offered = offer::check(&entry, plan).is_ok() && self.is_covered(plan, &integration).await?;
        let next = match decide(&integration, &circuit, is_offered, now) {
            // The index lags: a run has started since.
            Look::Watch => return Ok(Woken::Skipped),
            Look::Never => None,
            Look::Wait(until) => Some(until),
            Look::NotOffered => next_due(&integration, plan, self.has_webhooks(integration.provider), now),
            Look::Sync => return self.start(due, &integration, now).await,
            Look::Probe if self.may_probe(integration.provider, now) => {
                let woken = self.start(due, &integration, now).await;
                if !matches!(woken, Ok(Woken::Started)) {
                    self.forget_probe(integration.provider);
                }
                return woken;
            }
            Look::Probe => Some(now + AFTER_PROBE + spread(integration.id, AFTER_OUTAGE)),
        };
        Ok(if self.store.move_due(due, next).await? { Woken::Rescheduled } else { Woken::Skipped })
    }

    /// Whether the plan has a place for an integration. One read where the plan limits how many there may be.
    async fn is_covered(&self, plan: Plan, integration: &Integration) -> Result<bool, Error> {
        if plan.max_integrations().is_none() {
            return Ok(true);
        }
        let rows = self.store.integrations_of(&integration.owner).await?;
        Ok(offer::is_covered(plan, &rows, integration))
    }

    /// Whether this sync may be the one that tries a provider that was down. Known to this process alone, which is enough: a second
    /// process at most starts a second one, and their workers claim the probe.
    fn may_probe(&self, provider: ProviderId, now: Timestamp) -> bool {
        let mut probes = self.probes.lock().unwrap_or_else(PoisonError::into_inner);
        if probes.get(&provider).is_some_and(|at| now - *at < PROBED_FOR) {
            return false;
        }
        probes.insert(provider, now);
        true
    }

    fn forget_probe(&self, provider: ProviderId) {
        self.probes.lock().unwrap_or_else(PoisonError::into_inner).remove(&provider);
    }

    async fn start(&self, due: &Due, integration: &Integration, now: Timestamp) -> Result<Woken, Error> {
        if !self.store.move_due(due, Some(now + WATCH)).await? {
            return Ok(Woken::Skipped);
        }
        let mode = integration.again.unwrap_or(SyncMode::Incremental);
        match self.request(integration, mode, Trigger::Schedule).await {
            Ok(requested) if requested.started => Ok(Woken::Started),
            Ok(_) | Err(Error::Paused | Error::TokenExpired | Error::NotConnected | Error::Waiting) => {
                Ok(Woken::Skipped)
            }
            Err(error) => Err(error),
        }
    }
}

/// What an integration that is due needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    Sync,
    /// A sync, if none was started yet to see whether the provider is back.
    Probe,
    Watch,
    Wait(Timestamp),
    NotOffered,
    Never,
}

fn decide(integration: &Integration, circuit: &Circuit, is_offered: bool, now: Timestamp) -> Look {
    if integration.active.is_some() {
        return Look::Watch;
    }
    if !integration.status.is_scheduled() {
        return Look::Never;
    }
    match integration.blocked_until {
        Some(until) if until > now => Look::Wait(until),
        _ if !is_offered => Look::NotOffered,
        _ => match circuit.gate(now) {
            Gate::Go => Look::Sync,
            // A probe is a sync like any other: its worker claims the right to it.
            Gate::Probe => Look::Probe,
            Gate::Shut { until } => Look::Wait(until + spread(integration.id, AFTER_OUTAGE)),
        },
    }
}

#[cfg(test)]
mod tests {
    use domain::integration::ActiveRun;

    use super::*;
    use crate::due::tests::{at, integration};

    fn check(integration: &Integration, is_offered: bool, look: Look) {
        assert_eq!(decide(integration, &Circuit::default(), is_offered, at(100)), look);
    }

    #[test]
    fn what_is_due_is_synced_unless_something_stands_in_its_way() {
        let row = integration();
        check(&row, true, Look::Sync);
        check(&row, false, Look::NotOffered);
        check(&Integration { status: Status::Error, ..row.clone() }, true, Look::Sync);
        check(&Integration { status: Status::Paused, ..row.clone() }, true, Look::Never);
        check(&Integration { status: Status::TokenExpired, ..row.clone() }, true, Look::Never);
        check(&Integration { blocked_until: Some(at(200)), ..row.clone() }, true, Look::Wait(at(200)));
        check(&Integration { blocked_until: Some(at(100)), ..row.clone() }, true, Look::Sync);
        let run = ActiveRun { job_id: domain::JobId::new(at(99)), run: 1 };
        check(&Integration { active: Some(run), ..row }, true, Look::Watch);
    }

    #[test]
    fn guarantee_17_nothing_is_started_at_a_provider_that_is_down() {
        let row = integration();
        let down = (0..5).fold(Circuit::default(), |circuit, _| circuit.failed(at(90)));
        let look = |now| decide(&row, &down, true, at(now));
        let Look::Wait(until) = look(100) else { panic!("{:?}", look(100)) };
        assert!(at(105) <= until && until < at(165), "{until}");
        assert_eq!(look(105), Look::Probe, "somebody has to try it");
        let run = ActiveRun { job_id: domain::JobId::new(at(99)), run: 1 };
        assert_eq!(decide(&Integration { active: Some(run), ..row }, &down, true, at(100)), Look::Watch);
    }
}
