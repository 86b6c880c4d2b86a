//! What earlier changes of the label set ask already, also where nobody has been asked yet: delivered questions are on their
//! way for a minute, and with a review budget they may wait for days.

use std::collections::HashMap;

use active_learning_core::{feedback::FeedbackRecord, keys, labels::question::Question};
use chrono::{TimeDelta, Utc};
use futures::{StreamExt, TryStreamExt, stream};

use super::{MAX_PART_BYTES, Relabelling};
use crate::bucket::{BucketError, Listed};

/// Objects that are read at a time.
const READS_AT_ONCE: usize = 4;

/// How long a question may be on its way that nothing is noted of yet.
const ON_ITS_WAY: TimeDelta = TimeDelta::days(1);

/// The texts that earlier changes of the label set asked anew, or asked no more.
#[derive(Clone, Debug, Default)]
pub struct AskedAnew {
    /// The last time of each, by record id.
    last: HashMap<String, Delivered>,
}

/// When a text was asked anew, or no more.
#[derive(Clone, Debug)]
struct Delivered {
    /// Time of the change: RFC 3339.
    at: String,
    is_taken_back: bool,
    is_recent: bool,
}

impl Relabelling {
    /// Returns what earlier changes have delivered, worked off or not.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn asked_anew(&self) -> Result<AskedAnew, BucketError> {
        let mut listed = self.feedback.list(keys::RELABELLED_FOLDER).await?;
        listed.retain(|object| !keys::is_contradicted_feedback(&object.key));
        let mut objects = stream::iter(listed)
            .map(async |object| {
                let read = self.feedback.read(&object.key, MAX_PART_BYTES).await?;
                Ok::<_, BucketError>((object, read))
            })
            .buffered(READS_AT_ONCE);
        let mut asked = AskedAnew::default();
        while let Some((object, read)) = objects.try_next().await? {
            asked.add(&object, &read.map(|read| read.bytes).unwrap_or_default());
        }
        Ok(asked)
    }
}

impl AskedAnew {
    fn add(&mut self, object: &Listed, lines: &[u8]) {
        let is_taken_back = keys::is_withdrawn_feedback(&object.key);
        let is_recent = object.modified + ON_ITS_WAY > Utc::now();
        let lines = lines.split(|byte| *byte == b'\n');
        for record in lines.filter_map(|line| FeedbackRecord::parse(line).ok()) {
            let is_later = |known: &Delivered| known.at < record.received_at;
            if self.last.get(&record.id).is_none_or(is_later) {
                let delivered = Delivered {
                    at: record.received_at,
                    is_taken_back,
                    is_recent,
                };
                self.last.insert(record.id, delivered);
            }
        }
    }

    /// Returns whether a text is to be asked anew of which nobody has been asked yet: `question` is what is known of it.
    /// What people have answered since, or is asked since, is on its way no more.
    pub fn is_on_its_way(&self, record_id: &str, question: Option<&Question>) -> bool {
        let Some(asked) = self.last.get(record_id).filter(|asked| !asked.is_taken_back) else {
            return false;
        };
        match question {
            None => asked.is_recent,
            Some(question) => {
                question.record.received_at < asked.at
                    && question
                        .newest_review()
                        .is_none_or(|newest| newest <= asked.at.as_str())
            }
        }
    }
}
