//! What people do not agree on, as an adjudicator sees and decides it, here or on AWS.

use active_learning_aws::{
    self as aws,
    adjudication::{Choice, Decision, adjudicate as adjudicate_in},
    bucket::{Bucket, Object},
    label_set::LabelSets,
};
use active_learning_core::{
    feedback::prediction::for_people,
    keys,
    labels::{
        consolidation::tied_labels,
        human_loop::{Answer, HumanLoopInput, LoopName},
        label_set::LabelSet,
        question::Question,
        vote::Vote,
    },
};
use clap::{ArgGroup, Args};
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};

use crate::{
    outputs::StackOutputs,
    place::Place,
    wording::{counted_as, one_line},
};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Disputes that are shown at most.
const MAX_SHOWN: usize = 1_000;
/// Largest task that is read, in bytes.
const MAX_TASK_BYTES: u64 = 4 << 20;
/// Tasks that are read at a time.
const READS_AT_ONCE: usize = 16;

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
#[command(group = ArgGroup::new("decision").required(true))]
pub struct Adjudication {
    /// Id of the record, as `disputed` shows it
    record: String,
    /// The right label, of the label set; several of a multi-label classifier
    #[arg(long, value_name = "NAME", group = "decision")]
    label: Vec<String>,
    /// No label fits
    #[arg(long, group = "decision")]
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
    let Place {
        training,
        feedback,
        several_labels,
        ..
    } = place.find(stack).await?;
    let listed = training
        .list_after(keys::DISPUTED_FOLDER, "", MAX_SHOWN + 1)
        .await?;
    let mut disputes: Vec<Question> = Vec::new();
    for object in listed.iter().take(MAX_SHOWN) {
        // Settled meanwhile, where it is gone.
        disputes.extend(training.read_document(&object.key).await?);
    }

    let sets = LabelSets::new(training).with_several_labels(several_labels);
    let set = sets.current().await?;
    let set = set.as_deref();
    if let Some(set) = set {
        // As they are called now: an adjudicator chooses among these.
        disputes
            .iter_mut()
            .for_each(|question| set.use_own_names(question));
    }
    if json {
        let rows: Vec<Value> = disputes.iter().map(|question| as_json(question, set)).collect();
        println!("{}", serde_json::to_string_pretty(&rows)?);
        return Ok(());
    }
    if disputes.is_empty() {
        println!("Nothing waits for an adjudicator.");
    }
    match further_opinions(&feedback).await? {
        0 => {}
        tasks => println!(
            "{} for one more opinion, of somebody who has not answered.",
            counted_as(tasks, "task asks", "tasks ask")
        ),
    }
    for question in &disputes {
        println!("{}  {}", question.record.id, one_line(&question.record.utterance));
        for vote in &question.votes {
            println!("    {:<24} {}", vote.worker, said_in_words(vote));
        }
        let kept = set.map_or_else(Vec::new, |set| question.labels_kept(set));
        if !kept.is_empty() {
            println!(
                "    given beside a label that was split since   {}",
                kept.join(", ")
            );
        }
        let tied = tied_labels(&question.counted(set));
        if !tied.is_empty() {
            println!("    as many for as against   {}", tied.join(", "));
        }
    }
    if listed.len() > MAX_SHOWN {
        println!("… and more: these are the first {MAX_SHOWN}.");
    }
    if let Some(first) = disputes.first() {
        let has_several = |vote: &Vote| matches!(&vote.answer, Answer::Labels { labels } if labels.len() > 1);
        let several = match disputes
            .iter()
            .flat_map(|question| &question.votes)
            .any(has_several)
        {
            true => " (--label once for each of several)",
            false => "",
        };
        println!(
            "To decide one: active-learning adjudicate {} --label NAME{several}",
            first.record.id
        );
    }
    Ok(())
}

/// Counts the tasks that ask for one more opinion on what people have answered.
async fn further_opinions(feedback: &Bucket) -> Result<usize, Failure> {
    let asked = feedback.list_after(keys::ASKED_FOLDER, "", MAX_SHOWN).await?;
    let is_further = |key: &str| {
        let name = keys::loop_of_asked(key).and_then(LoopName::parse);
        name.is_some_and(|name| name.is_further_round())
    };
    let further = asked.into_iter().filter(|object| is_further(&object.key));
    let tasks: Vec<Option<Object>> = stream::iter(further)
        .map(async |object| feedback.read(&object.key, MAX_TASK_BYTES).await)
        .buffered(READS_AT_ONCE)
        .try_collect()
        .await?;
    // Ended meanwhile, where it is gone. What cannot be read is no first question that is known.
    let asks = |task: &Object| {
        let input: Option<HumanLoopInput> = serde_json::from_slice(&task.bytes).ok();
        input.is_none_or(|input| input.asks_for_one_more_opinion())
    };
    Ok(tasks.iter().flatten().filter(|&task| asks(task)).count())
}

/// Decides a dispute: the answer is a vote that is final, and a labelled record of its own.
///
/// # Errors
///
/// When there is no such dispute, the label is none of the label set, there are several labels where a text has one, or
/// the buckets fail.
pub async fn adjudicate(
    adjudication: Adjudication,
    stack: impl FnOnce() -> Result<StackOutputs, Failure>,
) -> Result<(), Failure> {
    let place = adjudication.place.find(stack).await?;
    if adjudication.label.len() > 1 && !place.several_labels {
        return Err(
            "a text has one label here (parameter ReviewSeveralLabels): name one with --label".into(),
        );
    }
    let choice = match adjudication.none_fits {
        true => Choice::NoneFits,
        false => Choice::Labels(adjudication.label),
    };
    let decision = Decision {
        choice: &choice,
        by: &adjudication.by,
        at: &aws::now(),
        overrules: true,
    };
    let answer = adjudicate_in(
        "adjudicate",
        (&place.training, &place.feedback),
        &LabelSets::new(place.training.clone()).with_several_labels(place.several_labels),
        &adjudication.record,
        decision,
    )
    .await?;
    println!("Decided: {}.", in_words(&answer));
    Ok(())
}

fn as_json(question: &Question, set: Option<&LabelSet>) -> Value {
    json!({
        "id": question.record.id,
        "classifier": question.record.classifier,
        "utterance": question.record.utterance,
        "votes": question.votes,
        "tied": tied_labels(&question.counted(set)),
    })
}

fn said_in_words(vote: &Vote) -> String {
    match vote.is_taken_back() {
        true => "names no label any more".to_owned(),
        false => in_words(&vote.answer),
    }
}

fn in_words(answer: &Answer) -> String {
    match answer {
        Answer::Labels { labels } => labels.join(", "),
        Answer::NoneFits => "none fits".to_owned(),
        Answer::NewLabel { label } => format!("a new label: {}", for_people(label)),
        Answer::Unsure => "unsure".to_owned(),
    }
}
