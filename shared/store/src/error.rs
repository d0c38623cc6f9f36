//! What can go wrong with a call. A failed condition is no error; see the crate's page.

use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use domain::job::JobError;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why the store could not answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Throttled, unreachable, timed out or failing; the same call may succeed later.
    #[error("the table is not available")]
    Unavailable(#[source] BoxError),
    /// A row does not read back as what it should be.
    #[error("cannot read {what}")]
    Corrupt {
        /// Which row, in words without its content.
        what: &'static str,
    },
    /// The table refused the call itself (permission, missing table, malformed request); repeating gains nothing.
    #[error("the table refused the call")]
    Refused(#[source] BoxError),
}

/// A call that failed, and what it was for.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what}")]
struct Call {
    what: &'static str,
    #[source]
    source: BoxError,
}

/// Too many others changed the same row at the same time.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what}: others keep changing the row")]
struct Contended {
    what: &'static str,
}

/// DynamoDB left part of a batch undone every time it was asked.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what}: part of the batch stays unprocessed")]
struct Unprocessed {
    what: &'static str,
}

impl Error {
    /// The error of a call to DynamoDB that was made to do `what` (a verb phrase).
    pub(crate) fn dynamo<E>(what: &'static str, error: SdkError<E, HttpResponse>) -> Self
    where
        E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
    {
        let passes = match &error {
            SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) | SdkError::ResponseError(_) => true,
            SdkError::ServiceError(context) => {
                context.raw().status().as_u16() >= 500 || context.err().code().is_some_and(is_passing)
            }
            _ => false,
        };
        let call = Box::new(Call { what, source: Box::new(error) });
        if passes { Self::Unavailable(call) } else { Self::Refused(call) }
    }

    /// Others kept changing the row; the same call may succeed later.
    pub(crate) fn contended(what: &'static str) -> Self {
        Self::Unavailable(Box::new(Contended { what }))
    }

    /// A batch never came to its end; the same call may succeed later.
    pub(crate) fn unprocessed(what: &'static str) -> Self {
        Self::Unavailable(Box::new(Unprocessed { what }))
    }

    /// A request that the SDK would not build: a fault of ours.
    pub(crate) fn malformed(what: &'static str, source: impl Into<BoxError>) -> Self {
        Self::Refused(Box::new(Call { what, source: source.into() }))
    }
}

/// Whether a DynamoDB error code names a state that passes by itself.
fn is_passing(code: &str) -> bool {
    matches!(
        code,
        "ProvisionedThroughputExceededException"
            | "ThrottlingException"
            | "RequestLimitExceeded"
            | "LimitExceededException"
            | "InternalServerError"
            | "ServiceUnavailable"
            | "TransactionConflictException"
            | "TransactionInProgressException"
            | "ExpiredTokenException"
            | "RequestTimeTooSkewed"
    )
}

/// Every failed call is tried again, a refused one too: what a person mends (a permission) is mended by then, and the rest
/// reaches the dead-letter queue with its reason.
impl From<Error> for JobError {
    fn from(error: Error) -> Self {
        Self::retry(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::job::Decision;

    #[test]
    fn a_failed_call_is_tried_again() {
        let error = JobError::from(Error::Corrupt { what: "a sync job" });
        assert_eq!(error.decision, Decision::Retry);
        assert_eq!(error.to_string(), "cannot read a sync job");
    }

    #[test]
    fn throttling_passes_and_a_missing_table_does_not() {
        assert!(is_passing("ThrottlingException"));
        assert!(!is_passing("ResourceNotFoundException"));
    }
}
