//! The check of a dataset against the rules of the service that trains on it.

use serde::{Deserialize, Serialize};

use super::{FileSummary, Mode};

/// Longest class name, in characters. Source: Amazon Comprehend, guidelines and quotas.
const MAX_CLASS_CHARACTERS: usize = 5_000;

/// Whether a problem stops a build.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Training would fail or give a wrong model.
    Error,
    /// Training works, but the model may be poor.
    Warning,
}

/// Something that is wrong with a dataset. Safe to show: it never holds a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Whether it stops the build.
    pub severity: Severity,
    /// What is wrong, for a person.
    pub message: String,
}

/// What a dataset must fulfil.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// One label a text or several.
    pub mode: Mode,
    /// Most classes.
    pub max_classes: usize,
    /// Fewest training rows of a class.
    pub min_rows_per_class: u64,
    /// Training rows of a class below which there is a warning.
    pub advised_rows_per_class: u64,
    /// Fewest training rows in all.
    pub min_rows: u64,
    /// Largest size of training and test file together, in bytes.
    pub max_bytes: u64,
}

impl Rules {
    /// Returns Comprehend's rules.
    ///
    /// Its quota page wants 50 rows of a class for multi-class CSV, older pages 10: fewer than 10 is an error,
    /// fewer than 50 a warning. Source: Amazon Comprehend, "Guidelines and quotas", document classification.
    pub fn comprehend(mode: Mode) -> Self {
        let (max_classes, min_rows) = match mode {
            Mode::MultiClass => (1_000, 0),
            Mode::MultiLabel => (100, 50),
        };
        Self {
            mode,
            max_classes,
            min_rows_per_class: 10,
            advised_rows_per_class: 50,
            min_rows,
            max_bytes: 5 * 1024 * 1024 * 1024,
        }
    }
}

/// Checks the files of a dataset and returns everything that is wrong with them.
///
/// Without a test file the service splits by itself. That rows are UTF-8 and one line each is ensured by
/// [`CsvWriter`](super::CsvWriter), or told by [`inspect_csv`](super::inspect_csv) of files from elsewhere.
pub fn check(train: &FileSummary, test: Option<&FileSummary>, rules: &Rules) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut report = |severity, message: String| problems.push(Problem { severity, message });
    let classes = train.classes.len();
    if classes < 2 {
        report(
            Severity::Error,
            format!(
                "the training data has {}, at least two are needed",
                count(classes, "class", "classes")
            ),
        );
    }
    if classes > rules.max_classes {
        report(
            Severity::Error,
            format!(
                "the training data has {classes} classes, at most {} are supported",
                rules.max_classes
            ),
        );
    }
    if train.rows < rules.min_rows {
        report(
            Severity::Error,
            format!(
                "the training data has {} rows, at least {} are needed",
                train.rows, rules.min_rows
            ),
        );
    }
    let bytes = train.bytes + test.map_or(0, |test| test.bytes);
    if bytes > rules.max_bytes {
        report(
            Severity::Error,
            format!(
                "the dataset has {bytes} bytes, at most {} are accepted",
                rules.max_bytes
            ),
        );
    }
    for (class, &rows) in &train.classes {
        let class_name = shown(class);
        let (severity, least) = match rows {
            _ if rows < rules.min_rows_per_class => (Severity::Error, rules.min_rows_per_class),
            _ if rows < rules.advised_rows_per_class => (Severity::Warning, rules.advised_rows_per_class),
            _ => continue,
        };
        let verb = if severity == Severity::Error {
            "are needed"
        } else {
            "are advised"
        };
        report(
            severity,
            format!(
                "class {class_name} has {} to train on, at least {least} {verb}",
                count(rows as usize, "row", "rows")
            ),
        );
    }
    for class in train.classes.keys() {
        let class_name = shown(class);
        if class.trim().is_empty() || class.contains(char::is_control) {
            report(
                Severity::Error,
                format!("class {class_name} is blank or holds a control character"),
            );
        }
        if class.trim() != class {
            report(
                Severity::Error,
                format!("class {class_name} begins or ends with white space"),
            );
        }
        if class.chars().count() > MAX_CLASS_CHARACTERS {
            report(
                Severity::Error,
                format!("class {class_name} is longer than {MAX_CLASS_CHARACTERS} characters"),
            );
        }
    }
    if let Some(test) = test {
        let missing = |from: &FileSummary, of: &FileSummary| {
            let classes = of
                .classes
                .keys()
                .filter(|class| !from.classes.contains_key(*class));
            classes.map(|class| shown(class)).collect::<Vec<_>>().join(", ")
        };
        let (untested, untrained) = (missing(test, train), missing(train, test));
        if !untested.is_empty() {
            report(
                Severity::Error,
                format!("the test data has no row of {untested}; every class needs one"),
            );
        }
        if !untrained.is_empty() {
            report(
                Severity::Error,
                format!("the test data has classes that are not trained: {untrained}"),
            );
        }
    }
    problems
}

fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// Quotes a class name for a message, cut to a readable length.
fn shown(class: &str) -> String {
    let start: String = class.chars().take(60).collect();
    let dots = if start.len() < class.len() { "\u{2026}" } else { "" };
    format!("`{}{dots}`", start.escape_debug())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(classes: &[(&str, u64)]) -> FileSummary {
        FileSummary {
            rows: classes.iter().map(|(_, rows)| rows).sum(),
            bytes: 1_000,
            sha256: String::new(),
            classes: classes
                .iter()
                .map(|(class, rows)| ((*class).to_owned(), *rows))
                .collect(),
        }
    }

    fn messages(
        train: &FileSummary,
        test: Option<&FileSummary>,
        rules: &Rules,
        severity: Severity,
    ) -> Vec<String> {
        let problems = check(train, test, rules)
            .into_iter()
            .filter(|problem| problem.severity == severity);
        problems.map(|problem| problem.message).collect()
    }

    #[test]
    fn a_good_dataset_has_no_problem() {
        let train = summary(&[("World", 50), ("Sci/Tech \u{1f600}", 60)]);
        let test = summary(&[("World", 1), ("Sci/Tech \u{1f600}", 1)]);

        assert_eq!(
            check(&train, Some(&test), &Rules::comprehend(Mode::MultiClass)),
            []
        );
        assert_eq!(check(&train, None, &Rules::comprehend(Mode::MultiLabel)), []);
    }

    #[test]
    fn every_problem_is_named_at_once() {
        let train = summary(&[("A|B", 9), ("Thin", 49), (" C", 50), ("Two\nlines", 50)]);
        let test = FileSummary {
            bytes: 5 << 30,
            ..summary(&[("Thin", 1), ("Other", 1), (" C", 1)])
        };
        let rules = Rules {
            max_classes: 3,
            ..Rules::comprehend(Mode::MultiClass)
        };

        assert_eq!(
            messages(&train, Some(&test), &rules, Severity::Error),
            [
                "the training data has 4 classes, at most 3 are supported",
                "the dataset has 5368710120 bytes, at most 5368709120 are accepted",
                "class `A|B` has 9 rows to train on, at least 10 are needed",
                "class ` C` begins or ends with white space",
                "class `Two\\nlines` is blank or holds a control character",
                "the test data has no row of `A|B`, `Two\\nlines`; every class needs one",
                "the test data has classes that are not trained: `Other`",
            ]
        );
        assert_eq!(
            messages(&train, Some(&test), &rules, Severity::Warning),
            ["class `Thin` has 49 rows to train on, at least 50 are advised"]
        );
    }

    #[test]
    fn an_empty_dataset_and_a_single_class_cannot_be_trained() {
        let multi_label = Rules::comprehend(Mode::MultiLabel);

        assert_eq!(
            messages(&summary(&[]), None, &multi_label, Severity::Error),
            [
                "the training data has 0 classes, at least two are needed",
                "the training data has 0 rows, at least 50 are needed"
            ]
        );
        assert_eq!(
            messages(&summary(&[("One", 60)]), None, &multi_label, Severity::Error),
            ["the training data has 1 class, at least two are needed"]
        );
    }

    #[test]
    fn a_long_class_name_is_cut_in_the_message() {
        let long = "x".repeat(5_001);

        let messages = messages(
            &summary(&[(&long, 60), ("B", 60)]),
            None,
            &Rules::comprehend(Mode::MultiClass),
            Severity::Error,
        );

        assert_eq!(
            messages,
            [format!(
                "class `{}\u{2026}` is longer than 5000 characters",
                "x".repeat(60)
            )]
        );
    }
}
