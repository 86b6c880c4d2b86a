//! Sends events again that their function failed on to the end.
//!
//! Lambda leaves a record of each in the feedback bucket. Every object that such a record is about is
//! copied onto itself, so that S3 tells of it once more; then the record goes. Claims by content keep
//! what had been done before from being done twice. A question is written as it is instead, unless somebody changes it
//! meanwhile: its copy might undo that. What the receiver of the webhook refused is sent again likewise. Questions that were
//! given up are delivered as new feedback, and corrections that could not be read are read again. A call by a schedule needs
//! no such thing: the next one does all that there is to do, so its record just goes.
//!
//! A file that was replaced since its event failed is another one, with an event of its own: the record stays and says so.

use std::collections::{BTreeMap, BTreeSet};

use active_learning_core::{feedback::FeedbackRecord, keys};
use serde::{Deserialize, Serialize};

use crate::{
    bucket::{Bucket, BucketError, Change, JSON, JSON_LINES, Object, Replaced, Touched},
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

/// What the content of a correction begins with that was set aside: the URI of its output, no record.
const OUTPUT: &str = "s3://";

/// Largest question, in bytes.
const MAX_QUESTION_BYTES: u64 = 4 << 20;

/// The operations that the template's schedules call for, again and again.
pub const SCHEDULED: [&str; 5] = ["end-overdue", "measure", "select", SWEEP, "tick"];

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
    /// Of what was written; empty where the event does not say it.
    #[serde(rename = "eTag", default)]
    etag: String,
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
            see_to_given_up(bucket, &key).await
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
    sent: &mut BTreeSet<(String, String, String)>,
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
        let etag = entity.object.etag.trim_matches('"').to_owned();
        let source = (entity.bucket.name, key, etag);
        if !sent.contains(&source) {
            send_again(bucket, &source).await?;
            sent.insert(source);
        }
    }
    bucket.delete(key).await.map_err(|error| chain(&error))?;
    Ok(scheduled.map_or(Done::SentAgain, Done::Scheduled))
}

/// Has S3 tell once more of the object of an event: its bucket, its key and its ETag. What the feedback bucket holds is
/// written by functions, which also write it anew; elsewhere another ETag is another file.
async fn send_again(feedback: &Bucket, (name, key, etag): &(String, String, String)) -> Result<(), String> {
    let of_event = feedback.other(name);
    let touched = match name == feedback.name() {
        true => touch(&of_event, key).await.map(|is_there| match is_there {
            true => Touched::Told,
            false => Touched::Gone,
        }),
        false => of_event.touch_version(key, etag).await,
    };
    match touched.map_err(|error| chain(&error))? {
        Touched::Told => Ok(()),
        Touched::Gone => Err(format!("its object {} is gone", of_event.uri(key))),
        Touched::Replaced => Err(format!(
            "its object {} was replaced before it was read: what it held is gone, and what is there has an event of its own",
            of_event.uri(key)
        )),
    }
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

/// What was set aside and is sent again now: in a version of its own, so that what is set aside meanwhile under the same key,
/// since it is refused once more, is not taken for it.
struct Resending {
    content: Vec<u8>,
    etag: String,
}

impl Resending {
    /// Begins to send again what was set aside under this key.
    async fn begin(bucket: &Bucket, key: &str) -> Result<Self, String> {
        let set_aside = read_set_aside(bucket, key).await?;
        // A blank line says nothing, and makes it another version.
        let content = [set_aside.bytes.as_slice(), b"\n"].concat();
        let replaced = bucket
            .replace(key, &set_aside.etag, JSON_LINES, content.clone())
            .await;
        match replaced.map_err(|error| chain(&error))? {
            Replaced::Written { etag: Some(etag) } => Ok(Self { content, etag }),
            Replaced::Written { etag: None } => {
                Err("S3 does not say which version it has written".to_owned())
            }
            Replaced::Changed => Err("it was set aside once more just now".to_owned()),
        }
    }

    /// Removes what was sent again.
    async fn end(self, bucket: &Bucket, key: &str) -> Result<Done, String> {
        let removed = bucket.delete_version(key, &self.etag).await;
        match removed.map_err(|error| chain(&error))? {
            true => Ok(Done::SentAgain),
            false => Err("it was sent again, and refused once more".to_owned()),
        }
    }
}

/// Has an event told again that the receiver of the webhook refused: its question, or where it is a duplicate's, what
/// says so, is written as it is.
async fn resend(bucket: &Bucket, key: &str) -> Result<Done, String> {
    let resending = Resending::begin(bucket, key).await?;
    let refused: SetAside =
        serde_json::from_slice(&resending.content).map_err(|_| "it is no refused event".to_owned())?;
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
    resending.end(bucket, key).await
}

/// Has questions asked anew that were given up, or a correction read again that could not be.
async fn see_to_given_up(bucket: &Bucket, key: &str) -> Result<Done, String> {
    let set_aside = read_set_aside(bucket, key).await?;
    let of_line: Option<SetAside> = serde_json::from_slice(&set_aside.bytes).ok();
    match of_line.is_some_and(|line| line.raw.starts_with(OUTPUT)) {
        true => read_again(bucket, key).await,
        false => ask_anew(bucket, key, &set_aside.bytes).await,
    }
}

async fn read_set_aside(bucket: &Bucket, key: &str) -> Result<Object, String> {
    let set_aside = bucket.read(key, MAX_GIVEN_UP_BYTES).await;
    let set_aside = set_aside.map_err(|error| chain(&error))?;
    set_aside.ok_or_else(|| "it is gone".to_owned())
}

/// Has a correction read again: its line names the output in which it is.
async fn read_again(bucket: &Bucket, key: &str) -> Result<Done, String> {
    let resending = Resending::begin(bucket, key).await?;
    let set_aside: Option<SetAside> = serde_json::from_slice(&resending.content).ok();
    let output = set_aside.as_ref().and_then(|line| line.raw.strip_prefix(OUTPUT));
    let output = output.and_then(|output| output.split_once('/'));
    let (name, output) = output.ok_or_else(|| "it names no output with a correction".to_owned())?;
    let review = bucket.other(name);
    let is_there = review.touch(output).await;
    match is_there.map_err(|error| chain(&error))? {
        true => resending.end(bucket, key).await,
        false => Err(format!("its output {} is gone", review.uri(output))),
    }
}

/// Has questions asked anew that were given up: they are delivered as new feedback.
async fn ask_anew(bucket: &Bucket, key: &str, set_aside: &[u8]) -> Result<Done, String> {
    let mut lines = String::new();
    for (line, number) in set_aside.split(|byte| *byte == b'\n').zip(1..) {
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
