//! A clock that tests move by hand, and domain values to begin with. Compiled only with the feature `testing`.
//!
//! A test says what matters to it with `..` over one of these, so that a new field is written here once.

use std::sync::{Arc, Mutex, PoisonError};

use crate::clock::{Clock, Timestamp};
use crate::id::{AccountId, ExternalId, InvalidId};
use crate::integration::{Integration, IntegrationConfig, StorageStrategy, SyncFrequency};
use crate::job::{Checkpoint, Counts, JobStatus, SyncJob, SyncMode, Trigger};
use crate::owner::Owner;
use crate::provider::ProviderId;
use crate::resource::{Record, RecordState, ResourceKind};
use crate::status::Status;
use crate::{IntegrationId, JobId, UserId};

/// A clock that stands still until it is moved.
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<Mutex<Timestamp>>);

impl ManualClock {
    /// A clock that shows `now`.
    #[must_use]
    pub fn at(now: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(now)))
    }

    /// Moves the clock on.
    pub fn advance(&self, by: chrono::TimeDelta) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) += by;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An owner's Drive, healthy, connected at `now` by ada, never synced, due never, without tokens.
///
/// # Errors
/// If `owner` is none (`user/ada`, `organization/acme`).
pub fn integration(owner: &str, now: Timestamp) -> Result<Integration, InvalidId> {
    let owner: Owner = owner.parse()?;
    Ok(Integration {
        id: IntegrationId::new(now),
        owner,
        provider: ProviderId::GoogleDrive,
        account_id: AccountId::new("7")?,
        account_name: None,
        status: Status::Active,
        storage_strategy: StorageStrategy::FullContent,
        sync_frequency: SyncFrequency::Hourly,
        config: IntegrationConfig::default(),
        last_sync_at: None,
        last_error: None,
        failures_in_a_row: 0,
        connected_by: UserId::new("ada")?,
        connected_at: now,
        updated_at: now,
        change_cursor: None,
        active: None,
        runs: 0,
        again: None,
        pending_deletes: None,
        deletes_confirmed: false,
        confirmed_count: None,
        blocked_until: None,
        due_at: None,
        retry_failed: false,
        tokens: None,
        version: 1,
    })
}

/// The job of an integration's next run, which a person asked for at `now` and nobody has taken up.
#[must_use]
pub fn job(of: &Integration, mode: SyncMode, now: Timestamp) -> SyncJob {
    SyncJob {
        id: JobId::new(now),
        integration_id: of.id,
        owner: of.owner.clone(),
        provider: of.provider,
        mode,
        trigger: Trigger::Manual,
        run: of.runs + 1,
        status: JobStatus::Pending,
        started_at: now,
        completed_at: None,
        counts: Counts::default(),
        error_message: None,
        failed_resources: Vec::new(),
        checkpoint: Checkpoint::default(),
        deletes_confirmed: false,
        outages: 0,
        progress_at: now,
        fence: 0,
    }
}

/// The record of a text file that was delivered at `observed_at`.
#[must_use]
pub fn record(id: ExternalId, observed_at: Timestamp) -> Record {
    Record {
        kind: ResourceKind::File,
        name: format!("{id}.txt"),
        external_id: id,
        mime_type: Some("text/plain".to_owned()),
        url: None,
        state: RecordState::Synced,
        revision: "1".to_owned(),
        content_hash: Some("hash".to_owned()),
        memory_id: None,
        stored_as: None,
        code: None,
        reason: None,
        retriable: false,
        observed_at,
        last_synced_at: observed_at,
        last_run: None,
    }
}
