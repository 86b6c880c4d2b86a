//! The durable queue of asynchronous invocations: what an event source promised to deliver.

use std::{sync::Arc, time::Duration};

use redb::{ReadOnlyTable, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::{
    alive::{self, Notes},
    faults::{Fault, Faults, UnderWay},
    store::Store,
};

const EVENTS: TableDefinition<u64, &[u8]> = TableDefinition::new("lambda-async-events");

/// The key of the next event. Keys are not used twice, so that a key names one event for good.
const NEXT_KEY: TableDefinition<(), u64> = TableDefinition::new("lambda-async-next-key");

/// Longest that a fault lets an event come late, so that later ones overtake it.
pub(crate) const MOST_EVENT_DELAY: Duration = Duration::from_secs(5);

/// When the service was seen to run last, milliseconds since the epoch.
const ALIVE: Notes = TableDefinition::new("lambda-async-alive");

/// Holds events until their function has taken them or given up.
///
/// An event source calls [`put`](Self::put) inside its own transaction, so that a change and the
/// events it causes are stored together or not at all.
#[derive(Debug, Clone)]
pub struct InvocationQueue {
    store: Arc<Store>,
    wake: Arc<Notify>,
    faults: Faults,
}

/// One asynchronous invocation that waits or runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueuedEvent {
    /// ARN of the function.
    pub function_arn: String,
    /// Id that all attempts share (`Lambda-Runtime-Aws-Request-Id`).
    pub request_id: String,
    /// The event, JSON text.
    pub payload: String,
    /// When it was accepted, milliseconds since the epoch.
    pub accepted_at_ms: u64,
    /// Attempts that ended in a function error.
    pub failed_attempts: u32,
    /// Not to be tried before, milliseconds since the epoch.
    pub not_before_ms: u64,
    /// The AWS service that invokes; `None` if a caller of the Lambda API does, who was authorised then.
    pub source: Option<EventSource>,
    /// Error document of the last attempt that failed.
    pub last_error: Option<String>,
}

/// On whose behalf an AWS service invokes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventSource {
    /// The service, for example `s3.amazonaws.com`.
    pub service: String,
    /// ARN of the resource, for example of the bucket.
    pub arn: String,
}

impl QueuedEvent {
    /// Makes an event that was accepted now, with a request id of its own.
    pub fn new(function_arn: String, payload: String) -> Self {
        Self {
            function_arn,
            request_id: uuid::Uuid::new_v4().to_string(),
            payload,
            accepted_at_ms: epoch_millis(),
            failed_attempts: 0,
            not_before_ms: 0,
            source: None,
            last_error: None,
        }
    }
}

impl InvocationQueue {
    /// Opens the queue in `store`.
    pub fn new(store: Arc<Store>) -> Self {
        Self {
            store,
            wake: Arc::new(Notify::new()),
            faults: Faults::default(),
        }
    }

    /// Lets these faults befall the events of AWS services.
    #[must_use]
    pub fn with_faults(self, faults: Faults) -> Self {
        Self { faults, ..self }
    }

    /// Notes that an event is given to its function, until what is returned is dropped.
    pub(crate) fn gives(&self, event: &QueuedEvent) -> Option<UnderWay> {
        let is_of_service = event.source.is_some();
        is_of_service.then(|| self.faults.gives_event(&event.function_arn))
    }

    /// Adds an event as part of `transaction`. Call [`wake`](Self::wake) after its commit.
    ///
    /// # Errors
    ///
    /// Whatever the index reports.
    pub fn put(&self, transaction: &WriteTransaction, event: &QueuedEvent) -> Result<(), redb::Error> {
        if event.source.is_none() {
            return put_one(transaction, event);
        }
        let times = if self.faults.befalls(Fault::RepeatedEvent) {
            2
        } else {
            1
        };
        for _ in 0..times {
            let late = self.faults.delay_of_event().unwrap_or_default().as_millis();
            let not_before_ms = match u64::try_from(late) {
                Ok(late) if late > 0 => event.accepted_at_ms + late,
                _ => event.not_before_ms,
            };
            put_one(
                transaction,
                &QueuedEvent {
                    not_before_ms,
                    ..event.clone()
                },
            )?;
        }
        Ok(())
    }

    /// Stores an event durably by itself and wakes the dispatcher.
    ///
    /// # Errors
    ///
    /// Whatever the index reports.
    pub fn enqueue(&self, event: &QueuedEvent) -> Result<(), redb::Error> {
        let transaction = self.store.index.begin_write()?;
        self.put(&transaction, event)?;
        transaction.commit()?;
        self.wake();
        Ok(())
    }

    /// Replaces a queued event. It stays as young as it has become meanwhile.
    ///
    /// # Errors
    ///
    /// Whatever the index reports.
    pub fn update(&self, key: u64, event: &QueuedEvent) -> Result<(), redb::Error> {
        let mut event = event.clone();
        let transaction = self.store.index.begin_write()?;
        {
            let mut events = transaction.open_table(EVENTS)?;
            let stored = events.get(key)?.and_then(|stored| decode(stored.value()).ok());
            if let Some(stored) = stored {
                event.accepted_at_ms = event.accepted_at_ms.max(stored.accepted_at_ms);
            }
            events.insert(key, encode(&event).as_slice())?;
        }
        transaction.commit()?;
        Ok(())
    }

    /// Removes an event as part of `transaction`.
    ///
    /// # Errors
    ///
    /// Whatever the index reports.
    pub fn remove(&self, transaction: &WriteTransaction, key: u64) -> Result<(), redb::Error> {
        transaction.open_table(EVENTS)?.remove(key)?;
        Ok(())
    }

    /// Removes an event that has been dealt with.
    ///
    /// # Errors
    ///
    /// Whatever the index reports.
    pub fn complete(&self, key: u64) -> Result<(), redb::Error> {
        let transaction = self.store.index.begin_write()?;
        self.remove(&transaction, key)?;
        transaction.commit()?;
        Ok(())
    }

    /// Notes that the service runs at `now`, milliseconds since the epoch, and makes up for the time that it stood still
    /// since it was noted before: the machine slept, or its clock jumped ahead. Returns that time in milliseconds.
    ///
    /// # Errors
    ///
    /// Whatever the index reports. An event that cannot be read is left as it is.
    pub fn note_alive(&self, now: u64) -> Result<u64, redb::Error> {
        let transaction = self.store.index.begin_write()?;
        let before = alive::note(&transaction, ALIVE, now)?;
        let stood_still = alive::stood_still(before, now);
        if stood_still > 0 {
            keep_young(&transaction, stood_still, now)?;
        }
        transaction.commit()?;
        Ok(stood_still)
    }

    /// Makes up for the time that the service did not run until `now`: the age of what waits stood still. Returns that
    /// time in milliseconds.
    ///
    /// # Errors
    ///
    /// Whatever the index reports. An event that cannot be read is left as it is.
    pub fn resume(&self, now: u64) -> Result<u64, redb::Error> {
        let transaction = self.store.index.begin_write()?;
        let noted = alive::note(&transaction, ALIVE, now)?;
        // A version before did not note it: it ran at least until it took the last event.
        let waiting = waiting(&transaction)?;
        let last_event = waiting.iter().map(|(_, event)| event.accepted_at_ms).max();
        let seen = noted.max(last_event);
        let stopped_for = seen.map_or(0, |seen| now.saturating_sub(seen));
        keep_young(&transaction, stopped_for, now)?;
        transaction.commit()?;
        Ok(stopped_for)
    }

    /// Tells the dispatcher that events were committed.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// Waits until [`wake`](Self::wake) is called.
    pub async fn woken(&self) {
        self.wake.notified().await;
    }

    /// Returns the keys of the queued events from `first` on, oldest first.
    ///
    /// # Errors
    ///
    /// Whatever the index reports.
    pub fn keys_from(&self, first: u64) -> Result<Vec<u64>, redb::Error> {
        let Some(table) = self.events()? else {
            return Ok(Vec::new());
        };
        let keys = table.range(first..)?.map(|entry| Ok(entry?.0.value()));
        keys.collect()
    }

    /// Returns one queued event; `None` if it has been removed.
    ///
    /// # Errors
    ///
    /// Whatever the index reports, or that the event cannot be read.
    pub fn get(&self, key: u64) -> Result<Option<QueuedEvent>, redb::Error> {
        let Some(table) = self.events()? else {
            return Ok(None);
        };
        table.get(key)?.map(|value| decode(value.value())).transpose()
    }

    /// Lists all queued events, oldest first.
    ///
    /// # Errors
    ///
    /// Whatever the index reports, or that an event cannot be read.
    pub fn list(&self) -> Result<Vec<(u64, QueuedEvent)>, redb::Error> {
        let Some(table) = self.events()? else {
            return Ok(Vec::new());
        };
        table
            .iter()?
            .map(|entry| {
                let (key, value) = entry?;
                Ok((key.value(), decode(value.value())?))
            })
            .collect()
    }

    fn events(&self) -> Result<Option<ReadOnlyTable<u64, &'static [u8]>>, redb::Error> {
        match self.store.index.begin_read()?.open_table(EVENTS) {
            Ok(table) => Ok(Some(table)),
            Err(redb::TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// Makes all that waits younger, by milliseconds that do not count.
fn keep_young(transaction: &WriteTransaction, by: u64, now: u64) -> Result<(), redb::Error> {
    let waiting = waiting(transaction)?;
    let mut events = transaction.open_table(EVENTS)?;
    for (key, mut event) in waiting {
        event.accepted_at_ms = (event.accepted_at_ms + by).min(now);
        events.insert(key, encode(&event).as_slice())?;
    }
    Ok(())
}

/// Returns all that waits, oldest first, but for what cannot be read; nothing else changes it while the transaction lasts.
fn waiting(transaction: &WriteTransaction) -> Result<Vec<(u64, QueuedEvent)>, redb::Error> {
    let events = transaction.open_table(EVENTS)?;
    let mut waiting = Vec::new();
    for entry in events.iter()? {
        let (key, value) = entry?;
        match decode(value.value()) {
            Ok(event) => waiting.push((key.value(), event)),
            Err(error) => {
                tracing::error!(%error, key = key.value(), "the age of a queued event stays as it is")
            }
        }
    }
    Ok(waiting)
}

fn put_one(transaction: &WriteTransaction, event: &QueuedEvent) -> Result<(), redb::Error> {
    let mut next_key = transaction.open_table(NEXT_KEY)?;
    let key = next_key.get(())?.map_or(0, |key| key.value());
    next_key.insert((), key + 1)?;
    transaction
        .open_table(EVENTS)?
        .insert(key, encode(event).as_slice())?;
    Ok(())
}

/// Returns the time in milliseconds since the epoch.
pub(crate) fn epoch_millis() -> u64 {
    chrono::Utc::now().timestamp_millis().unsigned_abs()
}

fn encode(event: &QueuedEvent) -> Vec<u8> {
    serde_json::to_vec(event).expect("a queued event has only string keys")
}

fn decode(bytes: &[u8]) -> Result<QueuedEvent, redb::Error> {
    serde_json::from_slice(bytes).map_err(|error| {
        redb::Error::Corrupted(format!(
            "a queued event cannot be read, at column {}",
            error.column()
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_that_was_put_before_is_there_after_the_store_is_opened_again() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let event = QueuedEvent::new("arn:function".to_owned(), "{}".to_owned());
        {
            let store = Arc::new(Store::open(folder.path()).expect("the folder is free"));
            InvocationQueue::new(store)
                .enqueue(&event)
                .expect("the disk takes it");
        }

        let store = Arc::new(Store::open(folder.path()).expect("the folder is free again"));
        let queue = InvocationQueue::new(store);

        assert_eq!(queue.list().expect("readable"), [(0, event)]);
    }

    #[test]
    fn the_age_of_what_waits_stands_still_while_the_service_does() {
        const HOUR: u64 = 60 * 60 * 1000;
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let store = Arc::new(Store::open(folder.path()).expect("the folder is free"));
        let queue = InvocationQueue::new(store);
        let event = |accepted_at_ms| QueuedEvent {
            accepted_at_ms,
            ..QueuedEvent::new("arn:function".to_owned(), "{}".to_owned())
        };
        queue.enqueue(&event(100 * HOUR)).expect("stored");
        queue.enqueue(&event(101 * HOUR)).expect("stored");

        // Of a version before, which was stopped for nine hours; then one that notes it, for some ten more.
        const NOTED: u64 = 30 * 1000;
        let first = queue.resume(110 * HOUR).expect("readable");
        queue.note_alive(110 * HOUR + NOTED).expect("stored");
        let second = queue.resume(120 * HOUR).expect("readable");

        assert_eq!((first, second), (9 * HOUR, 10 * HOUR - NOTED));
        let accepted = queue
            .list()
            .expect("readable")
            .into_iter()
            .map(|(_, event)| event.accepted_at_ms);
        assert_eq!(
            accepted.collect::<Vec<_>>(),
            [119 * HOUR - NOTED, 120 * HOUR - NOTED]
        );
    }

    #[test]
    fn an_event_that_cannot_be_read_does_not_keep_others_from_standing_still() {
        const HOUR: u64 = 60 * 60 * 1000;
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let store = Arc::new(Store::open(folder.path()).expect("the folder is free"));
        let queue = InvocationQueue::new(store.clone());
        let event = QueuedEvent {
            accepted_at_ms: 100 * HOUR,
            ..QueuedEvent::new("arn:function".to_owned(), "{}".to_owned())
        };
        queue.enqueue(&event).expect("stored");
        queue.enqueue(&event).expect("stored");
        let transaction = store.index.begin_write().expect("a transaction");
        {
            let mut events = transaction.open_table(EVENTS).expect("a table");
            events.insert(0, b"damaged".as_slice()).expect("kept");
        }
        transaction.commit().expect("kept");

        let stopped = queue.resume(109 * HOUR).expect("the damaged one is skipped");
        let slept = queue.note_alive(110 * HOUR).expect("the damaged one is skipped");

        assert_eq!((stopped, slept), (9 * HOUR, HOUR));
        let young = queue.get(1).expect("readable").expect("it waits");
        assert_eq!(young.accepted_at_ms, 110 * HOUR);
    }

    #[test]
    fn the_age_of_what_waits_stands_still_while_the_machine_sleeps() {
        const SECOND: u64 = 1000;
        const NIGHT: u64 = 9 * 60 * 60 * SECOND;
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let store = Arc::new(Store::open(folder.path()).expect("the folder is free"));
        let queue = InvocationQueue::new(store);
        let evening = 1_800_000_000 * SECOND;
        queue.note_alive(evening).expect("stored");
        let event = QueuedEvent {
            accepted_at_ms: evening + 10 * SECOND,
            ..QueuedEvent::new("arn:function".to_owned(), "{}".to_owned())
        };
        queue.enqueue(&event).expect("stored");

        let awake = queue.note_alive(evening + 60 * SECOND).expect("stored");
        let slept = queue.note_alive(evening + NIGHT).expect("stored");
        // An attempt that began in the evening has failed.
        queue.update(0, &event).expect("stored");
        let again = queue.note_alive(evening + NIGHT + 30 * SECOND).expect("stored");
        let back = queue.note_alive(evening).expect("stored");

        assert_eq!((awake, slept, again, back), (0, NIGHT - 60 * SECOND, 0, 0));
        let stored = queue.get(0).expect("readable").expect("it waits");
        assert_eq!(stored.accepted_at_ms, evening + NIGHT - 50 * SECOND);
    }

    #[test]
    fn the_key_of_a_removed_event_is_not_given_to_another() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let store = Arc::new(Store::open(folder.path()).expect("the folder is free"));
        let queue = InvocationQueue::new(store);
        let event = QueuedEvent::new("arn:function".to_owned(), "{}".to_owned());

        queue.enqueue(&event).expect("stored");
        queue.complete(0).expect("removed");
        queue.enqueue(&event).expect("stored");

        assert_eq!(queue.keys_from(0).expect("readable"), [1]);
        assert_eq!(queue.get(0).expect("readable"), None);
    }
}
