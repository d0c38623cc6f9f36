//! What stops a turn, and what becomes of the run then: pure decisions, carried out in `worker`.

use std::time::Duration;

use connections::OpenError;
use domain::Timestamp;
use providers::error::{Kind, ProviderError};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Times in a row that a provider may be found down before the run ends FAILED.
pub(crate) const OUTAGES: u32 = 5;
/// How long to wait where a provider limits us and does not say how long.
const UNTOLD_WAIT: Duration = Duration::from_secs(60);

/// What stops a turn before the run's end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Halt {
    /// Another worker has taken the run up, or it has ended: nothing more is ours to do.
    #[error("the run is no longer this worker's")]
    Superseded,
    /// The function's time is nearly up: the next turn goes on from the checkpoint.
    #[error("the turn's time is up")]
    HandOver,
    /// A permit, or a token that another worker is refreshing, is to be had after this long.
    #[error("waiting for {} ms", .0.as_millis())]
    Pause(Duration),
    /// The provider is down as a whole; somebody looks again at that time.
    #[error("the provider is down; it is looked at again at {0}")]
    Shut(Timestamp),
    /// The provider has asked to wait before; the wait is not over.
    #[error("the provider asked to wait until {0}")]
    Blocked(Timestamp),
    /// The provider asks to wait.
    #[error("the provider asks to wait for {} s", .0.as_secs())]
    Limited(Duration),
    /// The provider, or something on the way to it, is down. Tried again a few times; then the run fails with this reason.
    #[error("{0}")]
    Outage(String),
    /// The run fails, with this reason for people.
    #[error("{0}")]
    Fail(String),
    /// A trouble of our own; the queue tries the message again.
    #[error("a dependency of our own failed")]
    Trouble(#[source] BoxError),
}

impl From<store::Error> for Halt {
    fn from(error: store::Error) -> Self {
        Self::Trouble(error.into())
    }
}

impl From<queue::Error> for Halt {
    fn from(error: queue::Error) -> Self {
        Self::Trouble(error.into())
    }
}

impl From<integrations::Error> for Halt {
    fn from(error: integrations::Error) -> Self {
        Self::Trouble(error.into())
    }
}

impl From<OpenError> for Halt {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::TokenExpired => {
                Self::Fail("The provider no longer accepts the connection. Please connect again.".to_owned())
            }
            OpenError::NotConnected => Self::Superseded,
            // The cause is ours to know; people are told which side it is on.
            OpenError::Unavailable(source) => {
                tracing::warn!(error = lambda::telemetry::chain(source.as_ref()), "the connection could not be opened");
                Self::Outage("The connection to the provider could not be opened.".to_owned())
            }
            OpenError::RetryAfter(delay) => Self::Pause(delay),
            // A service of our own is out of reach: neither the provider nor the connection is to blame, and the run waits.
            OpenError::Parked { reason, wait, source } => {
                tracing::warn!(
                    error = lambda::telemetry::chain(source.as_ref()),
                    reason,
                    "the run waits for a service of our own"
                );
                Self::Pause(wait)
            }
            OpenError::RefusedAtOnce => {
                Self::Outage("The provider refuses a token that it gave moments ago.".to_owned())
            }
        }
    }
}

/// What a provider's error, met while listing, makes of the run.
impl From<ProviderError> for Halt {
    fn from(error: ProviderError) -> Self {
        match &error.kind {
            Kind::RateLimited { retry_after } => Self::Limited(retry_after.unwrap_or(UNTOLD_WAIT)),
            Kind::Unavailable | Kind::Malformed(_) => {
                tracing::warn!(error = lambda::telemetry::chain(&error), "the provider gave no usable answer");
                Self::Outage(reason(&error.kind))
            }
            Kind::TokenRejected
            | Kind::GrantDead(_)
            | Kind::ScopeMissing
            | Kind::NotFound
            | Kind::Forbidden(_)
            | Kind::TooLarge(_)
            | Kind::Unsupported(_)
            | Kind::CursorExpired
            | Kind::PageExpired
            | Kind::Misconfigured(_)
            | Kind::AddressRefused(_)
            | Kind::Rejected(_) => {
                tracing::warn!(error = lambda::telemetry::chain(&error), "the provider refused the listing");
                Self::Fail(reason(&error.kind))
            }
        }
    }
}

/// A listing's trouble in words for people. The provider's own text stays in the log.
fn reason(kind: &Kind) -> String {
    let words = match kind {
        Kind::Unavailable => "The provider is not available.",
        Kind::Malformed(_) => "The provider's answers cannot be read; nothing was changed.",
        Kind::TokenRejected | Kind::GrantDead(_) => {
            "The provider does not accept the connection, even after it was renewed. Please connect again."
        }
        Kind::ScopeMissing => "A needed permission was not granted. Please connect again and grant it.",
        Kind::NotFound => "What is to be synced was not found at the provider.",
        Kind::Forbidden(_) => "The provider does not let this account list its content.",
        Kind::CursorExpired | Kind::PageExpired => "The provider ended the listing early, again and again.",
        Kind::Misconfigured(_) => "The registration at the provider is wrong; an administrator has to mend it.",
        Kind::AddressRefused(_) => "The provider's address is not allowed; an administrator has to mend it.",
        Kind::RateLimited { .. } => "The provider asks to wait.",
        Kind::TooLarge(_) | Kind::Unsupported(_) | Kind::Rejected(_) => "The provider refused to list the content.",
    };
    words.to_owned()
}

/// How long to wait after the provider was found down for the `outages`-th time in a row (from 1): 5 s, doubling.
pub(crate) fn outage_delay(outages: u32) -> Duration {
    Duration::from_secs(5u64.saturating_mul(1 << outages.saturating_sub(1).min(16)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::ProviderId;

    fn halt(kind: Kind) -> Halt {
        ProviderError::new(ProviderId::GoogleDrive, kind).into()
    }

    #[test]
    fn a_limit_waits_as_long_as_it_says() {
        let check = |retry_after, expected| {
            assert!(matches!(halt(Kind::RateLimited { retry_after }), Halt::Limited(wait) if wait == expected));
        };
        check(Some(Duration::from_secs(7)), Duration::from_secs(7));
        check(None, UNTOLD_WAIT);
    }

    #[test]
    fn garbage_counts_as_an_outage_and_quotes_nothing() {
        let Halt::Outage(reason) = halt(Kind::Malformed("canary".to_owned())) else { panic!("no outage") };
        assert!(!reason.contains("canary"));
        assert!(matches!(halt(Kind::Unavailable), Halt::Outage(_)));
    }

    #[test]
    fn what_no_repetition_mends_fails_the_run() {
        for kind in [
            Kind::TokenRejected,
            Kind::GrantDead("x".to_owned()),
            Kind::ScopeMissing,
            Kind::NotFound,
            Kind::Forbidden("x"),
            Kind::Misconfigured("x".to_owned()),
            Kind::AddressRefused("x".to_owned()),
            Kind::Rejected("x".to_owned()),
        ] {
            assert!(matches!(halt(kind.clone()), Halt::Fail(_)), "{kind:?}");
        }
    }

    #[test]
    fn a_dead_token_fails_the_run_and_a_gone_integration_only_ends_the_turn() {
        assert!(matches!(Halt::from(OpenError::TokenExpired), Halt::Fail(_)));
        assert!(matches!(Halt::from(OpenError::NotConnected), Halt::Superseded));
        assert!(matches!(Halt::from(OpenError::RetryAfter(Duration::from_secs(2))), Halt::Pause(_)));
    }

    #[test]
    fn outages_are_spaced_by_five_seconds_doubling() {
        let delays: Vec<u64> = (1..=OUTAGES).map(|outages| outage_delay(outages).as_secs()).collect();
        assert_eq!(delays, [5, 10, 20, 40, 80]);
        assert!(outage_delay(u32::MAX) > Duration::from_secs(80));
    }
}
