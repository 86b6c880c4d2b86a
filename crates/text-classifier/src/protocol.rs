//! Comprehend's AWS JSON 1.1 protocol: which operation a request names, and what its answer looks like.
//!
//! Differs from Comprehend: errors of validation do not repeat the value, operations that are not
//! implemented are refused by name with status 501, and `EncodeDocuments` and `ExplainDocuments` are our own.

use aws_lambda_events::lambda_function_urls::{LambdaFunctionUrlRequest, LambdaFunctionUrlResponse};
use aws_sdk_s3::error::DisplayErrorContext;
use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header::CONTENT_TYPE};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    api_error::ApiError, arn::EndpointArn, bucket::Bucket, classification, classification_job,
    classifier_api, encoders::Encoders, encoding, endpoint_api, explanation, flywheel, personal_data,
    serving::Serving, tags,
};

/// Comprehend's limit for the text of one request: 10 KB of UTF-8.
pub const MAX_TEXT_BYTES: usize = 10_240;

const TARGET: HeaderName = HeaderName::from_static("x-amz-target");
const TARGET_PREFIX: &str = "Comprehend_20171127.";
const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");

/// Comprehend's operations on what lies in the bucket.
#[derive(Debug)]
pub(crate) struct Api {
    pub bucket: Bucket,
    pub serving: Serving,
    pub encoders: Encoders,
    /// The endpoint that initial training files fill. Its account and region are those of everything here.
    pub endpoint: EndpointArn,
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
        let (bucket, own, scope) = (&self.bucket, &self.endpoint, self.endpoint.scope());
        match operation(&request.headers)? {
            "ClassifyDocument" => classification::classify(&self.serving, scope, parse(request)?).await,
            "DetectPiiEntities" => personal_data::detect(parse(request)?),
            "ContainsPiiEntities" => personal_data::contains(parse(request)?),
            "CreateDocumentClassifier" => classifier_api::create(bucket, scope, parse(request)?).await,
            "DescribeDocumentClassifier" => classifier_api::describe(bucket, scope, parse(request)?).await,
            "ListDocumentClassifiers" => classifier_api::list(bucket, parse(request)?).await,
            "ListDocumentClassifierSummaries" => {
                classifier_api::list_summaries(bucket, parse(request)?).await
            }
            "StopTrainingDocumentClassifier" => classifier_api::stop(bucket, scope, parse(request)?).await,
            "DeleteDocumentClassifier" => classifier_api::delete(bucket, scope, parse(request)?).await,
            "CreateEndpoint" => endpoint_api::create(bucket, own, parse(request)?).await,
            "DescribeEndpoint" => endpoint_api::describe(bucket, own, parse(request)?).await,
            "UpdateEndpoint" => endpoint_api::update(bucket, own, parse(request)?).await,
            "ListEndpoints" => endpoint_api::list(bucket, own, parse(request)?).await,
            "DeleteEndpoint" => endpoint_api::delete(bucket, own, parse(request)?).await,
            "StartDocumentClassificationJob" => {
                classification_job::start(bucket, scope, parse(request)?).await
            }
            "DescribeDocumentClassificationJob" => {
                classification_job::describe(bucket, parse(request)?).await
            }
            "ListDocumentClassificationJobs" => classification_job::list(bucket, parse(request)?).await,
            "CreateFlywheel" => flywheel::api::create(bucket, scope, parse(request)?).await,
            "DescribeFlywheel" => flywheel::api::describe(bucket, scope, parse(request)?).await,
            "ListFlywheels" => flywheel::api::list(bucket, parse(request)?).await,
            "UpdateFlywheel" => flywheel::api::update(bucket, scope, parse(request)?).await,
            "DeleteFlywheel" => flywheel::api::delete(bucket, scope, parse(request)?).await,
            "CreateDataset" => flywheel::dataset::create(bucket, scope, parse(request)?).await,
            "DescribeDataset" => flywheel::dataset::describe(bucket, scope, parse(request)?).await,
            "ListDatasets" => flywheel::dataset::list(bucket, scope, parse(request)?).await,
            "StartFlywheelIteration" => flywheel::iteration::start(bucket, scope, parse(request)?).await,
            "DescribeFlywheelIteration" => {
                flywheel::iteration::describe(bucket, scope, parse(request)?).await
            }
            "ListFlywheelIterationHistory" => {
                flywheel::iteration::history(bucket, scope, parse(request)?).await
            }
            "ListTagsForResource" => tags::list(bucket, scope, parse(request)?).await,
            "TagResource" => tags::tag(bucket, scope, parse(request)?).await,
            "UntagResource" => tags::untag(bucket, scope, parse(request)?).await,
            "EncodeDocuments" => encoding::encode(bucket, &self.encoders, parse(request)?).await,
            "ExplainDocuments" => explanation::explain(&self.serving, scope, parse(request)?).await,
            other => Err(ApiError::UnsupportedOperation(other.to_owned())),
        }
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
