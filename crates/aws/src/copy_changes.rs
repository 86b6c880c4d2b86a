//! What is about to become of copies: whoever keeps or removes some leaves a mark first, by which the next build finds
//! them. So no build lists all copies.

use active_learning_core::{
    keys,
    sampling::duplicates::{Becomes, CopiesChange},
};

use crate::bucket::{Bucket, BucketError, new_write_id};

/// Copies that a mark names at most: about a megabyte.
const COPIES_PER_MARK: usize = 10_000;

/// Leaves a mark that copies, by their keys, are about to be kept or removed; none for none.
///
/// # Errors
///
/// [`BucketError`]; the copies are to stay as they are then.
pub async fn announce(training: &Bucket, becomes: Becomes, copies: &[String]) -> Result<(), BucketError> {
    for copies in copies.chunks(COPIES_PER_MARK) {
        let copies = copies.to_vec();
        let mark = keys::mark_of_copies(&new_write_id());
        training
            .put_document(&mark, &CopiesChange { becomes, copies })
            .await?;
    }
    Ok(())
}
