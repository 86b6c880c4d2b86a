//! Why an invocation fails.

use active_learning_aws::bucket::BucketError;
use lambda_runtime::Diagnostic;

use crate::MAX_REVIEWER_CHARS;
use crate::event::InvalidEvent;
use crate::members::MemberError;

/// Why an invocation fails; HTTP requests never do.
#[derive(Debug, thiserror::Error)]
pub enum HumanReviewError {
    /// The event is of no kind that this function knows.
    #[error(transparent)]
    InvalidEvent(#[from] InvalidEvent),
    /// The payload of a direct invocation is not a known operation.
    #[error("the payload is not an operation of this function")]
    InvalidOperation(#[source] serde_json::Error),
    /// The reviewer's name is empty, too long or has control characters.
    #[error("the reviewer's name must have 1 to {MAX_REVIEWER_CHARS} characters and no control characters")]
    InvalidReviewer,
    /// Neither the environment nor the payload says where the portal is.
    #[error("PORTAL_URL is empty: give portalUrl in the payload")]
    UnknownPortalUrl,
    /// Nobody of this name was invited or has signed in.
    #[error("nobody of this name is known")]
    UnknownReviewer,
    /// Somebody is invited to a work team that there is not.
    #[error("there is no work team `{0}`: CreateWorkteam makes one")]
    UnknownTeam(String),
    /// The review bucket failed.
    #[error(transparent)]
    Bucket(#[from] BucketError),
}

impl From<MemberError> for HumanReviewError {
    fn from(error: MemberError) -> Self {
        match error {
            MemberError::Unknown => Self::UnknownReviewer,
            MemberError::Bucket(error) => Self::Bucket(error),
        }
    }
}

impl From<HumanReviewError> for Diagnostic {
    fn from(error: HumanReviewError) -> Self {
        let error_type = match &error {
            HumanReviewError::InvalidEvent(_) => "InvalidEvent",
            HumanReviewError::InvalidOperation(_) => "InvalidOperation",
            HumanReviewError::InvalidReviewer => "InvalidReviewer",
            HumanReviewError::UnknownPortalUrl => "UnknownPortalUrl",
            HumanReviewError::UnknownReviewer => "UnknownReviewer",
            HumanReviewError::UnknownTeam(_) => "UnknownTeam",
            HumanReviewError::Bucket(_) => "Bucket",
        };
        Self {
            error_type: error_type.to_owned(),
            error_message: error.to_string(),
        }
    }
}
