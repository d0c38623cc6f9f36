//! `GET …/integrations/{provider}/sync-jobs/{jobId}`: one sync.

use axum::extract::State;
use web::{Data, OwnerRead};

use crate::error::Result;
use crate::path::{Job, Provider};
use crate::state::Api;
use crate::wire::job::SyncJobRow;

/// Shows a sync: how far it is, what it counted, what failed and why.
#[utoipa::path(get, path = "/{provider}/sync-jobs/{jobId}", tag = "integrations",
    responses((status = 200, description = "The sync", body = Data<SyncJobRow>)))]
pub async fn get_sync_job(
    OwnerRead(scope): OwnerRead,
    Provider(provider): Provider,
    Job(job): Job,
    State(api): State<Api>,
) -> Result<Data<SyncJobRow>> {
    let job = api.integrations.job(&scope.owner, provider, job).await?;
    Ok(Data::new(job.into()))
}
