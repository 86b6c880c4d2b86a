//! The choices of a task: what a page offers follows the label set, not the day on which the task was
//! started.

use std::collections::BTreeSet;

use active_learning_core::{
    feedback::FeedbackRecord,
    labels::{
        label_key::label_key,
        label_set::{LabelSet, MAX_NAME_BYTES, can_be_label},
    },
};
use serde_json::{Value, json};

/// Longest proposal of a label, in bytes: what a label may have.
pub const MAX_PROPOSAL_BYTES: usize = MAX_NAME_BYTES;

/// Returns an input as its page shows it. One that is not of our kind keeps its labels, but for those that can be none, or
/// that are another in other letters.
///
/// The labels are those of the current set, if there is one, else those that the task was started with. A
/// user's suggestion that is a label takes the label's spelling; one that is none stays with its own item,
/// unless it can be no label.
pub fn shown_input(mut input: Value, current: Option<&[String]>) -> Value {
    if !input["comprehendPredictions"].is_array() {
        if let Some(labels) = input.get_mut("labels").and_then(Value::as_array_mut) {
            let mut seen = BTreeSet::new();
            labels.retain(|label| {
                label
                    .as_str()
                    .is_none_or(|label| can_be_label(label) && seen.insert(label_key(label)))
            });
        }
        return input;
    }
    if let Some(current) = current.filter(|current| !current.is_empty()) {
        input["labels"] = json!(current);
    }
    let labels = input["labels"].as_array().into_iter().flatten();
    let labels: Vec<String> = labels.filter_map(Value::as_str).map(str::to_owned).collect();
    for item in input["comprehendPredictions"]
        .as_array_mut()
        .into_iter()
        .flatten()
    {
        let Some(suggested) = item["suggestedLabel"].as_str().map(str::to_owned) else {
            continue;
        };
        if let Some(label) = resolve(&suggested, &labels) {
            item["suggestedLabel"] = json!(label);
        } else if !can_be_label(&suggested) {
            item["suggestedLabel"] = Value::Null;
        }
    }
    input
}

/// Calls what was predicted of the items of an input of ours by the names of now: a label that was renamed or merged since is
/// among the choices by its new name only.
pub fn name_predictions(input: &mut Value, set: Option<&LabelSet>) {
    let Some(set) = set else { return };
    // Not by index, which makes it where there is none.
    let items = input
        .get_mut("comprehendPredictions")
        .and_then(Value::as_array_mut);
    for item in items.into_iter().flatten() {
        let Ok(record) = serde_json::from_value::<FeedbackRecord>(item.clone()) else {
            continue;
        };
        let named = set.with_own_names(record.clone());
        if named.prediction != record.prediction {
            item["prediction"] = json!(named.prediction);
        }
        if named.classes != record.classes {
            item["classes"] = json!(named.classes);
        }
    }
}

fn resolve<'a>(name: &str, labels: &'a [String]) -> Option<&'a String> {
    let key = label_key(name);
    let exact = labels.iter().find(|label| *label == name);
    exact.or_else(|| labels.iter().find(|label| label_key(label) == key))
}

#[cfg(test)]
mod tests {
    use active_learning_core::labels::label_set::Origin;

    use super::*;

    fn input(suggested: &str) -> Value {
        json!({ "comprehendPredictions": [{ "suggestedLabel": suggested }], "labels": ["World", "Sports"] })
    }

    #[test]
    fn a_suggestion_in_another_spelling_is_the_label_and_no_choice_of_its_own() {
        let shown = shown_input(input(" sPORTS\u{a0}"), None);

        assert_eq!(shown["comprehendPredictions"][0]["suggestedLabel"], "Sports");
        assert_eq!(shown["labels"], json!(["World", "Sports"]));
    }

    #[test]
    fn a_prediction_of_before_a_rename_is_a_choice_by_its_new_name() {
        let mut set = LabelSet::seed(["World", "Sports"], Origin::Parameter, "2026-11-20T10:00:00Z");
        set.rename("Sports", "Sport").expect("free");
        let item = |prediction: &str| {
            json!({
                "id": "r-1", "utterance": "A late goal", "classifier": "news", "prediction": prediction,
                "classes": [{"name": "Sports", "score": 0.5}, {"name": "World", "score": 0.25}],
            })
        };
        let mut input = json!({ "comprehendPredictions": [item("Sports"), item("World"), 7], "labels": ["World", "Sport"] });
        let before = input.clone();

        name_predictions(&mut input, Some(&set));

        let items = &input["comprehendPredictions"];
        assert_eq!(items[0]["prediction"], "Sport");
        assert_eq!(items[0]["classes"][0], json!({"name": "Sport", "score": 0.5}));
        assert_eq!(items[0]["utterance"], "A late goal");
        assert_eq!(items[1]["prediction"], "World");
        assert_eq!(
            items[1]["classes"], items[0]["classes"],
            "the runner-up has its new name"
        );
        assert_eq!(
            items[1]["utterance"],
            before["comprehendPredictions"][1]["utterance"]
        );
        assert_eq!(items[2], 7);
    }

    #[test]
    fn a_suggestion_that_is_no_label_stays_with_its_own_item() {
        let shown = shown_input(input("Weather"), None);

        assert_eq!(shown["comprehendPredictions"][0]["suggestedLabel"], "Weather");
        assert_eq!(shown["labels"], json!(["World", "Sports"]));
        for useless in [" \u{200b}".to_owned(), "x".repeat(5_001), "a\nb".to_owned()] {
            let shown = shown_input(input(&useless), None);
            assert_eq!(shown["comprehendPredictions"][0]["suggestedLabel"], Value::Null);
        }
    }

    #[test]
    fn an_open_task_follows_a_change_of_the_set() {
        let current = ["World", "Weather"].map(str::to_owned);

        assert_eq!(
            shown_input(input("weather"), Some(&current))["labels"],
            json!(current)
        );
        let foreign = json!({ "labels": ["A"], "text": "x" });
        assert_eq!(shown_input(foreign.clone(), Some(&current)), foreign);
    }

    #[test]
    fn labels_of_an_input_that_is_not_ours_are_each_one_choice_and_no_word_of_an_answer() {
        let foreign = json!({ "labels": ["positive", "Positive", "", "__none__", 3, "b"], "text": "x" });

        assert_eq!(shown_input(foreign, None)["labels"], json!(["positive", 3, "b"]));
    }
}
