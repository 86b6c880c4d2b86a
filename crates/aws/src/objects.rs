//! Objects in S3: keys as events give them, whole small objects, opened large ones.

use std::time::Duration;

use aws_sdk_s3::{
    Client,
    error::{BoxError, ProvideErrorMetadata},
    primitives::ByteStream,
};
use chrono::{DateTime, Utc};
use tokio::{io::AsyncReadExt, time::sleep};

/// Writes an object, replacing one of the same key.
///
/// # Errors
///
/// Whatever S3 answers after the SDK's retries.
pub async fn put(
    client: &Client,
    bucket: &str,
    key: &str,
    content_type: &str,
    body: Vec<u8>,
) -> Result<(), BoxError> {
    let call = client
        .put_object()
        .bucket(bucket)
        .key(key)
        .content_type(content_type);
    call.body(ByteStream::from(body)).send().await?;
    Ok(())
}

/// Writes an object unless one of that key exists; returns whether it was written.
///
/// # Errors
///
/// Whatever S3 answers after the SDK's retries.
pub async fn create(
    client: &Client,
    bucket: &str,
    key: &str,
    content_type: &str,
    body: Vec<u8>,
) -> Result<bool, BoxError> {
    let call = client
        .put_object()
        .bucket(bucket)
        .key(key)
        .content_type(content_type)
        .if_none_match("*");
    match call.body(ByteStream::from(body)).send().await {
        Ok(_) => Ok(true),
        Err(error) if error.code() == Some("PreconditionFailed") => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Returns whether there is an object of that key.
///
/// # Errors
///
/// Whatever S3 answers after the SDK's retries.
pub async fn exists(client: &Client, bucket: &str, key: &str) -> Result<bool, BoxError> {
    match client.head_object().bucket(bucket).key(key).send().await {
        Ok(_) => Ok(true),
        Err(error) if error.as_service_error().is_some_and(|error| error.is_not_found()) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// An object that could not be read as a whole.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It is larger than whoever reads it allows.
    #[error("the object is larger than {0} bytes")]
    TooLarge(u64),
    /// S3 did not answer to the end, after the SDK's retries.
    #[error("the object could not be read")]
    Failed(#[source] BoxError),
}

/// Reads a whole object of at most `max_bytes`; `None` if there is none of that key.
///
/// # Errors
///
/// [`ReadError`].
pub async fn read(
    client: &Client,
    bucket: &str,
    key: &str,
    max_bytes: u64,
) -> Result<Option<Vec<u8>>, ReadError> {
    let body = open(client, bucket, key, "").await.map_err(ReadError::Failed)?;
    let Some(body) = body else {
        return Ok(None);
    };
    read_body(body, max_bytes).await.map(Some)
}

async fn read_body(body: ByteStream, max_bytes: u64) -> Result<Vec<u8>, ReadError> {
    let mut content = Vec::new();
    let mut bounded = body.into_async_read().take(max_bytes + 1);
    let read = bounded.read_to_end(&mut content).await;
    read.map_err(|error| ReadError::Failed(error.into()))?;
    if content.len() as u64 > max_bytes {
        return Err(ReadError::TooLarge(max_bytes));
    }
    Ok(content)
}

/// Tries to change an object before giving up; each that fails means that somebody else has succeeded.
const MAX_CHANGES: u32 = 50;

/// An object that could not be changed.
#[derive(Debug, thiserror::Error)]
#[error("the object {key} could not be changed")]
pub struct ChangeError {
    /// Key of the object.
    pub key: String,
    /// Why: what S3 answered, or what is wrong with the object.
    #[source]
    pub source: BoxError,
}

/// Changes an object by reading it, and writing it back unless somebody else wrote meanwhile: then all over again.
///
/// `change` is given the object's content, nothing if there is none, and returns the new content, or `None` to
/// leave all as it is, with a value of its own. At most `max_bytes` are read.
///
/// # Errors
///
/// [`ChangeError`]: what S3 answers after the SDK's retries, or that of `change`.
pub async fn change<T>(
    client: &Client,
    bucket: &str,
    key: &str,
    max_bytes: u64,
    mut change: impl FnMut(Option<Vec<u8>>) -> Result<(Option<Vec<u8>>, T), BoxError>,
) -> Result<T, ChangeError> {
    let outcome = async {
        for attempt in 0..MAX_CHANGES {
            let before = read_version(client, bucket, key, max_bytes).await?;
            let (content, version) = before.unzip();
            let (content, value) = change(content)?;
            let Some(content) = content else {
                return Ok(value);
            };
            if write_version(client, bucket, key, content, version.as_deref()).await? {
                return Ok(value);
            }
            sleep(Duration::from_millis(10) * attempt).await;
        }
        Err("others kept writing it".into())
    };
    outcome.await.map_err(|source: BoxError| ChangeError {
        key: key.to_owned(),
        source,
    })
}

/// Reads an object and its ETag.
async fn read_version(
    client: &Client,
    bucket: &str,
    key: &str,
    max_bytes: u64,
) -> Result<Option<(Vec<u8>, String)>, BoxError> {
    let answer = match client.get_object().bucket(bucket).key(key).send().await {
        Ok(answer) => answer,
        Err(error) if error.code() == Some("NoSuchKey") => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let etag = answer.e_tag().unwrap_or_default().to_owned();
    Ok(Some((read_body(answer.body, max_bytes).await?, etag)))
}

/// Writes a JSON object if it still has this ETag, or if there is still none; returns whether it was written.
///
/// # Errors
///
/// Whatever else S3 answers after the SDK's retries.
pub async fn write_version(
    client: &Client,
    bucket: &str,
    key: &str,
    content: Vec<u8>,
    etag: Option<&str>,
) -> Result<bool, BoxError> {
    let call = client.put_object().bucket(bucket).key(key);
    let call = call
        .content_type("application/json")
        .body(ByteStream::from(content));
    let call = match etag {
        Some(etag) => call.if_match(etag),
        None => call.if_none_match("*"),
    };
    match call.send().await {
        Ok(_) => Ok(true),
        // 412: the condition does not hold. 409: another conditional write is under way. 404: it was removed.
        Err(error)
            if matches!(
                error.code(),
                Some("PreconditionFailed" | "ConditionalRequestConflict" | "NoSuchKey")
            ) =>
        {
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}

/// Returns the first keys that begin with `prefix`, at most `count`, in their order.
///
/// # Errors
///
/// Whatever S3 answers after the SDK's retries.
pub async fn first_keys(
    client: &Client,
    bucket: &str,
    prefix: &str,
    count: usize,
) -> Result<Vec<String>, BoxError> {
    let call = client.list_objects_v2().bucket(bucket).prefix(prefix);
    let mut pages = call.into_paginator().send();
    let mut keys = Vec::new();
    while keys.len() < count
        && let Some(page) = pages.try_next().await?
    {
        keys.extend(
            page.contents()
                .iter()
                .filter_map(|object| object.key().map(str::to_owned)),
        );
    }
    keys.truncate(count);
    Ok(keys)
}

/// Removes an object, if there is one.
///
/// # Errors
///
/// Whatever S3 answers after the SDK's retries.
pub async fn remove(client: &Client, bucket: &str, key: &str) -> Result<(), BoxError> {
    client.delete_object().bucket(bucket).key(key).send().await?;
    Ok(())
}

/// An object of a listing.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// Its key.
    pub key: String,
    /// When it was written last.
    pub modified: DateTime<Utc>,
}

/// Lists the objects whose keys begin with `prefix`, in the order of their keys.
///
/// # Errors
///
/// Whatever S3 answers after the SDK's retries.
pub async fn list(client: &Client, bucket: &str, prefix: &str) -> Result<Vec<Listed>, BoxError> {
    let call = client.list_objects_v2().bucket(bucket).prefix(prefix);
    let mut pages = call.into_paginator().send();
    let mut listed = Vec::new();
    while let Some(page) = pages.try_next().await? {
        listed.extend(page.contents().iter().filter_map(|object| {
            Some(Listed {
                key: object.key()?.to_owned(),
                modified: to_chrono(object.last_modified()?)?,
            })
        }));
    }
    Ok(listed)
}

fn to_chrono(time: &aws_sdk_s3::primitives::DateTime) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(time.secs(), time.subsec_nanos())
}

/// Opens an object for reading; `None` when it is gone, or is no longer the one with this ETag.
///
/// An empty `etag` opens whatever is there. An object that was written over has an event of its own.
///
/// # Errors
///
/// Whatever S3 answers after the SDK's retries.
pub async fn open(
    client: &Client,
    bucket: &str,
    key: &str,
    etag: &str,
) -> Result<Option<ByteStream>, BoxError> {
    let mut call = client.get_object().bucket(bucket).key(key);
    if !etag.is_empty() {
        call = call.if_match(format!("\"{etag}\""));
    }
    match call.send().await {
        Ok(answer) => Ok(Some(answer.body)),
        Err(error) if matches!(error.code(), Some("NoSuchKey" | "PreconditionFailed")) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
