//! `POST …/integrations/{provider}/sync-jobs/{jobId}/cancel`: stops a sync.

use axum::extract::State;
use integrations::Action;
use serde_json::json;
use web::{Data, OwnerAdmin};

use crate::error::Result;
use crate::path::{Job, Provider};
use crate::state::Api;
use crate::wire::job::SyncJobRow;

/// Stops a sync. What it has delivered stays.
#[utoipa::path(post, path = "/{provider}/sync-jobs/{jobId}/cancel", tag = "integrations",
    responses((status = 200, description = "The sync, cancelled", body = Data<SyncJobRow>),
        (status = 409, description = "It has ended already", body = web::ErrorBody)))]
pub async fn cancel_sync_job(
    OwnerAdmin(scope): OwnerAdmin,
    Provider(provider): Provider,
    Job(job): Job,
    State(api): State<Api>,
) -> Result<Data<SyncJobRow>> {
    let job = api.integrations.cancel(&scope.owner, provider, job).await?;
    api.note(&scope, Action::SyncCancelled, provider, json!({"job_id": job.id.to_string()})).await;
    Ok(Data::new(job.into()))
}
