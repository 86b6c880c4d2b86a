//! From resolved resources to what the local services are told to provide.
//!
//! To support another type of resource: a name for its `Ref` and attributes in
//! `template::attributes`, one arm in [`plan`], one function that reads its properties.

mod api_gateway;
mod events;
mod firehose;
mod iam;
mod lambda;
mod logs;
mod properties;
mod remarks;
mod s3;
mod scheduler;
mod secrets_manager;
mod sns;
mod step_functions;
mod usage_plan;

use local_aws::{
    apigateway::{ApiKeySpec, RestApiSpec, UsagePlanSpec},
    eventbridge::{ApiDestinationSpec, ConnectionSpec, EventBusSpec, RuleSpec},
    firehose::DeliveryStreamSpec,
    iam::RoleSpec,
    lambda::{EventInvokeSpec, FunctionSpec, FunctionUrlSpec, PermissionSpec},
    logs::LogGroupSpec,
    s3::BucketSpec,
    scheduler::ScheduleSpec,
    secretsmanager::SecretSpec,
    sns::TopicSpec,
    stepfunctions::StateMachineSpec,
};

use crate::{
    problems::Problems,
    stack::Stack,
    template::{Resolved, Resource, join},
    template_files::TemplateFiles,
};
pub use lambda::{Programs, WrongVariable};
use properties::Properties;

/// What the local services are to provide.
#[derive(Debug, Default, PartialEq)]
pub struct Plan {
    /// Roles.
    pub roles: Vec<RoleSpec>,
    /// Buckets, with their policies.
    pub buckets: Vec<BucketSpec>,
    /// Delivery streams.
    pub delivery_streams: Vec<DeliveryStreamSpec>,
    /// Functions.
    pub functions: Vec<FunctionSpec>,
    /// How asynchronous invocations of functions are retried.
    pub event_invokes: Vec<EventInvokeSpec>,
    /// Who else may invoke functions.
    pub permissions: Vec<PermissionSpec>,
    /// Function URLs.
    pub function_urls: Vec<FunctionUrlSpec>,
    /// Signing names (`comprehend`) served by a function, with the id of its URL.
    pub signing_names: Vec<(String, String)>,
    /// Secrets.
    pub secrets: Vec<SecretSpec>,
    /// Topics.
    pub topics: Vec<TopicSpec>,
    /// State machines.
    pub state_machines: Vec<StateMachineSpec>,
    /// Event buses.
    pub event_buses: Vec<EventBusSpec>,
    /// Connections to HTTP endpoints.
    pub connections: Vec<ConnectionSpec>,
    /// HTTP endpoints that get events.
    pub api_destinations: Vec<ApiDestinationSpec>,
    /// Rules on event buses.
    pub rules: Vec<RuleSpec>,
    /// Schedules.
    pub schedules: Vec<ScheduleSpec>,
    /// REST APIs, each with its one stage.
    pub rest_apis: Vec<RestApiSpec>,
    /// API keys.
    pub api_keys: Vec<ApiKeySpec>,
    /// Usage plans.
    pub usage_plans: Vec<UsagePlanSpec>,
    /// Log groups, with the functions that log to them.
    pub log_groups: Vec<LogGroupSpec>,
    /// What the template asks for that has no effect on one machine, in words.
    pub remarks: Vec<String>,
}

/// Types that are accepted and do nothing here, and why that is no loss on one machine.
const NO_OPS: [(&str, &str); 6] = [
    (
        "AWS::ApiGateway::Account",
        "there is no CloudWatch to write access logs to",
    ),
    (
        "AWS::CloudWatch::Alarm",
        "there is no CloudWatch; metrics are lines of the log",
    ),
    ("AWS::CloudWatch::Dashboard", "there is no CloudWatch to show it"),
    (
        "AWS::Logs::LogGroup",
        "the plan has the log groups of all functions",
    ),
    (
        "AWS::Logs::LogStream",
        "what the stream could not deliver is in its own log",
    ),
    (
        "AWS::SNS::Subscription",
        "nobody is mailed from one machine; a topic's messages are in its log",
    ),
];

/// Maps every resource to the service that provides it. What is not understood is reported.
pub fn plan(
    resolved: &Resolved,
    stack: &Stack,
    programs: &Programs,
    files: &TemplateFiles,
    problems: &Problems,
) -> Plan {
    let mut draft = Draft {
        plan: Plan::default(),
        policies: Vec::new(),
        apis: api_gateway::Parts::default(),
        stack,
        programs,
        files,
        problems,
    };
    for resource in resolved.resources.values() {
        draft.read(resource);
    }

    let Draft {
        mut plan,
        policies,
        apis,
        ..
    } = draft;
    plan.log_groups = logs::log_groups(resolved, stack);
    plan.remarks = remarks::remarks(resolved);
    if resolved.resources.values().all(|resource| resource.sound) {
        s3::attach_policies(&mut plan.buckets, policies, problems);
        s3::check_permissions(resolved, &plan, problems);
        apis.assemble(resolved, &mut plan, problems);
    }
    plan
}

/// A plan while resources are read one by one.
struct Draft<'a> {
    plan: Plan,
    policies: Vec<s3::BucketPolicy>,
    apis: api_gateway::Parts,
    stack: &'a Stack,
    programs: &'a Programs,
    files: &'a TemplateFiles,
    problems: &'a Problems,
}

impl Draft<'_> {
    fn read(&mut self, resource: &Resource) {
        // What could not be resolved is reported already; its absence is not a second problem.
        let unheard = Problems::default();
        let problems = if resource.sound { self.problems } else { &unheard };
        let properties = Properties::of(resource, problems);
        match resource.type_name.as_str() {
            "AWS::IAM::Role" => self.plan.roles.push(iam::role(resource, properties)),
            "AWS::S3::Bucket" => self.plan.buckets.push(s3::bucket(resource, properties)),
            "AWS::S3::BucketPolicy" => self.policies.push(s3::bucket_policy(properties)),
            "AWS::KinesisFirehose::DeliveryStream" => {
                self.plan
                    .delivery_streams
                    .push(firehose::delivery_stream(resource, properties));
            }
            "AWS::Lambda::Function" => {
                let of = (self.programs, self.files);
                self.plan
                    .functions
                    .push(lambda::function(resource, properties, of));
            }
            "AWS::Lambda::EventInvokeConfig" => {
                self.plan.event_invokes.push(lambda::event_invoke(properties));
            }
            "AWS::Lambda::Permission" => self.plan.permissions.push(lambda::permission(properties)),
            "AWS::Lambda::Url" => {
                let url = lambda::function_url(resource, properties, self.stack);
                self.plan
                    .signing_names
                    .extend(lambda::serves_signing_name(resource, &url, self.problems));
                self.plan.function_urls.push(url);
            }
            "AWS::SecretsManager::Secret" => {
                self.plan
                    .secrets
                    .push(secrets_manager::secret(resource, properties));
            }
            "AWS::SNS::Topic" => self.plan.topics.push(sns::topic(resource, properties)),
            "AWS::StepFunctions::StateMachine" => {
                self.plan
                    .state_machines
                    .push(step_functions::state_machine(resource, properties, self.files));
            }
            "AWS::Events::EventBus" => self.plan.event_buses.push(events::event_bus(properties)),
            "AWS::Events::Connection" => self
                .plan
                .connections
                .push(events::connection(resource, properties)),
            "AWS::Events::ApiDestination" => self
                .plan
                .api_destinations
                .push(events::api_destination(resource, properties)),
            "AWS::Events::Rule" => self.plan.rules.push(events::rule(resource, properties)),
            "AWS::Scheduler::Schedule" => self
                .plan
                .schedules
                .push(scheduler::schedule(resource, properties)),
            "AWS::ApiGateway::ApiKey" => {
                self.plan
                    .api_keys
                    .push(usage_plan::api_key(resource, properties, self.stack));
            }
            name if NO_OPS.iter().any(|(no_op, _)| *no_op == name) => {
                let mut properties = properties;
                properties.ignore_all();
            }
            _ => {
                if let Err(mut properties) = self.apis.read(resource, properties) {
                    properties.ignore_all();
                    self.problems.report(
                        join(&resource.path(), "Type"),
                        format!("{} is not supported by local-stack", resource.type_name),
                    );
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
