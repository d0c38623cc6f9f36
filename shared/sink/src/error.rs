//! Why a resource could not be delivered.

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
    /// This resource can never be delivered as it is; for people.
    #[error("the sink cannot take it: {0}")]
    Refused(String),
}

impl Error {
    /// A fault of the sink that passes; `what` was tried, as a verb phrase.
    pub fn unavailable(what: &'static str, source: impl Into<BoxError>) -> Self {
        Self::Unavailable { what, source: source.into() }
    }

    /// Whether the same call may succeed later.
    #[must_use]
    pub const fn is_retriable(&self) -> bool {
        match self {
            Self::Unavailable { .. } => true,
            Self::Refused(_) => false,
        }
    }
}

impl From<Error> for JobError {
    fn from(error: Error) -> Self {
        if error.is_retriable() { Self::retry(error) } else { Self::give_up(error) }
    }
}
