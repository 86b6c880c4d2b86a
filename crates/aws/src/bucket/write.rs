//! Writes to a bucket: whatever is there, or on a condition.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use aws_sdk_s3::{
    config::{ConfigBag, Intercept, RuntimeComponents, interceptors::BeforeTransmitInterceptorContextRef},
    error::{BoxError, ProvideErrorMetadata},
    primitives::ByteStream,
};
use bytes::Bytes;
use serde::Serialize;

use super::{Bucket, BucketError, JSON, to_json};
use crate::{backoff::Tries, failure::Refusal};

/// Entry of an object's metadata that names the conditional write which made it.
pub(super) const WRITE_ID: &str = "write-id";

/// Times that a write is sent anew after the SDK gave up on an answer.
///
/// The SDK tries again only as long as its quota lasts, which all calls of a client share: a broken network path uses it
/// up within a second. Source: AWS SDKs and Tools Reference Guide, "Retry behavior".
const MAX_UNANSWERED: u32 = 5;

/// Outcome of writing an object where none was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Created {
    /// The object is there, and is the one that was to be written.
    Created,
    /// There was one before, and it stays.
    Exists,
}

/// Outcome of writing an object over the one that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Replaced {
    /// The object is the one that was to be written.
    Written {
        /// Its ETag, where S3 has said it.
        etag: Option<String>,
    },
    /// Somebody else wrote or removed the one that was read; what they did stays.
    Changed,
}

impl Replaced {
    /// Returns whether the object is the one that was to be written.
    pub fn is_written(&self) -> bool {
        matches!(self, Self::Written { .. })
    }
}

/// On what a write depends.
#[derive(Clone, Copy)]
pub(super) enum Condition<'a> {
    Nothing,
    Absent,
    Unchanged { etag: &'a str },
}

/// What is written.
pub(super) enum Content<'a> {
    Bytes(Bytes),
    /// Streamed from disk.
    File(&'a Path),
}

/// What became of a write.
pub(super) enum Outcome {
    Written {
        /// Of the object, where S3 has said it.
        etag: Option<String>,
    },
    /// The condition does not hold.
    NotWritten,
}

impl Bucket {
    /// Writes an object, over one of that key.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn put(&self, key: &str, media_type: &str, body: impl Into<Bytes>) -> Result<(), BucketError> {
        let content = Content::Bytes(body.into());
        let written = self.write(key, media_type, &content, Condition::Nothing).await;
        written.map(drop)
    }

    /// Writes an object as [`Bucket::put`] does, in a write of the given id, which whoever reads it is told.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn put_as(
        &self,
        id: &str,
        key: &str,
        media_type: &str,
        body: impl Into<Bytes>,
    ) -> Result<(), BucketError> {
        let content = Content::Bytes(body.into());
        let written = Box::pin(self.write_as(Some(id), key, media_type, &content, Condition::Nothing));
        written.await.map(drop)
    }

    /// Writes a JSON document, over an object of that key.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn put_document(&self, key: &str, document: &impl Serialize) -> Result<(), BucketError> {
        self.put(key, JSON, to_json(document)).await
    }

    /// Writes an object unless there is one of that key.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn create(
        &self,
        key: &str,
        media_type: &str,
        body: impl Into<Bytes>,
    ) -> Result<Created, BucketError> {
        let content = Content::Bytes(body.into());
        let outcome = self.write(key, media_type, &content, Condition::Absent).await;
        outcome.map(Created::from)
    }

    /// Writes an object as [`Bucket::create`] does, in a write of the given id, which whoever reads it is told.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn create_as(
        &self,
        id: &str,
        key: &str,
        media_type: &str,
        body: impl Into<Bytes>,
    ) -> Result<Created, BucketError> {
        let content = Content::Bytes(body.into());
        let outcome = Box::pin(self.write_as(Some(id), key, media_type, &content, Condition::Absent));
        outcome.await.map(Created::from)
    }

    /// Writes a JSON document unless there is an object of that key.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn create_document(
        &self,
        key: &str,
        document: &impl Serialize,
    ) -> Result<Created, BucketError> {
        self.create(key, JSON, to_json(document)).await
    }

    /// Sends a file to an object unless there is one of that key.
    ///
    /// Streamed from disk; at most 5 GB. Source: Amazon S3, `PutObject`.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn put_file(&self, key: &str, media_type: &str, file: &Path) -> Result<Created, BucketError> {
        let content = Content::File(file);
        let outcome = self.write(key, media_type, &content, Condition::Absent).await;
        outcome.map(Created::from)
    }

    /// Sends a file to an object, over one of that key.
    ///
    /// Streamed from disk; at most 5 GB. Source: Amazon S3, `PutObject`.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn overwrite_with_file(
        &self,
        key: &str,
        media_type: &str,
        file: &Path,
    ) -> Result<(), BucketError> {
        let content = Content::File(file);
        let written = self.write(key, media_type, &content, Condition::Nothing).await;
        written.map(drop)
    }

    /// Writes an object over the one with this ETag, as [`Bucket::read`] gave it.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn replace(
        &self,
        key: &str,
        etag: &str,
        media_type: &str,
        body: impl Into<Bytes>,
    ) -> Result<Replaced, BucketError> {
        let content = Content::Bytes(body.into());
        let condition = Condition::Unchanged { etag };
        let outcome = self.write(key, media_type, &content, condition).await;
        outcome.map(Replaced::from)
    }

    /// Writes a JSON document over the one with this ETag, as [`Bucket::read_version`] gave it; with none, over
    /// nothing.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn replace_document(
        &self,
        key: &str,
        etag: Option<&str>,
        document: &impl Serialize,
    ) -> Result<Replaced, BucketError> {
        let content = Content::Bytes(to_json(document).into());
        let condition = match etag {
            Some(etag) => Condition::Unchanged { etag },
            None => Condition::Absent,
        };
        let outcome = self.write(key, JSON, &content, condition).await;
        outcome.map(Replaced::from)
    }

    /// Removes an object; none there is fine.
    ///
    /// # Errors
    ///
    /// [`BucketError::Refused`].
    pub async fn delete(&self, key: &str) -> Result<(), BucketError> {
        self.remove(key, None).await.map(drop)
    }

    /// Removes the object with this ETag; returns whether none of another content is there. None there is fine.
    ///
    /// # Errors
    ///
    /// [`BucketError::Refused`].
    pub async fn delete_version(&self, key: &str, etag: &str) -> Result<bool, BucketError> {
        self.remove(key, Some(etag)).await
    }

    async fn remove(&self, key: &str, etag: Option<&str>) -> Result<bool, BucketError> {
        let mut tries = Tries::default();
        let mut unanswered = 0;
        while tries.again().await {
            let call = self.client.delete_object().bucket(&self.name).key(key);
            let call = call.set_if_match(etag.map(str::to_owned));
            let Err(error) = Box::pin(call.send()).await else {
                return Ok(true);
            };
            match error.code() {
                Some("PreconditionFailed") => return Ok(false),
                // The first try, whose answer was lost, may have removed it.
                Some("NoSuchKey") => return Ok(true),
                Some("ConditionalRequestConflict") => continue,
                _ => {}
            }
            let refusal = Refusal::from(error);
            if !refusal.is_transient() || unanswered == MAX_UNANSWERED {
                return Err(BucketError::Refused {
                    uri: self.uri(key),
                    source: refusal,
                });
            }
            unanswered += 1;
        }
        Err(self.contended(key))
    }

    /// Writes an object, again as long as somebody else is writing it.
    pub(super) async fn write(
        &self,
        key: &str,
        media_type: &str,
        content: &Content<'_>,
        condition: Condition<'_>,
    ) -> Result<Outcome, BucketError> {
        Box::pin(self.write_as(None, key, media_type, content, condition)).await
    }

    /// Writes an object as [`Bucket::write`] does, under an id of the caller's if there is one.
    async fn write_as(
        &self,
        given_id: Option<&str>,
        key: &str,
        media_type: &str,
        content: &Content<'_>,
        condition: Condition<'_>,
    ) -> Result<Outcome, BucketError> {
        let id = given_id.map_or_else(new_write_id, str::to_owned);
        let (mut was_resent, mut unanswered) = (false, 0);
        let mut tries = Tries::default();

        while tries.again().await {
            let attempts = Attempts::default();
            let call = self.client.put_object().bucket(&self.name).key(key);
            let call = call.content_type(media_type).body(self.body(key, content).await?);
            let call = match condition {
                Condition::Nothing => match given_id {
                    Some(id) => call.metadata(WRITE_ID, id),
                    None => call,
                },
                Condition::Absent => call.if_none_match("*").metadata(WRITE_ID, &id),
                Condition::Unchanged { etag } => call.if_match(etag).metadata(WRITE_ID, &id),
            };

            let sent = Box::pin(call.customize().interceptor(attempts.clone()).send()).await;
            let error = match sent {
                Ok(output) => return Ok(Outcome::Written { etag: output.e_tag }),
                Err(error) => error,
            };
            was_resent |= attempts.count() > 1;
            match (error.code(), condition) {
                (Some("ConditionalRequestConflict" | "OperationAborted"), _) => {}
                (Some("PreconditionFailed"), Condition::Absent | Condition::Unchanged { .. })
                | (Some("NoSuchKey"), Condition::Unchanged { .. }) => {
                    return match was_resent {
                        true => self.written_by(key, &id).await,
                        false => Ok(Outcome::NotWritten),
                    };
                }
                _ => {
                    let refusal = Refusal::from(error);
                    if !refusal.is_transient() || unanswered == MAX_UNANSWERED {
                        return Err(BucketError::Refused {
                            uri: self.uri(key),
                            source: refusal,
                        });
                    }
                    // It may have been done, and only the answer lost.
                    (was_resent, unanswered) = (true, unanswered + 1);
                }
            }
        }
        Err(self.contended(key))
    }

    async fn body(&self, key: &str, content: &Content<'_>) -> Result<ByteStream, BucketError> {
        match content {
            Content::Bytes(bytes) => Ok(bytes.clone().into()),
            Content::File(path) => {
                let body = ByteStream::from_path(path).await;
                body.map_err(|error| self.broken(key, error))
            }
        }
    }

    /// Tells whether the object is that of the write of this id.
    ///
    /// Where it may not be read, it is taken for somebody else's.
    async fn written_by(&self, key: &str, id: &str) -> Result<Outcome, BucketError> {
        let head = self.head(key).await;
        match head.map_err(Refusal::from) {
            Ok(head) => {
                let written_by = head.metadata.as_ref().and_then(|metadata| metadata.get(WRITE_ID));
                Ok(match written_by.is_some_and(|it| it == id) {
                    true => Outcome::Written { etag: head.e_tag },
                    false => Outcome::NotWritten,
                })
            }
            Err(refusal) if matches!(refusal.status, Some(403 | 404)) => Ok(Outcome::NotWritten),
            Err(source) => Err(BucketError::Refused {
                uri: self.uri(key),
                source,
            }),
        }
    }

    pub(super) fn contended(&self, key: &str) -> BucketError {
        BucketError::Contended { uri: self.uri(key) }
    }
}

/// Makes an id of a write up.
pub fn new_write_id() -> String {
    format!("{:032x}", rand::random::<u128>())
}

impl From<Outcome> for Created {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Written { .. } => Self::Created,
            Outcome::NotWritten => Self::Exists,
        }
    }
}

impl From<Outcome> for Replaced {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Written { etag } => Self::Written { etag },
            Outcome::NotWritten => Self::Changed,
        }
    }
}

/// Counts how often the SDK sends a request: after the first time, an answer may have been lost.
#[derive(Clone, Debug, Default)]
struct Attempts(Arc<AtomicU32>);

impl Attempts {
    fn count(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Intercept for Attempts {
    fn name(&self) -> &'static str {
        "Attempts"
    }

    fn read_before_attempt(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}
