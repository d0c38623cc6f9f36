#![doc = include_str!("../README.md")]

mod audit;
mod browse;
mod cancel;
mod configure;
pub mod dead_letters;
mod deletes;
mod due;
mod error;
mod lifecycle;
mod look;
mod settle;
mod syncs;
mod wake;

use std::sync::Arc;
use std::time::Duration;

use connections::Connections;
use domain::clock::SharedClock;
use domain::message::IntegrationRef;
use domain::{Integration, Owner, ProviderId, Status};
use store::Store;

pub use audit::Audit;
pub use browse::BrowseError;
pub use configure::Change;
pub use dead_letters::DeadLetters;
pub use domain::audit::Action;
pub use due::next_due;
pub use error::Error;
pub use settle::Settled;
pub use syncs::{Requested, Syncs, WATCH};
pub use wake::Woken;

/// What people do with integrations. Cheap to clone.
#[derive(Clone)]
pub struct Integrations {
    store: Store,
    syncs: Syncs,
    connections: Connections,
    registry: Arc<providers::Registry>,
    clock: SharedClock,
    batch_takes: Duration,
}

impl Integrations {
    /// Puts the use cases together. `batch_takes` is the longest that a worker can be at a batch of resources: what it does may still be
    /// seen so long after a run was cancelled or an account disconnected. Makes no call.
    #[must_use]
    pub fn new(
        store: Store,
        syncs: Syncs,
        connections: Connections,
        registry: Arc<providers::Registry>,
        clock: SharedClock,
        batch_takes: Duration,
    ) -> Self {
        Self { store, syncs, connections, registry, clock, batch_takes }
    }

    /// The starter of runs that these use cases go through.
    #[must_use]
    pub const fn syncs(&self) -> &Syncs {
        &self.syncs
    }

    /// An owner's integration, disconnected or not. One read.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there never was one.
    pub async fn get(&self, owner: &Owner, provider: ProviderId) -> Result<Integration, Error> {
        self.store.get_integration(owner, provider).await?.ok_or(Error::NotFound)
    }

    /// An owner's integration that is connected.
    async fn connected_one(&self, owner: &Owner, provider: ProviderId) -> Result<Integration, Error> {
        let integration = self.get(owner, provider).await?;
        if integration.status == Status::Disconnected { Err(Error::NotConnected) } else { Ok(integration) }
    }

    /// The integration as it is now, after a write.
    async fn read_again(&self, reference: &IntegrationRef) -> Result<Integration, Error> {
        self.store.find_integration(reference).await?.ok_or(Error::NotFound)
    }
}
