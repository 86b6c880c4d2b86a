//! The copies that are kept: those that builds have counted, and what became of others since.
//!
//! Whoever keeps or removes copies leaves a mark before (see [`copy_changes`](active_learning_aws::copy_changes)). A build
//! reads what was counted before, looks at the copies that marks name, stores what is there, and then removes the marks
//! whose change was made. All copies are listed where marks name many of them, where nothing was counted yet, or what was
//! cannot be used; and for an hour after, since a function of a release before leaves no marks.
//!
//! So they are each week: copies expire with their texts (`TextRetentionDays`), and a bucket that is brought back has others,
//! without a mark. Where no build runs, marks expire after a month: the next build lists all copies anyway.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use active_learning_aws::bucket::{BINARY, Bucket, BucketError, Created, Listed, MAX_DOCUMENT_BYTES};
use active_learning_core::{
    keys::{COUNTED_COPIES, NEW_COPIES_FOLDER},
    sampling::duplicates::{COPIES_PREFIX, CopiesChange, KeptCopy},
};
use chrono::{DateTime, TimeDelta, Utc};
use futures::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tracing::warn;

use super::{Packing, list};

/// First digits of ids whose copies are listed at a time: a page of a thousand keys takes 100 KB.
const LISTINGS_AT_ONCE: usize = 4;
/// Marks and copies that are looked at at a time: most of the time is waiting.
const LOOKS_AT_ONCE: usize = 32;
/// Copies that are listed at the cost of a look at one, in time; by price it is some 80.
const COPIES_PER_LOOK: usize = 25;
/// Copies that are looked at also where fewer were counted.
const FEW_COPIES: usize = 1_000;
/// How long all copies are listed beside the marks, once they were counted.
const LISTED_FOR: TimeDelta = TimeDelta::hours(1);
/// How long builds go on from what was counted, until all copies are listed anew. Shorter than marks are kept.
const COUNTED_FOR: TimeDelta = TimeDelta::days(7);
/// Age from which a mark whose change was not made is of a writer that broke off.
const BROKEN_OFF_AFTER: TimeDelta = TimeDelta::hours(24);
/// Most bytes of what was counted: 26 million copies.
const MAX_COUNTED_BYTES: u64 = 1 << 30;
/// Bytes of a copy: of its original, of its own question, and its occurrence.
const COPY_BYTES: usize = 40;
/// Version of the format of what was counted.
const FORMAT: u32 = 1;

/// First line of what was counted; the copies in order come after it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Header {
    format: u32,
    /// When all copies were listed from which builds go on.
    begun: DateTime<Utc>,
    /// Of all that comes after this line.
    sha256: String,
}

/// What builds have counted.
struct Counted {
    begun: DateTime<Utc>,
    copies: Vec<KeptCopy>,
}

impl Counted {
    fn to_bytes(&self) -> Vec<u8> {
        let mut hash = Sha256::new();
        for copy in &self.copies {
            hash.update(bytes_of(copy));
        }
        let header = Header {
            format: FORMAT,
            begun: self.begun,
            sha256: hex::encode(hash.finalize()),
        };
        let mut bytes = serde_json::to_vec(&header).expect("a header is JSON");
        // A million copies take 40 MB: not twice.
        bytes.reserve_exact(1 + self.copies.len() * COPY_BYTES);
        bytes.push(b'\n');
        for copy in &self.copies {
            bytes.extend(bytes_of(copy));
        }
        bytes
    }

    /// Reads what was stored; `None` if it is damaged or of another version.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let end = bytes.iter().position(|byte| *byte == b'\n')?;
        let header: Header = serde_json::from_slice(&bytes[..end]).ok()?;
        let (copies, rest) = bytes[end + 1..].as_chunks::<COPY_BYTES>();
        let is_whole = rest.is_empty() && header.sha256 == hex::encode(Sha256::digest(copies.as_flattened()));
        (header.format == FORMAT && is_whole).then(|| Self {
            begun: header.begun,
            copies: copies.iter().map(copy_of).collect(),
        })
    }
}

fn bytes_of(copy: &KeptCopy) -> [u8; COPY_BYTES] {
    let mut bytes = [0; COPY_BYTES];
    bytes[..16].copy_from_slice(&copy.original.to_be_bytes());
    bytes[16..32].copy_from_slice(&copy.id.to_be_bytes());
    bytes[32..].copy_from_slice(&copy.occurrence.to_be_bytes());
    bytes
}

fn copy_of(bytes: &[u8; COPY_BYTES]) -> KeptCopy {
    let number = |from: usize| u128::from_be_bytes(bytes[from..from + 16].try_into().expect("16 bytes"));
    KeptCopy {
        original: number(0),
        id: number(16),
        occurrence: u64::from_be_bytes(bytes[32..].try_into().expect("8 bytes")),
    }
}

/// A mark; without a change where it is damaged.
struct Mark {
    key: String,
    modified: DateTime<Utc>,
    change: Option<CopiesChange>,
}

impl Mark {
    /// Returns whether nothing more comes of it, where these copies are there.
    fn is_done(&self, there: &[KeptCopy], now: DateTime<Utc>) -> bool {
        let Some(change) = &self.change else {
            return true;
        };
        let is_made = |copy: KeptCopy| there.binary_search(&copy).is_ok() == change.keeps();
        change.copies().all(is_made) || self.modified < now - BROKEN_OFF_AFTER
    }
}

/// Returns all copies that are kept, in order, and stores them for the next build where packs are renewed.
pub(super) async fn read(bucket: &Bucket, packing: Packing) -> Result<Vec<KeptCopy>, BucketError> {
    read_at(bucket, packing, Utc::now()).await
}

async fn read_at(
    bucket: &Bucket,
    packing: Packing,
    now: DateTime<Utc>,
) -> Result<Vec<KeptCopy>, BucketError> {
    // First, so that no change is missed by what is read after.
    let marks = read_marks(bucket).await?;
    let (before, etag) = read_counted(bucket).await?;
    let lately = before
        .as_ref()
        .filter(|counted| now - counted.begun < COUNTED_FOR);
    let begun = lately.map_or(now, |counted| counted.begun);
    let is_readable = marks.iter().all(|mark| mark.change.is_some());

    let changes = marks.iter().filter_map(|mark| mark.change.as_ref());
    let named: BTreeSet<KeptCopy> = changes.flat_map(CopiesChange::copies).collect();
    let copies = match lately {
        Some(Counted { copies, .. })
            if is_readable && now - begun >= LISTED_FOR && are_few(named.len(), copies.len()) =>
        {
            with_changes(bucket, copies, named).await?
        }
        _ => list_all(bucket).await?,
    };
    if packing == Packing::AsItIs {
        return Ok(copies);
    }

    let counted = Counted { begun, copies };
    let is_known = before.is_some_and(|before| before.begun == begun && before.copies == counted.copies);
    if is_known || store(bucket, &counted, etag.as_deref()).await? {
        let done = marks.iter().filter(|mark| mark.is_done(&counted.copies, now));
        stream::iter(done)
            .map(|mark| bucket.delete(&mark.key))
            .buffer_unordered(LOOKS_AT_ONCE)
            .try_collect::<()>()
            .await?;
    }
    Ok(counted.copies)
}

async fn read_marks(bucket: &Bucket) -> Result<Vec<Mark>, BucketError> {
    let marks = bucket.list(NEW_COPIES_FOLDER).await?;
    stream::iter(marks)
        .map(async |Listed { key, modified, .. }| {
            let Some(object) = bucket.read(&key, MAX_DOCUMENT_BYTES).await? else {
                return Ok(None);
            };
            let change = serde_json::from_slice(&object.bytes)
                .inspect_err(|_| warn!(key, "a mark of copies is damaged: all copies are listed"));
            let change = change.ok();
            Ok(Some(Mark {
                key,
                modified,
                change,
            }))
        })
        .buffer_unordered(LOOKS_AT_ONCE)
        .try_filter_map(async |mark| Ok(mark))
        .try_collect()
        .await
}

/// Reads what was counted, with its ETag; none where there is nothing or it cannot be used.
async fn read_counted(bucket: &Bucket) -> Result<(Option<Counted>, Option<String>), BucketError> {
    let Some(object) = bucket.read(COUNTED_COPIES, MAX_COUNTED_BYTES).await? else {
        return Ok((None, None));
    };
    let counted = Counted::parse(&object.bytes);
    if counted.is_none() {
        warn!(
            key = COUNTED_COPIES,
            "damaged or of another version: all copies are listed"
        );
    }
    Ok((counted, Some(object.etag)))
}

/// Returns whether it costs less to look at so many copies than to list all: a list names a thousand.
fn are_few(named: usize, counted: usize) -> bool {
    named <= (counted / COPIES_PER_LOOK).max(FEW_COPIES)
}

/// Returns what is there of copies that were counted and of those that marks name.
async fn with_changes(
    bucket: &Bucket,
    counted: &[KeptCopy],
    named: BTreeSet<KeptCopy>,
) -> Result<Vec<KeptCopy>, BucketError> {
    let unchanged = counted.iter().filter(|copy| !named.contains(copy));
    let mut copies: Vec<KeptCopy> = Vec::with_capacity(counted.len() + named.len());
    copies.extend(unchanged);
    let mut looks = stream::iter(named)
        .map(async |copy| Ok::<_, BucketError>((copy, bucket.exists(&copy.to_string()).await?)))
        .buffer_unordered(LOOKS_AT_ONCE)
        .boxed();
    while let Some((copy, is_there)) = looks.try_next().await? {
        copies.extend(is_there.then_some(copy));
    }
    copies.sort_unstable();
    Ok(copies)
}

/// Lists all copies by the first digit of their originals' ids, some digits at a time.
async fn list_all(bucket: &Bucket) -> Result<Vec<KeptCopy>, BucketError> {
    let digits = "0123456789abcdef".chars();
    let mut copies: Vec<KeptCopy> = stream::iter(digits.map(|digit| format!("{COPIES_PREFIX}{digit}")))
        .map(|prefix| async move {
            let keys = list(bucket, &prefix, "").await?;
            let copies = keys.iter().filter_map(|key| KeptCopy::parse(key));
            Ok::<Vec<KeptCopy>, BucketError>(copies.collect())
        })
        .buffer_unordered(LISTINGS_AT_ONCE)
        .try_concat()
        .await?;
    copies.sort_unstable();
    Ok(copies)
}

/// Stores what was counted; returns whether nobody else did so meanwhile.
async fn store(bucket: &Bucket, counted: &Counted, etag: Option<&str>) -> Result<bool, BucketError> {
    let bytes = counted.to_bytes();
    match etag {
        Some(etag) => {
            let replaced = bucket.replace(COUNTED_COPIES, etag, BINARY, bytes).await?;
            Ok(replaced.is_written())
        }
        None => {
            let created = bucket.create(COUNTED_COPIES, BINARY, bytes).await?;
            Ok(created == Created::Created)
        }
    }
}
