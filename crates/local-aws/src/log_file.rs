//! Log files that people read: a new one for each day and each eight megabytes, of which the oldest go.
//!
//! `<name>.log` is written to; the ones before are `<name>.log.1`, `<name>.log.2` and so on, the newest first.

use std::{
    fs::{self, File, Metadata},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

/// Size at which a file is closed.
const MAX_BYTES: u64 = 8 * 1024 * 1024;
/// Most closed files of a log.
const MOST_CLOSED: usize = 30;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Renaming is for one at a time.
static CLOSING: Mutex<()> = Mutex::new(());

/// One log, open for appending. Several processes may write to the same.
#[derive(Debug)]
pub(crate) struct LogFile {
    path: PathBuf,
    file: Option<(u64, File)>,
}

impl LogFile {
    /// Names a log; its folder and file are made when something is written.
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, file: None }
    }

    /// Appends lines, by one write, so that those of several writers do not mix. Blocks.
    pub(crate) fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        self.append_at(lines, SystemTime::now())
    }

    /// Returns once the disk has what was appended.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.as_ref().map_or(Ok(()), |(_, file)| file.sync_data())
    }

    fn append_at(&mut self, lines: &[u8], now: SystemTime) -> io::Result<()> {
        if is_full(&self.path, now) {
            let _one = CLOSING.lock().unwrap_or_else(PoisonError::into_inner);
            if is_full(&self.path, now) {
                close(&self.path)?;
            }
        }
        // Another writer may have closed the file: then the name is of another, or of none.
        let named = fs::metadata(&self.path).ok().map(|file| file.ino());
        let open = self.file.take_if(|(inode, _)| Some(*inode) == named);
        let (inode, mut file) = match open {
            Some(open) => open,
            None => open_private(&self.path)?,
        };
        let written = file.write_all(lines);
        self.file = Some((inode, file));
        written
    }
}

fn open_private(path: &Path) -> io::Result<(u64, File)> {
    if let Some(folder) = path.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let file = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)?;
    Ok((file.metadata()?.ino(), file))
}

fn is_full(path: &Path, now: SystemTime) -> bool {
    fs::metadata(path).is_ok_and(|file| file.len() >= MAX_BYTES || day(&file) != Some(day_of(now)))
}

fn day(file: &Metadata) -> Option<u64> {
    file.modified().ok().map(day_of)
}

fn day_of(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    since.as_secs() / DAY.as_secs()
}

/// Gives a log its place among the closed ones.
fn close(path: &Path) -> io::Result<()> {
    for number in (1..MOST_CLOSED).rev() {
        match fs::rename(closed(path, number), closed(path, number + 1)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    fs::rename(path, closed(path, 1))
}

fn closed(path: &Path, number: usize) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

/// Returns the files of a log that there are, the oldest first.
pub(crate) fn files(path: &Path) -> Vec<PathBuf> {
    let closed = (1..=MOST_CLOSED).rev().map(|number| closed(path, number));
    let all = closed.chain([path.to_owned()]);
    all.filter(|path| path.exists()).collect()
}

/// Removes the files of a log whose last line is older than `age`.
pub(crate) fn expire(path: &Path, age: Duration, now: SystemTime) -> io::Result<()> {
    for file in files(path) {
        let modified = fs::metadata(&file)?.modified()?;
        if now.duration_since(modified).is_ok_and(|elapsed| elapsed > age) {
            fs::remove_file(&file)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn read(path: &Path) -> Vec<String> {
        let read = |file: &PathBuf| fs::read_to_string(file).expect("readable");
        files(path).iter().map(read).collect()
    }

    #[test]
    fn each_day_has_a_file_and_every_writer_finds_it() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("logs/worker.log");
        let (mut one, mut other) = (LogFile::new(path.clone()), LogFile::new(path.clone()));
        let (today, tomorrow) = (SystemTime::now(), SystemTime::now() + DAY);

        one.append_at(b"a\n", today).expect("written");
        other.append_at(b"b\n", today).expect("written");
        one.append_at(b"c\n", tomorrow).expect("written");
        // The file that was made just now is of today by the disk's clock.
        other.append_at(b"d\n", today).expect("written");

        assert_eq!(read(&path), ["a\nb\n", "c\nd\n"]);
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(&folder.path().join("logs"))), (0o600, 0o700));
    }

    #[test]
    fn full_files_are_closed_and_the_oldest_go() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("worker.log");
        let mut log = LogFile::new(path.clone());

        for number in 0..MOST_CLOSED + 3 {
            log.append(format!("{number}\n").as_bytes()).expect("written");
            let file = fs::OpenOptions::new().write(true).open(&path).expect("there");
            file.set_len(MAX_BYTES).expect("a sparse file");
        }

        let files = files(&path);
        assert_eq!(files.len(), MOST_CLOSED + 1);
        assert!(fs::read(&files[0]).expect("readable").starts_with(b"2\n"));
    }

    #[test]
    fn files_expire_by_the_age_of_their_last_line() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("worker.log");
        let now = SystemTime::now();
        for (name, age) in [("worker.log.2", 9), ("worker.log.1", 5), ("worker.log", 1)] {
            let file = File::create(folder.path().join(name)).expect("made");
            file.set_modified(now - age * DAY).expect("set");
        }

        expire(&path, 7 * DAY, now).expect("removed");

        let names: Vec<_> = files(&path)
            .iter()
            .map(|file| file.extension().map(ToOwned::to_owned))
            .collect();
        assert_eq!(names, [Some("1".into()), Some("log".into())]);
    }
}
