//! What a template asks for that is accepted and has no effect on one machine.

use serde_json::Value;

use crate::template::{Resolved, text};

/// What has no effect: the type, the property, the value that asks for it (any, where none is given), and what is said.
const WITHOUT_EFFECT: [(&str, &str, Option<&str>, &str); 4] = [
    (
        "AWS::ApiGateway::Stage",
        "/AccessLogSetting",
        None,
        "access logs of the APIs are not written on this machine",
    ),
    ("AWS::ApiGateway::Stage", "/TracingEnabled", Some("true"), TRACING),
    (
        "AWS::Lambda::Function",
        "/TracingConfig/Mode",
        Some("Active"),
        TRACING,
    ),
    (
        "AWS::StepFunctions::StateMachine",
        "/TracingConfiguration/Enabled",
        Some("true"),
        TRACING,
    ),
];

const TRACING: &str = "nothing is traced on this machine, where there is no X-Ray";

/// Returns what is said, each once.
pub(super) fn remarks(resolved: &Resolved) -> Vec<String> {
    let mut remarks: Vec<String> = Vec::new();
    for resource in resolved.resources.values() {
        let properties = Value::Object(resource.properties.clone());
        for (type_name, property, asks, words) in WITHOUT_EFFECT {
            let value = properties
                .pointer(property)
                .filter(|_| resource.type_name == type_name);
            let is_asked = value.is_some_and(|value| asks.is_none() || text(value).as_deref() == asks);
            if is_asked && !remarks.iter().any(|said| said == words) {
                remarks.push(words.to_owned());
            }
        }
    }
    remarks
}
