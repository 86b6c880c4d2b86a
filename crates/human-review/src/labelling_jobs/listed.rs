//! Which jobs there are, without reading each: by marks whose names say when a job was created.

use std::collections::BTreeSet;

use active_learning_aws::bucket::{BINARY, BucketError};
use active_learning_core::keys::HUMAN_REVIEW_FOLDER;
use chrono::{DateTime, Utc};
use futures::stream::{self, StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};

use super::Jobs;
use super::record::Job;
use crate::flows::Resource;

/// Folder of the marks.
const FOLDER: &str = "human-review/labelling-jobs-by-time/";
/// Documents read at a time.
const CONCURRENT_READS: usize = 16;

/// A job that there is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    name: String,
    created_at: DateTime<Utc>,
}

impl Resource for Listed {
    const FOLDER: &'static str = Job::FOLDER;

    fn name(&self) -> &str {
        &self.name
    }

    fn created_at(&self) -> DateTime<Utc> {
        self.created_at
    }
}

impl Listed {
    fn of(job: &Job) -> Self {
        Self {
            name: job.name.clone(),
            created_at: job.created_at,
        }
    }

    /// Reads the name of a mark, `<microseconds>-<job>`.
    fn parse(mark: &str) -> Option<Self> {
        let (time, name) = mark.split_once('-')?;
        Some(Self {
            name: name.to_owned(),
            created_at: DateTime::from_timestamp_micros(time.parse().ok()?)?,
        })
    }

    fn mark(&self) -> String {
        format!("{FOLDER}{:016}-{}", self.created_at.timestamp_micros(), self.name)
    }
}

impl Jobs<'_> {
    /// Notes when a job was created.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub(super) async fn note_time(&self, job: &Job) -> Result<(), BucketError> {
        let mark = Listed::of(job).mark();
        self.bucket.put(&mark, BINARY, Vec::new()).await
    }

    /// Returns the jobs that there are or ever were. Those without a mark, as a version before made them, are read and get
    /// one.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn listed(&self) -> Result<Vec<Listed>, BucketError> {
        let marks = self.bucket.list(FOLDER).await?;
        let marked = marks.iter().filter_map(|mark| mark.key.strip_prefix(FOLDER));
        let mut listed: Vec<Listed> = marked.filter_map(Listed::parse).collect();

        let folder = format!("{HUMAN_REVIEW_FOLDER}{}", Job::FOLDER);
        let jobs = self.bucket.list(&folder).await?;
        let names: BTreeSet<&str> = jobs
            .iter()
            .filter_map(|job| job.key.strip_prefix(&folder)?.strip_suffix(".json"))
            .collect();
        // A mark whose job could not be written.
        listed.retain(|listed| names.contains(listed.name.as_str()));
        let known: BTreeSet<&str> = listed.iter().map(|listed| listed.name.as_str()).collect();
        let reads: Vec<_> = names.difference(&known).map(|name| self.find(name)).collect();
        let reads = stream::iter(reads).buffered(CONCURRENT_READS);
        let unmarked: Vec<Option<Job>> = reads.try_collect().await?;
        for job in unmarked.into_iter().flatten() {
            self.note_time(&job).await?;
            listed.push(Listed::of(&job));
        }
        Ok(listed)
    }
}
