//! When a service was seen to run last, and for how long it has stood still since: it was stopped, its machine slept, or the
//! clock jumped ahead. And by how much the clock was put back.

use std::time::Duration;

use redb::{TableDefinition, WriteTransaction};

/// How often it is noted that a service runs.
pub(crate) const NOTE_INTERVAL: Duration = Duration::from_secs(30);

/// Longest time between two notes of a service that runs: a busy machine may be late with one.
const LONGEST_RUNNING: Duration = Duration::from_secs(90);

/// Holds the time of the last note, milliseconds since the epoch.
pub(crate) type Notes = TableDefinition<'static, (), u64>;

/// Notes that a service runs at `now`. Returns when that was noted before.
pub(crate) fn note(
    transaction: &WriteTransaction,
    notes: Notes,
    now: u64,
) -> Result<Option<u64>, redb::Error> {
    let mut notes = transaction.open_table(notes)?;
    let before = notes.insert((), now)?.map(|at| at.value());
    Ok(before)
}

/// Returns for how many milliseconds a service has stood still between two notes.
pub(crate) fn stood_still(before: Option<u64>, now: u64) -> u64 {
    let between = before.map_or(0, |before| now.saturating_sub(before));
    match Duration::from_millis(between) > LONGEST_RUNNING {
        true => between,
        false => 0,
    }
}

/// Returns by how many milliseconds the clock was put back between two notes; nothing for what a clock is set right by.
pub(crate) fn put_back(before: Option<u64>, now: u64) -> u64 {
    let back = before.map_or(0, |before| before.saturating_sub(now));
    match Duration::from_millis(back) > LONGEST_RUNNING {
        true => back,
        false => 0,
    }
}
