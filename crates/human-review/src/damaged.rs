//! Objects of the review bucket that cannot be read: each costs only itself, and is told.
//!
//! Who meets one goes on without it and writes down that it is there. Once it was replaced or removed, the note goes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use active_learning_aws::bucket::{Bucket, BucketError, Fetched, MAX_DOCUMENT_BYTES};
use active_learning_core::keys;
use lambda_runtime::tracing::{error, warn};
use serde::{Deserialize, Serialize};

/// A process that has told of an object says nothing more of it for so long.
const TOLD: Duration = Duration::from_secs(300);
/// Notes that are looked at.
const LOOKED_AT: usize = 100;

/// What is noted of an object that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Its ETag; empty where that cannot be told.
    pub etag: String,
    /// What is wrong with it, and where. Nothing of what it says.
    pub reason: String,
}

/// Passes over what cannot be read.
#[derive(Debug, Clone)]
pub struct Damaged {
    bucket: Bucket,
    /// What this process has told of, and when.
    told: Arc<Mutex<BTreeMap<String, Instant>>>,
}

impl Damaged {
    /// Keeps its notes in the bucket whose objects they are about.
    pub fn new(bucket: Bucket) -> Self {
        Self {
            bucket,
            told: Arc::default(),
        }
    }

    /// Takes what is damaged for what is not there, and tells of it.
    ///
    /// # Errors
    ///
    /// [`BucketError`], of which none says that the object is damaged.
    pub async fn pass_over<T>(
        &self,
        key: &str,
        read: Result<Option<T>, BucketError>,
    ) -> Result<Option<T>, BucketError> {
        match read {
            Err(reason) if reason.is_damaged() => {
                self.tell(key, &reason.to_string()).await;
                Ok(None)
            }
            read => read,
        }
    }

    /// Tells that an object cannot be read: in the log, and by a note for the operator.
    pub async fn tell(&self, key: &str, reason: &str) {
        if !self.is_new(key) {
            return;
        }
        error!(
            object.key = key,
            reason, "an object cannot be read: it is passed over"
        );
        let read = self.bucket.read(key, MAX_DOCUMENT_BYTES).await;
        let object = read.ok().flatten();
        let note = Note {
            etag: object.map(|object| object.etag).unwrap_or_default(),
            reason: reason.to_owned(),
        };
        let place = keys::damaged_object(key);
        if let Err(error) = self.bucket.put_document(&place, &note).await {
            warn!(%error, object.key = key, "that an object cannot be read is not noted");
        }
    }

    fn is_new(&self, key: &str) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|_, at| at.elapsed() < TOLD);
        told.insert(key.to_owned(), Instant::now()).is_none()
    }

    /// Returns the objects that are noted, each with what is wrong: the first of them by name, and whether there are more.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn noted(&self) -> Result<(Vec<(String, Note)>, bool), BucketError> {
        let folder = keys::DAMAGED_FOLDER;
        let listed = self.bucket.list_after(folder, "", LOOKED_AT + 1).await?;
        let mut noted = Vec::new();
        for object in listed.iter().take(LOOKED_AT) {
            let note = match self.bucket.read_document::<Note>(&object.key).await {
                Err(error) if error.is_damaged() => Some(Note {
                    etag: String::new(),
                    reason: error.to_string(),
                }),
                note => note?,
            };
            let name = &object.key[folder.len()..];
            noted.extend(note.map(|note| (format!("{}{name}", keys::HUMAN_REVIEW_FOLDER), note)));
        }
        Ok((noted, listed.len() > LOOKED_AT))
    }

    /// Removes the notes of objects that were replaced or removed since. One that was replaced by another that cannot be read
    /// is noted again by who meets it.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn forget_mended(&self) -> Result<(), BucketError> {
        for (key, note) in self.noted().await?.0 {
            let known = Some(note.etag.as_str()).filter(|etag| !etag.is_empty());
            match self.bucket.read_if_changed(&key, known, MAX_DOCUMENT_BYTES).await {
                Ok(Fetched::Unchanged) => {}
                Err(error) if error.is_damaged() => {}
                Ok(Fetched::Missing | Fetched::Found(_)) => {
                    self.bucket.delete(&keys::damaged_object(&key)).await?;
                    let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
                    told.remove(&key);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
