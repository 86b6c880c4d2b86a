//! The few S3 calls that the review state needs, with conditional writes as plain yes or no.

use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;

/// Why S3 did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// S3 asks to slow down.
    #[error("storage asks to slow down")]
    Throttled(#[source] BoxError),
    /// Any other failure.
    #[error("storage failed")]
    Failed(#[source] BoxError),
    /// An object is not of the form that this service writes.
    #[error("a stored object cannot be read: {0}")]
    Damaged(String),
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Objects of the review bucket.
#[derive(Debug, Clone)]
pub struct Objects {
    s3: Client,
    bucket: String,
}

impl Objects {
    /// Returns the objects of a bucket.
    pub fn new(s3: Client, bucket: String) -> Self {
        Self { s3, bucket }
    }

    /// Returns the bucket's name.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// Returns an object and its ETag, or none if there is no such object.
    ///
    /// # Errors
    ///
    /// [`StorageError`].
    pub async fn read(&self, key: &str) -> Result<Option<(Vec<u8>, String)>, StorageError> {
        let found = self.s3.get_object().bucket(&self.bucket).key(key).send().await;
        let object = match found {
            Err(error) if error.code() == Some("NoSuchKey") => return Ok(None),
            other => other.map_err(storage_error)?,
        };
        let etag = object.e_tag().unwrap_or_default().to_owned();
        let body = object.body.collect().await;
        let body = body.map_err(|error| StorageError::Failed(Box::new(error)))?;
        Ok(Some((body.to_vec(), etag)))
    }

    /// Writes an object whatever was there.
    ///
    /// # Errors
    ///
    /// [`StorageError`].
    pub async fn put(&self, key: &str, body: Vec<u8>) -> Result<(), StorageError> {
        let request = self.s3.put_object().bucket(&self.bucket).key(key);
        request
            .body(ByteStream::from(body))
            .send()
            .await
            .map_err(storage_error)?;
        Ok(())
    }

    /// Writes an object if none has the key; returns whether it did.
    ///
    /// # Errors
    ///
    /// [`StorageError`].
    pub async fn create(&self, key: &str, body: Vec<u8>) -> Result<bool, StorageError> {
        let request = self
            .s3
            .put_object()
            .bucket(&self.bucket)
            .key(key)
            .if_none_match("*");
        let request = request.content_type("application/json");
        written(request.body(ByteStream::from(body)).send().await)
    }

    /// Writes an object if it is still the one that was read; returns whether it did.
    ///
    /// # Errors
    ///
    /// [`StorageError`].
    pub async fn replace(&self, key: &str, etag: &str, body: Vec<u8>) -> Result<bool, StorageError> {
        let request = self.s3.put_object().bucket(&self.bucket).key(key).if_match(etag);
        let request = request.content_type("application/json");
        written(request.body(ByteStream::from(body)).send().await)
    }

    /// Removes an object; none there is fine.
    ///
    /// # Errors
    ///
    /// [`StorageError`].
    pub async fn delete(&self, key: &str) -> Result<(), StorageError> {
        let request = self.s3.delete_object().bucket(&self.bucket).key(key);
        request.send().await.map_err(storage_error)?;
        Ok(())
    }

    /// Returns up to `limit` (at most 1,000) keys under a prefix that sort after `after`, without the prefix.
    ///
    /// # Errors
    ///
    /// [`StorageError`].
    pub async fn list(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<String>, StorageError> {
        let request = self.s3.list_objects_v2().bucket(&self.bucket).prefix(prefix);
        let request = request.start_after(format!("{prefix}{after}"));
        let limit = i32::try_from(limit.min(1_000)).unwrap_or(1_000);
        let page = request.max_keys(limit).send().await.map_err(storage_error)?;
        let keys = page
            .contents()
            .iter()
            .filter_map(|object| object.key()?.strip_prefix(prefix));
        Ok(keys.map(str::to_owned).collect())
    }

    /// Returns a link by which anyone can read the object for an hour.
    ///
    /// # Errors
    ///
    /// [`StorageError::Failed`] without credentials.
    pub async fn read_link(&self, key: &str) -> Result<String, StorageError> {
        let hour = PresigningConfig::expires_in(std::time::Duration::from_secs(3_600))
            .map_err(|error| StorageError::Failed(Box::new(error)))?;
        let request = self.s3.get_object().bucket(&self.bucket).key(key);
        let request = request.presigned(hour).await.map_err(storage_error)?;
        Ok(request.uri().to_owned())
    }
}

/// A conditional write that lost is no failure.
fn written<T, E>(outcome: Result<T, SdkError<E>>) -> Result<bool, StorageError>
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    match outcome {
        Ok(_) => Ok(true),
        // NoSuchKey: the object that should be replaced is gone.
        Err(error)
            if matches!(
                error.code(),
                Some("PreconditionFailed" | "ConditionalRequestConflict" | "NoSuchKey")
            ) =>
        {
            Ok(false)
        }
        Err(error) => Err(storage_error(error)),
    }
}

fn storage_error<E>(error: SdkError<E>) -> StorageError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    match error.code() {
        Some("SlowDown" | "ServiceUnavailable" | "ThrottlingException" | "RequestLimitExceeded") => {
            StorageError::Throttled(Box::new(error))
        }
        _ => StorageError::Failed(Box::new(error)),
    }
}
