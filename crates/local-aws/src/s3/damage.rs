//! Objects whose data is damaged or gone, as far as that was seen: at the start, or where they were read.
//!
//! Each is said once, the first ones by name and the others by their number. It is forgotten when its file is put back, or the object is written again or deleted.

use std::{
    collections::{BTreeMap, HashMap},
    fmt, fs, io,
    os::unix::fs::MetadataExt,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

/// Objects that are named one by one since a start; of the others their number is said, whenever it has doubled.
const NAMED: usize = 10;

/// An object whose data is not what was stored.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DamagedObject {
    /// Its bucket.
    pub bucket: String,
    /// Its key. An old version has that of the object, and so have the parts of an upload.
    pub key: String,
    /// Name of its file in the folder `blobs` of the state folder.
    pub file: String,
    /// Whether somebody was refused who wanted to read it, since the start.
    pub was_refused: bool,
}

impl fmt::Display for DamagedObject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (bucket, key, file) = (&self.bucket, self.key.escape_debug(), &self.file);
        write!(formatter, "s3://{bucket}/{key} (file blobs/{file})")
    }
}

/// Why an object is not read.
#[derive(Debug, thiserror::Error)]
#[error("the data of {0} is damaged or gone")]
pub(super) struct Damaged(DamagedObject);

/// What a blob file must be.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) size: u64,
}

/// A file as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileLook {
    size: u64,
    inode: u64,
    /// Time of its last change, in seconds and nanoseconds. Unlike that of its content it is never set back: a copy that
    /// is put back may have the time of the damaged file.
    changed: (i64, i64),
}

/// `None` where there was no file.
type Look = Option<FileLook>;

fn look(path: &Path) -> Look {
    let file = fs::metadata(path).ok()?;
    Some(FileLook {
        size: file.len(),
        inode: file.ino(),
        changed: (file.ctime(), file.ctime_nsec()),
    })
}

/// The damaged objects. A clone knows the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Damage(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    known: Mutex<Known>,
    /// Wakes who waits for the first one.
    seen: Notify,
}

#[derive(Debug, Default)]
struct Known {
    by_file: BTreeMap<String, (DamagedObject, Look)>,
    /// How often one was seen that was not known.
    seen: usize,
}

impl Known {
    /// Says that an object is damaged that was not known to be.
    fn tell(&mut self, object: &DamagedObject) {
        self.seen += 1;
        match self.seen {
            seen if seen <= NAMED => tell(object),
            seen if seen.is_multiple_of(NAMED) && (seen / NAMED).is_power_of_two() => {
                tracing::error!("the data of {seen} objects is damaged or gone by now");
            }
            _ => {}
        }
    }
}

impl Damage {
    /// Waits until an object is known to be damaged; not at all where one is.
    pub(super) async fn seen(&self) {
        loop {
            let seen = self.0.seen.notified();
            if !self.locked().by_file.is_empty() {
                return;
            }
            seen.await;
        }
    }

    /// Looks for files that are gone or have another size than the index says, and names their objects.
    pub(super) fn look_for(&self, folder: &Path, stored: HashMap<String, Stored>) {
        let mut found = BTreeMap::new();
        for (file, stored) in stored {
            let look = look(&folder.join(&file));
            if look.is_none_or(|look| look.size != stored.size) {
                let object = DamagedObject {
                    bucket: stored.bucket,
                    key: stored.key,
                    file: file.clone(),
                    was_refused: false,
                };
                found.insert(file, (object, look));
            }
        }
        found.values().take(NAMED).for_each(|(object, _)| tell(object));
        if found.len() > NAMED {
            tracing::error!(
                "the data of {} more objects is damaged or gone",
                found.len() - NAMED
            );
        }
        let mut known = self.locked();
        known.seen = found.len();
        known.by_file.append(&mut found);
        self.0.seen.notify_waiters();
    }

    /// Returns the objects that are still damaged, of those that the index still names, by bucket and key.
    pub(super) fn objects(
        &self,
        folder: &Path,
        is_named: impl Fn(&DamagedObject) -> Result<bool, redb::Error>,
    ) -> Result<Vec<DamagedObject>, redb::Error> {
        let known: Vec<(DamagedObject, Look)> = self.locked().by_file.values().cloned().collect();
        let mut damaged = Vec::new();
        for (object, as_found) in known {
            if look(&folder.join(&object.file)) == as_found && is_named(&object)? {
                damaged.push(object);
            } else {
                self.locked().by_file.remove(&object.file);
            }
        }
        damaged.sort();
        Ok(damaged)
    }

    fn locked(&self) -> MutexGuard<'_, Known> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says that an object cannot be read, and what can be done.
fn tell(object: &DamagedObject) {
    tracing::error!(
        "the data of {object} is damaged or gone, and nobody gets it. Put the file back from a copy of the state folder, or \
         write the object again"
    );
}

/// The file of an object that is about to be read.
#[derive(Debug)]
pub(super) struct Suspect {
    damage: Damage,
    object: DamagedObject,
    look: Look,
}

impl Suspect {
    pub(super) fn new(damage: &Damage, folder: &Path, (bucket, key): (&str, &str), file: &str) -> Self {
        Self {
            damage: damage.clone(),
            object: DamagedObject {
                bucket: bucket.to_owned(),
                key: key.to_owned(),
                file: file.to_owned(),
                was_refused: true,
            },
            look: look(&folder.join(file)),
        }
    }

    /// Returns whether the file was seen to be damaged as it is.
    pub(super) fn is_known(&self) -> bool {
        let known = self.damage.locked();
        known
            .by_file
            .get(&self.object.file)
            .is_some_and(|(_, look)| *look == self.look)
    }

    /// Notes that the file is damaged, and says so the first time. Returns the error of its reader.
    pub(super) fn refuse(&self) -> io::Error {
        let found = (self.object.clone(), self.look);
        let mut known = self.damage.locked();
        let before = known.by_file.insert(self.object.file.clone(), found);
        if before.is_none_or(|(_, look)| look != self.look) {
            known.tell(&self.object);
        }
        drop(known);
        self.damage.0.seen.notify_waiters();
        io::Error::new(io::ErrorKind::InvalidData, Damaged(self.object.clone()))
    }
}
