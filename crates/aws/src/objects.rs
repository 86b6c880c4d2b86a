//! Objects in S3: keys as events give them, whole small objects, opened large ones.

use aws_sdk_s3::{
    Client,
    error::{BoxError, ProvideErrorMetadata},
    primitives::{ByteStream, DateTime},
};
use percent_encoding::percent_decode_str;
use sha2::{Digest, Sha256};
use tokio::io::AsyncReadExt;

/// Decodes an object key of an S3 event, where a space is `+` and other characters are `%XX`.
///
/// Keys are UTF-8; a key that is not gives `None`.
pub fn decode_key(key: &str) -> Option<String> {
    let spaces = key.replace('+', " ");
    percent_decode_str(&spaces).decode_utf8().ok().map(Into::into)
}

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
    let mut content = Vec::new();
    let mut bounded = body.into_async_read().take(max_bytes + 1);
    let read = bounded.read_to_end(&mut content).await;
    read.map_err(|error| ReadError::Failed(error.into()))?;
    if content.len() as u64 > max_bytes {
        return Err(ReadError::TooLarge(max_bytes));
    }
    Ok(Some(content))
}

/// An object of a listing.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// Its key.
    pub key: String,
    /// When it was written.
    pub written_at: DateTime,
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
                written_at: *object.last_modified()?,
            })
        }));
    }
    Ok(listed)
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

/// Returns a name for what is written about an object, the same for the same content.
pub fn result_name(bucket: &str, key: &str, etag: &str) -> String {
    let identity = hex::encode(&Sha256::digest(format!("{bucket}\0{key}\0{etag}"))[..8]);
    let name: String = key
        .rsplit('/')
        .next()
        .unwrap_or_default()
        .chars()
        .filter(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '_'))
        .take(80)
        .collect();
    format!("{name}-{identity}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plus_is_a_space_and_an_encoded_plus_stays_one() {
        assert_eq!(
            decode_key("a+b/c%2Bd%20%C3%A9.json").as_deref(),
            Some("a b/c+d é.json")
        );
        assert_eq!(decode_key("%FF"), None);
    }

    #[test]
    fn result_names_tell_objects_of_the_same_name_apart() {
        let first = result_name("b", "x/a b.csv", "1");

        assert!(first.starts_with("ab.csv-"), "{first}");
        assert_ne!(first, result_name("b", "y/a b.csv", "1"));
        assert_ne!(first, result_name("b", "x/a b.csv", "2"));
    }
}
