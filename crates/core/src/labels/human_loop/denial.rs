//! Whether a form says that the prediction is wrong, beside a field that repeats it.

use serde_json::{Map, Value};

use super::fields::{Shape, fields, words};
use crate::labels::label_key::label_key;

/// Words in the names of fields that ask whether a prediction is right.
const QUESTIONS: [&str; 5] = ["agree", "agreed", "agrees", "correct", "accurate"];

/// What says no, as label keys.
const DENIALS: [&str; 7] = ["no", "false", "incorrect", "wrong", "disagree", "reject", "0"];

/// Returns whether a form denies a prediction: a box of the form that asks whether it is right is not ticked, or the answer to
/// that is no. A label that is the predicted one is then no answer: it may be a field that repeats it.
pub(super) fn denies(content: &Map<String, Value>) -> bool {
    fields(content).iter().any(|field| {
        let asks = field
            .path
            .iter()
            .any(|name| words(name).any(|word| QUESTIONS.contains(&word.as_str())));
        let is_unticked = field.shape == Shape::Marks && field.is_blank() && field.offered.len() <= 1;
        let says_no = field
            .given
            .iter()
            .any(|word| DENIALS.contains(&label_key(word).as_str()));
        asks && (is_unticked || says_no)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_no_to_whether_the_prediction_is_right_denies_it_in_any_shape() {
        let denied = |content: Value| denies(content.as_object().expect("a form"));

        for content in [
            json!({ "is_correct": { "yes": false, "no": true } }),
            json!({ "isCorrect": "No" }),
            json!({ "agree": false }),
            json!({ "agree": { "on": false } }),
            json!({ "answer": { "correct": { "label": "incorrect" } } }),
        ] {
            assert!(denied(content.clone()), "{content}");
        }
        for content in [
            json!({ "is_correct": { "yes": true, "no": false } }),
            json!({ "agree": true, "sure": false }),
            json!({ "sure": "no", "category": "World" }),
            json!({ "correction": "World" }),
        ] {
            assert!(!denied(content.clone()), "{content}");
        }
    }
}
