//! Who calls: a JWT's signature and claims, by an algorithm that configuration names and the token does not choose.

mod claims;
mod keys;
mod published;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use domain::UserId;
use domain::clock::SharedClock;

pub use keys::{Keys, SharedSecret};
pub use published::Published;

use crate::error::ApiError;

/// Longer tokens are refused unread: ours are a few hundred bytes.
const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// The algorithms that a deployment can choose from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// HMAC with SHA-256 under a shared secret.
    Hs256,
    /// RSA (PKCS #1 v1.5) with SHA-256.
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

/// The text names none of the algorithms.
#[derive(Debug, thiserror::Error)]
#[error("not one of HS256, RS256, ES256 and EdDSA")]
pub struct UnknownAlgorithm;

impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    fn from_str(text: &str) -> Result<Self, UnknownAlgorithm> {
        match text {
            "HS256" => Ok(Self::Hs256),
            "RS256" => Ok(Self::Rs256),
            "ES256" => Ok(Self::Es256),
            "EdDSA" => Ok(Self::EdDsa),
            _ => Err(UnknownAlgorithm),
        }
    }
}

impl Algorithm {
    pub(crate) const fn name(self) -> jsonwebtoken::Algorithm {
        match self {
            Self::Hs256 => jsonwebtoken::Algorithm::HS256,
            Self::Rs256 => jsonwebtoken::Algorithm::RS256,
            Self::Es256 => jsonwebtoken::Algorithm::ES256,
            Self::EdDsa => jsonwebtoken::Algorithm::EdDSA,
        }
    }
}

/// Why a token names nobody.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It does not hold. The words are for the log.
    #[error("the token does not hold: {0}")]
    Refused(&'static str),
    /// It held once.
    #[error("the token has expired")]
    Expired,
    /// The key to check it with cannot be had now.
    #[error("the key cannot be had")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused(_) => {
                Self::unauthenticated("invalid_token", "the token is not valid; please sign in again").because(error)
            }
            Error::Expired => Self::unauthenticated("session_expired", "the session has expired; please sign in again"),
            Error::Unavailable(_) => Self::unavailable(error),
        }
    }
}

/// Checks tokens. Cheap to clone; clones share the keys.
#[derive(Clone)]
pub struct Authenticator(Arc<Inner>);

struct Inner {
    algorithm: Algorithm,
    keys: Keys,
    issuer: Option<String>,
    audience: Option<String>,
    clock: SharedClock,
}

impl Authenticator {
    /// Accepts tokens of this algorithm, signed under these keys and, where given, of this issuer and for this audience.
    #[must_use]
    pub fn new(
        algorithm: Algorithm,
        keys: Keys,
        issuer: Option<String>,
        audience: Option<String>,
        clock: SharedClock,
    ) -> Self {
        Self(Arc::new(Inner { algorithm, keys, issuer, audience, clock }))
    }

    /// Whom the token names.
    ///
    /// # Errors
    /// [`Error`], which says for the log why it names nobody.
    pub async fn verify(&self, token: &str) -> Result<UserId, Error> {
        let Inner { algorithm, keys, issuer, audience, clock } = &*self.0;
        if token.len() > MAX_TOKEN_BYTES {
            return Err(Error::Refused("too long"));
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| Error::Refused("no readable header"))?;
        if header.alg != algorithm.name() {
            return Err(Error::Refused("another algorithm"));
        }
        if header.crit.is_some() {
            return Err(Error::Refused("extensions that we do not know"));
        }
        let now = clock.now();
        let key = keys.find(*algorithm, header.kid.as_deref(), now).await?;
        let claims = claims::decode(token, &key, *algorithm)?;
        claims.check(now, issuer.as_deref(), audience.as_deref())
    }
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticator").field("algorithm", &self.0.algorithm).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
