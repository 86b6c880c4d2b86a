//! Loops of which everything that they ask was erased at a person's wish.

use active_learning_aws::backoff::Tries;
use active_learning_aws::bucket::{Bucket, BucketError};

use super::{LoopError, Loops};
use crate::human_loop::Status;
use crate::marks::Mark;
use crate::records::Records;

/// Deletes a loop of a review bucket and all that it holds, whatever its state. A reviewer who has it open is told that it is
/// no more, and their answer is not taken.
///
/// # Errors
///
/// [`BucketError`]; one that does not exist is fine.
pub async fn erase(review: &Bucket, name: &str) -> Result<(), BucketError> {
    let records = Records::new(review.clone());
    let mut tries = Tries::default();
    while tries.again().await {
        let Some((mut human_loop, etag)) = records.read_loop(name).await? else {
            return Ok(());
        };
        human_loop.status = Status::Deleted;
        human_loop.is_erased = true;
        human_loop.leases.clear();
        human_loop.answers.clear();
        if records.replace_loop(&human_loop, &etag).await?.is_written() {
            records.remove_answers(&human_loop.id).await?;
            records.forget_remarks(&human_loop.id).await?;
            records.remove_input_and_marks(&Mark::of(&human_loop)).await?;
            // Last: a run that is ended before finds the loop again by what it asks.
            return forget_input(&records, review, name, &human_loop.id).await;
        }
    }
    let uri = review.uri(name);
    Err(BucketError::Contended { uri })
}

impl Loops {
    /// Returns whether a loop that is no more was deleted since what it asked was erased.
    pub(crate) async fn was_erased(&self, name: &str) -> Result<bool, LoopError> {
        let found = self.records.read_loop(name).await?;
        Ok(found.is_some_and(|(human_loop, _)| human_loop.is_erased))
    }
}

/// Takes what a deleted loop asked out of its state, unless another loop has the name by now.
async fn forget_input(records: &Records, review: &Bucket, name: &str, id: &str) -> Result<(), BucketError> {
    let mut tries = Tries::default();
    while tries.again().await {
        let found = records.read_loop(name).await?;
        let Some((mut human_loop, etag)) = found.filter(|(found, _)| found.id == id && found.input.is_some())
        else {
            return Ok(());
        };
        human_loop.input = None;
        if records.replace_loop(&human_loop, &etag).await?.is_written() {
            return Ok(());
        }
    }
    let uri = review.uri(name);
    Err(BucketError::Contended { uri })
}
