//! `PUT …/integrations/{provider}/config`: what is synced, what is kept of it, and how often.

use axum::extract::State;
use domain::{IntegrationConfig, StorageStrategy, SyncFrequency};
use integrations::{Action, Change};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use web::{ApiError, Data, Json, OwnerAdmin};

use crate::error::Result;
use crate::path::Provider;
use crate::state::Api;
use crate::wire::integration::IntegrationRow;
use crate::wire::words;

/// The largest `config` that is kept; it travels with every read of the integration.
const MAX_CONFIG_BYTES: usize = 64 * 1024;

/// A change of settings; what is left out stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SettingsChange {
    /// How often it is pulled. What is faster than the owner's plan is refused.
    #[schema(schema_with = words::sync_frequency_or_null)]
    sync_frequency: Option<SyncFrequency>,
    /// What is kept of the content. A change starts a full sync, which rewrites what is stored.
    #[schema(schema_with = words::storage_strategy_or_null)]
    storage_strategy: Option<StorageStrategy>,
    /// What is synced, in the provider's terms; replaces the whole. A change starts a full sync.
    #[schema(value_type = Option<Object>)]
    config: Option<serde_json::Map<String, serde_json::Value>>,
}

/// Checks that a `config` is of a decent size; what it may hold, the provider checks.
pub fn decent(config: serde_json::Map<String, serde_json::Value>) -> Result<IntegrationConfig> {
    let bytes = serde_json::to_vec(&config).map_err(ApiError::internal)?.len();
    if bytes > MAX_CONFIG_BYTES {
        return Err(ApiError::invalid("config: larger than 64 KiB").into());
    }
    Ok(IntegrationConfig(config))
}

/// What the audit log keeps of a change: the words that were set, and of a `config`, which may hold anything, the names of its fields.
fn told(change: &Change) -> Value {
    let fields = change.config.as_ref().map(|config| config.0.keys().take(50).cloned().collect::<Vec<_>>());
    json!({"sync_frequency": change.sync_frequency, "storage_strategy": change.storage_strategy, "config": fields})
}

/// Changes an integration's settings.
#[utoipa::path(put, path = "/{provider}/config", tag = "integrations", request_body = SettingsChange,
    responses((status = 200, description = "The integration as it is now", body = Data<IntegrationRow>),
        (status = 402, description = "The plan allows no such frequency", body = web::ErrorBody),
        (status = 409, description = "It is disconnected", body = web::ErrorBody)))]
pub async fn configure_integration(
    OwnerAdmin(scope): OwnerAdmin,
    Provider(provider): Provider,
    State(api): State<Api>,
    Json(body): Json<SettingsChange>,
) -> Result<Data<IntegrationRow>> {
    let change = Change {
        config: body.config.map(decent).transpose()?,
        storage_strategy: body.storage_strategy,
        sync_frequency: body.sync_frequency,
    };
    let detail = told(&change);
    let integration = api.integrations.configure(&scope.owner, provider, change).await?;
    api.note(&scope, Action::Configured, provider, detail).await;
    Ok(Data::new(IntegrationRow::at(api.clock.now(), integration)))
}
