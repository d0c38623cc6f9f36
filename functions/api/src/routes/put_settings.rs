//! `PUT /api/organizations/{slug}/integrations/settings`: what the organization's new integrations start with.

use axum::extract::State;
use domain::{StorageStrategy, SyncFrequency};
use integrations::Action;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;
use web::{Data, Json, OwnerAdmin};

use super::get_settings::organization_of;
use crate::error::Result;
use crate::state::Api;
use crate::wire::directory::SettingsRow;
use crate::wire::words;

/// The settings as they are to be; what is left out is left to the product.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewSettings {
    /// How often new integrations are pulled.
    #[schema(schema_with = words::sync_frequency_or_null)]
    sync_frequency: Option<SyncFrequency>,
    /// What is kept of their content.
    #[schema(schema_with = words::storage_strategy_or_null)]
    storage_strategy: Option<StorageStrategy>,
}

/// Sets what new integrations start with. Those that exist stay as they are.
#[utoipa::path(put, path = "/settings", tag = "integrations", request_body = NewSettings,
    responses((status = 200, description = "The settings as they are now", body = Data<SettingsRow>)))]
pub async fn put_settings(
    OwnerAdmin(scope): OwnerAdmin,
    State(api): State<Api>,
    Json(body): Json<NewSettings>,
) -> Result<Data<SettingsRow>> {
    let mut organization = organization_of(&api, &scope.owner).await?;
    organization.default_frequency = body.sync_frequency;
    organization.default_storage_strategy = body.storage_strategy;
    api.store.put_organization(&organization).await?;
    let detail = json!({
        "sync_frequency": organization.default_frequency,
        "storage_strategy": organization.default_storage_strategy,
    });
    api.audit.note(&scope.caller.id, Action::SettingsChanged, Some(&scope.owner), None, detail).await;
    Ok(Data::new((&organization).into()))
}
