//! The row of a record.

use chrono::serde::{ts_microseconds, ts_milliseconds};
use domain::resource::{Outcome, Record, RecordState, RunOutcome};
use domain::{ExternalId, JobId, ResourceKind, StorageStrategy, Timestamp};
use serde::Deserialize;

/// What the row is called in errors.
pub(crate) const WHAT: &str = "a record";

#[derive(Deserialize)]
pub(crate) struct RecordItem {
    external_id: ExternalId,
    resource_kind: ResourceKind,
    resource_name: String,
    #[serde(default)]
    mime_type: Option<String>,
    #[serde(default)]
    url: Option<String>,
    state: RecordState,
    revision: String,
    #[serde(default)]
    content_hash: Option<String>,
    #[serde(default)]
    memory_id: Option<String>,
    #[serde(default)]
    stored_as: Option<StorageStrategy>,
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    reason: Option<String>,
    retriable: bool,
    /// In microseconds: this orders fetches.
    #[serde(with = "ts_microseconds")]
    observed_at: Timestamp,
    #[serde(with = "ts_milliseconds")]
    last_synced_at: Timestamp,
    #[serde(default)]
    run_job_id: Option<JobId>,
    #[serde(default)]
    run: Option<u64>,
    #[serde(default)]
    outcome: Option<Outcome>,
}

impl From<RecordItem> for Record {
    fn from(item: RecordItem) -> Self {
        Self {
            external_id: item.external_id,
            kind: item.resource_kind,
            name: item.resource_name,
            mime_type: item.mime_type,
            url: item.url,
            state: item.state,
            revision: item.revision,
            content_hash: item.content_hash,
            memory_id: item.memory_id,
            stored_as: item.stored_as,
            code: item.code,
            reason: item.reason,
            retriable: item.retriable,
            observed_at: item.observed_at,
            last_synced_at: item.last_synced_at,
            last_run: last_run(item.run_job_id, item.run, item.outcome),
        }
    }
}

/// What the latest run did, which three attributes tell together.
pub(crate) fn last_run(job_id: Option<JobId>, run: Option<u64>, outcome: Option<Outcome>) -> Option<RunOutcome> {
    Some(RunOutcome { job_id: job_id?, run: run?, outcome: outcome? })
}

/// What comparing a listing with the records needs.
#[derive(Deserialize)]
pub(crate) struct MarkItem {
    pub(crate) external_id: ExternalId,
    pub(crate) state: RecordState,
    pub(crate) revision: String,
    pub(crate) retriable: bool,
    #[serde(default)]
    pub(crate) stored_as: Option<StorageStrategy>,
    #[serde(with = "ts_microseconds")]
    pub(crate) observed_at: Timestamp,
    #[serde(default)]
    pub(crate) run_job_id: Option<JobId>,
    #[serde(default)]
    pub(crate) run: Option<u64>,
    #[serde(default)]
    pub(crate) outcome: Option<Outcome>,
}
