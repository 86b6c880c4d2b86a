//! Training data in Comprehend's CSV: `LABEL,text`, no header, UTF-8; `LABEL|LABEL,text` for multi-label.
//!
//! A byte-order mark, `\r\n`, blank lines and quoted line breaks are fine. Anything else that is wrong
//! refuses the file with the line's number: a model trained on half a file helps nobody. Texts are
//! turned into features row by row and not kept; features take roughly four times the text's size.

use std::{
    collections::BTreeMap,
    io::{self, Read},
};

use active_learning_core::dataset::Mode;

use crate::{features::Features, fit::Labelled};

/// Separates the labels of a row in a multi-label file.
pub const LABEL_DELIMITER: char = '|';
/// Most classes of a multi-class model, as in Comprehend.
pub const MAX_CLASSES: usize = 1_000;
/// Most labels of a multi-label model, as in Comprehend.
pub const MAX_LABELS: usize = 100;

/// Texts between two lines of the log.
const PROGRESS_EVERY: usize = 100_000;

/// A row of our own after the file's last: where it is not found as a row, an open quote has swallowed it.
const END: &[u8] = b"\n\0end of the training file";
const END_ROW: &[u8] = END.split_at(1).1;

/// Labelled texts, ready to train on.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainingSet {
    /// Whether a text has one label or several.
    pub mode: Mode,
    /// Sorted, without duplicates.
    pub labels: Vec<String>,
    /// The texts, in the order of the file.
    pub examples: Vec<Example>,
}

/// One labelled text.
#[derive(Debug, Clone, PartialEq)]
pub struct Example {
    /// Indexes into [`TrainingSet::labels`], ascending; exactly one in multi-class mode.
    pub labels: Box<[u32]>,
    /// What the model sees of the text.
    pub features: Features,
}

impl Example {
    pub(crate) fn labelled(&self) -> Labelled<'_> {
        Labelled {
            features: &self.features,
            labels: &self.labels,
        }
    }
}

/// Why a training file is refused. Messages name the line, never its text.
#[derive(Debug, thiserror::Error)]
pub enum TrainingDataError {
    /// The source failed, not the data.
    #[error("the training file could not be read")]
    Read(#[source] io::Error),
    /// Some bytes of the row are not UTF-8.
    #[error("line {line}: not valid UTF-8")]
    NotUtf8 {
        /// Line on which the row starts, from 1.
        line: u64,
    },
    /// Not two columns.
    #[error(
        "line {line}: expected two columns, label and text, found {found} (a text with a comma needs quotes)"
    )]
    ColumnCount {
        /// Line on which the row starts, from 1.
        line: u64,
        /// Columns of the row.
        found: usize,
    },
    /// No label, or an empty one between delimiters.
    #[error("line {line}: the label is empty")]
    EmptyLabel {
        /// Line on which the row starts, from 1.
        line: u64,
    },
    /// No text, or only white space.
    #[error("line {line}: the text is empty")]
    EmptyText {
        /// Line on which the row starts, from 1.
        line: u64,
    },
    /// The file ends within a quoted text.
    #[error("line {line}: the quote of this text is never closed")]
    UnclosedQuote {
        /// Line on which the row starts, from 1.
        line: u64,
    },
    /// Nothing to tell apart.
    #[error("the file has {found} different labels, at least two are needed")]
    TooFewLabels {
        /// Different labels in the file.
        found: usize,
    },
    /// More than [`MAX_CLASSES`] or [`MAX_LABELS`].
    #[error(
        "the file has {found} different labels, at most {limit} are supported (label first, then the text?)"
    )]
    TooManyLabels {
        /// Different labels in the file.
        found: usize,
        /// Most labels in the file's mode.
        limit: usize,
    },
    /// A test set names labels that the training set does not have.
    #[error("the test set has {unknown} labels that the training set does not have")]
    UnknownLabels {
        /// Different labels that are new in it.
        unknown: usize,
    },
    /// A line of an augmented manifest is not a JSON object with a text and the labels of an attribute.
    #[error("line {line}: {reason}")]
    Manifest {
        /// The line, from 1.
        line: u64,
        /// What is wrong.
        reason: &'static str,
    },
}

/// How many labels a row may have, and what separates them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LabelSyntax {
    /// One, unless a label somewhere holds [`LABEL_DELIMITER`].
    Detect,
    /// One, whatever characters it holds.
    One,
    /// Any number, separated by a character.
    Several(char),
}

/// Labelled texts on their way into a set: any number of files, in order.
#[derive(Debug)]
pub struct Collector {
    syntax: LabelSyntax,
    mode: Mode,
    label_ids: BTreeMap<String, u32>,
    examples: Vec<Example>,
}

impl TrainingSet {
    /// Reads Comprehend CSV row by row; it is multi-label if any label holds [`LABEL_DELIMITER`].
    ///
    /// # Errors
    ///
    /// The first row that cannot be used, or too few or too many labels in the whole file.
    /// Source: Amazon Comprehend, "Preparing classifier training data".
    pub fn read_csv(reader: impl Read) -> Result<Self, TrainingDataError> {
        let mut collector = Collector::new(LabelSyntax::Detect);
        collector.read_csv(reader)?;
        collector.training_set()
    }

    /// Returns the number of labelled texts.
    #[must_use]
    pub fn len(&self) -> usize {
        self.examples.len()
    }

    /// Returns whether there is no labelled text.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.examples.is_empty()
    }
}

impl Collector {
    /// Starts without a text.
    pub fn new(syntax: LabelSyntax) -> Self {
        let mode = match syntax {
            LabelSyntax::Detect | LabelSyntax::One => Mode::MultiClass,
            LabelSyntax::Several(_) => Mode::MultiLabel,
        };
        Self {
            syntax,
            mode,
            label_ids: BTreeMap::new(),
            examples: Vec::new(),
        }
    }

    /// Adds the rows of a CSV file.
    pub fn read_csv(&mut self, reader: impl Read) -> Result<(), TrainingDataError> {
        let mut rows = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .from_reader(
                LineFeeds {
                    inner: reader,
                    after_return: false,
                }
                .chain(END),
            );
        let mut row = csv::ByteRecord::new();
        while rows.read_byte_record(&mut row).map_err(read_error)? && &row[0] != END_ROW {
            // The row's own position is no help: it counts from before the blank lines.
            let next_line = rows.position().line() - line_breaks(&row);
            if row[row.len() - 1].ends_with(END_ROW) {
                return Err(TrainingDataError::UnclosedQuote { line: next_line });
            }
            let line = next_line - 1;
            let (label, text) = columns(&row, line)?;
            match self.syntax {
                LabelSyntax::Detect => {
                    if label.contains(LABEL_DELIMITER) {
                        self.mode = Mode::MultiLabel;
                    }
                    self.push(label.split(LABEL_DELIMITER), text, line)?;
                }
                LabelSyntax::One => self.push([label], text, line)?,
                LabelSyntax::Several(delimiter) => self.push(label.split(delimiter), text, line)?,
            }
        }
        Ok(())
    }

    /// Adds one text.
    pub fn push<'a>(
        &mut self,
        labels: impl IntoIterator<Item = &'a str>,
        text: &str,
        line: u64,
    ) -> Result<(), TrainingDataError> {
        let mut ids = Vec::new();
        for label in labels.into_iter().map(str::trim) {
            if label.is_empty() {
                return Err(TrainingDataError::EmptyLabel { line });
            }
            let next = self.label_ids.len() as u32;
            ids.push(*self.label_ids.entry(label.to_owned()).or_insert(next));
        }
        if text.trim().is_empty() {
            return Err(TrainingDataError::EmptyText { line });
        }
        self.examples.push(Example {
            labels: ids.into_boxed_slice(),
            features: Features::of(text),
        });
        if self.examples.len().is_multiple_of(PROGRESS_EVERY) {
            tracing::info!(texts = self.examples.len(), "reading training data");
        }
        Ok(())
    }

    /// Numbers the labels in alphabetical order: a model does not depend on which came first.
    pub fn training_set(self) -> Result<TrainingSet, TrainingDataError> {
        check_label_count(self.label_ids.len(), self.mode)?;
        let labels: Vec<String> = self.label_ids.keys().cloned().collect();
        Ok(TrainingSet {
            mode: self.mode,
            examples: self.renumbered(&labels)?,
            labels,
        })
    }

    /// Returns the texts as a test of a model with these sorted labels.
    pub fn test_set(self, labels: &[String]) -> Result<Vec<Example>, TrainingDataError> {
        self.renumbered(labels)
    }

    fn renumbered(mut self, sorted_labels: &[String]) -> Result<Vec<Example>, TrainingDataError> {
        let mut sorted_ids = vec![0; self.label_ids.len()];
        let mut unknown = 0;
        for (label, &id) in &self.label_ids {
            match sorted_labels.binary_search(label) {
                Ok(sorted) => sorted_ids[id as usize] = sorted as u32,
                Err(_) => unknown += 1,
            }
        }
        if unknown > 0 {
            return Err(TrainingDataError::UnknownLabels { unknown });
        }
        for example in &mut self.examples {
            let mut labels: Vec<u32> = example.labels.iter().map(|&id| sorted_ids[id as usize]).collect();
            labels.sort_unstable();
            labels.dedup();
            example.labels = labels.into_boxed_slice();
        }
        Ok(self.examples)
    }
}

fn line_breaks(row: &csv::ByteRecord) -> u64 {
    row.iter().flatten().filter(|&&byte| byte == b'\n').count() as u64
}

fn columns(row: &csv::ByteRecord, line: u64) -> Result<(&str, &str), TrainingDataError> {
    if row.len() != 2 {
        return Err(TrainingDataError::ColumnCount {
            line,
            found: row.len(),
        });
    }
    let utf8 =
        |column: usize| std::str::from_utf8(&row[column]).map_err(|_| TrainingDataError::NotUtf8 { line });
    Ok((utf8(0)?, utf8(1)?))
}

fn check_label_count(found: usize, mode: Mode) -> Result<(), TrainingDataError> {
    let limit = match mode {
        Mode::MultiClass => MAX_CLASSES,
        Mode::MultiLabel => MAX_LABELS,
    };
    if found < 2 {
        return Err(TrainingDataError::TooFewLabels { found });
    }
    if found > limit {
        return Err(TrainingDataError::TooManyLabels { found, limit });
    }
    Ok(())
}

/// Bytes and any number of columns are accepted above, so that only the source can fail.
fn read_error(error: csv::Error) -> TrainingDataError {
    TrainingDataError::Read(error.into())
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
mod tests {
    use super::*;

    fn read(csv: impl AsRef<[u8]>) -> Result<TrainingSet, TrainingDataError> {
        TrainingSet::read_csv(csv.as_ref())
    }

    fn refusal(csv: impl AsRef<[u8]>) -> String {
        read(csv).expect_err("the file is bad").to_string()
    }

    #[test]
    fn labels_are_sorted_whatever_their_order_in_the_file() {
        let set = read("b,one\na,two\nb,three\n").expect("good file");

        assert_eq!(set.mode, Mode::MultiClass);
        assert_eq!(set.labels, ["a", "b"]);
        let labels: Vec<_> = set.examples.iter().map(|example| &example.labels[..]).collect();
        assert_eq!(labels, [[1], [0], [1]]);
    }

    #[test]
    fn byte_order_mark_crlf_blank_lines_and_missing_last_line_end_change_nothing() {
        let plain = read("a,one\nb,\"two, and\nthree\"\n").expect("good file");

        let disguised = read("\u{feff}a,one\r\n\r\nb,\"two, and\nthree\"").expect("good file");

        assert_eq!(disguised, plain);
    }

    #[test]
    fn a_delimiter_in_any_label_makes_the_file_multi_label() {
        let set = read("b,one\nc|a|c,two\n").expect("good file");

        assert_eq!(set.mode, Mode::MultiLabel);
        assert_eq!(set.labels, ["a", "b", "c"]);
        assert_eq!(set.examples[1].labels[..], [0, 2]);
    }

    #[test]
    fn each_bad_row_is_refused_with_its_line_and_reason() {
        let cases: [(&[u8], &str); 8] = [
            (
                b"a,one\nb\n",
                "line 2: expected two columns, label and text, found 1 (a text with a comma needs quotes)",
            ),
            (
                b"a,one\n\nb,two, three\n",
                "line 3: expected two columns, label and text, found 3 (a text with a comma needs quotes)",
            ),
            (b"a,\"one\nmore\"\n,two\n", "line 3: the label is empty"),
            (b"a|,one\n", "line 1: the label is empty"),
            (b"a,one\r\nb, \t\r\n", "line 2: the text is empty"),
            (b"a,one\nb,caf\xe9\n", "line 2: not valid UTF-8"),
            (b"\xff\xfea\0,\0o\0n\0e\0", "line 1: not valid UTF-8"),
            (
                b"a,one\nb,\"two\nb,three\nb,four\n",
                "line 2: the quote of this text is never closed",
            ),
        ];
        for (csv, message) in cases {
            assert_eq!(refusal(csv), message, "{}", csv.escape_ascii());
        }
    }

    #[test]
    fn fewer_than_two_labels_are_refused() {
        assert_eq!(
            refusal(""),
            "the file has 0 different labels, at least two are needed"
        );
        assert_eq!(
            refusal("a,one\na,two\n"),
            "the file has 1 different labels, at least two are needed"
        );
    }

    #[test]
    fn swapped_columns_are_refused_when_every_row_is_its_own_label() {
        let csv: String = (0..1_001).map(|row| format!("text number {row},a\n")).collect();

        assert!(refusal(csv).starts_with("the file has 1001 different labels, at most 1000"));
    }
}
