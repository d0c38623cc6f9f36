#![doc = include_str!("../README.md")]

mod cancel;
mod configure;
pub mod dead_letters;
mod deletes;
mod due;
mod error;
mod lifecycle;
mod look;
mod purge;
mod settle;
mod syncs;
mod wake;

use std::sync::Arc;

use connections::Connections;
use domain::clock::SharedClock;
use domain::message::IntegrationRef;
use domain::{Integration, Owner, ProviderId, Status};
use sink::Sink;
use store::Store;

pub use configure::Change;
pub use dead_letters::DeadLetters;
pub use due::next_due;
pub use error::Error;
pub use lifecycle::Disconnected;
pub use purge::Purge;
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
    sink: Arc<dyn Sink>,
    clock: SharedClock,
}

impl Integrations {
    /// Puts the use cases together. Makes no call.
    #[must_use]
    pub fn new(
        store: Store,
        syncs: Syncs,
        connections: Connections,
        registry: Arc<providers::Registry>,
        sink: Arc<dyn Sink>,
        clock: SharedClock,
    ) -> Self {
        Self { store, syncs, connections, registry, sink, clock }
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
