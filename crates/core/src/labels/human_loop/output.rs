//! `output.json`: what the reviewers of a human loop answered.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    HumanLoopInput,
    answer::{Answer, COMMENT_OF, ExclusionCategories, FLAG_OF},
    denial::denies,
    echo::without_echoes,
    fields::{Field, fields, word},
    matching::{self, Reading},
    name::loop_of_output,
    offered::OfferedLabels,
};
use crate::{
    erasure::is_erased_item,
    feedback::{FeedbackRecord, prediction::split_labels},
    labels::{
        label_set::LabelSet,
        vote::{Note, Vote, VoteSource},
    },
};

/// Folder of corrections, beside the output that they correct.
const CORRECTIONS: &str = "/corrections/";

/// Why an output cannot be used. Safe to show: it never holds a text of the loop.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidOutput {
    /// Not a JSON object of the shape that A2I writes.
    #[error("not the output of a human loop (line {line}, column {column})")]
    Json {
        /// Line of the error, from 1.
        line: usize,
        /// Column of the error, from 1.
        column: usize,
    },
    /// The loop was not started with the input of [`HumanLoopInput`](super::HumanLoopInput).
    #[error("the human loop's input has no `comprehendPredictions`")]
    NoItems,
    /// No item of the input is a feedback record; the first one and why.
    #[error("item {number} of the human loop's input is no feedback record: {reason}")]
    Item {
        /// Its number, from 1.
        number: usize,
        /// What is wrong with it.
        reason: String,
    },
}

/// Returns the loop that an object corrects, if its key is that of a correction.
///
/// A reviewer who corrects an answer after the loop was completed adds
/// `<flow>/YYYY/MM/DD/hh/mm/ss/<loop>/corrections/<worker>-<milliseconds>/output.json` beside its output:
/// the same document, with that one reviewer's new answer only. It is the newest vote of that worker and
/// replaces the earlier one. The built-in review service writes it; A2I has no corrections.
pub fn loop_of_correction(key: &str) -> Option<&str> {
    let (folder, correction) = key.split_once(CORRECTIONS)?;
    let id = correction.strip_suffix("/output.json")?;
    let output = format!("{folder}/output.json");
    let name = loop_of_output(&output)?;
    (!id.is_empty() && !id.contains('/')).then(|| &folder[folder.len() - name.len()..])
}

/// The output of a finished human loop with a custom task type.
///
/// It is also what the built-in review service writes of a loop that expired or was stopped after some of
/// its reviewers had answered: `humanAnswers` holds the answers so far.
///
/// Source: Amazon A2I, "Output data from custom task types". There is no status in it.
#[derive(Clone, Debug, PartialEq)]
pub struct HumanLoopOutput {
    /// Name of the loop.
    pub human_loop_name: String,
    /// ARN of the flow definition.
    pub flow_definition_arn: String,
    /// What the loop was started with, parsed.
    pub input_content: Value,
    /// One entry per worker.
    pub answers: Vec<WorkerAnswer>,
    items: Vec<Item>,
}

/// What one worker sent.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkerAnswer {
    /// Id of the worker.
    pub worker_id: String,
    /// When they submitted, RFC 3339 in UTC.
    pub submission_time: String,
    /// Seconds they spent on the whole task; older outputs do not say.
    #[serde(rename = "timeSpentInSeconds")]
    pub seconds: Option<f64>,
    /// Input name to value.
    pub answer_content: Map<String, Value>,
    /// The choices in it that say that no label fits, by the words of a template of somebody's own. The built-in review service
    /// writes them beside the answer; A2I does not know them.
    #[serde(default)]
    pub exclusion_categories: ExclusionCategories,
}

#[derive(Clone, Debug, PartialEq)]
struct Item {
    /// The id by which the template named its input, if the input has one.
    id: Option<String>,
    /// The record; none where it is not usable. Then it keeps its place, and its number.
    record: Option<FeedbackRecord>,
    /// Why it is no record; none where its text was erased.
    unusable: Option<String>,
}

impl Item {
    fn read(value: &Value) -> Self {
        let (record, unusable) = match FeedbackRecord::parse(value.to_string().as_bytes()) {
            _ if is_erased_item(value) => (None, None),
            Ok(record) => (Some(record), None),
            Err(error) => (None, Some(error.to_string())),
        };
        let id = value.get("id").and_then(word);
        Self { id, record, unusable }
    }

    /// Returns the label that was predicted, as an answer; none where nothing was, or what is no label now.
    fn predicted(&self, resolve: &dyn Fn(&str) -> Option<String>) -> Option<Answer> {
        let predicted = self.record.as_ref()?.prediction.as_deref()?;
        let names = split_labels(predicted);
        let labels: Vec<String> = names.iter().filter_map(|name| resolve(name)).collect();
        (!labels.is_empty()).then(|| Answer::labels(labels))
    }

    fn ids(&self) -> Vec<&str> {
        let own = self.record.iter().map(|record| record.id.as_str());
        self.id.as_deref().into_iter().chain(own).collect()
    }
}

/// A record of the loop with its votes; nobody answered it if there are none.
#[derive(Clone, Debug, PartialEq)]
pub struct ReviewedItem {
    /// The record that was asked about.
    pub record: FeedbackRecord,
    /// At most one vote per worker, in the order of the output.
    pub votes: Vec<Vote>,
}

/// What one form says about the items of a loop.
#[derive(Clone, Debug, PartialEq)]
pub struct FormReading {
    /// The answer to each item that is a record, by number from 1; none where it was left blank, or cannot be told.
    pub answers: BTreeMap<usize, Option<Answer>>,
    /// By number of an item, the name of the field that answers it by its own number alone, and not by an id.
    pub by_number: BTreeMap<usize, String>,
    /// Whether something was entered of which no answer to any item could be read.
    pub is_unreadable: bool,
    /// Whether all that it says is that the prediction, which it repeats, is not right: no label is read of that.
    pub is_denial: bool,
}

impl FormReading {
    /// Returns what it says of the item of this number.
    pub fn answer(&self, number: usize) -> Option<&Answer> {
        self.answers.get(&number)?.as_ref()
    }

    /// Returns whether it says something about an item.
    pub fn says_something(&self) -> bool {
        self.answers.values().any(Option::is_some)
    }

    /// Returns the numbers of the items that it leaves open.
    pub fn open(&self) -> impl Iterator<Item = usize> {
        let open = self.answers.iter().filter(|(_, answer)| answer.is_none());
        open.map(|(number, _)| *number)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    flow_definition_arn: String,
    human_loop_name: String,
    human_answers: Vec<WorkerAnswer>,
    input_content: Value,
}

impl HumanLoopOutput {
    /// Reads an `output.json`.
    ///
    /// # Errors
    ///
    /// [`InvalidOutput`] when it is no output, or of a loop that this workflow did not start. One item that
    /// is no record does not spoil the others: see [`HumanLoopOutput::unusable_items`].
    pub fn parse(json: &[u8]) -> Result<Self, InvalidOutput> {
        let document: Document = serde_json::from_slice(json).map_err(|error| InvalidOutput::Json {
            line: error.line(),
            column: error.column(),
        })?;
        Ok(Self {
            human_loop_name: document.human_loop_name,
            flow_definition_arn: document.flow_definition_arn,
            answers: document.human_answers,
            ..Self::unanswered(document.input_content)?
        })
    }

    /// Makes the output of a loop with this input that has no name and no answers: what a form says is read with it before it
    /// is stored, by the rule of what is stored. See [`HumanLoopOutput::read_form`].
    ///
    /// # Errors
    ///
    /// [`InvalidOutput::NoItems`], and [`InvalidOutput::Item`] where none of them is a record.
    pub fn unanswered(input_content: Value) -> Result<Self, InvalidOutput> {
        let items = input_content
            .get("comprehendPredictions")
            .and_then(Value::as_array);
        let items = items.ok_or(InvalidOutput::NoItems)?;
        let items: Vec<Item> = items.iter().map(Item::read).collect();
        let usable = items.iter().any(|item| item.record.is_some());
        let mut reasons = (1..)
            .zip(&items)
            .filter_map(|(number, item)| Some((number, item.unusable.clone()?)));
        if let Some((number, reason)) = reasons.next().filter(|_| !usable) {
            return Err(InvalidOutput::Item { number, reason });
        }
        Ok(Self {
            human_loop_name: String::new(),
            flow_definition_arn: String::new(),
            items,
            answers: Vec::new(),
            input_content,
        })
    }

    /// Leaves out what was predicted of the items, so that no form denies it: a page is tried whatever is predicted. What repeats
    /// an item is none the less no answer.
    #[must_use]
    pub fn whatever_is_predicted(mut self) -> Self {
        for record in self.items.iter_mut().filter_map(|item| item.record.as_mut()) {
            record.prediction = None;
        }
        self
    }

    /// Returns the labels that reviewers could choose from; empty where the input names none.
    pub fn offered_labels(&self) -> OfferedLabels {
        let labels = self.input_content.get("labels").and_then(Value::as_array);
        OfferedLabels::new(labels.into_iter().flatten().filter_map(Value::as_str))
    }

    /// Returns the delivered object that the loop asks about, `<bucket>/<key>`: what claimed its records.
    pub fn origin(&self) -> String {
        let text = |name| self.input_content.get(name).and_then(Value::as_str);
        let [bucket, key] = ["bucketName", "keyName"].map(|name| text(name).unwrap_or_default());
        format!("{bucket}/{key}")
    }

    /// Returns the input of a loop that asks somebody else about some of the records, with the same choices
    /// and origin.
    pub fn asking_again(
        &self,
        records: Vec<FeedbackRecord>,
        excluded_workers: Vec<String>,
    ) -> HumanLoopInput {
        let text = |name| self.input_content.get(name).and_then(Value::as_str);
        let words = self.input_content.get("words").cloned().unwrap_or_default();
        HumanLoopInput {
            words: serde_json::from_value(words).unwrap_or_default(),
            labels: self.offered_labels().in_order().to_vec(),
            row_count: records.len(),
            bucket_name: text("bucketName").unwrap_or_default().to_owned(),
            key_name: text("keyName").unwrap_or_default().to_owned(),
            comprehend_predictions: records,
            excluded_workers,
            task_count: Some(1),
        }
    }

    /// Matches the answers to the records, in the order of the input, with the labels that the input offers.
    ///
    /// Labels are resolved by identity, however they are spelt; see [`HumanLoopOutput::reviewed_by`].
    pub fn reviewed(&self) -> Vec<ReviewedItem> {
        let offered = self.offered_labels();
        self.reviewed_by(&|name| offered.resolve(name))
    }

    /// Matches the answers to the records, in the order of the input; `resolve` tells which label a name
    /// means.
    ///
    /// With one item, the one answer that resolves to a label is its answer, whatever its name. With
    /// several, a field named by a record's id belongs to that record, and one that is numbered
    /// (`textCategory1`, `item-2`, `predictions[3]`) to the item of that number, from 1, or from 0 where
    /// there is a field of number 0. The order of keys never counts: A2I sorts them as texts,
    /// `textCategory10` before `textCategory2`. Of records that occur twice in a loop both get the answer.
    /// What resolves to no label is a proposal.
    pub fn reviewed_by(&self, resolve: &dyn Fn(&str) -> Option<String>) -> Vec<ReviewedItem> {
        let mut votes: Vec<Vec<Vote>> = vec![Vec::new(); self.items.len()];
        for answer in &self.answers {
            let reading = self.read(&answer.answer_content, &answer.exclusion_categories, resolve);
            let notes = self
                .items
                .iter()
                .map(|item| Note::read(&item.ids(), &answer.answer_content));
            for ((votes, given), note) in votes.iter_mut().zip(reading.answers).zip(notes) {
                votes.extend(given.map(|given| Vote {
                    worker: answer.worker_id.clone(),
                    answer: given,
                    source: VoteSource::HumanReview,
                    at: answer.submission_time.clone(),
                    seconds: answer.seconds.map(|seconds| seconds / self.items.len() as f64),
                    note,
                }));
            }
        }
        let items = self.items.iter().zip(votes);
        let readable = items.filter_map(|(item, votes)| {
            let record = item.record.clone()?;
            Some(ReviewedItem { record, votes })
        });
        readable.collect()
    }

    /// Returns the answered fields that belong to no record, such as a comment, by the labels that the input offers; see
    /// [`HumanLoopOutput::unmatched_fields_by`].
    pub fn unmatched_fields(&self) -> BTreeSet<String> {
        let offered = self.offered_labels();
        self.unmatched_fields_by(&|name| offered.resolve(name))
    }

    /// Returns the answered fields that belong to no record, such as a comment: never read as a label. `resolve` tells which
    /// label a name means.
    pub fn unmatched_fields_by(&self, resolve: &dyn Fn(&str) -> Option<String>) -> BTreeSet<String> {
        let mut unmatched = BTreeSet::new();
        for answer in &self.answers {
            let reading = self.read(&answer.answer_content, &answer.exclusion_categories, resolve);
            let is_note = |name: &&String| name.starts_with(COMMENT_OF) || name.starts_with(FLAG_OF);
            let names = answer.answer_content.keys().filter(|name| !is_note(name));
            unmatched.extend(names.filter(|name| !reading.read.contains(*name)).cloned());
        }
        unmatched
    }

    /// Returns how many reviewers entered something of which no answer to any item could be read, by the labels that the
    /// input offers; see [`HumanLoopOutput::unreadable_answers_by`].
    pub fn unreadable_answers(&self) -> usize {
        let offered = self.offered_labels();
        self.unreadable_answers_by(&|name| offered.resolve(name))
    }

    /// Returns how many reviewers entered something of which no answer to any item could be read; `resolve` tells which
    /// label a name means.
    ///
    /// Their answers are no votes: the worker task template names its fields so that they cannot be matched.
    pub fn unreadable_answers_by(&self, resolve: &dyn Fn(&str) -> Option<String>) -> usize {
        let unreadable = self.answers.iter().filter(|answer| {
            let reading = self.read(&answer.answer_content, &answer.exclusion_categories, resolve);
            reading.is_unreadable()
        });
        unreadable.count()
    }

    /// Returns which items are no feedback records (a blank text, say), by number from 1, and why.
    pub fn unusable_items(&self) -> Vec<(usize, String)> {
        let reasons = self.items.iter().map(|item| item.unusable.clone());
        let numbered = (1..).zip(reasons);
        numbered
            .filter_map(|(number, reason)| Some((number, reason?)))
            .collect()
    }

    /// Returns what a form says in which these exclusion categories are chosen, by the labels that the input offers and those of
    /// a set: what is read of it here is what is read of it once it is stored.
    pub fn read_form(
        &self,
        content: &Map<String, Value>,
        exclusions: &ExclusionCategories,
        set: Option<&LabelSet>,
    ) -> FormReading {
        let offered = self.offered_labels();
        let reading = self.read(content, exclusions, &|name| offered.resolve_by(name, set));
        let is_unreadable = reading.is_unreadable();
        let by_number = reading.by_number.into_iter();
        let by_number = by_number.map(|(place, name)| (place + 1, name)).collect();
        let numbered = (1..).zip(self.items.iter().zip(reading.answers));
        let answers = numbered.filter(|(_, (item, _))| item.record.is_some());
        FormReading {
            answers: answers.map(|(number, (_, answer))| (number, answer)).collect(),
            by_number,
            is_unreadable,
            is_denial: reading.is_denial,
        }
    }

    /// Reads a form: the one place that tells answers from what a template sends of its own input.
    fn read(
        &self,
        given: &Map<String, Value>,
        exclusions: &ExclusionCategories,
        resolve: &dyn Fn(&str) -> Option<String>,
    ) -> Reading {
        let ids: Vec<Vec<&str>> = self.items.iter().map(Item::ids).collect();
        let content = without_echoes(given, &self.input_content);
        let is_said = |field: &Field| !field.is_blank() && !field.is_comment(resolve);
        // A script may have written its answer into the item: it counts where nothing else is said.
        let content = match fields(&content).iter().any(is_said) {
            true => content,
            false => Cow::Borrowed(given),
        };
        let mut reading = matching::read(&ids, &content, exclusions, resolve);
        let said = fields(&content);
        let items = self.items.iter().zip(&mut reading.answers).enumerate();
        let mut is_denied = false;
        for (place, (item, answer)) in items {
            let Some(predicted) = item.predicted(resolve) else {
                continue;
            };
            let names_another = answer.as_ref().is_some_and(|given| *given != predicted);
            let about = || matching::fields_about(&ids, place, &said);
            if !names_another && denies(&about(), &predicted, resolve) {
                *answer = None;
                is_denied = true;
            }
        }
        reading.is_denial = is_denied && reading.is_unreadable();
        reading
    }
}

#[cfg(test)]
mod tests;
