//! What a change of the label set asks again, and what it takes back of an earlier one, from the change to its delivery.
//!
//! It is written down before the set is changed, below `relabel/` of the feedback bucket, delivered after it, and then
//! removed. Whoever is stopped in between has lost nothing: the next command about labels and the hourly sweep of
//! label-collection deliver it ([`Relabelling::resume`]). Twice is once: the same change has the same objects. What is
//! answered while the set is being changed is asked too: see `late.rs`.

mod all;
mod asked;
mod late;

use std::collections::HashSet;

use active_learning_core::{
    feedback::FeedbackRecord,
    keys,
    labels::{
        label_set::{LabelSet, version_key},
        labelled::LabelledRecord,
    },
};
use all::Place;
pub use all::{ANSWERS_PER_SWEEP, Pace};
pub use asked::AskedAnew;
use chrono::{DateTime, TimeDelta, Utc};
pub use late::{Doubt, Late};
use serde::{Deserialize, Serialize};

use crate::{
    bucket::{Bucket, BucketError, JSON_LINES},
    label_set::LabelSets,
};

/// Records of one delivered object.
const RECORDS_PER_OBJECT: usize = 1_000;

/// Largest part that is read, in bytes: a thousand records of the longest texts.
const MAX_PART_BYTES: u64 = 512 << 20;

/// How long a change may take from its plan to the set, before it is taken for one that was not made.
const MAX_CHANGE_HOURS: i64 = 1;

/// A time before which nothing was answered.
const BEFORE_ALL_ANSWERS: &str = "2000-01-01T00:00:00Z";

/// How far the clock of who makes a change and that of S3 may be apart. Source: AWS, `RequestTimeTooSkewed`.
const CLOCK_SKEW_MINUTES: i64 = 15;

/// The questions that changes of the label set ask again.
#[derive(Clone, Debug)]
pub struct Relabelling {
    feedback: Bucket,
    training: Bucket,
    sets: LabelSets,
    pace: Pace,
}

/// A change that is about to be made: `relabel/<change>.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedChange {
    /// Names the change and what it asks.
    id: String,
    /// Version of the set that is changed.
    from_version: u64,
    /// When the change is made, as the set will say: RFC 3339.
    at: String,
    /// Texts that it asks again.
    texts: usize,
    /// Objects that hold them.
    parts: usize,
    /// Texts of these whose answer only becomes another one: nobody is asked about them. Plans of the version before have them
    /// beside others.
    #[serde(default, skip_serializing_if = "is_zero")]
    decided_anew: usize,
    /// What was counted before it; none in plans of the version before, and in those that ask nothing of what comes later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    counted: Option<Counted>,
    /// How far the look at all answers is, where nothing was counted; none before it has begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    looked: Option<Place>,
}

/// When answers were counted, and which of them a change asks again: later ones are looked for when it is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Counted {
    /// The answers that it puts in doubt; none where it only makes votes contradict one another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubt: Option<Doubt>,
    /// When the count began: RFC 3339.
    pub at: String,
    /// Labelled objects that the count has seen although they are new: see [`Relabelling::seen_at`]. None in plans of the
    /// version before.
    #[serde(default)]
    pub seen: Vec<String>,
}

/// What was done about changes that somebody left in the middle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resumed {
    /// Texts that are asked again; not those whose answer only becomes another one.
    pub texts: usize,
    /// Changes that were planned and never made: they ask nothing.
    pub dropped: usize,
}

impl Relabelling {
    /// Keeps plans in the feedback bucket, and looks for changes of the set in the training bucket.
    pub fn new(feedback: Bucket, training: Bucket) -> Self {
        Self {
            sets: LabelSets::new(training.clone()),
            feedback,
            training,
            pace: Pace::default(),
        }
    }

    /// Says how much of all answers is looked at before somebody else goes on.
    #[must_use]
    pub fn with_pace(self, pace: Pace) -> Self {
        Self { pace, ..self }
    }

    /// Says whether a text may have several labels, as unless it is said otherwise.
    #[must_use]
    pub fn with_several_labels(self, several: bool) -> Self {
        Self {
            sets: self.sets.with_several_labels(several),
            ..self
        }
    }

    /// Returns the labelled objects that are there when a count begins, as far as they are so new that
    /// [`Relabelling::deliver`] would take them for later ones. Time is in RFC 3339.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn seen_at(&self, at: &str) -> Result<Vec<String>, BucketError> {
        match late_since(at) {
            Some(since) => self.labelled_since(since).await,
            None => Ok(Vec::new()),
        }
    }

    /// Writes down what a change will ask, in this order.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn plan(
        &self,
        from: &LabelSet,
        at: &str,
        records: &[FeedbackRecord],
        counted: Option<Counted>,
    ) -> Result<PlannedChange, BucketError> {
        let lines = records.iter().map(FeedbackRecord::to_line).collect();
        let id = change_id(from, at);
        self.write(from, at, (id, 0), lines, counted).await
    }

    /// Writes down that a change makes a proposal a name of a label, and that nothing was counted. [`Relabelling::resume`] looks
    /// at all answers then, and asks about those that it puts in doubt, and where votes contradict one another by it. Questions
    /// that are kept no more contradict nothing.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn plan_uncounted(
        &self,
        from: &LabelSet,
        at: &str,
        doubt: Option<Doubt>,
    ) -> Result<PlannedChange, BucketError> {
        let counted = Counted {
            doubt,
            at: BEFORE_ALL_ANSWERS.to_owned(),
            seen: Vec::new(),
        };
        self.plan(from, at, &[], Some(counted)).await
    }

    /// Writes down what a change takes back: these are asked no more, as far as nobody has answered.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn plan_withdrawal(
        &self,
        from: &LabelSet,
        at: &str,
        records: &[FeedbackRecord],
    ) -> Result<PlannedChange, BucketError> {
        let id = keys::withdrawal_of(&change_id(from, at));
        let lines = records.iter().map(FeedbackRecord::to_line).collect();
        self.write(from, at, (id, 0), lines, None).await
    }

    /// Writes down which votes contradict one another by a change: of these texts one more reviewer is asked. Records come with
    /// all their votes.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn plan_contradictions(
        &self,
        from: &LabelSet,
        at: &str,
        contradicted: &[LabelledRecord],
    ) -> Result<PlannedChange, BucketError> {
        let id = keys::contradictions_of(&change_id(from, at));
        let lines = changed_lines(contradicted, at);
        self.write(from, at, (id, 0), lines, None).await
    }

    /// Writes down which texts have another answer by a change: nobody is asked about them. Records come with all their votes
    /// and what these come to.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn plan_decisions(
        &self,
        from: &LabelSet,
        at: &str,
        decided_anew: &[LabelledRecord],
    ) -> Result<PlannedChange, BucketError> {
        let id = keys::decisions_of(&change_id(from, at));
        let lines = changed_lines(decided_anew, at);
        let texts = lines.len();
        self.write(from, at, (id, texts), lines, None).await
    }

    async fn write(
        &self,
        from: &LabelSet,
        at: &str,
        (id, decided_anew): (String, usize),
        lines: Vec<String>,
        counted: Option<Counted>,
    ) -> Result<PlannedChange, BucketError> {
        let change = PlannedChange {
            id,
            from_version: from.version(),
            at: at.to_owned(),
            texts: lines.len(),
            parts: lines.len().div_ceil(RECORDS_PER_OBJECT),
            decided_anew,
            counted,
            looked: None,
        };
        let key = keys::relabel_change(&change.id);
        self.feedback.put_document(&key, &change).await?;

        for (part, lines) in lines.chunks(RECORDS_PER_OBJECT).enumerate() {
            let key = keys::relabel_part(&change.id, part);
            self.feedback.put(&key, JSON_LINES, lines.concat()).await?;
        }
        Ok(change)
    }

    /// Delivers what a change asks that was made, with what was answered since it was counted, and forgets the plan. Where nothing
    /// was counted, some of all answers are looked at, and the plan stays until all were. Returns which texts it asks beyond those
    /// of the plan. Idempotent.
    ///
    /// # Errors
    ///
    /// [`BucketError`]; [`Relabelling::resume`] goes on.
    pub async fn deliver(&self, change: &PlannedChange) -> Result<Late, BucketError> {
        let mut counted = HashSet::new();
        for part in 0..change.parts {
            let key = keys::relabel_part(&change.id, part);
            // One that is gone was delivered before.
            if let Some(lines) = self.feedback.read(&key, MAX_PART_BYTES).await? {
                let records = lines.bytes.split(|byte| *byte == b'\n');
                let records = records.filter_map(|line| FeedbackRecord::parse(line).ok());
                counted.extend(records.map(|record| record.id));
                let delivered = keys::relabelled_feedback(&change.id, part);
                self.feedback.put(&delivered, JSON_LINES, lines.bytes).await?;
                self.feedback.delete(&key).await?;
            }
        }
        let (late, is_done) = match change.has_counted_nothing() {
            true => self.look_at_all(change).await?,
            false => (self.ask_late(change, counted).await?, true),
        };
        if !is_done {
            return Ok(late); // The next one goes on.
        }
        self.feedback.delete(&keys::relabel_change(&change.id)).await?;
        Ok(late)
    }

    /// Forgets a change that was not made.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn drop_plan(&self, change: &PlannedChange) -> Result<(), BucketError> {
        for part in 0..change.parts {
            self.feedback
                .delete(&keys::relabel_part(&change.id, part))
                .await?;
        }
        self.feedback.delete(&keys::relabel_change(&change.id)).await
    }

    /// Delivers what changes ask that were made and left in the middle; forgets those that were planned long ago and
    /// never made. Idempotent, and safe beside a command that is making a change. `now` is in RFC 3339.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn resume(&self, now: &str) -> Result<Resumed, BucketError> {
        let (mut resumed, mut failed) = (Resumed::default(), None);
        for object in self.feedback.list(keys::RELABEL_FOLDER).await? {
            if keys::change_of_relabel(&object.key).is_none() {
                continue;
            }
            let change: PlannedChange = match self.feedback.read_document(&object.key).await {
                Ok(Some(change)) => change,
                Ok(None) => continue,
                Err(error) => {
                    lambda_runtime::tracing::error!(%error, key = object.key, "the plan of a change of the label set cannot be read");
                    failed.get_or_insert(error);
                    continue;
                }
            };

            if self.was_made(&change).await? {
                let late = match self.deliver(&change).await {
                    Ok(late) => late,
                    Err(error) => {
                        // The others are not to wait for it.
                        lambda_runtime::tracing::error!(%error, change = change.id, "a change of the label set is not delivered yet");
                        failed.get_or_insert(error);
                        continue;
                    }
                };
                if !keys::is_withdrawal(&change.id) {
                    let asked = change.texts.saturating_sub(change.decided_anew);
                    resumed.texts += asked + late.asked + late.contradicted;
                }
            } else if change.is_old(now) {
                self.drop_plan(&change).await?;
                resumed.dropped += 1;
            }
        }
        failed.map_or(Ok(resumed), Err)
    }

    /// Returns whether a version of the set was made at the time of a change.
    async fn was_made(&self, change: &PlannedChange) -> Result<bool, BucketError> {
        self.sets.forget().await;
        let Some(current) = self.sets.current().await? else {
            return Ok(false);
        };
        if current.was_made_at(&change.at) && current.version() > change.from_version {
            return Ok(true);
        }
        for version in change.from_version + 1..current.version() {
            let kept: Option<LabelSet> = self.training.read_document(&version_key(version)).await?;
            if kept.is_some_and(|kept| kept.was_made_at(&change.at)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Returns since when S3 may show objects that a count did not see which began at this time.
fn late_since(counted_at: &str) -> Option<DateTime<Utc>> {
    let at = DateTime::parse_from_rfc3339(counted_at).ok()?;
    Some(at.to_utc() - TimeDelta::minutes(CLOCK_SKEW_MINUTES))
}

/// Writes labelled records as lines that say when the label set was changed.
fn changed_lines(records: &[LabelledRecord], at: &str) -> Vec<String> {
    let changed_at = |record: &LabelledRecord| LabelledRecord {
        labelled_at: at.to_owned(),
        ..record.clone()
    };
    records
        .iter()
        .map(|record| changed_at(record).to_line())
        .collect()
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// Names the change of a set that is made at a time.
fn change_id(from: &LabelSet, at: &str) -> String {
    let time: String = at.chars().filter(char::is_ascii_digit).collect();
    format!("{:08}-{time}", from.version() + 1)
}

impl PlannedChange {
    /// Returns how many texts the change asks again.
    pub fn texts(&self) -> usize {
        self.texts
    }

    /// Returns whether all answers are to be looked at.
    fn has_counted_nothing(&self) -> bool {
        let counted = self.counted.as_ref();
        counted.is_some_and(|counted| counted.at == BEFORE_ALL_ANSWERS)
    }

    /// Returns what was counted, and since when S3 may hold answers that were not.
    fn counted_since(&self) -> Option<(&Counted, DateTime<Utc>)> {
        let counted = self.counted.as_ref()?;
        Some((counted, late_since(&counted.at)?))
    }

    fn is_old(&self, now: &str) -> bool {
        let time = |text: &str| DateTime::parse_from_rfc3339(text).ok();
        let age = time(now).zip(time(&self.at)).map(|(now, planned)| now - planned);
        age.is_some_and(|age| age > TimeDelta::hours(MAX_CHANGE_HOURS))
    }
}
