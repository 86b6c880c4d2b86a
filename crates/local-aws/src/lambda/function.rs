//! A function and its processes: one event at a time each, kept warm, as many as its concurrency.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::{
    FunctionError, FunctionSpec,
    process::{Ended, Event, Failure, Launch, NotStarted, Process},
};

/// Longest pause before a process is started again after starts that failed.
const MAX_START_PAUSE: Duration = Duration::from_secs(5);

/// Starts in a row that fail before it is said that the function cannot start: one may be a process that was killed.
const HOPELESS: u32 = 2;

/// A provisioned function.
pub(super) struct Function {
    pub spec: FunctionSpec,
    pub arn: String,
    launch: Launch,
    slots: Arc<Semaphore>,
    /// Lets no more queued events wait for a slot than there are slots, so that a long queue does
    /// not stand in the way of synchronous callers.
    pub queue_slots: Arc<Semaphore>,
    idle: Mutex<Vec<IdleProcess>>,
    failed_starts: Mutex<FailedStarts>,
}

struct IdleProcess {
    process: Process,
    since: Instant,
}

#[derive(Default)]
struct FailedStarts {
    count: u32,
    not_before: Option<Instant>,
    reason: Option<String>,
}

impl std::fmt::Debug for Function {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Function").field(&self.arn).finish()
    }
}

impl Function {
    pub(super) fn new(spec: FunctionSpec, launch: Launch) -> Self {
        let concurrency = spec.reserved_concurrency.unwrap_or(super::DEFAULT_CONCURRENCY) as usize;
        Self {
            arn: launch.function_arn.clone(),
            launch,
            slots: Arc::new(Semaphore::new(concurrency)),
            queue_slots: Arc::new(Semaphore::new(concurrency)),
            idle: Mutex::new(Vec::new()),
            failed_starts: Mutex::default(),
            spec,
        }
    }

    /// Waits for the right to run one event, at most for `patience`; `None` is a throttle.
    pub(super) async fn slot(&self, patience: Duration) -> Option<OwnedSemaphorePermit> {
        if self.spec.reserved_concurrency == Some(0) {
            return None;
        }
        let slot = self.slots.clone().acquire_owned();
        tokio::time::timeout(patience, slot).await.ok()?.ok()
    }

    /// Runs one event in a warm process, or in a new one.
    pub(super) async fn run(
        &self,
        slot: OwnedSemaphorePermit,
        event: &Event,
        stop: &CancellationToken,
    ) -> Result<Bytes, Ended> {
        let mut process = match self.take_idle() {
            Some(process) => process,
            None => self.start(event, stop).await?,
        };
        let timeout = Duration::from_secs(self.spec.timeout_seconds.into());
        let result = process.run(event, timeout, stop).await;
        if stays_warm(&result) {
            let since = Instant::now();
            self.idle().push(IdleProcess { process, since });
        } else {
            drop(process);
        }
        // Only now: whoever gets this slot finds the warm process, or room for a new one.
        drop(slot);
        result
    }

    fn take_idle(&self) -> Option<Process> {
        let mut idle = self.idle();
        while let Some(IdleProcess { mut process, .. }) = idle.pop() {
            if process.is_alive() {
                return Some(process);
            }
        }
        None
    }

    async fn start(&self, event: &Event, stop: &CancellationToken) -> Result<Process, Ended> {
        let not_before = self.failed_starts().not_before;
        if let Some(not_before) = not_before {
            let pause = tokio::time::sleep_until(not_before);
            stop.run_until_cancelled(pause).await.ok_or(Ended::Stopped)?;
        }
        let started = Process::start(&self.launch, event, stop).await;
        let mut failed_starts = self.failed_starts();
        match &started {
            Ok(_) => *failed_starts = FailedStarts::default(),
            Err(NotStarted {
                ended: Ended::Failed(failure),
                said_last,
            }) => {
                failed_starts.reason = said_last.clone().or_else(|| failure.message());
                let pause = Duration::from_millis(100) * 2u32.pow(failed_starts.count.min(6));
                failed_starts.count += 1;
                failed_starts.not_before = Some(Instant::now() + pause.min(MAX_START_PAUSE));
            }
            Err(_) => {}
        }
        started.map_err(|not_started| not_started.ended)
    }

    /// Returns why no process starts, after so many starts in a row that failed; `None` while there is hope.
    pub(super) fn why_not_started(&self) -> Option<String> {
        let failed_starts = self.failed_starts();
        (failed_starts.count >= HOPELESS).then(|| failed_starts.reason.clone().unwrap_or_default())
    }

    /// Ends the processes that have had nothing to do for `limit`.
    pub(super) fn end_idle(&self, limit: Duration) {
        self.idle().retain(|process| process.since.elapsed() < limit);
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<IdleProcess>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed_starts(&self) -> std::sync::MutexGuard<'_, FailedStarts> {
        self.failed_starts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn stays_warm(result: &Result<Bytes, Ended>) -> bool {
    match result {
        Ok(_) => true,
        Err(Ended::Failed(Failure { error, .. })) => match error {
            FunctionError::Reported | FunctionError::ResponseTooLarge => true,
            FunctionError::TimedOut | FunctionError::Exited => false,
        },
        Err(Ended::Stopped) => false,
    }
}
