//! What the client of a prediction is told unasked, once people are done with it.

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{label_set::LabelSet, prediction_result::PredictionResult, question::Question};

/// Predictions that one event names, at most: an event of EventBridge has 256 KiB.
pub const MAX_PREDICTIONS: usize = 500;

/// That people are done with a question, the detail of an event `Prediction Reviewed`. It holds no text.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReviewEvent {
    /// The same however often the same is told: see [`ReviewEvent::of`].
    pub id: String,
    /// Id of the record whose predictions these are.
    pub record_id: String,
    /// Ids of all predictions that this is the answer to, sorted; at most [`MAX_PREDICTIONS`].
    pub prediction_ids: Vec<String>,
    /// Whether there are more of them.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub more_predictions: bool,
    /// What became of the prediction that people were asked about first.
    #[serde(flatten)]
    pub result: PredictionResult,
}

impl ReviewEvent {
    /// Makes the event about a record from the question whose answer is its answer, by the names that labels have in a set;
    /// `None` while people are asked.
    ///
    /// The id depends on the record, the state, the answer and the rule that gave it, and on which turn of the question
    /// this is: what was answered, opened again and answered likewise is told twice. Votes of users that change none of
    /// these leave the id as it is, and so does a reviewer who says the same again.
    pub fn of(
        record_id: &str,
        question: &Question,
        predictions: Vec<String>,
        set: Option<&LabelSet>,
    ) -> Option<Self> {
        if !question.state.is_final() {
            return None;
        }
        let mut prediction_ids = predictions;
        if question.record.id == record_id {
            prediction_ids.extend(question.record.prediction_id.clone());
        }
        prediction_ids.sort_unstable();
        prediction_ids.dedup();
        let more_predictions = prediction_ids.len() > MAX_PREDICTIONS;
        prediction_ids.truncate(MAX_PREDICTIONS);

        Some(Self {
            id: id_of(record_id, question),
            record_id: record_id.to_owned(),
            prediction_ids,
            more_predictions,
            result: PredictionResult::of(question, set),
        })
    }

    /// Writes the detail.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("an event has string keys and finite numbers")
    }
}

fn id_of(record_id: &str, question: &Question) -> String {
    let identity = serde_json::json!([
        record_id,
        question.state,
        question.answer(),
        question.decided_by,
        question.reopened,
        question.newest_review(),
    ]);
    hex::encode(&Sha256::digest(identity.to_string())[..16])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        feedback::{FeedbackRecord, FeedbackRequest, Source},
        labels::{
            human_loop::Answer,
            question::Opinion,
            vote::{Vote, VoteSource},
        },
    };

    fn feedback(extra: &str) -> FeedbackRecord {
        let request =
            format!(r#"{{"classifier": "news", "sentence": "Rates rise", "prediction": "A"{extra}}}"#);
        FeedbackRequest::parse(request.as_bytes())
            .and_then(|request| request.into_record(Source::ExplicitApi, "2026-11-20T10:00:00Z"))
            .expect("feedback")
    }

    fn review(worker: &str, label: &str, minute: u32) -> Vote {
        Vote {
            worker: worker.to_owned(),
            answer: Answer::labels([label]),
            source: VoteSource::HumanReview,
            at: format!("2026-11-20T11:{minute:02}:00Z"),
            seconds: None,
            note: Default::default(),
        }
    }

    fn asked() -> Question {
        Question::asked(feedback(r#", "predictionId": "p2""#), "review-1", 1)
    }

    fn event(question: &Question, predictions: &[&str]) -> ReviewEvent {
        let predictions = predictions.iter().map(|id| (*id).to_owned()).collect();
        ReviewEvent::of(&question.record.id, question, predictions, None).expect("people are done")
    }

    #[test]
    fn an_answer_is_told_with_every_prediction_once_and_without_the_text() {
        let mut question = asked();
        question.answer_with(&[review("w1", "B", 0)]);

        let json: serde_json::Value =
            serde_json::from_str(&event(&question, &["p3", "p1", "p2"]).to_json()).expect("JSON");

        assert_eq!(json["recordId"], question.record.id);
        assert_eq!(json["predictionIds"], serde_json::json!(["p1", "p2", "p3"]));
        assert_eq!(
            (&json["predictionId"], &json["status"], &json["label"]),
            (&"p2".into(), &"answered".into(), &"B".into())
        );
        assert_eq!(json.get("morePredictions"), None);
        assert!(!json.to_string().contains("Rates"), "{json}");
    }

    #[test]
    fn nothing_is_told_while_people_are_asked() {
        let question = asked();

        assert_eq!(
            ReviewEvent::of(&question.record.id, &question, Vec::new(), None),
            None
        );
    }

    #[test]
    fn what_changes_nothing_has_the_same_id_and_a_second_answer_another_also_where_it_is_the_first_again() {
        let mut question = asked();
        question.answer_with(&[review("w1", "B", 0)]);
        let first = event(&question, &[]).id;
        question.hear(&Opinion::of(&feedback(r#", "label": "B", "user": "ann""#)));
        let agreed = event(&question, &["p9"]).id;
        question.hear(&Opinion::of(&feedback(r#", "label": "C", "user": "bob""#)));
        question.answer_with(&[review("w2", "B", 5)]);
        let again = event(&question, &[]).id;

        assert_eq!(first, agreed);
        assert_ne!(first, again);
        assert_eq!(first.len(), 32);
    }

    #[test]
    fn a_reviewer_who_says_the_same_again_changes_no_id_and_one_who_came_back_to_it_does() {
        let id_with = |votes: &[Vote]| {
            let mut question = asked();
            question.answer_with(votes);
            event(&question, &[]).id
        };
        let [first, again, other] = [review("w1", "B", 0), review("w1", "B", 9), review("w1", "C", 5)];
        let of_somebody_else = review("w2", "B", 3);

        let id = id_with(std::slice::from_ref(&first));
        assert_eq!(id_with(&[again.clone(), first.clone()]), id);
        assert_ne!(id_with(&[again, first.clone(), other]), id);
        assert_ne!(id_with(&[first, of_somebody_else]), id);
    }

    #[test]
    fn a_duplicate_is_told_the_answer_of_its_original_under_an_id_of_its_own() {
        let mut question = asked();
        question.answer_with(&[review("w1", "B", 0)]);

        let of_duplicate =
            ReviewEvent::of("duplicate", &question, vec!["p7".to_owned()], None).expect("answered");

        assert_eq!(of_duplicate.prediction_ids, ["p7"]);
        assert_eq!(of_duplicate.result.label.as_deref(), Some("B"));
        assert_ne!(of_duplicate.id, event(&question, &[]).id);
    }

    #[test]
    fn no_more_predictions_are_named_than_an_event_holds_and_that_there_are_more_is_said() {
        let mut question = asked();
        question.answer_with(&[review("w1", "B", 0)]);
        let many = (0..501).map(|number| format!("{number:036}")).collect();

        let event = ReviewEvent::of(&question.record.id, &question, many, None).expect("answered");

        assert_eq!((event.prediction_ids.len(), event.more_predictions), (500, true));
        assert!(event.to_json().len() < 32 << 10);
    }
}
