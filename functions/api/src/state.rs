//! What the handlers work with, put together once.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRef;
use connections::{Connections, SecretsClient, Settings};
use domain::clock::SharedClock;
use domain::{ProviderId, SystemClock};
use integrations::{Audit, DeadLetters, Integrations, Syncs};
use lambda::AwsConfig;
use queue::{Backoff, Queue};
use secrecy::SecretString;
use store::{AuditLog, Store};
use url::Url;
use vault::Vault;
use web::auth::{Keys, Published, SharedSecret};
use web::{Access, Authenticator, Origins};

use crate::config::{Config, Jwt, JwtKeys};
use crate::redirect::Redirects;

/// The back-off of `integration-sync`, which only its worker makes use of.
const SYNC_BACKOFF: Backoff = Backoff { base: Duration::from_secs(5), attempts: 3 };

/// Cheap to clone: handles and shared values.
#[derive(Clone)]
pub struct Api {
    pub(crate) access: Access,
    pub(crate) store: Store,
    pub(crate) connections: Connections,
    pub(crate) integrations: Integrations,
    pub(crate) dead_letters: DeadLetters,
    pub(crate) audit: Audit,
    pub(crate) providers: Arc<providers::Registry>,
    pub(crate) clock: SharedClock,
    pub(crate) redirects: Arc<Redirects>,
    pub(crate) flow: Arc<Flow>,
}

/// How connections are begun and ended.
#[derive(Debug)]
pub(crate) struct Flow {
    /// This API's address, without a slash at its end.
    pub public_url: String,
    /// The path below which a browser sends the flow's cookie: this API's, wherever it is mounted.
    pub cookie_path: String,
    /// Whether that cookie is wanted at all.
    pub bind_state_to_browser: bool,
    /// Whether it travels over HTTPS only.
    pub cookie_secure: bool,
}

impl Flow {
    fn new(config: &Config) -> Self {
        let trim = |url: &Url| url.as_str().trim_end_matches('/').to_owned();
        Self {
            public_url: trim(&config.public_url),
            cookie_path: format!("{}/api", config.public_url.path().trim_end_matches('/')),
            bind_state_to_browser: config.bind_state_to_browser,
            cookie_secure: config.cookie_secure,
        }
    }

    /// Where the provider sends people back to. One address for people and organizations: the state knows whose it is.
    pub fn redirect_uri(&self, provider: ProviderId) -> String {
        format!("{}/api/integrations/{provider}/callback", self.public_url)
    }
}

impl Api {
    /// Puts everything together. Makes no call.
    ///
    /// # Errors
    /// If no HTTP client can be made for the issuer's keys.
    pub fn new(config: &Config, aws: &AwsConfig) -> Result<Self, lambda::Error> {
        Ok(Self::with(config, aws, authenticator(&config.jwt, aws)?))
    }

    /// As [`Api::new`], with an authenticator of the caller's making.
    #[must_use]
    pub fn with(config: &Config, aws: &AwsConfig, authenticator: Authenticator) -> Self {
        let clock = SystemClock::shared();
        let dynamodb = store::Client::new(aws);
        let audit = Audit::new(AuditLog::new(dynamodb.clone(), config.audit_table.clone()), Arc::clone(&clock));
        let store = Store::new(dynamodb, config.tables.clone());
        let vault = Vault::new(vault::Client::new(aws), config.token_key_id.clone(), Arc::clone(&clock));
        let settings = Settings::new(
            SecretsClient::new(aws),
            config.provider_secret_prefix.clone(),
            config.settings_ttl,
            Arc::clone(&clock),
        );
        let providers = Arc::new(providers::Registry::new(providers::Http::with_clock(Arc::clone(&clock))));
        let sqs = queue::Client::new(aws);
        let queue = Queue::new(sqs.clone(), config.queues.sync.clone(), SYNC_BACKOFF);
        let syncs = Syncs::new(store.clone(), queue, Arc::clone(&providers), Arc::clone(&clock));
        let connections = Connections::new(store.clone(), vault, settings, Arc::clone(&providers), Arc::clone(&clock));
        let dead_letters = DeadLetters::new(syncs.clone(), &sqs, &config.queues);
        let integrations = Integrations::new(
            store.clone(),
            syncs,
            connections.clone(),
            Arc::clone(&providers),
            Arc::clone(&clock),
            config.batch_takes,
        );
        let origins = Origins::of([&config.app_url, &config.public_url]).and(&config.allowed_origins);
        let access = Access { authenticator, store: store.clone(), clock: Arc::clone(&clock), origins };
        let redirects = Redirects::new(&config.app_url, config.success_redirect.clone(), config.error_redirect.clone());
        Self {
            access,
            store,
            connections,
            integrations,
            dead_letters,
            audit,
            providers,
            clock,
            redirects: Arc::new(redirects),
            flow: Arc::new(Flow::new(config)),
        }
    }
}

impl FromRef<Api> for Access {
    fn from_ref(api: &Api) -> Self {
        api.access.clone()
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the secret that signs tokens holds no text")]
struct NoText;

fn authenticator(jwt: &Jwt, aws: &AwsConfig) -> Result<Authenticator, lambda::Error> {
    let keys = match &jwt.keys {
        JwtKeys::Published(url) => Keys::Published(Published::at(url.clone())?),
        JwtKeys::Secret(id) => {
            let (client, id) = (SecretsClient::new(aws), id.clone());
            Keys::Shared(SharedSecret::new(move || {
                let reading = client.get_secret_value().secret_id(id.clone()).send();
                async move {
                    let answer = reading.await?;
                    Ok(SecretString::from(answer.secret_string.ok_or(NoText)?))
                }
            }))
        }
    };
    Ok(Authenticator::new(jwt.algorithm, keys, jwt.issuer.clone(), jwt.audience.clone(), SystemClock::shared()))
}
