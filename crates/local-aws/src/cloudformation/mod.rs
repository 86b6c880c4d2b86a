//! AWS CloudFormation, as far as users look into a stack: read only.
//!
//! Differs from CloudFormation: there is one stack, which is complete; `DescribeStackResources` returns all
//! resources, not the first 100; only `DescribeStacks`, `DescribeStackResources` and `ListStackResources` answer.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{Arc, PoisonError, RwLock},
};

use axum::body::Body;
use chrono::{DateTime, SecondsFormat, Utc};
use futures::future::BoxFuture;
use http::{Request, Response, StatusCode};

use crate::{
    aws_error::{AwsError, Envelope, escape_xml, xml_response},
    iam::{Iam, Principal},
    json_protocol,
    service::{Protocol, Service},
};

/// Most resources in one answer of `ListStackResources`.
const PAGE_RESOURCES: usize = 100;
const MAX_BODY_BYTES: usize = 1024 * 1024;

/// A stack, as its template was resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StackSpec {
    /// ARN.
    pub id: String,
    /// Name.
    pub name: String,
    /// Description of the template.
    pub description: String,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// Parameters and their values; of a secret one, stars.
    pub parameters: BTreeMap<String, String>,
    /// Outputs by key.
    pub outputs: BTreeMap<String, OutputSpec>,
    /// Resources by logical id.
    pub resources: BTreeMap<String, ResourceSpec>,
}

/// An output of a stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputSpec {
    /// Value.
    pub value: String,
    /// Description; empty for none.
    pub description: String,
}

/// A resource of a stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceSpec {
    /// Physical id: what `Ref` gives.
    pub physical_id: String,
    /// For example `AWS::S3::Bucket`.
    pub type_name: String,
}

/// The service.
#[derive(Debug)]
pub struct CloudFormation {
    iam: Arc<Iam>,
    stack: RwLock<Option<Arc<StackSpec>>>,
}

impl Service for Arc<CloudFormation> {
    fn name(&self) -> &'static str {
        "cloudformation"
    }

    fn protocol(&self) -> Protocol {
        Protocol::Query
    }

    fn serve(&self, request: Request<Body>) -> BoxFuture<'_, Response<Body>> {
        Box::pin(CloudFormation::handle(self, request))
    }
}

impl CloudFormation {
    /// Makes the service without a stack.
    pub fn new(iam: Arc<Iam>) -> Self {
        Self {
            iam,
            stack: RwLock::default(),
        }
    }

    /// Sets the stack.
    pub fn put_stack(&self, spec: StackSpec) {
        *self.stack.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(spec));
    }

    /// Answers one request, whose caller the gateway has put into its extensions.
    pub async fn handle(&self, request: Request<Body>) -> Response<Body> {
        match self.answer(request).await {
            Ok(response) => response,
            Err(error) => error.into_response(Envelope::Query),
        }
    }

    async fn answer(&self, request: Request<Body>) -> Result<Response<Body>, AwsError> {
        let caller = json_protocol::caller(&request)?;
        let body = axum::body::to_bytes(request.into_body(), MAX_BODY_BYTES).await;
        let body = body.map_err(|_| validation(&format!("the body exceeds {MAX_BODY_BYTES} bytes")))?;
        let members: BTreeMap<String, String> = url::form_urlencoded::parse(&body).into_owned().collect();
        let member = |name: &str| members.get(name).map(String::as_str);

        let action = member("Action").unwrap_or_default();
        let result = match action {
            "DescribeStacks" => {
                // There is one stack, so one page.
                if member("NextToken").is_some() {
                    return Err(unknown_token());
                }
                let stack = self.find(&caller, action, member("StackName"))?;
                format!(
                    "<Stacks>{}</Stacks>",
                    stack.as_deref().map(describe).unwrap_or_default()
                )
            }
            "DescribeStackResources" => self.describe_resources(&caller, &member)?,
            "ListStackResources" => {
                let name = member("StackName").ok_or_else(|| validation("StackName must not be null"))?;
                let stack = self.find(&caller, action, Some(name))?;
                let summaries: Vec<String> = stack
                    .iter()
                    .flat_map(|stack| stack.resources.iter().map(|it| summary(stack, it)))
                    .collect();
                let page = json_protocol::page(summaries, member("NextToken"), PAGE_RESOURCES);
                let (page, next) = page.ok_or_else(unknown_token)?;
                let next = next.map(|token| format!("<NextToken>{token}</NextToken>"));
                format!(
                    "<StackResourceSummaries>{}</StackResourceSummaries>{}",
                    page.concat(),
                    next.unwrap_or_default()
                )
            }
            other => return Err(AwsError::not_implemented("cloudformation", other)),
        };
        Ok(reply(action, &result))
    }

    fn describe_resources<'a>(
        &self,
        caller: &Principal,
        member: &impl Fn(&str) -> Option<&'a str>,
    ) -> Result<String, AwsError> {
        let (logical, physical) = (member("LogicalResourceId"), member("PhysicalResourceId"));
        if member("StackName").is_none() && physical.is_none() {
            return Err(validation(
                "One of StackName and PhysicalResourceId must be given",
            ));
        }
        let stack = self.find(caller, "DescribeStackResources", member("StackName"))?;
        let of_stack = |stack: &Arc<StackSpec>| {
            let resources = stack.resources.iter().filter(|(id, resource)| {
                logical.is_none_or(|logical| logical == *id)
                    && physical.is_none_or(|physical| physical == resource.physical_id)
            });
            resources.map(|it| resource(stack, it)).collect::<String>()
        };
        let resources: String = stack.iter().map(of_stack).collect();
        if resources.is_empty() && (logical.is_some() || physical.is_some()) {
            let id = logical.or(physical).unwrap_or_default();
            return Err(validation(&format!("Resource {id} does not exist")));
        }
        Ok(format!("<StackResources>{resources}</StackResources>"))
    }

    /// Finds the stack by its name or ARN, or whichever there is, for a caller who may.
    fn find(
        &self,
        caller: &Principal,
        action: &str,
        name: Option<&str>,
    ) -> Result<Option<Arc<StackSpec>>, AwsError> {
        let stack = self.stack.read().unwrap_or_else(PoisonError::into_inner).clone();
        let found = stack.filter(|stack| name.is_none_or(|name| name == stack.name || name == stack.id));
        let resource = match (&found, name) {
            (Some(stack), Some(_)) => stack.id.as_str(),
            _ => "*",
        };
        self.iam
            .permit(caller, &format!("cloudformation:{action}"), resource)?;
        match (found, name) {
            (None, Some(name)) => Err(validation(&format!("Stack with id {name} does not exist"))),
            (found, _) => Ok(found),
        }
    }
}

fn describe(stack: &StackSpec) -> String {
    let mut parameters = String::new();
    for (key, value) in &stack.parameters {
        let value = escape_xml(value);
        let _ = write!(
            parameters,
            "<member><ParameterKey>{key}</ParameterKey><ParameterValue>{value}</ParameterValue></member>"
        );
    }
    let mut outputs = String::new();
    for (key, OutputSpec { value, description }) in &stack.outputs {
        let (value, description) = (escape_xml(value), escape_xml(description));
        let description = match description.as_str() {
            "" => String::new(),
            words => format!("<Description>{words}</Description>"),
        };
        let _ = write!(
            outputs,
            "<member><OutputKey>{key}</OutputKey><OutputValue>{value}</OutputValue>{description}</member>"
        );
    }
    format!(
        "<member><StackId>{}</StackId><StackName>{}</StackName><Description>{}</Description>\
         <Parameters>{parameters}</Parameters><Outputs>{outputs}</Outputs><CreationTime>{}</CreationTime>\
         <StackStatus>CREATE_COMPLETE</StackStatus><DisableRollback>false</DisableRollback>\
         <Capabilities><member>CAPABILITY_IAM</member></Capabilities></member>",
        stack.id,
        stack.name,
        escape_xml(&stack.description),
        time(stack.created),
    )
}

fn resource(stack: &StackSpec, (logical_id, resource): (&String, &ResourceSpec)) -> String {
    format!(
        "<member><StackId>{}</StackId><StackName>{}</StackName>{}<Timestamp>{}</Timestamp></member>",
        stack.id,
        stack.name,
        what(logical_id, resource),
        time(stack.created),
    )
}

fn summary(stack: &StackSpec, (logical_id, resource): (&String, &ResourceSpec)) -> String {
    format!(
        "<member>{}<LastUpdatedTimestamp>{}</LastUpdatedTimestamp></member>",
        what(logical_id, resource),
        time(stack.created),
    )
}

fn what(logical_id: &str, resource: &ResourceSpec) -> String {
    format!(
        "<LogicalResourceId>{logical_id}</LogicalResourceId><PhysicalResourceId>{}</PhysicalResourceId>\
         <ResourceType>{}</ResourceType><ResourceStatus>CREATE_COMPLETE</ResourceStatus>",
        escape_xml(&resource.physical_id),
        resource.type_name,
    )
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn reply(action: &str, result: &str) -> Response<Body> {
    let body = format!(
        "<{action}Response xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\"><{action}Result>{result}</{action}Result>\
         <ResponseMetadata><RequestId>{}</RequestId></ResponseMetadata></{action}Response>",
        uuid::Uuid::new_v4(),
    );
    xml_response(StatusCode::OK, body)
}

fn unknown_token() -> AwsError {
    validation("NextToken is none that this operation gave")
}

fn validation(message: &str) -> AwsError {
    AwsError::new(400, "ValidationError", message)
}
