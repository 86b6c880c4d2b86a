//! Giving a question up: what was claimed for it is released, and what waited for its answer goes on.

use active_learning_aws::{
    bucket::{Created, JSON_LINES},
    claims,
    copies::Copies,
    rejected::RejectedLines,
};
use active_learning_core::{
    feedback::{FeedbackRecord, batch::BadItem},
    keys,
    labels::{
        human_loop::HumanLoopInput,
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
    /// `owner` is the delivered object that claimed them. What its user has withdrawn is released only: nobody misses an
    /// answer.
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
            let give_up = |question: &mut Option<Question>| {
                let question = question.get_or_insert_with(|| Question::known(record.clone()));
                if question.is_asked_elsewhere(human_loop) {
                    return None;
                }
                match question.state {
                    State::Withdrawn | State::Answered | State::Disputed => {}
                    State::Asked | State::Abandoned => question.state = State::Abandoned,
                }
                Some(question.clone())
            };
            let given_up = self.questions.change(&record.id, give_up).await;
            let Some(question) = given_up.map_err(LabelCollectionError::Question)? else {
                continue;
            };
            match question.state {
                State::Withdrawn => self.release(human_loop, &question, owner).await?,
                State::Asked | State::Abandoned => {
                    raw.push(record.to_line().trim_end().to_owned());
                    self.release(human_loop, &question, owner).await?;
                }
                State::Answered | State::Disputed => {}
            }
        }
        self.set_aside(human_loop, raw, reason).await
    }

    async fn set_aside(
        &self,
        human_loop: &str,
        raw: Vec<String>,
        reason: &str,
    ) -> Result<bool, LabelCollectionError> {
        let mut lines = RejectedLines::default();
        for (raw, number) in raw.into_iter().zip(1..) {
            let reason = reason.to_owned();
            let raw = raw.into_bytes();
            lines.push(number, &BadItem { reason, raw });
        }
        let Some(object) = lines.finish() else {
            return Ok(false);
        };
        let key = keys::rejected(REJECTED_FOLDER, human_loop, object.number);
        let created = self.feedback.create(&key, JSON_LINES, object.content).await;
        let created = created.map_err(LabelCollectionError::Rejected)?;
        Ok(created == Created::Created)
    }

    /// Releases the claims on a record and its form, and its place among the recent texts; delivers its copies again.
    async fn release(
        &self,
        human_loop: &str,
        question: &Question,
        owner: &str,
    ) -> Result<(), LabelCollectionError> {
        claims::release(&self.feedback, &question.record.id, owner).await?;
        let copies = Copies {
            feedback: &self.feedback,
            training: &self.training,
        };
        let gone_on = copies.let_go_on(human_loop, question).await;
        gone_on.map_err(LabelCollectionError::Copies)
    }
}
