//! What an erasure notes elsewhere: that no build is to begin, who has learnt from what goes, and what sums stay right.

use std::time::{Duration, Instant};

use active_learning_aws::{
    self as aws,
    bucket::{Change, Listed},
    rfc3339,
};
use active_learning_core::{
    erasure::{Erasing, LearntAndErased},
    keys,
};
use chrono::{TimeDelta, Utc};
use serde_json::Value;

use crate::{
    erase::{Buckets, Erase, EraseError},
    labels_gone::LabelsGone,
    rewrite::Left,
    trained::models_of,
};

/// How long no build begins after the last word of an erasure: it may have been ended.
const HOLD: TimeDelta = TimeDelta::minutes(15);
/// How often that is renewed.
const RENEWED_AFTER: Duration = Duration::from_secs(120);

/// Keeps builds from beginning for a while, for the erasure of this id.
///
/// # Errors
///
/// [`EraseError`].
pub async fn hold_builds(buckets: &Buckets, id: &str) -> Result<(), EraseError> {
    let until = rfc3339(Utc::now() + HOLD);
    let hold = |erasing: Option<Erasing>| {
        let mut erasing = erasing.unwrap_or_default();
        erasing.hold(id, &until);
        Change::Write(erasing, ())
    };
    Ok(buckets.training.change(keys::ERASING, hold).await?)
}

/// Lets builds begin again, once no other erasure holds them back.
///
/// # Errors
///
/// [`EraseError`].
pub async fn release_builds(buckets: &Buckets, id: &str) -> Result<(), EraseError> {
    let now = aws::now();
    let release = |erasing: Option<Erasing>| {
        let mut erasing = erasing.unwrap_or_default();
        erasing.release(id, &now);
        Change::Write(erasing, ())
    };
    Ok(buckets.training.change(keys::ERASING, release).await?)
}

impl Erase<'_> {
    /// Says that builds are held back for some time more.
    pub(crate) async fn keep_hold(&mut self) -> Result<(), EraseError> {
        let is_fresh = self.held_at.is_some_and(|at| at.elapsed() < RENEWED_AFTER);
        if self.is_preview || is_fresh {
            return Ok(());
        }
        hold_builds(self.buckets, &self.job.id).await?;
        self.held_at = Some(Instant::now());
        Ok(())
    }

    /// Notes a human loop that asks some of it, before what tells of it is changed: another run would not find it.
    pub(crate) async fn note_asked(&mut self, human_loop: &str) -> Result<(), EraseError> {
        if self.job.asked.insert(human_loop.to_owned()) && !self.is_preview {
            let key = keys::erasure(&self.job.id);
            self.buckets.feedback.put_document(&key, &self.job).await?;
        }
        Ok(())
    }

    /// Counts an object of labels that is about to be rewritten as one that is in the sums over the labels already, without the
    /// labels that go. One that is not in them yet is added without them. A run that is broken off between the sums and the
    /// object takes them out twice.
    pub(crate) async fn keep_counted(
        &self,
        listed: &Listed,
        before: &[u8],
        left: &Left,
    ) -> Result<(), EraseError> {
        let (key, training) = (&listed.key, &self.buckets.training);
        if !key.starts_with(keys::LABELLED_FOLDER) {
            return Ok(());
        }
        let gone = LabelsGone::of(before, left);
        let marks = keys::loop_of_labelled(key).map(|human_loop| keys::mark_of_labelled(human_loop, ""));
        let is_marked = match marks {
            Some(marks) => !training.list(&marks).await?.is_empty(),
            None => false,
        };
        let now = aws::now();
        let note = |tally: Option<Value>| match tally {
            Some(mut tally) if tally["recent"].is_object() => {
                if !is_marked || tally["recent"][key].is_string() {
                    gone.take_out_of(&mut tally);
                    tally["recent"][key] = now.as_str().into();
                }
                Change::Write(tally, ())
            }
            _ => Change::Leave(()),
        };
        Ok(training.change(keys::TALLY, note).await?)
    }

    /// Takes labels that people proposed out of the sums over the labels, where they quote a text.
    pub(crate) async fn forget_proposals(&self) -> Result<(), EraseError> {
        let forget = |tally: Option<Value>| {
            let Some(mut tally) = tally else {
                return Change::Leave(());
            };
            let Some(proposed) = tally["proposed"].as_object_mut() else {
                return Change::Leave(());
            };
            let before = proposed.len();
            proposed.retain(|name, _| !self.is_quote(name));
            let is_changed = proposed.len() < before;
            Change::to(is_changed.then_some(tally), ())
        };
        Ok(self.buckets.training.change(keys::TALLY, forget).await?)
    }

    /// Returns whether sums over the labels have a proposed one that quotes a text.
    pub(crate) fn proposes(&self, tally: &[u8]) -> bool {
        let tally: Value = serde_json::from_slice(tally).unwrap_or_default();
        let proposed = tally["proposed"].as_object();
        proposed.is_some_and(|proposed| proposed.keys().any(|name| self.is_quote(name)))
    }

    fn is_quote(&self, name: &str) -> bool {
        self.wanted.is_text(name) || self.wanted.is_within(name)
    }

    /// Notes that a model version has learnt from rows that are about to go. A run that is broken off between the note and the
    /// rows counts them twice.
    pub(crate) async fn note_learnt(&mut self, version: &str, rows: u64) -> Result<(), EraseError> {
        *self.report.learnt.entry(version.to_owned()).or_default() += rows;
        if self.is_preview {
            return Ok(());
        }
        let at = aws::now();
        let named_otherwise = models_of(&self.buckets.training, version).await?;
        let note = |before: Option<LearntAndErased>| {
            let mut learnt = before.unwrap_or_default();
            learnt.at.clone_from(&at);
            for name in std::iter::once(version).chain(named_otherwise.iter().map(String::as_str)) {
                *learnt.versions.entry(name.to_owned()).or_default() += rows;
            }
            Change::Write(learnt, ())
        };
        Ok(self
            .buckets
            .training
            .change(keys::LEARNT_AND_ERASED, note)
            .await?)
    }
}
