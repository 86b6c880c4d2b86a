//! The check of a dataset against the rules of the service that trains on it.

use serde::{Deserialize, Serialize};

use super::{FileSummary, Mode, training_check::escaped};
use crate::text::{counted, counted_as};

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
    let mut problems: Vec<Problem> = [
        too_few_classes(train),
        too_many_classes(train, rules),
        too_few_rows(train, rules),
        too_large(train, test, rules),
    ]
    .into_iter()
    .flatten()
    .collect();
    let classes = train.classes.iter();
    problems.extend(classes.filter_map(|(class, &rows)| too_few_rows_of(class, rows, rules)));
    problems.extend(train.classes.keys().flat_map(|class| bad_name(class)));
    problems.extend(test.into_iter().flat_map(|test| other_classes(train, test)));
    problems
}

impl Problem {
    fn error(message: String) -> Self {
        Self {
            severity: Severity::Error,
            message,
        }
    }

    fn warning(message: String) -> Self {
        Self {
            severity: Severity::Warning,
            message,
        }
    }
}

fn too_few_classes(train: &FileSummary) -> Option<Problem> {
    let classes = train.classes.len();
    let classes = (classes < 2).then(|| counted_as(classes, "class", "classes"))?;
    Some(Problem::error(format!(
        "the training data has {classes}, at least two are needed"
    )))
}

fn too_many_classes(train: &FileSummary, rules: &Rules) -> Option<Problem> {
    let (classes, most) = (train.classes.len(), rules.max_classes);
    let message = || format!("the training data has {classes} classes, at most {most} are supported");
    (classes > most).then(|| Problem::error(message()))
}

fn too_few_rows(train: &FileSummary, rules: &Rules) -> Option<Problem> {
    let (rows, least) = (train.rows, rules.min_rows);
    let message = || {
        let rows = counted(rows, "row");
        format!("the training data has {rows}, at least {least} are needed")
    };
    (rows < least).then(|| Problem::error(message()))
}

fn too_large(train: &FileSummary, test: Option<&FileSummary>, rules: &Rules) -> Option<Problem> {
    let (bytes, most) = (train.bytes + test.map_or(0, |test| test.bytes), rules.max_bytes);
    let message = || format!("the dataset has {bytes} bytes, at most {most} are accepted");
    (bytes > most).then(|| Problem::error(message()))
}

fn too_few_rows_of(class: &str, rows: u64, rules: &Rules) -> Option<Problem> {
    let (least, advised) = (rules.min_rows_per_class, rules.advised_rows_per_class);
    let (class, found) = (shown(class), counted(rows, "row"));
    let message = |least: u64, verb: &str| {
        format!("class {class} has {found} to train on, at least {least} are {verb}")
    };
    match rows {
        _ if rows < least => Some(Problem::error(message(least, "needed"))),
        _ if rows < advised => Some(Problem::warning(message(advised, "advised"))),
        _ => None,
    }
}

/// Returns what is wrong with the name of a class.
fn bad_name(class: &str) -> Vec<Problem> {
    let wrong = [
        (
            class.trim().is_empty() || class.contains(char::is_control),
            "is blank or holds a control character".to_owned(),
        ),
        (
            class.trim() != class,
            "begins or ends with white space".to_owned(),
        ),
        (
            class.chars().count() > MAX_CLASS_CHARACTERS,
            format!("is longer than {MAX_CLASS_CHARACTERS} characters"),
        ),
    ];
    let class = shown(class);
    let wrong = wrong.into_iter().filter(|(is_wrong, _)| *is_wrong);
    wrong
        .map(|(_, what)| Problem::error(format!("class {class} {what}")))
        .collect()
}

/// Returns the problems of classes that only one of the files has.
fn other_classes(train: &FileSummary, test: &FileSummary) -> Vec<Problem> {
    let (untested, untrained) = (missing(test, train), missing(train, test));
    let untested = (!untested.is_empty())
        .then(|| format!("the test data has no row of {untested}; every class needs one"));
    let untrained = (!untrained.is_empty())
        .then(|| format!("the test data has classes that are not trained: {untrained}"));
    [untested, untrained]
        .into_iter()
        .flatten()
        .map(Problem::error)
        .collect()
}

/// Lists the classes of one file that another one lacks.
fn missing(from: &FileSummary, of: &FileSummary) -> String {
    let missing = of
        .classes
        .keys()
        .filter(|class| !from.classes.contains_key(*class));
    missing.map(|class| shown(class)).collect::<Vec<_>>().join(", ")
}

/// Quotes a class name for a message, cut to a readable length.
fn shown(class: &str) -> String {
    let start: String = class.chars().take(60).collect();
    let dots = if start.len() < class.len() { "\u{2026}" } else { "" };
    format!("`{}{dots}`", escaped(&start))
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
    fn a_class_name_is_written_as_it_is_but_for_what_cannot_be_seen() {
        assert_eq!(
            ["Men's \"own\" A\\B", "हिन्दी", "Cafe\u{301}'", "two\nlines"].map(shown),
            [
                "`Men's \"own\" A\\B`",
                "`हिन्दी`",
                "`Cafe\u{301}'`",
                "`two\\nlines`"
            ]
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
