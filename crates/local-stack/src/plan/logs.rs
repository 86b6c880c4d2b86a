//! `AWS::Logs::LogGroup`, and the groups that functions without one have.

use std::collections::BTreeMap;

use local_aws::logs::LogGroupSpec;

use crate::{
    stack::Stack,
    template::{Resolved, Resource, text},
};

/// Returns every log group, with the functions that log to it.
pub(super) fn log_groups(resolved: &Resolved, stack: &Stack) -> Vec<LogGroupSpec> {
    let new = |name: &str| LogGroupSpec {
        name: name.to_owned(),
        retention_days: None,
        functions: Vec::new(),
        created: stack.created(),
    };
    let of_type = |type_name: &'static str| {
        let resources = resolved.resources.values();
        resources.filter(move |resource| resource.type_name == type_name)
    };
    let mut groups = BTreeMap::new();
    for resource in of_type("AWS::Logs::LogGroup") {
        let retention = resource.properties.get("RetentionInDays").and_then(text);
        let group = LogGroupSpec {
            retention_days: retention.and_then(|days| days.parse().ok()),
            ..new(&resource.reference)
        };
        groups.insert(resource.reference.clone(), group);
    }
    for function in of_type("AWS::Lambda::Function") {
        let name = group_of(function);
        let group = groups.entry(name.clone()).or_insert_with(|| new(&name));
        group.functions.push(function.reference.clone());
    }
    groups.into_values().collect()
}

fn group_of(function: &Resource) -> String {
    let logging = function.properties.get("LoggingConfig");
    let group = logging.and_then(|logging| logging.get("LogGroup")).and_then(text);
    group.unwrap_or_else(|| format!("/aws/lambda/{}", function.reference))
}
