//! What a change of the label set means for what people have answered, counted before it is made.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use active_learning_aws::bucket::Bucket;
use active_learning_core::{
    dataset::TextId,
    feedback::{FeedbackRecord, Signal, Source, record_id},
    labels::{
        consolidation::{Consensus, Settings, consolidate},
        human_loop::Answer,
        label_key::label_key,
        label_set::LabelSet,
        labelled::LabelledRecord,
        vote::{Vote, VoteSource},
    },
};

use crate::{
    assemble::read_initial,
    export::has_several_labels,
    labels::{self, Keep, Labels, Outcome, Packing},
};

/// Place of a text on which no model said anything: after all others, as in the queue of the portal.
const NO_CONFIDENCE: f32 = f32::INFINITY;

/// Name of the classifier where nothing tells it: the default of `DefaultClassifierName`.
const DEFAULT_CLASSIFIER: &str = "default";

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What is asked about answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doubt<'a> {
    /// Answers that name this label.
    Label(&'a str),
    /// Answers that no label fits: one that is new may.
    NoneFits,
    /// Answers that propose this as a label.
    Proposed(&'a str),
}

/// Rows of one kind.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    /// Answers of people.
    pub answers: Vec<FeedbackRecord>,
    /// When people answered these last, by the id of the record: RFC 3339 in UTC.
    pub reviewed_at: HashMap<String, String>,
    /// Rows of training files that people have not answered.
    pub initial: Vec<String>,
    /// Name of the classifier that people answered about last, whatever their answers are.
    pub classifier: Option<String>,
}

impl Rows {
    /// Returns how many texts there are.
    pub fn count(&self) -> usize {
        self.answers.len() + self.initial.len()
    }
}

/// Finds the rows that a change of the set is about: answers of people, and rows of training files without one, by this
/// set, which need not be the current one. They are rows as an export has them: by whether a text may have several labels.
///
/// # Errors
///
/// The bucket or a training file cannot be read.
pub async fn rows(bucket: &Bucket, set: Option<&LabelSet>, doubt: &Doubt<'_>) -> Result<Rows, Failure> {
    let rows = rows_of_each(bucket, set, std::slice::from_ref(doubt)).await?;
    Ok(rows.into_iter().next().unwrap_or_default())
}

/// Finds the rows of several kinds as [`rows`] does, and reads the labels once.
///
/// # Errors
///
/// As [`rows`].
pub async fn rows_of_each(
    bucket: &Bucket,
    set: Option<&LabelSet>,
    doubts: &[Doubt<'_>],
) -> Result<Vec<Rows>, Failure> {
    let several = has_several_labels(bucket, set.is_none_or(LabelSet::has_several_labels)).await?;
    let read_by = set.filter(|set| set.version() > 0);
    let read_by = read_by.map(|set| Arc::new(set.clone().with_several_labels(several)));
    let labels = labels::read_by(bucket, Keep::Line, read_by, Packing::AsItIs).await?;
    let mut rows = vec![Rows::default(); doubts.len()];
    let answered = take_answers(&labels, doubts, &mut rows)?;

    for (doubt, rows) in doubts.iter().zip(&mut rows) {
        if let (Doubt::Label(name), Some(set)) = (doubt, set) {
            rows.initial = initial_rows(bucket, set, name, &answered).await?;
        }
        if !rows.initial.is_empty() {
            rows.classifier = newest_classifier(&labels)?;
        }
    }
    Ok(rows)
}

/// Adds the answers of each kind to its rows. Returns the texts that people have answered.
fn take_answers(
    labels: &Labels,
    doubts: &[Doubt<'_>],
    rows: &mut [Rows],
) -> Result<HashSet<TextId>, Failure> {
    let consolidated = consolidate(&labels.votes, Settings::default());
    let mode = labels.mode(&consolidated);
    let mut answered: HashSet<TextId> = HashSet::new();
    for record in labels.records() {
        let last = &record[record.len() - 1];
        let consensus = consolidated.of(last.id);
        let outcome = Outcome::of(record, consensus, mode, labels.set.as_deref());
        if outcome.counts() {
            answered.insert(last.text_id);
        }
        for (doubt, rows) in doubts.iter().zip(&mut *rows) {
            let is_meant = match (&outcome, doubt) {
                (Outcome::Labels(labels), Doubt::Label(name)) => labels.iter().any(|label| label == name),
                (Outcome::NoClass("none-fits"), Doubt::NoneFits) => true,
                (Outcome::NoClass(_), Doubt::Proposed(name)) => {
                    proposes(&consolidated.of(last.id), name, labels.set.as_deref())
                }
                _ => false,
            };
            if is_meant {
                let answer = line(labels, last)?;
                if let Some(newest) = newest_review(labels, record)? {
                    rows.reviewed_at.insert(answer.id.clone(), newest);
                }
                rows.answers.push(answer);
            }
        }
    }
    Ok(answered)
}

/// Returns when reviewers or an adjudicator answered last in some lines; what a file says has the time of another clock.
fn newest_review(labels: &Labels, lines: &[labels::Line]) -> Result<Option<String>, Failure> {
    let mut newest: Option<String> = None;
    for line in lines {
        let kept = labels.kept.read(line.kept)?;
        let votes = LabelledRecord::parse(kept.as_bytes())?.votes.into_iter();
        let given_here =
            |vote: &Vote| matches!(vote.source, VoteSource::HumanReview | VoteSource::Adjudicator);
        newest = newest.max(votes.filter(given_here).map(|vote| vote.at).max());
    }
    Ok(newest)
}

/// Returns the name of the classifier of the newest label.
fn newest_classifier(labels: &Labels) -> Result<Option<String>, Failure> {
    let newest = labels
        .records()
        .filter_map(<[_]>::last)
        .max_by_key(|line| line.answered_at);
    let newest = newest.map(|newest| line(labels, newest)).transpose()?;
    Ok(newest.map(|record| record.classifier))
}

/// Returns whether people agree on a label that is none of the set, and this is it, or one of several.
fn proposes(consensus: &Consensus<&Answer>, name: &str, set: Option<&LabelSet>) -> bool {
    let Consensus::Agreed { answer, .. } = consensus else {
        return false;
    };
    let is_it = |label: &str| label_key(label) == label_key(name);
    match answer {
        Answer::NewLabel { label } => {
            let names = set.map_or_else(Vec::new, |set| set.proposed_names(label));
            is_it(label) || names.iter().any(|name| is_it(name))
        }
        Answer::Labels { labels } => labels.iter().any(|label| is_it(label)),
        Answer::NoneFits | Answer::Unsure => false,
    }
}

/// Returns the records that ask about rows again when the set is changed at this time, each text once: the most doubtful
/// first, by the confidence that the model had; rows on which none said anything, as those of training files, last.
///
/// What was said before a text is asked anew counts no more. So none is asked before its newest answer, also where the clock of
/// whoever makes the change is behind.
///
/// Rows of training files name no classifier: they are the one's that people answered about, here or else last of all, or
/// where nobody has answered yet the one's that the stack has by default.
pub fn again(rows: &Rows, default_classifier: Option<&str>, at: &str) -> Vec<FeedbackRecord> {
    let of_answer = rows.answers.first().map(|record| record.classifier.as_str());
    let classifier = of_answer.or(rows.classifier.as_deref()).or(default_classifier);
    let of_files = rows.initial.iter();
    let of_files = of_files.map(|text| unanswered(classifier.unwrap_or(DEFAULT_CLASSIFIER), text));
    let mut records: Vec<FeedbackRecord> = rows.answers.iter().cloned().chain(of_files).collect();
    records.sort_by(|a, b| {
        let confidence = |record: &FeedbackRecord| record.confidence.unwrap_or(NO_CONFIDENCE);
        let order = confidence(a).total_cmp(&confidence(b));
        order.then_with(|| a.id.cmp(&b.id))
    });
    let mut asked = HashSet::new();
    records.retain(|record| asked.insert(record.id.clone()));
    let asked_at = |id: &str| rows.reviewed_at.get(id).map_or(at, |newest| at.max(newest));
    records
        .iter()
        .map(|record| record.asked_anew(asked_at(&record.id)))
        .collect()
}

/// Makes the record of a text that nobody was asked about.
fn unanswered(classifier: &str, text: &str) -> FeedbackRecord {
    FeedbackRecord {
        schema_version: 1,
        id: record_id(classifier, text),
        classifier: classifier.to_owned(),
        utterance: text.to_owned(),
        prediction: None,
        confidence: None,
        classes: Vec::new(),
        source: Source::ExplicitBatch,
        signal: Signal::Relabel,
        suggested_label: None,
        prediction_id: None,
        model_arn: None,
        selection_probability: None,
        accepted_above: None,
        is_of_all: false,
        user: None,
        received_at: String::new(),
    }
}

fn line(labels: &Labels, line: &labels::Line) -> Result<FeedbackRecord, Failure> {
    let kept = labels.kept.read(line.kept)?;
    let labelled = LabelledRecord::parse(kept.as_bytes())?;
    Ok(labelled.record)
}

/// Reads the texts of a label from the training files that datasets take, those left out that people have answered.
async fn initial_rows(
    bucket: &Bucket,
    set: &LabelSet,
    label: &str,
    answered: &HashSet<TextId>,
) -> Result<Vec<String>, Failure> {
    let (initial, _) = read_initial(bucket, None, true, Some(Arc::new(set.clone()))).await?;
    Ok(initial.texts_of(label, set, |text| !answered.contains(&text))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: &str = "2026-11-28T10:00:00.000Z";

    fn answered(text: &str, confidence: Option<f32>) -> FeedbackRecord {
        FeedbackRecord {
            confidence,
            ..unanswered("news", text)
        }
    }

    #[test]
    fn rows_are_asked_again_from_the_least_to_the_most_confident_and_those_of_training_files_last() {
        let answers = [
            answered("sure", Some(0.97)),
            answered("said by nobody", None),
            answered("torn", Some(0.31)),
            answered("half sure", Some(0.62)),
        ];
        let rows = Rows {
            answers: answers.to_vec(),
            initial: vec!["from a file".to_owned()],
            classifier: Some("news".to_owned()),
            ..Rows::default()
        };

        let asked = again(&rows, None, AT);

        let texts: Vec<&str> = asked.iter().map(|record| record.utterance.as_str()).collect();
        assert_eq!(texts[..3], ["torn", "half sure", "sure"]);
        let mut last = texts[3..].to_vec();
        last.sort_unstable();
        assert_eq!(last, ["from a file", "said by nobody"]);
        assert!(asked.iter().all(|record| record.signal == Signal::Relabel));
        assert!(asked.iter().all(|record| record.received_at == AT));
        assert!(asked.iter().all(|record| record.classifier == "news"));
    }

    #[test]
    fn what_was_answered_after_the_change_by_a_clock_that_is_ahead_of_it_is_asked_as_of_its_newest_answer() {
        let (early, late) = (answered("early", None), answered("late", None));
        let reviewed = [
            (early.id.clone(), "2026-11-28T09:59:00.000Z".to_owned()),
            (late.id.clone(), "2026-11-28T10:05:00.000Z".to_owned()),
        ];
        let rows = Rows {
            answers: vec![early, late],
            reviewed_at: reviewed.into(),
            ..Rows::default()
        };

        let asked = again(&rows, None, AT);

        let mut times: Vec<(&str, &str)> = (asked.iter())
            .map(|record| (record.utterance.as_str(), record.received_at.as_str()))
            .collect();
        times.sort_unstable();
        assert_eq!(times, [("early", AT), ("late", "2026-11-28T10:05:00.000Z")]);
    }

    #[test]
    fn a_row_of_a_training_file_is_asked_about_by_the_classifier_of_the_stack_and_never_by_none() {
        let rows = |newest: Option<&str>| Rows {
            initial: vec!["from a file".to_owned()],
            classifier: newest.map(str::to_owned),
            ..Rows::default()
        };
        let classifier = |newest, of_stack| again(&rows(newest), of_stack, AT)[0].classifier.clone();

        assert_eq!(classifier(Some("mail"), Some("news")), "mail");
        assert_eq!(classifier(None, Some("news")), "news");
        assert_eq!(classifier(None, None), "default");
    }

    #[test]
    fn a_text_that_was_answered_twice_is_asked_again_once_by_its_greater_doubt() {
        let rows = Rows {
            answers: vec![
                answered("torn", Some(0.8)),
                answered("torn", Some(0.3)),
                answered("other", Some(0.5)),
            ],
            initial: vec!["torn".to_owned()],
            ..Rows::default()
        };

        let asked = again(&rows, Some("news"), AT);

        let texts: Vec<&str> = asked.iter().map(|record| record.utterance.as_str()).collect();
        assert_eq!(texts, ["torn", "other"]);
        assert_eq!(asked[0].confidence, Some(0.3));
    }
}
