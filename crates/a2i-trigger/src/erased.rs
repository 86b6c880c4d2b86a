//! The end of a delivered object: it is noted that it was worked off, and texts that were erased are taken out of it.

use std::{collections::BTreeSet, future::ready};

use active_learning_aws::{
    bucket::{BucketError, Change, Leaving, MAX_DOCUMENT_BYTES},
    s3_event::S3Object,
};
use active_learning_core::{
    erasure::without_erased, feedback::FeedbackRecord, keys, labels::prediction_result::KeptPrediction,
};
use futures::{StreamExt, TryStreamExt, stream};
use lambda_runtime::tracing::{info, warn};
use serde_json::Value;

use crate::{A2iTrigger, A2iTriggerError, CALLS_IN_FLIGHT, sorter::Sorter};

impl A2iTrigger {
    /// Leaves out the records whose texts were erased: see [`A2iTrigger::erased_among`].
    pub(crate) async fn not_erased(
        &self,
        mut records: Vec<FeedbackRecord>,
    ) -> Result<Vec<FeedbackRecord>, A2iTriggerError> {
        let erased = self.erased_among(&records, &BTreeSet::new()).await?;
        records.retain(|record| !erased.contains(&record.id));
        Ok(records)
    }

    /// Returns the ids of the records whose texts were erased, beside those that are known as such, and has clients told. By the
    /// list as it is now: an object may take minutes to be worked off, and a record may have waited for days.
    pub(crate) async fn erased_among(
        &self,
        records: &[FeedbackRecord],
        known: &BTreeSet<String>,
    ) -> Result<BTreeSet<String>, A2iTriggerError> {
        if records.is_empty() {
            return Ok(BTreeSet::new());
        }
        let erased = self.erased.current().await?;
        let is_gone =
            |record: &&FeedbackRecord| !known.contains(&record.id) && erased.contains(&record.utterance);
        let gone: Vec<FeedbackRecord> = records.iter().filter(is_gone).cloned().collect();
        self.end_predictions(&gone).await?;
        Ok(gone.into_iter().map(|record| record.id).collect())
    }

    /// Has clients told that no answer will come about the predictions that led to records of erased texts: whoever erased
    /// them found no record of one that was still in the delivery stream. Idempotent.
    pub(crate) async fn end_predictions(&self, gone: &[FeedbackRecord]) -> Result<(), A2iTriggerError> {
        stream::iter(gone)
            .map(|record| self.end_prediction(record))
            .buffer_unordered(CALLS_IN_FLIGHT)
            .try_for_each(|()| ready(Ok(())))
            .await
    }

    async fn end_prediction(&self, record: &FeedbackRecord) -> Result<(), A2iTriggerError> {
        // What is no id of ours is no key either.
        let Some(Ok(id)) = record.prediction_id.as_deref().map(uuid::Uuid::try_parse) else {
            return Ok(());
        };
        let end = |kept: Option<Value>| {
            let ended = kept.and_then(|kept| KeptPrediction::end_as_erased(kept, &record.utterance));
            Change::to(ended, ())
        };
        match self
            .feedback
            .change(&keys::prediction(&id.to_string()), end)
            .await
        {
            Err(error @ (BucketError::Damaged { .. } | BucketError::TooLarge { .. })) => {
                warn!(prediction.id = %id, %error, "it is not said of a prediction that its text was erased");
                Ok(())
            }
            ended => ended.map_err(A2iTriggerError::Store),
        }
    }

    /// Leaves the same out of what was read of an object, and counts it. Questions keep their places: see [`Sorter::in_place`].
    pub(crate) async fn leave_out_erased(&self, sorter: &mut Sorter) -> Result<(), A2iTriggerError> {
        self.end_predictions(&std::mem::take(&mut sorter.to_end)).await?;
        let erased = self.erased_among(&sorter.records, &sorter.in_place).await?;
        sorter.counts.erased += erased.len() as u64;
        sorter.in_place.extend(erased);
        for records in [&mut sorter.repeated, &mut sorter.likes] {
            let before = records.len();
            *records = self.not_erased(std::mem::take(records)).await?;
            sorter.counts.erased += (before - records.len()) as u64;
        }
        Ok(())
    }

    /// Notes that an object was worked off to its end: who erases a text then takes it out without its being delivered again.
    /// Where it holds a text that was erased while it was on its way, this does so at once.
    pub(crate) async fn note_worked_off(
        &self,
        object: &S3Object,
        holds_erased: bool,
    ) -> Result<(), A2iTriggerError> {
        let name = keys::worked_off(&object.bucket, &object.key);
        self.claims.claim(&name, &object.key).await?;
        match holds_erased {
            true => self.take_erased_out(object).await,
            false => Ok(()),
        }
    }

    async fn take_erased_out(&self, object: &S3Object) -> Result<(), A2iTriggerError> {
        let bucket = self.feedback.other(&object.bucket);
        let erased = self.erased.current().await?;
        let content = match bucket.read(&object.key, MAX_DOCUMENT_BYTES).await {
            Ok(Some(content)) => content,
            Ok(None) => return Ok(()),
            Err(error @ BucketError::TooLarge { .. }) => {
                warn!(object.key, %error, "erased texts stay in it: run `active-learning erase --again`");
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        let Some(rest) = without_erased(&content.bytes, &erased) else {
            warn!(
                object.key,
                "erased texts may stay in it: run `active-learning erase --again`"
            );
            return Ok(());
        };
        match bucket.leave(&object.key, &content.etag, rest, true).await? {
            // Whoever changed it has done it, or its event comes again.
            Leaving::Changed => return Ok(()),
            // A function has no right to delete versions: the stack's own bucket keeps none.
            Leaving::Written { keeps_old: true } => warn!(
                object.key,
                "erased texts stay in an old version of it: run `active-learning erase --again`"
            ),
            Leaving::Written { keeps_old: false } => {}
        }
        info!(
            object.key,
            "texts that were erased while they were on their way are taken out"
        );
        Ok(())
    }
}
