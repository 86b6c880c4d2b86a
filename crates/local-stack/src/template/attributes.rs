//! What `Ref` and `Fn::GetAtt` give for each type of resource.

use local_aws::{
    ACCOUNT_ID,
    eventbridge::{DEFAULT_BUS, api_destination_arn, bus_name, connection_arn, event_bus_arn, rule_arn},
    secretsmanager::secret_arn,
    sns::topic_arn,
    stepfunctions::state_machine_arn,
};
use serde_json::{Map, Value};

use super::{Resource, text};
use crate::stack::{REGION, Stack};

/// Returns what `Ref` gives for a resource with these properties.
pub(super) fn reference(
    type_name: &str,
    logical_id: &str,
    properties: &Map<String, Value>,
    stack: &Stack,
) -> String {
    let named = |property: &str, limit| {
        let given = properties.get(property).and_then(text);
        given.unwrap_or_else(|| stack.physical_name(logical_id, limit))
    };
    let same_as = |property: &str| properties.get(property).and_then(text).unwrap_or_default();
    match type_name {
        "AWS::S3::Bucket" => match properties.get("BucketName").and_then(text) {
            Some(name) => name,
            None => stack.physical_name(logical_id, 63).to_lowercase(),
        },
        "AWS::S3::BucketPolicy" => same_as("Bucket"),
        "AWS::KinesisFirehose::DeliveryStream" => named("DeliveryStreamName", 64),
        "AWS::Lambda::Function" => named("FunctionName", 64),
        "AWS::Lambda::Url" => function_arn(&same_as("TargetFunctionArn")),
        "AWS::IAM::Role" => named("RoleName", 64),
        "AWS::Logs::LogGroup" => named("LogGroupName", 512),
        "AWS::Logs::LogStream" => named("LogStreamName", 512),
        "AWS::SecretsManager::Secret" => secret_arn(REGION, &named("Name", 512)),
        "AWS::SNS::Topic" => topic_arn(REGION, &named("TopicName", 256)),
        "AWS::StepFunctions::StateMachine" => state_machine_arn(REGION, &named("StateMachineName", 80)),
        "AWS::Scheduler::Schedule" => named("Name", 64),
        "AWS::Events::EventBus" => same_as("Name"),
        "AWS::Events::Connection" | "AWS::Events::ApiDestination" => named("Name", 64),
        // On another bus than the default one a rule is referred to with its bus.
        "AWS::Events::Rule" => match bus_name(Some(&same_as("EventBusName"))) {
            DEFAULT_BUS => named("Name", 64),
            bus => format!("{bus}|{}", named("Name", 64)),
        },
        "AWS::CloudWatch::Alarm" => named("AlarmName", 255),
        "AWS::ApiGateway::Stage" => same_as("StageName"),
        "AWS::ApiGateway::Model" => match properties.get("Name").and_then(text) {
            Some(name) => name,
            None => stack.short_id(logical_id, 10),
        },
        "AWS::ApiGateway::UsagePlanKey" => {
            format!("{}:{}", same_as("KeyId"), same_as("UsagePlanId"))
        }
        _ if type_name.starts_with("AWS::ApiGateway::") => stack.short_id(logical_id, 10),
        _ => stack.physical_name(logical_id, 255),
    }
}

/// Returns what `Fn::GetAtt` gives, or `None` for an attribute that is not known.
pub(super) fn attribute(resource: &Resource, name: &str, stack: &Stack) -> Option<String> {
    let reference = &resource.reference;
    let property = |name: &str| resource.properties.get(name).and_then(text);
    let value = match (resource.type_name.as_str(), name) {
        ("AWS::S3::Bucket", "Arn") => format!("arn:aws:s3:::{reference}"),
        ("AWS::S3::Bucket", "DomainName") => format!("{reference}.s3.amazonaws.com"),
        ("AWS::S3::Bucket", "RegionalDomainName") => {
            format!("{reference}.s3.{REGION}.amazonaws.com")
        }
        ("AWS::KinesisFirehose::DeliveryStream", "Arn") => {
            format!("arn:aws:firehose:{REGION}:{ACCOUNT_ID}:deliverystream/{reference}")
        }
        ("AWS::Lambda::Function", "Arn") => function_arn(reference),
        ("AWS::Lambda::Url", "FunctionArn") => reference.clone(),
        ("AWS::Lambda::Url", "FunctionUrl") => format!(
            "{}/_aws/lambda-url/{}/",
            stack.endpoint_url(),
            function_url_id(stack, &resource.logical_id)
        ),
        ("AWS::IAM::Role", "Arn") => {
            let path = property("Path").unwrap_or_else(|| "/".to_owned());
            format!("arn:aws:iam::{ACCOUNT_ID}:role{path}{reference}")
        }
        ("AWS::IAM::Role", "RoleId") => {
            let id = stack.short_id(&resource.logical_id, 17);
            format!("AROA{}", id.to_uppercase())
        }
        ("AWS::Logs::LogGroup", "Arn") => {
            format!("arn:aws:logs:{REGION}:{ACCOUNT_ID}:log-group:{reference}:*")
        }
        ("AWS::CloudWatch::Alarm", "Arn") => {
            format!("arn:aws:cloudwatch:{REGION}:{ACCOUNT_ID}:alarm:{reference}")
        }
        ("AWS::Scheduler::Schedule", "Arn") => {
            format!("arn:aws:scheduler:{REGION}:{ACCOUNT_ID}:schedule/default/{reference}")
        }
        ("AWS::Events::EventBus", "Arn") => event_bus_arn(REGION, reference),
        ("AWS::Events::EventBus", "Name") => reference.clone(),
        ("AWS::Events::Connection", "Arn") => connection_arn(REGION, reference),
        ("AWS::Events::ApiDestination", "Arn") => api_destination_arn(REGION, reference),
        ("AWS::Events::Rule", "Arn") => match reference.split_once('|') {
            Some((bus, name)) => rule_arn(REGION, bus, name),
            None => rule_arn(REGION, DEFAULT_BUS, reference),
        },
        ("AWS::SNS::Topic", "TopicName") | ("AWS::StepFunctions::StateMachine", "Name") => {
            reference.rsplit(':').next()?.to_owned()
        }
        ("AWS::ApiGateway::RestApi", "RootResourceId") => root_resource_id(reference),
        ("AWS::SecretsManager::Secret", "Id")
        | ("AWS::SNS::Topic", "TopicArn")
        | ("AWS::StepFunctions::StateMachine", "Arn")
        | ("AWS::ApiGateway::RestApi", "RestApiId")
        | ("AWS::ApiGateway::Resource", "ResourceId")
        | ("AWS::ApiGateway::RequestValidator", "RequestValidatorId")
        | ("AWS::ApiGateway::Deployment", "DeploymentId")
        | ("AWS::ApiGateway::UsagePlan" | "AWS::ApiGateway::UsagePlanKey", "Id")
        | ("AWS::ApiGateway::ApiKey", "APIKeyId") => reference.clone(),
        _ => return None,
    };
    Some(value)
}

/// Returns the ARN of a function, given its name or already its ARN.
pub(crate) fn function_arn(name_or_arn: &str) -> String {
    if name_or_arn.starts_with("arn:") {
        return name_or_arn.to_owned();
    }
    format!("arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:{name_or_arn}")
}

/// Returns the id in the URL of a function.
pub(crate) fn function_url_id(stack: &Stack, logical_id: &str) -> String {
    stack.short_id(logical_id, 32)
}

/// Returns the id of an API's root resource.
pub(crate) fn root_resource_id(api_id: &str) -> String {
    // Any id does that no other resource has; other ids are made of a hash.
    format!("root{api_id}")
}
