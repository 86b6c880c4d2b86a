//! Versions of objects, and the markers of their deletion.
//!
//! What is there now lies in the table of objects, so that a bucket that keeps no versions costs nothing more. What it
//! replaced lies in a table of its own, with the delete markers. A key that only this table has was deleted: its newest
//! entry is a delete marker.

mod listing;

use std::fmt;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use redb::{ReadableTable, TableDefinition, WriteTransaction};
use s3s::{S3Result, s3_error};
use serde::{Deserialize, Serialize};

use super::{
    Versioning,
    backend::{Change, now_ms},
    index::{self, BucketRecord, ObjectRecord, Tables},
};
pub(super) use listing::{Listed, VersionListing, VersionPage, list};

/// The record, and the bytes of a small object.
type Stored = (&'static [u8], &'static [u8]);

/// By bucket, key and place, which is smaller the newer the version is.
pub(super) const VERSIONS: TableDefinition<(&str, &str, u64), Stored> = TableDefinition::new("s3-versions");

/// Bytes of an id: its order, and what is random.
const ID_BYTES: usize = 24;
/// Greater than the order of any version.
const ORDER_LIMIT: u64 = 1 << 48;

/// Which of an object's versions a record is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Version {
    /// Greater than those of all earlier versions.
    order: u64,
    /// Without one it is the version `null`.
    id: Option<String>,
}

impl Version {
    fn next(transaction: &WriteTransaction, versioning: Versioning) -> Result<Self, redb::Error> {
        let order = index::next_sequencer(transaction)?;
        let id = (versioning == Versioning::Enabled).then(|| {
            let random = uuid::Uuid::new_v4();
            BASE64_URL_SAFE_NO_PAD.encode([&order.to_be_bytes(), &random.as_bytes()[..]].concat())
        });
        Ok(Self { order, id })
    }
}

/// Returns the id of a version, which `null` has not.
pub(super) fn id(version: Option<&Version>) -> Option<String> {
    version?.id.clone()
}

/// Returns the name of a version where a bucket has several: its id, or `null`.
pub(super) fn name(version: Option<&Version>) -> String {
    id(version).unwrap_or_else(|| "null".to_owned())
}

fn place(version: Option<&Version>) -> u64 {
    u64::MAX - version.map_or(0, |version| version.order)
}

/// The version that a client asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    Null,
    Id { id: String, order: u64 },
}

impl Wanted {
    /// Reads a `versionId`.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for what is no id.
    pub(super) fn parse(text: &str) -> S3Result<Self> {
        if text == "null" {
            return Ok(Self::Null);
        }
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).unwrap_or_default();
        let order = bytes.first_chunk().map(|order| u64::from_be_bytes(*order));
        match order {
            Some(order) if bytes.len() == ID_BYTES && order < ORDER_LIMIT => Ok(Self::Id {
                id: text.to_owned(),
                order,
            }),
            _ => Err(s3_error!(InvalidArgument, "Invalid version id specified")),
        }
    }

    pub(super) fn is(&self, version: Option<&Version>) -> bool {
        match (self, version.and_then(|version| version.id.as_deref())) {
            (Self::Null, None) => true,
            (Self::Id { id, .. }, Some(known)) => id == known,
            _ => false,
        }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Null => "null",
            Self::Id { id, .. } => id,
        })
    }
}

/// What was written over, or the mark of a deletion.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum VersionRecord {
    Object(Box<ObjectRecord>),
    Marker(DeleteMarker),
}

/// Hides the versions that are older.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct DeleteMarker {
    pub(super) version: Version,
    pub(super) modified_ms: u64,
}

impl VersionRecord {
    pub(super) fn version(&self) -> Option<&Version> {
        match self {
            Self::Object(record) => record.version.as_ref(),
            Self::Marker(marker) => Some(&marker.version),
        }
    }

    pub(super) fn modified_ms(&self) -> u64 {
        match self {
            Self::Object(record) => record.modified_ms,
            Self::Marker(marker) => marker.modified_ms,
        }
    }

    pub(super) fn is_marker(&self) -> bool {
        matches!(self, Self::Marker(_))
    }

    pub(super) fn blob(self) -> Option<String> {
        match self {
            Self::Object(record) => record.blob,
            Self::Marker(_) => None,
        }
    }
}

/// A record with its inline bytes.
type Whole<T> = (T, Vec<u8>);

/// What was found of an object.
pub(super) enum Located {
    Object(Whole<Box<ObjectRecord>>),
    /// Nothing, or what says that it was deleted.
    Absent(Option<DeleteMarker>),
}

/// Returns the version of an object that is wanted, or what is there now.
pub(super) fn locate(
    tables: &impl Tables,
    bucket: &BucketRecord,
    key: &str,
    wanted: Option<&Wanted>,
) -> Result<Located, redb::Error> {
    let name = bucket.spec.name.as_str();
    if let Some((record, bytes)) = index::object(tables, name, key)?
        && wanted.is_none_or(|wanted| wanted.is(record.version.as_ref()))
    {
        return Ok(Located::Object((Box::new(record), bytes)));
    }
    if bucket.versioning.is_none() {
        return Ok(Located::Absent(None));
    }
    let found = match wanted {
        None => newest(tables, name, key)?,
        Some(wanted) => find(tables, name, key, wanted)?,
    };
    Ok(match found {
        Some((VersionRecord::Object(record), bytes)) => Located::Object((record, bytes)),
        Some((VersionRecord::Marker(marker), _)) => Located::Absent(Some(marker)),
        None => Located::Absent(None),
    })
}

/// Returns the newest of a key in the table of versions.
fn newest(
    tables: &impl Tables,
    bucket: &str,
    key: &str,
) -> Result<Option<Whole<VersionRecord>>, redb::Error> {
    let table = tables.table(VERSIONS)?;
    let first = table.range((bucket, key, 0)..=(bucket, key, u64::MAX))?.next();
    first
        .transpose()?
        .map(|(_, value)| whole(value.value()))
        .transpose()
}

fn find(
    tables: &impl Tables,
    bucket: &str,
    key: &str,
    wanted: &Wanted,
) -> Result<Option<Whole<VersionRecord>>, redb::Error> {
    let from = match wanted {
        Wanted::Id { order, .. } => u64::MAX - order,
        Wanted::Null => 0,
    };
    let to = match wanted {
        Wanted::Id { .. } => from,
        Wanted::Null => u64::MAX,
    };
    for entry in tables
        .table(VERSIONS)?
        .range((bucket, key, from)..=(bucket, key, to))?
    {
        let found = whole(entry?.1.value())?;
        if wanted.is(found.0.version()) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn whole((json, bytes): (&[u8], &[u8])) -> Result<Whole<VersionRecord>, redb::Error> {
    Ok((index::decode(json)?, bytes.to_vec()))
}

/// Returns whether a bucket has anything in the table of versions.
pub(super) fn has_any(tables: &impl Tables, bucket: &str) -> Result<bool, redb::Error> {
    let table = tables.table(VERSIONS)?;
    let first = table
        .range::<(&str, &str, u64)>((bucket, "", 0)..)?
        .next()
        .transpose()?;
    Ok(first.is_some_and(|(key, _)| key.value().0 == bucket))
}

fn insert(
    transaction: &WriteTransaction,
    (bucket, key): (&str, &str),
    record: &VersionRecord,
    inline: &[u8],
) -> Result<(), redb::Error> {
    let mut table = transaction.open_table(VERSIONS)?;
    let at = (bucket, key, place(record.version()));
    table.insert(at, (index::encode(record).as_slice(), inline))?;
    Ok(())
}

/// Takes a version out of the table of versions.
fn take(
    transaction: &WriteTransaction,
    (bucket, key): (&str, &str),
    version: Option<&Version>,
) -> Result<Option<Whole<VersionRecord>>, redb::Error> {
    let mut table = transaction.open_table(VERSIONS)?;
    let removed = table.remove((bucket, key, place(version)))?;
    removed.map(|value| whole(value.value())).transpose()
}

/// Makes room for a new version of an object: keeps the one that is there if its bucket does, and removes the one that
/// the new one replaces. Returns which version the new one is.
pub(super) fn make_room(
    change: &mut Change<'_>,
    bucket: &BucketRecord,
    key: &str,
) -> Result<Option<Version>, redb::Error> {
    let Some(versioning) = bucket.versioning else {
        return Ok(None);
    };
    let name = bucket.spec.name.as_str();
    if versioning == Versioning::Suspended {
        remove_one(change, (name, key), &Wanted::Null)?;
    }
    if let Some((record, inline)) = index::remove_object(change.transaction, name, key)? {
        let record = VersionRecord::Object(Box::new(record));
        insert(change.transaction, (name, key), &record, &inline)?;
    }
    Version::next(change.transaction, versioning).map(Some)
}

/// Marks an object as deleted, whether there is one or not; its bucket keeps versions.
pub(super) fn mark(
    change: &mut Change<'_>,
    bucket: &BucketRecord,
    key: &str,
) -> Result<Option<DeleteMarker>, redb::Error> {
    let Some(version) = make_room(change, bucket, key)? else {
        return Ok(None);
    };
    let marker = DeleteMarker {
        version,
        modified_ms: now_ms(),
    };
    let record = VersionRecord::Marker(marker.clone());
    insert(change.transaction, (&bucket.spec.name, key), &record, &[])?;
    Ok(Some(marker))
}

/// Removes a version for good. The newest of those that are left is what is there from now on, unless it marks a
/// deletion.
pub(super) fn remove(
    change: &mut Change<'_>,
    (bucket, key): (&str, &str),
    wanted: &Wanted,
) -> Result<Option<VersionRecord>, redb::Error> {
    let removed = remove_one(change, (bucket, key), wanted)?;
    if removed.is_none() || index::object(change.transaction, bucket, key)?.is_some() {
        return Ok(removed);
    }
    let left = newest(change.transaction, bucket, key)?;
    if let Some((VersionRecord::Object(record), inline)) = left {
        take(change.transaction, (bucket, key), record.version.as_ref())?;
        index::insert_object(change.transaction, bucket, key, &record, &inline)?;
    }
    Ok(removed)
}

/// Removes a version from the table that it lies in.
fn remove_one(
    change: &mut Change<'_>,
    (bucket, key): (&str, &str),
    wanted: &Wanted,
) -> Result<Option<VersionRecord>, redb::Error> {
    let current = index::object(change.transaction, bucket, key)?;
    let removed = if current.is_some_and(|(record, _)| wanted.is(record.version.as_ref())) {
        let removed = index::remove_object(change.transaction, bucket, key)?;
        removed.map(|(record, _)| VersionRecord::Object(Box::new(record)))
    } else if let Some((record, _)) = find(change.transaction, bucket, key, wanted)? {
        take(change.transaction, (bucket, key), record.version())?;
        Some(record)
    } else {
        None
    };
    change
        .unused_blobs
        .extend(removed.clone().and_then(VersionRecord::blob));
    Ok(removed)
}

/// Removes what a life cycle rule has found, by its place in the table of versions.
pub(super) fn expire(
    change: &mut Change<'_>,
    (bucket, key, place): (&str, &str, u64),
) -> Result<(), redb::Error> {
    let mut table = change.transaction.open_table(VERSIONS)?;
    if let Some(value) = table.remove((bucket, key, place))? {
        change.unused_blobs.extend(whole(value.value())?.0.blob());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ids_that_could_have_been_given_out_are_taken_for_ids() {
        let order = 7_u64;
        let given = BASE64_URL_SAFE_NO_PAD.encode([&order.to_be_bytes()[..], &[9; 16]].concat());
        let code = |text: &str| Wanted::parse(text).map_err(|error| error.code().as_str().to_owned());

        assert_eq!(code("null"), Ok(Wanted::Null));
        assert_eq!(
            code(&given),
            Ok(Wanted::Id {
                id: given.clone(),
                order
            })
        );
        for text in ["", "3", &given[1..], "HPniJFCxqTsMuIH9KX8K8wEjNUgmABCD"] {
            assert_eq!(code(text), Err("InvalidArgument".to_owned()), "{text}");
        }
    }
}
