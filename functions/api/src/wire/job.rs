//! A sync's row, and the answer to whoever asked for one.

use domain::job::FailedResource;
use domain::{JobId, JobStatus, OwnerKind, SyncJob, SyncMode, Timestamp, Trigger};
use serde::Serialize;
use utoipa::ToSchema;

use super::words;

/// A sync that was asked for.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SyncRequested {
    /// The sync: a new one, or the one that runs already.
    #[schema(example = "01JD0000000000000000000001")]
    job_id: String,
}

impl SyncRequested {
    pub fn new(job_id: JobId) -> Self {
        Self { job_id: job_id.to_string() }
    }
}

/// A sync.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SyncJob)]
pub struct SyncJobRow {
    /// Its id; ids sort by creation.
    #[schema(example = "01JD0000000000000000000001")]
    id: String,
    /// Of which integration.
    integration_id: String,
    /// Whose integration.
    #[schema(schema_with = words::owner_kind)]
    integration_type: OwnerKind,
    /// The provider.
    #[schema(example = "google_drive")]
    provider: String,
    /// How much it looks at.
    #[schema(schema_with = words::mode)]
    mode: SyncMode,
    /// Where it stands.
    #[schema(schema_with = words::job_status)]
    status: JobStatus,
    /// What asked for it.
    #[schema(schema_with = words::trigger)]
    triggered_by: Trigger,
    /// When it was asked for.
    #[schema(value_type = String, format = DateTime)]
    started_at: Timestamp,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    completed_at: Option<Timestamp>,
    /// While it runs: about when it will be done, from the calls that the provider's limits allow; later while listing goes on.
    #[schema(value_type = Option<String>, format = DateTime)]
    expected_end_at: Option<Timestamp>,
    /// Distinct resources it came upon; once it has ended, the sum of the other counts.
    resources_found: u64,
    /// Delivered.
    resources_synced: u64,
    /// Same as before.
    resources_unchanged: u64,
    /// Failed; `error_details` says which and why.
    resources_failed: u64,
    /// Deleted.
    resources_deleted: u64,
    /// Of a kind that carries no text.
    resources_skipped: u64,
    /// Why it failed, for people.
    error_message: Option<String>,
    /// What failed within it.
    error_details: Option<ErrorDetails>,
}

/// What failed within a sync.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorDetails {
    /// At most a hundred; the integration's resources with `status=failed` are all of them.
    failed_resources: Vec<FailedResourceRow>,
}

/// A resource that failed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FailedResource)]
pub struct FailedResourceRow {
    /// The provider's id.
    external_id: String,
    /// Its name, if known.
    name: Option<String>,
    /// Why, for programs.
    #[schema(example = "too_large")]
    code: String,
    /// Why, for people.
    reason: String,
}

impl From<FailedResource> for FailedResourceRow {
    fn from(failed: FailedResource) -> Self {
        Self { external_id: failed.external_id, name: failed.name, code: failed.code, reason: failed.reason }
    }
}

impl From<SyncJob> for SyncJobRow {
    fn from(job: SyncJob) -> Self {
        let failed: Vec<FailedResourceRow> = job.failed_resources.into_iter().map(Into::into).collect();
        Self {
            id: job.id.to_string(),
            integration_id: job.integration_id.to_string(),
            integration_type: job.owner.kind(),
            provider: job.provider.to_string(),
            mode: job.mode,
            status: job.status,
            triggered_by: job.trigger,
            started_at: job.started_at,
            completed_at: job.completed_at,
            expected_end_at: job.checkpoint.done_about().filter(|_| !job.status.is_final()),
            resources_found: job.counts.found,
            resources_synced: job.counts.synced,
            resources_unchanged: job.counts.unchanged,
            resources_failed: job.counts.failed,
            resources_deleted: job.counts.deleted,
            resources_skipped: job.counts.skipped,
            error_message: job.error_message,
            error_details: (!failed.is_empty()).then_some(ErrorDetails { failed_resources: failed }),
        }
    }
}
