//! The one reader of Comprehend's training CSV: `LABEL,text`, UTF-8, no header line.
//!
//! A byte-order mark, any line end, blank lines and quoted line breaks are fine. A first line that names another separator, as
//! spreadsheets write it (`sep=;`), counts and is told. A header line of well-known words, or one that stands apart from the
//! first rows below, is skipped and told, also where it comes again, as in files that were joined; so are quotes that end
//! before their text. Cells that all stand in single quotes, as MySQL may be told to write them, are read without these. A file
//! that is something else (UTF-16, JSON, another separator) is refused by what it is, and a quote that has taken other rows in
//! by its line.
//!
//! Source: Amazon Comprehend guide, "Preparing classifier training data".

mod header;
mod kind;
mod lines;
mod swallowed;

use std::io::{self, Chain, Cursor, Read};

use self::{
    header::{Header, header_within},
    kind::{Beginning, json_kind, look_at},
    lines::{LineFeeds, Rest},
    swallowed::Swallowed,
};
use super::{
    HeaderRow, NamesAgain,
    unnamed_labels::{FAST_TEXT_MARK, holds_fast_text_label, unnamed_labels},
};
use crate::{
    feedback::prediction::split_labels,
    labels::{human_loop::is_answer_word, label_key::label_key, label_set::MAX_NAME_BYTES},
    text::is_blank,
};

/// A row of our own after the file's last: where it is not found as a row, an open quote has swallowed it.
const END: &[u8] = b"\n\0end of the file";
const END_ROW: &[u8] = END.split_at(1).1;

/// Told of a header line that names the columns the other way round.
const TEXT_FIRST: &str = "the header line was skipped; it names the text first, and so the columns were read";

/// Told of a first row that only those below tell to be a header line.
const GUESSED: &str = "read as a header line and skipped: none of the first rows below has its label, theirs come again, \
    and their texts are longer; if it is a row, put it further down";

/// Told of a file whose cells stand in single quotes.
const SINGLE_QUOTES: &str = "line 1: the cells stand in single quotes, and were read without these";

/// Bytes at the beginning of a file by which it is told what it is.
const SAMPLE_BYTES: usize = 64 << 10;

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

/// Why a row that has taken others in cannot be used.
const SWALLOWED: &str = "the quote before the text is closed only in a later row, so that the rows between are part of the text; \
                         close it, or write quotes within a text twice";

/// Told of a header line within a file that names the columns otherwise than they are read.
const TURNED: &str = "the header line names the columns the other way round than those above are read; \
                      put files with other columns there by themselves";

/// Why a text with a label of fastText in it is not read.
const WITHIN: &str = "the text holds a word that begins with `__label__`, as fastText marks labels, which would be learnt as a \
    word: take it out of the text; `import` reads files of fastText";

/// Why a row of fastText is not read as columns.
const FAST_TEXT: &str = "the row holds `__label__`, as fastText marks labels: write the label without it, then a comma, then the \
                         text; `import` reads such files";

/// A file with what was read of it to look at, and a row of our own after its last.
type Lines<R> = LineFeeds<Chain<Chain<Cursor<Vec<u8>>, Rest<R>>, &'static [u8]>>;

/// The rows of a file, one by one; a bad row is told and reading goes on.
pub struct TrainingRows<R> {
    rows: csv::Reader<Lines<R>>,
    /// What separates the columns, where the first line names it.
    declared: Option<u8>,
    /// What cells are quoted with.
    quote: u8,
    header: Option<Header>,
    /// Whether only the rows below tell that the first one is a header line.
    is_guessed: bool,
    /// Rows at the beginning that are none: the line that names the separator, and the header line.
    to_skip: usize,
    /// The header line itself, if there is one.
    header_row: Option<HeaderRow>,
    swallowed: Swallowed,
    /// Lines of header lines within the file.
    header_lines: Vec<u64>,
    /// Lines of rows whose quote ends before their text.
    unquoted_lines: Vec<u64>,
    /// Lines of rows whose text held characters that are none of a text.
    control_lines: Vec<u64>,
    /// Whether what may be labels that are not named, or a label within a text, is taken as it is.
    takes_any_names: bool,
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
        let Beginning {
            declared,
            quote,
            header,
            is_guessed,
        } = look_at(&sample, is_whole, label_delimiter)?;
        let separator = declared.unwrap_or(b',');
        let content = Cursor::new(sample).chain(Rest { failure, file }).chain(END);
        Ok(Self {
            rows: reader(separator, quote).from_reader(LineFeeds::new(content, separator, quote)),
            declared,
            quote,
            to_skip: usize::from(declared.is_some()) + usize::from(header.is_some()),
            header,
            is_guessed,
            header_row: None,
            swallowed: Swallowed::default(),
            header_lines: Vec::new(),
            unquoted_lines: Vec::new(),
            control_lines: Vec::new(),
            takes_any_names: false,
            ended: false,
        })
    }

    /// Takes what may be labels that are not named, or a label of fastText within a text, as it is: in a file whose labels were
    /// resolved before, such as a dataset. People and clients send any texts, and one must not end all training.
    #[must_use]
    pub fn taking_any_names(self) -> Self {
        // A dataset has no header line of words that are not known: its first row is one.
        let (header, to_skip) = match self.is_guessed {
            true => (None, self.to_skip - 1),
            false => (self.header, self.to_skip),
        };
        Self {
            takes_any_names: true,
            header,
            to_skip,
            is_guessed: false,
            ..self
        }
    }

    /// Says what was read otherwise than it is written, as far as the rows were read.
    pub fn repairs(&self) -> Vec<String> {
        let declared = self.declared.map(|separator| {
            format!(
                "line 1: {} separates the columns, as the line says",
                shown(separator)
            )
        });
        let line = 1 + usize::from(self.declared.is_some());
        let quotes = (self.quote != b'"').then(|| SINGLE_QUOTES.to_owned());
        let header = match self.header {
            None => None,
            Some(_) if self.is_guessed => Some(format!("line {line}: {GUESSED}")),
            Some(Header::LabelFirst) => Some(format!("line {line}: the header line was skipped")),
            Some(Header::TextFirst) => Some(format!("line {line}: {TEXT_FIRST}")),
        };
        let again = told_of_lines(&self.header_lines, "a header line within the file was skipped");
        let unquoted = told_of_lines(
            &self.unquoted_lines,
            "a quote that ends before its text was left out; quotes within a text are written twice",
        );
        let controls = told_of_lines(
            &self.control_lines,
            "a control character within the text, such as a zero byte, was left out",
        );
        [declared, quotes, header, again, unquoted, controls]
            .into_iter()
            .flatten()
            .collect()
    }

    /// Returns whether a row names the columns once more.
    ///
    /// # Errors
    ///
    /// It names them the other way round than they are read.
    fn is_header_again(&self, record: &csv::ByteRecord, line: u64) -> Result<bool, BadRow> {
        let turned = || {
            Err(BadRow {
                line,
                reason: TURNED.to_owned(),
            })
        };
        let again = self.header_row.as_ref().zip(cells(record));
        match again.and_then(|(header, cells)| header.again(&cells)) {
            Some(NamesAgain::Same) => return Ok(true),
            Some(NamesAgain::Turned) => return turned(),
            None => {}
        }
        let before = self.header.unwrap_or(Header::LabelFirst);
        match header_within(record) {
            None => Ok(false),
            Some(header) if header == before => Ok(true),
            Some(_) => turned(),
        }
    }

    /// Checks that the quotes of a row are its own, and reads it.
    fn checked_row(&mut self, record: &csv::ByteRecord, line: u64) -> Result<TrainingRow, BadRow> {
        let broken = self.rows.get_mut().quotes.broken_in(line);
        let swallowed = || BadRow {
            line,
            reason: SWALLOWED.to_owned(),
        };
        if broken.is_some_and(|broken| broken.is_over_lines) {
            return Err(swallowed());
        }
        let mut row = self.row(record, line)?;
        if row.text.contains(is_no_text) {
            // As normal forms do, so that it is the same text elsewhere.
            row.text = row.text.replace(is_no_text, "");
            self.control_lines.push(line);
        }
        if self.swallowed.take(&row, self.header == Some(Header::TextFirst)) {
            return Err(swallowed());
        }
        self.unquoted_lines.extend(broken.map(|_| line));
        Ok(row)
    }

    fn row(&self, record: &csv::ByteRecord, line: u64) -> Result<TrainingRow, BadRow> {
        let bad = |reason: String| BadRow { line, reason };
        if record.len() != 2 {
            return Err(bad(format!(
                "expected two columns, label and text, found {} (a text with {} needs quotes)",
                record.len(),
                self.declared.map_or_else(|| "a comma".to_owned(), shown)
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
        if let Some(kind) = json_kind(label.as_bytes()) {
            let ends = label.trim_end().ends_with(['}', ']']);
            return Err(bad(match ends {
                true => {
                    format!("the label is {kind}; write its name, or several with a bar (|) between them")
                }
                false => format!("the line is {kind}, not a label and a text"),
            }));
        }
        if label.trim().is_empty() {
            return Err(bad("the label is empty".to_owned()));
        }
        if label == "sep=" && text.is_empty() {
            return Err(bad(
                "`sep=` is a spreadsheet's and no row: only the first line of a file may be one".to_owned(),
            ));
        }
        if !self.takes_any_names {
            if let Some(problem) = unnamed_labels(label) {
                return Err(bad(problem.to_owned()));
            }
            if label.contains(FAST_TEXT_MARK) {
                return Err(bad(FAST_TEXT.to_owned()));
            }
            if holds_fast_text_label(text) {
                return Err(bad(WITHIN.to_owned()));
            }
        }
        if let Some(problem) = split_labels(label).iter().find_map(|label| label_problem(label)) {
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
            match self.rows.read_byte_record(&mut record) {
                // Bytes and any number of columns are accepted, so that only the source can fail.
                Err(error) => {
                    self.ended = true;
                    return Some(Err(RowError::Read(error.into())));
                }
                Ok(false) => return None,
                Ok(true) if &record[0] == END_ROW => {
                    self.ended = true;
                    let late = self.swallowed.found_late();
                    return late.map(|line| Err(bad(line, SWALLOWED)));
                }
                Ok(true) if self.to_skip > 0 => {
                    self.to_skip -= 1;
                    if self.to_skip == 0 && self.header.is_some() {
                        self.header_row = cells(&record).map(|cells| HeaderRow::of(&cells));
                    }
                    continue;
                }
                Ok(true) => {}
            }
            // The row's own position is no help: it counts from before the blank lines.
            let next_line = self.rows.position().line() - line_breaks(&record);
            if record[record.len() - 1].ends_with(END_ROW) {
                self.ended = true;
                return Some(Err(bad(next_line, "the quote of this text is never closed")));
            }
            let line = next_line - 1;
            match self.is_header_again(&record, line) {
                Ok(true) => self.header_lines.push(line),
                Ok(false) => return Some(self.checked_row(&record, line).map_err(RowError::Bad)),
                Err(turned) => return Some(Err(RowError::Bad(turned))),
            }
        }
    }
}

/// Returns whether a character is a control other than white space, as line breaks and tabs are.
fn is_no_text(c: char) -> bool {
    c.is_control() && !c.is_whitespace()
}

/// Returns the cells of a row; none where one is no UTF-8.
fn cells(record: &csv::ByteRecord) -> Option<Vec<&str>> {
    record.iter().map(|cell| std::str::from_utf8(cell).ok()).collect()
}

fn bad(line: u64, reason: &str) -> RowError {
    RowError::Bad(BadRow {
        line,
        reason: reason.to_owned(),
    })
}

/// Tells what was done on some lines: of the first, and how many more there are.
fn told_of_lines(lines: &[u64], what: &str) -> Option<String> {
    let first = lines.first()?;
    Some(match lines.len() - 1 {
        0 => format!("line {first}: {what}"),
        more => format!("line {first} and {more} more: {what}"),
    })
}

/// Returns why a name that is not empty can be no label, if it cannot.
pub fn label_problem(label: &str) -> Option<&'static str> {
    if label.trim().len() > MAX_NAME_BYTES {
        return Some("the label is longer than 5000 bytes: the label set has no room for such a name");
    }
    if label.contains(char::is_control) {
        return Some("the label holds a line break or another control character");
    }
    // Nearly all are such.
    if label.bytes().any(|byte| byte.is_ascii_alphanumeric()) && !label.contains("__") && label.is_ascii() {
        return None;
    }
    if !label.trim().is_empty() && (is_blank(label) || label_key(label).is_empty()) {
        return Some("the label holds nothing that can be seen");
    }
    is_answer_word(label)
        .then_some("the label is a word of the review page, which says that no label was chosen")
}

/// Names a separator.
fn shown(separator: u8) -> String {
    match separator {
        b'\t' => "a tab".to_owned(),
        other => format!("`{}`", char::from(other)),
    }
}

fn reader(separator: u8, quote: u8) -> csv::ReaderBuilder {
    let mut builder = csv::ReaderBuilder::new();
    builder
        .has_headers(false)
        .flexible(true)
        .delimiter(separator)
        .quote(quote);
    builder
}

fn line_breaks(record: &csv::ByteRecord) -> u64 {
    record.iter().flatten().filter(|&&byte| byte == b'\n').count() as u64
}

/// Returns the place of the column of labels in a training file, from 0, as [`TrainingRows`] reads it: a header line may name
/// the text first.
pub fn label_column(content: &[u8], label_delimiter: Option<char>) -> usize {
    let sample = &content[..content.len().min(SAMPLE_BYTES)];
    match look_at(sample, content.len() < SAMPLE_BYTES, label_delimiter) {
        Ok(beginning) if beginning.header == Some(Header::TextFirst) => 1,
        Ok(_) | Err(_) => 0,
    }
}

#[cfg(test)]
mod tests;
