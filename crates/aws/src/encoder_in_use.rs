//! Through which text encoder the built-in classifier looks, and which one a model was trained with.

use active_learning_core::keys;
use aws_sdk_comprehend::Client;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    bucket::{Bucket, BucketError},
    model_classes::OF_COMPREHEND,
    own_operation,
    text_vectors::TextVectorsError,
};

/// What the classifier says of its encoder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct EncoderInUse {
    /// Value of the parameter `TextEncoder`: `built-in`, `none` or `s3`.
    pub text_encoder: String,
    /// Identity of the encoder; none where there is none.
    pub encoder: Option<String>,
    /// Identities that earlier releases gave it: it serves their models.
    #[serde(default)]
    pub earlier: Vec<String>,
}

/// Asks the built-in classifier through which encoder it looks.
///
/// # Errors
///
/// [`TextVectorsError`]; a classifier of an earlier release does not say it.
pub async fn encoder_in_use(client: &Client) -> Result<EncoderInUse, TextVectorsError> {
    let none: [&str; 0] = [];
    let answer = own_operation::ask(client, "EncodeDocuments", &json!({ "TextList": none })).await;
    let answer = answer.map_err(TextVectorsError::Refused)?;
    serde_json::from_slice(&answer).map_err(|_| TextVectorsError::Answer)
}

/// Returns which encoder a model of the built-in classifier was trained with: its identity, or `none`. Nothing of a model that
/// is not there, or that an earlier release has trained.
///
/// # Errors
///
/// [`BucketError`].
pub async fn encoder_of_model(training: &Bucket, model_arn: &str) -> Result<Option<String>, BucketError> {
    let resource = model_arn.rsplit(':').next().unwrap_or_default();
    if !resource.starts_with(OF_COMPREHEND) {
        return Ok(None);
    }
    let state: Option<Value> = training.read_document(&keys::classifier_state(resource)).await?;
    let encoder = state.and_then(|state| state["trained"]["encoder"].as_str().map(str::to_owned));
    Ok(encoder)
}

#[cfg(test)]
mod tests {
    use local_aws::{LocalAws, s3::BucketSpec};

    use super::*;

    #[tokio::test]
    async fn the_encoder_of_a_model_is_told_where_its_training_has_noted_it() {
        let aws = LocalAws::in_memory();
        let bucket = BucketSpec {
            name: "training".to_owned(),
            ..BucketSpec::default()
        };
        aws.s3.put_bucket(bucket).expect("a new bucket");
        let training = Bucket::new(aws_sdk_s3::Client::new(&aws.sdk_config()), "training");
        let of = async |version: &str, facts: Value| {
            let resource = format!("document-classifier/news/version/{version}");
            let key = keys::classifier_state(&resource);
            training.put_document(&key, &facts).await.expect("written");
            let arn = format!("arn:aws:comprehend:us-east-1:123456789012:{resource}");
            encoder_of_model(&training, &arn).await.expect("read")
        };

        let told = of("new", json!({"trained": {"labels": [], "encoder": "1f2e"}})).await;
        let before = of("old", json!({"trained": {"labels": []}})).await;
        let hosted = encoder_of_model(&training, "arn:aws:sagemaker:us-east-1:123456789012:endpoint/x").await;

        assert_eq!(told.as_deref(), Some("1f2e"));
        assert_eq!((before, hosted.expect("nothing is read")), (None, None));
    }
}
