//! A secret of the operator's that belongs to no provider, such as the sink's: read on first use and again after a while.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_secretsmanager::Client;
use domain::Timestamp;
use domain::clock::SharedClock;
use secrecy::SecretString;
use tokio::sync::Mutex;

/// For how long a text that was read once still serves while Secrets Manager does not answer.
const STALE_SERVES: chrono::TimeDelta = chrono::TimeDelta::minutes(15);

/// Why a secret cannot be had. Says nothing of its text.
#[derive(Debug, thiserror::Error)]
#[error("the secret cannot be read")]
pub struct Unread(#[source] Box<dyn std::error::Error + Send + Sync>);

/// One secret. Cheap to clone; clones share what was read.
#[derive(Clone)]
pub struct OperatorSecret {
    client: Client,
    name: String,
    ttl: chrono::TimeDelta,
    clock: SharedClock,
    /// Held while the secret is read, so that many askers make one call.
    read: Arc<Mutex<Option<(SecretString, Timestamp)>>>,
}

impl OperatorSecret {
    /// The secret of this name or ARN, read at most once in `ttl`.
    #[must_use]
    pub fn new(client: Client, name: String, ttl: Duration, clock: SharedClock) -> Self {
        let ttl = chrono::TimeDelta::from_std(ttl).unwrap_or(chrono::TimeDelta::MAX);
        Self { client, name, ttl, clock, read: Arc::default() }
    }

    /// Its text. One call to Secrets Manager per `ttl`.
    ///
    /// # Errors
    /// [`Unread`] if it cannot be read, and was not read shortly before.
    pub async fn text(&self) -> Result<SecretString, Unread> {
        let mut read = self.read.lock().await;
        let now = self.clock.now();
        if let Some((text, _)) = read.as_ref().filter(|(_, at)| now - *at < self.ttl) {
            return Ok(text.clone());
        }
        match self.client.get_secret_value().secret_id(&self.name).send().await {
            Ok(answer) => {
                let text = SecretString::from(answer.secret_string.unwrap_or_default());
                *read = Some((text.clone(), now));
                Ok(text)
            }
            Err(error) => match read.as_ref().filter(|(_, at)| now - *at < STALE_SERVES) {
                Some((text, _)) => {
                    tracing::warn!("a secret cannot be read again, the last text serves on");
                    Ok(text.clone())
                }
                None => Err(Unread(error.into())),
            },
        }
    }
}
