//! Why a request is refused, by the cause that a client tells apart.

use http::StatusCode;
use serde_json::{Value, json};

use text_model::ModelError;

use crate::bucket::StoreError;

/// A refusal. Messages never repeat the text.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    #[error(
        "the header X-Amz-Target must name an operation of Comprehend_20171127.; the protocol is AWS JSON 1.1"
    )]
    UnknownOperation,
    #[error("the built-in classifier does not support the operation {0}")]
    UnsupportedOperation(String),
    #[error("the body is not a JSON object with the operation's members")]
    Serialization,
    #[error("1 validation error detected: Value at '{member}' failed to satisfy constraint: {constraint}")]
    Validation {
        member: &'static str,
        constraint: String,
    },
    #[error("{0}")]
    InvalidRequest(&'static str),
    #[error("the document is not usable: {message}")]
    InvalidDocument {
        message: &'static str,
        detail: &'static str,
    },
    #[error(
        "Input text size exceeds limit. Max length of request text allowed is {limit} bytes \
         while in this request the text size is {size} bytes"
    )]
    TextSizeLimitExceeded { size: usize, limit: usize },
    #[error("only one filter may be given")]
    InvalidFilter,
    #[error("{0}")]
    ResourceUnavailable(&'static str),
    #[error("there is no such {0}")]
    ResourceNotFound(&'static str),
    #[error("there is no such classification job")]
    JobNotFound,
    #[error("{0}")]
    ResourceInUse(&'static str),
    #[error("{0}")]
    ResourceLimitExceeded(&'static str),
    #[error("{0}")]
    TooManyRequests(&'static str),
    #[error("a resource has at most 50 tags")]
    TooManyTags,
    #[error("classifiers are trained in en, es, fr, de, it and pt only")]
    UnsupportedLanguage,
    #[error("personal data is found in en and es only")]
    NoPersonalDataInLanguage,
    #[error("the built-in classifier cannot use KMS keys: its bucket's encryption applies")]
    KmsKeyValidation,
    #[error("{}", told(.0))]
    Internal(#[from] StoreError),
}

/// What callers are told of a failure that passes; what lasts is named to them.
pub const SERVICE_FAILED: &str = "the service failed";

/// Returns what callers are told of a failure. What lasts until the settings are others is named: an encoder that cannot
/// be used, or is not the model's.
fn told(error: &StoreError) -> String {
    match error {
        StoreError::Model {
            source: source @ ModelError::OtherEncoder { .. },
            ..
        } => source.to_string(),
        StoreError::Encoder(_) => error.to_string(),
        StoreError::Model { .. } | StoreError::Bucket(_) | StoreError::Read(_) => SERVICE_FAILED.to_owned(),
    }
}

impl ApiError {
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::UnknownOperation => "UnknownOperationException",
            Self::UnsupportedOperation(_) => "UnsupportedOperationException",
            Self::Serialization => "SerializationException",
            Self::Validation { .. } => "ValidationException",
            Self::InvalidRequest(_) | Self::InvalidDocument { .. } => "InvalidRequestException",
            Self::TextSizeLimitExceeded { .. } => "TextSizeLimitExceededException",
            Self::InvalidFilter => "InvalidFilterException",
            Self::ResourceUnavailable(_) => "ResourceUnavailableException",
            Self::ResourceNotFound(_) => "ResourceNotFoundException",
            Self::JobNotFound => "JobNotFoundException",
            Self::ResourceInUse(_) => "ResourceInUseException",
            Self::ResourceLimitExceeded(_) => "ResourceLimitExceededException",
            Self::TooManyRequests(_) => "TooManyRequestsException",
            Self::TooManyTags => "TooManyTagsException",
            Self::UnsupportedLanguage | Self::NoPersonalDataInLanguage => "UnsupportedLanguageException",
            Self::KmsKeyValidation => "KmsKeyValidationException",
            Self::Internal(_) => "InternalServerException",
        }
    }

    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::UnsupportedOperation(_) => StatusCode::NOT_IMPLEMENTED,
            Self::UnknownOperation
            | Self::Serialization
            | Self::Validation { .. }
            | Self::InvalidRequest(_)
            | Self::InvalidDocument { .. }
            | Self::TextSizeLimitExceeded { .. }
            | Self::InvalidFilter
            | Self::ResourceUnavailable(_)
            | Self::ResourceNotFound(_)
            | Self::JobNotFound
            | Self::ResourceInUse(_)
            | Self::ResourceLimitExceeded(_)
            | Self::TooManyRequests(_)
            | Self::TooManyTags
            | Self::UnsupportedLanguage
            | Self::NoPersonalDataInLanguage
            | Self::KmsKeyValidation => StatusCode::BAD_REQUEST,
        }
    }

    pub(crate) fn body(&self) -> Value {
        let mut body = json!({"__type": self.code(), "Message": self.to_string()});
        if let Self::InvalidDocument { detail, .. } = self {
            body["Reason"] = "INVALID_DOCUMENT".into();
            body["Detail"] = json!({"Reason": detail});
        }
        body
    }
}
