//! `POST …/integrations/{provider}/sync`: a sync now, or after the one that runs.

use axum::extract::State;
use domain::SyncMode;
use http::StatusCode;
use integrations::Action;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;
use web::{Body, Data, OwnerAdmin};

use crate::error::Result;
use crate::path::Provider;
use crate::state::Api;
use crate::wire::job::SyncRequested;
use crate::wire::words;

/// What is asked for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SyncWanted {
    /// Everything, or what has changed since the last sync (the default).
    #[schema(schema_with = words::mode_or_null)]
    mode: Option<SyncMode>,
}

/// Starts a sync. While one runs, its id is the answer, and another pass follows it.
#[utoipa::path(post, path = "/{provider}/sync", tag = "integrations",
    request_body(content((SyncWanted = "application/json"), (SyncWanted = "application/x-www-form-urlencoded"))),
    responses((status = 202, description = "The sync", body = Data<SyncRequested>),
        (status = 409, description = "Paused, disconnected, or in need of a new connection", body = web::ErrorBody)))]
pub async fn sync_integration(
    OwnerAdmin(scope): OwnerAdmin,
    Provider(provider): Provider,
    State(api): State<Api>,
    Body(body): Body<SyncWanted>,
) -> Result<(StatusCode, Data<SyncRequested>)> {
    let mode = body.mode.unwrap_or(SyncMode::Incremental);
    let requested = api.integrations.sync_now(&scope.owner, provider, mode).await?;
    let detail = json!({"mode": mode, "job_id": requested.job_id.to_string(), "started": requested.started});
    api.note(&scope, Action::SyncRequested, provider, detail).await;
    Ok(Data::accepted(SyncRequested::new(requested.job_id)))
}
