//! Near duplicates of which somebody says that the class is wrong by which they are: each is a question of its own.
//!
//! What is known when a text comes keeps it apart. What is said later, of it or of the text that was asked, sets it apart: it is
//! delivered again, and asked.

use active_learning_aws::{
    copies::Copies,
    originals::{self, NearDuplicate},
};
use active_learning_core::{
    feedback::FeedbackRecord,
    keys,
    labels::{
        consolidation::Consensus,
        early_votes::EarlyVotes,
        human_loop::Answer,
        question::{Opinion, Question},
        vote::Vote,
    },
    sampling::duplicates::{Duplicate, same_form},
};

use crate::{A2iTrigger, A2iTriggerError, plan::may_be_copy};

impl A2iTrigger {
    /// Returns whether a text is asked although it is a copy of another: somebody has said of either that the class is wrong
    /// which makes it one, or the other was asked so long ago that nothing is left of its question. So is one that has a question
    /// of its own, which was given up though somebody had said something, or taken back: it would get no answer of the other.
    pub(crate) async fn is_contradicted(
        &self,
        record: &FeedbackRecord,
        original: &str,
    ) -> Result<bool, A2iTriggerError> {
        let own = self.questions.read(&record.id).await?;
        if own.is_some_and(|own| originals::answers_for_itself(&own)) {
            return Ok(true);
        }
        let Some(mut question) = self.questions.read(original).await? else {
            // What is a copy itself has no question: a text that is like it is no copy of what is asked instead.
            let copied = keys::duplicate(original);
            let copied: Option<Duplicate> = self
                .feedback
                .read_document(&copied)
                .await
                .map_err(A2iTriggerError::Store)?;
            return Ok(copied.is_some() || self.claims.holder(original).await?.is_none());
        };
        let labels = self.labels().await?;
        labels.use_own_names(&mut question);
        let predicted = Opinion::Against(Answer::labels(record.predicted_labels()));
        let predicted = labels.opinion(record, predicted);
        if matches!(predicted, Opinion::Against(class) if question.contradicts(&class, &labels)) {
            return Ok(true);
        }
        let opinion = labels.opinion(record, Opinion::of(record));
        Ok(question.cannot_serve(&opinion) || self.is_contradicted_by_early(&question, record).await?)
    }

    /// Returns whether a like that came before its text speaks against the answer that the text would get.
    async fn is_contradicted_by_early(
        &self,
        question: &Question,
        record: &FeedbackRecord,
    ) -> Result<bool, A2iTriggerError> {
        let key = keys::liked(&same_form(record));
        let early: Option<EarlyVotes> = self.feedback.read_document(&key).await?;
        let Some(early) = early else { return Ok(false) };
        let labels = self.labels().await?;
        let votes = early.votes().iter().map(|early| early.vote.clone());
        let mut opinions = votes.map(|vote| labels.opinion(record, Opinion::For(vote)));
        Ok(opinions.any(|opinion| question.cannot_serve(&opinion)))
    }

    /// Makes a near duplicate a question of its own where what is said of it speaks against the answer that it gets; returns
    /// whether it is one now. Another spelling of the asked text stays one question with it. Idempotent.
    pub(crate) async fn set_apart(
        &self,
        question_id: &str,
        record: &FeedbackRecord,
        opinion: &Opinion,
    ) -> Result<bool, A2iTriggerError> {
        if *opinion == Opinion::None || !may_be_copy(record) {
            return Ok(false);
        }
        let form = format!("text-{}", same_form(record));
        let asked = originals::question_of(&self.feedback, question_id, self.claims.owner(&form));
        let asked = Box::pin(asked).await?.question;
        let is_near = |question: &Question| same_form(&question.record) != same_form(record);
        if !asked.as_ref().is_some_and(is_near) {
            return Ok(false);
        }
        let owner = self.claims.owner(&form).await?;
        let near = Box::pin(originals::near_duplicate(&self.feedback, record, owner)).await?;
        let Some(mut near) = near else { return Ok(false) };
        self.labels().await?.use_own_names(&mut near.question);
        if !near.question.cannot_serve(opinion) {
            return Ok(false);
        }
        // A like is a vote on the question as soon as there is one.
        if !record.signal.needs_review() && !self.keep_early(record, opinion).await? {
            return Ok(false);
        }
        let copies = Copies {
            feedback: &self.feedback,
            training: &self.training,
        };
        Ok(Box::pin(copies.set_apart(&near, record)).await?)
    }

    /// Makes those near duplicates of a question ones of their own of which a vote on it speaks against their class, and against
    /// what they were told: had they come after the vote, they would have been asked themselves. Idempotent.
    pub(crate) async fn set_contradicted_apart(
        &self,
        question: &Question,
        vote: &Vote,
    ) -> Result<(), A2iTriggerError> {
        let labels = self.labels().await?;
        // Who names a label that is out of use does not vote.
        let counted = labels.counting(std::slice::from_ref(vote));
        let [vote] = counted.as_slice() else { return Ok(()) };
        let speaks_against = |record: &FeedbackRecord| {
            let predicted = Opinion::Against(Answer::labels(record.predicted_labels()));
            let predicted = labels.opinion(record, predicted);
            matches!(predicted, Opinion::Against(class) if !vote.answer.says_the_same(&class))
        };
        let agrees_with = |told: &Consensus| match told {
            Consensus::Agreed { answer, .. } => vote.answer.says_the_same(answer),
            Consensus::Tie | Consensus::Unanswered => false,
        };
        let agrees = question.consensus.as_ref().is_some_and(agrees_with);
        if vote.answer == Answer::Unsure || agrees || !speaks_against(&question.record) {
            return Ok(());
        }
        let copies = Copies {
            feedback: &self.feedback,
            training: &self.training,
        };
        for record in copies.near_duplicates(&question.record).await? {
            if speaks_against(&record) {
                let near = NearDuplicate {
                    id: record.id.clone(),
                    original: question.record.id.clone(),
                    question: question.clone(),
                    was_given_up: false,
                };
                Box::pin(copies.set_apart(&near, &record)).await?;
            }
        }
        Ok(())
    }
}
