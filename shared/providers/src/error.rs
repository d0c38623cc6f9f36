//! What can go wrong at a provider, sorted by what the caller does next.

use std::time::Duration;

use domain::ProviderId;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The word of a [`Kind::Forbidden`] for a resource that was downloaded too often of late: it may be had again another day, and
/// access to it is not lost.
pub const DOWNLOAD_QUOTA: &str = "download_quota_exceeded";

/// A call to a provider that did not bring what was asked for.
#[derive(Debug, thiserror::Error)]
#[error("{provider}: {kind}")]
pub struct ProviderError {
    /// Which provider.
    pub provider: ProviderId,
    /// What the caller does next.
    pub kind: Kind,
    /// The cause, without tokens, codes or bodies.
    #[source]
    pub source: Option<BoxError>,
}

/// What went wrong, one variant for each thing that a caller does about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Kind {
    /// The access token is not accepted: refresh it once, then try again.
    #[error("the access token was refused")]
    TokenRejected,
    /// The refresh token or the code is dead for good: a person must connect again.
    #[error("the grant is no longer valid ({0})")]
    GrantDead(String),
    /// What the person granted is not enough: a person must connect again.
    #[error("a needed permission was not granted")]
    ScopeMissing,
    /// Asked too much. Wait this long, or a back-off where the provider does not say.
    #[error("the rate limit is reached")]
    RateLimited {
        /// What the provider asked for.
        retry_after: Option<Duration>,
    },
    /// This resource is gone, or hidden from us in a way that cannot be told from gone.
    #[error("not found")]
    NotFound,
    /// This resource is there and may not be read. The word is a stable code.
    #[error("access to this resource is forbidden ({0})")]
    Forbidden(&'static str),
    /// This resource is larger than what can be fetched; for people.
    #[error("too large: {0}")]
    TooLarge(String),
    /// This resource carries no text that can be had; for people.
    #[error("no text can be had: {0}")]
    Unsupported(String),
    /// The change cursor is no longer accepted: list everything again.
    #[error("the change cursor has expired")]
    CursorExpired,
    /// The page cursor is no longer accepted: start this listing again.
    #[error("the page cursor has expired")]
    PageExpired,
    /// Down, unreachable or too slow: try again later.
    #[error("the provider is unavailable")]
    Unavailable,
    /// The answer is not what the API promises (broken JSON, a wrong type, cut short): nothing of it may be used.
    #[error("the provider's answer is malformed: {0}")]
    Malformed(String),
    /// The operator's registration is wrong (client id, secret, redirect URL): no person's connection is to blame.
    #[error("the registration at the provider is wrong ({0})")]
    Misconfigured(String),
    /// The request went where it may not go: a foreign or private address, a redirect.
    #[error("the address is not allowed: {0}")]
    AddressRefused(String),
    /// Refused for any other reason; trying again gains nothing.
    #[error("the provider refused the request ({0})")]
    Rejected(String),
}

impl ProviderError {
    /// An error of `kind` without a further cause.
    #[must_use]
    pub const fn new(provider: ProviderId, kind: Kind) -> Self {
        Self { provider, kind, source: None }
    }

    /// The same error with its cause.
    #[must_use]
    pub fn because(mut self, source: impl Into<BoxError>) -> Self {
        self.source = Some(source.into());
        self
    }
}
