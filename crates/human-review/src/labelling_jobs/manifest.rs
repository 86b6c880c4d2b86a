//! Lines of manifests: what is to be labelled, and what earlier jobs have said of it.
//!
//! Source: Amazon SageMaker Ground Truth, "Use an Input Manifest File" and "Output Data".

use std::ops::Range;

use serde_json::{Map, Value};

use super::record::{Filter, LabelledBy, ObjectState, Settings};

/// Longest text of an object, in characters. Source: Ground Truth, input data quotas.
pub const MAX_TEXT_CHARS: usize = 100_000;
/// Most objects of a job.
pub const MAX_OBJECTS: usize = 100_000;

/// An input line.
pub type Line = Map<String, Value>;

/// Why a manifest cannot be used. Says where; what is there may be personal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// A line is not what it should be.
    #[error("line {line} of the input manifest {reason}")]
    Line {
        /// From 1.
        line: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// It has no line.
    #[error("the input manifest has no objects")]
    Empty,
    /// It has too many.
    #[error("the input manifest has more than {MAX_OBJECTS} objects")]
    TooLong,
}

/// Returns where the lines of a manifest are; blank ones are none.
///
/// # Errors
///
/// [`ManifestError`].
pub fn check(manifest: &[u8]) -> Result<Vec<Range<usize>>, ManifestError> {
    let mut lines = Vec::new();
    let mut start = 0;
    for (bytes, number) in manifest.split(|byte| *byte == b'\n').zip(1..) {
        let range = start..start + bytes.len();
        start = range.end + 1;
        let bytes = if number == 1 {
            bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
        } else {
            bytes
        };
        if bytes.trim_ascii().is_empty() {
            continue;
        }
        if let Err(reason) = parse(bytes) {
            return Err(ManifestError::Line { line: number, reason });
        }
        if lines.len() == MAX_OBJECTS {
            return Err(ManifestError::TooLong);
        }
        lines.push(range.end - bytes.len()..range.end);
    }
    if lines.is_empty() {
        Err(ManifestError::Empty)
    } else {
        Ok(lines)
    }
}

/// Reads a line.
///
/// # Errors
///
/// What is wrong with it.
pub fn parse(line: &[u8]) -> Result<Line, &'static str> {
    let line: Line = serde_json::from_slice(line).map_err(|_| "is not a JSON object")?;
    if line.keys().any(|name| name.starts_with('$')) {
        return Err("has a name that begins with $");
    }
    match (line.get("source"), line.get("source-ref")) {
        (Some(_), Some(_)) => Err("has both `source` and `source-ref`"),
        (Some(Value::String(text)), None) if text.chars().count() > MAX_TEXT_CHARS => {
            Err("has a `source` of more than 100,000 characters")
        }
        (Some(Value::String(_)), None) | (None, Some(Value::String(_))) => Ok(line),
        (Some(_), None) | (None, Some(_)) => Err("has a `source` or `source-ref` that is no text"),
        (None, None) => Err("has neither `source` nor `source-ref`"),
    }
}

/// Returns the state in which an object begins: it is not asked where it has the label already, or lacks the one that
/// the job filters on.
pub fn first_state(line: &Line, settings: &Settings) -> ObjectState {
    if line.contains_key(&settings.attribute) {
        return ObjectState::Labelled {
            by: LabelledBy::Earlier,
            content: Map::new(),
        };
    }
    match &settings.only_where {
        Some(filter) if !is_wanted(line, filter) => ObjectState::Passed,
        _ => ObjectState::WAITING,
    }
}

fn is_wanted(line: &Line, filter: &Filter) -> bool {
    classes(line, &filter.attribute).contains(&filter.class)
}

/// Returns the classes that a label attribute of a line names: by its metadata, or else by its own value.
pub fn classes(line: &Line, attribute: &str) -> Vec<String> {
    let metadata = line.get(&metadata_of(attribute));
    let named = metadata.and_then(
        |metadata| match (metadata.get("class-name"), metadata.get("class-map")) {
            (Some(Value::String(class)), _) => Some(vec![class.clone()]),
            (_, Some(Value::Object(map))) => {
                let names = map.values().filter_map(Value::as_str);
                Some(names.map(str::to_owned).collect())
            }
            _ => None,
        },
    );
    named.unwrap_or_else(|| match line.get(attribute) {
        Some(Value::String(text)) => vec![text.clone()],
        Some(Value::Array(texts)) => texts
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        _ => Vec::new(),
    })
}

/// Returns the name of the metadata of a label attribute.
pub fn metadata_of(attribute: &str) -> String {
    format!("{attribute}-metadata")
}

/// Returns the output line of an object: its input line with what was added to it.
pub fn output_line(mut line: Line, added: Line) -> String {
    line.extend(added);
    let mut text = Value::Object(line).to_string();
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line(value: Value) -> Line {
        value.as_object().expect("an object").clone()
    }

    #[test]
    fn lines_are_found_whatever_ends_them() {
        let manifest = "\u{feff}{\"source\": \"a\"}\r\n\n{\"source-ref\": \"s3://b/c.txt\"}".as_bytes();

        let lines = check(manifest).expect("good lines");

        let texts: Vec<Line> = lines
            .into_iter()
            .map(|range| parse(&manifest[range]).expect("a line"))
            .collect();
        assert_eq!(
            texts,
            [
                line(json!({"source": "a"})),
                line(json!({"source-ref": "s3://b/c.txt"}))
            ]
        );
    }

    #[test]
    fn a_bad_line_is_named_by_its_number() {
        let good = "{\"source\": \"a\"}\n";
        for (bad, reason) in [
            ("{", "is not a JSON object"),
            ("{\"text\": \"a\"}", "has neither `source` nor `source-ref`"),
            (
                "{\"source\": 1}",
                "has a `source` or `source-ref` that is no text",
            ),
            (
                "{\"source\": \"a\", \"source-ref\": \"s3://a/b\"}",
                "has both `source` and `source-ref`",
            ),
            ("{\"source\": \"a\", \"$x\": 1}", "has a name that begins with $"),
        ] {
            let found = check(format!("{good}\n{bad}\n").as_bytes());

            assert_eq!(found, Err(ManifestError::Line { line: 3, reason }), "{bad}");
        }
        assert_eq!(check(b"\n \n"), Err(ManifestError::Empty));
    }

    #[test]
    fn classes_come_from_the_metadata_or_from_the_value() {
        let chained = line(json!({
            "source": "a", "topic": 1, "topic-metadata": {"class-name": "Sports"},
            "tone": [0, 2], "tone-metadata": {"class-map": {"0": "glad", "2": "loud"}},
            "plain": "World",
        }));

        assert_eq!(classes(&chained, "topic"), ["Sports"]);
        assert_eq!(classes(&chained, "tone"), ["glad", "loud"]);
        assert_eq!(classes(&chained, "plain"), ["World"]);
        assert!(classes(&chained, "none").is_empty());
    }
}
