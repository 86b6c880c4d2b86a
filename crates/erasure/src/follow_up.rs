//! What waited for the answers that will never come.

use active_learning_aws::{
    bucket::{BucketError, Change, JSON_LINES},
    claims,
};
use active_learning_core::{
    feedback::FeedbackRecord,
    keys::{self, BucketName},
    sampling::duplicates::COPIES_PREFIX,
};
use human_review::loops;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{
    erase::{Erase, EraseError},
    walk::LOOP_INPUTS,
};

/// Largest copy that is read, in bytes: one record.
const MAX_COPY_BYTES: u64 = 1 << 20;
/// Folder of the states of human loops, in the review bucket.
const LOOPS: &str = "human-review/loops/";

impl Erase<'_> {
    /// Ends the human loops of which nothing is left to ask. One of Amazon A2I is named.
    pub(crate) async fn end_loops(&mut self) -> Result<(), EraseError> {
        let review = &self.buckets.review;
        let mut known = Vec::new();
        if !self.ended.is_empty() || !self.job.asked.is_empty() {
            for object in review.list(LOOPS).await? {
                let state = match review.read_document::<Value>(&object.key).await {
                    Ok(state) => state.unwrap_or_default(),
                    Err(BucketError::Damaged { .. }) => continue,
                    Err(error) => return Err(error.into()),
                };
                let member = |name: &str| state[name].as_str().unwrap_or_default().to_owned();
                known.push((member("id"), member("name")));
            }
        }
        let mut elsewhere = self.job.asked.clone();
        for (id, name) in &known {
            elsewhere.remove(name);
            if self.ended.remove(id) {
                loops::erase(review, name).await?;
                self.report.loops += 1;
            }
        }
        // An input without a loop, as a start that was broken off leaves it.
        for id in std::mem::take(&mut self.ended) {
            review.delete(&format!("{LOOP_INPUTS}{id}.json")).await?;
        }
        self.report.loops_elsewhere.extend(elsewhere);
        Ok(())
    }

    /// Has clients told that no answer will come about the predictions of the texts.
    pub(crate) async fn end_predictions(&self) -> Result<(), EraseError> {
        let feedback = &self.buckets.feedback;
        let end = |kept: Option<Value>| match kept {
            Some(mut kept) if kept.is_object() && kept["erased"] != true => {
                kept["erased"] = true.into();
                Change::Write(kept, ())
            }
            _ => Change::Leave(()),
        };
        for record in &self.job.records {
            for mark in feedback.list(&keys::predictions_of(record)).await? {
                if let Some(prediction) = keys::prediction_of_mark(&mark.key) {
                    feedback.change(&keys::prediction(prediction), end).await?;
                }
            }
        }
        Ok(())
    }

    /// Delivers the texts of others again that would have had the answer to one that is gone, each as a question of its own.
    pub(crate) async fn deliver_copies(&mut self) -> Result<(), EraseError> {
        let buckets = self.buckets;
        let (training, feedback) = (&buckets.training, &buckets.feedback);
        for original in &self.job.records.clone() {
            let mut lines = String::new();
            let mut copies = Vec::new();
            for listed in training.list(&format!("{COPIES_PREFIX}{original}/")).await? {
                let copy = training.read(&listed.key, MAX_COPY_BYTES).await?;
                let copy = copy.and_then(|copy| FeedbackRecord::parse(&copy.bytes).ok());
                if let Some(copy) = copy.filter(|copy| !self.wanted.is_text(&copy.utterance)) {
                    // Who asks about it next is a delivery of its own.
                    claims::withdraw(feedback, &copy.id).await?;
                    feedback.delete(&keys::duplicate(&copy.id)).await?;
                    lines += &copy.to_line();
                    copies.push(listed.key);
                }
            }
            if copies.is_empty() {
                continue;
            }
            // Others may be found by a later pass, before these are worked off.
            let content = &hex::encode(Sha256::digest(&lines))[..12];
            let key = format!("feedback/released/erased-{content}-{original}-1.jsonl");
            feedback.put(&key, JSON_LINES, lines).await?;
            for copy in &copies {
                training.delete(copy).await?;
                self.forget_versions(BucketName::Training, copy).await?;
            }
            self.report.asked_themselves += copies.len() as u64;
        }
        Ok(())
    }
}
