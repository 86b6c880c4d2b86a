//! Classes of a model that is hosted elsewhere and that the label set does not know: see
//! [`active_learning_aws::unknown_classes`].

use std::future::ready;

use active_learning_aws::unknown_classes;
use active_learning_core::{
    feedback::{FeedbackRecord, Signal},
    labels::label_set::Resolution,
};
use futures::{StreamExt, TryStreamExt, stream};

use crate::{A2iTrigger, A2iTriggerError, CALLS_IN_FLIGHT};

impl A2iTrigger {
    /// Notes which classes the label set does not know of those that were predicted. Idempotent.
    pub(crate) async fn note_unknown_classes(
        &self,
        records: impl Iterator<Item = &FeedbackRecord>,
    ) -> Result<(), A2iTriggerError> {
        let of_unknown: Vec<&FeedbackRecord> = records
            .filter(|record| record.signal == Signal::UnknownLabel)
            .collect();
        if of_unknown.is_empty() {
            return Ok(());
        }
        let set = self.labels().await?;
        let classes = of_unknown.into_iter().flat_map(|record| {
            let labels = record.predicted_labels().into_iter();
            labels.map(|label| (label, record.id.as_str()))
        });
        stream::iter(classes.filter(|(class, _)| matches!(set.resolve(class), Resolution::Proposed(_))))
            .map(async |(class, id)| unknown_classes::note(&self.feedback, &class, id).await)
            .buffer_unordered(CALLS_IN_FLIGHT)
            .try_for_each(|()| ready(Ok(())))
            .await
            .map_err(A2iTriggerError::Store)
    }
}
