//! Likes that are delivered before people are asked about their text. Deliveries come in any order: such a like is kept under
//! the form of its text, and is a vote on the question as soon as there is one.
//!
//! Whoever likes keeps the vote first and looks for the question again; whoever asks notes the question first and reads
//! the votes then. So one of the two finds the other.

use std::future::ready;

use active_learning_aws::bucket::Change;
use active_learning_core::{
    feedback::FeedbackRecord,
    keys,
    labels::{
        early_votes::{EarlyVotes, Kept},
        label_set::LabelSet,
        question::{Opinion, Question, State},
    },
    sampling::duplicates::{occurrence, same_form},
};
use futures::{StreamExt, TryStreamExt, stream};
use lambda_runtime::tracing::warn;

use crate::{A2iTrigger, A2iTriggerError, CALLS_IN_FLIGHT};

impl A2iTrigger {
    /// Keeps the vote of a like about whose text people were not asked. Returns whether it says anything. Idempotent.
    pub(crate) async fn keep_early(
        &self,
        like: &FeedbackRecord,
        opinion: &Opinion,
    ) -> Result<bool, A2iTriggerError> {
        let (Opinion::For(vote) | Opinion::Past { vote, .. }) = opinion else {
            return Ok(false);
        };
        let keep = |early: Option<EarlyVotes>| {
            let mut early = early.unwrap_or_default();
            let kept = early.keep(vote.clone(), occurrence(like));
            Change::to((kept == Kept::New).then_some(early), kept)
        };
        let kept = self.feedback.change(&keys::liked(&same_form(like)), keep).await;
        if kept.map_err(A2iTriggerError::Store)? == Kept::Full {
            warn!(
                record.id = like.id,
                "a like is no vote: very many came before people were asked"
            );
        }
        Ok(true)
    }

    /// Counts the likes of copies that came before them for the questions whose answers they get. Idempotent.
    pub(crate) async fn hear_early_of_copies(
        &self,
        copies: &[(String, FeedbackRecord)],
    ) -> Result<(), A2iTriggerError> {
        let of_others = copies.iter().filter(|(original, copy)| *original != copy.id);
        stream::iter(of_others)
            .map(async |(original, copy)| {
                let question = self.asked_instead_of(original, copy).await?;
                match self.hear_early(&question, copy).await? {
                    Some(question) => self.ask_or_dispute(&question).await.map(drop),
                    None => Ok(()),
                }
            })
            .buffer_unordered(CALLS_IN_FLIGHT)
            .try_for_each(|()| ready(Ok(())))
            .await
    }

    /// Counts the likes of a text that came before its question, which is noted by now: its own, or that of its original.
    /// Returns what the question is then; `None` where there are no likes. Idempotent.
    pub(crate) async fn hear_early(
        &self,
        question_id: &str,
        record: &FeedbackRecord,
    ) -> Result<Option<Question>, A2iTriggerError> {
        let read = self
            .feedback
            .read_document(&keys::liked(&same_form(record)))
            .await;
        let early: Option<EarlyVotes> = read.map_err(A2iTriggerError::Store)?;
        let Some(early) = early else { return Ok(None) };
        let count = |question: &mut Option<Question>, labels: &LabelSet| {
            let question = question.as_mut()?;
            let opinion = labels.opinion(record, Opinion::of(record));
            let votes = early.votes().iter().map(|early| early.vote.clone());
            if question.state == State::Answered {
                labels.use_own_names(question);
                for vote in votes {
                    question.hear(&Opinion::For(labels.canonical(record, vote)));
                }
            } else {
                question.add(&votes.collect::<Vec<_>>());
                labels.use_own_names(question);
            }
            // Who complains now has thought better of it.
            let retracted = question.retract(&opinion, record);
            Some((question.clone(), retracted))
        };
        let counted = self.change_question(question_id, count).await?;
        let Some((question, retracted)) = counted else {
            return Ok(None);
        };
        let labels = self.labels().await?;
        for early in early.votes() {
            let vote = labels.canonical(record, early.vote.clone());
            self.keep_vote(&question, vote, early.occurrence).await?;
        }
        if let Some(vote) = retracted {
            self.keep_vote(&question, vote, occurrence(record)).await?;
        }
        Ok(Some(question))
    }
}
