//! What people do not agree on, as an adjudicator sees and decides it, here or on AWS.

use active_learning_aws::{self as aws, bucket::JSON_LINES, label_set::LabelSets, questions::Questions};
use active_learning_core::keys;
use active_learning_core::labels::{
    human_loop::Answer,
    label_set::{LabelSet, Resolution},
    labelled::{LabelledRecord, object_key},
    question::Question,
    vote::{Vote, VoteSource},
};
use clap::Args;
use serde_json::{Value, json};

use crate::{outputs::StackOutputs, place::Place};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Disputes that are shown at most.
const MAX_SHOWN: usize = 1_000;

/// Where the disputes are.
#[derive(Debug, Args)]
pub struct Where {
    /// Training bucket of a stack on AWS (output TrainingS3Bucket) [default: the running local stack]
    #[arg(long)]
    bucket: Option<String>,
    /// Feedback bucket of a stack on AWS (output FeedbackS3Bucket) [default: the one of the same stack]
    #[arg(long, requires = "bucket")]
    feedback_bucket: Option<String>,
}

/// The command `disputed`.
#[derive(Debug, Args)]
pub struct Listing {
    #[command(flatten)]
    place: Where,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// The command `adjudicate`.
#[derive(Debug, Args)]
pub struct Adjudication {
    /// Id of the record, as `disputed` shows it
    record: String,
    /// The right label, of the label set; several of a multi-label classifier
    #[arg(long, value_name = "NAME", required_unless_present = "none_fits")]
    label: Vec<String>,
    /// No label fits
    #[arg(long, conflicts_with = "label")]
    none_fits: bool,
    /// Who decides
    #[arg(long, value_name = "NAME", default_value = "operator")]
    by: String,
    #[command(flatten)]
    place: Where,
}

impl Where {
    async fn find(&self, stack: impl FnOnce() -> Result<StackOutputs, Failure>) -> Result<Place, Failure> {
        Place::of(self.bucket.as_deref(), self.feedback_bucket.as_deref(), stack).await
    }
}

/// Prints what waits for an adjudicator.
///
/// # Errors
///
/// When the buckets cannot be read.
pub async fn list(
    Listing { place, json }: Listing,
    stack: impl FnOnce() -> Result<StackOutputs, Failure>,
) -> Result<(), Failure> {
    let Place { training, .. } = place.find(stack).await?;
    let listed = training
        .list_after(keys::DISPUTED_FOLDER, "", MAX_SHOWN + 1)
        .await?;
    let mut disputes: Vec<Question> = Vec::new();
    for object in listed.iter().take(MAX_SHOWN) {
        // Settled meanwhile, where it is gone.
        disputes.extend(training.read_document(&object.key).await?);
    }

    if json {
        let rows: Vec<Value> = disputes.iter().map(as_json).collect();
        println!("{}", serde_json::to_string_pretty(&rows)?);
        return Ok(());
    }
    if disputes.is_empty() {
        println!("People agree on everything that they answered.");
    }
    for question in &disputes {
        println!("{}  {}", question.record.id, one_line(&question.record.utterance));
        for vote in &question.votes {
            println!("    {:<24} {}", vote.worker, in_words(&vote.answer));
        }
    }
    if listed.len() > MAX_SHOWN {
        println!("… and more: these are the first {MAX_SHOWN}.");
    }
    if let Some(first) = disputes.first() {
        println!(
            "To decide one: active-learning adjudicate {} --label NAME",
            first.record.id
        );
    }
    Ok(())
}

/// Decides a dispute: the answer is a vote that is final, and a labelled record of its own.
///
/// # Errors
///
/// When there is no such dispute, the label is none of the label set, or the buckets fail.
pub async fn adjudicate(
    adjudication: Adjudication,
    stack: impl FnOnce() -> Result<StackOutputs, Failure>,
) -> Result<(), Failure> {
    let place = adjudication.place.find(stack).await?;
    let key = keys::disputed(&adjudication.record);
    let dispute: Option<Question> = place.training.read_document(&key).await?;
    let dispute = dispute.ok_or_else(|| {
        format!(
            "nothing is disputed about the record `{}`; `active-learning disputed` lists what is",
            adjudication.record
        )
    })?;
    let set = LabelSets::new(place.training.clone()).current().await?;
    let vote = Vote {
        worker: format!("adjudicator:{}", adjudication.by),
        answer: answer(&adjudication, set.as_deref())?,
        source: VoteSource::Adjudicator,
        at: aws::now(),
        seconds: None,
    };

    // The label first: whoever comes after a crash finds the dispute, and decides it again.
    let record = &dispute.record;
    let name = format!("adjudication-{}-{}", record.id, vote.at.replace([':', '.'], ""));
    let mut labelled = LabelledRecord::new(record.clone(), vec![vote.clone()], &name, "");
    labelled.votes = vec![vote.clone()];
    let key = object_key(&name);
    place.training.put(&key, JSON_LINES, labelled.to_line()).await?;
    let questions = Questions::new("adjudicate", place.feedback, place.training);
    let settle = |question: &mut Option<Question>| {
        let question = question.get_or_insert_with(|| dispute.clone());
        question.answer_with(std::slice::from_ref(&vote));
    };
    questions.change(&record.id, settle).await?;
    questions.settle(&record.id).await?;
    println!("Decided: {}.", in_words(&vote.answer));
    Ok(())
}

fn answer(adjudication: &Adjudication, set: Option<&LabelSet>) -> Result<Answer, Failure> {
    if adjudication.none_fits {
        return Ok(Answer::NoneFits);
    }
    let mut labels = Vec::new();
    for name in &adjudication.label {
        let label = match set.map(|set| set.resolve(name)) {
            None => name.as_str(),
            Some(Resolution::Label(label)) => label,
            Some(Resolution::Retired(label) | Resolution::Split(label)) => {
                return Err(format!("`{label}` is no longer used: name an active label").into());
            }
            Some(Resolution::Proposed(label)) => {
                let hint = format!("`active-learning labels add` makes it one, if `{label}` is meant");
                return Err(format!("`{label}` is no label of the label set; {hint}").into());
            }
        };
        labels.push(label.to_owned());
    }
    Ok(Answer::labels(labels))
}

fn as_json(question: &Question) -> Value {
    json!({
        "id": question.record.id,
        "classifier": question.record.classifier,
        "utterance": question.record.utterance,
        "votes": question.votes,
    })
}

fn in_words(answer: &Answer) -> String {
    match answer {
        Answer::Labels { labels } => labels.join(", "),
        Answer::NoneFits => "none fits".to_owned(),
        Answer::NewLabel { label } => format!("a new label: {label}"),
        Answer::Unsure => "unsure".to_owned(),
    }
}

/// Shortens a text to a line of the terminal.
fn one_line(text: &str) -> String {
    const MAX_CHARACTERS: usize = 100;
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MAX_CHARACTERS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}
