//! Which classes a model has, as far as the training bucket knows.

use std::{collections::BTreeSet, sync::Arc};

use active_learning_core::{dataset::DatasetManifest, keys};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;

use crate::bucket::{Bucket, BucketError};

/// How the resource of an ARN begins that is a model of Comprehend.
const OF_COMPREHEND: &str = "document-classifier/";

/// The classes of the model that serves: read once for each model.
#[derive(Debug)]
pub struct ModelClasses {
    training: Bucket,
    /// The model that was asked about last, and its classes.
    known: Mutex<Option<(String, Arc<[String]>)>>,
}

impl ModelClasses {
    /// Looks in a training bucket.
    pub fn new(training: Bucket) -> Self {
        Self {
            training,
            known: Mutex::default(),
        }
    }

    /// Returns the classes of a model; none where nothing here says which they are, as of a model that was trained elsewhere.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn of(&self, model_arn: &str) -> Result<Arc<[String]>, BucketError> {
        let mut known = self.known.lock().await;
        if let Some((_, classes)) = known.as_ref().filter(|(of, _)| of == model_arn) {
            return Ok(classes.clone());
        }
        let classes = classes_of(&self.training, model_arn).await?.unwrap_or_default();
        let classes: Arc<[String]> = classes.into_iter().collect();
        *known = Some((model_arn.to_owned(), classes.clone()));
        Ok(classes)
    }
}

/// Returns the classes of a model, as far as the training bucket knows them.
///
/// # Errors
///
/// [`BucketError`].
pub async fn classes_of(training: &Bucket, model_arn: &str) -> Result<Option<BTreeSet<String>>, BucketError> {
    let resource = model_arn.rsplit(':').next().unwrap_or_default();
    // Of a model that is hosted elsewhere there is nothing here, nor the right to look for it.
    if !resource.starts_with(OF_COMPREHEND) {
        return Ok(None);
    }
    let version = resource.rsplit('/').next().unwrap_or_default();
    let manifest = keys::dataset_manifest(version);
    if let Some(manifest) = training.read_document::<DatasetManifest>(&manifest).await? {
        return Ok(Some(manifest.train.summary.classes.into_keys().collect()));
    }

    let state: Option<Value> = training.read_document(&keys::classifier_state(resource)).await?;
    let labels = state.and_then(|state| BTreeSet::deserialize(&state["trained"]["labels"]).ok());
    Ok(labels)
}

#[cfg(test)]
mod tests {
    use local_aws::{LocalAws, s3::BucketSpec};
    use serde_json::json;

    use super::*;

    fn training() -> Bucket {
        let aws = LocalAws::in_memory();
        let bucket = BucketSpec {
            name: "training".to_owned(),
            ..BucketSpec::default()
        };
        aws.s3.put_bucket(bucket).expect("a new bucket");
        Bucket::new(aws_sdk_s3::Client::new(&aws.sdk_config()), "training")
    }

    #[tokio::test]
    async fn the_classes_of_an_initial_model_are_read_once_and_of_a_foreign_one_there_are_none() {
        let arn = "arn:aws:comprehend:us-east-1:123456789012:document-classifier/news/version/one";
        let key = "text-classifier/document-classifier/news/version/one.json";
        let training = training();
        let state = json!({"trained": {"labels": ["World", "Sports"]}});
        training.put_document(key, &state).await.expect("written");
        let classes = ModelClasses::new(training.clone());

        let first = classes.of(arn).await.expect("read");
        training.delete(key).await.expect("deleted");
        let again = classes.of(arn).await.expect("remembered");
        let foreign = classes
            .of("arn:aws:comprehend:us-east-1:123456789012:document-classifier/bought")
            .await
            .expect("read");
        let hosted = "arn:aws:sagemaker:us-east-1:123456789012:endpoint/one";
        let not_allowed = ModelClasses::new(training.other("a-bucket-that-is-not-there"));
        let hosted = not_allowed.of(hosted).await.expect("nothing is read");

        assert_eq!(first[..], ["Sports", "World"]);
        assert_eq!(again, first);
        assert!(foreign.is_empty() && hosted.is_empty());
    }
}
