//! What an execution came to, as it is written and read.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::build::{Action, Reason};

/// Name of the record among the objects of a build.
pub(crate) const RECORD: &str = "record.json";

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
    /// ARNs of the old model versions that it deleted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deleted_models: Vec<String>,
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
    /// There is a dataset version for the model that is hosted elsewhere to learn from.
    DatasetReady,
    /// The earlier model serves.
    RolledBack,
    /// The earlier model served already.
    NothingToDo,
    /// Something went wrong; the champion serves.
    Failed,
}
