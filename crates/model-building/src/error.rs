//! Why a step was not done.

use std::error::Error;

use active_learning_aws::{bucket::BucketError, failure::Refusal};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use lambda_runtime::Diagnostic;

/// Codes with which Comprehend and Step Functions say that the same call may succeed later.
const LATER: [&str; 4] = [
    "TooManyRequestsException",
    "ResourceLimitExceededException",
    "ResourceInUseException",
    "ResourceUnavailableException",
];

/// Why a step was not done. Messages are for people and never hold a text that was classified.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// It will not succeed however often it is tried.
    #[error("{0}")]
    Failed(String),
    /// A service is busy, at a limit, or changing what is needed.
    #[error("{0}")]
    NotNow(String),
    /// The training bucket failed.
    #[error(transparent)]
    Bucket(#[from] BucketError),
}

impl StepError {
    pub(crate) fn invalid_payload(error: impl Error) -> Self {
        Self::Failed(format!(
            "the payload is neither a step, a tick nor an S3 event: {error}"
        ))
    }

    /// Judges a refused call by its code; `what` says what was wanted.
    pub(crate) fn refused<E: ProvideErrorMetadata>(what: &str, error: SdkError<E>) -> Self {
        let said = error.message().map(|message| format!(": {message}"));
        let refusal = Refusal::from(error);
        let message = format!("{what}: {refusal}{}", said.unwrap_or_default());
        let later = refusal.code.as_deref().is_some_and(|code| LATER.contains(&code));
        if later || refusal.is_transient() {
            Self::NotNow(message)
        } else {
            Self::Failed(message)
        }
    }
}

impl From<StepError> for Diagnostic {
    /// The names are those that the state machine's retries know.
    fn from(error: StepError) -> Self {
        let error_type = match &error {
            StepError::Failed(_) => "Failed",
            StepError::NotNow(_) => "NotNow",
            StepError::Bucket(_) => "Storage",
        };
        Self {
            error_type: error_type.to_owned(),
            error_message: error.to_string(),
        }
    }
}
