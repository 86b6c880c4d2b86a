//! Sends events again that their function failed on to the end.
//!
//! Lambda leaves a record of each in the feedback bucket. Every object that such a record is about is
//! copied onto itself, so that S3 tells of it once more; then the record goes. Claims by content keep
//! what had been done before from being done twice. A question is written as it is instead, unless somebody changes it
//! meanwhile: its copy might undo that. What the receiver of the webhook refused is sent again likewise. Questions that were
//! given up are delivered as new feedback. A call by a schedule needs no such thing: the next one does all that there is to
//! do, so its record just goes.

use std::collections::{BTreeMap, BTreeSet};

use active_learning_core::{feedback::FeedbackRecord, keys};
use serde::{Deserialize, Serialize};

use crate::{
    bucket::{Bucket, BucketError, Change, JSON, JSON_LINES},
    failure::chain,
    human_loops::STATUS_CHANGE,
    s3_event::decode_key,
};

/// Where Lambda's S3 destination puts failed events.
pub const PREFIX: &str = crate::overview::FAILED_EVENTS;

/// Where events are that the receiver of the webhook refused.
const REFUSED_WEBHOOKS: &str = crate::overview::REFUSED_WEBHOOKS;

/// Where questions are that were given up.
const GIVEN_UP: &str = crate::overview::GIVEN_UP;

/// Largest object of questions that were given up, in bytes: a full one, and its last line.
const MAX_GIVEN_UP_BYTES: u64 = 16 << 20;

/// Largest question, in bytes.
const MAX_QUESTION_BYTES: u64 = 4 << 20;

/// The operations that the template's schedules call for, again and again.
pub const SCHEDULED: [&str; 4] = ["measure", "select", SWEEP, "tick"];

/// The operation that sees to human loops.
const SWEEP: &str = "sweep";

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
    /// Of an event of EventBridge.
    #[serde(rename = "detail-type")]
    detail_type: Option<String>,
}

/// A line that was set aside.
#[derive(Deserialize)]
struct SetAside {
    raw: String,
}

/// The message that was refused.
#[derive(Deserialize)]
struct RefusedMessage {
    data: RefusedEvent,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RefusedEvent {
    record_id: String,
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

/// Lists the keys of the failure records in a bucket, of the events that the receiver of the webhook refused, and of the
/// questions that were given up.
///
/// # Errors
///
/// [`BucketError`] when the bucket cannot be listed.
pub async fn list(bucket: &Bucket) -> Result<Vec<String>, BucketError> {
    let mut listed = bucket.list(PREFIX).await?;
    listed.extend(bucket.list(REFUSED_WEBHOOKS).await?);
    listed.extend(bucket.list(GIVEN_UP).await?);
    Ok(listed.into_iter().map(|record| record.key).collect())
}

/// Returns whether a key that is listed is that of questions that were given up: to send these again is to ask them anew.
pub fn is_given_up(key: &str) -> bool {
    key.starts_with(GIVEN_UP)
}

/// Sends the events of these failure records again.
///
/// An object that several records are about is sent once.
pub async fn redrive(bucket: &Bucket, keys: Vec<String>) -> Outcome {
    let mut outcome = Outcome::default();
    let mut sent = BTreeSet::new();
    for key in keys {
        let done = if key.starts_with(REFUSED_WEBHOOKS) {
            resend(bucket, &key).await
        } else if is_given_up(&key) {
            ask_anew(bucket, &key).await
        } else {
            redrive_one(bucket, &key, &mut sent).await
        };
        match done {
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
    let RequestPayload {
        records,
        operation,
        detail_type,
    } = request_payload;
    // What such an event tells, the sweep finds out by itself.
    let is_end = detail_type.as_deref() == Some(STATUS_CHANGE);
    let operation = if is_end { Some(SWEEP.to_owned()) } else { operation };
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
            let is_there = touch(&of_event, &source.1).await;
            if !is_there.map_err(|error| chain(&error))? {
                return Err(format!("its object {} is gone", of_event.uri(&source.1)));
            }
            sent.insert(source);
        }
    }
    bucket.delete(key).await.map_err(|error| chain(&error))?;
    Ok(scheduled.map_or(Done::SentAgain, Done::Scheduled))
}

/// Has S3 tell of an object once more; returns whether it is there.
async fn touch(bucket: &Bucket, key: &str) -> Result<bool, BucketError> {
    if !key.starts_with(keys::QUESTIONS_FOLDER) {
        return bucket.touch(key).await;
    }
    let rewrite = |content: Option<Vec<u8>>| {
        let is_there = content.is_some();
        Ok(Change::to(content, is_there))
    };
    bucket.change_bytes(key, JSON, MAX_QUESTION_BYTES, rewrite).await
}

/// Has an event told again that the receiver of the webhook refused: its question, or where it is a duplicate's, what
/// says so, is written as it is.
async fn resend(bucket: &Bucket, key: &str) -> Result<Done, String> {
    let refused = bucket.read_document::<SetAside>(key).await;
    let refused = refused.map_err(|_| "it is no refused event".to_owned())?;
    let refused = refused.ok_or_else(|| "it is gone".to_owned())?;
    let message: RefusedMessage =
        serde_json::from_str(&refused.raw).map_err(|_| "it is no refused event".to_owned())?;
    let record_id = message.data.record_id;

    // That it is a duplicate's counts: it may have become a question since.
    let mut is_there = false;
    for source in [keys::duplicate(&record_id), keys::question(&record_id)] {
        let touched = touch(bucket, &source).await;
        is_there |= touched.map_err(|error| chain(&error))?;
    }
    if !is_there {
        return Err("its question is gone".to_owned());
    }
    bucket.delete(key).await.map_err(|error| chain(&error))?;
    Ok(Done::SentAgain)
}

/// Has questions asked anew that were given up: they are delivered as new feedback.
async fn ask_anew(bucket: &Bucket, key: &str) -> Result<Done, String> {
    let set_aside = bucket.read(key, MAX_GIVEN_UP_BYTES).await;
    let set_aside = set_aside.map_err(|error| chain(&error))?;
    let set_aside = set_aside.ok_or_else(|| "it is gone".to_owned())?;
    let mut lines = String::new();
    for (line, number) in set_aside.bytes.split(|byte| *byte == b'\n').zip(1..) {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let question = serde_json::from_slice::<SetAside>(line).ok();
        let question = question.and_then(|question| FeedbackRecord::parse(question.raw.as_bytes()).ok());
        let question =
            question.ok_or_else(|| format!("its line {number} holds no question: none can be asked"))?;
        lines += &question.to_line();
    }
    if !lines.is_empty() {
        // The same object again is the same delivery.
        let delivered = keys::redriven_feedback(key);
        let put = bucket.put(&delivered, JSON_LINES, lines).await;
        put.map_err(|error| chain(&error))?;
    }
    bucket.delete(key).await.map_err(|error| chain(&error))?;
    Ok(Done::SentAgain)
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
        let told = json!({ "requestPayload": { "detail-type": STATUS_CHANGE, "detail": {} } });
        put(&s3, FAILURES, &format!("{PREFIX}f/d"), &told).await;

        let outcome = redrive_all(&s3).await;

        let scheduled = [("select", 2), ("sweep", 1), ("tick", 1)];
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
    async fn what_a_webhook_refused_is_sent_again_by_its_question_and_kept_where_there_is_none() {
        let (_aws, s3) = s3();
        put(&s3, FAILURES, "questions/r1.json", &json!({ "n": 1 })).await;
        for (name, record) in [("a", "r1"), ("b", "r2")] {
            let message = json!({ "type": "prediction.reviewed", "data": { "recordId": record } });
            let line = json!({ "line": 1, "reason": "HTTP 410", "raw": message.to_string() });
            let key = format!("{REFUSED_WEBHOOKS}{name}-00001.jsonl");
            put(&s3, FAILURES, &key, &line).await;
        }

        let outcome = redrive_all(&s3).await;

        assert_eq!(outcome.redriven, 1);
        assert_eq!(outcome.kept.len(), 1);
        assert_eq!(outcome.kept[0].reason, "its question is gone");
        let left = list(&Bucket::new(s3.clone(), FAILURES)).await.expect("listed");
        assert_eq!(left, [format!("{REFUSED_WEBHOOKS}b-00001.jsonl")]);
    }

    #[tokio::test]
    async fn questions_that_were_given_up_are_delivered_anew_and_what_is_none_is_kept_with_its_reason() {
        let (_aws, s3) = s3();
        let bucket = Bucket::new(s3.clone(), FAILURES);
        let record = |text: &str| {
            let line = json!({ "classifier": "news", "utterance": text, "signal": "dislike", "source": "explicit-api" });
            FeedbackRecord::parse(line.to_string().as_bytes()).expect("a record")
        };
        let line =
            |number: usize, raw: &str| json!({ "line": number, "reason": "stopped", "raw": raw.trim_end() });
        let lines = ["Rates rise", "They won"].map(|text| record(text).to_line());
        let good = format!("{}\n{}\n", line(1, &lines[0]), line(2, &lines[1]));
        let good_key = keys::rejected("training-data", "review-1", 1);
        let bad_key = keys::rejected("training-data", "review-2", 1);
        bucket.put(&good_key, JSON_LINES, good).await.expect("stored");
        let bad = line(1, "{}").to_string();
        bucket.put(&bad_key, JSON_LINES, bad).await.expect("stored");

        let outcome = redrive_all(&s3).await;

        assert_eq!(outcome.redriven, 1);
        let reasons: Vec<_> = outcome
            .kept
            .iter()
            .map(|kept| (&kept.key, &kept.reason[..]))
            .collect();
        assert_eq!(
            reasons,
            [(&bad_key, "its line 1 holds no question: none can be asked")]
        );
        let delivered = bucket
            .read("feedback/redriven/review-1-00001.jsonl", 1 << 20)
            .await;
        let delivered = delivered.expect("read").expect("it is there");
        assert_eq!(String::from_utf8_lossy(&delivered.bytes), lines.concat());
        assert_eq!(list(&bucket).await.expect("listed"), [bad_key]);
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
