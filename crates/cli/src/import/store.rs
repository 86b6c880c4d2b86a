//! Stores what was planned: labelled records with their questions and claims, and a file of texts to ask
//! about.

use std::{future::ready, time::Duration};

use active_learning_aws as aws;

use active_learning_aws::{
    bucket::{Bucket, Created, MAX_DOCUMENT_BYTES},
    claims::Claims,
    labelled,
    questions::Questions,
};
use active_learning_core::{
    feedback::{FeedbackRecord, FeedbackRequest, Source, record_id},
    labels::{
        consolidation::Consensus,
        human_loop::Answer,
        label_set::LabelSet,
        labelled::{LabelledRecord, object_key},
        question::{Question, State},
        vote::Vote,
    },
    sampling::duplicates::same_form,
};
use futures::{StreamExt, TryStreamExt, stream};
use serde::Serialize;
use serde_json::json;

use super::{
    plan::{Fate, Labelled, Plan, UNNAMED},
    upload::{Uploaded, upload},
};
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

/// What the stack knows already of a plan.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    /// Of each text with labels.
    labelled: Vec<Before>,
    /// Whether each text to ask was asked, answered or waits already.
    pool: Vec<bool>,
}

/// What is known of a text with labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Before {
    /// Nobody here said this of it.
    Nothing,
    /// All of it.
    All(Standing),
    /// It had another label by the same hand.
    Another(Replaced),
    /// People here answered something else, as many of them: an adjudicator has to decide.
    Ties,
    /// More people here answered something else: their answer stays.
    Outvoted,
}

/// What became of a label that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It stands as the file says.
    Stands,
    /// People here answered something else, and an adjudicator is to decide.
    Disputed,
    /// People here answered something else: their answer stays.
    Outvoted,
}

/// What a corrected file takes the place of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Replaced {
    /// When the newest such word was given.
    at: String,
    /// The labels that the text had.
    labels: Vec<String>,
}

impl Before {
    /// Returns whether all that a file says of a text is known.
    fn is_known(&self) -> bool {
        matches!(self, Self::All(_))
    }
}

impl Known {
    /// Knows this of texts with labels, and nothing of those to ask.
    #[cfg(test)]
    pub(super) fn of_labels(labelled: Vec<Before>) -> Self {
        Self {
            labelled,
            pool: Vec::new(),
        }
    }

    /// Looks up what is known of each text.
    pub(super) async fn of(place: &Place, set: &LabelSet, plan: &Plan) -> Result<Self, Failure> {
        let questions = &Questions::new("import", place.feedback.clone(), place.training.clone());
        let claims = &Claims::new(place.feedback.clone(), NEVER);
        let labelled = stream::iter(&plan.labelled)
            .map(async |labelled| {
                let id = record_id(&labelled.classifier, &labelled.text);
                let question = questions.read(&id).await?;
                Ok::<_, Failure>(before(set, labelled, question.as_ref()))
            })
            .buffered(TEXTS_IN_FLIGHT)
            .try_collect()
            .await?;
        let pool = stream::iter(&plan.pool)
            .map(async |(classifier, text)| {
                let id = record_id(classifier, text);
                let (question, holder) = tokio::join!(questions.read(&id), claims.holder(&id));
                let is_open =
                    |question: Question| !matches!(question.state, State::Withdrawn | State::Abandoned);
                let is_asked =
                    question?.is_some_and(|question| question.human_loop.is_some() && is_open(question));
                Ok::<_, Failure>(is_asked || holder?.is_some())
            })
            .buffered(TEXTS_IN_FLIGHT)
            .try_collect()
            .await?;
        Ok(Self { labelled, pool })
    }

    /// Counts texts whose labels are known.
    pub(super) fn labelled(&self) -> usize {
        self.labelled.iter().filter(|before| before.is_known()).count()
    }

    /// Counts texts that had another label by the same hand.
    pub(super) fn changed(&self) -> usize {
        let is_changed = |before: &&Before| matches!(before, Before::Another(_));
        self.labelled.iter().filter(is_changed).count()
    }

    /// Counts texts of which as many people here have answered something else.
    pub(super) fn tied(&self) -> usize {
        let is_tie = |before: &&Before| matches!(before, Before::Ties | Before::All(Standing::Disputed));
        self.labelled.iter().filter(is_tie).count()
    }

    /// Counts texts of which more people here have answered something else.
    pub(super) fn outvoted(&self) -> usize {
        let is_outvoted =
            |before: &&Before| matches!(before, Before::Outvoted | Before::All(Standing::Outvoted));
        self.labelled.iter().filter(is_outvoted).count()
    }

    /// Counts texts to ask that were asked, answered or wait already.
    pub(super) fn asked(&self) -> usize {
        self.pool.iter().filter(|is_known| **is_known).count()
    }
}

/// Returns what a question knows of what is said of a text. A label that counts only by now is no news, but is done.
pub(super) fn before(set: &LabelSet, labelled: &Labelled, question: Option<&Question>) -> Before {
    let Some(question) = question else {
        return Before::Nothing;
    };
    let question = &by_own_names(set, question.clone());
    let last_of = |other: &Vote| {
        let own = question.votes.iter().filter(|vote| vote.voter() == other.voter());
        own.max_by_key(|vote| (vote.at.clone(), vote.answer.clone()))
    };
    let last: Vec<Option<&Vote>> = labelled.votes.iter().map(last_of).collect();
    // What a file said of a label that is out of use by now is what this one says of it.
    let says_the_same = |last: &Vote, vote: &Vote| set.as_imported(&last.answer).says_the_same(&vote.answer);
    let is_same = |(vote, last): (&Vote, &Option<&Vote>)| last.is_some_and(|last| says_the_same(last, vote));
    if repeats_the_answer(question, labelled) {
        return Before::All(Standing::Stands);
    }
    let counts = labelled.fate != Fate::Trains || question.state != State::Asked;
    if counts && labelled.votes.iter().zip(&last).all(is_same) {
        return Before::All(standing(question, labelled));
    }
    let other = labelled.votes.iter().zip(&last).filter_map(|(vote, last)| {
        let last = last.filter(|last| !says_the_same(last, vote))?;
        Some(last.at.clone())
    });
    let labels = match question.answer() {
        Some(Answer::Labels { labels }) => labels.clone(),
        Some(_) | None => Vec::new(),
    };
    match other.max() {
        Some(at) => Before::Another(Replaced { at, labels }),
        None if labelled.fate == Fate::Trains => against(set, question, labelled),
        None => Before::Nothing,
    }
}

/// Returns whether a file only repeats, by no one in particular, what people agree on: an export of this stack does, and says
/// nothing new.
fn repeats_the_answer(question: &Question, labelled: &Labelled) -> bool {
    let is_unnamed = |vote: &Vote| vote.worker == UNNAMED;
    labelled.votes.iter().all(|vote| {
        is_unnamed(vote)
            && question
                .answer()
                .is_some_and(|answer| answer.says_the_same(&vote.answer))
    })
}

/// Returns what became of a label of a file that is known.
fn standing(question: &Question, labelled: &Labelled) -> Standing {
    let says = |answer: &Answer| {
        let mut votes = labelled.votes.iter();
        votes.any(|vote| vote.answer.says_the_same(answer))
    };
    match (question.state, question.answer()) {
        _ if labelled.fate != Fate::Trains => Standing::Stands,
        (State::Disputed, _) => Standing::Disputed,
        (_, Some(answer)) if !says(answer) => Standing::Outvoted,
        _ => Standing::Stands,
    }
}

/// Returns a question by the names that labels have now, so that what a file says is held against it.
fn by_own_names(set: &LabelSet, mut question: Question) -> Question {
    set.use_own_names(&mut question);
    question
}

/// Returns what becomes of an answer of people here when the votes of a file come to it.
fn against(set: &LabelSet, question: &Question, labelled: &Labelled) -> Before {
    let Some(answer) = question.answer() else {
        return Before::Nothing;
    };
    let says_otherwise = labelled
        .votes
        .iter()
        .all(|vote| !vote.answer.says_the_same(answer));
    let mut together = question.clone();
    together.add(&labelled.votes);
    together.decide(Some(set));
    match together.answer() {
        _ if !says_otherwise => Before::Nothing,
        None => Before::Ties,
        Some(still) if still.says_the_same(answer) => Before::Outvoted,
        Some(_) => Before::Nothing,
    }
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
        .filter(|(_, before)| !before.is_known())
        .map(|(labelled, before)| New::of(labelled, before, &now))
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
    done.training = plan.labelled.iter().zip(&known.labelled).filter(trains).count();
    Ok(done)
}

/// What is new of a text.
struct New {
    labelled: Labelled,
    /// What it takes the place of.
    replaced: Option<Replaced>,
}

impl New {
    fn of(labelled: &Labelled, before: &Before, now: &str) -> Self {
        let mut labelled = labelled.clone();
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
        Self { labelled, replaced }
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
fn identity(New { labelled, replaced }: &New) -> String {
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

fn record(New { labelled, replaced }: &New, name: &str) -> Result<LabelledRecord, Failure> {
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
    let mut labelled = LabelledRecord::new(record, labelled.votes.clone(), name, "");
    labelled.replaces = (replaced.as_ref()).map_or_else(Vec::new, |replaced| replaced.labels.clone());
    Ok(labelled)
}

/// Notes the votes in the questions, and claims those that they answer, so that nobody is asked again; returns how many are
/// disputed.
async fn note_all(place: &Place, set: &LabelSet, records: Vec<LabelledRecord>) -> Result<usize, Failure> {
    let questions = &Questions::new("import", place.feedback.clone(), place.training.clone());
    let claims = &Claims::new(place.feedback.clone(), NEVER);
    stream::iter(records)
        .map(async |labelled| {
            let question = note(questions, set, &labelled).await?;
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

async fn note(questions: &Questions, set: &LabelSet, labelled: &LabelledRecord) -> Result<Question, Failure> {
    let record = &labelled.record;
    let add = |question: &mut Option<Question>| {
        let question = question.get_or_insert_with(|| Question::known(record.clone()));
        let was_disputed = question.state == State::Disputed;
        question.take_imported(&labelled.votes, set);
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
