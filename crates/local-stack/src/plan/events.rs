//! `AWS::Events::…`.

use local_aws::eventbridge::{EventBusSpec, RuleSpec, TargetSpec, bus_name};

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
        // A function's own retries are those of its asynchronous invocations.
        target.ignore(&["RetryPolicy"]);
        let spec = TargetSpec {
            arn: target.required_text("Arn"),
            input: target.text("Input"),
            input_path: target.text("InputPath"),
        };
        rule.targets.insert(target.required_text("Id"), spec);
    }
    rule
}
