//! `GET /api/admin/organizations/{slug}/members`: who is a member.

use axum::extract::State;
use web::page::PageQuery;
use web::{List, Page, PlatformAdmin};

use super::get_organization::known_organization;
use crate::error::Result;
use crate::path::Slug;
use crate::state::Api;
use crate::wire::directory::MemberRow;

/// Lists an organization's members, in the order of their ids.
#[utoipa::path(get, path = "/organizations/{slug}/members", tag = "administration", params(PageQuery),
    responses((status = 200, description = "A page of members", body = List<MemberRow>)))]
pub async fn list_members(
    _: PlatformAdmin,
    Slug(organization): Slug,
    page: Page,
    State(api): State<Api>,
) -> Result<List<MemberRow>> {
    known_organization(&api, &organization).await?;
    let (members, next) = api.store.members(&organization, page.cursor.as_ref(), page.limit).await?;
    Ok(List::new(members.into_iter().map(Into::into).collect(), next.as_ref()))
}
