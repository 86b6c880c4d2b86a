//! Counting the loops in flight, for the quota.

use chrono::{DateTime, Utc};

use super::{LoopError, Loops, MAX_LOOPS_IN_FLIGHT};
use crate::marks::Mark;

/// Objects on a full page of a listing. Source: Amazon S3, `ListObjectsV2`.
const LISTED_AT_ONCE: usize = 1_000;

impl Loops {
    /// Ends the loops whose time is over, which is told. Whoever looks at one does the same.
    ///
    /// # Errors
    ///
    /// [`LoopError::Storage`].
    pub async fn end_overdue(&self, now: DateTime<Utc>) -> Result<(), LoopError> {
        let oldest = now - self.rules.availability;
        let (mut seen, mut after) = (0, String::new());
        loop {
            let page = self.records.queue_marks(&after, LISTED_AT_ONCE).await?;
            seen += page.marks.len();
            let overdue: Vec<Mark> = (page.marks.into_iter())
                .filter(|mark| mark.created_at <= oldest)
                .collect();
            self.loops_of(&overdue, now).await?;
            match page.last {
                Some(last) if seen < MAX_LOOPS_IN_FLIGHT => after = last,
                _ => return Ok(()),
            }
        }
    }

    /// Returns how many loops are in flight, at most about the quota; those past their time do not count.
    ///
    /// Counted by their marks alone, a request for each thousand: no more than the quota are looked at.
    pub(super) async fn in_flight(&self, now: DateTime<Utc>) -> Result<usize, LoopError> {
        let oldest = now - self.rules.availability;
        let (mut count, mut after) = (0, String::new());
        loop {
            let page = self.records.queue_marks(&after, LISTED_AT_ONCE).await?;
            count += page.marks.iter().filter(|mark| mark.created_at > oldest).count();
            match page.last {
                Some(last) if count < MAX_LOOPS_IN_FLIGHT => after = last,
                _ => return Ok(count),
            }
        }
    }
}
