//! How many labels there are, and what the audited ones say of each model.
//!
//! Every labelled object is read once: `builds/tally.json` holds the sums. What is to be added says a mark that its writer
//! leaves, so that a tick looks at what is new only. All objects are listed where the sums are begun, and for an
//! [hour](LISTED_FOR) after that: functions of a version before may still write without a mark.
//!
//! A prediction is judged once, as its last answer says, and a text counts for the label that it has: a line that comes after
//! another about the same question says what it takes the place of, which is taken out of the sums. What a version before wrote
//! does not say it, and stays counted.

mod marks;

use std::collections::{BTreeMap, BTreeSet};

use active_learning_aws::{
    backoff::Tries,
    bucket::{Bucket, BucketError, Listed, MAX_DOCUMENT_BYTES},
    rfc3339,
};
use active_learning_core::{
    keys::{self, TALLY},
    labels::{
        answered_days::AnsweredDays, consolidation::Consensus, human_loop::Answer, label_set::can_be_label,
        labelled::LabelledRecord,
    },
    model::{
        accuracy_by_week::AccuracyByWeek,
        accuracy_guarantee::AuditGrid,
        audit::{AuditTally, AuditedAccuracy, JudgedPrediction},
        confidence::{ConfidenceQuality, ConfidenceTally},
        confusion::Confusions,
    },
    sampling::query_strategy::LabelCounts,
};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc, Weekday};
use futures::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::{ModelBuilding, error::StepError};

/// Objects may show in a listing so much later than others that were written after them.
const OVERLAP: TimeDelta = TimeDelta::minutes(10);
/// How long objects are listed beside the marks, once all were counted.
const LISTED_FOR: TimeDelta = TimeDelta::hours(1);
/// Objects that are added before the sums are stored: a minute's work.
const OBJECTS_AT_A_TIME: usize = 5_000;
/// Proposed names that are kept; what comes beyond is found by the command `labels proposed`.
const MAX_PROPOSED: usize = 1_000;
const READS_IN_FLIGHT: usize = 16;

/// The sums over all labelled objects so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Tally {
    /// Records on whose labels people agreed, every loop's counted that says something new.
    pub labels: u64,
    /// The same by label, as it was named when it was given. Labels of an earlier release are missing.
    #[serde(default)]
    pub by_label: LabelCounts,
    /// Votes that propose a new label, by its name as it was written; at most [`MAX_PROPOSED`] names. Those of an earlier
    /// release are missing.
    #[serde(default)]
    proposed: BTreeMap<String, u64>,
    /// When the newest of these votes was given: who proposes a name that was refused before proposes it again. Those of an
    /// earlier release are missing.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    proposed_at: BTreeMap<String, String>,
    /// When the first labelled object was written.
    pub since: Option<DateTime<Utc>>,
    /// When the newest object of these sums was written; not later than it was when it was added, since a clock that was
    /// ahead would hide what comes after it.
    through: Option<DateTime<Utc>>,
    /// When all objects had been listed and counted; with the marks on what came since, nothing is missing.
    #[serde(default)]
    listed_at: Option<DateTime<Utc>>,
    /// Objects of these sums that are not older than `through` by more than [`OVERLAP`], or that still have a mark.
    recent: BTreeMap<String, DateTime<Utc>>,
    /// Judged predictions by the ARN of the model.
    models: BTreeMap<String, AuditTally>,
    /// The same with their confidence. Empty for what an earlier release has summed: it is not read again.
    #[serde(default)]
    confidence: BTreeMap<String, ConfidenceTally>,
    /// The audited ones alone by their confidence, which promises rest on. Those of an earlier release are missing too.
    #[serde(default)]
    audits: BTreeMap<String, AuditGrid>,
    /// What reviewers answered by day. Answers of an earlier release are missing.
    #[serde(default)]
    answered: AnsweredDays,
    /// Records that no label fitted, every loop's counted. Answers of an earlier release are missing.
    #[serde(default)]
    none_fits: u64,
    /// What people said of what models predicted, by label. Answers of an earlier release are missing.
    #[serde(default)]
    confusions: Confusions,
    /// Judged predictions by the week in which they were made. Those of an earlier release are missing.
    #[serde(default)]
    by_week: AccuracyByWeek,
}

impl Tally {
    /// Returns what audits say of a model's accuracy; nothing before the first of them.
    pub(crate) fn accuracy(&self, model_arn: &str) -> Option<AuditedAccuracy> {
        self.models.get(model_arn)?.estimate()
    }

    /// Returns what audits say of a model's confidence; nothing before the first of them.
    pub(crate) fn confidence(&self, model_arn: &str) -> Option<ConfidenceQuality> {
        self.accuracy(model_arn)?;
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

    fn propose(&mut self, name: &str, at: &str) {
        let is_kept = self.proposed.len() < MAX_PROPOSED || self.proposed.contains_key(name);
        if is_kept {
            *self.proposed.entry(name.to_owned()).or_default() += 1;
            let newest = self.proposed_at.entry(name.to_owned()).or_default();
            if at > newest.as_str() {
                at.clone_into(newest);
            }
        }
    }

    /// Returns whether a clock that was ahead has set the mark: what it hid is not known, so that all counts anew.
    fn is_of_future(&self, now: DateTime<Utc>) -> bool {
        self.through.is_some_and(|through| through > now + OVERLAP)
    }

    /// Returns whether all objects were counted once, so that none of those that are marked may be missed for another.
    fn was_listed(&self, now: DateTime<Utc>) -> bool {
        self.listed_at.is_some() && !self.is_of_future(now)
    }

    /// Returns whether marks say all that may be missing.
    fn is_marked(&self, now: DateTime<Utc>) -> bool {
        let is_long_ago = |at: DateTime<Utc>| now >= at + LISTED_FOR;
        self.was_listed(now) && self.listed_at.is_some_and(is_long_ago)
    }

    fn add(&mut self, key: &str, modified: DateTime<Utc>, records: &[LabelledRecord], now: DateTime<Utc>) {
        // Sums of an earlier release hold answers that are in no day.
        let counted_since = if self.through.is_none() { modified } else { now };
        let today = now.format("%Y-%m-%d").to_string();
        self.answered.add(records, &rfc3339(counted_since), &today);
        for record in records {
            self.confusions.add_labelled(record);
            self.by_week
                .add(record, &week_of(&record.record.received_at, now));
            for vote in &record.votes {
                if let Answer::NewLabel { label } = &vote.answer
                    && can_be_label(label)
                {
                    self.propose(label.trim(), &vote.at);
                }
            }
            if let Consensus::Agreed {
                answer: Answer::NoneFits,
                ..
            } = &record.consensus
            {
                self.none_fits += 1;
            }
            if let Consensus::Agreed {
                answer: Answer::Labels { labels },
                ..
            } = &record.consensus
            {
                // The same answer again, as with a comment, is no label more.
                self.labels += u64::from(*labels != record.replaces);
                for label in &record.replaces {
                    if let Some(count) = self.by_label.get_mut(label) {
                        *count = count.saturating_sub(1);
                    }
                }
                for label in labels {
                    *self.by_label.entry(label.clone()).or_default() += 1;
                }
            }
            self.take_out_judgement_before(record);
            if let Some((model, judged)) = JudgedPrediction::of(record) {
                self.models.entry(model.to_owned()).or_default().add(judged);
                let confidence = self.confidence.entry(model.to_owned()).or_default();
                confidence.add_labelled(record);
                let audits = self.audits.entry(model.to_owned()).or_default();
                audits.add_labelled(record);
            }
        }
        self.since = self.since.min(Some(modified)).or(Some(modified));
        self.through = self.through.max(Some(modified.min(now)));
        self.recent.insert(key.to_owned(), modified);
    }

    /// Takes out what the line before said of the same prediction.
    fn take_out_judgement_before(&mut self, record: &LabelledRecord) {
        let Some((model, judged)) = JudgedPrediction::before(record) else {
            return;
        };
        if let Some(tally) = self.models.get_mut(model) {
            tally.remove(judged);
        }
        let Some(confidence) = record.record.confidence else {
            return;
        };
        if let Some(tally) = self.confidence.get_mut(model) {
            tally.remove(judged, confidence);
        }
        if let Some(audits) = self.audits.get_mut(model).filter(|_| judged.audited) {
            audits.remove(confidence, judged.right);
        }
    }

    /// Forgets old objects but for those that are still marked.
    fn forget_old(&mut self, marked: &BTreeSet<String>) {
        let Some(through) = self.through else { return };
        self.recent
            .retain(|key, modified| *modified >= through - OVERLAP || marked.contains(key));
    }
}

/// Returns the first day of the week of a time, as in `2026-11-30`; of a time that is none, or to come, that of now.
fn week_of(at: &str, now: DateTime<Utc>) -> String {
    let today = now.date_naive();
    let day = at.get(..10).and_then(|day| day.parse::<NaiveDate>().ok());
    let day = day.filter(|day| *day <= today).unwrap_or(today);
    let monday = day.week(Weekday::Mon).checked_first_day();
    monday.unwrap_or(day).to_string()
}

/// Reads the sums as they were stored last.
pub(crate) async fn read(bucket: &Bucket) -> Result<Tally, BucketError> {
    Ok(bucket.read_document(TALLY).await?.unwrap_or_default())
}

/// A labelled object that was read.
#[derive(Default)]
struct Read {
    records: Vec<LabelledRecord>,
    /// The id of the write that made it; none of a version before.
    write_id: Option<String>,
}

impl ModelBuilding {
    /// Adds what is new to the sums. Idempotent, and each object counts once however many tally at a time.
    pub(crate) async fn tally(&self) -> Result<Tally, StepError> {
        let mut tries = Tries::default();
        while tries.again().await {
            if let Some(tally) = self.tally_marked(Tally::is_marked).await? {
                return Ok(tally);
            }
            self.tally_listed().await?;
            if let Some(tally) = self.tally_marked(Tally::was_listed).await? {
                return Ok(tally);
            }
        }
        Err(StepError::NotNow(format!("others keep writing {TALLY}")))
    }

    /// Adds all objects that are not in the sums, as a listing shows them.
    async fn tally_listed(&self) -> Result<(), StepError> {
        let mut tries = Tries::default();
        while tries.again().await {
            // Listed before the objects: those of these marks that a listing shows stay remembered until the marks are gone.
            let marked = marks::pending(&self.bucket).await?;
            let (stored, etag) = self.bucket.read_version::<Tally>(TALLY).await?.unzip();
            let now = Utc::now();
            let mut tally = stored.unwrap_or_default();
            if tally.is_of_future(now) {
                warn!("the sums over the labels reach into the future; all labels are counted anew");
                tally = Tally::default();
            }
            let missing = tally.missing(self.bucket.list(keys::LABELLED_FOLDER).await?);
            let is_last = missing.len() <= OBJECTS_AT_A_TIME;
            if missing.is_empty() && tally.listed_at.is_some() {
                return Ok(());
            }
            let objects = missing.into_iter().take(OBJECTS_AT_A_TIME);
            let mut reads = stream::iter(objects)
                .map(async |object| {
                    let read = self.labelled_records(&object.key).await?;
                    Ok::<_, BucketError>((object, read.unwrap_or_default().records))
                })
                .buffered(READS_IN_FLIGHT);
            while let Some((object, records)) = reads.try_next().await? {
                tally.add(&object.key, object.modified, &records, now);
            }
            tally.forget_old(&marked);
            if is_last {
                tally.listed_at = tally.listed_at.or(Some(now));
            }
            let replaced = self
                .bucket
                .replace_document(TALLY, etag.as_deref(), &tally)
                .await?;
            match replaced.is_written() {
                true if is_last => return Ok(()),
                true => tries = Tries::default(),
                false => {}
            }
        }
        Err(StepError::NotNow(format!("others keep writing {TALLY}")))
    }

    /// Reads a labelled object; `None` if there is none of that key.
    async fn labelled_records(&self, key: &str) -> Result<Option<Read>, BucketError> {
        let Some(object) = self.bucket.read(key, MAX_DOCUMENT_BYTES).await? else {
            return Ok(None);
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
        Ok(Some(Read {
            records: parsed.collect(),
            write_id: object.write_id,
        }))
    }
}

#[cfg(test)]
mod tests;
