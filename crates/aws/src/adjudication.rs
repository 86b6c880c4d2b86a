//! The last word on a disputed question: a vote that is final, and a labelled record of its own.

use active_learning_core::feedback::FeedbackRecord;
use active_learning_core::keys;
use active_learning_core::labels::{
    consolidation::DecidedBy,
    human_loop::Answer,
    label_set::{LabelSet, Resolution},
    labelled::LabelledRecord,
    question::{Question, UnwrittenLine},
    vote::{Vote, VoteSource},
};

use crate::{
    bucket::{Bucket, BucketError, Created},
    label_set::LabelSets,
    labelled,
    questions::Questions,
};

/// What the worker of an adjudicator's vote begins with; their name follows.
pub const ADJUDICATOR: &str = "adjudicator:";

/// What the name of the labelled object of a decision begins with; the record's id and the time follow.
const NAME: &str = "adjudication-";

/// What an adjudicator decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// These labels, of the label set.
    Labels(Vec<String>),
    /// No label fits.
    NoneFits,
}

/// The word of an adjudicator.
#[derive(Clone, Copy, Debug)]
pub struct Decision<'a> {
    /// What is right.
    pub choice: &'a Choice,
    /// Who says so, by name.
    pub by: &'a str,
    /// When, RFC 3339 in UTC.
    pub at: &'a str,
    /// Whether it also takes the place of what another adjudicator has decided. A page may still show a dispute that is none.
    pub overrules: bool,
}

/// Why nothing was decided.
#[derive(Debug, thiserror::Error)]
pub enum AdjudicationError {
    /// Another adjudicator was sooner, and is not to be overruled.
    #[error(
        "{0} has decided this dispute meanwhile; to decide it otherwise, use `active-learning adjudicate`"
    )]
    DecidedBy(String),
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
/// The question notes first what is written then. After a crash the question stays among the disputes: the next decision writes
/// that line before its own, or it alone where it is the same decision.
///
/// # Errors
///
/// [`AdjudicationError`].
pub async fn adjudicate(
    function: &'static str,
    (training, feedback): (&Bucket, &Bucket),
    label_sets: &LabelSets,
    record_id: &str,
    decision: Decision<'_>,
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
    let vote = final_vote(answer(decision.choice, set.as_deref())?, decision.by, decision.at);

    let at = decision.at.replace([':', '.'], "");
    let name = format!("{NAME}{}-{at}", dispute.record.id);
    let line = line_of(&dispute.record, set.as_deref(), &vote, &name);
    let known = (dispute, decision.overrules);
    match decide((training, &questions), known, &vote, line).await? {
        Decided::AsSaid => Ok(vote.answer),
        Decided::By(other) => Err(AdjudicationError::DecidedBy(other)),
    }
}

/// Returns the vote of somebody whose word is final.
fn final_vote(answer: Answer, by: &str, at: &str) -> Vote {
    Vote {
        worker: format!("{ADJUDICATOR}{by}"),
        answer,
        source: VoteSource::Adjudicator,
        at: at.to_owned(),
        seconds: None,
        note: Default::default(),
    }
}

/// Returns the line of a decision on a record, by the names that labels have now.
fn line_of(record: &FeedbackRecord, set: Option<&LabelSet>, vote: &Vote, name: &str) -> LabelledRecord {
    let record = set.map_or_else(|| record.clone(), |set| set.with_own_names(record.clone()));
    let mut line = LabelledRecord::new(record, vec![vote.clone()], name, "");
    line.votes = vec![vote.clone()];
    line
}

/// What came of a decision.
enum Decided {
    /// It holds.
    AsSaid,
    /// Another adjudicator had decided, by that name.
    By(String),
}

/// Returns whose decision a question rests on, where it is not a worker's own.
fn decided_by_other(question: &Question, worker: &str) -> Option<String> {
    if question.is_for_adjudicators() {
        return None;
    }
    let mut votes = question.votes.iter().rev();
    let last = votes.find(|vote| vote.source == VoteSource::Adjudicator)?;
    let other = last.worker.strip_prefix(ADJUDICATOR)?;
    (last.worker != worker).then(|| other.to_owned())
}

/// Has a question decided by a vote, and writes its line. Unless it overrules, it finishes the decision of whoever was sooner.
async fn decide(
    (training, questions): (&Bucket, &Questions),
    (known, overrules): (Question, bool),
    vote: &Vote,
    line: LabelledRecord,
) -> Result<Decided, BucketError> {
    let (name, record_id) = (line.human_loop.clone(), known.record.id.clone());
    let decide = |question: &mut Option<Question>| {
        let question = question.get_or_insert_with(|| known.clone());
        if let Some(before) = question.unwritten.clone().filter(|before| before.name != name) {
            return Ok(Err(before));
        }
        if let Some(other) = decided_by_other(question, &vote.worker).filter(|_| !overrules) {
            return Err(other);
        }
        question.remember_answer_of_before();
        let unwritten = UnwrittenLine {
            name: name.clone(),
            line: question.note_line(&name, line.clone()),
        };
        question.answer_with(std::slice::from_ref(vote));
        question.unwritten = Some(Box::new(unwritten.clone()));
        Ok(Ok(Box::new(unwritten)))
    };
    loop {
        let decided = match questions.change(&record_id, decide).await? {
            Ok(decided) => decided,
            Err(other) => {
                questions.settle(&record_id).await?;
                return Ok(Decided::By(other));
            }
        };
        let (Ok(unwritten) | Err(unwritten)) = &decided;
        write(training, questions, &record_id, unwritten).await?;
        let is_said = |said: &Vote| (&said.worker, &said.answer) == (&vote.worker, &vote.answer);
        if decided.is_ok() || unwritten.line.votes.iter().any(is_said) {
            questions.settle(&record_id).await?;
            return Ok(Decided::AsSaid);
        }
    }
}

/// What an audit holds right.
#[derive(Clone, Copy, Debug)]
pub struct Finding<'a> {
    /// Name of the audit.
    pub audit: &'a str,
    /// The newest word on the text, which is wrong.
    pub newest: &'a LabelledRecord,
    /// The labels that are right; where there is none, none applies.
    pub labels: &'a [String],
    /// Who looked at it, by name.
    pub by: &'a str,
    /// When, RFC 3339 in UTC.
    pub at: &'a str,
}

/// Appends what an audit holds right to the labels of the stack, beside what was said before: final, as the decision of an
/// adjudicator. The same again is there already.
///
/// # Errors
///
/// [`AdjudicationError`] where the label is none of the label set, or is no longer used, or a bucket fails.
pub async fn adopt(
    function: &'static str,
    (training, feedback): (&Bucket, &Bucket),
    set: Option<&LabelSet>,
    finding: Finding<'_>,
) -> Result<Created, AdjudicationError> {
    let record = &finding.newest.record;
    let name = format!("{NAME}{}-audit-{}", record.id, finding.audit);
    let questions = Questions::new(function, feedback.clone(), training.clone());
    if training.exists(&keys::labelled(&name)).await? {
        finish((training, &questions), &record.id, &name).await?;
        return Ok(Created::Exists);
    }
    let choice = match finding.labels {
        [] => Choice::NoneFits,
        labels => Choice::Labels(labels.to_vec()),
    };
    let vote = final_vote(answer(&choice, set)?, finding.by, finding.at);
    let line = line_of(record, set, &vote, &name);
    if let Some(question) = questions.read(&record.id).await? {
        decide((training, &questions), (question, true), &vote, line).await?;
        return Ok(Created::Created);
    }
    // Nobody keeps the question: what the line takes the place of, the one before it says.
    let mut question = Question::known(record.clone());
    question.note_line(&finding.newest.human_loop, finding.newest.clone());
    let line = question.note_line(&name, line);
    Ok(labelled::create(training, &name, line.to_line()).await?)
}

/// Does the rest of a decision that broke off after its line of that name was written.
async fn finish(
    (training, questions): (&Bucket, &Questions),
    record_id: &str,
    name: &str,
) -> Result<(), BucketError> {
    let unwritten = questions
        .read(record_id)
        .await?
        .and_then(|question| question.unwritten);
    let Some(unwritten) = unwritten.filter(|unwritten| unwritten.name == name) else {
        return Ok(());
    };
    write(training, questions, record_id, &unwritten).await?;
    questions.settle(record_id).await
}

/// Writes the line of a decision, and says so in its question. It may be of one that broke off, or that another adjudicator
/// makes at the same time.
async fn write(
    training: &Bucket,
    questions: &Questions,
    record_id: &str,
    unwritten: &UnwrittenLine,
) -> Result<(), BucketError> {
    let (Created::Created | Created::Exists) =
        labelled::create(training, &unwritten.name, unwritten.line.to_line()).await?;
    let say = |question: &mut Option<Question>| {
        if let Some(question) = question {
            question
                .unwritten
                .take_if(|written| written.name == unwritten.name);
        }
    };
    questions.change(record_id, say).await
}

fn may_be_decided(question: &Question) -> bool {
    question.is_for_adjudicators() || question.decided_by == Some(DecidedBy::Adjudicator)
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
                // Names of labels may hold a bar: none is advised that is no label.
                let parts = set.and_then(|set| set.names(label)).unwrap_or_default();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_joined_are_advised_one_by_one_where_each_is_a_label() {
        let mut set = LabelSet::none();
        let names = ["Gold", "A|B", "World"];
        names.iter().for_each(|name| set.add(name, "").expect("free"));
        let refused = |name: &str| {
            let choice = Choice::Labels(vec![name.to_owned()]);
            answer(&choice, Some(&set)).expect_err("no label").to_string()
        };

        let joined = refused("Gold|A|B");
        let half = refused("Gold|Silver");

        assert!(
            joined.contains("--label 'Gold' --label 'A|B'")
                || joined.contains("--label 'A|B' --label 'Gold'"),
            "{joined}"
        );
        assert!(!joined.contains("--label 'A'"), "{joined}");
        assert!(!half.contains("--label"), "{half}");
    }
}
