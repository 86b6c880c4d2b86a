//! Opening the index: only where it is whole, and changed by nothing but that.

use std::{
    fs, io,
    os::unix::fs::{FileExt, OpenOptionsExt},
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use super::{INDEX, OpenError, trial::Trial};

/// Opens the index, after all of it was read against its checksums. Returns also whether its last change was damaged and
/// is left out, which cannot be told from one that was not done with when the machine stopped.
pub(super) fn open(folder: &Path) -> Result<(redb::Database, bool), OpenError> {
    let damaged = |error: redb::Error| OpenError::Index(folder.to_owned(), error);
    let io = |error| OpenError::Io(folder.to_owned(), error);
    let path = folder.join(INDEX);
    let file = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(io)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(fs::TryLockError::WouldBlock) => return Err(OpenError::InUse(folder.to_owned())),
        Err(fs::TryLockError::Error(error)) => return Err(io(error)),
    }
    let before = last_change(&file).map_err(io)?;
    let trial = Trial::new(file).map_err(io)?;
    // Damage that its checksums do not cover makes it panic.
    let opened = catch_unwind(AssertUnwindSafe(|| {
        let is_whole = try_index(trial)?;
        let mut index = redb::Database::create(&path)?;
        if !is_whole {
            // What the check repaired in memory alone.
            index.check_integrity()?;
        }
        let after = last_change(&fs::File::open(&path)?)?;
        Ok((index, before.is_some() && before != after))
    }));
    match opened {
        Ok(Ok((index, is_taken_back))) => {
            if is_taken_back {
                tracing::warn!(
                    "the last change of the index of the state folder is damaged and was left out: it was not done with when \
                     the machine stopped, or the disk is at fault. Files that the index does not name stay until the \
                     next start; if something is missing, put a copy of the whole folder in its place"
                );
            }
            Ok((index, is_taken_back))
        }
        Ok(Err(redb::DatabaseError::DatabaseAlreadyOpen)) => Err(OpenError::InUse(folder.to_owned())),
        Ok(Err(error)) => Err(damaged(error.into())),
        Err(_) => Err(damaged(redb::Error::Corrupted(
            "it is damaged beyond reading".to_owned(),
        ))),
    }
}

/// Opens the index without changing it, and reads all of it. Returns whether the check of it had nothing to repair.
fn try_index(trial: Trial) -> Result<bool, redb::DatabaseError> {
    redb::Database::builder()
        .create_with_backend(trial)?
        .check_integrity()
}

/// Returns page and checksum of the data of the last change as the head of an index tells them; `None` of one that is new.
///
/// The database says nothing of a change that it leaves out, but that it repairs, as it does of every index whose process
/// was killed. Source: redb 4, "Database layout".
fn last_change(index: &fs::File) -> io::Result<Option<[u8; 24]>> {
    /// Byte whose lowest bit says which of the two places has the last change.
    const PLACE: usize = 9;
    const PLACES: [usize; 2] = [64, 192];
    /// Where a place tells of the data.
    const DATA: usize = 8;

    let mut head = [0; 320];
    match index.read_exact_at(&mut head, 0) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let data = PLACES[usize::from(head[PLACE] & 1)] + DATA;
    Ok(head[data..].first_chunk().copied())
}
