//! The one reader of Comprehend's training CSV: `LABEL,text`, UTF-8, no header line.
//!
//! A byte-order mark, any line end, blank lines and quoted line breaks are fine. A header line of
//! well-known words is skipped and told. A file that is something else (UTF-16, JSON, another separator) is
//! refused by what it is.
//!
//! Source: Amazon Comprehend guide, "Preparing classifier training data".

mod header;

use std::io::{self, Chain, Cursor, Read};

use self::header::{Header, header};
use crate::{
    feedback::prediction::split_labels,
    labels::{human_loop::is_answer_word, label_key::label_key},
    text::is_blank,
};

/// A row of our own after the file's last: where it is not found as a row, an open quote has swallowed it.
const END: &[u8] = b"\n\0end of the file";
const END_ROW: &[u8] = END.split_at(1).1;

/// Told of a header line that names the columns the other way round.
const TEXT_FIRST: &str =
    "line 1: the header line was skipped; it names the text first, and so the columns were read";

/// Bytes at the beginning of a file by which it is told what it is.
const SAMPLE_BYTES: usize = 64 << 10;

/// Rows of the sample that must agree on another separator.
const SAMPLE_ROWS: usize = 50;

/// What files of other programs begin with.
const OTHER_FILES: [(&[u8], &str); 4] = [
    (b"PK\x03\x04", "a spreadsheet or an archive (ZIP); save it as CSV"),
    (b"\x1F\x8B", "compressed (gzip); put it there unpacked"),
    (b"%PDF", "a PDF document; save it as CSV"),
    (b"\xD0\xCF\x11\xE0", "an Office document; save it as CSV"),
];

/// Column separators that are not ours, with their names.
const OTHER_SEPARATORS: [(u8, &str); 3] = [(b';', "semicolons"), (b'\t', "tabs"), (b'|', "bars")];

/// A row that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrainingRow {
    /// Line on which it starts, from 1.
    pub line: u64,
    /// Its label, or several with their delimiter, without white space at the ends.
    pub label: String,
    /// Its text.
    pub text: String,
}

/// A row that cannot be used. Safe to show: it never holds the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct BadRow {
    /// Line on which the row starts, from 1.
    pub line: u64,
    /// What is wrong.
    pub reason: String,
}

/// Why there is no row.
#[derive(Debug, thiserror::Error)]
pub enum RowError {
    /// The source failed, not the data.
    #[error("the training file could not be read")]
    Read(#[source] io::Error),
    /// The row, or the file, cannot be used.
    #[error(transparent)]
    Bad(#[from] BadRow),
}

/// A file with what was read of it to look at, and a row of our own after its last.
type Lines<R> = LineFeeds<Chain<Chain<Cursor<Vec<u8>>, Rest<R>>, &'static [u8]>>;

/// The rows of a file, one by one; a bad row is told and reading goes on.
pub struct TrainingRows<R> {
    rows: csv::Reader<Lines<R>>,
    header: Option<Header>,
    ended: bool,
}

impl<R: Read> TrainingRows<R> {
    /// Looks at the beginning of a file; `label_delimiter` may stand between labels and separates no columns.
    ///
    /// # Errors
    ///
    /// [`RowError::Bad`] where the file is something else, by its line and name.
    pub fn new(mut file: R, label_delimiter: Option<char>) -> Result<Self, RowError> {
        let mut sample = Vec::new();
        let limit = SAMPLE_BYTES as u64;
        let failure = file.by_ref().take(limit).read_to_end(&mut sample).err();
        let is_whole = sample.len() < SAMPLE_BYTES;
        let header = look_at(&sample, is_whole, label_delimiter)?;
        let content = Cursor::new(sample).chain(Rest { failure, file }).chain(END);
        let rows = reader(b',').from_reader(LineFeeds {
            inner: content,
            after_return: false,
        });
        Ok(Self {
            rows,
            header,
            ended: false,
        })
    }

    /// Says what is read otherwise than it is written.
    pub fn repairs(&self) -> Vec<String> {
        match self.header {
            None => Vec::new(),
            Some(Header::LabelFirst) => vec!["line 1: the header line was skipped".to_owned()],
            Some(Header::TextFirst) => {
                vec![TEXT_FIRST.to_owned()]
            }
        }
    }

    fn row(&self, record: &csv::ByteRecord, line: u64) -> Result<TrainingRow, BadRow> {
        let bad = |reason: String| BadRow { line, reason };
        if record.len() != 2 {
            return Err(bad(format!(
                "expected two columns, label and text, found {} (a text with a comma needs quotes)",
                record.len()
            )));
        }
        let utf8 = |column: usize| {
            let text = std::str::from_utf8(&record[column]);
            text.map_err(|_| {
                bad("not valid UTF-8; save the file as UTF-8 (is it Latin-1 or Windows-1252?)".to_owned())
            })
        };
        let (label, text) = match self.header {
            Some(Header::TextFirst) => (utf8(1)?, utf8(0)?),
            Some(Header::LabelFirst) | None => (utf8(0)?, utf8(1)?),
        };
        if label.starts_with("{\"") {
            return Err(bad("the line is JSON, not a label and a text".to_owned()));
        }
        if label.trim().is_empty() {
            return Err(bad("the label is empty".to_owned()));
        }
        if label.contains(char::is_control) {
            return Err(bad(
                "the label holds a line break or another control character".to_owned()
            ));
        }
        if let Some(problem) = split_labels(label).iter().find_map(|label| problem_of(label)) {
            return Err(bad(problem.to_owned()));
        }
        if is_blank(text) {
            return Err(bad("the text is empty".to_owned()));
        }
        Ok(TrainingRow {
            line,
            label: label.trim().to_owned(),
            text: text.to_owned(),
        })
    }
}

impl<R: Read> Iterator for TrainingRows<R> {
    type Item = Result<TrainingRow, RowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut record = csv::ByteRecord::new();
        loop {
            if self.ended {
                return None;
            }
            let is_first = self.rows.position().byte() == 0;
            match self.rows.read_byte_record(&mut record) {
                // Bytes and any number of columns are accepted, so that only the source can fail.
                Err(error) => {
                    self.ended = true;
                    return Some(Err(RowError::Read(error.into())));
                }
                Ok(false) => return None,
                Ok(true) if &record[0] == END_ROW => return None,
                Ok(true) if is_first && self.header.is_some() => {}
                Ok(true) => break,
            }
        }
        // The row's own position is no help: it counts from before the blank lines.
        let next_line = self.rows.position().line() - line_breaks(&record);
        if record[record.len() - 1].ends_with(END_ROW) {
            self.ended = true;
            let reason = "the quote of this text is never closed".to_owned();
            return Some(Err(RowError::Bad(BadRow {
                line: next_line,
                reason,
            })));
        }
        Some(self.row(&record, next_line - 1).map_err(RowError::Bad))
    }
}

/// Returns why a name that is not empty can be no label, if it cannot.
fn problem_of(label: &str) -> Option<&'static str> {
    // Nearly all are such.
    if label.bytes().any(|byte| byte.is_ascii_alphanumeric()) && !label.contains("__") && label.is_ascii() {
        return None;
    }
    if !label.trim().is_empty() && label_key(label).is_empty() {
        return Some("the label holds nothing that can be seen");
    }
    is_answer_word(label)
        .then_some("the label is a word of the review page, which says that no label was chosen")
}

fn reader(separator: u8) -> csv::ReaderBuilder {
    let mut builder = csv::ReaderBuilder::new();
    builder.has_headers(false).flexible(true).delimiter(separator);
    builder
}

fn line_breaks(record: &csv::ByteRecord) -> u64 {
    record.iter().flatten().filter(|&&byte| byte == b'\n').count() as u64
}

/// Tells from its beginning what a file is, and refuses what is no CSV of ours.
/// Returns the place of the column of labels in a training file, from 0, as [`TrainingRows`] reads it: a header line may name
/// the text first.
pub fn label_column(content: &[u8], label_delimiter: Option<char>) -> usize {
    let sample = &content[..content.len().min(SAMPLE_BYTES)];
    match look_at(sample, content.len() < SAMPLE_BYTES, label_delimiter) {
        Ok(Some(Header::TextFirst)) => 1,
        Ok(Some(Header::LabelFirst) | None) | Err(_) => 0,
    }
}

fn look_at(sample: &[u8], is_whole: bool, label_delimiter: Option<char>) -> Result<Option<Header>, BadRow> {
    let refused = |reason: String| Err(BadRow { line: 1, reason });
    if let Some((_, kind)) = OTHER_FILES.iter().find(|(start, _)| sample.starts_with(start)) {
        return refused(format!("the file is {kind}"));
    }
    if is_utf_16(sample) {
        return refused("the file is UTF-16; save it as UTF-8".to_owned());
    }
    let text = sample.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(sample);
    if let Some(kind) = json_kind(text) {
        return refused(format!(
            "the file is {kind}, not CSV of a label and a text a line"
        ));
    }
    let by_comma = sample_rows(text, b',', is_whole);
    if let Some(separators) = other_separator(text, &by_comma, is_whole, label_delimiter) {
        return refused(format!(
            "the columns are separated by {separators}; separate label and text by a comma"
        ));
    }
    Ok(header(&by_comma))
}

/// Returns whether bytes are UTF-16, with or without a byte-order mark: every other byte of most letters is
/// zero.
fn is_utf_16(sample: &[u8]) -> bool {
    let start = &sample[..sample.len().min(1_024)];
    let zeros = |odd: usize| {
        start
            .iter()
            .skip(odd)
            .step_by(2)
            .filter(|byte| **byte == 0)
            .count()
    };
    let many = start.len() / 8;
    start.starts_with(b"\xFF\xFE")
        || start.starts_with(b"\xFE\xFF")
        || start.len() >= 8 && (zeros(0) > many && zeros(1) == 0 || zeros(1) > many && zeros(0) == 0)
}

fn json_kind(text: &[u8]) -> Option<&'static str> {
    let text = text.trim_ascii_start();
    let inside = |text: &[u8]| {
        text.get(1..)
            .map(<[u8]>::trim_ascii_start)
            .unwrap_or_default()
            .to_vec()
    };
    match text.first()? {
        b'{' if inside(text).starts_with(b"\"") => Some("JSON Lines"),
        b'[' if inside(text).starts_with(b"{") || inside(text).starts_with(b"\"") => Some("JSON"),
        _ => None,
    }
}

/// Reads the first rows with a separator, without a last one that may be cut off.
fn sample_rows(text: &[u8], separator: u8, is_whole: bool) -> Vec<csv::ByteRecord> {
    let rows = reader(separator).from_reader(text).into_byte_records();
    let mut rows: Vec<_> = rows.map_while(Result::ok).take(SAMPLE_ROWS + 1).collect();
    if rows.len() > SAMPLE_ROWS || !is_whole {
        rows.pop();
    }
    rows
}

/// Returns the name of a separator by which all rows fall into the same columns, where they do not by commas.
fn other_separator(
    text: &[u8],
    by_comma: &[csv::ByteRecord],
    is_whole: bool,
    label_delimiter: Option<char>,
) -> Option<&'static str> {
    let good = |rows: &[csv::ByteRecord]| !rows.is_empty() && rows.iter().all(|row| row.len() == 2);
    let commas_are_good = good(by_comma);
    let candidates = OTHER_SEPARATORS.iter().filter(|(separator, _)| {
        let is_label_delimiter = label_delimiter == Some(char::from(*separator));
        // Several labels a row may be separated by bars.
        let is_taken_for_one = commas_are_good && *separator == b'|';
        !(is_label_delimiter || is_taken_for_one)
    });
    for (separator, name) in candidates {
        let rows = sample_rows(text, *separator, is_whole);
        let columns = rows.first().map_or(0, csv::ByteRecord::len);
        let agree = columns >= 2 && rows.iter().all(|row| row.len() == columns);
        let before_the_comma = by_comma.iter().all(|row| row[0].contains(separator));
        if agree && (before_the_comma || !commas_are_good && columns == 2) {
            return Some(name);
        }
    }
    None
}

/// What comes after the sample; a failure while that was read comes first.
struct Rest<R> {
    failure: Option<io::Error>,
    file: R,
}

impl<R: Read> Read for Rest<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.failure.take() {
            Some(failure) => Err(failure),
            None => self.file.read(buffer),
        }
    }
}

/// Turns every line end into a line feed, so that lines can be counted.
struct LineFeeds<R> {
    inner: R,
    after_return: bool,
}

impl<R: Read> Read for LineFeeds<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.inner.read(buffer)?;
            let mut kept = 0;
            for index in 0..count {
                let byte = buffer[index];
                let second_half = byte == b'\n' && self.after_return;
                self.after_return = byte == b'\r';
                if !second_half {
                    buffer[kept] = if self.after_return { b'\n' } else { byte };
                    kept += 1;
                }
            }
            // Nothing kept of something read is not the end of the file.
            if kept > 0 || count == 0 {
                return Ok(kept);
            }
        }
    }
}

#[cfg(test)]
mod tests;
