//! `ExplainDocuments`: the words that drove predictions, for those who judge them. An operation of our own; Comprehend
//! has none like it.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::{MAX_TEXT_BYTES, api_error::ApiError, encoders::Classifying, serving::Serving, validation};

/// Most texts of a request.
const MAX_DOCUMENTS: usize = 100;
/// Most words that are named of a text: more would be half of a short one.
const MAX_WORDS: usize = 5;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ExplainRequest {
    endpoint_arn: Option<String>,
    documents: Option<Vec<Explained>>,
}

/// A text, and what was predicted of it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Explained {
    text: String,
    classes: Vec<String>,
}

/// Returns for each text the words whose weights speak most for what was predicted, by the model that serves now;
/// none where that model does not know the class.
pub(crate) async fn explain(
    serving: &Serving,
    scope: &str,
    request: ExplainRequest,
) -> Result<Value, ApiError> {
    let arn = validation::endpoint_arn(request.endpoint_arn)?;
    let documents = request
        .documents
        .ok_or(ApiError::InvalidRequest("Documents must be given"))?;
    if documents.len() > MAX_DOCUMENTS {
        return Err(ApiError::InvalidRequest("Documents has more than 100 texts"));
    }
    if let Some(long) = documents
        .iter()
        .find(|document| document.text.len() > MAX_TEXT_BYTES)
    {
        return Err(ApiError::TextSizeLimitExceeded {
            size: long.text.len(),
            limit: MAX_TEXT_BYTES,
        });
    }
    if arn.scope() != scope {
        return Err(ApiError::ResourceUnavailable("there is no such endpoint"));
    }
    let model = serving.model(&arn).await?;
    let model = model.ok_or(ApiError::ResourceUnavailable("the endpoint is not in service"))?;

    let explaining = tokio::task::spawn_blocking(move || words(&model, &documents));
    let words = explaining
        .await
        .expect("explaining neither panics nor is cancelled");
    Ok(json!({"Words": words}))
}

fn words(model: &Classifying, documents: &[Explained]) -> Vec<Vec<String>> {
    let of_one = |document: &Explained| {
        let classes: Vec<&str> = document.classes.iter().map(String::as_str).collect();
        let words = model.model.words_for(&document.text, &classes, MAX_WORDS);
        words.into_iter().map(str::to_owned).collect()
    };
    documents.iter().map(of_one).collect()
}
