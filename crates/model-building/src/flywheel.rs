//! Building with a flywheel of Comprehend in place of trainings of our own: `FlywheelArn`.
//!
//! The rows of a dataset version that are not in the flywheel's data lake yet are put there as datasets, and an iteration
//! trains and evaluates. Where it evaluated the model that serves, its averages decide; otherwise champion and challenger
//! classify the held-out rows, as in any other build. What is in the lake stays there: Comprehend deletes no dataset.

use std::collections::BTreeSet;

use active_learning_core::{
    dataset::{DatasetManifest, Mode, Problem, Severity},
    model::evaluation::Evaluation,
};
use aws_sdk_comprehend::types::{
    DatasetStatus, DocumentClassifierMode, FlywheelIterationProperties, FlywheelIterationStatus,
    FlywheelModelEvaluationMetrics, FlywheelProperties, FlywheelStatus,
};
use aws_sdk_s3::error::ProvideErrorMetadata;
use chrono::Utc;
use serde::{Deserialize, Serialize};
use tracing::{info, warn};

use crate::{
    ModelBuilding,
    build::{Build, Status},
    deployment::token,
    error::StepError,
};

mod datasets;
mod decision;

/// Labels that are named where a flywheel does not know them.
const NAMED: usize = 10;

/// What a build has done with the flywheel so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Turn {
    /// ARNs of the datasets that this build puts into the lake.
    pub datasets: Vec<String>,
    /// Id of the iteration, once it is started.
    #[serde(default)]
    pub iteration: Option<String>,
    /// What it came to.
    #[serde(default)]
    pub result: Option<IterationResult>,
}

/// What an iteration came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct IterationResult {
    /// ARN of the model that was the active one.
    pub evaluated_model: Option<String>,
    pub evaluated: Option<Averages>,
    pub trained: Option<Averages>,
}

/// Averages over the flywheel's test data.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Averages {
    pub f1: f64,
    pub accuracy: f64,
}

impl Averages {
    fn of(metrics: &FlywheelModelEvaluationMetrics) -> Option<Self> {
        Some(Self {
            f1: metrics.average_f1_score?,
            accuracy: metrics.average_accuracy.unwrap_or_default(),
        })
    }

    fn evaluation(self, rows: u64) -> Evaluation {
        Evaluation::of_averages(
            usize::try_from(rows).unwrap_or(usize::MAX),
            self.accuracy,
            self.f1,
        )
    }
}

impl Turn {
    /// Returns what the iteration said, where it has measured the new model and, if one serves, the one that serves.
    pub(crate) fn measured(&self, champion: Option<&str>) -> Option<(&IterationResult, Averages)> {
        let result = self.result.as_ref()?;
        let trained = result.trained?;
        let is_measured = match champion {
            Some(champion) => {
                result.evaluated.is_some() && result.evaluated_model.as_deref() == Some(champion)
            }
            None => true,
        };
        is_measured.then_some((result, trained))
    }
}

impl ModelBuilding {
    /// Describes the flywheel.
    async fn flywheel(&self, arn: &str) -> Result<FlywheelProperties, StepError> {
        let described = self.comprehend.describe_flywheel().flywheel_arn(arn).send().await;
        let described = described.map_err(|error| {
            let what = format!("the flywheel {arn} (parameter FlywheelArn) could not be described");
            StepError::refused(&what, error)
        })?;
        let gone = || StepError::Failed(format!("the flywheel {arn} has no description"));
        described.flywheel_properties.ok_or_else(gone)
    }

    /// Says what keeps the flywheel from learning a dataset: its labels and mode are fixed when it is made.
    pub(crate) async fn flywheel_problems(
        &self,
        manifest: &DatasetManifest,
    ) -> Result<Vec<Problem>, StepError> {
        let Some(arn) = &self.config.flywheel_arn else {
            return Ok(Vec::new());
        };
        let flywheel = self.flywheel(arn).await?;
        match flywheel.status {
            Some(FlywheelStatus::Active) => {}
            Some(FlywheelStatus::Creating | FlywheelStatus::Updating) => {
                return Err(StepError::NotNow(format!(
                    "the flywheel {arn} is being made or changed"
                )));
            }
            status => {
                let status = status.map_or_else(|| "unknown".to_owned(), |status| status.to_string());
                let message = flywheel.message.as_deref().unwrap_or("no reason is given");
                return Err(StepError::Failed(format!(
                    "the flywheel {arn} cannot be used: its status is {status}: {message}"
                )));
            }
        }

        let task = flywheel
            .task_config
            .and_then(|task| task.document_classification_config);
        let Some(task) = task else {
            return Err(StepError::Failed(format!(
                "the flywheel {arn} is not of a document classifier"
            )));
        };
        let mut problems = Vec::new();
        let mode = match manifest.mode {
            Mode::MultiClass => DocumentClassifierMode::MultiClass,
            Mode::MultiLabel => DocumentClassifierMode::MultiLabel,
        };
        if task.mode != mode {
            problems.push(format!(
                "the flywheel is {}, and the dataset is {mode}: a flywheel never changes its mode",
                task.mode
            ));
        }
        let known: BTreeSet<&str> = task.labels().iter().map(String::as_str).collect();
        let classes = manifest.train.summary.classes.keys().map(String::as_str);
        let unknown: Vec<String> = classes
            .filter(|class| !known.is_empty() && !known.contains(class))
            .map(|class| format!("`{class}`"))
            .collect();
        if !unknown.is_empty() {
            problems.push(format!(
                "the flywheel does not know {}{}: its labels are those that it was made with. Make another flywheel \
                 and name it in the parameter FlywheelArn",
                unknown[..unknown.len().min(NAMED)].join(", "),
                match unknown.len().saturating_sub(NAMED) {
                    0 => String::new(),
                    more => format!(" and {more} more"),
                }
            ));
        }
        let error = |message| Problem {
            severity: Severity::Error,
            message,
        };
        Ok(problems.into_iter().map(error).collect())
    }

    /// Puts what is new into the flywheel's lake.
    pub(crate) async fn feed_flywheel(&self, mut build: Build, arn: &str) -> Result<Build, StepError> {
        let manifest = self.manifest(build.dataset()?).await?;
        let flywheel = self.flywheel(arn).await?;
        let active = flywheel.active_model_arn.as_deref();
        build.flywheel = Some(Turn {
            datasets: self.put_datasets(&build, arn, active, &manifest).await?,
            ..Turn::default()
        });
        build.begin_to_wait(Utc::now());
        Ok(build)
    }

    /// Asks what the datasets, and then the iteration, have come to.
    pub(crate) async fn describe_turn(
        &self,
        mut build: Build,
        arn: &str,
        mut turn: Turn,
    ) -> Result<Build, StepError> {
        match &turn.iteration {
            None => {
                if self.are_complete(&turn.datasets).await? {
                    turn.iteration = Some(self.start_iteration(&build, arn).await?);
                    build.begin_to_wait(Utc::now());
                } else {
                    build.wait_on(Utc::now());
                }
            }
            Some(id) => match self.iteration_end(arn, id).await? {
                Some(iteration) => {
                    let model = iteration.trained_model_arn.ok_or_else(|| {
                        StepError::Failed(format!("the iteration {id} of {arn} completed without a model"))
                    })?;
                    build.challenger = Some(model);
                    build.status = Status::Trained;
                    turn.result = Some(IterationResult {
                        evaluated_model: iteration.evaluated_model_arn,
                        evaluated: iteration.evaluated_model_metrics.as_ref().and_then(Averages::of),
                        trained: iteration.trained_model_metrics.as_ref().and_then(Averages::of),
                    });
                }
                None => build.wait_on(Utc::now()),
            },
        }
        build.flywheel = Some(turn);
        Ok(build)
    }

    async fn are_complete(&self, datasets: &[String]) -> Result<bool, StepError> {
        let mut complete = true;
        for arn in datasets {
            let described = self.comprehend.describe_dataset().dataset_arn(arn).send().await;
            let described = described.map_err(|error| {
                StepError::refused(&format!("the dataset {arn} could not be described"), error)
            })?;
            let Some(dataset) = described.dataset_properties else {
                return Err(StepError::Failed(format!("the dataset {arn} has no description")));
            };
            let message = dataset.message.as_deref();
            match dataset.status {
                Some(DatasetStatus::Completed) => {
                    if let Some(message) = message {
                        warn!(
                            dataset.arn = arn,
                            message, "the flywheel took the dataset with a remark"
                        );
                    }
                }
                Some(DatasetStatus::Failed) => {
                    return Err(StepError::Failed(format!(
                        "the flywheel did not take the dataset {arn}: {}",
                        message.unwrap_or("no reason is given")
                    )));
                }
                _ => complete = false,
            }
        }
        Ok(complete)
    }

    /// Idempotent: the same build makes the same iteration.
    async fn start_iteration(&self, build: &Build, arn: &str) -> Result<String, StepError> {
        let what = format!("an iteration of the flywheel {arn} could not be started");
        let start = self.comprehend.start_flywheel_iteration().flywheel_arn(arn);
        let start = start.client_request_token(token(&[&build.execution_arn, "iteration"]));
        let started = start.send().await;
        let started = started.map_err(|error| StepError::refused(&what, error))?;
        let id = started
            .flywheel_iteration_id
            .ok_or_else(|| StepError::Failed(format!("{what}: the service gave it no id")))?;
        info!(flywheel.arn = arn, iteration.id = id, "the flywheel trains");
        Ok(id)
    }

    /// Returns an iteration that is complete; `None` while it goes on.
    async fn iteration_end(
        &self,
        arn: &str,
        id: &str,
    ) -> Result<Option<FlywheelIterationProperties>, StepError> {
        let what = format!("the iteration {id} of the flywheel {arn}");
        let describe = self.comprehend.describe_flywheel_iteration().flywheel_arn(arn);
        let described = describe.flywheel_iteration_id(id).send().await;
        let described = described
            .map_err(|error| StepError::refused(&format!("{what} could not be described"), error))?;
        let Some(iteration) = described.flywheel_iteration_properties else {
            return Err(StepError::Failed(format!("{what} has no description")));
        };
        let message = iteration.message.as_deref().unwrap_or("no reason is given");
        match iteration.status {
            Some(FlywheelIterationStatus::Completed) => Ok(Some(iteration)),
            Some(FlywheelIterationStatus::Failed) => {
                Err(StepError::Failed(format!("{what} failed: {message}")))
            }
            Some(FlywheelIterationStatus::Stopped | FlywheelIterationStatus::StopRequested) => {
                Err(StepError::Failed(format!("{what} was ended by somebody")))
            }
            _ => Ok(None),
        }
    }

    /// Makes a model the flywheel's active one. A model that is none of the flywheel's comes into service without it: so
    /// do those that served before there was a flywheel, in a roll-back.
    pub(crate) async fn promote(&self, model: &str) -> Result<(), StepError> {
        let Some(arn) = &self.config.flywheel_arn else {
            return Ok(());
        };
        let update = self.comprehend.update_flywheel().flywheel_arn(arn);
        match update.active_model_arn(model).send().await {
            Ok(_) => Ok(()),
            Err(error) if error.code() == Some("InvalidRequestException") => {
                let message = error.message();
                warn!(
                    model.arn = model,
                    message, "the flywheel keeps another active model"
                );
                Ok(())
            }
            Err(error) => {
                let what = format!("{model} could not be made the active model of the flywheel {arn}");
                Err(StepError::refused(&what, error))
            }
        }
    }
}
