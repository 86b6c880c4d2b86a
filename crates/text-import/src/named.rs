//! The name of a label that is written as a value of JSON.

use serde_json::Value;

use crate::draft::Fields;

/// Fields of an object that name a label, the surest first.
const NAMES: [&str; 12] = [
    "name",
    "label",
    "category",
    "class",
    "classname",
    "class_name",
    "tag",
    "displayName",
    "title",
    "value",
    "text",
    "id",
];

/// The first of [`NAMES`] that names a label only in an object without others in it: of an annotation it names the
/// annotation.
const FIRST_WEAK: &str = "title";

/// Fields in which the answer to a question stands; the object's own name is that of the question.
const ANSWERS: [&str; 7] = [
    "answer",
    "answers",
    "radio_answer",
    "checklist_answers",
    "text_answer",
    "response",
    "responses",
];

/// Why labels are not read that are objects of which no field names one.
pub(crate) const NAMELESS: &str = "its labels are objects of which no field is known to name the label: write their \
    names, such as \"one\", or [\"one\", \"two\"]";

/// Why labels are not read that are answers to questions.
pub(crate) const QUESTIONS: &str = "its labels are questions with their answers, of an export that is not known: write \
    the names of the labels, such as \"one\", or [\"one\", \"two\"]";

/// Returns whether a field of a label may hold its name.
pub(crate) fn is_label_field(name: &str) -> bool {
    NAMES.contains(&name)
}

/// Returns the name of one label.
pub(crate) fn name(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Number(number) => Some(plain_number(number)),
        Value::Object(fields) => {
            let weak = NAMES.iter().position(|field| *field == FIRST_WEAK);
            let known = match fields.values().any(holds_more) {
                true => &NAMES[..weak.unwrap_or_default()],
                false => &NAMES[..],
            };
            known.iter().find_map(|field| match fields.get(*field) {
                Some(value @ (Value::String(_) | Value::Number(_))) => name(value),
                _ => None,
            })
        }
        Value::Null | Value::Array(_) => None,
    }
}

/// Returns the names of all labels of a list; what is empty is none.
///
/// # Errors
///
/// Why one of them has no name: the others alone would not be what was said of the text.
pub(crate) fn names_of(values: &[Value]) -> Result<Vec<String>, &'static str> {
    let filled = values.iter().filter(|value| !is_nothing(value));
    let named = |value: &Value| match value.as_object() {
        Some(fields) if is_question(fields) => Err(QUESTIONS),
        _ => name(value).ok_or(NAMELESS),
    };
    filled.map(named).collect()
}

/// Returns whether a value says nothing, such as `null`, a blank text or an object without fields.
pub(crate) fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(values) => values.iter().all(is_nothing),
        Value::Object(fields) => fields.values().all(is_nothing),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

fn holds_more(value: &Value) -> bool {
    (value.is_array() || value.is_object()) && !is_nothing(value)
}

fn is_question(fields: &Fields) -> bool {
    let mut answers = ANSWERS.iter().filter_map(|field| fields.get(*field));
    answers.any(|answer| !is_nothing(answer))
}

/// Writes a number as people do: programs write `1.0` for the label `1` as soon as one row has none.
fn plain_number(number: &serde_json::Number) -> String {
    let written = number.to_string();
    match written.strip_suffix(".0") {
        Some(whole) => whole.to_owned(),
        None => written,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::written::Written;

    #[test]
    fn a_label_without_a_name_is_refused_beside_others_and_by_itself() {
        for (value, reason) in [
            (json!(["Billing", {"foo": "bar"}]), NAMELESS),
            (json!([{"foo": "bar"}]), NAMELESS),
            (json!({"foo": {"name": "Billing"}}), NAMELESS),
            (
                json!([{"id": "a1", "annotations": {"topic": "Billing"}}]),
                NAMELESS,
            ),
            (json!([{"id": "a1", "value": {"choices": ["Billing"]}}]), NAMELESS),
            (json!({"World": 3, "Sports": 0}), NAMELESS),
            (
                json!([{"name": "Topic", "answer": {"name": "Billing"}}]),
                QUESTIONS,
            ),
            (
                json!([{"title": "Topic", "answers": [{"title": "Billing"}]}]),
                QUESTIONS,
            ),
        ] {
            assert_eq!(Written::of_value(&value), Err(reason), "{value}");
        }
        for nothing in [json!({}), json!([null, " "]), json!([{}]), json!({"name": null})] {
            assert_eq!(Written::of_value(&nothing), Ok(None), "{nothing}");
        }
    }

    #[test]
    fn an_object_is_called_by_the_field_that_names_labels_most_surely() {
        for (value, expected) in [
            (json!({"text": "It is late", "category": "Delivery"}), "Delivery"),
            (json!({"id": 7, "classname": "Delivery"}), "Delivery"),
            (json!({"id": 7, "color": "#ff0000"}), "7"),
            (
                json!({"id": 7, "name": "Delivery", "parent": {"name": "All"}}),
                "Delivery",
            ),
            (json!({"id": 7, "url": null, "aliases": []}), "7"),
        ] {
            assert_eq!(name(&value).as_deref(), Some(expected), "{value}");
        }
    }
}
