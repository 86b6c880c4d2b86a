//! The data lake of a flywheel: the rows of its datasets, as Comprehend CSV.

use std::collections::{BTreeSet, HashMap};

use active_learning_core::{
    dataset::{CsvWriter, HeldOut, Mode, NearCopies, Row, is_test, read_delimited_csv, text_id},
    feedback::prediction::LABEL_DELIMITER,
};

use crate::{
    bucket::{Bucket, NamedObjectError, StoreError},
    flywheel::{
        FlywheelProperties,
        dataset::{self, Dataset},
    },
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
    newest: Option<&Newest>,
) -> Result<Taken, LakeError> {
    let role = Some(flywheel.data_access_role_arn.as_str());
    let bucket = &bucket.as_role(role, [from, to]).await?;
    let (mode, known) = (flywheel.mode(), flywheel.labels());
    let own_delimiter = (mode == Mode::MultiLabel).then_some(LABEL_DELIMITER);
    let mut file = CsvWriter::with_delimiter(Vec::new(), own_delimiter);
    let mut unknown = 0;
    let rows = read(bucket, from, mode, delimiter, newest).await?;
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

/// Which object of a lake says what the labels of a text are: the newest that has it. Nothing leaves a lake, and a label that
/// was changed stands in a newer dataset beside the old one.
#[derive(Debug, Default)]
pub(crate) struct Newest {
    /// The objects by age, the oldest first.
    objects: Vec<String>,
    /// The place of the newest object that has a text, by the text's number.
    of_text: HashMap<u64, usize>,
}

impl Newest {
    /// Returns whether a newer object than this one has a text.
    pub(crate) fn is_outdated(&self, key: &str, text: &str) -> bool {
        let place = self.objects.iter().position(|object| object == key);
        let newest = self.of_text.get(&text_id(text));
        place.zip(newest).is_some_and(|(place, newest)| place < *newest)
    }
}

/// Looks which objects of a flywheel's folder are the newest of their texts. What cannot be read as rows is left to whoever
/// uses them.
pub(crate) async fn newest(
    bucket: &Bucket,
    flywheel: &str,
    folder: &S3Uri,
    (mode, delimiter): (Mode, char),
) -> Result<Newest, NamedObjectError> {
    let name = flywheel.rsplit('/').next().unwrap_or_default();
    let datasets: Vec<Dataset> = bucket.states(&format!("{}/{name}", dataset::KIND)).await?;
    let created: HashMap<String, f64> = datasets
        .into_iter()
        .map(|dataset| {
            (
                dataset.properties.dataset_s3_uri,
                dataset.properties.creation_time,
            )
        })
        .collect();
    let mut objects: Vec<(f64, String)> = (bucket.list_named(folder).await?.into_iter())
        .map(|object| {
            let uri = folder.with_key(&object.key).to_string();
            // What is none of its datasets is that which its first model was trained on.
            (created.get(&uri).copied().unwrap_or_default(), object.key)
        })
        .collect();
    objects.sort_by(|one, other| one.0.total_cmp(&other.0).then_with(|| one.1.cmp(&other.1)));

    let mut newest = Newest::default();
    for (place, (_, key)) in objects.into_iter().enumerate() {
        let content = bucket.get_named(&folder.with_key(&key)).await?;
        let rows = read_delimited_csv(content.as_slice(), mode, delimiter);
        for row in rows.map_while(Result::ok) {
            newest.of_text.insert(text_id(&row.text), place);
        }
        newest.objects.push(key);
    }
    Ok(newest)
}

/// Reads the rows of the lake to test with.
pub(super) async fn test_rows(bucket: &Bucket, flywheel: &FlywheelProperties) -> Result<Vec<Row>, LakeError> {
    let folder = folder(flywheel, Use::Test)?;
    let role = Some(flywheel.data_access_role_arn.as_str());
    let bucket = &bucket.as_role(role, [&folder]).await?;
    let (mode, delimiter) = (flywheel.mode(), LABEL_DELIMITER);
    let newest = newest(bucket, &flywheel.flywheel_arn, &folder, (mode, delimiter)).await?;
    read(bucket, &folder, mode, delimiter, Some(&newest)).await
}

/// Reads the rows of all objects whose keys start so, but those of which a newer one has the text.
async fn read(
    bucket: &Bucket,
    from: &S3Uri,
    mode: Mode,
    delimiter: char,
    newest: Option<&Newest>,
) -> Result<Vec<Row>, LakeError> {
    let mut rows = Vec::new();
    for object in bucket.list_named(from).await? {
        let uri = from.with_key(&object.key);
        let content = bucket.get_named(&uri).await?;
        for row in read_delimited_csv(content.as_slice(), mode, delimiter) {
            let row = row.map_err(|bad| LakeError::Row {
                uri: uri.clone(),
                reason: bad.to_string(),
            })?;
            if !newest.is_some_and(|newest| newest.is_outdated(&object.key, &row.text)) {
                rows.push(row);
            }
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
