//! Changes of an object that others may change too: read, write, and all over again if it was another meanwhile.

use serde::{Serialize, de::DeserializeOwned};

use super::{
    Bucket, BucketError, JSON, MAX_DOCUMENT_BYTES, to_json,
    write::{Condition, Content, Outcome},
};
use crate::backoff::Tries;

/// What is to become of an object that was read, with what the caller wants to know of it.
#[derive(Clone, Debug)]
pub enum Change<T, R> {
    /// It is to be this.
    Write(T, R),
    /// It is to stay as it is.
    Leave(R),
}

impl<T, R> Change<T, R> {
    /// Writes what there is to write, if anything.
    pub fn to(new: Option<T>, value: R) -> Self {
        match new {
            Some(new) => Self::Write(new, value),
            None => Self::Leave(value),
        }
    }
}

impl Bucket {
    /// Changes a JSON document: reads it and writes it back, and all over again if somebody else wrote meanwhile.
    ///
    /// `change` is given what is there, `None` if nothing is. Should the answers to all tries of a write be lost,
    /// or somebody else write just after a lost answer, what it does may be done twice.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn change<T, R>(
        &self,
        key: &str,
        mut change: impl FnMut(Option<T>) -> Change<T, R>,
    ) -> Result<R, BucketError>
    where
        T: DeserializeOwned + Serialize,
    {
        let change = |content: Option<Vec<u8>>| {
            let document = content.map(|content| self.parse(key, &content)).transpose()?;
            Ok(match change(document) {
                Change::Write(document, value) => Change::Write(to_json(&document), value),
                Change::Leave(value) => Change::Leave(value),
            })
        };
        self.change_bytes(key, JSON, MAX_DOCUMENT_BYTES, change).await
    }

    /// Changes an object of at most `limit` bytes as [`Bucket::change`] changes a document.
    ///
    /// # Errors
    ///
    /// [`BucketError`], that of `change` too.
    pub async fn change_bytes<R>(
        &self,
        key: &str,
        media_type: &str,
        limit: u64,
        mut change: impl FnMut(Option<Vec<u8>>) -> Result<Change<Vec<u8>, R>, BucketError>,
    ) -> Result<R, BucketError> {
        let mut tries = Tries::default();
        while tries.again().await {
            let before = self.read(key, limit).await?;
            let (content, etag) = before.map(|object| (object.bytes, object.etag)).unzip();

            let (content, value) = match change(content)? {
                Change::Write(content, value) => (Content::Bytes(content.into()), value),
                Change::Leave(value) => return Ok(value),
            };

            let etag = etag.map(|etag| self.known(key, etag)).transpose()?;
            let condition = match &etag {
                Some(etag) => Condition::Unchanged { etag },
                None => Condition::Absent,
            };
            if let Outcome::Written { .. } = self.write(key, media_type, &content, condition).await? {
                return Ok(value);
            }
        }
        Err(self.contended(key))
    }
}
