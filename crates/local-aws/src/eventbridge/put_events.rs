//! `PutEvents`.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Event, EventBridge, api::unavailable, bus_name, event_bus_arn};
use crate::{aws_error::AwsError, iam::Principal, json_protocol::validation};

/// Events of one call.
const MAX_ENTRIES: usize = 10;
/// Bytes of one event, of which the time counts 14.
const MAX_ENTRY_BYTES: usize = 262_144;
const TIME_BYTES: usize = 14;
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutEventsRequest {
    #[serde(default)]
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    time: Option<f64>,
    source: Option<String>,
    #[serde(default)]
    resources: Vec<String>,
    detail_type: Option<String>,
    detail: Option<String>,
    event_bus_name: Option<String>,
}

impl EventBridge {
    pub(super) async fn put_events(
        &self,
        caller: &Principal,
        request: PutEventsRequest,
    ) -> Result<Value, AwsError> {
        if !(1..=MAX_ENTRIES).contains(&request.entries.len()) {
            return Err(validation(
                "1 validation error detected: Value at 'entries' failed to satisfy constraint: Member must have \
                 length between 1 and 10",
            ));
        }
        let buses: BTreeSet<&str> = (request.entries.iter())
            .map(|entry| bus_name(entry.event_bus_name.as_deref()))
            .collect();
        for bus in buses {
            self.authorize(caller, "events:PutEvents", &event_bus_arn(&self.region, bus))?;
        }
        let checked: Vec<Result<Event, AwsError>> = request
            .entries
            .into_iter()
            .map(|entry| self.check(entry))
            .collect();

        let events: Vec<Event> = checked.iter().flatten().cloned().collect();
        let service = self.clone();
        let published = tokio::task::spawn_blocking(move || service.publish(&events)).await;
        let ids = published.expect("publishing does not panic and is not aborted");
        let mut ids = ids.map_err(unavailable)?.into_iter();

        let failed = checked.iter().filter(|entry| entry.is_err()).count();
        let entries: Vec<Value> = checked
            .iter()
            .map(|entry| match entry {
                Ok(_) => json!({ "EventId": ids.next() }),
                Err(error) => json!({ "ErrorCode": error.code(), "ErrorMessage": error.message() }),
            })
            .collect();
        Ok(json!({ "FailedEntryCount": failed, "Entries": entries }))
    }

    /// Returns the event of an entry, or why it is refused.
    fn check(&self, entry: Entry) -> Result<Event, AwsError> {
        let required = |value: Option<String>, name: &str| {
            let value = value.filter(|value| !value.is_empty());
            value.ok_or_else(|| {
                let message =
                    format!("Parameter {name} is not valid. Reason: {name} is a required argument.");
                AwsError::new(400, "InvalidArgument", message)
            })
        };
        let bus = bus_name(entry.event_bus_name.as_deref()).to_owned();
        let source = required(entry.source, "Source")?;
        let detail_type = required(entry.detail_type, "DetailType")?;
        let detail = required(entry.detail, "Detail")?;
        let size = source.len() + detail_type.len() + detail.len();
        let size = size + entry.resources.iter().map(String::len).sum::<usize>();
        if size + entry.time.map_or(0, |_| TIME_BYTES) > MAX_ENTRY_BYTES {
            return Err(validation(
                "Total size of the entries in the request is over the limit.",
            ));
        }
        if source.starts_with("aws.") {
            return Err(AwsError::new(
                400,
                "NotAuthorizedForSourceException",
                "Not authorized for the source.",
            ));
        }
        self.bus(&bus)?;
        let detail = serde_json::from_str::<Value>(&detail)
            .ok()
            .filter(Value::is_object);
        let time = entry.time.map(|seconds| (seconds * 1000.0) as i64);
        let time = time.and_then(DateTime::from_timestamp_millis);
        Ok(Event {
            bus,
            source,
            detail_type,
            detail: detail.ok_or_else(|| AwsError::new(400, "MalformedDetail", "Detail is malformed."))?,
            resources: entry.resources,
            time: time.unwrap_or_else(Utc::now),
        })
    }
}
