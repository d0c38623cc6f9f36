//! Why a message was not sent.

use aws_sdk_sqs::config::http::HttpResponse;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use domain::job::JobError;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why a message was not sent.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Beyond what a queue carries; nothing was sent.
    #[error("the message has {bytes} bytes and a queue carries 1048576")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// The value has no JSON form: a fault of ours.
    #[error("cannot write the message as JSON")]
    Encode(#[source] serde_json::Error),
    /// Unreachable, throttled or failing; the same call may succeed later.
    #[error("the queue is not available")]
    Unavailable(#[source] BoxError),
    /// The queue refused the call itself (permission, missing queue, stale receipt); repeating gains nothing.
    #[error("the queue refused the call")]
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

/// SQS left messages out of a batch every time they were sent.
#[derive(Debug, thiserror::Error)]
#[error("{count} messages of a batch were left out, the last with the code {code}")]
struct LeftOut {
    count: usize,
    code: String,
}

impl Error {
    /// The error of a call to SQS that was made to do `what` (a verb phrase).
    pub(crate) fn sqs<E>(what: &'static str, error: SdkError<E, HttpResponse>) -> Self
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

    /// A request that the SDK would not build: a fault of ours.
    pub(crate) fn malformed(source: impl Into<BoxError>) -> Self {
        Self::Refused(source.into())
    }

    /// `count` messages were left out; for good, or as often as they were sent.
    pub(crate) fn left_out(count: usize, code: String, for_good: bool) -> Self {
        let left_out = Box::new(LeftOut { count, code });
        if for_good { Self::Refused(left_out) } else { Self::Unavailable(left_out) }
    }
}

/// Whether an SQS error code names a state that passes by itself.
pub(crate) fn is_passing(code: &str) -> bool {
    matches!(
        code,
        "RequestThrottled"
            | "ThrottlingException"
            | "Throttling"
            | "OverLimit"
            | "KmsThrottled"
            | "ServiceUnavailable"
            | "InternalError"
            | "InternalFailure"
            | "ExpiredTokenException"
            | "RequestTimeTooSkewed"
    )
}

/// Every message that was not sent is tried again by whoever wanted it sent.
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
    fn what_was_not_sent_is_tried_again() {
        let error = JobError::from(Error::TooLarge { bytes: 2_000_000 });
        assert_eq!(error.decision, Decision::Retry);
        assert!(error.to_string().contains("2000000"));
    }

    #[test]
    fn throttling_passes_and_a_missing_queue_does_not() {
        assert!(is_passing("RequestThrottled"));
        assert!(!is_passing("QueueDoesNotExist"));
    }
}
