//! Lines of manifests: what is to be labelled, and what earlier jobs have said of it.
//!
//! Source: Amazon SageMaker Ground Truth, "Use an Input Manifest File" and "Output Data".

use std::fmt;
use std::ops::Range;

use active_learning_core::labels::label_key::label_key;
use active_learning_core::labels::manifest_classes::classes_of_label;
use active_learning_core::text::why_no_utf8_json;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::audits::excludes_workers;
use super::record::{Filter, LabelledBy, ObjectState, Settings};

/// Longest text of an object, in characters. Source: Ground Truth, input data quotas.
pub const MAX_TEXT_CHARS: usize = 100_000;
/// Largest manifest, in bytes; the function has memory for twice as much. The output of a job, which is the input of the next
/// one and what the page of an audit reads, is larger than its own input by some 250 bytes for each label.
pub const MAX_BYTES: u64 = 192 << 20;
/// Most objects of a job.
pub const MAX_OBJECTS: usize = 100_000;

/// An input line: its members as they are written, in their order.
///
/// What a line holds beside the text and the labels is of no concern here, and goes on as it was found: numbers that no
/// number type holds, and text that is none.
#[derive(Debug, Clone, Default)]
pub struct Line(Vec<(String, Box<RawValue>)>);

impl Line {
    /// Returns the names of its members, in their order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// Returns whether it has a member.
    pub fn has(&self, name: &str) -> bool {
        self.names().any(|there| there == name)
    }

    /// Returns a member, the last of several; none where it is not there, or is written as no value can be.
    pub fn get(&self, name: &str) -> Option<Value> {
        let (_, value) = self.0.iter().rev().find(|(there, _)| there == name)?;
        serde_json::from_str(value.get()).ok()
    }

    /// Returns a member that is a text.
    pub fn text(&self, name: &str) -> Option<String> {
        match self.get(name)? {
            Value::String(text) => Some(text),
            _ => None,
        }
    }
}

impl Serialize for Line {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl<'de> Deserialize<'de> for Line {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Line;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Line, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Line(members))
            }
        }

        deserializer.deserialize_map(Members)
    }
}

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

/// Returns where the lines of a manifest are, and shows each with its number, from 1; blank ones are none.
///
/// # Errors
///
/// [`ManifestError`].
pub fn check(
    manifest: &[u8],
    mut look_at: impl FnMut(usize, &Line),
) -> Result<Vec<Range<usize>>, ManifestError> {
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
        let line = parse(bytes).map_err(|reason| ManifestError::Line { line: number, reason })?;
        if !excludes_workers(&line) {
            let reason = "has `excluded-workers` that are no list of worker ids";
            return Err(ManifestError::Line { line: number, reason });
        }
        if lines.len() == MAX_OBJECTS {
            return Err(ManifestError::TooLong);
        }
        look_at(number, &line);
        lines.push(range.end - bytes.len()..range.end);
    }
    if lines.is_empty() {
        Err(ManifestError::Empty)
    } else {
        Ok(lines)
    }
}

/// Stands where a line was whose text was erased at a person's wish: the others keep their numbers.
pub const ERASED_LINE: &[u8] = b"{}";

/// Returns whether a line's text was erased.
pub fn is_erased(line: &[u8]) -> bool {
    line.trim_ascii() == ERASED_LINE
}

/// Reads a line.
///
/// # Errors
///
/// What is wrong with it.
pub fn parse(line: &[u8]) -> Result<Line, &'static str> {
    let line: Line = serde_json::from_slice(line).map_err(|_| no_object(line))?;
    if line.names().any(|name| name.starts_with('$')) {
        return Err("has a name that begins with $");
    }
    let is_twice = |text: &str| line.names().filter(|name| *name == text).count() > 1;
    if is_twice("source") || is_twice("source-ref") {
        return Err("has its text twice, so that it cannot be told which one is meant");
    }
    let name = match (line.has("source"), line.has("source-ref")) {
        (true, true) => return Err("has both `source` and `source-ref`"),
        (false, false) => return Err("has neither `source` nor `source-ref`"),
        (true, false) => "source",
        (false, true) => "source-ref",
    };
    match line.text(name) {
        None => Err("has a `source` or `source-ref` that is no text"),
        Some(text) if name == "source" && text.chars().count() > MAX_TEXT_CHARS => {
            Err("has a `source` of more than 100,000 characters")
        }
        Some(_) => Ok(line),
    }
}

/// Says why a line is no JSON object: files that were joined have a mark before each.
fn no_object(line: &[u8]) -> &'static str {
    match why_no_utf8_json(line) {
        Some(why) => why,
        None if line.starts_with(b"\xef\xbb\xbf") => {
            "begins with a byte order mark, which only the first line may have"
        }
        None => "is not a JSON object",
    }
}

/// Returns the state in which an object begins: it is not asked where it has the label already, or lacks the one that
/// the job filters on.
pub fn first_state(line: &Line, settings: &Settings) -> ObjectState {
    if line.has(&settings.attribute) {
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
    is_among(&filter.class, &classes(line, &filter.attribute))
}

/// Returns whether a class is among others, however it is spelt there.
pub fn is_among(class: &str, classes: &[String]) -> bool {
    let key = label_key(class);
    classes.iter().any(|other| label_key(other) == key)
}

/// Returns the classes that a label attribute of a line names: by its metadata, or else by its own value.
pub fn classes(line: &Line, attribute: &str) -> Vec<String> {
    classes_in(line.get(&metadata_of(attribute)).as_ref(), || line.get(attribute))
}

/// Returns whether a line has a label of an attribute: classes, or that none applies, as a job of several labels says it.
pub fn is_labelled(line: &Line, attribute: &str) -> bool {
    let says_which = |metadata: Value| classes_of_label(&metadata, None).is_some();
    !classes(line, attribute).is_empty()
        || line.get(&metadata_of(attribute)).is_some_and(says_which)
        || matches!(line.get(attribute), Some(Value::Array(_)))
}

/// Returns the classes that a label attribute names in what was added to a line.
pub fn added_classes(added: &Map<String, Value>, attribute: &str) -> Vec<String> {
    classes_in(added.get(&metadata_of(attribute)), || {
        added.get(attribute).cloned()
    })
}

fn classes_in(metadata: Option<&Value>, value: impl FnOnce() -> Option<Value>) -> Vec<String> {
    let value = value();
    let named = metadata.and_then(|metadata| classes_of_label(metadata, value.as_ref()));
    named.unwrap_or_else(|| match value {
        Some(Value::String(text)) => vec![text],
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

/// Returns the output line of an object: its input line, in which what was added stands at the end, or in the place of
/// what had its name. Everything else stays as it is written.
pub fn output_line(line: &Line, added: &Map<String, Value>) -> String {
    let mut members = Vec::new();
    let mut written: Vec<&str> = Vec::new();
    for (name, value) in &line.0 {
        match added.get(name) {
            None => members.push(member(name, value.get())),
            Some(new) if !written.contains(&name.as_str()) => {
                written.push(name);
                members.push(member(name, &new.to_string()));
            }
            // A name that stood there twice.
            Some(_) => {}
        }
    }
    let appended = added.iter().filter(|(name, _)| !written.contains(&name.as_str()));
    members.extend(appended.map(|(name, value)| member(name, &value.to_string())));
    format!("{{{}}}\n", members.join(","))
}

fn member(name: &str, value: &str) -> String {
    format!("{}:{value}", Value::from(name))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line(text: &str) -> Line {
        parse(text.as_bytes()).expect("a line")
    }

    #[test]
    fn lines_are_found_whatever_ends_them() {
        let manifest = "\u{feff}{\"source\": \"a\"}\r\n\n{\"source-ref\": \"s3://b/c.txt\"}".as_bytes();
        let mut seen = Vec::new();

        let lines =
            check(manifest, |number, line| seen.push((number, line.has("source")))).expect("good lines");

        let texts: Vec<Line> = lines
            .into_iter()
            .map(|range| parse(&manifest[range]).expect("a line"))
            .collect();
        assert_eq!(texts[0].text("source").as_deref(), Some("a"));
        assert_eq!(texts[1].text("source-ref").as_deref(), Some("s3://b/c.txt"));
        assert_eq!(seen, [(1, true), (3, false)]);
    }

    #[test]
    fn whatever_else_a_line_holds_is_kept_as_it_is_written() {
        let text = r#"{"z":12345678901234567890123,"d":1.10,"source":"a","n":1E5,"e":-0,"big":1e400,"half":"\ud800","#
            .to_owned()
            + r#""nested":{"y":[1.0,-0.0],"b":18446744073709551616,"a":null},"topic-metadata":{"failure-reason":"x"}}"#;
        let added = json!({ "topic": 1, "topic-metadata": { "class-name": "Sports" } });
        let added = added.as_object().expect("an object");

        let labelled = output_line(&line(&text), added);
        let untouched = output_line(&line(&text), &Map::new());

        let expected = text.replace(
            r#""topic-metadata":{"failure-reason":"x"}}"#,
            r#""topic-metadata":{"class-name":"Sports"},"topic":1}"#,
        );
        assert_eq!(labelled, format!("{expected}\n"));
        assert_eq!(untouched, format!("{text}\n"));
    }

    #[test]
    fn a_name_that_stands_twice_is_replaced_as_one_and_kept_as_two() {
        let twice = line(r#"{"source":"a","x":1,"topic":0,"x":2,"topic":3}"#);
        let added = json!({ "topic": 1 });

        let output = output_line(&twice, added.as_object().expect("an object"));

        assert_eq!(output, "{\"source\":\"a\",\"x\":1,\"topic\":1,\"x\":2}\n");
        assert_eq!(twice.get("topic"), Some(json!(3)), "the last counts");
    }

    #[test]
    fn a_bad_line_is_named_by_its_number() {
        let good = "{\"source\": \"a\"}\n";
        for (bad, reason) in [
            ("{", "is not a JSON object"),
            (
                "\u{feff}{\"source\": \"a\"}",
                "begins with a byte order mark, which only the first line may have",
            ),
            ("{\0\"\0s\0o\0u\0r\0c\0e\0", "is UTF-16: save it as UTF-8"),
            ("{\"source\": \"a\0b\"}", "holds a zero byte, which no JSON has"),
            ("{\"text\": \"a\"}", "has neither `source` nor `source-ref`"),
            (
                "{\"source\": 1}",
                "has a `source` or `source-ref` that is no text",
            ),
            (
                "{\"source\": \"a\", \"source-ref\": \"s3://a/b\"}",
                "has both `source` and `source-ref`",
            ),
            (
                "{\"source\": \"a\", \"x\": 1, \"source\": \"b\"}",
                "has its text twice, so that it cannot be told which one is meant",
            ),
            ("{\"source\": \"a\", \"$x\": 1}", "has a name that begins with $"),
            (
                "{\"source\": \"\\ud800\"}",
                "has a `source` or `source-ref` that is no text",
            ),
            ("{\"source\": \"a\", \"x\": 01}", "is not a JSON object"),
            (
                "{\"source\": \"a\", \"excluded-workers\": \"x\"}",
                "has `excluded-workers` that are no list of worker ids",
            ),
            (
                "{\"source\": \"a\", \"excluded-workers\": [\"x\", 1]}",
                "has `excluded-workers` that are no list of worker ids",
            ),
        ] {
            let found = check(format!("{good}\n{bad}\n").as_bytes(), |_, _| ());

            assert_eq!(found, Err(ManifestError::Line { line: 3, reason }), "{bad}");
        }
        assert_eq!(check(b"\n \n", |_, _| ()), Err(ManifestError::Empty));
        let told = |manifest: &[u8]| check(manifest, |_, _| ()).expect_err("no JSON").to_string();
        assert_eq!(
            told(b"\x1f\x8b\x08\0\0"),
            "line 1 of the input manifest is compressed (gzip): unpack it"
        );
        assert_eq!(
            told(b"{\"source\": \"a\"}\n{\"source\": \"caf\xe9\"}\n"),
            "line 2 of the input manifest is not UTF-8: save it as UTF-8"
        );
    }

    #[test]
    fn classes_come_from_the_metadata_or_from_the_value() {
        let chained = json!({
            "source": "a", "topic": 1, "topic-metadata": {"class-name": "Sports"},
            "tone": [0, 2], "tone-metadata": {"class-map": {"0": "glad", "2": "loud"}},
            "plain": "World",
            "one": 1, "one-metadata": {"class-map": {"0": "World", "1": "Sports"}},
            "some": ["2", 0], "some-metadata": {"class-map": {"0": "glad", "1": "sad", "2": "loud"}},
            "stars": 4, "stars-metadata": {"class-name": 5},
        });
        let chained = line(&chained.to_string());

        assert_eq!(classes(&chained, "topic"), ["Sports"]);
        assert_eq!(classes(&chained, "tone"), ["glad", "loud"]);
        assert_eq!(classes(&chained, "plain"), ["World"]);
        assert_eq!(classes(&chained, "one"), ["Sports"], "not all classes of the map");
        assert_eq!(classes(&chained, "some"), ["glad", "loud"]);
        assert_eq!(classes(&chained, "stars"), ["5"]);
        assert!(classes(&chained, "none").is_empty());
    }

    #[test]
    fn that_no_label_applies_is_a_label_and_a_failure_is_none() {
        let object = line(
            r#"{"source":"a","topic":[],"topic-metadata":{"class-map":{}},"bare":[],
            "failed-metadata":{"failure-reason":"x"},"number":1}"#,
        );

        let labelled = ["topic", "bare", "failed", "number", "none"].map(|name| is_labelled(&object, name));

        assert_eq!(labelled, [true, true, false, false, false]);
    }
}
