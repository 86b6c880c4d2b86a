//! A row as a file gives it, before its labels are cut.

use serde_json::{Map, Value};

use crate::{encoding::NO_LETTER, labels::Written};

/// The fields of an object.
pub(crate) type Fields = Map<String, Value>;

/// A row as a file gives it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Draft {
    pub text: String,
    /// The classifier that the row names.
    pub classifier: Option<String>,
    pub votes: Vec<DraftVote>,
    /// Answers to the questions of a tool, of which one gives the votes: see [`crate::tools::questions`].
    pub answers: Vec<Answer>,
    /// Why labels of it do not count; the same words for all rows of one kind.
    pub aside: Option<&'static str>,
    /// What of it was read otherwise than it is written; the same words for all rows of one kind.
    pub repair: Option<&'static str>,
}

impl Draft {
    /// Returns whether the file says nothing of its label.
    pub(crate) fn is_unlabelled(&self) -> bool {
        self.votes.is_empty() && self.answers.is_empty() && self.aside.is_none()
    }

    /// Returns whether bytes of its text, of a label or of a name are no letters of the file's encoding.
    pub(crate) fn is_damaged(&self) -> bool {
        let is_in = |text: &String| text.contains(NO_LETTER);
        let mut votes = self.votes.iter();
        let is_in_vote = |vote: &DraftVote| {
            let is_in_label = match &vote.written {
                Written::Cell(cell) => is_in(cell),
                Written::List(labels) => labels.iter().any(is_in),
                Written::Paths(paths) => paths.iter().flatten().any(is_in),
            };
            is_in_label || vote.by.as_ref().is_some_and(is_in)
        };
        is_in(&self.text) || self.classifier.as_ref().is_some_and(is_in) || votes.any(is_in_vote)
    }
}

/// What one person answered to a question of a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub question: String,
    /// Whether it is a number that rates.
    pub is_rating: bool,
    /// The vote, or why it does not count.
    pub said: Result<DraftVote, &'static str>,
}

/// A vote as a file gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DraftVote {
    pub written: Written,
    pub by: Option<String>,
    pub at: Option<String>,
}

/// Returns a field that is a text, or a number where people are numbered.
pub(crate) fn text_of(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Returns who somebody is: a name, a number, or what an export says of a person.
pub(crate) fn person_of(person: Option<&Value>) -> Option<String> {
    const FIELDS: [&str; 5] = ["email", "username", "annotator", "name", "id"];
    let person = person?;
    let of_person = || FIELDS.iter().find_map(|field| text_of(person.get(*field)));
    text_of(Some(person)).or_else(of_person)
}

/// Returns a time as RFC 3339 in UTC; `None` where it is none, or of another zone.
pub(crate) fn time_of(value: Option<&Value>) -> Option<String> {
    let text = value?.as_str()?.trim();
    let (time, is_utc) = match text.strip_suffix('Z').or_else(|| text.strip_suffix("+00:00")) {
        Some(time) => (time, true),
        None => (text, false),
    };
    let shape: String = time
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    let whole = shape.get(..19).filter(|shape| *shape == "0000-00-00T00:00:00")?;
    let fraction = shape[whole.len()..].strip_prefix('.');
    let is_fraction =
        fraction.is_none_or(|digits| !digits.is_empty() && digits.bytes().all(|digit| digit == b'0'));
    let has_rest = shape.len() > whole.len();
    // Ground Truth and Argilla write UTC without saying so.
    let named_zone = !is_utc && text.ends_with(|c: char| !c.is_ascii_digit());
    (is_fraction && (fraction.is_some() || !has_rest) && !named_zone).then(|| {
        let millis: String = time
            .get(20..)
            .unwrap_or_default()
            .chars()
            .chain("000".chars())
            .take(3)
            .collect();
        format!("{}.{millis}Z", &time[..19])
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn times_are_read_in_utc_to_the_millisecond() {
        for (time, expected) in [
            ("2021-03-09T22:16:08.728353Z", Some("2021-03-09T22:16:08.728Z")),
            ("2021-03-09T22:16:08Z", Some("2021-03-09T22:16:08.000Z")),
            ("2021-03-09T22:16:08.7+00:00", Some("2021-03-09T22:16:08.700Z")),
            ("2021-03-09T22:16:08.728353", Some("2021-03-09T22:16:08.728Z")),
            ("2021-03-09T22:16:08+02:00", None),
            ("3 hours ago", None),
            ("2021-03-09", None),
        ] {
            assert_eq!(time_of(Some(&json!(time))).as_deref(), expected, "{time}");
        }
    }
}
