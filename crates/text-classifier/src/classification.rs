//! `ClassifyDocument`, and the answer for one text.
//!
//! Differs from Comprehend: `Bytes` are plain UTF-8 text only.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use text_model::{Mode, Prediction};

use crate::{
    MAX_TEXT_BYTES,
    api_error::ApiError,
    encoders::Classifying,
    serving::Serving,
    validation::{self, length},
};

/// A multi-class answer names only so many classes, as Comprehend's does.
const CLASSES_IN_ANSWER: usize = 3;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ClassifyRequest {
    endpoint_arn: Option<String>,
    text: Option<String>,
    bytes: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ScoredClass<'a> {
    name: &'a str,
    score: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    page: Option<u32>,
}

/// What is to be classified.
enum Document {
    Text(String),
    PlainTextBytes(String),
}

pub(crate) async fn classify(
    serving: &Serving,
    scope: &str,
    request: ClassifyRequest,
) -> Result<Value, ApiError> {
    let arn = validation::endpoint_arn(request.endpoint_arn)?;
    let document = document(request.text, request.bytes)?;
    if arn.scope() != scope {
        return Err(ApiError::ResourceUnavailable("there is no such endpoint"));
    }
    let model = serving.model(&arn).await?;
    let model = model.ok_or(ApiError::ResourceUnavailable("the endpoint is not in service"))?;
    // An encoder takes milliseconds, in which others are answered.
    let answering = tokio::task::spawn_blocking(move || answer(&model, document));
    Ok(answering
        .await
        .expect("predicting neither panics nor is cancelled"))
}

fn answer(model: &Classifying, document: Document) -> Value {
    match document {
        Document::Text(text) => scores(model.model.mode(), model.predict(&text), None),
        Document::PlainTextBytes(text) => {
            let mut answer = scores(model.model.mode(), model.predict(&text), Some(1));
            answer["DocumentMetadata"] = json!({
                "Pages": 1,
                "ExtractedCharacters": [{"Page": 1, "Count": text.chars().count()}],
            });
            answer["DocumentType"] = json!([{"Page": 1, "Type": "PLAIN_TEXT"}]);
            answer
        }
    }
}

/// Returns `{"Classes": […]}` or `{"Labels": […]}` of what a model says, best first.
pub(crate) fn scores(mode: Mode, predictions: Vec<Prediction<'_>>, page: Option<u32>) -> Value {
    let (member, limit) = match mode {
        Mode::MultiClass => ("Classes", CLASSES_IN_ANSWER),
        Mode::MultiLabel => ("Labels", usize::MAX),
    };
    let scored: Vec<_> = predictions
        .into_iter()
        .take(limit)
        .map(|prediction| ScoredClass {
            name: prediction.label,
            score: prediction.score,
            page,
        })
        .collect();
    json!({member: scored})
}

fn document(text: Option<String>, bytes: Option<String>) -> Result<Document, ApiError> {
    match (text, bytes) {
        (Some(text), None) => {
            length("text", &text, 1..=usize::MAX)?;
            if text.len() > MAX_TEXT_BYTES {
                return Err(ApiError::TextSizeLimitExceeded {
                    size: text.len(),
                    limit: MAX_TEXT_BYTES,
                });
            }
            Ok(Document::Text(text))
        }
        (None, Some(base64)) => {
            length("bytes", &base64, 1..=usize::MAX)?;
            plain_text(&base64).map(Document::PlainTextBytes)
        }
        (None, None) | (Some(_), Some(_)) => Err(ApiError::InvalidRequest(
            "exactly one of Text and Bytes must be given",
        )),
    }
}

fn plain_text(base64: &str) -> Result<String, ApiError> {
    let bytes = BASE64_STANDARD
        .decode(base64)
        .map_err(|_| ApiError::Serialization)?;
    if bytes.len() > MAX_TEXT_BYTES {
        return Err(ApiError::InvalidDocument {
            message: "it is longer than 10,240 bytes",
            detail: "DOCUMENT_SIZE_EXCEEDED",
        });
    }
    match String::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') && !text.starts_with("%PDF-") => Ok(text),
        Ok(_) | Err(_) => Err(ApiError::InvalidDocument {
            message: "only plain text in UTF-8 is supported",
            detail: "UNSUPPORTED_DOC_TYPE",
        }),
    }
}
