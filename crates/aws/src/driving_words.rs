//! Words that drove predictions, from the built-in classifier: its operation `ExplainDocuments`, which Comprehend does
//! not have.

use aws_sdk_comprehend::Client;
use serde::Deserialize;
use serde_json::json;

use crate::{failure::Refusal, own_operation};

/// Most texts of a call.
pub const MAX_TEXTS: usize = 100;

/// A prediction to be explained.
#[derive(Clone, Debug)]
pub struct Predicted<'a> {
    /// The text.
    pub text: &'a str,
    /// What was predicted: one class, or some labels.
    pub classes: Vec<String>,
}

/// Why nothing is known of the words. Safe to show: it never holds a text.
#[derive(Debug, thiserror::Error)]
pub enum DrivingWordsError {
    /// The classifier refused, or did not answer.
    #[error("{0}")]
    Refused(Refusal),
    /// The answer is not what the built-in classifier says.
    #[error("the classifier's answer holds no words")]
    Answer,
}

/// Asks an endpoint which words drove at most [`MAX_TEXTS`] predictions; returns those of each, the weightiest first.
///
/// # Errors
///
/// [`DrivingWordsError`].
pub async fn driving_words(
    client: &Client,
    endpoint_arn: &str,
    predicted: &[Predicted<'_>],
) -> Result<Vec<Vec<String>>, DrivingWordsError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        words: Vec<Vec<String>>,
    }
    let documents: Vec<_> = predicted
        .iter()
        .map(|document| json!({"Text": document.text, "Classes": document.classes}))
        .collect();
    let question = json!({"EndpointArn": endpoint_arn, "Documents": documents});
    let answer = own_operation::ask(client, "ExplainDocuments", &question).await;
    let answer = answer.map_err(DrivingWordsError::Refused)?;

    let answer: Answer = serde_json::from_slice(&answer).map_err(|_| DrivingWordsError::Answer)?;
    if answer.words.len() != predicted.len() {
        return Err(DrivingWordsError::Answer);
    }
    Ok(answer.words)
}
