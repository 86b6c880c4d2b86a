//! Listings of versions: each key in order, the newest version of it first.

use std::{iter, ops::Bound};

use redb::ReadableTable;

use super::{VERSIONS, VersionRecord, Wanted, find, id, name, newest, place};
use crate::s3::{
    filled::{Entry, Filled, behind},
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
    let mut from = start(tables, listing)?;
    let (objects, versions) = (tables.table(OBJECTS)?, tables.table(VERSIONS)?);
    let latest = match listing.after_version {
        Some(_) => latest(tables, bucket, listing.after)?,
        None => None,
    };
    let mut filling = Filling::new(listing, latest);
    loop {
        let (object, version) = &from;
        let object = object.as_ref().map(|key| (bucket, key.as_str()));
        let version = version
            .as_ref()
            .map(|(key, place)| (bucket, key.as_str(), *place));
        let objects = objects.range::<(&str, &str)>((object, Bound::Unbounded))?.map(
            |entry| -> Keyed<(String, VersionRecord)> {
                let (key, value) = entry?;
                let (of, key) = key.value();
                let record: Box<ObjectRecord> = index::decode(value.value().0)?;
                Ok((of.to_owned(), (key.to_owned(), VersionRecord::Object(record))))
            },
        );
        let versions = versions
            .range::<(&str, &str, u64)>((version, Bound::Unbounded))?
            .map(|entry| -> Keyed<(String, VersionRecord)> {
                let (key, value) = entry?;
                let (of, key, _) = key.value();
                Ok((of.to_owned(), (key.to_owned(), index::decode(value.value().0)?)))
            });
        let entries = merged(below(objects, bucket, prefix), below(versions, bucket, prefix));
        // Of the versions below a common prefix one is read, however many there are.
        match filling.fill(entries)? {
            Some(next) => from = (Bound::Included(next.clone()), Bound::Included((next, 0))),
            None => return Ok(filling.page()),
        }
    }
}

/// Returns the place of the latest version of a key.
fn latest(tables: &impl Tables, bucket: &str, key: &str) -> Result<Option<u64>, redb::Error> {
    if let Some((record, _)) = index::object(tables, bucket, key)? {
        return Ok(Some(place(record.version.as_ref())));
    }
    let newest = newest(tables, bucket, key)?;
    Ok(newest.map(|(record, _)| place(record.version())))
}

/// A page that is being filled.
struct Filling<'a> {
    listing: &'a VersionListing<'a>,
    /// Place of the latest version of the key in whose midst the page begins.
    latest: Option<u64>,
    page: VersionPage,
    filled: Filled<'a>,
    seen_key: Option<String>,
    last: Option<(String, Option<String>)>,
}

impl<'a> Filling<'a> {
    fn new(listing: &'a VersionListing<'a>, latest: Option<u64>) -> Self {
        Self {
            listing,
            latest,
            page: VersionPage::default(),
            filled: Filled::new(listing.prefix, listing.delimiter, listing.after, listing.limit),
            seen_key: listing.after_version.map(|_| listing.after.to_owned()),
            last: None,
        }
    }

    /// Fills the page with what comes first. Returns where it goes on, if that is behind a common prefix.
    fn fill(
        &mut self,
        entries: impl Iterator<Item = Keyed<VersionRecord>>,
    ) -> Result<Option<String>, redb::Error> {
        for entry in entries {
            let (key, record) = entry?;
            match self.filled.take(&key) {
                Entry::Seen(common) => return Ok(behind(common)),
                Entry::Beyond => {
                    self.page.next = self.last.take();
                    return Ok(None);
                }
                Entry::Common(common) => {
                    self.last = Some((common.to_owned(), None));
                    return Ok(behind(common));
                }
                Entry::Key => self.add(key, record),
            }
        }
        Ok(None)
    }

    fn add(&mut self, key: String, record: VersionRecord) {
        self.last = Some((key.clone(), Some(name(record.version()))));
        let is_latest = self.seen_key.as_ref() != Some(&key)
            || key == self.listing.after && self.latest == Some(place(record.version()));
        self.seen_key = Some(key.clone());
        self.page.versions.push(Listed {
            key,
            record,
            is_latest,
        });
    }

    fn page(self) -> VersionPage {
        VersionPage {
            common_prefixes: self.filled.common_prefixes,
            ..self.page
        }
    }
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
