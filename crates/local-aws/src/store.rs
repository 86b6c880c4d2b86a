//! The state folder: one transactional index and a folder of blobs.
//!
//! Only its owner may look into it. It is opened only if it is whole, as far as that can be seen: where there is data
//! but no index, or an index whose checksums are wrong, nothing is opened and nothing is changed.

mod index;
mod ours;
mod quiet;
mod trial;

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
};

use crate::log_file::LogFile;

const INDEX: &str = "index.redb";
const BLOBS: &str = "blobs";
const LOGS: &str = "logs";
/// Names of blob files begin with it; what else is in their folder is not ours.
pub(crate) const BLOB_PREFIX: &str = "s3-";

/// Bit of a folder in which everybody may make files, such as `/tmp`.
const STICKY: u32 = 0o1000;

/// Opens, or makes, the state folder of one process.
///
/// The index is one `redb` database, so that a change of several services (an object, its
/// notifications, the records it was made of) is one durable commit.
#[derive(Debug)]
pub struct Store {
    /// The index; every service has tables of its own in it.
    pub index: redb::Database,
    folder: PathBuf,
    is_taken_back: bool,
}

/// Why a state folder cannot be used. Nothing in it was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process holds it.
    #[error("the state folder {0} is in use by another process; stop it or choose another folder")]
    InUse(PathBuf),
    /// The folder cannot be made or read.
    #[error("the state folder {0} cannot be used")]
    Io(PathBuf, #[source] io::Error),
    /// There is something else of its name.
    #[error("the state folder {0} is {1}; choose a folder, or a name that is free")]
    NotAFolder(PathBuf, &'static str),
    /// The folder is everybody's.
    #[error("{0} is a folder that everybody writes to; choose one of its own for the state")]
    Shared(PathBuf),
    /// The index is damaged, of a newer version, or names data that is gone.
    #[error(
        "the index in the state folder {0} cannot be used; nothing was changed. Put a copy of the whole folder in its \
         place, or choose another folder to begin anew"
    )]
    Index(PathBuf, #[source] redb::Error),
    /// There is data, but no index that says what it is.
    #[error(
        "the state folder {0} holds data, but its index {INDEX} is gone or empty; nothing was changed. Put a copy of \
         the whole folder in its place, or choose another folder to begin anew"
    )]
    IndexLost(PathBuf),
}

impl Store {
    /// Opens the state folder, making it if it is absent.
    ///
    /// # Errors
    ///
    /// [`OpenError`], for example [`OpenError::InUse`] when another process has it open.
    pub fn open(folder: &Path) -> Result<Self, OpenError> {
        let io = |error| OpenError::Io(folder.to_owned(), error);
        if let Some(what) = other_than_folder(folder) {
            return Err(OpenError::NotAFolder(folder.to_owned(), what));
        }
        make_private(folder).map_err(io)?;
        if fs::metadata(folder).map_err(io)?.permissions().mode() & STICKY != 0 {
            return Err(OpenError::Shared(folder.to_owned()));
        }
        if is_index_lost(folder).map_err(io)? {
            return Err(OpenError::IndexLost(folder.to_owned()));
        }
        if ours::is_open_to_changes(folder).map_err(io)? {
            return Err(OpenError::Shared(folder.to_owned()));
        }
        make_private(&folder.join(BLOBS)).map_err(io)?;
        let (index, is_taken_back) = quiet::without_panic_message(|| index::open(folder))?;
        ours::close_to_others(folder).map_err(io)?;
        Ok(Self {
            index,
            folder: folder.to_owned(),
            is_taken_back,
        })
    }

    /// Returns whether the end of the index was damaged and is left out. What it does not name may be of its last change,
    /// and is to stay.
    pub(crate) fn is_taken_back(&self) -> bool {
        self.is_taken_back
    }

    /// Returns whether a write to the index has failed, or the folder of blobs is gone. The state takes no other write
    /// until it is opened again, so that what was acknowledged before stays whole.
    pub fn has_failed(&self) -> bool {
        let is_broken = matches!(
            self.index.try_begin_write(),
            Err(redb::TransactionError::Storage(redb::StorageError::PreviousIo))
        );
        is_broken || !self.blobs().is_dir()
    }

    /// Returns the folder of the blob files.
    pub fn blobs(&self) -> PathBuf {
        self.folder.join(BLOBS)
    }

    /// Returns the folder of the logs that people read.
    pub fn logs(&self) -> PathBuf {
        self.folder.join(LOGS)
    }

    /// Appends lines to `logs/<name>.log`, making it if it is absent. Returns once the disk has them.
    pub(crate) fn append_log(&self, name: &str, lines: &str) -> io::Result<()> {
        let mut file = LogFile::new(self.logs().join(format!("{name}.log")));
        file.append(lines.as_bytes())?;
        file.sync()
    }
}

/// Says what is in the place of a folder; `None` where there is a folder, or nothing.
fn other_than_folder(folder: &Path) -> Option<&'static str> {
    match fs::metadata(folder) {
        Ok(found) => (!found.is_dir()).then_some("a file"),
        Err(_) => fs::symlink_metadata(folder)
            .is_ok_and(|found| found.is_symlink())
            .then_some("a link to nothing that can be reached"),
    }
}

/// A first start that was killed leaves an empty index and no data.
fn is_index_lost(folder: &Path) -> io::Result<bool> {
    let has_index = fs::metadata(folder.join(INDEX)).is_ok_and(|file| file.len() > 0);
    if has_index {
        return Ok(false);
    }
    match fs::read_dir(folder.join(BLOBS)) {
        Ok(mut entries) => Ok(entries.any(|entry| entry.is_ok_and(|entry| is_blob(&entry.file_name())))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Makes a folder that only its owner may look into: it holds what people wrote.
fn make_private(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Returns whether a file is one of ours.
pub(crate) fn is_blob(name: &std::ffi::OsStr) -> bool {
    name.to_str().is_some_and(|name| name.starts_with(BLOB_PREFIX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("there").permissions().mode() & 0o777
    }

    #[test]
    fn a_folder_that_was_open_to_others_is_closed_with_all_that_is_in_it() {
        let folder = tempfile::tempdir().expect("temporary folder");
        drop(Store::open(folder.path()).expect("opened"));
        fs::create_dir(folder.path().join("logs")).expect("made");
        let files = ["index.redb", "stack.json", "blobs/s3-1", "logs/worker.log"];
        for file in files {
            let path = folder.path().join(file);
            let opened = fs::OpenOptions::new().create(true).append(true).open(&path);
            drop(opened.expect("made"));
            fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).expect("set");
        }
        for inner in ["", "blobs", "logs"] {
            let path = folder.path().join(inner);
            fs::set_permissions(path, PermissionsExt::from_mode(0o755)).expect("set");
        }

        let _store = Store::open(folder.path()).expect("opened");

        for inner in ["", "blobs", "logs"] {
            assert_eq!(mode(&folder.path().join(inner)), 0o700, "{inner}");
        }
        for file in files {
            assert_eq!(mode(&folder.path().join(file)), 0o600, "{file}");
        }
    }

    #[test]
    fn files_of_the_users_own_in_the_folder_keep_their_modes_and_so_does_the_folder() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let set = |name: &str, mode| {
            let path = folder.path().join(name);
            fs::set_permissions(path, PermissionsExt::from_mode(mode)).expect("set");
        };
        for (name, mode) in [("notes.txt", 0o644), ("build.sh", 0o755)] {
            fs::write(folder.path().join(name), "mine").expect("written");
            set(name, mode);
        }
        set("", 0o755);

        drop(Store::open(folder.path()).expect("opened"));
        fs::write(folder.path().join("blobs/mine"), "mine").expect("written");
        fs::write(folder.path().join("blobs/s3-1"), "data").expect("written");
        set("blobs/mine", 0o644);
        set("blobs/s3-1", 0o644);
        fs::create_dir(folder.path().join("logs")).expect("made");
        for name in ["logs/errors.logged", "logs/worker.log", "logs/worker.log.12"] {
            fs::write(folder.path().join(name), "a line").expect("written");
            set(name, 0o644);
        }
        set("logs", 0o755);
        let _store = Store::open(folder.path()).expect("opened");

        let modes = [
            "notes.txt",
            "build.sh",
            "",
            "blobs/mine",
            "blobs/s3-1",
            "index.redb",
            "blobs",
            "logs",
            "logs/errors.logged",
            "logs/worker.log",
            "logs/worker.log.12",
        ];
        let modes = modes.map(|name| mode(&folder.path().join(name)));
        assert_eq!(
            modes,
            [
                0o644, 0o755, 0o755, 0o644, 0o600, 0o600, 0o700, 0o755, 0o644, 0o600, 0o600
            ]
        );
    }

    #[test]
    fn a_folder_with_other_files_that_others_may_change_is_refused_and_stays_as_it_is() {
        let folder = tempfile::tempdir().expect("temporary folder");
        fs::write(folder.path().join("notes.txt"), "mine").expect("written");
        fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o777)).expect("set");

        let opened = Store::open(folder.path());

        assert!(matches!(opened, Err(OpenError::Shared(_))), "{opened:?}");
        assert_eq!(mode(folder.path()), 0o777);
        assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 1);
    }

    const TABLE: redb::TableDefinition<u64, &[u8]> = redb::TableDefinition::new("table");

    fn change(store: &Store, number: u64) {
        let writer = store.index.begin_write().expect("begun");
        let mut table = writer.open_table(TABLE).expect("opened");
        table.insert(number, &[7; 3_000][..]).expect("written");
        drop(table);
        writer.commit().expect("committed");
    }

    /// Opens a folder whose index is this one.
    fn opened_with(index: &[u8]) -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().expect("temporary folder");
        fs::write(folder.path().join(INDEX), index).expect("written");
        let store = Store::open(folder.path()).expect("opened");
        (folder, store)
    }

    fn numbers(store: &Store) -> Vec<u64> {
        let reader = redb::ReadableDatabase::begin_read(&store.index).expect("begun");
        let table = reader.open_table(TABLE).expect("opened");
        let entries = redb::ReadableTable::iter(&table).expect("readable");
        entries.map(|entry| entry.expect("whole").0.value()).collect()
    }

    #[test]
    fn only_an_index_whose_last_change_is_damaged_is_said_to_be_taken_back_and_no_other_that_was_killed() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let index = || fs::read(folder.path().join(INDEX)).expect("readable");
        let store = Store::open(folder.path()).expect("opened");
        (0..20).for_each(|number| change(&store, number));
        let before = index();
        change(&store, 20);
        // As a process that is killed leaves it.
        let killed = index();
        drop(store);
        let ended = index();
        let mut damaged = killed.clone();
        let pages = damaged.chunks_mut(4_096).zip(before.chunks(4_096));
        // The first page says where the last change is.
        for (page, before) in pages.skip(1).filter(|(page, before)| page != before) {
            page.copy_from_slice(before);
        }

        let mut head_damaged = killed.clone();
        let place = 64 + 128 * usize::from(head_damaged[9] & 1);
        head_damaged[place + 100] ^= 1;

        let told = [&ended, &killed, &damaged, &head_damaged].map(|index| {
            let (_folder, store) = opened_with(index);
            (store.is_taken_back(), numbers(&store).len())
        });

        assert_eq!(told, [(false, 21), (false, 21), (true, 20), (true, 20)]);
    }

    #[test]
    fn a_file_or_a_link_to_nothing_in_the_place_of_the_folder_is_named() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, "").expect("written");
        std::os::unix::fs::symlink(folder.path().join("gone"), &link).expect("made");

        let said = [&file, &link].map(|path| Store::open(path).expect_err("refused").to_string());

        assert!(said[0].contains("is a file; choose a folder"), "{}", said[0]);
        assert!(said[1].contains("is a link to nothing"), "{}", said[1]);
    }

    #[test]
    fn a_folder_of_everybody_is_refused_and_stays_as_it_is() {
        let folder = tempfile::tempdir().expect("temporary folder");
        fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o1777)).expect("set");

        let opened = Store::open(folder.path());

        assert!(matches!(opened, Err(OpenError::Shared(_))));
        assert_eq!(mode(folder.path()), 0o777);
        assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 0);
    }

    #[test]
    fn data_without_an_index_is_left_alone() {
        for index in [None, Some("")] {
            let folder = tempfile::tempdir().expect("temporary folder");
            drop(Store::open(folder.path()).expect("opened"));
            fs::write(folder.path().join("blobs/s3-1"), "data").expect("written");
            fs::remove_file(folder.path().join("index.redb")).expect("removed");
            if let Some(text) = index {
                fs::write(folder.path().join("index.redb"), text).expect("written");
            }

            let opened = Store::open(folder.path());

            assert!(matches!(opened, Err(OpenError::IndexLost(_))));
            assert!(folder.path().join("blobs/s3-1").exists());
        }
    }

    #[test]
    fn damage_of_the_index_is_seen_wherever_it_is() {
        const TABLE: redb::TableDefinition<u64, &[u8]> = redb::TableDefinition::new("table");
        let folder = tempfile::tempdir().expect("temporary folder");
        let store = Store::open(folder.path()).expect("opened");
        let write = store.index.begin_write().expect("begun");
        {
            let mut table = write.open_table(TABLE).expect("made");
            for key in 0..2_000 {
                table.insert(key, [7_u8; 500].as_slice()).expect("inserted");
            }
        }
        write.commit().expect("committed");
        drop(store);
        let path = folder.path().join(INDEX);
        let whole = fs::read(&path).expect("readable");
        // Pages that are in use: all of one value of the table.
        let in_use: Vec<usize> = (0..whole.len() - 500)
            .step_by(4_096)
            .filter(|at| whole[*at + 200..*at + 400].iter().all(|byte| *byte == 7))
            .collect();
        assert!(in_use.len() > 20);

        for at in in_use.iter().step_by(in_use.len() / 10) {
            let mut damaged = whole.clone();
            damaged[at + 300] ^= 0xff;
            fs::write(&path, damaged).expect("written");

            let opened = Store::open(folder.path());

            assert!(matches!(opened, Err(OpenError::Index(..))), "{at}: {opened:?}");
        }
        fs::write(&path, &whole).expect("written");
        Store::open(folder.path()).expect("what is whole is opened");
    }
}
