//! What an execution carries from step to step.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{error::StepError, flywheel::Turn};

/// The data of an execution. Every step takes it and gives it back; the state machine looks at `status` only.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Build {
    /// Name of the execution.
    pub id: String,
    /// ARN of the execution.
    pub execution_arn: String,
    /// When the execution started.
    pub started_at: DateTime<Utc>,
    /// Input of the execution: `action`, `reason` and, of a roll-back, `modelArn`.
    pub input: Value,
    /// What the last step came to.
    #[serde(default)]
    pub(crate) status: Status,
    /// How long to wait before the service is asked again, in seconds.
    #[serde(default)]
    pub(crate) wait_seconds: i64,
    /// When what is waited for began.
    #[serde(default)]
    pub(crate) waiting_since: Option<DateTime<Utc>>,
    /// The dataset version.
    #[serde(default)]
    pub(crate) dataset: Option<String>,
    /// ARN of the model that served at the beginning.
    #[serde(default)]
    pub(crate) champion: Option<String>,
    /// ARN of the model that is to serve.
    #[serde(default)]
    pub(crate) challenger: Option<String>,
    /// Evaluation jobs: the challenger's, then the champion's.
    #[serde(default)]
    pub(crate) jobs: Vec<Job>,
    /// What the flywheel that trains was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) flywheel: Option<Turn>,
    /// Whether the challenger came into service.
    #[serde(default)]
    pub(crate) switched: bool,
    /// Why the champion must come back; then the endpoint is being switched back.
    #[serde(default)]
    pub(crate) switching_back: Option<String>,
    /// Why the last step came to its status, in words for people.
    #[serde(default)]
    pub(crate) why: String,
    /// Who approved the deployment.
    #[serde(default)]
    pub(crate) approval: Option<Approval>,
    /// The failure that the state machine caught.
    #[serde(default)]
    pub(crate) error: Option<CaughtError>,
    /// What people are told.
    #[serde(default)]
    pub(crate) notification: Option<Notification>,
}

/// What an execution is to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Request {
    pub action: Action,
    pub reason: Reason,
    /// The model to roll back to; none for the one before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_arn: Option<String>,
}

/// What an execution does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Trains a model on all labels and deploys it if it is better.
    Build,
    /// Brings an earlier model back.
    RollBack,
}

/// Why an execution was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// Each label has enough texts for a first model.
    FirstModel,
    /// There are enough new labels.
    NewLabels,
    /// The last build is long ago.
    Schedule,
    /// Somebody asked for it.
    Manual,
    /// Texts were erased that the serving model has learnt from.
    Erasure,
    /// Audits show that the serving model is worse than the one before.
    Accuracy,
}

/// What a step came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Status {
    #[default]
    Started,
    AnotherBuildRuns,
    Build,
    RollBack,
    NothingToDo,
    NothingNew,
    Assembled,
    Usable,
    DatasetReady,
    Refused,
    Waiting,
    Trained,
    Evaluated,
    NeedsApproval,
    ApprovalRequested,
    Deploy,
    InService,
    FellBack,
    SwitchedBack,
    Verified,
    NotVerified,
    Deployed,
    RolledBack,
    Failed,
}

/// An evaluation job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Job {
    pub model_arn: String,
    pub job_id: String,
    /// URI of the output, once there is one.
    pub output: Option<String>,
    /// Why there will be none: the champion cannot be used as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unusable: Option<String>,
}

impl Job {
    /// Returns whether nothing more comes of it.
    pub fn is_done(&self) -> bool {
        self.output.is_some() || self.unusable.is_some()
    }
}

/// What comes back for the task token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Approval {
    /// Who approved.
    pub approved_by: String,
}

/// A failure as the state machine catches it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct CaughtError {
    pub error: String,
    #[serde(default)]
    pub cause: String,
}

/// A message to people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Notification {
    /// At most 100 printable ASCII characters, as SNS wants it.
    pub subject: String,
    pub message: String,
}

impl Build {
    /// Reads what the execution is to do.
    pub(crate) fn request(&self) -> Result<Request, StepError> {
        Request::deserialize(&self.input).map_err(|error| {
            StepError::Failed(format!(
                "the execution's input must be {{\"action\": \"build\" or \"roll-back\", \"reason\": \"manual\"}}: {error}"
            ))
        })
    }

    /// Returns the key of an object of this build.
    pub(crate) fn key(&self, name: &str) -> String {
        key(&self.id, name)
    }

    /// Returns the dataset version.
    pub(crate) fn dataset(&self) -> Result<&str, StepError> {
        let missing = || StepError::Failed("the step needs a dataset, which no step assembled".to_owned());
        self.dataset.as_deref().ok_or_else(missing)
    }

    /// Returns the model that is to serve.
    pub(crate) fn challenger(&self) -> Result<&str, StepError> {
        let missing = || StepError::Failed("the step needs a model, which no step named".to_owned());
        self.challenger.as_deref().ok_or_else(missing)
    }

    /// Begins to wait for a service.
    pub(crate) fn begin_to_wait(&mut self, now: DateTime<Utc>) {
        self.waiting_since = Some(now);
        self.wait_on(now);
    }

    /// Waits on: a second at first, then a twentieth of the time so far, at most five minutes. Hours of
    /// training so stay far below the 25,000 events of an execution, and end at most 5 % late.
    pub(crate) fn wait_on(&mut self, now: DateTime<Utc>) {
        self.status = Status::Waiting;
        self.wait_seconds = (self.waited(now).num_seconds() / 20).clamp(1, 300);
    }

    /// Returns for how long it has waited.
    pub(crate) fn waited(&self, now: DateTime<Utc>) -> TimeDelta {
        now - self.waiting_since.unwrap_or(now)
    }
}

/// Returns the key of an object of a build.
pub(crate) fn key(id: &str, name: &str) -> String {
    format!("builds/{id}/{name}")
}

impl CaughtError {
    /// Returns the reason in words: what the function said, else the names that the state machine gives.
    pub(crate) fn reason(&self) -> String {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct FunctionError {
            error_message: String,
        }
        match serde_json::from_str::<FunctionError>(&self.cause) {
            Ok(said) => said.error_message,
            Err(_) if self.cause.is_empty() => self.error.clone(),
            Err(_) => format!("{}: {}", self.error, self.cause),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn build() -> Build {
        let build = json!({
            "id": "b", "executionArn": "arn:e", "startedAt": "2026-11-21T00:00:00Z",
            "input": {"action": "build", "reason": "manual"},
        });
        serde_json::from_value(build).expect("what the first state hands on")
    }

    #[test]
    fn waits_grow_so_that_two_days_of_training_fit_into_an_execution() {
        let (mut build, start) = (build(), Utc::now());
        build.begin_to_wait(start);
        assert_eq!(build.wait_seconds, 1);

        let (mut now, mut turns) = (start, 0);
        while now < start + TimeDelta::hours(48) {
            now += TimeDelta::seconds(build.wait_seconds);
            build.wait_on(now);
            turns += 1;
        }

        // A turn is a wait, a task and a choice: 10 events.
        assert!(turns * 10 < 10_000, "{turns}");
        assert_eq!(build.wait_seconds, 300);
    }

    #[test]
    fn a_caught_error_says_what_the_function_said() {
        let reason = |error: &str, cause: &str| {
            let (error, cause) = (error.to_owned(), cause.to_owned());
            CaughtError { error, cause }.reason()
        };

        assert_eq!(
            reason("Failed", r#"{"errorType":"Failed","errorMessage":"no role"}"#),
            "no role"
        );
        assert_eq!(reason("States.Timeout", ""), "States.Timeout");
        assert_eq!(reason("Rejected", "not now"), "Rejected: not now");
    }

    #[test]
    fn an_input_that_is_no_request_is_refused_with_what_it_should_be() {
        let mut build = build();
        assert_eq!(build.request().expect("complete").action, Action::Build);

        build.input = json!({"action": "destroy"});

        let message = build.request().expect_err("no such action").to_string();
        assert!(
            message.contains("\"build\" or \"roll-back\"") && message.contains("destroy"),
            "{message}"
        );
    }
}
