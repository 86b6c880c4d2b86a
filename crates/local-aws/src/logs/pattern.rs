//! Filter patterns: what a line must hold to be shown.

use serde_json::Value;

use super::invalid;
use crate::aws_error::AwsError;

/// A filter pattern.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Pattern {
    /// Words: all of the first, none of the second, one of the third if there are any.
    Terms {
        all: Vec<String>,
        none: Vec<String>,
        any: Vec<String>,
    },
    /// `{ $.path = "text" }`, or `!=`.
    Field {
        path: Vec<String>,
        text: String,
        equal: bool,
    },
}

impl Pattern {
    /// Reads a pattern. An empty one matches every line.
    pub(super) fn parse(pattern: &str) -> Result<Self, AwsError> {
        let pattern = pattern.trim();
        if let Some(comparison) = pattern.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
            return field(comparison).ok_or_else(|| not_implemented(pattern));
        }
        if pattern.starts_with(['[', '{', '%']) {
            return Err(not_implemented(pattern));
        }
        let (mut all, mut none, mut any) = (Vec::new(), Vec::new(), Vec::new());
        let mut rest = pattern;
        while !rest.is_empty() {
            let (terms, after) = if let Some(after) = rest.strip_prefix('-') {
                (&mut none, after)
            } else if let Some(after) = rest.strip_prefix('?') {
                (&mut any, after)
            } else {
                (&mut all, rest)
            };
            let (term, after) = term(after).ok_or_else(|| invalid("Invalid filter pattern"))?;
            terms.push(term.to_owned());
            rest = after.trim_start();
        }
        Ok(Self::Terms { all, none, any })
    }

    /// Returns whether a line is to be shown.
    pub(super) fn matches(&self, line: &str) -> bool {
        match self {
            Self::Terms { all, none, any } => {
                all.iter().all(|term| line.contains(term))
                    && !none.iter().any(|term| line.contains(term))
                    && (any.is_empty() || any.iter().any(|term| line.contains(term)))
            }
            Self::Field { path, text, equal } => {
                let line: Value = serde_json::from_str(line).unwrap_or_default();
                let found = path.iter().try_fold(&line, |value, name| value.get(name));
                let found = found.and_then(text_of);
                found.is_some_and(|found| (found == *text) == *equal)
            }
        }
    }
}

/// Splits the first word or phrase off.
fn term(rest: &str) -> Option<(&str, &str)> {
    match rest.strip_prefix('"') {
        Some(phrase) => phrase.split_once('"'),
        None => Some(rest.split_once(char::is_whitespace).unwrap_or((rest, ""))),
    }
    .filter(|(term, _)| !term.is_empty())
}

/// Reads `$.path = "text"`.
fn field(comparison: &str) -> Option<Pattern> {
    let (path, text) = comparison.split_once('=')?;
    let (path, equal) = match path.strip_suffix('!') {
        Some(path) => (path, false),
        None => (path, true),
    };
    let path = path.trim().strip_prefix("$.")?;
    let is_of_path = |c: char| c.is_alphanumeric() || "_-.".contains(c);
    let text = text.trim();
    let text = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
        .unwrap_or(text);
    let simple = path.chars().all(is_of_path) && !text.contains(['"', '*', '&', '|', '%']);
    simple.then(|| Pattern::Field {
        path: path.split('.').map(str::to_owned).collect(),
        text: text.to_owned(),
        equal,
    })
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn not_implemented(pattern: &str) -> AwsError {
    let message = format!(
        "filter pattern {pattern} is not implemented by local-aws: words, phrases or one comparison with ="
    );
    AwsError::new(400, "InvalidParameterException", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"level":"WARN","fields":{"status":429,"error":"the classifier is busy"}}"#;

    fn shows(pattern: &str) -> bool {
        Pattern::parse(pattern).expect("it is implemented").matches(LINE)
    }

    #[test]
    fn words_phrases_and_fields_choose_lines() {
        for pattern in [
            "",
            "WARN",
            "WARN busy",
            r#""is busy""#,
            "?ERROR ?WARN",
            "WARN -ERROR",
            r#"{ $.level = "WARN" }"#,
            "{ $.fields.status = 429 }",
            r#"{ $.level != "INFO" }"#,
        ] {
            assert!(shows(pattern), "{pattern}");
        }
        assert!(!shows("été"), "a word that begins with a letter of several bytes");
        for pattern in [
            "ERROR",
            "WARN -busy",
            "?ERROR ?INFO",
            r#"{ $.level = "INFO" }"#,
            r#"{ $.absent = "x" }"#,
        ] {
            assert!(!shows(pattern), "{pattern}");
        }
    }

    #[test]
    fn a_pattern_that_is_not_understood_is_refused_and_never_ignored() {
        for pattern in [
            "[a, b]",
            "%x%",
            r#"{ $.a = "x" && $.b = "y" }"#,
            "{ $.a > 1 }",
            "{ $.a = \"x*\" }",
            "\"open",
        ] {
            assert!(Pattern::parse(pattern).is_err(), "{pattern}");
        }
    }
}
