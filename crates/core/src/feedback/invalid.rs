//! Why feedback cannot be used.

use std::fmt::Write as _;

use super::schema::SCHEMA_VERSION;
use crate::MAX_UTTERANCE_BYTES;

/// Why a line or a request cannot be used. Safe to show: it never holds the text itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidFeedback {
    /// Not a JSON object of the expected shape.
    #[error("not valid JSON: {0}")]
    Json(String),
    /// The bytes are no UTF-8.
    #[error("the JSON must be UTF-8, but it is {0}")]
    Encoding(&'static str),
    /// JSON, but no object.
    #[error("not a JSON object, but {0}")]
    NoObject(&'static str),
    /// A field that nobody reads.
    #[error("unknown field {shown}: {advice}")]
    UnknownField {
        /// Its name in quotes, or its length where the name may be a text.
        shown: String,
        /// What may be meant.
        advice: String,
    },
    /// A field, or two names for it, is there more than once.
    #[error("field `{0}` is given more than once")]
    Twice(&'static str),
    /// A field holds another kind of value.
    #[error("field `{field}` must be {expected}, not {found}")]
    WrongType {
        /// Name of the field.
        field: &'static str,
        /// What it must be.
        expected: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// A text holds half of a surrogate pair.
    #[error(
        "field `{0}` holds half of a surrogate pair (`\\ud800` to `\\udfff` alone), which is no character"
    )]
    HalfSurrogate(&'static str),
    /// An opinion is neither a like nor a dislike.
    #[error(
        "field `feedback` must be `like` or `dislike`, in lower case, not {0}; left out it means `dislike`"
    )]
    Opinion(&'static str),
    /// A required field is absent or blank.
    #[error("field `{0}` is missing or empty")]
    Missing(&'static str),
    /// Nothing of a text can be seen.
    #[error("field `{0}` is blank: it holds only white space, control or zero-width characters")]
    Blank(&'static str),
    /// A label that can be none.
    #[error(
        "field `{0}` holds what can be no label: nothing that can be seen, a line break, `__none__`, \
         `__unsure__`, or a choice of the portal such as `None of these fits`; where no label is right, send a dislike \
         without it"
    )]
    NoLabel(&'static str),
    /// A like names another label than the prediction that it likes.
    #[error(
        "fields `feedback` and `label` contradict each other: `like` says that the prediction is right, and `label` is not \
         `prediction`; send `dislike` with the right label, or the like alone"
    )]
    Contradiction,
    /// A dislike names the prediction that it dislikes as the right label.
    #[error(
        "fields `feedback` and `label` contradict each other: `dislike` says that the prediction is wrong, and `label` is \
         `prediction`; send `like`, or the dislike with another label"
    )]
    DislikedLabel,
    /// The prediction that is named is another one than is said.
    #[error(
        "fields `predictionId` and `prediction` contradict each other: the id is that of another label; leave one of them out"
    )]
    OtherPrediction,
    /// The prediction that is named was made of another text.
    #[error(
        "field `predictionId` names the prediction of another text; send the text that was classified, or no id"
    )]
    OtherText,
    /// The prediction that is named is of another classifier than is said.
    #[error(
        "field `predictionId` names a prediction of the classifier `{kept}`, and `classifier` is `{said}`: send the \
         classifier that classified the text, or leave it out"
    )]
    OtherClassifier {
        /// The classifier that is said.
        said: String,
        /// That of the prediction.
        kept: String,
    },
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
    /// The confidence has a decimal comma.
    #[error("field `confidence` is a number with a decimal comma, `{comma}`: write `{point}`")]
    DecimalComma {
        /// As it was written.
        comma: String,
        /// As it is to be written.
        point: String,
    },
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
