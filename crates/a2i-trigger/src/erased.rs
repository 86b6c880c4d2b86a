//! The end of a delivered object: it is noted that it was worked off, and texts that were erased are taken out of it.

use active_learning_aws::{
    bucket::{BucketError, MAX_DOCUMENT_BYTES, Replaced},
    s3_event::S3Object,
};
use active_learning_core::{erasure::without_erased, keys};
use lambda_runtime::tracing::{info, warn};

use crate::{A2iTrigger, A2iTriggerError};

impl A2iTrigger {
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
            return Ok(());
        };
        let left = bucket.leave(&object.key, &content.etag, rest, true).await?;
        if left == Replaced::Changed {
            // Whoever changed it has done it, or its event comes again.
            return Ok(());
        }
        info!(
            object.key,
            "texts that were erased while they were on their way are taken out"
        );
        Ok(())
    }
}
