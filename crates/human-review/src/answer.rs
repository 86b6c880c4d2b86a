//! Reading a reviewer's answer from the submitted form, and checking it against the task.

use std::collections::BTreeMap;

use active_learning_core::labels::human_loop::NONE_FITS;
use serde_json::{Map, Value};

/// Begins the names of form fields that are the portal's own.
const OWN_FIELDS: &str = "portal:";
/// Why an answer is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// The answer that the page's script put together is not a JSON object.
    #[error("the answer is not a JSON object")]
    NotAnObject,
    /// An item has no answer, or one that is not among its choices.
    #[error("an item has no valid answer")]
    Incomplete,
}

/// Returns the answer that the page's script put together or, without a script, the plain form fields.
///
/// # Errors
///
/// [`AnswerError::NotAnObject`].
pub fn read_answer(form: &BTreeMap<String, String>) -> Result<Map<String, Value>, AnswerError> {
    if let Some(answer) = form.get("portal:answer").filter(|answer| !answer.is_empty()) {
        return serde_json::from_str(answer).map_err(|_| AnswerError::NotAnObject);
    }
    let fields = form.iter().filter(|(name, _)| !name.starts_with(OWN_FIELDS));
    Ok(fields
        .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
        .collect())
}

/// Checks an answer of the shipped template: a label of the task, or [`NONE_FITS`], for every item.
///
/// # Errors
///
/// [`AnswerError::Incomplete`].
pub fn check_shipped_answer(input: &Value, answer: &Map<String, Value>) -> Result<(), AnswerError> {
    let labels = input["labels"].as_array().map(Vec::as_slice).unwrap_or_default();
    let is_choice = |choice: &Value| choice == NONE_FITS || labels.contains(choice);
    let items = input["comprehendPredictions"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let complete = items.iter().enumerate().all(|(position, item)| {
        let name = match item["id"].as_str() {
            Some(id) => id.to_owned(),
            None => format!("item-{}", position + 1),
        };
        answer.get(&name).is_some_and(is_choice)
    });
    if complete {
        Ok(())
    } else {
        Err(AnswerError::Incomplete)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn form(fields: &[(&str, &str)]) -> BTreeMap<String, String> {
        fields
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn the_scripts_answer_wins_over_plain_fields() {
        let sent = form(&[
            ("portal:answer", r#"{"a":{"label":"World"}}"#),
            ("portal:csrf", "x"),
            ("a", "Sports"),
        ]);
        assert_eq!(
            Value::Object(read_answer(&sent).expect("an object")),
            json!({ "a": { "label": "World" } })
        );

        let plain = form(&[("portal:answer", ""), ("portal:csrf", "x"), ("a", "Sports")]);
        assert_eq!(
            Value::Object(read_answer(&plain).expect("fields")),
            json!({ "a": "Sports" })
        );

        for bad in ["[1]", "\"x\"", "{"] {
            assert_eq!(
                read_answer(&form(&[("portal:answer", bad)])),
                Err(AnswerError::NotAnObject)
            );
        }
    }

    #[test]
    fn every_item_needs_one_of_the_choices() {
        let input = json!({ "labels": ["World", "Sports"], "comprehendPredictions": [{ "id": "a" }, { "text": "no id" }] });
        let check = |answer: Value| check_shipped_answer(&input, answer.as_object().expect("an object"));

        assert_eq!(check(json!({ "a": "World", "item-2": NONE_FITS })), Ok(()));
        assert_eq!(check(json!({ "a": "World" })), Err(AnswerError::Incomplete));
        assert_eq!(
            check(json!({ "a": "World", "item-2": "" })),
            Err(AnswerError::Incomplete)
        );
        assert_eq!(
            check(json!({ "a": "World", "item-2": "Weather" })),
            Err(AnswerError::Incomplete)
        );
    }
}
