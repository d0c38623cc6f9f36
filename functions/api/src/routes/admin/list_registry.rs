//! `GET /api/admin/integrations/registry`: what is allowed of each provider, and how much is connected.

use axum::extract::State;
use web::{List, PlatformAdmin};

use crate::error::Result;
use crate::state::Api;
use crate::wire::directory::RegistryRow;

/// Lists every provider, what is allowed of it, and how many integrations are connected.
#[utoipa::path(get, path = "/integrations/registry", tag = "administration",
    responses((status = 200, description = "All providers", body = List<RegistryRow>)))]
pub async fn list_registry(_: PlatformAdmin, State(api): State<Api>) -> Result<List<RegistryRow>> {
    let (entries, connected) = tokio::try_join!(api.store.registry(), api.store.connected())?;
    let rows = entries.into_iter().map(|entry| {
        let name = api.providers.get(entry.provider).manifest().name;
        RegistryRow::new(entry, name, &connected)
    });
    Ok(List::new(rows.collect(), None))
}
