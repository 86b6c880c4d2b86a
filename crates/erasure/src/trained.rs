//! Which models have learnt from a dataset version, and what one has learnt from a training file.

use std::{cell::Cell, collections::BTreeSet};

use active_learning_aws::bucket::{Bucket, BucketError, Object};
use active_learning_core::{
    dataset::{TrainingCheck, TrainingFileState, TrainingRow, TrainingRows, text_id},
    erasure::rows_without,
    feedback::prediction::{LABEL_DELIMITER, cut_labels, split_labels},
    labels::{
        label_set::{LABEL_SET_KEY, LabelSet},
        missing::is_missing,
    },
};
use serde::Deserialize;

use crate::{
    erase::{Erase, EraseError},
    rules::Rule,
    wanted::Wanted,
};

/// What a build came to, as far as it is looked at here.
#[derive(Deserialize)]
struct BuildRecord {
    #[serde(default)]
    dataset: Option<String>,
    #[serde(default)]
    challenger: Option<String>,
}

/// Returns the versions of models that builds have trained on a dataset and that are not called as it is: a flywheel
/// names its models itself.
pub(crate) async fn models_of(training: &Bucket, dataset: &str) -> Result<BTreeSet<String>, BucketError> {
    let mut models = BTreeSet::new();
    for folder in training.folders("builds/").await? {
        let key = format!("{folder}record.json");
        let record: Option<BuildRecord> = training.read_document(&key).await?;
        let record = record.filter(|record| record.dataset.as_deref() == Some(dataset));
        let model = record.and_then(|record| record.challenger);
        let version = model.as_deref().and_then(|model| model.rsplit('/').next());
        models.extend(version.filter(|version| *version != dataset).map(str::to_owned));
    }
    Ok(models)
}

impl Erase<'_> {
    /// Notes which model has learnt from a training file, and from how many of the rows that go.
    pub(crate) async fn note_training_file(
        &mut self,
        key: &str,
        rule: Rule,
        object: &Object,
    ) -> Result<(), EraseError> {
        if rule != Rule::TrainingFile {
            return Ok(());
        }
        let report = self.report_of(key).await?;
        let taken = report.filter(|report| report.state == TrainingFileState::Taken);
        if let Some((Some(model), report)) = taken.map(|mut report| (report.model_arn.take(), report)) {
            let version = model.rsplit('/').next().unwrap_or_default();
            // The numbers are of the rows of the file that the report is about.
            let is_same = report.etag == object.etag.trim_matches('"');
            let erased_before = if is_same { &report.erased_rows[..] } else { &[] };
            let set = self.label_set().await?;
            let rows = learnt_rows(&object.bytes, erased_before, &self.wanted, set.as_ref());
            if rows > 0 {
                self.note_learnt(version, rows).await?;
            }
        }
        Ok(())
    }

    /// Returns the labels there are; none where they cannot be read, which is no reason to erase nothing.
    async fn label_set(&self) -> Result<Option<LabelSet>, EraseError> {
        match self.buckets.training.read_document(LABEL_SET_KEY).await {
            Ok(set) => Ok(set),
            Err(BucketError::Damaged { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// Returns from how many rows that are to be erased a model learnt that a training file became: a text whose rows have
/// different labels was left out with all of them, and so were rows without a label, and rows, by number, whose texts had
/// been erased before. The label set may have changed since then: in doubt a row counts as learnt.
fn learnt_rows(file: &[u8], erased_before: &[usize], wanted: &Wanted, set: Option<&LabelSet>) -> u64 {
    let row = Cell::new(None);
    let is_erased_before = |place, _: &str| {
        if place == 0 {
            row.set(Some(row.get().map_or(0, |row: usize| row + 1)));
        }
        row.get()
            .is_some_and(|row| erased_before.binary_search(&row).is_ok())
    };
    let (file, _) = rows_without(file, is_erased_before);
    let Ok(rows) = TrainingRows::new(&file[..], Some(LABEL_DELIMITER)) else {
        return 0;
    };
    let rows = rows.taking_any_names();
    let rows: Vec<TrainingRow> = rows.flatten().filter(|row| wanted.is_text(&row.text)).collect();
    learnt_of(&rows, None).max(learnt_of(&rows, set))
}

/// Returns from how many rows a model learns, where the labels are those of a set.
fn learnt_of(rows: &[TrainingRow], set: Option<&LabelSet>) -> u64 {
    let mut check = TrainingCheck::default();
    let mut labelled = Vec::new();
    for row in rows {
        let names = names_in(&row.label, set);
        if names.is_empty() {
            continue;
        }
        check.add(names.iter().map(String::as_str), &row.text, row.line);
        labelled.push(text_id(&row.text));
    }
    let conflicting = check.conflicting();
    labelled
        .iter()
        .filter(|text| !conflicting.contains(*text))
        .count() as u64
}

/// Cuts a label column into names as it is read for training: without what stands where there is no label, and as the set
/// calls them.
fn names_in(label: &str, set: Option<&LabelSet>) -> Vec<String> {
    let is_known = |name: &str| set.is_some_and(|set| set.find(name).is_some());
    let parts = split_labels(label);
    let mut names = match parts.len() {
        1 => parts,
        _ => cut_labels(label, |part| is_known(part).then(|| part.to_owned())).unwrap_or(parts),
    };
    names.retain(|name| !is_missing(name) || is_known(name));
    match set {
        Some(set) => names.iter().map(|name| set.own_name(name).to_owned()).collect(),
        None => names,
    }
}
