//! Delivery: buffered records become an object, by size or by age.

use std::{collections::HashMap, io::Write, sync::PoisonError, time::Duration};

use chrono::{DateTime, Utc};
use flate2::{Compression, write::GzEncoder};
use tokio::time::Instant;

use super::{DeliveryStreamSpec, Firehose, buffer, prefix};
use crate::{
    iam::{Denied, Principal},
    s3::PutError,
};

pub(super) const BUCKET_ARN_START: &str = "arn:aws:s3:::";

/// How far a clock is set by the way.
const CLOCK_STEP_MS: u64 = 1_000;

/// Time until a stream that could not deliver tries again.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// Why records could not be delivered. They stay in the buffer.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// There is no such stream.
    #[error("there is no delivery stream {0}")]
    NoSuchStream(String),
    /// The stream's role does not exist, or does not let Firehose assume it.
    #[error("the role {0} does not let firehose.amazonaws.com assume it")]
    NotTrusted(String),
    /// The stream's role may not write there.
    #[error("the delivery stream's role is refused")]
    Denied(#[from] Denied),
    /// The object could not be stored.
    #[error("the object could not be stored")]
    Put(#[from] PutError),
    /// The index failed.
    #[error("the index of the state folder failed")]
    Index(#[from] redb::Error),
    /// The prefix of the stream cannot be evaluated.
    #[error("the stream's prefix cannot be evaluated: {0}")]
    Prefix(String),
}

impl Firehose {
    /// Delivers what is due, for ever.
    pub async fn run(&self) {
        match self.orphans() {
            Ok(orphans) => {
                for (stream, bytes) in orphans {
                    tracing::warn!(
                        stream,
                        bytes,
                        "records are kept for a delivery stream that is gone"
                    );
                }
            }
            Err(error) => tracing::error!(%error, "the buffered records cannot be read"),
        }
        let mut retries = HashMap::new();
        loop {
            let wait = self.deliver_due(&mut retries).await;
            let arrived = self.shared.arrived.notified();
            // Either way there is something to look at.
            let _ = tokio::time::timeout(wait, arrived).await;
        }
    }

    /// Returns the names under which records are buffered but no stream exists, as after its renaming
    /// in the template, each with how many bytes. They are delivered when it is there again.
    ///
    /// # Errors
    ///
    /// Whatever the index reports.
    pub fn orphans(&self) -> Result<Vec<(String, u64)>, redb::Error> {
        let mut orphans = self.buffered_streams()?;
        orphans.retain(|(stream, _)| self.spec(stream).is_none());
        Ok(orphans)
    }

    /// Delivers all that a stream has buffered, whatever its hints say.
    ///
    /// # Errors
    ///
    /// [`DeliveryError`]; the records stay buffered.
    pub async fn flush(&self, stream: &str) -> Result<(), DeliveryError> {
        let spec = self.spec(stream);
        let spec = spec.ok_or_else(|| DeliveryError::NoSuchStream(stream.to_owned()))?;
        while self.deliver(&spec).await? {}
        Ok(())
    }

    /// Delivers what is full or old enough, and returns how long nothing more can be due.
    async fn deliver_due(&self, retries: &mut HashMap<String, Instant>) -> Duration {
        const LONGEST: Duration = Duration::from_secs(900);
        let specs: Vec<_> = {
            let streams = self.shared.streams.read();
            let streams = streams.unwrap_or_else(PoisonError::into_inner);
            streams.values().cloned().collect()
        };
        let mut wait = LONGEST;
        for spec in specs {
            let held_back = retries
                .get(&spec.name)
                .map(|at| at.saturating_duration_since(Instant::now()))
                .filter(|left| !left.is_zero());
            let stream_wait = match held_back {
                Some(left) => left,
                None => match self.deliver_while_due(&spec).await {
                    Ok(wait) => {
                        retries.remove(&spec.name);
                        wait.unwrap_or(LONGEST)
                    }
                    Err(error) => {
                        let error: &dyn std::error::Error = &error;
                        let reason = error.source().map(ToString::to_string).unwrap_or_default();
                        tracing::warn!(stream = spec.name, %error, reason, "delivery failed; the records are kept");
                        retries.insert(spec.name.clone(), Instant::now() + RETRY_AFTER);
                        RETRY_AFTER
                    }
                },
            };
            wait = wait.min(stream_wait);
        }
        wait
    }

    /// Delivers objects until a stream has nothing due; returns when its oldest record will be.
    async fn deliver_while_due(&self, spec: &DeliveryStreamSpec) -> Result<Option<Duration>, DeliveryError> {
        while let Some(fill) = self.fill(&spec.name)? {
            let now_ms = u64::try_from(Utc::now().timestamp_millis()).unwrap_or(0);
            if fill.bytes < size_hint(spec)
                && let Some(wait) = time_left(fill.oldest_ms, spec.buffer_seconds, now_ms)
            {
                return Ok(Some(wait));
            }
            self.deliver(spec).await?;
        }
        Ok(None)
    }

    /// Delivers one object; returns `false` if there was nothing to deliver.
    async fn deliver(&self, spec: &DeliveryStreamSpec) -> Result<bool, DeliveryError> {
        let (firehose, spec) = (self.clone(), spec.clone());
        let delivery = tokio::task::spawn_blocking(move || firehose.deliver_blocking(&spec));
        delivery.await.expect("a delivery does not panic")
    }

    fn deliver_blocking(&self, spec: &DeliveryStreamSpec) -> Result<bool, DeliveryError> {
        // Two deliveries at once would take the same records. Held on this thread, since the task that
        // waits for it may be dropped.
        let alone = self.shared.delivering.lock();
        let _alone = alone.unwrap_or_else(PoisonError::into_inner);
        let Some(batch) = self.oldest(&spec.name, size_hint(spec))? else {
            return Ok(false);
        };
        let oldest = i64::try_from(batch.oldest_ms).ok();
        let oldest = oldest
            .and_then(DateTime::from_timestamp_millis)
            .unwrap_or_default();
        let key = prefix::object_key(spec, oldest).map_err(DeliveryError::Prefix)?;
        let bucket = spec.bucket_arn.trim_start_matches(BUCKET_ARN_START);
        let role = Principal::Role {
            arn: spec.role_arn.clone(),
        };
        let shared = &self.shared;
        if !shared.iam.may_assume("firehose.amazonaws.com", &spec.role_arn) {
            return Err(DeliveryError::NotTrusted(spec.role_arn.clone()));
        }
        shared.s3.authorize_object(&role, "s3:PutObject", bucket, &key)?;
        let body = body(spec, &batch.records).map_err(PutError::from)?;
        let object = shared.s3.stage(bucket, &key, "application/octet-stream", body)?;
        let transaction = shared.store.index.begin_write().map_err(redb::Error::from)?;
        shared.s3.put(&transaction, object)?;
        buffer::remove(&transaction, &spec.name, &batch)?;
        transaction.commit().map_err(redb::Error::from)?;
        shared.s3.wake();
        Ok(true)
    }
}

fn size_hint(spec: &DeliveryStreamSpec) -> u64 {
    u64::from(spec.buffer_mebibytes) * 1024 * 1024
}

fn body(spec: &DeliveryStreamSpec, records: &[Vec<u8>]) -> std::io::Result<Vec<u8>> {
    let delimiter = spec.delimiter.as_deref().unwrap_or_default().as_bytes();
    let mut body = Vec::new();
    for record in records {
        body.extend_from_slice(record);
        body.extend_from_slice(delimiter);
    }
    if !spec.gzip {
        return Ok(body);
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&body)?;
    encoder.finish()
}

/// Returns how long a record may wait in the buffer; `None` if it is due. One of the future, by a clock that was ahead,
/// is due: it would hold back itself and what came after it.
fn time_left(arrived_ms: u64, buffer_seconds: u32, now_ms: u64) -> Option<Duration> {
    let buffer_ms = u64::from(buffer_seconds) * 1000;
    let left = (arrived_ms + buffer_ms)
        .checked_sub(now_ms)
        .filter(|left| *left > 0)?;
    (left <= buffer_ms + CLOCK_STEP_MS).then(|| Duration::from_millis(left))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_waits_for_the_buffer_time_and_one_of_the_future_is_due() {
        let left = |arrived_ms| time_left(arrived_ms, 60, 1_000_000);

        assert_eq!(left(1_000_000), Some(Duration::from_secs(60)));
        assert_eq!(left(950_000), Some(Duration::from_secs(10)));
        assert_eq!(left(940_000), None);
        assert_eq!(left(1_000_500), Some(Duration::from_millis(60_500)));
        assert_eq!(left(1_002_000), None);
        assert_eq!(left(90_000_000), None);
    }
}
