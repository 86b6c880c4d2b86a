//! What the votes on a question come to, and what an adjudicator sees of it.

use active_learning_aws::metrics;
use active_learning_core::{
    feedback::FeedbackRecord,
    labels::{
        human_loop::{HumanLoopOutput, LoopName, ReviewedItem},
        label_set::LabelSet,
        question::{Question, State},
        vote::Vote,
    },
};
use lambda_runtime::tracing::warn;

use crate::{FUNCTION, LabelCollection, LabelCollectionError};

impl LabelCollection {
    /// Counts the votes on an item with all others on its question. An answer settles a dispute; without one it stays.
    pub(crate) async fn decide(
        &self,
        output: &HumanLoopOutput,
        item: &ReviewedItem,
        earlier: &[Vote],
        labels: Option<&LabelSet>,
    ) -> Result<Question, LabelCollectionError> {
        let human_loop = &output.human_loop_name;
        let count = |question: &mut Option<Question>| {
            let question = question.get_or_insert_with(|| Question::known(item.record.clone()));
            // What the page left out is not to be decided.
            let is_left_out = item.votes.is_empty() && question.is_taken_off(human_loop);
            if !is_left_out {
                question.add(earlier);
                decide_with(question, human_loop, item, labels);
            }
            (question.clone(), is_left_out)
        };
        let counted = self.questions.change(&item.record.id, count).await;
        let (question, is_left_out) = counted.map_err(LabelCollectionError::Question)?;
        if !is_left_out {
            self.show_adjudicator(&question, human_loop, item).await?;
        }
        Ok(question)
    }

    /// Has the list of disputes say what a question has come to by the votes on an item. Idempotent: a run that broke off
    /// before it is made good by the next.
    pub(crate) async fn show_adjudicator(
        &self,
        question: &Question,
        human_loop: &str,
        item: &ReviewedItem,
    ) -> Result<(), LabelCollectionError> {
        let shown = match question.state {
            State::Disputed => self.questions.dispute(question).await,
            State::Answered if may_be_disputed(question, human_loop, item) => {
                self.questions.settle(&question.record.id).await
            }
            State::Answered | State::Asked | State::Withdrawn | State::Abandoned => Ok(()),
        };
        shown.map_err(LabelCollectionError::TrainingBucket)
    }

    /// Puts a record on which people do not agree where an adjudicator finds it; not one whose text was erased.
    pub(crate) async fn dispute(&self, record: FeedbackRecord) -> Result<(), LabelCollectionError> {
        let is_erased = self.erased.contains(&record.utterance).await;
        if is_erased.map_err(LabelCollectionError::Erased)? {
            return Ok(());
        }
        let dispute = |question: &mut Option<Question>| {
            let question = question.get_or_insert_with(|| Question::known(record.clone()));
            if question.state == State::Asked {
                question.state = State::Disputed;
            }
            question.clone()
        };
        let question = self.questions.change(&record.id, dispute).await;
        let question = question.map_err(LabelCollectionError::Question)?;
        if question.state == State::Disputed {
            let stored = self.questions.dispute(&question).await;
            stored.map_err(LabelCollectionError::TrainingBucket)?;
            warn!(record.id, "people do not agree: an adjudicator decides");
            metrics::count(FUNCTION, &[("Disputed", 1)]);
        }
        Ok(())
    }
}

/// Writes votes on a record with the labels' own names, each once: how a label is spelt is no disagreement.
///
/// What was said stays as it was said in the record and in the output of the human loop.
pub(crate) fn use_own_names(labels: Option<&LabelSet>, record: &FeedbackRecord, votes: &mut Vec<Vote>) {
    if let Some(labels) = labels {
        labels.canonical_votes(record, votes);
    }
}

/// Decides a question with the votes on an item. What an adjudicator was to decide and is not settled by them stays so:
/// nobody else is being asked.
pub(crate) fn decide_with(
    question: &mut Question,
    human_loop: &str,
    item: &ReviewedItem,
    labels: Option<&LabelSet>,
) {
    let was_disputed = question.state == State::Disputed;
    if !question.is_taken_off(human_loop) {
        question.human_loop = Some(human_loop.to_owned());
    }
    question.add(&item.votes);
    use_own_names(labels, &item.record, &mut question.votes);
    question.decide(labels);
    if was_disputed && question.state == State::Asked {
        question.state = State::Disputed;
    }
}

/// Returns whether an adjudicator may have had the question before them: not where the votes on this item are the first.
fn may_be_disputed(question: &Question, human_loop: &str, item: &ReviewedItem) -> bool {
    let is_of_item = |vote: &Vote| {
        let mut own = item.votes.iter();
        own.any(|own| (&own.worker, &own.at) == (&vote.worker, &vote.at))
    };
    let mut reviews = question.votes.iter().filter(|vote| vote.source.is_review());
    question.reopened > 0
        || LoopName::parse(human_loop).is_some_and(|name| name.is_further_round())
        || reviews.any(|vote| !is_of_item(vote))
}
