//! The operations of EventBridge on the wire.

use std::sync::PoisonError;

use axum::body::Body;
use http::Request;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{
    Bus, EventBridge, Pattern, RULES, Rule, RuleSpec, bus_name, paging::Paging, rule_arn,
    rule_targets::Target,
};
use crate::{
    ACCOUNT_ID,
    aws_error::AwsError,
    iam::Principal,
    json_protocol::{self, validation},
};

const MAX_BODY_BYTES: usize = 2 * 1024 * 1024;

/// What names a rule, and what it is to be.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RuleRequest {
    name: Option<String>,
    rule: Option<String>,
    event_bus_name: Option<String>,
    event_pattern: Option<String>,
    schedule_expression: Option<String>,
    state: Option<String>,
    description: Option<String>,
    #[serde(default)]
    pub(super) targets: Vec<Target>,
    #[serde(default)]
    pub(super) ids: Vec<String>,
    #[serde(flatten)]
    pub(super) paging: Paging,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListRequest {
    pub(super) name_prefix: Option<String>,
    event_bus_name: Option<String>,
    target_arn: Option<String>,
    pub(super) connection_arn: Option<String>,
    #[serde(rename = "ResourceARN")]
    resource_arn: Option<String>,
    #[serde(flatten)]
    pub(super) paging: Paging,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TestRequest {
    event_pattern: String,
    event: String,
}

impl EventBridge {
    pub(super) async fn answer(&self, request: Request<Body>) -> Result<Value, AwsError> {
        let caller = json_protocol::caller(&request)?;
        let operation = json_protocol::operation(request.headers(), "AWSEvents.");
        let body = request.into_body();
        match operation.as_str() {
            "PutEvents" => self.put_events(&caller, parse(&operation, body).await?).await,
            "CreateEventBus" => self.create_event_bus(&caller, parse(&operation, body).await?),
            "DescribeEventBus" => self.describe_event_bus(&caller, parse(&operation, body).await?),
            "DeleteEventBus" => self.delete_event_bus(&caller, parse(&operation, body).await?),
            "ListEventBuses" => self.list_event_buses(&caller, &parse(&operation, body).await?),
            "PutRule" => self.put_rule_of_api(&caller, parse(&operation, body).await?),
            "DescribeRule" => self.describe_rule(&caller, parse(&operation, body).await?),
            "EnableRule" => self.enable_rule(&caller, parse(&operation, body).await?, true),
            "DisableRule" => self.enable_rule(&caller, parse(&operation, body).await?, false),
            "DeleteRule" => self.delete_rule(&caller, parse(&operation, body).await?),
            "ListRules" => self.list_rules(&caller, &parse(&operation, body).await?),
            "ListRuleNamesByTarget" => self.list_rule_names(&caller, &parse(&operation, body).await?),
            "PutTargets" => self.put_targets(&caller, parse(&operation, body).await?),
            "RemoveTargets" => self.remove_targets(&caller, parse(&operation, body).await?),
            "ListTargetsByRule" => self.list_targets(&caller, parse(&operation, body).await?),
            "ListTagsForResource" => self.list_tags(&caller, parse(&operation, body).await?),
            "CreateConnection" => self.change_connection(&caller, parse(&operation, body).await?, true),
            "UpdateConnection" => self.change_connection(&caller, parse(&operation, body).await?, false),
            "DescribeConnection" => self.describe_connection(&caller, parse(&operation, body).await?),
            "DeleteConnection" => self.delete_connection(&caller, parse(&operation, body).await?),
            "ListConnections" => self.list_connections(&caller, &parse(&operation, body).await?),
            "CreateApiDestination" => self.change_destination(&caller, parse(&operation, body).await?, true),
            "UpdateApiDestination" => self.change_destination(&caller, parse(&operation, body).await?, false),
            "DescribeApiDestination" => self.describe_destination(&caller, parse(&operation, body).await?),
            "DeleteApiDestination" => self.delete_destination(&caller, parse(&operation, body).await?),
            "ListApiDestinations" => self.list_destinations(&caller, &parse(&operation, body).await?),
            "TestEventPattern" => self.test_pattern(&caller, &parse(&operation, body).await?),
            other => Err(AwsError::not_implemented("events", other)),
        }
    }

    fn put_rule_of_api(&self, caller: &Principal, request: RuleRequest) -> Result<Value, AwsError> {
        let _turn = self.turn();
        let (bus, name) = self.rule_of(caller, "events:PutRule", &request)?;
        if request.schedule_expression.is_some() {
            return Err(AwsError::not_implemented(
                "events",
                "PutRule with ScheduleExpression",
            ));
        }
        let is_name = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
        if name.len() > 64 || !name.chars().all(is_name) {
            return Err(validation("Rule name is not valid."));
        }
        self.bus(&bus)?;
        let pattern = named(request.event_pattern, "EventPattern")?;
        let understood = parse_pattern(&pattern)?;
        let before = self.rule(&bus, &name).ok();
        let rule = Rule {
            spec: RuleSpec {
                name,
                bus,
                pattern,
                description: request.description,
                enabled: is_enabled(request.state.as_deref())?,
                targets: before.map(|rule| rule.spec.targets).unwrap_or_default(),
            },
            pattern: understood,
        };
        let arn = self.arn_of(&rule);
        self.keep_rule(rule)?;
        Ok(json!({ "RuleArn": arn }))
    }

    fn describe_rule(&self, caller: &Principal, request: RuleRequest) -> Result<Value, AwsError> {
        let (bus, name) = self.rule_of(caller, "events:DescribeRule", &request)?;
        let mut shown = self.shown_rule(&self.rule(&bus, &name)?);
        shown["CreatedBy"] = json!(ACCOUNT_ID);
        Ok(shown)
    }

    fn enable_rule(
        &self,
        caller: &Principal,
        request: RuleRequest,
        enabled: bool,
    ) -> Result<Value, AwsError> {
        let _turn = self.turn();
        let action = if enabled {
            "events:EnableRule"
        } else {
            "events:DisableRule"
        };
        let (bus, name) = self.rule_of(caller, action, &request)?;
        let mut rule = self.rule(&bus, &name)?;
        rule.spec.enabled = enabled;
        self.keep_rule(rule)?;
        Ok(json!({}))
    }

    fn delete_rule(&self, caller: &Principal, request: RuleRequest) -> Result<Value, AwsError> {
        let _turn = self.turn();
        let (bus, name) = self.rule_of(caller, "events:DeleteRule", &request)?;
        // A rule that is not there is deleted.
        let Ok(rule) = self.rule(&bus, &name) else {
            return Ok(json!({}));
        };
        if !rule.spec.targets.is_empty() {
            return Err(validation("Rule can't be deleted since it has targets."));
        }
        let key = rule_key(&bus, &name);
        self.keep(|transaction| {
            transaction
                .open_table(RULES)?
                .remove(key.as_str())
                .map(drop)
                .map_err(Into::into)
        })?;
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.rules.remove(&(bus, name));
        Ok(json!({}))
    }

    fn list_rules(&self, caller: &Principal, request: &ListRequest) -> Result<Value, AwsError> {
        self.authorize(caller, "events:ListRules", "*")?;
        let bus = bus_name(request.event_bus_name.as_deref());
        self.bus(bus)?;
        let prefix = request.name_prefix.as_deref().unwrap_or_default();
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let rules = state.rules.values();
        let rules = rules.filter(|rule| rule.spec.bus == bus && rule.spec.name.starts_with(prefix));
        let rules = rules.map(|rule| (rule.spec.name.as_str(), self.shown_rule(rule)));
        request.paging.page("Rules", rules)
    }

    fn list_rule_names(&self, caller: &Principal, request: &ListRequest) -> Result<Value, AwsError> {
        self.authorize(caller, "events:ListRuleNamesByTarget", "*")?;
        let bus = bus_name(request.event_bus_name.as_deref());
        let arn = request.target_arn.as_deref().unwrap_or_default();
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let has_target = |rule: &&Rule| rule.spec.targets.values().any(|target| target.arn == arn);
        let rules = state.rules.values().filter(|rule| rule.spec.bus == bus);
        let names = rules.filter(has_target).map(|rule| rule.spec.name.as_str());
        request
            .paging
            .page("RuleNames", names.map(|name| (name, json!(name))))
    }

    fn list_tags(&self, caller: &Principal, request: ListRequest) -> Result<Value, AwsError> {
        let arn = named(request.resource_arn, "ResourceARN")?;
        self.authorize(caller, "events:ListTagsForResource", &arn)?;
        Ok(json!({ "Tags": [] }))
    }

    fn test_pattern(&self, caller: &Principal, request: &TestRequest) -> Result<Value, AwsError> {
        self.authorize(caller, "events:TestEventPattern", "*")?;
        let event: Value =
            serde_json::from_str(&request.event).map_err(|_| validation("Event is not valid JSON."))?;
        Ok(json!({ "Result": parse_pattern(&request.event_pattern)?.matches(&event) }))
    }

    /// Returns bus and name of the rule that a request is about, which the caller may use for `action`.
    pub(super) fn rule_of(
        &self,
        caller: &Principal,
        action: &str,
        request: &RuleRequest,
    ) -> Result<(String, String), AwsError> {
        let bus = bus_name(request.event_bus_name.as_deref()).to_owned();
        let name = request.name.clone().or_else(|| request.rule.clone());
        let name = named(name, "Name")?;
        self.authorize(caller, action, &rule_arn(&self.region, &bus, &name))?;
        Ok((bus, name))
    }

    pub(super) fn bus(&self, name: &str) -> Result<Bus, AwsError> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let bus = state.buses.get(name).cloned();
        bus.ok_or_else(|| not_found(format!("Event bus {name} does not exist.")))
    }

    pub(super) fn rule(&self, bus: &str, name: &str) -> Result<Rule, AwsError> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let rule = state.rules.get(&(bus.to_owned(), name.to_owned())).cloned();
        rule.ok_or_else(|| not_found(format!("Rule {name} does not exist on EventBus {bus}.")))
    }

    fn shown_rule(&self, rule: &Rule) -> Value {
        let mut shown = json!({
            "Name": rule.spec.name,
            "Arn": self.arn_of(rule),
            "EventPattern": rule.spec.pattern,
            "State": if rule.spec.enabled { "ENABLED" } else { "DISABLED" },
            "EventBusName": rule.spec.bus,
        });
        if let Some(description) = &rule.spec.description {
            shown["Description"] = json!(description);
        }
        shown
    }

    fn arn_of(&self, rule: &Rule) -> String {
        rule_arn(&self.region, &rule.spec.bus, &rule.spec.name)
    }

    pub(super) fn keep_rule(&self, rule: Rule) -> Result<(), AwsError> {
        let key = rule_key(&rule.spec.bus, &rule.spec.name);
        let json = serde_json::to_vec(&rule.spec).expect("a rule has only string keys");
        self.keep(|transaction| {
            transaction
                .open_table(RULES)?
                .insert(key.as_str(), json.as_slice())?;
            Ok(())
        })?;
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state
            .rules
            .insert((rule.spec.bus.clone(), rule.spec.name.clone()), rule);
        Ok(())
    }

    pub(super) fn keep(
        &self,
        change: impl FnOnce(&redb::WriteTransaction) -> Result<(), redb::Error>,
    ) -> Result<(), AwsError> {
        let kept = (|| {
            let transaction = self.store.index.begin_write()?;
            change(&transaction)?;
            transaction.commit()?;
            Ok(())
        })();
        kept.map_err(unavailable)
    }

    pub(super) fn authorize(&self, caller: &Principal, action: &str, resource: &str) -> Result<(), AwsError> {
        Ok(self.iam.permit(caller, action, resource)?)
    }
}

/// Reads the `State` of a rule.
fn is_enabled(state: Option<&str>) -> Result<bool, AwsError> {
    match state {
        None | Some("ENABLED" | "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS") => Ok(true),
        Some("DISABLED") => Ok(false),
        Some(other) => Err(validation(format!(
            "the State {other} is none of ENABLED, DISABLED, ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"
        ))),
    }
}

/// Members that some operation knows.
const KNOWN: [&str; 25] = [
    "Name",
    "Rule",
    "EventBusName",
    "EventSourceName",
    "EventPattern",
    "Event",
    "ScheduleExpression",
    "State",
    "Description",
    "Targets",
    "Ids",
    "Force",
    "Entries",
    "NamePrefix",
    "TargetArn",
    "ResourceARN",
    "ConnectionArn",
    "AuthorizationType",
    "AuthParameters",
    "InvocationConnectivityParameters",
    "InvocationEndpoint",
    "HttpMethod",
    "InvocationRateLimitPerSecond",
    "Limit",
    "NextToken",
];

async fn parse<T: DeserializeOwned>(operation: &str, body: Body) -> Result<T, AwsError> {
    json_protocol::parse_known(body, MAX_BODY_BYTES, ("events", operation), &KNOWN).await
}

fn parse_pattern(pattern: &str) -> Result<Pattern, AwsError> {
    Pattern::parse(pattern)
        .map_err(|error| AwsError::new(400, "InvalidEventPatternException", error.to_string()))
}

/// Rule names hold no slash.
fn rule_key(bus: &str, name: &str) -> String {
    format!("{bus}/{name}")
}

pub(super) fn named(value: Option<String>, member: &str) -> Result<String, AwsError> {
    let value = value.filter(|value| !value.is_empty());
    value.ok_or_else(|| validation(format!("Parameter {member} is required.")))
}

fn not_found(message: String) -> AwsError {
    AwsError::new(400, "ResourceNotFoundException", message)
}

pub(super) fn unavailable(error: redb::Error) -> AwsError {
    tracing::error!(%error, "the buses and rules could not be read or kept");
    AwsError::new(500, "InternalException", "An internal error occurred.")
}
