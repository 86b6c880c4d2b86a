//! The labelled texts of a stack.

use active_learning_aws::bucket::{Bucket, BucketError, MAX_DOCUMENT_BYTES};
use active_learning_core::{
    keys,
    labels::{label_set::LabelSet, labelled::LabelledRecord},
};
use futures::{StreamExt, TryStreamExt, stream};
use human_review::stack_audit::{Only, Row, rows_of};

const READS_IN_FLIGHT: usize = 16;

/// Returns the texts on which people agree, as far as the audit is about them.
pub(super) async fn labelled(
    training: &Bucket,
    (set, several): (&LabelSet, bool),
    only: &Only,
) -> Result<Vec<Row>, BucketError> {
    let rows = rows_of(read(training).await?.into_iter(), set, several).into_iter();
    Ok(rows.filter(|row| only.takes(row, set)).collect())
}

/// Reads every labelled record of a stack; what cannot be read is told by whoever builds.
pub(super) async fn read(training: &Bucket) -> Result<Vec<LabelledRecord>, BucketError> {
    let listed = training.list(keys::LABELLED_FOLDER).await?;
    let reads: Vec<_> = listed
        .iter()
        .map(|listed| training.read(&listed.key, MAX_DOCUMENT_BYTES))
        .collect();
    let objects: Vec<_> = stream::iter(reads)
        .buffered(READS_IN_FLIGHT)
        .try_collect()
        .await?;
    let lines = (objects.iter().flatten()).flat_map(|object| object.bytes.split(|byte| *byte == b'\n'));
    Ok(lines
        .filter_map(|line| LabelledRecord::parse(line).ok())
        .collect())
}
