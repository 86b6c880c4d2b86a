//! The last step: one outcome with its reason, whatever happened before.

use active_learning_aws::metrics;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    ModelBuilding,
    build::{Action, Build, Reason, Status},
    error::StepError,
    message,
    select::{DECISION, DecisionRecord},
    serving_model,
};

/// Name of the record among the objects of a build.
pub(crate) const RECORD: &str = "record.json";
/// Error by which a person rejects a deployment.
pub(crate) const REJECTED: &str = "Rejected";

/// `builds/<id>/record.json`: what an execution came to, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BuildRecord {
    /// Name of the execution.
    pub id: String,
    /// ARN of the execution.
    pub execution_arn: String,
    /// What it was to do; none if its input did not say.
    pub action: Option<Action>,
    /// Why it was started.
    pub reason: Option<Reason>,
    /// What it came to.
    pub outcome: Outcome,
    /// Why, in words for people.
    pub why: String,
    /// When it started.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub ended_at: DateTime<Utc>,
    /// The dataset version; `datasets/<version>/manifest.json` has its rows, sources and parent.
    pub dataset: Option<String>,
    /// ARN of the model that served before.
    pub champion: Option<String>,
    /// ARN of the model that was to serve.
    pub challenger: Option<String>,
    /// ARN of the model that serves at the end, as the endpoint says.
    pub serving: Option<String>,
    /// Key of the decision, if there was one.
    pub decision: Option<String>,
    /// Who approved the deployment, if a person had to.
    pub approved_by: Option<String>,
}

/// What an execution came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The new model serves.
    Deployed,
    /// The new model is not deployed, by decision.
    Refused,
    /// No label was added since the last decision.
    NothingNew,
    /// The earlier model serves.
    RolledBack,
    /// The earlier model served already.
    NothingToDo,
    /// Something went wrong; the champion serves.
    Failed,
}

impl ModelBuilding {
    /// Writes the record, gives the lock back and says what people are told.
    pub(crate) async fn record(&self, mut build: Build) -> Result<Build, StepError> {
        let request = build.request().ok();
        let (outcome, why) = outcome(&build, request.as_ref().map(|request| request.action));
        let decision: Option<DecisionRecord> = self.bucket.read_document(&build.key(DECISION)).await?;
        let record = BuildRecord {
            id: build.id.clone(),
            execution_arn: build.execution_arn.clone(),
            action: request.as_ref().map(|request| request.action),
            reason: request.as_ref().map(|request| request.reason),
            outcome,
            why,
            started_at: build.started_at,
            ended_at: Utc::now(),
            dataset: build.dataset.clone(),
            champion: build.champion.clone(),
            challenger: build.challenger.clone(),
            // Not worth a failure: the record matters more.
            serving: serving_model(&self.comprehend, &self.config.endpoint.to_string())
                .await
                .unwrap_or_default(),
            decision: decision.is_some().then(|| build.key(DECISION)),
            approved_by: build
                .approval
                .as_ref()
                .map(|approval| approval.approved_by.clone()),
        };
        self.bucket.put_document(&build.key(RECORD), &record).await?;
        if matches!(outcome, Outcome::Deployed | Outcome::Refused) {
            self.put_decided(&build).await?;
        }
        self.unlock(&build).await?;
        metrics::count("model-building", &[(metric(outcome), 1)]);
        build.status = match outcome {
            Outcome::Deployed => Status::Deployed,
            Outcome::Refused => Status::Refused,
            Outcome::NothingNew => Status::NothingNew,
            Outcome::RolledBack => Status::RolledBack,
            Outcome::NothingToDo => Status::NothingToDo,
            Outcome::Failed => Status::Failed,
        };
        build.notification = Some(message::outcome(&record, decision.as_ref()));
        build.why = record.why;
        if record.action == Some(Action::Build) {
            self.note_first_model(&build).await?;
        }
        Ok(build)
    }
}

fn outcome(build: &Build, action: Option<Action>) -> (Outcome, String) {
    if let Some(reason) = &build.switching_back {
        let why = match (&build.error, &build.champion) {
            (Some(error), _) => error.reason(),
            (None, Some(_)) => format!("{reason}; the model before serves again"),
            (None, None) => format!("{reason}; there is no model before"),
        };
        return (Outcome::Failed, why);
    }
    if let Some(error) = &build.error {
        return match (build.status, error.error.as_str()) {
            (Status::NeedsApproval, REJECTED) => {
                (Outcome::Refused, format!("a person rejected it: {}", error.cause))
            }
            (Status::NeedsApproval, "States.Timeout") => {
                (Outcome::Refused, "nobody approved it in time".to_owned())
            }
            _ => (Outcome::Failed, error.reason()),
        };
    }
    let outcome = match build.status {
        Status::Refused => Outcome::Refused,
        Status::NothingNew => Outcome::NothingNew,
        Status::NothingToDo => Outcome::NothingToDo,
        Status::Verified if action == Some(Action::RollBack) => Outcome::RolledBack,
        Status::Verified => Outcome::Deployed,
        status => {
            let why = format!("the state machine ended after a step that came to {status:?}");
            return (Outcome::Failed, why);
        }
    };
    (outcome, build.why.clone())
}

fn metric(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Deployed => "ModelsDeployed",
        Outcome::Refused => "ModelsRefused",
        Outcome::NothingNew | Outcome::NothingToDo => "BuildsWithoutNews",
        Outcome::RolledBack => "ModelsRolledBack",
        Outcome::Failed => "BuildsFailed",
    }
}
