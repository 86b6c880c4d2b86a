//! Why a request is not answered, and how the caller is told.

use active_learning_aws::{failure::Refusal, personal_data::NotMasked, reply::Problem};
use active_learning_core::feedback::InvalidFeedback;
use lambda_http::http::StatusCode;

use crate::results::ResultError;

/// Why a request is not answered by a prediction.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClassifyError {
    #[error(transparent)]
    InvalidRequest(#[from] InvalidFeedback),
    #[error(transparent)]
    NotMasked(#[from] NotMasked),
    #[error("the text is longer than the classifier accepts")]
    TextTooLong(#[source] Refusal),
    #[error("the classifier is busy; try again in a moment")]
    Throttled(#[source] Refusal),
    #[error(
        "the classifier is not in service: start its endpoint, or, with the built-in classifier, \
         put training data under `initial/` in the training bucket"
    )]
    NotReady(#[source] Refusal),
    #[error("the classifier did not answer")]
    Unavailable(#[source] Refusal),
    #[error("the classifier answered without a class")]
    NoPrediction,
    #[error(
        "no prediction of this id is kept: it is another stack's, or older than PredictionRetentionDays says"
    )]
    UnknownPrediction,
    #[error("what became of the prediction could not be read; try again in a moment")]
    NoResult(#[source] ResultError),
}

impl From<Refusal> for ClassifyError {
    fn from(refusal: Refusal) -> Self {
        match refusal.code.as_deref() {
            Some("ResourceUnavailableException") => Self::NotReady(refusal),
            Some("TextSizeLimitExceededException") => Self::TextTooLong(refusal),
            _ if refusal.is_throttling() => Self::Throttled(refusal),
            _ => Self::Unavailable(refusal),
        }
    }
}

impl From<&ClassifyError> for Problem {
    fn from(error: &ClassifyError) -> Self {
        let (status, code, retry_after_seconds) = match error {
            ClassifyError::InvalidRequest(InvalidFeedback::TooLong(_)) | ClassifyError::TextTooLong(_) => {
                (StatusCode::PAYLOAD_TOO_LARGE, "text_too_long", None)
            }
            ClassifyError::InvalidRequest(_) => (StatusCode::BAD_REQUEST, "invalid_request", None),
            ClassifyError::NotMasked(_) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "personal_data_unavailable",
                Some(1),
            ),
            ClassifyError::Throttled(_) => (StatusCode::TOO_MANY_REQUESTS, "throttled", Some(1)),
            ClassifyError::NotReady(_) => (StatusCode::SERVICE_UNAVAILABLE, "classifier_not_ready", Some(30)),
            ClassifyError::Unavailable(_) => (StatusCode::BAD_GATEWAY, "classifier_unavailable", None),
            ClassifyError::NoPrediction => (StatusCode::BAD_GATEWAY, "no_prediction", None),
            ClassifyError::UnknownPrediction => (StatusCode::NOT_FOUND, "unknown_prediction", None),
            ClassifyError::NoResult(_) => (StatusCode::SERVICE_UNAVAILABLE, "result_unavailable", Some(1)),
        };
        Self {
            status,
            code,
            detail: error.to_string(),
            retry_after_seconds,
        }
    }
}
