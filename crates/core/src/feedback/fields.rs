//! The checks that requests and records share.

use serde::{Deserialize, Deserializer, de::DeserializeOwned};

use super::{InvalidFeedback, record::UNKNOWN_CONFIDENCE};
use crate::{MAX_CLASSIFIER_BYTES, MAX_UTTERANCE_BYTES};

/// Reads a JSON object; an array, which would pass for an object's fields in order, is none.
///
/// # Errors
///
/// [`InvalidFeedback::Json`], which does not quote the input.
pub fn parse_object<T: DeserializeOwned>(json: &[u8]) -> Result<T, InvalidFeedback> {
    if json.trim_ascii_start().starts_with(b"[") {
        return Err(InvalidFeedback::Json("an array is no object".to_owned()));
    }
    Ok(serde_json::from_slice(json)?)
}

/// Checks the two texts that every request and record must have.
///
/// # Errors
///
/// [`InvalidFeedback::Missing`] or a length error.
pub fn check_texts(classifier: &str, sentence: &str) -> Result<(), InvalidFeedback> {
    if classifier.trim().is_empty() {
        return Err(InvalidFeedback::Missing("classifier"));
    }
    if classifier.len() > MAX_CLASSIFIER_BYTES {
        return Err(InvalidFeedback::FieldTooLong {
            field: "classifier",
            limit: MAX_CLASSIFIER_BYTES,
        });
    }
    if sentence.trim().is_empty() {
        return Err(InvalidFeedback::Missing("sentence"));
    }
    if sentence.len() > MAX_UTTERANCE_BYTES {
        return Err(InvalidFeedback::TooLong(sentence.len()));
    }
    Ok(())
}

pub(super) fn probability(confidence: Option<f32>) -> Result<Option<f32>, InvalidFeedback> {
    match confidence {
        Some(number) if !(0.0..=1.0).contains(&number) => Err(InvalidFeedback::Confidence),
        other => Ok(other),
    }
}

/// Reads a number, the word for "unknown", or nothing.
pub(super) fn confidence<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f32>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Confidence {
        Number(f32),
        Word(String),
    }
    match Option::<Confidence>::deserialize(deserializer)? {
        None => Ok(None),
        Some(Confidence::Number(number)) => Ok(Some(number)),
        Some(Confidence::Word(word)) if word.is_empty() || word == UNKNOWN_CONFIDENCE => Ok(None),
        Some(Confidence::Word(word)) => word.trim().parse().map(Some).map_err(serde::de::Error::custom),
    }
}

/// Reads a text; `null` is an empty one, so that it is reported as a missing field.
pub(super) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.unwrap_or_default())
}
