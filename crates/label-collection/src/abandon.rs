//! Giving a question up: what was claimed for it is released, and what waited for its answer goes on.

use std::collections::BTreeSet;

use active_learning_aws::{
    bucket::{Created, JSON_LINES},
    claims,
    copies::Copies,
    rejected::{self, RejectedLines, RejectedObject},
};
use active_learning_core::{
    feedback::{FeedbackRecord, batch::BadItem},
    keys,
    labels::{
        human_loop::HumanLoopInput,
        label_set::LabelSet,
        question::{Question, State},
    },
};
use lambda_runtime::tracing::warn;

use crate::{LabelCollection, LabelCollectionError, REJECTED_FOLDER};

impl LabelCollection {
    /// Sets a loop aside for good, with its reason. Returns whether that had not been done before.
    pub(crate) async fn give_up(&self, human_loop: &str, reason: &str) -> Result<bool, LabelCollectionError> {
        let input = self.human_loops.input(human_loop).await?;
        let asked: Option<HumanLoopInput> = input.as_deref().and_then(|text| serde_json::from_str(text).ok());
        let created = match asked {
            Some(asked) => {
                let owner = format!("{}/{}", asked.bucket_name, asked.key_name);
                self.abandon(human_loop, asked.comprehend_predictions, &owner, reason)
                    .await?
            }
            None => {
                let raw = vec![input.unwrap_or_default()];
                self.set_aside(human_loop, raw, reason).await?
            }
        };
        self.human_loops.forget(human_loop).await?;
        warn!(human_loop.name = human_loop, reason, "set aside");
        Ok(created)
    }

    /// Gives questions up: their records are set aside with the reason, everything that was claimed for them is
    /// released, so that a text is asked about anew when it comes again, and its earlier copies go on.
    ///
    /// `owner` is the delivered object that claimed them, where an older version kept no question. What its user has
    /// withdrawn is released only: nobody misses an answer. What people had answered before a vote opened it again waits
    /// for an adjudicator.
    pub(crate) async fn abandon(
        &self,
        human_loop: &str,
        records: Vec<FeedbackRecord>,
        owner: &str,
        reason: &str,
    ) -> Result<bool, LabelCollectionError> {
        let mut raw = Vec::new();
        let erased = self.erased.current().await;
        let erased = erased.map_err(LabelCollectionError::Erased)?;
        for record in records
            .iter()
            .filter(|record| !erased.contains(&record.utterance))
        {
            let give_up = |question: &mut Option<Question>, labels: Option<&LabelSet>| {
                let question = question.get_or_insert_with(|| Question::known(record.clone()));
                let is_ours = !question.is_asked_elsewhere(human_loop);
                if is_ours {
                    question.give_up(labels);
                }
                (question.clone(), is_ours)
            };
            let (question, is_ours) = self.change_question(&record.id, give_up).await?;
            if !is_ours {
                continue;
            }
            match question.state {
                State::Withdrawn => {
                    claims::release(&self.feedback, &record.id, owner).await?;
                    self.let_copies_go_on(human_loop, &question).await?;
                }
                State::Asked | State::Abandoned => {
                    raw.push(record.to_line().trim_end().to_owned());
                    self.release_claims(record, &question, owner).await?;
                    self.let_copies_go_on(human_loop, &question).await?;
                }
                // Once more after a run that broke off: what is on the list stays as it is.
                State::Disputed => self.dispute(question.record).await?,
                State::Answered => {}
            }
        }
        self.set_aside(human_loop, raw, reason).await
    }

    /// Releases the claim by which a loop asked a record, and that of the text itself where something else asked it since:
    /// whoever has them, since nobody asks about the text any more.
    async fn release_claims(
        &self,
        record: &FeedbackRecord,
        question: &Question,
        owner: &str,
    ) -> Result<(), LabelCollectionError> {
        if question.human_loop.is_none() {
            return Ok(claims::release(&self.feedback, &record.id, owner).await?);
        }
        for name in BTreeSet::from([record.claim_name(), record.id.clone()]) {
            claims::withdraw(&self.feedback, &name).await?;
        }
        Ok(())
    }

    async fn let_copies_go_on(
        &self,
        human_loop: &str,
        question: &Question,
    ) -> Result<(), LabelCollectionError> {
        let copies = Copies {
            feedback: &self.feedback,
            training: &self.training,
        };
        let gone_on = copies.let_go_on(human_loop, question).await;
        gone_on.map_err(LabelCollectionError::Copies)
    }

    async fn set_aside(
        &self,
        human_loop: &str,
        raw: Vec<String>,
        reason: &str,
    ) -> Result<bool, LabelCollectionError> {
        let Some(object) = rejected_lines(raw, reason) else {
            return Ok(false);
        };
        let key = keys::rejected(REJECTED_FOLDER, human_loop, object.number);
        let created = self.feedback.create(&key, JSON_LINES, object.content).await;
        let created = created.map_err(LabelCollectionError::Rejected)?;
        Ok(created == Created::Created)
    }

    /// Sets an output aside by its URI. Written over what is there: `redrive`, which has the output read again, removes what it
    /// found before, and not this.
    pub(crate) async fn set_output_aside(
        &self,
        name: &str,
        uri: &str,
        reason: &str,
    ) -> Result<(), LabelCollectionError> {
        let Some(object) = rejected_lines(vec![uri.to_owned()], reason) else {
            return Ok(());
        };
        let put = rejected::put(&self.feedback, REJECTED_FOLDER, name, object).await;
        put.map_err(LabelCollectionError::Rejected)
    }
}

fn rejected_lines(raw: Vec<String>, reason: &str) -> Option<RejectedObject> {
    let mut lines = RejectedLines::default();
    for (raw, number) in raw.into_iter().zip(1..) {
        let reason = reason.to_owned();
        let raw = raw.into_bytes();
        lines.push(number, &BadItem { reason, raw });
    }
    lines.finish()
}
