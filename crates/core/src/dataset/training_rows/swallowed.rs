//! Rows that a quote has taken in which is closed by a quote of a later row.

use std::collections::HashSet;

use super::TrainingRow;

/// Most labels that are remembered, and most places that wait for theirs: as many as a model has classes.
const MAX_KNOWN: usize = 1_000;

/// Watches the lines of texts for what begins as a row does: with a label of the file and a comma.
#[derive(Debug, Default)]
pub(super) struct Swallowed {
    labels: HashSet<String>,
    /// Rows with a line that begins with what may be a label, by their lines.
    candidates: Vec<(u64, String)>,
}

impl Swallowed {
    /// Takes a row into account; its text comes first where the columns are turned round. Returns whether a line of its text
    /// is a row of a label that is known by now.
    pub(super) fn take(&mut self, row: &TrainingRow, is_text_first: bool) -> bool {
        if self.labels.len() < MAX_KNOWN && !self.labels.contains(&row.label) {
            self.labels.insert(row.label.clone());
        }
        if !row.text.contains('\n') {
            return false;
        }
        let candidates: Vec<&str> = match is_text_first {
            true => {
                let before_last = row.text.rsplit('\n').skip(1);
                before_last.filter_map(label_at_the_end).collect()
            }
            false => row
                .text
                .split('\n')
                .skip(1)
                .filter_map(label_at_the_start)
                .collect(),
        };
        if candidates.iter().any(|label| self.labels.contains(*label)) {
            return true;
        }
        let room = MAX_KNOWN.saturating_sub(self.candidates.len());
        let new = candidates.iter().take(room);
        self.candidates
            .extend(new.map(|label| (row.line, (*label).to_owned())));
        false
    }

    /// Returns the line of the first row that has taken a row in whose label came only later.
    pub(super) fn found_late(&mut self) -> Option<u64> {
        let candidates = std::mem::take(&mut self.candidates);
        let found = candidates.iter().find(|(_, label)| self.labels.contains(label));
        found.map(|(line, _)| *line)
    }
}

/// Returns what may be the label of `label,text`. After the comma of a sentence there is a space, and within a number such as
/// `1,5` there are digits on both sides.
fn label_at_the_start(line: &str) -> Option<&str> {
    let (label, text) = line.split_once(',')?;
    (is_apart(text) && !is_in_number(label, text)).then(|| label.trim())
}

/// Returns what may be the label of `text,label`.
fn label_at_the_end(line: &str) -> Option<&str> {
    let (text, label) = line.rsplit_once(',')?;
    (!text.is_empty() && is_apart(label) && !is_in_number(text, label)).then(|| label.trim())
}

fn is_apart(after: &str) -> bool {
    after.starts_with(|c: char| !c.is_whitespace())
}

fn is_in_number(before: &str, after: &str) -> bool {
    before.ends_with(|c: char| c.is_ascii_digit()) && after.starts_with(|c: char| c.is_ascii_digit())
}
