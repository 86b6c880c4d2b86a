//! Reading the answer of a reviewer: which labels of the job it names, in any shape that worker task templates produce.
//!
//! Read as the answers to the stack's own tasks are: names are labels however they are spelt, and of several fields those
//! count that choose.

use active_learning_core::feedback::prediction::for_people;
use active_learning_core::labels::human_loop::{
    Answer, ExclusionCategories, NONE_FITS, OfferedLabels, UNSURE, answer_of_one, is_comment_name,
};
use serde_json::{Map, Value};

use super::record::Task;

/// Characters of a word that is no label, as it is named.
const NAMED_CHARS: usize = 100;

/// Why an answer names no label of a job.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unread {
    /// Nothing was entered.
    #[error("No label was chosen")]
    Nothing,
    /// What was entered is another word.
    #[error("“{0}” is no label of this job")]
    NoLabel(String),
    /// The job asks for one label.
    #[error("One label is asked for, and these were chosen: {0}")]
    Several(String),
    /// Several fields say different things.
    #[error("Several fields of the answer say different things")]
    Unclear,
}

/// Reads the labels in an answer, by number. A multi-label answer in which a choice of labels is left empty says that none
/// applies, and so does one in which an exclusion category is chosen.
///
/// # Errors
///
/// [`Unread`].
pub fn labels_in(
    answer: &Map<String, Value>,
    exclusions: &ExclusionCategories,
    labels: &[String],
    task: Task,
) -> Result<Vec<usize>, Unread> {
    let offered = OfferedLabels::new(labels);
    let several = task == Task::MultiLabel;
    match answer_of_one(answer, exclusions, &offered) {
        Some(Answer::Labels { labels: named }) => {
            let number = |name: &String| labels.iter().position(|label| label == name);
            let mut numbers: Vec<usize> = named.iter().filter_map(number).collect();
            numbers.sort_unstable();
            match numbers.len() {
                0 => Err(Unread::NoLabel(shortened(&named.join(", ")))),
                1 => Ok(numbers),
                _ if several => Ok(numbers),
                _ => Err(Unread::Several(shortened(&named.join(", ")))),
            }
        }
        Some(Answer::NoneFits) if several => Ok(Vec::new()),
        Some(Answer::NoneFits) => {
            let word = exclusions.values().next().map_or(NONE_FITS, String::as_str);
            Err(Unread::NoLabel(shortened(word)))
        }
        Some(Answer::Unsure) => Err(Unread::NoLabel(UNSURE.to_owned())),
        Some(Answer::NewLabel { label }) => Err(Unread::NoLabel(shortened(&for_people(&label)))),
        None if several
            && answer
                .iter()
                .any(|(name, value)| is_left_empty(name, value, &offered)) =>
        {
            Ok(Vec::new())
        }
        None => Err(unread(answer)),
    }
}

/// Returns whether a field is a choice of labels in which none is chosen.
fn is_left_empty(name: &str, value: &Value, offered: &OfferedLabels) -> bool {
    let is_label = |name: &str| offered.resolve(name).is_some();
    let is_off = |mark: &Value| *mark.get("on").unwrap_or(mark) == Value::Bool(false);
    match value {
        Value::Array(names) => names.is_empty(),
        Value::Object(members) => match members.get("labels") {
            Some(Value::Array(names)) => names.is_empty(),
            _ if is_label(name) && is_off(value) => true,
            _ => members.keys().any(|name| is_label(name)) && members.values().all(is_off),
        },
        mark => is_label(name) && is_off(mark),
    }
}

/// Says what was entered instead of a label.
fn unread(answer: &Map<String, Value>) -> Unread {
    let mut entered = Vec::new();
    for (name, value) in answer.iter().filter(|(name, _)| !is_comment_name(name)) {
        collect(name, value, &mut entered);
    }
    entered.dedup();
    match entered.as_slice() {
        [] => Unread::Nothing,
        [one] => Unread::NoLabel(shortened(one)),
        _ => Unread::Unclear,
    }
}

fn collect(name: &str, value: &Value, entered: &mut Vec<String>) {
    match value {
        Value::String(text) if !text.trim().is_empty() => entered.push(text.trim().to_owned()),
        Value::Bool(true) => entered.push(name.to_owned()),
        Value::Array(values) => values.iter().for_each(|value| collect(name, value, entered)),
        Value::Object(members) => {
            members
                .iter()
                .for_each(|(name, value)| collect(name, value, entered));
        }
        _ => {}
    }
}

fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(NAMED_CHARS).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn labels() -> Vec<String> {
        ["World", "Sports", "Business"].map(str::to_owned).to_vec()
    }

    fn labels_in(answer: &Value, labels: &[String], task: Task) -> Result<Vec<usize>, Unread> {
        let none = ExclusionCategories::new();
        super::labels_in(answer.as_object().expect("an object"), &none, labels, task)
    }

    #[test]
    fn a_label_is_read_whatever_field_a_template_gives_it_and_however_it_is_spelt() {
        for answer in [
            json!({"crowd-classifier": {"label": "Sports"}}),
            json!({"label": {"label": " sPORTS\u{a0}"}}),
            json!({"tone": "Sports", "comment": "x"}),
            json!({"comment": "x", "tone": "sports"}),
            json!({"topic": {"Sports": {"on": true}, "World": {"on": false}}}),
            json!({"topic": {"Sports": true, "World": false}}),
            json!({"label": {"label": {"Sports": true, "World": false}}}),
            json!({"Sports": true, "World": false}),
            json!({"Sports": {"on": true}, "World": {"on": false}}),
            json!({"topic": ["Sports"]}),
        ] {
            assert_eq!(
                labels_in(&answer, &labels(), Task::SingleLabel),
                Ok(vec![1]),
                "{answer}"
            );
        }
    }

    #[test]
    fn what_names_no_label_is_told_by_what_was_entered() {
        let no_label = |name: &str| Unread::NoLabel(name.to_owned());
        for (answer, why) in [
            (json!({}), Unread::Nothing),
            (json!({"label": {"label": " "}}), Unread::Nothing),
            (json!({"x": 1}), Unread::Nothing),
            (json!({"World": false, "Sports": false}), Unread::Nothing),
            (json!({"x": "Weather"}), no_label("Weather")),
            (json!({"label": {"label": "Nonsense"}}), no_label("Nonsense")),
            (json!({"label": {"label": "__unsure__"}}), no_label("__unsure__")),
            (json!({"on": true}), no_label("on")),
            (
                json!({"x": ["World", "Sports"]}),
                Unread::Several("Sports, World".to_owned()),
            ),
            (json!({"a": "World", "b": "Sports"}), Unread::Unclear),
        ] {
            assert_eq!(
                labels_in(&answer, &labels(), Task::SingleLabel),
                Err(why),
                "{answer}"
            );
        }
        let long = json!({"label": {"label": "x".repeat(1_000)}});
        let why = labels_in(&long, &labels(), Task::SingleLabel).expect_err("no label");
        assert!(why.to_string().len() < 200, "{why}");
    }

    #[test]
    fn a_multi_label_answer_may_say_that_none_applies() {
        let read = |answer: Value| labels_in(&answer, &labels(), Task::MultiLabel);

        assert_eq!(
            read(json!({"c": {"labels": ["business", "World"]}})),
            Ok(vec![0, 2])
        );
        assert_eq!(read(json!({"World": true, "Sports": true})), Ok(vec![0, 1]));
        let marks = json!({"World": {"on": false}, "Sports": {"on": false}});
        for none in [
            json!({"c": {"labels": []}}),
            json!({"comment": "x", "topic": marks}),
            json!({"World": false, "Sports": false}),
            json!({"World": {"on": false}}),
            json!({"c": {"label": "None of these"}}),
        ] {
            assert_eq!(read(none.clone()), Ok(vec![]), "{none}");
        }
        assert_eq!(read(json!({})), Err(Unread::Nothing));
    }

    #[test]
    fn a_field_without_a_label_hides_none_of_a_multi_label_answer() {
        let read = |answer: Value| labels_in(&answer, &labels(), Task::MultiLabel);

        for answer in [
            json!({"comment": "x", "topic": ["Sports"]}),
            json!({"a": [], "topic": ["Sports"]}),
            json!({"flags": {"urgent": {"on": true}}, "topic": {"labels": ["Sports"]}}),
        ] {
            assert_eq!(read(answer.clone()), Ok(vec![1]), "{answer}");
        }
        for answer in [
            json!({"comment": "x"}),
            json!({"topic": ["Weather"]}),
            json!({"topic": ["Sports", "Weather"]}),
            json!({"flags": {"urgent": {"on": false}}}),
        ] {
            assert!(read(answer.clone()).is_err(), "{answer}");
        }
    }
}
