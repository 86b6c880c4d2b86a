//! Which models have learnt from a dataset version, and what one has learnt from a training file.

use std::{cell::Cell, collections::BTreeSet};

use active_learning_aws::bucket::{Bucket, BucketError};
use active_learning_core::{
    dataset::{TrainingCheck, TrainingRow, TrainingRows, text_id},
    erasure::rows_without,
    feedback::prediction::LABEL_DELIMITER,
};
use serde::Deserialize;

use crate::wanted::Wanted;

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

/// Returns from how many rows that are to be erased a model learnt that a training file became: a text whose rows have
/// different labels was left out with all of them, and so were rows, by number, whose texts had been erased before.
pub(crate) fn learnt_rows(file: &[u8], erased_before: &[usize], wanted: &Wanted) -> u64 {
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
    let rows: Vec<TrainingRow> = rows.flatten().filter(|row| wanted.is_text(&row.text)).collect();
    let mut check = TrainingCheck::default();
    for row in &rows {
        check.add(row.label.split(LABEL_DELIMITER), &row.text, row.line);
    }
    let is_learnt = |row: &&TrainingRow| !check.is_conflicting(text_id(&row.text));
    rows.iter().filter(is_learnt).count() as u64
}
