//! Taking reviewers' answers, and what they correct.

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::{LoopError, Loops};
use crate::human_loop::{HumanLoop, Refusal, Worker};
use crate::output::{Answer, correction_key, corrections_of, output_document};

impl Loops {
    /// Stores a reviewer's answer, and the output if it was the last one that the loop needs.
    ///
    /// Who answers again corrects their answer: it is replaced as long as the loop is open; afterwards the
    /// correction is an object of its own beside the output. The same answer again changes nothing and
    /// succeeds.
    ///
    /// # Errors
    ///
    /// [`LoopError::NotFound`], also when the name belongs to another loop by now; [`LoopError::Refused`]:
    /// then the answer was not taken.
    pub async fn answer(
        &self,
        name: &str,
        id: &str,
        worker: &Worker,
        issuer: &str,
        content: Value,
        now: DateTime<Utc>,
    ) -> Result<(), LoopError> {
        let human_loop = self.find(name, now).await?;
        if human_loop.id != id {
            return Err(LoopError::NotFound);
        }
        let answer = Answer {
            worker: worker.clone(),
            accepted_at: human_loop.accepted_at(&worker.id).unwrap_or(now),
            submitted_at: now,
            issuer: issuer.to_owned(),
            content,
        };
        match human_loop.may_answer(&worker.id, now) {
            Err(Refusal::Answered) => return self.correct(&human_loop, answer, now).await,
            other => other?,
        }

        let answer_id = Uuid::new_v4().simple().to_string();
        self.records.put_answer(id, &answer_id, &answer).await?;
        let noted = self
            .change(name, now, |current| {
                if current.id != id {
                    return Err(LoopError::NotFound);
                }
                Ok(current.answer(&worker.id, &answer_id, now)?)
            })
            .await;
        match noted {
            Ok(_) => {}
            // A second click was faster.
            Err(LoopError::Refused(Refusal::Answered)) => {
                let human_loop = self.find(name, now).await?;
                return self.correct(&human_loop, answer, now).await;
            }
            Err(error) => return Err(error),
        }
        self.settled(name, now).await?;
        Ok(())
    }

    /// Replaces a reviewer's own answer, unless it says the same.
    async fn correct(
        &self,
        human_loop: &HumanLoop,
        answer: Answer,
        now: DateTime<Utc>,
    ) -> Result<(), LoopError> {
        let (name, worker_id) = (human_loop.name.as_str(), answer.worker.id.as_str());
        if self.latest_content(human_loop, worker_id).await?.as_ref() == Some(&answer.content) {
            return Ok(());
        }

        let answer_id = Uuid::new_v4().simple().to_string();
        self.records
            .put_answer(&human_loop.id, &answer_id, &answer)
            .await?;
        let current = self
            .change(name, now, |current| {
                if current.id != human_loop.id {
                    return Err(LoopError::NotFound);
                }
                current.replace_answer(worker_id, &answer_id);
                Ok(())
            })
            .await?;
        if current.answers.iter().any(|entry| entry.answer_id == answer_id) {
            return Ok(());
        }
        let input = self.input(&current).await?;
        let key = correction_key(&self.flow_definition_arn, &current, &answer);
        let document = output_document(&self.flow_definition_arn, name, input, &[answer]);
        Ok(self.records.write_output(&key, document).await?)
    }

    /// Returns what a reviewer said last.
    async fn latest_content(
        &self,
        human_loop: &HumanLoop,
        worker_id: &str,
    ) -> Result<Option<Value>, LoopError> {
        let prefix = corrections_of(&self.flow_definition_arn, human_loop, worker_id);
        if let Some(mut correction) = self.records.latest_correction(&prefix).await? {
            return Ok(Some(correction["humanAnswers"][0]["answerContent"].take()));
        }
        let answers = self.records.answers(human_loop).await?;
        let own = answers.into_iter().find(|answer| answer.worker.id == worker_id);
        Ok(own.map(|answer| answer.content))
    }

    /// Returns a loop that the reviewer has answered, to be shown for a correction.
    ///
    /// # Errors
    ///
    /// [`LoopError::NotFound`]; [`LoopError::Refused`] where they have not answered it.
    pub async fn answered(
        &self,
        name: &str,
        worker: &Worker,
        now: DateTime<Utc>,
    ) -> Result<HumanLoop, LoopError> {
        let human_loop = self.find(name, now).await?;
        match human_loop
            .answers
            .iter()
            .any(|answer| answer.worker_id == worker.id)
        {
            true => Ok(human_loop),
            false => Err(LoopError::Refused(Refusal::Closed)),
        }
    }
}
