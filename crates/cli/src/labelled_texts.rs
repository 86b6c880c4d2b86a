//! Labelled texts of a file that the user names: what is told of them, and models of some of them.

use std::path::Path;

use active_learning_core::dataset::{CsvWriter, Row};
use text_model::{Mode, TrainingDataError, TrainingSet};

/// Tells what of a file is read otherwise than it is written.
pub fn tell_repairs(path: &Path, repairs: &[String]) {
    for repair in repairs {
        eprintln!("{}: {repair}", path.display());
    }
}

/// Reads rows as production does: as the CSV that a dataset version would hold.
///
/// # Errors
///
/// [`TrainingDataError`], where there is too little to learn from.
pub fn training_set<'a>(
    rows: impl IntoIterator<Item = &'a Row>,
    mode: Mode,
) -> Result<TrainingSet, TrainingDataError> {
    let mut csv = CsvWriter::escaped(Vec::new());
    for row in rows {
        csv.write(row).map_err(TrainingDataError::Read)?;
    }
    let (csv, _) = csv.finish().map_err(TrainingDataError::Read)?;
    TrainingSet::read_csv_where(&csv[..], mode, &|_| None, &|_| true)
}
