//! Delivers queued events: at least once, with retries, to the end or to the on-failure destination.
//!
//! Which events are being delivered is known in memory only, so that a restart delivers all that are
//! queued.

use std::{sync::Arc, time::Duration};

use tokio::sync::OwnedSemaphorePermit;

use super::{
    DEFAULT_EVENT_INVOKE, EventInvokeSpec, InvokeError, Lambda, destination::Condition, function_name,
    process::Event,
};
use crate::{
    ACCOUNT_ID,
    alive::NOTE_INTERVAL,
    invocation_queue::{InvocationQueue, MOST_EVENT_DELAY, QueuedEvent, epoch_millis},
};

/// What comes after an attempt.
enum Next {
    /// The event has been dealt with.
    Done,
    /// The function failed: the event is to be tried again after this pause.
    After(Duration),
    /// The event could not be given to the function, or its failure not be recorded: try again
    /// after a pause that grows.
    BackOff,
}

/// Notes from time to time that the service runs, and at its end.
pub(super) async fn note_alive(lambda: Arc<Lambda>) {
    let mut interval = tokio::time::interval(NOTE_INTERVAL);
    interval.tick().await;
    loop {
        let stops = lambda
            .stopping
            .run_until_cancelled(interval.tick())
            .await
            .is_none();
        match lambda.in_queue(|queue| queue.note_alive(epoch_millis())).await {
            Ok(0) => {}
            Ok(milliseconds) => tracing::info!(milliseconds, "the age of queued events stood still"),
            Err(error) => tracing::warn!(%error, "that the service runs could not be noted"),
        }
        if stops {
            return;
        }
    }
}

/// Starts a delivery for each queued event, and for each that is put later, until the service stops.
pub(super) async fn run(lambda: Arc<Lambda>) {
    match lambda.in_queue(|queue| queue.resume(epoch_millis())).await {
        Ok(milliseconds) => tracing::debug!(milliseconds, "the age of queued events stood still"),
        Err(error) => tracing::error!(%error, "the queued events cannot be read"),
    }
    lambda.tasks.spawn(note_alive(lambda.clone()));
    let mut first = 0;
    while !lambda.stopping.is_cancelled() {
        match lambda.in_queue(move |queue| queue.keys_from(first)).await {
            Ok(keys) => {
                for key in keys {
                    first = key + 1;
                    lambda.tasks.spawn(lambda.clone().deliver(key));
                }
            }
            Err(error) => tracing::error!(%error, "the queued events cannot be read"),
        }
        lambda.stopping.run_until_cancelled(lambda.queue.woken()).await;
    }
}

impl Lambda {
    async fn deliver(self: Arc<Self>, key: u64) {
        let mut back_off = self.timing.first_throttle_delay;
        loop {
            let attempt = async {
                let _turn = self.turn(key).await;
                self.attempt(key).await
            };
            let pause = match attempt.await {
                Next::Done => return,
                Next::After(pause) => pause,
                Next::BackOff => {
                    let pause = back_off;
                    back_off = (back_off * 2).min(self.timing.last_throttle_delay);
                    pause
                }
            };
            let pause = tokio::time::sleep(pause);
            if self.stopping.run_until_cancelled(pause).await.is_none() {
                return;
            }
        }
    }

    /// Waits until it is this event's turn to be given to its function. The event is not held in
    /// memory meanwhile: thousands may wait.
    async fn turn(&self, key: u64) -> Option<OwnedSemaphorePermit> {
        let event = self.in_queue(move |queue| queue.get(key)).await.ok()??;
        let turns = self.function(&event.function_arn)?.queue_slots.clone();
        drop(event);
        let turn = turns.acquire_owned();
        self.stopping.run_until_cancelled(turn).await?.ok()
    }

    async fn attempt(&self, key: u64) -> Next {
        let mut event = match self.in_queue(move |queue| queue.get(key)).await {
            Ok(Some(event)) => event,
            Ok(None) => return Next::Done,
            Err(error) => {
                tracing::error!(%error, key, "a queued event cannot be read");
                return Next::BackOff;
            }
        };
        let now = epoch_millis();
        // Never longer than a pause is, or a fault: a clock that was ahead may have set the time.
        let pauses = self.timing.retry_delays.into_iter();
        let longest = pauses.fold(MOST_EVENT_DELAY, Duration::max);
        let wait = Duration::from_millis(event.not_before_ms.saturating_sub(now));
        if !wait.is_zero() && wait <= longest {
            return Next::After(wait);
        }
        let settings = self.event_invoke(&event.function_arn);
        let age_seconds = (now - event.accepted_at_ms.min(now)) / 1000;
        if event.failed_attempts > settings.maximum_retry_attempts {
            return self
                .give_up(key, event, &settings, Condition::RetriesExhausted)
                .await;
        }
        if age_seconds > settings.maximum_event_age_seconds.into() {
            return self.too_old(key, event, &settings).await;
        }
        if !self.source_may_invoke(&event) {
            tracing::error!(
                function = event.function_arn,
                source = ?event.source,
                "the function has no permission for the source of an event"
            );
            return self
                .give_up(key, event, &settings, Condition::RetriesExhausted)
                .await;
        }
        let invocation = Event {
            request_id: event.request_id.clone(),
            payload: event.payload.clone().into(),
        };
        let under_way = self.queue.gives(&event);
        let invoked = self.invoke_as(&event.function_arn, invocation).await;
        drop(under_way);
        match invoked {
            Ok(output) if output.function_error.is_none() => {
                match self.in_queue(move |queue| queue.complete(key)).await {
                    Ok(()) => Next::Done,
                    Err(error) => {
                        tracing::error!(%error, key, "a delivered event cannot be removed");
                        Next::BackOff
                    }
                }
            }
            // It may have failed for want of a service that has stopped: the next start decides.
            Ok(_) if self.stopping.is_cancelled() => Next::Done,
            Ok(output) => {
                event.last_error = Some(String::from_utf8_lossy(&output.payload).into_owned());
                self.note_failure(key, event, &settings).await
            }
            Err(InvokeError::NotFound(function)) => {
                tracing::error!(function, "an event waits for a function that does not exist");
                Next::BackOff
            }
            Err(InvokeError::Throttled) => Next::BackOff,
            Err(InvokeError::Stopping) => Next::Done,
        }
    }

    async fn note_failure(&self, key: u64, mut event: QueuedEvent, settings: &EventInvokeSpec) -> Next {
        event.failed_attempts += 1;
        if event.failed_attempts > settings.maximum_retry_attempts {
            return self
                .give_up(key, event, settings, Condition::RetriesExhausted)
                .await;
        }
        let delays = self.timing.retry_delays;
        let delay = delays[delays.len().min(event.failed_attempts as usize) - 1];
        event.not_before_ms = epoch_millis() + delay.as_millis() as u64;
        tracing::warn!(
            function = event.function_arn,
            request_id = event.request_id,
            failed_attempts = event.failed_attempts,
            "a function failed on a queued event, which will be tried again"
        );
        if let Err(error) = self.in_queue(move |queue| queue.update(key, &event)).await {
            // The attempt is then not counted, and the event is tried once more than it should be.
            tracing::error!(%error, key, "a failed attempt cannot be stored");
        }
        Next::After(delay)
    }

    /// Gives up an event that is too old, unless it is so by a time in which nothing ran.
    async fn too_old(&self, key: u64, event: QueuedEvent, settings: &EventInvokeSpec) -> Next {
        let by_now = self.in_queue(move |queue| {
            queue.note_alive(epoch_millis())?;
            queue.get(key)
        });
        match by_now.await {
            Ok(Some(by_now)) if by_now.accepted_at_ms == event.accepted_at_ms => {
                self.give_up(key, event, settings, Condition::EventAgeExceeded)
                    .await
            }
            Ok(_) => Next::After(Duration::ZERO),
            Err(error) => {
                tracing::error!(%error, key, "the age of a queued event cannot be looked at");
                Next::BackOff
            }
        }
    }

    /// Hands an event to the on-failure destination and removes it.
    async fn give_up(
        &self,
        key: u64,
        event: QueuedEvent,
        settings: &EventInvokeSpec,
        condition: Condition,
    ) -> Next {
        tracing::error!(
            function = event.function_arn,
            request_id = event.request_id,
            failed_attempts = event.failed_attempts,
            ?condition,
            destination = settings.on_failure_arn,
            "a queued event is given up"
        );
        let destination = settings.on_failure_arn.as_deref();
        let Err(error) = self.hand_over(key, &event, destination, condition).await else {
            return Next::Done;
        };
        tracing::error!(%error, key, "the failure of an event cannot be recorded; it stays queued");
        if let Err(error) = self.in_queue(move |queue| queue.update(key, &event)).await {
            tracing::error!(%error, key, "a failed attempt cannot be stored");
        }
        Next::BackOff
    }

    fn event_invoke(&self, function_arn: &str) -> EventInvokeSpec {
        let name = function_name(function_arn);
        let provisioned = self.provisioned();
        let settings = provisioned.event_invokes.get(name).cloned();
        settings.unwrap_or(DEFAULT_EVENT_INVOKE)
    }

    fn source_may_invoke(&self, event: &QueuedEvent) -> bool {
        event.source.as_ref().is_none_or(|source| {
            self.may_invoke(
                &event.function_arn,
                &source.service,
                &source.arn,
                ACCOUNT_ID,
                "lambda:InvokeFunction",
            )
        })
    }

    /// Does something with the queue where it may wait for the disk.
    pub(super) async fn in_queue<T: Send + 'static>(
        &self,
        work: impl FnOnce(&InvocationQueue) -> Result<T, redb::Error> + Send + 'static,
    ) -> Result<T, redb::Error> {
        let queue = self.queue.clone();
        tokio::task::spawn_blocking(move || work(&queue))
            .await
            .expect("work on the queue does not panic and is not aborted")
    }
}
