//! Starts runs of a sync: one at a time for an integration, stored before its message is sent.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use connections::plan_of;
use domain::clock::SharedClock;
use domain::job::Checkpoint;
use domain::message::{IntegrationRef, SyncMessage};
use domain::{Counts, Integration, JobId, JobStatus, ProviderId, Status, SyncJob, SyncMode, Timestamp, Trigger};
use queue::Queue;
use store::{RegistryEntry, Started, Store};

use crate::due::next_due;
use crate::error::Error;

/// How long after its start (or its last look) the scheduler looks after a run: it sends its message again, in case the
/// first one was lost. A worker that has the run under way already makes nothing of it.
pub const WATCH: chrono::TimeDelta = chrono::TimeDelta::minutes(2);

/// How often the slot is asked for when runs end and start under our hands.
const TRIES: usize = 4;

/// For how long a registry entry that was read serves on.
const REGISTRY_SERVES: chrono::TimeDelta = chrono::TimeDelta::seconds(60);

/// Starts runs. Cheap to clone; clones share what was read of the registry.
#[derive(Clone)]
pub struct Syncs {
    pub(crate) store: Store,
    queue: Queue<SyncMessage>,
    registry: Arc<providers::Registry>,
    pub(crate) clock: SharedClock,
    entries: Arc<Mutex<HashMap<ProviderId, (Timestamp, RegistryEntry)>>>,
    /// When a sync was last started to try a provider that was down.
    pub(crate) probes: Arc<Mutex<HashMap<ProviderId, Timestamp>>>,
}

/// What became of a request for a sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Requested {
    /// The job: the new one, or the one that was running already.
    pub job_id: JobId,
    /// Whether it is new.
    pub started: bool,
}

impl Syncs {
    /// Puts it together. Makes no call.
    #[must_use]
    pub fn new(
        store: Store,
        queue: Queue<SyncMessage>,
        registry: Arc<providers::Registry>,
        clock: SharedClock,
    ) -> Self {
        Self { store, queue, registry, clock, entries: Arc::default(), probes: Arc::default() }
    }

    /// Asks for a sync. Starts a run where none is under way; else gives the running job, and has another pass follow it unless
    /// it was only the clock that asked. Without a change cursor the pass is a full one. Two requests and one message
    /// where the slot is free; two requests where it is taken.
    ///
    /// # Errors
    /// [`Error::Paused`], [`Error::TokenExpired`], [`Error::NotConnected`] in those states; [`Error::Waiting`] for a webhook in
    /// the state ERROR, whose change the next daily try finds; [`Error::Unavailable`] if
    /// nothing was stored. A message that could not be sent is no error: the run is stored and the scheduler sends it.
    pub async fn request(
        &self,
        integration: &Integration,
        mode: SyncMode,
        trigger: Trigger,
    ) -> Result<Requested, Error> {
        let reference = integration.reference();
        let mut row = integration.clone();
        for _ in 0..TRIES {
            check_may_run(&row, trigger)?;
            let now = self.clock.now();
            let job = new_job(&row, mode, trigger, now);
            match self.store.start_run(&row, &job, now + WATCH).await? {
                Started::Yes => {
                    self.send_run(&reference, job.id).await;
                    return Ok(Requested { job_id: job.id, started: true });
                }
                Started::Busy(active) => {
                    let running = Requested { job_id: active.job_id, started: false };
                    // The mode that was asked for: without a cursor this pass would be a full one, but after the run there is a cursor.
                    if trigger == Trigger::Schedule || self.store.want_another(&reference, mode, now).await? {
                        return Ok(running);
                    }
                    // The run ended between the two requests: the slot is free.
                }
                Started::Gone => return Err(Error::NotConnected),
            }
            row = self.store.find_integration(&reference).await?.ok_or(Error::NotConnected)?;
        }
        Err(Error::Conflict)
    }

    /// After a run has ended: starts the pass that was asked for meanwhile. To be called with what `finish_run` said; what it
    /// cannot start now, the scheduler starts, since the integration still carries the wish.
    ///
    /// # Errors
    /// As [`Self::request`]; a state in which nothing runs is no error.
    pub async fn after_run(
        &self,
        reference: &IntegrationRef,
        again: Option<SyncMode>,
    ) -> Result<Option<Requested>, Error> {
        let Some(mode) = again else { return Ok(None) };
        let Some(integration) = self.store.find_integration(reference).await? else { return Ok(None) };
        let is_blocked = integration.blocked_until.is_some_and(|until| until > self.clock.now());
        if is_blocked || !integration.status.is_scheduled() {
            return Ok(None);
        }
        match self.request(&integration, mode, Trigger::Webhook).await {
            Ok(requested) => Ok(Some(requested)),
            Err(Error::Paused | Error::TokenExpired | Error::NotConnected | Error::Waiting) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Has a worker bring the webhook subscriptions up to date, where the provider has any.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if the message could not be sent.
    pub async fn subscribe(&self, reference: &IntegrationRef) -> Result<(), Error> {
        if self.has_webhooks(reference.provider) {
            let message = SyncMessage::Subscribe { integration: reference.clone() };
            self.queue.send(&reference.owner, &message).await?;
        }
        Ok(())
    }

    /// Has what was synced of a disconnected integration deleted: now, and once more when the last batch that may be under way has
    /// ended, `later`.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if the messages could not be sent. To be asked for again then.
    pub(crate) async fn purge(&self, reference: &IntegrationRef, later: Duration) -> Result<(), Error> {
        self.send_twice(&SyncMessage::Purge { integration: reference.clone(), after: None }, later).await
    }

    /// Has a cancelled run summed up: now, and once more when the last batch that may be under way has ended, `later`. A failure is only
    /// logged: the run keeps the counts that were last known.
    pub(crate) async fn count(&self, reference: &IntegrationRef, job_id: JobId, later: Duration) {
        let message = SyncMessage::Count { integration: reference.clone(), job_id };
        if let Err(error) = self.send_twice(&message, later).await {
            tracing::warn!(integration.id = %reference.integration_id, job.id = %job_id, %error, "a cancelled run is not summed up");
        }
    }

    async fn send_twice(&self, message: &SyncMessage, later: Duration) -> Result<(), Error> {
        let group = &message.integration().owner;
        // The later one first: if the other cannot be sent, what was asked for is done all the same.
        self.queue.send_after(group, message, later).await?;
        Ok(self.queue.send(group, message).await?)
    }

    /// When an integration without a run is due next, by its owner's plan. One read.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn next_due(&self, integration: &Integration) -> Result<Option<Timestamp>, Error> {
        let now = self.clock.now();
        let plan = plan_of(&self.store, &integration.owner, now).await?;
        Ok(next_due(integration, plan, self.has_webhooks(integration.provider), now))
    }

    /// Whether the provider announces changes.
    pub(crate) fn has_webhooks(&self, provider: ProviderId) -> bool {
        self.registry.get(provider).webhooks().is_some()
    }

    /// Sends the message of a stored run. A failure is only logged: the integration is due soon and it is sent again then.
    pub(crate) async fn send_run(&self, reference: &IntegrationRef, job_id: JobId) {
        let message = SyncMessage::Run { integration: reference.clone(), job_id, looks: 0 };
        if let Err(error) = self.queue.send(&reference.owner, &message).await {
            tracing::warn!(integration.id = %reference.integration_id, job.id = %job_id, %error, "a run's message was not sent and will be sent by the scheduler");
        }
    }

    /// The registry's entry of a provider, at most a minute old.
    pub(crate) async fn registry_entry(&self, provider: ProviderId, now: Timestamp) -> Result<RegistryEntry, Error> {
        let read = self.entries.lock().unwrap_or_else(PoisonError::into_inner).get(&provider).cloned();
        if let Some((at, entry)) = read
            && now - at < REGISTRY_SERVES
        {
            return Ok(entry);
        }
        let entry = self.store.registry_entry(provider).await?;
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).insert(provider, (now, entry.clone()));
        Ok(entry)
    }
}

/// Whether a run starts, or may be wished for. In the state ERROR the clock, which comes daily, and people may start one.
const fn check_may_run(integration: &Integration, trigger: Trigger) -> Result<(), Error> {
    match integration.status {
        Status::Error if matches!(trigger, Trigger::Webhook) && integration.active.is_none() => Err(Error::Waiting),
        Status::Active | Status::Error | Status::RateLimited => Ok(()),
        Status::Paused => Err(Error::Paused),
        Status::TokenExpired => Err(Error::TokenExpired),
        Status::Disconnected => Err(Error::NotConnected),
    }
}

/// A run that nobody has taken up yet.
fn new_job(integration: &Integration, mode: SyncMode, trigger: Trigger, now: Timestamp) -> SyncJob {
    let asked_full = mode == SyncMode::Full || integration.again == Some(SyncMode::Full);
    SyncJob {
        id: JobId::new(now),
        integration_id: integration.id,
        owner: integration.owner.clone(),
        provider: integration.provider,
        mode: if asked_full || integration.change_cursor.is_none() { SyncMode::Full } else { SyncMode::Incremental },
        trigger,
        run: integration.runs + 1,
        status: JobStatus::Pending,
        started_at: now,
        completed_at: None,
        counts: Counts::default(),
        error_message: None,
        failed_resources: Vec::new(),
        checkpoint: Checkpoint {
            confirmed_count: integration.confirmed_count.filter(|_| integration.deletes_confirmed),
            ..Checkpoint::default()
        },
        deletes_confirmed: integration.deletes_confirmed,
        outages: 0,
        progress_at: now,
        fence: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::due::tests::{at, integration};

    #[test]
    fn without_a_cursor_or_with_a_wish_for_it_a_pass_is_full() {
        let check = |row: &Integration, asked, mode| assert_eq!(new_job(row, asked, Trigger::Manual, at(5)).mode, mode);
        let row = integration();
        check(&row, SyncMode::Incremental, SyncMode::Incremental);
        check(&row, SyncMode::Full, SyncMode::Full);
        check(&Integration { change_cursor: None, ..row.clone() }, SyncMode::Incremental, SyncMode::Full);
        check(&Integration { again: Some(SyncMode::Full), ..row }, SyncMode::Incremental, SyncMode::Full);
    }

    #[test]
    fn a_confirmation_travels_with_the_next_run() {
        let row = Integration { deletes_confirmed: true, confirmed_count: Some(60), runs: 4, ..integration() };
        let job = new_job(&row, SyncMode::Full, Trigger::Manual, at(5));
        assert_eq!((job.deletes_confirmed, job.checkpoint.confirmed_count), (true, Some(60)));
        let dropped = Integration { deletes_confirmed: false, ..row };
        assert_eq!(new_job(&dropped, SyncMode::Full, Trigger::Manual, at(5)).checkpoint.confirmed_count, None);
        assert_eq!((job.run, job.status, job.fence), (5, JobStatus::Pending, 0));
    }

    #[test]
    fn nothing_runs_that_a_person_stopped() {
        let check = |status| check_may_run(&Integration { status, ..integration() }, Trigger::Manual);
        assert!(check(Status::Error).is_ok());
        assert!(matches!(check(Status::Paused), Err(Error::Paused)));
        assert!(matches!(check(Status::TokenExpired), Err(Error::TokenExpired)));
        assert!(matches!(check(Status::Disconnected), Err(Error::NotConnected)));
    }

    #[test]
    fn what_failed_too_often_is_not_tried_again_for_every_webhook() {
        let failing = Integration { status: Status::Error, ..integration() };
        assert!(matches!(check_may_run(&failing, Trigger::Webhook), Err(Error::Waiting)));
        for trigger in [Trigger::Manual, Trigger::Schedule] {
            assert!(check_may_run(&failing, trigger).is_ok());
        }
        assert!(check_may_run(&integration(), Trigger::Webhook).is_ok());
        // Somebody has it run: the wish for another pass is worth keeping, since this one may mend it.
        let active = Some(domain::integration::ActiveRun { job_id: JobId::new(at(1)), run: 1 });
        assert!(check_may_run(&Integration { active, ..failing }, Trigger::Webhook).is_ok());
    }
}
