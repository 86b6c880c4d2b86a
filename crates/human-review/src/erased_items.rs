//! Items of a task whose texts were erased at a person's wish. They keep their places, by which answers may name the others,
//! and need no answer.

use active_learning_core::erasure::is_erased_item;
use serde_json::{Map, Value, json};

/// Returns the items of an input of our kind that are left, each with its number, from 1.
pub fn left(input: &Value) -> impl Iterator<Item = (usize, &Value)> {
    let items = input["comprehendPredictions"].as_array().into_iter().flatten();
    (1..).zip(items).filter(|(_, item)| !is_erased_item(item))
}

/// Leaves out of an input the items whose texts were erased. Only for pages whose answers name the items by their ids.
pub fn leave_out_erased(input: &mut Value) {
    let items = input
        .get_mut("comprehendPredictions")
        .and_then(Value::as_array_mut);
    let Some(items) = items else { return };
    let before = items.len();
    items.retain(|item| !(is_erased_item(item) && item["id"].is_string()));
    let count = items.len();
    if count < before {
        input["rowCount"] = json!(count);
    }
}

/// Says which items of a page, by number, have lost their texts.
pub fn notice_of_erased(input: &Value) -> Option<String> {
    let items = input["comprehendPredictions"].as_array()?;
    let erased = (1..).zip(items).filter(|(_, item)| is_erased_item(item));
    let numbers: Vec<String> = erased.map(|(number, _): (usize, _)| number.to_string()).collect();
    (!numbers.is_empty()).then(|| {
        format!(
            "The texts of these items were erased at a person's wish since the task was started, and need no answer: {}.",
            numbers.join(", ")
        )
    })
}

/// Takes out of an answer what it says of items whose texts were erased while their page was open, by their ids.
pub fn forget_erased(answer: &mut Map<String, Value>, input: &Value) {
    let items = input["comprehendPredictions"].as_array().into_iter().flatten();
    for id in items
        .filter(|item| is_erased_item(item))
        .filter_map(|item| item["id"].as_str())
    {
        let is_of = |name: &str| {
            let kind = name.strip_suffix(id);
            kind.is_some_and(|kind| kind.is_empty() || kind.ends_with(':'))
        };
        answer.retain(|name, _| !is_of(name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input() -> Value {
        json!({ "rowCount": 3, "labels": ["World"], "comprehendPredictions": [
            { "id": "a", "utterance": "One" }, { "id": "b", "erased": true }, { "id": "c", "utterance": "Three" },
        ] })
    }

    #[test]
    fn a_page_that_names_items_by_their_ids_leaves_an_erased_one_out_and_another_one_says_its_number() {
        let mut shown = input();

        leave_out_erased(&mut shown);

        assert_eq!(shown["rowCount"], 2);
        let numbers: Vec<usize> = left(&input()).map(|(number, _)| number).collect();
        assert_eq!(numbers, [1, 3]);
        assert_eq!(notice_of_erased(&shown), None);
        assert!(notice_of_erased(&input()).is_some_and(|notice| notice.ends_with("no answer: 2.")));
    }

    #[test]
    fn an_item_without_an_id_keeps_its_place_on_every_page() {
        let mut shown = json!({ "comprehendPredictions": [{ "erased": true }, { "utterance": "Two" }] });
        let before = shown.clone();

        leave_out_erased(&mut shown);

        assert_eq!(shown, before);
    }

    #[test]
    fn what_an_answer_says_of_an_erased_item_is_forgotten() {
        let answer = json!({ "a": "World", "b": "World", "comment:b": "hers", "flag:b": "yes", "crab": "x" });
        let mut answer = answer.as_object().expect("an object").clone();

        forget_erased(&mut answer, &input());

        assert_eq!(Value::Object(answer), json!({ "a": "World", "crab": "x" }));
    }
}
