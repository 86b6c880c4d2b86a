//! What becomes of objects, versions and uploads over time, by the rules of their bucket.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use redb::{ReadTransaction, ReadableTable};

use super::{
    BucketSpec, Expiration, VersionExpiration,
    backend::{Backend, Change},
    index::{self, BucketRecord, Failure, OBJECTS, ObjectRecord, Tables, UPLOADS, UploadRecord},
    versions::{self, VERSIONS, VersionRecord},
};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// Removals of one write: other writers wait no longer than these take.
const AT_ONCE: usize = 1_000;

/// What a rule of a bucket removes. It is looked at again before it goes.
#[derive(Clone)]
enum Due {
    Object(String),
    /// Some of the versions of a key.
    Versions(String),
    /// Key and id.
    Upload(String, String),
}

type Find = fn(&ReadTransaction, &BucketRecord, u64) -> Result<Vec<Due>, redb::Error>;

impl Backend {
    /// Removes what is older than the rules of its bucket allow. Nothing waits while it is looked for.
    pub(super) async fn sweep(&self, now: DateTime<Utc>) -> Result<(), redb::Error> {
        let now_ms = u64::try_from(now.timestamp_millis()).unwrap_or(0);
        let mut count = 0;
        for bucket in self.buckets("")? {
            // Objects go first: some leave a version.
            for find in [
                expired_objects as Find,
                keys_of_expired_versions,
                uploads_given_up,
            ] {
                for due in self.due(bucket.clone(), find, now_ms).await?.chunks(AT_ONCE) {
                    let (name, due) = (bucket.spec.name.clone(), due.to_vec());
                    let removing = self.write(move |_, change| remove_all(change, &name, &due, now_ms));
                    count += removing.await.map_err(of_index)?;
                }
            }
        }
        if count > 0 {
            tracing::info!(count, "removed expired objects, versions and uploads");
        }
        Ok(())
    }

    async fn due(&self, bucket: BucketRecord, find: Find, now_ms: u64) -> Result<Vec<Due>, redb::Error> {
        let backend = self.clone();
        let finding = tokio::task::spawn_blocking(move || find(&backend.reader()?, &bucket, now_ms));
        finding.await.expect("looking for what expires does not panic")
    }
}

fn of_index(failure: Failure) -> redb::Error {
    match failure {
        Failure::Index(error) => error,
        Failure::Disk(error) => error.into(),
        Failure::Refused(_) => unreachable!("a sweep has no client to refuse"),
    }
}

/// Removes what is still due, and returns how much that was.
fn remove_all(change: &mut Change<'_>, name: &str, due: &[Due], now_ms: u64) -> Result<usize, Failure> {
    let bucket = match index::bucket(change.transaction, name) {
        Ok(bucket) => bucket,
        // It was deleted meanwhile.
        Err(Failure::Refused(_)) => return Ok(0),
        Err(failure) => return Err(failure),
    };
    let mut count = 0;
    for due in due {
        count += match due {
            Due::Object(key) => remove_object(change, &bucket, key, now_ms)?,
            Due::Versions(key) => remove_versions(change, &bucket, key, now_ms)?,
            Due::Upload(key, id) => remove_upload(change, &bucket, (key, id), now_ms)?,
        };
    }
    Ok(count)
}

fn remove_object(
    change: &mut Change<'_>,
    bucket: &BucketRecord,
    key: &str,
    now_ms: u64,
) -> Result<usize, redb::Error> {
    let name = bucket.spec.name.as_str();
    let object = index::object(change.transaction, name, key)?;
    let rules = &bucket.spec.expirations;
    if !object.is_some_and(|(record, _)| is_expired(rules, key, record.modified_ms, now_ms)) {
        return Ok(0);
    }
    if versions::mark(change, bucket, key)?.is_none() {
        let removed = index::remove_object(change.transaction, name, key)?;
        change
            .unused_blobs
            .extend(removed.and_then(|(record, _)| record.blob));
    }
    Ok(1)
}

fn remove_versions(
    change: &mut Change<'_>,
    bucket: &BucketRecord,
    key: &str,
    now_ms: u64,
) -> Result<usize, redb::Error> {
    let name = bucket.spec.name.as_str();
    let entries = entries(change.transaction, name, key)?;
    let expired = expired_versions(change.transaction, &bucket.spec, key, &entries, now_ms)?;
    for place in &expired {
        versions::expire(change, (name, key, *place))?;
    }
    Ok(expired.len())
}

fn remove_upload(
    change: &mut Change<'_>,
    bucket: &BucketRecord,
    (key, id): (&str, &str),
    now_ms: u64,
) -> Result<usize, redb::Error> {
    let name = bucket.spec.name.as_str();
    let initiated_ms = match change.transaction.table(UPLOADS)?.get((name, key, id))? {
        Some(json) => index::decode::<UploadRecord>(json.value())?.initiated_ms,
        None => return Ok(0),
    };
    if !is_expired(&bucket.spec.upload_expirations, key, initiated_ms, now_ms) {
        return Ok(0);
    }
    let unused = index::remove_upload(change.transaction, name, key, id)?;
    change.unused_blobs.extend(unused);
    Ok(1)
}

fn is_over(since_ms: u64, days: u32, now_ms: u64) -> bool {
    since_ms + u64::from(days) * DAY_MS <= now_ms
}

/// Returns whether a rule removes what is of this key and this age.
fn is_expired(rules: &[Expiration], key: &str, since_ms: u64, now_ms: u64) -> bool {
    rules
        .iter()
        .any(|rule| key.starts_with(&rule.prefix) && is_over(since_ms, rule.days, now_ms))
}

/// Finds the objects that are too old.
fn expired_objects(
    tables: &ReadTransaction,
    bucket: &BucketRecord,
    now_ms: u64,
) -> Result<Vec<Due>, redb::Error> {
    let spec = &bucket.spec;
    let mut expired = BTreeSet::new();
    let table = tables.table(OBJECTS)?;
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
                expired.insert(key.to_owned());
            }
        }
    }
    Ok(expired.into_iter().map(Due::Object).collect())
}

/// Finds the uploads that began too long ago.
fn uploads_given_up(
    tables: &ReadTransaction,
    bucket: &BucketRecord,
    now_ms: u64,
) -> Result<Vec<Due>, redb::Error> {
    let spec = &bucket.spec;
    if spec.upload_expirations.is_empty() {
        return Ok(Vec::new());
    }
    let mut given_up = Vec::new();
    let table = tables.table(UPLOADS)?;
    for entry in table.range::<(&str, &str, &str)>((spec.name.as_str(), "", "")..)? {
        let (found, json) = entry?;
        let (bucket, key, id) = found.value();
        if bucket != spec.name {
            break;
        }
        let record: UploadRecord = index::decode(json.value())?;
        if is_expired(&spec.upload_expirations, key, record.initiated_ms, now_ms) {
            given_up.push(Due::Upload(key.to_owned(), id.to_owned()));
        }
    }
    Ok(given_up)
}

/// A version in the table of a key: its place, when it was made, and whether it marks a deletion.
type Entry = (u64, u64, bool);

/// Finds the keys of the old versions, and of the delete markers that hide nothing, that a rule removes.
fn keys_of_expired_versions(
    tables: &ReadTransaction,
    bucket: &BucketRecord,
    now_ms: u64,
) -> Result<Vec<Due>, redb::Error> {
    let spec = &bucket.spec;
    if bucket.versioning.is_none() {
        return Ok(Vec::new());
    }
    let of_objects = spec.expirations.iter().map(|rule| rule.prefix.as_str());
    let of_versions = spec.version_expirations.iter().map(|rule| rule.prefix.as_str());
    let prefixes: BTreeSet<&str> = of_objects.chain(of_versions).collect();
    let mut keys = BTreeSet::new();
    for prefix in prefixes {
        add_keys_below(&mut keys, tables, (spec, prefix), now_ms)?;
    }
    Ok(keys.into_iter().map(Due::Versions).collect())
}

fn add_keys_below(
    keys: &mut BTreeSet<String>,
    tables: &ReadTransaction,
    (spec, prefix): (&BucketSpec, &str),
    now_ms: u64,
) -> Result<(), redb::Error> {
    let mut add = |of_key: Option<(String, Vec<Entry>)>| -> Result<(), redb::Error> {
        if let Some((key, entries)) = of_key
            && !expired_versions(tables, spec, &key, &entries, now_ms)?.is_empty()
        {
            keys.insert(key);
        }
        Ok(())
    };
    let table = tables.table(VERSIONS)?;
    let mut of_key: Option<(String, Vec<Entry>)> = None;
    for version in table.range::<(&str, &str, u64)>((spec.name.as_str(), prefix, 0)..)? {
        let (found, value) = version?;
        let (bucket, key, place) = found.value();
        if bucket != spec.name || !key.starts_with(prefix) {
            break;
        }
        let entry = entry(place, value.value().0)?;
        match &mut of_key {
            Some((before, entries)) if before == key => entries.push(entry),
            _ => add(of_key.replace((key.to_owned(), vec![entry])))?,
        }
    }
    add(of_key)
}

fn entry(place: u64, json: &[u8]) -> Result<Entry, redb::Error> {
    let record: VersionRecord = index::decode(json)?;
    Ok((place, record.modified_ms(), record.is_marker()))
}

/// Returns what is in the table of versions of one key, the newest first.
fn entries(tables: &impl Tables, bucket: &str, key: &str) -> Result<Vec<Entry>, redb::Error> {
    let table = tables.table(VERSIONS)?;
    let mut entries = Vec::new();
    for version in table.range::<(&str, &str, u64)>((bucket, key, 0)..=(bucket, key, u64::MAX))? {
        let (found, value) = version?;
        entries.push(entry(found.value().2, value.value().0)?);
    }
    Ok(entries)
}

/// Returns the places of those versions of a key that a rule removes.
fn expired_versions(
    tables: &impl Tables,
    spec: &BucketSpec,
    key: &str,
    entries: &[Entry],
    now_ms: u64,
) -> Result<Vec<u64>, redb::Error> {
    let current = index::object(tables, &spec.name, key)?;
    let current = current.map(|(record, _)| record.modified_ms);
    let rules: Vec<_> = spec
        .version_expirations
        .iter()
        .filter(|rule| key.starts_with(&rule.prefix))
        .collect();

    // Without an object the newest entry is what is there: a marker.
    let (there, old) = match (current, entries) {
        (None, [there, old @ ..]) => (Some(there), old),
        (_, old) => (None, old),
    };
    let mut newer = current.or_else(|| there.map(|(_, modified_ms, _)| *modified_ms));
    let mut expired = Vec::new();
    for (number, (place, modified_ms, _)) in (0..).zip(old) {
        let since = newer.replace(*modified_ms).unwrap_or(*modified_ms);
        if rules.iter().any(|rule| removes(rule, number, since, now_ms)) {
            expired.push(*place);
        }
    }
    // A rule that expires objects takes the markers that it has left, too.
    // Source: Amazon S3 User Guide, "Removing expired object delete markers".
    if let Some((place, modified_ms, true)) = there
        && expired.len() == old.len()
        && (rules.iter().any(|rule| rule.lone_markers)
            || is_expired(&spec.expirations, key, *modified_ms, now_ms))
    {
        expired.push(*place);
    }
    Ok(expired)
}

fn removes(rule: &VersionExpiration, number: u32, since_ms: u64, now_ms: u64) -> bool {
    let is_old = rule
        .noncurrent_days
        .is_some_and(|days| is_over(since_ms, days, now_ms));
    is_old && number >= rule.kept_versions
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{iam::Iam, invocation_queue::InvocationQueue, s3::backend::now_ms, store::Store};

    #[test]
    fn what_was_written_anew_since_it_was_found_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Arc::new(Store::open(folder.path()).expect("a store"));
        let queue = InvocationQueue::new(store.clone());
        let region = "us-east-1".to_owned();
        let backend = Backend::open(store, Arc::new(Iam::default()), queue, region).expect("a backend");
        let expirations = vec![Expiration {
            prefix: String::new(),
            days: 1,
        }];
        let bucket = BucketSpec {
            name: "bucket".to_owned(),
            upload_expirations: expirations.clone(),
            expirations,
            ..BucketSpec::default()
        };
        backend.put_bucket(bucket).expect("a bucket");
        let object = backend
            .stage("bucket", "k", "text/plain", Vec::new())
            .expect("staged");
        let put = backend.write_blocking(|_, change| Ok(backend.put_staged(change.transaction, object)));
        put.expect("written").expect("put");
        let found = [
            Due::Object("k".to_owned()),
            Due::Versions("k".to_owned()),
            Due::Upload("k".to_owned(), "completed".to_owned()),
        ];
        let removed = |bucket: &str, days: u64| {
            let now_ms = now_ms() + days * DAY_MS;
            let removed = backend.write_blocking(|_, change| remove_all(change, bucket, &found, now_ms));
            removed.expect("a change")
        };

        assert_eq!(removed("bucket", 0), 0);
        assert_eq!(removed("deleted", 2), 0);
        assert_eq!(removed("bucket", 2), 1);
    }
}
