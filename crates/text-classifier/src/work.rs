//! What is done outside requests: training, classification jobs, changes of an endpoint.
//!
//! A request writes the thing's state, then a job object named after the thing; S3 tells this same
//! function of it, at least once. The state says what is to do, so an event too many finds nothing to do.
//! Long work is claimed until the invocation's deadline. Lambda's repeated attempts at an event share a
//! request id, so the next attempt takes over from one that crashed; any other event waits for the
//! deadline.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// Attempts at one piece of work: Lambda makes three of an event, and describing the thing makes an event.
const MAX_ATTEMPTS: u32 = 5;
/// Work that nobody has claimed for so long has lost its event.
const OVERDUE: TimeDelta = TimeDelta::seconds(60);

/// One invocation of the function.
#[derive(Debug, Clone)]
pub(crate) struct Invocation {
    /// Shared by all attempts at one event.
    pub request_id: String,
    /// No invocation outlives it.
    pub deadline: DateTime<Utc>,
}

/// Who works on a thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Run {
    /// The invocation's request id.
    pub owner: String,
    /// The invocation's deadline.
    pub until: DateTime<Utc>,
    /// How many times somebody began, this time included.
    pub attempts: u32,
}

/// Outcome of an attempt to begin.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    Mine(Run),
    /// Somebody else is at it.
    Busy,
    /// Too many have begun and not come to an end.
    Exhausted,
}

/// Why work was not begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotBegun {
    /// There is nothing left to do.
    Finished,
    /// Somebody else is at it.
    Busy,
}

impl Run {
    /// Begins work on which `current` worked last.
    pub(crate) fn claim(current: Option<&Self>, invocation: &Invocation, now: DateTime<Utc>) -> Claim {
        let attempts = match current {
            None => 0,
            Some(run) if run.owner != invocation.request_id && now < run.until => return Claim::Busy,
            Some(run) if run.attempts >= MAX_ATTEMPTS => return Claim::Exhausted,
            Some(run) => run.attempts,
        };
        Claim::Mine(Self {
            owner: invocation.request_id.clone(),
            until: invocation.deadline,
            attempts: attempts + 1,
        })
    }
}

/// Returns whether work that was asked for then, and is not done, needs another event.
pub(crate) fn is_overdue(run: Option<&Run>, asked_for: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    run.map_or(asked_for, |run| run.until) + OVERDUE < now
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).expect("a time")
    }

    fn invocation(request_id: &str, deadline: i64) -> Invocation {
        Invocation {
            request_id: request_id.to_owned(),
            deadline: at(deadline),
        }
    }

    fn run(owner: &str, until: i64, attempts: u32) -> Run {
        Run {
            owner: owner.to_owned(),
            until: at(until),
            attempts,
        }
    }

    #[test]
    fn the_same_event_takes_over_at_once_and_another_only_after_the_deadline() {
        let running = run("a", 100, 1);

        assert_eq!(
            Run::claim(None, &invocation("a", 100), at(0)),
            Claim::Mine(run("a", 100, 1))
        );
        assert_eq!(
            Run::claim(Some(&running), &invocation("a", 150), at(50)),
            Claim::Mine(run("a", 150, 2))
        );
        assert_eq!(
            Run::claim(Some(&running), &invocation("b", 150), at(50)),
            Claim::Busy
        );
        assert_eq!(
            Run::claim(Some(&running), &invocation("b", 200), at(100)),
            Claim::Mine(run("b", 200, 2))
        );
    }

    #[test]
    fn after_five_attempts_nobody_tries_again() {
        let last = run("a", 100, MAX_ATTEMPTS);

        assert_eq!(
            Run::claim(Some(&last), &invocation("a", 150), at(50)),
            Claim::Exhausted
        );
    }

    #[test]
    fn work_is_overdue_a_minute_after_it_was_asked_for_or_its_run_must_have_ended() {
        assert!(!is_overdue(None, at(0), at(60)));
        assert!(is_overdue(None, at(0), at(61)));
        assert!(!is_overdue(Some(&run("a", 100, 1)), at(0), at(160)));
        assert!(is_overdue(Some(&run("a", 100, 1)), at(0), at(161)));
    }
}
