#![doc = include_str!("../README.md")]

mod audit;
mod call;
mod circuit;
mod counters;
mod cursor;
mod deliveries;
mod directory;
mod error;
mod idempotency;
mod integrations;
mod items;
mod jobs;
mod keys;
mod limits;
mod listing;
mod memories;
mod newest;
mod pages;
mod records;
mod registry;
mod retry;
mod states;
mod subscriptions;
mod tokens;
mod work;

pub use aws_sdk_dynamodb::Client;

pub use audit::{AuditFilter, AuditLog};
pub use circuit::SinkHealth;
pub use counters::{ByStatus, Connected, Day, RunSums, Stats, WITHIN_SECONDS};
pub use cursor::{BadCursor, Cursor};
pub use deliveries::KnownDelivery;
pub use directory::{Membership, Organization, User};
pub use domain::rate::{Held, Reserved};
pub use error::Error;
pub use idempotency::{Idempotency, IdempotencyClaim};
pub use integrations::{DUE_SHARDS, Due, DueKind, DuePlace, Finished, RunEnd, Saved, Settings, Started, StatusChange};
pub use jobs::{Cancelled, Claim, JobFilter, PageMark, PageNumbers, Progress, Timeline};
pub use memories::Adopted;
pub use pages::{PageRow, resource_key};
pub use records::{RecordMark, Written};
pub use registry::RegistryEntry;
pub use states::OAuthState;
pub use tokens::{GivenBack, Lease};
pub use work::Work;

/// The names of the tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tables {
    /// Integrations, remembered accounts, webhook subscriptions, OAuth states.
    pub integrations: String,
    /// Sync jobs and their pages.
    pub jobs: String,
    /// Records of resources.
    pub records: String,
    /// Users, organizations, memberships, the provider registry.
    pub directory: String,
    /// Rate limits and the webhook deliveries seen.
    pub limits: String,
}

/// The tables behind one client. A cheap handle: clone it freely.
#[derive(Debug, Clone)]
pub struct Store {
    client: Client,
    tables: Tables,
    limits_seen: limits::Seen,
}

impl Store {
    /// A store over these tables. The client's own retries deal with throttling and lost answers.
    #[must_use]
    pub fn new(client: Client, tables: Tables) -> Self {
        Self { client, tables, limits_seen: limits::Seen::default() }
    }

    /// The name of the table of integrations, which the vault binds tokens to.
    #[must_use]
    pub fn integrations_table(&self) -> &str {
        &self.tables.integrations
    }
}
