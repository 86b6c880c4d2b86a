//! A bucket: the only place that calls S3, and that knows what its refusals mean.
//!
//! | S3 answers | here it is |
//! |---|---|
//! | 404 `NoSuchKey` | no object; for [`Bucket::replace`], [`Replaced::Changed`] |
//! | 412 `PreconditionFailed` | [`Created::Exists`], [`Replaced::Changed`], no such version |
//! | 409 `ConditionalRequestConflict` | somebody else is writing: tried again |
//! | throttling, 5xx, no answer | tried again by the SDK, then [`BucketError::Refused`] |
//!
//! A conditional write whose answer was lost meets its own object when the SDK sends it again. So each carries an
//! id of its own in the object's metadata, by which it is told from somebody else's, whatever the content is.
//!
//! Calls of the SDK are boxed here: their futures have some 6 kB, and each function above would hold one.

mod change;
mod leaving;
mod listing;
mod range;
mod removal;
#[cfg(test)]
mod tests;
mod touch;
mod versions;
mod write;

pub use change::Change;
pub use leaving::Leaving;
pub use listing::Listed;
pub use touch::Touched;
pub use versions::OldVersion;
pub use write::{Created, Replaced, new_write_id};

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_s3::{
    Client,
    error::{BoxError, ProvideErrorMetadata, SdkError},
    operation::{
        get_object::{GetObjectError, builders::GetObjectFluentBuilder},
        head_object::{HeadObjectError, HeadObjectOutput},
    },
    presigning::PresigningConfig,
    primitives::ByteStream,
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::io::AsyncReadExt;

use crate::failure::Refusal;

/// Media type of a JSON document.
pub const JSON: &str = "application/json";
/// Media type of JSON Lines.
pub const JSON_LINES: &str = "application/x-ndjson";
/// Media type of CSV.
pub const CSV: &str = "text/csv; charset=utf-8";
/// Media type of plain text.
pub const TEXT: &str = "text/plain; charset=utf-8";
/// Media type of anything else.
pub const BINARY: &str = "application/octet-stream";

/// Largest document that is read, in bytes.
pub const MAX_DOCUMENT_BYTES: u64 = 64 << 20;

/// Codes of S3 that a later try does not change. Source: Amazon S3, list of error codes.
const DEFINITE: [&str; 9] = [
    "AccessDenied",
    "InvalidBucketName",
    "KMS.DisabledException",
    "KMS.InvalidKeyUsageException",
    "KMS.KMSInvalidStateException",
    "KMS.NotFoundException",
    "NoSuchBucket",
    "NoSuchKey",
    "PermanentRedirect",
];

/// How long a link for reading is good.
const LINK_LIFETIME: Duration = Duration::from_secs(3_600);

/// The objects of one bucket.
#[derive(Clone, Debug)]
pub struct Bucket {
    client: Client,
    name: String,
}

/// A whole object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its content.
    pub bytes: Vec<u8>,
    /// Its ETag, as [`Bucket::replace`] wants it.
    pub etag: String,
    /// The id of the write that made it, where it was a conditional one or had a given id.
    pub write_id: Option<String>,
    /// Its user metadata, that id too.
    pub metadata: HashMap<String, String>,
}

/// Outcome of a read that is spared where nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fetched {
    /// The object still has the ETag that is known.
    Unchanged,
    /// There is no object.
    Missing,
    /// There is another one.
    Found(Object),
}

/// Why an object could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    /// S3 refused, or did not answer, also after the SDK's retries.
    #[error("{uri} could not be read or written")]
    Refused {
        /// `s3://` with bucket and key or prefix.
        uri: String,
        /// What S3 answered.
        #[source]
        source: Refusal,
    },
    /// Reading stopped in the midst of the object, or the file that was to be sent cannot be read.
    #[error("{uri} could not be read or sent to its end")]
    Broken {
        /// `s3://` with bucket and key.
        uri: String,
        /// What went wrong.
        #[source]
        source: BoxError,
    },
    /// The object is larger than its reader allows.
    #[error("{uri} is larger than {limit} bytes")]
    TooLarge {
        /// `s3://` with bucket and key.
        uri: String,
        /// What the reader allows.
        limit: u64,
    },
    /// The object is not the document that it should be. Says where; what is there may be personal.
    #[error("{uri} is damaged in line {line}, column {column}")]
    Damaged {
        /// `s3://` with bucket and key.
        uri: String,
        /// Line of the first fault, from 1.
        line: usize,
        /// Its column.
        column: usize,
    },
    /// The object must be there, and is not.
    #[error("{uri} is gone")]
    Gone {
        /// `s3://` with bucket and key.
        uri: String,
    },
    /// Others kept writing the object, as often as this was tried.
    #[error("others kept writing {uri}")]
    Contended {
        /// `s3://` with bucket and key.
        uri: String,
    },
}

impl BucketError {
    /// Returns the code of S3's refusal, if it is one and had a code.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { source, .. } => source.code.as_deref(),
            Self::Broken { .. }
            | Self::TooLarge { .. }
            | Self::Damaged { .. }
            | Self::Gone { .. }
            | Self::Contended { .. } => None,
        }
    }

    /// Returns whether a later try is refused as well, until somebody changes bucket, key or rights.
    pub fn is_definite(&self) -> bool {
        self.code().is_some_and(|code| DEFINITE.contains(&code))
    }

    /// Returns whether a later try may succeed, though nobody changes anything.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Refused { .. } | Self::Broken { .. } | Self::Contended { .. } => !self.is_definite(),
            Self::TooLarge { .. } | Self::Damaged { .. } | Self::Gone { .. } => false,
        }
    }

    /// Returns whether the object itself is no good: until somebody puts another in its place, nobody can read it.
    pub fn is_damaged(&self) -> bool {
        matches!(self, Self::Damaged { .. } | Self::TooLarge { .. })
    }

    /// Returns whether the caller should come back later: S3 asks to slow down, or too many write the same object.
    pub fn is_throttling(&self) -> bool {
        match self {
            Self::Refused { source, .. } => source.is_throttling(),
            Self::Contended { .. } => true,
            Self::Broken { .. } | Self::TooLarge { .. } | Self::Damaged { .. } | Self::Gone { .. } => false,
        }
    }
}

impl Bucket {
    /// Names the bucket.
    pub fn new(client: Client, name: impl Into<String>) -> Self {
        Self {
            client,
            name: name.into(),
        }
    }

    /// Names another bucket, with the same client.
    #[must_use]
    pub fn other(&self, name: impl Into<String>) -> Self {
        Self::new(self.client.clone(), name)
    }

    /// Returns its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the URI of an object.
    pub fn uri(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.name)
    }

    /// Reads a whole object of at most `limit` bytes; `None` if there is none of that key.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn read(&self, key: &str, limit: u64) -> Result<Option<Object>, BucketError> {
        match self.read_if_changed(key, None, limit).await? {
            Fetched::Found(object) => Ok(Some(object)),
            Fetched::Unchanged | Fetched::Missing => Ok(None),
        }
    }

    /// Reads a whole object of at most `limit` bytes unless it still has the known ETag.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn read_if_changed(
        &self,
        key: &str,
        known_etag: Option<&str>,
        limit: u64,
    ) -> Result<Fetched, BucketError> {
        let call = self.get(key).set_if_none_match(known_etag.map(str::to_owned));

        let answer = match Box::pin(call.send()).await {
            Ok(answer) => answer,
            Err(error) if is_missing(&error) => return Ok(Fetched::Missing),
            Err(error) if is_unchanged(&error) => return Ok(Fetched::Unchanged),
            Err(error) => return Err(self.refused(key, error)),
        };

        let etag = answer.e_tag.unwrap_or_default();
        let length = answer
            .content_length
            .and_then(|length| u64::try_from(length).ok());
        let metadata = answer.metadata.unwrap_or_default();
        let write_id = metadata.get(write::WRITE_ID).cloned();
        let bytes = self.collect(key, answer.body, length, limit).await?;
        Ok(Fetched::Found(Object {
            bytes,
            etag,
            write_id,
            metadata,
        }))
    }

    /// Reads a JSON document of at most [`MAX_DOCUMENT_BYTES`]; `None` if there is none of that key.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn read_document<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, BucketError> {
        match self.read(key, MAX_DOCUMENT_BYTES).await? {
            Some(object) => self.parse(key, &object.bytes).map(Some),
            None => Ok(None),
        }
    }

    /// Reads a JSON document with its ETag, with which [`Bucket::replace`] replaces just this one.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn read_version<T: DeserializeOwned>(
        &self,
        key: &str,
    ) -> Result<Option<(T, String)>, BucketError> {
        let Some(object) = self.read(key, MAX_DOCUMENT_BYTES).await? else {
            return Ok(None);
        };
        let document = self.parse(key, &object.bytes)?;
        Ok(Some((document, self.known(key, object.etag)?)))
    }

    /// Parses the content of an object as a JSON document.
    ///
    /// # Errors
    ///
    /// [`BucketError::Damaged`], which does not quote the content.
    pub fn parse<T: DeserializeOwned>(&self, key: &str, content: &[u8]) -> Result<T, BucketError> {
        serde_json::from_slice(content).map_err(|error| BucketError::Damaged {
            uri: self.uri(key),
            line: error.line(),
            column: error.column(),
        })
    }

    /// Opens an object for reading; `None` if there is none of that key.
    ///
    /// # Errors
    ///
    /// [`BucketError::Refused`].
    pub async fn open(&self, key: &str) -> Result<Option<ByteStream>, BucketError> {
        self.open_version(key, "").await
    }

    /// Opens an object for reading; `None` when it is gone, or is no longer the one with this ETag.
    ///
    /// The ETag stands without quotes, as events have it; an empty one opens whatever is there.
    ///
    /// # Errors
    ///
    /// [`BucketError::Refused`].
    pub async fn open_version(&self, key: &str, etag: &str) -> Result<Option<ByteStream>, BucketError> {
        match Box::pin(self.get(key).set_if_match(only_version(etag)).send()).await {
            Ok(answer) => Ok(Some(answer.body)),
            Err(error) if is_no_such_version(&error) => Ok(None),
            Err(error) => Err(self.refused(key, error)),
        }
    }

    /// Returns whether there is an object of that key.
    ///
    /// # Errors
    ///
    /// [`BucketError::Refused`].
    pub async fn exists(&self, key: &str) -> Result<bool, BucketError> {
        match self.head(key).await {
            Ok(_) => Ok(true),
            Err(error) if error.as_service_error().is_some_and(|error| error.is_not_found()) => Ok(false),
            Err(error) => Err(self.refused(key, error)),
        }
    }

    /// Returns a link by which anyone can read the object for an hour.
    ///
    /// # Errors
    ///
    /// [`BucketError::Refused`] without credentials.
    pub async fn read_link(&self, key: &str) -> Result<String, BucketError> {
        let hour = PresigningConfig::expires_in(LINK_LIFETIME).map_err(|error| self.broken(key, error))?;
        let request = Box::pin(self.get(key).presigned(hour)).await;
        let request = request.map_err(|error| self.refused(key, error))?;
        Ok(request.uri().to_owned())
    }

    /// Returns an ETag that S3 gave. Without one, whatever somebody else writes would be lost.
    fn known(&self, key: &str, etag: String) -> Result<String, BucketError> {
        match etag.as_str() {
            "" => Err(self.broken(key, "S3 gave no ETag")),
            _ => Ok(etag),
        }
    }

    async fn head(&self, key: &str) -> Result<HeadObjectOutput, SdkError<HeadObjectError>> {
        Box::pin(self.client.head_object().bucket(&self.name).key(key).send()).await
    }

    fn get(&self, key: &str) -> GetObjectFluentBuilder {
        self.client.get_object().bucket(&self.name).key(key)
    }

    /// Reads to the end; where S3 says how long it is, memory is taken once for all.
    async fn collect(
        &self,
        key: &str,
        body: ByteStream,
        length: Option<u64>,
        limit: u64,
    ) -> Result<Vec<u8>, BucketError> {
        let expected = length.unwrap_or_default().min(limit);
        let mut content = Vec::with_capacity(usize::try_from(expected).unwrap_or_default());
        let mut bounded = body.into_async_read().take(limit.saturating_add(1));
        let read = bounded.read_to_end(&mut content).await;
        read.map_err(|error| self.broken(key, error))?;

        if content.len() as u64 > limit {
            let uri = self.uri(key);
            return Err(BucketError::TooLarge { uri, limit });
        }
        Ok(content)
    }

    fn refused<E: ProvideErrorMetadata>(&self, key: &str, error: SdkError<E>) -> BucketError {
        BucketError::Refused {
            uri: self.uri(key),
            source: error.into(),
        }
    }

    fn broken(&self, key: &str, source: impl Into<BoxError>) -> BucketError {
        BucketError::Broken {
            uri: self.uri(key),
            source: source.into(),
        }
    }
}

/// Writes a document as it stands in S3, to be looked at.
fn to_json(document: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec_pretty(document).expect("our documents have string keys and finite numbers")
}

/// Returns the condition that the object is the one with this ETag, which stands without quotes; an empty one is none.
fn only_version(etag: &str) -> Option<String> {
    (!etag.is_empty()).then(|| format!("\"{etag}\""))
}

/// Tells that an object is gone, or no longer the one that was meant.
fn is_no_such_version(error: &SdkError<GetObjectError>) -> bool {
    is_missing(error) || error.code() == Some("PreconditionFailed")
}

fn is_missing(error: &SdkError<GetObjectError>) -> bool {
    error.code() == Some("NoSuchKey")
}

/// "Not modified" is an answer without a body, so without a code.
fn is_unchanged(error: &SdkError<GetObjectError>) -> bool {
    let status = error.raw_response().map(|response| response.status().as_u16());
    status == Some(304)
}
