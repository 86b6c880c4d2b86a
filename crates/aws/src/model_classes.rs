//! Which classes a model has, as far as the training bucket knows.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use active_learning_core::{dataset::DatasetManifest, keys};
use serde::Deserialize;
use serde_json::Value;
use tokio::{sync::Mutex, time::Instant};

use crate::{
    bucket::{Bucket, BucketError},
    label_set::LabelSets,
};

/// How the resource of an ARN begins that is a model of Comprehend.
pub(crate) const OF_COMPREHEND: &str = "document-classifier/";

/// How long they are not looked for where nothing said which they are: they may be written after the model serves.
const PAUSE_WHERE_NONE: Duration = Duration::from_secs(60);

/// The classes of the model that serves: read once for each model, and where there are none looked for once a minute.
#[derive(Debug)]
pub struct ModelClasses {
    training: Bucket,
    /// What was found of the model that was asked about last.
    known: Mutex<Option<Known>>,
}

/// What was found of a model.
#[derive(Debug)]
struct Known {
    model_arn: String,
    classes: Arc<[String]>,
    /// Until when this counts; for good where there are classes, since no model changes.
    until: Option<Instant>,
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
        self.of_at(model_arn, Instant::now()).await
    }

    async fn of_at(&self, model_arn: &str, now: Instant) -> Result<Arc<[String]>, BucketError> {
        let mut known = self.known.lock().await;
        let counts =
            |known: &&Known| known.model_arn == model_arn && known.until.is_none_or(|until| now < until);
        if let Some(known) = known.as_ref().filter(counts) {
            return Ok(known.classes.clone());
        }
        let classes = classes_of(&self.training, model_arn).await?.unwrap_or_default();
        let classes: Arc<[String]> = classes.into_iter().collect();
        *known = Some(Known {
            model_arn: model_arn.to_owned(),
            until: classes.is_empty().then(|| now + PAUSE_WHERE_NONE),
            classes: classes.clone(),
        });
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

/// Returns what is to be said where the label set and the serving model differ; nothing where they do not, or where
/// one of them is not known.
///
/// # Errors
///
/// [`BucketError`].
pub async fn label_differences(training: &Bucket, model_arn: &str) -> Result<Vec<String>, BucketError> {
    let Some(set) = LabelSets::new(training.clone()).current().await? else {
        return Ok(Vec::new());
    };
    let Some(classes) = classes_of(training, model_arn).await? else {
        return Ok(Vec::new());
    };
    let difference = set.difference(classes.iter().map(String::as_str));
    let became = |pairs: &[(String, String)]| -> Vec<String> {
        let became = pairs
            .iter()
            .map(|(class, label)| format!("{class} (now {label})"));
        became.collect()
    };
    let said =
        |names: &[String], what: &str| (!names.is_empty()).then(|| format!("{what}: {}", shown(names)));
    let said = [
        said(
            &difference.not_in_model,
            "labels that the serving model does not know yet (choices, but never predicted)",
        ),
        said(
            &difference.not_in_set,
            "classes of the serving model that the label set does not have (choices as long as it serves)",
        ),
        said(
            &became(&difference.renamed),
            "classes of the serving model that are called otherwise now",
        ),
        said(
            &became(&difference.merged),
            "classes of the serving model that were merged into others since",
        ),
        said(
            &difference.retired,
            "classes of the serving model that were retired since (what it predicts so goes to people)",
        ),
        said(
            &difference.split,
            "classes of the serving model that were split since (what it predicts so goes to people)",
        ),
    ];
    Ok(said.into_iter().flatten().collect())
}

/// Names the first few of many.
fn shown(names: &[String]) -> String {
    const SHOWN: usize = 10;
    let some = names[..names.len().min(SHOWN)].join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => some,
        more => format!("{some} and {more} more"),
    }
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

    #[tokio::test]
    async fn classes_that_were_not_there_yet_are_looked_for_again_a_minute_later_and_not_before() {
        let arn = "arn:aws:comprehend:us-east-1:123456789012:document-classifier/news/version/one";
        let key = "text-classifier/document-classifier/news/version/one.json";
        let training = training();
        let classes = ModelClasses::new(training.clone());
        let start = Instant::now();
        let after = |seconds: u64| start + Duration::from_secs(seconds);

        let before = classes.of_at(arn, start).await.expect("read");
        let state = json!({"trained": {"labels": ["World", "Sports"]}});
        training.put_document(key, &state).await.expect("written");
        let soon = classes.of_at(arn, after(59)).await.expect("remembered");
        let later = classes.of_at(arn, after(60)).await.expect("read");
        training.delete(key).await.expect("deleted");
        let for_good = classes.of_at(arn, after(100_000)).await.expect("remembered");

        assert!(before.is_empty() && soon.is_empty(), "one look a minute");
        assert_eq!(later[..], ["Sports", "World"]);
        assert_eq!(for_good, later);
    }
}
