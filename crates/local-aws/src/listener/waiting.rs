//! How long more of a request's body is waited for.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep};

use super::State;

/// Bytes for which a second more is waited: who sends less holds a place, and sends nothing that anybody wants.
const BYTES_A_SECOND: f64 = 1_024.0;

/// The time that a body is waited for. What its reader takes does not count.
pub(super) struct Waiting {
    timeout: Duration,
    connection: Arc<State>,
    received: u64,
    waited: Duration,
    /// Since when it waits, and when it is over.
    now: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl Waiting {
    pub(super) fn new(timeout: Duration, connection: Arc<State>) -> Self {
        Self {
            timeout,
            connection,
            received: 0,
            waited: Duration::ZERO,
            now: None,
        }
    }

    /// Notes that something has come. Returns whether that is not too late.
    pub(super) fn ends(&mut self, bytes: usize) -> bool {
        self.received += bytes as u64;
        let Some((since, _)) = self.now.take() else {
            return true;
        };
        self.waited += since.elapsed();
        self.connection.goes_on()
    }

    /// Waits on; it is ready when that was too long.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let left = self.left();
        let (_, sleep) = self.now.get_or_insert_with(|| {
            let since = Instant::now();
            self.connection.waits(since);
            (since, Box::pin(sleep(left)))
        });
        sleep.as_mut().poll(context)
    }

    fn left(&self) -> Duration {
        let for_bytes = Duration::from_secs_f64(self.received as f64 / BYTES_A_SECOND);
        let in_all = (self.timeout + for_bytes).saturating_sub(self.waited);
        in_all.min(self.timeout)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.now.is_some() {
            self.connection.goes_on();
        }
    }
}
