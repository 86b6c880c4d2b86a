//! What is in a column, by which it is told what it holds.

use std::collections::HashSet;

use active_learning_core::dataset::FAST_TEXT_MARK;
use active_learning_core::labels::label_key::label_key;

use crate::{
    Options,
    labels::{Cut, Written},
    workbook::is_error,
};

/// Longest label on the average, in characters, where only its content tells a column.
pub(crate) const MAX_LABEL: usize = 50;

/// What is in a column.
pub(crate) struct Content {
    pub filled: usize,
    pub distinct: usize,
    /// Different labels, where its cells are cut as cells of labels are.
    pub labels: usize,
    /// Cells that hold several labels.
    pub several: usize,
    /// Whether each cell holds labels that there are.
    pub are_known: bool,
    /// Characters on the average.
    pub length: usize,
    /// Words in all cells.
    pub words: usize,
    pub are_numbers: bool,
    /// Whether each cell says `true` or `false`.
    pub are_flags: bool,
    pub are_dates: bool,
    /// Whether each cell is a list or an object of JSON.
    pub are_json: bool,
    /// Whether each cell is another number, with the same letters and signs around it: `A-1001`.
    pub are_codes: bool,
    /// Whether each cell begins with a label as fastText marks it.
    pub are_marked: bool,
}

/// Cells from which different numbers are those of the rows.
const MIN_CODES: usize = 3;

impl Content {
    pub(crate) fn of(rows: &[Vec<String>], column: usize, options: &Options) -> Self {
        let cells = || {
            rows.iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.trim())
                .filter(|cell| !cell.is_empty() && !is_error(cell))
        };
        let filled = cells().count();
        let distinct = cells().collect::<HashSet<_>>().len();
        let cut = Cut::of(
            cells(),
            options.label_delimiter,
            false,
            options.several_labels_of.as_deref(),
        );
        let labels_of: Vec<Vec<String>> = cells()
            .map(|cell| cut.labels(Written::Cell(cell.to_owned())))
            .collect();
        let known: HashSet<String> = options.labels.iter().map(|label| label_key(label)).collect();
        let are_known = |labels: &Vec<String>| {
            !labels.is_empty() && labels.iter().all(|label| known.contains(&label_key(label)))
        };
        let around = |cell: &str| cell.chars().filter(|c| !c.is_ascii_digit()).collect::<String>();
        Self {
            filled,
            distinct,
            labels: labels_of.iter().flatten().collect::<HashSet<_>>().len(),
            several: labels_of.iter().filter(|labels| labels.len() > 1).count(),
            are_known: filled > 0 && !known.is_empty() && labels_of.iter().all(are_known),
            are_codes: filled >= MIN_CODES
                && distinct == filled
                && cells().all(|cell| cell.bytes().any(|byte| byte.is_ascii_digit()))
                && cells().map(around).collect::<HashSet<_>>().len() == 1,
            length: cells().map(|cell| cell.chars().count()).sum::<usize>() / filled.max(1),
            words: cells().map(|cell| cell.split_whitespace().count()).sum(),
            are_numbers: filled > 0 && cells().all(is_number),
            are_flags: filled > 0 && cells().all(is_flag),
            are_dates: filled > 0 && cells().all(is_date),
            are_json: filled > 0 && cells().all(is_json),
            are_marked: filled > 0 && cells().all(|cell| cell.starts_with(FAST_TEXT_MARK)),
        }
    }

    /// Returns whether it holds long texts, which hardly come again; lists and objects are none, however long.
    pub(crate) fn are_texts(&self) -> bool {
        self.length > MAX_LABEL && 2 * self.distinct > self.filled && !self.are_json
    }

    /// Returns whether it may hold labels: short words that come again.
    pub(crate) fn may_be_labels(&self, rows: usize) -> bool {
        if self.are_known || self.are_lists() {
            return true;
        }
        let come_again = self.distinct < self.filled && 2 * self.distinct <= rows.max(4);
        2 * self.filled >= rows && self.length <= MAX_LABEL && !self.are_dates && come_again
    }
}

impl Content {
    /// Returns whether its cells are short and come twice or more on the average.
    pub(crate) fn comes_again(&self) -> bool {
        self.filled >= 4 && 2 * self.distinct <= self.filled && self.length <= MAX_LABEL
    }

    /// Returns whether cells hold several labels each, which come again in others, though the cells may not.
    pub(crate) fn are_lists(&self) -> bool {
        self.several > 0 && 2 * self.labels <= self.filled
    }
}

fn is_flag(cell: &str) -> bool {
    ["true", "false"]
        .iter()
        .any(|flag| cell.eq_ignore_ascii_case(flag))
}

fn is_json(cell: &str) -> bool {
    cell.starts_with(['{', '[']) && serde_json::from_str::<serde::de::IgnoredAny>(cell).is_ok()
}

/// Returns whether a cell is a number, with a point or a comma.
pub(crate) fn is_number(cell: &str) -> bool {
    cell.replace(',', ".").parse::<f64>().is_ok()
}

/// Returns whether a cell is a date, with a time and its zone as forms write them: `2026/11/28 10:00:00 AM MEZ`.
pub(crate) fn is_date(cell: &str) -> bool {
    let digits = cell.bytes().filter(u8::is_ascii_digit).count();
    let is_sign = |byte: &u8| matches!(byte, b'-' | b'/' | b'.' | b':' | b'T' | b'Z' | b' ' | b'+');
    let signs = cell.bytes().filter(is_sign).count();
    let has_zone = || {
        let letters = cell.bytes().filter(u8::is_ascii_uppercase).count();
        let rest = cell.len()
            - digits
            - cell
                .bytes()
                .filter(|byte| is_sign(byte) && !byte.is_ascii_uppercase())
                .count();
        cell.starts_with(|c: char| c.is_ascii_digit())
            && digits >= 8
            && signs >= 4
            && letters <= 7
            && rest == letters
    };
    digits >= 6 && signs >= 2 && (digits + signs == cell.len() || has_zone())
}
