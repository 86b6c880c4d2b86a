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

use tokio::{
    fs::File,
    io::{AsyncReadExt, AsyncSeekExt},
    sync::OnceCell,
};

use super::blobs::{BUFFER_BYTES, Expected, Seen};

/// Files that are remembered, at some 100 bytes each.
const REMEMBERED: usize = 10_000;

/// A blob file as it was: one that is written anew is another.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Identity {
    blob: String,
    size: u64,
    modified: SystemTime,
}

/// Whether files are whole, once that is known.
type Known = HashMap<Identity, Arc<OnceCell<bool>>>;

/// The files that were looked at. A clone knows the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Checked(Arc<Mutex<Known>>);

impl Checked {
    /// Returns whether an open blob file is what it must be. However many ask at a time, it is read once.
    pub(super) async fn is_whole(&self, blob: &str, file: &mut File, expected: Expected) -> io::Result<bool> {
        let metadata = file.metadata().await?;
        let identity = Identity {
            blob: blob.to_owned(),
            size: metadata.len(),
            modified: metadata.modified()?,
        };
        let known = self.known(identity);
        let is_whole = known.get_or_try_init(|| read(file, expected)).await?;
        Ok(*is_whole)
    }

    fn known(&self, identity: Identity) -> Arc<OnceCell<bool>> {
        let mut known = self.locked();
        if known.len() >= REMEMBERED && !known.contains_key(&identity) {
            known.clear();
        }
        known.entry(identity).or_default().clone()
    }

    fn locked(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn read(file: &mut File, expected: Expected) -> io::Result<bool> {
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
