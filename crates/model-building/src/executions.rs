//! Executions of the state machine: starting them, and following one to its record.

use std::time::Duration;

use active_learning_aws::bucket::{Bucket, BucketError};
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_sfn::{Client, types::ExecutionStatus};
use serde_json::json;
use tokio::time::sleep;

use crate::{
    build::{Action, Build, Notification, Reason, Request, key},
    build_record::{BuildRecord, RECORD},
};

/// Time between two looks at an execution.
const POLL: Duration = Duration::from_secs(1);

/// Why an execution was not started or followed.
#[derive(Debug, thiserror::Error)]
pub enum ExecutionError {
    /// An execution of this name exists.
    #[error("the execution {0} was started before")]
    Started(String),
    /// Step Functions refused; holds what was wanted and what it said.
    #[error("{0}: {1}")]
    Refused(&'static str, String),
    /// The training bucket failed.
    #[error(transparent)]
    Bucket(#[from] BucketError),
}

/// How an execution ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Followed {
    /// With a record.
    Recorded(Box<BuildRecord>),
    /// Without one, since another build runs; says which.
    AnotherBuildRuns(String),
    /// Without one, since it was stopped or could not write it; says what Step Functions knows.
    Unrecorded(String),
}

/// Starts a build now; returns the ARN of the execution.
///
/// # Errors
///
/// [`ExecutionError`].
pub async fn start_build(sfn: &Client, state_machine_arn: &str) -> Result<String, ExecutionError> {
    let request = Request {
        action: Action::Build,
        reason: Reason::Manual,
        model_arn: None,
    };
    start(sfn, state_machine_arn, None, &request).await
}

/// Starts a roll-back to `model_arn`, or to the model before the serving one; returns the ARN of the execution.
///
/// # Errors
///
/// [`ExecutionError`].
pub async fn start_roll_back(
    sfn: &Client,
    state_machine_arn: &str,
    model_arn: Option<&str>,
) -> Result<String, ExecutionError> {
    let request = Request {
        action: Action::RollBack,
        reason: Reason::Manual,
        model_arn: model_arn.map(str::to_owned),
    };
    start(sfn, state_machine_arn, None, &request).await
}

/// Starts an execution, of this name or of one made of the time.
pub(crate) async fn start(
    sfn: &Client,
    state_machine_arn: &str,
    name: Option<&str>,
    request: &Request,
) -> Result<String, ExecutionError> {
    let input = serde_json::to_string(request).expect("a request has only string keys");
    let action = match request.action {
        Action::Build => "build",
        Action::RollBack => "roll-back",
    };
    let by_time = format!("{action}-{}", chrono::Utc::now().format("%Y%m%dT%H%M%S%3f"));
    start_named(sfn, state_machine_arn, name.unwrap_or(&by_time), input).await
}

/// Tells people something, once for each `name`, by an execution that does nothing else.
pub(crate) async fn tell(
    sfn: &Client,
    state_machine_arn: &str,
    name: &str,
    notification: &Notification,
) -> Result<(), ExecutionError> {
    let input = json!({"notification": notification}).to_string();
    match start_named(sfn, state_machine_arn, name, input).await {
        Ok(_) | Err(ExecutionError::Started(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

async fn start_named(
    sfn: &Client,
    state_machine_arn: &str,
    name: &str,
    input: String,
) -> Result<String, ExecutionError> {
    let start = sfn.start_execution().state_machine_arn(state_machine_arn);
    match start.name(name).input(input).send().await {
        Ok(started) => Ok(started.execution_arn),
        Err(error) if error.code() == Some("ExecutionAlreadyExists") => {
            Err(ExecutionError::Started(name.to_owned()))
        }
        Err(error) => Err(refused("the execution could not be started", &error)),
    }
}

/// Waits until an execution has ended; `state` is told the name of each state that it enters.
///
/// # Errors
///
/// [`ExecutionError`].
pub async fn follow(
    bucket: &Bucket,
    sfn: &Client,
    execution_arn: &str,
    mut state: impl FnMut(&str),
) -> Result<Followed, ExecutionError> {
    let mut seen = 0;
    loop {
        let describe = sfn.describe_execution().execution_arn(execution_arn).send().await;
        let execution = describe.map_err(|error| refused("the execution could not be described", &error))?;
        seen = tell_new_states(sfn, execution_arn, seen, &mut state).await?;
        if *execution.status() == ExecutionStatus::Running {
            sleep(POLL).await;
            continue;
        }
        let id = execution.name().unwrap_or_default();
        if let Some(record) = bucket.read_document(&key(id, RECORD)).await? {
            return Ok(Followed::Recorded(Box::new(record)));
        }
        let why = || {
            #[derive(serde::Deserialize)]
            struct Output {
                build: Build,
            }
            let output: Output = serde_json::from_str(execution.output()?).ok()?;
            Some(output.build.why)
        };
        return Ok(match (execution.status(), why()) {
            (ExecutionStatus::Succeeded, Some(why)) => Followed::AnotherBuildRuns(why),
            (status, _) => {
                let said = [execution.error(), execution.cause()];
                let said: Vec<&str> = said.into_iter().flatten().collect();
                Followed::Unrecorded(format!("{status}: {}", said.join(": ")))
            }
        });
    }
}

/// Tells of the states entered since event `seen`; returns the last event.
async fn tell_new_states(
    sfn: &Client,
    execution_arn: &str,
    seen: i64,
    state: &mut impl FnMut(&str),
) -> Result<i64, ExecutionError> {
    let history = sfn.get_execution_history().execution_arn(execution_arn);
    let mut pages = history.include_execution_data(false).into_paginator().send();
    let mut last = seen;
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| refused("the execution's history could not be read", &error))?;
        for event in page.events().iter().filter(|event| event.id() > seen) {
            last = event.id();
            if let Some(entered) = event.state_entered_event_details() {
                state(entered.name());
            }
        }
    }
    Ok(last)
}

fn refused(what: &'static str, error: &(impl ProvideErrorMetadata + std::error::Error)) -> ExecutionError {
    let said = match (error.code(), error.message()) {
        (Some(code), Some(message)) => format!("{code}, {message}"),
        (Some(code), None) => code.to_owned(),
        (None, _) => error.to_string(),
    };
    ExecutionError::Refused(what, said)
}
