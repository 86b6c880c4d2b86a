//! A person's approval of a deployment, and a roll-back: what the state machine is told by whoever runs the stack.
//!
//! A build that waits for an approval keeps its task token in `builds/<id>/approval.json`.

use aws_sdk_s3::error::ProvideErrorMetadata;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::bucket::{Bucket, BucketError};

/// Error by which a person rejects a deployment.
pub const REJECTED: &str = "Rejected";

/// What a build waits for: the content of `builds/<id>/approval.json`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wanted {
    /// Token of the task that waits.
    pub task_token: String,
}

/// Why a build was neither approved nor rejected.
#[derive(Debug, thiserror::Error)]
pub enum ApprovalError {
    /// Nobody asked.
    #[error("the build {0} does not wait for an approval")]
    NotWanted(String),
    /// It was answered before, or the time is over.
    #[error("the build {0} waits no longer: it was answered, or 7 days are over")]
    Over(String),
    /// The state machine could not be told; holds what Step Functions said.
    #[error("the state machine could not be told: {0}")]
    Refused(String),
    /// The training bucket failed.
    #[error(transparent)]
    Bucket(#[from] BucketError),
}

/// Returns the key of what a build waits for.
pub fn approval_key(build_id: &str) -> String {
    format!("builds/{build_id}/approval.json")
}

/// Approves the deployment of a build; `by` says who, for the record.
///
/// # Errors
///
/// [`ApprovalError`].
pub async fn approve(
    bucket: &Bucket,
    sfn: &aws_sdk_sfn::Client,
    build_id: &str,
    by: &str,
) -> Result<(), ApprovalError> {
    let token = token(bucket, build_id).await?;
    let approved_by = by.to_owned();
    let output = json!({ "approvedBy": approved_by }).to_string();
    let sent = sfn
        .send_task_success()
        .task_token(token)
        .output(output)
        .send()
        .await;
    sent.map(drop)
        .map_err(|error| refused(build_id, error.code(), &error))
}

/// Rejects the deployment of a build; `reason` goes into its record.
///
/// # Errors
///
/// [`ApprovalError`].
pub async fn reject(
    bucket: &Bucket,
    sfn: &aws_sdk_sfn::Client,
    build_id: &str,
    reason: &str,
) -> Result<(), ApprovalError> {
    let token = token(bucket, build_id).await?;
    let send = sfn.send_task_failure().task_token(token).error(REJECTED);
    let sent = send.cause(reason).send().await;
    sent.map(drop)
        .map_err(|error| refused(build_id, error.code(), &error))
}

/// Starts a roll-back to `model_arn`, or to the model before the serving one; returns the ARN of the execution.
///
/// # Errors
///
/// [`ApprovalError::Refused`].
pub async fn roll_back(
    sfn: &aws_sdk_sfn::Client,
    state_machine_arn: &str,
    model_arn: Option<&str>,
    now: DateTime<Utc>,
) -> Result<String, ApprovalError> {
    let input = json!({ "action": "roll-back", "reason": "manual", "modelArn": model_arn });
    let start = sfn.start_execution().state_machine_arn(state_machine_arn);
    let name = format!("roll-back-{}", now.format("%Y%m%dT%H%M%S%3f"));
    let started = start.name(name).input(input.to_string()).send().await;
    let started = started.map_err(|error| refused("", error.code(), &error))?;
    Ok(started.execution_arn)
}

async fn token(bucket: &Bucket, build_id: &str) -> Result<String, ApprovalError> {
    let wanted: Option<Wanted> = bucket.read_document(&approval_key(build_id)).await?;
    let wanted = wanted.ok_or_else(|| ApprovalError::NotWanted(build_id.to_owned()))?;
    Ok(wanted.task_token)
}

fn refused(build_id: &str, code: Option<&str>, error: &dyn std::error::Error) -> ApprovalError {
    match code {
        Some("TaskTimedOut" | "TaskDoesNotExist" | "InvalidToken") => {
            ApprovalError::Over(build_id.to_owned())
        }
        Some(code) => ApprovalError::Refused(code.to_owned()),
        None => ApprovalError::Refused(error.to_string()),
    }
}
