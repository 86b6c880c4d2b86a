//! Which blob files were found whole, so that a part of one may be handed out.
//!
//! A part has no checksum of its own. So the whole file is read before the first part of it is handed out; after that
//! it is remembered. What is damaged later, and not written anew, is seen by the next process, or where all of it is
//! read.

use std::{
    collections::HashMap,
    io::{self, SeekFrom},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use futures::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use tokio::{
    fs::File,
    io::{AsyncReadExt, AsyncSeekExt},
};

use super::blobs::{BUFFER_BYTES, Expected, Seen};

/// Files that are remembered, at some 300 bytes each.
const REMEMBERED: usize = 10_000;

/// A blob file as it was: one that is written anew is another.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Identity {
    blob: String,
    size: u64,
    modified: SystemTime,
}

/// Whether a file is whole, as soon as that is known.
type Check = Shared<BoxFuture<'static, Result<bool, io::ErrorKind>>>;

/// The files that were looked at. A clone knows the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Checked(Arc<Mutex<HashMap<Identity, Check>>>);

impl Checked {
    /// Returns whether an open blob file is what it must be. However many ask at a time, it is read once; and to its end,
    /// also if nobody waits for that any more.
    pub(super) async fn is_whole(&self, blob: &str, file: &File, expected: Expected) -> io::Result<bool> {
        let metadata = file.metadata().await?;
        let identity = Identity {
            blob: blob.to_owned(),
            size: metadata.len(),
            modified: metadata.modified()?,
        };
        let known = self.locked().get(&identity).cloned();
        let check = match known {
            Some(check) => check,
            None => self.begin(identity.clone(), file.try_clone().await?, expected),
        };
        let is_whole = check.await;
        if is_whole != Ok(true) {
            // The next one tries again: a copy that is put back may have the time of the damaged file.
            self.locked().remove(&identity);
        }
        Ok(is_whole?)
    }

    /// Begins to read a file, unless another has begun meanwhile.
    fn begin(&self, identity: Identity, file: File, expected: Expected) -> Check {
        let mut known = self.locked();
        if known.len() >= REMEMBERED && !known.contains_key(&identity) {
            known.clear();
        }
        let check = known.entry(identity);
        check.or_insert_with(|| by_itself(file, expected)).clone()
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<Identity, Check>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads a file in a task of its own, which nobody has to wait for.
fn by_itself(file: File, expected: Expected) -> Check {
    let reading = tokio::spawn(read(file, expected));
    let check = async move {
        let read = reading.await.map_err(io::Error::other).flatten();
        read.map_err(|error| error.kind())
    };
    check.boxed().shared()
}

async fn read(mut file: File, expected: Expected) -> io::Result<bool> {
    file.seek(SeekFrom::Start(0)).await?;
    let mut seen = Seen::new(expected);
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        match file.read(&mut buffer).await? {
            0 => return Ok(seen.ends_as_expected()),
            read => seen.update(&buffer[..read]),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::{runtime::Handle, task::yield_now};

    use super::*;
    use crate::s3::index::{Headers, ObjectRecord};

    fn expected() -> Expected {
        let record = ObjectRecord {
            size: 3,
            // MD5 of `abc`.
            etag: "900150983cd24fb0d6963f7d28e17f72".to_owned(),
            modified_ms: 0,
            blob: None,
            part_sizes: Vec::new(),
            headers: Headers::default(),
            checksum: None,
            version: None,
        };
        Expected::of(&record).expect("it has no parts")
    }

    #[tokio::test]
    async fn a_check_ends_and_is_remembered_also_if_its_client_has_gone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("blob");
        std::fs::write(&path, "abc").expect("written");
        let file = File::open(&path).await.expect("open");
        let modified = file.metadata().await.expect("read").modified().expect("a time");
        let checked = Checked::default();
        let begun = async || {
            while checked.locked().is_empty() {
                yield_now().await;
            }
        };

        tokio::select! {
            biased;
            () = begun() => {}
            _ = checked.is_whole("blob", &file, expected()) => {}
        }
        while Handle::current().metrics().num_alive_tasks() > 0 {
            yield_now().await;
        }
        // Who read it again would see it.
        std::fs::write(&path, "abd").expect("written");
        let written = std::fs::File::options().write(true).open(&path).expect("open");
        written.set_modified(modified).expect("as it was");
        let file = File::open(&path).await.expect("open");

        assert!(checked.is_whole("blob", &file, expected()).await.expect("known"));
    }
}
