//! The labelled texts of a stack.

use active_learning_aws::bucket::{Bucket, BucketError, MAX_DOCUMENT_BYTES};
use active_learning_core::{keys, labels::label_set::LabelSet};
use futures::{StreamExt, TryStreamExt, stream};
use human_review::stack_audit::{Labelled, Only, Row, rows_of};

const READS_IN_FLIGHT: usize = 16;

/// Returns the texts on which people agree, as far as the audit is about them, and how many lines could not be read.
pub(super) async fn labelled(
    training: &Bucket,
    (set, several): (&LabelSet, bool),
    only: &Only,
) -> Result<(Vec<Row>, usize), BucketError> {
    let Labelled { records, unreadable } = read(training).await?;
    let rows = rows_of(records.into_iter(), set, several).into_iter();
    Ok((rows.filter(|row| only.takes(row, set)).collect(), unreadable))
}

/// Reads every labelled record of a stack.
pub(super) async fn read(training: &Bucket) -> Result<Labelled, BucketError> {
    let listed = training.list(keys::LABELLED_FOLDER).await?;
    let reads: Vec<_> = listed
        .iter()
        .map(|listed| training.read(&listed.key, MAX_DOCUMENT_BYTES))
        .collect();
    let objects: Vec<_> = stream::iter(reads)
        .buffered(READS_IN_FLIGHT)
        .try_collect()
        .await?;
    let mut labelled = Labelled::default();
    for object in objects.iter().flatten() {
        labelled.add(&object.bytes);
    }
    Ok(labelled)
}
