//! `GET …/integrations/{provider}`: one connected integration, with what its `config` may hold.

use axum::extract::State;
use domain::Status;
use serde::Serialize;
use utoipa::ToSchema;
use web::{Data, OwnerRead};

use crate::error::{Result, not_connected};
use crate::path::Provider;
use crate::state::Api;
use crate::wire::integration::IntegrationRow;

/// A connected integration and what it can be set to.
#[derive(Debug, Serialize, ToSchema)]
pub struct IntegrationDetails {
    #[serde(flatten)]
    integration: IntegrationRow,
    /// The JSON Schema of `config`.
    #[schema(value_type = Object)]
    config_schema: serde_json::Value,
}

/// Shows a connected integration.
#[utoipa::path(get, path = "/{provider}", tag = "integrations",
    responses((status = 200, description = "The integration", body = Data<IntegrationDetails>)))]
pub async fn get_integration(
    OwnerRead(scope): OwnerRead,
    Provider(provider): Provider,
    State(api): State<Api>,
) -> Result<Data<IntegrationDetails>> {
    let integration = api.integrations.get(&scope.owner, provider).await?;
    if integration.status == Status::Disconnected {
        return Err(not_connected().into());
    }
    let config_schema = api.providers.get(provider).config_schema();
    let integration = IntegrationRow::at(api.clock.now(), integration);
    Ok(Data::new(IntegrationDetails { integration, config_schema }))
}
