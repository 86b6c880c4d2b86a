//! The events in log files: a line is one, at the time that it says.

use std::{
    path::{Path, PathBuf},
    time::SystemTime,
};

use chrono::DateTime;
use serde::Deserialize;

use crate::log_file;

/// One line of a log.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LogEvent {
    /// Milliseconds since 1970.
    pub at: i64,
    pub message: String,
}

/// Where a line may say its time.
#[derive(Deserialize)]
struct Times {
    timestamp: Option<String>,
    #[serde(rename = "_aws")]
    metrics: Option<Metrics>,
}

#[derive(Deserialize)]
struct Metrics {
    #[serde(rename = "Timestamp")]
    timestamp: i64,
}

/// Reads what functions have printed, in the order of time.
pub(super) fn read(folder: &Path, functions: &[String]) -> Vec<LogEvent> {
    let mut events: Vec<LogEvent> = files(folder, functions)
        .flat_map(|path| {
            let changed = std::fs::metadata(&path).and_then(|file| file.modified());
            let changed = changed.map_or(0, milliseconds);
            events_of(&std::fs::read(&path).unwrap_or_default(), changed)
        })
        .collect();
    events.sort_by_key(|event| event.at);
    events
}

/// Returns how much functions have printed.
pub(super) fn stored_bytes(folder: &Path, functions: &[String]) -> u64 {
    let sizes = files(folder, functions).filter_map(|path| std::fs::metadata(path).ok());
    sizes.map(|file| file.len()).sum()
}

fn files(folder: &Path, functions: &[String]) -> impl Iterator<Item = PathBuf> {
    functions
        .iter()
        .flat_map(move |function| log_file::files(&folder.join(format!("{function}.log"))))
}

fn events_of(bytes: &[u8], changed: i64) -> Vec<LogEvent> {
    let text = String::from_utf8_lossy(bytes);
    let mut at = changed;
    // From the end: a line without a time was printed before the next that has one.
    let mut events: Vec<LogEvent> = (text.lines().rev())
        .filter(|line| !line.is_empty())
        .map(|line| {
            at = time_of(line).unwrap_or(at);
            LogEvent {
                at,
                message: line.to_owned(),
            }
        })
        .collect();
    events.reverse();
    events
}

fn time_of(line: &str) -> Option<i64> {
    let times: Times = serde_json::from_str(line).ok()?;
    let said = times
        .timestamp
        .and_then(|time| DateTime::parse_from_rfc3339(&time).ok());
    said.map(|time| time.timestamp_millis())
        .or(times.metrics.map(|metrics| metrics.timestamp))
}

fn milliseconds(time: SystemTime) -> i64 {
    DateTime::<chrono::Utc>::from(time).timestamp_millis()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_the_time_that_it_says_or_that_of_the_next_which_says_one() {
        let log = b"starting\n{\"timestamp\":\"2026-03-04T01:00:00.500Z\"}\n\n{\"_aws\":{\"Timestamp\":1772586001000}}\n{\"level\":\"WARN\"}\n";

        let events = events_of(log, 1_772_586_009_000);

        let times: Vec<i64> = events.iter().map(|event| event.at).collect();
        assert_eq!(
            times,
            [
                1_772_586_000_500,
                1_772_586_000_500,
                1_772_586_001_000,
                1_772_586_009_000
            ]
        );
        assert_eq!(events[0].message, "starting");
    }
}
