//! The parameters of a template and the checks on their values.

use std::collections::BTreeMap;

use regex::Regex;
use serde_json::{Map, Value};

use super::{document::join, text};
use crate::problems::Problems;

/// Checks every parameter and returns its value: text, or a list of texts.
///
/// A parameter whose value is refused keeps that value, so that the rest can be checked too.
pub(super) fn resolve(
    declarations: &Map<String, Value>,
    arguments: &BTreeMap<String, String>,
    problems: &Problems,
) -> BTreeMap<String, Value> {
    let unknown: Vec<_> = arguments
        .keys()
        .filter(|name| !declarations.contains_key(*name))
        .map(String::as_str)
        .collect();
    if !unknown.is_empty() {
        let unknown = unknown.join(", ");
        problems.report(
            "",
            format!("Parameters: [{unknown}] do not exist in the template"),
        );
    }
    declarations
        .iter()
        .map(|(name, declaration)| {
            let parameter = Parameter {
                name,
                declaration,
                path: join("Parameters", name),
                problems,
            };
            (name.clone(), parameter.value(arguments.get(name)))
        })
        .collect()
}

/// Returns the values of parameters as they may be shown: of one with `NoEcho`, stars.
pub(super) fn shown(
    declarations: &Map<String, Value>,
    values: &BTreeMap<String, Value>,
) -> BTreeMap<String, String> {
    let of = |value: &Value| match value {
        Value::Array(items) => items.iter().filter_map(text).collect::<Vec<_>>().join(","),
        other => text(other).unwrap_or_default(),
    };
    let shown = |(name, value): (&String, &Value)| {
        let value = if declarations.get(name).is_some_and(is_secret) {
            "****".to_owned()
        } else {
            of(value)
        };
        (name.clone(), value)
    };
    values.iter().map(shown).collect()
}

/// Returns whether the value of a parameter must not be shown.
fn is_secret(declaration: &Value) -> bool {
    let no_echo = declaration.get("NoEcho").and_then(text);
    no_echo.is_some_and(|flag| flag.eq_ignore_ascii_case("true"))
}

/// Says that the value of a parameter is refused, as CloudFormation does.
pub(crate) fn refused(parameter: &str, words: &str) -> String {
    format!("Parameter '{parameter}' failed to satisfy constraint: {words}")
}

struct Parameter<'a> {
    name: &'a str,
    declaration: &'a Value,
    path: String,
    problems: &'a Problems,
}

impl Parameter<'_> {
    fn value(&self, argument: Option<&String>) -> Value {
        self.check_declaration();
        let default = self.declaration.get("Default").and_then(text);
        let Some(given) = argument.cloned().or(default) else {
            let message = format!("Parameters: [{}] must have values", self.name);
            self.problems.report("", message);
            return Value::from("");
        };
        match self.setting("Type").as_deref() {
            Some("CommaDelimitedList") => {
                let items: Vec<_> = given.split(',').map(str::trim).collect();
                for item in &items {
                    self.check(item);
                }
                Value::from(items)
            }
            _ => {
                self.check(&given);
                Value::from(given)
            }
        }
    }

    fn check_declaration(&self) {
        let Value::Object(settings) = self.declaration else {
            self.problems.report(&self.path, "must be an object");
            return;
        };
        for (key, value) in settings {
            let known = match key.as_str() {
                "Type" => matches!(value.as_str(), Some("String" | "Number" | "CommaDelimitedList")),
                "AllowedValues" => value.is_array(),
                "Default"
                | "AllowedPattern"
                | "ConstraintDescription"
                | "Description"
                | "MinLength"
                | "MaxLength"
                | "MinValue"
                | "MaxValue"
                | "NoEcho" => text(value).is_some(),
                _ => false,
            };
            if !known {
                let value = text(value).unwrap_or_else(|| value.to_string());
                self.problems.report(
                    join(&self.path, key),
                    format!("`{value}` is not supported by local-stack"),
                );
            }
        }
        if !settings.contains_key("Type") {
            self.problems.report(&self.path, "Type is missing");
        }
    }

    /// Refuses a value by the first rule that it breaks.
    fn check(&self, value: &str) {
        let rules = [
            self.of_number(value),
            self.of_allowed_values(value),
            self.of_pattern(value),
            self.of_length(value),
        ];
        if let Some(rule) = rules.into_iter().flatten().next() {
            self.refuse(value, &rule);
        }
    }

    fn of_number(&self, value: &str) -> Option<String> {
        if self.setting("Type").as_deref() != Some("Number") {
            return None;
        }
        let Ok(number) = value.parse::<f64>() else {
            return Some("must be a number".to_owned());
        };
        let below = self.of_bound(
            "MinValue",
            |least| number >= least,
            "must be a number not less than",
        );
        let above = self.of_bound(
            "MaxValue",
            |most| number <= most,
            "must be a number not greater than",
        );
        below.or(above)
    }

    fn of_allowed_values(&self, value: &str) -> Option<String> {
        let Some(Value::Array(allowed)) = self.declaration.get("AllowedValues") else {
            return None;
        };
        let allowed: Vec<String> = allowed.iter().filter_map(text).collect();
        let shown: Vec<String> = allowed.iter().map(|item| format!("`{item}`")).collect();
        (!allowed.iter().any(|item| item == value)).then(|| format!("must be one of {}", shown.join(", ")))
    }

    fn of_pattern(&self, value: &str) -> Option<String> {
        let pattern = self.setting("AllowedPattern")?;
        match Regex::new(&format!("^(?:{pattern})$")) {
            Ok(regex) => (!regex.is_match(value)).then(|| format!("must match pattern {pattern}")),
            Err(_) => {
                self.problems.report(
                    join(&self.path, "AllowedPattern"),
                    "the pattern is not a regular expression that local-stack can check",
                );
                None
            }
        }
    }

    fn of_length(&self, value: &str) -> Option<String> {
        let length = value.chars().count() as f64;
        let short = self.of_bound("MinLength", |least| length >= least, "must contain at least");
        let long = self.of_bound("MaxLength", |most| length <= most, "must contain at most");
        short.or(long).map(|rule| rule + " characters")
    }

    /// Returns the rule of a bound that does not hold, with the bound after `words`.
    fn of_bound(&self, key: &str, holds: impl Fn(f64) -> bool, words: &str) -> Option<String> {
        let bound = self.setting(key)?;
        match bound.parse() {
            Ok(limit) => (!holds(limit)).then(|| format!("{words} {bound}")),
            Err(_) => {
                self.problems.report(join(&self.path, key), "must be a number");
                None
            }
        }
    }

    fn setting(&self, key: &str) -> Option<String> {
        self.declaration.get(key).and_then(text)
    }

    /// Reports the value, and shows it unless it is a secret.
    fn refuse(&self, value: &str, constraint: &str) {
        let name = self.name;
        let message = match self.setting("ConstraintDescription") {
            Some(words) => refused(name, words.trim_end_matches('.')),
            None => format!("Parameter '{name}' {constraint}"),
        };
        let got = match is_secret(self.declaration) {
            true => String::new(),
            false => format!(", got `{value}`"),
        };
        self.problems.refuse_parameter(name, message + &got);
    }
}
