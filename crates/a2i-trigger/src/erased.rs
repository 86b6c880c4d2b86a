//! The end of a delivered object: it is noted that it was worked off, and texts that were erased are taken out of it.

use active_learning_aws::{
    bucket::{BucketError, Leaving, MAX_DOCUMENT_BYTES},
    s3_event::S3Object,
};
use active_learning_core::{erasure::without_erased, feedback::FeedbackRecord, keys};
use lambda_runtime::tracing::{info, warn};

use crate::{A2iTrigger, A2iTriggerError, sorter::Sorter};

impl A2iTrigger {
    /// Leaves out the records whose texts were erased, by the list as it is now: an object may take minutes to be worked off,
    /// and a record may have waited for days.
    pub(crate) async fn not_erased(
        &self,
        mut records: Vec<FeedbackRecord>,
    ) -> Result<Vec<FeedbackRecord>, A2iTriggerError> {
        if !records.is_empty() {
            let erased = self.erased.current().await?;
            records.retain(|record| !erased.contains(&record.utterance));
        }
        Ok(records)
    }

    /// Leaves the same out of what was read of an object, and counts it.
    pub(crate) async fn leave_out_erased(&self, sorter: &mut Sorter) -> Result<(), A2iTriggerError> {
        for records in [&mut sorter.records, &mut sorter.repeated, &mut sorter.likes] {
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
