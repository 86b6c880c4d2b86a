//! Trains and runs the built-in model; Lambda: a Comprehend-compatible API.
//!
//! As a library: [`TrainingSet::read_csv`], [`train`] and [`Model`] know nothing of AWS. As a function:
//! [`TextClassifier`] turns a training file in S3 into the model that serves, and answers
//! `ClassifyDocument` in Comprehend's protocol behind a function URL.

use active_learning_aws::{
    clients,
    env::{ConfigError, Env},
};
use aws_lambda_events::{
    lambda_function_urls::{LambdaFunctionUrlRequest, LambdaFunctionUrlResponse},
    s3::S3Event,
};
use lambda_runtime::{LambdaEvent, service_fn};
use serde::Deserialize;

mod arn;
mod comprehend;
mod features;
mod initial_model;
mod metrics;
mod model;
mod model_store;
mod serving;
mod train;
mod training_data;

pub use arn::{EndpointArn, InvalidEndpointArn};
pub use comprehend::MAX_TEXT_BYTES;
pub use initial_model::InitialModelError;
pub use metrics::EvaluationMetrics;
pub use model::{Model, ModelError, Prediction};
pub use model_store::{
    ClassifierMetadata, ClassifierProperties, EndpointState, InputDataConfig, ModelMetadata, StoreError,
    TrainingFile,
};
pub use train::{Trained, train};
pub use training_data::{LABEL_DELIMITER, MAX_CLASSES, MAX_LABELS, Mode, TrainingDataError, TrainingSet};

/// What the operator decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Bucket of training files, models and the endpoint's state.
    pub training_bucket: String,
    /// The endpoint that this function serves.
    pub endpoint_arn: EndpointArn,
}

impl Config {
    /// Reads the configuration.
    ///
    /// # Errors
    ///
    /// The variable that is missing or wrong, by name.
    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        Ok(Self {
            training_bucket: env.required("TRAINING_BUCKET_NAME")?,
            endpoint_arn: env.required("COMPREHEND_ENDPOINT_ARN")?,
        })
    }
}

/// What the function is invoked with.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Event {
    /// A training file was uploaded.
    Upload(S3Event),
    /// A request to the function URL (payload 2.0).
    Request(Box<LambdaFunctionUrlRequest>),
}

/// The function.
#[derive(Debug)]
pub struct TextClassifier {
    api: comprehend::Api,
}

impl TextClassifier {
    /// Makes the function; the model is loaded with the first request.
    #[must_use]
    pub fn new(config: Config, s3: aws_sdk_s3::Client) -> Self {
        let store = model_store::ModelStore::new(s3, config.training_bucket, config.endpoint_arn);
        let serving = serving::Serving::new(store.clone());
        Self {
            api: comprehend::Api { store, serving },
        }
    }

    /// Answers a request, or makes a model of an uploaded training file.
    ///
    /// # Errors
    ///
    /// A training file that did not become a model; Lambda sends the event again or sets it aside.
    /// Requests never fail the invocation.
    pub async fn handle(
        &self,
        event: LambdaEvent<Event>,
    ) -> Result<Option<LambdaFunctionUrlResponse>, InitialModelError> {
        match event.payload {
            Event::Request(request) => Ok(Some(self.api.answer(&request, &event.context.request_id).await)),
            Event::Upload(upload) => {
                initial_model::build(&self.api.store, upload).await?;
                Ok(None)
            }
        }
    }
}

/// Runs the function until its environment ends.
///
/// # Errors
///
/// A bad configuration, or a Runtime API that cannot be reached.
pub async fn run() -> Result<(), lambda_runtime::Error> {
    active_learning_aws::init_tracing();
    let config = Config::from_env(&Env::from_process())?;
    let s3 = aws_sdk_s3::Client::new(&clients::sdk_config().await);
    let classifier = TextClassifier::new(config, s3);
    // Boxed: the compiler refuses to lay out the SDK's futures inside the runtime's.
    lambda_runtime::run(service_fn(|event| Box::pin(classifier.handle(event)))).await
}
