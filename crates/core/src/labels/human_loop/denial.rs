//! Whether a form says that the prediction is wrong, beside a field that repeats it.

use super::{
    answer::Answer,
    fields::{Field, Resolve, Shape, words},
};
use crate::labels::says_no::{calls_wrong, says_no};

/// Words in the names of fields that ask whether a prediction is right.
const QUESTIONS: [&str; 5] = ["agree", "agreed", "agrees", "correct", "accurate"];

/// Words in such a name by which it asks for the contrary, or names no prediction.
const CONTRARY: [&str; 4] = ["not", "none", "no", "in"];

/// Words in the names of fields that ask whether a prediction is wrong.
const DOUBTS: [&str; 8] = [
    "disagree",
    "disagreed",
    "disagrees",
    "inaccurate",
    "incorrect",
    "reject",
    "rejected",
    "wrong",
];

/// Returns whether what a form says about one item denies its prediction: a box of the form that asks whether it is right is
/// not ticked, or one that asks whether it is wrong is; the answer to the one is no, or to the other not; or something calls
/// it wrong. A label that is the predicted one is then no answer, unless somebody has chosen it among others: it may be a
/// field that repeats the prediction. What is a label itself denies nothing.
pub(super) fn denies(fields: &[&Field], predicted: &Answer, resolve: Resolve<'_>) -> bool {
    let is_chosen =
        |field: &&Field| field.shape != Shape::Text && field.answer(resolve).as_ref() == Some(predicted);
    let is_of_labels = fields.iter().any(|field| resolve(field.name()).is_some());
    let denies = |field: &&Field| {
        let is_box = field.shape == Shape::Marks && field.offered.len() <= 1;
        let mut given = field.given.iter();
        match asked_by(field) {
            _ if resolve(field.name()).is_some() => false,
            Some(Asked::WhetherRight) if is_box && field.is_blank() => true,
            Some(Asked::WhetherRight) => given.any(|word| says_no(word) && resolve(word).is_none()),
            Some(Asked::WhetherWrong) if is_box => !is_of_labels && !field.is_blank(),
            Some(Asked::WhetherWrong) => {
                let is_yes = |word: &String| calls_wrong(word) || !says_no(word);
                !is_of_labels && given.any(|word| is_yes(word) && resolve(word).is_none())
            }
            None => !is_of_labels && given.any(|word| calls_wrong(word) && resolve(word).is_none()),
        }
    };
    fields.iter().any(denies) && !fields.iter().any(is_chosen)
}

/// What a field asks about a prediction.
enum Asked {
    WhetherRight,
    WhetherWrong,
}

fn asked_by(field: &Field) -> Option<Asked> {
    field.path.iter().find_map(|name| {
        let words: Vec<String> = words(name).collect();
        // A number tells the items of a page apart.
        let is_known = |known: &[&str], word: &str| {
            known.contains(&word.trim_end_matches(|letter: char| letter.is_ascii_digit()))
        };
        let has = |known: &[&str]| words.iter().any(|word| is_known(known, word));
        match has(&CONTRARY) {
            true => None,
            false if has(&QUESTIONS) => Some(Asked::WhetherRight),
            false => has(&DOUBTS).then_some(Asked::WhetherWrong),
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::labels::human_loop::fields::fields;

    #[test]
    fn a_no_to_whether_the_prediction_is_right_denies_it_in_any_shape() {
        let resolve = |name: &str| {
            ["World", "No", "Correct"]
                .contains(&name)
                .then(|| name.to_owned())
        };
        let world = Answer::labels(["World"]);
        let denied = |content: Value| {
            let fields = fields(content.as_object().expect("a form"));
            denies(&fields.iter().collect::<Vec<_>>(), &world, &resolve)
        };

        for content in [
            json!({ "is_correct": { "yes": false, "no": true } }),
            json!({ "isCorrect": "no" }),
            json!({ "isCorrect": " Nein" }),
            json!({ "correct": { "oui": false, "non": true } }),
            json!({ "agree": "not correct" }),
            json!({ "isCorrect1": "no" }),
            json!({ "is_wrong": "yes" }),
            json!({ "wrong": { "on": true } }),
            json!({ "disagree": true }),
            json!({ "verdict": "Incorrect" }),
            json!({ "review": { "right": false, "wrong": true } }),
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
            json!({ "is_wrong": "no", "incorrect": { "on": false }, "disagree": false }),
            json!({ "verdict": "right", "wrong": "" }),
            json!({ "wrong": "World" }),
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
