//! Why feedback cannot be used.

use std::fmt::Write as _;

use super::record::SCHEMA_VERSION;
use crate::MAX_UTTERANCE_BYTES;

/// Why a line or a request cannot be used. Safe to show: it never holds the text itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidFeedback {
    /// Not a JSON object of the expected shape.
    #[error("not valid JSON feedback: {0}")]
    Json(String),
    /// A required field is absent or blank.
    #[error("field `{0}` is missing or empty")]
    Missing(&'static str),
    /// The text is longer than [`MAX_UTTERANCE_BYTES`].
    #[error("the text is {0} bytes long; at most {MAX_UTTERANCE_BYTES} bytes of UTF-8 are accepted")]
    TooLong(usize),
    /// Another field is too long.
    #[error("field `{field}` is longer than {limit} bytes")]
    FieldTooLong {
        /// Name of the field.
        field: &'static str,
        /// Its limit in bytes.
        limit: usize,
    },
    /// The confidence is not a probability.
    #[error("field `confidence` must be a number from 0 to 1")]
    Confidence,
    /// It says that a prediction was accepted, but not which, by which model or above which threshold.
    #[error(
        "an accepted prediction must come from the classification API, with its model and a confidence above `acceptedAbove`"
    )]
    NotAccepted,
    /// The line was written by a newer version.
    #[error("schema version {0} is newer than {SCHEMA_VERSION}, the newest that is understood")]
    NewerSchema(u32),
}

impl From<serde_json::Error> for InvalidFeedback {
    /// Keeps kind and place of a JSON error, not its text: that may quote the input.
    fn from(error: serde_json::Error) -> Self {
        let mut text = match error.classify() {
            serde_json::error::Category::Data => "a field has the wrong type or value".to_owned(),
            serde_json::error::Category::Eof => "it ends too early".to_owned(),
            serde_json::error::Category::Syntax | serde_json::error::Category::Io => {
                "syntax error".to_owned()
            }
        };
        if error.line() > 0 {
            let _ = write!(text, " (line {}, column {})", error.line(), error.column());
        }
        Self::Json(text)
    }
}
