//! Whether a form says that the prediction is wrong, beside a field that repeats it.

use serde_json::{Map, Value};

use super::{
    answer::Answer,
    fields::{Field, Resolve, Shape, fields, words},
};
use crate::labels::says_no::says_no;

/// Words in the names of fields that ask whether a prediction is right.
const QUESTIONS: [&str; 5] = ["agree", "agreed", "agrees", "correct", "accurate"];

/// Words in such a name by which it asks for the contrary, or names no prediction.
const CONTRARY: [&str; 4] = ["not", "none", "no", "in"];

/// Returns whether a form denies a prediction: a box of the form that asks whether it is right is not ticked, or the answer to
/// that is no. A label that is the predicted one is then no answer, unless somebody has chosen it among others: it may be a
/// field that repeats the prediction. What is a label itself denies nothing.
pub(super) fn denies(content: &Map<String, Value>, predicted: &Answer, resolve: Resolve<'_>) -> bool {
    let fields = fields(content);
    let is_chosen =
        |field: &Field| field.shape != Shape::Text && field.answer(resolve).as_ref() == Some(predicted);
    let denies = |field: &Field| {
        let asks = field.path.iter().any(|name| {
            let words: Vec<String> = words(name).collect();
            let has = |known: &[&str]| words.iter().any(|word| known.contains(&word.as_str()));
            has(&QUESTIONS) && !has(&CONTRARY)
        });
        let is_unticked = field.shape == Shape::Marks && field.is_blank() && field.offered.len() <= 1;
        let mut given = field.given.iter();
        let is_denied = given.any(|word| says_no(word) && resolve(word).is_none());
        asks && resolve(field.name()).is_none() && (is_unticked || is_denied)
    };
    fields.iter().any(denies) && !fields.iter().any(is_chosen)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_no_to_whether_the_prediction_is_right_denies_it_in_any_shape() {
        let resolve = |name: &str| {
            ["World", "No", "Correct"]
                .contains(&name)
                .then(|| name.to_owned())
        };
        let world = Answer::labels(["World"]);
        let denied = |content: Value| denies(content.as_object().expect("a form"), &world, &resolve);

        for content in [
            json!({ "is_correct": { "yes": false, "no": true } }),
            json!({ "isCorrect": "no" }),
            json!({ "isCorrect": " Nein" }),
            json!({ "correct": { "oui": false, "non": true } }),
            json!({ "agree": "not correct" }),
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
            json!({ "correct_label": "No" }),
            json!({ "Correct": { "on": false }, "Incorrect": { "on": true } }),
            json!({ "not_correct": false, "none_correct": { "on": false } }),
            json!({ "is_correct": "no", "category": { "label": "World" } }),
        ] {
            assert!(!denied(content.clone()), "{content}");
        }
    }
}
