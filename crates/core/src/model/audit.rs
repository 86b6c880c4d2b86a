//! Unbiased accuracy of a serving model, from the predictions that people reviewed.
//!
//! The review policy selects doubtful predictions always and others by chance, so the plain share of right
//! ones says nothing of the traffic. Weighted by the inverse of its selection probability, each reviewed
//! prediction stands for those like it (Horvitz–Thompson); the sum is divided by the sum of weights (Hájek's ratio
//! estimator). This holds only while the audit rate is greater than 0: until the first audit the doubtful predictions would
//! speak for all, and nothing is said. Where every prediction is reviewed there are no audits: those that were judged then are
//! the sample themselves. Sources: D. G. Horvitz and
//! D. J. Thompson, JASA 47 (1952); J. Hájek (1971); C.-E. Särndal et al., "Model Assisted Survey Sampling", 5.7.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    feedback::{FeedbackRecord, Signal, Source},
    labels::{consolidation::Consensus, human_loop::Answer, labelled::LabelledRecord},
    statistics::{Interval, wilson},
};

/// What is said of the accuracy of a model in service as long as there is no estimate.
pub const NOT_AUDITED: &str =
    "not known: none of the trusted predictions was audited yet, and not all were reviewed";

/// Confidence of the interval that is reported.
const CONFIDENCE: f64 = 0.95;

/// A prediction that a person has judged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct JudgedPrediction {
    /// Whether the consensus is the prediction.
    pub right: bool,
    /// Probability with which it was selected, greater than 0 and at most 1.
    pub selection_probability: f64,
    /// Whether it was selected by chance, not for doubt.
    pub audited: bool,
    /// Whether every prediction was selected then.
    pub of_all: bool,
}

impl JudgedPrediction {
    /// Returns what a labelled record says of the model that predicted, with that model's ARN.
    ///
    /// `None` where it was not selected with a known probability (what users complain about, or what a review
    /// budget prefers for its rank, is no sample of the traffic) or where people did not agree or could not tell. That none of the labels fits makes the prediction wrong.
    pub fn of(labelled: &LabelledRecord) -> Option<(&str, Self)> {
        Self::of_answer(&labelled.record, &labelled.consensus)
    }

    /// Returns what a labelled record takes the place of: what the line before it said of the same prediction.
    pub fn before(labelled: &LabelledRecord) -> Option<(&str, Self)> {
        Self::judged(&labelled.record, labelled.was_right?)
    }

    /// Returns what an answer says of the model that predicted: see [`JudgedPrediction::of`].
    pub fn of_answer<'a>(record: &'a FeedbackRecord, consensus: &Consensus) -> Option<(&'a str, Self)> {
        let Consensus::Agreed { answer, .. } = consensus else {
            return None;
        };
        let right = match answer {
            Answer::Labels { .. } => {
                record.prediction.is_some() && *answer == Answer::labels(record.predicted_labels())
            }
            Answer::NoneFits | Answer::NewLabel { .. } => false,
            Answer::Unsure => return None,
        };
        Self::judged(record, right)
    }

    fn judged(record: &FeedbackRecord, right: bool) -> Option<(&str, Self)> {
        let selection_probability = record.selection_probability.filter(|p| *p > 0.0 && *p <= 1.0)?;
        let audited = record.signal == Signal::Audit;
        let judged = Self {
            right,
            selection_probability,
            audited,
            of_all: record.is_of_all,
        };
        (record.source == Source::Implicit).then_some((record.model_arn.as_deref()?, judged))
    }
}

/// Sums over judged predictions, of which any number fits in constant memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AuditTally {
    judged: u64,
    audited: u64,
    /// Sum of weights, and of their squares, of the right ones.
    right: (f64, f64),
    /// The same of the wrong ones.
    wrong: (f64, f64),
    /// The same of those that were judged while every prediction was reviewed. Those of an earlier release are missing.
    #[serde(default)]
    of_all: FullReview,
}

/// Sums over predictions of a time when all went to review.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct FullReview {
    judged: u64,
    right: (f64, f64),
    wrong: (f64, f64),
}

impl FullReview {
    fn add(&mut self, right: bool, weight: f64) {
        let sums = if right { &mut self.right } else { &mut self.wrong };
        sums.0 += weight;
        sums.1 += weight * weight;
        self.judged += 1;
    }

    fn remove(&mut self, right: bool, weight: f64) {
        let sums = if right { &mut self.right } else { &mut self.wrong };
        if self.judged == 0 || !holds(sums.0, weight) {
            return;
        }
        sums.0 = (sums.0 - weight).max(0.0);
        sums.1 = (sums.1 - weight * weight).max(0.0);
        self.judged = self.judged.saturating_sub(1);
    }

    /// Returns the same as sums of audits, which these are.
    fn as_audits(self) -> AuditTally {
        AuditTally {
            judged: self.judged,
            audited: self.judged,
            right: self.right,
            wrong: self.wrong,
            of_all: Self::default(),
        }
    }
}

/// The estimated accuracy of a model over its whole traffic.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditedAccuracy {
    /// Predictions that people judged.
    pub judged: u64,
    /// Of these, the ones that were selected by chance; all of them, where all predictions were reviewed.
    pub audited: u64,
    /// Estimated share of all predictions that are right.
    pub accuracy: f64,
    /// Number of equally weighted predictions that would tell as much.
    pub effective: f64,
    /// Confidence interval of the accuracy, 95 %.
    pub interval: Interval,
}

impl AuditTally {
    /// Adds a judged prediction.
    pub fn add(&mut self, judged: JudgedPrediction) {
        let weight = 1.0 / judged.selection_probability;
        let sums = self.sums_of(judged);
        sums.0 += weight;
        sums.1 += weight * weight;
        self.judged += 1;
        self.audited += u64::from(judged.audited);
        if judged.of_all {
            self.of_all.add(judged.right, weight);
        }
    }

    /// Takes out a prediction that was added, since it is judged otherwise by now; nothing where the sums cannot hold it.
    pub fn remove(&mut self, judged: JudgedPrediction) {
        let weight = 1.0 / judged.selection_probability;
        if judged.of_all {
            self.of_all.remove(judged.right, weight);
        }
        let sums = self.sums_of(judged);
        if !holds(sums.0, weight) {
            return;
        }
        sums.0 = (sums.0 - weight).max(0.0);
        sums.1 = (sums.1 - weight * weight).max(0.0);
        self.judged = self.judged.saturating_sub(1);
        self.audited = self.audited.saturating_sub(u64::from(judged.audited));
    }

    /// Adds the sums over other predictions.
    pub fn merge(&mut self, other: &Self) {
        let add = |to: &mut (f64, f64), from: (f64, f64)| *to = (to.0 + from.0, to.1 + from.1);
        add(&mut self.right, other.right);
        add(&mut self.wrong, other.wrong);
        self.judged += other.judged;
        self.audited += other.audited;
        add(&mut self.of_all.right, other.of_all.right);
        add(&mut self.of_all.wrong, other.of_all.wrong);
        self.of_all.judged += other.of_all.judged;
    }

    /// Returns the number of predictions that people judged.
    pub fn judged(&self) -> u64 {
        self.judged
    }

    fn sums_of(&mut self, judged: JudgedPrediction) -> &mut (f64, f64) {
        match judged.right {
            true => &mut self.right,
            false => &mut self.wrong,
        }
    }

    /// Returns the estimate; nothing while no prediction was audited: what is doubtful says nothing of what is trusted. Without
    /// an audit only what was judged while everything was reviewed stands for all.
    ///
    /// The interval is Wilson's with an effective number of predictions: accuracy × (1 − accuracy) by the linearised variance
    /// of the ratio, Σw²(y − accuracy)² / (Σw)², but never more than Kish's (Σw)² / Σw², which also holds where all
    /// heavy predictions agree and that variance claims too much. With equal weights both are the plain number.
    pub fn estimate(&self) -> Option<AuditedAccuracy> {
        let weights = self.right.0 + self.wrong.0;
        if self.audited == 0 {
            return match self.of_all.judged {
                0 => None,
                _ => self.of_all.as_audits().estimate(),
            };
        }
        if weights <= 0.0 {
            return None;
        }
        let accuracy = self.right.0 / weights;
        let variance =
            (self.right.1 * (1.0 - accuracy).powi(2) + self.wrong.1 * accuracy.powi(2)) / weights.powi(2);
        let kish = weights.powi(2) / (self.right.1 + self.wrong.1);
        let linearised = if variance > 0.0 {
            accuracy * (1.0 - accuracy) / variance
        } else {
            kish
        };
        let effective = linearised.min(kish);
        Some(AuditedAccuracy {
            judged: self.judged,
            audited: self.audited,
            accuracy,
            effective,
            interval: wilson(accuracy, effective, CONFIDENCE),
        })
    }
}

/// Returns whether a sum may hold a weight, but for rounding.
fn holds(sum: f64, weight: f64) -> bool {
    sum >= weight * (1.0 - 1e-9)
}

/// Estimates the accuracy of each model, by ARN; a record that was reviewed again must come once, its last time.
pub fn accuracy_by_model<'a>(
    labelled: impl IntoIterator<Item = &'a LabelledRecord>,
) -> BTreeMap<String, AuditedAccuracy> {
    let mut tallies: BTreeMap<&str, AuditTally> = BTreeMap::new();
    for (model, judged) in labelled.into_iter().filter_map(JudgedPrediction::of) {
        tallies.entry(model).or_default().add(judged);
    }
    tallies
        .into_iter()
        .filter_map(|(model, tally)| Some((model.to_owned(), tally.estimate()?)))
        .collect()
}

/// When a new version is rolled back by itself.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RollbackPolicy {
    /// Significance level, one-sided. The test is repeated as labels come in, so a small one is wise: 0.01.
    pub significance: f64,
    /// Fewest predictions of either version selected by chance; without any there is nothing to compare.
    pub min_audited: u64,
}

impl RollbackPolicy {
    /// Returns whether the new version's accuracy is significantly below what the old one's was.
    ///
    /// The lower end of Newcombe's hybrid score interval of the difference must exceed 0: unlike a z test it is
    /// right near 100 % as well. Source: R. G. Newcombe, "Interval estimation for the difference between independent
    /// proportions", Statistics in Medicine 17 (1998), method 10.
    pub fn is_significantly_worse(&self, new: &AuditedAccuracy, old: &AuditedAccuracy) -> bool {
        if new.audited < self.min_audited || old.audited < self.min_audited {
            return false;
        }
        let confidence = 1.0 - 2.0 * self.significance;
        let new_high = wilson(new.accuracy, new.effective, confidence).high;
        let old_low = wilson(old.accuracy, old.effective, confidence).low;
        let margin = ((old.accuracy - old_low).powi(2) + (new_high - new.accuracy).powi(2)).sqrt();
        old.accuracy - new.accuracy > margin
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{feedback::FeedbackRequest, labels::consolidation::tests::vote};

    fn tally(groups: &[(u64, bool, f64)]) -> AuditTally {
        let mut tally = AuditTally::default();
        for &(count, right, selection_probability) in groups {
            let audited = selection_probability < 1.0;
            (0..count).for_each(|_| {
                tally.add(JudgedPrediction {
                    right,
                    selection_probability,
                    audited,
                    of_all: false,
                })
            });
        }
        tally
    }

    fn estimate(groups: &[(u64, bool, f64)]) -> AuditedAccuracy {
        tally(groups).estimate().expect("something judged")
    }

    #[test]
    fn doubtful_predictions_do_not_speak_for_the_traffic() {
        // Traffic of 1,100: 100 doubtful, half right; 1,000 others, of which one in ten is audited and 90 % are right.
        let estimate = estimate(&[
            (50, true, 1.0),
            (50, false, 1.0),
            (90, true, 0.1),
            (10, false, 0.1),
        ]);

        assert!(
            (estimate.accuracy - 950.0 / 1_100.0).abs() < 1e-12,
            "not the plain share, 140 of 200"
        );
        assert_eq!((estimate.judged, estimate.audited), (200, 100));
        // (1100)² / (100·10² + 100): Kish.
        assert!(estimate.effective <= 1_210_000.0 / 10_100.0 + 1e-9);
        assert!(estimate.interval.low < estimate.accuracy && estimate.accuracy < estimate.interval.high);
    }

    #[test]
    fn equal_weights_give_the_plain_share_and_number() {
        let estimate = estimate(&[(81, true, 0.2), (182, false, 0.2)]);

        assert!((estimate.accuracy - 81.0 / 263.0).abs() < 1e-12);
        assert!((estimate.effective - 263.0).abs() < 1e-6);
        assert!(
            (estimate.interval.low - 0.2553).abs() < 5e-5 && (estimate.interval.high - 0.3662).abs() < 5e-5
        );
    }

    #[test]
    fn all_right_is_not_certainty() {
        let estimate = estimate(&[(20, true, 0.01), (100, true, 1.0)]);

        assert_eq!(estimate.accuracy, 1.0);
        assert!(
            estimate.effective < 25.0 && estimate.interval.low < 0.9,
            "{estimate:?}"
        );
        assert_eq!(AuditTally::default().estimate(), None);
    }

    #[test]
    fn without_an_audit_the_doubtful_predictions_do_not_speak_for_all() {
        let doubtful = [(1, true, 1.0), (1, false, 1.0)];
        let with_audit = [&doubtful[..], &[(1, true, 0.01)]].concat();

        assert_eq!(tally(&doubtful).estimate(), None);
        assert!(estimate(&with_audit).accuracy > 0.99);
    }

    #[test]
    fn what_was_judged_while_everything_was_reviewed_speaks_for_all_without_an_audit() {
        let mut tally = tally(&[(40, false, 1.0)]);
        for right in [true, true, true, false] {
            tally.add(JudgedPrediction {
                right,
                selection_probability: 1.0,
                audited: false,
                of_all: true,
            });
        }

        let estimate = tally.estimate().expect("all were reviewed");

        assert_eq!(
            (estimate.judged, estimate.audited, estimate.accuracy),
            (4, 4, 0.75)
        );
        let stored = serde_json::to_value(tally).expect("JSON");
        let before =
            serde_json::json!({ "judged": 40, "audited": 0, "right": [0.0, 0.0], "wrong": [40.0, 40.0] });
        assert_eq!(stored["of_all"]["judged"], 4);
        let before: AuditTally = serde_json::from_value(before).expect("the sums of a release before");
        assert_eq!(before.estimate(), None);
    }

    #[test]
    fn a_clearly_worse_version_is_told_from_an_unlucky_one() {
        let policy = RollbackPolicy {
            significance: 0.01,
            min_audited: 30,
        };
        let old = estimate(&[(190, true, 0.1), (10, false, 0.1)]);

        assert!(policy.is_significantly_worse(&estimate(&[(160, true, 0.1), (40, false, 0.1)]), &old));
        assert!(!policy.is_significantly_worse(&estimate(&[(186, true, 0.1), (14, false, 0.1)]), &old));
        assert!(!policy.is_significantly_worse(&old, &estimate(&[(160, true, 0.1), (40, false, 0.1)])));
        assert!(
            !policy.is_significantly_worse(&estimate(&[(29, false, 0.1), (500, false, 1.0)]), &old),
            "too few audited"
        );
    }

    fn labelled(source: Source, answer: &str, model_arn: Option<&str>) -> LabelledRecord {
        let request = FeedbackRequest {
            classifier: "news".into(),
            sentence: "Text".into(),
            ..FeedbackRequest::default()
        };
        let record = FeedbackRecord {
            source,
            signal: Signal::Audit,
            prediction: Some("World".into()),
            model_arn: model_arn.map(str::to_owned),
            selection_probability: Some(0.5),
            ..request
                .into_record(Source::ExplicitApi, "2026-11-20T10:00:00Z")
                .expect("complete")
        };
        LabelledRecord::new(record, vec![vote("w", answer)], "l", "f")
    }

    #[test]
    fn only_what_the_policy_selected_and_people_could_tell_is_judged() {
        let right =
            |labelled: &LabelledRecord| JudgedPrediction::of(labelled).map(|(_, judged)| judged.right);
        let implicit = |answer| labelled(Source::Implicit, answer, Some("m"));

        assert_eq!(right(&implicit("World")), Some(true));
        assert_eq!(right(&implicit("Sports")), Some(false));
        assert_eq!(right(&implicit("-")), Some(false));
        assert_eq!(right(&implicit("?")), None);
        assert_eq!(right(&labelled(Source::ExplicitApi, "World", Some("m"))), None);
        assert_eq!(right(&labelled(Source::Implicit, "World", None)), None);
    }

    #[test]
    fn a_prediction_that_is_judged_otherwise_by_now_counts_once_and_as_it_is_judged_now() {
        let judged = |right| JudgedPrediction {
            right,
            selection_probability: 0.1,
            audited: true,
            of_all: true,
        };
        let mut changed = tally(&[(8, true, 0.1), (2, false, 0.1), (5, true, 1.0)]);
        for right in [true, false, true] {
            changed.remove(judged(right));
            changed.add(judged(!right));
        }
        let straight = tally(&[(7, true, 0.1), (3, false, 0.1), (5, true, 1.0)]);

        let (changed, straight) = (
            changed.estimate().expect("some"),
            straight.estimate().expect("some"),
        );
        assert_eq!((changed.judged, changed.audited), (15, 10));
        assert!((changed.accuracy - straight.accuracy).abs() < 1e-9);
        assert!((changed.effective - straight.effective).abs() < 1e-6);
        let mut only = tally(&[(1, true, 0.1)]);
        only.remove(judged(true));
        assert_eq!(only.estimate(), None);
    }

    #[test]
    fn each_model_has_its_own_accuracy() {
        let records = [("World", "a"), ("Sports", "a"), ("World", "b")]
            .map(|(answer, model)| labelled(Source::Implicit, answer, Some(model)));

        let by_model = accuracy_by_model(&records);

        assert_eq!((by_model["a"].accuracy, by_model["b"].accuracy), (0.5, 1.0));
    }

    proptest! {
        #[test]
        fn the_estimate_of_a_fully_reviewed_traffic_is_its_accuracy(right in 0u64..200, wrong in 0u64..200) {
            prop_assume!(right + wrong > 0);

            let mut tally = tally(&[(right, true, 1.0), (wrong, false, 1.0)]);
            tally.audited = tally.judged;
            let estimate = tally.estimate().expect("all are audited");

            prop_assert!((estimate.accuracy - right as f64 / (right + wrong) as f64).abs() < 1e-12);
            prop_assert!((estimate.effective - (right + wrong) as f64).abs() < 1e-6);
        }

        #[test]
        fn intervals_hold_the_estimate_and_no_version_is_worse_than_itself(
            groups in proptest::collection::vec((1u64..50, any::<bool>(), 0.01f64..1.0), 1..5), significance in 0.001f64..0.2,
        ) {
            let estimate = estimate(&groups);

            prop_assert!((0.0..=1.0).contains(&estimate.accuracy));
            prop_assert!(estimate.interval.low <= estimate.accuracy && estimate.accuracy <= estimate.interval.high);
            prop_assert!(estimate.effective >= 0.99 && estimate.effective <= estimate.judged as f64 + 1e-6, "{estimate:?}");
            let policy = RollbackPolicy { significance, min_audited: 0 };
            prop_assert!(!policy.is_significantly_worse(&estimate, &estimate));
        }
    }
}
