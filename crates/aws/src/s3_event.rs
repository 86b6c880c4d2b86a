//! What functions are invoked with: S3 event notifications, and calls of an operation by a schedule.

use std::error::Error;

use chrono::{DateTime, Utc};
use lambda_runtime::tracing::error;
use percent_encoding::percent_decode_str;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use crate::failure::chain;

/// An object that an event names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3Object {
    /// Its bucket.
    pub bucket: String,
    /// Its key, decoded.
    pub key: String,
    /// Its ETag without quotes; empty if the event has none.
    pub etag: String,
    /// Its size in bytes.
    pub size: u64,
    /// When it was written, if the event says so: the same however often the event is delivered.
    pub time: Option<DateTime<Utc>>,
}

/// What a function is asked to do that S3 and a schedule invoke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Invocation<O> {
    /// Something is to be done about these objects.
    Objects(Vec<S3Object>),
    /// An operation is called: `{"operation": "…"}`.
    Operation(O),
}

impl<O: DeserializeOwned> Invocation<O> {
    /// Reads a payload; operations are named as `O` is written in JSON.
    ///
    /// # Errors
    ///
    /// [`InvalidEvent`], which does not quote the payload.
    pub fn parse(payload: Value) -> Result<Self, InvalidEvent> {
        match payload.get("operation") {
            Some(operation) => O::deserialize(operation)
                .map(Self::Operation)
                .map_err(|_| InvalidEvent::UnknownOperation),
            None => objects(payload).map(Self::Objects),
        }
    }
}

/// A payload that a function is not made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEvent {
    /// It is neither an S3 event nor the test of one.
    #[error("the event is not an S3 event")]
    NotAnEvent,
    /// It calls an operation that the function does not have.
    #[error("the function has no such operation")]
    UnknownOperation,
}

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "Records")]
    records: Vec<Record>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    event_time: Option<DateTime<Utc>>,
    s3: Entity,
}

#[derive(Deserialize)]
struct Entity {
    bucket: Bucket,
    object: Object,
}

#[derive(Deserialize)]
struct Bucket {
    name: String,
}

#[derive(Deserialize)]
struct Object {
    key: String,
    #[serde(rename = "eTag", default)]
    etag: String,
    /// Of an object that was removed nothing is told.
    #[serde(default)]
    size: u64,
}

/// Decodes an object key of an event, where a space is `+` and other characters are `%XX`.
///
/// Keys are UTF-8; a key that is not gives `None`.
pub fn decode_key(key: &str) -> Option<String> {
    let spaces = key.replace('+', " ");
    percent_decode_str(&spaces).decode_utf8().ok().map(Into::into)
}

/// Returns the objects of all records; none for `s3:TestEvent`, which has no records.
///
/// # Errors
///
/// [`InvalidEvent`], which does not quote the payload. Any other payload without records is one: were it
/// taken for an event of no objects, what it tells of would be dropped in silence.
pub fn objects(payload: Value) -> Result<Vec<S3Object>, InvalidEvent> {
    if payload["Event"] == "s3:TestEvent" {
        return Ok(Vec::new());
    }
    let event: Event = serde_json::from_value(payload).map_err(|_| InvalidEvent::NotAnEvent)?;
    let object = |record: Record| {
        Some(S3Object {
            bucket: record.s3.bucket.name,
            key: decode_key(&record.s3.object.key)?,
            etag: record.s3.object.etag.trim_matches('"').to_owned(),
            size: record.s3.object.size,
            time: record.event_time,
        })
    };
    let objects: Option<_> = event.records.into_iter().map(object).collect();
    objects.ok_or(InvalidEvent::NotAnEvent)
}

/// Works off all objects of an event; one that fails does not hold back the others.
///
/// # Errors
///
/// That of the first object that failed; each is in the log.
pub async fn for_each<E: Error>(
    objects: Vec<S3Object>,
    work_off: impl AsyncFn(S3Object) -> Result<(), E>,
) -> Result<(), E> {
    let mut result = Ok(());
    for object in objects {
        let (bucket, key) = (object.bucket.clone(), object.key.clone());
        // Boxed: the SDK's futures would else be nested deeper than the compiler follows.
        let outcome = Box::pin(work_off(object)).await;
        if let Err(error) = &outcome {
            error!(bucket, key, error = chain(error), "the object is not worked off");
        }
        result = result.and(outcome);
    }
    result
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_plus_is_a_space_and_an_encoded_plus_stays_one() {
        assert_eq!(
            decode_key("a+b/c%2Bd%20%C3%A9.json").as_deref(),
            Some("a b/c+d é.json")
        );
        assert_eq!(decode_key("%FF"), None);
    }

    #[test]
    fn every_record_is_read_and_its_key_decoded() {
        let record = |key: &str| json!({"s3": {"bucket": {"name": "b"}, "object": {"key": key, "size": 3, "eTag": "e"}}});

        let objects =
            objects(json!({"Records": [record("a+b.csv"), record("%C3%A9.csv")]})).expect("an event");

        let keys: Vec<_> = objects.iter().map(|object| object.key.as_str()).collect();
        assert_eq!(keys, ["a b.csv", "é.csv"]);
        assert_eq!((objects[0].etag.as_str(), objects[0].size), ("e", 3));
    }

    #[test]
    fn an_operation_is_told_from_an_event_and_an_unknown_one_refused() {
        #[derive(Debug, PartialEq, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        enum Operation {
            Sweep,
        }
        let parse = Invocation::<Operation>::parse;

        let sweep = parse(json!({"operation": "sweep"}));
        let event = parse(json!({"Records": []}));

        assert_eq!(sweep, Ok(Invocation::Operation(Operation::Sweep)));
        assert_eq!(event, Ok(Invocation::Objects(Vec::new())));
        for unknown in [json!({"operation": "weep"}), json!({"operation": true})] {
            assert_eq!(parse(unknown), Err(InvalidEvent::UnknownOperation));
        }
        assert_eq!(parse(json!({})), Err(InvalidEvent::NotAnEvent));
    }

    #[tokio::test]
    async fn an_object_that_fails_does_not_hold_back_the_others() {
        #[derive(Debug, thiserror::Error)]
        enum Failure {
            #[error("{0}")]
            Object(String),
        }
        let record = |key: &str| json!({"s3": {"bucket": {"name": "b"}, "object": {"key": key, "size": 3}}});
        let event = json!({"Records": [record("a"), record("b"), record("c")]});
        let event = objects(event).expect("an event");
        let seen = std::cell::RefCell::new(Vec::new());

        let outcome = for_each(event, async |object: S3Object| {
            seen.borrow_mut().push(object.key.clone());
            match object.key.as_str() {
                "a" => Ok(()),
                _ => Err(Failure::Object(object.key)),
            }
        })
        .await;

        assert_eq!(seen.into_inner(), ["a", "b", "c"]);
        assert!(matches!(outcome, Err(Failure::Object(key)) if key == "b"));
    }

    #[test]
    fn a_test_event_names_no_object_and_foreign_records_are_an_error() {
        let test = json!({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b"});

        assert_eq!(objects(test).expect("no records"), []);
        assert!(objects(json!({"Records": [{"Sns": {}}]})).is_err());
        let bridged = json!({"detail-type": "Object Created", "detail": {"object": {"key": "a.csv"}}});
        assert!(objects(bridged).is_err());
        assert!(objects(json!("text")).is_err());
    }
}
