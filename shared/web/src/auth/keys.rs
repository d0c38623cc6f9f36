//! The keys that signatures are checked with: one shared secret, or the public keys that an issuer publishes.

use std::future::Future;
use std::pin::Pin;

use domain::Timestamp;
use jsonwebtoken::DecodingKey;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::OnceCell;

use super::published::Published;
use super::{Algorithm, Error};

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Reading = Pin<Box<dyn Future<Output = Result<SecretString, BoxError>> + Send>>;

/// RFC 7518, section 3.2: a key of the hash's size or larger must be used with HS256. Shorter ones can be guessed.
const MIN_SECRET_BYTES: usize = 32;

/// Where keys come from.
pub enum Keys {
    /// One secret, for HS256.
    Shared(SharedSecret),
    /// Public keys behind an address (JWKS), for the others.
    Published(Published),
}

impl Keys {
    /// The key that a token with this key id is to be checked with.
    pub(super) async fn find(
        &self,
        algorithm: Algorithm,
        kid: Option<&str>,
        now: Timestamp,
    ) -> Result<DecodingKey, Error> {
        match (self, algorithm) {
            (Self::Shared(secret), Algorithm::Hs256) => secret.key().await,
            (Self::Published(keys), Algorithm::Rs256 | Algorithm::Es256 | Algorithm::EdDsa) => {
                keys.find(algorithm, kid, now).await
            }
            // A public key must never serve as a shared secret.
            (Self::Shared(_) | Self::Published(_), _) => Err(Error::Refused("no keys of this kind are configured")),
        }
    }
}

/// A secret that is read on first use and kept as long as the process lives.
pub struct SharedSecret {
    read: Box<dyn Fn() -> Reading + Send + Sync>,
    key: OnceCell<DecodingKey>,
}

#[derive(Debug, thiserror::Error)]
#[error("the shared secret is shorter than 32 bytes")]
struct TooShort;

impl SharedSecret {
    /// A secret that `read` brings, from Secrets Manager or wherever it is.
    pub fn new<F>(read: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<SecretString, BoxError>> + Send + 'static,
    {
        Self { read: Box::new(move || Box::pin(read())), key: OnceCell::new() }
    }

    async fn key(&self) -> Result<DecodingKey, Error> {
        let read = async || {
            let secret = (self.read)().await.map_err(Error::Unavailable)?;
            let bytes = secret.expose_secret().as_bytes();
            if bytes.len() < MIN_SECRET_BYTES {
                return Err(Error::Unavailable(TooShort.into()));
            }
            Ok(DecodingKey::from_secret(bytes))
        };
        self.key.get_or_try_init(read).await.cloned()
    }
}
