//! `AWS::Events::…`.

use local_aws::eventbridge::{
    ApiDestinationSpec, ConnectionSpec, EventBusSpec, RetryPolicy, RuleSpec, TargetSpec, auth_parameters,
    bus_name,
};
use serde::de::DeserializeOwned;

use super::Properties;
use crate::template::Resource;

pub(super) fn event_bus(mut properties: Properties<'_>) -> EventBusSpec {
    // Encryption at rest is the disk's on one machine.
    properties.ignore(&["KmsKeyIdentifier", "Tags"]);
    EventBusSpec {
        name: properties.required_text("Name"),
        description: properties.text("Description"),
    }
}

pub(super) fn connection(resource: &Resource, mut properties: Properties<'_>) -> ConnectionSpec {
    // The key encrypts at rest, which is the disk's on one machine.
    properties.ignore(&["KmsKeyIdentifier", "Name"]);
    properties.require("AuthorizationType");
    let authorization_type = properties.one_of("AuthorizationType", &["API_KEY", "BASIC"]);
    let parameters = auth_parameters(properties.required_json("AuthParameters"));
    ConnectionSpec {
        name: resource.reference.clone(),
        description: properties.text("Description"),
        authorization_type: authorization_type.unwrap_or_default(),
        auth_parameters: parameters.unwrap_or_else(|reason| {
            properties.report("AuthParameters", &reason);
            Default::default()
        }),
    }
}

pub(super) fn api_destination(resource: &Resource, mut properties: Properties<'_>) -> ApiDestinationSpec {
    properties.ignore(&["Name"]);
    ApiDestinationSpec {
        name: resource.reference.clone(),
        description: properties.text("Description"),
        connection_arn: properties.required_text("ConnectionArn"),
        invocation_endpoint: properties.required_text("InvocationEndpoint"),
        http_method: properties.required_text("HttpMethod"),
        rate_limit: properties.integer("InvocationRateLimitPerSecond", 1..=u32::MAX),
    }
}

pub(super) fn rule(resource: &Resource, mut properties: Properties<'_>) -> RuleSpec {
    properties.ignore(&["Name", "Tags"]);
    let state = properties.one_of("State", &["ENABLED", "DISABLED"]);
    let name = resource.reference.rsplit('|').next().unwrap_or_default();
    let mut rule = RuleSpec {
        name: name.to_owned(),
        bus: bus_name(properties.text("EventBusName").as_deref()).to_owned(),
        pattern: properties.required_json("EventPattern").to_string(),
        description: properties.text("Description"),
        enabled: state.is_none_or(|state| state == "ENABLED"),
        targets: Default::default(),
    };
    for mut target in properties.list("Targets") {
        let spec = TargetSpec {
            arn: target.required_text("Arn"),
            input: target.text("Input"),
            input_path: target.text("InputPath"),
            input_transformer: shaped(&mut target, "InputTransformer"),
            role_arn: target.text("RoleArn"),
            http: shaped(&mut target, "HttpParameters").unwrap_or_default(),
            retry: retry_policy(&mut target),
        };
        rule.targets.insert(target.required_text("Id"), spec);
    }
    rule
}

fn retry_policy(target: &mut Properties<'_>) -> RetryPolicy {
    let mut retry = RetryPolicy::default();
    if let Some(mut given) = target.nested("RetryPolicy") {
        let attempts = given.integer("MaximumRetryAttempts", 0..=185);
        let age = given.integer("MaximumEventAgeInSeconds", 60..=86_400);
        retry.maximum_retry_attempts = attempts.unwrap_or(retry.maximum_retry_attempts);
        retry.maximum_event_age_in_seconds = age.unwrap_or(retry.maximum_event_age_in_seconds);
    }
    retry
}

/// Reads a property that has the shape it has in the API.
fn shaped<T: DeserializeOwned>(properties: &mut Properties<'_>, key: &str) -> Option<T> {
    let read = serde_json::from_value(properties.json(key)?);
    read.map_err(|_| properties.report(key, "the property is not as it must be"))
        .ok()
}
