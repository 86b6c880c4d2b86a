//! Comprehend's training CSV: `LABEL,text` or `LABEL|LABEL,text`, UTF-8, no header, one line a document.
//!
//! Source: Amazon Comprehend guide, "Preparing classifier training data".

use std::io::{self, Read, Write};

use sha2::{Digest, Sha256};

use super::{
    BadRow, FileSummary, Mode, Problem, Row, RowError, Severity, TrainingRow, TrainingRows, label_problem,
    one_line,
};
use crate::{
    feedback::prediction::{LABEL_DELIMITER, join_labels},
    text::{counted, is_blank},
};

/// Bad rows that are reported one by one; the rest is counted.
const REPORTED_ROWS: usize = 20;

/// Writes rows and sums them up; holds one row at a time.
pub struct CsvWriter<W: Write> {
    rows: csv::Writer<Tally<W>>,
    summary: FileSummary,
    join: Join,
}

/// How the labels of a text are written in one column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Join {
    /// With a delimiter that no label holds.
    By(char),
    /// One label as it is.
    One,
    /// With [`LABEL_DELIMITER`], one within a name as `\|`.
    Escaped,
}

/// Counts and hashes what passes.
struct Tally<W> {
    inner: W,
    bytes: u64,
    hash: Sha256,
}

impl<W: Write> Write for Tally<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(buffer)?;
        self.bytes += written as u64;
        self.hash.update(&buffer[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<W: Write> CsvWriter<W> {
    /// Starts a file with [`LABEL_DELIMITER`].
    pub fn new(writer: W) -> Self {
        Self::with_delimiter(writer, Some(LABEL_DELIMITER))
    }

    /// Starts a file with a delimiter that no label holds; with none, each text has one label, whatever it holds.
    pub fn with_delimiter(writer: W, delimiter: Option<char>) -> Self {
        Self::with(writer, delimiter.map_or(Join::One, Join::By))
    }

    /// Starts a file that this program reads again whatever names hold: [`LABEL_DELIMITER`] stands between labels, and within
    /// a name it is written `\|`. Comprehend knows no such names.
    pub fn escaped(writer: W) -> Self {
        Self::with(writer, Join::Escaped)
    }

    fn with(writer: W, join: Join) -> Self {
        let tally = Tally {
            inner: writer,
            bytes: 0,
            hash: Sha256::new(),
        };
        Self {
            rows: csv::WriterBuilder::new().from_writer(tally),
            summary: FileSummary::default(),
            join,
        }
    }

    /// Writes a row, its text on one line.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::InvalidData`] when a label is blank, holds a line break or the delimiter, which
    /// would silently make other classes, or when there is no label or no text: nothing is written then, and
    /// the next row can be. Errors of the writer otherwise.
    pub fn write(&mut self, row: &Row) -> io::Result<()> {
        let text = one_line(&row.text);
        let bad_label = |label: &String| {
            let holds_delimiter = matches!(self.join, Join::By(delimiter) if label.contains(delimiter));
            label.trim().is_empty() || holds_delimiter || label.contains(char::is_control)
        };
        let too_many = self.join == Join::One && row.labels.len() > 1;
        if is_blank(&text) || row.labels.is_empty() || too_many || row.labels.iter().any(bad_label) {
            let reason = "a row needs a text and labels without delimiter and control characters";
            return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
        }
        self.summary.count(row);
        let labels = match self.join {
            Join::By(delimiter) => row.labels.join(&delimiter.to_string()),
            Join::One => row.labels.concat(),
            Join::Escaped => join_labels(&row.labels),
        };
        self.rows.write_record([&labels, &text]).map_err(io::Error::from)
    }

    /// Ends the file and says what is in it.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn finish(self) -> io::Result<(W, FileSummary)> {
        let mut tally = self.rows.into_inner().map_err(csv::IntoInnerError::into_error)?;
        tally.flush()?;
        let sha256 = hex::encode(tally.hash.finalize());
        Ok((
            tally.inner,
            FileSummary {
                bytes: tally.bytes,
                sha256,
                ..self.summary
            },
        ))
    }
}

/// Reads rows one by one; bad rows are named and reading goes on.
///
/// What a file may be like is told at [`TrainingRows`]. A quote that is never closed, which swallows the
/// rest of the file, or an error of the source itself ends the reading as a last bad row.
pub fn read_csv(reader: impl Read, mode: Mode) -> impl Iterator<Item = Result<Row, BadRow>> {
    read_delimited_csv(reader, mode, LABEL_DELIMITER)
}

/// Reads rows as [`read_csv`] does, several labels with another delimiter between them.
pub fn read_delimited_csv(
    reader: impl Read,
    mode: Mode,
    delimiter: char,
) -> impl Iterator<Item = Result<Row, BadRow>> {
    numbered_rows(reader, mode, delimiter).map(|row| row.map(|(_, row)| row))
}

/// Reads rows one by one, each with the line on which it starts.
fn numbered_rows(
    reader: impl Read,
    mode: Mode,
    delimiter: char,
) -> impl Iterator<Item = Result<(u64, Row), BadRow>> {
    let label_delimiter = (mode == Mode::MultiLabel).then_some(delimiter);
    let (rows, refused) = match TrainingRows::new(reader, label_delimiter) {
        // Rows of datasets: their labels were resolved before.
        Ok(rows) => (Some(rows.taking_any_names()), None),
        Err(error) => (None, Some(Err(error))),
    };
    let rows = rows.into_iter().flatten().chain(refused);
    rows.map(move |row| match row {
        Ok(row) => labelled(row, mode, delimiter),
        Err(RowError::Bad(bad)) => Err(bad),
        Err(RowError::Read(_)) => Err(BadRow {
            line: 0,
            reason: "the file could not be read".to_owned(),
        }),
    })
}

fn labelled(row: TrainingRow, mode: Mode, delimiter: char) -> Result<(u64, Row), BadRow> {
    let TrainingRow { line, label, text } = row;
    let labels: Vec<String> = match mode {
        Mode::MultiClass => vec![label],
        Mode::MultiLabel => label
            .split(delimiter)
            .map(|label| label.trim().to_owned())
            .collect(),
    };
    let empty = labels
        .iter()
        .any(String::is_empty)
        .then_some("the label is empty");
    if let Some(reason) = empty.or_else(|| labels.iter().find_map(|label| label_problem(label))) {
        let reason = reason.to_owned();
        return Err(BadRow { line, reason });
    }
    Ok((line, Row { labels, text }))
}

/// Sums up a file that somebody else wrote, and reports its bad rows; holds one row at a time.
///
/// At most 20 rows are named, the rest is counted. A text over several lines is a problem too.
pub fn inspect_csv(reader: impl Read, mode: Mode) -> (FileSummary, Vec<Problem>) {
    let mut tally = Tally {
        inner: io::sink(),
        bytes: 0,
        hash: Sha256::new(),
    };
    let mut summary = FileSummary::default();
    let mut problems = Vec::new();
    let mut more = 0_usize;
    let copied = Copied {
        reader,
        tally: &mut tally,
    };
    for content in numbered_rows(copied, mode, LABEL_DELIMITER) {
        let message = match content {
            Ok((line, content)) => {
                summary.count(&content);
                if !content.text.contains(['\n', '\r']) {
                    continue;
                }
                let reason =
                    "the text is spread over several lines; one line a document is needed".to_owned();
                BadRow { line, reason }.to_string()
            }
            Err(bad) => bad.to_string(),
        };
        if problems.len() < REPORTED_ROWS {
            problems.push(Problem {
                severity: Severity::Error,
                message,
            });
        } else {
            more += 1;
        }
    }
    if more > 0 {
        let message = format!("{} cannot be used", counted(more, "more row"));
        problems.push(Problem {
            severity: Severity::Error,
            message,
        });
    }
    summary.bytes = tally.bytes;
    summary.sha256 = hex::encode(tally.hash.finalize());
    (summary, problems)
}

/// Tallies what is read.
struct Copied<'a, R> {
    reader: R,
    tally: &'a mut Tally<io::Sink>,
}

impl<R: Read> Read for Copied<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.tally.write_all(&buffer[..read])?;
        Ok(read)
    }
}

#[cfg(test)]
mod tests;
