//! `POST …/integrations/{provider}/resume`: syncs go on, beginning with what was missed.

use axum::extract::State;
use integrations::Action;
use serde_json::Value;
use web::{Data, OwnerAdmin};

use crate::error::Result;
use crate::path::Provider;
use crate::state::Api;
use crate::wire::integration::IntegrationRow;

/// Lets syncs go on after a pause.
#[utoipa::path(post, path = "/{provider}/resume", tag = "integrations",
    responses((status = 200, description = "The integration as it is now", body = Data<IntegrationRow>),
        (status = 409, description = "It is disconnected", body = web::ErrorBody)))]
pub async fn resume_integration(
    OwnerAdmin(scope): OwnerAdmin,
    Provider(provider): Provider,
    State(api): State<Api>,
) -> Result<Data<IntegrationRow>> {
    let integration = api.integrations.resume(&scope.owner, provider).await?;
    api.note(&scope, Action::Resumed, provider, Value::Null).await;
    Ok(Data::new(IntegrationRow::at(api.clock.now(), integration)))
}
