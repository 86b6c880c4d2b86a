//! Event notifications: what a function is told of an object that came or went.
//!
//! Lifecycle rules tell nobody here. Of what is removed, size and ETag are not told, as in Amazon S3.

use chrono::{DateTime, SecondsFormat};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use redb::WriteTransaction;
use serde_json::json;

use super::{
    BucketSpec, FunctionNotification,
    backend::{Backend, now_ms},
    index::{self, ObjectRecord},
};
use crate::{
    ACCOUNT_ID,
    invocation_queue::{EventSource, QueuedEvent},
};

/// What stays as it is in the key of an event; a space becomes `+`, all else `%XX`.
const KEY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'*')
    .remove(b' ');

/// The request that a change comes from.
#[derive(Debug, Clone)]
pub(super) struct Origin {
    pub(super) request_id: String,
}

impl Origin {
    /// A change that another service makes.
    pub(super) fn service() -> Self {
        Self {
            request_id: format!("{:016X}", rand::random::<u64>()),
        }
    }
}

/// What happened to an object.
pub(super) struct Event<'a> {
    /// For example `ObjectCreated:Put`.
    pub(super) name: &'a str,
    /// The object, if there is a new one.
    pub(super) created: Option<&'a ObjectRecord>,
    /// Id of the version that it is about, in a bucket that keeps versions.
    pub(super) version_id: Option<String>,
    pub(super) origin: &'a Origin,
}

/// Names a notification configuration: the same in the event and in the bucket's configuration.
pub(super) fn configuration_id(spec: &BucketSpec, notification: &FunctionNotification) -> String {
    let place = spec.notifications.iter().position(|other| other == notification);
    format!("{}-{}", spec.name, place.unwrap_or_default())
}

/// Puts one event a matching notification into the queue, as part of `transaction`.
pub(super) fn enqueue(
    backend: &Backend,
    transaction: &WriteTransaction,
    spec: &BucketSpec,
    key: &str,
    event: &Event<'_>,
) -> Result<(), redb::Error> {
    for notification in &spec.notifications {
        if !matches(notification, event.name, key) {
            continue;
        }
        let sequencer = index::next_sequencer(transaction)?;
        let event_time = event.created.map_or_else(now_ms, |object| object.modified_ms);
        let mut about = json!({
            "key": utf8_percent_encode(key, KEY).to_string().replace(' ', "+"),
            "sequencer": format!("{sequencer:018X}"),
        });
        if let Some(object) = event.created {
            about["size"] = object.size.into();
            about["eTag"] = object.etag.clone().into();
        }
        if let Some(version_id) = &event.version_id {
            about["versionId"] = version_id.as_str().into();
        }
        let payload = json!({"Records": [{
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "awsRegion": &*backend.region,
            "eventTime": iso_time(event_time),
            "eventName": event.name,
            "userIdentity": {"principalId": format!("AWS:{ACCOUNT_ID}")},
            "requestParameters": {"sourceIPAddress": "127.0.0.1"},
            "responseElements": {
                "x-amz-request-id": event.origin.request_id,
                "x-amz-id-2": event.origin.request_id,
            },
            "s3": {
                "s3SchemaVersion": "1.0",
                "configurationId": configuration_id(spec, notification),
                "bucket": {
                    "name": spec.name,
                    "ownerIdentity": {"principalId": ACCOUNT_ID},
                    "arn": super::access::bucket_arn(&spec.name),
                },
                "object": about,
            },
        }]});
        let mut queued = QueuedEvent::new(notification.function_arn.clone(), payload.to_string());
        queued.source = Some(EventSource {
            service: "s3.amazonaws.com".to_owned(),
            arn: super::access::bucket_arn(&spec.name),
        });
        backend.queue.put(transaction, &queued)?;
    }
    Ok(())
}

/// Returns whether a notification asks for this event (`ObjectCreated:Put`) of this key.
fn matches(notification: &FunctionNotification, event: &str, key: &str) -> bool {
    let wanted = notification.event.trim_start_matches("s3:");
    let event_matches = match wanted.strip_suffix('*') {
        Some(start) => event.starts_with(start),
        None => event == wanted,
    };
    event_matches && key.starts_with(&notification.prefix) && key.ends_with(&notification.suffix)
}

fn iso_time(milliseconds: u64) -> String {
    let time = i64::try_from(milliseconds)
        .ok()
        .and_then(DateTime::from_timestamp_millis);
    time.unwrap_or_default()
        .to_rfc3339_opts(SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notification(event: &str, prefix: &str, suffix: &str) -> FunctionNotification {
        FunctionNotification {
            event: event.into(),
            function_arn: "arn:aws:lambda:us-east-1:000000000000:function:f".into(),
            prefix: prefix.into(),
            suffix: suffix.into(),
        }
    }

    #[test]
    fn a_notification_asks_for_its_event_prefix_and_suffix_only() {
        let put = "ObjectCreated:Put";

        assert!(matches(&notification("s3:ObjectCreated:*", "", ""), put, "a/b"));
        assert!(matches(
            &notification("s3:ObjectCreated:Put", "a/", ".csv"),
            put,
            "a/b.csv"
        ));
        assert!(!matches(
            &notification("s3:ObjectCreated:Copy", "", ""),
            put,
            "a/b"
        ));
        assert!(!matches(&notification("s3:ObjectRemoved:*", "", ""), put, "a/b"));
        assert!(!matches(
            &notification("s3:ObjectCreated:*", "b/", ""),
            put,
            "a/b"
        ));
        assert!(!matches(
            &notification("s3:ObjectCreated:*", "", ".csv"),
            put,
            "a/b"
        ));
    }
}
