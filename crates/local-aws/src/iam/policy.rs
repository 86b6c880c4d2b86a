//! A policy document: parsed strictly, then asked for its verdict on one call.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::{
    Principal,
    matching::{arn_like, wildcard},
};
use crate::ACCOUNT_ID;

/// Condition keys of one call, names in lower case (they are case-insensitive).
pub(super) type Context = HashMap<String, String>;

/// Where a policy is attached decides which elements it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// To a role: no principal.
    Identity,
    /// To a bucket, a function: has principals.
    Resource,
    /// Who may assume a role: has principals and no resource.
    Trust,
}

/// What one policy says, weakest first: the greatest verdict of all policies decides.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verdict {
    #[default]
    NoMatch,
    Allow,
    Deny,
}

#[derive(Debug)]
pub(super) struct Policy {
    statements: Vec<Statement>,
}

#[derive(Debug)]
struct Statement {
    effect: Verdict,
    principals: Vec<PrincipalPattern>,
    action: Patterns,
    resource: Option<Patterns>,
    conditions: Vec<Condition>,
    kind: Kind,
}

#[derive(Debug, PartialEq, Eq)]
enum PrincipalPattern {
    Everyone,
    Account,
    Role(String),
    Service(String),
}

/// `Action` or `NotAction`, `Resource` or `NotResource`.
#[derive(Debug)]
struct Patterns {
    negated: bool,
    patterns: Vec<String>,
}

#[derive(Debug)]
struct Condition {
    operator: Operator,
    if_exists: bool,
    /// In lower case.
    key: String,
    values: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    StringEquals,
    StringNotEquals,
    StringLike,
    StringNotLike,
    ArnLike,
    ArnNotLike,
    Bool,
    Null,
    NumericEquals,
    NumericLessThan,
    NumericLessThanEquals,
    NumericGreaterThan,
    NumericGreaterThanEquals,
}

/// The `aws:` keys that a call here has; a condition on any other would never match.
const GLOBAL_KEYS: [&str; 6] = [
    "aws:principalaccount",
    "aws:principalarn",
    "aws:requestedregion",
    "aws:securetransport",
    "aws:sourceaccount",
    "aws:sourcearn",
];

/// The keys beside [`GLOBAL_KEYS`] that a request for a role has.
const TRUST_KEYS: [&str; 2] = ["sts:externalid", "sts:rolesessionname"];

impl Policy {
    /// Parses the trust policy that somebody gives, refusing also conditions on keys that no request for a role has.
    pub(super) fn given_trust(document: &Value) -> Result<Self, String> {
        let policy = Self::parse(document, Kind::Trust)?;
        let conditions = policy.statements.iter().flat_map(|it| &it.conditions);
        let mut keys = conditions.map(|condition| condition.key.as_str());
        match keys.find(|key| !GLOBAL_KEYS.contains(key) && !TRUST_KEYS.contains(key)) {
            Some(key) => Err(format!(
                "condition key {key} is not implemented in a trust policy"
            )),
            None => Ok(policy),
        }
    }

    /// Parses a document, refusing whatever would not be evaluated.
    pub(super) fn parse(document: &Value, kind: Kind) -> Result<Self, String> {
        let document = object(document, "a policy document")?;
        for (name, value) in document {
            match name.as_str() {
                "Version" if value == "2012-10-17" || value == "2008-10-17" => {}
                "Version" => return Err(format!("policy version {value} is not known")),
                "Id" | "Statement" => {}
                other => return Err(format!("policy element {other} is not implemented")),
            }
        }
        let statements = match document.get("Statement") {
            Some(Value::Array(statements)) => statements.iter().collect(),
            Some(statement) => vec![statement],
            None => return Err("a policy document needs a Statement".to_owned()),
        };
        let statements = statements
            .into_iter()
            .map(|statement| Statement::parse(statement, kind))
            .collect::<Result<_, _>>()?;
        Ok(Self { statements })
    }

    /// Returns what the policy says on a call: a deny outweighs any allow.
    pub(super) fn verdict(
        &self,
        principal: &Principal,
        action: &str,
        resource: &str,
        context: &Context,
    ) -> Verdict {
        self.statements
            .iter()
            .filter(|statement| statement.applies(principal, action, resource, context))
            .map(|statement| statement.effect)
            .max()
            .unwrap_or_default()
    }
}

impl Statement {
    fn parse(statement: &Value, kind: Kind) -> Result<Self, String> {
        let statement = object(statement, "a policy statement")?;
        let known = [
            "Sid",
            "Effect",
            "Principal",
            "Action",
            "NotAction",
            "Resource",
            "NotResource",
            "Condition",
        ];
        if let Some(other) = statement.keys().find(|key| !known.contains(&key.as_str())) {
            return Err(format!("statement element {other} is not implemented"));
        }
        let effect = match statement.get("Effect").and_then(Value::as_str) {
            Some("Allow") => Verdict::Allow,
            Some("Deny") => Verdict::Deny,
            _ => return Err("Effect must be Allow or Deny".to_owned()),
        };
        let principals = match (statement.get("Principal"), kind) {
            (None, Kind::Identity) => Vec::new(),
            (Some(_), Kind::Identity) => return Err("a role's policy has no Principal".to_owned()),
            (None, _) => return Err("a statement needs a Principal".to_owned()),
            (Some(principal), _) => parse_principals(principal)?,
        };
        let action = Patterns::parse(statement, "Action", "NotAction")?
            .ok_or("a statement needs Action or NotAction")?;
        if let Some(pattern) = action.patterns.iter().find(|it| *it != "*" && !it.contains(':')) {
            return Err(format!("action {pattern} must be of the form service:Operation"));
        }
        let resource = Patterns::parse(statement, "Resource", "NotResource")?;
        match (&resource, kind) {
            (Some(_), Kind::Trust) => return Err("a trust policy has no Resource".to_owned()),
            (None, Kind::Identity | Kind::Resource) => {
                return Err("a statement needs Resource or NotResource".to_owned());
            }
            (Some(_), _) | (None, Kind::Trust) => {}
        }
        for pattern in resource.iter().flat_map(|it| &it.patterns) {
            if pattern != "*" && (!pattern.starts_with("arn:") || pattern.split(':').count() < 6) {
                return Err(format!("resource {pattern} must be an ARN or *"));
            }
        }
        Ok(Self {
            effect,
            principals,
            action,
            resource,
            conditions: parse_conditions(statement.get("Condition"))?,
            kind,
        })
    }

    fn applies(&self, principal: &Principal, action: &str, resource: &str, context: &Context) -> bool {
        self.is_about(principal)
            && self.action.matches(action, |pattern, action| {
                wildcard(&pattern.to_ascii_lowercase(), &action.to_ascii_lowercase())
            })
            && self
                .resource
                .as_ref()
                .is_none_or(|it| it.matches(resource, arn_like))
            && self.conditions.iter().all(|condition| condition.holds(context))
    }

    fn is_about(&self, principal: &Principal) -> bool {
        self.kind == Kind::Identity
            || self.principals.iter().any(|pattern| match (pattern, principal) {
                (PrincipalPattern::Everyone, _) => true,
                // Naming the account leaves the allowing to its identities' own policies.
                (PrincipalPattern::Account, Principal::Role { .. } | Principal::Session { .. }) => {
                    self.effect == Verdict::Deny
                }
                (PrincipalPattern::Account, Principal::Root) => true,
                (PrincipalPattern::Role(expected), caller) => caller.role_arn() == Some(expected.as_str()),
                (PrincipalPattern::Service(expected), Principal::Service(name)) => expected == name,
                _ => false,
            })
    }
}

impl Patterns {
    fn parse(statement: &Map<String, Value>, name: &str, negated_name: &str) -> Result<Option<Self>, String> {
        let (value, negated) = match (statement.get(name), statement.get(negated_name)) {
            (Some(_), Some(_)) => {
                return Err(format!("{name} and {negated_name} exclude each other"));
            }
            (Some(value), None) => (value, false),
            (None, Some(value)) => (value, true),
            (None, None) => return Ok(None),
        };
        let patterns = strings(value, name)?;
        Ok(Some(Self { negated, patterns }))
    }

    fn matches(&self, value: &str, matches: impl Fn(&str, &str) -> bool) -> bool {
        self.patterns.iter().any(|pattern| matches(pattern, value)) != self.negated
    }
}

impl Condition {
    fn holds(&self, context: &Context) -> bool {
        let Some(actual) = context.get(&self.key) else {
            return match self.operator {
                Operator::Null => self.values.iter().any(|value| value == "true"),
                Operator::StringNotEquals | Operator::StringNotLike | Operator::ArnNotLike => true,
                _ => self.if_exists,
            };
        };
        let any = |matches: &dyn Fn(&str) -> bool| self.values.iter().any(|value| matches(value));
        let number = |compare: fn(f64, f64) -> bool| {
            any(&|value| match (actual.parse(), value.parse()) {
                (Ok(actual), Ok(limit)) => compare(actual, limit),
                _ => false,
            })
        };
        match self.operator {
            Operator::StringEquals => any(&|value| value == actual),
            Operator::StringNotEquals => !any(&|value| value == actual),
            Operator::StringLike => any(&|value| wildcard(value, actual)),
            Operator::StringNotLike => !any(&|value| wildcard(value, actual)),
            Operator::ArnLike => any(&|value| arn_like(value, actual)),
            Operator::ArnNotLike => !any(&|value| arn_like(value, actual)),
            Operator::Bool => any(&|value| value.eq_ignore_ascii_case(actual)),
            Operator::Null => any(&|value| value == "false"),
            Operator::NumericEquals => number(|actual, limit| actual == limit),
            Operator::NumericLessThan => number(|actual, limit| actual < limit),
            Operator::NumericLessThanEquals => number(|actual, limit| actual <= limit),
            Operator::NumericGreaterThan => number(|actual, limit| actual > limit),
            Operator::NumericGreaterThanEquals => number(|actual, limit| actual >= limit),
        }
    }
}

fn parse_principals(principal: &Value) -> Result<Vec<PrincipalPattern>, String> {
    if principal == "*" {
        return Ok(vec![PrincipalPattern::Everyone]);
    }
    let mut patterns = Vec::new();
    for (kind, value) in object(principal, "Principal")? {
        for value in strings(value, "Principal")? {
            patterns.push(match kind.as_str() {
                "Service" if value.contains('*') => {
                    return Err(format!("service principal {value} must be a full name"));
                }
                "Service" => PrincipalPattern::Service(value),
                "AWS" => parse_aws_principal(value)?,
                other => return Err(format!("principal type {other} is not implemented")),
            });
        }
    }
    Ok(patterns)
}

fn parse_aws_principal(value: String) -> Result<PrincipalPattern, String> {
    if value == "*" {
        Ok(PrincipalPattern::Everyone)
    } else if value == ACCOUNT_ID || value == format!("arn:aws:iam::{ACCOUNT_ID}:root") {
        Ok(PrincipalPattern::Account)
    } else if value.starts_with(&format!("arn:aws:iam::{ACCOUNT_ID}:role/")) && !value.contains('*') {
        Ok(PrincipalPattern::Role(value))
    } else {
        Err(format!(
            "principal {value} is not a role of this account, the account or *"
        ))
    }
}

fn parse_conditions(condition: Option<&Value>) -> Result<Vec<Condition>, String> {
    let mut conditions = Vec::new();
    let Some(condition) = condition else {
        return Ok(conditions);
    };
    for (name, keys) in object(condition, "Condition")? {
        let (plain, if_exists) = match name.strip_suffix("IfExists") {
            Some(plain) => (plain, true),
            None => (name.as_str(), false),
        };
        let operator = match plain {
            "StringEquals" => Operator::StringEquals,
            "StringNotEquals" => Operator::StringNotEquals,
            "StringLike" => Operator::StringLike,
            "StringNotLike" => Operator::StringNotLike,
            "ArnEquals" | "ArnLike" => Operator::ArnLike,
            "ArnNotEquals" | "ArnNotLike" => Operator::ArnNotLike,
            "Bool" => Operator::Bool,
            "Null" if !if_exists => Operator::Null,
            "NumericEquals" => Operator::NumericEquals,
            "NumericLessThan" => Operator::NumericLessThan,
            "NumericLessThanEquals" => Operator::NumericLessThanEquals,
            "NumericGreaterThan" => Operator::NumericGreaterThan,
            "NumericGreaterThanEquals" => Operator::NumericGreaterThanEquals,
            _ => return Err(format!("condition operator {name} is not implemented")),
        };
        for (key, values) in object(keys, name)? {
            let lower = key.to_ascii_lowercase();
            if lower.starts_with("aws:") && !GLOBAL_KEYS.contains(&lower.as_str()) {
                return Err(format!("condition key {key} is not implemented"));
            }
            conditions.push(Condition {
                operator,
                if_exists,
                key: lower,
                values: strings(values, name)?,
            });
        }
    }
    Ok(conditions)
}

fn object<'a>(value: &'a Value, what: &str) -> Result<&'a Map<String, Value>, String> {
    value
        .as_object()
        .ok_or_else(|| format!("{what} must be an object"))
}

/// Reads a string, number or boolean, or a list of them, as strings.
fn strings(value: &Value, what: &str) -> Result<Vec<String>, String> {
    let values = match value {
        Value::Array(values) if !values.is_empty() => values.as_slice(),
        single => std::slice::from_ref(single),
    };
    values
        .iter()
        .map(|value| match value {
            Value::String(text) if text.contains("${") => {
                Err(format!("policy variable in {text} is not implemented"))
            }
            Value::String(text) => Ok(text.clone()),
            Value::Bool(_) | Value::Number(_) => Ok(value.to_string()),
            _ => Err(format!("{what} must be a string or a list of strings")),
        })
        .collect()
}
