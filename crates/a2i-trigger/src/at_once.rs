//! Texts to label that are asked as they come, since a model serves: the pool is for what can wait.
//!
//! The rule is that of a classification: whatever the model is not sure of is asked. Of the texts that belong to the test
//! set by their content all are asked, sure or not, so that they stay a random sample; with a review budget they wait in
//! the pool for the same reason. Of an object no more texts are judged than reviewers may have open of the pool: what
//! else a large file brings waits there, where the most useful come first.

use std::collections::HashSet;

use active_learning_core::{dataset::is_test, feedback::FeedbackRecord, sampling::review_budget::Selected};
use lambda_runtime::tracing::info;

use crate::A2iTrigger;

/// A draw that no audit rate exceeds: what is asked here is asked by rule.
const NO_AUDIT: f64 = 1.0;

impl A2iTrigger {
    /// Returns the ids of the texts that do not wait in the pool; `to_judge` is what may still be judged of their object.
    pub(crate) async fn asked_at_once(
        &self,
        records: &[&FeedbackRecord],
        to_judge: &mut usize,
    ) -> HashSet<String> {
        let texts = records.iter().copied().filter(|record| self.is_for_pool(record));
        let texts: Vec<&FeedbackRecord> = texts.collect();
        let judged = texts.len().min(*to_judge);
        if judged == 0 {
            return HashSet::new();
        }
        // Asked each time: what is remembered for a minute would pass over the first model.
        if self.model_arn.describe().await.is_none() {
            return HashSet::new();
        }
        *to_judge -= judged;

        let (tests, others): (Vec<&FeedbackRecord>, Vec<&FeedbackRecord>) = texts[..judged]
            .iter()
            .copied()
            .partition(|record| self.is_held_out(record));
        let others = others
            .into_iter()
            .map(|record| Selected::new(record.id.clone(), record.clone()));
        let judgements = self.judge(others.collect()).await;
        let policy = &self.config.policy;
        let doubtful = judgements
            .into_iter()
            .filter(|(_, prediction)| policy.decide(prediction, NO_AUDIT).is_some());
        let mut at_once: HashSet<_> = doubtful.map(|(item, _)| item.key).collect();
        if self.config.review_budget == 0 {
            at_once.extend(tests.into_iter().map(|record| record.id.clone()));
        }
        info!(judged, at_once = at_once.len(), "texts of a file are judged");
        at_once
    }

    /// Returns whether a record is a text that waits in the pool unless there is a reason to ask it.
    pub(crate) fn is_for_pool(&self, record: &FeedbackRecord) -> bool {
        self.config.pool_texts_in_review > 0 && record.is_unlabelled()
    }

    /// Returns whether a text is asked whatever the model says, so that it is a random sample.
    pub(crate) fn is_asked_without_choice(&self, record: &FeedbackRecord) -> bool {
        self.config.pool_texts_in_review == 0 || self.is_held_out(record)
    }

    /// Returns whether a text belongs to the test set by its content.
    pub(crate) fn is_held_out(&self, record: &FeedbackRecord) -> bool {
        is_test(&record.utterance, self.config.test_share)
    }
}
