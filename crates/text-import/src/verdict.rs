//! A column that says whether the label of a row counts: `answer` of Prodigy, written as a table.

use crate::{columns::Roles, names::folded};

/// Words of such a column, with why a label of that row does not count.
const WORDS: [(&str, Option<&str>); 15] = [
    ("accept", None),
    ("accepted", None),
    ("approved", None),
    ("validated", None),
    ("submitted", None),
    ("reject", Some(REJECTED)),
    ("rejected", Some(REJECTED)),
    ("ignore", Some(IGNORED)),
    ("ignored", Some(IGNORED)),
    ("skip", Some(SKIPPED)),
    ("skipped", Some(SKIPPED)),
    ("cancelled", Some(SKIPPED)),
    ("discarded", Some(DISCARDED)),
    ("draft", Some(DISCARDED)),
    ("", None),
];

const REJECTED: &str = "is a label that was rejected, which says nothing of the right one";
const IGNORED: &str = "was ignored by its annotator";
const SKIPPED: &str = "was skipped by its annotator";
const DISCARDED: &str = "was discarded or is a draft";

/// Returns why a label does not count beside this cell, if it does not.
pub(crate) fn aside(cell: &str) -> Option<&'static str> {
    word(cell).flatten()
}

fn word(cell: &str) -> Option<Option<&'static str>> {
    let cell = cell.trim().to_lowercase();
    WORDS
        .iter()
        .find(|(word, _)| *word == cell)
        .map(|(_, aside)| *aside)
}

/// Returns the column whose words say of each row whether its label counts.
pub(crate) fn column(names: &[String], rows: &[Vec<String>], roles: &Roles) -> Option<usize> {
    let is_called = |column: usize| folded(&names[column]) == "answer";
    let is_other = |column: usize| column != roles.text && Some(column) != roles.label;
    let mut columns = (0..names.len()).filter(|column| is_called(*column) && is_other(*column));
    columns.find(|column| says(rows, *column) && roles.label.is_some())
}

/// Says of another column that holds such words that they were not looked at: they may speak of the text.
pub(crate) fn note(names: &[String], rows: &[Vec<String>], roles: &Roles) -> Option<String> {
    let is_called =
        |name: &str| ["status", "state", "labelstatus", "annotationstatus"].contains(&folded(name).as_str());
    let column = (0..names.len()).find(|column| is_called(&names[*column]) && says(rows, *column))?;
    let name = names[column].trim();
    roles.label.map(|_| {
        format!("column `{name}` says of some rows that they were rejected or skipped, and their labels were read: leave such rows out if their labels do not count")
    })
}

/// Returns whether all cells of a column are such words, and one of them that a label does not count.
fn says(rows: &[Vec<String>], column: usize) -> bool {
    let cells = || rows.iter().filter_map(|row| row.get(column));
    cells().all(|cell| word(cell).is_some()) && cells().any(|cell| aside(cell).is_some())
}
