//! Usage plans, their keys and their usage, as users look at them.

use std::sync::{Arc, PoisonError};

use chrono::NaiveDate;
use serde_json::{Value, json};

use super::{
    ApiGateway, ApiKeySpec, Period, Plan, UsagePlanSpec,
    control::{has_name, page},
};
use crate::aws_error::AwsError;

/// Longest range of days of one request.
const MAX_DAYS: i64 = 90;

impl ApiGateway {
    /// Answers `GET /usageplans/<path>`.
    pub(super) fn usage_plans(&self, path: &str, query: &[(String, String)]) -> Result<Value, AwsError> {
        let parameter = |name: &str| {
            query
                .iter()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.as_str())
        };
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        match parts[..] {
            [] => {
                let plans = self.plans.read().unwrap_or_else(PoisonError::into_inner);
                let key = parameter("keyId");
                let plans = plans
                    .values()
                    .filter(|plan| key.is_none_or(|key| plan.spec.key_ids.iter().any(|id| id == key)));
                page(plans.map(|plan| usage_plan(&plan.spec)).collect(), query)
            }
            [id] => Ok(usage_plan(&self.plan(id)?.spec)),
            [id, "keys"] => {
                let plan = self.plan(id)?;
                let keys = self.keys_of(&plan);
                let named = keys.iter().filter(|key| has_name(query, &key.name));
                page(named.map(plan_key).collect(), query)
            }
            [id, "keys", key_id] => {
                let plan = self.plan(id)?;
                let keys = self.keys_of(&plan);
                let key = keys.iter().find(|key| key.id == key_id);
                key.map(plan_key)
                    .ok_or_else(|| not_found("Invalid API Key identifier specified"))
            }
            [id, "usage"] => {
                let days = (date(parameter("startDate"))?, date(parameter("endDate"))?);
                let plan = self.plan(id)?;
                self.usage_of(&plan, days, parameter("keyId"))
            }
            _ => Err(AwsError::not_implemented(
                "apigateway",
                &format!("GET /usageplans/{path}"),
            )),
        }
    }

    /// Tells the usage of a plan's keys by day. Without a quota nothing is counted.
    fn usage_of(
        &self,
        plan: &Plan,
        days: (NaiveDate, NaiveDate),
        key_id: Option<&str>,
    ) -> Result<Value, AwsError> {
        let (first, last) = days;
        if last < first || (last - first).num_days() > MAX_DAYS {
            return Err(bad_request(
                "Usage is only supported for up to 90 days, from startDate to endDate",
            ));
        }
        let spec = &plan.spec;
        let ids = spec
            .key_ids
            .iter()
            .filter(|id| key_id.is_none_or(|wanted| wanted == id.as_str()));
        let values: serde_json::Map<String, Value> = spec
            .quota
            .iter()
            .flat_map(|quota| {
                ids.clone().map(|id| {
                    let used = self.usage.by_day(&spec.id, id, *quota, days);
                    (
                        id.clone(),
                        used.into_iter().map(|(used, left)| json!([used, left])).collect(),
                    )
                })
            })
            .collect();
        Ok(json!({
            "usagePlanId": spec.id,
            "startDate": first.to_string(),
            "endDate": last.to_string(),
            "values": values,
        }))
    }

    fn plan(&self, id: &str) -> Result<Arc<Plan>, AwsError> {
        let plans = self.plans.read().unwrap_or_else(PoisonError::into_inner);
        let plan = plans.get(id).cloned();
        plan.ok_or_else(|| not_found("Invalid Usage Plan ID specified"))
    }

    fn keys_of(&self, plan: &Plan) -> Vec<ApiKeySpec> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        plan.spec
            .key_ids
            .iter()
            .filter_map(|id| keys.get(id).cloned())
            .collect()
    }
}

fn usage_plan(spec: &UsagePlanSpec) -> Value {
    let stages = spec
        .stages
        .iter()
        .map(|(api, stage)| json!({ "apiId": api, "stage": stage }));
    let mut json = json!({
        "id": spec.id,
        "name": spec.id,
        "apiStages": stages.collect::<Vec<_>>(),
    });
    if let Some(throttle) = spec.throttle {
        json["throttle"] = json!({ "rateLimit": throttle.rate, "burstLimit": throttle.burst });
    }
    if let Some(quota) = spec.quota {
        let period = match quota.period {
            Period::Day => "DAY",
            Period::Week => "WEEK",
            Period::Month => "MONTH",
        };
        json["quota"] = json!({ "limit": quota.limit, "offset": 0, "period": period });
    }
    json
}

/// The value of a key is not shown.
fn plan_key(key: &ApiKeySpec) -> Value {
    json!({ "id": key.id, "type": "API_KEY", "name": key.name })
}

fn date(text: Option<&str>) -> Result<NaiveDate, AwsError> {
    let date = text.and_then(|text| text.parse().ok());
    date.ok_or_else(|| bad_request("startDate and endDate must be dates as 2026-03-04"))
}

fn not_found(message: &str) -> AwsError {
    AwsError::new(404, "NotFoundException", message)
}

fn bad_request(message: &str) -> AwsError {
    AwsError::new(400, "BadRequestException", message)
}
