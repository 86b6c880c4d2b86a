//! Listings of versions: each key in order, the newest version of it first.

use std::{iter, ops::Bound};

use redb::ReadableTable;

use super::{VERSIONS, VersionRecord, Wanted, find, id, name, newest, place};
use crate::s3::{
    filled::{Entry, Filled},
    index::{self, OBJECTS, ObjectRecord, Tables},
};

/// Which versions to list.
pub(in crate::s3) struct VersionListing<'a> {
    pub(in crate::s3) bucket: &'a str,
    pub(in crate::s3) prefix: &'a str,
    pub(in crate::s3) delimiter: Option<&'a str>,
    /// Only what comes after it: a key or a common prefix, or a version of a key.
    pub(in crate::s3) after: &'a str,
    pub(in crate::s3) after_version: Option<&'a Wanted>,
    pub(in crate::s3) limit: usize,
}

/// One version in a listing.
pub(in crate::s3) struct Listed {
    pub(in crate::s3) key: String,
    pub(in crate::s3) record: VersionRecord,
    pub(in crate::s3) is_latest: bool,
}

/// One page of a listing.
#[derive(Default)]
pub(in crate::s3) struct VersionPage {
    pub(in crate::s3) versions: Vec<Listed>,
    pub(in crate::s3) common_prefixes: Vec<String>,
    /// Last entry of this page, if there is another: a key and its version, or a common prefix.
    pub(in crate::s3) next: Option<(String, Option<String>)>,
}

type Keyed<T> = Result<(String, T), redb::Error>;
type Start = (Bound<String>, Bound<(String, u64)>);

/// Lists versions in the order of their keys' bytes, of each key the newest first.
pub(in crate::s3) fn list(
    tables: &impl Tables,
    listing: &VersionListing<'_>,
) -> Result<VersionPage, redb::Error> {
    let VersionListing {
        bucket,
        prefix,
        limit,
        ..
    } = *listing;
    if limit == 0 {
        return Ok(VersionPage::default());
    }
    let (first_object, first_version) = start(tables, listing)?;
    let (objects, versions) = (tables.table(OBJECTS)?, tables.table(VERSIONS)?);
    let first_object = first_object.as_ref().map(|key| (bucket, key.as_str()));
    let first_version = first_version
        .as_ref()
        .map(|(key, place)| (bucket, key.as_str(), *place));
    let objects = objects
        .range::<(&str, &str)>((first_object, Bound::Unbounded))?
        .map(|entry| -> Keyed<(String, VersionRecord)> {
            let (key, value) = entry?;
            let (of, key) = key.value();
            let record: Box<ObjectRecord> = index::decode(value.value().0)?;
            Ok((of.to_owned(), (key.to_owned(), VersionRecord::Object(record))))
        });
    let versions = versions
        .range::<(&str, &str, u64)>((first_version, Bound::Unbounded))?
        .map(|entry| -> Keyed<(String, VersionRecord)> {
            let (key, value) = entry?;
            let (of, key, _) = key.value();
            Ok((of.to_owned(), (key.to_owned(), index::decode(value.value().0)?)))
        });
    let entries = merged(below(objects, bucket, prefix), below(versions, bucket, prefix));
    let latest = match listing.after_version {
        Some(_) => latest(tables, bucket, listing.after)?,
        None => None,
    };
    first_page(entries, listing, latest)
}

/// Returns the place of the latest version of a key.
fn latest(tables: &impl Tables, bucket: &str, key: &str) -> Result<Option<u64>, redb::Error> {
    if let Some((record, _)) = index::object(tables, bucket, key)? {
        return Ok(Some(place(record.version.as_ref())));
    }
    let newest = newest(tables, bucket, key)?;
    Ok(newest.map(|(record, _)| place(record.version())))
}

/// Fills a page with what comes first; `latest` is the place of the latest version of the key in whose midst it begins.
fn first_page(
    entries: impl Iterator<Item = Keyed<VersionRecord>>,
    listing: &VersionListing<'_>,
    latest: Option<u64>,
) -> Result<VersionPage, redb::Error> {
    let mut page = VersionPage::default();
    let mut filled = Filled::new(listing.prefix, listing.delimiter, listing.after, listing.limit);
    let mut seen_key = listing.after_version.map(|_| listing.after.to_owned());
    let mut last = None;
    for entry in entries {
        let (key, record) = entry?;
        match filled.take(&key) {
            Entry::Seen => continue,
            Entry::Beyond => {
                page.next = last;
                break;
            }
            Entry::Common(common) => {
                last = Some((common.to_owned(), None));
                continue;
            }
            Entry::Key => {}
        }
        last = Some((key.clone(), Some(name(record.version()))));
        let is_latest = seen_key.as_ref() != Some(&key)
            || key == listing.after && latest == Some(place(record.version()));
        seen_key = Some(key.clone());
        page.versions.push(Listed {
            key,
            record,
            is_latest,
        });
    }
    page.common_prefixes = filled.common_prefixes;
    Ok(page)
}

/// Returns where a page begins, in the objects and in the versions.
fn start(tables: &impl Tables, listing: &VersionListing<'_>) -> Result<Start, redb::Error> {
    let VersionListing {
        bucket,
        prefix,
        after,
        after_version,
        ..
    } = *listing;
    if after < prefix {
        let first = prefix.to_owned();
        return Ok((Bound::Included(first.clone()), Bound::Included((first, 0))));
    }
    let key = after.to_owned();
    let behind = |place| {
        (
            Bound::Excluded(key.clone()),
            Bound::Excluded((key.clone(), place)),
        )
    };
    let from_the_first = (Bound::Included(key.clone()), Bound::Included((key.clone(), 0)));
    Ok(match after_version {
        // An empty marker is none.
        None if after.is_empty() => from_the_first,
        None => behind(u64::MAX),
        Some(Wanted::Id { order, .. }) => {
            let place_before = u64::MAX - order;
            let (mut objects, versions) = behind(place_before);
            // Where newer ones were deleted since the page before, an older one is what is there now.
            let current = index::object(tables, bucket, after)?;
            if current.is_some_and(|(record, _)| place(record.version.as_ref()) > place_before) {
                objects = Bound::Included(key);
            }
            (objects, versions)
        }
        Some(Wanted::Null) => {
            let current = index::object(tables, bucket, after)?;
            if current.is_some_and(|(record, _)| id(record.version.as_ref()).is_none()) {
                return Ok((Bound::Excluded(key.clone()), Bound::Included((key, 0))));
            }
            match find(tables, bucket, after, &Wanted::Null)? {
                Some((record, _)) => behind(place(record.version())),
                // It was deleted since the page before: some may be listed twice, and none is left out.
                None => from_the_first,
            }
        }
    })
}

/// Takes the entries of a bucket under a prefix.
fn below<T>(
    entries: impl Iterator<Item = Keyed<(String, T)>>,
    bucket: &str,
    prefix: &str,
) -> impl Iterator<Item = Keyed<T>> {
    entries
        .take_while(move |entry| match entry {
            Ok((of, (key, _))) => of == bucket && key.starts_with(prefix),
            Err(_) => true,
        })
        .map(|entry| entry.map(|(_, keyed)| keyed))
}

/// Merges what is there with what was, by their keys; what is there goes first.
fn merged<T>(
    current: impl Iterator<Item = Keyed<T>>,
    old: impl Iterator<Item = Keyed<T>>,
) -> impl Iterator<Item = Keyed<T>> {
    let (mut current, mut old) = (current.peekable(), old.peekable());
    iter::from_fn(move || {
        let current_goes = match (current.peek(), old.peek()) {
            (Some(Ok((one, _))), Some(Ok((other, _)))) => one <= other,
            (Some(_), Some(Ok(_)) | None) => true,
            _ => false,
        };
        if current_goes { current.next() } else { old.next() }
    })
}
