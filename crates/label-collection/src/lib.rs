//! Lambda: human answers into labelled records.
//!
//! The output of each human loop becomes one immutable object of labelled records; what it leaves open is
//! asked once more. Every loop that was asked for and is not done with has its input below `asked/` of the
//! feedback bucket: a scheduled sweep looks what became of it, so that no record waits for ever.

mod abandon;
mod answers;
mod correction;
mod deciding;
mod labelling;
mod report;
mod status_change;
mod sweep;
mod telling;

use active_learning_aws::{
    bucket::{Bucket, BucketError},
    claims::ClaimError,
    clients,
    env::{ConfigError, Env},
    erased::ErasedList,
    failure::Refusal,
    human_loops::{AskError, HumanLoops},
    label_set::LabelSets,
    lambda, metrics,
    questions::Questions,
    relabelling::Relabelling,
    s3_event::{self, InvalidEvent, Invocation, S3Object},
};
use active_learning_core::labels::human_loop::{loop_of_correction, loop_of_output};
use aws_config::SdkConfig;
use aws_sdk_s3::error::BoxError;
use chrono::{DateTime, TimeDelta, Utc};
use lambda_runtime::{
    Diagnostic, LambdaEvent,
    tracing::{debug, info},
};
use serde::Deserialize;
use serde_json::Value;
use status_change::StatusChange;

/// The function's name in metrics and below `rejected/`.
const FUNCTION: &str = "label-collection";
/// Folder of `rejected/`: the name that the function had first, since keys do not change.
const REJECTED_FOLDER: &str = "training-data";

/// What a schedule calls for.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Operation {
    /// See to the human loops that are not done with.
    Sweep,
}

/// What an operator decides.
#[derive(Clone, Debug)]
pub struct Config {
    review_bucket: String,
    training_bucket: String,
    feedback_bucket: String,
    workflow_arn: String,
    human_review_url: Option<String>,
    /// How long somebody else is waited for, where people do not agree.
    second_opinion_within: TimeDelta,
    /// Whether a text may have several labels.
    several_labels: bool,
}

impl Config {
    /// Reads the configuration from the function's environment.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the variable that is missing or wrong.
    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let hours: u32 = env.required("SECOND_OPINION_WITHIN_HOURS")?;
        Ok(Self {
            review_bucket: env.required("REVIEW_BUCKET_NAME")?,
            training_bucket: env.required("TRAINING_BUCKET_NAME")?,
            feedback_bucket: env.required("FEEDBACK_BUCKET_NAME")?,
            workflow_arn: env.required("HUMAN_REVIEW_WORKFLOW_ARN")?,
            human_review_url: env.optional("HUMAN_REVIEW_URL")?,
            second_opinion_within: TimeDelta::hours(hours.into()),
            several_labels: env.required("SEVERAL_LABELS")?,
        })
    }
}

/// Why an event could not be worked off; Lambda gives it again, and in the end to the failure destination.
#[derive(Debug, thiserror::Error)]
pub enum LabelCollectionError {
    /// The payload is not what S3 or EventBridge sends.
    #[error(transparent)]
    InvalidEvent(#[from] InvalidEvent),
    /// An output or an earlier labelled object could not be fetched to its end.
    #[error("what people answered could not be read")]
    Read(#[source] BoxError),
    /// Labelled records could not be written, or not be looked for.
    #[error("the training bucket did not answer")]
    TrainingBucket(#[source] BucketError),
    /// What cannot be used could not be set aside.
    #[error("what cannot be used could not be set aside")]
    Rejected(#[source] BucketError),
    /// It is not known which texts were erased.
    #[error("the list of erased texts could not be read")]
    Erased(#[source] BucketError),
    /// A claim could not be given back.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// A question could not be read or written.
    #[error("a question could not be read or written")]
    Question(#[source] BucketError),
    /// Copies of a question that was given up could not be delivered again.
    #[error("copies of a question that was given up could not be delivered again")]
    Copies(#[source] BucketError),
    /// What a change of the label set asks again could not be delivered.
    #[error("what a change of the label set asks again could not be delivered")]
    Relabelling(#[source] BucketError),
    /// The queue of the built-in review service could not be listed.
    #[error("the queue of the review service could not be listed")]
    Queue(#[source] BucketError),
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
            LabelCollectionError::Read(_) => "Read",
            LabelCollectionError::TrainingBucket(_) => "TrainingBucket",
            LabelCollectionError::Rejected(_) => "Rejected",
            LabelCollectionError::Erased(_) => "Erased",
            LabelCollectionError::Claim(_) => "Claim",
            LabelCollectionError::Question(_) => "Question",
            LabelCollectionError::Copies(_) => "Copies",
            LabelCollectionError::Queue(_) => "Queue",
            LabelCollectionError::Relabelling(_) => "Relabelling",
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
    review: Bucket,
    training: Bucket,
    feedback: Bucket,
    a2i: aws_sdk_sagemakera2iruntime::Client,
    human_loops: HumanLoops,
    questions: Questions,
    label_sets: LabelSets,
    erased: ErasedList,
    relabelling: Relabelling,
    config: Config,
}

impl LabelCollection {
    /// Makes the function with clients of its own.
    pub fn new(config: Config, sdk: &SdkConfig) -> Self {
        let feedback = Bucket::new(aws_sdk_s3::Client::new(sdk), &config.feedback_bucket);
        let training = feedback.other(&config.training_bucket);
        let a2i = clients::a2i(sdk, config.human_review_url.as_deref());
        Self {
            human_loops: HumanLoops::new(feedback.clone(), a2i.clone(), config.workflow_arn.clone()),
            questions: Questions::new(FUNCTION, feedback.clone(), training.clone()),
            label_sets: LabelSets::new(training.clone()).with_several_labels(config.several_labels),
            erased: ErasedList::new(feedback.clone()),
            relabelling: Relabelling::new(feedback.clone(), training.clone())
                .with_several_labels(config.several_labels),
            review: feedback.other(&config.review_bucket),
            training,
            feedback,
            a2i,
            config,
        }
    }

    /// Works off the outputs that an S3 event names, sees to the human loop whose end an event of EventBridge tells, or
    /// sweeps: `{"operation": "sweep"}`.
    ///
    /// Idempotent: the same output again adds no label and asks nobody again. Objects that are no output of a
    /// human loop are nothing to do.
    ///
    /// # Errors
    ///
    /// [`LabelCollectionError`], that of the first output or open loop that failed; the others are worked
    /// off.
    pub async fn handle(&self, payload: Value) -> Result<(), LabelCollectionError> {
        self.handle_at(payload, Utc::now()).await
    }

    /// Does what [`LabelCollection::handle`] does, as if it were `now`.
    ///
    /// # Errors
    ///
    /// As [`LabelCollection::handle`].
    pub async fn handle_at(&self, payload: Value, now: DateTime<Utc>) -> Result<(), LabelCollectionError> {
        if let Some(change) = StatusChange::of(&payload)? {
            return Box::pin(self.see_to_ended(&change)).await;
        }
        // Boxed as in `for_each`.
        match Invocation::parse(payload)? {
            Invocation::Operation(Operation::Sweep) => {
                // Last: a change of which nothing was counted looks at all answers.
                let swept = Box::pin(self.sweep(now)).await;
                swept.and(Box::pin(self.go_on_relabelling(now)).await)
            }
            Invocation::Objects(objects) => {
                s3_event::for_each(objects, async |object| self.work_off(&object).await).await
            }
        }
    }

    /// Asks what changes of the label set put in doubt: those of the console, and those whose command was stopped.
    async fn go_on_relabelling(&self, now: DateTime<Utc>) -> Result<(), LabelCollectionError> {
        let resumed = self.relabelling.resume(&active_learning_aws::rfc3339(now)).await;
        let resumed = resumed.map_err(LabelCollectionError::Relabelling)?;
        if resumed.texts + resumed.dropped > 0 {
            info!(
                texts = resumed.texts,
                dropped = resumed.dropped,
                "changes of the label set were gone on with; plans that were never carried out are dropped"
            );
            metrics::count(FUNCTION, &[("ResumedRelabels", resumed.texts as u64)]);
        }
        Ok(())
    }

    async fn work_off(&self, object: &S3Object) -> Result<(), LabelCollectionError> {
        match loop_of_output(&object.key) {
            Some(human_loop) if object.bucket == self.config.review_bucket => {
                self.label(human_loop, &object.key).await?;
            }
            None if object.bucket == self.config.review_bucket => {
                if let Some(human_loop) = loop_of_correction(&object.key) {
                    self.correct(human_loop, &object.key).await?;
                }
            }
            _ => debug!(object.bucket, object.key, "not the output of a human loop"),
        }
        Ok(())
    }
}

/// Runs the function in its Lambda environment.
///
/// # Errors
///
/// A wrong configuration, or the Lambda runtime's own failure.
pub async fn run() -> Result<(), lambda_runtime::Error> {
    let (env, sdk) = lambda::start().await;
    let label_collection = &LabelCollection::new(lambda::configured(&env, Config::from_env(&env))?, &sdk);
    lambda::run_events(|event: LambdaEvent<Value>| label_collection.handle(event.payload)).await
}
