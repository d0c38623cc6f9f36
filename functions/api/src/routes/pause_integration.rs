//! `POST …/integrations/{provider}/pause`: no syncs until it is resumed.

use axum::extract::State;
use integrations::Action;
use serde_json::Value;
use web::{Data, OwnerAdmin};

use crate::error::Result;
use crate::path::Provider;
use crate::state::Api;
use crate::wire::integration::IntegrationRow;

/// Stops scheduled and requested syncs; what is synced stays.
#[utoipa::path(post, path = "/{provider}/pause", tag = "integrations",
    responses((status = 200, description = "The integration as it is now", body = Data<IntegrationRow>),
        (status = 409, description = "It is disconnected", body = web::ErrorBody)))]
pub async fn pause_integration(
    OwnerAdmin(scope): OwnerAdmin,
    Provider(provider): Provider,
    State(api): State<Api>,
) -> Result<Data<IntegrationRow>> {
    let integration = api.integrations.pause(&scope.owner, provider).await?;
    api.note(&scope, Action::Paused, provider, Value::Null).await;
    Ok(Data::new(IntegrationRow::at(api.clock.now(), integration)))
}
