//! Writing labelled objects: whoever writes one leaves a mark first, by which the next tick of model-building finds it.
//!
//! A mark bears the id of the write, and so does the object that the write made. So a mark of a write that broke off, or
//! that found the object there, is told from the one that is to be counted, whatever the clocks say.

use active_learning_core::keys;
use bytes::Bytes;

use crate::bucket::{BINARY, Bucket, BucketError, Created, JSON_LINES, new_write_id};

/// Writes the labelled object of a human loop, or of what stands for one, unless it is there.
///
/// # Errors
///
/// [`BucketError`]; the object may be there then, and its mark is.
pub async fn create(
    training: &Bucket,
    human_loop: &str,
    lines: impl Into<Bytes>,
) -> Result<Created, BucketError> {
    let write = mark(training, human_loop).await?;
    let key = keys::labelled(human_loop);
    training.create_as(&write, &key, JSON_LINES, lines).await
}

/// Writes the labelled object of what stands for a human loop, over one that is there.
///
/// # Errors
///
/// As [`create`].
pub async fn put(training: &Bucket, human_loop: &str, lines: impl Into<Bytes>) -> Result<(), BucketError> {
    let write = mark(training, human_loop).await?;
    let key = keys::labelled(human_loop);
    training.put_as(&write, &key, JSON_LINES, lines).await
}

/// Leaves a mark; returns the id of the write that is to follow.
async fn mark(training: &Bucket, human_loop: &str) -> Result<String, BucketError> {
    let write = new_write_id();
    let mark = keys::mark_of_labelled(human_loop, &write);
    training.put(&mark, BINARY, Bytes::new()).await?;
    Ok(write)
}
