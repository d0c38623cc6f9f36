#![doc = include_str!("../README.md")]

mod bodies;
pub mod client;
pub mod cognia;
mod error;
mod event;
mod http;
mod key;
mod parts;
mod s3;
mod secret;
mod standard;
#[cfg(test)]
mod testing;
mod together;
mod wait;

use async_trait::async_trait;
use domain::message::IntegrationRef;
use domain::resource::DeleteReason;
use domain::{ExternalId, ResourceContent, Timestamp, UserId};

pub use aws_sdk_eventbridge::Client as EventsClient;
pub use aws_sdk_s3::Client as S3Client;
pub use bodies::Bodies;
pub use client::{Client, SinkUrl};
pub use cognia::{CogniaSink, Ledger};
pub use error::Error;
pub use http::HttpSink;
pub use key::object_key;
pub use parts::{Parts, PartsOf};
pub use s3::S3Sink;
pub use secret::Secret;

/// A resource to deliver.
#[derive(Debug, Clone)]
pub struct Upsert {
    /// Whose, from where.
    pub integration: IntegrationRef,
    /// Equal for equal content: a sink that has seen it need not do anything.
    pub idempotency_key: String,
    /// The resource with its text.
    pub content: ResourceContent,
    /// Whether the text may be kept at rest (the storage strategy).
    pub keep_body: bool,
    /// Which part of the resource this is. Resources are handed over whole, so it is 0; a sink that needs smaller ones makes them itself.
    pub part: u32,
    /// In whose name: the owner, or the member who connected an organization's account.
    pub acting: UserId,
    /// When the observation behind it began: of two deliveries of a resource the one that was observed later is right.
    pub observed_at: Timestamp,
}

/// A resource to delete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deletion {
    /// Whose, from where.
    pub integration: IntegrationRef,
    /// Which.
    pub external_id: ExternalId,
    /// Why.
    pub reason: DeleteReason,
}

/// What the sink says of a delivered resource.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Delivered {
    /// What the sink calls it, where it has a name of its own for it.
    pub memory_id: Option<String>,
    /// What it did.
    pub outcome: DeliveryOutcome,
}

/// What a sink did with a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeliveryOutcome {
    /// It did not have it before.
    Created,
    /// It has it now, whatever it had before.
    #[default]
    Updated,
    /// It had exactly this.
    Unchanged,
}

/// Where synced content goes. Chosen by configuration, hence `dyn`.
#[async_trait]
pub trait Sink: Send + Sync {
    /// Delivers a batch; one result for each, in their order. Repeating a call changes nothing.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if none could be delivered because the sink as a whole is out of reach.
    async fn upsert(&self, batch: Vec<Upsert>) -> Result<Vec<Result<Delivered, Error>>, Error>;

    /// Deletes a batch; one result for each, in their order. What is not there counts as deleted.
    ///
    /// # Errors
    /// As [`Self::upsert`].
    async fn delete(&self, batch: Vec<Deletion>) -> Result<Vec<Result<(), Error>>, Error>;
}
