//! `POST …/integrations/{provider}/pending-deletes/discard`: deletions that were held back are forgotten.

use axum::extract::State;
use integrations::Action;
use serde_json::Value;
use web::{Data, OwnerAdmin};

use crate::error::Result;
use crate::path::Provider;
use crate::state::Api;
use crate::wire::integration::IntegrationRow;

/// Forgets deletions that a sync held back; what they would have deleted stays.
#[utoipa::path(post, path = "/{provider}/pending-deletes/discard", tag = "integrations",
    responses((status = 200, description = "The integration as it is now", body = Data<IntegrationRow>),
        (status = 409, description = "No deletions are pending", body = web::ErrorBody)))]
pub async fn discard_deletes(
    OwnerAdmin(scope): OwnerAdmin,
    Provider(provider): Provider,
    State(api): State<Api>,
) -> Result<Data<IntegrationRow>> {
    let integration = api.integrations.discard_deletes(&scope.owner, provider).await?;
    api.note(&scope, Action::DeletesDiscarded, provider, Value::Null).await;
    Ok(Data::new(IntegrationRow::at(api.clock.now(), integration)))
}
