#![doc = include_str!("../README.md")]

mod ask;
mod begin;
mod cache;
mod complete;
mod credentials;
mod disconnect;
mod error;
mod keep;
mod metered;
pub mod offer;
mod open;
mod operator_secret;
mod refresh;
mod save;
mod secrets;
pub mod settings;
pub mod subscriptions;
mod timing;

use std::sync::Arc;

use domain::clock::SharedClock;
use domain::{Integration, IntegrationId, Owner, ProviderId};
use store::Store;
use vault::Vault;

pub use ask::{CONNECT_AGAIN, ENTER_AGAIN, LOST};
pub use aws_sdk_secretsmanager::Client as SecretsClient;
pub use begin::{Begin, Begun};
pub use complete::Callback;
pub use credentials::{Enter, EnterError};
pub use error::{BeginError, CallbackError, CallbackKind, Error, OpenError, SubscribeError};
pub use metered::Metered;
pub use offer::plan_of;
pub use operator_secret::{OperatorSecret, Unread};
pub use settings::Settings;
pub use subscriptions::Changes;
pub use timing::Timing;

use cache::Opened;
use keep::Unsaved;

/// Connects, opens, refreshes and disconnects. Cheap to clone; one per process, so that its caches are shared.
#[derive(Clone)]
pub struct Connections {
    store: Store,
    vault: Vault,
    settings: Settings,
    registry: Arc<providers::Registry>,
    clock: SharedClock,
    opened: Opened,
    unsaved: Unsaved,
    timing: Timing,
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
        let (opened, unsaved, timing) = (Opened::default(), Unsaved::default(), Timing::default());
        Self { store, vault, settings, registry, clock, opened, unsaved, timing }
    }

    /// The same with other times, for a function that has less of it, or a test.
    #[must_use]
    pub fn with_timing(self, timing: Timing) -> Self {
        Self { timing, ..self }
    }

    /// The operator's registration at a provider, cached; `None` where there is none. A provider whose accounts are connected by a key
    /// or a password needs none: it always has what its secret says, be it nothing.
    ///
    /// # Errors
    /// [`Error`] if the secret cannot be read or is malformed.
    pub async fn settings_of(&self, provider: ProviderId) -> Result<Option<Arc<domain::ProviderSettings>>, Error> {
        if self.registry.get(provider).credentials().is_none() {
            return self.settings.get(provider).await;
        }
        Ok(Some(self.settings.stated(provider).await?.unwrap_or_default()))
    }

    /// What the vault binds this integration's tokens to.
    ///
    /// The table goes in by its deployed name, so that a row copied into another stack's table does not decrypt there, though
    /// both may use the same key. A backup is therefore restored under the old name, or its people connect again.
    fn context<'a>(&'a self, owner: &'a Owner, integration_id: IntegrationId) -> vault::Context<'a> {
        vault::Context { table: self.store.integrations_table(), owner, integration_id }
    }

    /// The context of a whole integration.
    fn context_of<'a>(&'a self, integration: &'a Integration) -> vault::Context<'a> {
        self.context(&integration.owner, integration.id)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use domain::SystemClock;
    use providers::http::Http;

    use super::*;

    /// The room over tables of a stack. It makes no call.
    fn over(integrations: &str) -> Connections {
        let aws = aws_config::SdkConfig::builder().behavior_version(aws_config::BehaviorVersion::latest()).build();
        let clock = SystemClock::shared();
        let tables = store::Tables {
            integrations: integrations.to_owned(),
            jobs: String::new(),
            records: String::new(),
            directory: String::new(),
            limits: String::new(),
        };
        Connections::new(
            Store::new(store::Client::new(&aws), tables),
            Vault::new(vault::Client::new(&aws), "key".to_owned(), Arc::clone(&clock)),
            Settings::new(SecretsClient::new(&aws), String::new(), Duration::ZERO, Arc::clone(&clock)),
            Arc::new(providers::Registry::new(Http::new())),
            clock,
        )
    }

    #[test]
    fn tokens_are_bound_to_the_table_that_holds_them() {
        let (live, copy) = (over("live-integrations"), over("copy-integrations"));
        let owner: Owner = "user/ada".parse().unwrap();
        let id = "01JD0000000000000000000000".parse().unwrap();
        let context = live.context(&owner, id);
        assert_eq!((context.table, context.owner, context.integration_id), ("live-integrations", &owner, id));
        assert_ne!(copy.context(&owner, id).table, context.table);
    }
}
