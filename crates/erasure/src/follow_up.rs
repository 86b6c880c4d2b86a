//! What waited for the answers that will never come.

use active_learning_aws::{
    bucket::{BucketError, Change},
    copies::{Copies, Next},
};
use active_learning_core::{
    feedback::FeedbackRecord,
    keys::{self, BucketName},
};
use human_review::loops;
use serde_json::Value;

use crate::{
    erase::{Erase, EraseError},
    walk::{LOOP_INPUTS, LOOPS},
};

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
        for name in std::mem::take(&mut self.ended_by_name) {
            loops::erase(review, &name).await?;
            self.report.loops += 1;
        }
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
        let copies = Copies { feedback, training };
        for original in &self.job.records.clone() {
            let next = |copy: &FeedbackRecord| match self.wanted.is_text(&copy.utterance) {
                true => Next::Kept,
                false => Next::Delivered,
            };
            let delivered = copies.deliver("erased", original, next).await?;
            for copy in &delivered {
                self.forget_versions(BucketName::Training, copy).await?;
            }
            self.report.asked_themselves += delivered.len() as u64;
        }
        Ok(())
    }
}
