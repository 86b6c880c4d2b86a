//! The choices of a task: what a page offers follows the label set, not the day on which the task was
//! started.

use std::collections::BTreeSet;

use active_learning_core::labels::{
    label_key::label_key,
    label_set::{MAX_NAME_BYTES, can_be_label},
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

fn resolve<'a>(name: &str, labels: &'a [String]) -> Option<&'a String> {
    let key = label_key(name);
    let exact = labels.iter().find(|label| *label == name);
    exact.or_else(|| labels.iter().find(|label| label_key(label) == key))
}

#[cfg(test)]
mod tests {
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
