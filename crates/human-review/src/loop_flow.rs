//! What a human loop keeps of the flow definition, or of the labelling job, that it was started in.

use std::borrow::Cow;

use chrono::Duration;
use serde::{Deserialize, Serialize};

use crate::labelling_jobs::JOB_ARN_PART;

/// Begins the name of what stands for a labelling job, whose own name follows.
const JOB_FLOW: &str = "labeling-job_";

/// The rules of the flow definition that a loop was started under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowRules {
    /// Answers that complete a loop, 1 to 3.
    pub task_count: usize,
    /// How long a loop waits for its answers.
    pub availability: Duration,
    /// How long one reviewer may hold a task.
    pub time_limit: Duration,
    /// Worker ids that its tasks are not offered to.
    pub excluded_workers: Vec<String>,
}

/// The flow definition of a loop that is not of the stack's own: as it was when the loop was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoopFlow {
    /// ARN of the flow definition.
    pub arn: String,
    /// What the task is, for reviewers.
    pub title: String,
    /// The same at length.
    pub description: String,
    /// Key of its worker task template in the review bucket.
    pub template_key: String,
    /// Bucket of its output.
    pub output_bucket: String,
    /// What keys of its output begin with: empty, or with a slash at the end.
    pub output_prefix: String,
    /// The role with whose rights the output is written.
    pub role_arn: String,
    /// How long one reviewer may hold a task.
    pub time_limit_seconds: i64,
    /// Name of the work team whose members may take it; none for everybody, as before there were teams.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
}

/// Returns the name in the ARN of a work team.
pub fn team_of_arn(arn: &str) -> Option<String> {
    let name = arn.rsplit('/').next().filter(|name| !name.is_empty());
    name.map(str::to_owned)
}

/// Returns the name of the labelling job that a name of [`LoopFlow::name`] stands for; `None` for a flow definition's.
pub fn job_of_flow(name: &str) -> Option<&str> {
    name.strip_prefix(JOB_FLOW)
}

/// Returns the name of [`LoopFlow::name`] that stands for a labelling job.
pub fn flow_of_job(job: &str) -> String {
    format!("{JOB_FLOW}{job}")
}

impl LoopFlow {
    /// Returns the name in the ARN; that of a labelling job cannot be a flow definition's.
    pub fn name(&self) -> Cow<'_, str> {
        let name = self.arn.rsplit('/').next().unwrap_or_default();
        match self.is_labelling_job() {
            true => Cow::Owned(flow_of_job(name)),
            false => Cow::Borrowed(name),
        }
    }

    /// Returns the name of the labelling job that it stands for, if it does.
    pub fn job(&self) -> Option<&str> {
        self.arn.split_once(JOB_ARN_PART).map(|(_, name)| name)
    }

    /// Returns whether it stands for a labelling job, which takes the answers itself: its loops have no output.
    pub fn is_labelling_job(&self) -> bool {
        self.arn.contains(JOB_ARN_PART)
    }
}
