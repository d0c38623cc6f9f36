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

    /// Whether the call may have been carried out though no usable answer came: it was cut off, timed out, failed half way, or
    /// answered by something that is not the provider. A call that was refused in the provider's own words, or that never
    /// found a connection (no such host, nobody listening), was not.
    #[must_use]
    pub fn is_unanswered(&self) -> bool {
        match self.kind {
            Kind::Unavailable => {
                let cause = self.source.as_ref().and_then(|cause| cause.downcast_ref::<reqwest::Error>());
                !cause.is_some_and(reqwest::Error::is_connect)
            }
            Kind::Malformed(_) => true,
            Kind::TokenRejected
            | Kind::GrantDead(_)
            | Kind::ScopeMissing
            | Kind::RateLimited { .. }
            | Kind::NotFound
            | Kind::Forbidden(_)
            | Kind::TooLarge(_)
            | Kind::Unsupported(_)
            | Kind::CursorExpired
            | Kind::PageExpired
            | Kind::Misconfigured(_)
            | Kind::AddressRefused(_)
            | Kind::Rejected(_) => false,
        }
    }

    /// The same error with its cause.
    #[must_use]
    pub fn because(mut self, source: impl Into<BoxError>) -> Self {
        self.source = Some(source.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use domain::ProviderId;

    use super::*;
    use crate::http::{Call, Http, Site};
    use crate::testing::{Reply, Server, settings};

    const SITE: Site = Site { provider: ProviderId::GoogleDrive, hosts: &["api.example"], storage: &[] };

    async fn asked(at: &str) -> ProviderError {
        let (token, url) = ("t".into(), url::Url::parse("https://api.example/").unwrap());
        Http::new().send(SITE, &settings(&[("https://api.example", at)]), Call::get(url, &token)).await.unwrap_err()
    }

    #[tokio::test]
    async fn what_never_found_a_connection_was_not_carried_out_and_what_broke_off_may_have_been() {
        for nowhere in ["http://127.0.0.1:9", "http://nobody.invalid"] {
            let error = asked(nowhere).await;
            assert!(error.kind == Kind::Unavailable && !error.is_unanswered(), "{nowhere}: {error:?}");
        }
        let server = Server::start(|_| Reply::bytes(b"short").with("content-length", "100")).await;
        let error = asked(server.url()).await;
        assert!(error.kind == Kind::Unavailable && error.is_unanswered(), "{error:?}");
        let said = |kind| ProviderError::new(ProviderId::GoogleDrive, kind).is_unanswered();
        assert!(said(Kind::Malformed("html".to_owned())));
        assert!(!said(Kind::GrantDead("invalid_grant".to_owned())));
        assert!(!said(Kind::RateLimited { retry_after: None }));
    }
}
