//! Questions and disputes: one object for each record that people were asked about.

use active_learning_core::{keys, labels::question::Question};

use crate::bucket::{Bucket, BucketError, Change, JSON};

/// Largest question that is read, in bytes: a record and some dozens of votes.
const MAX_BYTES: u64 = 4 << 20;

/// Where rows lie on which people do not agree, in the training bucket.
pub const DISPUTED_PREFIX: &str = "disputed/";

/// The questions of a feedback bucket, and the disputes of a training bucket.
#[derive(Clone, Debug)]
pub struct Questions {
    feedback: Bucket,
    training: Bucket,
}

impl Questions {
    /// Keeps questions in the one bucket and disputes in the other.
    pub fn new(feedback: Bucket, training: Bucket) -> Self {
        Self { feedback, training }
    }

    /// Reads a question; `None` if people were not asked, or by a version that kept none.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn read(&self, record_id: &str) -> Result<Option<Question>, BucketError> {
        let key = keys::question(record_id);
        let question = self.feedback.read(&key, MAX_BYTES).await?;
        Ok(question.and_then(|question| Question::parse(&question.bytes)))
    }

    /// Changes a question, or makes it; `change` may run several times. What it leaves as it is, or as `None`, is not
    /// written. A damaged question is begun anew.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn change<T>(
        &self,
        record_id: &str,
        mut change: impl FnMut(&mut Option<Question>) -> T,
    ) -> Result<T, BucketError> {
        let key = keys::question(record_id);
        let change = |content: Option<Vec<u8>>| {
            let before = content.as_deref().and_then(Question::parse);
            let mut after = before.clone();
            let value = change(&mut after);
            let new = after.filter(|after| Some(after) != before.as_ref());
            Ok(Change::to(new.map(|question| question.to_json()), value))
        };
        self.feedback.change_bytes(&key, JSON, MAX_BYTES, change).await
    }

    /// Puts a question where an adjudicator finds it. Idempotent.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn dispute(&self, question: &Question) -> Result<(), BucketError> {
        let key = disputed_key(&question.record.id);
        self.training.put(&key, JSON, question.to_json()).await
    }

    /// Takes a question from where an adjudicator finds it. Idempotent.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn settle(&self, record_id: &str) -> Result<(), BucketError> {
        self.training.delete(&disputed_key(record_id)).await
    }
}

/// Returns the key of a dispute.
pub fn disputed_key(record_id: &str) -> String {
    format!("{DISPUTED_PREFIX}{record_id}.json")
}
