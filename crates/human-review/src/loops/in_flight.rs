//! Which loops are in flight: whether one is still asked, and how many there are, for the quota.
//!
//! A count takes a request for each thousand. So it is not made for each loop that starts: while there was plenty of
//! room a moment ago there is some now, and where there was none the next ones that are refused need no count.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Duration, Utc};

use super::{LoopError, Loops, MAX_LOOPS_IN_FLIGHT};
use crate::human_loop::{HumanLoop, Status};
use crate::loop_end::Due;

/// Objects on a full page of a listing. Source: Amazon S3, `ListObjectsV2`.
const LISTED_AT_ONCE: usize = 1_000;
/// How long a count is trusted that found room. Other processes start loops too, each no more than an eighth of the room that
/// it has counted: where more than eight start many at once, the quota may be exceeded by an eighth for each further one. What
/// is overdue is looked for to the end of the queue all the same.
const TRUSTED: Duration = Duration::minutes(5);
/// How long a count is trusted that found none. Reviewers make room all the time.
const FULL: Duration = Duration::seconds(5);
/// A process starts this part of the room that it counted before it counts again.
const PART_OF_ROOM: usize = 8;

/// What this process counted last.
pub(super) type LastCount = Arc<Mutex<Option<Counted>>>;

/// A count, and what was started since.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counted {
    at: DateTime<Utc>,
    in_flight: usize,
    started: usize,
}

impl Counted {
    /// Returns whether one more has room; `None` if that has to be counted.
    fn has_room(&self, quota: usize, now: DateTime<Utc>) -> Option<bool> {
        let room = quota.saturating_sub(self.in_flight);
        let trusted = if room == 0 { FULL } else { TRUSTED };
        let is_trusted = (self.at..self.at + trusted).contains(&now);
        match room {
            _ if !is_trusted => None,
            0 => Some(false),
            room => (self.started < room / PART_OF_ROOM).then_some(true),
        }
    }
}

/// Takes another start of a name where it is the same one, and the loop is asked, or has its answers.
///
/// # Errors
///
/// [`LoopError::Conflict`] where it is not; [`LoopError::WrongStatus`] where the loop was stopped or has failed: nobody is
/// asked any more.
pub(super) fn started_before(
    human_loop: &HumanLoop,
    is_same: bool,
    now: DateTime<Utc>,
) -> Result<(), LoopError> {
    // What is due is written down by who reads the loop next.
    let status = match human_loop.due(now) {
        None => human_loop.status,
        Some(Due::Complete) => Status::Completed,
        Some(Due::Expire) => Status::Failed,
        Some(Due::Stop) => Status::Stopped,
    };
    match status {
        _ if !is_same => Err(LoopError::Conflict),
        Status::InProgress | Status::Stopping | Status::Completed => Ok(()),
        Status::Stopped | Status::Failed | Status::Deleted => Err(LoopError::WrongStatus(status)),
    }
}

impl Loops {
    /// Returns whether one more loop may be started: about as many as the quota are in flight at most.
    pub(super) async fn has_room(&self, quota: usize, now: DateTime<Utc>) -> Result<bool, LoopError> {
        if let Some(has_room) = self.knows_of_room(quota, now) {
            return Ok(has_room);
        }
        let in_flight = self.in_flight().await?;
        self.note_count(in_flight, 1, now);
        Ok(in_flight < quota)
    }

    /// Notes how many loops are in flight, one that is started now included in `started`.
    pub(super) fn note_count(&self, in_flight: usize, started: usize, now: DateTime<Utc>) {
        let counted = Counted {
            at: now,
            in_flight,
            started,
        };
        *self.last_count.lock().unwrap_or_else(PoisonError::into_inner) = Some(counted);
    }

    fn knows_of_room(&self, quota: usize, now: DateTime<Utc>) -> Option<bool> {
        let mut last = self.last_count.lock().unwrap_or_else(PoisonError::into_inner);
        let counted = last.as_mut()?;
        let has_room = counted.has_room(quota, now)?;
        counted.started += 1;
        Some(has_room)
    }

    /// Returns how many loops are in flight, at most about the quota. Those past their time count until they are ended, which
    /// is done every minute: a mark does not say how long its loop waits.
    ///
    /// Counted by their marks alone, a request for each thousand: no more than the quota are looked at.
    async fn in_flight(&self) -> Result<usize, LoopError> {
        let (mut count, mut after) = (0, String::new());
        loop {
            let page = self.listed(&after, LISTED_AT_ONCE).await?;
            count += page.marks.len();
            match page.last {
                Some(last) if count < MAX_LOOPS_IN_FLIGHT => after = last,
                _ => return Ok(count),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loops::MAX_LOOPS_FOR_JOBS;

    #[test]
    fn a_count_is_trusted_for_five_minutes_and_for_a_part_of_the_room_that_it_found() {
        let at: DateTime<Utc> = "2026-11-20T10:00:00Z".parse().expect("a time");
        let counted = |in_flight, started| Counted {
            at,
            in_flight,
            started,
        };

        let later = |seconds| at + Duration::seconds(seconds);
        assert_eq!(counted(0, 1).has_room(MAX_LOOPS_IN_FLIGHT, at), Some(true));
        assert_eq!(
            counted(0, 624).has_room(MAX_LOOPS_IN_FLIGHT, later(299)),
            Some(true)
        );
        assert_eq!(
            counted(0, 625).has_room(MAX_LOOPS_IN_FLIGHT, at),
            None,
            "an eighth of 5,000"
        );
        assert_eq!(counted(0, 1).has_room(MAX_LOOPS_IN_FLIGHT, later(300)), None);
        assert_eq!(
            counted(0, 1).has_room(MAX_LOOPS_IN_FLIGHT, later(-1)),
            None,
            "a clock that was put back"
        );
        assert_eq!(
            counted(4_993, 0).has_room(MAX_LOOPS_IN_FLIGHT, at),
            None,
            "next to none"
        );
        for full in [5_000, 6_000] {
            assert_eq!(
                counted(full, 1).has_room(MAX_LOOPS_IN_FLIGHT, later(4)),
                Some(false)
            );
            assert_eq!(counted(full, 1).has_room(MAX_LOOPS_IN_FLIGHT, later(5)), None);
        }
    }

    #[test]
    fn labelling_jobs_leave_half_of_the_quota_to_the_flow_definitions() {
        let at: DateTime<Utc> = "2026-11-20T10:00:00Z".parse().expect("a time");
        let counted = |in_flight| Counted {
            at,
            in_flight,
            started: 1,
        };

        assert_eq!(counted(2_400).has_room(MAX_LOOPS_FOR_JOBS, at), Some(true));
        assert_eq!(counted(2_500).has_room(MAX_LOOPS_FOR_JOBS, at), Some(false));
        assert_eq!(counted(2_500).has_room(MAX_LOOPS_IN_FLIGHT, at), Some(true));
    }
}
