//! `PUT /api/admin/integrations/registry/{provider}`: switches a provider on or off, and says which plans have it.

use axum::extract::State;
use domain::plan::Plan;
use integrations::Action;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;
use web::{Data, Json, PlatformAdmin};

use crate::error::Result;
use crate::path::Provider;
use crate::routes::configure_integration::decent;
use crate::state::Api;
use crate::wire::directory::RegistryRow;
use crate::wire::words;

/// A change of a provider's entry; what is left out stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RegistryChange {
    /// Whether it may be connected and is synced. What is connected stays.
    enabled: Option<bool>,
    /// The plans that have it; empty means all.
    #[serde(alias = "allowed_plans")]
    #[schema(schema_with = words::plans_or_null)]
    allowed_plans: Option<Vec<Plan>>,
    /// The configuration that new integrations start with.
    #[serde(alias = "default_config")]
    #[schema(value_type = Option<Object>)]
    default_config: Option<serde_json::Map<String, serde_json::Value>>,
}

/// Changes what is allowed of a provider.
#[utoipa::path(put, path = "/integrations/registry/{provider}", tag = "administration", request_body = RegistryChange,
    responses((status = 200, description = "The entry as it is now", body = Data<RegistryRow>)))]
pub async fn put_registry_entry(
    PlatformAdmin(admin): PlatformAdmin,
    Provider(provider): Provider,
    State(api): State<Api>,
    Json(body): Json<RegistryChange>,
) -> Result<Data<RegistryRow>> {
    let implementation = api.providers.get(provider);
    let mut entry = api.store.registry_entry(provider).await?;
    entry.enabled = body.enabled.unwrap_or(entry.enabled);
    if let Some(mut plans) = body.allowed_plans {
        plans.sort_unstable();
        plans.dedup();
        entry.allowed_plans = plans;
    }
    if let Some(config) = body.default_config {
        let config = decent(config)?;
        implementation.check_config(&config).map_err(integrations::Error::InvalidConfig)?;
        entry.default_config = config;
    }
    api.store.save_registry_entry(&entry).await?;
    let detail = json!({
        "enabled": entry.enabled,
        "allowed_plans": entry.allowed_plans,
        "default_config": entry.default_config.0.keys().take(50).collect::<Vec<_>>(),
    });
    api.audit.note(&admin.id, Action::RegistryChanged, None, Some(provider), detail).await;
    let connected = api.store.connected().await?;
    Ok(Data::new(RegistryRow::new(entry, implementation.manifest().name, &connected)))
}
