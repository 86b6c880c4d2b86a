//! What becomes of objects and versions over time, by the rules of their bucket.

use chrono::{DateTime, Utc};
use redb::ReadableTable;

use super::{
    BucketSpec, VersionExpiration,
    backend::{Backend, Change},
    index::{self, BUCKETS, BucketRecord, Failure, OBJECTS, ObjectRecord, Tables},
    versions::{self, VERSIONS, VersionRecord},
};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

impl Backend {
    pub(super) async fn sweep(&self, now: DateTime<Utc>) -> Result<(), redb::Error> {
        let swept = self
            .write(move |_, change| Ok(remove_expired(change, now)?))
            .await;
        match swept {
            Ok(0) => Ok(()),
            Ok(count) => {
                tracing::info!(count, "removed expired objects and versions");
                Ok(())
            }
            Err(Failure::Index(error)) => Err(error),
            Err(Failure::Disk(error)) => Err(error.into()),
            Err(Failure::Refused(_)) => unreachable!("a sweep has no client to refuse"),
        }
    }
}

/// Removes what is older than the rules of its bucket allow, and returns how much that was.
fn remove_expired(change: &mut Change<'_>, now: DateTime<Utc>) -> Result<usize, redb::Error> {
    let now_ms = u64::try_from(now.timestamp_millis()).unwrap_or(0);
    let mut buckets: Vec<BucketRecord> = Vec::new();
    for entry in change.transaction.table(BUCKETS)?.iter()? {
        buckets.push(index::decode(entry?.1.value())?);
    }
    let mut count = 0;
    for bucket in &buckets {
        let name = bucket.spec.name.as_str();
        for key in expired_objects(change, &bucket.spec, now_ms)? {
            count += 1;
            if versions::mark(change, bucket, &key)?.is_none() {
                let removed = index::remove_object(change.transaction, name, &key)?;
                change
                    .unused_blobs
                    .extend(removed.and_then(|(record, _)| record.blob));
            }
        }
        if bucket.versioning.is_none() {
            continue;
        }
        for (key, place) in expired_versions(change, &bucket.spec, now_ms)? {
            count += 1;
            versions::expire(change, (name, &key, place))?;
        }
    }
    Ok(count)
}

fn is_over(since_ms: u64, days: u32, now_ms: u64) -> bool {
    since_ms + u64::from(days) * DAY_MS <= now_ms
}

/// Returns the keys of the objects that are too old.
fn expired_objects(change: &Change<'_>, spec: &BucketSpec, now_ms: u64) -> Result<Vec<String>, redb::Error> {
    let mut expired = Vec::new();
    let table = change.transaction.table(OBJECTS)?;
    for rule in &spec.expirations {
        let start = (spec.name.as_str(), rule.prefix.as_str());
        for entry in table.range::<(&str, &str)>(start..)? {
            let (found, value) = entry?;
            let (bucket, key) = found.value();
            if bucket != spec.name || !key.starts_with(&rule.prefix) {
                break;
            }
            let record: ObjectRecord = index::decode(value.value().0)?;
            if is_over(record.modified_ms, rule.days, now_ms) {
                expired.push(key.to_owned());
            }
        }
    }
    // Two rules may be about the same.
    expired.sort();
    expired.dedup();
    Ok(expired)
}

/// What is in the table of versions of one key, the newest first: the place of each, when it was made, and whether it
/// marks a deletion.
struct OfKey {
    key: String,
    entries: Vec<(u64, u64, bool)>,
}

/// Returns the old versions, and the delete markers that hide nothing, that a rule removes: their keys and places.
fn expired_versions(
    change: &Change<'_>,
    spec: &BucketSpec,
    now_ms: u64,
) -> Result<Vec<(String, u64)>, redb::Error> {
    let table = change.transaction.table(VERSIONS)?;
    let mut expired = Vec::new();
    let mut of_key: Option<OfKey> = None;
    for entry in table.range::<(&str, &str, u64)>((spec.name.as_str(), "", 0)..)? {
        let (found, value) = entry?;
        let (bucket, key, place) = found.value();
        if bucket != spec.name {
            break;
        }
        let record: VersionRecord = index::decode(value.value().0)?;
        let entry = (place, record.modified_ms(), record.is_marker());
        match &mut of_key {
            Some(of_key) if of_key.key == key => of_key.entries.push(entry),
            _ => {
                let before = of_key.replace(OfKey {
                    key: key.to_owned(),
                    entries: vec![entry],
                });
                expired.extend(expired_of(change, spec, before, now_ms)?);
            }
        }
    }
    expired.extend(expired_of(change, spec, of_key, now_ms)?);
    Ok(expired)
}

fn expired_of(
    change: &Change<'_>,
    spec: &BucketSpec,
    of_key: Option<OfKey>,
    now_ms: u64,
) -> Result<Vec<(String, u64)>, redb::Error> {
    let Some(OfKey { key, entries }) = of_key else {
        return Ok(Vec::new());
    };
    let current = index::object(change.transaction, &spec.name, &key)?;
    let current = current.map(|(record, _)| record.modified_ms);
    let rules: Vec<_> = spec
        .version_expirations
        .iter()
        .filter(|rule| key.starts_with(&rule.prefix))
        .collect();

    // Without an object the newest entry is what is there: a marker.
    let (there, old) = match current {
        Some(_) => (None, &entries[..]),
        None => (entries.first(), &entries[1..]),
    };
    let mut newer = current.or_else(|| there.map(|(_, modified_ms, _)| *modified_ms));
    let mut expired = Vec::new();
    for (number, (place, modified_ms, _)) in (0..).zip(old) {
        let since = newer.replace(*modified_ms).unwrap_or(*modified_ms);
        if rules.iter().any(|rule| removes(rule, number, since, now_ms)) {
            expired.push((key.clone(), *place));
        }
    }
    if let Some((place, modified_ms, true)) = there
        && expired.len() == old.len()
        && (rules.iter().any(|rule| rule.lone_markers) || is_expired_marker(spec, &key, *modified_ms, now_ms))
    {
        expired.push((key, *place));
    }
    Ok(expired)
}

fn removes(rule: &VersionExpiration, number: u32, since_ms: u64, now_ms: u64) -> bool {
    let is_old = rule
        .noncurrent_days
        .is_some_and(|days| is_over(since_ms, days, now_ms));
    is_old && number >= rule.kept_versions
}

/// A rule that expires objects takes the markers that it has left, too.
///
/// Source: Amazon S3 User Guide, "Removing expired object delete markers".
fn is_expired_marker(spec: &BucketSpec, key: &str, modified_ms: u64, now_ms: u64) -> bool {
    spec.expirations
        .iter()
        .any(|rule| key.starts_with(&rule.prefix) && is_over(modified_ms, rule.days, now_ms))
}
