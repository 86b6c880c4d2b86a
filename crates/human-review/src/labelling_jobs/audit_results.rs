//! What the jobs that adjust labels have found: how many labels are wrong.

use active_learning_aws::bucket::BucketError;
use active_learning_aws::failure::chain;
use active_learning_core::labels::label_audit::{LabelAudit, SecondLooks};
use active_learning_core::labels::label_set::LabelSet;
use futures::stream::{self, StreamExt, TryStreamExt};
use lambda_runtime::tracing::warn;
use serde::Deserialize;
use serde_json::Value;

use super::Jobs;
use super::access::{Access, AccessError};
use super::listed::Start;
use super::record::{Audit, AuditKind, Job};
use crate::flows::Resource;
use crate::marks::Order;
use crate::stack_audit::{AFTER, BEFORE};

/// Documents read at a time.
const CONCURRENT_READS: usize = 16;

impl Jobs<'_> {
    /// Returns those that adjust labels of the newest jobs, of which so many are looked at, at most [`MARKS`](super::listed::MARKS); the newest
    /// first.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn audits(&self, most: usize) -> Result<Vec<Job>, BucketError> {
        self.mark_in_both_orders().await?;
        // One is the mark of no job.
        let first = Start::at_the_first();
        let (mut listed, _) = self.marked(Order::Descending, &first, most + 1).await?;
        listed.dedup_by(|one, other| one.name() == other.name());
        let reads: Vec<_> = listed
            .iter()
            .take(most)
            .map(|listed| self.readable(listed.name()))
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

    /// Returns what a final job that adjusted labels has found; reviewers by worker id. None of a job that adjusts no labels.
    ///
    /// Of a job that a version before has ended the output is read once, with the rights of the job's role: what that version
    /// has kept is by the names that labels had then.
    ///
    /// # Errors
    ///
    /// [`AccessError`].
    pub async fn audited(&self, job: &Job) -> Result<Option<Audited>, AccessError> {
        let Some(mut found) = Found::of(job) else {
            return Ok(None);
        };
        let kept = self.bucket.read_document(&found_key(&job.name)).await;
        let kept = kept.map_err(|error| AccessError::Passing(error.to_string()))?;
        if let Some(Audited::Looks(_)) = kept {
            return Ok(kept);
        }
        let manifest = match (self.output_of(job).await, kept) {
            (Ok(manifest), _) => manifest,
            (Err(error), Some(counted)) => {
                let error = error.to_string();
                warn!(job = job.name, error, "an audit is shown as it was counted");
                return Ok(Some(counted));
            }
            (Err(error), None) => return Err(error),
        };
        found.add(&manifest);
        if let Err(error) = self.keep_found(job, &found).await {
            warn!(
                job = job.name,
                error = chain(&error),
                "what an audit has found is counted again the next time"
            );
        }
        Ok(Some(Audited::Looks(found.looks)))
    }

    async fn output_of(&self, job: &Job) -> Result<Vec<u8>, AccessError> {
        let access = Access::of(self.bucket, self.sdk, &job.settings.role_arn).await?;
        let limit = super::manifest::MAX_BYTES;
        access.read(&job.output_manifest(), limit).await
    }

    /// Keeps what a job has found.
    pub(super) async fn keep_found(&self, job: &Job, found: &Found<'_>) -> Result<(), BucketError> {
        self.bucket
            .put_document(&found_key(&job.name), &found.looks)
            .await
    }
}

fn found_key(job: &str) -> String {
    format!("human-review/audit-results/{job}.json")
}

/// What an audit has found.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Audited {
    /// Each second look, by the names that labels had when the job ended.
    Looks(SecondLooks),
    /// Counts by a version before, by these names.
    Counted(LabelAudit),
}

/// Returns what a label of a job is called in a report: a label of the stack by the name that it has now, one of any other
/// manifest as it is there.
pub fn label_name<'l>(job: &Job, set: Option<&'l LabelSet>, label: &'l str) -> &'l str {
    let is_of_stack = job.settings.attribute == AFTER && adjusted(job) == Some(BEFORE);
    match set.filter(|_| is_of_stack) {
        Some(set) => set.own_name(label),
        None => label,
    }
}

/// What a job that adjusts labels finds, counted from the lines of its output.
pub(super) struct Found<'a> {
    before: &'a str,
    after: &'a str,
    looks: SecondLooks,
}

impl<'a> Found<'a> {
    /// Begins to count; none of a job that adjusts no labels.
    pub(super) fn of(job: &'a Job) -> Option<Self> {
        adjusted(job).map(|before| Self {
            before,
            after: &job.settings.attribute,
            looks: SecondLooks::default(),
        })
    }

    /// Adds lines of the output.
    pub(super) fn add(&mut self, lines: &[u8]) {
        for line in lines.split(|byte| *byte == b'\n') {
            // A line whose other fields hold what is no value has labels all the same.
            if let Some(line) = looked_at(line, self.before, self.after) {
                self.looks.add_line(&line, self.before, self.after);
            }
        }
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
    let [of_before, of_after] = &names;
    let members = [before, after, of_before, of_after, "reviewers"];
    let found = members
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), line.get(name)?)));
    Some(Value::Object(found.collect()))
}
