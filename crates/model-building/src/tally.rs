//! How many labels there are, and what the audited ones say of each model.
//!
//! Every labelled object is read once: `builds/tally.json` holds the sums and how far they reach. Listing stays:
//! one request for a thousand human loops. A prediction is judged by one loop only, since another is opened only
//! where the first came to nothing, so sums suffice.

use std::collections::BTreeMap;

use active_learning_aws::{
    backoff::Tries,
    bucket::{Bucket, BucketError, Listed, MAX_DOCUMENT_BYTES},
};
use active_learning_core::{
    keys::{self, TALLY},
    labels::{
        consolidation::Consensus, human_loop::Answer, label_set::can_be_label, labelled::LabelledRecord,
    },
    model::{
        accuracy_guarantee::AuditGrid,
        audit::{AuditTally, AuditedAccuracy, JudgedPrediction},
        confidence::{ConfidenceQuality, ConfidenceTally},
    },
    sampling::query_strategy::LabelCounts,
};
use chrono::{DateTime, TimeDelta, Utc};
use futures::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::{ModelBuilding, error::StepError};

/// Objects may show in a listing so much later than others that were written after them.
const OVERLAP: TimeDelta = TimeDelta::minutes(10);
/// Objects that are added before the sums are stored: a minute's work.
const OBJECTS_AT_A_TIME: usize = 5_000;
/// Proposed names that are kept; what comes beyond is found by the command `labels proposed`.
const MAX_PROPOSED: usize = 1_000;
const READS_IN_FLIGHT: usize = 16;

/// The sums over all labelled objects so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Tally {
    /// Records on whose labels people agreed, every loop's counted.
    pub labels: u64,
    /// The same by label, as it was named when it was given. Labels of an earlier release are missing.
    #[serde(default)]
    pub by_label: LabelCounts,
    /// Votes that propose a new label, by its name as it was written; at most [`MAX_PROPOSED`] names. Those of an earlier
    /// release are missing.
    #[serde(default)]
    proposed: BTreeMap<String, u64>,
    /// When the first labelled object was written.
    pub since: Option<DateTime<Utc>>,
    /// When the newest object of these sums was written; not later than it was when it was added, since a clock that was
    /// ahead would hide what comes after it.
    through: Option<DateTime<Utc>>,
    /// Objects of these sums that are not older than `through` by more than [`OVERLAP`].
    recent: BTreeMap<String, DateTime<Utc>>,
    /// Judged predictions by the ARN of the model.
    models: BTreeMap<String, AuditTally>,
    /// The same with their confidence. Empty for what an earlier release has summed: it is not read again.
    #[serde(default)]
    confidence: BTreeMap<String, ConfidenceTally>,
    /// The audited ones alone by their confidence, which promises rest on. Those of an earlier release are missing too.
    #[serde(default)]
    audits: BTreeMap<String, AuditGrid>,
}

impl Tally {
    /// Returns what audits say of a model's accuracy.
    pub(crate) fn accuracy(&self, model_arn: &str) -> Option<AuditedAccuracy> {
        self.models.get(model_arn)?.estimate()
    }

    /// Returns what audits say of a model's confidence.
    pub(crate) fn confidence(&self, model_arn: &str) -> Option<ConfidenceQuality> {
        self.confidence.get(model_arn)?.quality()
    }

    /// Returns the audited predictions of each model.
    pub(crate) fn audits(&self) -> &BTreeMap<String, AuditGrid> {
        &self.audits
    }

    /// Returns the objects that are not in the sums, oldest first.
    fn missing(&self, listed: Vec<Listed>) -> Vec<Listed> {
        let is_missing = |object: &Listed| {
            let old = self
                .through
                .is_some_and(|through| object.modified < through - OVERLAP);
            !old && !self.recent.contains_key(&object.key)
        };
        let mut missing: Vec<Listed> = listed.into_iter().filter(is_missing).collect();
        missing.sort_by(|a, b| (a.modified, &a.key).cmp(&(b.modified, &b.key)));
        missing
    }

    fn propose(&mut self, name: &str) {
        let is_kept = self.proposed.len() < MAX_PROPOSED || self.proposed.contains_key(name);
        if is_kept {
            *self.proposed.entry(name.to_owned()).or_default() += 1;
        }
    }

    /// Returns whether a clock that was ahead has set the mark: what it hid is not known, so that all counts anew.
    fn is_of_future(&self, now: DateTime<Utc>) -> bool {
        self.through.is_some_and(|through| through > now + OVERLAP)
    }

    fn add(&mut self, object: &Listed, records: &[LabelledRecord], now: DateTime<Utc>) {
        for record in records {
            for vote in &record.votes {
                if let Answer::NewLabel { label } = &vote.answer
                    && can_be_label(label)
                {
                    self.propose(label.trim());
                }
            }
            if let Consensus::Agreed {
                answer: Answer::Labels { labels },
                ..
            } = &record.consensus
            {
                self.labels += 1;
                for label in &record.replaces {
                    if let Some(count) = self.by_label.get_mut(label) {
                        *count = count.saturating_sub(1);
                    }
                }
                for label in labels {
                    *self.by_label.entry(label.clone()).or_default() += 1;
                }
            }
            if let Some((model, judged)) = JudgedPrediction::of(record) {
                self.models.entry(model.to_owned()).or_default().add(judged);
                let confidence = self.confidence.entry(model.to_owned()).or_default();
                confidence.add_labelled(record);
                let audits = self.audits.entry(model.to_owned()).or_default();
                audits.add_labelled(record);
            }
        }
        self.since = self.since.min(Some(object.modified)).or(Some(object.modified));
        self.through = self.through.max(Some(object.modified.min(now)));
        self.recent.insert(object.key.clone(), object.modified);
    }

    fn forget_old(&mut self) {
        let Some(through) = self.through else { return };
        self.recent.retain(|_, modified| *modified >= through - OVERLAP);
    }
}

/// Reads the sums as they were stored last.
pub(crate) async fn read(bucket: &Bucket) -> Result<Tally, BucketError> {
    Ok(bucket.read_document(TALLY).await?.unwrap_or_default())
}

impl ModelBuilding {
    /// Adds what is new to the sums. Idempotent, and each object counts once however many tally at a time.
    pub(crate) async fn tally(&self) -> Result<Tally, StepError> {
        let mut tries = Tries::default();
        while tries.again().await {
            let (stored, etag) = self.bucket.read_version::<Tally>(TALLY).await?.unzip();
            let now = Utc::now();
            let mut tally = stored.unwrap_or_default();
            if tally.is_of_future(now) {
                warn!("the sums over the labels reach into the future; all labels are counted anew");
                tally = Tally::default();
            }
            let missing = tally.missing(self.bucket.list(keys::LABELLED_FOLDER).await?);
            if missing.is_empty() {
                return Ok(tally);
            }
            let objects = missing.into_iter().take(OBJECTS_AT_A_TIME);
            let reads = stream::iter(objects).map(|object| async move {
                let records = self.labelled_records(&object.key).await?;
                Ok::<_, BucketError>((object, records))
            });
            let read: Vec<_> = reads.buffered(READS_IN_FLIGHT).try_collect().await?;
            for (object, records) in &read {
                tally.add(object, records, now);
            }
            tally.forget_old();
            let replaced = self
                .bucket
                .replace_document(TALLY, etag.as_deref(), &tally)
                .await?;
            if replaced.is_written() {
                tries = Tries::default();
            }
        }
        Err(StepError::NotNow(format!("others keep writing {TALLY}")))
    }

    async fn labelled_records(&self, key: &str) -> Result<Vec<LabelledRecord>, BucketError> {
        let Some(object) = self.bucket.read(key, MAX_DOCUMENT_BYTES).await? else {
            return Ok(Vec::new());
        };
        let lines = object
            .bytes
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.trim_ascii().is_empty());
        let parsed = lines.filter_map(|line| match LabelledRecord::parse(line) {
            Ok(record) => Some(record),
            Err(error) => {
                warn!(key, %error, "a labelled line is left out of the tally");
                None
            }
        });
        Ok(parsed.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::minutes(200)
    }

    fn object(key: &str, minute: i64) -> Listed {
        Listed {
            key: key.to_owned(),
            etag: String::new(),
            size: 1,
            modified: DateTime::UNIX_EPOCH + TimeDelta::minutes(minute),
        }
    }

    #[test]
    fn an_object_counts_once_also_if_it_shows_late() {
        let mut tally = Tally::default();
        for object in tally.missing(vec![object("b", 100), object("a", 95)]) {
            tally.add(&object, &[], now());
        }
        tally.forget_old();

        let missing = tally.missing(vec![
            object("a", 95),
            object("b", 100),
            object("late", 93),
            object("next", 101),
        ]);

        let keys: Vec<&str> = missing.iter().map(|object| object.key.as_str()).collect();
        assert_eq!(keys, ["late", "next"]);
        assert_eq!(tally.since, Some(object("a", 95).modified));
    }

    #[test]
    fn an_object_of_the_future_counts_and_hides_nothing_that_comes_after_it() {
        let mut tally = Tally::default();
        let ahead = object("ahead", 9_000);
        tally.add(&ahead, &[], now());
        tally.forget_old();

        let missing = tally.missing(vec![ahead, object("next", 201)]);

        assert_eq!(missing.len(), 1);
        assert_eq!(missing[0].key, "next");
        assert!(!tally.is_of_future(now()));
    }

    #[test]
    fn sums_whose_mark_lies_in_the_future_are_made_anew() {
        let through = object("o", 9_000).modified;
        let tally = Tally {
            through: Some(through),
            ..Tally::default()
        };

        assert!(tally.is_of_future(now()));
        assert!(!tally.is_of_future(through));
    }

    #[test]
    fn sums_of_the_release_before_are_read() {
        let stored = r#"{"labels": 9, "since": "2026-11-20T10:00:00Z", "through": "2026-11-20T10:00:00Z", "recent": {},
            "models": {"arn": {"judged": 2, "audited": 1, "right": [3.0, 5.0], "wrong": [0.0, 0.0]}}}"#;

        let tally: Tally = serde_json::from_str(stored).expect("older sums");

        assert_eq!(tally.labels, 9);
        assert_eq!(tally.accuracy("arn").map(|accuracy| accuracy.judged), Some(2));
        assert_eq!(tally.confidence("arn"), None);
        assert!(tally.audits().is_empty());
    }

    #[test]
    fn votes_for_a_new_label_are_counted_by_its_name() {
        let record: LabelledRecord = serde_json::from_value(serde_json::json!({
            "schemaVersion": 1, "consensus": { "state": "tie" }, "humanLoop": "h", "flowDefinitionArn": "",
            "labelledAt": "2026-11-19T08:00:00.000Z",
            "record": {
                "schemaVersion": 1, "classifier": "news", "utterance": "t", "prediction": "World", "confidence": 0.4,
                "source": "implicit", "signal": "low-confidence", "receivedAt": "2026-11-19T08:00:00.000Z",
            },
            "votes": [
                { "worker": "a", "answer": { "kind": "new-label", "label": "Weather " }, "source": "human-review", "at": "" },
                { "worker": "b", "answer": { "kind": "new-label", "label": "Weather" }, "source": "human-review", "at": "" },
                { "worker": "c", "answer": { "kind": "none-fits" }, "source": "human-review", "at": "" },
            ],
        }))
        .expect("a labelled record");
        let mut tally = Tally::default();

        tally.add(&object("o", 0), &[record], now());

        assert_eq!(tally.proposed, BTreeMap::from([("Weather".to_owned(), 2)]));
    }

    #[test]
    fn only_recent_keys_are_remembered() {
        let mut tally = Tally::default();
        for minute in 0..100 {
            tally.add(&object(&minute.to_string(), minute), &[], now());
        }
        tally.forget_old();

        assert_eq!(tally.recent.len(), 11);
        let all = (0..100).map(|minute| object(&minute.to_string(), minute));
        assert!(tally.missing(all.collect()).is_empty());
    }
}
