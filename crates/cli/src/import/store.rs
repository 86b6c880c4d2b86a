//! Stores what was planned: labelled records with their questions and claims, and a file of texts to ask
//! about.

use std::{future::ready, time::Duration};

use active_learning_aws::{
    bucket::{Bucket, Created, JSON_LINES, MAX_DOCUMENT_BYTES},
    claims::Claims,
    questions::Questions,
};
use active_learning_core::{
    feedback::{FeedbackRecord, FeedbackRequest, Source, record_id},
    labels::{
        consolidation::Consensus,
        labelled::{LabelledRecord, object_key},
        question::{Question, State},
        vote::Vote,
    },
    sampling::duplicates::same_form,
};
use futures::{StreamExt, TryStreamExt, stream};
use serde::Serialize;
use serde_json::json;

use super::plan::{Labelled, Plan};
use crate::place::Place;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Texts of one labelled object.
const TEXTS_PER_OBJECT: usize = 500;
/// Texts of one uploaded file.
const TEXTS_PER_FILE: usize = 20_000;
/// Texts that are stored at a time.
const TEXTS_IN_FLIGHT: usize = 16;
/// Claims are made where there are none; whose turn it is to take one over is not known here.
const NEVER: Duration = Duration::from_secs(u32::MAX as u64);

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Done {
    /// Texts whose labels are new.
    pub labelled: usize,
    /// Texts that were sent to be asked.
    pub asked: usize,
    /// Texts that wait for an adjudicator.
    pub disputed: usize,
}

/// Does what was planned. Idempotent, and can be repeated where it broke off.
pub(super) async fn store(place: &Place, batch: &Bucket, plan: &Plan) -> Result<Done, Failure> {
    let mut done = Done::default();
    let new = without_known(place, &plan.labelled).await?;
    for part in new.chunks(TEXTS_PER_OBJECT) {
        let records = store_part(place, part).await?;
        done.labelled += records.len();
        done.disputed += note_all(place, records).await?;
    }
    for texts in plan.pool.chunks(TEXTS_PER_FILE) {
        let lines: String = texts
            .iter()
            .map(|(classifier, text)| format!("{}\n", json!({"classifier": classifier, "sentence": text})))
            .collect();
        // In no folder, which would name a classifier.
        let key = format!("import-{}.jsonl", digest(&lines));
        if batch.create(&key, JSON_LINES, lines).await? == Created::Created {
            done.asked += texts.len();
        }
    }
    Ok(done)
}

/// Leaves out texts whose questions have all their votes: those were imported before.
async fn without_known(place: &Place, all: &[Labelled]) -> Result<Vec<Labelled>, Failure> {
    let questions = &Questions::new(place.feedback.clone(), place.training.clone());
    stream::iter(all)
        .map(async |labelled| {
            let question = questions
                .read(&record_id(&labelled.classifier, &labelled.text))
                .await?;
            let votes = question.map(|question| question.votes).unwrap_or_default();
            let is_counted = |vote: &Vote| {
                votes
                    .iter()
                    .any(|known| (&known.worker, &known.answer) == (&vote.worker, &vote.answer))
            };
            let is_known = labelled.votes.iter().all(is_counted);
            Ok::<_, Failure>((!is_known).then(|| labelled.clone()))
        })
        .buffered(TEXTS_IN_FLIGHT)
        .try_filter_map(|labelled| ready(Ok(labelled)))
        .try_collect()
        .await
}

/// Stores labelled texts as one object, unless an earlier import broke off behind it; returns what is stored.
async fn store_part(place: &Place, part: &[Labelled]) -> Result<Vec<LabelledRecord>, Failure> {
    let said: String = part.iter().map(identity).collect();
    let name = format!("import-{}", digest(&said));
    let records = part
        .iter()
        .map(|labelled| record(labelled, &name))
        .collect::<Result<Vec<_>, _>>()?;
    let lines: String = records.iter().map(LabelledRecord::to_line).collect();
    let key = object_key(&name);
    if place.training.create(&key, JSON_LINES, lines).await? == Created::Created {
        return Ok(records);
    }
    // Those have the time of that import: the same votes are counted once.
    let stored = place.training.read(&key, MAX_DOCUMENT_BYTES).await?;
    let bytes = stored.map(|stored| stored.bytes).unwrap_or_default();
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let stored = lines.map(LabelledRecord::parse).collect::<Result<Vec<_>, _>>()?;
    Ok(stored)
}

/// Tells what is said of a text from what else might be, whenever it is imported.
fn identity(labelled: &Labelled) -> String {
    let votes: Vec<_> = labelled
        .votes
        .iter()
        .map(|vote| (&vote.worker, &vote.answer))
        .collect();
    json!([labelled.classifier, labelled.text, votes]).to_string()
}

fn digest(text: &str) -> String {
    record_id("import", text)[..16].to_owned()
}

fn record(labelled: &Labelled, name: &str) -> Result<LabelledRecord, Failure> {
    let at = labelled
        .votes
        .iter()
        .map(|vote| vote.at.as_str())
        .max()
        .unwrap_or_default();
    let request = FeedbackRequest {
        classifier: labelled.classifier.clone(),
        sentence: labelled.text.clone(),
        ..FeedbackRequest::default()
    };
    let record: FeedbackRecord = request.into_record(Source::ExplicitBatch, at)?;
    Ok(LabelledRecord::new(record, labelled.votes.clone(), name, ""))
}

/// Notes the votes in the questions, and claims these, so that nobody is asked again; returns how many are
/// disputed.
async fn note_all(place: &Place, records: Vec<LabelledRecord>) -> Result<usize, Failure> {
    let questions = &Questions::new(place.feedback.clone(), place.training.clone());
    let claims = &Claims::new(place.feedback.clone(), NEVER);
    stream::iter(records)
        .map(async |labelled| {
            let question = note(questions, &labelled).await?;
            let record = &labelled.record;
            claims.claim_or_owner(&record.id, &labelled.human_loop).await?;
            claims
                .claim_or_owner(&format!("text-{}", same_form(record)), &record.id)
                .await?;
            Ok::<_, Failure>(usize::from(question.state == State::Disputed))
        })
        .buffer_unordered(TEXTS_IN_FLIGHT)
        .try_fold(0, |sum, one| ready(Ok(sum + one)))
        .await
}

async fn note(questions: &Questions, labelled: &LabelledRecord) -> Result<Question, Failure> {
    let record = &labelled.record;
    let add = |question: &mut Option<Question>| {
        let was_disputed = question
            .as_ref()
            .is_some_and(|question| question.state == State::Disputed);
        let question = question.get_or_insert_with(|| Question::known(record.clone()));
        question.answer_with(&labelled.votes);
        // Nobody is being asked who could decide.
        if question.human_loop.is_none() && question.consensus == Some(Consensus::Tie) {
            question.state = State::Disputed;
        }
        (question.clone(), was_disputed)
    };
    let (question, was_disputed) = questions.change(&record.id, add).await?;
    match question.state {
        State::Disputed => questions.dispute(&question).await?,
        State::Answered if was_disputed => questions.settle(&record.id).await?,
        State::Asked | State::Answered | State::Withdrawn | State::Abandoned => {}
    }
    Ok(question)
}
