//! Public keys behind an address (JWKS, RFC 7517): kept for an hour, and asked for again at most once a minute when a
//! token names a key that is not among them.

use std::time::Duration;

use domain::Timestamp;
use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse};
use serde::Deserialize;
use tokio::sync::Mutex;
use url::Url;

use super::{Algorithm, Error};

/// For how long fetched keys serve without asking again.
const FRESH: chrono::TimeDelta = chrono::TimeDelta::hours(1);
/// For how long they serve while the address does not answer.
const STALE_SERVES: chrono::TimeDelta = chrono::TimeDelta::hours(24);
/// Between two fetches at least, so that forged key ids cannot make us hammer the issuer.
const BETWEEN_FETCHES: chrono::TimeDelta = chrono::TimeDelta::minutes(1);
/// For a whole fetch.
const TIMEOUT: Duration = Duration::from_secs(5);
/// A larger document is refused; real ones are a few KB.
const MAX_DOCUMENT_BYTES: usize = 256 * 1024;

/// The keys behind one address.
pub struct Published {
    url: Url,
    http: reqwest::Client,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    keys: Vec<Key>,
    fetched_at: Option<Timestamp>,
    tried_at: Option<Timestamp>,
}

struct Key {
    id: Option<String>,
    key: DecodingKey,
}

/// A document that cannot be used.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error("the keys' address answered with status {0}")]
    Status(u16),
    #[error("the keys' document is too large")]
    TooLarge,
    #[error("the keys' document is malformed")]
    Malformed,
    #[error("no key was fetched yet, and the last attempt is less than a minute ago")]
    NotYet,
}

impl Published {
    /// The keys behind `url`. Nothing is fetched before they are needed.
    ///
    /// # Errors
    /// If no HTTP client can be made.
    pub fn at(url: Url) -> Result<Self, reqwest::Error> {
        // No redirects: the keys are where the operator says, or nowhere.
        let http = reqwest::Client::builder().timeout(TIMEOUT).redirect(reqwest::redirect::Policy::none()).build()?;
        Ok(Self { url, http, kept: Mutex::default() })
    }

    /// The key with this id. A token without an id is checked with the only key, where there is but one.
    pub(super) async fn find(
        &self,
        algorithm: Algorithm,
        kid: Option<&str>,
        now: Timestamp,
    ) -> Result<DecodingKey, Error> {
        // Held while fetching, so that many tokens with an unknown key make one fetch.
        let mut kept = self.kept.lock().await;
        let fresh = kept.fetched_at.is_some_and(|at| now - at < FRESH);
        if fresh && let Some(key) = kept.pick(kid) {
            return Ok(key);
        }
        let mut failure = None;
        if kept.tried_at.is_none_or(|at| now - at >= BETWEEN_FETCHES) {
            kept.tried_at = Some(now);
            match self.fetch(algorithm).await {
                Ok(keys) => (kept.keys, kept.fetched_at) = (keys, Some(now)),
                Err(error) => failure = Some(error),
            }
        }
        let usable = kept.fetched_at.is_some_and(|at| now - at < STALE_SERVES);
        match (usable.then(|| kept.pick(kid)).flatten(), failure) {
            (Some(key), failure) => {
                if let Some(error) = failure {
                    tracing::warn!(
                        error = error.to_string(),
                        "the issuer's keys cannot be fetched again, the last ones serve on"
                    );
                }
                Ok(key)
            }
            (None, Some(error)) => Err(Error::Unavailable(error)),
            (None, None) if usable => Err(Error::Refused("no key of this id is published")),
            (None, None) => Err(Error::Unavailable(Unusable::NotYet.into())),
        }
    }

    async fn fetch(&self, algorithm: Algorithm) -> Result<Vec<Key>, Box<dyn std::error::Error + Send + Sync>> {
        let mut answer = self.http.get(self.url.clone()).send().await?;
        if !answer.status().is_success() {
            return Err(Unusable::Status(answer.status().as_u16()).into());
        }
        let mut document = Vec::new();
        while let Some(chunk) = answer.chunk().await? {
            if document.len() + chunk.len() > MAX_DOCUMENT_BYTES {
                return Err(Unusable::TooLarge.into());
            }
            document.extend_from_slice(&chunk);
        }
        Ok(parse(&document, algorithm)?)
    }
}

impl Kept {
    fn pick(&self, kid: Option<&str>) -> Option<DecodingKey> {
        let found = match (kid, self.keys.as_slice()) {
            (None, [only]) => Some(only),
            (None, _) => None,
            (Some(_), keys) => keys.iter().find(|key| key.id.as_deref() == kid),
        };
        found.map(|key| key.key.clone())
    }
}

/// The document's keys that this algorithm can use. What is of another kind, or broken, is passed over, so that one odd key
/// does not shut everybody out.
fn parse(document: &[u8], algorithm: Algorithm) -> Result<Vec<Key>, Unusable> {
    #[derive(Deserialize)]
    struct Document {
        keys: Vec<serde_json::Value>,
    }
    let Document { keys } = serde_json::from_slice(document).map_err(|_| Unusable::Malformed)?;
    let usable = keys
        .into_iter()
        .filter_map(|value| serde_json::from_value::<Jwk>(value).ok())
        .filter(|jwk| serves(jwk, algorithm))
        .filter_map(|jwk| Some(Key { key: DecodingKey::from_jwk(&jwk).ok()?, id: jwk.common.key_id }));
    Ok(usable.collect())
}

/// Whether a key is meant for checking signatures of this algorithm.
fn serves(jwk: &Jwk, algorithm: Algorithm) -> bool {
    let (fits, name) = match (&jwk.algorithm, algorithm) {
        (AlgorithmParameters::RSA(_), Algorithm::Rs256) => (true, KeyAlgorithm::RS256),
        (AlgorithmParameters::EllipticCurve(key), Algorithm::Es256) => {
            (key.curve == EllipticCurve::P256, KeyAlgorithm::ES256)
        }
        (AlgorithmParameters::OctetKeyPair(key), Algorithm::EdDsa) => {
            (key.curve == EllipticCurve::Ed25519, KeyAlgorithm::EdDSA)
        }
        _ => return false,
    };
    let common = &jwk.common;
    fits && common.key_algorithm.is_none_or(|given| given == name)
        && common.public_key_use.as_ref().is_none_or(|given| *given == PublicKeyUse::Signature)
        && common.key_operations.as_ref().is_none_or(|given| given.contains(&KeyOperations::Verify))
}
