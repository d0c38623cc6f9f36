//! What can go wrong, one error for each thing that callers ask. None of them prints a token, a code, a state or a body.

use std::time::Duration;

use domain::job::JobError;
use domain::{Owner, ProviderId};
use providers::{Kind, ProviderError};

pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A dependency that did not do its part.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The table could not be read or written.
    #[error("the store did not answer")]
    Store(#[from] store::Error),
    /// A token could not be sealed or opened.
    #[error("the vault did not answer")]
    Vault(#[source] BoxError),
    /// Secrets Manager could not be read.
    #[error("the settings of {provider} cannot be read")]
    Settings {
        /// Whose settings.
        provider: ProviderId,
        /// The cause.
        #[source]
        source: BoxError,
    },
    /// The secret is there and is not what it should be. Nothing of it is shown.
    #[error("the settings of {provider} are malformed: {what}")]
    MalformedSettings {
        /// Whose settings.
        provider: ProviderId,
        /// Where and how, without the text itself.
        what: String,
    },
}

/// Why a connection cannot be begun.
#[derive(Debug, thiserror::Error)]
pub enum BeginError {
    /// This provider is not connected by OAuth.
    #[error("this provider is not connected by OAuth")]
    NotOAuth,
    /// The operator has no registration at this provider, or one that cannot work.
    #[error("this provider is not configured")]
    NotConfigured,
    /// The operator has switched the provider off.
    #[error("this provider is switched off")]
    Disabled,
    /// The owner's plan does not include the provider.
    #[error("this provider is not part of the plan")]
    NotInPlan,
    /// The owner has as many integrations as the plan allows.
    #[error("the plan allows no further integration")]
    QuotaExceeded,
    /// A dependency is down.
    #[error("a connection cannot be begun now")]
    Unavailable(#[source] BoxError),
}

impl BeginError {
    /// The stable word for answers.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotOAuth => "not_oauth",
            Self::NotConfigured => "not_configured",
            Self::Disabled => "provider_disabled",
            Self::NotInPlan => "not_in_plan",
            Self::QuotaExceeded => "quota_exceeded",
            Self::Unavailable(_) => "unavailable",
        }
    }
}

impl From<store::Error> for BeginError {
    fn from(error: store::Error) -> Self {
        Self::Unavailable(error.into())
    }
}

impl From<Error> for BeginError {
    fn from(error: Error) -> Self {
        match error {
            Error::MalformedSettings { .. } => Self::NotConfigured,
            Error::Store(_) | Error::Vault(_) | Error::Settings { .. } => Self::Unavailable(error.into()),
        }
    }
}

/// A callback that connected nothing.
#[derive(Debug, thiserror::Error)]
#[error("the callback was not accepted ({})", self.code())]
pub struct CallbackError {
    /// Whose connection it was to be, once the state has told: it decides which page the person returns to.
    pub owner: Option<Owner>,
    /// Why.
    #[source]
    pub kind: CallbackKind,
}

/// Why a callback connected nothing.
#[derive(Debug, thiserror::Error)]
pub enum CallbackKind {
    /// The state is unknown, used, expired, made for another provider or begun by somebody else.
    #[error("the state is not valid")]
    InvalidState,
    /// The person (or their administrator) declined.
    #[error("access was declined")]
    AccessDenied,
    /// The provider did not exchange the code, or its tokens do not work.
    #[error("the code was not exchanged")]
    ExchangeFailed(#[source] BoxError),
    /// The provider is down or asks to wait.
    #[error("the provider is not available")]
    ProviderUnavailable(#[source] BoxError),
    /// The person did not grant all that is needed.
    #[error("a needed permission was not granted")]
    ScopeMissing,
    /// The plan allows no further integration.
    #[error("the plan allows no further integration")]
    QuotaExceeded,
    /// The provider was switched off or left the plan meanwhile.
    #[error("the provider is not offered")]
    NotOffered,
    /// The person may no longer connect for this organization.
    #[error("the person may not connect for this owner")]
    NotAllowed,
    /// The registration at the provider is missing or wrong.
    #[error("the provider is not configured")]
    NotConfigured(#[source] BoxError),
    /// Another connection of the same provider was saved at the same moment.
    #[error("another connection was faster")]
    Conflict,
    /// One of our own dependencies is down.
    #[error("the connection cannot be saved now")]
    Unavailable(#[source] BoxError),
}

impl CallbackError {
    /// The stable word for `?error=`. Nothing that the provider said is in it.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.kind.code()
    }
}

impl CallbackKind {
    /// The stable word for `?error=`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::InvalidState => "invalid_state",
            Self::AccessDenied => "access_denied",
            Self::ExchangeFailed(_) => "exchange_failed",
            Self::ProviderUnavailable(_) => "provider_unavailable",
            Self::ScopeMissing => "scope_missing",
            Self::QuotaExceeded => "quota_exceeded",
            Self::NotOffered => "not_offered",
            Self::NotAllowed => "not_allowed",
            Self::NotConfigured(_) => "not_configured",
            Self::Conflict => "conflict",
            Self::Unavailable(_) => "unavailable",
        }
    }
}

impl From<ProviderError> for CallbackKind {
    fn from(error: ProviderError) -> Self {
        match &error.kind {
            Kind::ScopeMissing => Self::ScopeMissing,
            Kind::Unavailable | Kind::RateLimited { .. } => Self::ProviderUnavailable(error.into()),
            Kind::Misconfigured(_) | Kind::AddressRefused(_) => Self::NotConfigured(error.into()),
            Kind::TokenRejected
            | Kind::GrantDead(_)
            | Kind::NotFound
            | Kind::Forbidden(_)
            | Kind::TooLarge(_)
            | Kind::Unsupported(_)
            | Kind::CursorExpired
            | Kind::PageExpired
            | Kind::Malformed(_)
            | Kind::Rejected(_) => Self::ExchangeFailed(error.into()),
        }
    }
}

impl From<store::Error> for CallbackKind {
    fn from(error: store::Error) -> Self {
        Self::Unavailable(error.into())
    }
}

impl From<vault::Error> for CallbackKind {
    fn from(error: vault::Error) -> Self {
        Self::Unavailable(error.into())
    }
}

impl From<Error> for CallbackKind {
    fn from(error: Error) -> Self {
        match error {
            Error::MalformedSettings { .. } => Self::NotConfigured(error.into()),
            Error::Store(_) | Error::Vault(_) | Error::Settings { .. } => Self::Unavailable(error.into()),
        }
    }
}

/// Why there is no access to the provider for an integration.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The provider no longer accepts the grant, and the row says so: a person must connect again.
    #[error("the grant is no longer valid")]
    TokenExpired,
    /// The integration is gone or disconnected.
    #[error("the integration is not connected")]
    NotConnected,
    /// The provider is down, or something is wrong that time alone may not mend (a registration, a row): nobody's connection
    /// is to blame.
    #[error("the token cannot be had now")]
    Unavailable(#[source] BoxError),
    /// A service of our own is out of reach (keys, settings, the table). The work waits, no attempt is spent, and nothing is
    /// held against the provider or the connection.
    #[error("the token cannot be had for now: {reason}")]
    Parked {
        /// Which, in a sentence for people.
        reason: &'static str,
        /// How long to wait.
        wait: Duration,
        /// The cause.
        #[source]
        source: BoxError,
    },
    /// The provider asked to wait, or another worker is still refreshing.
    #[error("the token can be had in {} s", .0.as_secs())]
    RetryAfter(Duration),
    /// The provider refuses a token that it gave moments ago: another refresh would not be better, and would never end.
    #[error("a token is refused that was given moments ago")]
    RefusedAtOnce,
}

/// How long work waits for a service of our own. Its own outages last minutes; a look at it costs little.
const PARKED: Duration = Duration::from_secs(30);

impl OpenError {
    fn parked(reason: &'static str, source: impl Into<BoxError>) -> Self {
        Self::Parked { reason, wait: PARKED, source: source.into() }
    }

    /// Whether waiting mends it, so that an access token that still lives may tide over.
    pub(crate) const fn passes(&self) -> bool {
        match self {
            Self::Unavailable(_) | Self::Parked { .. } | Self::RetryAfter(_) => true,
            Self::TokenExpired | Self::NotConnected | Self::RefusedAtOnce => false,
        }
    }
}

impl From<store::Error> for OpenError {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Unavailable(_) => Self::parked("Our store does not answer.", error),
            store::Error::Corrupt { .. } | store::Error::Refused(_) => Self::Unavailable(error.into()),
        }
    }
}

impl From<vault::Error> for OpenError {
    fn from(error: vault::Error) -> Self {
        match error {
            vault::Error::Unavailable(_) => Self::parked("Our key service does not answer.", error),
            vault::Error::Refused => Self::Unavailable(error.into()),
        }
    }
}

impl From<Error> for OpenError {
    fn from(error: Error) -> Self {
        match error {
            Error::Store(error) => error.into(),
            Error::Settings { .. } => Self::parked("Our store of secrets does not answer.", error),
            Error::Vault(_) | Error::MalformedSettings { .. } => Self::Unavailable(error.into()),
        }
    }
}

impl From<OpenError> for JobError {
    fn from(error: OpenError) -> Self {
        match error {
            // The row carries TOKEN_EXPIRED or DISCONNECTED already; repeating gains nothing.
            OpenError::TokenExpired | OpenError::NotConnected => Self::give_up(error),
            OpenError::Unavailable(_) | OpenError::RefusedAtOnce => Self::retry(error),
            OpenError::Parked { wait, .. } => Self::retry_after(wait, error),
            OpenError::RetryAfter(delay) => Self::retry_after(delay, error),
        }
    }
}

/// Why webhook subscriptions are not what they should be.
#[derive(Debug, thiserror::Error)]
pub enum SubscribeError {
    /// There is no access to the provider.
    #[error("cannot open the integration to subscribe")]
    Open(#[from] OpenError),
    /// The provider did not make a subscription.
    #[error("the provider made no subscription")]
    Provider(#[from] ProviderError),
    /// The table could not be read or written.
    #[error("cannot keep the subscription")]
    Store(#[from] store::Error),
    /// Our own address is not one that a subscription could name.
    #[error("the webhook address is no URL")]
    Address(#[from] url::ParseError),
}

/// How long to wait where a provider limits us and does not say how long.
const UNTOLD_WAIT: Duration = Duration::from_secs(60);

/// The longest delay that a queue takes.
const LONGEST_DELAY: Duration = Duration::from_secs(900);

impl From<SubscribeError> for JobError {
    fn from(error: SubscribeError) -> Self {
        match error {
            SubscribeError::Open(open) => open.into(),
            SubscribeError::Store(_) => Self::retry(error),
            SubscribeError::Address(_) => Self::give_up(error),
            SubscribeError::Provider(ref provider) => match provider.kind {
                Kind::RateLimited { retry_after } => {
                    Self::retry_after(retry_after.unwrap_or(UNTOLD_WAIT).min(LONGEST_DELAY), error)
                }
                Kind::Unavailable | Kind::TokenRejected | Kind::Malformed(_) => Self::retry(error),
                // The scheduled pulls keep the content fresh; the next full run asks for the subscription again.
                Kind::GrantDead(_)
                | Kind::ScopeMissing
                | Kind::NotFound
                | Kind::Forbidden(_)
                | Kind::TooLarge(_)
                | Kind::Unsupported(_)
                | Kind::CursorExpired
                | Kind::PageExpired
                | Kind::Misconfigured(_)
                | Kind::AddressRefused(_)
                | Kind::Rejected(_) => Self::give_up(error),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::job::Decision;

    use super::*;

    #[test]
    fn a_callback_says_a_stable_word_for_every_trouble_at_the_provider() {
        let check = |kind, code| {
            assert_eq!(CallbackKind::from(ProviderError::new(ProviderId::GoogleDrive, kind)).code(), code);
        };
        check(Kind::ScopeMissing, "scope_missing");
        check(Kind::Unavailable, "provider_unavailable");
        check(Kind::RateLimited { retry_after: None }, "provider_unavailable");
        check(Kind::GrantDead("invalid_grant".into()), "exchange_failed");
        check(Kind::TokenRejected, "exchange_failed");
        check(Kind::Malformed("no json".into()), "exchange_failed");
        check(Kind::Misconfigured("invalid_client".into()), "not_configured");
    }

    #[test]
    fn an_outage_is_tried_again_and_a_dead_grant_is_not() {
        let check = |error: OpenError, decision| assert_eq!(JobError::from(error).decision, decision);
        check(OpenError::TokenExpired, Decision::GiveUp);
        check(OpenError::NotConnected, Decision::GiveUp);
        check(OpenError::Unavailable("down".into()), Decision::Retry);
        let wait = Duration::from_secs(7);
        check(OpenError::RetryAfter(wait), Decision::RetryAfter(wait));
        check(OpenError::RefusedAtOnce, Decision::Retry);
    }

    #[test]
    fn guarantee_15_an_outage_of_our_own_services_parks_the_work_with_a_reason() {
        let down = || "down".into();
        let settings = Error::Settings { provider: ProviderId::GoogleDrive, source: down() };
        for error in [
            OpenError::from(vault::Error::Unavailable(down())),
            OpenError::from(store::Error::Unavailable(down())),
            OpenError::from(settings),
        ] {
            assert!(matches!(&error, OpenError::Parked { reason, .. } if reason.ends_with('.')), "{error:?}");
            assert_eq!(JobError::from(error).decision, Decision::RetryAfter(PARKED));
        }
        // What waiting does not mend must come to an end.
        assert_eq!(JobError::from(OpenError::from(vault::Error::Refused)).decision, Decision::Retry);
    }

    #[test]
    fn a_limit_while_subscribing_is_waited_out_within_what_a_queue_can_wait() {
        let hour = Some(Duration::from_secs(3600));
        let error = ProviderError::new(ProviderId::GoogleDrive, Kind::RateLimited { retry_after: hour });
        assert_eq!(JobError::from(SubscribeError::from(error)).decision, Decision::RetryAfter(LONGEST_DELAY));
    }
}
