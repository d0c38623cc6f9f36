//! `POST …/integrations/{provider}/pending-deletes/confirm`: deletions that were held back are carried out.

use axum::extract::State;
use http::StatusCode;
use integrations::Action;
use serde_json::json;
use web::{Data, OwnerAdmin};

use crate::error::Result;
use crate::path::Provider;
use crate::state::Api;
use crate::wire::job::SyncRequested;

/// Confirms deletions that a sync held back. A full sync carries them out, after looking again whether they are due.
#[utoipa::path(post, path = "/{provider}/pending-deletes/confirm", tag = "integrations",
    responses((status = 202, description = "The sync that carries them out", body = Data<SyncRequested>),
        (status = 409, description = "No deletions are pending", body = web::ErrorBody)))]
pub async fn confirm_deletes(
    OwnerAdmin(scope): OwnerAdmin,
    Provider(provider): Provider,
    State(api): State<Api>,
) -> Result<(StatusCode, Data<SyncRequested>)> {
    let requested = api.integrations.confirm_deletes(&scope.owner, provider).await?;
    api.note(&scope, Action::DeletesConfirmed, provider, json!({"job_id": requested.job_id.to_string()})).await;
    Ok(Data::accepted(SyncRequested::new(requested.job_id)))
}
