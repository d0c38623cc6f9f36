//! The two ways in which a token can stay closed. They must not be mixed up: one is for good, the other passes.

use aws_sdk_kms::error::SdkError;
use aws_sdk_kms::operation::decrypt::DecryptError;

/// Why a token could not be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not what was sealed here: changed, cut short, moved from elsewhere, or of another purpose. Which of these is not
    /// said, so that nobody learns by trying.
    #[error("the sealed token is refused")]
    Refused,
    /// The key service does not answer as it should (down, throttled, key disabled, permission missing). The token is as good as
    /// before: wait, and do not take it for expired. A wrapped key in which somebody has changed the name of its KMS key reads
    /// like one that we have no permission for, and ends here too; it stays closed all the same.
    #[error("the token key is not available")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// What a failed decryption by KMS means.
    pub(crate) fn decrypt<R: std::fmt::Debug + Send + Sync + 'static>(error: SdkError<DecryptError, R>) -> Self {
        match error.as_service_error() {
            Some(DecryptError::InvalidCiphertextException(_) | DecryptError::IncorrectKeyException(_)) => Self::Refused,
            _ => Self::Unavailable(Box::new(error)),
        }
    }
}

/// A closed token is not an attempt that went wrong at the provider: the message waits for its back-off and tries again.
impl From<Error> for domain::job::JobError {
    fn from(error: Error) -> Self {
        Self::retry(error)
    }
}
