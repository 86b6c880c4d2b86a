//! The objects that human loops consist of, below `human-review/` in the review bucket.
//!
//! | object | holds |
//! |---|---|
//! | `loops/<name>.json` | the loop's state, with its input and the answers where they are small; every change is a conditional write of this one object |
//! | `inputs/<id>.json` | the input content that the state does not hold |
//! | `answers/<id>/<answer id>.json` | one answer that the state does not hold |
//! | `queue/<rank>-<time>-<id>-<name>` | empty mark of a loop in flight; key order is review order; with `.<team>` at its end for a work team |
//! | `expiring/<time>-<id>-<name>` | empty mark: of the loop something is due then, which no other mark says |
//! | `listing/ascending/…`, `listing/descending/…` | empty marks whose key order is the listing order |
//! | `flow-loops/<flow definition>/listing/…` | the same for loops of other flow definitions than the stack's own |

use active_learning_aws::bucket::{BINARY, Bucket, BucketError, JSON, Replaced};
use active_learning_core::keys::{EXPIRING_FOLDER, HUMAN_REVIEW_FOLDER, QUEUE_FOLDER};
use futures::future::try_join_all;
use serde_json::Value;
use uuid::Uuid;

use crate::damaged::Damaged;
use crate::human_loop::{AnswerEntry, HumanLoop, can_be_held};
use crate::marks::{DueMark, Mark, Order};
use crate::numbers;
use crate::output::Answer;
use crate::remarks::Remarks;

/// Largest answer that a state holds itself, in bytes.
const MAX_HELD_ANSWER_BYTES: usize = 4_096;

/// Largest input, in bytes: 3 MiB of characters of four bytes each.
const MAX_INPUT_BYTES: u64 = 12 << 20;

/// A part of the queue.
#[derive(Debug, Clone)]
pub struct QueueMarks {
    /// The marks, in review order.
    pub marks: Vec<Mark>,
    /// Name of the last of them, if there may be more.
    pub last: Option<String>,
}

/// Reads and writes the objects of loops. Every method fails with [`BucketError`] only.
#[derive(Debug, Clone)]
pub struct Records {
    bucket: Bucket,
    damaged: Damaged,
}

impl Records {
    /// Returns the records of a bucket.
    pub fn new(bucket: Bucket) -> Self {
        Self {
            damaged: Damaged::new(bucket.clone()),
            bucket,
        }
    }

    /// Tells that the state of a loop cannot be read, which is passed over.
    pub async fn pass_over(&self, name: &str, reason: &BucketError) {
        self.damaged.tell(&state_key(name), &reason.to_string()).await;
    }

    /// Reads a loop's state and its ETag.
    pub async fn read_loop(&self, name: &str) -> Result<Option<(HumanLoop, String)>, BucketError> {
        self.bucket.read_version(&state_key(name)).await
    }

    /// Writes the state of a loop if it is still the one that was read.
    pub async fn replace_loop(&self, human_loop: &HumanLoop, etag: &str) -> Result<Replaced, BucketError> {
        self.write_loop(human_loop, Some(etag)).await
    }

    /// Writes the state of a loop over the one with this ETag; with none, over nothing.
    pub async fn write_loop(
        &self,
        human_loop: &HumanLoop,
        etag: Option<&str>,
    ) -> Result<Replaced, BucketError> {
        let key = state_key(&human_loop.name);
        self.bucket.replace_document(&key, etag, human_loop).await
    }

    /// Writes what has to be there before the loop itself.
    pub async fn write_input_and_marks(
        &self,
        human_loop: &HumanLoop,
        input: &str,
    ) -> Result<(), BucketError> {
        if human_loop.input.is_none() {
            let key = input_key(&human_loop.id);
            self.bucket.put(&key, JSON, input.to_owned()).await?;
        }
        let marks = mark_keys(&Mark::of(human_loop));
        try_join_all(marks.iter().map(|key| self.bucket.put(key, BINARY, Vec::new()))).await?;
        Ok(())
    }

    /// Removes input and marks of a loop that is deleted or was never written.
    pub async fn remove_input_and_marks(&self, mark: &Mark) -> Result<(), BucketError> {
        let mut keys = mark_keys(mark);
        keys.push(input_key(&mark.id));
        self.remove_keys(&keys).await
    }

    /// Takes a loop off the queue, and out of those that end by themselves.
    pub async fn remove_from_queue(&self, human_loop: &HumanLoop) -> Result<(), BucketError> {
        self.remove_keys(&keys_in_queue(human_loop)).await
    }

    /// Removes objects of these keys.
    pub async fn remove_keys(&self, keys: &[String]) -> Result<(), BucketError> {
        self.bucket.delete_all(keys).await
    }

    /// Writes a mark by which a loop is found when something of it is due.
    pub async fn put_due_mark(&self, mark: &DueMark) -> Result<(), BucketError> {
        let key = format!("{EXPIRING_FOLDER}{}", mark.key());
        self.bucket.put(&key, BINARY, Vec::new()).await
    }

    /// Removes such a mark.
    pub async fn remove_due_mark(&self, mark: &DueMark) -> Result<(), BucketError> {
        self.bucket
            .delete(&format!("{EXPIRING_FOLDER}{}", mark.key()))
            .await
    }

    /// Returns such marks in the order of their times: at most `limit`, up to 1,000, after the mark of this name; and the name
    /// of the last, if there may be more.
    pub async fn due_marks(
        &self,
        after: &str,
        limit: usize,
    ) -> Result<(Vec<DueMark>, Option<String>), BucketError> {
        let names = self.names(EXPIRING_FOLDER, after, limit).await?;
        let marks = self.parsed(EXPIRING_FOLDER, &names, DueMark::parse).await;
        Ok((marks, last_of_full(&names, limit)))
    }

    /// Returns the names of the marks of a folder.
    async fn names(&self, folder: &str, after: &str, limit: usize) -> Result<Vec<String>, BucketError> {
        let listed = self.bucket.list_after(folder, after, limit).await?;
        let names = listed.iter().filter_map(|mark| mark.key.strip_prefix(folder));
        Ok(names.map(str::to_owned).collect())
    }

    /// Reads names of marks, and tells of those that are none.
    async fn parsed<M>(&self, folder: &str, names: &[String], parse: impl Fn(&str) -> Option<M>) -> Vec<M> {
        let mut marks = Vec::with_capacity(names.len());
        for name in names {
            match parse(name) {
                Some(mark) => marks.push(mark),
                None => {
                    let key = format!("{folder}{name}");
                    self.damaged.tell(&key, "its name is that of no mark").await;
                }
            }
        }
        marks
    }

    /// Returns whether a loop is in the queue.
    pub async fn is_in_queue(&self, human_loop: &HumanLoop) -> Result<bool, BucketError> {
        match queue_key(&Mark::of(human_loop)) {
            Some(key) => self.bucket.exists(&key).await,
            None => Ok(false),
        }
    }

    /// Reads the input content of a loop whose state does not hold it, if it is still there.
    pub async fn input(&self, id: &str) -> Result<Option<Value>, BucketError> {
        self.bucket.read_document(&input_key(id)).await
    }

    /// Reads the same as it was sent, where a document would write its numbers otherwise; an erasure may have taken texts out.
    pub async fn input_as_sent(&self, id: &str) -> Result<Option<String>, BucketError> {
        let object = self.bucket.read(&input_key(id), MAX_INPUT_BYTES).await?;
        let text = object.and_then(|object| String::from_utf8(object.bytes).ok());
        Ok(text.filter(|text| !numbers::are_kept(text)))
    }

    /// Returns what a state notes of an answer. One that it does not hold is written before: a large one or one that is nested
    /// deep, one to a loop whose state does not hold what it asks, and one to a task of a labelling job, which outlives its
    /// answers.
    pub async fn note_of(&self, human_loop: &HumanLoop, answer: &Answer) -> Result<AnswerEntry, BucketError> {
        let answer_id = Uuid::new_v4().simple().to_string();
        let is_small = serde_json::to_vec(answer).is_ok_and(|json| json.len() <= MAX_HELD_ANSWER_BYTES);
        // A loop of the version before keeps to the shape of the version before, in case that comes back.
        let has_state_of_now = human_loop.input.is_some();
        let is_held =
            is_small && has_state_of_now && can_be_held(&answer.content) && !human_loop.is_of_labelling_job();
        if !is_held {
            let key = answer_key(&human_loop.id, &answer_id);
            self.bucket.put_document(&key, answer).await?;
        }
        Ok(AnswerEntry {
            worker_id: answer.worker.id.clone(),
            answer_id,
            answer: is_held.then(|| answer.clone()),
        })
    }

    /// Removes an answer that no state notes.
    pub async fn remove_answer(&self, id: &str, entry: &AnswerEntry) -> Result<(), BucketError> {
        match entry.answer {
            Some(_) => Ok(()),
            None => self.bucket.delete(&answer_key(id, &entry.answer_id)).await,
        }
    }

    /// Reads the answers that a loop names, in their order.
    pub async fn answers(&self, human_loop: &HumanLoop) -> Result<Vec<Answer>, BucketError> {
        let mut answers = Vec::new();
        for entry in &human_loop.answers {
            if let Some(answer) = &entry.answer {
                answers.push(answer.clone());
                continue;
            }
            let key = answer_key(&human_loop.id, &entry.answer_id);
            let answer = self.bucket.read_document(&key).await?;
            answers.push(answer.ok_or_else(|| BucketError::Gone {
                uri: self.bucket.uri(&key),
            })?);
        }
        Ok(answers)
    }

    /// Removes the answers of a loop.
    pub async fn remove_answers(&self, id: &str) -> Result<(), BucketError> {
        let folder = format!("{HUMAN_REVIEW_FOLDER}answers/{id}/");
        for answer in self.bucket.list(&folder).await? {
            self.bucket.delete(&answer.key).await?;
        }
        Ok(())
    }

    /// Removes what reviewers said of a loop from the newest remarks.
    pub async fn forget_remarks(&self, id: &str) -> Result<(), BucketError> {
        Remarks(&self.bucket).forget(id).await
    }

    /// Returns marks of loops in flight in review order: at most `limit`, up to 1,000, after the mark of
    /// this name.
    pub async fn queue_marks(&self, after: &str, limit: usize) -> Result<QueueMarks, BucketError> {
        let names = self.names(QUEUE_FOLDER, after, limit).await?;
        Ok(QueueMarks {
            marks: self.parsed(QUEUE_FOLDER, &names, Mark::parse_queue).await,
            last: last_of_full(&names, limit),
        })
    }

    /// Returns names of listing marks that come after one.
    pub async fn listing_marks(
        &self,
        flow: Option<&str>,
        order: Order,
        after: &str,
        limit: usize,
    ) -> Result<Vec<String>, BucketError> {
        self.names(&listing_folder(flow, order), after, limit).await
    }
}

/// Returns the last of the names of a listing, if that is full: there may be more.
fn last_of_full(names: &[String], limit: usize) -> Option<String> {
    names.last().filter(|_| names.len() == limit).cloned()
}

fn state_key(name: &str) -> String {
    format!("{HUMAN_REVIEW_FOLDER}loops/{name}.json")
}

fn input_key(id: &str) -> String {
    format!("{HUMAN_REVIEW_FOLDER}inputs/{id}.json")
}

fn answer_key(id: &str, answer_id: &str) -> String {
    format!("{HUMAN_REVIEW_FOLDER}answers/{id}/{answer_id}.json")
}

fn queue_key(mark: &Mark) -> Option<String> {
    mark.queue_key()
        .map(|key| format!("{HUMAN_REVIEW_FOLDER}queue/{key}"))
}

/// Returns the keys of the marks of a loop in flight: in the queue, and by which it is found when something is due.
pub fn keys_in_queue(human_loop: &HumanLoop) -> Vec<String> {
    let mark = Mark::of(human_loop);
    queue_key(&mark).into_iter().chain(due_key(&mark)).collect()
}

fn mark_keys(mark: &Mark) -> Vec<String> {
    let listing = [Order::Ascending, Order::Descending].map(|order| {
        let folder = listing_folder(mark.flow.as_deref(), order);
        format!("{folder}{}", mark.listing_key(order))
    });
    let listed = listing.into_iter().chain(queue_key(mark));
    listed.chain(due_key(mark)).collect()
}

fn due_key(mark: &Mark) -> Option<String> {
    let due = mark.due.as_ref()?;
    Some(format!("{EXPIRING_FOLDER}{}", due.key()))
}

fn listing_folder(flow: Option<&str>, order: Order) -> String {
    let of_flow = flow.map(|flow| format!("flow-loops/{flow}/")).unwrap_or_default();
    format!("{HUMAN_REVIEW_FOLDER}{of_flow}{}", order.folder())
}
