//! `DELETE …/integrations/{provider}`: the grant is withdrawn and the tokens destroyed; with `?purge=true` what was synced goes too.

use axum::extract::State;
use integrations::Action;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use web::{Data, OwnerAdmin, Query};

use crate::error::Result;
use crate::path::Provider;
use crate::state::Api;

/// How far disconnecting goes.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DisconnectQuery {
    /// Delete what was synced as well.
    #[serde(default)]
    #[param(default = false)]
    purge: bool,
}

/// What was done.
#[derive(Debug, Serialize, ToSchema)]
pub struct Disconnection {
    /// Always true.
    disconnected: bool,
    /// Whether what was synced is being deleted; a large amount takes a while.
    purging: bool,
}

/// Disconnects an integration. What was synced stays, and is recognized if the same account is connected again, unless `purge` asks
/// for its deletion. What is disconnected already can still be purged.
#[utoipa::path(delete, path = "/{provider}", tag = "integrations", params(DisconnectQuery), responses(
    (status = 200, description = "Disconnected", body = Data<Disconnection>),
    (status = 409, description = "It is disconnected already", body = web::ErrorBody)))]
pub async fn disconnect_integration(
    OwnerAdmin(scope): OwnerAdmin,
    Provider(provider): Provider,
    Query(query): Query<DisconnectQuery>,
    State(api): State<Api>,
) -> Result<Data<Disconnection>> {
    api.integrations.disconnect(&scope.owner, provider, query.purge).await?;
    api.note(&scope, Action::Disconnected, provider, json!({"purge": query.purge})).await;
    Ok(Data::new(Disconnection { disconnected: true, purging: query.purge }))
}
