//! The on-failure destination: what is written about an event that is given up.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{Lambda, function_name};
use crate::invocation_queue::QueuedEvent;

/// Why an event is given up, in the words of the destination record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    RetriesExhausted,
    EventAgeExceeded,
}

impl Lambda {
    pub(super) async fn write_failure(
        &self,
        _key: u64,
        event: &QueuedEvent,
        destination: &str,
        condition: Condition,
    ) -> Result<(), String> {
        let now = Utc::now();
        let _object = (object_key(event, now), record(event, condition, now));
        Err(format!("{destination} cannot be written yet"))
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
