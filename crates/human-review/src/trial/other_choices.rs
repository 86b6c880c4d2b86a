//! Choices of a page that are no labels, beside others that are.

use std::collections::{BTreeMap, BTreeSet};

use active_learning_core::labels::human_loop::answer_word;

use super::{
    Task,
    made_up::{Choose, MadeUp},
};
use crate::form::{Form, FormField, Values};

/// Most choices or labels that are named.
const MAX_NAMED: usize = 5;

/// Returns why a choice would be taken for what nobody meant, if one would: a list that begins with words that are no label, which
/// whoever leaves it as it is would send, or a label that is written in another way.
pub(super) fn why_mistaken(form: &Form, task: &Task<'_>) -> Option<String> {
    why_begun(form, task).or_else(|| why_rewritten(form, task))
}

fn why_begun(form: &Form, task: &Task<'_>) -> Option<String> {
    let made_up = MadeUp::new(&task.labels, Choose::InTurn(0));
    let items = task.items.input_content["comprehendPredictions"].as_array();
    let is_predicted = |word: &str| {
        let mut items = items.into_iter().flatten();
        items.any(|item| item["prediction"].as_str() == Some(word))
    };
    let begins = |(place, word): &(&usize, &String)| {
        let field = &form.fields[**place];
        made_up.offers_a_label(field) && is_other(word, form, task) && !is_predicted(word)
    };
    let (place, word) = form.preselected.iter().find(begins)?;
    let name = &form.fields[*place].name;
    Some(format!(
        "The list `{name}` begins with “{word}”, which is no label: who leaves it as it is would send that as an answer. Give it an \
         empty value: <option value=\"\">{word}</option>."
    ))
}

fn why_rewritten(form: &Form, task: &Task<'_>) -> Option<String> {
    let missing = labels_without_choice(form, task);
    let rewritten = words_beside_labels(form, task).into_iter().find_map(|word| {
        let plain = letters(word);
        let label = missing.iter().find(|label| letters(label) == plain);
        label.filter(|_| !plain.is_empty()).map(|label| (word, *label))
    });
    rewritten.map(|(word, label)| {
        format!(
            "The choice “{word}” is not the label “{label}”, and what is chosen would be another label: its value must be the label as \
             it is called, without a filter that changes it, as in value=\"{{{{ label }}}}\"."
        )
    })
}

/// Says which choices beside labels are none, and which labels no choice names.
pub(super) fn told(form: &Form, task: &Task<'_>) -> Option<String> {
    let words = words_beside_labels(form, task);
    if words.is_empty() {
        return None;
    }
    let missing = labels_without_choice(form, task);
    let missing = match missing.is_empty() {
        true => String::new(),
        false => format!(" No choice names these labels: {}.", named(&missing)),
    };
    Some(format!(
        "What is chosen is kept as a proposed label, and is no answer until somebody accepts it, where it is: {}.{missing}",
        named(&words)
    ))
}

/// Returns the words that are no labels, of lists and groups that offer labels too.
fn words_beside_labels<'a>(form: &'a Form, task: &Task<'_>) -> Vec<&'a str> {
    let mut groups: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (place, field) in form.fields.iter().enumerate() {
        if let Some((group, words)) = choices(place, field) {
            groups.entry(group).or_default().extend(words);
        }
    }
    let mut seen = BTreeSet::new();
    let with_labels = groups
        .into_values()
        .filter(|words| words.iter().any(|word| task.labels.is_label(word)));
    with_labels
        .flatten()
        .filter(|word| is_other(word, form, task) && seen.insert(*word))
        .collect()
}

/// Returns the labels of a task that no choice of its page names, where there are choices.
fn labels_without_choice<'a>(form: &Form, task: &'a Task<'_>) -> Vec<&'a str> {
    let chosen = form
        .fields
        .iter()
        .enumerate()
        .filter_map(|(place, field)| choices(place, field));
    let named: BTreeSet<String> = chosen
        .flat_map(|(_, words)| words)
        .filter_map(|word| task.labels.offered.resolve_by(word, task.labels.set))
        .collect();
    let labels = task.labels.in_order().iter();
    labels
        .filter(|label| !named.contains(*label))
        .map(String::as_str)
        .collect()
}

/// Returns the words of a list or a button, with what tells its group from others.
fn choices(place: usize, field: &FormField) -> Option<(String, Vec<&str>)> {
    match &field.values {
        Values::Select(words) | Values::Classifier(words) | Values::MultiClassifier(words) => Some((
            format!("field {place}"),
            words.iter().map(String::as_str).collect(),
        )),
        Values::Mark {
            value,
            group: Some(group),
        } => {
            let word = if value == "on" { &field.name } else { value };
            Some((format!("buttons {group}"), vec![word.as_str()]))
        }
        Values::Mark { .. } | Values::Text(_) | Values::Hidden(_) => None,
    }
}

/// Returns whether a word is neither a label nor one with a meaning of its own.
fn is_other(word: &str, form: &Form, task: &Task<'_>) -> bool {
    !word.trim().is_empty()
        && !task.labels.is_label(word)
        && answer_word(word).is_none()
        && !form.exclusions.values().any(|exclusion| exclusion == word)
}

/// Returns the letters and digits of a name alone: what filters leave of it.
fn letters(name: &str) -> String {
    let letters = name.chars().filter(|char| char.is_alphanumeric());
    letters.flat_map(char::to_lowercase).collect()
}

fn named(names: &[&str]) -> String {
    let shown: Vec<String> = names
        .iter()
        .take(MAX_NAMED)
        .map(|name| format!("“{name}”"))
        .collect();
    let more = if names.len() > MAX_NAMED { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
}
