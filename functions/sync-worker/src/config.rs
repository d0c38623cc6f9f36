//! What the function reads from its environment.

use std::time::Duration;

use lambda::env::{self, Error};
use store::Tables;
use url::Url;

/// The function's configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// `INTEGRATIONS_TABLE`, `JOBS_TABLE`, `RECORDS_TABLE`, `DIRECTORY_TABLE`, `LIMITS_TABLE`.
    pub tables: Tables,
    /// `SYNC_QUEUE_URL`: where its messages come from and are sent again.
    pub sync_queue_url: String,
    /// `RESOURCE_QUEUE_URL`: where resources are handed out.
    pub resource_queue_url: String,
    /// `RESOURCE_WEBHOOK_QUEUE_URL`: the lane for what a webhook announced.
    pub webhook_lane_url: String,
    /// `TOKEN_KEY_ID`: the KMS key under which tokens are sealed.
    pub token_key_id: String,
    /// `PROVIDER_SECRET_PREFIX`: the providers' secrets are named by this and the provider's id.
    pub secret_prefix: String,
    /// `SETTINGS_TTL_SECONDS`, default 60: how long a provider's settings serve before they are read again.
    pub settings_ttl: Duration,
    /// `PUBLIC_URL`: the API's address as providers see it, for webhook subscriptions.
    pub public_url: Url,
    /// `STALL_SECONDS`: a run without progress for this long gives up on the resources that are still open.
    pub stall: Duration,
}

impl Config {
    /// Reads and checks all of it.
    ///
    /// # Errors
    /// [`Error`], which names the variable that is missing or malformed.
    pub fn from_env() -> Result<Self, Error> {
        const SECONDS: &str = "a number of seconds";
        Ok(Self {
            tables: Tables {
                integrations: env::required("INTEGRATIONS_TABLE")?,
                jobs: env::required("JOBS_TABLE")?,
                records: env::required("RECORDS_TABLE")?,
                directory: env::required("DIRECTORY_TABLE")?,
                limits: env::required("LIMITS_TABLE")?,
            },
            sync_queue_url: env::required("SYNC_QUEUE_URL")?,
            resource_queue_url: env::required("RESOURCE_QUEUE_URL")?,
            webhook_lane_url: env::required("RESOURCE_WEBHOOK_QUEUE_URL")?,
            token_key_id: env::required("TOKEN_KEY_ID")?,
            secret_prefix: env::required("PROVIDER_SECRET_PREFIX")?,
            settings_ttl: Duration::from_secs(env::parsed_or("SETTINGS_TTL_SECONDS", SECONDS, 60)?),
            public_url: env::parsed("PUBLIC_URL", "a URL")?,
            stall: Duration::from_secs(env::parsed("STALL_SECONDS", SECONDS)?),
        })
    }
}
