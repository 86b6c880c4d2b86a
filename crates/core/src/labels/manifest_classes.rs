//! The classes that a label of an augmented manifest names.
//!
//! Source: Amazon SageMaker Ground Truth, "Output data". Other tools write numbers as classes, and the map of all classes
//! beside each label.

use serde_json::{Map, Value};

/// Returns the classes that a label's metadata name, in the order of the map where there is one; none where they name
/// neither a class nor a map. `value` is what the label attribute holds: where a map has more classes than the label, it
/// says which of them are meant.
pub fn classes_of_label(metadata: &Value, value: Option<&Value>) -> Option<Vec<String>> {
    if let Some(class) = metadata.get("class-name").and_then(word) {
        return Some(vec![class]);
    }
    let map = metadata.get("class-map")?.as_object()?;
    let mut chosen: Vec<(&String, &Value)> = match value.and_then(|value| chosen(map, value)) {
        Some(numbers) => {
            let is_chosen = |(number, _): &(&String, &Value)| numbers.contains(number);
            map.iter().filter(is_chosen).collect()
        }
        None => map.iter().collect(),
    };
    chosen.sort_by_key(|(number, _)| (number.parse::<u64>().ok(), number.as_str()));
    Some(chosen.into_iter().filter_map(|(_, class)| word(class)).collect())
}

/// Returns the keys of a map that a label's value chooses; none where it chooses by something else.
fn chosen<'m>(map: &'m Map<String, Value>, value: &Value) -> Option<Vec<&'m String>> {
    let key = |number: &Value| {
        let number = word(number)?;
        map.keys().find(|key| **key == number)
    };
    match value {
        Value::Array(numbers) => numbers.iter().map(key).collect(),
        number => Some(vec![key(number)?]),
    }
}

/// Returns a word, which may be written as a number.
fn word(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_class_is_read_as_text_and_as_number_and_of_a_map_those_that_the_label_chooses() {
        let all = json!({ "10": "loud", "0": "glad", "2": "sad" });
        let classes = |metadata: Value, value: Value| classes_of_label(&metadata, Some(&value));
        let names = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());

        assert_eq!(classes(json!({ "class-name": "5" }), json!(4)), names(&["5"]));
        assert_eq!(classes(json!({ "class-name": 5 }), json!(4)), names(&["5"]));
        for (value, expected) in [
            (json!([0, 10]), names(&["glad", "loud"])),
            (json!(["10", "0"]), names(&["glad", "loud"])),
            (json!([]), names(&[])),
            (json!(2), names(&["sad"])),
            (json!("2"), names(&["sad"])),
            (json!(["glad"]), names(&["glad", "sad", "loud"])),
            (json!(null), names(&["glad", "sad", "loud"])),
        ] {
            assert_eq!(
                classes(json!({ "class-map": all }), value.clone()),
                expected,
                "{value}"
            );
        }
        assert_eq!(
            classes(json!({ "class-map": { "0": 1 } }), json!([0])),
            names(&["1"])
        );
        assert_eq!(classes(json!({ "failure-reason": "x" }), json!(1)), None);
    }
}
