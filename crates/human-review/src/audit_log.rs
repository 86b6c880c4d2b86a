//! What operators did: one object for each action, written before it is done, never changed.

use std::fmt::Display;

use active_learning_aws::bucket::{Bucket, BucketError, Created, Listed};
use active_learning_aws::rfc3339;
use active_learning_core::keys;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::human_loop::Worker;

/// Largest number of entries of a day that are looked at.
const PAGE: usize = 1_000;

/// An entry of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// When.
    pub at: DateTime<Utc>,
    /// Name of who did it.
    pub by: String,
    /// Their worker id.
    pub worker_id: String,
    /// Whether they invoked the function: then the name is what they gave, and nobody signed in.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub invoked: bool,
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

impl Entry {
    /// Returns what is shown in the place of an entry that cannot be read.
    fn unreadable(object: &Listed, reason: &BucketError) -> Self {
        Self {
            at: object.modified,
            by: "unknown".to_owned(),
            worker_id: String::new(),
            invoked: false,
            action: "cannot be read".to_owned(),
            subject: object.key.clone(),
            value: String::new(),
            failed: Some(reason.to_string()),
        }
    }
}

/// An action.
#[derive(Debug, Clone, Copy)]
pub struct Deed<'a> {
    /// Its address in the console.
    pub action: &'a str,
    /// What it is done to.
    pub subject: &'a str,
    /// What is chosen; empty if nothing.
    pub value: &'a str,
}

/// Writes down what somebody does.
#[derive(Debug, Clone, Copy)]
pub struct AuditLog<'a> {
    review: &'a Bucket,
    by: &'a str,
    invoked: bool,
    now: DateTime<Utc>,
}

impl<'a> AuditLog<'a> {
    /// Returns the log of somebody who is signed in.
    pub fn of_session(review: &'a Bucket, by: &'a str, now: DateTime<Utc>) -> Self {
        let invoked = false;
        Self {
            review,
            by,
            invoked,
            now,
        }
    }

    /// Returns the log of whoever invoked the function, by the name that they give.
    pub fn of_invocation(review: &'a Bucket, by: &'a str, now: DateTime<Utc>) -> Self {
        Self {
            invoked: true,
            ..Self::of_session(review, by, now)
        }
    }

    /// Writes down what is done, then does it; and, if it fails, why.
    ///
    /// # Errors
    ///
    /// What is done, or the bucket. What cannot be written down is not done.
    pub async fn record<T, E>(
        &self,
        deed: Deed<'_>,
        what_is_done: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E>
    where
        E: Display + From<BucketError>,
    {
        self.write(deed, None).await?;
        match what_is_done.await {
            Ok(done) => Ok(done),
            Err(error) => {
                let attempted = Deed { value: "", ..deed };
                self.write(attempted, Some(error.to_string())).await?;
                Err(error)
            }
        }
    }

    async fn write(&self, deed: Deed<'_>, failed: Option<String>) -> Result<(), BucketError> {
        let actor = Worker::of(self.by);
        let entry = Entry {
            at: self.now,
            by: actor.reviewer,
            worker_id: actor.id,
            invoked: self.invoked,
            action: deed.action.to_owned(),
            subject: deed.subject.to_owned(),
            value: deed.value.to_owned(),
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
///
/// # Errors
///
/// [`BucketError`].
pub async fn latest(
    review: &Bucket,
    now: DateTime<Utc>,
    count: usize,
) -> Result<(Vec<Entry>, bool), BucketError> {
    let folder = format!("{}{}/", keys::AUDIT_LOG_FOLDER, now.format("%Y-%m-%d"));
    let listed = review.list_after(&folder, "", PAGE).await?;
    let mut entries = Vec::new();
    for object in listed.iter().rev().take(count) {
        let entry = match review.read_document::<Entry>(&object.key).await {
            Err(reason) if reason.is_damaged() => Some(Entry::unreadable(object, &reason)),
            entry => entry?,
        };
        entries.extend(entry);
    }
    Ok((entries, listed.len() == PAGE))
}
