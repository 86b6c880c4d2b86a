//! How many labels there are, and what the audited ones say of each model.
//!
//! Every labelled object is read once: `builds/tally.json` holds the sums and how far they reach. Listing stays:
//! one request for a thousand human loops. A prediction is judged by one loop only, since another is opened only
//! where the first came to nothing, so sums suffice.

use std::collections::BTreeMap;

use active_learning_aws::{
    backoff::Tries,
    bucket::{Bucket, BucketError, Listed, MAX_DOCUMENT_BYTES, Replaced},
};
use active_learning_core::{
    keys,
    labels::{consolidation::Consensus, human_loop::Answer, labelled::LabelledRecord},
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

const KEY: &str = "builds/tally.json";
/// Objects may show in a listing so much later than others that were written after them.
const OVERLAP: TimeDelta = TimeDelta::minutes(10);
/// Objects that are added before the sums are stored: a minute's work.
const OBJECTS_AT_A_TIME: usize = 5_000;
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
    /// When the first labelled object was written.
    pub since: Option<DateTime<Utc>>,
    /// When the newest object of these sums was written.
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

    fn add(&mut self, object: &Listed, records: &[LabelledRecord]) {
        for record in records {
            if let Consensus::Agreed {
                answer: Answer::Labels { labels },
                ..
            } = &record.consensus
            {
                self.labels += 1;
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
        self.through = self.through.max(Some(object.modified));
        self.recent.insert(object.key.clone(), object.modified);
    }

    fn forget_old(&mut self) {
        let Some(through) = self.through else { return };
        self.recent.retain(|_, modified| *modified >= through - OVERLAP);
    }
}

/// Reads the sums as they were stored last.
pub(crate) async fn read(bucket: &Bucket) -> Result<Tally, BucketError> {
    Ok(bucket.read_document(KEY).await?.unwrap_or_default())
}

impl ModelBuilding {
    /// Adds what is new to the sums. Idempotent, and each object counts once however many tally at a time.
    pub(crate) async fn tally(&self) -> Result<Tally, StepError> {
        let mut tries = Tries::default();
        while tries.again().await {
            let (stored, etag) = self.bucket.read_version::<Tally>(KEY).await?.unzip();
            let mut tally = stored.unwrap_or_default();
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
                tally.add(object, records);
            }
            tally.forget_old();
            let replaced = self.bucket.replace_document(KEY, etag.as_deref(), &tally).await?;
            if replaced == Replaced::Written {
                tries = Tries::default();
            }
        }
        Err(StepError::NotNow(format!("others keep writing {KEY}")))
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
            tally.add(&object, &[]);
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
    fn only_recent_keys_are_remembered() {
        let mut tally = Tally::default();
        for minute in 0..100 {
            tally.add(&object(&minute.to_string(), minute), &[]);
        }
        tally.forget_old();

        assert_eq!(tally.recent.len(), 11);
        let all = (0..100).map(|minute| object(&minute.to_string(), minute));
        assert!(tally.missing(all.collect()).is_empty());
    }
}
