//! The decision of a build, as it is written and read.

use active_learning_core::{
    dataset::{DatasetManifest, Problem},
    model::comparison::{Decision, Reason},
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Name of the decision among the objects of a build.
pub(crate) const DECISION: &str = "decision.json";

/// `builds/<id>/decision.json`: the decision with its numbers and what it rests on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DecisionRecord {
    /// Name of the execution.
    pub build_id: String,
    /// When it was made.
    pub decided_at: DateTime<Utc>,
    /// The dataset that the challenger was trained on, and both were compared on.
    pub dataset: DatasetManifest,
    /// What the check of the dataset found.
    pub problems: Vec<Problem>,
    /// The decision.
    #[serde(flatten)]
    pub decision: Decision,
}

impl DecisionRecord {
    /// Returns the reasons against the deployment, or for it where none is against, in one sentence.
    pub(crate) fn why(&self) -> String {
        let decisive = |reason: &&Reason| reason.in_favour == self.decision.deploy;
        let reasons = self.decision.reasons.iter().filter(decisive);
        let reasons: Vec<&str> = reasons.map(|reason| reason.text.as_str()).collect();
        reasons.join("; ")
    }
}
