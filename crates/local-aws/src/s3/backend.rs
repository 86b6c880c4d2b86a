//! Transactions over index and blobs: each change is one durable commit.

use std::{
    collections::{HashMap, HashSet},
    fmt, io,
    path::PathBuf,
    sync::Arc,
};

use chrono::Utc;
use redb::{ReadTransaction, ReadableDatabase, ReadableTable, WriteTransaction};
use s3s::crypto::Checksum as _;

use super::{
    BucketSpec, PutError, StagedObject, Versioning,
    blobs::{self, Content, Source},
    checked::Checked,
    damage::{Damage, DamagedObject, Stored, Suspect},
    events::{Event, Origin, enqueue},
    index::{
        self, BUCKETS, BucketRecord, Failure, Headers, OBJECTS, ObjectRecord, PARTS, PartRecord, Tables,
        UPLOADS,
    },
    versions::{self, DeleteMarker, Located, VERSIONS, VersionRecord, Wanted},
};
use crate::{iam::Iam, invocation_queue::InvocationQueue, store::Store};

/// What every operation works on.
#[derive(Clone)]
pub(super) struct Backend {
    pub(super) store: Arc<Store>,
    pub(super) iam: Arc<Iam>,
    pub(super) queue: InvocationQueue,
    pub(super) region: Arc<str>,
    /// Blob files that were found whole.
    pub(super) checked: Checked,
    /// Objects whose data is damaged.
    damage: Damage,
}

impl fmt::Debug for Backend {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Backend").finish_non_exhaustive()
    }
}

/// An object that was opened for reading.
pub(super) enum Opened {
    Object {
        record: Box<ObjectRecord>,
        source: Source,
        /// Its version, if the bucket keeps them.
        version: Option<String>,
    },
    /// There is none, but maybe what says that it was deleted.
    Absent(Option<DeleteMarker>),
}

/// A change being made: the transaction and what is to be done after its commit.
pub(super) struct Change<'a> {
    pub(super) transaction: &'a WriteTransaction,
    /// Blobs that no record names any more once this is committed.
    pub(super) unused_blobs: Vec<String>,
}

impl Backend {
    pub(super) fn open(
        store: Arc<Store>,
        iam: Arc<Iam>,
        queue: InvocationQueue,
        region: String,
    ) -> Result<Self, redb::Error> {
        let transaction = store.index.begin_write()?;
        index::create_tables(&transaction)?;
        transaction.commit()?;
        let backend = Self {
            store,
            iam,
            queue,
            region: region.into(),
            checked: Checked::default(),
            damage: Damage::default(),
        };
        let stored = backend.stored_blobs()?;
        let used: HashSet<String> = stored.keys().cloned().collect();
        let all = used.len();
        let missing = match backend.store.is_taken_back() {
            true => blobs::missing(&backend.folder(), used)?,
            false => blobs::remove_unused(&backend.folder(), used)?,
        };
        if missing > 0 {
            // Where all are gone it is the folder that is, and nothing must be written over what may come back.
            let problem =
                format!("{missing} of the {all} files in the folder of blobs that the index names are gone");
            if missing == all {
                return Err(redb::Error::Corrupted(problem));
            }
            tracing::error!("{problem}");
        }
        backend.damage.look_for(&backend.folder(), stored);
        Ok(backend)
    }

    /// Returns the blob files that the index names, and what they must be.
    fn stored_blobs(&self) -> Result<HashMap<String, Stored>, redb::Error> {
        let reader = self.reader()?;
        let mut blobs = HashMap::new();
        let mut add = |blob: Option<String>, (bucket, key): (&str, &str), size| {
            let (bucket, key) = (bucket.to_owned(), key.to_owned());
            blobs.extend(blob.map(|blob| (blob, Stored { bucket, key, size })));
        };
        for entry in reader.table(OBJECTS)?.iter()? {
            let (name, value) = entry?;
            let record: ObjectRecord = index::decode(value.value().0)?;
            add(record.blob, name.value(), record.size);
        }
        for entry in reader.table(VERSIONS)?.iter()? {
            let (name, value) = entry?;
            let (bucket, key, _) = name.value();
            if let VersionRecord::Object(record) = index::decode(value.value().0)? {
                add(record.blob, (bucket, key), record.size);
            }
        }
        let mut uploads = HashMap::new();
        for entry in reader.table(UPLOADS)?.iter()? {
            let name = entry?.0;
            let (bucket, key, id) = name.value();
            uploads.insert(id.to_owned(), (bucket.to_owned(), key.to_owned()));
        }
        for entry in reader.table(PARTS)?.iter()? {
            let (name, value) = entry?;
            let part: PartRecord = index::decode(value.value())?;
            let upload = uploads.get(name.value().0);
            let (bucket, key) = upload.map_or(("", ""), |(bucket, key)| (bucket, key));
            add(Some(part.blob), (bucket, key), part.size);
        }
        Ok(blobs)
    }

    /// Returns the objects that are there and were seen to be damaged.
    pub(super) fn damaged_objects(&self) -> Result<Vec<DamagedObject>, redb::Error> {
        let reader = self.reader()?;
        self.damage
            .objects(&self.folder(), |object| is_named(&reader, object))
    }

    pub(super) async fn damage_seen(&self) {
        self.damage.seen().await;
    }

    pub(super) fn bucket_names(&self) -> Result<Vec<String>, redb::Error> {
        let mut names = Vec::new();
        for entry in self.reader()?.table(BUCKETS)?.iter()? {
            names.push(entry?.0.value().to_owned());
        }
        Ok(names)
    }

    pub(super) fn folder(&self) -> PathBuf {
        self.store.blobs()
    }

    pub(super) fn reader(&self) -> Result<ReadTransaction, redb::Error> {
        Ok(self.store.index.begin_read()?)
    }

    /// Makes one change, durably, off the async threads. Nothing happens if it fails.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        change: impl FnOnce(&Self, &mut Change<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let backend = self.clone();
        let task = tokio::task::spawn_blocking(move || backend.write_blocking(change));
        task.await.expect("a change does not panic")
    }

    pub(super) fn write_blocking<T>(
        &self,
        change: impl FnOnce(&Self, &mut Change<'_>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let transaction = self.store.index.begin_write().map_err(redb::Error::from)?;
        let mut pending = Change {
            transaction: &transaction,
            unused_blobs: Vec::new(),
        };
        let result = change(self, &mut pending)?;
        let unused = pending.unused_blobs;
        transaction.commit().map_err(redb::Error::from)?;
        blobs::remove(&self.folder(), &unused);
        self.queue.wake();
        Ok(result)
    }

    pub(super) fn put_bucket(&self, spec: BucketSpec) -> Result<(), redb::Error> {
        let transaction = self.store.index.begin_write()?;
        {
            let mut table = transaction.open_table(BUCKETS)?;
            let existing = table
                .get(spec.name.as_str())?
                .map(|json| index::decode::<BucketRecord>(json.value()))
                .transpose()?;
            let record = BucketRecord {
                created_ms: existing.as_ref().map_or_else(now_ms, |bucket| bucket.created_ms),
                versioning: versioning(existing.as_ref(), &spec),
                spec,
            };
            let json = index::encode(&record);
            table.insert(record.spec.name.as_str(), json.as_slice())?;
        }
        transaction.commit()?;
        Ok(())
    }

    /// Gives content its name and its record a place in the index, and tells who wants to know.
    ///
    /// `event` is what happened, for example `ObjectCreated:Put`.
    pub(super) fn insert(
        &self,
        change: &mut Change<'_>,
        (bucket, key): (&str, &str),
        mut record: ObjectRecord,
        content: Content,
        (event, origin): (&str, &Origin),
    ) -> Result<ObjectRecord, Failure> {
        let (blob, inline) = blobs::keep(&self.folder(), content)?;
        record.blob = blob;
        self.insert_kept(change, (bucket, key), record, &inline, (event, origin))
    }

    /// As [`insert`](Self::insert), for data that has its place already.
    pub(super) fn insert_kept(
        &self,
        change: &mut Change<'_>,
        (bucket, key): (&str, &str),
        mut record: ObjectRecord,
        inline: &[u8],
        (name, origin): (&str, &Origin),
    ) -> Result<ObjectRecord, Failure> {
        let owner = index::bucket(change.transaction, bucket)?;
        record.version = versions::make_room(change, &owner, key)?;
        let replaced = index::insert_object(change.transaction, bucket, key, &record, inline)?;
        change.unused_blobs.extend(replaced);
        let event = Event {
            name,
            created: Some(&record),
            version_id: versions::id(record.version.as_ref()),
            origin,
        };
        enqueue(self, change.transaction, &owner.spec, key, &event)?;
        Ok(record)
    }

    /// Opens an object for reading, or one of its versions.
    pub(super) async fn open_object(
        &self,
        bucket: &str,
        key: &str,
        wanted: Option<&Wanted>,
    ) -> Result<Opened, Failure> {
        // Between the index and the file the object may be replaced: then the index names a new file.
        let mut missing = None;
        loop {
            let reader = self.reader()?;
            let owner = index::bucket(&reader, bucket)?;
            let (record, inline) = match versions::locate(&reader, &owner, key, wanted)? {
                Located::Object(found) => found,
                Located::Absent(marker) => return Ok(Opened::Absent(marker)),
            };
            let source = match &record.blob {
                None => Source::Inline(inline.into()),
                Some(blob) => match tokio::fs::File::open(self.folder().join(blob)).await {
                    Ok(file) => Source::File(file, Box::new(self.suspect((bucket, key), blob))),
                    Err(error) if missing.as_ref() == Some(blob) => {
                        return Err(match error.kind() {
                            io::ErrorKind::NotFound => self.suspect((bucket, key), blob).refuse(),
                            _ => error,
                        }
                        .into());
                    }
                    Err(_) => {
                        missing = Some(blob.clone());
                        continue;
                    }
                },
            };
            let version = owner.versioning.map(|_| versions::name(record.version.as_ref()));
            return Ok(Opened::Object {
                record,
                source,
                version,
            });
        }
    }

    fn suspect(&self, name: (&str, &str), blob: &str) -> Suspect {
        Suspect::new(&self.damage, &self.folder(), name, blob)
    }

    pub(super) fn stage(
        &self,
        bucket: &str,
        key: &str,
        content_type: &str,
        bytes: Vec<u8>,
    ) -> Result<StagedObject, PutError> {
        let record = ObjectRecord {
            size: bytes.len() as u64,
            etag: hex::encode(s3s::crypto::Md5::checksum(&bytes)),
            modified_ms: now_ms(),
            blob: None,
            part_sizes: Vec::new(),
            headers: Headers {
                content_type: Some(content_type.to_owned()),
                ..Headers::default()
            },
            checksum: None,
            version: None,
        };
        Ok(StagedObject {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            record,
            content: blobs::from_bytes(&self.folder(), bytes)?,
        })
    }

    pub(super) fn put_staged(
        &self,
        transaction: &WriteTransaction,
        object: StagedObject,
    ) -> Result<(), PutError> {
        let StagedObject {
            bucket,
            key,
            record,
            content,
        } = object;
        // What the object replaces is removed at the next open: the commit is the caller's.
        let mut change = Change {
            transaction,
            unused_blobs: Vec::new(),
        };
        let event = ("ObjectCreated:Put", &Origin::service());
        match self.insert(&mut change, (&bucket, &key), record, content, event) {
            Ok(_) => Ok(()),
            Err(Failure::Index(error)) => Err(error.into()),
            Err(Failure::Disk(error)) => Err(error.into()),
            Err(Failure::Refused(_)) => Err(PutError::NoSuchBucket(bucket)),
        }
    }
}

/// Returns whether a bucket keeps versions once it has the template's configuration. As in CloudFormation, what the
/// template has not changed stays as somebody else set it, and what it leaves out from now on is suspended.
fn versioning(existing: Option<&BucketRecord>, spec: &BucketSpec) -> Option<Versioning> {
    match existing {
        Some(bucket) if bucket.spec.versioning == spec.versioning => bucket.versioning,
        Some(bucket) => spec
            .versioning
            .or_else(|| bucket.versioning.map(|_| Versioning::Suspended)),
        None => spec.versioning,
    }
}

/// Returns whether the index still names the file of an object, of its versions or of its uploads.
fn is_named(tables: &impl Tables, object: &DamagedObject) -> Result<bool, redb::Error> {
    let DamagedObject {
        bucket, key, file, ..
    } = object;
    let (bucket, key) = (bucket.as_str(), key.as_str());
    if let Some((record, _)) = index::object(tables, bucket, key)?
        && record.blob.as_ref() == Some(file)
    {
        return Ok(true);
    }
    let versions = tables.table(VERSIONS)?;
    for entry in versions.range((bucket, key, 0)..=(bucket, key, u64::MAX))? {
        let record: VersionRecord = index::decode(entry?.1.value().0)?;
        if record.blob().as_ref() == Some(file) {
            return Ok(true);
        }
    }
    let uploads = tables.table(UPLOADS)?;
    for entry in uploads.range((bucket, key, "")..)? {
        let name = entry?.0;
        let (of_bucket, of_key, id) = name.value();
        if (of_bucket, of_key) != (bucket, key) {
            break;
        }
        let parts = index::parts(tables, id)?;
        if parts.values().any(|part| part.blob == *file) {
            return Ok(true);
        }
    }
    Ok(false)
}

pub(super) fn now_ms() -> u64 {
    u64::try_from(Utc::now().timestamp_millis()).unwrap_or(0)
}
