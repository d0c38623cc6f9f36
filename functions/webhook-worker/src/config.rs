//! What the environment tells this function.

use lambda::env;
use store::Tables;

/// The configuration, read once at start.
#[derive(Debug, Clone)]
pub struct Config {
    /// `INTEGRATIONS_TABLE` and `JOBS_TABLE`; this function uses no other table.
    pub tables: Tables,
    /// `WEBHOOK_QUEUE_URL`: where deliveries come from.
    pub webhook_queue_url: String,
    /// `SYNC_QUEUE_URL`: where runs go.
    pub sync_queue_url: String,
    /// `RESOURCE_WEBHOOK_QUEUE_URL`: where resources go that deliveries name.
    pub resource_webhook_queue_url: String,
    /// `CONTENT_BUCKET`: where the bodies of deliveries lie that no message holds.
    pub content_bucket: String,
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
            jobs: env::required("JOBS_TABLE")?,
            records: String::new(),
            directory: String::new(),
            limits: String::new(),
        };
        Ok(Self {
            tables,
            webhook_queue_url: env::required("WEBHOOK_QUEUE_URL")?,
            sync_queue_url: env::required("SYNC_QUEUE_URL")?,
            resource_webhook_queue_url: env::required("RESOURCE_WEBHOOK_QUEUE_URL")?,
            content_bucket: env::required("CONTENT_BUCKET")?,
        })
    }
}
