//! What stands in the way of a use case. The API maps each variant to a status and a code; the workers to a queue decision.

use domain::job::JobError;
use domain::plan::Plan;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The owner has no such integration.
    #[error("there is no such integration")]
    NotFound,
    /// The integration is disconnected.
    #[error("the integration is not connected")]
    NotConnected,
    /// The integration is paused.
    #[error("the integration is paused")]
    Paused,
    /// A person must connect again first.
    #[error("the provider no longer accepts the connection")]
    TokenExpired,
    /// The integration is in the state ERROR and has its next try at its due time.
    #[error("the integration failed too often and is tried daily")]
    Waiting,
    /// The integration has no such job.
    #[error("there is no such job")]
    JobNotFound,
    /// The job has ended already.
    #[error("the job has ended")]
    JobEnded,
    /// No deletions wait for a decision.
    #[error("no deletions are pending")]
    NothingPending,
    /// The settings are not what the provider takes; a sentence for people.
    #[error("the settings are not valid: {0}")]
    InvalidConfig(String),
    /// The frequency asked for is closer than the owner's plan allows.
    #[error("the plan {} allows no such frequency", .plan.as_str())]
    FasterThanPlan {
        /// The owner's plan.
        plan: Plan,
        /// The smallest plan that allows it.
        upgrade: Option<Plan>,
    },
    /// Others keep changing the same integration.
    #[error("the integration was changed at the same time")]
    Conflict,
    /// A dependency is down.
    #[error("a dependency did not answer")]
    Unavailable(#[source] BoxError),
}

impl Error {
    /// The stable word for answers.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::NotConnected => "not_connected",
            Self::Paused => "paused",
            Self::TokenExpired => "token_expired",
            Self::Waiting => "waiting",
            Self::JobNotFound => "job_not_found",
            Self::JobEnded => "job_ended",
            Self::NothingPending => "nothing_pending",
            Self::InvalidConfig(_) => "invalid_config",
            Self::FasterThanPlan { .. } => "quota_exceeded",
            Self::Conflict => "conflict",
            Self::Unavailable(_) => "unavailable",
        }
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        Self::Unavailable(error.into())
    }
}

impl From<queue::Error> for Error {
    fn from(error: queue::Error) -> Self {
        Self::Unavailable(error.into())
    }
}

impl From<connections::Error> for Error {
    fn from(error: connections::Error) -> Self {
        Self::Unavailable(error.into())
    }
}

impl From<Error> for JobError {
    fn from(error: Error) -> Self {
        match error {
            Error::Unavailable(_) | Error::Conflict => Self::retry(error),
            Error::NotFound
            | Error::NotConnected
            | Error::Paused
            | Error::TokenExpired
            | Error::Waiting
            | Error::JobNotFound
            | Error::JobEnded
            | Error::NothingPending
            | Error::InvalidConfig(_)
            | Error::FasterThanPlan { .. } => Self::give_up(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::job::Decision;

    use super::*;

    #[test]
    fn only_what_may_mend_itself_is_tried_again() {
        let check = |error: Error, decision| assert_eq!(JobError::from(error).decision, decision);
        check(Error::Unavailable("down".into()), Decision::Retry);
        check(Error::Conflict, Decision::Retry);
        check(Error::NotConnected, Decision::GiveUp);
        check(Error::Paused, Decision::GiveUp);
    }
}
