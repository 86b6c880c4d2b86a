//! Trying a worker task template with a made-up answer, before anybody works for nothing.

mod made_up;

use std::collections::{BTreeMap, BTreeSet};

use active_learning_core::labels::human_loop::{
    Answer, ExclusionCategories, HumanLoopOutput, OfferedLabels, ReviewedItem, is_answer_word, without_echoes,
};
use serde_json::{Map, Value, json};

use crate::answer::{AnswerError, check_proposal};
use crate::erased_items::left;
use crate::form::{FormField, Values, read_form};
use made_up::{Choose, MadeUp, made_up_answers};

/// Longest list of items that a notice names.
const MAX_NAMED_ITEMS: usize = 5;

/// Words that are no labels of which so many are tried, of each choice.
const MAX_TRIED_WORDS: usize = 20;

/// What a choice says that denies what stands beside it.
const DENIALS: [&str; 11] = [
    "no",
    "false",
    "0",
    "incorrect",
    "wrong",
    "disagree",
    "reject",
    "nein",
    "falsch",
    "non",
    "nej",
];

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
}

/// Tries a page that was rendered for an input: whether an answer of it could be read for each item.
///
/// Of an input that is not of our kind only the presence of a field is looked at: who started it reads its
/// answer.
pub fn try_page(html: &str, input: &Value) -> Trial {
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
    let problem = if without_field.is_some() {
        without_field
    } else if input.get("comprehendPredictions").is_some() {
        match output(&Map::new(), &ExclusionCategories::new(), input) {
            None => Some("The items of this task cannot be read.".to_owned()),
            Some(_) => unmatched(&form.fields, input),
        }
    } else {
        None
    };
    if problem.is_none()
        && input.get("comprehendPredictions").is_some()
        && offers_other_words(&form.fields, input)
    {
        trial.notices.push(OTHER_CHOICES.to_owned());
        trial.proposes_only = true;
    } else if problem.is_none() && input.get("comprehendPredictions").is_some() {
        trial.notices.extend(told_of_lists(&form.fields, input));
    }
    trial.is_withheld = problem.is_some();
    trial.notices.extend(problem);
    trial
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
    let input = json!({ "comprehendPredictions": [{}], "labels": labels });
    if offers_other_words(&fields, &input) {
        return Some("none of its choices is a label of the job".to_owned());
    }
    let at_odds = MadeUp::new(&labels_of(&input), Choose::AtOdds).fill(&fields);
    let in_turn = made_up_answers(&fields, &labels_of(&input));
    if missing_items(&in_turn, &input).is_none_or(|missing| !missing.is_empty()) {
        return Some("what is chosen or entered in it cannot be read as a label".to_owned());
    }
    if missing_items(&[at_odds], &input).is_none_or(|missing| !missing.is_empty()) {
        return Some(
            "several of its fields choose a label, and it cannot be told which one counts".to_owned(),
        );
    }
    if unheard_items(&in_turn, &fields, &input).is_some_and(|unheard| !unheard.is_empty()) {
        return Some(
            "the label that is read is the same whatever is chosen: another field names it".to_owned(),
        );
    }
    None
}

/// Checks that the answer of a page, in which these exclusion categories are chosen, says something about an item of the task;
/// of an input that is not of our kind everything is taken.
///
/// # Errors
///
/// [`AnswerError::Unreadable`] when something was entered that cannot be matched, [`AnswerError::Ambiguous`] when several
/// fields say different things, [`AnswerError::Incomplete`] when nothing was entered; those of [`check_proposal`].
pub fn check_answer(
    answer: &Map<String, Value>,
    exclusions: &ExclusionCategories,
    input: &Value,
) -> Result<(), AnswerError> {
    let Some(output) = output(answer, exclusions, input) else {
        return Ok(());
    };
    if output.unreadable_answers() > 0 {
        let readable = answer.iter().filter(|(name, value)| {
            let alone = Map::from_iter([((*name).clone(), (*value).clone())]);
            is_read(&alone, exclusions, input)
        });
        return Err(match readable.take(2).count() {
            0 => AnswerError::Unreadable,
            _ => AnswerError::Ambiguous,
        });
    }
    let items = output.reviewed();
    if left(input).all(|(number, _)| is_open(&items, number)) {
        return Err(AnswerError::Incomplete);
    }
    let votes = items.iter().flat_map(|item| &item.votes);
    let proposals = votes.filter_map(|vote| match &vote.answer {
        Answer::NewLabel { label } => Some(label),
        Answer::Labels { .. } | Answer::NoneFits | Answer::Unsure => None,
    });
    proposals.into_iter().try_for_each(|label| check_proposal(label))
}

/// Returns whether nothing was said about the item of this number.
fn is_open(items: &[ReviewedItem], number: usize) -> bool {
    items.get(number - 1).is_none_or(|item| item.votes.is_empty())
}

/// Returns whether an answer says something about an item.
fn is_read(answer: &Map<String, Value>, exclusions: &ExclusionCategories, input: &Value) -> bool {
    output(answer, exclusions, input)
        .is_some_and(|output| output.reviewed().iter().any(|item| !item.votes.is_empty()))
}

/// Says of the first of some made-up answers that cannot be read which items it leaves open, and why.
fn unmatched(fields: &[FormField], input: &Value) -> Option<String> {
    let labels = labels_of(input);
    let in_turn = made_up_answers(fields, &labels);
    let missing = missing_items(&in_turn, input)?;
    if !missing.is_empty() {
        let reason =
            "no field of this page can be matched to them, by id or by number, or others contradict it";
        return Some(not_read(&missing, reason));
    }
    let at_odds = MadeUp::new(&labels, Choose::AtOdds).fill(fields);
    let missing = missing_items(&[at_odds], input)?;
    if !missing.is_empty() {
        let reason =
            "several fields choose a label, and where they differ it cannot be told which one counts";
        return Some(not_read(&missing, reason));
    }
    let unread = unread_word(fields, input, false)
        .map(|(missing, word)| not_read(&missing, &format!("where {word} is chosen, no label is meant")));
    unread.or_else(|| {
        let unheard = unheard_items(&in_turn, fields, input)?;
        let reason = "whatever is chosen, the label that is read is the same, since another field of this page says it: a field that \
            is filled before anybody chooses must not name a label";
        (!unheard.is_empty()).then(|| not_read(&unheard, reason))
    })
}

/// Returns the items of which a label is read that does not depend on what is chosen, by number: where the choices alone say
/// one label and then another of an item, or where a choice says nothing but whether something is right. What else there is,
/// a script may fill in.
fn unheard_items(answers: &[Map<String, Value>], fields: &[FormField], input: &Value) -> Option<Vec<usize>> {
    let [one, other] = answers else {
        return Some(Vec::new());
    };
    let choices: BTreeSet<&str> = choices_of(fields).map(|field| field.name.as_str()).collect();
    let read =
        |answer: &Map<String, Value>| Some(output(answer, &ExclusionCategories::new(), input)?.reviewed());
    let read_alone = |answer: &Map<String, Value>| {
        let chosen = answer.iter().filter(|(name, _)| choices.contains(name.as_str()));
        read(
            &chosen
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
        )
    };
    let whole = (read(one)?, read(other)?);
    let alone = (read_alone(one)?, read_alone(other)?);
    let judges = has_verdict(fields);

    let is_unheard = |number: &usize| {
        let is_same = said(&whole.0, *number).is_some_and(|label| said(&whole.1, *number) == Some(label));
        is_same
            && match (said(&alone.0, *number), said(&alone.1, *number)) {
                (None, None) => judges,
                (one, other) => one != other,
            }
    };
    Some(left(input).map(|(number, _)| number).filter(is_unheard).collect())
}

/// Returns the label that is read of an item.
fn said(items: &[ReviewedItem], number: usize) -> Option<&Answer> {
    let vote = items.get(number - 1)?.votes.first()?;
    match vote.answer {
        Answer::Labels { .. } | Answer::NewLabel { .. } => Some(&vote.answer),
        Answer::NoneFits | Answer::Unsure => None,
    }
}

/// Returns the lists and the buttons of a page, of which one of some is chosen.
fn choices_of(fields: &[FormField]) -> impl Iterator<Item = &FormField> {
    fields.iter().filter(|field| match &field.values {
        Values::Select(_) | Values::Classifier(_) | Values::MultiClassifier(_) => true,
        Values::Mark { group, .. } => group.is_some(),
        Values::Text(_) | Values::Hidden(_) => false,
    })
}

/// Returns whether a choice of a page denies something: then what another field says is not the answer.
fn has_verdict(fields: &[FormField]) -> bool {
    let denies = |word: &str| DENIALS.contains(&word.trim().to_lowercase().as_str());
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
fn told_of_lists(fields: &[FormField], input: &Value) -> Option<String> {
    let (_, word) = unread_word(fields, input, true)?;
    Some(format!(
        "An answer is not taken where {word} is chosen, since it is no label; in a field named `label` it is kept as a proposed one."
    ))
}

/// Returns the first words besides labels, of lists or of buttons, with which an answer cannot be read, and the items that it
/// leaves open.
fn unread_word(fields: &[FormField], input: &Value, of_lists: bool) -> Option<(Vec<usize>, String)> {
    let labels = labels_of(input);
    let others = other_words(fields, &labels, of_lists);
    let most = others.iter().map(Vec::len).max().unwrap_or_default();
    (0..most.min(MAX_TRIED_WORDS)).find_map(|place| {
        let answer = MadeUp::new(&labels, Choose::Other { place, of_lists }).fill(fields);
        let missing = missing_items(&[answer], input)?;
        let chosen = others.iter().map(|words| &words[place % words.len()]);
        let chosen: Vec<String> = chosen.map(|word| format!("“{word}”")).collect();
        (!missing.is_empty()).then(|| (missing, chosen.join(", ")))
    })
}

/// Returns the items of which some answers say nothing, by number; `None` where the items of the task cannot be read, which
/// is told with them.
fn missing_items(answers: &[Map<String, Value>], input: &Value) -> Option<Vec<usize>> {
    let mut missing = Vec::new();
    for answer in answers {
        let items = output(answer, &ExclusionCategories::new(), input)?.reviewed();
        let open = left(input).map(|(number, _)| number);
        missing.extend(open.filter(|number| is_open(&items, *number)));
    }
    missing.sort_unstable();
    missing.dedup();
    Some(missing)
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
fn other_words(fields: &[FormField], labels: &OfferedLabels, of_lists: bool) -> Vec<Vec<String>> {
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
fn offers_other_words(fields: &[FormField], input: &Value) -> bool {
    let labels = labels_of(input);
    let made_up = MadeUp::new(&labels, Choose::InTurn(0));
    !labels.in_order().is_empty()
        && choices_of(fields).next().is_some()
        && !fields.iter().any(|field| made_up.offers_a_label(field))
}

fn labels_of(input: &Value) -> OfferedLabels {
    let labels = input["labels"].as_array().into_iter().flatten();
    OfferedLabels::new(labels.filter_map(Value::as_str))
}

/// Returns the output of a loop about items of these ids, whatever their texts are.
pub(crate) fn output(
    answer: &Map<String, Value>,
    exclusions: &ExclusionCategories,
    input: &Value,
) -> Option<HumanLoopOutput> {
    let items = input["comprehendPredictions"].as_array()?.iter().zip(1..);
    let items = items.map(|(item, number)| {
        let mut record = json!({ "classifier": "trial", "utterance": format!("text {number}") });
        if let Some(id) = item.get("id") {
            record["id"] = id.clone();
        }
        record
    });
    let items: Vec<Value> = items.collect();
    let answer = without_echoes(answer, input);
    let document = json!({
        "flowDefinitionArn": "trial",
        "humanLoopName": "trial",
        "humanAnswers": [{
            "workerId": "trial", "submissionTime": "", "answerContent": answer, "exclusionCategories": exclusions,
        }],
        "inputContent": { "comprehendPredictions": items, "labels": input["labels"] },
    });
    HumanLoopOutput::parse(document.to_string().as_bytes()).ok()
}

#[cfg(test)]
mod tests;
