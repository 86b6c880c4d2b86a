//! The durable queue of asynchronous invocations: what an event source promised to deliver.

use std::sync::Arc;

use redb::{ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::store::Store;

const EVENTS: TableDefinition<u64, &[u8]> = TableDefinition::new("lambda-async-events");

/// Holds events until their function has taken them or given up.
///
/// An event source calls [`put`](Self::put) inside its own transaction, so that a change and the
/// events it causes are stored together or not at all.
#[derive(Debug, Clone)]
pub struct InvocationQueue {
    store: Arc<Store>,
    wake: Arc<Notify>,
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
}

impl InvocationQueue {
    /// Opens the queue in `store`.
    pub fn new(store: Arc<Store>) -> Self {
        Self {
            store,
            wake: Arc::new(Notify::new()),
        }
    }

    /// Adds an event as part of `transaction`. Call [`wake`](Self::wake) after its commit.
    ///
    /// # Errors
    ///
    /// Whatever the index reports.
    pub fn put(&self, transaction: &WriteTransaction, event: &QueuedEvent) -> Result<(), redb::Error> {
        let mut table = transaction.open_table(EVENTS)?;
        let next = table.last()?.map_or(0, |(key, _)| key.value() + 1);
        let bytes = serde_json::to_vec(event).expect("a queued event has only string keys");
        table.insert(next, bytes.as_slice())?;
        Ok(())
    }

    /// Tells the dispatcher that events were committed.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// Waits until [`wake`](Self::wake) is called.
    pub async fn woken(&self) {
        self.wake.notified().await;
    }

    /// Lists all queued events, oldest first.
    ///
    /// # Errors
    ///
    /// Whatever the index reports.
    pub fn list(&self) -> Result<Vec<(u64, QueuedEvent)>, redb::Error> {
        let transaction = self.store.index.begin_read()?;
        let table = match transaction.open_table(EVENTS) {
            Ok(table) => table,
            Err(redb::TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
            Err(error) => return Err(error.into()),
        };
        let mut events = Vec::new();
        for entry in table.iter()? {
            let (key, value) = entry?;
            if let Ok(event) = serde_json::from_slice(value.value()) {
                events.push((key.value(), event));
            }
        }
        Ok(events)
    }
}
