//! Why a resource could not be delivered.

use std::time::Duration;

use domain::job::JobError;

pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why a resource could not be delivered or deleted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Throttled, unreachable, failing or not permitted just now: the same call may succeed later.
    #[error("the sink is not available: cannot {what}")]
    Unavailable {
        /// What was tried, as a verb phrase.
        what: &'static str,
        /// The cause.
        #[source]
        source: BoxError,
    },
    /// The sink asks to wait, or is at work: nobody's fault, so it spends no attempt.
    #[error("the sink asks to wait for {} s", .wait.as_secs())]
    Busy {
        /// How long.
        wait: Duration,
        /// The sink said so, which goes for everybody; else it is this one delivery that has to wait for its own sake.
        asked: bool,
        /// The sink may hold something of it already, so what comes after the wait is no first attempt.
        touched: bool,
    },
    /// This resource can never be delivered as it is; for people.
    #[error("the sink cannot take it: {0}")]
    Refused(String),
    /// The sink's rules about sensitive data do not let it in; for people.
    #[error("the sink's rules about sensitive data do not let it in: {0}")]
    Blocked(String),
}

impl Error {
    /// A fault of the sink that passes; `what` was tried, as a verb phrase.
    pub fn unavailable(what: &'static str, source: impl Into<BoxError>) -> Self {
        Self::Unavailable { what, source: source.into() }
    }

    /// A wait that the sink asks for, before which nothing was done. At least a second, so that a sink which asks for none is not asked
    /// without pause.
    #[must_use]
    pub fn busy(wait: Duration) -> Self {
        Self::Busy { wait: wait.max(Duration::from_secs(1)), asked: true, touched: false }
    }

    /// A delivery that is on its way and goes on later.
    #[must_use]
    pub const fn under_way(wait: Duration) -> Self {
        Self::Busy { wait, asked: false, touched: true }
    }

    /// Whether the same call may succeed later.
    #[must_use]
    pub const fn is_retriable(&self) -> bool {
        match self {
            Self::Unavailable { .. } | Self::Busy { .. } => true,
            Self::Refused(_) | Self::Blocked(_) => false,
        }
    }

    /// Whether the sink may hold something of it all the same.
    #[must_use]
    pub const fn may_have_touched(&self) -> bool {
        match self {
            Self::Unavailable { .. } | Self::Blocked(_) => true,
            Self::Busy { touched, .. } => *touched,
            Self::Refused(_) => false,
        }
    }

    /// The same after something was done: a wait then is no longer one before the first attempt.
    #[must_use]
    pub fn after_touching(self) -> Self {
        match self {
            Self::Busy { wait, asked, .. } => Self::Busy { wait, asked, touched: true },
            other => other,
        }
    }
}

impl From<Error> for JobError {
    fn from(error: Error) -> Self {
        match error {
            Error::Busy { wait, .. } => Self::retry_after(wait, error),
            Error::Unavailable { .. } => Self::retry(error),
            Error::Refused(_) | Error::Blocked(_) => Self::give_up(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::job::Decision;

    #[test]
    fn a_wait_spends_no_attempt_and_a_refusal_is_final() {
        let wait = Duration::from_secs(9);
        assert_eq!(JobError::from(Error::busy(wait)).decision, Decision::RetryAfter(wait));
        assert_eq!(JobError::from(Error::unavailable("connect", "refused")).decision, Decision::Retry);
        assert_eq!(JobError::from(Error::Blocked("a key".to_owned())).decision, Decision::GiveUp);
        assert!(!Error::busy(wait).may_have_touched());
        assert!(Error::busy(wait).after_touching().may_have_touched());
    }
}
