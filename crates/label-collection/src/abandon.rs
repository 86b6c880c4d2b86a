//! Giving a question up: what was claimed for it is released, and what waited for its answer goes on.

use std::future::ready;

use active_learning_aws::{
    bucket::{BucketError, Change, Created, JSON_LINES},
    claims,
    rejected::RejectedLines,
};
use active_learning_core::{
    feedback::{FeedbackRecord, batch::BadItem},
    keys,
    labels::{
        human_loop::HumanLoopInput,
        question::{Question, State},
    },
    sampling::duplicates::{COPIES_PREFIX, RecentTexts, same_form},
};
use futures::{StreamExt, TryStreamExt, stream};
use lambda_runtime::tracing::{info, warn};

use crate::{LabelCollection, LabelCollectionError, REJECTED_FOLDER};

/// Largest object of these that is read, in bytes.
const MAX_RECENT_BYTES: u64 = 16 << 20;

/// Largest copy that is read, in bytes: one record.
const MAX_COPY_BYTES: u64 = 1 << 20;

/// Copies that are delivered again in one object.
const COPIES_PER_OBJECT: usize = 500;

/// Calls to S3 that are under way at a time.
const CALLS_IN_FLIGHT: usize = 8;

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
                    return State::Answered;
                }
                match question.state {
                    State::Withdrawn | State::Answered | State::Disputed => {}
                    State::Asked | State::Abandoned => question.state = State::Abandoned,
                }
                question.state
            };
            let state = self.questions.change(&record.id, give_up).await;
            match state.map_err(LabelCollectionError::Question)? {
                State::Withdrawn => self.release(human_loop, record, owner).await?,
                State::Asked | State::Abandoned => {
                    raw.push(record.to_line().trim_end().to_owned());
                    self.release(human_loop, record, owner).await?;
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
        record: &FeedbackRecord,
        owner: &str,
    ) -> Result<(), LabelCollectionError> {
        claims::release(&self.feedback, &record.id, owner).await?;
        let form = format!("text-{}", same_form(record));
        claims::release(&self.feedback, &form, &record.id).await?;
        let forget = |content: Option<Vec<u8>>| {
            // Damaged ones are begun anew by whoever adds to them.
            let recent = content.and_then(|content| RecentTexts::read(&content).ok());
            let without = recent.and_then(|mut recent| recent.forget(&record.id).then_some(recent));
            Ok(Change::to(without.map(|recent| recent.write()), ()))
        };
        self.feedback
            .change_bytes(keys::RECENT_TEXTS, JSON_LINES, MAX_RECENT_BYTES, forget)
            .await
            .map_err(LabelCollectionError::Question)?;
        self.deliver_copies(human_loop, &record.id)
            .await
            .map_err(LabelCollectionError::Copies)
    }

    /// Delivers the copies of a question as new feedback, of which the first is asked. Idempotent.
    async fn deliver_copies(&self, human_loop: &str, record_id: &str) -> Result<(), BucketError> {
        let listed = self
            .training
            .list(&format!("{COPIES_PREFIX}{record_id}/"))
            .await?;
        for (copies, number) in listed.chunks(COPIES_PER_OBJECT).zip(1..) {
            let lines: Vec<Vec<u8>> = stream::iter(copies)
                .map(|copy| self.training.read(&copy.key, MAX_COPY_BYTES))
                .buffered(CALLS_IN_FLIGHT)
                .try_filter_map(|copy| ready(Ok(copy.map(|copy| copy.bytes))))
                .try_collect()
                .await?;
            let key = format!("feedback/released/{human_loop}-{record_id}-{number}.jsonl");
            self.feedback.put(&key, JSON_LINES, lines.concat()).await?;
            stream::iter(copies)
                .map(|copy| self.training.delete(&copy.key))
                .buffer_unordered(CALLS_IN_FLIGHT)
                .try_for_each(|()| ready(Ok(())))
                .await?;
            info!(
                record_id,
                copies = copies.len(),
                "copies of a question that was given up go on"
            );
        }
        Ok(())
    }
}
