//! Lambda: human answers into labelled records.
//!
//! The output of each human loop becomes one immutable object of labelled records; what it leaves open is
//! asked once more. Every loop that was asked for and is not done with has its input below `asked/` of the
//! feedback bucket: a scheduled sweep looks what became of it, so that no record waits for ever.

mod labelling;
mod sweep;

use std::sync::Arc;

use active_learning_aws::{
    self as aws,
    claims::{self, ClaimError},
    clients,
    env::{ConfigError, Env},
    failure::Refusal,
    human_loops::{AskError, HumanLoops},
    objects,
    rejected::{self, RejectedLines},
    s3_event::{self, InvalidEvent, S3Object},
};
use active_learning_core::{
    feedback::batch::BadItem,
    labels::human_loop::{HumanLoopInput, loop_of_output},
};
use aws_config::SdkConfig;
use aws_sdk_s3::error::BoxError;
use lambda_runtime::{
    Diagnostic, LambdaEvent, service_fn,
    tracing::{debug, warn},
};
use serde_json::Value;

/// The function's name in metrics and below `rejected/`.
const FUNCTION: &str = "label-collection";
/// Folder of `rejected/`: the name that the function had first, since keys do not change.
const REJECTED_FOLDER: &str = "training-data";

/// What an operator decides.
#[derive(Clone, Debug)]
pub struct Config {
    review_bucket: String,
    training_bucket: String,
    feedback_bucket: String,
    workflow_arn: String,
    human_review_url: Option<String>,
}

impl Config {
    /// Reads the configuration from the function's environment.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the variable that is missing or wrong.
    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        Ok(Self {
            review_bucket: env.required("REVIEW_BUCKET_NAME")?,
            training_bucket: env.required("TRAINING_BUCKET_NAME")?,
            feedback_bucket: env.required("FEEDBACK_BUCKET_NAME")?,
            workflow_arn: env.required("HUMAN_REVIEW_WORKFLOW_ARN")?,
            human_review_url: env.optional("HUMAN_REVIEW_URL")?,
        })
    }
}

/// Why an event could not be worked off; Lambda gives it again, and in the end to the failure destination.
#[derive(Debug, thiserror::Error)]
pub enum LabelCollectionError {
    /// The payload is not what S3 sends.
    #[error(transparent)]
    InvalidEvent(#[from] InvalidEvent),
    /// The payload names an operation that does not exist.
    #[error("there is no such operation, only `sweep`")]
    UnknownOperation,
    /// An output or an earlier labelled object could not be fetched to its end.
    #[error("what people answered could not be read")]
    Read(#[source] BoxError),
    /// Labelled records could not be written, or not be looked for.
    #[error("the training bucket did not answer")]
    TrainingBucket(#[source] BoxError),
    /// What cannot be used could not be set aside.
    #[error("what cannot be used could not be set aside")]
    Rejected(#[source] BoxError),
    /// A claim could not be given back.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// Open questions could not be read, written or asked.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// The review service does not say what became of its loops.
    #[error("the human loops could not be listed: check HUMAN_REVIEW_WORKFLOW_ARN and the function's rights")]
    Review(#[source] Refusal),
    /// The flow definition writes its output elsewhere.
    #[error(
        "the output of human loop {0} is not in the review bucket: check the flow definition's output path"
    )]
    OutputElsewhere(String),
}

impl From<LabelCollectionError> for Diagnostic {
    fn from(error: LabelCollectionError) -> Self {
        let error_type = match &error {
            LabelCollectionError::InvalidEvent(_) => "InvalidEvent",
            LabelCollectionError::UnknownOperation => "UnknownOperation",
            LabelCollectionError::Read(_) => "Read",
            LabelCollectionError::TrainingBucket(_) => "TrainingBucket",
            LabelCollectionError::Rejected(_) => "Rejected",
            LabelCollectionError::Claim(_) => "Claim",
            LabelCollectionError::Ask(error) => error.error_type(),
            LabelCollectionError::Review(_) => "Review",
            LabelCollectionError::OutputElsewhere(_) => "OutputElsewhere",
        };
        Self {
            error_type: error_type.to_owned(),
            error_message: error.to_string(),
        }
    }
}

/// The function.
#[derive(Debug)]
pub struct LabelCollection {
    s3: aws_sdk_s3::Client,
    a2i: aws_sdk_sagemakera2iruntime::Client,
    human_loops: HumanLoops,
    config: Config,
}

impl LabelCollection {
    /// Makes the function with clients of its own.
    pub fn new(config: Config, sdk: &SdkConfig) -> Self {
        let s3 = aws_sdk_s3::Client::new(sdk);
        let a2i = clients::a2i(sdk, config.human_review_url.as_deref());
        Self {
            human_loops: HumanLoops::new(
                s3.clone(),
                config.feedback_bucket.clone(),
                a2i.clone(),
                config.workflow_arn.clone(),
            ),
            s3,
            a2i,
            config,
        }
    }

    /// Works off the outputs that an S3 event names, or sweeps: `{"operation": "sweep"}`.
    ///
    /// Idempotent: the same output again adds no label and asks nobody again. Objects that are no output of a
    /// human loop are nothing to do.
    ///
    /// # Errors
    ///
    /// [`LabelCollectionError`], that of the first output or open loop that failed; the others are worked off.
    pub async fn handle(&self, payload: Value) -> Result<(), LabelCollectionError> {
        // Boxed as in `for_each`.
        match payload.get("operation").map(|operation| operation == "sweep") {
            Some(true) => Box::pin(self.sweep()).await,
            Some(false) => Err(LabelCollectionError::UnknownOperation),
            None => s3_event::for_each(payload, async |object| self.work_off(&object).await).await,
        }
    }

    async fn work_off(&self, object: &S3Object) -> Result<(), LabelCollectionError> {
        match loop_of_output(&object.key) {
            Some(human_loop) if object.bucket == self.config.review_bucket => {
                self.label(human_loop, &object.key).await?;
            }
            _ => debug!(object.bucket, object.key, "not the output of a human loop"),
        }
        Ok(())
    }

    /// Sets a loop aside for good: its records with the reason, and their claims given back, so that a text
    /// is asked about anew when it comes again. Returns whether that had not been done before.
    async fn give_up(&self, human_loop: &str, reason: &str) -> Result<bool, LabelCollectionError> {
        let input = self.human_loops.input(human_loop).await?;
        let asked: Option<HumanLoopInput> = input.as_deref().and_then(|text| serde_json::from_str(text).ok());
        let raw: Vec<String> = match &asked {
            Some(asked) => asked
                .comprehend_predictions
                .iter()
                .map(|record| record.to_line().trim_end().to_owned())
                .collect(),
            None => vec![input.unwrap_or_default()],
        };
        let mut lines = RejectedLines::default();
        for (raw, number) in raw.into_iter().zip(1..) {
            let reason = reason.to_owned();
            let raw = raw.into_bytes();
            lines.push(number, &BadItem { reason, raw });
        }
        let created = match lines.finish() {
            Some(object) => {
                let key = rejected::key(REJECTED_FOLDER, human_loop, object.number);
                let bucket = &self.config.feedback_bucket;
                objects::create(&self.s3, bucket, &key, "application/x-ndjson", object.content)
                    .await
                    .map_err(LabelCollectionError::Rejected)?
            }
            None => false,
        };
        if let Some(asked) = asked {
            let owner = format!("{}/{}", asked.bucket_name, asked.key_name);
            for record in &asked.comprehend_predictions {
                claims::release(&self.s3, &self.config.feedback_bucket, &record.id, &owner).await?;
            }
        }
        self.human_loops.forget(human_loop).await?;
        warn!(human_loop.name = human_loop, reason, "set aside");
        Ok(created)
    }
}

/// Runs the function in its Lambda environment.
///
/// # Errors
///
/// A wrong configuration, or the Lambda runtime's own failure.
pub async fn run() -> Result<(), lambda_runtime::Error> {
    aws::init_tracing();
    let config = Config::from_env(&Env::from_process())?;
    let function = Arc::new(LabelCollection::new(config, &clients::sdk_config().await));
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| {
        let function = function.clone();
        async move {
            // A diagnostic holds no causes, which the runtime would log in full.
            let result = function.handle(event.payload).await;
            result.map_err(Diagnostic::from)
        }
    }))
    .await
}
