//! The A2I runtime API, version 2019-11-07 (REST-JSON).
//!
//! It serves the flow definition of the stack, and those that [`crate::control_plane`] made.

use std::collections::BTreeMap;

use active_learning_aws::erased::ErasedList;
use active_learning_core::erasure::{ERASED, holds_erased};
use chrono::{DateTime, Utc};
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::event::{HttpReply, HttpRequest};
use crate::flows::{Flow, Flows};
use crate::human_loop::{HumanLoop, Status, excludes_workers};
use crate::loops::{Listing, LoopError, Loops, MAX_LOOPS_IN_FLIGHT};
use crate::output::{failure, iso_time, loop_arn, output_uri};
use crate::task_template::TaskTemplate;
use crate::text_retention::TextRetention;
use crate::validation::{BrokenRules, Violations};

/// An error of the API.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// A member breaks its rule.
    #[error("{0}")]
    Validation(String),
    /// The body is not of the operation's shape.
    #[error("the request body cannot be parsed")]
    Serialization(#[source] serde_json::Error),
    /// The name is taken by a loop with another input.
    #[error("A human loop with the name {0} and a different input already exists.")]
    Conflict(String),
    /// The name is taken by a loop of the same input that asks nobody any more.
    #[error(
        "The human loop {name} of this input is {}: it is not asked again. Delete it first, or choose another name.",
        status.as_str()
    )]
    Ended {
        /// Name of the loop.
        name: String,
        /// How it has ended.
        status: Status,
    },
    /// Too many loops in flight.
    #[error("The flow definition has reached its limit of {MAX_LOOPS_IN_FLIGHT} human loops in flight.")]
    QuotaExceeded,
    /// No such loop or flow definition.
    #[error("The requested resource {0} could not be found.")]
    NotFound(String),
    /// No such path and method.
    #[error("The requested operation does not exist.")]
    UnknownOperation,
    /// Come back later.
    #[error("Rate exceeded")]
    Throttled(#[source] LoopError),
    /// Anything else.
    #[error("The service failed. Please try again.")]
    Internal(#[source] LoopError),
}

impl From<BrokenRules> for ApiError {
    fn from(broken: BrokenRules) -> Self {
        Self::Validation(broken.0)
    }
}

impl ApiError {
    fn code_and_status(&self) -> (&'static str, u16) {
        match self {
            Self::Validation(_) => ("ValidationException", 400),
            Self::Serialization(_) => ("SerializationException", 400),
            Self::Conflict(_) | Self::Ended { .. } => ("ConflictException", 409),
            Self::QuotaExceeded => ("ServiceQuotaExceededException", 402),
            Self::NotFound(_) => ("ResourceNotFoundException", 404),
            Self::UnknownOperation => ("UnknownOperationException", 404),
            Self::Throttled(_) => ("ThrottlingException", 429),
            Self::Internal(_) => ("InternalServerException", 500),
        }
    }

    /// Returns the API error for what went wrong with the loop of this name.
    fn from_loop(error: LoopError, name: &str) -> Self {
        match error {
            LoopError::Conflict => Self::Conflict(name.to_owned()),
            LoopError::QuotaExceeded => Self::QuotaExceeded,
            LoopError::NotFound => Self::NotFound(name.to_owned()),
            LoopError::WrongStatus(status) => {
                let status = status.as_str();
                Self::Validation(format!(
                    "The human loop {name} is {status}: the operation is not allowed."
                ))
            }
            LoopError::Contention => Self::Throttled(error),
            LoopError::Storage(ref storage) if storage.is_throttling() => Self::Throttled(error),
            LoopError::Refused(_)
            | LoopError::Storage(_)
            | LoopError::Output { .. }
            | LoopError::OutputLater { .. } => Self::Internal(error),
        }
    }
}

/// The API over the loops.
#[derive(Debug)]
pub struct Api<'a> {
    /// The loops.
    pub loops: &'a Loops,
    /// What their tasks are shown by.
    pub template: TaskTemplate<'a>,
    /// The flow definitions.
    pub flows: &'a Flows,
    /// Texts that nobody is asked about.
    pub erased: &'a ErasedList,
    /// ARN of the stack's own flow definition.
    pub flow_definition_arn: &'a str,
    /// Bucket of the output.
    pub bucket: &'a str,
    /// For how long texts are kept.
    pub retention: TextRetention,
    /// Time of the request.
    pub now: DateTime<Utc>,
}

impl Api<'_> {
    /// Answers a request; errors become replies and are logged.
    pub async fn answer(&self, request: &HttpRequest) -> HttpReply {
        let (status, error_type, body) = match self.dispatch(request).await {
            Ok(body) => (200, None, body),
            Err(error) => {
                let (code, status) = error.code_and_status();
                if matches!(error, ApiError::Internal(_) | ApiError::Throttled(_)) {
                    tracing::error!(error = &error as &dyn std::error::Error, code, "request failed");
                }
                (status, Some(code), json!({ "Message": error.to_string() }))
            }
        };
        let mut headers = BTreeMap::from([
            ("content-type", "application/json".to_owned()),
            ("x-amzn-requestid", request.request_id.clone()),
        ]);
        if let Some(code) = error_type {
            headers.insert("x-amzn-errortype", code.to_owned());
        }
        HttpReply {
            status,
            headers,
            body: body.to_string(),
        }
    }

    async fn dispatch(&self, request: &HttpRequest) -> Result<Value, ApiError> {
        let segments: Vec<&str> = request.path.trim_matches('/').split('/').collect();
        match (request.method.as_str(), segments.as_slice()) {
            ("POST", ["human-loops"]) => self.start(&request.body).await,
            ("POST", ["human-loops", "stop"]) => self.stop(&request.body).await,
            ("GET", ["human-loops"]) => self.list(&request.query).await,
            ("GET", ["human-loops", name]) => self.describe(&decoded(name)).await,
            ("DELETE", ["human-loops", name]) => self.delete(&decoded(name)).await,
            _ => Err(ApiError::UnknownOperation),
        }
    }

    async fn start(&self, body: &[u8]) -> Result<Value, ApiError> {
        let request: StartRequest = serde_json::from_slice(body).map_err(ApiError::Serialization)?;
        let (name, flow, input) = checked_start(request)?;
        let flow = self.flow(&flow, &name).await?;
        self.check_input(flow.as_ref(), &name, &input).await?;
        let flow = flow.map(|flow| (flow.of_loop(), flow.rules()));
        // A flow definition may be older than the setting.
        let refusal = flow
            .as_ref()
            .and_then(|(_, rules)| self.retention.refusal(rules.availability.num_seconds()));
        if let Some(why) = refusal {
            return Err(ApiError::Validation(format!("In the flow definition, {why}")));
        }
        let started = self.loops.start(flow, &name, &input, self.now).await;
        started.map_err(|error| not_started(error, &name))?;
        Ok(json!({ "HumanLoopArn": self.loop_arn(&name) }))
    }

    /// Returns a flow definition that loops may be started in; none for the stack's own.
    async fn flow(&self, arn: &str, name: &str) -> Result<Option<Flow>, ApiError> {
        if arn == self.flow_definition_arn {
            return Ok(None);
        }
        let found = self.flows.find_arn(arn).await;
        let found = found.map_err(|error| ApiError::from_loop(error.into(), name))?;
        let flow = found.ok_or_else(|| {
            ApiError::Validation("The flow definition does not exist or is not served here.".to_owned())
        })?;
        match &flow.failure_reason {
            None => Ok(Some(flow)),
            Some(reason) => Err(ApiError::Validation(format!(
                "The flow definition is not Active: {reason}"
            ))),
        }
    }

    /// Refuses an input that holds a text which was erased, or of which nobody could see anything: its loop would be
    /// completed by an empty page.
    async fn check_input(&self, flow: Option<&Flow>, name: &str, input: &str) -> Result<(), ApiError> {
        let input = serde_json::from_str(input).map_err(ApiError::Serialization)?;
        if flow.is_none() && !excludes_workers(&input) {
            let rule = "has `excludedWorkers` that are no list of worker ids";
            return Err(ApiError::Validation(format!(
                "HumanLoopInput.InputContent {rule}."
            )));
        }
        let erased = self.erased.current().await;
        let erased = erased.map_err(|error| ApiError::from_loop(LoopError::Storage(error), name))?;
        if holds_erased(&input, &erased) {
            return Err(ApiError::Validation(format!(
                "HumanLoopInput.InputContent cannot be shown to a reviewer: {ERASED}."
            )));
        }
        let template = TaskTemplate {
            key: flow.map_or(self.template.key, |flow| &flow.template_key),
            is_opaque: flow.is_some(),
            ..self.template
        };
        let refusal = template.refusal(&input).await;
        match refusal.map_err(|error| ApiError::from_loop(LoopError::Storage(error), name))? {
            None => Ok(()),
            Some(reason) => Err(ApiError::Validation(format!(
                "HumanLoopInput.InputContent cannot be shown to a reviewer: {reason}."
            ))),
        }
    }

    async fn describe(&self, name: &str) -> Result<Value, ApiError> {
        checked_name(Some(name))?;
        let found = self.loops.find(name, self.now).await;
        let human_loop = found.map_err(|error| ApiError::from_loop(error, name))?;
        let delivered = self.loops.deliver_again(&human_loop, self.now).await;
        delivered.map_err(|error| ApiError::from_loop(error, name))?;
        let output = output_uri(self.flow_definition_arn, self.bucket, &human_loop);
        let mut description = json!({
            "CreationTime": iso_time(human_loop.created_at),
            "HumanLoopStatus": human_loop.status.as_str(),
            "HumanLoopName": human_loop.name,
            "HumanLoopArn": self.loop_arn(name),
            "FlowDefinitionArn": human_loop.flow_arn(self.flow_definition_arn),
            // Known from the start: that it is here does not mean that the object is.
            "HumanLoopOutput": { "OutputS3Uri": output },
        });
        if let Some((code, reason)) = failure(&human_loop) {
            description["FailureCode"] = json!(code);
            description["FailureReason"] = json!(reason);
        }
        Ok(description)
    }

    async fn list(&self, query: &BTreeMap<String, String>) -> Result<Value, ApiError> {
        let mut violations = Violations::default();
        let flow = query.get("FlowDefinitionArn").map(String::as_str);
        violations.flow_definition_arn(flow);
        let order = violations.sort_order(query.get("SortOrder"));
        let other = flow.filter(|flow| *flow != self.flow_definition_arn);
        let listing = Listing {
            flow: other.and_then(|arn| Some(arn.rsplit('/').next()?.to_owned())),
            order,
            created_from: violations.timestamp("creationTimeAfter", query.get("CreationTimeAfter")),
            created_before: violations.timestamp("creationTimeBefore", query.get("CreationTimeBefore")),
            page_size: violations.max_results(query.get("MaxResults")),
            after: violations.next_token(order, query.get("NextToken")),
        };
        violations.into_result()?;
        if let Some(flow) = other {
            let found = self.flows.find_arn(flow).await;
            let found = found.map_err(|error| ApiError::from_loop(error.into(), ""))?;
            found.ok_or_else(|| ApiError::NotFound(flow.to_owned()))?;
        }
        let page = self.loops.list(&listing, self.now).await;
        let page = page.map_err(|error| ApiError::from_loop(error, ""))?;
        let summaries: Vec<Value> = page
            .loops
            .iter()
            .map(|human_loop| self.summary(human_loop))
            .collect();
        let mut reply = json!({ "HumanLoopSummaries": summaries });
        if let Some(mark) = page.next {
            reply["NextToken"] = json!(crate::validation::next_token(order, &mark));
        }
        Ok(reply)
    }

    fn summary(&self, human_loop: &HumanLoop) -> Value {
        let mut summary = json!({
            "HumanLoopName": human_loop.name,
            "HumanLoopStatus": human_loop.status.as_str(),
            "CreationTime": iso_time(human_loop.created_at),
            "FlowDefinitionArn": human_loop.flow_arn(self.flow_definition_arn),
        });
        if let Some((_, reason)) = failure(human_loop) {
            summary["FailureReason"] = json!(reason);
        }
        summary
    }

    async fn stop(&self, body: &[u8]) -> Result<Value, ApiError> {
        let request: StopRequest = serde_json::from_slice(body).map_err(ApiError::Serialization)?;
        let name = checked_name(request.human_loop_name.as_deref())?;
        let stopped = self.loops.stop(name, self.now).await;
        stopped.map_err(|error| ApiError::from_loop(error, name))?;
        Ok(json!({}))
    }

    async fn delete(&self, name: &str) -> Result<Value, ApiError> {
        checked_name(Some(name))?;
        let deleted = self.loops.delete(name, self.now).await;
        deleted.map_err(|error| ApiError::from_loop(error, name))?;
        Ok(json!({}))
    }

    fn loop_arn(&self, name: &str) -> String {
        loop_arn(self.flow_definition_arn, name)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StartRequest {
    human_loop_name: Option<String>,
    flow_definition_arn: Option<String>,
    human_loop_input: Option<HumanLoopInput>,
    data_attributes: Option<DataAttributes>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HumanLoopInput {
    input_content: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DataAttributes {
    content_classifiers: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StopRequest {
    human_loop_name: Option<String>,
}

/// Returns name, flow definition and input content of a start request that keeps the rules.
fn checked_start(request: StartRequest) -> Result<(String, String, String), ApiError> {
    let mut violations = Violations::default();
    violations.loop_name(request.human_loop_name.as_deref());
    violations.flow_definition_arn(request.flow_definition_arn.as_deref());
    let input = request
        .human_loop_input
        .as_ref()
        .map(|input| &input.input_content);
    match input {
        None => violations.missing("humanLoopInput"),
        Some(content) => violations.input_content(content.as_deref()),
    }
    if let Some(attributes) = &request.data_attributes {
        violations.content_classifiers(attributes.content_classifiers.as_deref());
    }
    violations.into_result()?;
    let name = request.human_loop_name.unwrap_or_default();
    let input = request
        .human_loop_input
        .and_then(|input| input.input_content)
        .unwrap_or_default();
    if let Err(error) = serde_json::from_str::<serde_json::Map<String, Value>>(&input) {
        let rule = match is_half_a_pair(&error) {
            true => "holds half of a surrogate pair (`\\ud800` to `\\udfff` alone), which is no character",
            false => "must be the text of a JSON object",
        };
        return Err(ApiError::Validation(format!(
            "HumanLoopInput.InputContent {rule}."
        )));
    }
    Ok((name, request.flow_definition_arn.unwrap_or_default(), input))
}

/// Returns whether JSON cannot be read for half of a surrogate pair alone: the reader tells it of its escape only.
fn is_half_a_pair(error: &serde_json::Error) -> bool {
    error.is_syntax() && error.to_string().contains("hex escape")
}

/// Returns the API error for a loop that was not started.
fn not_started(error: LoopError, name: &str) -> ApiError {
    match error {
        LoopError::WrongStatus(status) => ApiError::Ended {
            name: name.to_owned(),
            status,
        },
        error => ApiError::from_loop(error, name),
    }
}

fn checked_name(name: Option<&str>) -> Result<&str, ApiError> {
    let mut violations = Violations::default();
    violations.loop_name(name);
    violations.into_result()?;
    Ok(name.unwrap_or_default())
}

fn decoded(segment: &str) -> String {
    percent_decode_str(segment).decode_utf8_lossy().into_owned()
}
