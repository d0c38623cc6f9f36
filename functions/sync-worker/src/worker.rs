//! The flow of a run, turn by turn. Knows nothing of Lambda.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use connections::{Connections, SecretsClient, Settings};
use domain::circuit::Gate;
use domain::clock::SharedClock;
use domain::job::JobError;
use domain::message::{IntegrationRef, ResourceMessage, SyncMessage};
use domain::rate::after;
use domain::status::Event;
use domain::{Integration, JobId, JobStatus, Status, SystemClock, Timestamp};
use integrations::{Settled, Syncs, WATCH};
use providers::provider::Call;
use queue::{Backoff, Queue};
use store::{Claim, Store};
use url::Url;
use vault::Vault;

use crate::config::Config;
use crate::failure::{Halt, OUTAGES, outage_delay};
use crate::run::{Run, lease};

/// The queue's `maxReceiveCount`: a message is tried so often.
const ATTEMPTS: u32 = 3;
/// The queue's first back-off; it doubles.
const BACKOFF: Duration = Duration::from_secs(5);
/// When a message that found the run taken up looks again.
const BUSY: Duration = Duration::from_secs(3);
/// The longest wait on the queue. A longer one is spent in the due index: no message goes to and fro for it, and a waiting run
/// is told from one whose worker died by the time at which it is due.
const ON_QUEUE: Duration = Duration::from_secs(60);
/// A wait as long as this is shown to people.
const SHOWN: TimeDelta = TimeDelta::minutes(15);
/// A run in which nothing has moved for this long, waits that the provider asked for left out, is beyond help.
const ABANDONED: TimeDelta = TimeDelta::hours(6);

/// Works on runs of a sync. One per process.
pub struct SyncWorker {
    pub(crate) store: Store,
    pub(crate) queue: Queue<SyncMessage>,
    pub(crate) resources: Queue<ResourceMessage>,
    pub(crate) webhook_lane: Queue<ResourceMessage>,
    pub(crate) connections: Connections,
    pub(crate) syncs: Syncs,
    pub(crate) registry: Arc<providers::Registry>,
    pub(crate) clock: SharedClock,
    pub(crate) public_url: Url,
    pub(crate) stall: TimeDelta,
}

/// A message's circumstances.
#[derive(Debug, Clone, Copy)]
pub struct Turn {
    /// How many times the message was received.
    pub attempt: u32,
    /// When the time for it is up.
    pub deadline: Timestamp,
}

/// How a turn ended that nothing stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TurnEnd {
    /// The run has ended.
    Finished,
    /// Everything is handed out; others will report.
    Waiting,
}

impl SyncWorker {
    /// Puts the worker together. Makes no call.
    #[must_use]
    pub fn new(config: &Config, aws: &lambda::AwsConfig) -> Self {
        let clock = SystemClock::shared();
        let registry = Arc::new(providers::Registry::new(providers::Http::with_clock(clock.clone())));
        let store = Store::new(store::Client::new(aws), config.tables.clone());
        let sqs = queue::Client::new(aws);
        let backoff = Backoff { base: BACKOFF, attempts: ATTEMPTS };
        let queue = Queue::new(sqs.clone(), config.sync_queue_url.clone(), backoff);
        let vault = Vault::new(vault::Client::new(aws), config.token_key_id.clone(), clock.clone());
        let settings =
            Settings::new(SecretsClient::new(aws), config.secret_prefix.clone(), config.settings_ttl, clock.clone());
        Self {
            connections: Connections::new(store.clone(), vault, settings, registry.clone(), clock.clone()),
            syncs: Syncs::new(store.clone(), queue.clone(), registry.clone(), clock.clone()),
            resources: Queue::new(sqs.clone(), config.resource_queue_url.clone(), backoff),
            webhook_lane: Queue::new(sqs, config.webhook_lane_url.clone(), backoff),
            public_url: config.public_url.clone(),
            stall: TimeDelta::from_std(config.stall).unwrap_or(TimeDelta::MAX),
            store,
            queue,
            registry,
            clock,
        }
    }

    /// The queue that feeds it.
    #[must_use]
    pub fn queue(&self) -> Queue<SyncMessage> {
        self.queue.clone()
    }

    /// Works on a message.
    ///
    /// # Errors
    /// What the queue should do with it.
    pub async fn run(&self, message: SyncMessage, turn: Turn) -> Result<(), JobError> {
        match message {
            SyncMessage::Run { integration, job_id, .. } => self.take_turn(&integration, job_id, turn).await,
            SyncMessage::Subscribe { integration } => self.subscribe(&integration).await,
            SyncMessage::Purge { integration, after } => self.purge(&integration, after, turn.deadline).await,
            SyncMessage::Count { integration, job_id } => self.count(&integration, job_id).await,
        }
    }

    /// One turn of a run, if it is there to be taken.
    async fn take_turn(&self, reference: &IntegrationRef, job_id: JobId, turn: Turn) -> Result<(), JobError> {
        let found = self.store.find_with_circuit(reference).await?;
        let is_current = |integration: &Integration| {
            integration.status != Status::Disconnected && integration.active.is_some_and(|run| run.job_id == job_id)
        };
        let Some((integration, circuit)) = found.filter(|(integration, _)| is_current(integration)) else {
            // Whoever took the slot away ends the job too; should they have died in between, it ends here. A job that has
            // ended stays as it is.
            self.store.cancel_job(reference, job_id, self.clock.now()).await?;
            return Ok(());
        };
        let now = self.clock.now();
        match self.store.claim_job(integration.id, job_id, now, lease(turn.deadline)).await? {
            Claim::Taken(job) => {
                let mut run = Run::new(integration, circuit, job, now, turn.deadline);
                let result = self.go_on(&mut run).await;
                self.conclude(&mut run, result, turn).await
            }
            Claim::Busy { until } => self.busy(&integration, job_id, until).await,
            Claim::Final(job) => self.release_slot(&integration, job).await.map_err(JobError::retry),
            Claim::Unknown => {
                tracing::error!(integration.id = %integration.id, job.id = %job_id, "a run held the slot and had no job");
                self.store.free_slot(reference, job_id).await?;
                Ok(())
            }
        }
    }

    /// Another worker has the run. While it lists it will send the message again itself; once it has listed it may be looking at
    /// the end, and a report that came in meanwhile must not go unseen.
    async fn busy(&self, integration: &Integration, job_id: JobId, until: Timestamp) -> Result<(), JobError> {
        let job = self.store.get_job(integration.id, job_id).await?;
        if job.is_some_and(|job| job.checkpoint.listed && !job.status.is_final()) {
            return Err(JobError::retry_after(BUSY, Busy { until }));
        }
        Ok(())
    }

    /// Goes on from the checkpoint.
    async fn go_on(&self, run: &mut Run) -> Result<TurnEnd, Halt> {
        if run.job.checkpoint.listed {
            return self.look(run).await;
        }
        if run.integration.status == Status::Paused {
            return self.end_early(run, JobStatus::Cancelled, None).await;
        }
        if is_abandoned(&run.integration, run.job.progress_at, self.clock.now()) {
            return Err(Halt::Fail("The sync made no progress for hours.".to_owned()));
        }
        run.has_listed = true;
        self.list(run).await?;
        self.sweep(run).await?;
        self.look(run).await
    }

    /// Carries out what a turn's end asks for, and lets go of the run.
    async fn conclude(&self, run: &mut Run, result: Result<TurnEnd, Halt>, turn: Turn) -> Result<(), JobError> {
        let halt = match result {
            Ok(TurnEnd::Finished) | Err(Halt::Superseded) => return Ok(()),
            Ok(TurnEnd::Waiting) => return Ok(self.release(run).await?),
            Err(halt) => halt,
        };
        match halt {
            Halt::Superseded => Ok(()),
            Halt::HandOver => {
                self.release(run).await?;
                let reference = run.integration.reference();
                let message = SyncMessage::Run { integration: reference.clone(), job_id: run.job.id, looks: 0 };
                Ok(self.queue.send(&reference.owner, &message).await?)
            }
            Halt::Pause(wait) => {
                let until = after(self.clock.now(), wait);
                self.release(run).await?;
                self.wait_until(run, until, halt).await
            }
            Halt::Blocked(until) => {
                self.release(run).await?;
                self.wait_until(run, until, halt).await
            }
            Halt::Limited(wait) => self.limited(run, wait, halt).await,
            Halt::Shut(until) => self.park(run, until, halt).await,
            Halt::Outage(ref reason) => {
                // The outages of a provider that is down as a whole are not this run's.
                if let Gate::Shut { until } = run.circuit.gate(self.clock.now()) {
                    return self.park(run, until, halt).await;
                }
                run.job.outages += 1;
                if run.job.outages > OUTAGES {
                    let reason = reason.clone();
                    return self.fail(run, reason).await;
                }
                match self.checkpoint(run, None).await {
                    Err(Halt::Superseded) => return Ok(()),
                    Err(trouble) => return Err(JobError::retry(trouble)),
                    Ok(()) => self.release(run).await?,
                }
                Err(JobError::retry_after(outage_delay(run.job.outages), halt))
            }
            Halt::Fail(reason) => self.fail(run, reason).await,
            Halt::Trouble(ref cause) => {
                if turn.attempt >= ATTEMPTS {
                    let reason = format!("The sync met an error of ours: {cause}.");
                    tracing::error!(
                        job.id = %run.job.id, error = lambda::telemetry::chain(&halt), "the run fails for a trouble of ours"
                    );
                    return self.fail(run, reason).await;
                }
                // What fails now may fail here too; the lease ends by itself.
                if let Err(error) = self.release(run).await {
                    tracing::warn!(job.id = %run.job.id, error = lambda::telemetry::chain(&error), "the run was not let go of");
                }
                Err(JobError::retry(halt))
            }
        }
    }

    /// The provider asks to wait: everybody on this account does, and people see until when.
    async fn limited(&self, run: &mut Run, wait: Duration, halt: Halt) -> Result<(), JobError> {
        let now = self.clock.now();
        let until = after(now, wait);
        let (key, _) = match self.meter(&run.integration, Call::List).await {
            Ok(meter) => meter,
            Err(trouble) => return Err(JobError::retry(trouble)),
        };
        self.store.limited(&key, until, now).await?;
        self.show_wait(run, until, "The provider asks to wait.").await?;
        self.release(run).await?;
        self.wait_until(run, until, halt).await
    }

    /// Waits for a provider that is down as a whole. That the run waits is progress: it is not to be taken for a dead one.
    async fn park(&self, run: &mut Run, until: Timestamp, halt: Halt) -> Result<(), JobError> {
        match self.checkpoint(run, None).await {
            Err(Halt::Superseded) => return Ok(()),
            Err(trouble) => return Err(JobError::retry(trouble)),
            Ok(()) => self.release(run).await?,
        }
        // Not all at the same second: whoever comes first looks for all.
        let spread = TimeDelta::milliseconds(rand::random_range(0..3_000));
        self.wait_until(run, until.checked_add_signed(spread).unwrap_or(until), halt).await
    }

    /// Waits on the queue, or in the due index where that is long for a queue: the scheduler then sends the message. The watch is
    /// moved behind the wait, so that it finds runs whose message was lost and sends no second one to those that wait.
    async fn wait_until(&self, run: &Run, until: Timestamp, halt: Halt) -> Result<(), JobError> {
        let now = self.clock.now();
        let wait = (until - now).to_std().unwrap_or_default();
        if until - now >= SHOWN && run.integration.blocked_until.is_none_or(|shown| shown < until) {
            self.show_wait(run, until, "Our share of what the provider allows is used up for now.").await?;
        }
        let reference = run.integration.reference();
        if wait > ON_QUEUE {
            self.store.set_due(&reference, Some(until)).await?;
            return Ok(());
        }
        self.store.set_due(&reference, Some(until.checked_add_signed(WATCH).unwrap_or(until))).await?;
        Err(JobError::retry_after(wait, halt))
    }

    async fn show_wait(&self, run: &Run, until: Timestamp, reason: &str) -> Result<(), JobError> {
        let settled = Settled { last_error: Some(reason.to_owned()), blocked_until: Some(until), due_at: Some(until) };
        self.syncs.settle(&run.integration, Event::LimitHit, settled).await?;
        Ok(())
    }

    async fn fail(&self, run: &mut Run, reason: String) -> Result<(), JobError> {
        match self.end_early(run, JobStatus::Failed, Some(reason)).await {
            Ok(_) => Ok(()),
            Err(trouble) => Err(JobError::retry(trouble)),
        }
    }

    async fn release(&self, run: &Run) -> Result<(), store::Error> {
        self.store.release_job(run.integration.id, run.job.id, run.job.fence).await
    }
}

/// Another worker has the run.
#[derive(Debug, thiserror::Error)]
#[error("another worker has the run until {until}")]
struct Busy {
    until: Timestamp,
}

/// Whether nothing has moved for so long that nobody works on the run. A wait that the provider asked for does not count.
fn is_abandoned(integration: &Integration, progress_at: Timestamp, now: Timestamp) -> bool {
    let from = integration.blocked_until.map_or(progress_at, |until| until.max(progress_at));
    now - from > ABANDONED
}
