//! Questions and disputes: one object for each record that people were asked about.

use active_learning_core::labels::question::{Question, question_key};
use aws_sdk_s3::{Client, error::BoxError};

use crate::objects::{self, ChangeError, ReadError};

/// Largest question that is read, in bytes: a record and some dozens of votes.
const MAX_BYTES: u64 = 4 << 20;

/// Where rows lie on which people do not agree, in the training bucket.
pub const DISPUTED_PREFIX: &str = "disputed/";

/// The questions of a feedback bucket, and the disputes of a training bucket.
#[derive(Clone, Debug)]
pub struct Questions {
    s3: Client,
    feedback_bucket: String,
    training_bucket: String,
}

impl Questions {
    /// Keeps questions in the one bucket and disputes in the other.
    pub fn new(s3: Client, feedback_bucket: String, training_bucket: String) -> Self {
        Self {
            s3,
            feedback_bucket,
            training_bucket,
        }
    }

    /// Reads a question; `None` if people were not asked, or by a version that kept none.
    ///
    /// # Errors
    ///
    /// [`ReadError`] when S3 does not answer.
    pub async fn read(&self, record_id: &str) -> Result<Option<Question>, ReadError> {
        let key = question_key(record_id);
        let content = objects::read(&self.s3, &self.feedback_bucket, &key, MAX_BYTES).await?;
        Ok(content.as_deref().and_then(Question::parse))
    }

    /// Changes a question, or makes it; `change` may run several times. What it leaves as it is, or as `None`, is not
    /// written. A damaged question is begun anew.
    ///
    /// # Errors
    ///
    /// [`ChangeError`] when S3 does not answer, or others keep writing.
    pub async fn change<T>(
        &self,
        record_id: &str,
        mut change: impl FnMut(&mut Option<Question>) -> T,
    ) -> Result<T, ChangeError> {
        let key = question_key(record_id);
        let change = |content: Option<Vec<u8>>| {
            let before = content.as_deref().and_then(Question::parse);
            let mut after = before.clone();
            let value = change(&mut after);
            let new = after.filter(|after| Some(after) != before.as_ref());
            Ok((new.map(|question| question.to_json()), value))
        };
        objects::change(&self.s3, &self.feedback_bucket, &key, MAX_BYTES, change).await
    }

    /// Puts a question where an adjudicator finds it. Idempotent.
    ///
    /// # Errors
    ///
    /// What S3 answers.
    pub async fn dispute(&self, question: &Question) -> Result<(), BoxError> {
        let key = disputed_key(&question.record.id);
        let bucket = &self.training_bucket;
        objects::put(&self.s3, bucket, &key, "application/json", question.to_json()).await
    }

    /// Takes a question from where an adjudicator finds it. Idempotent.
    ///
    /// # Errors
    ///
    /// What S3 answers.
    pub async fn settle(&self, record_id: &str) -> Result<(), BoxError> {
        objects::remove(&self.s3, &self.training_bucket, &disputed_key(record_id)).await
    }
}

/// Returns the key of a dispute.
pub fn disputed_key(record_id: &str) -> String {
    format!("{DISPUTED_PREFIX}{record_id}.json")
}
