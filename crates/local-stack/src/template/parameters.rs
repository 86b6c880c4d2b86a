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
            Some("Number") => {
                if given.parse::<f64>().is_err() {
                    self.refuse(&given, "must be a number");
                }
                self.check(&given, true);
                Value::from(given)
            }
            Some("CommaDelimitedList") => {
                let items: Vec<_> = given.split(',').map(str::trim).collect();
                for item in &items {
                    self.check(item, false);
                }
                Value::from(items)
            }
            _ => {
                self.check(&given, false);
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

    fn check(&self, value: &str, is_number: bool) {
        if let Some(Value::Array(allowed)) = self.declaration.get("AllowedValues")
            && !allowed.iter().filter_map(text).any(|item| item == value)
        {
            let allowed: Vec<String> = allowed
                .iter()
                .filter_map(text)
                .map(|item| format!("`{item}`"))
                .collect();
            self.refuse(value, &format!("must be one of {}", allowed.join(", ")));
        }
        if let Some(pattern) = self.setting("AllowedPattern") {
            match Regex::new(&format!("^(?:{pattern})$")) {
                Ok(regex) if regex.is_match(value) => {}
                Ok(_) => self.refuse(value, &format!("must match pattern {pattern}")),
                Err(_) => self.problems.report(
                    join(&self.path, "AllowedPattern"),
                    "the pattern is not a regular expression that local-stack can check",
                ),
            }
        }
        let length = value.chars().count() as f64;
        self.check_bound(
            value,
            "MinLength",
            |least| length >= least,
            |least| format!("must contain at least {least} characters"),
        );
        self.check_bound(
            value,
            "MaxLength",
            |most| length <= most,
            |most| format!("must contain at most {most} characters"),
        );
        if is_number && let Ok(number) = value.parse::<f64>() {
            self.check_bound(
                value,
                "MinValue",
                |least| number >= least,
                |least| format!("must be a number not less than {least}"),
            );
            self.check_bound(
                value,
                "MaxValue",
                |most| number <= most,
                |most| format!("must be a number not greater than {most}"),
            );
        }
    }

    fn check_bound(
        &self,
        value: &str,
        key: &str,
        holds: impl Fn(f64) -> bool,
        message: impl Fn(&str) -> String,
    ) {
        let Some(bound) = self.setting(key) else {
            return;
        };
        match bound.parse() {
            Ok(limit) if holds(limit) => {}
            Ok(_) => self.refuse(value, &message(&bound)),
            Err(_) => self.problems.report(join(&self.path, key), "must be a number"),
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
        self.problems.report("", message + &got);
    }
}
