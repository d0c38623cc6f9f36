//! `GET …/integrations/{provider}/sync-jobs`: the history of syncs, newest first.

use axum::extract::State;
use web::page::PageQuery;
use web::{List, OwnerRead, Page};

use crate::error::Result;
use crate::path::Provider;
use crate::state::Api;
use crate::wire::job::SyncJobRow;

/// Lists an integration's syncs, the newest first.
#[utoipa::path(get, path = "/{provider}/sync-jobs", tag = "integrations", params(PageQuery),
    responses((status = 200, description = "A page of syncs", body = List<SyncJobRow>)))]
pub async fn list_sync_jobs(
    OwnerRead(scope): OwnerRead,
    Provider(provider): Provider,
    page: Page,
    State(api): State<Api>,
) -> Result<List<SyncJobRow>> {
    let (jobs, next) = api.integrations.history(&scope.owner, provider, page.cursor.as_ref(), page.limit).await?;
    Ok(List::new(jobs.into_iter().map(Into::into).collect(), next.as_ref()))
}
