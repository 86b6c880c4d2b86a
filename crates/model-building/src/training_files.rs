//! What became of the training files under `initial/`, for whoever looks.

use active_learning_core::dataset::{
    INITIAL_PREFIX, SAMPLE_IGNORED, TrainingFileReport, TrainingFileState, is_initial_file,
    is_shipped_sample, report_key,
};
use aws_sdk_s3::Client;

use crate::storage::{Storage, StorageError};

/// Returns the reports on the training files that are there now, in the order of their keys.
///
/// A report on a file that was mended or removed since is left out.
///
/// # Errors
///
/// [`StorageError`].
pub async fn training_files(s3: &Client, bucket: &str) -> Result<Vec<TrainingFileReport>, StorageError> {
    let storage = Storage::new(s3.clone(), bucket.to_owned());
    let mut reports = Vec::new();
    for file in list(s3, bucket).await? {
        let report: Option<TrainingFileReport> = storage.read(&report_key(&file.key)).await?;
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

/// A training file.
pub(crate) struct InitialFile {
    pub key: String,
    pub etag: String,
}

/// Lists the training files, in the order of their keys.
pub(crate) async fn list(s3: &Client, bucket: &str) -> Result<Vec<InitialFile>, StorageError> {
    let list = s3.list_objects_v2().bucket(bucket).prefix(INITIAL_PREFIX);
    let mut pages = list.into_paginator().send();
    let mut files = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| StorageError {
            key: INITIAL_PREFIX.to_owned(),
            source: error.into(),
        })?;
        let objects = page.contents.unwrap_or_default().into_iter();
        let named = objects.filter_map(|object| {
            let key = object.key.filter(|key| is_initial_file(key))?;
            let etag = object.e_tag.unwrap_or_default().trim_matches('"').to_owned();
            Some(InitialFile { key, etag })
        });
        files.extend(named);
    }
    Ok(files)
}

/// Tells what became of a file, in one line or more.
pub fn describe(report: &TrainingFileReport) -> String {
    let state = match report.state {
        TrainingFileState::Taken => "taken",
        TrainingFileState::Refused => "refused",
        TrainingFileState::Ignored => "ignored",
    };
    let reason = report
        .reason
        .as_ref()
        .map_or_else(String::new, |reason| format!(": {reason}"));
    let repairs = report.repairs.iter().map(|repair| format!("\n    {repair}"));
    format!("{} {state}{reason}{}", report.key, repairs.collect::<String>())
}
