//! The index as it becomes when it is opened: what the database writes to it stays in memory.
//!
//! A database repairs itself as it is opened, and changes its file by that also where it then gives up. So it is opened
//! in this way first.

use std::{
    collections::BTreeMap,
    fs::File,
    io,
    os::unix::fs::FileExt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use redb::StorageBackend;

/// Bytes that are kept together.
const PAGE: u64 = 4_096;

/// A file of which only the reader sees what is written to it.
#[derive(Debug)]
pub(super) struct Trial {
    file: File,
    written: Mutex<Written>,
}

#[derive(Debug)]
struct Written {
    length: u64,
    /// Bytes from the beginning that are those of the file where nothing was written.
    of_file: u64,
    pages: BTreeMap<u64, Vec<u8>>,
}

impl Trial {
    pub(super) fn new(file: File) -> io::Result<Self> {
        let length = file.metadata()?.len();
        let written = Written {
            length,
            of_file: length,
            pages: BTreeMap::new(),
        };
        Ok(Self {
            file,
            written: Mutex::new(written),
        })
    }

    fn written(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the bytes of a page of the file, with zeros behind its end.
    fn page_of_file(&self, number: u64, of_file: u64) -> io::Result<Vec<u8>> {
        let mut page = vec![0; PAGE as usize];
        let begin = number * PAGE;
        let length = of_file.saturating_sub(begin).min(PAGE) as usize;
        self.file.read_exact_at(&mut page[..length], begin)?;
        Ok(page)
    }
}

/// Splits bytes of a file from `offset` on by the pages they lie in: number of the page, place in it, and range of bytes.
fn by_page(offset: u64, length: usize) -> impl Iterator<Item = (u64, usize, std::ops::Range<usize>)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        let at = offset + done as u64;
        let in_page = (at % PAGE) as usize;
        let piece = (PAGE as usize - in_page).min(length - done);
        let bytes = done..done + piece;
        done += piece;
        (piece > 0).then_some((at / PAGE, in_page, bytes))
    })
}

/// A process that is being started has the file open too, for a moment: closed here alone, it would stay locked.
impl Drop for Trial {
    fn drop(&mut self) {
        if let Err(error) = self.file.unlock() {
            tracing::warn!(%error, "the index of the state folder stays locked until its file is closed");
        }
    }
}

impl StorageBackend for Trial {
    fn len(&self) -> io::Result<u64> {
        Ok(self.written().length)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let written = self.written();
        if offset.saturating_add(out.len() as u64) > written.length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        for (number, begin, bytes) in by_page(offset, out.len()) {
            let length = bytes.len();
            let of_file;
            let page = match written.pages.get(&number) {
                Some(page) => page,
                None => {
                    of_file = self.page_of_file(number, written.of_file)?;
                    &of_file
                }
            };
            out[bytes].copy_from_slice(&page[begin..begin + length]);
        }
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let mut written = self.written();
        if length < written.length {
            written.pages.split_off(&length.div_ceil(PAGE));
            if let Some(last) = written.pages.get_mut(&(length / PAGE)) {
                last[(length % PAGE) as usize..].fill(0);
            }
            written.of_file = written.of_file.min(length);
        }
        written.length = length;
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut written = self.written();
        for (number, begin, bytes) in by_page(offset, data.len()) {
            let of_file = written.of_file;
            let page = match written.pages.entry(number) {
                std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
                std::collections::btree_map::Entry::Vacant(entry) => {
                    entry.insert(self.page_of_file(number, of_file)?)
                }
            };
            page[begin..begin + bytes.len()].copy_from_slice(&data[bytes]);
        }
        written.length = written.length.max(offset + data.len() as u64);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_reads_as_a_file_that_is_written_and_cut_while_its_file_stays(
            before in prop::collection::vec(any::<u8>(), 0..10_000),
            changes in prop::collection::vec((0_u64..12_000, 0_usize..6_000, any::<u8>(), any::<bool>()), 0..8),
        ) {
            let mut file = tempfile::NamedTempFile::new().expect("a file");
            file.write_all(&before).expect("written");
            let trial = Trial::new(file.reopen().expect("it is there")).expect("readable");
            let mut expected = before.clone();
            for (at, length, byte, is_cut) in changes {
                if is_cut {
                    trial.set_len(at).expect("cut");
                    expected.resize(at as usize, 0);
                } else {
                    trial.write(at, &vec![byte; length]).expect("written");
                    let end = at as usize + length;
                    expected.resize(expected.len().max(end), 0);
                    expected[at as usize..end].fill(byte);
                }
            }
            let mut seen = vec![0; expected.len()];
            trial.read(0, &mut seen).expect("read");

            prop_assert!(seen == expected);
            prop_assert!(trial.read(1, &mut seen).is_err() || expected.is_empty());
            prop_assert_eq!(trial.len().expect("known"), expected.len() as u64);
            prop_assert!(std::fs::read(file.path()).expect("readable") == before);
        }
    }
}
