//! `GET …/integrations`: every provider, and how it stands for this owner.

use axum::extract::State;
use domain::{ProviderId, Status};
use futures::future::try_join_all;
use web::{List, OwnerRead};

use crate::error::Result;
use crate::state::Api;
use crate::wire::provider::ProviderRow;

/// Lists every provider: what it is, whether it is set up, in the owner's plan, and connected.
#[utoipa::path(get, path = "/", tag = "integrations", responses((status = 200, description = "All providers", body = List<ProviderRow>)))]
pub async fn list_integrations(OwnerRead(scope): OwnerRead, State(api): State<Api>) -> Result<List<ProviderRow>> {
    let configured = try_join_all(ProviderId::ALL.iter().map(|id| is_configured(&api, *id)));
    let (registry, rows, configured) =
        tokio::join!(api.store.registry(), api.store.integrations_of(&scope.owner), configured);
    let (registry, rows, configured) = (registry?, rows?, configured?);
    let providers = registry.iter().map(|entry| {
        let connected = rows.iter().any(|row| row.provider == entry.provider && row.status != Status::Disconnected);
        let configured = configured.contains(&(entry.provider, true));
        ProviderRow::new(api.providers.get(entry.provider), entry, scope.plan, configured, connected)
    });
    Ok(List::new(providers.collect(), None))
}

/// Whether the operator has set a provider up. Settings that cannot be read as such count as none, and the log says so.
async fn is_configured(api: &Api, id: ProviderId) -> Result<(ProviderId, bool)> {
    match api.connections.settings_of(id).await {
        Ok(settings) => Ok((id, settings.is_some())),
        Err(error @ connections::Error::MalformedSettings { .. }) => {
            tracing::error!(provider = %id, error = error.to_string(), "the settings of {id} are malformed");
            Ok((id, false))
        }
        Err(error) => Err(error.into()),
    }
}
