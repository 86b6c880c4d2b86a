//! Dataset versions: rows, the files that training reads, what is held out, and the check before money is spent.

mod augmented_manifest;
mod check;
mod csv;
mod header_row;
mod manifest;
mod near_copies;
mod separator;
mod split;
mod training_check;
mod training_report;
mod training_rows;
mod unnamed_labels;
mod words_beside;

use serde::{Deserialize, Serialize};

pub use augmented_manifest::{ManifestInfo, is_own_manifest_line, manifest_line, read_manifest};
pub use check::{Problem, Rules, Severity, check};
pub use csv::{CsvWriter, inspect_csv, read_csv, read_delimited_csv};
pub use header_row::{HeaderRow, NamesAgain};
pub use manifest::{DatasetFile, DatasetManifest, FileSummary, MachineLabelledFile, dataset_version};
pub use near_copies::{HeldOut, NearCopies};
pub use separator::declared_separator;
pub use split::{ContentId, TextId, is_test};
pub use training_check::{
    Findings, Spelling, Spellings, TrainingCheck, Unusable, text_id, warn_of_single_rows,
};
pub use training_report::{
    INITIAL_PREFIX, ONLY_LABEL, SAMPLE_IGNORED, TrainingFileReport, TrainingFileState, is_initial_file,
    is_shipped_sample, only_label_out_of_use, report_key, report_on_other_file,
};
pub use training_rows::{BadRow, RowError, TrainingRow, TrainingRows, label_column, label_problem};
pub use unnamed_labels::{FAST_TEXT_MARK, VECTOR, holds_fast_text_label, unnamed_labels};
pub use words_beside::WordsBeside;

/// Whether a text has one label or any number of them. Serialised as Comprehend's `Mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Mode {
    /// Exactly one class a text; a model's probabilities sum to 1.
    MultiClass,
    /// Any number of labels a text, each with its own probability, joined by [`LABEL_DELIMITER`](crate::feedback::prediction::LABEL_DELIMITER).
    MultiLabel,
}

/// One labelled text. As JSON it is a line of the JSON Lines export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The labels; exactly one in a multi-class dataset.
    pub labels: Vec<String>,
    /// The text.
    pub text: String,
}

impl Row {
    /// Writes the row as a line of JSON Lines, with its line feed.
    pub fn to_json_line(&self) -> String {
        let mut line = serde_json::to_string(self).expect("texts are always JSON");
        line.push('\n');
        line
    }
}

/// Returns the text on one line: each run of line breaks and other control characters becomes a space.
///
/// Comprehend reads one document a line; a quoted line break is legal CSV but has been read as two rows.
pub fn one_line(text: &str) -> String {
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    let parts = text.split(breaks).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join(" ").trim().to_owned()
}
