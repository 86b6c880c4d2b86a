//! What became of the training files under `initial/`, for whoever looks.

use active_learning_aws::{
    bucket::{Bucket, BucketError},
    training_files::reports,
};
use active_learning_core::dataset::{INITIAL_PREFIX, TrainingFileReport, TrainingFileState, is_initial_file};

/// Returns the reports on the training files that are there now, in the order of their keys.
///
/// A report on a file that was mended, emptied or removed since is left out.
///
/// # Errors
///
/// [`BucketError`].
pub async fn training_files(bucket: &Bucket) -> Result<Vec<TrainingFileReport>, BucketError> {
    reports(bucket, bucket.list(INITIAL_PREFIX).await?).await
}

/// A training file.
pub(crate) struct InitialFile {
    pub key: String,
    pub etag: String,
}

/// Lists the training files, in the order of their keys.
pub(crate) async fn list(bucket: &Bucket) -> Result<Vec<InitialFile>, BucketError> {
    let listed = bucket.list(INITIAL_PREFIX).await?.into_iter();
    let files = listed.filter(|object| is_initial_file(&object.key));
    Ok(files
        .map(|object| InitialFile {
            key: object.key,
            etag: object.etag,
        })
        .collect())
}

/// Tells what became of a file, in one line or more.
pub fn describe(report: &TrainingFileReport) -> String {
    let state = match report.state {
        TrainingFileState::Taken => "taken",
        TrainingFileState::Refused => "refused",
        TrainingFileState::Ignored => "ignored",
        TrainingFileState::Waiting => "waits",
    };
    let reason = report
        .reason
        .as_ref()
        .map_or_else(String::new, |reason| format!(": {reason}"));
    let repairs = report.repairs.iter().map(|repair| format!("\n    {repair}"));
    format!("{} {state}{reason}{}", report.key, repairs.collect::<String>())
}
