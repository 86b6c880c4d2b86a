//! Which jobs there are, without reading each: by marks whose names say when a job was created, and how it has ended.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;

use active_learning_aws::bucket::{BINARY, BucketError};
use active_learning_core::keys::HUMAN_REVIEW_FOLDER;
use chrono::{DateTime, Utc};
use futures::stream::{self, StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};

use super::Jobs;
use super::record::{Job, JobStatus};
use crate::flows::Resource;

/// Folder of the marks.
const FOLDER: &str = "human-review/labelling-jobs-by-time/";
/// Mark of no job, whose names have no tilde: every job has one, also those that a version before has made.
const ALL_ARE_MARKED: &str = "human-review/labelling-jobs-by-time/0-~";
/// Documents read at a time.
const CONCURRENT_READS: usize = 16;

/// A job that there is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    name: String,
    created_at: DateTime<Utc>,
    /// How it has ended.
    ended: Option<JobStatus>,
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
            ended: Some(job.status).filter(|status| status.is_final()),
        }
    }

    /// Reads the name of a mark: `<microseconds>-<job>`, and of one that has ended `<microseconds>-<job>~<status>`.
    fn parse(mark: &str) -> Option<Self> {
        let (time, rest) = mark.split_once('-')?;
        let (name, ended) = match rest.split_once('~') {
            Some((name, status)) => (name, Some(final_status(status)?)),
            None => (rest, None),
        };
        Some(Self {
            name: name.to_owned(),
            created_at: DateTime::from_timestamp_micros(time.parse().ok()?)?,
            ended,
        })
    }

    fn mark(&self) -> String {
        let status = self.ended.map(|status| format!("~{}", status.as_str()));
        let time = self.created_at.timestamp_micros();
        format!("{FOLDER}{time:016}-{}{}", self.name, status.unwrap_or_default())
    }
}

fn final_status(name: &str) -> Option<JobStatus> {
    let all = [JobStatus::Completed, JobStatus::Failed, JobStatus::Stopped];
    all.into_iter().find(|status| status.as_str() == name)
}

impl Jobs<'_> {
    /// Notes when a job was created, and how it has ended once it has.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub(super) async fn note_time(&self, job: &Job) -> Result<(), BucketError> {
        let listed = Listed::of(job);
        self.bucket.put(&listed.mark(), BINARY, Vec::new()).await?;
        if listed.ended.is_some() {
            let before = Listed {
                ended: None,
                ..listed
            };
            self.bucket.delete(&before.mark()).await?;
        }
        Ok(())
    }

    /// Takes back the mark of a job whose name another one has.
    pub(super) async fn forget_time(&self, job: &Job) -> Result<(), BucketError> {
        let mark = Listed::of(job).mark();
        match self.find(&job.name).await? {
            Some(there) if Listed::of(&there).created_at != job.created_at => self.bucket.delete(&mark).await,
            _ => Ok(()),
        }
    }

    /// Returns the jobs that there are or ever were, by their marks alone: a request for each thousand. One may be no job,
    /// where it could not be written.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn listed(&self) -> Result<Vec<Listed>, BucketError> {
        let marks = self.bucket.list(FOLDER).await?;
        let has_all = marks.iter().any(|mark| mark.key == ALL_ARE_MARKED);
        let marked = marks.iter().filter_map(|mark| mark.key.strip_prefix(FOLDER));
        let mut listed: BTreeMap<String, Listed> = BTreeMap::new();
        // The mark of the end comes after that of the beginning.
        for job in marked.filter_map(Listed::parse) {
            listed.insert(job.name.clone(), job);
        }
        if !has_all {
            self.mark_all(&mut listed).await?;
        }
        Ok(listed.into_values().collect())
    }

    /// Marks the jobs that a version before has made: those without a mark, and those that have ended.
    async fn mark_all(&self, listed: &mut BTreeMap<String, Listed>) -> Result<(), BucketError> {
        let folder = format!("{HUMAN_REVIEW_FOLDER}{}", Job::FOLDER);
        let open: BTreeSet<String> = self.open_names().await?.into_iter().collect();
        let jobs = self.bucket.list(&folder).await?;
        let names: Vec<&str> = jobs
            .iter()
            .filter_map(|job| job.key.strip_prefix(&folder)?.strip_suffix(".json"))
            .filter(|name| match listed.get(*name) {
                Some(listed) => listed.ended.is_none() && !open.contains(*name),
                None => true,
            })
            .collect();
        let reads: Vec<_> = names.iter().map(|name| self.find(name)).collect();
        let mut found = pin!(stream::iter(reads).buffered(CONCURRENT_READS));
        while let Some(job) = found.try_next().await? {
            let Some(job) = job else {
                continue;
            };
            self.note_time(&job).await?;
            listed.insert(job.name.clone(), Listed::of(&job));
        }
        self.bucket.put(ALL_ARE_MARKED, BINARY, Vec::new()).await
    }

    /// Leaves those jobs that may have a status, most of them without being read.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn with_status(
        &self,
        mut listed: Vec<Listed>,
        status: JobStatus,
    ) -> Result<Vec<Listed>, BucketError> {
        // A job that has ended just now may lack the mark of it.
        let open: BTreeSet<String> = self.open_names().await?.into_iter().collect();
        listed.retain(|job| match job.ended {
            Some(ended) => ended == status,
            None => open.contains(&job.name),
        });
        Ok(listed)
    }
}
