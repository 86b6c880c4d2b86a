//! Where models and the endpoint's state lie in the training bucket.
//!
//! ```text
//! text-classifier/models/<name>/<version>/model.bin        the model's file
//! text-classifier/models/<name>/<version>/metadata.json    what it is; written last: the model exists from then on
//! text-classifier/endpoints/<name>.json                    which model serves
//! ```

use active_learning_aws::objects;
use aws_sdk_s3::{
    Client,
    error::{BoxError, ProvideErrorMetadata, SdkError},
    operation::{get_object::GetObjectError, put_object::PutObjectError},
    primitives::ByteStream,
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{EvaluationMetrics, Mode, Model, ModelError, arn::EndpointArn};

/// Which model serves. Written whole, each time on condition that nobody else wrote in between.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EndpointState {
    /// `IN_SERVICE`; while there is no state at all the endpoint is `CREATING`.
    pub status: String,
    /// ARN of the model that serves.
    pub model_arn: String,
    /// ARN of the model that is to serve.
    pub desired_model_arn: String,
    /// When the first model came into service.
    pub creation_time: DateTime<Utc>,
    /// When the state changed last.
    pub last_modified_time: DateTime<Utc>,
    /// When the initial training file of the serving model was uploaded: an older file never replaces a newer one.
    pub training_data_time: DateTime<Utc>,
}

/// What a model is: Comprehend's description, and where the model came from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelMetadata {
    /// Answer of `DescribeDocumentClassifier`.
    pub properties: ClassifierProperties,
    /// Labels in alphabetical order.
    pub labels: Vec<String>,
    /// Expected calibration error of the cross-validated scores, 0 to 1.
    pub calibration_error: f64,
    /// The training file.
    pub source: TrainingFile,
}

/// The object that a model was trained on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TrainingFile {
    /// Object key.
    pub key: String,
    /// ETag, without quotes.
    pub etag: String,
}

/// Comprehend's `DocumentClassifierProperties`, as far as they mean anything here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "names and meaning are Comprehend's")]
pub struct ClassifierProperties {
    pub document_classifier_arn: String,
    pub version_name: String,
    pub status: String,
    pub mode: Mode,
    /// Seconds since 1970, as are the other times.
    pub submit_time: f64,
    pub training_start_time: f64,
    pub training_end_time: f64,
    pub end_time: f64,
    pub input_data_config: InputDataConfig,
    pub classifier_metadata: ClassifierMetadata,
}

/// Comprehend's `DocumentClassifierInputDataConfig`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "names and meaning are Comprehend's")]
pub struct InputDataConfig {
    pub data_format: String,
    pub s3_uri: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_delimiter: Option<String>,
}

/// Comprehend's `ClassifierMetadata`. Test documents are the ones held out in turn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "names and meaning are Comprehend's")]
pub struct ClassifierMetadata {
    pub number_of_labels: usize,
    pub number_of_trained_documents: usize,
    pub number_of_test_documents: usize,
    pub evaluation_metrics: EvaluationMetrics,
}

/// The endpoint's state as last read, with the ETag that it had.
pub(crate) struct Versioned {
    pub state: EndpointState,
    pub etag: Option<String>,
}

/// Outcome of a conditional read of the endpoint's state.
pub(crate) enum StateRead {
    Unchanged,
    Missing,
    Found(Versioned),
}

/// Why something in the training bucket could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// S3 refused or did not answer.
    #[error("the training bucket could not be used")]
    S3(#[source] BoxError),
    /// An object of ours is not the JSON that we wrote.
    #[error("object {key} is not readable")]
    Json {
        /// Its key.
        key: String,
        /// What is wrong.
        #[source]
        source: serde_json::Error,
    },
    /// The endpoint's state names a model that is not one of this endpoint's.
    #[error("the endpoint's model {0} is not one of its own")]
    ForeignModel(String),
    /// A model's file cannot be used.
    #[error("model {key} cannot be used: {source}")]
    Model {
        /// Its key.
        key: String,
        /// What is wrong.
        #[source]
        source: ModelError,
    },
}

/// The training bucket.
#[derive(Debug, Clone)]
pub(crate) struct ModelStore {
    client: Client,
    bucket: String,
    endpoint: EndpointArn,
}

impl ModelStore {
    pub(crate) fn new(client: Client, bucket: String, endpoint: EndpointArn) -> Self {
        Self {
            client,
            bucket,
            endpoint,
        }
    }

    pub(crate) fn bucket(&self) -> &str {
        &self.bucket
    }

    pub(crate) fn endpoint(&self) -> &EndpointArn {
        &self.endpoint
    }

    /// Reads a training file if it is still the one with that ETag; `None` if not.
    pub(crate) async fn training_file(&self, key: &str, etag: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let call = self.client.get_object().bucket(&self.bucket).key(key);
        match call.if_match(format!("\"{etag}\"")).send().await {
            Ok(object) => Ok(Some(collect(object.body).await?)),
            Err(error) if status(&error) == Some(412) || is_missing(&error) => Ok(None),
            Err(error) => Err(StoreError::S3(error.into())),
        }
    }

    pub(crate) async fn metadata(&self, version: &str) -> Result<Option<ModelMetadata>, StoreError> {
        let key = self.metadata_key(version);
        match self.get(&key, None).await {
            Ok(object) => parse_json(&key, &collect(object.body).await?).map(Some),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(StoreError::S3(error.into())),
        }
    }

    pub(crate) async fn model(&self, version: &str) -> Result<Model, StoreError> {
        let key = self.model_key(version);
        let object = self
            .get(&key, None)
            .await
            .map_err(|error| StoreError::S3(error.into()))?;
        let file = collect(object.body).await?;
        Model::from_bytes(&file).map_err(|source| StoreError::Model { key, source })
    }

    /// Writes a model, its metadata last.
    pub(crate) async fn put_model(
        &self,
        version: &str,
        model: &Model,
        metadata: &ModelMetadata,
    ) -> Result<(), StoreError> {
        let (model_key, metadata_key) = (self.model_key(version), self.metadata_key(version));
        objects::put(
            &self.client,
            &self.bucket,
            &model_key,
            "application/octet-stream",
            model.to_bytes(),
        )
        .await
        .map_err(StoreError::S3)?;
        objects::put(
            &self.client,
            &self.bucket,
            &metadata_key,
            "application/json",
            to_json(metadata),
        )
        .await
        .map_err(StoreError::S3)
    }

    /// Reads the endpoint's state unless it still has the known ETag.
    pub(crate) async fn endpoint_state(&self, known_etag: Option<String>) -> Result<StateRead, StoreError> {
        let key = self.endpoint_key();
        match self.get(&key, known_etag).await {
            Ok(object) => {
                let etag = object.e_tag.clone();
                let state = parse_json(&key, &collect(object.body).await?)?;
                Ok(StateRead::Found(Versioned { state, etag }))
            }
            Err(error) if status(&error) == Some(304) => Ok(StateRead::Unchanged),
            Err(error) if is_missing(&error) => Ok(StateRead::Missing),
            Err(error) => Err(StoreError::S3(error.into())),
        }
    }

    /// Writes the endpoint's state if it is still what was read; returns whether it was written.
    pub(crate) async fn replace_endpoint_state(
        &self,
        read: Option<&Versioned>,
        state: &EndpointState,
    ) -> Result<bool, StoreError> {
        let call = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(self.endpoint_key())
            .content_type("application/json")
            .body(ByteStream::from(to_json(state)));
        let call = match read {
            Some(read) => call.set_if_match(read.etag.clone()),
            None => call.if_none_match("*"),
        };
        match call.send().await {
            Ok(_) => Ok(true),
            Err(error) if lost_race(&error) => Ok(false),
            Err(error) => Err(StoreError::S3(error.into())),
        }
    }

    async fn get(
        &self,
        key: &str,
        known_etag: Option<String>,
    ) -> Result<aws_sdk_s3::operation::get_object::GetObjectOutput, SdkError<GetObjectError>> {
        let call = self.client.get_object().bucket(&self.bucket).key(key);
        call.set_if_none_match(known_etag).send().await
    }

    fn model_key(&self, version: &str) -> String {
        format!(
            "text-classifier/models/{}/{version}/model.bin",
            self.endpoint.name()
        )
    }

    fn metadata_key(&self, version: &str) -> String {
        format!(
            "text-classifier/models/{}/{version}/metadata.json",
            self.endpoint.name()
        )
    }

    fn endpoint_key(&self) -> String {
        format!("text-classifier/endpoints/{}.json", self.endpoint.name())
    }
}

fn is_missing(error: &SdkError<GetObjectError>) -> bool {
    error
        .as_service_error()
        .is_some_and(GetObjectError::is_no_such_key)
}

/// "Not modified" and "precondition failed" have no modelled error.
fn status(error: &SdkError<GetObjectError>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}

fn lost_race(error: &SdkError<PutObjectError>) -> bool {
    matches!(
        error.code(),
        Some("PreconditionFailed" | "ConditionalRequestConflict")
    )
}

async fn collect(body: ByteStream) -> Result<Vec<u8>, StoreError> {
    let bytes = body
        .collect()
        .await
        .map_err(|error| StoreError::S3(error.into()))?;
    Ok(bytes.to_vec())
}

fn to_json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec_pretty(value).expect("our metadata has only string keys")
}

fn parse_json<T: DeserializeOwned>(key: &str, bytes: &[u8]) -> Result<T, StoreError> {
    serde_json::from_slice(bytes).map_err(|source| StoreError::Json {
        key: key.to_owned(),
        source,
    })
}
