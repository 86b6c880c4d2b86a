//! `output.json`, the result of a completed loop, in the shape that A2I gives custom task types.

use active_learning_core::labels::human_loop::ExclusionCategories;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::human_loop::{HumanLoop, Status, Worker};
use crate::validation::is_flow_definition_arn;

/// Failure reason of a loop that nobody answered in time.
const EXPIRED: &str = "The human loop was not answered within its availability lifetime.";

/// Returns code and reason of a loop that has failed.
pub fn failure(human_loop: &HumanLoop) -> Option<(&'static str, &str)> {
    match (&human_loop.failure, human_loop.status) {
        (Some(reason), Status::Failed) => Some(("InternalError", reason)),
        (None, Status::Failed) => Some(("Expired", EXPIRED)),
        _ => None,
    }
}

/// Returns the ARN of a loop of a flow definition.
pub fn loop_arn(flow_definition_arn: &str, name: &str) -> String {
    debug_assert!(is_flow_definition_arn(flow_definition_arn));
    let scope = flow_definition_arn.split(":flow-definition/").next();
    format!("{}:human-loop/{name}", scope.unwrap_or_default())
}

/// One reviewer's answer as it is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// Who answered.
    pub worker: Worker,
    /// When they opened the task.
    pub accepted_at: DateTime<Utc>,
    /// When they sent the answer.
    pub submitted_at: DateTime<Utc>,
    /// URL of the portal through which they came.
    pub issuer: String,
    /// Input name to value.
    pub content: Value,
    /// Version of the guideline that was shown beside the task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guideline: Option<String>,
    /// The choices in it that say that no label fits, where a template of somebody's own has words of its own for that.
    #[serde(default, skip_serializing_if = "ExclusionCategories::is_empty")]
    pub exclusions: ExclusionCategories,
}

/// Returns the key of a loop's output: `<flow>/YYYY/MM/DD/hh/mm/ss/<loop>/output.json`, by creation time, after the
/// prefix of its flow definition. The ARN is that of the stack's own.
pub fn output_key(own_flow_arn: &str, human_loop: &HumanLoop) -> String {
    let flow = human_loop.flow_arn(own_flow_arn).rsplit('/').next();
    let prefix = human_loop.flow.as_ref().map_or("", |flow| &flow.output_prefix);
    let time = human_loop.created_at.format("%Y/%m/%d/%H/%M/%S");
    format!(
        "{prefix}{}/{time}/{}/output.json",
        flow.unwrap_or_default(),
        human_loop.name
    )
}

/// Returns the URI of a loop's output, given the flow definition and the bucket of the stack.
pub fn output_uri(own_flow_arn: &str, own_bucket: &str, human_loop: &HumanLoop) -> String {
    let flow = human_loop.flow.as_ref();
    let bucket = flow.map_or(own_bucket, |flow| &flow.output_bucket);
    format!("s3://{bucket}/{}", output_key(own_flow_arn, human_loop))
}

/// Returns the key of a correction of a reviewer's answer, beside the output: see
/// [`loop_of_correction`](active_learning_core::labels::human_loop::loop_of_correction).
pub fn correction_key(flow_definition_arn: &str, human_loop: &HumanLoop, answer: &Answer) -> String {
    let folder = corrections_of(flow_definition_arn, human_loop, &answer.worker.id);
    format!(
        "{folder}{:013}/output.json",
        answer.submitted_at.timestamp_millis()
    )
}

/// Returns what the keys of one reviewer's corrections begin with.
pub fn corrections_of(flow_definition_arn: &str, human_loop: &HumanLoop, worker_id: &str) -> String {
    let output = output_key(flow_definition_arn, human_loop);
    let folder = output.trim_end_matches("output.json");
    format!("{folder}corrections/{worker_id}-")
}

/// Returns the output document: keys in order at every level, no newline at the end. The input is JSON and stands in it as it
/// is written.
///
/// The same loop, input and answers give the same bytes.
pub fn output_document(flow_definition_arn: &str, name: &str, input: &str, answers: &[Answer]) -> String {
    let answers = sorted(answers.iter().map(human_answer).collect());
    let (flow, name) = (json!(flow_definition_arn), json!(name));
    format!(
        r#"{{"flowDefinitionArn":{flow},"humanAnswers":{answers},"humanLoopName":{name},"inputContent":{input}}}"#
    )
}

/// Returns a document with keys in order at every level.
pub(crate) fn sorted(mut document: Value) -> String {
    // serde_json may have been built to keep the order of insertion.
    document.sort_all_objects();
    document.to_string()
}

/// Returns an answer as A2I and Ground Truth write it.
pub fn human_answer(answer: &Answer) -> Value {
    let spent = (answer.submitted_at - answer.accepted_at)
        .num_milliseconds()
        .max(0);
    let mut given = json!({
        "acceptanceTime": iso_time(answer.accepted_at),
        "answerContent": answer.content,
        "submissionTime": iso_time(answer.submitted_at),
        "timeSpentInSeconds": spent as f64 / 1_000.0,
        "workerId": answer.worker.id,
        "workerMetadata": {
            "identityData": {
                "identityProviderType": "Oidc",
                "issuer": answer.issuer,
                "sub": answer.worker.reviewer,
            },
        },
    });
    if let Some(version) = &answer.guideline {
        given["guidelineVersion"] = json!(version);
    }
    if !answer.exclusions.is_empty() {
        given["exclusionCategories"] = json!(answer.exclusions);
    }
    given
}

/// Returns a time as A2I writes it: UTC with milliseconds.
pub fn iso_time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}
