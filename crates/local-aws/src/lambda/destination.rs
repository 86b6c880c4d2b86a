//! The on-failure destination: what is written about an event that is given up.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{Lambda, function_name};
use crate::{
    iam::{Denied, Principal},
    invocation_queue::QueuedEvent,
    s3::PutError,
};

/// Why an event is given up, in the words of the destination record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    RetriesExhausted,
    EventAgeExceeded,
}

/// Why a failure could not be handed over.
#[derive(Debug, thiserror::Error)]
pub(super) enum HandOverError {
    #[error("the destination {0} is not an S3 bucket")]
    NotABucket(String),
    #[error("the function does not exist, so that there is no role to write with")]
    NoFunction,
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error(transparent)]
    Put(#[from] PutError),
    #[error("the index of the state folder failed: {0}")]
    Index(#[from] redb::Error),
}

impl Lambda {
    /// Removes an event from the queue and, if there is a destination, puts a record of its failure
    /// there in the same transaction, with the rights of the function's role.
    pub(super) async fn hand_over(
        &self,
        key: u64,
        event: &QueuedEvent,
        destination: Option<&str>,
        condition: Condition,
    ) -> Result<(), HandOverError> {
        let Some(destination) = destination else {
            return Ok(self.in_queue(move |queue| queue.complete(key)).await?);
        };
        let bucket = destination
            .strip_prefix("arn:aws:s3:::")
            .ok_or_else(|| HandOverError::NotABucket(destination.to_owned()))?
            .to_owned();
        let now = Utc::now();
        let object = object_key(event, now);
        let role = Principal::Role {
            arn: self
                .function(&event.function_arn)
                .ok_or(HandOverError::NoFunction)?
                .spec
                .role_arn
                .clone(),
        };
        self.s3
            .authorize_object(&role, "s3:PutObject", &bucket, &object)?;
        let record = record(event, condition, now).to_string().into_bytes();
        let (s3, store) = (self.s3.clone(), self.store.clone());
        self.in_queue(move |queue| {
            let staged = match s3.stage(&bucket, &object, "application/json", record) {
                Ok(staged) => staged,
                Err(error) => return Ok(Err(error)),
            };
            let transaction = store.index.begin_write()?;
            if let Err(error) = s3.put(&transaction, staged) {
                return Ok(Err(error));
            }
            queue.remove(&transaction, key)?;
            transaction.commit()?;
            s3.wake();
            Ok(Ok(()))
        })
        .await??;
        Ok(())
    }
}

fn object_key(event: &QueuedEvent, now: DateTime<Utc>) -> String {
    format!(
        "aws/lambda/async/{}/{}-{}",
        function_name(&event.function_arn),
        now.format("%Y/%m/%d/%Y-%m-%dT%H.%M.%S"),
        uuid::Uuid::new_v4()
    )
}

fn record(event: &QueuedEvent, condition: Condition, now: DateTime<Utc>) -> Value {
    let mut record = json!({
        "version": "1.0",
        "timestamp": now.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
        "requestContext": {
            "requestId": event.request_id,
            "functionArn": format!("{}:$LATEST", event.function_arn),
            "condition": format!("{condition:?}"),
            "approximateInvokeCount": event.failed_attempts,
        },
        "requestPayload": json_or_text(&event.payload),
    });
    if let Some(error) = &event.last_error {
        record["responseContext"] = json!({
            "statusCode": 200,
            "executedVersion": "$LATEST",
            "functionError": "Unhandled",
        });
        record["responsePayload"] = json_or_text(error);
    }
    record
}

fn json_or_text(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| json!(text))
}
