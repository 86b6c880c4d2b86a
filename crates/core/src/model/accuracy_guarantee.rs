//! Automated labelling: when confident predictions may be accepted as labels, and when no longer.
//!
//! A [`Promise`] says of one model version that the predictions which are accepted are right as often as the target
//! says. It is made, kept under watch and broken by audits alone. The review policy draws audits by chance from exactly
//! those predictions that it trusts, so the audited ones above a threshold are a plain sample of the accepted ones: no
//! weights are needed, and their errors are binomial. Doubtful predictions, which people see anyhow, say nothing here.
//! A text that people were asked about before is not asked again: the sample, and so the promise, is of texts
//! that are new to people, each counted once, however often it is repeated in the traffic.
//!
//! **Looking again and again.** The audits are looked at every few minutes. A test at 5 % that is repeated as
//! answers come in passes by luck sooner or later, however bad the model, so [`advise`](crate::model::threshold), which is asked
//! once, will not do. Both tests here are [evidence that holds at any time](evidence_of_fewer):
//!
//! - *Switched on*: the same grid of thresholds is tested by the same fallback procedure as in `advise`, with such
//!   evidence in the place of the binomial test. Of all model versions that do not keep the target above any threshold,
//!   at most 5 % are ever switched on, however often one looks. An advised threshold needs some 40 % fewer audits: that
//!   is the price.
//! - *Broken*: only audits that were answered after the promise was switched on count, and only those above its
//!   threshold. Two thirds of the [evidence](SinceChange) are about a change for the worse at some time since, so a
//!   good time before is not paid back; the rest is about all of them. A promise that holds all the time is ever
//!   broken with a probability of at most 5 %; one that does not hold any longer is broken in the end with certainty, the
//!   sooner the worse it is. `tests/automated_labelling.rs` simulates both.
//!
//! The threshold stays where it was when the promise was switched on: what passed then holds as far as
//! that evidence goes, and later audits speak by breaking it. Broken is broken: the labels of that version
//! are not trained on any more, whatever targets come and go, unless a lower one is kept by audits
//! that came after. Another version, or another target that was not broken, is another promise with its own evidence.
//!
//! This holds while the traffic stays as it was audited; that it does not is what the watch is for. It assumes that whether an
//! audit is answered does not depend on whether the prediction is right; answers that only come later are
//! not lost.

mod advised;
mod change;

use std::{collections::BTreeMap, str::FromStr};

pub use advised::AdvisedByAudits;
pub use change::SinceChange;

use serde::{Deserialize, Serialize};

use crate::{
    labels::labelled::LabelledRecord,
    model::{
        audit::JudgedPrediction,
        threshold::{CONFIDENCE, fallback, grid, threshold_of},
    },
    statistics::{evidence_of_fewer, lower_bound_at_any_time},
    text::{counted, counted_as},
};

/// Where the promises lie in the training bucket.
pub const PROMISES_KEY: &str = "automated-labelling/promises.json";
/// Where accepted predictions lie in the training bucket: feedback records, one a line.
pub const MACHINE_LABELLED_FOLDER: &str = "machine-labelled/";

/// Accuracy that accepted predictions must have, from 0 to below 1; 0 accepts none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AcceptedAccuracy(f64);

/// Why a setting was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a number from 0 (off) to 0.999, got `{0}`")]
pub struct NotAnAccuracy(String);

impl AcceptedAccuracy {
    /// The greatest one: nobody can promise more with the audits of a lifetime.
    const MAX: f64 = 0.999;

    /// Returns the accuracy, if predictions are accepted at all.
    pub fn get(self) -> Option<f64> {
        (self.0 > 0.0).then_some(self.0)
    }
}

impl FromStr for AcceptedAccuracy {
    type Err = NotAnAccuracy;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text.trim().parse().ok();
        number
            .filter(|accuracy| (0.0..=Self::MAX).contains(accuracy))
            .map(Self)
            .ok_or_else(|| NotAnAccuracy(text.to_owned()))
    }
}

/// Audited predictions and how many of them were wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditCounts {
    /// Predictions that chance selected and people judged.
    pub audited: u64,
    /// Of these, the wrong ones.
    pub wrong: u64,
}

impl AuditCounts {
    /// Returns what was added to others; never more wrong ones than audited ones, also where counts were lost.
    fn without(self, others: Self) -> Self {
        let audited = self.audited.saturating_sub(others.audited);
        let wrong = self.wrong.saturating_sub(others.wrong).min(audited);
        Self { audited, wrong }
    }
}

/// Audited predictions of one model by their confidence, of which any number fits in constant memory.
///
/// Counted by the highest threshold of the grid that the confidence exceeds, in ten-thousandths.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AuditGrid(BTreeMap<u16, AuditCounts>);

impl AuditGrid {
    /// Adds an audited prediction with its confidence, from 0 to 1.
    pub fn add(&mut self, confidence: f32, right: bool) {
        // A confidence of 0 exceeds no threshold.
        if let Some(exceeded) = grid().find(|threshold| confidence > threshold_of(*threshold)) {
            let counts = self.0.entry(exceeded).or_default();
            counts.audited += 1;
            counts.wrong += u64::from(!right);
        }
    }

    /// Takes out an audited prediction that was added, since it is judged otherwise by now; nothing where it is none of these, as
    /// of an earlier release.
    pub fn remove(&mut self, confidence: f32, right: bool) {
        let Some(exceeded) = grid().find(|threshold| confidence > threshold_of(*threshold)) else {
            return;
        };
        let Some(counts) = self.0.get_mut(&exceeded) else {
            return;
        };
        counts.audited = counts.audited.saturating_sub(1);
        counts.wrong = counts.wrong.saturating_sub(u64::from(!right)).min(counts.audited);
        if counts.audited == 0 {
            self.0.remove(&exceeded);
        }
    }

    /// Adds what a labelled record says of the model that predicted, if that was audited.
    pub fn add_labelled(&mut self, labelled: &LabelledRecord) {
        if let (Some((_, judged)), Some(confidence)) =
            (JudgedPrediction::of(labelled), labelled.record.confidence)
            && judged.audited
        {
            self.add(confidence, judged.right);
        }
    }

    /// Returns what was added to others.
    fn without(&self, others: &Self) -> Self {
        let new = self.0.iter().map(|(exceeded, counts)| {
            let other = others.0.get(exceeded).copied().unwrap_or_default();
            (*exceeded, counts.without(other))
        });
        Self(new.collect())
    }

    /// Returns the audited predictions whose confidence exceeds a threshold of the grid.
    pub fn above(&self, threshold: f32) -> AuditCounts {
        let above = self
            .0
            .iter()
            .filter(|(exceeded, _)| threshold_of(**exceeded) >= threshold);
        above.fold(AuditCounts::default(), |sum, (_, counts)| AuditCounts {
            audited: sum.audited + counts.audited,
            wrong: sum.wrong + counts.wrong,
        })
    }

    /// Returns the lowest threshold above which the target is kept, with its lower bound of the accuracy.
    ///
    /// Where thresholds accept the same audited predictions it is the highest of them: of what lies between them
    /// nothing is known.
    fn lowest_threshold(&self, target: f64) -> Option<(f32, f64)> {
        let thresholds: Vec<f32> = grid().map(threshold_of).collect();
        let mut sum = AuditCounts::default();
        let above: Vec<AuditCounts> = grid()
            .map(|threshold| {
                let counts = self.0.get(&threshold).copied().unwrap_or_default();
                sum.audited += counts.audited;
                sum.wrong += counts.wrong;
                sum
            })
            .collect();
        let p_value = |number: usize| {
            let AuditCounts { audited, wrong } = above[number];
            1.0 / evidence_of_fewer(wrong, audited, 1.0 - target, 1)
        };
        let tests = fallback(1.0 - CONFIDENCE, p_value);
        let lowest = tests.iter().rposition(|test| test.passes)?;
        let best = above
            .iter()
            .position(|counts| counts.audited == above[lowest].audited)?;
        let AuditCounts { audited, wrong } = above[lowest];
        let bound = lower_bound_at_any_time(wrong, audited, tests[lowest].level);
        Some((thresholds[best], bound))
    }
}

/// Where a promise stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PromiseState {
    /// Audits do not show yet that any threshold keeps the target.
    Waiting,
    /// Predictions above the threshold are accepted.
    On,
    /// Audits show that what was accepted does not keep the target; for good.
    Broken,
}

/// What is promised of one model version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Promise {
    /// Share of accepted predictions that is right, from 0 to 1.
    pub target: f64,
    /// Where it stands.
    pub state: PromiseState,
    /// Since when, RFC 3339 in UTC.
    pub since: String,
    /// Why, in words for people.
    pub reason: String,
    /// Confidence that a prediction must exceed to be accepted; none while it waits.
    pub threshold: Option<f32>,
    /// What the promise rests on: audits above the threshold when it was switched on; while it waits, all.
    pub evidence: AuditCounts,
    /// Lower bound of the accuracy that they show.
    pub accuracy_at_least: Option<f64>,
    /// Audits above the threshold that were answered since.
    pub watched: AuditCounts,
    /// What they say of a change for the worse.
    #[serde(default)]
    pub since_change: SinceChange,
    /// The promise of the lowest target that this version has broken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken: Option<Broken>,
    /// Whether people were told of the state.
    pub told: bool,
}

/// A promise that was broken: no target as high as this is promised of the version again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Broken {
    /// What was promised, from 0 to 1.
    pub target: f64,
    /// Since when, RFC 3339 in UTC.
    pub since: String,
    /// Why, in words for people.
    pub reason: String,
    /// All audits of the version until then: they say nothing for a lower target.
    pub audits: AuditGrid,
}

impl Promise {
    /// Makes a promise that waits for evidence.
    pub fn waiting(target: f64, now: &str) -> Self {
        Self {
            target,
            state: PromiseState::Waiting,
            since: now.to_owned(),
            reason: "no audited prediction yet".to_owned(),
            threshold: None,
            evidence: AuditCounts::default(),
            accuracy_at_least: None,
            watched: AuditCounts::default(),
            since_change: SinceChange::default(),
            broken: None,
            told: true,
        }
    }

    /// Promises another target instead: anew, unless one as low was broken before.
    fn retarget(&mut self, target: f64, now: &str) {
        let waiting = Self::waiting(target, now);
        *self = match self.broken.take() {
            Some(broken) if broken.target <= target => Self {
                state: PromiseState::Broken,
                since: broken.since.clone(),
                reason: broken.reason.clone(),
                broken: Some(broken),
                ..waiting
            },
            broken => Self { broken, ..waiting },
        };
    }

    /// Looks at all audits of the model again, which may switch the promise on, or break it.
    pub fn look(&mut self, audits: &AuditGrid, now: &str) {
        let later = self.broken.as_ref().map(|broken| audits.without(&broken.audits));
        let counted = later.as_ref().unwrap_or(audits);
        match (self.state, self.threshold) {
            (PromiseState::Waiting, _) => self.wait(counted, now),
            (PromiseState::On, Some(threshold)) => {
                self.watch(counted.above(threshold), now);
                if self.state == PromiseState::Broken {
                    self.broken = Some(Broken {
                        target: self.target,
                        since: self.since.clone(),
                        reason: self.reason.clone(),
                        audits: audits.clone(),
                    });
                }
            }
            (PromiseState::On | PromiseState::Broken, _) => {}
        }
    }

    fn wait(&mut self, audits: &AuditGrid, now: &str) {
        let Some((threshold, accuracy_at_least)) = audits.lowest_threshold(self.target) else {
            let all = audits.above(0.0);
            if all != self.evidence {
                self.evidence = all;
                self.reason = format!(
                    "{}, {} of them wrong, {} not show yet that any threshold keeps the target",
                    counted(all.audited, "audited prediction"),
                    all.wrong,
                    if all.audited == 1 { "does" } else { "do" }
                );
            }
            return;
        };
        let evidence = audits.above(threshold);
        *self = Self {
            state: PromiseState::On,
            since: now.to_owned(),
            reason: format!(
                "above {threshold} {} of {} right: at least {:.1} % in all",
                evidence.audited - evidence.wrong,
                counted_as(
                    evidence.audited,
                    "audited prediction is",
                    "audited predictions are"
                ),
                100.0 * accuracy_at_least
            ),
            threshold: Some(threshold),
            evidence,
            accuracy_at_least: Some(accuracy_at_least),
            told: false,
            broken: self.broken.take(),
            ..Self::waiting(self.target, now)
        };
    }

    fn watch(&mut self, above: AuditCounts, now: &str) {
        let watched = above.without(self.evidence);
        // Nothing new, or counts that were lost and come again.
        if watched.audited <= self.watched.audited {
            return;
        }
        self.since_change.add(self.watched, watched, self.target);
        self.watched = watched;
        if self.since_change.evidence(watched, self.target) >= 1.0 / (1.0 - CONFIDENCE) {
            let AuditCounts { audited, wrong } = watched;
            self.state = PromiseState::Broken;
            now.clone_into(&mut self.since);
            self.reason = format!(
                "of {audited} predictions above the threshold that were audited since, {wrong} are wrong, too many in all or \
                 lately: fewer than {:.1} % are right now, with 95 % confidence",
                100.0 * self.target
            );
            self.told = false;
        }
    }
}

/// The promises of all model versions, by ARN.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Promises(pub BTreeMap<String, Promise>);

impl Promises {
    /// Looks at the audits of every model again; the one that serves is promised of from now on.
    ///
    /// A promise of another target than this begins anew; one that was broken stays so unless this target is lower.
    pub fn look(
        &mut self,
        serving: Option<&str>,
        target: f64,
        audits: &BTreeMap<String, AuditGrid>,
        now: &str,
    ) {
        if let Some(serving) = serving {
            let new = || Promise::waiting(target, now);
            self.0.entry(serving.to_owned()).or_insert_with(new);
        }
        for (model, promise) in &mut self.0 {
            if promise.target != target {
                promise.retarget(target, now);
            }
            if let Some(audits) = audits.get(model) {
                promise.look(audits, now);
            }
        }
    }

    /// Returns the confidence that predictions of a model must exceed to be accepted with at least this accuracy.
    pub fn threshold(&self, model_arn: &str, target: f64) -> Option<f32> {
        let promise = self.0.get(model_arn)?;
        let holds = promise.state == PromiseState::On && promise.target >= target;
        promise.threshold.filter(|_| holds)
    }
}

#[cfg(test)]
mod tests;
