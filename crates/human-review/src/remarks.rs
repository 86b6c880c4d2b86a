//! What reviewers wrote beside their answers, and why they skipped: the newest comments, flags and reasons, for the operator.
//!
//! One document of the newest, whatever was said before; each remark is with its vote in any case, each reason with its task.

use active_learning_aws::bucket::{Bucket, BucketError, Change, JSON, MAX_DOCUMENT_BYTES};
use active_learning_core::keys::HUMAN_REVIEW_FOLDER;
use active_learning_core::labels::vote::Note;
use chrono::{DateTime, Utc};
use lambda_runtime::tracing::warn;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::damaged::Damaged;
use crate::erased_items::left;
use crate::human_loop::{HumanLoop, Worker};

/// Remarks that are kept.
pub const KEPT: usize = 50;
/// Beginning of the text that is kept with a remark, in characters.
const TEXT_CHARS: usize = 300;

/// A comment or a flag of a reviewer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Remark {
    /// When it was made.
    pub at: DateTime<Utc>,
    /// Name of the loop.
    pub human_loop: String,
    /// Its id.
    pub loop_id: String,
    /// Id of the reviewer.
    pub worker: String,
    /// What it is about: the beginning of the text.
    pub text: String,
    /// What the reviewer answered.
    pub answer: Value,
    /// What they wrote.
    pub comment: Option<String>,
    /// Whether they want it looked at again.
    pub flagged: bool,
}

impl Remark {
    /// Returns the remarks of an answer to an input of our kind.
    pub fn of(
        human_loop: &HumanLoop,
        worker: &Worker,
        input: &Value,
        answer: &Map<String, Value>,
        now: DateTime<Utc>,
    ) -> Vec<Self> {
        let remark = |(number, item): (usize, &Value)| {
            let id = item["id"].as_str().map(str::to_owned);
            let id = id.unwrap_or_else(|| format!("item-{number}"));
            let Note { comment, flagged, .. } = Note::read(&[&id], answer);
            (flagged || comment.is_some()).then(|| Self {
                at: now,
                human_loop: human_loop.name.clone(),
                loop_id: human_loop.id.clone(),
                worker: worker.id.clone(),
                text: item["utterance"].as_str().map_or_else(String::new, beginning),
                answer: answer.get(&id).cloned().unwrap_or_default(),
                comment,
                flagged,
            })
        };
        left(input).filter_map(remark).collect()
    }
}

/// Why a reviewer skipped a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Skip {
    /// When they did.
    pub at: DateTime<Utc>,
    /// Name of the loop.
    pub human_loop: String,
    /// Its id.
    pub loop_id: String,
    /// Id of the reviewer.
    pub worker: String,
    /// The beginning of its first text; empty where it has none of our kind.
    pub text: String,
    /// What the reviewer wrote.
    pub reason: String,
}

impl Skip {
    /// Returns the skip of a task with this input.
    pub fn of(
        human_loop: &HumanLoop,
        worker: &Worker,
        input: &Value,
        reason: &str,
        now: DateTime<Utc>,
    ) -> Self {
        let first = left(input).next();
        let text = first.and_then(|(_, item)| item["utterance"].as_str());
        Self {
            at: now,
            human_loop: human_loop.name.clone(),
            loop_id: human_loop.id.clone(),
            worker: worker.id.clone(),
            text: text.map_or_else(String::new, beginning),
            reason: reason.to_owned(),
        }
    }
}

fn beginning(text: &str) -> String {
    let mut letters = text.chars();
    let beginning: String = letters.by_ref().take(TEXT_CHARS).collect();
    match letters.next() {
        Some(_) => beginning + " …",
        None => beginning,
    }
}

/// The newest [`KEPT`] of each kind, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Newest {
    /// Comments and flags.
    pub remarks: Vec<Remark>,
    /// Skips with a reason.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub skips: Vec<Skip>,
}

/// The remarks in the review bucket. Every method fails with [`BucketError`] only.
#[derive(Debug, Clone, Copy)]
pub struct Remarks<'a>(pub &'a Bucket);

impl Remarks<'_> {
    /// Returns the newest.
    pub async fn newest(self) -> Result<Newest, BucketError> {
        let read = self.0.read_document::<Newest>(&key()).await;
        let newest = Damaged::new(self.0.clone()).pass_over(&key(), read).await?;
        Ok(newest.unwrap_or_default())
    }

    /// Keeps what a reviewer says of a task by now, be it nothing, in the place of what they said of it before.
    pub async fn note(
        self,
        human_loop: &HumanLoop,
        worker: &Worker,
        remarks: Vec<Remark>,
    ) -> Result<(), BucketError> {
        let is_other = |earlier: &Remark| earlier.loop_id != human_loop.id || earlier.worker != worker.id;
        self.change(|newest| {
            newest.remarks.retain(is_other);
            newest.remarks.splice(..0, remarks.iter().cloned());
            newest.remarks.truncate(KEPT);
        })
        .await
    }

    /// Keeps why a reviewer skipped a task, in the place of what they said of it before; where it fails that is logged.
    pub async fn note_skip_if_possible(self, skip: &Skip) {
        let is_other = |earlier: &Skip| earlier.loop_id != skip.loop_id || earlier.worker != skip.worker;
        let noted = self
            .change(|newest| {
                newest.skips.retain(is_other);
                newest.skips.insert(0, skip.clone());
                newest.skips.truncate(KEPT);
            })
            .await;
        if let Err(error) = noted {
            warn!(%error, "the list of the newest skips is not up to date");
        }
    }

    /// Does the same; where it fails that is logged. They are stored with the answer: it is the list that is not up to date.
    pub async fn note_if_possible(self, human_loop: &HumanLoop, worker: &Worker, remarks: Vec<Remark>) {
        if let Err(error) = self.note(human_loop, worker, remarks).await {
            warn!(%error, "the list of the newest remarks is not up to date");
        }
    }

    /// Forgets what was said of a loop that is deleted.
    pub async fn forget(self, loop_id: &str) -> Result<(), BucketError> {
        self.change(|newest| {
            newest.remarks.retain(|remark| remark.loop_id != loop_id);
            newest.skips.retain(|skip| skip.loop_id != loop_id);
        })
        .await
    }

    async fn change(self, change: impl Fn(&mut Newest)) -> Result<(), BucketError> {
        let change = |before: Option<Vec<u8>>| {
            let before = before.map_or_else(Newest::default, |content| self.read(&content));
            let mut after = before.clone();
            change(&mut after);
            let written = (after != before).then(|| json!(after).to_string().into_bytes());
            Ok(Change::to(written, ()))
        };
        self.0
            .change_bytes(&key(), JSON, MAX_DOCUMENT_BYTES, change)
            .await
    }

    /// Reads the list. One that cannot be read is begun anew: each remark is with its vote as well.
    fn read(self, content: &[u8]) -> Newest {
        self.0.parse(&key(), content).unwrap_or_else(|reason| {
            warn!(%reason, "the list of the newest remarks and skips is begun anew");
            Newest::default()
        })
    }
}

fn key() -> String {
    format!("{HUMAN_REVIEW_FOLDER}remarks.json")
}
