//! What the jobs that adjust labels have found: how many labels are wrong.

use active_learning_aws::bucket::BucketError;
use active_learning_core::labels::label_audit::LabelAudit;
use futures::stream::{self, StreamExt, TryStreamExt};
use serde_json::Value;

use super::Jobs;
use super::access::{Access, AccessError};
use super::record::{Audit, AuditKind, Job};
use crate::flows::Resource;

/// Documents read at a time.
const CONCURRENT_READS: usize = 16;

impl Jobs<'_> {
    /// Returns those that adjust labels of the newest jobs, of which so many are looked at; the newest first.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn audits(&self, most: usize) -> Result<Vec<Job>, BucketError> {
        let mut listed = self.listed().await?;
        listed.sort_by_key(|listed| std::cmp::Reverse(listed.created_at()));
        let reads: Vec<_> = listed
            .iter()
            .take(most)
            .map(|listed| self.find(listed.name()))
            .collect();
        let jobs: Vec<Option<Job>> = stream::iter(reads)
            .buffered(CONCURRENT_READS)
            .try_collect()
            .await?;
        Ok(jobs
            .into_iter()
            .flatten()
            .filter(|job| adjusted(job).is_some())
            .collect())
    }

    /// Returns what the output of a job that adjusted labels says, with the rights of the job's role; reviewers by worker
    /// id. None of a job that adjusts no labels.
    ///
    /// # Errors
    ///
    /// [`AccessError`].
    pub async fn audited(&self, job: &Job) -> Result<Option<LabelAudit>, AccessError> {
        let Some(before) = adjusted(job) else {
            return Ok(None);
        };
        let access = Access::of(self.bucket, self.sdk, &job.settings.role_arn).await?;
        let manifest = access
            .read(&job.output_manifest(), super::manifest::MAX_BYTES)
            .await?;
        let mut audit = LabelAudit::default();
        for line in manifest.split(|byte| *byte == b'\n') {
            // A line whose other fields hold what is no value has labels all the same.
            if let Some(line) = looked_at(line, before, &job.settings.attribute) {
                audit.add_line(&line, before, &job.settings.attribute, str::to_owned);
            }
        }
        Ok(Some(audit))
    }
}

/// Returns the label attribute that a job adjusts.
fn adjusted(job: &Job) -> Option<&str> {
    match &job.settings.audit {
        Some(Audit {
            kind: AuditKind::Adjustment,
            attribute,
        }) => Some(attribute),
        _ => None,
    }
}

/// Returns of a line what an audit counts.
fn looked_at(line: &[u8], before: &str, after: &str) -> Option<Value> {
    let line = super::manifest::parse(line).ok()?;
    let names = [before, after].map(super::manifest::metadata_of);
    let [before, after] = &names;
    let members = [before.as_str(), after.as_str(), "reviewers"];
    let found = members
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), line.get(name)?)));
    Some(Value::Object(found.collect()))
}
