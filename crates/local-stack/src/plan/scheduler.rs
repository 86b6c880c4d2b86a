//! `AWS::Scheduler::Schedule`.

use local_aws::scheduler::ScheduleSpec;

use super::Properties;
use crate::template::Resource;

pub(super) fn schedule(resource: &Resource, mut properties: Properties<'_>) -> ScheduleSpec {
    // A rate is the same in every time zone.
    properties.ignore(&["Description", "Name", "ScheduleExpressionTimezone"]);
    properties.one_of("GroupName", &["default"]);
    properties.require("FlexibleTimeWindow");
    if let Some(mut window) = properties.nested("FlexibleTimeWindow") {
        window.one_of("Mode", &["OFF"]);
    }
    let state = properties.one_of("State", &["ENABLED", "DISABLED"]);
    let mut schedule = ScheduleSpec {
        name: resource.reference.clone(),
        expression: properties.required_text("ScheduleExpression"),
        enabled: state.is_none_or(|state| state == "ENABLED"),
        target_arn: String::new(),
        role_arn: String::new(),
        input: None,
    };
    properties.require("Target");
    if let Some(mut target) = properties.nested("Target") {
        // A call that is refused on one machine is refused again at once; the next time is the retry.
        target.ignore(&["RetryPolicy"]);
        schedule.target_arn = target.required_text("Arn");
        schedule.role_arn = target.required_text("RoleArn");
        schedule.input = target.text("Input");
    }
    schedule
}
