//! Reading a reviewer's answer from the submitted form, and checking it against the task.

use std::collections::BTreeSet;

use active_learning_core::labels::{
    human_loop::{COMMENT_OF, FLAG_OF, is_answer_word},
    label_key::label_key,
    label_set::can_be_proposed,
};
use serde_json::{Map, Value};

use crate::choices::MAX_PROPOSAL_BYTES;
use crate::erased_items::left;

/// Begins the names of form fields that are the portal's own.
const OWN_FIELDS: &str = "portal:";
/// What the page's script puts together.
const SCRIPTS_ANSWER: &str = "portal:answer";
/// Longest comment on an item, in bytes of JSON.
const MAX_COMMENT_BYTES: usize = 8_192;
/// Why an answer is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// The answer that the page's script put together is not a JSON object.
    #[error("the answer is not a JSON object")]
    NotAnObject,
    /// No item has an answer.
    #[error("no item has an answer")]
    Incomplete,
    /// A new label is longer than a label may be.
    #[error("a new label is too long")]
    TooLong,
    /// A new label holds a line break, a character that cannot be seen, or one that turns the direction of what follows.
    #[error("a new label can be none")]
    NoLabel,
    /// A comment is longer than `MAX_COMMENT_BYTES`.
    #[error("a comment is too long")]
    CommentTooLong,
    /// Something was entered, and no field of it can be matched to an item.
    #[error("no field of the answer can be matched to an item")]
    Unreadable,
    /// One field names a label, and says that none fits or that its reviewer cannot tell.
    #[error("an answer names a label and says that none can be told")]
    Contradiction,
    /// Without the page's script, the text of this number is answered by what the page does not offer.
    #[error("the answer to text {0} is none of the labels")]
    NotOfList(usize),
    /// The name of a new label joins labels of the set with others, so that it could not be accepted.
    #[error("a new label joins labels")]
    JoinsLabels,
    /// Several fields say different things about one item.
    #[error("several fields of the answer say different things")]
    Ambiguous,
    /// It says that the prediction is not right, and not which label is.
    #[error("the answer denies the prediction and names no other label")]
    Denied,
}

/// Returns the answer that the page's script put together or, without a script, the plain form fields: several of one
/// name are a list.
///
/// # Errors
///
/// [`AnswerError::NotAnObject`].
pub fn read_answer(fields: &[(String, String)]) -> Result<Map<String, Value>, AnswerError> {
    if let Some((_, answer)) = fields.iter().find(is_scripts_answer) {
        return serde_json::from_str(answer).map_err(|_| AnswerError::NotAnObject);
    }
    let mut answer = Map::new();
    let fields = fields.iter().filter(|(name, _)| !name.starts_with(OWN_FIELDS));
    for (name, value) in fields {
        let value = Value::from(value.as_str());
        match answer.get_mut(name) {
            None => drop(answer.insert(name.clone(), value)),
            Some(Value::Array(values)) => values.push(value),
            Some(one) => *one = Value::Array(vec![one.take(), value]),
        }
    }
    Ok(answer)
}

/// Returns whether the page's script put the answer together.
pub fn is_by_script(fields: &[(String, String)]) -> bool {
    fields.iter().any(|field| is_scripts_answer(&field))
}

fn is_scripts_answer((name, answer): &&(String, String)) -> bool {
    name == SCRIPTS_ANSWER && !answer.is_empty()
}

/// Checks an answer of the shipped template: a label of the task, a word with a meaning of its own or a new
/// label, for one item at least.
///
/// A blank item does not reject the others of its page: it stays open, and is asked again.
///
/// # Errors
///
/// [`AnswerError::Contradiction`], [`AnswerError::Incomplete`], [`AnswerError::TooLong`], [`AnswerError::NoLabel`],
/// [`AnswerError::CommentTooLong`].
pub fn check_shipped_answer(input: &Value, answer: &Map<String, Value>) -> Result<(), AnswerError> {
    let items = input["comprehendPredictions"].as_array();
    let names: Vec<String> = match items {
        None => answer.keys().cloned().collect(),
        Some(_) => left(input).map(|(number, item)| field_of(item, number)).collect(),
    };
    let labels = input["labels"].as_array().map(Vec::as_slice).unwrap_or_default();
    let is_new = |given: &&Value| !labels.contains(given);

    if names
        .iter()
        .filter_map(|name| answer.get(name))
        .any(contradicts_itself)
    {
        return Err(AnswerError::Contradiction);
    }
    let given = names.iter().filter_map(|name| answer.get(name)).flat_map(each);
    let given: Vec<&Value> = given.filter(|value| !is_blank(value)).collect();
    if given.is_empty() {
        return Err(AnswerError::Incomplete);
    }
    given
        .into_iter()
        .filter(is_new)
        .filter_map(Value::as_str)
        .try_for_each(check_proposal)?;
    let mut comments = answer.iter().filter(|(name, _)| name.starts_with(COMMENT_OF));
    if comments.any(|(_, comment)| comment.to_string().len() > MAX_COMMENT_BYTES) {
        return Err(AnswerError::CommentTooLong);
    }
    Ok(())
}

/// Returns whether an answer says that no label fits, or that its reviewer cannot tell, and names a label as well.
fn contradicts_itself(value: &Value) -> bool {
    let words: BTreeSet<String> = each(value)
        .iter()
        .filter_map(Value::as_str)
        .map(label_key)
        .collect();
    words.len() > 1 && words.iter().any(|word| is_answer_word(word))
}

/// Returns whether an answer leaves something blank that another before it does not.
pub fn leaves_blank(answer: &Map<String, Value>, before: &Map<String, Value>) -> bool {
    let is_note = |name: &str| name.starts_with(COMMENT_OF) || name.starts_with(FLAG_OF);
    before
        .iter()
        .any(|(name, said)| !is_note(name) && !says_nothing(Some(said)) && says_nothing(answer.get(name)))
}

/// Has an answer say what another before it says of the items that it leaves blank, in the fields that are called by them.
///
/// What is said beside an answer goes with it, as far as nothing else is said there now. A text that was erased stays out.
pub fn keep_unanswered(answer: &mut Map<String, Value>, before: &Map<String, Value>, input: &Value) {
    for (number, item) in left(input) {
        let field = field_of(item, number);
        if !says_nothing(answer.get(&field)) || says_nothing(before.get(&field)) {
            continue;
        }
        for name in ["", COMMENT_OF, FLAG_OF].map(|kind| format!("{kind}{field}")) {
            if let Some(said) = before.get(&name).filter(|_| says_nothing(answer.get(&name))) {
                answer.insert(name, said.clone());
            }
        }
    }
}

/// Returns whether nothing was chosen or entered.
fn says_nothing(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::String(text)) => label_key(text).is_empty(),
        Some(Value::Array(values)) => values.iter().all(|value| says_nothing(Some(value))),
        Some(Value::Bool(_) | Value::Number(_) | Value::Object(_)) => false,
    }
}

/// Checks the name of a new label, which must be one that could be accepted.
///
/// # Errors
///
/// [`AnswerError::TooLong`], [`AnswerError::NoLabel`].
pub fn check_proposal(name: &str) -> Result<(), AnswerError> {
    let name = name.trim();
    match is_answer_word(name) || can_be_proposed(name) {
        true => Ok(()),
        false if name.len() > MAX_PROPOSAL_BYTES => Err(AnswerError::TooLong),
        false => Err(AnswerError::NoLabel),
    }
}

/// Returns the labels of a value: one, or several of a multi-label classifier.
fn each(value: &Value) -> &[Value] {
    match value {
        Value::Array(labels) => labels,
        one => std::slice::from_ref(one),
    }
}

/// Returns the name of the field with the answer to an item.
pub(crate) fn field_of(item: &Value, number: usize) -> String {
    item["id"]
        .as_str()
        .map_or_else(|| format!("item-{number}"), str::to_owned)
}

fn is_blank(value: &Value) -> bool {
    value.as_str().is_none_or(|text| label_key(text).is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn form(fields: &[(&str, &str)]) -> Vec<(String, String)> {
        fields
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn a_label_and_that_none_fits_contradict_one_another() {
        let input = json!({ "comprehendPredictions": [{ "id": "r-1", "utterance": "A text" }], "labels": ["World", "Sports"] });
        let check = |said: Value| {
            let answer = json!({ "r-1": said });
            check_shipped_answer(&input, answer.as_object().expect("an answer"))
        };

        for word in ["__none__", "__unsure__"] {
            assert_eq!(check(json!(["World", word])), Err(AnswerError::Contradiction));
            assert_eq!(check(json!([word])), Ok(()));
        }
        assert_eq!(check(json!(["World", "Sports"])), Ok(()));
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
    fn several_fields_of_one_name_are_several_labels() {
        let plain = form(&[
            ("a", "Billing"),
            ("b", "Login"),
            ("a", "Delivery"),
            ("a", "Other"),
        ]);

        assert_eq!(
            Value::Object(read_answer(&plain).expect("fields")),
            json!({ "a": ["Billing", "Delivery", "Other"], "b": "Login" })
        );
    }

    #[test]
    fn what_is_left_blank_stays_as_it_was_with_what_is_said_beside_it_but_for_texts_that_were_erased() {
        let input = json!({ "comprehendPredictions": [
            { "id": "a" }, { "id": "b", "erased": true }, { "text": "no id" }, { "id": "d" }, { "id": "e" },
        ] });
        let before = json!({
            "a": "World", "comment:a": "sure", "flag:a": "yes", "b": "World", "item-3": ["Sports"], "d": "Sports",
            "comment:d": "old", "e": "Sports", "flag:e": "yes", "other": "x",
        });
        let mut answer =
            json!({ "a": " ", "comment:a": "really", "item-3": [], "d": "World", "e": { "label": "World" } });

        let (answer, before) = (answer.as_object_mut().expect("an object"), before.as_object());
        let before = before.expect("an object");
        assert!(leaves_blank(answer, before));
        keep_unanswered(answer, before, &input);

        let expected = json!({
            "a": "World", "comment:a": "really", "flag:a": "yes", "item-3": ["Sports"], "d": "World",
            "e": { "label": "World" },
        });
        assert_eq!(Value::Object(answer.clone()), expected);
        let all = json!({ "a": "1", "b": "2", "item-3": "3", "d": "4", "e": "5", "other": "6" });
        assert!(!leaves_blank(all.as_object().expect("an object"), before));
    }

    #[test]
    fn a_page_needs_one_answer_and_a_blank_item_does_not_reject_the_others() {
        let input = json!({ "labels": ["World", "Sports"], "comprehendPredictions": [{ "id": "a" }, { "text": "no id" }] });
        let check = |answer: Value| check_shipped_answer(&input, answer.as_object().expect("an object"));

        assert_eq!(check(json!({ "a": "World", "item-2": "__none__" })), Ok(()));
        assert_eq!(check(json!({ "a": "World", "item-2": "" })), Ok(()));
        assert_eq!(check(json!({ "item-2": "__unsure__" })), Ok(()));
        assert_eq!(check(json!({ "item-2": "Weather" })), Ok(()));
        for nothing in [json!({}), json!({ "a": " " }), json!({ "other": "World" })] {
            assert_eq!(check(nothing), Err(AnswerError::Incomplete));
        }
        let erased = json!({ "comprehendPredictions": [{ "id": "a", "erased": true }, { "text": "no id" }] });
        let of_erased = json!({ "a": "World" });
        let of_erased = of_erased.as_object().expect("an object");
        assert_eq!(
            check_shipped_answer(&erased, of_erased),
            Err(AnswerError::Incomplete)
        );
        assert_eq!(check(json!({ "a": "x".repeat(5_000) })), Ok(()));
        assert_eq!(
            check(json!({ "a": "x".repeat(5_001) })),
            Err(AnswerError::TooLong)
        );
        for none in ["a\nb", "a\u{7}b", "a\u{2028}b", "\u{202e}evil"] {
            assert_eq!(check(json!({ "a": none })), Err(AnswerError::NoLabel), "{none:?}");
        }
    }
}
