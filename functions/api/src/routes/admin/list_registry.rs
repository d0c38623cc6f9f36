//! `GET /api/admin/integrations/registry`: what is allowed of each provider.

use axum::extract::State;
use web::{List, PlatformAdmin};

use crate::error::Result;
use crate::state::Api;
use crate::wire::directory::RegistryRow;

/// Lists every provider and what is allowed of it.
#[utoipa::path(get, path = "/integrations/registry", tag = "administration",
    responses((status = 200, description = "All providers", body = List<RegistryRow>)))]
pub async fn list_registry(_: PlatformAdmin, State(api): State<Api>) -> Result<List<RegistryRow>> {
    let entries = api.store.registry().await?.into_iter();
    let rows = entries.map(|entry| {
        let name = api.providers.get(entry.provider).manifest().name;
        RegistryRow::new(entry, name)
    });
    Ok(List::new(rows.collect(), None))
}
