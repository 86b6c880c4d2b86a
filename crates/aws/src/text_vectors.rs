//! Vectors of texts, from the built-in classifier: its operation `EncodeDocuments`, which Comprehend does not have.

use std::collections::HashMap;

use active_learning_core::text::{Vector, VectorId, unpack_vectors};
use aws_sdk_comprehend::Client;
use base64::{Engine, prelude::BASE64_STANDARD};
use serde::Deserialize;
use serde_json::json;

use crate::{failure::Refusal, own_operation};

/// Most texts of a call.
pub const MAX_TEXTS: usize = 100;

/// What an encoder makes of texts.
#[derive(Debug, Default)]
pub struct TextVectors {
    /// Identity of the encoder.
    pub encoder: String,
    /// By the texts' ids.
    pub by_id: HashMap<VectorId, Vector>,
}

/// Why there are no vectors. Safe to show: it never holds a text.
#[derive(Debug, thiserror::Error)]
pub enum TextVectorsError {
    /// The classifier refused, or did not answer.
    #[error("{0}")]
    Refused(Refusal),
    /// The answer is not what the built-in classifier says.
    #[error("the classifier's answer holds no vectors, and no encoder")]
    Answer,
}

/// Asks for the vectors of at most [`MAX_TEXTS`] texts; `None` where models look through no encoder.
///
/// # Errors
///
/// [`TextVectorsError`].
pub async fn text_vectors(client: &Client, texts: &[&str]) -> Result<Option<TextVectors>, TextVectorsError> {
    let question = json!({"TextList": texts});
    let answer = own_operation::ask(client, "EncodeDocuments", &question).await;
    let answer = answer.map_err(TextVectorsError::Refused)?;
    read(&answer).ok_or(TextVectorsError::Answer)
}

/// Reads an answer; nothing of one that cannot be understood.
fn read(answer: &[u8]) -> Option<Option<TextVectors>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        encoder: Option<String>,
        #[serde(default)]
        vectors: String,
    }
    let answer: Answer = serde_json::from_slice(answer).ok()?;
    let pack = BASE64_STANDARD.decode(answer.vectors).ok()?;
    Some(answer.encoder.map(|encoder| TextVectors {
        encoder,
        by_id: unpack_vectors(&pack).collect(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_without_an_encoder_is_told_from_one_of_another_service() {
        assert!(matches!(read(br#"{"Encoder":null}"#), Some(None)));
        assert!(read(br#"{"Encoder":"a","Vectors":"AAAA"}"#).flatten().is_some());
        assert!(read(b"<html>").is_none());
        assert!(read(br#"{"Encoder":"a","Vectors":"?"}"#).is_none());
    }
}
