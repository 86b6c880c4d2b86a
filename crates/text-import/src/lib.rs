//! Reads labelled and unlabelled texts out of what people have: CSV of any kind, Excel workbooks, JSON, JSON
//! Lines, and the exports of labelling tools.
//!
//! What a file is is told by its content. [`read`] reads a whole file, guesses columns and says what it
//! understood: for a person who looks at it before anything is done. [`feedback`] reads files as streams that
//! nobody looks at: it guesses nothing. Both read the same formats with the same code.
//!
//! Pure: bytes in, rows and a report out.

mod beside;
mod class_names;
mod collect;
mod collected;
mod columns;
mod columnwise;
mod container;
mod content;
mod crosses;
mod document;
mod draft;
mod elements;
mod encoding;
pub mod feedback;
mod fields;
mod finish;
mod grouped;
mod header;
mod labels;
mod layout;
mod lines;
mod machine;
mod named;
mod names;
mod no_texts;
mod objects;
mod python;
mod qualtrics;
mod records;
mod signed;
mod source;
mod summary;
mod table;
mod tools;
mod totals;
mod verdict;
mod workbook;
mod written;

use serde::Serialize;

pub use labels::LabelDelimiter;
pub use summary::{Conflict, LabelCount, Summary};
pub use tools::Tool;

/// What somebody says of a file; everything may be left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Name of the file, of which the end is a hint at most.
    pub name: Option<String>,
    /// Column or field of the texts: its name, or its number from 1.
    pub text_column: Option<String>,
    /// Column or field of the labels: its name, or its number from 1.
    pub label_column: Option<String>,
    /// What stands between several labels of one cell.
    pub label_delimiter: LabelDelimiter,
    /// The labels that there are: a first row that has one of them above such is no row of names.
    pub labels: Vec<String>,
    /// The labels that there are, where a text may have several: then a bar stands between labels, unless they hold it.
    pub several_labels_of: Option<Vec<String>>,
    /// What stands between columns.
    pub delimiter: Option<u8>,
    /// Name of the encoding, as browsers know it: `windows-1251`, `shift_jis`.
    pub encoding: Option<String>,
    /// Sheet of a workbook.
    pub sheet: Option<String>,
}

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// Columns with a delimiter.
    Csv,
    /// One text a line.
    Lines,
    /// An Excel workbook.
    Xlsx,
    /// One JSON document.
    Json,
    /// One JSON object a line.
    JsonLines,
}

impl Format {
    /// Returns its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Csv => "CSV",
            Self::Lines => "one text a line",
            Self::Xlsx => "Excel workbook",
            Self::Json => "JSON",
            Self::JsonLines => "JSON Lines",
        }
    }
}

/// Why nothing of a file can be used. Safe to show: it holds names of columns and of formats, never a text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is of a format that is not read.
    #[error("the file is {what}; {advice}")]
    Format {
        /// What it is.
        what: &'static str,
        /// What to do.
        advice: &'static str,
    },
    /// There is nothing in it.
    #[error("the file is empty")]
    Empty,
    /// Its columns are named, and that is all.
    #[error("the file names its columns and holds no row")]
    NoRows,
    /// A column that was named is not there.
    #[error("there is no column `{name}`; the columns are {}", listed(.columns))]
    NoColumn {
        /// The column that was named.
        name: String,
        /// The columns there are.
        columns: Vec<String>,
    },
    /// A sheet that was named is not there.
    #[error("there is no sheet `{name}`; the sheets are {}", listed(.sheets))]
    NoSheet {
        /// The sheet that was named.
        name: String,
        /// The sheets there are.
        sheets: Vec<String>,
    },
    /// No column can hold texts.
    #[error("no column holds texts; name one with --text-column")]
    NoText,
    /// A column that is called like texts holds labels, and one that is called like labels holds texts.
    #[error(
        "column `{text}` holds what comes again and again, as labels do, and column `{label}` other words in each row: are \
         the columns swapped? Name that of the texts with --text-column"
    )]
    Swapped {
        /// The column that is called like texts.
        text: String,
        /// The one that is called like labels.
        label: String,
    },
    /// The encoding that was named is not known.
    #[error(
        "there is no encoding `{0}`; examples are utf-8, utf-16le, windows-1252, windows-1251, shift_jis"
    )]
    NoEncoding(String),
    /// The file has another encoding than the one that was named.
    #[error("the file is {found}, not {named}: name that, or leave the encoding out")]
    OtherEncoding {
        /// The encoding that was named.
        named: &'static str,
        /// The one that it has.
        found: &'static str,
    },
    /// It cannot be read to an end.
    #[error("{0}")]
    Damaged(String),
}

impl Refusal {
    /// Returns whether the file is of a kind that holds no texts in rows, such as a picture.
    pub fn is_of_no_texts(&self) -> bool {
        matches!(
            self,
            Self::Format {
                what: "a picture" | "a program",
                ..
            }
        )
    }
}

fn listed(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{}`", name.trim())).collect();
    names.join(", ")
}

/// What a column is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// The texts.
    Text,
    /// The labels.
    Label,
    /// Who gave the labels.
    Annotator,
    /// The classifiers that the texts are of.
    Classifier,
    /// It is not used.
    Unused,
}

/// A column of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Column {
    /// Its name, or its number where no row names the columns.
    pub name: String,
    /// What it is taken for.
    pub role: Role,
}

/// What one person said of one text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Vote {
    /// The labels; never none.
    pub labels: Vec<String>,
    /// Who said so, if the file names them.
    pub by: Option<String>,
    /// When, RFC 3339 in UTC, if the file says so.
    pub at: Option<String>,
}

/// A text that can be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Line on which it starts, or number of the row or element; from 1.
    pub line: u64,
    /// The text.
    pub text: String,
    /// The classifier that the row names; a document may name one for all.
    pub classifier: Option<String>,
    /// What people said of it; nothing where it is not labelled.
    pub votes: Vec<Vote>,
}

/// A part of a file that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rejected {
    /// Line on which it starts, or number of the row or element; from 1.
    pub line: u64,
    /// Why; safe to show.
    pub reason: String,
}

/// What was understood of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// How it is written.
    pub format: Format,
    /// The tool that wrote it, where its shape says so.
    pub tool: Option<Tool>,
    /// Whether it is compressed by gzip.
    pub gzip: bool,
    /// Its encoding; none of a workbook.
    pub encoding: Option<String>,
    /// What stands between its columns.
    pub delimiter: Option<char>,
    /// The sheets that were read.
    pub sheets: Vec<String>,
    /// Its columns, if it has some.
    pub columns: Vec<Column>,
    /// The classifier that a document names.
    pub classifier: Option<String>,
    /// Its texts, in their order.
    pub rows: Vec<Row>,
    /// The labels that there are, as [`Options`] said.
    pub known_labels: Vec<String>,
    /// What of it cannot be used.
    pub rejected: Vec<Rejected>,
    /// What was read otherwise than it is written, and what was guessed.
    pub notes: Vec<String>,
}

impl Import {
    /// Counts its rows.
    pub fn summary(&self) -> Summary {
        Summary::knowing(&self.known_labels, &self.rows)
    }

    /// Returns the texts that nobody labelled.
    pub fn unlabelled(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| row.votes.is_empty())
    }

    /// Returns the texts with labels.
    pub fn labelled(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| !row.votes.is_empty())
    }
}

/// Reads a file. Rows that cannot be used are told and reading goes on.
///
/// Limits: a row of 1 MiB, a text of [`MAX_UTTERANCE_BYTES`](active_learning_core::MAX_UTTERANCE_BYTES), 1
/// GiB of unpacked content.
///
/// # Errors
///
/// [`Refusal`] where nothing of it can be used.
pub fn read(bytes: &[u8], options: &Options) -> Result<Import, Refusal> {
    collect::read(bytes, options)
}
