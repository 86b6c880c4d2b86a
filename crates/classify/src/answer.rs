//! The answer to a classification.

use active_learning_aws::{
    asked_before::{Decided, NotAsked},
    personal_data::Kinds,
};
use active_learning_core::{
    feedback::{FeedbackRecord, Signal, prediction::ClassScore},
    labels::prediction_result::PredictionResult,
};
use serde::Serialize;

/// The answer to a classification. Before the first model there is no prediction, and no class.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Answer {
    pub(crate) utterance: String,
    /// Kinds of personal data that were replaced in the text.
    #[serde(skip_serializing_if = "Kinds::is_empty")]
    pub(crate) masked: Kinds,
    pub(crate) prediction: Option<String>,
    pub(crate) confidence: Option<f32>,
    pub(crate) classifier: String,
    pub(crate) prediction_id: String,
    pub(crate) review: Option<ReviewAnswer>,
    pub(crate) classes: Vec<ClassScore>,
    /// What people answered, where the request waits for them, or they have answered already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) result: Option<PredictionResult>,
    /// There where it could not be kept: nobody can ask what became of the prediction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) result_kept: Option<bool>,
}

/// Why the prediction goes to review, and whether it is on its way to a person.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReviewAnswer {
    pub(crate) reason: Signal,
    pub(crate) queued: bool,
    /// When it is decided whether a person is asked; none where it is known that nobody is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) decided: Option<Decided>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) selection_probability: Option<f64>,
    /// Why nobody will be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) not_queued_because: Option<NotAsked>,
    /// What it waits for before somebody is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) waits_for: Option<NotAsked>,
}

impl ReviewAnswer {
    /// Says of a record that was not stored why nobody will be asked.
    pub(crate) fn not_queued(record: &FeedbackRecord, because: NotAsked) -> Self {
        Self {
            reason: record.signal,
            queued: false,
            decided: Decided::later(false),
            selection_probability: record.selection_probability,
            not_queued_because: Some(because),
            waits_for: None,
        }
    }

    /// Returns for how many seconds people are waited for who answer it, with so many wanted; none where nobody is: what waits
    /// already for the budget or in the pool is asked too late for any caller.
    pub(crate) fn wait_of(&self, wanted: Option<u64>) -> Option<u64> {
        match self.not_queued_because {
            Some(NotAsked::AlreadyAnswered) => Some(0),
            None | Some(NotAsked::AlreadyAsked | NotAsked::Disputed | NotAsked::Duplicate) => wanted,
            Some(NotAsked::Budget | NotAsked::Pool | NotAsked::NotStored | NotAsked::Erased) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_waited_for_where_the_text_waits_itself_or_is_not_asked() {
        let line = br#"{"classifier": "news", "utterance": "Rates rise"}"#;
        let record = FeedbackRecord::parse(line).expect("a record");
        let wait = |because| ReviewAnswer::not_queued(&record, because).wait_of(Some(20));
        let queued = ReviewAnswer {
            queued: true,
            not_queued_because: None,
            ..ReviewAnswer::not_queued(&record, NotAsked::Budget)
        };

        for too_late in [
            NotAsked::Budget,
            NotAsked::Pool,
            NotAsked::NotStored,
            NotAsked::Erased,
        ] {
            assert_eq!(wait(too_late), None, "{too_late:?}");
        }
        for asked in [NotAsked::AlreadyAsked, NotAsked::Disputed, NotAsked::Duplicate] {
            assert_eq!(wait(asked), Some(20), "{asked:?}");
        }
        assert_eq!(wait(NotAsked::AlreadyAnswered), Some(0), "it is there");
        assert_eq!((queued.wait_of(Some(20)), queued.wait_of(None)), (Some(20), None));
    }
}
