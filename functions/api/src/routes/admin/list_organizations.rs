//! `GET /api/admin/organizations`: every organization.

use axum::extract::State;
use web::page::PageQuery;
use web::{List, Page, PlatformAdmin};

use crate::error::Result;
use crate::state::Api;
use crate::wire::directory::OrganizationRow;

/// Lists organizations, in the order of their slugs.
#[utoipa::path(get, path = "/organizations", tag = "administration", params(PageQuery),
    responses((status = 200, description = "A page of organizations", body = List<OrganizationRow>)))]
pub async fn list_organizations(_: PlatformAdmin, page: Page, State(api): State<Api>) -> Result<List<OrganizationRow>> {
    let (organizations, next) = api.store.organizations(page.cursor.as_ref(), page.limit).await?;
    Ok(List::new(organizations.into_iter().map(Into::into).collect(), next.as_ref()))
}
