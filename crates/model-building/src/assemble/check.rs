//! The check of a dataset before money is spent, and what is to be said of what it leaves out.

use std::collections::{BTreeMap, BTreeSet};

use active_learning_aws::{
    bucket::{Bucket, BucketError},
    label_set::LabelSets,
};
use active_learning_core::{
    dataset::{DatasetManifest, Problem, Rules, Severity, check},
    labels::label_set::LabelSet,
    text::counted_as,
};

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
                "{}, since no class can be trained yet: each needs at least {} of them to \
                 train on and one in the test set, a random share (parameter TestShare). Label more texts",
                counted_as(waiting, "labelled text waits", "labelled texts wait"),
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
    let warnings = warnings_of(&manifest.left_out).into_iter();
    problems.extend(warnings.map(|message| Problem {
        severity: Severity::Warning,
        message,
    }));
    problems
}

/// What is said of labels that are left out: the reason as datasets count it, and what one is and several are.
const LEFT_OUT: [(&str, &str, &str); 13] = [
    (
        "unreadable-line",
        "labelled line cannot be read; the log names it",
        "labelled lines cannot be read; the log names them",
    ),
    (
        "waiting-class",
        "row waits until its class has enough rows to train on",
        "rows wait until their class has enough rows to train on",
    ),
    (
        "refused-initial-file",
        "training file under initial/ cannot be used and is left out; initial-reports/ says why",
        "training files under initial/ cannot be used and are left out; initial-reports/ says why",
    ),
    (
        "unlabelled-initial-row",
        "initial row is left out, since its label says that there is none, such as `NULL` or `NaN`",
        "initial rows are left out, since their labels say that there is none, such as `NULL` or `NaN`",
    ),
    (
        "conflicting-initial-row",
        "initial row is left out, since its text has different labels in one file",
        "initial rows are left out, since their text has different labels in one file",
    ),
    (
        "overruled-initial-row",
        "initial row is left out, since another file, whose key comes later, gives its text another label",
        "initial rows are left out, since other files, whose keys come later, give their texts other labels",
    ),
    (
        "overruled-answer",
        "answer is left out, since the same text, spelt otherwise, has another one by a reviewer or an adjudicator, whose word \
         comes first",
        "answers are left out, since the same texts, spelt otherwise, have other ones by reviewers or adjudicators, whose \
         word comes first",
    ),
    (
        "other-classifier-answer",
        "answer is left out, since the same text has another label under another classifier, which was given later",
        "answers are left out, since the same texts have other labels under another classifier, which were given later",
    ),
    (
        "several-labels",
        "answer names several labels where a text has one (parameter ReviewSeveralLabels)",
        "answers name several labels where a text has one (parameter ReviewSeveralLabels)",
    ),
    (
        "new-label",
        "text has a proposed label: it counts once somebody accepts it (`active-learning labels proposed`)",
        "texts have a proposed label: they count once somebody accepts it (`active-learning labels proposed`)",
    ),
    (
        "split-label",
        "text has a label that was split: it is asked again",
        "texts have a label that was split: they are asked again",
    ),
    (
        "retired-label",
        "text has a label that is retired",
        "texts have a label that is retired",
    ),
    (
        "sample-row",
        "row of the shipped sample is left out, since there is data of your own",
        "rows of the shipped sample are left out, since there is data of your own",
    ),
];

/// Labels that are named; the rest is counted.
const NAMED: usize = 20;

/// Says what of the labels is in neither file of a dataset, as far as somebody may do something about it.
fn warnings_of(left_out: &BTreeMap<String, u64>) -> Vec<String> {
    let said = LEFT_OUT.iter().filter_map(|(reason, one, several)| {
        let count = left_out.get(*reason).filter(|count| **count > 0)?;
        Some(counted_as(*count, one, several))
    });
    said.collect()
}

/// Names the labels of the set that have no row to train on in a dataset: none at all, or too few that count.
fn without_rows(set: &LabelSet, manifest: &DatasetManifest) -> Option<String> {
    let classes = manifest.train.summary.classes.keys();
    let trained: BTreeSet<&str> = classes.map(|class| set.own_name(class)).collect();
    let without: Vec<&str> = set.active().filter(|label| !trained.contains(label)).collect();
    let more = match without.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let named = without[..without.len().min(NAMED)].join("`, `");
    (!without.is_empty()).then(|| {
        format!(
            "{} no row to train on, or too few, so that no model of it predicts {}: `{named}`{more}",
            counted_as(without.len(), "label has", "labels have"),
            if without.len() == 1 { "it" } else { "them" }
        )
    })
}

/// Says what of the labels is in neither file of the dataset that was assembled last, as it was assembled, and which labels of
/// the set have no row in it; nothing where there is none.
///
/// # Errors
///
/// [`BucketError`].
pub async fn warnings(bucket: &Bucket) -> Result<Vec<String>, BucketError> {
    let Some(newest) = bucket.read_document::<Newest>(NEWEST_KEY).await? else {
        return Ok(Vec::new());
    };
    let key = format!("datasets/{}/manifest.json", newest.version);
    let Some(manifest) = bucket.read_document::<DatasetManifest>(&key).await? else {
        return Ok(Vec::new());
    };
    let set = LabelSets::new(bucket.clone()).current().await?;
    let without = set.and_then(|set| without_rows(&set, &manifest));
    let left_out = newest.left_out.as_ref().unwrap_or(&manifest.left_out);
    Ok(warnings_of(left_out).into_iter().chain(without).collect())
}

#[cfg(test)]
mod tests {
    use active_learning_core::labels::label_set::Origin;
    use serde_json::json;

    use super::*;

    fn manifest() -> DatasetManifest {
        let file = |classes| json!({"key": "k", "rows": 3, "bytes": 9, "sha256": "", "classes": classes});
        let manifest = json!({"version": "v", "parent": null, "createdAt": "2026-11-20T10:00:00Z",
            "mode": "MULTI_CLASS", "train": file(json!({"billing": 2, "Login": 1})), "test": file(json!({"Login": 1})),
            "sources": {}, "leftOut": {"waiting-class": 1, "new-label": 2, "near-copy": 4}});
        serde_json::from_value(manifest).expect("a manifest")
    }

    #[test]
    fn what_is_left_out_is_said_of_one_and_of_several() {
        assert_eq!(
            warnings_of(&manifest().left_out),
            [
                "1 row waits until its class has enough rows to train on",
                "2 texts have a proposed label: they count once somebody accepts it (`active-learning labels proposed`)",
            ]
        );
    }

    #[test]
    fn labels_without_a_row_are_named_and_those_in_another_spelling_have_theirs() {
        let set = |names: &[&str]| LabelSet::seed(names.iter().copied(), Origin::Parameter, "");

        assert_eq!(
            without_rows(&set(&["Billing", "Login", "Fax", "Parcel"]), &manifest()).as_deref(),
            Some(
                "2 labels have no row to train on, or too few, so that no model of it predicts them: `Fax`, `Parcel`"
            )
        );
        assert_eq!(without_rows(&set(&["Billing", "Login"]), &manifest()), None);
    }
}
