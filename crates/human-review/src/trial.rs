//! Trying a worker task template with a made-up answer, before anybody works for nothing.

mod made_up;
mod order;
mod other_choices;

use std::collections::{BTreeMap, BTreeSet};

use active_learning_core::labels::human_loop::{
    Answer, ExclusionCategories, FormReading, HumanLoopOutput, InvalidOutput, OfferedLabels, is_answer_word,
};
use active_learning_core::labels::label_set::LabelSet;
use active_learning_core::labels::says_no::says_no;
use serde_json::{Map, Value, json};

use crate::answer::{AnswerError, check_proposal};
use crate::form::{Form, FormField, Values, read_form};
use made_up::{Choose, MadeUp, made_up_answers};
pub(crate) use order::{marked, told_of_unseen, why_at_odds};

/// Longest list of items that a notice names.
const MAX_NAMED_ITEMS: usize = 5;

/// Words that are no labels of which so many are tried, of each choice.
const MAX_TRIED_WORDS: usize = 20;

/// Told of a page whose choices are other words than the labels, such as numbers.
const OTHER_CHOICES: &str = "No choice of this page is a label of the task: what is chosen is kept as a proposed label, \
    and is no answer until somebody accepts it.";

/// What the trial of a page found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Trial {
    /// What the reviewer should know, one sentence each.
    pub notices: Vec<String>,
    /// Whether an answer of this page could not be matched: then it must not be sent.
    pub is_withheld: bool,
    /// Whether there are choices, and none of them is a label: every answer is a proposal.
    pub proposes_only: bool,
}

impl Trial {
    /// Returns whether its answers can be labels.
    pub fn works(&self) -> bool {
        !self.is_withheld && !self.proposes_only
    }

    /// Notes what the items of a task make of a page with these fields; returns why its answer could not be read.
    fn try_items(&mut self, form: &Form, task: &Task<'_>) -> Option<String> {
        let fields = &form.fields[..];
        let mut problem = unmatched(fields, task);
        if problem.is_none() && offers_other_words(fields, &task.labels) {
            self.notices.push(OTHER_CHOICES.to_owned());
            self.proposes_only = true;
        } else if problem.is_none() {
            problem = other_choices::why_mistaken(form, task);
            let told = || told_of_lists(fields, task).or_else(|| other_choices::told(form, task));
            self.notices.extend(problem.is_none().then(told).flatten());
        }
        problem
    }
}

/// The labels of a task, by which a choice is looked at.
struct KnownLabels<'a> {
    offered: OfferedLabels,
    set: Option<&'a LabelSet>,
}

impl KnownLabels<'_> {
    fn in_order(&self) -> &[String] {
        self.offered.in_order()
    }

    fn is_label(&self, name: &str) -> bool {
        self.offered.resolve_by(name, self.set).is_some()
    }
}

/// A task of which a page is tried, whatever is predicted.
struct Task<'a> {
    items: HumanLoopOutput,
    labels: KnownLabels<'a>,
}

impl<'a> Task<'a> {
    fn new(items: HumanLoopOutput, set: Option<&'a LabelSet>) -> Self {
        let offered = items.offered_labels();
        Self {
            items: items.whatever_is_predicted(),
            labels: KnownLabels { offered, set },
        }
    }

    /// Reads a made-up answer.
    fn read(&self, answer: &Map<String, Value>) -> FormReading {
        self.items
            .read_form(answer, &ExclusionCategories::new(), self.labels.set)
    }
}

/// Tries a page that was rendered for an input: whether an answer of it could be read for each item.
///
/// Of an input that is not of our kind only the presence of a field is looked at: who started it reads its
/// answer.
///
/// Choices may be called by any name that a label has in the set: an answer by an earlier name is the label's.
pub fn try_page(html: &str, input: &Value, set: Option<&LabelSet>) -> Trial {
    let form = read_form(html);
    let mut trial = Trial::default();
    if !form.unknown_elements.is_empty() && !form.fields.is_empty() {
        let names: Vec<&str> = form.unknown_elements.iter().map(String::as_str).collect();
        let names = names.join(", ");
        let sentence = format!("This page uses elements that this portal does not have: {names}.");
        trial.notices.push(sentence);
    }
    let without_field = form
        .why_without_field()
        .map(|why| format!("This page has {why}."));
    let mut problem = without_field;
    if problem.is_none() && input.get("comprehendPredictions").is_some() {
        match HumanLoopOutput::unanswered(input.clone()) {
            Ok(items) => problem = trial.try_items(&form, &Task::new(items, set)),
            Err(reason @ InvalidOutput::Item { .. }) => trial.notices.push(not_collected(&reason)),
            Err(_) => problem = Some("The items of this task cannot be read.".to_owned()),
        }
    }
    trial.is_withheld = problem.is_some();
    trial.notices.extend(problem);
    trial
}

/// Says that the answer to a task of items that are none of ours is only for who started it.
fn not_collected(reason: &InvalidOutput) -> String {
    format!("The answer to this task becomes no label: {reason}. It is kept for who started the task.")
}

/// Returns whether all that a page asks for is to choose from categories of which there are none: an input without the
/// labels that the template refers to makes such a page. What a script may fill in is no such field.
pub(crate) fn has_no_choice(html: &str) -> bool {
    let fields = read_form(html).fields;
    let is_without = |field: &FormField| match &field.values {
        Values::Classifier(words) | Values::MultiClassifier(words) => words.is_empty(),
        Values::Select(_) | Values::Mark { .. } | Values::Text(_) | Values::Hidden(_) => false,
    };
    !fields.is_empty() && fields.iter().all(is_without)
}

/// Returns why an answer of a page about one text could name none of these labels, if none could; of no labels, whether
/// there is anything to answer with.
pub(crate) fn why_unreadable(html: &str, labels: &[String]) -> Option<String> {
    let form = read_form(html);
    if let Some(why) = form.why_without_field() {
        return Some(format!("it has {why}"));
    }
    let fields = form.fields;
    if labels.is_empty() {
        return None;
    }
    let item = json!({ "classifier": "trial", "utterance": "text" });
    let input = json!({ "comprehendPredictions": [item], "labels": labels });
    let items = HumanLoopOutput::unanswered(input).expect("the item is a record");
    let task = Task::new(items, None);
    if offers_other_words(&fields, &task.labels) {
        return Some("none of its choices is a label of the job".to_owned());
    }
    let at_odds = MadeUp::new(&task.labels, Choose::AtOdds).fill(&fields);
    let in_turn = made_up_answers(&fields, &task.labels);
    if !missing_items(&in_turn, &task).is_empty() {
        return Some("what is chosen or entered in it cannot be read as a label".to_owned());
    }
    if !missing_items(&[at_odds], &task).is_empty() {
        return Some(
            "several of its fields choose a label, and it cannot be told which one counts".to_owned(),
        );
    }
    if !unheard_items(&in_turn, &fields, &task).is_empty() {
        return Some(
            "the label that is read is the same whatever is chosen: another field names it".to_owned(),
        );
    }
    None
}

/// Checks that the answer of a page, in which these exclusion categories are chosen, says something about an item of the task,
/// by the rule and the labels by which it is collected; of an input that is not of our kind everything is taken.
///
/// # Errors
///
/// [`AnswerError::Unreadable`] when something was entered that cannot be matched, [`AnswerError::Ambiguous`] when several
/// fields say different things, [`AnswerError::Denied`] when it only says that the prediction is not right,
/// [`AnswerError::Incomplete`] when nothing was entered; those of [`check_proposal`].
pub fn check_answer(
    answer: &Map<String, Value>,
    exclusions: &ExclusionCategories,
    input: &Value,
    set: Option<&LabelSet>,
) -> Result<(), AnswerError> {
    let Ok(task) = HumanLoopOutput::unanswered(input.clone()) else {
        return Ok(());
    };
    let reading = task.read_form(answer, exclusions, set);
    if reading.is_denial {
        return Err(AnswerError::Denied);
    }
    if reading.is_unreadable {
        let is_read = |(name, value): &(&String, &Value)| {
            let alone = Map::from_iter([((*name).clone(), (*value).clone())]);
            task.read_form(&alone, exclusions, set).says_something()
        };
        return Err(match answer.iter().filter(is_read).take(2).count() {
            0 => AnswerError::Unreadable,
            _ => AnswerError::Ambiguous,
        });
    }
    if !reading.says_something() {
        return Err(AnswerError::Incomplete);
    }
    let answers = reading.answers.values().flatten();
    let proposals = answers.filter_map(|answer| match answer {
        Answer::NewLabel { label } => Some(label),
        Answer::Labels { .. } | Answer::NoneFits | Answer::Unsure => None,
    });
    proposals.into_iter().try_for_each(|label| check_proposal(label))
}

/// Says of the first of some made-up answers that cannot be read which items it leaves open, and why.
fn unmatched(fields: &[FormField], task: &Task<'_>) -> Option<String> {
    let in_turn = made_up_answers(fields, &task.labels);
    let missing = missing_items(&in_turn, task);
    if !missing.is_empty() {
        let reason =
            "no field of this page can be matched to them, by id or by number, or others contradict it";
        return Some(not_read(&missing, reason));
    }
    let at_odds = MadeUp::new(&task.labels, Choose::AtOdds).fill(fields);
    let missing = missing_items(&[at_odds], task);
    if !missing.is_empty() {
        let reason =
            "several fields choose a label, and where they differ it cannot be told which one counts";
        return Some(not_read(&missing, reason));
    }
    let unread = unread_word(fields, task, false)
        .map(|(missing, word)| not_read(&missing, &format!("where {word} is chosen, no label is meant")));
    unread.or_else(|| {
        let unheard = unheard_items(&in_turn, fields, task);
        let reason = "whatever is chosen, the label that is read is the same, since another field of this page says it: a field that \
            is filled before anybody chooses must not name a label";
        (!unheard.is_empty()).then(|| not_read(&unheard, reason))
    })
}

/// Returns the items of which a label is read that does not depend on what is chosen, by number: where the choices alone say
/// one label and then another of an item, or where a choice says nothing but whether something is right. What else there is,
/// a script may fill in.
fn unheard_items(answers: &[Map<String, Value>], fields: &[FormField], task: &Task<'_>) -> Vec<usize> {
    let [one, other] = answers else {
        return Vec::new();
    };
    let choices: BTreeSet<&str> = choices_of(fields).map(|field| field.name.as_str()).collect();
    let chosen = |answer: &Map<String, Value>| -> Map<String, Value> {
        let chosen = answer.iter().filter(|(name, _)| choices.contains(name.as_str()));
        chosen
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    };
    let whole = (task.read(one), task.read(other));
    let alone = (task.read(&chosen(one)), task.read(&chosen(other)));
    let judges = has_verdict(fields, &task.labels);

    let is_unheard = |number: &usize| {
        let is_same = said(&whole.0, *number).is_some_and(|label| said(&whole.1, *number) == Some(label));
        is_same
            && match (said(&alone.0, *number), said(&alone.1, *number)) {
                (None, None) => judges,
                (one, other) => one != other,
            }
    };
    whole.0.answers.keys().copied().filter(is_unheard).collect()
}

/// Returns the label that is read of an item.
fn said(reading: &FormReading, number: usize) -> Option<&Answer> {
    let answer = reading.answer(number);
    answer.filter(|answer| matches!(answer, Answer::Labels { .. } | Answer::NewLabel { .. }))
}

/// Returns the lists and the buttons of a page, of which one of some is chosen.
fn choices_of(fields: &[FormField]) -> impl Iterator<Item = &FormField> {
    fields.iter().filter(|field| match &field.values {
        Values::Select(_) | Values::Classifier(_) | Values::MultiClassifier(_) => true,
        Values::Mark { group, .. } => group.is_some(),
        Values::Text(_) | Values::Hidden(_) => false,
    })
}

/// Returns whether a choice of a page denies something: then what another field says is not the answer. What is a label itself
/// denies nothing.
fn has_verdict(fields: &[FormField], labels: &KnownLabels<'_>) -> bool {
    let denies = |word: &str| says_no(word) && !labels.is_label(word);
    choices_of(fields).any(|field| match &field.values {
        Values::Select(words) | Values::Classifier(words) | Values::MultiClassifier(words) => {
            words.iter().any(|word| denies(word))
        }
        Values::Mark { value, .. } => denies(value) || denies(&field.name),
        Values::Text(_) | Values::Hidden(_) => false,
    })
}

/// Says of a list that holds a word besides its labels which is no answer: whoever chooses it is told so, and may choose
/// another.
fn told_of_lists(fields: &[FormField], task: &Task<'_>) -> Option<String> {
    let (_, word) = unread_word(fields, task, true)?;
    Some(format!(
        "An answer is not taken where {word} is chosen, since it is no label; in a field named `label` it is kept as a proposed one."
    ))
}

/// Returns the first words besides labels, of lists or of buttons, with which an answer cannot be read, and the items that it
/// leaves open.
fn unread_word(fields: &[FormField], task: &Task<'_>, of_lists: bool) -> Option<(Vec<usize>, String)> {
    let others = other_words(fields, &task.labels, of_lists);
    let most = others.iter().map(Vec::len).max().unwrap_or_default();
    (0..most.min(MAX_TRIED_WORDS)).find_map(|place| {
        let answer = MadeUp::new(&task.labels, Choose::Other { place, of_lists }).fill(fields);
        let missing = missing_items(&[answer], task);
        let chosen = others.iter().map(|words| &words[place % words.len()]);
        let chosen: Vec<String> = chosen.map(|word| format!("“{word}”")).collect();
        (!missing.is_empty()).then(|| (missing, chosen.join(", ")))
    })
}

/// Returns the items of which some answers say nothing, by number.
fn missing_items(answers: &[Map<String, Value>], task: &Task<'_>) -> Vec<usize> {
    let missing: BTreeSet<usize> = answers
        .iter()
        .flat_map(|answer| task.read(answer).open().collect::<Vec<_>>())
        .collect();
    missing.into_iter().collect()
}

fn not_read(missing: &[usize], reason: &str) -> String {
    let named: Vec<String> = missing
        .iter()
        .take(MAX_NAMED_ITEMS)
        .map(usize::to_string)
        .collect();
    let more = if missing.len() > MAX_NAMED_ITEMS {
        ", …"
    } else {
        ""
    };
    format!(
        "An answer to these items could not be read: {}{more}; {reason}.",
        named.join(", ")
    )
}

/// Returns what each list, or each other choice, of a page can say that is no label.
fn other_words(fields: &[FormField], labels: &KnownLabels<'_>, of_lists: bool) -> Vec<Vec<String>> {
    let made_up = MadeUp::new(labels, Choose::InTurn(0));
    let mut of_group: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut others = Vec::new();
    for field in fields {
        match &field.values {
            Values::Select(words) if of_lists && made_up.offers_a_label(field) => {
                others.push(made_up.others(words));
            }
            Values::Classifier(words) | Values::MultiClassifier(words) if !of_lists => {
                others.push(made_up.others(words));
            }
            Values::Mark {
                group: Some(group), ..
            } if !of_lists => {
                let words = made_up.others(&[made_up.meant(field)]);
                of_group.entry(group).or_default().extend(words);
            }
            _ => {}
        }
    }
    others.extend(of_group.into_values());
    others.retain(|words| !words.is_empty());
    others
}

/// Returns the words that a page offers where nobody says what the labels are: then these are.
pub(crate) fn offered_words(html: &str) -> Vec<String> {
    let form = read_form(html);
    let mut words = Vec::new();
    for field in &form.fields {
        match &field.values {
            Values::Select(options) | Values::Classifier(options) | Values::MultiClassifier(options) => {
                words.extend(options.iter().cloned());
            }
            Values::Mark { value, .. } if value == "on" => words.push(field.name.clone()),
            Values::Mark { value, .. } => words.push(value.clone()),
            Values::Text(_) | Values::Hidden(_) => {}
        }
    }
    let mut seen = BTreeSet::new();
    let is_exclusion = |word: &String| form.exclusions.values().any(|other| other == word);
    words.retain(|word| !is_answer_word(word) && !is_exclusion(word) && seen.insert(word.clone()));
    words
}

/// Gives the plain fields of a form that was sent without a script the shapes that the page's elements have with one: of
/// boxes and buttons each with whether it is chosen.
pub(crate) fn with_marks(mut answer: Map<String, Value>, html: &str) -> Map<String, Value> {
    let mut marks: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    for field in read_form(html).fields {
        if let Values::Mark { value, .. } = field.values {
            let given = answer.get(&field.name);
            let is_chosen = match given {
                Some(Value::Array(all)) => all.iter().any(|one| one.as_str() == Some(&value)),
                Some(one) => one.as_str() == Some(&value),
                None => false,
            };
            let of_name = marks.entry(field.name).or_default();
            of_name.insert(value, json!(is_chosen));
        }
    }
    for (name, marks) in marks {
        answer.insert(name, Value::Object(marks));
    }
    answer
}

/// Returns whether there are choices on a page, and none of them is a label.
fn offers_other_words(fields: &[FormField], labels: &KnownLabels<'_>) -> bool {
    let made_up = MadeUp::new(labels, Choose::InTurn(0));
    !labels.in_order().is_empty()
        && choices_of(fields).next().is_some()
        && !fields.iter().any(|field| made_up.offers_a_label(field))
}

#[cfg(test)]
mod tests;
