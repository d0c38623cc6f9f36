//! A run during one worker's turn, and asking the provider on its behalf.

use std::time::Duration;

use chrono::TimeDelta;
use connections::Metered;
use domain::circuit::{Circuit, Gate};
use domain::rate::{Budget, Lane};
use domain::{Integration, SyncJob, Timestamp};
use providers::error::{Kind, ProviderError};
use providers::provider::{Access, Call as ProviderCall, Provider};
use store::{PageRow, Reserved};

use crate::failure::Halt;
use crate::worker::SyncWorker;

/// Time kept back at the end of a turn: a page may take it to be fetched, compared and handed out.
const RESERVE: TimeDelta = TimeDelta::seconds(20);
/// How much longer than the turn the lease lasts. A worker that was killed lets go by then.
const LEASE_BEYOND: TimeDelta = TimeDelta::seconds(10);
/// Times that a call without an answer is made again at once. A page may take several calls, and a provider that fails every
/// second one would hardly ever get a page through otherwise.
const AGAIN: u32 = 2;
/// The longest wait for a permit that is slept out: less than the shortest delay that a queue has.
const NAP: Duration = Duration::from_secs(1);

/// A run that this worker has taken up.
pub(crate) struct Run {
    /// The integration as read at the turn's start.
    pub integration: Integration,
    /// The job, with the fencing number of this turn. Its checkpoint is ahead of the stored one while a page is worked on.
    pub job: SyncJob,
    /// The pages recorded so far, once they have been read.
    pub pages: Option<Vec<PageRow>>,
    /// Whether this turn listed, so that what others reported meanwhile is not known here.
    pub has_listed: bool,
    /// Whether the provider is down as a whole, as far as is known.
    pub circuit: Circuit,
    deadline: Timestamp,
    reserve: TimeDelta,
    access: Option<Access>,
    renewed: bool,
    uncharged: bool,
    may_call: bool,
    is_probe: bool,
    has_told: bool,
}

impl Run {
    /// A run at the start of a turn that ends at `deadline`.
    pub fn new(integration: Integration, circuit: Circuit, job: SyncJob, now: Timestamp, deadline: Timestamp) -> Self {
        Self {
            integration,
            circuit,
            job,
            pages: None,
            has_listed: false,
            deadline,
            reserve: reserve(deadline - now),
            access: None,
            renewed: false,
            uncharged: false,
            may_call: false,
            is_probe: false,
            has_told: false,
        }
    }

    /// Until when the lease runs.
    pub fn lease(&self) -> Timestamp {
        lease(self.deadline)
    }

    /// Stops the turn if too little of its time is left to begin something.
    pub fn check_time(&self, now: Timestamp) -> Result<(), Halt> {
        if self.deadline - now < self.reserve { Err(Halt::HandOver) } else { Ok(()) }
    }

    /// How long a call may take so that there is time to say what became of it.
    fn call_time(&self, now: Timestamp) -> Duration {
        (self.deadline - now - self.reserve / 2).to_std().unwrap_or_default()
    }
}

/// Until when a turn that ends at `deadline` holds the job.
pub(crate) fn lease(deadline: Timestamp) -> Timestamp {
    deadline.checked_add_signed(LEASE_BEYOND).unwrap_or(deadline)
}

/// Whether the provider gave no answer.
fn is_down<T>(answer: &Result<T, ProviderError>) -> bool {
    matches!(answer, Err(ProviderError { kind: Kind::Unavailable, .. }))
}

/// A third of a short turn, as on the local stack; 20 s of a long one.
fn reserve(whole: TimeDelta) -> TimeDelta {
    RESERVE.min(whole / 3)
}

impl SyncWorker {
    /// Asks the provider, with a permit and a token; once more with a renewed token if it refuses this one. A provider that
    /// does not answer within the turn is unavailable.
    ///
    /// # Errors
    /// [`Halt`] if it cannot be asked now. What the provider answers, an error too, is the caller's to judge.
    pub(crate) async fn ask<T>(
        &self,
        run: &mut Run,
        call: impl AsyncFn(&dyn Provider, &Access) -> Result<T, ProviderError>,
    ) -> Result<Result<T, ProviderError>, Halt> {
        self.pass_gate(run).await?;
        self.take_permit(run).await?;
        let mut access = match run.access.take() {
            Some(access) => access,
            None => self.connections.open(&run.integration).await?,
        };
        let mut answer = self.call(run, &access, &call).await;
        if let Err(ProviderError { kind: Kind::TokenRejected, .. }) = &answer
            && !run.renewed
        {
            run.renewed = true;
            access = self.connections.renew_after(&run.integration, &access).await?;
            answer = self.call(run, &access, &call).await;
        }
        for tried in 0..AGAIN {
            // One call is enough to learn that a provider is still down.
            if !is_down(&answer) || run.is_probe || run.check_time(self.clock.now()).is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(rand::random_range(200..600) << tried)).await;
            self.take_permit(run).await?;
            answer = self.call(run, &access, &call).await;
        }
        run.access = Some(access);
        if answer.is_ok() {
            run.job.outages = 0;
        }
        self.tell(run, &answer).await?;
        Ok(answer)
    }

    /// Lets the turn call a provider that works, and one turn of all a provider that may work again.
    async fn pass_gate(&self, run: &mut Run) -> Result<(), Halt> {
        if run.may_call {
            return Ok(());
        }
        let gate = match run.circuit.gate(self.clock.now()) {
            Gate::Probe => {
                run.is_probe = true;
                self.store.claim_probe(run.integration.provider, self.clock.now()).await?
            }
            known => known,
        };
        if let Gate::Shut { until } = gate {
            return Err(Halt::Shut(until));
        }
        run.may_call = true;
        Ok(())
    }

    /// Tells the others whether the provider answers at all: an outage once a turn, an answer where there were outages.
    async fn tell<T>(&self, run: &mut Run, answer: &Result<T, ProviderError>) -> Result<(), Halt> {
        let is_down = is_down(answer);
        if is_down && !run.has_told {
            run.has_told = true;
            run.circuit = self.store.circuit_failed(run.integration.provider, self.clock.now()).await?;
        } else if !is_down && !run.circuit.is_healthy() {
            self.store.circuit_succeeded(run.integration.provider).await?;
            run.circuit = Circuit::default();
        }
        Ok(())
    }

    async fn call<T>(
        &self,
        run: &Run,
        access: &Access,
        call: &impl AsyncFn(&dyn Provider, &Access) -> Result<T, ProviderError>,
    ) -> Result<T, ProviderError> {
        let provider = self.registry.get(run.integration.provider);
        let time = run.call_time(self.clock.now());
        tokio::time::timeout(time, call(provider, access)).await.unwrap_or_else(|elapsed| {
            Err(ProviderError::new(run.integration.provider, Kind::Unavailable).because(elapsed))
        })
    }

    /// What calls of this kind count against: the name of the limit, and what we allow ourselves of it.
    pub(crate) async fn meter(&self, integration: &Integration, call: ProviderCall) -> Result<(String, Budget), Halt> {
        let Metered { key, budget } = self.connections.metered(integration, call).await?;
        Ok((key, budget))
    }

    /// Takes a permit for a call. The first call of a turn is charged together with the second: most incremental runs make
    /// only one, and the share of the quota that is left to the customer covers it.
    async fn take_permit(&self, run: &mut Run) -> Result<(), Halt> {
        let now = self.clock.now();
        if let Some(until) = run.integration.blocked_until
            && until > now
        {
            return Err(Halt::Blocked(until));
        }
        if run.access.is_none() && !run.uncharged {
            run.uncharged = true;
            return Ok(());
        }
        let units = 1 + u32::from(std::mem::take(&mut run.uncharged));
        let (key, budget) = self.meter(&run.integration, ProviderCall::List).await?;
        match self.store.reserve(&key, &budget, Lane::Live, units, NAP, now).await? {
            Reserved::Slots(slots) => {
                let wait = (slots.first_at - self.clock.now()).to_std().unwrap_or_default();
                if !wait.is_zero() {
                    run.check_time(self.clock.now())?;
                    tokio::time::sleep(wait).await;
                }
                Ok(())
            }
            Reserved::Wait(wait) => Err(Halt::Pause(wait)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_turn_keeps_back_a_third_and_a_long_one_twenty_seconds() {
        assert_eq!(reserve(TimeDelta::seconds(15)), TimeDelta::seconds(5));
        assert_eq!(reserve(TimeDelta::seconds(300)), TimeDelta::seconds(20));
    }

    #[test]
    fn a_lease_outlasts_its_turn() {
        let deadline = Timestamp::from_timestamp(100, 0).unwrap();
        assert_eq!(lease(deadline), Timestamp::from_timestamp(110, 0).unwrap());
        assert_eq!(lease(Timestamp::MAX_UTC), Timestamp::MAX_UTC);
    }
}
