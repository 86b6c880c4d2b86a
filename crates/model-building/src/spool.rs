//! Texts that do not fit in memory, in a temporary file that is gone with the process.

use std::{
    fs::File,
    io::{self, BufWriter, Read, Seek, SeekFrom, Write},
};

/// Takes texts; [`Spool::finish`] ends it.
pub(crate) struct Spool {
    file: BufWriter<File>,
    length: u64,
}

/// Where a text lies in its spool.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece {
    start: u64,
    length: u32,
}

impl Spool {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            file: BufWriter::new(tempfile::tempfile()?),
            length: 0,
        })
    }

    pub(crate) fn push(&mut self, text: &str) -> io::Result<Piece> {
        self.file.write_all(text.as_bytes())?;
        let length = u32::try_from(text.len()).map_err(io::Error::other)?;
        let start = self.length;
        self.length += u64::from(length);
        Ok(Piece { start, length })
    }

    pub(crate) fn finish(self) -> io::Result<Texts> {
        let file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        Ok(Texts { file })
    }
}

/// The texts of a spool, in any order.
pub(crate) struct Texts {
    file: File,
}

impl Texts {
    pub(crate) fn read(&self, piece: Piece) -> io::Result<String> {
        let mut file = &self.file;
        file.seek(SeekFrom::Start(piece.start))?;
        let mut text = vec![0; piece.length as usize];
        file.read_exact(&mut text)?;
        String::from_utf8(text).map_err(io::Error::other)
    }
}
