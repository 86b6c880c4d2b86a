//! Comprehend's timestamps on the wire: seconds since 1970 with milliseconds.

use chrono::{DateTime, Utc};

pub(crate) fn epoch_seconds(time: DateTime<Utc>) -> f64 {
    time.timestamp_millis() as f64 / 1_000.0
}

pub(crate) fn from_epoch_seconds(seconds: f64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis((seconds * 1_000.0).round() as i64).unwrap_or_default()
}
