//! The objects that human loops consist of, below `human-review/` in the review bucket.
//!
//! | object | holds |
//! |---|---|
//! | `loops/<name>.json` | the loop's state; every change is a conditional write of this one object |
//! | `inputs/<id>.json` | the input content |
//! | `answers/<id>/<answer id>.json` | one answer |
//! | `queue/<rank>-<time>-<id>-<name>` | empty mark of a loop in flight; key order is review order |
//! | `listing/ascending/…`, `listing/descending/…` | empty marks whose key order is the listing order |

use futures::future::try_join_all;
use serde_json::Value;

use crate::human_loop::HumanLoop;
use crate::marks::{Mark, Order};
use crate::objects::{Objects, StorageError};
use crate::output::Answer;

/// Prefix of the service's own objects in the review bucket.
pub const STATE_PREFIX: &str = "human-review/";
/// Keys on a full page of S3's listing.
const KEYS_PER_PAGE: usize = 1_000;

/// Reads and writes the objects of loops. Every method fails with [`StorageError`] only.
#[derive(Debug, Clone)]
pub struct Records {
    objects: Objects,
}

impl Records {
    /// Returns the records of a bucket.
    pub fn new(objects: Objects) -> Self {
        Self { objects }
    }

    /// Reads a loop's state and its ETag.
    pub async fn read_loop(&self, name: &str) -> Result<Option<(HumanLoop, String)>, StorageError> {
        let key = state_key(name);
        let Some((body, etag)) = self.objects.read(&key).await? else {
            return Ok(None);
        };
        let human_loop = serde_json::from_slice(&body).map_err(|_| StorageError::Damaged(key))?;
        Ok(Some((human_loop, etag)))
    }

    /// Writes the state of a loop whose name nobody has; returns whether it did.
    pub async fn create_loop(&self, human_loop: &HumanLoop) -> Result<bool, StorageError> {
        self.objects
            .create(&state_key(&human_loop.name), document(human_loop))
            .await
    }

    /// Writes the state of a loop if it is still the one that was read; returns whether it did.
    pub async fn replace_loop(&self, human_loop: &HumanLoop, etag: &str) -> Result<bool, StorageError> {
        self.objects
            .replace(&state_key(&human_loop.name), etag, document(human_loop))
            .await
    }

    /// Writes what has to be there before the loop itself.
    pub async fn write_input_and_marks(
        &self,
        human_loop: &HumanLoop,
        input: &str,
    ) -> Result<(), StorageError> {
        self.objects
            .put(&input_key(&human_loop.id), input.as_bytes().to_vec())
            .await?;
        let marks = mark_keys(&Mark::of(human_loop));
        try_join_all(marks.iter().map(|key| self.objects.put(key, Vec::new()))).await?;
        Ok(())
    }

    /// Removes input and marks of a loop that is deleted or was never written.
    pub async fn remove_input_and_marks(&self, mark: &Mark) -> Result<(), StorageError> {
        let marks = mark_keys(mark);
        try_join_all(marks.iter().map(|key| self.objects.delete(key))).await?;
        self.objects.delete(&input_key(&mark.id)).await
    }

    /// Takes a loop off the queue.
    pub async fn remove_from_queue(&self, human_loop: &HumanLoop) -> Result<(), StorageError> {
        match queue_key(&Mark::of(human_loop)) {
            Some(key) => self.objects.delete(&key).await,
            None => Ok(()),
        }
    }

    /// Reads the input content of a loop, if it is still there.
    pub async fn input(&self, id: &str) -> Result<Option<Value>, StorageError> {
        let key = input_key(id);
        let Some((input, _)) = self.objects.read(&key).await? else {
            return Ok(None);
        };
        serde_json::from_slice(&input)
            .map(Some)
            .map_err(|_| StorageError::Damaged(key))
    }

    /// Writes an answer.
    pub async fn put_answer(&self, id: &str, answer_id: &str, answer: &Answer) -> Result<(), StorageError> {
        let body = serde_json::to_vec(answer).expect("an answer is plain data");
        self.objects.put(&answer_key(id, answer_id), body).await
    }

    /// Reads the answers that a loop names, in their order.
    pub async fn answers(&self, human_loop: &HumanLoop) -> Result<Vec<Answer>, StorageError> {
        let mut answers = Vec::new();
        for entry in &human_loop.answers {
            let key = answer_key(&human_loop.id, &entry.answer_id);
            let answer = self.objects.read(&key).await?;
            let answer = answer.and_then(|(body, _)| serde_json::from_slice(&body).ok());
            answers.push(answer.ok_or(StorageError::Damaged(key))?);
        }
        Ok(answers)
    }

    /// Removes the answers of a loop.
    pub async fn remove_answers(&self, id: &str) -> Result<(), StorageError> {
        let folder = format!("{STATE_PREFIX}answers/{id}/");
        for answer in self.objects.list(&folder, "", KEYS_PER_PAGE).await? {
            self.objects.delete(&format!("{folder}{answer}")).await?;
        }
        Ok(())
    }

    /// Writes the answers so far of a loop that has ended early, also over those of an attempt that lost a
    /// race.
    pub async fn write_partial_output(&self, key: &str, output: String) -> Result<(), StorageError> {
        self.objects.put(key, output.into_bytes()).await
    }

    /// Reads the latest correction of one reviewer, whose keys begin so.
    pub async fn latest_correction(&self, prefix: &str) -> Result<Option<Value>, StorageError> {
        let corrections = self.objects.list(prefix, "", KEYS_PER_PAGE).await?;
        let Some(last) = corrections.last() else {
            return Ok(None);
        };
        let found = self.objects.read(&format!("{prefix}{last}")).await?;
        Ok(found.and_then(|(body, _)| serde_json::from_slice(&body).ok()))
    }

    /// Writes the output of a loop, once: a second attempt would bring the same bytes.
    pub async fn write_output(&self, key: &str, output: String) -> Result<(), StorageError> {
        self.objects.create(key, output.into_bytes()).await?;
        Ok(())
    }

    /// Returns the marks of all loops in flight, in review order.
    pub async fn queue_marks(&self) -> Result<Vec<Mark>, StorageError> {
        let prefix = format!("{STATE_PREFIX}queue/");
        let mut marks = Vec::new();
        let mut after = String::new();
        loop {
            let keys = self.objects.list(&prefix, &after, KEYS_PER_PAGE).await?;
            marks.extend(keys.iter().filter_map(|key| Mark::parse_queue(key)));
            match keys.last() {
                Some(last) if keys.len() == KEYS_PER_PAGE => after = last.clone(),
                _ => return Ok(marks),
            }
        }
    }

    /// Returns names of listing marks that come after one.
    pub async fn listing_marks(
        &self,
        order: Order,
        after: &str,
        limit: usize,
    ) -> Result<Vec<String>, StorageError> {
        let prefix = format!("{STATE_PREFIX}{}", order.folder());
        self.objects.list(&prefix, after, limit).await
    }
}

fn document(human_loop: &HumanLoop) -> Vec<u8> {
    serde_json::to_vec(human_loop).expect("a loop's state is plain data")
}

fn state_key(name: &str) -> String {
    format!("{STATE_PREFIX}loops/{name}.json")
}

fn input_key(id: &str) -> String {
    format!("{STATE_PREFIX}inputs/{id}.json")
}

fn answer_key(id: &str, answer_id: &str) -> String {
    format!("{STATE_PREFIX}answers/{id}/{answer_id}.json")
}

fn queue_key(mark: &Mark) -> Option<String> {
    mark.queue_key().map(|key| format!("{STATE_PREFIX}queue/{key}"))
}

fn mark_keys(mark: &Mark) -> Vec<String> {
    let listing = [Order::Ascending, Order::Descending]
        .map(|order| format!("{STATE_PREFIX}{}{}", order.folder(), mark.listing_key(order)));
    listing.into_iter().chain(queue_key(mark)).collect()
}
