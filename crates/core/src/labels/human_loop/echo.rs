//! What a form repeats of the input of its task: it is no answer.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::fields::nested_json;

/// Returns a form in which whatever repeats an item of its task is nothing.
///
/// Templates send their input back beside the answer, often in a hidden field, as JSON: it holds the prediction, which
/// nobody has chosen. An object repeats an item if each of its members is the item's, and the text is among them. What a
/// script made of an item, with an answer in it, is kept.
pub(super) fn without_echoes<'a>(
    content: &'a Map<String, Value>,
    input: &Value,
) -> Cow<'a, Map<String, Value>> {
    let items = input.get("comprehendPredictions").and_then(Value::as_array);
    let items = items.map_or(&[][..], Vec::as_slice);
    let mut cleaned = Cow::Borrowed(content);
    for (name, value) in content {
        if let Some(value) = without(value, items) {
            cleaned.to_mut().insert(name.clone(), value);
        }
    }
    cleaned
}

/// Returns what is left of a value that holds an echo; `None` where it holds none.
fn without(value: &Value, items: &[Value]) -> Option<Value> {
    match value {
        Value::String(text) => without(&nested_json(text)?, items),
        Value::Object(_) if is_echo(value, items) => Some(Value::Null),
        Value::Object(members) => {
            let changed = members
                .iter()
                .filter_map(|(name, value)| Some((name.clone(), without(value, items)?)));
            let changed: Vec<(String, Value)> = changed.collect();
            (!changed.is_empty()).then(|| {
                let mut left = members.clone();
                left.extend(changed);
                Value::Object(left)
            })
        }
        Value::Array(list) => {
            let left: Vec<Option<Value>> = list.iter().map(|value| without(value, items)).collect();
            left.iter().any(Option::is_some).then(|| {
                let pairs = left.into_iter().zip(list);
                Value::Array(
                    pairs
                        .map(|(left, own)| left.unwrap_or_else(|| own.clone()))
                        .collect(),
                )
            })
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

fn is_echo(value: &Value, items: &[Value]) -> bool {
    let Some(members) = value.as_object() else {
        return false;
    };
    let is_part = |part: &Value| {
        let members = part.as_object();
        let is_in = |item: &Value| {
            let is_same = |(name, value): (&String, &Value)| item.get(name) == Some(value);
            members.is_some_and(|members| members.iter().all(is_same))
        };
        items.iter().any(is_in)
    };
    // The input's own name for its items is none that a form gives its answers.
    let repeated = members.get("comprehendPredictions").and_then(Value::as_array);
    repeated.is_some_and(|repeated| repeated.iter().all(is_part))
        || members.contains_key("utterance") && is_part(value)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn cleaned(content: Value) -> Value {
        let item = json!({ "id": "r-1", "utterance": "A text", "prediction": "World", "confidence": 0.5 });
        let input = json!({ "comprehendPredictions": [item], "labels": ["World", "Sports"] });
        let content = content.as_object().expect("a form").clone();
        Value::Object(without_echoes(&content, &input).into_owned())
    }

    #[test]
    fn what_repeats_an_item_or_the_whole_input_is_nothing_in_whatever_it_lies() {
        let item = json!({ "id": "r-1", "utterance": "A text", "prediction": "World", "confidence": 0.5 });
        let part = json!({ "utterance": "A text", "prediction": "World" });
        let whole = json!({ "comprehendPredictions": [{ "id": "r-1", "prediction": "World" }] });
        for echo in [
            item.clone(),
            part,
            whole.clone(),
            json!(item.to_string()),
            json!(whole.to_string()),
        ] {
            assert_eq!(
                cleaned(json!({ "meta": echo, "t": "Sports" })),
                json!({ "meta": null, "t": "Sports" })
            );
            assert_eq!(
                cleaned(json!({ "meta": { "of": [echo] }, "t": "Sports" })),
                json!({ "meta": { "of": [null] }, "t": "Sports" })
            );
        }
    }

    #[test]
    fn an_answer_that_is_written_into_an_item_is_kept() {
        for kept in [
            json!({ "id": "r-1", "utterance": "A text", "prediction": "World", "label": "Sports" }),
            json!({ "utterance": "A text", "prediction": "Sports" }),
            json!({ "id": "r-1", "prediction": "World" }),
            json!("{\"id\":\"r-1\",\"prediction\":\"World\"}"),
            json!({}),
            json!({ "comprehendPredictions": [{ "id": "r-1", "label": "Sports" }] }),
            json!(["World", "Sports"]),
        ] {
            assert_eq!(cleaned(json!({ "answer": kept })), json!({ "answer": kept }));
        }
    }
}
