//! What people are asked: where it holds texts, and what stands in the place of one that was erased.

use serde_json::{Map, Value, json};

use super::ErasedTexts;

/// Members that hold the text that a record, or an item of a human loop, is about.
const RECORD_TEXTS: [&str; 3] = ["utterance", "sentence", "text"];
/// Members that hold the text of a task of others, as the worker task templates of Amazon's name it, or of a line of a manifest.
const TASK_TEXTS: [&str; 3] = ["taskObject", "source", "initialValue"];
/// Members that tell a vote or a record, of which a `source` says where it comes from.
const OF_RECORDS: [&str; 3] = ["worker", "utterance", "sentence"];

/// Member of an item of a human loop that says: its text was erased at a person's wish, and needs no answer.
const ERASED_ITEM: &str = "erased";

/// Returns what stands in the place of an item of a human loop whose text was erased: the other items keep their numbers, by
/// which answers may name them. It keeps its id, if it has one.
pub fn erased_item(item: &Value) -> Value {
    match item.get("id") {
        Some(id) => json!({ "id": id, ERASED_ITEM: true }),
        None => json!({ ERASED_ITEM: true }),
    }
}

/// Returns whether an item of a human loop stands for one whose text was erased.
pub fn is_erased_item(item: &Value) -> bool {
    item.get(ERASED_ITEM) == Some(&Value::Bool(true)) && item.get("utterance").is_none()
}

/// Returns whether a member of this name holds a text in records, and in tasks too.
pub fn is_name_of_text(name: &str) -> bool {
    RECORD_TEXTS.contains(&name)
}

/// Returns whether a member of this name holds a text in tasks that are no records.
pub fn is_name_of_task_text(name: &str) -> bool {
    TASK_TEXTS.contains(&name)
}

/// Returns what a task, or a line of a manifest, is about where it is no record: of an `initialValue` beside another text, which
/// is a label that was chosen before, the other.
pub fn text_of_task(members: &Map<String, Value>) -> Option<&str> {
    if OF_RECORDS.iter().any(|name| members.contains_key(*name)) {
        return None;
    }
    let texts = TASK_TEXTS.iter().filter_map(|name| members.get(*name)?.as_str());
    texts.into_iter().next()
}

/// Returns whether an input of a human loop holds a text that was erased.
pub fn holds_erased(input: &Value, erased: &ErasedTexts) -> bool {
    match input {
        _ if erased.is_empty() => false,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
        Value::Array(values) => values.iter().any(|value| holds_erased(value, erased)),
        Value::Object(members) => {
            let texts = RECORD_TEXTS
                .iter()
                .filter_map(|name| members.get(*name)?.as_str());
            let mut texts = texts.chain(text_of_task(members));
            texts.any(|text| erased.contains(text))
                || members.values().any(|value| holds_erased(value, erased))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_found_in_every_input_and_a_word_that_says_something_else_is_none() {
        let mut erased = ErasedTexts::default();
        for text in ["Import", "I live in Elm Street"] {
            erased.insert(text);
        }
        let text = "i live in elm street!";

        for input in [
            json!({ "comprehendPredictions": [{ "utterance": "Other" }, { "utterance": text }] }),
            json!({ "taskObject": text, "labels": ["World"] }),
            json!({ "initialValue": text }),
            json!({ "source": text }),
            json!({ "question": { "text": text } }),
        ] {
            assert!(holds_erased(&input, &erased), "{input}");
        }
        for input in [
            json!({ "comprehendPredictions": [{ "utterance": "Other", "source": "import" }] }),
            json!({ "taskObject": "Other", "initialValue": "Import", "labels": ["Import"] }),
            json!({ "comprehendPredictions": [erased_item(&json!({ "id": "a", "utterance": text }))] }),
        ] {
            assert!(!holds_erased(&input, &erased), "{input}");
        }
    }

    #[test]
    fn what_stands_for_an_erased_item_keeps_its_id_and_nothing_else() {
        let item = json!({ "id": "a", "utterance": "One", "user": "jane" });

        let erased = erased_item(&item);

        assert_eq!(erased, json!({ "id": "a", "erased": true }));
        assert!(is_erased_item(&erased) && !is_erased_item(&item));
        assert!(is_erased_item(&erased_item(&json!({ "utterance": "One" }))));
    }
}
