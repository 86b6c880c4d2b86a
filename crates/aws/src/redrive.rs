//! Sends events again that their function failed on to the end.
//!
//! Lambda leaves a record of each in the feedback bucket. Every object that such a record is about is
//! copied onto itself, so that S3 tells of it once more; then the record goes. Claims by content keep
//! what had been done before from being done twice. A call by a schedule needs no such thing: the next one
//! does all that there is to do, so its record just goes.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    bucket::{Bucket, BucketError},
    failure::chain,
    s3_event::decode_key,
};

/// Where Lambda's S3 destination puts failed events.
pub const PREFIX: &str = crate::overview::FAILED_EVENTS;

/// The operations that the template's schedules call for, again and again.
pub const SCHEDULED: [&str; 4] = ["measure", "select", "sweep", "tick"];

/// What became of the failure records.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// Failure records whose every object was sent again.
    pub redriven: usize,
    /// Failure records of calls by a schedule, by operation: they are removed, since the schedule calls again.
    pub scheduled: BTreeMap<String, usize>,
    /// Failure records that stay, each with the reason.
    pub kept: Vec<Kept>,
}

/// A failure record that stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// Its key in the feedback bucket.
    pub key: String,
    /// Why it stays, in words for the operator.
    pub reason: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FailureRecord {
    request_payload: RequestPayload,
}

#[derive(Deserialize)]
struct RequestPayload {
    #[serde(rename = "Records", default)]
    records: Vec<S3Record>,
    /// Of a call by a schedule.
    operation: Option<String>,
}

#[derive(Deserialize)]
struct S3Record {
    s3: S3Entity,
}

#[derive(Deserialize)]
struct S3Entity {
    bucket: NamedBucket,
    object: KeyedObject,
}

#[derive(Deserialize)]
struct NamedBucket {
    name: String,
}

#[derive(Deserialize)]
struct KeyedObject {
    key: String,
}

/// Lists the keys of the failure records in a bucket.
///
/// # Errors
///
/// [`BucketError`] when the bucket cannot be listed.
pub async fn list(bucket: &Bucket) -> Result<Vec<String>, BucketError> {
    let listed = bucket.list(PREFIX).await?;
    Ok(listed.into_iter().map(|record| record.key).collect())
}

/// Sends the events of these failure records again.
///
/// An object that several records are about is sent once.
pub async fn redrive(bucket: &Bucket, keys: Vec<String>) -> Outcome {
    let mut outcome = Outcome::default();
    let mut sent = BTreeSet::new();
    for key in keys {
        match redrive_one(bucket, &key, &mut sent).await {
            Ok(Done::SentAgain) => outcome.redriven += 1,
            Ok(Done::Scheduled(operation)) => *outcome.scheduled.entry(operation).or_default() += 1,
            Err(reason) => outcome.kept.push(Kept { key, reason }),
        }
    }
    outcome
}

/// What was done about a failure record before it was removed.
enum Done {
    SentAgain,
    /// Nothing: the schedule calls for this operation again.
    Scheduled(String),
}

async fn redrive_one(
    bucket: &Bucket,
    key: &str,
    sent: &mut BTreeSet<(String, String)>,
) -> Result<Done, String> {
    let record = match bucket.read_document(key).await {
        Ok(record) => record.ok_or_else(|| "it is gone".to_owned())?,
        Err(BucketError::Damaged { .. }) => return Err("it is no record of a failed event".to_owned()),
        Err(error) => return Err(chain(&error)),
    };
    let FailureRecord { request_payload } = record;
    let RequestPayload { records, operation } = request_payload;
    let scheduled = operation.filter(|operation| SCHEDULED.contains(&operation.as_str()));
    if records.is_empty() && scheduled.is_none() {
        return Err("it is neither about an S3 event nor a call by a schedule".to_owned());
    }
    for S3Record { s3: entity } in records {
        let key = decode_key(&entity.object.key);
        let key = key.ok_or_else(|| "the key of its object is not UTF-8".to_owned())?;
        let source = (entity.bucket.name, key);
        if !sent.contains(&source) {
            let of_event = bucket.other(&source.0);
            let is_there = of_event.touch(&source.1).await;
            if !is_there.map_err(|error| chain(&error))? {
                return Err(format!("its object {} is gone", of_event.uri(&source.1)));
            }
            sent.insert(source);
        }
    }
    bucket.delete(key).await.map_err(|error| chain(&error))?;
    Ok(scheduled.map_or(Done::SentAgain, Done::Scheduled))
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::{Client, primitives::ByteStream};
    use local_aws::{LocalAws, s3::BucketSpec};
    use serde_json::{Value, json};

    use super::*;

    const FAILURES: &str = "feedback";
    const UPLOADS: &str = "uploads";

    fn s3() -> (LocalAws, Client) {
        let aws = LocalAws::in_memory();
        for name in [FAILURES, UPLOADS] {
            let name = name.to_owned();
            aws.s3
                .put_bucket(BucketSpec {
                    name,
                    ..BucketSpec::default()
                })
                .expect("the index works");
        }
        let client = Client::new(&aws.sdk_config());
        (aws, client)
    }

    async fn put(s3: &Client, bucket: &str, key: &str, body: &Value) {
        s3.put_object()
            .bucket(bucket)
            .key(key)
            .content_type("application/json")
            .metadata("origin", "form 7")
            .body(ByteStream::from(body.to_string().into_bytes()))
            .send()
            .await
            .expect("the bucket is there");
    }

    fn failure_of(keys: &[&str]) -> Value {
        let record = |key| json!({ "s3": { "bucket": { "name": UPLOADS }, "object": { "key": key } } });
        let records: Vec<_> = keys.iter().map(record).collect();
        json!({ "version": "1.0", "requestPayload": { "Records": records } })
    }

    async fn redrive_all(s3: &Client) -> Outcome {
        let bucket = Bucket::new(s3.clone(), FAILURES);
        let keys = list(&bucket).await.expect("the bucket is there");
        redrive(&bucket, keys).await
    }

    #[tokio::test]
    async fn an_object_is_written_again_as_it_was_and_its_failure_record_goes() {
        let (_aws, s3) = s3();
        put(&s3, UPLOADS, "März/a b+c.json", &json!({ "n": 1 })).await;
        let key = format!("{PREFIX}f/2026/11/21/one");
        put(&s3, FAILURES, &key, &failure_of(&["M%C3%A4rz/a+b%2Bc.json"])).await;
        let head = || s3.head_object().bucket(UPLOADS).key("März/a b+c.json").send();
        let before = head().await.expect("there");

        let outcome = redrive_all(&s3).await;

        let after = head().await.expect("still there");
        assert_eq!(
            outcome,
            Outcome {
                redriven: 1,
                ..Outcome::default()
            }
        );
        assert_eq!(after.e_tag(), before.e_tag());
        assert_eq!(after.content_type(), Some("application/json"));
        assert_eq!(after.metadata(), before.metadata());
        assert!(
            list(&Bucket::new(s3.clone(), FAILURES))
                .await
                .expect("listed")
                .is_empty()
        );
    }

    #[tokio::test]
    async fn calls_by_a_schedule_are_told_and_removed_since_they_come_again_by_themselves() {
        let (_aws, s3) = s3();
        for (name, operation) in [("a", "select"), ("b", "tick"), ("c", "select")] {
            let record = json!({ "version": "1.0", "requestPayload": { "operation": operation } });
            put(&s3, FAILURES, &format!("{PREFIX}f/{name}"), &record).await;
        }

        let outcome = redrive_all(&s3).await;

        let scheduled = [("select", 2), ("tick", 1)];
        let expected = Outcome {
            scheduled: scheduled.map(|(name, count)| (name.to_owned(), count)).into(),
            ..Outcome::default()
        };
        assert_eq!(outcome, expected);
        assert!(
            list(&Bucket::new(s3.clone(), FAILURES))
                .await
                .expect("listed")
                .is_empty()
        );
    }

    #[tokio::test]
    async fn a_record_whose_object_is_gone_or_that_is_no_s3_event_is_kept_with_its_reason() {
        let (_aws, s3) = s3();
        put(&s3, UPLOADS, "there.json", &json!({})).await;
        let records = [
            ("f/a-gone", failure_of(&["there.json", "gone.json"])),
            ("f/b-direct", json!({ "requestPayload": { "operation": "x" } })),
            ("f/c-other", json!("text")),
            ("f/d-good", failure_of(&["there.json"])),
        ];
        for (key, record) in &records {
            put(&s3, FAILURES, &format!("{PREFIX}{key}"), record).await;
        }
        put(&s3, FAILURES, "feedback/not-a-failure", &json!({})).await;

        let outcome = redrive_all(&s3).await;

        let kept: Vec<_> = outcome
            .kept
            .iter()
            .map(|kept| (kept.key.as_str(), kept.reason.as_str()))
            .collect();
        assert_eq!(outcome.redriven, 1);
        assert_eq!(
            kept,
            [
                (
                    "aws/lambda/async/f/a-gone",
                    "its object s3://uploads/gone.json is gone"
                ),
                (
                    "aws/lambda/async/f/b-direct",
                    "it is neither about an S3 event nor a call by a schedule"
                ),
                ("aws/lambda/async/f/c-other", "it is no record of a failed event"),
            ]
        );
        assert_eq!(
            list(&Bucket::new(s3.clone(), FAILURES))
                .await
                .expect("listed")
                .len(),
            3
        );
    }
}
