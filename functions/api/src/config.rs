//! What the environment tells this function, read once at start.

use std::time::Duration;

use integrations::dead_letters::QueueUrls;
use lambda::env::{self, Error, optional, parsed_or, required};
use store::Tables;
use url::Url;
use web::Origins;
use web::auth::Algorithm;

/// Everything that differs between deployments.
#[derive(Debug, Clone)]
pub struct Config {
    /// `INTEGRATIONS_TABLE`, `JOBS_TABLE`, `RECORDS_TABLE`, `DIRECTORY_TABLE`, `LIMITS_TABLE`.
    pub tables: Tables,
    /// `AUDIT_TABLE`: what people did.
    pub audit_table: String,
    /// `SYNC_QUEUE_URL`, `WEBHOOK_QUEUE_URL`, `RESOURCE_QUEUE_URL`, `RESOURCE_WEBHOOK_QUEUE_URL`: the queues of work. Each has
    /// its dead letters under the same name with `-dlq`.
    pub queues: QueueUrls,
    /// `TOKEN_KEY_ID`: the KMS key under which tokens are sealed.
    pub token_key_id: String,
    /// `WORKER_SECONDS`: the time limit of a resource worker, thus the longest that a batch of resources takes.
    pub batch_takes: Duration,
    /// `PROVIDER_SECRET_PREFIX`: `<stack>/providers/`.
    pub provider_secret_prefix: String,
    /// `SETTINGS_TTL_SECONDS`: for how long a provider's settings are kept; default 60.
    pub settings_ttl: Duration,
    /// `APP_URL`: the application that people return to.
    pub app_url: Url,
    /// `PUBLIC_URL`: this API as providers and browsers see it.
    pub public_url: Url,
    /// `ALLOWED_ORIGINS`: pages beside the application's and our own that may call with a person's cookie and read the answers,
    /// separated by commas; default none.
    pub allowed_origins: Origins,
    /// `SUCCESS_REDIRECT`: template of the address after connecting; see [`crate::redirect`].
    pub success_redirect: Option<String>,
    /// `ERROR_REDIRECT`: template of the address after a failed connection.
    pub error_redirect: Option<String>,
    /// `BIND_STATE_TO_BROWSER`: whether a connection must end in the browser it began in; default true.
    pub bind_state_to_browser: bool,
    /// `COOKIE_SECURE`: whether cookies travel over HTTPS only; default true.
    pub cookie_secure: bool,
    /// `JWT_ALGORITHM`, with `JWT_SECRET_ARN` or `JWKS_URL`, and `JWT_ISSUER` and `JWT_AUDIENCE` where tokens carry them.
    pub jwt: Jwt,
}

/// How bearer tokens are checked.
#[derive(Debug, Clone)]
pub struct Jwt {
    /// The only algorithm that is accepted.
    pub algorithm: Algorithm,
    /// Where its keys are.
    pub keys: JwtKeys,
    /// The issuer that tokens must name; absent: not checked.
    pub issuer: Option<String>,
    /// The audience that tokens must name; absent: not checked.
    pub audience: Option<String>,
}

/// Where the keys are.
#[derive(Debug, Clone)]
pub enum JwtKeys {
    /// A secret in Secrets Manager, by its ARN or name.
    Secret(String),
    /// Public keys behind this address.
    Published(Url),
}

impl Config {
    /// Reads the environment.
    ///
    /// # Errors
    /// Names the variable that is missing or malformed.
    pub fn from_env() -> Result<Self, Error> {
        Ok(Self {
            tables: Tables {
                integrations: required("INTEGRATIONS_TABLE")?,
                jobs: required("JOBS_TABLE")?,
                records: required("RECORDS_TABLE")?,
                directory: required("DIRECTORY_TABLE")?,
                limits: required("LIMITS_TABLE")?,
            },
            audit_table: required("AUDIT_TABLE")?,
            queues: QueueUrls {
                sync: required("SYNC_QUEUE_URL")?,
                webhook: required("WEBHOOK_QUEUE_URL")?,
                resource: required("RESOURCE_QUEUE_URL")?,
                resource_webhook: required("RESOURCE_WEBHOOK_QUEUE_URL")?,
            },
            token_key_id: required("TOKEN_KEY_ID")?,
            batch_takes: Duration::from_secs(env::parsed("WORKER_SECONDS", "a number of seconds")?),
            provider_secret_prefix: required("PROVIDER_SECRET_PREFIX")?,
            settings_ttl: Duration::from_secs(parsed_or("SETTINGS_TTL_SECONDS", "a number of seconds", 60)?),
            app_url: env::parsed("APP_URL", "a URL")?,
            public_url: env::parsed("PUBLIC_URL", "a URL")?,
            allowed_origins: parsed_or(
                "ALLOWED_ORIGINS",
                "origins such as https://app.example, separated by commas",
                Origins::default(),
            )?,
            success_redirect: optional("SUCCESS_REDIRECT"),
            error_redirect: optional("ERROR_REDIRECT"),
            bind_state_to_browser: parsed_or("BIND_STATE_TO_BROWSER", "true or false", true)?,
            cookie_secure: parsed_or("COOKIE_SECURE", "true or false", true)?,
            jwt: Jwt::from_env()?,
        })
    }
}

impl Jwt {
    fn from_env() -> Result<Self, Error> {
        let algorithm = env::parsed("JWT_ALGORITHM", "one of HS256, RS256, ES256 and EdDSA")?;
        let keys = match algorithm {
            Algorithm::Hs256 => JwtKeys::Secret(required("JWT_SECRET_ARN")?),
            Algorithm::Rs256 | Algorithm::Es256 | Algorithm::EdDsa => {
                JwtKeys::Published(env::parsed("JWKS_URL", "a URL")?)
            }
        };
        Ok(Self { algorithm, keys, issuer: optional("JWT_ISSUER"), audience: optional("JWT_AUDIENCE") })
    }
}
