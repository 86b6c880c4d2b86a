//! A person's approval of a deployment: the build waits for its task token to come back.

use active_learning_aws::bucket::{Bucket, BucketError};
use aws_sdk_s3::error::ProvideErrorMetadata;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    ModelBuilding,
    build::{Approval, Build, Status, key},
    error::StepError,
    record::REJECTED,
};

const APPROVAL: &str = "approval.json";

/// `builds/<id>/approval.json`.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wanted {
    task_token: String,
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

impl ModelBuilding {
    /// Keeps the task token for whoever approves.
    pub(crate) async fn request_approval(
        &self,
        mut build: Build,
        task_token: Option<String>,
    ) -> Result<Build, StepError> {
        let missing = || StepError::Failed("the step request-approval needs a taskToken".to_owned());
        let wanted = Wanted {
            task_token: task_token.ok_or_else(missing)?,
        };
        self.bucket.put_document(&build.key(APPROVAL), &wanted).await?;
        build.status = Status::ApprovalRequested;
        Ok(build)
    }
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
    let output = json!(Approval { approved_by }).to_string();
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

async fn token(bucket: &Bucket, build_id: &str) -> Result<String, ApprovalError> {
    let wanted: Option<Wanted> = bucket.read_document(&key(build_id, APPROVAL)).await?;
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
