//! What a client asks.

use active_learning_core::feedback::{
    InvalidFeedback, Known, check_texts, kind, parse_fields, take_name, take_text, unknown_field,
};
use serde_json::Value;

use crate::results::MAX_WAIT_SECONDS;

/// The fields of a request.
const FIELDS: [Known; 4] = [
    ("classifier", "classifier"),
    ("sentence", "sentence"),
    ("utterance", "sentence"),
    ("wait", "wait"),
];

/// The parameters of a query for a result.
const QUERY: [Known; 1] = [("wait", "wait")];

/// What `wait` may be.
const WAIT: &str = "true, false or a whole number of seconds from 0 to 20";

/// The same in a query.
const WAIT_OF_QUERY: &str = "a whole number of seconds from 0 to 20";

/// A text to classify.
#[derive(Debug, PartialEq, Eq)]
pub struct ClassifyRequest {
    /// Name of the classifier.
    pub classifier: String,
    /// The text.
    pub utterance: String,
    /// Seconds that the answer may wait for people; none to answer at once.
    pub wait_seconds: Option<u64>,
}

impl ClassifyRequest {
    /// Reads a request; a classifier that is absent, `null` or blank is the default one.
    ///
    /// # Errors
    ///
    /// [`InvalidFeedback`] naming the field that is wrong.
    pub fn parse(body: &[u8], default_classifier: &str) -> Result<Self, InvalidFeedback> {
        let mut fields = parse_fields(body, &FIELDS)?;
        let classifier = take_name(&mut fields, "classifier")?.filter(|name| !name.is_empty());
        let classifier = classifier.unwrap_or_else(|| default_classifier.to_owned());
        let utterance = take_text(&mut fields, "sentence")?.unwrap_or_default();
        check_texts(&classifier, &utterance)?;
        let wait_seconds = match fields.remove("wait") {
            None | Some(Value::Bool(false)) => None,
            Some(Value::Bool(true)) => Some(MAX_WAIT_SECONDS),
            Some(Value::Number(seconds)) => Some(whole_seconds(seconds.as_u64(), WAIT)?),
            Some(value) => return Err(wrong_wait(WAIT, kind(&value))),
        };
        Ok(Self {
            classifier,
            utterance,
            wait_seconds: wait_seconds.filter(|seconds| *seconds > 0),
        })
    }
}

/// Reads the parameters of a query, of which `wait` is the only one.
///
/// # Errors
///
/// [`InvalidFeedback`] where it is no number of seconds that can be waited, where it is given twice, and for any other parameter.
pub fn wait_of_query<'a>(query: impl Iterator<Item = (&'a str, &'a str)>) -> Result<u64, InvalidFeedback> {
    let mut wait = None;
    for (name, value) in query {
        match name {
            "wait" if wait.is_some() => return Err(InvalidFeedback::Twice("wait")),
            "wait" => wait = Some(value),
            other => return Err(unknown_field(other, &QUERY)),
        }
    }
    match wait {
        None => Ok(0),
        Some(text) if text.parse::<f64>().is_err() => {
            Err(wrong_wait(WAIT_OF_QUERY, "a text that is not a number"))
        }
        Some(text) => whole_seconds(text.parse().ok(), WAIT_OF_QUERY),
    }
}

fn whole_seconds(seconds: Option<u64>, expected: &'static str) -> Result<u64, InvalidFeedback> {
    let seconds = seconds.filter(|seconds| *seconds <= MAX_WAIT_SECONDS);
    seconds.ok_or_else(|| wrong_wait(expected, "another number"))
}

fn wrong_wait(expected: &'static str, found: &'static str) -> InvalidFeedback {
    InvalidFeedback::WrongType {
        field: "wait",
        expected,
        found,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_that_is_no_number_is_called_so() {
        let read = |query: (&'static str, &'static str)| wait_of_query([query].into_iter());
        let said = |wait| read(("wait", wait)).expect_err("refused").to_string();

        assert!(
            said("true")
                .ends_with("must be a whole number of seconds from 0 to 20, not a text that is not a number"),
            "{}",
            said("x")
        );
        assert!(said("99999").ends_with("not another number"), "{}", said("99999"));
        assert_eq!(read(("wait", "3")), Ok(3));
        assert_eq!(wait_of_query([].into_iter()), Ok(0));
        let twice = wait_of_query([("wait", "1"), ("wait", "2")].into_iter());
        assert_eq!(
            twice,
            Err(InvalidFeedback::Twice("wait")),
            "which of them is meant?"
        );
        let unknown = read(("foo", "1")).expect_err("refused").to_string();
        assert_eq!(unknown, "unknown field `foo`: the fields are `wait`");
    }

    #[test]
    fn utterance_is_understood_in_place_of_sentence_and_not_beside_it() {
        let parse = |body: &str| ClassifyRequest::parse(body.as_bytes(), "news");

        let read = parse(r#"{"utterance": "Rates rise"}"#).map(|request| request.utterance);

        assert_eq!(read.as_deref(), Ok("Rates rise"));
        assert_eq!(
            parse(r#"{"utterance": "a", "sentence": "b"}"#),
            Err(InvalidFeedback::Twice("sentence"))
        );
    }

    fn wait(value: &str) -> Result<Option<u64>, InvalidFeedback> {
        let body = format!(r#"{{"sentence": "Rates rise", "wait": {value}}}"#);
        ClassifyRequest::parse(body.as_bytes(), "news").map(|request| request.wait_seconds)
    }

    #[test]
    fn a_request_waits_as_long_as_it_says_and_no_longer_than_a_gateway_does() {
        assert_eq!(wait("true"), Ok(Some(20)));
        assert_eq!(wait("5"), Ok(Some(5)));
        assert_eq!(
            (wait("false"), wait("0"), wait("null")),
            (Ok(None), Ok(None), Ok(None))
        );
        for wrong in ["21", "-1", "1.5", "\"20\"", "[]"] {
            assert!(wait(wrong).is_err(), "{wrong}");
        }
        let said = wait("\"20\"").expect_err("refused").to_string();
        assert!(said.ends_with("from 0 to 20, not a text"), "{said}");
        let query = |wait| wait_of_query([("wait", wait)].into_iter());
        assert_eq!(query("20"), Ok(20));
        assert!(query("21").is_err() && query("soon").is_err());
    }
}
