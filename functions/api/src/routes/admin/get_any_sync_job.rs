//! `GET /api/admin/integrations/sync-jobs/{jobId}`: one sync of whomever, with all that is known of it.

use axum::extract::State;
use web::{Data, PlatformAdmin};

use crate::error::{Result, unknown_job};
use crate::path::Job;
use crate::state::Api;
use crate::wire::any_job::JobDetailsRow;

/// Shows a sync: what it counted, what failed and why, when it got how far, and how its integration stands.
#[utoipa::path(get, path = "/integrations/sync-jobs/{jobId}", tag = "administration",
    responses((status = 200, description = "The sync", body = Data<JobDetailsRow>)))]
pub async fn get_any_sync_job(_: PlatformAdmin, Job(id): Job, State(api): State<Api>) -> Result<Data<JobDetailsRow>> {
    let job = api.store.find_job(id).await?.ok_or_else(unknown_job)?;
    let reference = domain::message::IntegrationRef {
        owner: job.owner.clone(),
        provider: job.provider,
        integration_id: job.integration_id,
    };
    let (timeline, integration) =
        tokio::try_join!(api.store.timeline(job.integration_id, id), api.store.find_integration(&reference))?;
    Ok(Data::new(JobDetailsRow::new(job, timeline, integration)))
}
