//! Comprehend's AWS JSON 1.1 protocol, as far as a document classifier endpoint needs it.
//!
//! Differs from Comprehend: `Bytes` are plain UTF-8 text only, errors of validation do not repeat the
//! value, and operations that are not implemented are refused by name with status 501.

use aws_lambda_events::lambda_function_urls::{LambdaFunctionUrlRequest, LambdaFunctionUrlResponse};
use aws_sdk_s3::error::DisplayErrorContext;
use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header::CONTENT_TYPE};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{
    Mode, Model,
    arn::{EndpointArn, is_classifier_arn},
    initial_model::epoch_seconds,
    model_store::{EndpointState, ModelStore, StoreError},
    serving::Serving,
};

/// Comprehend's limit for the text of one request: 10 KB of UTF-8.
pub const MAX_TEXT_BYTES: usize = 10_240;
/// A multi-class answer names only so many classes, as Comprehend's does.
const CLASSES_IN_ANSWER: usize = 3;

const TARGET: HeaderName = HeaderName::from_static("x-amz-target");
const TARGET_PREFIX: &str = "Comprehend_20171127.";
const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");

/// The operations of one endpoint.
#[derive(Debug)]
pub(crate) struct Api {
    pub store: ModelStore,
    pub serving: Serving,
}

/// A refusal, by the cause that a client tells apart. Messages never repeat the text.
#[derive(Debug, thiserror::Error)]
enum ApiError {
    #[error(
        "the header X-Amz-Target must name an operation of {TARGET_PREFIX}; the protocol is AWS JSON 1.1"
    )]
    UnknownOperation,
    #[error("the built-in classifier does not support the operation {0}")]
    UnsupportedOperation(String),
    #[error("the body is not a JSON object with the operation's members")]
    Serialization,
    #[error("1 validation error detected: Value at '{member}' failed to satisfy constraint: {constraint}")]
    Validation {
        member: &'static str,
        constraint: &'static str,
    },
    #[error("exactly one of Text and Bytes must be given")]
    TextOrBytes,
    #[error("the document is not usable: {message}")]
    InvalidDocument {
        message: &'static str,
        detail: &'static str,
    },
    #[error(
        "Input text size exceeds limit. Max length of request text allowed is {MAX_TEXT_BYTES} bytes \
         while in this request the text size is {0} bytes"
    )]
    TextSizeLimitExceeded(usize),
    #[error("the endpoint has no model yet: put a training file under initial/ in the training bucket")]
    NoModel,
    #[error("there is no such endpoint")]
    EndpointUnavailable,
    #[error("there is no such {0}")]
    NotFound(&'static str),
    #[error("the service failed")]
    Internal(#[source] StoreError),
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        Self::Internal(error)
    }
}

impl ApiError {
    fn code(&self) -> &'static str {
        match self {
            Self::UnknownOperation => "UnknownOperationException",
            Self::UnsupportedOperation(_) => "UnsupportedOperationException",
            Self::Serialization => "SerializationException",
            Self::Validation { .. } => "ValidationException",
            Self::TextOrBytes | Self::InvalidDocument { .. } => "InvalidRequestException",
            Self::TextSizeLimitExceeded(_) => "TextSizeLimitExceededException",
            Self::NoModel | Self::EndpointUnavailable => "ResourceUnavailableException",
            Self::NotFound(_) => "ResourceNotFoundException",
            Self::Internal(_) => "InternalServerException",
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::UnsupportedOperation(_) => StatusCode::NOT_IMPLEMENTED,
            Self::UnknownOperation
            | Self::Serialization
            | Self::Validation { .. }
            | Self::TextOrBytes
            | Self::InvalidDocument { .. }
            | Self::TextSizeLimitExceeded(_)
            | Self::NoModel
            | Self::EndpointUnavailable
            | Self::NotFound(_) => StatusCode::BAD_REQUEST,
        }
    }

    fn body(&self) -> Value {
        let mut body = json!({"__type": self.code(), "Message": self.to_string()});
        if let Self::InvalidDocument { detail, .. } = self {
            body["Reason"] = "INVALID_DOCUMENT".into();
            body["Detail"] = json!({"Reason": detail});
        }
        body
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ClassifyDocumentRequest {
    endpoint_arn: Option<String>,
    text: Option<String>,
    bytes: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DescribeEndpointRequest {
    endpoint_arn: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DescribeDocumentClassifierRequest {
    document_classifier_arn: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ScoredClass<'a> {
    name: &'a str,
    score: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    page: Option<u32>,
}

/// What is to be classified.
enum Document {
    Text(String),
    PlainTextBytes(String),
}

impl Api {
    /// Answers a request; every failure is an answer too.
    pub(crate) async fn answer(
        &self,
        request: &LambdaFunctionUrlRequest,
        request_id: &str,
    ) -> LambdaFunctionUrlResponse {
        match self.operate(request).await {
            Ok(body) => response(StatusCode::OK, &body, request_id, None),
            Err(error) => {
                if let ApiError::Internal(cause) = &error {
                    tracing::error!(error = %DisplayErrorContext(cause), "request failed");
                }
                response(error.status(), &error.body(), request_id, Some(error.code()))
            }
        }
    }

    async fn operate(&self, request: &LambdaFunctionUrlRequest) -> Result<Value, ApiError> {
        let operation = operation(&request.headers)?;
        match operation {
            "ClassifyDocument" => self.classify_document(parse(request)?).await,
            "DescribeEndpoint" => self.describe_endpoint(parse(request)?).await,
            "DescribeDocumentClassifier" => self.describe_document_classifier(parse(request)?).await,
            other => Err(ApiError::UnsupportedOperation(other.to_owned())),
        }
    }

    async fn classify_document(&self, request: ClassifyDocumentRequest) -> Result<Value, ApiError> {
        let arn = endpoint_arn(request.endpoint_arn)?;
        let document = document(request.text, request.bytes)?;
        if arn != *self.store.endpoint() {
            return Err(ApiError::EndpointUnavailable);
        }
        let endpoint = self.serving.endpoint().await?.ok_or(ApiError::NoModel)?;
        Ok(classification(&endpoint.model, &document))
    }

    async fn describe_endpoint(&self, request: DescribeEndpointRequest) -> Result<Value, ApiError> {
        let arn = endpoint_arn(request.endpoint_arn)?;
        if arn != *self.store.endpoint() {
            return Err(ApiError::NotFound("endpoint"));
        }
        let endpoint = self.serving.endpoint().await?;
        let state = endpoint.map(|endpoint| endpoint.state);
        Ok(json!({"EndpointProperties": endpoint_properties(&arn, state.as_ref())}))
    }

    async fn describe_document_classifier(
        &self,
        request: DescribeDocumentClassifierRequest,
    ) -> Result<Value, ApiError> {
        let arn = required("documentClassifierArn", request.document_classifier_arn)?;
        if !is_classifier_arn(&arn) {
            return Err(pattern("documentClassifierArn"));
        }
        let not_found = || ApiError::NotFound("document classifier");
        let version = self.store.endpoint().model_version(&arn).ok_or_else(not_found)?;
        let metadata = self.store.metadata(version).await?.ok_or_else(not_found)?;
        Ok(json!({"DocumentClassifierProperties": metadata.properties}))
    }
}

fn operation(headers: &HeaderMap) -> Result<&str, ApiError> {
    headers
        .get(TARGET)
        .and_then(|target| target.to_str().ok())
        .and_then(|target| target.strip_prefix(TARGET_PREFIX))
        .filter(|name| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric()))
        .ok_or(ApiError::UnknownOperation)
}

fn parse<T: DeserializeOwned>(request: &LambdaFunctionUrlRequest) -> Result<T, ApiError> {
    let body = request.body.as_deref().unwrap_or_default();
    let decoded = if request.is_base64_encoded {
        BASE64_STANDARD
            .decode(body)
            .map_err(|_| ApiError::Serialization)?
    } else {
        body.as_bytes().to_vec()
    };
    // By way of an object: an array would be taken for the members in order.
    let members: serde_json::Map<String, Value> =
        serde_json::from_slice(&decoded).map_err(|_| ApiError::Serialization)?;
    T::deserialize(Value::Object(members)).map_err(|_| ApiError::Serialization)
}

fn endpoint_arn(arn: Option<String>) -> Result<EndpointArn, ApiError> {
    required("endpointArn", arn)?
        .parse()
        .map_err(|_| pattern("endpointArn"))
}

fn document(text: Option<String>, bytes: Option<String>) -> Result<Document, ApiError> {
    match (text, bytes) {
        (Some(text), None) => {
            not_empty("text", &text)?;
            if text.len() > MAX_TEXT_BYTES {
                return Err(ApiError::TextSizeLimitExceeded(text.len()));
            }
            Ok(Document::Text(text))
        }
        (None, Some(base64)) => {
            not_empty("bytes", &base64)?;
            plain_text(&base64).map(Document::PlainTextBytes)
        }
        (None, None) | (Some(_), Some(_)) => Err(ApiError::TextOrBytes),
    }
}

fn plain_text(base64: &str) -> Result<String, ApiError> {
    let bytes = BASE64_STANDARD
        .decode(base64)
        .map_err(|_| ApiError::Serialization)?;
    if bytes.len() > MAX_TEXT_BYTES {
        let message = "it is longer than 10,240 bytes";
        return Err(ApiError::InvalidDocument {
            message,
            detail: "DOCUMENT_SIZE_EXCEEDED",
        });
    }
    match String::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') && !text.starts_with("%PDF-") => Ok(text),
        Ok(_) | Err(_) => {
            let message = "only plain text in UTF-8 is supported";
            Err(ApiError::InvalidDocument {
                message,
                detail: "UNSUPPORTED_DOC_TYPE",
            })
        }
    }
}

fn required(member: &'static str, value: Option<String>) -> Result<String, ApiError> {
    value.ok_or(ApiError::Validation {
        member,
        constraint: "Member must not be null",
    })
}

fn not_empty(member: &'static str, value: &str) -> Result<(), ApiError> {
    let constraint = "Member must have length greater than or equal to 1";
    if value.is_empty() {
        Err(ApiError::Validation { member, constraint })
    } else {
        Ok(())
    }
}

fn pattern(member: &'static str) -> ApiError {
    ApiError::Validation {
        member,
        constraint: "Member must satisfy the pattern of its ARN",
    }
}

fn classification(model: &Model, document: &Document) -> Value {
    let (text, page) = match document {
        Document::Text(text) => (text, None),
        Document::PlainTextBytes(text) => (text, Some(1)),
    };
    let (member, limit) = match model.mode() {
        Mode::MultiClass => ("Classes", CLASSES_IN_ANSWER),
        Mode::MultiLabel => ("Labels", usize::MAX),
    };
    let scored: Vec<_> = model
        .predict(text)
        .into_iter()
        .take(limit)
        .map(|prediction| ScoredClass {
            name: prediction.label,
            score: prediction.score,
            page,
        })
        .collect();
    let mut answer = json!({member: scored});
    if page.is_some() {
        answer["DocumentMetadata"] = json!({
            "Pages": 1,
            "ExtractedCharacters": [{"Page": 1, "Count": text.chars().count()}],
        });
        answer["DocumentType"] = json!([{"Page": 1, "Type": "PLAIN_TEXT"}]);
    }
    answer
}

fn endpoint_properties(arn: &EndpointArn, state: Option<&EndpointState>) -> Value {
    let Some(state) = state else {
        return json!({
            "EndpointArn": arn.as_str(),
            "Status": "CREATING",
            "Message": ApiError::NoModel.to_string(),
            "DesiredInferenceUnits": 1,
        });
    };
    json!({
        "EndpointArn": arn.as_str(),
        "Status": state.status,
        "ModelArn": state.model_arn,
        "DesiredModelArn": state.desired_model_arn,
        "DesiredInferenceUnits": 1,
        "CurrentInferenceUnits": 1,
        "CreationTime": epoch_seconds(state.creation_time),
        "LastModifiedTime": epoch_seconds(state.last_modified_time),
    })
}

fn response(
    status: StatusCode,
    body: &Value,
    request_id: &str,
    error_code: Option<&'static str>,
) -> LambdaFunctionUrlResponse {
    let mut response = LambdaFunctionUrlResponse::default();
    response.status_code = status.as_u16().into();
    response.body = Some(body.to_string());
    let headers = &mut response.headers;
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/x-amz-json-1.1"),
    );
    if let Ok(request_id) = HeaderValue::from_str(request_id) {
        headers.insert(REQUEST_ID, request_id);
    }
    if let Some(code) = error_code {
        headers.insert(ERROR_TYPE, HeaderValue::from_static(code));
    }
    response
}
