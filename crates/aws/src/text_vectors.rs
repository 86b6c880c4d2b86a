//! Vectors of texts, from the built-in classifier: its operation `EncodeDocuments`, which Comprehend does not have.
//!
//! The SDK signs, sends and tries again as it does for `ClassifyDocument`; an interceptor exchanges what is asked
//! and keeps the answer.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use active_learning_core::text::{Vector, VectorId, unpack_vectors};
use aws_sdk_comprehend::{
    Client,
    config::{
        ConfigBag, Intercept, RuntimeComponents,
        interceptors::{AfterDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextMut},
    },
    error::BoxError,
};
use aws_smithy_types::body::SdkBody;
use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;

use crate::failure::Refusal;

/// Most texts of a call.
pub const MAX_TEXTS: usize = 100;

const TARGET: &str = "Comprehend_20171127.EncodeDocuments";

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
    #[error("the classifier's answer holds no vectors")]
    Answer,
}

/// Asks for the vectors of at most [`MAX_TEXTS`] texts; `None` where models look through no encoder.
///
/// # Errors
///
/// [`TextVectorsError`].
pub async fn text_vectors(client: &Client, texts: &[&str]) -> Result<Option<TextVectors>, TextVectorsError> {
    let exchange = Exchange {
        question: json!({"TextList": texts}).to_string(),
        answer: Arc::default(),
    };
    let asking = client
        .classify_document()
        .customize()
        .interceptor(exchange.clone());
    asking
        .send()
        .await
        .map_err(|error| TextVectorsError::Refused(error.into()))?;
    let answer = exchange
        .answer
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take();
    read(&answer.unwrap_or_default()).ok_or(TextVectorsError::Answer)
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

/// Makes another operation's call of `ClassifyDocument`.
#[derive(Clone, Debug)]
struct Exchange {
    question: String,
    answer: Arc<Mutex<Option<Bytes>>>,
}

impl Intercept for Exchange {
    fn name(&self) -> &'static str {
        "EncodeDocuments"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request_mut();
        let length = self.question.len().to_string();
        request.headers_mut().insert("x-amz-target", TARGET);
        request.headers_mut().insert("content-length", length);
        *request.body_mut() = SdkBody::from(self.question.clone());
        Ok(())
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let body = context.response().body().bytes().map(Bytes::copy_from_slice);
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = body;
        Ok(())
    }
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
