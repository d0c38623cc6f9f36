//! `GET /api/organizations/{slug}/integrations/settings`: what the organization's new integrations start with.

use axum::extract::State;
use domain::Owner;
use store::Organization;
use web::{ApiError, Data, OwnerRead};

use crate::error::Result;
use crate::state::Api;
use crate::wire::directory::SettingsRow;

/// The organization whose integrations are meant.
pub async fn organization_of(api: &Api, owner: &Owner) -> Result<Organization> {
    let unknown = || ApiError::not_found("unknown_organization", "there is no such organization, or you are no member");
    match owner {
        Owner::Organization(id) => Ok(api.store.get_organization(id).await?.ok_or_else(unknown)?),
        Owner::User(_) => Err(unknown().into()),
    }
}

/// Shows what new integrations start with.
#[utoipa::path(get, path = "/settings", tag = "integrations",
    responses((status = 200, description = "The settings", body = Data<SettingsRow>)))]
pub async fn get_settings(OwnerRead(scope): OwnerRead, State(api): State<Api>) -> Result<Data<SettingsRow>> {
    let organization = organization_of(&api, &scope.owner).await?;
    Ok(Data::new((&organization).into()))
}
