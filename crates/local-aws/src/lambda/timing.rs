//! The times that functions and their events take.

use std::time::Duration;

/// Waiting times of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// Pauses before the first and the second retry of a queued event whose function failed.
    pub retry_delays: [Duration; 2],
    /// First pause before a throttled queued event is tried again; doubled each time.
    pub first_throttle_delay: Duration,
    /// Longest pause between attempts of a throttled queued event.
    pub last_throttle_delay: Duration,
    /// How long an invocation waits for a free process before it is throttled.
    pub patience: Duration,
    /// How long a process without work is kept.
    pub keep_warm: Duration,
    /// How long [`Lambda::shutdown`](super::Lambda::shutdown) waits for invocations that run.
    pub shutdown_grace: Duration,
}

impl Default for Timing {
    /// The times of a local run: retries after 1 s and 2 s, where AWS takes minutes. A burst that Lambda
    /// would meet with more processes waits, within the 29 s that API Gateway gives an answer.
    fn default() -> Self {
        Self {
            retry_delays: [Duration::from_secs(1), Duration::from_secs(2)],
            first_throttle_delay: Duration::from_secs(1),
            last_throttle_delay: Duration::from_secs(300),
            patience: Duration::from_secs(20),
            keep_warm: Duration::from_secs(300),
            shutdown_grace: Duration::from_secs(5),
        }
    }
}
