//! Rows of JSON files, and of files that are almost JSON: each goes as a whole.

use serde_json::{Map, Value};
use text_import::feedback::decoded;

use super::{Names, SENTENCES, Scrubber, is_in_printed, is_in_raw};
use crate::{
    broken::{self, records_around},
    loose::trimmed,
    rewrite::Left,
    wanted::Wanted,
    written,
};

impl Scrubber<'_> {
    /// Rewrites lines of which some are no JSON: those in which a text or a user stands go, with the object that they are
    /// part of.
    pub(super) fn lines(self, bytes: &[u8]) -> Left {
        let lines = broken::lines(bytes);
        let texts: Vec<String> = lines.iter().map(|line| decoded(line).into_owned()).collect();
        let left: Vec<Option<Left>> = texts.iter().map(|text| self.values_of_line(text)).collect();
        let is_broken = |place: &usize| left[*place].is_none() && is_in_line(&texts[*place], self.wanted);
        let gone = records_around(&texts, (0..lines.len()).filter(is_broken));
        let (mut rest, mut pieces) = (Vec::new(), 0);
        for (place, (line, left)) in lines.iter().zip(left).enumerate() {
            match left {
                _ if gone.contains(&place) => pieces += u64::from(!gone.contains(&place.wrapping_sub(1))),
                Some(Left::Nothing { pieces: some }) => pieces += some,
                Some(Left::Rest { bytes, pieces: some }) => {
                    pieces += some;
                    rest.extend_from_slice(&bytes);
                    rest.push(b'\n');
                }
                Some(Left::All | Left::Unread { .. }) | None => rest.extend_from_slice(line),
            }
        }
        Left::of(rest, pieces)
    }

    /// Rewrites a line by its objects and arrays; none where it is no JSON, but for a comma behind it.
    fn values_of_line(self, line: &str) -> Option<Left> {
        let line = trimmed(line);
        let all = |line: &str| {
            let mut documents = written::documents(line.as_bytes());
            documents
                .all(|found| found.is_some_and(|found| found.value.is_object() || found.value.is_array()))
        };
        if all(line) {
            return Some(self.documents(line.as_bytes()));
        }
        let without = line.strip_suffix(',').filter(|line| all(line))?;
        Some(match self.documents(without.as_bytes()) {
            Left::Rest { mut bytes, pieces } => {
                bytes.push(b',');
                Left::Rest { bytes, pieces }
            }
            other => other,
        })
    }

    /// Returns whether a value of an uploaded file that stands by itself is a text, or a row that has one or the user.
    pub(super) fn is_row_gone(self, value: &Value) -> bool {
        self.names == Names::Uploads
            && match value {
                Value::String(text) => self.wanted.is_text(text),
                Value::Array(_) => self.has_field(None, value),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => false,
            }
    }

    /// Returns whether a record of an uploaded file has the text or the user as a field, at whatever depth: up to records
    /// within it, which are looked at by themselves.
    fn has_field(self, name: Option<&str>, value: &Value) -> bool {
        match value {
            Value::Null | Value::Bool(_) => false,
            Value::Number(number) => self.wanted.is_number(name, &number.to_string()),
            Value::String(text) => self.wanted.is_value(name, text) || is_in_printed(text, self.wanted),
            Value::Array(values) => {
                let has_records = values.iter().any(|value| value.is_object() || value.is_array());
                !has_records && values.iter().any(|value| self.has_field(name, value))
            }
            Value::Object(members) => self.has_field_in(members),
        }
    }

    pub(super) fn has_field_in(self, members: &Map<String, Value>) -> bool {
        let mut fields = members.iter().filter(|(name, _)| name.as_str() != SENTENCES);
        !are_records(members) && fields.any(|(name, value)| self.has_field(Some(name), value))
    }
}

/// Returns whether the members of an object are records, by their ids: objects with the same members each.
fn are_records(members: &Map<String, Value>) -> bool {
    let mut objects = members.values().map(Value::as_object);
    let Some(Some(first)) = objects.next() else {
        return false;
    };
    members.len() > 1
        && objects.all(|other| {
            other.is_some_and(|other| first.len() == other.len() && first.keys().eq(other.keys()))
        })
}

/// Returns whether a line of a JSON file that is no JSON itself has a text or a user.
fn is_in_line(line: &str, wanted: &Wanted) -> bool {
    is_in_raw(line, wanted) || broken::holds(trimmed(line), wanted)
}
