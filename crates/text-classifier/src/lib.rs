//! Lambda: a Comprehend-compatible API over the built-in model of [`text_model`].
//!
//! [`TextClassifier`] answers Comprehend's calls for custom classification behind a function URL: classifiers,
//! endpoints, classification, jobs. What takes long happens outside the request, in an invocation by S3, as
//! does the making of the first model from a training file. All state lies in the training bucket.
//!
//! Objects in other buckets than its own, which requests name, are read and written with their `DataAccessRoleArn`. Differs
//! from Comprehend: the role must trust this function's role, and in its own bucket the function needs no other.

use active_learning_aws::{
    env::{ConfigError, Env},
    lambda,
};
use aws_lambda_events::{
    lambda_function_urls::{LambdaFunctionUrlRequest, LambdaFunctionUrlResponse},
    s3::S3Event,
};
use chrono::DateTime;
use lambda_runtime::{Context, LambdaEvent};
use serde::Deserialize;

mod api_error;
mod arn;
mod bucket;
mod bucket_event;
mod classification;
mod classification_job;
mod classification_run;
mod classifier;
mod classifier_api;
mod encoders;
mod encoding;
mod endpoint;
mod endpoint_api;
mod explanation;
mod flywheel;
mod initial_model;
mod listing;
mod output;
mod personal_data;
mod protocol;
mod recent;
mod roll_out;
mod s3_uri;
mod serving;
mod tags;
mod time;
mod training_input;
mod training_run;
mod validation;
mod vectors;
mod work;

pub use api_error::SERVICE_FAILED;
pub use arn::{EndpointArn, InvalidEndpointArn};
pub use bucket::StoreError;
pub use bucket_event::EventError;
pub use encoders::TextEncoder;
pub use protocol::MAX_TEXT_BYTES;
pub use serving::STATE_MAX_AGE;

/// What the operator decides.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Bucket of training files, models and all state.
    pub training_bucket: String,
    /// The endpoint that initial training files fill; others are made by `CreateEndpoint`.
    pub endpoint_arn: EndpointArn,
    /// Share of the texts, from 0 to 1, that the first model is not trained on, by their content.
    ///
    /// The same share is held out of datasets: on these texts later models are compared with the first one.
    pub test_share: f64,
    /// Labels that the label set starts with, until a user's own training file brings its own.
    pub classes: Vec<String>,
    /// Whether a text may have several labels: then initial training files make multi-label models, also where each of
    /// their texts has one.
    pub several_labels: bool,
    /// What models are trained with beside n-grams; one that was trained with another encoder is refused.
    pub text_encoder: TextEncoder,
}

impl Config {
    /// Reads the configuration.
    ///
    /// # Errors
    ///
    /// The variable that is missing or wrong, by name.
    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let test_share: f64 = env.required("TEST_SHARE")?;
        if !(0.0..=1.0).contains(&test_share) {
            return Err(ConfigError::Invalid {
                name: "TEST_SHARE".to_owned(),
                reason: format!("expected a number from 0 to 1, got `{test_share}`"),
            });
        }
        Ok(Self {
            training_bucket: env.required("TRAINING_BUCKET_NAME")?,
            endpoint_arn: env.required("COMPREHEND_ENDPOINT_ARN")?,
            test_share,
            classes: env.list("CLASSES")?,
            several_labels: env.required("SEVERAL_LABELS")?,
            text_encoder: env.required("TEXT_ENCODER")?,
        })
    }
}

/// What the function is invoked with.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Event {
    /// A training file was uploaded, or a request left work to do.
    Bucket(S3Event),
    /// A request to the function URL (payload 2.0).
    Request(Box<LambdaFunctionUrlRequest>),
}

/// The function.
#[derive(Debug)]
pub struct TextClassifier {
    api: protocol::Api,
    encoders: encoders::Encoders,
    config: Config,
    /// Documents that a classification job puts down at a time, if that is decided.
    part: Option<usize>,
}

impl TextClassifier {
    /// Makes the function; models are loaded with the first request for them.
    #[must_use]
    pub fn new(config: Config, s3: aws_sdk_s3::Client) -> Self {
        let bucket = bucket::Bucket::new(s3, config.training_bucket.clone());
        let encoders = encoders::Encoders::new(config.text_encoder, bucket.clone());
        let serving = serving::Serving::new(bucket.clone(), encoders.clone());
        Self {
            api: protocol::Api {
                bucket,
                serving,
                encoders: encoders.clone(),
                endpoint: config.endpoint_arn.clone(),
            },
            encoders,
            config,
            part: None,
        }
    }

    /// Has classification jobs put down their output after so many documents at the latest. Without it, after as many as take
    /// about half a minute.
    #[must_use]
    pub fn with_parts_of(mut self, documents: usize) -> Self {
        self.part = Some(documents);
        self
    }

    /// Lets the function assume the roles that requests name, for data in other buckets than its own.
    #[must_use]
    pub fn assuming_roles(mut self, sdk: aws_config::SdkConfig) -> Self {
        self.api.bucket = self.api.bucket.assuming_roles(sdk);
        self
    }

    /// Answers a request, or does what an object in the training bucket asks for.
    ///
    /// # Errors
    ///
    /// A training file that did not become a model, or a bucket that failed; Lambda sends the event again or
    /// sets it aside. Requests never fail the invocation.
    pub async fn handle(
        &self,
        event: LambdaEvent<Event>,
    ) -> Result<Option<LambdaFunctionUrlResponse>, EventError> {
        match event.payload {
            Event::Request(request) => Ok(Some(self.api.answer(&request, &event.context.request_id).await)),
            Event::Bucket(objects) => {
                let invocation = invocation(&event.context);
                let api = &self.api;
                let (encoders, config) = (&self.encoders, &self.config);
                bucket_event::handle(&api.bucket, encoders, config, objects, &invocation, self.part).await?;
                Ok(None)
            }
        }
    }
}

fn invocation(context: &Context) -> work::Invocation {
    let deadline = i64::try_from(context.deadline).unwrap_or_default();
    work::Invocation {
        request_id: context.request_id.clone(),
        deadline: DateTime::from_timestamp_millis(deadline).unwrap_or_default(),
    }
}

/// Runs the function until its environment ends.
///
/// # Errors
///
/// A bad configuration, or a Runtime API that cannot be reached.
pub async fn run() -> Result<(), lambda_runtime::Error> {
    let (env, sdk) = lambda::start().await;
    let s3 = aws_sdk_s3::Client::new(&sdk);
    let classifier =
        &TextClassifier::new(lambda::configured(&env, Config::from_env(&env))?, s3).assuming_roles(sdk);
    lambda::run_events(|event| classifier.handle(event)).await
}
