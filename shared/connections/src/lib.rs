#![doc = include_str!("../README.md")]

mod begin;
mod cache;
mod complete;
mod disconnect;
mod error;
pub mod offer;
mod open;
mod refresh;
mod secrets;
pub mod settings;
pub mod subscriptions;

use std::sync::Arc;

use domain::clock::SharedClock;
use domain::{Integration, IntegrationId, Owner, ProviderId};
use store::Store;
use vault::Vault;

pub use aws_sdk_secretsmanager::Client as SecretsClient;
pub use begin::{Begin, Begun};
pub use complete::Callback;
pub use error::{BeginError, CallbackError, CallbackKind, Error, OpenError, SubscribeError};
pub use offer::plan_of;
pub use settings::Settings;
pub use subscriptions::Changes;

use cache::Opened;

/// The name of the integrations' table, which the vault binds every token to, beside the owner and the integration.
const TOKENS_BELONG_TO: &str = "integrations";

/// Connects, opens, refreshes and disconnects. Cheap to clone; one per process, so that its caches are shared.
#[derive(Clone)]
pub struct Connections {
    store: Store,
    vault: Vault,
    settings: Settings,
    registry: Arc<providers::Registry>,
    clock: SharedClock,
    opened: Opened,
}

impl Connections {
    /// Puts the room together. Makes no call.
    #[must_use]
    pub fn new(
        store: Store,
        vault: Vault,
        settings: Settings,
        registry: Arc<providers::Registry>,
        clock: SharedClock,
    ) -> Self {
        Self { store, vault, settings, registry, clock, opened: Opened::default() }
    }

    /// The operator's registration at a provider, cached; `None` where there is none.
    ///
    /// # Errors
    /// [`Error`] if the secret cannot be read or is malformed.
    pub async fn settings_of(&self, provider: ProviderId) -> Result<Option<Arc<domain::ProviderSettings>>, Error> {
        self.settings.get(provider).await
    }

    /// What the vault binds this integration's tokens to.
    ///
    /// The table goes in by its role and not by its deployed name, so that a table restored from a backup under
    /// another name still opens.
    fn context(owner: &Owner, integration_id: IntegrationId) -> vault::Context<'_> {
        vault::Context { table: TOKENS_BELONG_TO, owner, integration_id }
    }

    /// The context of a whole integration.
    fn context_of(integration: &Integration) -> vault::Context<'_> {
        Self::context(&integration.owner, integration.id)
    }
}
