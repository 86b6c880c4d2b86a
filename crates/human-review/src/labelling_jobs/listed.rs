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
use crate::marks::Order;

const BOTH: [Order; 2] = [Order::Ascending, Order::Descending];
/// Folders of the marks: from the oldest job to the newest, and the other way round.
const OLDEST_FIRST: &str = "human-review/labelling-jobs-by-time/";
const NEWEST_FIRST: &str = "human-review/labelling-jobs-newest-first/";
/// Marks of no job, whose names have no tilde: every job has one in the folder, also those that a version before has made.
const ALL_ARE_MARKED: &str = "human-review/labelling-jobs-by-time/0-~";
const ALL_ARE_IN_BOTH: &str = "human-review/labelling-jobs-newest-first/0-~";
/// Largest time of a mark, in microseconds (year 2286); times count down from it where the newest is first.
const LAST_MICROSECOND: i64 = 9_999_999_999_999_999;
/// Marks of a request to S3, which lists no more.
pub const MARKS: usize = 1_000;
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
    fn parse(order: Order, mark: &str) -> Option<Self> {
        let (time, rest) = mark.split_once('-')?;
        let (name, ended) = match rest.split_once('~') {
            Some((name, status)) => (name, Some(final_status(status)?)),
            None => (rest, None),
        };
        let microseconds = match order {
            Order::Ascending => time.parse().ok()?,
            Order::Descending => LAST_MICROSECOND - time.parse::<i64>().ok()?,
        };
        Some(Self {
            name: name.to_owned(),
            created_at: DateTime::from_timestamp_micros(microseconds)?,
            ended,
        })
    }

    fn mark(&self, order: Order) -> String {
        let status = self.ended.map(|status| format!("~{}", status.as_str()));
        let time = time_of(order, self.created_at.timestamp_micros());
        let (folder, name) = (folder(order), &self.name);
        format!("{folder}{time}-{name}{}", status.unwrap_or_default())
    }

    /// Returns whether the mark was made when this job was.
    pub fn is_of(&self, job: &Job) -> bool {
        self.created_at.timestamp_micros() == job.created_at.timestamp_micros()
    }

    /// Returns whether the job may have a status, by whether it is open: one that has ended just now may lack the mark of it.
    pub fn may_have(&self, status: JobStatus, open: &BTreeSet<String>) -> bool {
        match self.ended {
            Some(ended) => ended == status,
            None => open.contains(&self.name),
        }
    }
}

fn folder(order: Order) -> &'static str {
    match order {
        Order::Ascending => OLDEST_FIRST,
        Order::Descending => NEWEST_FIRST,
    }
}

fn time_of(order: Order, microseconds: i64) -> String {
    let microseconds = microseconds.clamp(0, LAST_MICROSECOND);
    match order {
        Order::Ascending => format!("{microseconds:016}"),
        Order::Descending => format!("{:016}", LAST_MICROSECOND - microseconds),
    }
}

/// Where a page of marks begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start(String);

impl Start {
    /// With the first mark of all.
    pub fn at_the_first() -> Self {
        Self(String::new())
    }

    /// With the jobs of about this time, in microseconds.
    pub fn at(order: Order, microseconds: i64) -> Self {
        Self(time_of(order, microseconds))
    }

    /// After a job, of which both marks may be there.
    pub fn after(order: Order, microseconds: i64, name: &str) -> Self {
        Self(format!("{}-{name}~~", time_of(order, microseconds)))
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
        let before = Listed {
            ended: None,
            ..listed.clone()
        };
        for order in BOTH {
            self.bucket.put(&listed.mark(order), BINARY, Vec::new()).await?;
            if listed.ended.is_some() {
                self.bucket.delete(&before.mark(order)).await?;
            }
        }
        Ok(())
    }

    /// Takes back the marks of a job whose name another one has.
    pub(super) async fn forget_time(&self, job: &Job) -> Result<(), BucketError> {
        let there = self.find(&job.name).await?;
        if there.is_some_and(|there| there.created_at != job.created_at) {
            for order in BOTH {
                self.bucket.delete(&Listed::of(job).mark(order)).await?;
            }
        }
        Ok(())
    }

    /// Returns some of the jobs that there are or ever were in the order of their times, by their marks alone: those from
    /// `start` on, and where to go on if there may be more. One request; at most `most`, and at most [`MARKS`]. One may be
    /// no job, where it could not be written, and one that ended just now may be there twice.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn marked(
        &self,
        order: Order,
        start: &Start,
        most: usize,
    ) -> Result<(Vec<Listed>, Option<Start>), BucketError> {
        let folder = folder(order);
        let count = most.min(MARKS);
        let marks = self.bucket.list_after(folder, &start.0, count).await?;
        let names: Vec<&str> = marks
            .iter()
            .filter_map(|mark| mark.key.strip_prefix(folder))
            .collect();
        let last = names.last().filter(|_| marks.len() == count);
        let next = last.map(|name| Start((*name).to_owned()));
        let jobs = names.iter().filter_map(|name| Listed::parse(order, name));
        Ok((jobs.collect(), next))
    }

    /// Sees to it that [`marked`](Self::marked) finds the jobs that a version before has made.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn mark_in_both_orders(&self) -> Result<(), BucketError> {
        if self.bucket.exists(ALL_ARE_IN_BOTH).await? {
            return Ok(());
        }
        let all = self.listed().await?;
        let puts = all.iter().map(async |job| {
            let mark = job.mark(Order::Descending);
            self.bucket.put(&mark, BINARY, Vec::new()).await
        });
        let puts: Vec<_> = puts.collect();
        let mut puts = pin!(stream::iter(puts).buffered(CONCURRENT_READS));
        while puts.try_next().await?.is_some() {}
        self.bucket.put(ALL_ARE_IN_BOTH, BINARY, Vec::new()).await
    }

    /// Returns all jobs that there are or ever were, by their marks alone: a request for each thousand. One may be no job,
    /// where it could not be written.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn listed(&self) -> Result<Vec<Listed>, BucketError> {
        let marks = self.bucket.list(OLDEST_FIRST).await?;
        let has_all = marks.iter().any(|mark| mark.key == ALL_ARE_MARKED);
        let marked = marks
            .iter()
            .filter_map(|mark| mark.key.strip_prefix(OLDEST_FIRST));
        let mut listed: BTreeMap<String, Listed> = BTreeMap::new();
        // The mark of the end comes after that of the beginning.
        for job in marked.filter_map(|mark| Listed::parse(Order::Ascending, mark)) {
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
        let reads: Vec<_> = names.iter().map(|name| self.readable(name)).collect();
        let mut are_all_read = true;
        let mut found = pin!(stream::iter(reads).buffered(CONCURRENT_READS));
        while let Some(job) = found.try_next().await? {
            let Some(job) = job else {
                are_all_read = false;
                continue;
            };
            self.note_time(&job).await?;
            listed.insert(job.name.clone(), Listed::of(&job));
        }
        if !are_all_read {
            // One that cannot be read now is marked once it can.
            return Ok(());
        }
        self.bucket.put(ALL_ARE_MARKED, BINARY, Vec::new()).await
    }
}
