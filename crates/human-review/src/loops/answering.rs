//! Taking reviewers' answers, and what they correct.

use active_learning_aws::failure::chain;
use active_learning_core::labels::human_loop::ExclusionCategories;
use chrono::{DateTime, Duration, Utc};
use lambda_runtime::tracing::error;
use serde_json::Value;

use super::ending::{Delivery, is_late};
use super::passed::Past;
use super::{LoopError, Loops, Version};
use crate::answer::{keep_unanswered, leaves_blank};
use crate::erased_items::forget_erased;
use crate::human_loop::{AnswerEntry, HumanLoop, Refusal, Status, Worker};
use crate::output::{Answer, correction_key, corrections_of, output_document};

/// What a reviewer gives with a task.
#[derive(Debug, Clone)]
pub struct Given {
    /// Input name to value.
    pub content: Value,
    /// URL of the portal through which they came.
    pub issuer: String,
    /// How long they had the task before them, if the page could tell: it may have lain ready before.
    pub spent: Option<Duration>,
    /// Version of the guideline beside the task.
    pub guideline: Option<String>,
    /// The choices in the content that say that no label fits, by the words of the page.
    pub exclusions: ExclusionCategories,
    /// Whether the next task is asked for with the same request.
    pub is_step: bool,
}

/// How an answer was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// As the reviewer's first to the loop.
    First,
    /// As one that may stand in the place of an earlier one.
    Again,
}

impl Loops {
    /// Stores a reviewer's answer to a loop that was just read, and the output if it was the last one that
    /// the loop needs.
    ///
    /// Who answers again corrects their answer: it is replaced as long as the loop is open; afterwards the
    /// correction is an object of its own beside the output. So is the answer of somebody whose place
    /// another reviewer took and who is done after them. The same answer again changes nothing and
    /// succeeds.
    ///
    /// # Errors
    ///
    /// [`LoopError::NotFound`], also when the name belongs to another loop by now; [`LoopError::Refused`]:
    /// then the answer was not taken.
    pub async fn answer(
        &self,
        read: Version,
        worker: &Worker,
        given: Given,
        now: DateTime<Utc>,
    ) -> Result<Taken, LoopError> {
        let human_loop = &read.0.clone();
        let reviewer = worker;
        let worker = &worker.in_loop(human_loop);
        let (name, id) = (human_loop.name.as_str(), human_loop.id.as_str());
        let answer = Answer {
            worker: worker.clone(),
            accepted_at: accepted_at(human_loop, &worker.id, given.spent, now),
            submitted_at: now,
            issuer: given.issuer,
            content: given.content,
            guideline: given.guideline,
            exclusions: given.exclusions,
        };
        match human_loop.may_submit(&worker.id, now) {
            Err(Refusal::Answered | Refusal::Counted) => {
                return self.correct(human_loop, answer, now).await;
            }
            Err(Refusal::Closed) if human_loop.takes_late_answer(&worker.id) => {
                return self.correct(human_loop, answer, now).await;
            }
            other => other?,
        }

        let entry = self.records.note_of(human_loop, &answer).await?;
        let noted = self
            .change_from(Some(read), name, now, |current| {
                if current.id != id {
                    return Err(LoopError::NotFound);
                }
                Ok(current.answer(without_erased(&entry, current), now)?)
            })
            .await;
        let written = match noted {
            Ok((human_loop, _)) if human_loop.status == Status::Completed => {
                let delivery = match given.is_step && !human_loop.is_of_labelling_job() {
                    true => Delivery::InStep,
                    false => Delivery::First,
                };
                self.deliver_if_possible(&human_loop, delivery, now).await;
                return Ok(Taken::First);
            }
            Ok((human_loop, etag)) => etag.map(|etag| (human_loop, etag)),
            Err(LoopError::NotFound) => {
                self.take_back(id, &entry).await;
                return Err(LoopError::NotFound);
            }
            // A second click, or another reviewer, was faster.
            Err(LoopError::Refused(Refusal::Answered | Refusal::Counted | Refusal::Closed)) => {
                let human_loop = self.find(name, now).await?;
                let is_counted = human_loop.may_submit(&worker.id, now) == Err(Refusal::Counted);
                if human_loop.id == id && (is_counted || human_loop.may_correct(&worker.id, now)) {
                    return self.correct(&human_loop, answer, now).await;
                }
                self.take_back(id, &entry).await;
                return Err(LoopError::Refused(Refusal::Closed));
            }
            Err(error) => return Err(error),
        };
        self.passed.note(reviewer, id, Past::Done);
        if let Err(error) = self.settle(name, written, now).await {
            // The answer is noted: what is due now is so for whoever reads the loop next.
            is_late(human_loop, &error);
        }
        Ok(Taken::First)
    }

    /// Removes an answer of which its reviewer is told that it is not taken: nothing else would, where its loop is gone.
    async fn take_back(&self, id: &str, entry: &AnswerEntry) {
        if let Err(error) = self.records.remove_answer(id, entry).await {
            error!(
                answer.id = entry.answer_id,
                error = chain(&error),
                "an answer that was not taken is left in the review bucket"
            );
        }
    }

    /// Replaces a reviewer's own answer, unless it says the same. What it leaves blank stays as it was.
    async fn correct(
        &self,
        human_loop: &HumanLoop,
        mut answer: Answer,
        now: DateTime<Utc>,
    ) -> Result<Taken, LoopError> {
        let (name, worker_id) = (human_loop.name.as_str(), answer.worker.id.as_str());
        // Who sends it again may have heard nothing, since it came no further.
        if let Err(error) = self.deliver_again(human_loop, now).await {
            is_late(human_loop, &error);
        }
        let mut before = None;
        let latest = match self.latest_content(human_loop, &answer.worker).await {
            // Who may write there need not be allowed to read: a correction that is none does no harm.
            Err(LoopError::Output { .. }) => {
                before = self.stored_content(human_loop, worker_id).await?;
                None
            }
            // Corrections are beside the output, which may be out of reach; the answer itself is here.
            Err(error) => match self.stored_content(human_loop, worker_id).await? {
                Some(stored) if stored == answer.content => Some(stored),
                _ => return Err(error),
            },
            Ok(latest) => latest,
        };
        if let Some(before) = before.as_ref().or(latest.as_ref()) {
            self.keep_unanswered(human_loop, before, &mut answer.content)
                .await?;
        }
        if latest.as_ref() == Some(&answer.content) {
            return Ok(Taken::Again);
        }
        if human_loop.is_of_labelling_job() && !human_loop.status.is_in_flight() {
            // Its answers are on their way into the job's output.
            return Err(LoopError::Refused(Refusal::Counted));
        }

        let entry = self.records.note_of(human_loop, &answer).await?;
        let current = self
            .change(name, now, |current| {
                if current.id != human_loop.id {
                    return Err(LoopError::NotFound);
                }
                current.replace_answer(without_erased(&entry, current));
                Ok(())
            })
            .await;
        if let Err(LoopError::NotFound) = &current {
            self.take_back(&human_loop.id, &entry).await;
        }
        let current = current?;
        let is_noted = |noted: &AnswerEntry| noted.answer_id == entry.answer_id;
        if current.answers.iter().any(is_noted) {
            return Ok(Taken::Again);
        }
        if current.is_of_labelling_job() {
            return Err(LoopError::Refused(Refusal::Counted));
        }
        let input = self.input_now(&current).await?;
        let key = correction_key(&self.flow_definition_arn, &current, &answer);
        let flow = current.flow_arn(&self.flow_definition_arn);
        let input = self.input_written(&current, input).await?;
        let document = output_document(flow, name, &input, std::slice::from_ref(&answer));
        match self.write_correction(&current, &key, document).await {
            // What they said first stands, though it cannot be said again.
            Err(LoopError::Output { .. })
                if self.stored_content(&current, worker_id).await?.as_ref() == Some(&answer.content) =>
            {
                Ok(Taken::Again)
            }
            written => written.map(|()| Taken::Again),
        }
    }

    /// Has a correction say what was said before about the items that it leaves blank.
    async fn keep_unanswered(
        &self,
        human_loop: &HumanLoop,
        before: &Value,
        content: &mut Value,
    ) -> Result<(), LoopError> {
        let (Some(before), Some(content)) = (before.as_object(), content.as_object_mut()) else {
            return Ok(());
        };
        if leaves_blank(content, before) {
            let input = self.input_now(human_loop).await?;
            keep_unanswered(content, before, &input);
        }
        Ok(())
    }

    /// Returns what a reviewer said last, as far as it can be told: corrections may lie where they cannot be read.
    ///
    /// # Errors
    ///
    /// [`LoopError::Storage`].
    pub async fn known_content(
        &self,
        human_loop: &HumanLoop,
        worker: &Worker,
    ) -> Result<Option<Value>, LoopError> {
        match self.latest_content(human_loop, worker).await {
            Err(LoopError::Output { .. } | LoopError::OutputLater { .. }) => {
                let worker_id = &worker.in_loop(human_loop).id;
                self.stored_content(human_loop, worker_id).await
            }
            known => known,
        }
    }

    /// Returns what a reviewer said last.
    ///
    /// # Errors
    ///
    /// [`LoopError::Storage`]; [`LoopError::Output`] and [`LoopError::OutputLater`] where corrections cannot be read.
    async fn latest_content(
        &self,
        human_loop: &HumanLoop,
        worker: &Worker,
    ) -> Result<Option<Value>, LoopError> {
        let worker_id = &worker.in_loop(human_loop).id;
        let prefix = corrections_of(&self.flow_definition_arn, human_loop, worker_id);
        if let Some(mut correction) = self.latest_correction(human_loop, &prefix).await? {
            return Ok(Some(correction["humanAnswers"][0]["answerContent"].take()));
        }
        self.stored_content(human_loop, worker_id).await
    }

    /// Returns whether this is what a reviewer has answered.
    ///
    /// # Errors
    ///
    /// [`LoopError`] where S3 does not answer.
    pub async fn has_answer(
        &self,
        human_loop: &HumanLoop,
        worker: &Worker,
        content: &Value,
    ) -> Result<bool, LoopError> {
        if !human_loop.has_answered(&worker.in_loop(human_loop).id) {
            return Ok(false);
        }
        let latest = self.latest_content(human_loop, worker).await?;
        Ok(latest.as_ref() == Some(content))
    }

    /// Returns what a reviewer said while the loop was open.
    async fn stored_content(
        &self,
        human_loop: &HumanLoop,
        worker_id: &str,
    ) -> Result<Option<Value>, LoopError> {
        let answers = self.records.answers(human_loop).await?;
        let own = answers.into_iter().find(|answer| answer.worker.id == worker_id);
        Ok(own.map(|answer| answer.content))
    }

    /// Returns a loop that the reviewer has answered, to be shown for a correction.
    ///
    /// # Errors
    ///
    /// [`LoopError::NotFound`]; [`LoopError::Refused`] where they have not answered it, or may not answer it again.
    pub async fn answered(
        &self,
        name: &str,
        worker: &Worker,
        now: DateTime<Utc>,
    ) -> Result<HumanLoop, LoopError> {
        let human_loop = self.find(name, now).await?;
        let worker = worker.in_loop(&human_loop);
        match (
            human_loop.may_correct(&worker.id, now),
            human_loop.may_submit(&worker.id, now),
        ) {
            (true, _) => Ok(human_loop),
            (false, Err(Refusal::Counted)) => Err(LoopError::Refused(Refusal::Counted)),
            (false, _) => Err(LoopError::Refused(Refusal::Closed)),
        }
    }
}

/// Returns when the work on an answer began: when the page was shown, if it could tell, and not before the task was opened.
/// When that was is not known of who gave it back, or whose place was taken in a version before.
fn accepted_at(
    human_loop: &HumanLoop,
    worker_id: &str,
    spent: Option<Duration>,
    now: DateTime<Utc>,
) -> DateTime<Utc> {
    let opened = human_loop.accepted_at(worker_id);
    let shown = spent.and_then(|spent| now.checked_sub_signed(spent));
    let earliest = opened.unwrap_or(human_loop.created_at);
    shown.or(opened).unwrap_or(now).max(earliest).min(now)
}

/// Returns what a loop is to note of an answer: nothing about a text that was erased from it since it was shown.
fn without_erased(entry: &AnswerEntry, human_loop: &HumanLoop) -> AnswerEntry {
    let mut entry = entry.clone();
    let content = entry
        .answer
        .as_mut()
        .and_then(|answer| answer.content.as_object_mut());
    if let (Some(content), Some(input)) = (content, &human_loop.input) {
        forget_erased(content, input);
    }
    entry
}
