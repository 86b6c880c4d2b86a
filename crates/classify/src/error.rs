//! Why a request is not answered, and how the caller is told.

use active_learning_aws::{
    bucket::BucketError, classifier::ClassifierError, failure::Refusal, personal_data::NotMasked,
    reply::Problem,
};
use active_learning_core::feedback::{InvalidFeedback, hosted_model::UnreadableAnswer};
use lambda_http::http::StatusCode;

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
    #[error(
        "the SageMaker endpoint is not there or still being made: SageMakerEndpointName must name one that is in service"
    )]
    NoEndpoint(#[source] Refusal),
    #[error("the hosted model is still being loaded; try again in a moment")]
    Loading(#[source] Refusal),
    #[error("the hosted model did not answer: nothing listens where its container is, or it broke off")]
    NoContainer(#[source] Refusal),
    #[error("the hosted model failed with status {status}; the log of its container says why")]
    ModelFailed {
        status: i32,
        #[source]
        refusal: Refusal,
    },
    #[error("the hosted model's answer cannot be read: {0}")]
    Unreadable(UnreadableAnswer),
    #[error("the classifier did not answer")]
    Unavailable(#[source] Refusal),
    #[error("the classifier answered without a class")]
    NoPrediction,
    #[error(
        "no prediction of this id is kept: it is another stack's, or older than PredictionRetentionDays says"
    )]
    UnknownPrediction,
    #[error("what became of the prediction could not be read; try again in a moment")]
    NoResult(#[source] BucketError),
}

impl ClassifyError {
    /// Returns why the classifier gave no prediction.
    pub(crate) fn of(error: ClassifierError, is_hosted: bool) -> Self {
        match error {
            ClassifierError::Refused(refusal) if is_hosted => Self::of_endpoint(refusal),
            ClassifierError::Refused(refusal) => refusal.into(),
            ClassifierError::NoEndpoint(refusal) => Self::NoEndpoint(refusal),
            ClassifierError::ModelFailed { status, refusal } => Self::of_container(status, refusal),
            ClassifierError::Unreadable(why) => Self::Unreadable(why),
            ClassifierError::NoPrediction => Self::NoPrediction,
        }
    }

    /// Tells the failures of a model's container apart. SageMaker has no status, or 0, where the container gave none.
    fn of_container(status: Option<i32>, refusal: Refusal) -> Self {
        match status.unwrap_or_default() {
            0 => Self::NoContainer(refusal),
            429 => Self::Throttled(refusal),
            503 => Self::Loading(refusal),
            status => Self::ModelFailed { status, refusal },
        }
    }

    /// Tells the refusals of SageMaker apart.
    fn of_endpoint(refusal: Refusal) -> Self {
        match refusal.code.as_deref() {
            Some("ModelNotReadyException") => Self::Loading(refusal),
            _ if refusal.is_throttling() => Self::Throttled(refusal),
            _ => Self::Unavailable(refusal),
        }
    }

    /// Returns whether no model is there yet that could answer.
    pub(crate) fn is_before_first_model(&self) -> bool {
        matches!(self, Self::NotReady(_) | Self::NoEndpoint(_))
    }
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
            ClassifyError::NotReady(_) | ClassifyError::NoEndpoint(_) => {
                (StatusCode::SERVICE_UNAVAILABLE, "classifier_not_ready", Some(30))
            }
            ClassifyError::Loading(_) => (StatusCode::SERVICE_UNAVAILABLE, "classifier_not_ready", Some(5)),
            ClassifyError::NoContainer(_) | ClassifyError::ModelFailed { .. } => {
                (StatusCode::BAD_GATEWAY, "model_failed", None)
            }
            ClassifyError::Unreadable(_) => (StatusCode::BAD_GATEWAY, "answer_unreadable", None),
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
