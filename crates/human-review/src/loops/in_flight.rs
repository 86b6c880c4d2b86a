//! Counting the loops in flight, for the quota.

use std::sync::PoisonError;

use chrono::{DateTime, Duration, Utc};

use super::{LoopError, Loops, MAX_LOOPS_IN_FLIGHT};

/// Objects on a full page of a listing. Source: Amazon S3, `ListObjectsV2`.
const LISTED_AT_ONCE: usize = 1_000;
/// How long the number of loops in flight is taken for right.
const COUNT_LIFETIME: Duration = Duration::minutes(1);
/// Part of the quota from which on the loops in flight are counted each time.
const COUNTED_EACH_TIME: usize = MAX_LOOPS_IN_FLIGHT / 10 * 9;

/// The loops in flight when they were counted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counted {
    /// So many.
    count: usize,
    /// Then.
    at: DateTime<Utc>,
}

impl Loops {
    /// Returns how many loops are in flight; those past their time do not count.
    ///
    /// Counted by their marks alone, and at most once a minute as long as the quota is far: a start costs
    /// the same however many wait. Other instances of the function start loops as well meanwhile, so that
    /// the number may be too low by what they start in a minute.
    pub(super) async fn in_flight(&self, now: DateTime<Utc>) -> Result<usize, LoopError> {
        let known = *self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(counted) = known
            && counted.count < COUNTED_EACH_TIME
            && now - counted.at < COUNT_LIFETIME
        {
            return Ok(counted.count);
        }

        let oldest = now - self.rules.availability;
        let (mut count, mut after) = (0, String::new());
        loop {
            let page = self.records.queue_marks(&after, LISTED_AT_ONCE).await?;
            count += page.marks.iter().filter(|mark| mark.created_at > oldest).count();
            match page.last {
                Some(last) if count < MAX_LOOPS_IN_FLIGHT => after = last,
                _ => break,
            }
        }
        *self.counted.lock().unwrap_or_else(PoisonError::into_inner) = Some(Counted { count, at: now });
        Ok(count)
    }

    /// Counts a loop that this instance has started.
    pub(super) fn count_one_more(&self) {
        if let Some(counted) = self
            .counted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_mut()
        {
            counted.count += 1;
        }
    }
}
