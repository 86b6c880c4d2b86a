//! Which models have learnt from a dataset version.

use std::collections::BTreeSet;

use active_learning_aws::bucket::{Bucket, BucketError};
use serde::Deserialize;

/// What a build came to, as far as it is looked at here.
#[derive(Deserialize)]
struct BuildRecord {
    #[serde(default)]
    dataset: Option<String>,
    #[serde(default)]
    challenger: Option<String>,
}

/// Returns the versions of models that builds have trained on a dataset and that are not called as it is: a flywheel
/// names its models itself.
pub(crate) async fn models_of(training: &Bucket, dataset: &str) -> Result<BTreeSet<String>, BucketError> {
    let mut models = BTreeSet::new();
    for folder in training.folders("builds/").await? {
        let key = format!("{folder}record.json");
        let record: Option<BuildRecord> = training.read_document(&key).await?;
        let record = record.filter(|record| record.dataset.as_deref() == Some(dataset));
        let model = record.and_then(|record| record.challenger);
        let version = model.as_deref().and_then(|model| model.rsplit('/').next());
        models.extend(version.filter(|version| *version != dataset).map(str::to_owned));
    }
    Ok(models)
}
