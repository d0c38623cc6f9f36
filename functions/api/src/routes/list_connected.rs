//! `GET …/integrations/connected`: what the owner has connected.

use axum::extract::State;
use domain::Status;
use web::{List, OwnerRead};

use crate::error::Result;
use crate::state::Api;
use crate::wire::integration::IntegrationRow;

/// Lists the owner's connected integrations; disconnected ones are not among them.
#[utoipa::path(get, path = "/connected", tag = "integrations",
    responses((status = 200, description = "What is connected", body = List<IntegrationRow>)))]
pub async fn list_connected(OwnerRead(scope): OwnerRead, State(api): State<Api>) -> Result<List<IntegrationRow>> {
    let rows = api.store.integrations_of(&scope.owner).await?;
    let connected = rows.into_iter().filter(|row| row.status != Status::Disconnected);
    let now = api.clock.now();
    Ok(List::new(connected.map(|row| IntegrationRow::at(now, row)).collect(), None))
}
