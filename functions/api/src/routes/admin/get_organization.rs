//! `GET /api/admin/organizations/{slug}`: an organization.

use axum::extract::State;
use domain::OrganizationId;
use store::Organization;
use web::{ApiError, Data, PlatformAdmin};

use crate::error::Result;
use crate::path::Slug;
use crate::state::Api;
use crate::wire::directory::OrganizationRow;

/// The organization of this slug, for administrators of the platform: 404 if there is none.
pub async fn known_organization(api: &Api, id: &OrganizationId) -> Result<Organization> {
    let unknown = || ApiError::not_found("unknown_organization", "there is no such organization");
    Ok(api.store.get_organization(id).await?.ok_or_else(unknown)?)
}

/// Shows an organization.
#[utoipa::path(get, path = "/organizations/{slug}", tag = "administration",
    responses((status = 200, description = "The organization", body = Data<OrganizationRow>)))]
pub async fn get_organization(
    _: PlatformAdmin,
    Slug(id): Slug,
    State(api): State<Api>,
) -> Result<Data<OrganizationRow>> {
    Ok(Data::new(known_organization(&api, &id).await?.into()))
}
