//! What a reviewer answered lately: the last ten tasks, and how many today.
//!
//! One small document for each reviewer, whatever they have done before. Not each answer writes it: see [`carried`].

pub mod carried;

use std::cmp::Ordering;

use active_learning_aws::{
    backoff::Tries,
    bucket::{Bucket, BucketError, MAX_DOCUMENT_BYTES, Replaced},
};
use active_learning_core::keys::HUMAN_REVIEW_FOLDER;
use chrono::{DateTime, NaiveDate, Utc};
use lambda_runtime::tracing::warn;
use serde::{Deserialize, Serialize};

use self::carried::Carried;
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
    /// Tasks that they skipped, each once; not those of before a version that counts them.
    #[serde(skip_serializing_if = "is_zero")]
    pub skipped: u64,
    /// When they skipped one last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped_at: Option<DateTime<Utc>>,
    /// When it was begun anew, since what was there could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub begun_anew_at: Option<DateTime<Utc>>,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
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

impl Answered {
    /// Returns what is remembered of a task that is answered now.
    fn new(human_loop: &HumanLoop, now: DateTime<Utc>) -> Self {
        Self {
            human_loop: human_loop.name.clone(),
            id: human_loop.id.clone(),
            at: now,
        }
    }
}

impl OwnHistory {
    /// Notes an answer; one to a task that is remembered is a correction, and no more done than before. One that was noted
    /// before changes nothing, nor does one that is older than all that are remembered.
    fn note(&mut self, answered: Answered) {
        let known = self.answered.iter().find(|known| known.id == answered.id);
        let is_correction = known.is_some();
        let is_noted = known.is_some_and(|known| known.at >= answered.at);
        let is_full = self.answered.len() == REMEMBERED;
        let is_older = |oldest: &Answered| is_full && !is_correction && answered.at < oldest.at;
        if is_noted || self.answered.last().is_some_and(is_older) {
            return;
        }
        let (day, more) = (answered.at.date_naive(), u32::from(!is_correction));
        match self.day.cmp(&Some(day)) {
            Ordering::Less => (self.day, self.done) = (Some(day), more),
            Ordering::Equal => self.done += more,
            Ordering::Greater => {}
        }
        self.answered.retain(|known| known.id != answered.id);
        self.answered.insert(0, answered);
        self.answered.sort_by_key(|known| std::cmp::Reverse(known.at));
        self.answered.truncate(REMEMBERED);
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
        self.skipped += earlier.skipped;
        self.skipped_at = self.skipped_at.max(earlier.skipped_at);
        match self.day.cmp(&earlier.day) {
            Ordering::Less => (self.day, self.done) = (earlier.day, earlier.done),
            Ordering::Equal => self.done += earlier.done,
            Ordering::Greater => {}
        }
    }

    /// Returns when a task was answered or skipped last, if one was.
    pub fn active_at(&self) -> Option<DateTime<Utc>> {
        self.answered
            .first()
            .map(|answered| answered.at)
            .max(self.skipped_at)
    }

    /// Returns the same as a browser carries it: without what only the bucket counts.
    fn carried(mut self) -> Self {
        (self.skipped, self.skipped_at) = (0, None);
        self
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
    /// What this process gave browsers to carry, by worker id: two windows of one may answer at once.
    given: Recent<Carried>,
}

impl Histories {
    /// Returns the histories of a bucket.
    pub fn new(bucket: Bucket) -> Self {
        Self {
            damaged: Damaged::new(bucket.clone()),
            bucket,
            written: Recent::default(),
            given: Recent::default(),
        }
    }

    /// Returns a reviewer's history; one that cannot be read is begun anew.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn of(
        &self,
        worker: &Worker,
        carried: Option<&Carried>,
        now: DateTime<Utc>,
    ) -> Result<OwnHistory, BucketError> {
        let read = self.read(&worker.id, now).await?;
        let mut history = read.map(|(history, _)| history).unwrap_or_default();
        for id in worker.earlier_ids() {
            if let Some((earlier, _)) = self.read(id, now).await? {
                history.take_in(earlier);
            }
        }
        for answered in self.unstored(&worker.id, carried) {
            history.note(answered);
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

    /// Returns the answers of a worker that the bucket may not know of: those that their browser brings, and those that this
    /// process gave it.
    fn unstored(&self, worker_id: &str, carried: Option<&Carried>) -> Vec<Answered> {
        let given = self.given.get(worker_id);
        let carried = carried.filter(|carried| carried.worker_id == worker_id);
        let all = given.iter().chain(carried).flat_map(Carried::entries);
        all.collect()
    }

    /// Notes an answer: in what the browser carries, or in the bucket with what it has carried. Returns what it is to carry
    /// from now on.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn note(
        &self,
        worker: &Worker,
        human_loop: &HumanLoop,
        carried: Option<Carried>,
        now: DateTime<Utc>,
    ) -> Result<Carried, BucketError> {
        let answered = Answered::new(human_loop, now);
        if let Some(of_other) = carried.as_ref().filter(|it| it.worker_id != worker.id) {
            // Somebody else has signed in with this browser.
            self.store_carried(of_other, now).await?;
        }
        let own = carried.filter(|carried| carried.worker_id == worker.id);
        let mut unstored = self.unstored(&worker.id, own.as_ref());
        unstored.push(answered);
        let carried = match own {
            Some(mut own) => {
                unstored.into_iter().for_each(|answered| own.add(answered));
                if own.is_full() {
                    own = self.stored_if_possible(own, now).await;
                }
                own
            }
            None => self.stored(&worker.id, unstored, now).await?,
        };
        self.given.keep(&worker.id, carried.clone());
        Ok(carried)
    }

    /// Notes in the bucket what a browser carries; where that fails the browser goes on carrying it.
    async fn stored_if_possible(&self, carried: Carried, now: DateTime<Utc>) -> Carried {
        let stored = self.stored(&carried.worker_id, carried.entries(), now).await;
        stored.unwrap_or_else(|error| {
            warn!(%error, "a history is not up to date: it is written with the next answer");
            carried
        })
    }

    async fn stored(
        &self,
        worker_id: &str,
        unstored: Vec<Answered>,
        now: DateTime<Utc>,
    ) -> Result<Carried, BucketError> {
        Ok(Carried {
            worker_id: worker_id.to_owned(),
            history: self.store(worker_id, unstored, now).await?.carried(),
            unstored: Vec::new(),
        })
    }

    /// Notes in the bucket what a browser has carried.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn store_carried(&self, carried: &Carried, now: DateTime<Utc>) -> Result<(), BucketError> {
        let unstored = self.unstored(&carried.worker_id, Some(carried));
        if !unstored.is_empty() {
            self.store(&carried.worker_id, unstored, now).await?;
        }
        self.given.forget(&carried.worker_id);
        Ok(())
    }

    /// Notes that a task was skipped which this reviewer has not skipped before.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn note_skip(&self, worker: &Worker, now: DateTime<Utc>) -> Result<(), BucketError> {
        let note = |history: &mut OwnHistory| {
            history.skipped += 1;
            history.skipped_at = history.skipped_at.max(Some(now));
        };
        self.change(&worker.id, note, now).await.map(drop)
    }

    async fn store(
        &self,
        worker_id: &str,
        answered: Vec<Answered>,
        now: DateTime<Utc>,
    ) -> Result<OwnHistory, BucketError> {
        let note = |history: &mut OwnHistory| answered.iter().for_each(|one| history.note(one.clone()));
        self.change(worker_id, note, now).await
    }

    async fn change(
        &self,
        worker_id: &str,
        change: impl Fn(&mut OwnHistory),
        now: DateTime<Utc>,
    ) -> Result<OwnHistory, BucketError> {
        let key = key(worker_id);
        let mut known = self.written.take(worker_id);
        let mut tries = Tries::default();
        while tries.again().await {
            let before = match known.take() {
                Some(known) => Some(known),
                None => self.read(worker_id, now).await?,
            };
            let (mut history, etag) =
                before.map_or_else(Default::default, |(history, etag)| (history, Some(etag)));
            change(&mut history);
            let replaced = self
                .bucket
                .replace_document(&key, etag.as_deref(), &history)
                .await?;
            if let Replaced::Written { etag } = replaced {
                if let Some(etag) = etag {
                    self.written.keep(worker_id, (history.clone(), etag));
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
