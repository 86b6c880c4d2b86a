//! Questions that were taken back while people are asked: complaints of which a user thinks better, and what a change of the
//! label set asked anew that a later change has taken the doubt from.
//!
//! A page cannot be changed once its loop has started. The loop is stopped once none of its texts is to be answered any
//! more; until then its page leaves out those that are not, which the built-in review service reads from their
//! questions.

use std::future::ready;

use active_learning_aws::{claims, s3_event::S3Object};
use active_learning_core::{
    feedback::{FeedbackRecord, Signal},
    labels::{
        human_loop::{Answer, HumanLoopInput},
        label_set::{LabelSet, Resolution},
        question::{Question, State},
    },
    sampling::duplicates::same_form,
};
use futures::{StreamExt, TryStreamExt, stream};
use lambda_runtime::tracing::{info, warn};

use crate::{A2iTrigger, A2iTriggerError, CALLS_IN_FLIGHT};

/// Largest delivered object of questions that are taken back, in bytes: a thousand records of the longest texts.
const MAX_OBJECT_BYTES: u64 = 512 << 20;

impl A2iTrigger {
    /// Takes back the questions of an object that a change of the label set delivered. Idempotent.
    pub(crate) async fn take_back_delivered(&self, object: &S3Object) -> Result<(), A2iTriggerError> {
        let bucket = self.feedback.other(&object.bucket);
        let read = bucket.read(&object.key, MAX_OBJECT_BYTES).await;
        let Some(delivered) = read.map_err(|error| A2iTriggerError::Read(error.into()))? else {
            warn!(object.bucket, object.key, "the delivered object is gone");
            return Ok(());
        };
        let lines = delivered.bytes.split(|byte| *byte == b'\n');
        let erased = self.erased.current().await?;
        let records: Vec<FeedbackRecord> = lines
            .filter_map(|line| FeedbackRecord::parse(line).ok())
            .filter(|record| !erased.contains(&record.utterance))
            .collect();

        let mut loops: Vec<String> = stream::iter(&records)
            .map(|record| self.take_doubt_back(record))
            .buffer_unordered(CALLS_IN_FLIGHT)
            .try_filter_map(|human_loop| ready(Ok(human_loop)))
            .try_collect()
            .await?;
        loops.sort_unstable();
        loops.dedup();
        for human_loop in &loops {
            self.take_off(human_loop).await?;
        }
        info!(
            object.key,
            texts = records.len(),
            loops = loops.len(),
            "what an earlier change of the label set asked is taken back"
        );
        Ok(())
    }

    /// Takes back that a record was asked anew. Returns the loop that asks it.
    async fn take_doubt_back(&self, record: &FeedbackRecord) -> Result<Option<String>, A2iTriggerError> {
        self.labels_since(&record.received_at).await?;
        let restore = |question: &mut Option<Question>, labels: &LabelSet| {
            // What is not delivered yet will not be asked.
            let question = question.get_or_insert_with(|| Question {
                state: State::Withdrawn,
                ..Question::known(record.clone())
            });
            let human_loop = question.restore(labels, &record.received_at).flatten();
            // Also where an earlier run of the same event has restored it.
            let latest = human_loop.or_else(|| question.first_loop.clone());
            (latest, question.state)
        };
        let (human_loop, state) = self.change_question(&record.id, restore).await?;
        if state == State::Withdrawn {
            // Nobody has answered: whoever complains next is asked about.
            claims::withdraw(&self.feedback, &record.id).await?;
            let form = format!("text-{}", same_form(record));
            claims::release(&self.feedback, &form, &record.id).await?;
        }
        Ok(human_loop)
    }

    /// Stops a loop if none of its texts is to be answered any more; else its page leaves out those that are not.
    pub(crate) async fn take_off(&self, human_loop: &str) -> Result<(), A2iTriggerError> {
        let input = self.human_loops.input(human_loop).await?;
        let asked: Option<HumanLoopInput> = input.as_deref().and_then(|text| serde_json::from_str(text).ok());
        let Some(asked) = asked else {
            return Ok(()); // It is done with.
        };
        let left: usize = stream::iter(&asked.comprehend_predictions)
            .map(|record| self.questions.read(&record.id))
            .buffer_unordered(CALLS_IN_FLIGHT)
            .try_filter(|question| {
                let is_taken_off =
                    (question.as_ref()).is_some_and(|question| question.is_taken_off(human_loop));
                ready(!is_taken_off)
            })
            .try_fold(0, |left, _| ready(Ok(left + 1)))
            .await?;
        match left {
            0 => Ok(self.human_loops.stop(human_loop).await?),
            _ => {
                info!(
                    human_loop.name = human_loop,
                    left, "its page leaves out what was taken back"
                );
                Ok(())
            }
        }
    }

    /// Returns whether a record is asked anew by a change of the label set whose doubt a later one has taken away.
    pub(crate) async fn is_doubt_taken_back(&self, record: &FeedbackRecord) -> Result<bool, A2iTriggerError> {
        if record.signal != Signal::Relabel {
            return Ok(false);
        }
        let question = self.questions.read(&record.id).await?;
        self.is_taken_back(question.as_ref(), record).await
    }

    /// Returns whether people are being asked by an earlier change of the label set what this object asks: they are asked once, by
    /// the labels of today. Idempotent: what has joined it once is not asked when the object comes again.
    pub(crate) async fn joins_earlier_change(
        &self,
        object: &S3Object,
        record: &FeedbackRecord,
    ) -> Result<bool, A2iTriggerError> {
        if record.signal != Signal::Relabel {
            return Ok(false);
        }
        let join = |question: &mut Option<Question>| match question {
            Some(known) if known.was_asked_in(&object.key) => (true, false),
            // One of this time, or one that a later change has joined, may be this object's own.
            Some(known) if known.record.received_at < record.received_at => {
                let joins = known.join(record, &object.key);
                (joins, joins)
            }
            _ => (false, false),
        };
        let (joins, is_new) = self.questions.change(&record.id, join).await?;
        if is_new {
            self.let_answers_be_doubted(record).await?;
        }
        Ok(joins)
    }

    /// Gives the claim of a change back that joined an earlier one: who answers there before they see its labels is asked
    /// about as of that change, which claims the same.
    pub(crate) async fn let_answers_be_doubted(
        &self,
        record: &FeedbackRecord,
    ) -> Result<(), A2iTriggerError> {
        Ok(claims::withdraw(&self.feedback, &record.claim_name()).await?)
    }

    /// Returns whether nobody is to be asked about a waiting record any more: its user has taken the complaint back, or a
    /// change of the label set the doubt.
    pub(crate) async fn is_taken_back(
        &self,
        question: Option<&Question>,
        record: &FeedbackRecord,
    ) -> Result<bool, A2iTriggerError> {
        let Some(question) = question else {
            return Ok(false);
        };
        match record.signal {
            Signal::Relabel => {
                let labels = self.labels_for(std::slice::from_ref(record)).await?;
                Ok(is_without_doubt(question, record, &labels))
            }
            _ => Ok(question.state == State::Withdrawn),
        }
    }
}

/// Returns whether what a change of the label set asks anew is in doubt no more: people have answered by labels that are in
/// use today, or the question was taken back since.
fn is_without_doubt(question: &Question, record: &FeedbackRecord, labels: &LabelSet) -> bool {
    match question.state {
        State::Withdrawn => question.record.received_at >= record.received_at,
        State::Answered => match question.answer() {
            // As long as the set is the one that put it in doubt, it is.
            Some(Answer::Labels { labels: names }) if record.received_at.as_str() < labels.updated_at() => {
                names
                    .iter()
                    .all(|name| matches!(labels.resolve(name), Resolution::Label(_)))
            }
            _ => false,
        },
        State::Asked | State::Disputed | State::Abandoned => false,
    }
}
