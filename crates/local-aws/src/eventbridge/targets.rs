//! Who gets an event, and what of it.

use std::collections::BTreeMap;

use chrono::{SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::api_destinations;

/// Who gets an event.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetSpec {
    /// ARN of a function or of an API destination.
    pub arn: String,
    /// What it gets in place of the event, JSON text.
    pub input: Option<String>,
    /// Which part of the event it gets, for example `$.detail`.
    pub input_path: Option<String>,
    /// What it gets made of parts of the event.
    #[serde(default)]
    pub input_transformer: Option<InputTransformer>,
    /// Role that invokes an API destination; `events.amazonaws.com` must be able to assume it.
    #[serde(default)]
    pub role_arn: Option<String>,
    /// What an API destination is sent beside the event.
    #[serde(default)]
    pub http: HttpParameters,
    /// How long an API destination is tried; a function's retries are those of its asynchronous invocations.
    #[serde(default)]
    pub retry: RetryPolicy,
}

/// `InputTransformer`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct InputTransformer {
    /// Paths into the event, by the names that stand for what is there.
    #[serde(default)]
    pub input_paths_map: BTreeMap<String, String>,
    /// JSON text in which `<name>` is replaced by a value, within quotes by its text.
    pub input_template: String,
}

/// `HttpParameters`; a value that begins with `$.` is a path into the event.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default, deny_unknown_fields)]
pub struct HttpParameters {
    /// Instead of the stars of the endpoint, in their order.
    pub path_parameter_values: Vec<String>,
    /// Headers.
    pub header_parameters: BTreeMap<String, String>,
    /// Parameters of the query.
    pub query_string_parameters: BTreeMap<String, String>,
}

/// `RetryPolicy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default, deny_unknown_fields)]
pub struct RetryPolicy {
    /// Tries after the first one, 0 to 185.
    pub maximum_retry_attempts: u32,
    /// Age at which an event is given up, seconds, 60 to 86,400.
    pub maximum_event_age_in_seconds: u32,
}

impl Default for RetryPolicy {
    /// As EventBridge has them: 185 tries in 24 hours.
    fn default() -> Self {
        Self {
            maximum_retry_attempts: 185,
            maximum_event_age_in_seconds: 86_400,
        }
    }
}

impl TargetSpec {
    /// Refuses a target that gets nothing here.
    pub(super) fn check(&self) -> Result<(), String> {
        let is_destination = api_destinations::is_arn(&self.arn);
        if !is_known(&self.arn) {
            return Err(format!(
                "the target {} is no function and no API destination",
                self.arn
            ));
        }
        if is_destination && self.role_arn.is_none() {
            return Err(format!("RoleArn is required for target {}", self.arn));
        }
        let inputs = [
            self.input.is_some(),
            self.input_path.is_some(),
            self.input_transformer.is_some(),
        ];
        if inputs.iter().filter(|given| **given).count() > 1 {
            return Err("a target has one of Input, InputPath and InputTransformer".to_owned());
        }
        let is_json = |text: &str| serde_json::from_str::<Value>(text).is_ok();
        if self.input.as_deref().is_some_and(|input| !is_json(input)) {
            return Err("the input of a target is not JSON".to_owned());
        }
        let template = self.input_transformer.as_ref();
        if template.is_some_and(|template| !is_json(&template.fill(&Value::Null, ""))) {
            return Err("the input template of a target is not JSON".to_owned());
        }
        let paths = template
            .into_iter()
            .flat_map(|template| template.input_paths_map.values());
        match paths.chain(&self.input_path).find(|path| !is_path(path)) {
            Some(path) => Err(format!("the input path {path} is not implemented")),
            None => self.retry.check(),
        }
    }

    /// Returns what the target gets of an event.
    pub(super) fn payload(&self, envelope: &Value, rule_arn: &str) -> String {
        match (&self.input, &self.input_path, &self.input_transformer) {
            (Some(input), ..) => input.clone(),
            (None, Some(path), _) => find(envelope, path).unwrap_or(&Value::Null).to_string(),
            (None, None, Some(template)) => template.fill(envelope, rule_arn),
            (None, None, None) => envelope.to_string(),
        }
    }
}

impl RetryPolicy {
    fn check(self) -> Result<(), String> {
        let is_known =
            self.maximum_retry_attempts <= 185 && (60..=86_400).contains(&self.maximum_event_age_in_seconds);
        match is_known {
            true => Ok(()),
            false => Err("a RetryPolicy has 0 to 185 attempts and an age of 60 to 86400 seconds".to_owned()),
        }
    }
}

impl HttpParameters {
    /// Returns the parameters for an event; what is not in it is an empty text.
    pub(super) fn of(&self, envelope: &Value) -> Self {
        let value = |value: &String| match value.starts_with("$.") {
            true => find(envelope, value).map(text).unwrap_or_default(),
            false => value.clone(),
        };
        let all = |values: &BTreeMap<String, String>| {
            let values = values.iter().map(|(name, given)| (name.clone(), value(given)));
            values.collect()
        };
        Self {
            path_parameter_values: self.path_parameter_values.iter().map(value).collect(),
            header_parameters: all(&self.header_parameters),
            query_string_parameters: all(&self.query_string_parameters),
        }
    }
}

impl InputTransformer {
    /// Replaces each `<name>` that stands for something; what is not in the event is `null`, within quotes nothing.
    fn fill(&self, envelope: &Value, rule_arn: &str) -> String {
        let mut filled = String::new();
        let (mut rest, mut is_quoted) = (self.input_template.as_str(), false);
        while let Some(at) = rest.find(['"', '\\', '<']) {
            let (before, from) = rest.split_at(at);
            filled.push_str(before);
            let name = from
                .strip_prefix('<')
                .and_then(|inner| inner.split_once('>'))
                .and_then(|(name, after)| Some((self.value(name, envelope, rule_arn)?, after)));
            if let Some((value, after)) = name {
                let json = match is_quoted {
                    true => json!(text(&value)).to_string(),
                    false => value.to_string(),
                };
                // The template has the quotes itself.
                let inner = usize::from(is_quoted);
                filled.push_str(&json[inner..json.len() - inner]);
                rest = after;
                continue;
            }
            // An escaped character is no end of a text.
            let taken = match from.strip_prefix('\\') {
                Some(escaped) => 1 + escaped.chars().next().map_or(0, char::len_utf8),
                None => 1,
            };
            is_quoted ^= from.starts_with('"');
            filled.push_str(&from[..taken]);
            rest = &from[taken..];
        }
        filled + rest
    }

    /// Returns what a name stands for.
    fn value(&self, name: &str, envelope: &Value, rule_arn: &str) -> Option<Value> {
        if let Some(path) = self.input_paths_map.get(name) {
            return Some(find(envelope, path).cloned().unwrap_or_default());
        }
        Some(match name {
            "aws.events.event.json" => envelope.clone(),
            "aws.events.event.ingestion-time" => {
                json!(Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true))
            }
            "aws.events.rule-arn" => json!(rule_arn),
            "aws.events.rule-name" => json!(rule_arn.rsplit('/').next().unwrap_or_default()),
            _ => return None,
        })
    }
}

/// Returns whether a target is of a kind that is there.
pub(super) fn is_known(arn: &str) -> bool {
    is_function(arn) || api_destinations::is_arn(arn)
}

/// Returns whether a target is a function.
pub(super) fn is_function(arn: &str) -> bool {
    arn.starts_with("arn:aws:lambda:") && arn.contains(":function:")
}

fn find<'a>(envelope: &'a Value, path: &str) -> Option<&'a Value> {
    envelope.pointer(&path.trim_start_matches('$').replace('.', "/"))
}

fn is_path(path: &str) -> bool {
    let is_name = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let names = path.strip_prefix('$');
    names.is_some_and(|names| names.is_empty() || (names.starts_with('.') && names.chars().all(is_name)))
}

/// Returns a text as it is, nothing of `null`, and anything else as JSON.
fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(template: &str) -> String {
        let paths = [
            ("who", "$.detail.who"),
            ("votes", "$.detail.votes"),
            ("none", "$.detail.none"),
        ];
        let transformer = InputTransformer {
            input_paths_map: paths
                .map(|(name, path)| (name.to_owned(), path.to_owned()))
                .into(),
            input_template: template.to_owned(),
        };
        let envelope = json!({"detail": {"who": "Ann \"A\" <a>", "votes": [1, 2]}});
        transformer.fill(
            &envelope,
            "arn:aws:events:us-east-1:000000000000:rule/news/reviewed",
        )
    }

    #[test]
    fn an_input_template_takes_values_and_within_quotes_their_texts() {
        for (template, expected) in [
            (
                r#"{"who": <who>, "votes": <votes>}"#,
                json!({"who": "Ann \"A\" <a>", "votes": [1, 2]}),
            ),
            (r#""<who> has <votes>""#, json!("Ann \"A\" <a> has [1,2]")),
            (r#""\"<none>\" <b> \\""#, json!("\"\" <b> \\")),
            (r#"[<none>, "<aws.events.rule-name>"]"#, json!([null, "reviewed"])),
            (
                "<aws.events.event.json>",
                json!({"detail": {"who": "Ann \"A\" <a>", "votes": [1, 2]}}),
            ),
        ] {
            let filled: Value = serde_json::from_str(&filled(template)).expect(template);

            assert_eq!(filled, expected, "{template}");
        }
    }

    #[test]
    fn a_target_that_would_get_nothing_is_refused() {
        let destination = TargetSpec {
            arn: "arn:aws:events:us-east-1:000000000000:api-destination/receiver/1".to_owned(),
            role_arn: Some("arn:aws:iam::000000000000:role/events".to_owned()),
            ..TargetSpec::default()
        };
        assert_eq!(destination.check(), Ok(()));
        let template = |text: &str| {
            Some(InputTransformer {
                input_template: text.to_owned(),
                ..InputTransformer::default()
            })
        };
        let retry = RetryPolicy {
            maximum_retry_attempts: 186,
            ..RetryPolicy::default()
        };
        for refused in [
            TargetSpec {
                role_arn: None,
                ..destination.clone()
            },
            TargetSpec {
                arn: "arn:aws:sqs:us-east-1:000000000000:q".to_owned(),
                ..destination.clone()
            },
            TargetSpec {
                input_transformer: template("<who> is here"),
                ..destination.clone()
            },
            TargetSpec {
                input_path: Some("$.a[0]".to_owned()),
                ..destination.clone()
            },
            TargetSpec {
                input_transformer: template("{}"),
                input: Some("{}".to_owned()),
                ..destination.clone()
            },
            TargetSpec {
                retry,
                ..destination.clone()
            },
        ] {
            assert!(refused.check().is_err(), "{refused:?}");
        }
    }
}
