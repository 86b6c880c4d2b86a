//! How a human loop ends, and whether that has an output.

use chrono::{DateTime, Utc};

use crate::human_loop::{HumanLoop, Status};

/// What the passing of time or a stored answer makes of a loop, to be written down by whoever reads it next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// All answers were in when an earlier version stored the last: it is completed.
    Complete,
    /// Nobody answered in time.
    Expire,
    /// Stopping, and nobody works on it any more.
    Stop,
}

impl HumanLoop {
    /// Returns what is due by now, if anything.
    pub fn due(&self, now: DateTime<Utc>) -> Option<Due> {
        match self.status {
            Status::InProgress if self.answers.len() >= self.task_count => Some(Due::Complete),
            Status::InProgress if now >= self.expires_at => Some(Due::Expire),
            Status::Stopping if !self.leases.iter().any(|lease| lease.expires_at > now) => Some(Due::Stop),
            _ => None,
        }
    }

    /// Returns until when a reviewer holds it.
    pub fn held_until(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let ends = self.leases.iter().map(|lease| lease.expires_at);
        ends.filter(|end| *end > now).max()
    }

    /// Ends it.
    pub fn end(&mut self, status: Status, now: DateTime<Utc>) {
        self.status = status;
        self.ended_at = Some(now);
        self.end_leases(|_| true);
    }

    /// Returns whether its end has an output: a labelling job takes the answers itself.
    pub fn has_output(&self) -> bool {
        let has_ended = !self.status.is_in_flight() && self.status != Status::Deleted;
        has_ended && !self.answers.is_empty() && !self.is_of_labelling_job() && self.failure.is_none()
    }

    /// Returns when it ended, if an output was to be written after that, and may be missing.
    pub fn output_due_since(&self) -> Option<DateTime<Utc>> {
        self.ended_at.filter(|_| self.has_output())
    }

    /// Ends it for lack of a place for its output.
    pub fn fail_for_output(&mut self, uri: &str, reason: &str) {
        self.status = Status::Failed;
        self.failure = Some(format!("The output cannot be written to {uri}: {reason}."));
    }
}
