//! Whose answer an answer is: the predictions about a record, and about its duplicates.
//!
//! Both are known by names of objects alone. A record with neither duplicates nor later classifications costs two
//! listings of nothing.

use std::collections::{BTreeSet, VecDeque};

use active_learning_aws::bucket::BucketError;
use active_learning_core::{
    keys, labels::review_event::MAX_PREDICTIONS, sampling::duplicates::COPIES_PREFIX,
};

use crate::ReviewEvents;

/// Duplicates of one question that are looked at, at most.
const MAX_DUPLICATES: usize = 100;

impl ReviewEvents {
    /// Returns the predictions of a question: of its record, and of the duplicates that it is asked instead of.
    pub(crate) async fn predictions_of_question(&self, record_id: &str) -> Result<Vec<String>, BucketError> {
        let mut records = VecDeque::from([record_id.to_owned()]);
        let mut seen = BTreeSet::from([record_id.to_owned()]);
        let mut predictions = Vec::new();

        while let Some(record) = records.pop_front() {
            predictions.extend(self.predictions_of_record(&record).await?);
            if predictions.len() > MAX_PREDICTIONS {
                break;
            }
            for duplicate in self.duplicates_of(&record).await? {
                if seen.len() <= MAX_DUPLICATES && seen.insert(duplicate.clone()) {
                    records.push_back(duplicate);
                }
            }
        }
        Ok(predictions)
    }

    /// Returns the predictions of a record alone, one more than an event names at most.
    pub(crate) async fn predictions_of_record(&self, record_id: &str) -> Result<Vec<String>, BucketError> {
        let folder = keys::predictions_of(record_id);
        let marks = self.feedback.list_after(&folder, "", MAX_PREDICTIONS + 1).await?;
        let predictions = marks
            .iter()
            .filter_map(|mark| keys::prediction_of_mark(&mark.key));
        Ok(predictions.map(str::to_owned).collect())
    }

    /// Returns the records that are copies of a record: `copies/<original>/<copy>-<occurrence>.json`.
    async fn duplicates_of(&self, record_id: &str) -> Result<Vec<String>, BucketError> {
        let folder = format!("{COPIES_PREFIX}{record_id}/");
        let copies = self.training.beginnings(&folder, "-", MAX_DUPLICATES).await?;
        let ids = copies.iter().filter_map(|copy| {
            let id = copy.strip_prefix(&folder)?.strip_suffix('-')?;
            (id != record_id).then(|| id.to_owned())
        });
        Ok(ids.collect())
    }
}
