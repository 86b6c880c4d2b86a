//! The check of a dataset before money is spent, and what is to be said of what it leaves out.

use active_learning_aws::bucket::{Bucket, BucketError};
use active_learning_core::dataset::{DatasetManifest, Problem, Rules, Severity, check};

use super::{NEWEST_KEY, Newest};

/// Checks a dataset against the rules of the service that trains on it, before money is spent.
///
/// A dataset is ready to train on if no [`Severity::Error`] is among the problems. Only the first model
/// may do without test rows.
pub fn check_dataset(manifest: &DatasetManifest, rules: &Rules, needs_test_rows: bool) -> Vec<Problem> {
    let left_out = |reason: &str| manifest.left_out.get(reason).copied().unwrap_or_default();
    let waiting = left_out("waiting-class");
    if manifest.train.summary.rows == 0 && waiting > 0 {
        return vec![Problem {
            severity: Severity::Error,
            message: format!(
                "{waiting} labelled texts wait, since no class can be trained yet: each needs at least {} of them to \
                 train on and one in the test set, a random share (parameter TestShare). Label more texts",
                rules.min_rows_per_class
            ),
        }];
    }
    let test = &manifest.test.summary;
    let mut train = manifest.train.summary.clone();
    // Classes and their rows are those of people.
    train.bytes += manifest
        .machine_labelled
        .as_ref()
        .map_or(0, |machine| machine.file.summary.bytes);
    let mut problems = check(&train, (test.rows > 0).then_some(test), rules);
    if test.rows == 0 && needs_test_rows {
        problems.push(Problem {
            severity: Severity::Error,
            message:
                "no row is held out, so models cannot be compared: is the parameter TestShare greater than 0?"
                    .into(),
        });
    }
    let warnings = warnings_of(manifest).into_iter();
    problems.extend(warnings.map(|message| Problem {
        severity: Severity::Warning,
        message,
    }));
    problems
}

/// Says what of the labels is in neither file of a dataset, as far as somebody may do something about it.
fn warnings_of(manifest: &DatasetManifest) -> Vec<String> {
    let left_out = |reason: &str| manifest.left_out.get(reason).copied().unwrap_or_default();
    let counts = [
        (
            left_out("unreadable-line"),
            "labelled lines cannot be read; the log names them",
        ),
        (
            left_out("waiting-class"),
            "rows wait until their class has enough rows to train on",
        ),
        (
            left_out("refused-initial-file"),
            "training files under initial/ cannot be used and are left out; initial-reports/ says why",
        ),
        (
            left_out("conflicting-initial-row"),
            "initial rows are left out, since their text has different labels in one file",
        ),
        (
            left_out("several-labels"),
            "answers name several labels where a text has one (parameter ReviewSeveralLabels)",
        ),
        (
            left_out("new-label"),
            "texts have a proposed label: they count once somebody accepts it (`active-learning labels proposed`)",
        ),
        (
            left_out("split-label"),
            "texts have a label that was split: they are asked again",
        ),
        (left_out("retired-label"), "texts have a label that is retired"),
        (
            left_out("sample-row"),
            "rows of the shipped sample are left out, since there is data of your own",
        ),
    ];
    let said = counts.into_iter().filter(|(count, _)| *count > 0);
    said.map(|(count, what)| format!("{count} {what}")).collect()
}

/// Says what of the labels is in neither file of the dataset that was assembled last, as it was assembled; nothing where
/// there is none.
///
/// # Errors
///
/// [`BucketError`].
pub async fn warnings(bucket: &Bucket) -> Result<Vec<String>, BucketError> {
    let Some(newest) = bucket.read_document::<Newest>(NEWEST_KEY).await? else {
        return Ok(Vec::new());
    };
    let key = format!("datasets/{}/manifest.json", newest.version);
    let manifest: Option<DatasetManifest> = bucket.read_document(&key).await?;
    Ok(manifest.map_or_else(Vec::new, |manifest| warnings_of(&manifest)))
}
