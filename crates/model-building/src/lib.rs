//! Lambda: the steps of the model-building state machine, and what starts it.
//!
//! An execution builds a model or rolls one back. Its data is one [`Build`], which every step takes and gives
//! back; what is large or lasts lies in the training bucket under `builds/<execution name>/`. A step may be
//! called again at any time, also after a crash in its middle: it finds what it did and goes on. Whatever
//! happens, the execution ends in the step `record`: one outcome with its reason, and an endpoint that serves.

mod approval;
pub mod assemble;
mod automated_labelling;
mod begin;
mod build;
mod build_record;
mod config;
mod dataset;
mod decision_record;
mod deployment;
pub mod effects;
mod endpoint;
mod error;
mod evaluation;
mod executions;
pub mod export;
mod first_model;
mod flywheel;
mod hosted;
pub mod label_change;
mod label_set;
mod labels;
mod message;
mod old_models;
mod predictions;
pub mod proposals;
mod record;
pub mod relabel;
mod select;
mod spool;
mod tally;
mod tick;
mod training;
mod training_files;
mod verify;
mod versions;

use std::time::Duration;

use active_learning_aws::{bucket::Bucket, clients, event_bus::EventBus, failure::chain, lambda, s3_event};
use active_learning_core::{
    keys,
    labels::label_set::{ChangeCount, LabelChange},
};
use aws_config::SdkConfig;
use chrono::Utc;
use futures::future::{FutureExt, LocalBoxFuture};
use lambda_runtime::LambdaEvent;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::timeout;
use tracing::{error, info, warn};

pub use active_learning_aws::approval::{ApprovalError, approve, reject};
pub use build::{Action, Build, Reason};
pub use build_record::{BuildRecord, Outcome};
pub use config::Config;
pub use decision_record::DecisionRecord;
pub use deployment::{Deployment, SwitchedBy};
pub use endpoint::{EndpointArn, InvalidEndpointArn, serving_model};
pub use error::StepError;
pub use executions::{ExecutionError, Followed, follow, start_build, start_roll_back};
pub use export::newest_mode;
pub use hosted::{DATASET_READY, SOURCE};
use label_change::LabelChanges;
pub use tick::BuildPolicy;
pub use training_files::{describe as describe_training_file, training_files};
pub use versions::{Scores, VersionSummary, versions};

/// A step of the state machine.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Operation {
    Begin,
    Assemble,
    Check,
    Train,
    DescribeTraining,
    StartEvaluation,
    DescribeEvaluation,
    Select,
    RequestApproval,
    Deploy,
    DescribeDeployment,
    Verify,
    SwitchBack,
    Record,
}

/// The payload of a step.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Step {
    operation: Operation,
    build: Build,
    /// Of `request-approval`.
    task_token: Option<String>,
}

/// Asks what a change of the label set will do.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CountLabelChange {
    /// Bucket of the questions.
    feedback_bucket: String,
    change: LabelChange,
    /// Seconds that whoever asks waits for the answer.
    within_seconds: u64,
}

/// The function.
#[derive(Debug)]
pub struct ModelBuilding {
    comprehend: aws_sdk_comprehend::Client,
    sfn: aws_sdk_sfn::Client,
    bucket: Bucket,
    bus: EventBus,
    config: Config,
}

impl ModelBuilding {
    /// Makes the function with clients of its own.
    pub fn new(config: Config, sdk: &SdkConfig) -> Self {
        let s3 = aws_sdk_s3::Client::new(sdk);
        Self {
            comprehend: clients::comprehend(sdk, config.classifier_url.as_deref()),
            sfn: aws_sdk_sfn::Client::new(sdk),
            bus: EventBus::new(sdk, &config.event_bus),
            bucket: Bucket::new(s3, &config.training_bucket),
            config,
        }
    }

    /// Does a step of an execution; or considers a new build, by schedule or for an event of new labels.
    ///
    /// # Errors
    ///
    /// [`StepError`]; the state machine tries again what may succeed later, and records the rest.
    pub async fn handle(&self, payload: Value) -> Result<Value, StepError> {
        match payload["operation"].as_str() {
            Some("tick") => {
                Box::pin(self.tick(Utc::now())).await?;
                Ok(json!({}))
            }
            Some("count-label-change") => {
                let counted = Box::pin(self.count_label_change(payload)).await?;
                Ok(serde_json::to_value(counted).expect("a count has only string keys"))
            }
            Some(_) => {
                let step = Step::deserialize(payload).map_err(StepError::invalid_payload)?;
                let build = self.step(step).await?;
                Ok(serde_json::to_value(build).expect("a build has only string keys"))
            }
            None => {
                let objects = s3_event::objects(payload).map_err(StepError::invalid_payload)?;
                if objects
                    .iter()
                    .any(|object| object.key.starts_with(keys::LABELLED_FOLDER))
                {
                    Box::pin(self.consider(Utc::now())).await?;
                }
                Ok(json!({}))
            }
        }
    }

    /// Says what a change of the label set will do, for the console of the review service, or why it was not counted: nobody waits
    /// for a count that takes longer, and one that fails leaves nothing undone.
    async fn count_label_change(&self, payload: Value) -> Result<ChangeCount, StepError> {
        let asked = CountLabelChange::deserialize(payload).map_err(StepError::invalid_payload)?;
        let feedback = self.bucket.other(&asked.feedback_bucket);
        let several = self.config.several_labels;
        let changes = LabelChanges::new(self.bucket.clone(), feedback, several);
        let longest = Duration::from_secs(asked.within_seconds);
        Ok(
            match timeout(longest, changes.count(several, &asked.change)).await {
                Ok(Ok(counted)) => ChangeCount::Counted(counted),
                Ok(Err(error)) => {
                    warn!(
                        error = chain(error.as_ref()),
                        "a change of the label set was not counted"
                    );
                    ChangeCount::NotCounted("the answers cannot be read now".to_owned())
                }
                Err(_) => ChangeCount::NotCounted("it takes longer than a page may wait".to_owned()),
            },
        )
    }

    async fn step(&self, step: Step) -> Result<Build, StepError> {
        let (id, operation) = (step.build.id.clone(), step.operation);
        let build = self.begun(step).await?;
        info!(build.id = id, operation = ?operation, status = ?build.status, "step done");
        Ok(build)
    }

    /// Begins a step. Boxed here: an unoptimised build keeps a place on the stack for each of them.
    fn begun(&self, step: Step) -> LocalBoxFuture<'_, Result<Build, StepError>> {
        let build = step.build;
        match step.operation {
            Operation::Begin => self.begin(build).boxed_local(),
            Operation::Assemble => self.assemble(build).boxed_local(),
            Operation::Check => self.check(build).boxed_local(),
            Operation::Train => self.train(build).boxed_local(),
            Operation::DescribeTraining => self.describe_training(build).boxed_local(),
            Operation::StartEvaluation => self.start_evaluation(build).boxed_local(),
            Operation::DescribeEvaluation => self.describe_evaluation(build).boxed_local(),
            Operation::Select => self.select(build).boxed_local(),
            Operation::RequestApproval => self.request_approval(build, step.task_token).boxed_local(),
            Operation::Deploy => self.deploy(build).boxed_local(),
            Operation::DescribeDeployment => self.describe_deployment(build).boxed_local(),
            Operation::Verify => self.verify(build).boxed_local(),
            Operation::SwitchBack => self.switch_back(build).boxed_local(),
            Operation::Record => self.record(build).boxed_local(),
        }
    }
}

/// Runs the function in its Lambda environment.
///
/// # Errors
///
/// A wrong configuration, or the Lambda runtime's own failure.
pub async fn run() -> Result<(), lambda_runtime::Error> {
    let (env, sdk) = lambda::start().await;
    let model_building = &ModelBuilding::new(lambda::configured(&env, Config::from_env(&env))?, &sdk);
    lambda::run_events(async |event: LambdaEvent<Value>| {
        let done = model_building.handle(event.payload).await;
        done.inspect_err(|failure| error!(error = chain(failure), "the step failed"))
    })
    .await
}
