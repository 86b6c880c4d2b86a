//! What became of the training files under `initial/`.

use active_learning_core::dataset::{
    SAMPLE_IGNORED, TrainingFileReport, TrainingFileState, is_shipped_sample, report_key,
    report_on_other_file,
};

use crate::bucket::{Bucket, BucketError, Listed};

/// Returns the reports on training files as they are listed now.
///
/// A report on a file that was mended, emptied or removed since is left out.
///
/// # Errors
///
/// [`BucketError`].
pub async fn reports(
    training: &Bucket,
    files: impl IntoIterator<Item = Listed>,
) -> Result<Vec<TrainingFileReport>, BucketError> {
    let mut reports = Vec::new();
    for file in files.into_iter().filter(|file| file.size > 0) {
        let report = match report_on_other_file(&file.key, &file.etag) {
            Some(report) => Some(report),
            None => training.read_document(&report_key(&file.key)).await?,
        };
        reports.extend(report.filter(|report| report.etag == file.etag));
    }
    let is_own = |report: &&TrainingFileReport| !is_shipped_sample(&report.key, "");
    let mut own = reports.iter().filter(is_own);
    if own.any(|report| report.state == TrainingFileState::Taken) {
        // Its own report says so from the next build on.
        for sample in reports
            .iter_mut()
            .filter(|report| is_shipped_sample(&report.key, ""))
        {
            sample.state = TrainingFileState::Ignored;
            sample.reason = Some(SAMPLE_IGNORED.to_owned());
        }
    }
    Ok(reports)
}
