//! What reviewers wrote beside their answers: the newest comments and flags, for the operator.
//!
//! One document of the newest, whatever was said before; each remark is with its vote in any case.

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

fn beginning(text: &str) -> String {
    let mut letters = text.chars();
    let beginning: String = letters.by_ref().take(TEXT_CHARS).collect();
    match letters.next() {
        Some(_) => beginning + " …",
        None => beginning,
    }
}

/// The newest remarks, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Newest {
    remarks: Vec<Remark>,
}

/// The remarks in the review bucket. Every method fails with [`BucketError`] only.
#[derive(Debug, Clone, Copy)]
pub struct Remarks<'a>(pub &'a Bucket);

impl Remarks<'_> {
    /// Returns the newest [`KEPT`] remarks, newest first.
    pub async fn newest(self) -> Result<Vec<Remark>, BucketError> {
        let read = self.0.read_document::<Newest>(&key()).await;
        let newest = Damaged::new(self.0.clone()).pass_over(&key(), read).await?;
        Ok(newest.unwrap_or_default().remarks)
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
            newest.retain(is_other);
            newest.splice(..0, remarks.iter().cloned());
            newest.truncate(KEPT);
        })
        .await
    }

    /// Does the same; where it fails that is logged. They are stored with the answer: it is the list that is not up to date.
    pub async fn note_if_possible(self, human_loop: &HumanLoop, worker: &Worker, remarks: Vec<Remark>) {
        if let Err(error) = self.note(human_loop, worker, remarks).await {
            warn!(%error, "the list of the newest remarks is not up to date");
        }
    }

    /// Forgets what was said of a loop that is deleted.
    pub async fn forget(self, loop_id: &str) -> Result<(), BucketError> {
        self.change(|newest| newest.retain(|remark| remark.loop_id != loop_id))
            .await
    }

    async fn change(self, change: impl Fn(&mut Vec<Remark>)) -> Result<(), BucketError> {
        let change = |before: Option<Vec<u8>>| {
            let before = before.map_or_else(Newest::default, |content| self.read(&content));
            let mut after = before.clone();
            change(&mut after.remarks);
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
            warn!(%reason, "the list of the newest remarks is begun anew");
            Newest::default()
        })
    }
}

fn key() -> String {
    format!("{HUMAN_REVIEW_FOLDER}remarks.json")
}
