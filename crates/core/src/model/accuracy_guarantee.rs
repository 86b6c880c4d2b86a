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

mod change;

use std::{collections::BTreeMap, str::FromStr};

pub use change::SinceChange;

use serde::{Deserialize, Serialize};

use crate::{
    labels::labelled::LabelledRecord,
    model::{
        audit::JudgedPrediction,
        threshold::{CONFIDENCE, fallback, grid, threshold_of},
    },
    statistics::{evidence_of_fewer, lower_bound_at_any_time},
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
                    "{} audited predictions, {} of them wrong, do not show yet that any threshold keeps the target",
                    all.audited, all.wrong
                );
            }
            return;
        };
        let evidence = audits.above(threshold);
        *self = Self {
            state: PromiseState::On,
            since: now.to_owned(),
            reason: format!(
                "above {threshold} {} of {} audited predictions are right: at least {:.1} % in all",
                evidence.audited - evidence.wrong,
                evidence.audited,
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
mod tests {
    use super::*;

    const NOW: &str = "2026-11-21T10:00:00.000Z";
    const LATER: &str = "2026-11-22T10:00:00.000Z";

    /// `groups`: how many, confidence, how many of them wrong.
    fn add(audits: &mut AuditGrid, groups: &[(u64, f32, u64)]) {
        for &(count, confidence, wrong) in groups {
            (0..count).for_each(|number| audits.add(confidence, number >= wrong));
        }
    }

    fn audits(groups: &[(u64, f32, u64)]) -> AuditGrid {
        let mut audits = AuditGrid::default();
        add(&mut audits, groups);
        audits
    }

    fn on(groups: &[(u64, f32, u64)]) -> (Promise, AuditGrid) {
        let audits = audits(groups);
        let mut promise = Promise::waiting(0.95, NOW);
        promise.look(&audits, NOW);
        assert_eq!(promise.state, PromiseState::On, "{promise:?}");
        (promise, audits)
    }

    #[test]
    fn audits_above_a_threshold_are_those_that_exceed_it() {
        let audits = audits(&[(5, 0.9, 1), (3, 0.901, 2), (1, 0.0, 0), (2, 1.0, 0)]);

        let above = |threshold| audits.above(threshold);
        assert_eq!((above(0.9).audited, above(0.9).wrong), (5, 2));
        assert_eq!((above(0.89).audited, above(0.89).wrong), (10, 3));
        assert_eq!(above(0.0).audited, 10, "a confidence of 0 exceeds nothing");
        assert_eq!(above(0.9999).audited, 2);
        let json = serde_json::to_string(&audits).expect("numbers");
        assert_eq!(serde_json::from_str::<AuditGrid>(&json).ok(), Some(audits));
    }

    #[test]
    fn a_promise_waits_until_audits_show_it() {
        let mut promise = Promise::waiting(0.95, NOW);

        promise.look(&audits(&[(80, 0.97, 0)]), LATER);
        assert_eq!((promise.state, promise.threshold), (PromiseState::Waiting, None));
        assert!(
            promise
                .reason
                .starts_with("80 audited predictions, 0 of them wrong")
        );
        assert_eq!(promise.since, NOW);

        promise.look(&audits(&[(160, 0.97, 0)]), LATER);
        assert_eq!((promise.state, promise.since.as_str()), (PromiseState::On, LATER));
        assert_eq!(
            promise.threshold,
            Some(0.96),
            "below lies nothing that was audited"
        );
        assert_eq!(
            promise.evidence,
            AuditCounts {
                audited: 160,
                wrong: 0
            }
        );
        assert!(
            promise
                .accuracy_at_least
                .is_some_and(|low| (0.95..1.0).contains(&low))
        );
        assert!(!promise.told);
    }

    #[test]
    fn the_lowest_threshold_that_keeps_the_target_is_taken() {
        let (promise, _) = on(&[(400, 0.995, 1), (400, 0.855, 4), (200, 0.6, 80)]);

        assert_eq!(promise.threshold, Some(0.85));
        assert_eq!(
            promise.evidence,
            AuditCounts {
                audited: 800,
                wrong: 5
            }
        );
    }

    #[test]
    fn a_model_that_is_not_good_enough_waits_for_ever() {
        let mut promise = Promise::waiting(0.95, NOW);

        promise.look(&audits(&[(100_000, 0.99, 6_000)]), LATER);

        assert_eq!(promise.state, PromiseState::Waiting);
    }

    #[test]
    fn audits_since_it_was_switched_on_break_a_promise_for_good() {
        let (mut promise, mut audits) = on(&[(1_000, 0.97, 5)]);

        // Below the threshold errors are none of its business.
        add(&mut audits, &[(100, 0.5, 100), (20, 0.97, 1)]);
        promise.look(&audits, LATER);
        assert_eq!(promise.state, PromiseState::On);
        assert_eq!(
            promise.watched,
            AuditCounts {
                audited: 20,
                wrong: 1
            }
        );
        promise.told = true;

        // Over all time 96.9 % are right: what counts is what came since.
        add(&mut audits, &[(80, 0.97, 28)]);
        promise.look(&audits, LATER);
        assert_eq!(
            (promise.state, promise.since.as_str(), promise.told),
            (PromiseState::Broken, LATER, false)
        );
        assert!(
            promise.reason.contains("of 100 predictions") && promise.reason.contains("29 are wrong"),
            "{}",
            promise.reason
        );

        add(&mut audits, &[(100_000, 0.97, 0)]);
        promise.look(&audits, "2026-11-23T10:00:00.000Z");
        assert_eq!(
            (promise.state, promise.since.as_str()),
            (PromiseState::Broken, LATER)
        );
    }

    #[test]
    fn a_broken_promise_is_not_mended_by_another_target_and_back() {
        let mut grid = audits(&[(500, 0.97, 1)]);
        let mut promises = Promises::default();
        let look = |promises: &mut Promises, target, grid: &AuditGrid| {
            promises.look(
                Some("arn"),
                target,
                &[("arn".to_owned(), grid.clone())].into(),
                LATER,
            );
            promises.0["arn"].clone()
        };
        look(&mut promises, 0.95, &grid);
        add(&mut grid, &[(100, 0.97, 30)]);
        let broken = look(&mut promises, 0.95, &grid);
        assert_eq!(broken.state, PromiseState::Broken, "{broken:?}");

        // Of all audits 94.8 % are right, but those until then say nothing for a lower target.
        let waiting = look(&mut promises, 0.9, &grid);
        assert_eq!((waiting.state, waiting.threshold), (PromiseState::Waiting, None));
        let raised = look(&mut promises, 0.97, &grid);
        let back = look(&mut promises, 0.95, &grid);
        for again in [raised, back] {
            assert_eq!(
                (again.state, again.threshold, again.told),
                (PromiseState::Broken, None, true)
            );
            assert_eq!((&again.since, &again.reason), (&broken.since, &broken.reason));
        }

        look(&mut promises, 0.9, &grid);
        add(&mut grid, &[(300, 0.97, 3)]);
        let on = look(&mut promises, 0.9, &grid);
        assert_eq!((on.state, on.evidence.audited), (PromiseState::On, 300));
        assert_eq!(look(&mut promises, 0.95, &grid).state, PromiseState::Broken);
        look(&mut promises, 0.9, &grid);
        assert_eq!(look(&mut promises, 0.9, &grid).state, PromiseState::On);
        add(&mut grid, &[(60, 0.97, 60)]);
        let lower = look(&mut promises, 0.9, &grid);
        assert_eq!(lower.broken.map(|broken| broken.target), Some(0.9));
        assert_eq!(look(&mut promises, 0.92, &grid).state, PromiseState::Broken);
    }

    #[test]
    fn counts_that_were_lost_count_again_once_there_are_more() {
        let (mut promise, _) = on(&[(1_000, 0.97, 5)]);
        promise.look(&audits(&[(1_050, 0.97, 7)]), LATER);
        let before = promise.clone();

        for lost in [
            audits(&[]),
            audits(&[(900, 0.97, 40)]),
            audits(&[(1_010, 0.97, 40)]),
        ] {
            promise.look(&lost, LATER);
            assert_eq!(promise, before);
        }
        promise.look(&audits(&[(1_051, 0.97, 7)]), LATER);

        assert_eq!((promise.watched.audited, promise.watched.wrong), (51, 2));
    }

    #[test]
    fn promises_that_were_stored_before_changes_were_watched_are_read() {
        let (promise, _) = on(&[(300, 0.97, 1)]);
        let mut json = serde_json::to_value(&promise).expect("JSON");
        json.as_object_mut().expect("an object").remove("sinceChange");

        assert_eq!(serde_json::from_value::<Promise>(json).ok(), Some(promise));
    }

    #[test]
    fn each_version_and_each_target_has_a_promise_of_its_own() {
        let grids: BTreeMap<String, AuditGrid> = [
            ("good".to_owned(), audits(&[(500, 0.97, 1)])),
            ("other".to_owned(), audits(&[(500, 0.97, 1)])),
        ]
        .into();
        let mut promises = Promises::default();

        promises.look(Some("good"), 0.95, &grids, NOW);
        promises.look(Some("new"), 0.95, &grids, LATER);

        assert_eq!(promises.threshold("good", 0.95), Some(0.96));
        assert_eq!(promises.threshold("good", 0.9), Some(0.96), "more than is asked");
        assert_eq!(promises.threshold("good", 0.96), None, "less than is asked");
        assert_eq!(promises.threshold("new", 0.95), None);
        assert_eq!(promises.threshold("other", 0.95), None, "it never served");
        promises.look(Some("new"), 0.999, &grids, LATER);
        assert_eq!(promises.0["good"].state, PromiseState::Waiting);
        assert_eq!(promises.threshold("good", 0.95), None);
    }

    #[test]
    fn an_accuracy_of_nothing_is_off_and_certainty_is_refused() {
        let get = |text: &str| text.parse::<AcceptedAccuracy>().map(AcceptedAccuracy::get);

        assert_eq!((get("0"), get("0.95")), (Ok(None), Ok(Some(0.95))));
        for text in ["1", "95%", "-0.1", "NaN", ""] {
            let error = get(text).expect_err("no accuracy").to_string();
            assert_eq!(
                error,
                format!("expected a number from 0 (off) to 0.999, got `{text}`")
            );
        }
    }

    #[test]
    fn promises_are_plain_json() {
        let (promise, _) = on(&[(300, 0.97, 1)]);
        let promises = Promises([("arn".to_owned(), promise)].into());

        let json = serde_json::to_value(&promises).expect("JSON");

        assert_eq!(json["arn"]["state"], "on");
        assert_eq!(json["arn"]["evidence"]["audited"], 300);
        assert_eq!(serde_json::from_value::<Promises>(json).ok(), Some(promises));
    }
}
