//! A made-up person who fills a page, in one way and another.

use std::cell::Cell;
use std::collections::BTreeMap;

use active_learning_core::labels::human_loop::{is_answer_word, is_comment_name};
use serde_json::{Map, Value, json};

use super::KnownLabels;
use crate::form::{FormField, Values};

/// What boxes and buttons say that stand for their name.
const AFFIRMATIVE: [&str; 4] = ["on", "true", "yes", "1"];

/// Fills a page in two ways, so that a field that always says the same as another shows.
pub(super) fn made_up_answers(fields: &[FormField], labels: &KnownLabels<'_>) -> Vec<Map<String, Value>> {
    (0..labels.in_order().len().clamp(1, 2))
        .map(|shift| MadeUp::new(labels, Choose::InTurn(shift)).fill(fields))
        .collect()
}

/// How a made-up person chooses.
#[derive(Clone, Copy)]
pub(super) enum Choose {
    /// The label of this place, on the whole page.
    InTurn(usize),
    /// Of each choice another label than of the one before.
    AtOdds,
    /// Of the words that are no labels the one of this place, where a choice has any.
    Other {
        /// The place.
        place: usize,
        /// Whether lists do so, or all other choices.
        of_lists: bool,
    },
}

/// A person who knows the labels only.
pub(super) struct MadeUp<'a> {
    labels: &'a KnownLabels<'a>,
    how: Choose,
    /// Choices made so far.
    made: Cell<usize>,
}

impl<'a> MadeUp<'a> {
    pub(super) fn new(labels: &'a KnownLabels<'a>, how: Choose) -> Self {
        Self {
            labels,
            how,
            made: Cell::new(0),
        }
    }

    pub(super) fn fill(&self, fields: &[FormField]) -> Map<String, Value> {
        let has_choice = fields.iter().any(|field| self.offers_a_label(field));
        let has_other_field = fields.iter().any(|field| !is_comment_name(&field.name));
        let mut groups: BTreeMap<&str, Vec<&FormField>> = BTreeMap::new();
        let mut answer = Map::new();
        for field in fields {
            // Whoever chooses leaves the texts as they are, and they are sent all the same.
            let is_left = has_choice || (has_other_field && is_comment_name(&field.name));
            let value = match &field.values {
                Values::Select(options) => self.choose(options, true).map(Value::from),
                Values::Classifier(options) => {
                    self.choose(options, false).map(|label| json!({ "label": label }))
                }
                Values::MultiClassifier(options) => self
                    .choose(options, false)
                    .map(|label| json!({ "labels": [label] })),
                Values::Hidden(text) if !text.is_empty() => Some(Value::from(text.as_str())),
                Values::Text(text) | Values::Hidden(text) if is_left => Some(Value::from(text.as_str())),
                Values::Text(_) | Values::Hidden(_) => Some(Value::from(self.label())),
                Values::Mark { group, .. } => {
                    let group = group.as_deref().unwrap_or("boxes");
                    groups.entry(group).or_default().push(field);
                    None
                }
            };
            answer.extend(value.map(|value| (field.name.clone(), value)));
        }
        for buttons in groups.values() {
            self.mark(buttons, &mut answer);
        }
        answer
    }

    /// Chooses one of a group of buttons; of boxes one for each name.
    fn mark(&self, buttons: &[&FormField], answer: &mut Map<String, Value>) {
        let is_radio = |button: &FormField| matches!(&button.values, Values::Mark { group: Some(_), .. });
        let options: Vec<String> = buttons.iter().map(|button| self.meant(button)).collect();
        let chosen = self.choose(&options, false);
        let mut done: Vec<&str> = Vec::new();
        for button in buttons {
            let Values::Mark { value, .. } = &button.values else {
                continue;
            };
            let wanted = chosen.as_ref() == Some(&self.meant(button));
            let is_chosen = wanted && !(is_radio(button) && done.contains(&"group"));
            if is_chosen {
                done.push("group");
            }
            let entry = answer.entry(button.name.clone()).or_insert_with(|| json!({}));
            entry[value.as_str()] = json!(is_chosen);
        }
    }

    /// Returns what a box or button says: its value, or the label that its name is where the value says nothing of its own.
    pub(super) fn meant(&self, button: &FormField) -> String {
        match &button.values {
            Values::Mark { value, .. } if !self.is_label(value) && AFFIRMATIVE.contains(&value.as_str()) => {
                button.name.clone()
            }
            Values::Mark { value, .. } => value.clone(),
            _ => button.name.clone(),
        }
    }

    pub(super) fn offers_a_label(&self, field: &FormField) -> bool {
        match &field.values {
            Values::Select(options) | Values::Classifier(options) | Values::MultiClassifier(options) => {
                options.iter().any(|option| self.is_label(option))
            }
            Values::Mark { .. } => self.is_label(&self.meant(field)),
            Values::Text(_) | Values::Hidden(_) => false,
        }
    }

    /// Chooses a label of the task if there is one among the options, or else the first of them; or a word that is none.
    fn choose(&self, options: &[String], is_list: bool) -> Option<String> {
        let labels: Vec<&String> = options.iter().filter(|option| self.is_label(option)).collect();
        let others = self.others(options);
        let shift = match (self.how, others.as_slice()) {
            (Choose::Other { place, of_lists }, [_, ..]) if of_lists == is_list => {
                return Some(others[place % others.len()].clone());
            }
            (Choose::Other { .. }, _) => 0,
            (Choose::InTurn(shift), _) => shift,
            (Choose::AtOdds, _) => self.made.get(),
        };
        if labels.is_empty() {
            return options.first().cloned();
        }
        self.made.set(self.made.get() + 1);
        Some(labels[shift % labels.len()].clone())
    }

    /// Returns the options that are neither labels nor words with a meaning of their own.
    pub(super) fn others(&self, options: &[String]) -> Vec<String> {
        let is_other = |option: &&String| !self.is_label(option) && !is_answer_word(option);
        options.iter().filter(is_other).cloned().collect()
    }

    fn label(&self) -> &str {
        let shift = match self.how {
            Choose::InTurn(shift) => shift,
            Choose::AtOdds | Choose::Other { .. } => 0,
        };
        match self.labels.in_order() {
            [] => "label",
            labels => &labels[shift % labels.len()],
        }
    }

    fn is_label(&self, name: &str) -> bool {
        self.labels.is_label(name)
    }
}
