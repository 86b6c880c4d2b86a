//! How far people agreed on the dataset that was assembled last, as the function that builds models has written it down.

use std::collections::BTreeMap;

use active_learning_aws::bucket::{Bucket, BucketError};
use active_learning_core::keys;
use active_learning_core::labels::agreement::{AgreementReport, ReviewerReport};
use serde::{Deserialize, Serialize};

/// The newest dataset.
#[derive(Deserialize)]
struct Newest {
    version: String,
}

/// How far people agree on a dataset's labels.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// With one another.
    #[serde(flatten)]
    pub agreement: AgreementReport,
    /// Rows whose label is more probably wrong than right; none in reports of the version before.
    #[serde(default)]
    pub doubtful: u64,
    /// Each with the final answers, by worker id.
    #[serde(default)]
    pub reviewers: BTreeMap<String, ReviewerReport>,
}

/// Reads the version of the newest dataset and its report; none where no dataset was assembled.
///
/// # Errors
///
/// [`BucketError`].
pub async fn newest(training: &Bucket) -> Result<Option<(String, Option<Report>)>, BucketError> {
    let Some(version) = newest_version(training).await? else {
        return Ok(None);
    };
    let key = format!("datasets/{version}/agreement.json");
    let report = training.read_document(&key).await?;
    Ok(Some((version, report)))
}

/// Reads the version of the newest dataset; none where no dataset was assembled.
///
/// # Errors
///
/// [`BucketError`].
pub async fn newest_version(training: &Bucket) -> Result<Option<String>, BucketError> {
    let newest: Option<Newest> = training.read_document(keys::NEWEST_DATASET).await?;
    Ok(newest.map(|newest| newest.version))
}
