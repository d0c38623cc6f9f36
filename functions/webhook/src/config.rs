//! What the environment tells this function.

use std::time::Duration;

use lambda::env;
use store::Tables;

/// The configuration, read once at start.
#[derive(Debug, Clone)]
pub struct Config {
    /// `INTEGRATIONS_TABLE` and `LIMITS_TABLE`; this function reads no other table.
    pub tables: Tables,
    /// `WEBHOOK_QUEUE_URL`: where deliveries go.
    pub queue_url: String,
    /// `CONTENT_BUCKET`: where the bodies of deliveries go that no message holds.
    pub content_bucket: String,
    /// `PROVIDER_SECRET_PREFIX`: what the names of the providers' secrets begin with.
    pub secret_prefix: String,
    /// `SETTINGS_TTL_SECONDS`, by default 60: how long a secret that was read serves.
    pub settings_ttl: Duration,
}

impl Config {
    /// Reads the environment.
    ///
    /// # Errors
    /// [`env::Error`], naming the variable.
    pub fn from_env() -> Result<Self, env::Error> {
        // The names of tables that it has no permission for are left empty, so that a call to one fails at once.
        let tables = Tables {
            integrations: env::required("INTEGRATIONS_TABLE")?,
            limits: env::required("LIMITS_TABLE")?,
            jobs: String::new(),
            records: String::new(),
            directory: String::new(),
        };
        Ok(Self {
            tables,
            queue_url: env::required("WEBHOOK_QUEUE_URL")?,
            content_bucket: env::required("CONTENT_BUCKET")?,
            secret_prefix: env::required("PROVIDER_SECRET_PREFIX")?,
            settings_ttl: Duration::from_secs(env::parsed_or("SETTINGS_TTL_SECONDS", "a number of seconds", 60)?),
        })
    }
}
