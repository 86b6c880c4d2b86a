//! Stores what was planned: labelled records with their questions and claims, and a file of texts to ask
//! about.

use std::future::ready;

use active_learning_aws as aws;

use active_learning_aws::{
    bucket::{Bucket, Created, MAX_DOCUMENT_BYTES},
    claims::Claims,
    label_set::LabelSets,
    labelled,
    questions::Questions,
};
use active_learning_core::{
    feedback::{FeedbackRecord, FeedbackRequest, Source, record_id},
    labels::{
        consolidation::Consensus,
        label_set::LabelSet,
        labelled::{LabelledRecord, object_key},
        question::{Question, State},
    },
    sampling::duplicates::same_form,
};
use futures::{StreamExt, TryStreamExt, stream};
use serde::Serialize;
use serde_json::json;

use super::{
    known::{Before, Found, Known, NEVER, Replaced, TEXTS_IN_FLIGHT},
    plan::{Fate, Labelled, Plan},
    upload::{Uploaded, upload},
};
use crate::place::Place;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Texts of one labelled object.
const TEXTS_PER_OBJECT: usize = 500;
/// Texts of one uploaded file.
const TEXTS_PER_FILE: usize = 20_000;

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Done {
    /// Texts whose labels are new.
    pub labelled: usize,
    /// Of these, those that train the next model.
    pub training: usize,
    /// Texts that had another label by the same hand.
    pub changed: usize,
    /// Texts that were sent to be asked.
    pub asked: usize,
    /// Texts that an import a moment ago sent to be asked.
    pub on_their_way: usize,
    /// Texts that wait for an adjudicator.
    pub disputed: usize,
}

/// Does what was planned. Idempotent, and can be repeated where it broke off.
///
/// Questions first: what is written of a text's labels says that it was taken in.
pub(super) async fn store(
    place: &Place,
    batch: &Bucket,
    set: &LabelSet,
    plan: &Plan,
    known: &Known,
) -> Result<Done, Failure> {
    let mut done = Done::default();
    let pool: Vec<_> = plan.pool.iter().zip(&known.pool).collect();
    let unknown: Vec<_> = pool.into_iter().filter(|(_, is_known)| !**is_known).collect();
    for texts in unknown.chunks(TEXTS_PER_FILE) {
        let lines: String = texts
            .iter()
            .map(|((classifier, text), _)| {
                format!("{}\n", json!({"classifier": classifier, "sentence": text}))
            })
            .collect();
        match upload(batch, lines, chrono::Utc::now()).await? {
            Uploaded::Now => done.asked += texts.len(),
            Uploaded::Before => done.on_their_way += texts.len(),
        }
    }

    let now = aws::now();
    let new: Vec<New> = plan
        .labelled
        .iter()
        .zip(&known.labelled)
        .filter(|(_, found)| !found.before.is_known())
        .map(|(labelled, found)| New::of(labelled, found, &now))
        .collect();
    for part in new.chunks(TEXTS_PER_OBJECT) {
        let records = store_part(place, part).await?;
        done.labelled += records.len();
        done.disputed += note_all(place, set, records).await?;
    }
    done.changed = known.changed();
    let trains = |(labelled, before): &(&Labelled, &Before)| {
        labelled.fate == Fate::Trains && !matches!(before, Before::All(_) | Before::Ties | Before::Outvoted)
    };
    done.training = plan.labelled.iter().zip(known.befores()).filter(trains).count();
    Ok(done)
}

/// What is new of a text.
struct New {
    /// In the spelling that is known.
    labelled: Labelled,
    /// Id of its record, where that is known.
    id: Option<String>,
    /// What it takes the place of.
    replaced: Option<Replaced>,
}

impl New {
    fn of(labelled: &Labelled, Found { before, known_as }: &Found, now: &str) -> Self {
        let mut labelled = labelled.clone();
        if let Some(known_as) = known_as {
            labelled.text.clone_from(&known_as.text);
        }
        let replaced = match before {
            Before::Another(replaced) => Some(replaced.clone()),
            Before::Nothing | Before::All(_) | Before::Ties | Before::Outvoted => None,
        };
        // The file is the newer word, also where it says of no vote when it was given, or of all the same.
        for vote in &mut labelled.votes {
            if replaced.as_ref().is_some_and(|replaced| vote.at <= replaced.at) {
                now.clone_into(&mut vote.at);
            }
        }
        Self {
            labelled,
            id: known_as.as_ref().map(|known_as| known_as.id.clone()),
            replaced,
        }
    }
}

/// Stores labelled texts as one object, unless an earlier import broke off behind it; returns what is stored.
async fn store_part(place: &Place, part: &[New]) -> Result<Vec<LabelledRecord>, Failure> {
    let said: String = part.iter().map(identity).collect();
    let name = format!("import-{}", digest(&said));
    let records = part
        .iter()
        .map(|new| record(new, &name))
        .collect::<Result<Vec<_>, _>>()?;
    let lines: String = records.iter().map(LabelledRecord::to_line).collect();
    let key = object_key(&name);
    if labelled::create(&place.training, &name, lines).await? == Created::Created {
        return Ok(records);
    }
    // Those have the time of that import: the same votes are counted once.
    let stored = place.training.read(&key, MAX_DOCUMENT_BYTES).await?;
    let bytes = stored.map(|stored| stored.bytes).unwrap_or_default();
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let stored = lines.map(LabelledRecord::parse).collect::<Result<Vec<_>, _>>()?;
    Ok(stored)
}

/// Tells what is said of a text from what else might be, whenever it is imported. To change it back is to change it.
fn identity(
    New {
        labelled, replaced, ..
    }: &New,
) -> String {
    let votes: Vec<_> = labelled
        .votes
        .iter()
        .map(|vote| (&vote.worker, &vote.answer))
        .collect();
    let said = json!([labelled.classifier, labelled.text, votes]).to_string();
    match replaced {
        Some(replaced) => said + &replaced.at,
        None => said,
    }
}

pub(super) fn digest(text: &str) -> String {
    record_id("import", text)[..16].to_owned()
}

fn record(
    New {
        labelled,
        id,
        replaced,
    }: &New,
    name: &str,
) -> Result<LabelledRecord, Failure> {
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
    let mut record: FeedbackRecord = request.into_record(Source::ExplicitBatch, at)?;
    if let Some(id) = id {
        record.id.clone_from(id);
    }
    let mut labelled = LabelledRecord::new(record, labelled.votes.clone(), name, "");
    labelled.replaces = (replaced.as_ref()).map_or_else(Vec::new, |replaced| replaced.labels.clone());
    Ok(labelled)
}

/// Notes the votes in the questions, and claims those that they answer, so that nobody is asked again; returns how many are
/// disputed.
async fn note_all(place: &Place, set: &LabelSet, records: Vec<LabelledRecord>) -> Result<usize, Failure> {
    let questions = &Questions::new("import", place.feedback.clone(), place.training.clone());
    let claims = &Claims::new(place.feedback.clone(), NEVER);
    let sets = LabelSets::new(place.training.clone()).with_several_labels(set.has_several_labels());
    stream::iter(records)
        .map(async |labelled| {
            let question = note(questions, (&sets, set), &labelled).await?;
            let record = &labelled.record;
            // What is a proposal only is asked.
            if labelled.consensus != Consensus::Unanswered {
                claims.claim_or_owner(&record.id, &labelled.human_loop).await?;
                let form = format!("text-{}", same_form(record));
                claims.claim_or_owner(&form, &record.id).await?;
            }
            Ok::<_, Failure>(usize::from(question.state == State::Disputed))
        })
        .buffer_unordered(TEXTS_IN_FLIGHT)
        .try_fold(0, |sum, one| ready(Ok(sum + one)))
        .await
}

/// Notes the votes of a line in its question, by the label set of now; by `set` where there is none any more.
async fn note(
    questions: &Questions,
    (sets, set): (&LabelSets, &LabelSet),
    labelled: &LabelledRecord,
) -> Result<Question, Failure> {
    let record = &labelled.record;
    let add = |question: &mut Option<Question>, newest: Option<&LabelSet>| {
        let question = question.get_or_insert_with(|| Question::known(record.clone()));
        let was_disputed = question.state == State::Disputed;
        question.take_imported_line(labelled, newest.unwrap_or(set));
        (question.clone(), was_disputed)
    };
    let (question, was_disputed) = questions.change_by(sets, &record.id, add).await?;
    match question.state {
        State::Disputed => questions.dispute(&question).await?,
        State::Answered if was_disputed => questions.settle(&record.id).await?,
        State::Asked | State::Answered | State::Withdrawn | State::Abandoned => {}
    }
    Ok(question)
}
