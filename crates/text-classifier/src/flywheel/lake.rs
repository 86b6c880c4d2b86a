//! The data lake of a flywheel: the rows of its datasets, as Comprehend CSV.

use std::collections::BTreeSet;

use active_learning_core::{
    dataset::{CsvWriter, HeldOut, Mode, NearCopies, Row, is_test, read_delimited_csv},
    feedback::prediction::LABEL_DELIMITER,
};

use crate::{
    bucket::{Bucket, NamedObjectError, StoreError},
    flywheel::FlywheelProperties,
    s3_uri::S3Uri,
    training_input::Use,
};

const CSV: &str = "text/csv";

/// Why rows could not be taken into the lake, or read from it. Names objects and lines, never their text.
#[derive(Debug, thiserror::Error)]
pub(super) enum LakeError {
    #[error("{0}")]
    NamedObject(#[source] NamedObjectError),
    #[error("there are no rows at {0}")]
    NoRows(S3Uri),
    #[error("{uri}: {reason}")]
    Row { uri: S3Uri, reason: String },
    #[error("the flywheel cannot be used: its DataLakeS3Uri is none")]
    NoLake,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<NamedObjectError> for LakeError {
    fn from(error: NamedObjectError) -> Self {
        match error {
            NamedObjectError::Store(error) => Self::Store(error),
            NamedObjectError::Refused { .. } => Self::NamedObject(error),
        }
    }
}

/// What was taken into the lake.
pub(super) struct Taken {
    pub rows: u64,
    /// Rows without any label that the flywheel knows.
    pub unknown: u64,
}

/// Returns the folder of the rows to train or to test with.
pub(super) fn folder(flywheel: &FlywheelProperties, use_for: Use) -> Result<S3Uri, LakeError> {
    let folder = match use_for {
        Use::Train => "Datasets/TRAIN/",
        Use::Test => "Datasets/TEST/",
    };
    Ok(flywheel.lake().ok_or(LakeError::NoLake)?.join(folder))
}

/// Copies rows into the lake, without labels that the flywheel does not know, and without the share of the texts that is
/// held out. The same again changes nothing.
pub(super) async fn take(
    bucket: &Bucket,
    flywheel: &FlywheelProperties,
    from: &S3Uri,
    (delimiter, held_out): (char, f64),
    to: &S3Uri,
) -> Result<Taken, LakeError> {
    let role = Some(flywheel.data_access_role_arn.as_str());
    let bucket = &bucket.as_role(role, [from, to]).await?;
    let (mode, known) = (flywheel.mode(), flywheel.labels());
    let own_delimiter = (mode == Mode::MultiLabel).then_some(LABEL_DELIMITER);
    let mut file = CsvWriter::with_delimiter(Vec::new(), own_delimiter);
    let mut unknown = 0;
    let rows = read(bucket, from, mode, delimiter).await?;
    let near_copies = NearCopies::of(&test_texts(&rows, held_out));
    for row in rows {
        if near_copies.contains(&row.text) {
            continue;
        }
        match known_labels(row, &known) {
            Some(row) => file.write(&row).map_err(|error| LakeError::Row {
                uri: from.clone(),
                reason: error.to_string(),
            })?,
            None => unknown += 1,
        }
    }

    let (content, summary) = file.finish().map_err(|error| LakeError::Row {
        uri: to.clone(),
        reason: error.to_string(),
    })?;
    if summary.rows == 0 {
        return Err(LakeError::NoRows(from.clone()));
    }
    bucket.put_named(to, CSV, content).await?;
    Ok(Taken {
        rows: summary.rows,
        unknown,
    })
}

/// Reads the rows of the lake to test with.
pub(super) async fn test_rows(bucket: &Bucket, flywheel: &FlywheelProperties) -> Result<Vec<Row>, LakeError> {
    let folder = folder(flywheel, Use::Test)?;
    let role = Some(flywheel.data_access_role_arn.as_str());
    let bucket = &bucket.as_role(role, [&folder]).await?;
    read(bucket, &folder, flywheel.mode(), LABEL_DELIMITER).await
}

/// Reads the rows of all objects whose keys start so.
async fn read(bucket: &Bucket, from: &S3Uri, mode: Mode, delimiter: char) -> Result<Vec<Row>, LakeError> {
    let mut rows = Vec::new();
    for object in bucket.list_named(from).await? {
        let uri = from.with_key(&object.key);
        let content = bucket.get_named(&uri).await?;
        for row in read_delimited_csv(content.as_slice(), mode, delimiter) {
            rows.push(row.map_err(|bad| LakeError::Row {
                uri: uri.clone(),
                reason: bad.to_string(),
            })?);
        }
    }
    Ok(rows)
}

/// Returns the texts that test sets hold.
fn test_texts(rows: &[Row], share: f64) -> HeldOut {
    let mut held_out = HeldOut::default();
    for row in rows.iter().filter(|row| is_test(&row.text, share)) {
        held_out.insert(&row.text);
    }
    held_out
}

/// Returns a row with the labels that are known, if any is; all are, where none are named.
fn known_labels(mut row: Row, known: &BTreeSet<&str>) -> Option<Row> {
    row.labels
        .retain(|label| known.is_empty() || known.contains(label.as_str()));
    (!row.labels.is_empty()).then_some(row)
}
