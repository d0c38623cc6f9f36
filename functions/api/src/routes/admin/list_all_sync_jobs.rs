//! `GET /api/admin/integrations/sync-jobs`: everybody's syncs.

use axum::extract::State;
use domain::{JobStatus, ProviderId, Timestamp};
use serde::Deserialize;
use store::JobFilter;
use utoipa::IntoParams;
use web::page::PageQuery;
use web::{List, Page, PlatformAdmin, Query};

use super::owner_named;
use crate::error::Result;
use crate::state::Api;
use crate::wire::any_job::AnyJobRow;
use crate::wire::words;

/// Which syncs; all that is named must hold.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SyncJobsQuery {
    /// At this provider.
    #[param(schema_with = words::provider)]
    provider: Option<ProviderId>,
    /// In this status.
    #[param(schema_with = words::job_status)]
    status: Option<JobStatus>,
    /// Of this owner: `user/<id>` or `organization/<slug>`. Accounts that were connected formerly are among them.
    #[param(schema_with = words::owner)]
    owner: Option<String>,
    /// Asked for at this moment or later.
    #[param(value_type = Option<String>, format = DateTime, example = "2026-11-25T00:00:00Z")]
    from: Option<Timestamp>,
    /// Asked for before this moment.
    #[param(value_type = Option<String>, format = DateTime, example = "2026-11-26T00:00:00Z")]
    to: Option<Timestamp>,
}

/// Lists everybody's syncs, the newest first, as long as they are kept (90 days). A page may be short, even empty, while `nextCursor`
/// says that the list goes on.
#[utoipa::path(get, path = "/integrations/sync-jobs", tag = "administration", params(SyncJobsQuery, PageQuery),
    responses((status = 200, description = "A page of syncs", body = List<AnyJobRow>)))]
pub async fn list_all_sync_jobs(
    _: PlatformAdmin,
    Query(query): Query<SyncJobsQuery>,
    page: Page,
    State(api): State<Api>,
) -> Result<List<AnyJobRow>> {
    let owner = query.owner.as_deref().map(owner_named).transpose()?;
    if owner == Some(None) {
        return Ok(List::new(Vec::new(), None));
    }
    let filter = JobFilter {
        provider: query.provider,
        status: query.status,
        owner: owner.flatten(),
        from: query.from,
        to: query.to,
    };
    let (jobs, next) = api.store.recent_jobs(&filter, page.cursor.as_ref(), page.limit, api.clock.now()).await?;
    Ok(List::new(jobs.into_iter().map(Into::into).collect(), next.as_ref()))
}
