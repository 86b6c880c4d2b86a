//! The rules of a `Choice` state.

use std::cmp::Ordering;

use chrono::DateTime;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    failure::Failure,
    path::{Data, Path},
};

/// One rule: where to go if a condition holds.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "Map<String, Value>")]
pub(super) struct Rule {
    pub condition: Condition,
    pub next: String,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Condition {
    And(Vec<Condition>),
    Or(Vec<Condition>),
    Not(Box<Condition>),
    Test(Path, Test),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Test {
    IsPresent(bool),
    Is(Type, bool),
    Matches(String),
    Compare(Type, Comparison, Operand),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Null,
    String,
    Numeric,
    Boolean,
    Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equals,
    LessThan,
    LessThanEquals,
    GreaterThan,
    GreaterThanEquals,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Operand {
    Constant(Value),
    Path(Path),
}

impl TryFrom<Map<String, Value>> for Rule {
    type Error = String;

    fn try_from(mut rule: Map<String, Value>) -> Result<Self, String> {
        let Some(Value::String(next)) = rule.remove("Next") else {
            return Err("a rule needs a Next".to_owned());
        };
        let condition = condition(rule)?;
        Ok(Self { condition, next })
    }
}

fn condition(mut rule: Map<String, Value>) -> Result<Condition, String> {
    rule.remove("Comment");
    let variable = rule.remove("Variable");
    let mut members = rule.into_iter();
    let (Some((operator, operand)), None) = (members.next(), members.next()) else {
        return Err("a rule needs one comparison, and nothing else".to_owned());
    };
    match (operator.as_str(), operand, variable) {
        ("And", Value::Array(rules), None) => Ok(Condition::And(conditions(rules)?)),
        ("Or", Value::Array(rules), None) => Ok(Condition::Or(conditions(rules)?)),
        ("Not", Value::Object(rule), None) => Ok(Condition::Not(Box::new(condition(rule)?))),
        (operator, operand, Some(Value::String(variable))) => {
            let test = test(operator, operand)?;
            Ok(Condition::Test(Path::parse(&variable)?, test))
        }
        (operator, _, _) => Err(format!(
            "the comparison {operator} is not supported as it is written"
        )),
    }
}

fn conditions(rules: Vec<Value>) -> Result<Vec<Condition>, String> {
    if rules.is_empty() {
        return Err("And and Or need rules".to_owned());
    }
    let rules = rules.into_iter().map(|rule| match rule {
        Value::Object(rule) => condition(rule),
        _ => Err("a rule must be an object".to_owned()),
    });
    rules.collect()
}

fn test(operator: &str, operand: Value) -> Result<Test, String> {
    let unsupported = || format!("the comparison {operator} of {operand} is not supported");
    if let Some(name) = operator.strip_prefix("Is") {
        let expected = operand.as_bool().ok_or_else(unsupported)?;
        return match name {
            "Present" => Ok(Test::IsPresent(expected)),
            "Null" => Ok(Test::Is(Type::Null, expected)),
            name => Ok(Test::Is(Type::named(name).ok_or_else(unsupported)?, expected)),
        };
    }
    if operator == "StringMatches" {
        let pattern = operand.as_str().ok_or_else(unsupported)?;
        return Ok(Test::Matches(pattern.to_owned()));
    }
    let name = operator.strip_suffix("Path").unwrap_or(operator);
    let (kind, comparison) = ["String", "Numeric", "Boolean", "Timestamp"]
        .into_iter()
        .find_map(|kind| Some((Type::named(kind)?, Comparison::named(name.strip_prefix(kind)?)?)))
        .filter(|(kind, comparison)| *kind != Type::Boolean || *comparison == Comparison::Equals)
        .ok_or_else(unsupported)?;
    let operand = if name == operator {
        Some(Operand::Constant(operand.clone())).filter(|_| kind.is_of(&operand))
    } else {
        operand
            .as_str()
            .and_then(|path| Path::parse(path).ok())
            .map(Operand::Path)
    };
    Ok(Test::Compare(kind, comparison, operand.ok_or_else(unsupported)?))
}

impl Type {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "String" => Self::String,
            "Numeric" => Self::Numeric,
            "Boolean" => Self::Boolean,
            "Timestamp" => Self::Timestamp,
            _ => return None,
        })
    }

    fn is_of(self, value: &Value) -> bool {
        match self {
            Self::Null => value.is_null(),
            Self::String => value.is_string(),
            Self::Numeric => value.is_number(),
            Self::Boolean => value.is_boolean(),
            Self::Timestamp => value
                .as_str()
                .is_some_and(|text| DateTime::parse_from_rfc3339(text).is_ok()),
        }
    }

    /// Compares two values of this type; `None` if one is of another.
    fn compare(self, first: &Value, second: &Value) -> Option<Ordering> {
        let time = |value: &Value| DateTime::parse_from_rfc3339(value.as_str()?).ok();
        match self {
            Self::Null => None,
            Self::String => Some(first.as_str()?.cmp(second.as_str()?)),
            Self::Numeric => first.as_f64()?.partial_cmp(&second.as_f64()?),
            Self::Boolean => Some(first.as_bool()?.cmp(&second.as_bool()?)),
            Self::Timestamp => Some(time(first)?.cmp(&time(second)?)),
        }
    }
}

impl Comparison {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "Equals" => Self::Equals,
            "LessThan" => Self::LessThan,
            "LessThanEquals" => Self::LessThanEquals,
            "GreaterThan" => Self::GreaterThan,
            "GreaterThanEquals" => Self::GreaterThanEquals,
            _ => return None,
        })
    }

    fn holds(self, ordering: Ordering) -> bool {
        match self {
            Self::Equals => ordering.is_eq(),
            Self::LessThan => ordering.is_lt(),
            Self::LessThanEquals => ordering.is_le(),
            Self::GreaterThan => ordering.is_gt(),
            Self::GreaterThanEquals => ordering.is_ge(),
        }
    }
}

impl Condition {
    /// Returns whether the condition holds; a value of another type than the comparison's is no match.
    pub(super) fn holds(&self, data: Data<'_>) -> Result<bool, Failure> {
        match self {
            Self::And(conditions) => all(conditions, data, true),
            Self::Or(conditions) => all(conditions, data, false).map(|none| !none),
            Self::Not(condition) => condition.holds(data).map(|holds| !holds),
            Self::Test(variable, Test::IsPresent(expected)) => Ok(variable.find(data).is_some() == *expected),
            Self::Test(variable, test) => {
                let value = variable.get(data, Failure::RUNTIME)?;
                test.holds(&value, data)
            }
        }
    }
}

/// Returns whether all conditions come out as `expected`.
fn all(conditions: &[Condition], data: Data<'_>, expected: bool) -> Result<bool, Failure> {
    for condition in conditions {
        if condition.holds(data)? != expected {
            return Ok(false);
        }
    }
    Ok(true)
}

impl Test {
    fn holds(&self, value: &Value, data: Data<'_>) -> Result<bool, Failure> {
        Ok(match self {
            Self::IsPresent(expected) => *expected,
            Self::Is(kind, expected) => kind.is_of(value) == *expected,
            Self::Matches(pattern) => value
                .as_str()
                .is_some_and(|text| matches(&pattern_parts(pattern), text)),
            Self::Compare(kind, comparison, operand) => {
                let operand = match operand {
                    Operand::Constant(operand) => operand.clone(),
                    Operand::Path(path) => path.get(data, Failure::RUNTIME)?,
                };
                kind.compare(value, &operand)
                    .is_some_and(|ordering| comparison.holds(ordering))
            }
        })
    }
}

/// Splits a pattern at its stars; `\*` is a star, `\\` a backslash.
fn pattern_parts(pattern: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut characters = pattern.chars();
    while let Some(c) = characters.next() {
        let literal = match c {
            '*' => {
                parts.push(String::new());
                continue;
            }
            '\\' => characters.next().unwrap_or('\\'),
            c => c,
        };
        parts
            .last_mut()
            .expect("there is one part from the start")
            .push(literal);
    }
    parts
}

fn matches(parts: &[String], text: &str) -> bool {
    let [first, middle @ .., last] = parts else {
        return parts.first().is_some_and(|part| part == text);
    };
    let Some(mut rest) = text
        .strip_prefix(first.as_str())
        .and_then(|rest| rest.strip_suffix(last.as_str()))
    else {
        return false;
    };
    middle.iter().all(|part| match rest.split_once(part.as_str()) {
        Some((_, after)) => {
            rest = after;
            true
        }
        None => false,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rule(rule: Value) -> Result<Rule, String> {
        let mut rule = rule;
        rule["Next"] = json!("There");
        serde_json::from_value(rule).map_err(|error| error.to_string())
    }

    fn holds(condition: Value) -> Result<bool, String> {
        let input = json!({
            "s": "model-7.zip", "n": 5, "b": true, "nothing": null, "big": 10,
            "t": "2026-11-21T10:00:00Z", "u": "2026-11-21T11:30:00+01:00",
        });
        let data = Data {
            input: &input,
            context: &json!({"State": {"Name": "Choose"}}),
        };
        let rule = rule(condition)?;
        rule.condition.holds(data).map_err(|failure| failure.error)
    }

    #[test]
    fn rules_hold_or_not_as_in_step_functions() {
        for (condition, expected) in [
            (json!({"Variable": "$.s", "StringEquals": "model-7.zip"}), true),
            (json!({"Variable": "$.s", "StringEqualsPath": "$.t"}), false),
            (json!({"Variable": "$.s", "StringLessThan": "n"}), true),
            (json!({"Variable": "$.s", "StringMatches": "model-*.zip"}), true),
            (json!({"Variable": "$.s", "StringMatches": "*-7*"}), true),
            (json!({"Variable": "$.s", "StringMatches": "model-\\*"}), false),
            (json!({"Variable": "$.s", "StringMatches": "model"}), false),
            (json!({"Variable": "$.n", "NumericEquals": 5.0}), true),
            (json!({"Variable": "$.n", "NumericLessThanPath": "$.big"}), true),
            (json!({"Variable": "$.n", "NumericGreaterThan": 5}), false),
            (json!({"Variable": "$.n", "NumericGreaterThanEquals": 5}), true),
            (json!({"Variable": "$.s", "NumericEquals": 5}), false),
            (json!({"Variable": "$.b", "BooleanEquals": true}), true),
            (json!({"Variable": "$.t", "TimestampLessThanPath": "$.u"}), true),
            (
                json!({"Variable": "$.t", "TimestampGreaterThanEquals": "2026-11-21T10:00:00Z"}),
                true,
            ),
            (json!({"Variable": "$.nothing", "IsNull": true}), true),
            (json!({"Variable": "$.nothing", "IsPresent": true}), true),
            (json!({"Variable": "$.absent", "IsPresent": false}), true),
            (json!({"Variable": "$.t", "IsTimestamp": true}), true),
            (json!({"Variable": "$.s", "IsNumeric": false}), true),
            (
                json!({"Variable": "$$.State.Name", "StringEquals": "Choose"}),
                true,
            ),
            (json!({"Not": {"Variable": "$.b", "BooleanEquals": true}}), false),
            (
                json!({"And": [{"Variable": "$.absent", "IsPresent": true}, {"Variable": "$.absent", "IsNull": true}]}),
                false,
            ),
            (
                json!({"Or": [{"Variable": "$.n", "NumericEquals": 1}, {"Variable": "$.n", "NumericEquals": 5}]}),
                true,
            ),
        ] {
            assert_eq!(holds(condition.clone()), Ok(expected), "{condition}");
        }
    }

    #[test]
    fn a_variable_that_is_absent_is_an_error() {
        let outcome = holds(json!({"Variable": "$.absent", "NumericEquals": 1}));

        assert_eq!(outcome, Err("States.Runtime".to_owned()));
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        for condition in [
            json!({"Variable": "$.n"}),
            json!({"NumericEquals": 1}),
            json!({"Variable": "$.n", "NumericEquals": "1"}),
            json!({"Variable": "$.n", "NumericEquals": 1, "NumericLessThan": 2}),
            json!({"Variable": "$.n", "NumericIsEven": true}),
            json!({"Variable": "$.b", "BooleanLessThan": true}),
            json!({"Variable": "$.t", "TimestampEquals": "yesterday"}),
            json!({"And": []}),
            json!({"Condition": "{% $n = 1 %}"}),
        ] {
            assert!(rule(condition.clone()).is_err(), "{condition}");
        }
    }
}
