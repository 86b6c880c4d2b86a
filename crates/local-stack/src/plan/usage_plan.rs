//! `AWS::ApiGateway::UsagePlan` and `AWS::ApiGateway::ApiKey`.

use local_aws::apigateway::{ApiKeySpec, Period, Quota, Throttle, UsagePlanSpec};

use super::Properties;
use crate::{stack::Stack, template::Resource};

pub(super) fn usage_plan(resource: &Resource, mut properties: Properties<'_>) -> UsagePlanSpec {
    properties.ignore(&["Description", "Tags", "UsagePlanName"]);
    let stages = properties.list("ApiStages").into_iter();
    let stages = stages.map(|mut it| (it.required_text("ApiId"), it.required_text("Stage")));
    UsagePlanSpec {
        id: resource.reference.clone(),
        stages: stages.collect(),
        key_ids: Vec::new(),
        throttle: (properties.nested("Throttle"))
            .and_then(|mut it| throttle(&mut it, "RateLimit", "BurstLimit")),
        quota: properties.nested("Quota").and_then(quota),
    }
}

fn quota(mut properties: Properties<'_>) -> Option<Quota> {
    properties.one_of("Offset", &["0"]);
    properties.require("Limit");
    let limit = properties.integer("Limit", 1..=u32::MAX);
    let period = match properties.required_text("Period").as_str() {
        "DAY" => Some(Period::Day),
        "WEEK" => Some(Period::Week),
        "MONTH" => Some(Period::Month),
        _ => {
            properties.report("Period", "must be DAY, WEEK or MONTH");
            None
        }
    };
    Some(Quota {
        limit: limit?,
        period: period?,
    })
}

/// Reads an API key. As on AWS it does not work unless `Enabled` says so.
pub(super) fn api_key(resource: &Resource, mut properties: Properties<'_>, stack: &Stack) -> ApiKeySpec {
    properties.ignore(&["CustomerId", "Description", "GenerateDistinctId", "Tags"]);
    let value = properties.text("Value");
    if value
        .as_ref()
        .is_some_and(|value| !(20..=128).contains(&value.len()))
    {
        properties.report("Value", "must have 20 to 128 characters");
    }
    ApiKeySpec {
        id: resource.reference.clone(),
        name: (properties.text("Name")).unwrap_or_else(|| stack.physical_name(&resource.logical_id, 255)),
        value: value.unwrap_or_else(|| stack.secret(&resource.logical_id)),
        enabled: properties.flag("Enabled").unwrap_or(false),
    }
}

/// Reads a token bucket: both numbers or neither.
pub(super) fn throttle(properties: &mut Properties<'_>, rate: &str, burst: &str) -> Option<Throttle> {
    let rate_value = properties.number(rate);
    let burst_value = properties.integer(burst, 0..=u32::MAX);
    match (rate_value, burst_value) {
        (Some(rate), Some(burst)) => Some(Throttle { rate, burst }),
        (None, None) => None,
        _ => {
            properties.report(rate, &format!("local-stack needs {rate} and {burst} together"));
            None
        }
    }
}
