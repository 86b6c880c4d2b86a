//! What was done in the console: one object for each action, written before it is done, never changed.

use active_learning_aws::bucket::{Bucket, BucketError, Created};
use active_learning_aws::rfc3339;
use active_learning_core::keys;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Console;

/// Largest number of entries of a day that are looked at.
const PAGE: usize = 1_000;

/// An entry of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Entry {
    /// When.
    pub at: DateTime<Utc>,
    /// Name of who did it.
    pub by: String,
    /// Their worker id.
    pub worker_id: String,
    /// Address of the action.
    pub action: String,
    /// What it was done to.
    pub subject: String,
    /// What was chosen, if anything.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub value: String,
    /// Why it failed, in an entry that follows the one of the attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}

impl Console<'_> {
    /// Writes down what is about to be done.
    pub(super) async fn write_down(
        &self,
        action: &str,
        subject: &str,
        value: &str,
    ) -> Result<(), BucketError> {
        self.write_entry(action, subject, value, None).await
    }

    /// Writes down that it failed.
    pub(super) async fn write_failure(
        &self,
        action: &str,
        subject: &str,
        why: &str,
    ) -> Result<(), BucketError> {
        self.write_entry(action, subject, "", Some(why.to_owned())).await
    }

    async fn write_entry(
        &self,
        action: &str,
        subject: &str,
        value: &str,
        failed: Option<String>,
    ) -> Result<(), BucketError> {
        let actor = self.actor();
        let entry = Entry {
            at: self.now,
            by: actor.reviewer,
            worker_id: actor.id,
            action: action.to_owned(),
            subject: subject.to_owned(),
            value: value.to_owned(),
            failed,
        };
        let key = keys::audit_log_entry(&rfc3339(self.now), &Uuid::new_v4().simple().to_string());
        match self.review.create_document(&key, &entry).await? {
            // Another one of this name would be a random number drawn twice.
            Created::Created | Created::Exists => Ok(()),
        }
    }
}

/// Returns the last entries of the day, the newest first, and whether there were more than were looked at.
pub(super) async fn latest(
    review: &Bucket,
    now: DateTime<Utc>,
    count: usize,
) -> Result<(Vec<Entry>, bool), BucketError> {
    let folder = format!("{}{}/", keys::AUDIT_LOG_FOLDER, now.format("%Y-%m-%d"));
    let listed = review.list_after(&folder, "", PAGE).await?;
    let mut entries = Vec::new();
    for object in listed.iter().rev().take(count) {
        entries.extend(review.read_document::<Entry>(&object.key).await?);
    }
    Ok((entries, listed.len() == PAGE))
}
