//! Going through all objects of the buckets.

use std::collections::HashSet;

use active_learning_aws::{
    bucket::{Bucket, BucketError, Leaving, Listed, Object},
    overview::FAILED_EVENTS,
    s3_event::decode_key,
};
use active_learning_core::{
    dataset::{TrainingFileReport, TrainingFileState, report_key},
    erasure::{ERASED, LEFT_BY_ERASURE, REWRITTEN_BY_ERASURE},
    keys::{self, BucketName},
};
use chrono::{DateTime, TimeDelta, Utc};
use futures::{StreamExt, stream};
use human_review::loop_flow::LoopFlow;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    broken,
    erase::{Buckets, Erase, EraseError, IN_ORDER},
    rewrite::{Left, rewrite},
    rules::{Rule, rule},
    versions,
};

/// Largest object that is read, in bytes.
pub(crate) const MAX_OBJECT_BYTES: u64 = 512 << 20;
/// Objects that are read at a time.
pub(crate) const READS_AT_ONCE: usize = 16;
/// Times that an object is rewritten which others write at the same time.
const MAX_TRIES: usize = 10;
/// Age from which an object was worked off, unless its event failed: Lambda gives an event up after six hours.
const WORKED_OFF_AFTER: TimeDelta = TimeDelta::hours(24);

/// Folder of the inputs of human loops, in the review bucket.
pub(crate) const LOOP_INPUTS: &str = "human-review/inputs/";
/// Folder of the states of human loops, in the review bucket.
pub(crate) const LOOPS: &str = "human-review/loops/";

/// Folder of lines that could not be used, in the feedback bucket.
const REJECTED: &str = "rejected/";

/// Why an object is named whose metadata hold some of what is to be erased.
const IN_METADATA: &str = "its metadata hold some of it, which only a copy with others takes out";

/// An object that was read, with its key; an error where it could not be.
pub(crate) type Read = (Listed, Result<Option<Object>, BucketError>);

/// Lists what may hold texts, written since a time.
async fn listed(
    bucket: &Bucket,
    name: BucketName,
    since: Option<DateTime<Utc>>,
) -> Result<Vec<(Listed, Rule)>, BucketError> {
    let mut listed = Vec::new();
    let take = |object: Listed| {
        let rule = rule(name, &object.key);
        let is_due = since.is_none_or(|since| object.modified >= since);
        // An empty input is what an erasure before this version has left of a loop that it did not come to end.
        let is_empty = object.size == 0 && input_of_loop(name, &object.key).is_none();
        if !matches!(rule, Rule::Stays | Rule::MadeAnew) && !is_empty && is_due {
            listed.push((object, rule));
        }
    };
    bucket.list_each("", take).await?;
    Ok(listed)
}

/// Returns the id of the human loop whose input an object is, if it is one.
fn input_of_loop(bucket: BucketName, key: &str) -> Option<&str> {
    let id = key.strip_prefix(LOOP_INPUTS)?.strip_suffix(".json")?;
    (bucket == BucketName::Review).then_some(id)
}

/// Returns the name of the human loop whose state an object is, if it is one.
fn state_of_loop(bucket: BucketName, key: &str) -> Option<&str> {
    let name = key.strip_prefix(LOOPS)?.strip_suffix(".json")?;
    (bucket == BucketName::Review).then_some(name)
}

/// Returns the flow definition that a human loop's state names; none of one of the stack's own.
fn flow_of(state: &[u8]) -> Option<LoopFlow> {
    #[derive(Deserialize)]
    struct State {
        flow: Option<LoopFlow>,
    }
    serde_json::from_slice::<State>(state).ok()?.flow
}

/// Reads an object.
pub(crate) async fn read(bucket: &Bucket, object: Listed) -> Read {
    let content = bucket.read(&object.key, MAX_OBJECT_BYTES).await;
    (object, content)
}

/// Hands over the content of everything that may hold texts, old versions too.
pub(crate) async fn look(buckets: &Buckets, take: &mut dyn FnMut(Rule, &[u8])) -> Result<(), EraseError> {
    for name in IN_ORDER {
        let bucket = buckets.get(name);
        let objects = listed(bucket, name, None).await?;
        let mut reads = stream::iter(objects)
            .map(async |(object, rule)| (rule, read(bucket, object).await))
            .buffered(READS_AT_ONCE);
        while let Some((rule, (_, content))) = reads.next().await {
            match content {
                Ok(Some(object)) => take(rule, &object.bytes),
                // Said when it is to be rewritten.
                Ok(None) | Err(BucketError::TooLarge { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    versions::look(buckets, take).await
}

/// Returns the objects of the events that functions failed on to the end: bucket and key.
pub(crate) async fn failed(feedback: &Bucket) -> Result<HashSet<(String, String)>, EraseError> {
    let mut failed = HashSet::new();
    for record in feedback.list(FAILED_EVENTS).await? {
        let record: Value = match feedback.read_document(&record.key).await {
            Ok(record) => record.unwrap_or_default(),
            Err(BucketError::Damaged { .. }) => continue,
            Err(error) => return Err(error.into()),
        };
        let records = record["requestPayload"]["Records"].as_array();
        for entity in records.into_iter().flatten().map(|record| &record["s3"]) {
            let key = entity["object"]["key"].as_str().and_then(decode_key);
            let bucket = entity["bucket"]["name"].as_str().map(str::to_owned);
            failed.extend(bucket.zip(key));
        }
    }
    Ok(failed)
}

impl Erase<'_> {
    /// Goes through a bucket.
    pub(crate) async fn bucket(
        &mut self,
        name: BucketName,
        since: Option<DateTime<Utc>>,
    ) -> Result<(), EraseError> {
        let bucket = self.buckets.get(name).clone();
        let mut objects = listed(&bucket, name, since).await?;
        objects.retain(|(_, rule)| *rule != Rule::Dataset);
        let mut reads = stream::iter(objects)
            .map(async |(object, rule)| (rule, read(&bucket, object).await))
            .buffered(READS_AT_ONCE);
        while let Some((rule, (listed, content))) = reads.next().await {
            self.keep_hold().await?;
            match content {
                Ok(Some(object)) => self.object(name, &listed, rule, object).await?,
                Ok(None) => {}
                Err(BucketError::TooLarge { uri, .. }) => {
                    self.report.too_large.insert(uri);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    async fn object(
        &mut self,
        name: BucketName,
        listed: &Listed,
        rule: Rule,
        mut object: Object,
    ) -> Result<(), EraseError> {
        let bucket = self.buckets.get(name).clone();
        for _ in 0..MAX_TRIES {
            let left = self.left(name, &listed.key, rule, &object).await?;
            if let Left::Unread { reason } = &left
                && rule.is_of_people()
            {
                let uri = bucket.uri(&listed.key);
                self.report.unread.insert(uri, reason.clone());
            }
            self.note_undecided(&bucket, &listed.key, rule, &object, &left);
            if matches!(left, Left::All | Left::Unread { .. }) {
                return self.mend_report(listed, rule).await;
            }
            let broken = broken::gone(&object.bytes, &left);
            if self.is_preview {
                self.count(name, &listed.key, left.pieces());
                self.report.broken_lines += broken;
                return self.note_training_file(&listed.key, rule, &object).await;
            }
            let pieces = left.pieces();
            if self.write(name, listed, rule, &object, left).await? {
                self.count(name, &listed.key, pieces);
                self.report.broken_lines += broken;
                return self.mend_report(listed, rule).await;
            }
            // Somebody else has written it meanwhile.
            match bucket.read(&listed.key, MAX_OBJECT_BYTES).await? {
                Some(now) => object = now,
                None => return Ok(()),
            }
        }
        Err(EraseError::Busy)
    }

    /// Names an object in what is left of which something may stand that cannot be told, or whose metadata hold some of it.
    fn note_undecided(&mut self, bucket: &Bucket, key: &str, rule: Rule, object: &Object, left: &Left) {
        let rest = match left {
            _ if !rule.is_of_people() && !key.starts_with(REJECTED) => return,
            Left::Nothing { .. } | Left::Unread { .. } => return,
            Left::All => &object.bytes,
            Left::Rest { bytes, .. } => bytes,
        };
        let of_metadata = || self.is_in_metadata(object).then(|| IN_METADATA.to_owned());
        if let Some(reason) = broken::undecided(rest, &self.wanted).or_else(of_metadata) {
            self.report.unread.insert(bucket.uri(key), reason);
        }
    }

    fn is_in_metadata(&self, object: &Object) -> bool {
        let wanted = &self.wanted;
        let is_own = |name: &String| [LEFT_BY_ERASURE, REWRITTEN_BY_ERASURE].contains(&name.as_str());
        let mut metadata = object.metadata.iter().filter(|(name, _)| !is_own(name));
        metadata.any(|(name, value)| wanted.is_value(Some(name), value) || wanted.is_within(value))
    }

    /// Returns what is left of an object.
    async fn left(
        &mut self,
        name: BucketName,
        key: &str,
        rule: Rule,
        object: &Object,
    ) -> Result<Left, EraseError> {
        let Some(shape) = rule.shape(key) else {
            return Ok(Left::All);
        };
        let mut left = rewrite(shape, &object.bytes, &self.wanted);
        if let Some(id) = input_of_loop(name, key) {
            if object.bytes.is_empty() {
                left = Left::Nothing { pieces: 0 };
            }
            if matches!(left, Left::Nothing { .. }) {
                self.ended.insert(id.to_owned());
            }
        }
        if let Some(human_loop) = state_of_loop(name, key) {
            if let Some(flow) = flow_of(&object.bytes) {
                self.note_place_of(&flow);
            }
            if matches!(left, Left::Nothing { .. }) {
                self.ended_by_name.insert(human_loop.to_owned());
            }
        }
        if name == BucketName::Feedback
            && left.pieces() > 0
            && let Some(human_loop) = keys::loop_of_asked(key)
        {
            self.note_asked(human_loop).await?;
        }
        Ok(left)
    }

    /// Writes what is left; false where somebody else has written the object meanwhile.
    async fn write(
        &mut self,
        name: BucketName,
        listed: &Listed,
        rule: Rule,
        object: &Object,
        left: Left,
    ) -> Result<bool, EraseError> {
        let bucket = self.buckets.get(name).clone();
        let key = &listed.key;
        let is_worked_off = self.is_worked_off(name, listed, rule).await?;
        // What a failed event is about stays, so that it can be sent again.
        let stays_empty =
            matches!(rule, Rule::StaysEmpty(_) | Rule::TrainingFile) || self.has_failed(name, key);
        let is_notified = matches!(rule, Rule::Delivered | Rule::Upload | Rule::TrainingFile);
        self.note_training_file(&listed.key, rule, object).await?;
        if name == BucketName::Training {
            self.keep_counted(listed, &object.bytes, &left).await?;
        }
        let is_written = match left {
            Left::All | Left::Unread { .. } => true,
            // It goes with its loop, the last of all that is of it: by it another run finds the loop.
            Left::Nothing { .. }
                if input_of_loop(name, key).is_some() || state_of_loop(name, key).is_some() =>
            {
                true
            }
            Left::Nothing { .. } if !stays_empty => {
                bucket.delete(key).await?;
                true
            }
            Left::Nothing { .. } => {
                self.leave(&bucket, key, object, Vec::new(), is_worked_off)
                    .await?
            }
            Left::Rest { bytes, .. } => {
                let is_left = self
                    .leave(&bucket, key, object, bytes, is_notified && is_worked_off)
                    .await?;
                self.report.delivered_again += u64::from(is_left && is_notified && !is_worked_off);
                is_left
            }
        };
        if is_written {
            self.forget_versions(name, key).await?;
        }
        Ok(is_written)
    }

    async fn leave(
        &self,
        bucket: &Bucket,
        key: &str,
        object: &Object,
        rest: Vec<u8>,
        is_worked_off: bool,
    ) -> Result<bool, EraseError> {
        let left = bucket.leave(key, &object.etag, rest, is_worked_off).await?;
        Ok(left != Leaving::Changed)
    }

    fn has_failed(&self, name: BucketName, key: &str) -> bool {
        let bucket = self.buckets.get(name).name();
        self.failed.contains(&(bucket.to_owned(), key.to_owned()))
    }

    /// Returns whether the event of an object's writing was worked off: then another one is nothing to do.
    async fn is_worked_off(&self, name: BucketName, listed: &Listed, rule: Rule) -> Result<bool, EraseError> {
        let bucket = self.buckets.get(name);
        let key = &listed.key;
        let is_noted = match rule {
            Rule::Delivered => {
                let claim = keys::claim(&keys::worked_off(bucket.name(), key));
                self.buckets.feedback.exists(&claim).await?
            }
            Rule::Upload => {
                let name = keys::result_name(bucket.name(), key, &listed.etag);
                self.buckets.feedback.exists(&keys::batch_report(&name)).await?
            }
            Rule::TrainingFile => match self.report_of(key).await? {
                // What is left of it may be no file to refuse: it is looked at anew.
                Some(report)
                    if matches!(
                        report.state,
                        TrainingFileState::Refused | TrainingFileState::Waiting
                    ) =>
                {
                    return Ok(false);
                }
                report => report.is_some_and(|report| report.etag == listed.etag),
            },
            Rule::Stays | Rule::Rewritten(_) | Rule::StaysEmpty(_) | Rule::Dataset | Rule::MadeAnew => {
                return Ok(true);
            }
        };
        let is_old = Utc::now() - listed.modified > WORKED_OFF_AFTER;
        Ok(is_noted || is_old && !self.has_failed(name, key) || bucket.is_left(key).await?)
    }

    /// Returns the report on a training file.
    pub(crate) async fn report_of(&self, key: &str) -> Result<Option<TrainingFileReport>, EraseError> {
        Ok(self.buckets.training.read_document(&report_key(key)).await?)
    }

    /// Has the report on a training file be about what is left of it, and say so.
    async fn mend_report(&mut self, listed: &Listed, rule: Rule) -> Result<(), EraseError> {
        if rule != Rule::TrainingFile || self.is_preview {
            return Ok(());
        }
        let training = &self.buckets.training;
        if !training.is_left(&listed.key).await? {
            return Ok(());
        }
        let now = training.list(&listed.key).await?;
        let now = now.into_iter().find(|object| object.key == listed.key);
        let (Some(now), Some(mut report)) = (now, self.report_of(&listed.key).await?) else {
            return Ok(());
        };
        if report.etag != now.etag {
            report.etag = now.etag;
            report.erased_rows.clear();
            let told = format!("rows were taken out: {ERASED}");
            if !report.repairs.contains(&told) {
                report.repairs.push(told);
            }
            training.put_document(&report_key(&listed.key), &report).await?;
        }
        Ok(())
    }
}
