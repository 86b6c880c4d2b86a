//! Event patterns: which events a rule takes.
//!
//! Source: Amazon EventBridge User Guide, "Comparison operators for use in event patterns". All operators but `cidr`.

use serde_json::{Map, Number, Value};

/// Longest pattern, in characters.
const MAX_CHARS: usize = 4096;

/// A pattern that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Event pattern is not valid. Reason: {0}")]
pub struct InvalidPattern(String);

/// A pattern that was understood.
#[derive(Debug, Clone, PartialEq)]
pub struct Pattern(Node);

#[derive(Debug, Clone, PartialEq)]
enum Node {
    /// Every field must match, and one pattern of each list of alternatives.
    Fields {
        fields: Vec<(String, Node)>,
        alternatives: Vec<Vec<Node>>,
    },
    /// One of the values must match one of these.
    Leaf(Vec<Matcher>),
}

#[derive(Debug, Clone, PartialEq)]
enum Matcher {
    Equals(Value),
    EqualsIgnoringCase(String),
    Prefix(String),
    PrefixIgnoringCase(String),
    Suffix(String),
    SuffixIgnoringCase(String),
    Wildcard(String),
    Numeric(Vec<(Comparison, f64)>),
    Exists(bool),
    AnythingBut(Vec<Matcher>),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Comparison {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    ///
    /// [`InvalidPattern`], naming what is wrong or not implemented.
    pub fn parse(text: &str) -> Result<Self, InvalidPattern> {
        if text.chars().count() > MAX_CHARS {
            return invalid("the pattern is longer than 4096 characters");
        }
        match serde_json::from_str(text) {
            Ok(Value::Object(fields)) => fields_of(fields).map(Self),
            _ => invalid("the pattern is not a JSON object"),
        }
    }

    /// Returns whether an event is of this pattern.
    pub fn matches(&self, event: &Value) -> bool {
        self.0.matches(Some(event))
    }
}

fn invalid<T>(reason: impl Into<String>) -> Result<T, InvalidPattern> {
    Err(InvalidPattern(reason.into()))
}

fn fields_of(object: Map<String, Value>) -> Result<Node, InvalidPattern> {
    if object.is_empty() {
        return invalid("Empty objects are not allowed");
    }
    let mut fields = Vec::new();
    let mut alternatives = Vec::new();
    for (name, value) in object {
        match value {
            Value::Array(values) if values.is_empty() => return invalid("Empty arrays are not allowed"),
            Value::Array(patterns) if name == "$or" => {
                let read = |pattern| match pattern {
                    Value::Object(fields) => fields_of(fields),
                    _ => invalid("\"$or\" must be a list of objects"),
                };
                alternatives.push(patterns.into_iter().map(read).collect::<Result<_, _>>()?);
            }
            Value::Object(nested) => fields.push((name, fields_of(nested)?)),
            Value::Array(values) => {
                let matchers = values.into_iter().map(matcher).collect::<Result<_, _>>()?;
                fields.push((name, Node::Leaf(matchers)));
            }
            _ => return invalid(format!("\"{name}\" must be an object or an array")),
        }
    }
    Ok(Node::Fields { fields, alternatives })
}

fn matcher(value: Value) -> Result<Matcher, InvalidPattern> {
    let object = match value {
        Value::Object(object) => object,
        Value::Array(_) => {
            return invalid("a value must be a text, a number, a boolean, null or an operator");
        }
        plain => return Ok(Matcher::Equals(plain)),
    };
    let mut operators = object.into_iter();
    let (Some((operator, operand)), None) = (operators.next(), operators.next()) else {
        return invalid("Only one key allowed in match expression");
    };
    match (operator.as_str(), operand) {
        ("prefix", operand) => affix(operand, Matcher::Prefix, Matcher::PrefixIgnoringCase),
        ("suffix", operand) => affix(operand, Matcher::Suffix, Matcher::SuffixIgnoringCase),
        ("equals-ignore-case", Value::String(text)) => Ok(Matcher::EqualsIgnoringCase(text)),
        ("wildcard", Value::String(text)) => Ok(Matcher::Wildcard(text)),
        ("exists", Value::Bool(exists)) => Ok(Matcher::Exists(exists)),
        ("numeric", Value::Array(operands)) => numeric(&operands),
        ("anything-but", operand) => anything_but(operand),
        ("cidr", _) => invalid("cidr is not implemented by the local services"),
        (other, _) => invalid(format!(
            "Unrecognized match type {other}, or its operand is of the wrong kind"
        )),
    }
}

/// Reads `{"prefix": "a"}` and `{"prefix": {"equals-ignore-case": "a"}}`.
fn affix(
    operand: Value,
    exact: fn(String) -> Matcher,
    ignoring_case: fn(String) -> Matcher,
) -> Result<Matcher, InvalidPattern> {
    match operand {
        Value::String(text) => Ok(exact(text)),
        Value::Object(mut object) if object.len() == 1 => match object.remove("equals-ignore-case") {
            Some(Value::String(text)) => Ok(ignoring_case(text)),
            _ => invalid("prefix and suffix take a text or equals-ignore-case"),
        },
        _ => invalid("prefix and suffix take a text or equals-ignore-case"),
    }
}

fn anything_but(operand: Value) -> Result<Matcher, InvalidPattern> {
    let excluded = match operand {
        Value::Array(values) => values,
        // {"prefix": ["a", "b"]} excludes each of them.
        Value::Object(object) => {
            let each = |(operator, operand): (String, Value)| {
                match operand {
                    Value::Array(operands) => operands,
                    one => vec![one],
                }
                .into_iter()
                .map(move |operand| Value::from_iter([(operator.clone(), operand)]))
            };
            object.into_iter().flat_map(each).collect()
        }
        one => vec![one],
    };
    if excluded.is_empty() {
        return invalid("anything-but needs something to leave out");
    }
    let matchers: Vec<Matcher> = excluded.into_iter().map(matcher).collect::<Result<_, _>>()?;
    let nested = |matcher: &Matcher| {
        matches!(
            matcher,
            Matcher::AnythingBut(_) | Matcher::Exists(_) | Matcher::Numeric(_)
        )
    };
    match matchers.iter().any(nested) {
        true => invalid("anything-but takes values, prefix, suffix, wildcard or equals-ignore-case"),
        false => Ok(Matcher::AnythingBut(matchers)),
    }
}

fn numeric(operands: &[Value]) -> Result<Matcher, InvalidPattern> {
    let comparison = |pair: &[Value]| {
        let [Value::String(operator), Value::Number(number)] = pair else {
            return None;
        };
        let comparison = match operator.as_str() {
            "=" => Comparison::Equal,
            "<" => Comparison::Less,
            "<=" => Comparison::LessOrEqual,
            ">" => Comparison::Greater,
            ">=" => Comparison::GreaterOrEqual,
            _ => return None,
        };
        Some((comparison, number.as_f64()?))
    };
    let comparisons: Option<Vec<_>> = operands.chunks(2).map(comparison).collect();
    match comparisons {
        Some(comparisons) if !comparisons.is_empty() => Ok(Matcher::Numeric(comparisons)),
        _ => invalid("numeric takes operators, each with a number"),
    }
}

impl Node {
    fn matches(&self, value: Option<&Value>) -> bool {
        match self {
            Self::Leaf(matchers) => matchers.iter().any(|matcher| matcher.matches(value)),
            Self::Fields { .. } => match value {
                // One object of a list must match as a whole.
                Some(Value::Array(values)) => values.iter().any(|value| self.matches_fields(value)),
                Some(value) => self.matches_fields(value),
                None => self.matches_fields(&Value::Null),
            },
        }
    }

    fn matches_fields(&self, value: &Value) -> bool {
        let Self::Fields { fields, alternatives } = self else {
            return false;
        };
        let all = fields.iter().all(|(name, node)| node.matches(value.get(name)));
        let any_of = |patterns: &Vec<Node>| patterns.iter().any(|pattern| pattern.matches(Some(value)));
        all && alternatives.iter().all(any_of)
    }
}

impl Matcher {
    /// Returns whether a field matches, that is one of its values if it has several; `None` for a field that is absent.
    fn matches(&self, field: Option<&Value>) -> bool {
        match (self, field) {
            // Only leaves exist: an object has no value.
            (Self::Exists(exists), field) => *exists == field.is_some_and(|field| !field.is_object()),
            (_, None) => false,
            (_, Some(Value::Array(values))) => values.iter().any(|value| self.matches_one(value)),
            (_, Some(value)) => self.matches_one(value),
        }
    }

    fn matches_one(&self, value: &Value) -> bool {
        let text = value.as_str();
        let folded = || text.map(str::to_lowercase);
        match self {
            Self::Equals(wanted) => value == wanted,
            Self::EqualsIgnoringCase(wanted) => folded() == Some(wanted.to_lowercase()),
            Self::Prefix(prefix) => text.is_some_and(|text| text.starts_with(prefix)),
            Self::PrefixIgnoringCase(prefix) => {
                folded().is_some_and(|text| text.starts_with(&prefix.to_lowercase()))
            }
            Self::Suffix(suffix) => text.is_some_and(|text| text.ends_with(suffix)),
            Self::SuffixIgnoringCase(suffix) => {
                folded().is_some_and(|text| text.ends_with(&suffix.to_lowercase()))
            }
            Self::Wildcard(pattern) => text.is_some_and(|text| is_wildcard(pattern, text)),
            Self::Numeric(comparisons) => value
                .as_number()
                .and_then(Number::as_f64)
                .is_some_and(|number| comparisons.iter().all(|(how, bound)| how.holds(number, *bound))),
            Self::AnythingBut(excluded) => {
                !value.is_object() && !excluded.iter().any(|matcher| matcher.matches_one(value))
            }
            Self::Exists(exists) => *exists,
        }
    }
}

impl Comparison {
    fn holds(self, number: f64, bound: f64) -> bool {
        match self {
            Self::Equal => number == bound,
            Self::Less => number < bound,
            Self::LessOrEqual => number <= bound,
            Self::Greater => number > bound,
            Self::GreaterOrEqual => number >= bound,
        }
    }
}

/// Returns whether a text is of a pattern, whose stars stand for anything.
fn is_wildcard(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let Some(last) = parts.next_back() else {
        return rest.is_empty();
    };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests;
