//! What a stack knows already of texts that are imported.

use std::time::Duration;

use active_learning_aws::{bucket::Bucket, claims::Claims, questions::Questions};
use active_learning_core::{
    feedback::record_id,
    labels::{
        human_loop::Answer,
        label_set::LabelSet,
        question::{Question, State},
        vote::{UNSIGNED, Vote},
    },
    sampling::duplicates::form_of,
};
use futures::{StreamExt, TryStreamExt, stream};

use super::plan::{Fate, Labelled, Plan};
use crate::place::Place;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Texts that are looked up or stored at a time.
pub(super) const TEXTS_IN_FLIGHT: usize = 16;
/// Claims are made where there are none; whose turn it is to take one over is not known here.
pub(super) const NEVER: Duration = Duration::from_secs(u32::MAX as u64);

/// What the stack knows already of a plan.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    /// Of each text with labels.
    pub labelled: Vec<Found>,
    /// Whether each text to ask was asked, answered or waits already.
    pub pool: Vec<bool>,
}

/// What is known of a text with labels, and where its votes go.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub before: Before,
    /// The text as it was asked or imported before, where that was in another spelling: its question has the votes.
    pub known_as: Option<KnownAs>,
}

/// A text that is known in another spelling than that of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KnownAs {
    /// Id of its record.
    pub id: String,
    pub text: String,
}

impl Found {
    /// Looks a text up, in whatever spelling: what people say of it belongs to the question that holds the form of the text.
    async fn of(place: &Place, set: &LabelSet, labelled: &Labelled) -> Result<Self, Failure> {
        let questions = Questions::new("import", place.feedback.clone(), place.training.clone());
        let claims = Claims::new(place.feedback.clone(), NEVER);
        let id = record_id(&labelled.classifier, &labelled.text);
        let form = format!("text-{}", form_of(&labelled.classifier, &labelled.text));
        let (own, holder) = tokio::join!(questions.read(&id), claims.owner(&form));
        let question = match holder?.filter(|holder| *holder != id) {
            Some(holder) => questions.read(&holder).await?.or(own?),
            None => own?,
        };
        let asked = question.as_ref().map(|question| &question.record);
        let known_as = asked.filter(|asked| asked.id != id).map(|asked| KnownAs {
            id: asked.id.clone(),
            text: asked.utterance.clone(),
        });
        Ok(Self {
            before: before(set, labelled, question.as_ref()),
            known_as,
        })
    }
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
    pub at: String,
    /// The labels that the text had.
    pub labels: Vec<String>,
}

impl Before {
    /// Returns whether all that a file says of a text is known.
    pub(super) fn is_known(&self) -> bool {
        matches!(self, Self::All(_))
    }
}

impl Known {
    /// Knows this of texts with labels, and nothing of those to ask.
    #[cfg(test)]
    pub(super) fn of_labels(labelled: Vec<Before>) -> Self {
        let found = |before| Found {
            before,
            known_as: None,
        };
        Self {
            labelled: labelled.into_iter().map(found).collect(),
            pool: Vec::new(),
        }
    }

    /// Looks up what is known of each text.
    pub(super) async fn of(place: &Place, set: &LabelSet, plan: &Plan) -> Result<Self, Failure> {
        let labelled = stream::iter(&plan.labelled)
            .map(|labelled| Found::of(place, set, labelled))
            .buffered(TEXTS_IN_FLIGHT)
            .try_collect()
            .await?;
        let pool = plan
            .pool
            .iter()
            .map(|(classifier, text)| (&classifier[..], &text[..]));
        let pool = are_asked(&place.training, &place.feedback, pool).await?;
        Ok(Self { labelled, pool })
    }

    /// Counts texts whose labels are known.
    pub(super) fn labelled(&self) -> usize {
        self.befores().filter(|before| before.is_known()).count()
    }

    pub(super) fn befores(&self) -> impl Iterator<Item = &Before> {
        self.labelled.iter().map(|found| &found.before)
    }

    /// Counts texts with labels that are known in another spelling.
    pub(super) fn spelt_otherwise(&self) -> usize {
        let known_as = self.labelled.iter().filter_map(|found| found.known_as.as_ref());
        known_as.count()
    }

    /// Counts texts that had another label by the same hand.
    pub(super) fn changed(&self) -> usize {
        let is_changed = |before: &&Before| matches!(before, Before::Another(_));
        self.befores().filter(is_changed).count()
    }

    /// Counts texts of which as many people here have answered something else.
    pub(super) fn tied(&self) -> usize {
        let is_tie = |before: &&Before| matches!(before, Before::Ties | Before::All(Standing::Disputed));
        self.befores().filter(is_tie).count()
    }

    /// Counts texts of which more people here have answered something else.
    pub(super) fn outvoted(&self) -> usize {
        let is_outvoted =
            |before: &&Before| matches!(before, Before::Outvoted | Before::All(Standing::Outvoted));
        self.befores().filter(is_outvoted).count()
    }

    /// Counts texts to ask that were asked, answered or wait already.
    pub(super) fn asked(&self) -> usize {
        self.pool.iter().filter(|is_known| **is_known).count()
    }
}

/// Returns of each text, given with its classifier, whether it was asked or answered or waits already, in any spelling.
///
/// # Errors
///
/// When a bucket fails.
pub(crate) async fn are_asked<'a>(
    training: &Bucket,
    feedback: &Bucket,
    texts: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<Vec<bool>, Failure> {
    let questions = &Questions::new("import", feedback.clone(), training.clone());
    let claims = &Claims::new(feedback.clone(), NEVER);
    stream::iter(texts)
        .map(async |(classifier, text)| {
            let id = record_id(classifier, text);
            let form = format!("text-{}", form_of(classifier, text));
            // Another spelling of it may have been asked, or have a label.
            let (question, holder, form_holder) =
                tokio::join!(questions.read(&id), claims.holder(&id), claims.holder(&form));
            let is_open = |question: Question| !matches!(question.state, State::Withdrawn | State::Abandoned);
            let is_asked =
                question?.is_some_and(|question| question.human_loop.is_some() && is_open(question));
            Ok::<_, Failure>(is_asked || holder?.is_some() || form_holder?.is_some())
        })
        .buffered(TEXTS_IN_FLIGHT)
        .try_collect()
        .await
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
    if repeats_the_answer(set, question, labelled) {
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
/// nothing new. Of a question that is open, that is what its votes come to so far.
fn repeats_the_answer(set: &LabelSet, question: &Question, labelled: &Labelled) -> bool {
    if labelled.votes.iter().any(|vote| vote.worker != UNSIGNED) {
        return false;
    }
    let mut so_far = question.clone();
    if so_far.answer().is_none() {
        so_far.decide(Some(set));
    }
    let is_said = |answer: &Answer| {
        labelled
            .votes
            .iter()
            .all(|vote| answer.says_the_same(&vote.answer))
    };
    so_far.answer().is_some_and(is_said)
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

#[cfg(test)]
mod tests;
