//! The buffered records: durable before they are acknowledged.

use std::{mem, sync::PoisonError};

use redb::{ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};
use tokio::sync::oneshot;

use super::Firehose;
use crate::{aws_error::AwsError, store::Store};

/// By stream and order of arrival: when it arrived (milliseconds since the epoch), and its data.
const RECORDS: TableDefinition<(&str, u64), (u64, &[u8])> = TableDefinition::new("firehose-records");
/// Bytes in each stream's buffer.
const BUFFERED_BYTES: TableDefinition<&str, u64> = TableDefinition::new("firehose-buffered-bytes");

/// Records of one call that wait for the commit.
pub(super) struct Put {
    stream: String,
    records: Vec<Vec<u8>>,
    done: oneshot::Sender<Result<(), ()>>,
}

/// How full a stream's buffer is.
pub(super) struct Fill {
    pub(super) bytes: u64,
    pub(super) oldest_ms: u64,
}

/// Records to be delivered together.
pub(super) struct Batch {
    pub(super) oldest_ms: u64,
    last: u64,
    bytes: u64,
    pub(super) records: Vec<Vec<u8>>,
}

pub(super) fn create_tables(store: &Store) -> Result<(), redb::Error> {
    let transaction = store.index.begin_write()?;
    transaction.open_table(RECORDS)?;
    transaction.open_table(BUFFERED_BYTES)?;
    transaction.commit()?;
    Ok(())
}

impl Firehose {
    /// Stores records durably and returns their ids.
    pub(super) async fn store_records(
        &self,
        stream: String,
        records: Vec<Vec<u8>>,
    ) -> Result<Vec<String>, AwsError> {
        let ids = records.iter().map(|_| uuid::Uuid::new_v4().to_string()).collect();
        let (done, outcome) = oneshot::channel();
        let put = Put {
            stream,
            records,
            done,
        };
        self.lock_waiting().push(put);
        {
            // Whoever comes first commits for all that wait, so that a burst costs one sync of the disk.
            let _leader = self.shared.committing.lock().await;
            let puts = mem::take(&mut *self.lock_waiting());
            if !puts.is_empty() {
                let store = self.shared.store.clone();
                let commit = tokio::task::spawn_blocking(move || commit(&store, puts));
                commit.await.expect("a commit does not panic");
            }
        }
        match outcome.await {
            Ok(Ok(())) => {
                self.shared.arrived.notify_one();
                Ok(ids)
            }
            Ok(Err(())) | Err(_) => Err(AwsError::new(
                500,
                "ServiceUnavailableException",
                "The service is unavailable. Back off and retry the operation.",
            )),
        }
    }

    fn lock_waiting(&self) -> std::sync::MutexGuard<'_, Vec<Put>> {
        self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn fill(&self, stream: &str) -> Result<Option<Fill>, redb::Error> {
        let reader = self.shared.store.index.begin_read()?;
        let records = reader.open_table(RECORDS)?;
        let oldest = records
            .range((stream, 0)..=(stream, u64::MAX))?
            .next()
            .transpose()?;
        let Some((_, oldest)) = oldest else {
            return Ok(None);
        };
        let bytes = reader.open_table(BUFFERED_BYTES)?.get(stream)?;
        Ok(Some(Fill {
            bytes: bytes.map_or(0, |bytes| bytes.value()),
            oldest_ms: oldest.value().0,
        }))
    }

    /// Returns the streams that have something buffered, each with how many bytes.
    pub(super) fn buffered_streams(&self) -> Result<Vec<(String, u64)>, redb::Error> {
        let reader = self.shared.store.index.begin_read()?;
        let table = reader.open_table(BUFFERED_BYTES)?;
        let mut streams = Vec::new();
        for entry in table.iter()? {
            let (stream, bytes) = entry?;
            streams.push((stream.value().to_owned(), bytes.value()));
        }
        streams.retain(|(_, bytes)| *bytes > 0);
        Ok(streams)
    }

    /// Returns the oldest records, up to about `limit` bytes.
    pub(super) fn oldest(&self, stream: &str, limit: u64) -> Result<Option<Batch>, redb::Error> {
        let reader = self.shared.store.index.begin_read()?;
        let table = reader.open_table(RECORDS)?;
        let mut batch: Option<Batch> = None;
        for entry in table.range((stream, 0)..=(stream, u64::MAX))? {
            let (key, value) = entry?;
            let (arrived_ms, data) = value.value();
            let batch = batch.get_or_insert_with(|| Batch {
                oldest_ms: arrived_ms,
                last: 0,
                bytes: 0,
                records: Vec::new(),
            });
            batch.last = key.value().1;
            batch.bytes += data.len() as u64;
            batch.records.push(data.to_vec());
            if batch.bytes >= limit {
                break;
            }
        }
        Ok(batch)
    }
}

/// Removes a batch from the buffer, as part of the transaction that delivers it.
pub(super) fn remove(transaction: &WriteTransaction, stream: &str, batch: &Batch) -> Result<(), redb::Error> {
    let mut records = transaction.open_table(RECORDS)?;
    records.retain_in((stream, 0)..=(stream, batch.last), |_, _| false)?;
    add_bytes(transaction, stream, |bytes| bytes.saturating_sub(batch.bytes))
}

fn add_bytes(
    transaction: &WriteTransaction,
    stream: &str,
    change: impl FnOnce(u64) -> u64,
) -> Result<(), redb::Error> {
    let mut table = transaction.open_table(BUFFERED_BYTES)?;
    let bytes = table.get(stream)?.map_or(0, |bytes| bytes.value());
    table.insert(stream, change(bytes))?;
    Ok(())
}

fn commit(store: &Store, puts: Vec<Put>) {
    let outcome = insert(store, &puts).map_err(|error| {
        tracing::error!(%error, "records could not be stored");
    });
    for put in puts {
        // Who does not wait any more will send its records again.
        let _ = put.done.send(outcome);
    }
}

fn insert(store: &Store, puts: &[Put]) -> Result<(), redb::Error> {
    let now_ms = u64::try_from(chrono::Utc::now().timestamp_millis()).unwrap_or(0);
    let transaction = store.index.begin_write()?;
    for Put { stream, records, .. } in puts {
        let stream = stream.as_str();
        let mut table = transaction.open_table(RECORDS)?;
        let last = table
            .range((stream, 0)..=(stream, u64::MAX))?
            .next_back()
            .transpose()?;
        let first = last.map_or(0, |(key, _)| key.value().1 + 1);
        for (number, record) in (first..).zip(records) {
            table.insert((stream, number), (now_ms, record.as_slice()))?;
        }
        let bytes: usize = records.iter().map(Vec::len).sum();
        add_bytes(&transaction, stream, |before| before + bytes as u64)?;
    }
    transaction.commit()?;
    Ok(())
}
