//! Whose answer an answer is: the predictions about a record, and about its duplicates.
//!
//! Both are known by names of objects alone. A record with neither duplicates nor later classifications costs two
//! listings of nothing.

use std::collections::BTreeSet;

use active_learning_aws::bucket::BucketError;
use active_learning_core::{
    keys, labels::review_event::MAX_PREDICTIONS, sampling::duplicates::COPIES_PREFIX,
};
use futures::{StreamExt, TryStreamExt, stream};

use crate::ReviewEvents;

/// Records whose predictions are looked at, at most: a question's and those of its duplicates.
const MAX_RECORDS: usize = MAX_PREDICTIONS;

/// Records that are looked at, at a time.
const CALLS_IN_FLIGHT: usize = 16;

/// The predictions that a question answers.
#[derive(Debug, Default)]
pub(crate) struct Predictions {
    pub(crate) ids: Vec<String>,
    /// Whether there are, or may be, more than were looked at.
    pub(crate) has_more: bool,
}

impl ReviewEvents {
    /// Returns the predictions of a question: of its record, and of the duplicates that it is asked instead of.
    pub(crate) async fn predictions_of_question(&self, record_id: &str) -> Result<Predictions, BucketError> {
        let mut level = vec![record_id.to_owned()];
        let mut seen = BTreeSet::from([record_id.to_owned()]);
        let mut predictions = Predictions::default();

        while !level.is_empty() {
            let looked_at: Vec<(Vec<String>, Vec<String>)> = stream::iter(&level)
                .map(async |record| {
                    futures::try_join!(self.predictions_of_record(record), self.duplicates_of(record))
                })
                .buffered(CALLS_IN_FLIGHT)
                .try_collect()
                .await?;
            level.clear();
            for (ids, duplicates) in looked_at {
                predictions.ids.extend(ids);
                for duplicate in duplicates {
                    if seen.len() > MAX_RECORDS {
                        predictions.has_more |= !seen.contains(&duplicate);
                    } else if seen.insert(duplicate.clone()) {
                        level.push(duplicate);
                    }
                }
            }
            if predictions.ids.len() > MAX_PREDICTIONS {
                predictions.has_more = true;
                break;
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
        let copies = self.training.beginnings(&folder, "-", MAX_RECORDS + 1).await?;
        let ids = copies.iter().filter_map(|copy| {
            let id = copy.strip_prefix(&folder)?.strip_suffix('-')?;
            (id != record_id).then(|| id.to_owned())
        });
        Ok(ids.collect())
    }
}
