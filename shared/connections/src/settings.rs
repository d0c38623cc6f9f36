//! The operator's registrations at the providers: one secret each, read on first use and again after a while.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueError;
use domain::clock::SharedClock;
use domain::{ProviderId, ProviderSettings, Timestamp};
use secrecy::ExposeSecret as _;

use crate::error::Error;

/// For how long settings that were read once still serve while Secrets Manager does not answer.
const STALE_SERVES: chrono::TimeDelta = chrono::TimeDelta::minutes(15);

/// Reads `<prefix><provider>` from Secrets Manager. Cheap to clone; clones share what was read.
#[derive(Clone)]
pub struct Settings {
    client: Client,
    prefix: String,
    ttl: chrono::TimeDelta,
    clock: SharedClock,
    read: Arc<Mutex<HashMap<ProviderId, Slot>>>,
}

/// One provider's place. Its lock is held while the secret is read, so that many askers make one call.
type Slot = Arc<tokio::sync::Mutex<Option<Kept>>>;

/// What was read, and when. An absent secret is kept too.
struct Kept {
    settings: Option<Arc<ProviderSettings>>,
    at: Timestamp,
}

impl Settings {
    /// Settings in the secrets named `prefix` and the provider's id (`cognia/providers/` and `google_drive`), each read at
    /// most once in `ttl`.
    #[must_use]
    pub fn new(client: Client, prefix: String, ttl: Duration, clock: SharedClock) -> Self {
        let ttl = chrono::TimeDelta::from_std(ttl).unwrap_or(chrono::TimeDelta::MAX);
        Self { client, prefix, ttl, clock, read: Arc::default() }
    }

    /// The registration at `provider`; `None` where there is no secret, or one that names no registration. Costs one call
    /// to Secrets Manager per `ttl`.
    ///
    /// # Errors
    /// [`Error::Settings`] if the secret cannot be read (and was not read shortly before),
    /// [`Error::MalformedSettings`] if it is not the JSON it should be.
    pub async fn get(&self, provider: ProviderId) -> Result<Option<Arc<ProviderSettings>>, Error> {
        Ok(self.stated(provider).await?.filter(|settings| is_registration(settings)))
    }

    /// What the secret of `provider` holds, though it name no registration (the endpoints of a provider that needs none); `None` where
    /// there is no secret. Costs and errors as for [`Self::get`].
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn stated(&self, provider: ProviderId) -> Result<Option<Arc<ProviderSettings>>, Error> {
        let slot = Arc::clone(self.read.lock().unwrap_or_else(PoisonError::into_inner).entry(provider).or_default());
        let mut kept = slot.lock().await;
        let now = self.clock.now();
        if let Some(kept) = kept.as_ref().filter(|kept| now - kept.at < self.ttl) {
            return Ok(kept.settings.clone());
        }
        match self.read(provider).await {
            Ok(settings) => {
                *kept = Some(Kept { settings: settings.clone(), at: now });
                Ok(settings)
            }
            Err(error @ Error::Settings { .. }) => match kept.as_ref() {
                Some(old) if now - old.at < STALE_SERVES => {
                    tracing::warn!(%provider, error = %error, "settings cannot be read again, the last ones serve on");
                    Ok(old.settings.clone())
                }
                _ => Err(error),
            },
            Err(error) => Err(error),
        }
    }

    async fn read(&self, provider: ProviderId) -> Result<Option<Arc<ProviderSettings>>, Error> {
        let name = format!("{}{provider}", self.prefix);
        match self.client.get_secret_value().secret_id(name).send().await {
            Ok(answer) => {
                let text = answer.secret_string().unwrap_or_default();
                Ok(parse(provider, text)?.map(Arc::new))
            }
            Err(error) if error.as_service_error().is_some_and(is_absent) => Ok(None),
            Err(error) => Err(Error::Settings { provider, source: error.into() }),
        }
    }
}

/// Whether there is no secret. One that is marked for deletion answers `InvalidRequestException` and counts as gone.
fn is_absent(error: &GetSecretValueError) -> bool {
    error.is_resource_not_found_exception() || error.is_invalid_request_exception()
}

/// Reads the secret's JSON.
fn parse(provider: ProviderId, text: &str) -> Result<Option<ProviderSettings>, Error> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    // serde's own message may quote the value it stumbled on, which may be the secret: only the place is told.
    let settings: ProviderSettings = serde_json::from_str(text).map_err(|error| Error::MalformedSettings {
        provider,
        what: format!("{:?} error at line {}, column {}", error.classify(), error.line(), error.column()),
    })?;
    if settings.endpoints.iter().flat_map(|(from, to)| [from, to]).any(|url| !is_http(url)) {
        let what = "`endpoints` holds something else than plain http(s) URLs".to_owned();
        return Err(Error::MalformedSettings { provider, what });
    }
    Ok(Some(settings))
}

/// Whether settings name a registration. What holds nothing but empty values is as good as none.
fn is_registration(settings: &ProviderSettings) -> bool {
    let blank =
        |secret: &Option<secrecy::SecretString>| secret.as_ref().is_none_or(|secret| secret.expose_secret().is_empty());
    !settings.client_id.is_empty() || !blank(&settings.api_key) || !blank(&settings.signing_secret)
}

fn is_http(text: &str) -> bool {
    url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.username().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_registration_is_none() {
        for text in ["", " \n", "{}", r#"{"clientId":"","clientSecret":""}"#] {
            let settings = parse(ProviderId::GoogleDrive, text).unwrap();
            assert!(!settings.is_some_and(|settings| is_registration(&settings)), "{text}");
        }
        let settings = parse(ProviderId::GoogleDrive, r#"{"clientId":"app","clientSecret":"s","later":1}"#).unwrap();
        let settings = settings.unwrap();
        assert!(is_registration(&settings) && settings.client_id == "app");
    }

    #[test]
    fn a_malformed_secret_is_told_without_its_text() {
        for text in [
            "canary",
            r#"{"clientId": ["canary"]}"#,
            r#"{"clientId":"app","clientSecret":"canary"#,
            r#"{"clientId":"app","endpoints":{"https://a.example":"file:///canary"}}"#,
            r#"{"clientId":"app","endpoints":{"https://a.example":"https://user:canary@b.example"}}"#,
        ] {
            let error = parse(ProviderId::GoogleDrive, text).unwrap_err();
            let told = error.to_string();
            assert!(told.contains("google_drive"), "{told}");
            assert!(!told.contains("canary"), "{told}");
        }
    }
}
