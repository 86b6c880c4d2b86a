//! What the votes on a question come to, and what an adjudicator sees of it.

use active_learning_aws::metrics;
use active_learning_core::{
    feedback::FeedbackRecord,
    keys::ASKED_FOLDER,
    labels::{
        human_loop::{HumanLoopOutput, LoopName, ReviewedItem},
        label_set::LabelSet,
        labelled::LabelledRecord,
        question::{Question, State},
        vote::Vote,
    },
};
use lambda_runtime::tracing::warn;

use crate::{FUNCTION, LabelCollection, LabelCollectionError, labelling::labelled_as_answered};

impl LabelCollection {
    /// Changes a question by the label set: see [`Questions::change_by`](active_learning_aws::questions::Questions::change_by).
    pub(crate) async fn change_question<T>(
        &self,
        record_id: &str,
        change: impl FnMut(&mut Option<Question>, Option<&LabelSet>) -> T,
    ) -> Result<T, LabelCollectionError> {
        let changed = self.questions.change_by(&self.label_sets, record_id, change);
        changed.await.map_err(LabelCollectionError::Question)
    }

    /// Counts the votes on an item with all others on its question, and returns what is to be written of it. An answer settles
    /// a dispute; without one it stays. `None` where the page left the item out: it is not to be decided.
    pub(crate) async fn decide(
        &self,
        output: &HumanLoopOutput,
        item: &ReviewedItem,
        earlier: &[Vote],
        is_first_loop: bool,
    ) -> Result<Option<(LabelledRecord, Question)>, LabelCollectionError> {
        let (human_loop, flow) = (&output.human_loop_name, &output.flow_definition_arn);
        let count = |question: &mut Option<Question>, labels: Option<&LabelSet>| {
            let question = question.get_or_insert_with(|| Question::known(item.record.clone()));
            if item.votes.is_empty() && question.is_taken_off(human_loop) {
                return None;
            }
            question.remember_answer_of_before();
            question.add(earlier);
            decide_with(question, human_loop, item, labels);
            let line = labelled_as_answered(labels, item.clone(), human_loop, flow);
            let line = line.decided(question, is_first_loop);
            Some((question.note_line(human_loop, line), question.clone()))
        };
        let counted = self.change_question(&item.record.id, count).await?;
        if let Some((_, question)) = &counted {
            self.show_adjudicator(question, human_loop, item).await?;
        }
        Ok(counted)
    }

    /// Has an adjudicator decide what a loop was to ask whose answers were written before: nobody answers there any more. A
    /// version before took a loop that had ended long ago for one that it had just started.
    pub(crate) async fn dispute_what_nobody_answers(
        &self,
        human_loop: &str,
        records: Vec<FeedbackRecord>,
    ) -> Result<(), LabelCollectionError> {
        let first = LoopName::parse(human_loop).map(|name| name.first().to_owned());
        let prefix = format!("{ASKED_FOLDER}{}", first.as_deref().unwrap_or(human_loop));
        // This one, and a further round of it.
        let asked = self.feedback.list_after(&prefix, "", 2).await;
        if asked.map_err(LabelCollectionError::Question)?.len() > 1 {
            return Ok(());
        }
        for record in records {
            let question = self.questions.read(&record.id).await;
            let question = question.map_err(LabelCollectionError::Question)?;
            if question.is_some_and(|question| question.is_asked_in(human_loop)) {
                self.dispute(record).await?;
            }
        }
        Ok(())
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

    /// Puts a record on which people do not agree where an adjudicator finds it; not one whose text was erased, nor where users
    /// have said since which of the tied answers is right.
    pub(crate) async fn dispute(&self, record: FeedbackRecord) -> Result<(), LabelCollectionError> {
        let is_erased = self.erased.contains(&record.utterance).await;
        if is_erased.map_err(LabelCollectionError::Erased)? {
            return Ok(());
        }
        let dispute = |question: &mut Option<Question>, labels: Option<&LabelSet>| {
            let question = question.get_or_insert_with(|| Question::known(record.clone()));
            question.wait_no_more(labels);
            question.clone()
        };
        let question = self.change_question(&record.id, dispute).await?;
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
