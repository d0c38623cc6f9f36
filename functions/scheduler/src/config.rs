//! What the environment tells this function.

use lambda::env;
use store::Tables;

/// The configuration, read once at start.
#[derive(Debug, Clone)]
pub struct Config {
    /// `INTEGRATIONS_TABLE`, `JOBS_TABLE` and `DIRECTORY_TABLE`; this function uses no other table.
    pub tables: Tables,
    /// `SYNC_QUEUE_URL`: where runs and renewals go.
    pub sync_queue_url: String,
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
            directory: env::required("DIRECTORY_TABLE")?,
            records: String::new(),
            limits: String::new(),
        };
        Ok(Self { tables, sync_queue_url: env::required("SYNC_QUEUE_URL")? })
    }
}
