//! Objects in S3: keys as events give them, whole small objects, and bad lines set aside.

use aws_sdk_s3::{
    Client,
    error::{BoxError, ProvideErrorMetadata},
    primitives::ByteStream,
};
use percent_encoding::percent_decode_str;
use serde::Serialize;
use sha2::{Digest, Sha256};

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

/// A line that could not be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RejectedLine {
    /// Its number in the object, from 1.
    pub line: u64,
    /// Why it could not be used.
    pub reason: String,
    /// The line as it was found.
    pub raw: String,
}

/// Returns the key at which the bad lines of an object are set aside.
///
/// The same object has the same key, so that a repeated event writes it over with the same content.
pub fn rejected_key(function: &str, bucket: &str, key: &str, etag: &str) -> String {
    let identity = hex::encode(&Sha256::digest(format!("{bucket}\0{key}\0{etag}"))[..8]);
    let name: String = key
        .rsplit('/')
        .next()
        .unwrap_or_default()
        .chars()
        .filter(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '_'))
        .take(80)
        .collect();
    format!("rejected/{function}/{name}-{identity}.jsonl")
}

/// Writes lines as JSON Lines.
pub fn json_lines(lines: &[RejectedLine]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for line in lines {
        bytes.extend(serde_json::to_vec(line).expect("a rejected line has only string keys"));
        bytes.push(b'\n');
    }
    bytes
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
    fn rejected_keys_tell_objects_of_the_same_name_apart() {
        let first = rejected_key("batch-feedback", "b", "x/a b.csv", "1");
        let second = rejected_key("batch-feedback", "b", "y/a b.csv", "1");

        assert!(first.starts_with("rejected/batch-feedback/ab.csv-"), "{first}");
        assert_ne!(first, second);
    }
}
