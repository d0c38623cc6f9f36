//! A run of a sync: what it counts, how it ends, and what a worker tells its queue.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::id::{IntegrationId, JobId};
use crate::integration::PendingDeletes;
use crate::owner::Owner;
use crate::provider::ProviderId;

/// How much a sync looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SyncMode {
    /// Everything in scope, compared with what is stored; what is stored and no longer listed is deleted.
    Full,
    /// What changed since the last cursor.
    Incremental,
}

/// What asked for a sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Trigger {
    /// The clock.
    Schedule,
    /// A person.
    Manual,
    /// The provider.
    Webhook,
    /// The first sync after connecting.
    Connect,
}

/// SPEC's `SyncJobStatus`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum JobStatus {
    /// Waiting for a worker.
    Pending,
    /// Being worked on.
    Running,
    /// Ended; single resources may have failed.
    Completed,
    /// Ended without reaching its end.
    Failed,
    /// Stopped by a person or by disconnecting.
    Cancelled,
}

impl JobStatus {
    /// Every status, in the order in which a job passes through them.
    pub const ALL: [Self; 5] = [Self::Pending, Self::Running, Self::Completed, Self::Failed, Self::Cancelled];

    /// The word in rows and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Running => "RUNNING",
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
            Self::Cancelled => "CANCELLED",
        }
    }

    /// Whether it can no longer change.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

/// What became of the resources of a run. Once the job is final, `found = synced + unchanged + failed + deleted + skipped`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Distinct resources the run came upon, deletions included.
    pub found: u64,
    /// Delivered to the sink.
    pub synced: u64,
    /// Same as stored.
    pub unchanged: u64,
    /// Could not be synced; the reason is in the record.
    pub failed: u64,
    /// Deleted from the sink.
    pub deleted: u64,
    /// Of a kind that carries no text (folders are not even found).
    pub skipped: u64,
}

/// A resource that failed, as the job lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedResource {
    /// The provider's id.
    pub external_id: String,
    /// Its name, if known.
    pub name: Option<String>,
    /// Stable code (`too_large`, `unreadable`, `forbidden`, …).
    pub code: String,
    /// The reason, for people.
    pub reason: String,
}

/// A run of a sync.
#[derive(Debug, Clone, PartialEq)]
pub struct SyncJob {
    /// Its id; ids sort by creation.
    pub id: JobId,
    /// Which integration.
    pub integration_id: IntegrationId,
    /// Whose.
    pub owner: Owner,
    /// At which provider.
    pub provider: ProviderId,
    /// How much it looks at.
    pub mode: SyncMode,
    /// What asked for it.
    pub trigger: Trigger,
    /// The run's number within the integration.
    pub run: u64,
    /// Where it stands.
    pub status: JobStatus,
    /// When it was asked for.
    pub started_at: Timestamp,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
    /// Exact once final; while it runs, as far as is known.
    pub counts: Counts,
    /// Why it failed, for people.
    pub error_message: Option<String>,
    /// The failed resources, at most [`SyncJob::MAX_FAILED_LISTED`].
    pub failed_resources: Vec<FailedResource>,
    /// How far the listing has come.
    pub checkpoint: Checkpoint,
    /// Deletions may exceed the guard, because a person has confirmed them.
    pub deletes_confirmed: bool,
    /// Looks at the provider in a row that found it down; spaces the next ones out.
    pub outages: u32,
    /// When a worker last got somewhere; tells a stalled run from a slow one.
    pub progress_at: Timestamp,
    /// Grows by one with every worker that takes the run up; an older worker's writes are refused.
    pub fence: u64,
}

impl SyncJob {
    /// Failed resources kept in the job itself; the rest is found by asking for the integration's failed resources.
    pub const MAX_FAILED_LISTED: usize = 100;

    /// Whether this run may delete `count` of `of` resources without asking a person (again).
    #[must_use]
    pub fn may_delete(&self, count: u64, of: u64) -> bool {
        let is_confirmed =
            || self.checkpoint.confirmed_count.is_none_or(|confirmed| PendingDeletes::are_confirmed(count, confirmed));
        !PendingDeletes::are_too_many(count, of) || (self.deletes_confirmed && is_confirmed())
    }
}

/// How far a run has come; written after every page, in one write with the page's own record.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Where to go on listing; `None` before the first page.
    pub page_cursor: Option<String>,
    /// Pages recorded so far.
    pub pages: u32,
    /// Whether the provider's listing has come to its end.
    pub ended: bool,
    /// Whether all that there is to do has been handed out, deletions included.
    pub listed: bool,
    /// The change cursor to keep once the run has ended well.
    pub changes_from: Option<String>,
    /// Distinct resources handed to resource workers.
    pub handed_out: u64,
    /// Resources that needed none, same as stored; counts one that stands on two pages twice, so it is a hint.
    pub unchanged: u64,
    /// Resources that carry no text; a hint for the same reason.
    #[serde(default)]
    pub skipped: u64,
    /// Resource outcomes reported so far; a hint that may be high or low, never a result.
    pub reported: u64,
    /// When the last call that is reserved for this run is due: the run ends about then, or later while listing goes on.
    #[serde(default)]
    pub expected_end_at: Option<Timestamp>,
    /// When the listing will have come to its end, about, where the provider says how much of it is left.
    #[serde(default)]
    pub listing_ends_at: Option<Timestamp>,
    /// How often what was never reported has been handed out again.
    #[serde(default)]
    pub rehanded: u32,
    /// How many deletions a person confirmed, where one did; `None` in runs from before this was written down.
    #[serde(default)]
    pub confirmed_count: Option<u64>,
}

impl Checkpoint {
    /// When the run will be done, about, as far as is known: when the last reserved call is due, or when the listing ends if that is later.
    #[must_use]
    pub fn done_about(&self) -> Option<Timestamp> {
        self.expected_end_at.max(self.listing_ends_at)
    }
}

/// What a worker tells the queue about a message it could not finish.
#[derive(Debug, thiserror::Error)]
#[error("{source}")]
pub struct JobError {
    /// What the queue should do.
    pub decision: Decision,
    /// Why.
    pub source: Box<dyn std::error::Error + Send + Sync>,
    /// A call reserved for the message, which it carries when it is sent again; it comes no sooner than that.
    pub slot: Option<Timestamp>,
    /// What is sent in its place when it is sent again, as JSON; `None`: the message as it came.
    pub instead: Option<Box<str>>,
}

/// What the queue should do with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Try again after the queue's back-off; this spends an attempt.
    Retry,
    /// Try again after this delay, at most 15 minutes; this spends none.
    RetryAfter(Duration),
    /// Do not try again; what there is to record has been recorded.
    GiveUp,
    /// Do not try again; it goes among the dead letters at once, for people to look at.
    Poison,
}

impl JobError {
    /// An error that another attempt may mend.
    pub fn retry(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { decision: Decision::Retry, source: source.into(), slot: None, instead: None }
    }

    /// A wait that is nobody's fault.
    pub fn retry_after(delay: Duration, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { decision: Decision::RetryAfter(delay), source: source.into(), slot: None, instead: None }
    }

    /// A wait for a reserved call: the message is sent again with the slot, to come when it is due.
    pub fn at_slot(slot: Timestamp, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { slot: Some(slot), ..Self::retry_after(Duration::ZERO, source) }
    }

    /// A message whose work goes on in another, which is sent in its place: `instead` as JSON.
    pub fn goes_on(instead: String, slot: Option<Timestamp>) -> Self {
        Self {
            slot,
            instead: Some(instead.into_boxed_str()),
            ..Self::retry_after(Duration::ZERO, "its work goes on in another message")
        }
    }

    /// A message that makes no sense: people have to look at it.
    pub fn poison(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { decision: Decision::Poison, source: source.into(), slot: None, instead: None }
    }

    /// An error that no attempt mends.
    pub fn give_up(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { decision: Decision::GiveUp, source: source.into(), slot: None, instead: None }
    }
}
