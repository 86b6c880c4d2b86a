//! The files of a dataset version: written to the temporary folder row by row, then sent.

use std::io::{self, BufWriter, Write};

use active_learning_core::{
    dataset::{CsvWriter, FileSummary, Row},
    text::normalise,
};
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

/// A CSV file in the making.
pub(super) struct CsvFile(CsvWriter<BufWriter<NamedTempFile>>);

impl CsvFile {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self(CsvWriter::new(BufWriter::new(NamedTempFile::new()?))))
    }

    pub(super) fn write(&mut self, row: &Row) -> io::Result<()> {
        self.0.write(row)
    }

    pub(super) fn finish(self) -> io::Result<(NamedTempFile, FileSummary)> {
        let (file, summary) = self.0.finish()?;
        Ok((
            file.into_inner().map_err(io::IntoInnerError::into_error)?,
            summary,
        ))
    }
}

/// A list of normalised texts in the making.
pub(super) struct ListFile {
    file: BufWriter<NamedTempFile>,
    hash: Sha256,
    count: u64,
}

/// A list of normalised texts, one a line.
pub(super) struct List {
    pub file: NamedTempFile,
    /// Of its content.
    pub hash: String,
    /// Texts.
    pub count: u64,
}

impl ListFile {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            file: BufWriter::new(NamedTempFile::new()?),
            hash: Sha256::new(),
            count: 0,
        })
    }

    pub(super) fn write(&mut self, text: &str) -> io::Result<()> {
        let line = normalise(text) + "\n";
        self.hash.update(&line);
        self.count += 1;
        self.file.write_all(line.as_bytes())
    }

    pub(super) fn finish(self) -> io::Result<List> {
        Ok(List {
            file: self.file.into_inner().map_err(io::IntoInnerError::into_error)?,
            hash: hex::encode(&self.hash.finalize()[..8]),
            count: self.count,
        })
    }
}
