//! What a reviewer answered lately: the last ten tasks, and how many today.
//!
//! One small document for each reviewer, whatever they have done before.

use std::cmp::Ordering;

use active_learning_aws::{
    backoff::Tries,
    bucket::{Bucket, BucketError, MAX_DOCUMENT_BYTES, Replaced},
};
use active_learning_core::keys::HUMAN_REVIEW_FOLDER;
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use crate::damaged::Damaged;
use crate::human_loop::{HumanLoop, Worker};
use crate::recent::Recent;

/// Tasks that a reviewer can open again.
pub const REMEMBERED: usize = 10;

/// A reviewer's own answers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct OwnHistory {
    /// The last [`REMEMBERED`] tasks that they answered, newest first.
    pub answered: Vec<Answered>,
    /// Day of the last answer, in UTC.
    pub day: Option<NaiveDate>,
    /// Tasks answered on that day.
    pub done: u32,
    /// When it was begun anew, since what was there could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub begun_anew_at: Option<DateTime<Utc>>,
}

/// A task that was answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Answered {
    /// Name of the loop.
    pub human_loop: String,
    /// Its id.
    pub id: String,
    /// When it was answered last.
    pub at: DateTime<Utc>,
}

impl OwnHistory {
    /// Notes an answer; one to a task that is remembered is a correction, and no more done than before.
    fn note(&mut self, human_loop: &HumanLoop, now: DateTime<Utc>) {
        let is_same = |answered: &Answered| answered.id == human_loop.id;
        let is_correction = self.answered.iter().any(is_same);
        self.answered.retain(|answered| !is_same(answered));
        let answered = Answered {
            human_loop: human_loop.name.clone(),
            id: human_loop.id.clone(),
            at: now,
        };
        self.answered.insert(0, answered);
        self.answered.truncate(REMEMBERED);

        let before = self.done_on(now);
        self.day = Some(now.date_naive());
        self.done = if is_correction { before } else { before + 1 };
    }

    /// Adds what the same reviewer answered by an earlier id.
    fn take_in(&mut self, earlier: Self) {
        for answered in earlier.answered {
            if !self.answered.iter().any(|known| known.id == answered.id) {
                self.answered.push(answered);
            }
        }
        self.answered
            .sort_by_key(|answered| std::cmp::Reverse(answered.at));
        self.answered.truncate(REMEMBERED);
        self.begun_anew_at = self.begun_anew_at.max(earlier.begun_anew_at);
        match self.day.cmp(&earlier.day) {
            Ordering::Less => (self.day, self.done) = (earlier.day, earlier.done),
            Ordering::Equal => self.done += earlier.done,
            Ordering::Greater => {}
        }
    }

    /// Returns how many tasks were answered on the day of a time.
    pub fn done_on(&self, now: DateTime<Utc>) -> u32 {
        if self.day == Some(now.date_naive()) {
            self.done
        } else {
            0
        }
    }
}

/// The histories in the review bucket.
#[derive(Debug)]
pub struct Histories {
    bucket: Bucket,
    damaged: Damaged,
    /// Those that this process wrote lately, with their ETags, by worker id.
    written: Recent<(OwnHistory, String)>,
}

impl Histories {
    /// Returns the histories of a bucket.
    pub fn new(bucket: Bucket) -> Self {
        Self {
            damaged: Damaged::new(bucket.clone()),
            bucket,
            written: Recent::default(),
        }
    }

    /// Returns a reviewer's history; one that cannot be read is begun anew.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn of(&self, worker: &Worker, now: DateTime<Utc>) -> Result<OwnHistory, BucketError> {
        let read = self.read(&worker.id, now).await?;
        let mut history = read.map(|(history, _)| history).unwrap_or_default();
        for id in worker.earlier_ids() {
            if let Some((earlier, _)) = self.read(id, now).await? {
                history.take_in(earlier);
            }
        }
        Ok(history)
    }

    /// Reads a history with its ETag.
    async fn read(
        &self,
        worker_id: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<(OwnHistory, String)>, BucketError> {
        let key = key(worker_id);
        let Some(object) = self.bucket.read(&key, MAX_DOCUMENT_BYTES).await? else {
            return Ok(None);
        };
        match self.bucket.parse(&key, &object.bytes) {
            Ok(history) => Ok(Some((history, object.etag))),
            Err(reason) => {
                self.damaged.tell(&key, &reason.to_string()).await;
                let history = OwnHistory {
                    begun_anew_at: Some(now),
                    ..OwnHistory::default()
                };
                Ok(Some((history, object.etag)))
            }
        }
    }

    /// Notes an answer and returns the history after it.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn note(
        &self,
        worker: &Worker,
        human_loop: &HumanLoop,
        now: DateTime<Utc>,
    ) -> Result<OwnHistory, BucketError> {
        let key = key(&worker.id);
        let mut known = self.written.take(&worker.id);
        let mut tries = Tries::default();
        while tries.again().await {
            let before = match known.take() {
                Some(known) => Some(known),
                None => self.read(&worker.id, now).await?,
            };
            let (mut history, etag) =
                before.map_or_else(Default::default, |(history, etag)| (history, Some(etag)));
            OwnHistory::note(&mut history, human_loop, now);
            let replaced = self
                .bucket
                .replace_document(&key, etag.as_deref(), &history)
                .await?;
            if let Replaced::Written { etag } = replaced {
                if let Some(etag) = etag {
                    self.written.keep(&worker.id, (history.clone(), etag));
                }
                return Ok(history);
            }
        }
        Err(BucketError::Contended {
            uri: self.bucket.uri(&key),
        })
    }
}

fn key(worker_id: &str) -> String {
    format!("{HUMAN_REVIEW_FOLDER}history/{worker_id}.json")
}
