//! `DELETE …/integrations/{provider}`: the grant is withdrawn and the tokens destroyed; with `?purge=true` what was synced goes too.

use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
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
    /// What a purge deleted; null without one.
    purged: Option<Purged>,
}

/// What a purge deleted.
#[derive(Debug, Serialize, ToSchema)]
pub struct Purged {
    /// Resources deleted by this call.
    deleted: u64,
    /// Whether none is left. If some are, the same call goes on with them.
    complete: bool,
}

/// Disconnects an integration. What was synced stays, and is recognized if the same account is connected again, unless `purge` asks
/// for its deletion; a large one takes several calls.
#[utoipa::path(delete, path = "/{provider}", tag = "integrations", params(DisconnectQuery), responses(
    (status = 200, description = "Disconnected", body = Data<Disconnection>),
    (status = 202, description = "Disconnected; the purge is not complete: call again", body = Data<Disconnection>),
    (status = 409, description = "It is disconnected already", body = web::ErrorBody)))]
pub async fn disconnect_integration(
    OwnerAdmin(scope): OwnerAdmin,
    Provider(provider): Provider,
    Query(query): Query<DisconnectQuery>,
    State(api): State<Api>,
) -> Result<(StatusCode, Data<Disconnection>)> {
    let done = api.integrations.disconnect(&scope.owner, provider, query.purge).await?;
    let purged = done.purged.map(|purge| Purged { deleted: purge.deleted, complete: purge.complete });
    let status =
        if purged.as_ref().is_none_or(|purged| purged.complete) { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok((status, Data::new(Disconnection { disconnected: true, purged })))
}
