//! The part of SageMaker's API that makes human review workflows (JSON 1.1, target prefix `SageMaker`): worker task
//! templates, flow definitions, work teams and the workforce; and the part that makes labelling jobs.
//!
//! Differs from SageMaker: everything is active at once; the team of the stack is everybody who may sign in to the portal;
//! of the workforce only the networks can be changed; the public and vendor workforces, request sources other than custom
//! tasks, and keys of KMS are refused; tags decide nothing, and those of labelling jobs stay as they were made.

mod flow_definitions;
mod labeling_job_functions;
mod labeling_job_request;
mod labeling_job_rules;
mod labeling_job_tags;
mod labeling_jobs;
mod listing;
mod tags;
mod task_uis;
mod workforces;
mod workteams;

use std::collections::BTreeMap;

pub(crate) use self::flow_definitions::checked_role;
pub(crate) use self::workteams::PRIVATE_TEAM;
use active_learning_aws::bucket::BucketError;
use active_learning_aws::role::NotAssumed;
use aws_config::SdkConfig;
use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::HumanReview;
use crate::event::{HttpReply, HttpRequest};
use crate::flows::Flows;
use crate::human_loop::FlowRules;
use crate::labelling_jobs::Jobs;
use crate::members::Members;
use crate::oidc::OidcSettings;
use crate::task_template::TaskTemplate;
use crate::text_retention::TextRetention;
use crate::validation::is_name;

/// Prefix of the header `X-Amz-Target`.
const TARGET_PREFIX: &str = "SageMaker.";

/// An error of the API.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// A member breaks its rule.
    #[error("{0}")]
    Validation(String),
    /// The body is not of the operation's shape.
    #[error("The request body cannot be parsed.")]
    Serialization(#[source] serde_json::Error),
    /// The name is taken.
    #[error("{0}")]
    InUse(String),
    /// There are as many as there may be.
    #[error("{0}")]
    LimitExceeded(String),
    /// No such resource.
    #[error("{0}")]
    NotFound(String),
    /// No such operation here.
    #[error("The operation {0} is not implemented by this service.")]
    UnknownOperation(String),
    /// STS did not say whether a role may be assumed.
    #[error("{0} at this moment. Please try again.")]
    RoleNotTried(#[from] NotAssumed),
    /// S3 failed.
    #[error("The service failed. Please try again.")]
    Storage(#[from] BucketError),
}

impl ControlError {
    fn code_and_status(&self) -> (&'static str, u16) {
        match self {
            Self::Validation(_) => ("ValidationException", 400),
            Self::Serialization(_) => ("SerializationException", 400),
            Self::InUse(_) => ("ResourceInUse", 400),
            Self::LimitExceeded(_) => ("ResourceLimitExceeded", 400),
            Self::NotFound(_) => ("ResourceNotFound", 400),
            Self::UnknownOperation(_) => ("UnknownOperationException", 400),
            Self::Storage(error) if error.is_throttling() => ("ThrottlingException", 400),
            Self::Storage(_) | Self::RoleNotTried(_) => ("InternalFailure", 500),
        }
    }
}

/// The API.
#[derive(Debug)]
pub struct ControlPlane<'a> {
    /// What it makes.
    pub flows: &'a Flows,
    /// The labelling jobs.
    pub jobs: Jobs<'a>,
    /// Who may answer.
    pub members: &'a Members,
    /// The template of the stack's own flow definition.
    pub template: TaskTemplate<'a>,
    /// Its rules.
    pub own_rules: FlowRules,
    /// The role that writes its output.
    pub own_role: &'a str,
    /// Public URL of the portal.
    pub portal_url: &'a str,
    /// Roles with whose rights admins may start audits in the portal.
    pub audit_roles: &'a [String],
    /// Who signs people in, beside links.
    pub oidc: Option<&'a OidcSettings>,
    /// For how long texts are kept.
    pub retention: TextRetention,
    /// Tries the roles that requests name.
    pub sdk: Option<&'a SdkConfig>,
    /// Time of the request.
    pub now: DateTime<Utc>,
}

impl ControlPlane<'_> {
    /// Says whether `CreateLabelingJob` would take a request now, and creates nothing.
    ///
    /// # Errors
    ///
    /// [`ControlError`].
    pub async fn check_labelling_job(&self, request: Value) -> Result<(), ControlError> {
        self.new_job(request).await.map(drop)
    }

    /// Creates a labelling job, as `CreateLabelingJob` does.
    ///
    /// # Errors
    ///
    /// [`ControlError`].
    pub async fn create_labelling_job(&self, request: Value) -> Result<(), ControlError> {
        self.create_job(request).await.map(drop)
    }

    /// Refuses tasks that would wait for longer than their texts are kept.
    fn check_retention(&self, availability_seconds: i64) -> Result<(), ControlError> {
        match self.retention.refusal(availability_seconds) {
            None => Ok(()),
            Some(why) => Err(ControlError::Validation(why)),
        }
    }
}

impl HumanReview {
    /// Returns the API as it is now.
    pub(crate) fn control_plane(&self, now: DateTime<Utc>) -> ControlPlane<'_> {
        ControlPlane {
            flows: &self.flows,
            jobs: self.jobs(),
            members: &self.members,
            template: self.template(),
            own_rules: self.rules.clone(),
            own_role: &self.config.role_arn,
            portal_url: &self.config.portal_url,
            audit_roles: &self.config.audit_roles,
            oidc: self.config.oidc.as_ref(),
            retention: self.config.text_retention,
            sdk: self.sdk.as_ref(),
            now,
        }
    }
}

/// Returns the operation of a request, if it is one of this API.
pub fn operation(request: &HttpRequest) -> Option<&str> {
    request.header("x-amz-target")?.strip_prefix(TARGET_PREFIX)
}

impl ControlPlane<'_> {
    /// Answers a request; errors become replies and are logged.
    pub async fn answer(&self, operation: &str, request: &HttpRequest) -> HttpReply {
        let mut headers = BTreeMap::from([
            ("content-type", "application/x-amz-json-1.1".to_owned()),
            ("x-amzn-requestid", request.request_id.clone()),
        ]);
        let (status, body) = match self.dispatch(operation, &request.body).await {
            Ok(body) => (200, body),
            Err(error) => {
                let (code, status) = error.code_and_status();
                if let ControlError::Storage(error) = &error {
                    tracing::error!(error = error as &dyn std::error::Error, code, "request failed");
                }
                headers.insert("x-amzn-errortype", code.to_owned());
                (
                    status,
                    json!({ "__type": code, "message": error.to_string(), "Message": error.to_string() }),
                )
            }
        };
        HttpReply {
            status,
            headers,
            body: body.to_string(),
        }
    }

    async fn dispatch(&self, operation: &str, body: &[u8]) -> Result<Value, ControlError> {
        match operation {
            "CreateHumanTaskUi" => self.create_task_ui(parse(body)?).await,
            "DescribeHumanTaskUi" => self.describe_task_ui(parse(body)?).await,
            "ListHumanTaskUis" => self.list_task_uis(parse(body)?).await,
            "DeleteHumanTaskUi" => self.delete_task_ui(parse(body)?).await,
            "RenderUiTemplate" => self.render_template(parse(body)?).await,
            "CreateFlowDefinition" => self.create_flow(parse(body)?).await,
            "DescribeFlowDefinition" => self.describe_flow(parse(body)?).await,
            "ListFlowDefinitions" => self.list_flows(parse(body)?).await,
            "DeleteFlowDefinition" => self.delete_flow(parse(body)?).await,
            "CreateWorkteam" => self.create_workteam(parse(body)?).await,
            "DescribeWorkteam" => self.describe_workteam(parse(body)?).await,
            "ListWorkteams" => self.list_workteams(parse(body)?).await,
            "UpdateWorkteam" => self.update_workteam(parse(body)?).await,
            "DeleteWorkteam" => self.delete_workteam(parse(body)?).await,
            "DescribeWorkforce" => self.describe_workforce(parse(body)?).await,
            "ListWorkforces" => self.list_workforces(parse(body)?).await,
            "UpdateWorkforce" => self.update_workforce(parse(body)?).await,
            "CreateWorkforce" | "DeleteWorkforce" => Err(workforces::is_of_the_stack(operation)),
            "ListSubscribedWorkteams" => Ok(json!({ "SubscribedWorkteams": [] })),
            "CreateLabelingJob" => self.create_job(parse(body)?).await,
            "DescribeLabelingJob" => self.describe_job(parse(body)?).await,
            "ListLabelingJobs" => self.list_jobs(parse(body)?).await,
            "ListLabelingJobsForWorkteam" => self.list_jobs_of_team(parse(body)?).await,
            "StopLabelingJob" => self.stop_job(parse(body)?).await,
            "ListTags" => self.list_tags(parse(body)?).await,
            "AddTags" => self.add_tags(parse(body)?).await,
            "DeleteTags" => self.delete_tags(parse(body)?).await,
            other => Err(ControlError::UnknownOperation(other.to_owned())),
        }
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ControlError> {
    serde_json::from_slice(body).map_err(ControlError::Serialization)
}

/// Returns a time as JSON 1.1 has it: seconds since 1970.
fn epoch(time: DateTime<Utc>) -> Value {
    json!(time.timestamp_millis() as f64 / 1_000.0)
}

/// Returns a required member.
fn required<T>(member: Option<T>, name: &str) -> Result<T, ControlError> {
    member.ok_or_else(|| invalid("null", name, "Member must not be null"))
}

/// Returns the error of a member that breaks a rule, in the words of AWS.
fn invalid(value: &str, member: &str, rule: &str) -> ControlError {
    let value = match value {
        "null" => value.to_owned(),
        value => format!("'{value}'"),
    };
    ControlError::Validation(format!(
        "1 validation error detected: Value {value} at '{member}' failed to satisfy constraint: {rule}"
    ))
}

/// Checks a name: letters, digits and inner hyphens, 63 at most; upper case only where that is allowed.
fn checked_name(name: Option<String>, member: &str, upper_case: bool) -> Result<String, ControlError> {
    let name = required(name, member)?;
    let letters = if upper_case { "a-zA-Z0-9" } else { "a-z0-9" };
    let pattern =
        format!("Member must satisfy regular expression pattern: [{letters}](-*[{letters}]){{0,62}}");
    is_name(&name, upper_case)
        .then_some(())
        .map(|()| name.clone())
        .ok_or_else(|| invalid(&name, member, &pattern))
}

/// Checks that a text has at most so many characters, and at least one.
fn checked_text(text: Option<String>, member: &str, most: usize) -> Result<String, ControlError> {
    let text = required(text, member)?;
    match text.chars().count() {
        0 => Err(invalid(
            "",
            member,
            "Member must have length greater than or equal to 1",
        )),
        count if count > most => {
            let rule = format!("Member must have length less than or equal to {most}");
            Err(invalid(&format!("({count} characters)"), member, &rule))
        }
        _ => Ok(text),
    }
}
