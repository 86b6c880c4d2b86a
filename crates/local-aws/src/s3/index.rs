//! The index in redb: which buckets, objects and uploads there are.

use std::{collections::BTreeMap, ops::Bound};

use redb::{Key, ReadTransaction, ReadableTable, TableDefinition, TableError, Value, WriteTransaction};
use s3s::{S3Error, S3ErrorCode, s3_error};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    BucketSpec, Versioning,
    checksum::{Algorithm, Checksum},
    damage::Damaged,
    filled::{Entry, Filled, behind},
    versions::{VERSIONS, Version},
};

type Json = &'static [u8];

pub(super) const BUCKETS: TableDefinition<&str, Json> = TableDefinition::new("s3-buckets");
/// By bucket and key: the record, and the bytes of a small object. Only what is there now; old versions lie in
/// [`VERSIONS`].
pub(super) const OBJECTS: TableDefinition<(&str, &str), (Json, &[u8])> = TableDefinition::new("s3-objects");
/// By bucket, key and upload id.
pub(super) const UPLOADS: TableDefinition<(&str, &str, &str), Json> = TableDefinition::new("s3-uploads");
/// By upload id and part number.
pub(super) const PARTS: TableDefinition<(&str, u32), Json> = TableDefinition::new("s3-parts");
const SEQUENCERS: TableDefinition<(), u64> = TableDefinition::new("s3-sequencer");

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct BucketRecord {
    pub(super) created_ms: u64,
    pub(super) spec: BucketSpec,
    /// What holds now, whoever said so; that of `spec` is what the template says.
    #[serde(default)]
    pub(super) versioning: Option<Versioning>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ObjectRecord {
    pub(super) size: u64,
    /// Without its quotes.
    pub(super) etag: String,
    pub(super) modified_ms: u64,
    /// Name of the blob file; without one the bytes lie beside this record.
    pub(super) blob: Option<String>,
    /// Sizes of the parts of a multipart upload.
    pub(super) part_sizes: Vec<u64>,
    pub(super) headers: Headers,
    pub(super) checksum: Option<Checksum>,
    /// None for what was written before the bucket kept versions: the version `null`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) version: Option<Version>,
}

/// What a client stores beside the data and gets back with it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Headers {
    pub(super) content_type: Option<String>,
    pub(super) cache_control: Option<String>,
    pub(super) content_disposition: Option<String>,
    pub(super) content_encoding: Option<String>,
    pub(super) content_language: Option<String>,
    pub(super) metadata: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct UploadRecord {
    pub(super) initiated_ms: u64,
    pub(super) headers: Headers,
    pub(super) algorithm: Option<Algorithm>,
    pub(super) composite: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct PartRecord {
    pub(super) size: u64,
    pub(super) etag: String,
    pub(super) modified_ms: u64,
    pub(super) blob: String,
    pub(super) checksum: Option<Checksum>,
}

/// Why a change did not happen.
#[derive(Debug)]
pub(super) enum Failure {
    /// The client is told.
    Refused(S3Error),
    Index(redb::Error),
    Disk(std::io::Error),
}

impl From<S3Error> for Failure {
    fn from(error: S3Error) -> Self {
        Self::Refused(error)
    }
}

impl From<redb::Error> for Failure {
    fn from(error: redb::Error) -> Self {
        Self::Index(error)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Disk(error)
    }
}

impl From<Failure> for S3Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(error) => error,
            Failure::Index(error) => {
                tracing::error!(%error, "the index of the state folder failed");
                S3Error::with_source(S3ErrorCode::InternalError, Box::new(error))
            }
            // It has been said.
            Failure::Disk(error) if is_damage(&error) => {
                S3Error::with_message(S3ErrorCode::InternalError, error.to_string())
            }
            Failure::Disk(error) => {
                tracing::error!(%error, "a blob file of the state folder failed");
                S3Error::with_source(S3ErrorCode::InternalError, Box::new(error))
            }
        }
    }
}

fn is_damage(error: &std::io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<Damaged>())
}

/// What both kinds of transaction can do: read a table.
pub(super) trait Tables {
    fn table<K: Key + 'static, V: Value + 'static>(
        &self,
        definition: TableDefinition<K, V>,
    ) -> Result<impl ReadableTable<K, V>, TableError>;
}

impl Tables for ReadTransaction {
    fn table<K: Key + 'static, V: Value + 'static>(
        &self,
        definition: TableDefinition<K, V>,
    ) -> Result<impl ReadableTable<K, V>, TableError> {
        self.open_table(definition)
    }
}

impl Tables for WriteTransaction {
    fn table<K: Key + 'static, V: Value + 'static>(
        &self,
        definition: TableDefinition<K, V>,
    ) -> Result<impl ReadableTable<K, V>, TableError> {
        self.open_table(definition)
    }
}

/// Makes the tables, so that later reads find them.
pub(super) fn create_tables(transaction: &WriteTransaction) -> Result<(), redb::Error> {
    transaction.open_table(BUCKETS)?;
    transaction.open_table(OBJECTS)?;
    transaction.open_table(VERSIONS)?;
    transaction.open_table(UPLOADS)?;
    transaction.open_table(PARTS)?;
    transaction.open_table(SEQUENCERS)?;
    Ok(())
}

pub(super) fn decode<T: DeserializeOwned>(json: &[u8]) -> Result<T, redb::Error> {
    serde_json::from_slice(json)
        .map_err(|error| redb::Error::Corrupted(format!("a record cannot be read: {error}")))
}

pub(super) fn encode<T: Serialize>(record: &T) -> Vec<u8> {
    serde_json::to_vec(record).expect("a record has only string keys")
}

/// Returns a bucket, or `NoSuchBucket`.
pub(super) fn bucket(tables: &impl Tables, name: &str) -> Result<BucketRecord, Failure> {
    let table = tables.table(BUCKETS).map_err(redb::Error::from)?;
    let record = table.get(name).map_err(redb::Error::from)?;
    match record {
        Some(json) => Ok(decode(json.value())?),
        None => Err(s3_error!(NoSuchBucket, "The specified bucket does not exist").into()),
    }
}

/// Returns an object's record and its inline bytes.
pub(super) fn object(
    tables: &impl Tables,
    bucket: &str,
    key: &str,
) -> Result<Option<(ObjectRecord, Vec<u8>)>, redb::Error> {
    let table = tables.table(OBJECTS)?;
    let found = table.get((bucket, key))?;
    found
        .map(|guard| {
            let (json, bytes) = guard.value();
            Ok((decode(json)?, bytes.to_vec()))
        })
        .transpose()
}

/// Stores an object and returns the blob of the one it replaces.
pub(super) fn insert_object(
    transaction: &WriteTransaction,
    bucket: &str,
    key: &str,
    record: &ObjectRecord,
    inline: &[u8],
) -> Result<Option<String>, redb::Error> {
    let mut table = transaction.open_table(OBJECTS)?;
    let replaced = table.insert((bucket, key), (encode(record).as_slice(), inline))?;
    match replaced {
        Some(guard) => Ok(decode::<ObjectRecord>(guard.value().0)?.blob),
        None => Ok(None),
    }
}

/// Removes an object and returns its record and its inline bytes.
pub(super) fn remove_object(
    transaction: &WriteTransaction,
    bucket: &str,
    key: &str,
) -> Result<Option<(ObjectRecord, Vec<u8>)>, redb::Error> {
    let mut table = transaction.open_table(OBJECTS)?;
    let removed = table.remove((bucket, key))?;
    removed
        .map(|guard| {
            let (json, bytes) = guard.value();
            Ok((decode(json)?, bytes.to_vec()))
        })
        .transpose()
}

/// Returns the next number of the events' `sequencer` and of the versions' order: greater than all before.
pub(super) fn next_sequencer(transaction: &WriteTransaction) -> Result<u64, redb::Error> {
    let mut table = transaction.open_table(SEQUENCERS)?;
    let next = table.get(())?.map_or(0, |guard| guard.value()) + 1;
    table.insert((), next)?;
    Ok(next)
}

/// Returns an upload, or `NoSuchUpload`.
pub(super) fn upload(
    tables: &impl Tables,
    bucket: &str,
    key: &str,
    id: &str,
) -> Result<UploadRecord, Failure> {
    let table = tables.table(UPLOADS).map_err(redb::Error::from)?;
    let record = table.get((bucket, key, id)).map_err(redb::Error::from)?;
    match record {
        Some(json) => Ok(decode(json.value())?),
        None => Err(s3_error!(
            NoSuchUpload,
            "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed."
        )
        .into()),
    }
}

/// Returns the parts of an upload in order of their numbers.
pub(super) fn parts(tables: &impl Tables, upload_id: &str) -> Result<BTreeMap<u32, PartRecord>, redb::Error> {
    let table = tables.table(PARTS)?;
    let mut parts = BTreeMap::new();
    for entry in table.range((upload_id, 0)..=(upload_id, u32::MAX))? {
        let (key, json) = entry?;
        parts.insert(key.value().1, decode(json.value())?);
    }
    Ok(parts)
}

/// Removes an upload and its parts and returns their blobs.
pub(super) fn remove_upload(
    transaction: &WriteTransaction,
    bucket: &str,
    key: &str,
    id: &str,
) -> Result<Vec<String>, redb::Error> {
    let parts = parts(transaction, id)?;
    transaction.open_table(UPLOADS)?.remove((bucket, key, id))?;
    let mut table = transaction.open_table(PARTS)?;
    for number in parts.keys() {
        table.remove((id, *number))?;
    }
    Ok(parts.into_values().map(|part| part.blob).collect())
}

/// What to list of a bucket.
pub(super) struct Listing<'a> {
    pub(super) bucket: &'a str,
    pub(super) prefix: &'a str,
    pub(super) delimiter: Option<&'a str>,
    /// Only what comes after it: a key, or a common prefix of the page before.
    pub(super) after: &'a str,
    pub(super) limit: usize,
}

/// One page of a listing.
#[derive(Default)]
pub(super) struct Page {
    pub(super) objects: Vec<(String, ObjectRecord)>,
    pub(super) common_prefixes: Vec<String>,
    /// Last entry of this page, if there is another.
    pub(super) next: Option<String>,
}

/// Lists objects in the order of their keys' bytes.
pub(super) fn list(tables: &impl Tables, listing: &Listing<'_>) -> Result<Page, redb::Error> {
    let Listing {
        bucket,
        prefix,
        delimiter,
        after,
        limit,
    } = *listing;
    let mut page = Page::default();
    let mut filled = Filled::new(prefix, delimiter, after, limit);
    let mut last = None;
    let mut start = if after >= prefix {
        Bound::Excluded(after.to_owned())
    } else {
        Bound::Included(prefix.to_owned())
    };
    let table = tables.table(OBJECTS)?;
    'from_start: loop {
        let from = start.as_ref().map(|key| (bucket, key.as_str()));
        for entry in table.range::<(&str, &str)>((from, Bound::Unbounded))? {
            let (guard, value) = entry?;
            let (found_bucket, key) = guard.value();
            if found_bucket != bucket || !key.starts_with(prefix) || limit == 0 {
                break;
            }
            let common = match filled.take(key) {
                Entry::Seen(common) => common,
                Entry::Beyond => {
                    page.next = last;
                    break;
                }
                Entry::Common(common) => {
                    last = Some(common.to_owned());
                    common
                }
                Entry::Key => {
                    last = Some(key.to_owned());
                    page.objects.push((key.to_owned(), decode(value.value().0)?));
                    continue;
                }
            };
            // Of the keys below a common prefix one is read, however many there are.
            let Some(next) = behind(common) else { break };
            start = Bound::Included(next);
            continue 'from_start;
        }
        break;
    }
    page.common_prefixes = filled.common_prefixes;
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_from_before_versions_are_read_and_those_without_look_the_same() {
        let bucket =
            r#"{"created_ms":1,"spec":{"name":"b","notifications":[],"policy":null,"expirations":[]}}"#;
        let object = r#"{"size":1,"etag":"e","modified_ms":2,"blob":null,"part_sizes":[],"headers":{"content_type":null,"cache_control":null,"content_disposition":null,"content_encoding":null,"content_language":null,"metadata":{}},"checksum":null}"#;

        let read: BucketRecord = decode(bucket.as_bytes()).expect("read");
        let record: ObjectRecord = decode(object.as_bytes()).expect("read");

        assert_eq!((read.versioning, read.spec.versioning), (None, None));
        assert_eq!(record.version, None);
        assert_eq!(String::from_utf8_lossy(&encode(&record)), object);
    }
}
