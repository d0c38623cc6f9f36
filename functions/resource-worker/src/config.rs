//! What the function reads from its environment.

use std::time::Duration;

use lambda::env::{self, Error};
use store::Tables;

use crate::delivery::SinkChoice;

/// The function's configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// `INTEGRATIONS_TABLE`, `JOBS_TABLE`, `RECORDS_TABLE`, `DIRECTORY_TABLE`, `LIMITS_TABLE`.
    pub tables: Tables,
    /// `RESOURCE_QUEUE_URL`: resources that runs hand out.
    pub resource_queue_url: String,
    /// `RESOURCE_WEBHOOK_QUEUE_URL`: resources that webhooks name; a lane of its own, so that they do not wait behind runs.
    pub webhook_queue_url: String,
    /// `SYNC_QUEUE_URL`: where the end of a run is announced.
    pub sync_queue_url: String,
    /// `TOKEN_KEY_ID`: the KMS key under which tokens are sealed.
    pub token_key_id: String,
    /// `PROVIDER_SECRET_PREFIX`: the providers' secrets are named by this and the provider's id.
    pub secret_prefix: String,
    /// `SETTINGS_TTL_SECONDS`, default 60: how long a provider's settings serve before they are read again.
    pub settings_ttl: Duration,
    /// `CONTENT_BUCKET`: where parts of resources lie that are fetched in several messages; the sink `s3` has its objects there too.
    pub content_bucket: String,
    /// `SINK` and what belongs to it: where content goes.
    pub sink: SinkChoice,
}

impl Config {
    /// Reads and checks all of it.
    ///
    /// # Errors
    /// [`Error`], which names the variable that is missing or malformed.
    pub fn from_env() -> Result<Self, Error> {
        Ok(Self {
            tables: Tables {
                integrations: env::required("INTEGRATIONS_TABLE")?,
                jobs: env::required("JOBS_TABLE")?,
                records: env::required("RECORDS_TABLE")?,
                directory: env::required("DIRECTORY_TABLE")?,
                limits: env::required("LIMITS_TABLE")?,
            },
            resource_queue_url: env::required("RESOURCE_QUEUE_URL")?,
            webhook_queue_url: env::required("RESOURCE_WEBHOOK_QUEUE_URL")?,
            sync_queue_url: env::required("SYNC_QUEUE_URL")?,
            token_key_id: env::required("TOKEN_KEY_ID")?,
            secret_prefix: env::required("PROVIDER_SECRET_PREFIX")?,
            settings_ttl: Duration::from_secs(env::parsed_or("SETTINGS_TTL_SECONDS", "a number of seconds", 60)?),
            content_bucket: env::required("CONTENT_BUCKET")?,
            sink: SinkChoice::from_env()?,
        })
    }
}
