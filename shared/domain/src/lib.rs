#![doc = include_str!("../README.md")]

pub mod audit;
pub mod circuit;
pub mod clock;
pub mod id;
pub mod integration;
pub mod job;
pub mod memory;
pub mod message;
pub mod owner;
pub mod plan;
pub mod provider;
pub mod rate;
pub mod reach;
pub mod resource;
pub mod secret;
pub mod status;
pub mod subscription;
#[cfg(feature = "testing")]
pub mod testing;

pub use clock::{Clock, SystemClock, Timestamp};
pub use id::{AccountId, ExternalId, IntegrationId, JobId, OrganizationId, UserId};
pub use integration::{Integration, IntegrationConfig, StorageStrategy, SyncFrequency};
pub use job::{Counts, JobStatus, SyncJob, SyncMode, Trigger};
pub use owner::{Owner, OwnerKind};
pub use provider::ProviderId;
pub use resource::{Author, Resource, ResourceContent, ResourceKind};
pub use secret::{ProviderSettings, SealedToken, TokenSet};
pub use status::Status;
