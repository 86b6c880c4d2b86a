//! The operations of Step Functions on the wire.

use std::sync::Arc;

use axum::body::Body;
use futures::future::BoxFuture;
use http::{Request, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    Provisioned, StartError, StepFunctions,
    events::seconds,
    execution::{Execution, MAX_DATA_BYTES, News, Status, parse_token},
    failure::Failure,
    runner::Message,
};
use crate::{
    aws_error::AwsError,
    iam::Principal,
    json_protocol,
    service::{Protocol, Service},
};

const MAX_BODY_BYTES: usize = 1024 * 1024;
const DEFAULT_PAGE: usize = 100;
const MAX_PAGE: usize = 1000;
/// Members of an event that hold data, or say how it was cut.
const DATA: [&str; 4] = ["input", "inputDetails", "output", "outputDetails"];

/// Members that some operation knows. Nothing is traced.
const KNOWN: [&str; 17] = [
    "stateMachineArn",
    "executionArn",
    "resourceArn",
    "name",
    "input",
    "error",
    "cause",
    "taskToken",
    "output",
    "statusFilter",
    "reverseOrder",
    "includeExecutionData",
    "includedData",
    "redriveFilter",
    "maxResults",
    "nextToken",
    "traceHeader",
];

/// The members of all operations' requests.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Members {
    state_machine_arn: Option<String>,
    execution_arn: Option<String>,
    resource_arn: Option<String>,
    name: Option<String>,
    input: Option<String>,
    error: Option<String>,
    cause: Option<String>,
    task_token: Option<String>,
    output: Option<String>,
    status_filter: Option<Status>,
    reverse_order: Option<bool>,
    include_execution_data: Option<bool>,
    included_data: Option<String>,
    redrive_filter: Option<String>,
    max_results: Option<usize>,
    next_token: Option<String>,
}

impl Service for Arc<StepFunctions> {
    fn name(&self) -> &'static str {
        "states"
    }

    fn protocol(&self) -> Protocol {
        Protocol::Json {
            prefix: "AWSStepFunctions",
            content_type: json_protocol::JSON_1_0,
        }
    }

    fn serve(&self, request: Request<Body>) -> BoxFuture<'_, Response<Body>> {
        Box::pin(StepFunctions::handle(self, request))
    }
}

impl StepFunctions {
    /// Answers one request, whose caller the gateway has put into its extensions.
    pub async fn handle(self: &Arc<Self>, request: Request<Body>) -> Response<Body> {
        json_protocol::reply_1_0(self.answer(request).await)
    }

    async fn answer(self: &Arc<Self>, request: Request<Body>) -> Result<Value, AwsError> {
        let caller = json_protocol::caller(&request)?;
        let operation = json_protocol::operation(request.headers(), "AWSStepFunctions.");
        let members: Map<String, Value> = json_protocol::parse(request.into_body(), MAX_BODY_BYTES).await?;
        json_protocol::refuse_unknown(&members, ("states", &operation), &KNOWN)?;
        let members = Members::deserialize(Value::Object(members)).map_err(|_| {
            let message = "the body is not the JSON of this operation";
            AwsError::new(400, "SerializationException", message)
        })?;
        let action = format!("states:{operation}");
        let may = |resource: &str| self.check(&caller, &action, resource);
        match operation.as_str() {
            "StartExecution" => {
                let machine_arn = required(members.state_machine_arn, "stateMachineArn")?;
                may(&machine_arn)?;
                let (service, name) = (self.clone(), members.name);
                let input = members.input.unwrap_or_else(|| "{}".to_owned());
                let start = move || service.start_execution(&machine_arn, name, input);
                let started = tokio::task::spawn_blocking(start).await;
                let started = started.expect("starting does not panic and is not aborted")?;
                Ok(json!({"executionArn": started.arn, "startDate": seconds(started.started_ms)}))
            }
            "DescribeExecution" => {
                let arn = required(members.execution_arn.clone(), "executionArn")?;
                may(&arn)?;
                let includes_data = members.includes_data()?;
                let mut description = describe_execution(&self.execution(&arn)?);
                if !includes_data {
                    leave_out(&mut description, &DATA);
                }
                Ok(description)
            }
            "GetExecutionHistory" => {
                let arn = required(members.execution_arn.clone(), "executionArn")?;
                may(&arn)?;
                self.history(&arn, &members)
            }
            "StopExecution" => {
                let arn = required(members.execution_arn, "executionArn")?;
                may(&arn)?;
                let failure = Failure::new(
                    members.error.unwrap_or_default(),
                    members.cause.unwrap_or_default(),
                );
                self.tell(&arn, |answer| Message::Stop(failure, answer)).await;
                let stopped_ms = self.execution(&arn)?.ended_ms.ok_or_else(stopping)?;
                Ok(json!({"stopDate": seconds(stopped_ms)}))
            }
            "ListExecutions" => {
                let arn = required(members.state_machine_arn.clone(), "stateMachineArn")?;
                may(&arn)?;
                self.known(&arn)?;
                self.list_executions(&arn, &members)
            }
            "DescribeStateMachine" => {
                let arn = required(members.state_machine_arn.clone(), "stateMachineArn")?;
                may(&arn)?;
                let includes_data = members.includes_data()?;
                let mut description = describe_machine(&arn, &self.known(&arn)?);
                if !includes_data {
                    leave_out(&mut description, &["definition"]);
                }
                Ok(description)
            }
            "ListTagsForResource" => {
                let arn = required(members.resource_arn, "resourceArn")?;
                may(&arn)?;
                match self.machine(&arn) {
                    Some(_) => Ok(json!({"tags": []})),
                    None => Err(AwsError::new(
                        400,
                        "ResourceNotFound",
                        format!("Resource not found: '{arn}'"),
                    )),
                }
            }
            "ListStateMachines" => {
                may("*")?;
                self.list_machines(&members)
            }
            "SendTaskSuccess" => {
                may("*")?;
                let output = required(members.output, "output")?;
                let outcome = task_output(&output)?;
                self.send_task(members.task_token, News::Outcome(Ok(outcome)))
                    .await
            }
            "SendTaskFailure" => {
                may("*")?;
                let failure = Failure::new(
                    members.error.unwrap_or_default(),
                    members.cause.unwrap_or_default(),
                );
                self.send_task(members.task_token, News::Outcome(Err(failure)))
                    .await
            }
            "SendTaskHeartbeat" => {
                may("*")?;
                self.send_task(members.task_token, News::Heartbeat).await
            }
            other => Err(AwsError::not_implemented("states", other)),
        }
    }

    fn check(&self, caller: &Principal, action: &str, resource: &str) -> Result<(), AwsError> {
        Ok(self.iam.permit(caller, action, resource)?)
    }

    async fn send_task(&self, token: Option<String>, news: News) -> Result<Value, AwsError> {
        let token = required(token, "taskToken")?;
        let invalid = || AwsError::new(400, "InvalidToken", "Invalid Token: 'Invalid token'");
        let (execution_arn, task_id) = parse_token(&token).ok_or_else(invalid)?;
        let message = |answer| Message::Task(task_id, news, answer);
        if self.tell(&execution_arn, message).await {
            return Ok(json!({}));
        } else if self.stopping.is_cancelled() {
            return Err(stopping());
        }
        let message = "Task Timed Out: 'Provided task does not exist anymore'";
        Err(AwsError::new(400, "TaskTimedOut", message))
    }

    fn execution(&self, arn: &str) -> Result<Execution, AwsError> {
        let execution = self.records.get(arn).map_err(unavailable)?;
        execution.ok_or_else(|| {
            let message = format!("Execution Does Not Exist: '{arn}'");
            AwsError::new(400, "ExecutionDoesNotExist", message)
        })
    }

    fn known(&self, arn: &str) -> Result<Provisioned, AwsError> {
        self.machine(arn)
            .ok_or_else(|| StartError::MachineDoesNotExist(arn.to_owned()).into())
    }

    fn history(&self, arn: &str, members: &Members) -> Result<Value, AwsError> {
        self.execution(arn)?;
        let mut events = self.records.events(arn).map_err(unavailable)?;
        if members.reverse_order == Some(true) {
            events.reverse();
        }
        if members.include_execution_data == Some(false) {
            for details in events
                .iter_mut()
                .filter_map(Value::as_object_mut)
                .flat_map(|event| event.values_mut())
            {
                if let Some(details) = details.as_object_mut() {
                    details.retain(|member, _| !DATA.contains(&member.as_str()));
                    // Every scheduled task has parameters.
                    if let Some(parameters) = details.get_mut("parameters") {
                        *parameters = "{}".into();
                    }
                }
            }
        }
        page("events", events, members)
    }

    fn list_executions(&self, machine_arn: &str, members: &Members) -> Result<Value, AwsError> {
        let filters = ["REDRIVEN", "NOT_REDRIVEN"];
        let redriven = one_of("redriveFilter", members.redrive_filter.as_deref(), &filters)?;
        let fits = |execution: &Execution| {
            // Executions are not started again here.
            redriven != Some("REDRIVEN")
                && execution.machine_arn == machine_arn
                && members
                    .status_filter
                    .is_none_or(|status| status == execution.status)
        };
        let mut executions = self.records.list(fits).map_err(unavailable)?;
        executions.sort_by_key(|execution| std::cmp::Reverse(execution.started_ms));
        page("executions", executions.iter().map(summary).collect(), members)
    }

    fn list_machines(&self, members: &Members) -> Result<Value, AwsError> {
        let machines = self
            .machines
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let machines = machines.iter().map(|(arn, machine)| {
            json!({
                "stateMachineArn": arn,
                "name": machine.spec.name,
                "type": "STANDARD",
                "creationDate": seconds(machine.created_ms),
            })
        });
        page("stateMachines", machines.collect(), members)
    }
}

impl Members {
    /// Returns whether definitions, inputs and outputs are to be shown.
    fn includes_data(&self) -> Result<bool, AwsError> {
        let known = ["ALL_DATA", "METADATA_ONLY"];
        let included = one_of("includedData", self.included_data.as_deref(), &known)?;
        Ok(included != Some("METADATA_ONLY"))
    }
}

/// Refuses a member that is none of its values.
fn one_of<'a>(member: &str, given: Option<&'a str>, known: &[&str]) -> Result<Option<&'a str>, AwsError> {
    match given {
        Some(other) if !known.contains(&other) => Err(json_protocol::validation(format!(
            "1 validation error detected: Value '{other}' at '{member}' failed to satisfy constraint: Member must satisfy enum value set: [{}]",
            known.join(", ")
        ))),
        given => Ok(given),
    }
}

fn leave_out(description: &mut Value, members: &[&str]) {
    if let Some(description) = description.as_object_mut() {
        description.retain(|member, _| !members.contains(&member.as_str()));
    }
}

fn describe_machine(arn: &str, machine: &Provisioned) -> Value {
    json!({
        "stateMachineArn": arn,
        "name": machine.spec.name,
        "status": "ACTIVE",
        "definition": machine.spec.definition,
        "roleArn": machine.spec.role_arn,
        "type": "STANDARD",
        "creationDate": seconds(machine.created_ms),
        "loggingConfiguration": {"level": "OFF", "includeExecutionData": false},
        "tracingConfiguration": {"enabled": false},
    })
}

fn summary(execution: &Execution) -> Value {
    let mut summary = json!({
        "executionArn": execution.arn,
        "stateMachineArn": execution.machine_arn,
        "name": execution.name,
        "status": execution.status,
        "startDate": seconds(execution.started_ms),
        "redriveCount": 0,
    });
    if let Some(ended_ms) = execution.ended_ms {
        summary["stopDate"] = seconds(ended_ms).into();
    }
    summary
}

fn describe_execution(execution: &Execution) -> Value {
    let mut description = summary(execution);
    description["input"] = execution.input.clone().into();
    description["inputDetails"] = json!({"included": true});
    description["redriveStatus"] = "NOT_REDRIVABLE".into();
    if execution.output.is_some() {
        description["outputDetails"] = json!({"included": true});
    }
    let texts = [
        ("output", &execution.output),
        ("error", &execution.error),
        ("cause", &execution.cause),
    ];
    for (member, text) in texts {
        if let Some(text) = text {
            description[member] = text.clone().into();
        }
    }
    description
}

/// Returns one page of a list. The token is the place of the next page.
fn page(member: &str, items: Vec<Value>, members: &Members) -> Result<Value, AwsError> {
    let invalid = || AwsError::new(400, "InvalidToken", "Invalid Token: 'Invalid token'");
    let first: usize = match &members.next_token {
        None => 0,
        Some(token) => token.parse().map_err(|_| invalid())?,
    };
    let size = match members.max_results {
        None | Some(0) => DEFAULT_PAGE,
        Some(size) if size <= MAX_PAGE => size,
        Some(_) => {
            return Err(json_protocol::validation(format!(
                "1 validation error detected: Value at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to {MAX_PAGE}"
            )));
        }
    };
    let rest = items.len().saturating_sub(first);
    let page: Vec<Value> = items.into_iter().skip(first).take(size).collect();
    let mut answer = json!({ member: page });
    if rest > size {
        answer["nextToken"] = (first + size).to_string().into();
    }
    Ok(answer)
}

fn task_output(output: &str) -> Result<Value, AwsError> {
    let invalid = |reason| AwsError::new(400, "InvalidOutput", format!("Invalid Output: '{reason}'"));
    if output.len() > MAX_DATA_BYTES {
        return Err(invalid("it is larger than 262144 bytes"));
    }
    serde_json::from_str(output).map_err(|_| invalid("it is no JSON"))
}

fn required(member: Option<String>, name: &str) -> Result<String, AwsError> {
    member.ok_or_else(|| {
        json_protocol::validation(format!(
            "1 validation error detected: Value null at '{name}' failed to satisfy constraint: Member must not be null"
        ))
    })
}

impl From<StartError> for AwsError {
    fn from(error: StartError) -> Self {
        let code = match &error {
            StartError::MachineDoesNotExist(_) => "StateMachineDoesNotExist",
            StartError::InvalidName(_) => "InvalidName",
            StartError::InvalidInput(_) => "InvalidExecutionInput",
            StartError::AlreadyExists(_) => "ExecutionAlreadyExists",
            StartError::Index(_) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "an execution was not started"
                );
                return Self::new(500, "InternalServerException", error.to_string());
            }
        };
        Self::new(400, code, error.to_string())
    }
}

fn stopping() -> AwsError {
    AwsError::new(503, "ServiceUnavailable", "The service is shutting down.")
}

fn unavailable(error: redb::Error) -> AwsError {
    tracing::error!(%error, "the executions could not be read");
    AwsError::new(
        500,
        "InternalServerException",
        "The executions could not be read.",
    )
}
