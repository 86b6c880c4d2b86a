//! The last word on a disputed question: a vote that is final, and a labelled record of its own.

use std::{sync::Arc, time::Duration};

use active_learning_core::feedback::prediction::split_labels;
use active_learning_core::keys;
use active_learning_core::labels::{
    consolidation::DecidedBy,
    human_loop::Answer,
    label_set::{LabelSet, Resolution},
    labelled::LabelledRecord,
    question::{Question, State},
    vote::{Vote, VoteSource},
};
use chrono::DateTime;

use crate::{
    bucket::{Bucket, BucketError},
    label_set::LabelSets,
    labelled,
    questions::Questions,
    rfc3339,
};

/// What the worker of an adjudicator's vote begins with; their name follows.
pub const ADJUDICATOR: &str = "adjudicator:";

/// What the name of the labelled object of a decision begins with; the record's id and the time follow.
const NAME: &str = "adjudication-";

/// Time after which a decision of which no line was written is one that broke off.
const DECIDED_WITHIN: Duration = Duration::from_secs(30);

/// What an adjudicator decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// These labels, of the label set.
    Labels(Vec<String>),
    /// No label fits.
    NoneFits,
}

/// Why nothing was decided.
#[derive(Debug, thiserror::Error)]
pub enum AdjudicationError {
    /// The record has no dispute.
    #[error("nothing is disputed about the record `{0}`; `active-learning disputed` lists what is")]
    NotDisputed(String),
    /// The label is no longer used.
    #[error("`{0}` is no longer used: name an active label")]
    Retired(String),
    /// The label is none of the label set.
    #[error(
        "`{0}` is no label of the label set; `active-learning labels add` makes it one, if `{0}` is meant"
    )]
    Unknown(String),
    /// It is written as several labels are.
    #[error(
        "`{written}` is several labels: name each by itself, {each}; where a text has one label, name one"
    )]
    Several {
        /// As it was named.
        written: String,
        /// The options that name them.
        each: String,
    },
    /// A bucket failed.
    #[error(transparent)]
    Bucket(#[from] BucketError),
}

/// Writes labels as they are named one by one.
fn options(labels: &[String]) -> String {
    let options: Vec<String> = labels.iter().map(|label| format!("--label '{label}'")).collect();
    options.join(" ")
}

/// Decides a dispute, or corrects what was decided before; returns the answer. `function` says who counts a question that is
/// damaged. The first bucket holds labels, the second one questions.
///
/// The question notes first what is written then: whoever comes after a crash finds the dispute, decides it again, and writes
/// the line that is noted already.
///
/// # Errors
///
/// [`AdjudicationError`].
pub async fn adjudicate(
    function: &'static str,
    (training, feedback): (&Bucket, &Bucket),
    label_sets: &LabelSets,
    record_id: &str,
    choice: &Choice,
    by: &str,
    at: &str,
) -> Result<Answer, AdjudicationError> {
    let dispute: Option<Question> = training.read_document(&keys::disputed(record_id)).await?;
    let questions = Questions::new(function, feedback.clone(), training.clone());
    let dispute = match dispute {
        Some(dispute) => Some(dispute),
        // The newest answer is final: a slip can be mended. And what is disputed may be missing from the list.
        None => questions.read(record_id).await?.filter(may_be_decided),
    };
    let dispute = dispute.ok_or_else(|| AdjudicationError::NotDisputed(record_id.to_owned()))?;
    label_sets.forget().await;
    let set = label_sets.current().await?;
    let vote = Vote {
        worker: format!("{ADJUDICATOR}{by}"),
        answer: answer(choice, set.as_deref())?,
        source: VoteSource::Adjudicator,
        at: at.to_owned(),
        seconds: None,
        note: Default::default(),
    };

    let record = &dispute.record;
    let called = |set: Arc<LabelSet>| set.with_own_names(record.clone());
    let predicted = set.map_or_else(|| record.clone(), called);
    let name_of = |at: &str| format!("{NAME}{}-{}", record.id, at.replace([':', '.'], ""));
    let question = questions.read(&record.id).await?;
    let is_own = question
        .as_ref()
        .is_some_and(|question| is_decided_by(question, &vote.worker));
    let latest = match is_own {
        true => name_of(at),
        false => name_of(&broken_off_by(at)),
    };
    let name = match unfinished(training, question, &latest).await? {
        Some(name) => name,
        None => name_of(at),
    };
    let mut line = LabelledRecord::new(predicted, vec![vote.clone()], &name, "");
    line.votes = vec![vote.clone()];
    let decide = |question: &mut Option<Question>| {
        let question = question.get_or_insert_with(|| dispute.clone());
        question.remember_answer_of_before();
        let line = question.note_line(&name, line.clone());
        question.answer_with(std::slice::from_ref(&vote));
        line
    };
    let line = questions.change(&record.id, decide).await?;
    labelled::put(training, &name, line.to_line()).await?;
    questions.settle(&record.id).await?;
    Ok(vote.answer)
}

/// Returns the name of a line that a decision which broke off has noted in the question, and not written: the next one writes
/// it, so that what is counted of it is counted once. A name that sorts after `latest` may be of one that is being made.
async fn unfinished(
    training: &Bucket,
    question: Option<Question>,
    latest: &str,
) -> Result<Option<String>, BucketError> {
    let last = question.and_then(|question| question.lines.into_iter().next_back());
    let is_broken_off = |name: &String| name.starts_with(NAME) && name.as_str() <= latest;
    let Some(name) = last.map(|line| line.name).filter(is_broken_off) else {
        return Ok(None);
    };
    let is_written = training.exists(&keys::labelled(&name)).await?;
    Ok((!is_written).then_some(name))
}

/// Returns before when a decision was begun that is made no more, of one that is made at a time.
fn broken_off_by(at: &str) -> String {
    let at = DateTime::parse_from_rfc3339(at).unwrap_or_default();
    rfc3339((at - DECIDED_WITHIN).to_utc())
}

/// Returns whether this adjudicator decided a question last: who does so again does not do so at the same time.
fn is_decided_by(question: &Question, worker: &str) -> bool {
    let mut by = question.votes.iter().rev();
    by.find(|vote| vote.source == VoteSource::Adjudicator)
        .is_some_and(|vote| vote.worker == worker)
}

fn may_be_decided(question: &Question) -> bool {
    question.state == State::Disputed || question.decided_by == Some(DecidedBy::Adjudicator)
}

fn answer(choice: &Choice, set: Option<&LabelSet>) -> Result<Answer, AdjudicationError> {
    let names = match choice {
        Choice::NoneFits => return Ok(Answer::NoneFits),
        Choice::Labels(names) => names,
    };
    let mut labels = Vec::new();
    for name in names {
        let label = match set.map(|set| set.resolve(name)) {
            None => name.as_str(),
            Some(Resolution::Label(label)) => label,
            Some(Resolution::Retired(label) | Resolution::Split(label)) => {
                return Err(AdjudicationError::Retired(label.to_owned()));
            }
            Some(Resolution::Proposed(label)) => {
                let parts = split_labels(label);
                return Err(match parts.len() {
                    0 | 1 => AdjudicationError::Unknown(label.to_owned()),
                    _ => AdjudicationError::Several {
                        written: label.to_owned(),
                        each: options(&parts),
                    },
                });
            }
        };
        labels.push(label.to_owned());
    }
    Ok(Answer::labels(labels))
}
