//! The state folder: one transactional index and a folder of blobs.

use std::path::{Path, PathBuf};

/// Opens, or makes, the state folder of one process.
///
/// The index is one `redb` database, so that a change of several services (an object, its
/// notifications, the records it was made of) is one durable commit.
#[derive(Debug)]
pub struct Store {
    /// The index; every service has tables of its own in it.
    pub index: redb::Database,
    folder: PathBuf,
}

/// Why a state folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process holds it.
    #[error("the state folder {0} is in use by another process; stop it or choose another folder")]
    InUse(PathBuf),
    /// The folder cannot be made or read.
    #[error("the state folder {0} cannot be used")]
    Io(PathBuf, #[source] std::io::Error),
    /// The index is damaged or of a newer version.
    #[error("the index in the state folder {0} cannot be read")]
    Index(PathBuf, #[source] redb::Error),
}

impl Store {
    /// Opens the state folder, making it if it is absent.
    ///
    /// # Errors
    ///
    /// [`OpenError::InUse`] when another process has it open.
    pub fn open(folder: &Path) -> Result<Self, OpenError> {
        let io = |error| OpenError::Io(folder.to_owned(), error);
        std::fs::create_dir_all(folder.join("blobs")).map_err(io)?;
        let index = redb::Database::create(folder.join("index.redb")).map_err(|error| match error {
            redb::DatabaseError::DatabaseAlreadyOpen => OpenError::InUse(folder.to_owned()),
            other => OpenError::Index(folder.to_owned(), other.into()),
        })?;
        Ok(Self {
            index,
            folder: folder.to_owned(),
        })
    }

    /// Returns whether a write to the index has failed. It takes no other until it is opened again, so
    /// that what was acknowledged before stays whole.
    pub fn has_failed(&self) -> bool {
        matches!(
            self.index.try_begin_write(),
            Err(redb::TransactionError::Storage(redb::StorageError::PreviousIo))
        )
    }

    /// Returns the folder of the blob files.
    pub fn blobs(&self) -> PathBuf {
        self.folder.join("blobs")
    }
}
