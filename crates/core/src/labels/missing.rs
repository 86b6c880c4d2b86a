//! What programs and people write in the place of a label where there is none: one rule for all that is read.

use std::collections::BTreeMap;

use crate::text::counted;

/// What programs write where there is nothing, in lower case; `\N` is of MySQL, Hive and PostgreSQL.
const MISSING: [&str; 7] = ["null", "nan", "n/a", "#n/a", "<na>", "(null)", "\\n"];

/// What spreadsheets show where a formula failed.
const ERRORS: [&str; 9] = [
    "#N/A",
    "#REF!",
    "#VALUE!",
    "#NAME?",
    "#DIV/0!",
    "#NULL!",
    "#NUM!",
    "#DATA!",
    "#GETTING_DATA",
];

/// What may be a class, and is more often a missing value: in lower case.
const DOUBTFUL: [&str; 15] = [
    "na",
    "none",
    "nil",
    "-",
    "--",
    "?",
    "-1",
    "(blank)",
    "(leer)",
    "(empty)",
    "empty",
    "unlabeled",
    "unlabelled",
    "no label",
    "not labeled",
];

/// Longest of them, in bytes.
const MAX_BYTES: usize = 13;

/// Most doubtful classes that are told one by one.
const TOLD: usize = 5;

/// Returns whether a cell is an error of a spreadsheet.
pub fn is_spreadsheet_error(cell: &str) -> bool {
    ERRORS.contains(&cell.trim())
}

/// Returns whether a label is what programs write where there is none. `none` and `NA` are not among them: they may be
/// classes.
pub fn is_missing(label: &str) -> bool {
    let label = label.trim();
    label.len() <= MAX_BYTES && (MISSING.contains(&label.to_lowercase().as_str()) || ERRORS.contains(&label))
}

/// Returns whether a label that counts as a class may be what stands where there is none.
pub fn may_be_missing(label: &str) -> bool {
    let label = label.trim();
    label.len() <= MAX_BYTES && DOUBTFUL.contains(&label.to_lowercase().as_str())
}

/// The rows of a file in which there may be no label: what was left out, and what was taken for a class.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MissingLabels {
    left_out: Lines,
    taken: BTreeMap<String, Lines>,
}

/// How many rows, and where the first of them is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Lines {
    first: u64,
    count: u64,
}

impl Lines {
    fn add(&mut self, line: u64) {
        if self.count == 0 {
            self.first = line;
        }
        self.count += 1;
    }

    /// Begins a sentence as all do that speak of lines.
    fn told(self) -> String {
        match self.count {
            0 | 1 => format!("line {}", self.first),
            count => format!("line {} and {} more", self.first, count - 1),
        }
    }
}

impl MissingLabels {
    /// Notes a row of whose labels one was read as none.
    pub fn left_out(&mut self, line: u64) {
        self.left_out.add(line);
    }

    /// Notes a label that counts as a class, if it may be a missing value.
    pub fn taken(&mut self, label: &str, line: u64) {
        if is_missing(label) || may_be_missing(label) {
            self.taken.entry(label.trim().to_owned()).or_default().add(line);
        }
    }

    /// Says in sentences what was left out and what was taken; they name classes and lines, never a text.
    pub fn told(&self) -> Vec<String> {
        let left_out = (self.left_out.count > 0).then(|| {
            format!(
                "{}: a label such as `NULL`, `NaN` or `n/a` was read as none; a row without another one is left out as \
                 unlabelled",
                self.left_out.told()
            )
        });
        let taken = self.taken.iter().take(TOLD).map(|(label, lines)| {
            let rows = counted(lines.count, "row");
            format!(
                "{}: `{label}` ({rows}) was taken for a class; leave these rows out if it says that there is no label",
                lines.told()
            )
        });
        left_out.into_iter().chain(taken).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_programs_write_for_nothing_is_no_label_and_what_may_be_a_class_is_one() {
        for nothing in ["NULL", " nan", "N/A", "#N/A", "<NA>", "(null)", r"\N", "#VALUE!"] {
            assert!(is_missing(nothing) && !may_be_missing(nothing), "{nothing}");
        }
        for doubtful in ["NA", "None", "-", "?", "-1", "(leer)", "Unlabeled"] {
            assert!(!is_missing(doubtful) && may_be_missing(doubtful), "{doubtful}");
        }
        for class in ["Nance", "Null Island", "1", "0", "Nonesuch"] {
            assert!(!is_missing(class) && !may_be_missing(class), "{class}");
        }
    }

    #[test]
    fn rows_without_a_label_are_told_by_their_lines_and_doubtful_classes_by_their_rows() {
        let mut missing = MissingLabels::default();
        for line in [3, 5, 9] {
            missing.left_out(line);
        }
        for (label, line) in [("NA", 4), ("World", 6), ("NA", 7)] {
            missing.taken(label, line);
        }

        assert_eq!(
            missing.told(),
            [
                "line 3 and 2 more: a label such as `NULL`, `NaN` or `n/a` was read as none; a row without another one is \
                 left out as unlabelled",
                "line 4 and 1 more: `NA` (2 rows) was taken for a class; leave these rows out if it says that there is no \
                 label",
            ]
        );
        assert_eq!(MissingLabels::default().told(), Vec::<String>::new());
    }
}
