//! Which confidence threshold keeps what is accepted without a person as accurate as was promised.
//!
//! Predictions above a threshold are accepted, the others go to people (selective classification). From
//! predictions whose truth is known, [`advise`] looks for the lowest threshold of a fixed grid of which it can be
//! shown, with 95 % confidence, that what lies above it is right as often as the target says.
//!
//! **One threshold.** Above a threshold that was fixed before, the errors among `n` judged predictions are
//! binomial, so an exact test (Clopper–Pearson) says whether the target is kept.
//!
//! **The best of many.** Taking the lowest threshold that passes tests many hypotheses, and at 5 % each one of them
//! passes by luck sooner or later. The fallback procedure keeps the probability that *any* threshold passes wrongly
//! at 5 %: thresholds are tested from the safest down, a few of them get a part of the 5 %, and
//! each that passes hands its part on to the next one. Unlike plain fixed-sequence testing a start with too few
//! predictions does not end the search, and neither independence nor accuracy that rises with confidence is assumed.
//!
//! **Predictions of a running stack** were selected for review with different probabilities: the doubtful ones
//! always, the others by chance. A binomial test is valid only on an equal chance for all, so each prediction
//! stays in the tested sample with the probability that brings it down to the smallest one; mostly the plentiful doubtful
//! predictions are thinned out. Shares are estimates from all judged predictions, weighted as in [`crate::model::audit`].
//!
//! What is promised holds for traffic like the judged predictions, by the same model.
//!
//! Sources: Y. Geifman and R. El-Yaniv, "Selective classification for deep neural networks" (NeurIPS 2017); A. N.
//! Angelopoulos et al., "Learn then test: calibrating predictive algorithms to achieve risk control" (2021); B. L.
//! Wiens and A. Dmitrienko, "The fallback procedure for evaluating a single family of hypotheses", Journal of
//! Biopharmaceutical Statistics 15 (2005).

mod tally;

use std::collections::BTreeMap;

use serde::Serialize;
use sha2::{Digest, Sha256};

use tally::{LARGEST_PART, Tallies, Tally};
pub(crate) use tally::{Test, fallback, grid, threshold_of};

use crate::{labels::labelled::LabelledRecord, model::audit::JudgedPrediction};

/// Confidence with which an advised threshold keeps the promise.
pub const CONFIDENCE: f64 = 0.95;

/// Thresholds that the advice shows, in ten-thousandths.
const SHOWN: [u16; 12] = [
    9_900, 9_500, 9_000, 8_000, 7_000, 6_000, 5_000, 4_000, 3_000, 2_000, 1_000, 0,
];
/// Fewest accepted predictions from which an observed accuracy gives hope that more of them would show it.
const MIN_HOPEFUL: u64 = 20;
/// Most labelled texts that are still worth naming.
const MAX_LABELLED: f64 = 1e6;
/// How exactly a reachable accuracy is told.
const ACCURACY_STEP: f64 = 0.001;

/// A prediction whose truth is known.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// Identity of the text; decides by its hash whether a thinned-out sample keeps the prediction.
    pub id: String,
    /// The predicted class; several labels as one text.
    pub class: String,
    /// Whether it names several labels.
    pub several: bool,
    /// Confidence of the prediction from 0 to 1, in the type that thresholds are compared in.
    pub confidence: f32,
    /// Whether the prediction is right.
    pub right: bool,
    /// Probability with which it was selected to be judged, greater than 0 and at most 1.
    pub selection_probability: f64,
}

impl Judged {
    /// Returns what a labelled record says of the model that predicted, with that model's ARN.
    ///
    /// `None` where [`JudgedPrediction::of`] has none, and without a confidence.
    pub fn of(labelled: &LabelledRecord) -> Option<(&str, Self)> {
        let (model, judged) = JudgedPrediction::of(labelled)?;
        let record = &labelled.record;
        let judged = Self {
            id: record.id.clone(),
            class: record.prediction.clone()?,
            several: record.predicted_labels().len() > 1,
            confidence: record.confidence?,
            right: judged.right,
            selection_probability: judged.selection_probability,
        };
        Some((model, judged))
    }

    /// Returns whether a sample in which every prediction has the chance `least` keeps this one.
    fn stays_with_chance(&self, least: f64) -> bool {
        let keep = least / self.selection_probability;
        keep >= 1.0 || {
            let hash = Sha256::digest(format!("thin out\0{}", self.id));
            let first = hash.first_chunk().expect("SHA-256 has 32 bytes");
            (u64::from_be_bytes(*first) as f64) < keep * 2_f64.powi(64)
        }
    }
}

/// What a threshold would do.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OperatingPoint {
    /// Confidence that a prediction must exceed to be accepted.
    pub threshold: f32,
    /// Tested predictions above it.
    pub accepted: u64,
    /// Of these, the wrong ones.
    pub wrong: u64,
    /// Estimated accuracy of what is accepted; `None` where nothing is.
    pub accuracy: Option<f64>,
    /// Exact lower bound of that accuracy, at the significance with which the threshold was tested; `None` where
    /// it was not: no search starts there, and the safer threshold before it did not pass.
    pub accuracy_at_least: Option<f64>,
    /// Estimated share of the predictions that goes to people.
    pub review_share: f64,
    /// Estimated share of all errors that people would see; `None` without any error.
    pub errors_caught: Option<f64>,
    /// Whether the target is kept, with [`CONFIDENCE`] for all thresholds together.
    pub keeps_promise: bool,
}

/// Whether the target can be met, and what it takes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Verdict {
    /// This threshold keeps the promise and sends the fewest predictions to people.
    Met(OperatingPoint),
    /// More labelled texts could show it: about so many in all, if accuracy stays what it looks like.
    TooLittleData {
        /// Labelled texts in all.
        labelled: u64,
    },
    /// With so many texts to people the model is not good enough: about this accuracy could be promised.
    NotGoodEnough {
        /// Accuracy from 0 to 1; `None` where none can be promised.
        reachable: Option<f64>,
    },
}

/// What [`advise`] found.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Advice {
    /// Judged predictions.
    pub judged: usize,
    /// Of these, the ones with an equal chance, on which all bounds rest.
    pub sampled: usize,
    /// Estimated accuracy of all predictions.
    pub accuracy: f64,
    /// Whether the target can be met with one threshold.
    pub verdict: Verdict,
    /// The threshold that keeps the promise, but sends more predictions to people than is wanted.
    pub beyond_max_review: Option<OperatingPoint>,
    /// What some thresholds would do, the safest first: 0.99, 0.95, and the tenths.
    pub points: Vec<OperatingPoint>,
    /// A threshold for each class: a promise of its own, with [`CONFIDENCE`] for all classes together. `None` where predictions
    /// name several labels: one threshold decides about all of them, and a prediction would be of many classes.
    pub per_class: Option<PerClass>,
}

/// One threshold for each predicted class: the target is kept within every class, and so in all.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PerClass {
    /// What each class needs, with shares within the class; `None` where all its predictions go to people.
    pub classes: BTreeMap<String, Option<OperatingPoint>>,
    /// Estimated accuracy of what is accepted; `None` where nothing is.
    pub accuracy: Option<f64>,
    /// Estimated share of all predictions that goes to people.
    pub review_share: f64,
    /// Estimated share of all errors that people would see; `None` without any error.
    pub errors_caught: Option<f64>,
}

/// Looks for the threshold that keeps accepted predictions at the `target` accuracy with at most the share
/// `max_review` going to people; both from 0 to 1, the target not 0 or 1. `None` without judged predictions.
///
/// Deterministic. Time is in proportion to the number of predictions.
pub fn advise(judged: &[Judged], target: f64, max_review: f64) -> Option<Advice> {
    let least = judged
        .iter()
        .map(|one| one.selection_probability)
        .reduce(f64::min)?;
    let sampled: Vec<(&Judged, bool)> = judged
        .iter()
        .map(|one| (one, one.stays_with_chance(least)))
        .collect();
    let tallies = Tallies::of(sampled.iter().copied());
    let tests = tallies.test(target, 1.0 - CONFIDENCE);
    let point = |number: usize| tallies.point(number, tests[number]);
    let best = lowest(&tests).map(point);
    let met = best.filter(|point| point.review_share <= max_review);
    let verdict = match met {
        Some(point) => Verdict::Met(point),
        None => not_met(&tallies, target, max_review),
    };
    let shown = grid().zip(0..).filter(|(threshold, _)| SHOWN.contains(threshold));
    Some(Advice {
        judged: judged.len(),
        sampled: sampled.iter().filter(|(_, sampled)| *sampled).count(),
        accuracy: tallies.all.accuracy().unwrap_or_default(),
        verdict,
        beyond_max_review: if met.is_some() { None } else { best },
        points: shown.map(|(_, number)| point(number)).collect(),
        per_class: (!judged.iter().any(|one| one.several)).then(|| per_class(&sampled, target)),
    })
}

/// Returns the place in the grid of the passing threshold that accepts most.
fn lowest(tests: &[Test]) -> Option<usize> {
    tests.iter().rposition(|test| test.passes)
}

fn not_met(tallies: &Tallies, target: f64, max_review: f64) -> Verdict {
    let fewest = fewest_to_advise(target);
    let labelled = enough(tallies, target, max_review).or_else(|| {
        let is_open = tallies.all.sampled < fewest && tallies.all.may_be_as_accurate_as(target);
        is_open.then_some(fewest)
    });
    match labelled {
        Some(labelled) => Verdict::TooLittleData { labelled },
        None => Verdict::NotGoodEnough {
            reachable: reachable(tallies, target, max_review),
        },
    }
}

/// Returns about how many predictions would pass the very tests that these do not, if they are right and sure as often;
/// more than there are. `None` where [`MAX_LABELLED`] would not.
fn enough(tallies: &Tallies, target: f64, max_review: f64) -> Option<u64> {
    let would_do = |sampled: f64| {
        let tests = tallies.test_of_more(sampled, target, 1.0 - CONFIDENCE, MIN_HOPEFUL);
        lowest(&tests).is_some_and(|best| tallies.above[best].left_out_of(&tallies.all) <= max_review)
    };
    let (mut too_few, mut enough) = (tallies.all.sampled as f64, MAX_LABELLED);
    if too_few >= enough || !would_do(enough) {
        return None;
    }
    while enough - too_few > 1.0 {
        let middle = f64::midpoint(too_few, enough).floor();
        if would_do(middle) {
            enough = middle;
        } else {
            too_few = middle;
        }
    }
    Some(enough as u64)
}

/// Returns the highest accuracy below `target` that can be promised. What passes for a target passes for a lower one.
fn reachable(tallies: &Tallies, target: f64, max_review: f64) -> Option<f64> {
    let can_be_promised = |accuracy: f64| {
        let best = lowest(&tallies.test(accuracy, 1.0 - CONFIDENCE));
        best.is_some_and(|best| tallies.above[best].left_out_of(&tallies.all) <= max_review)
    };
    let (mut promised, mut too_high) = (0.0, target);
    while too_high - promised > ACCURACY_STEP {
        let middle = f64::midpoint(promised, too_high);
        if can_be_promised(middle) {
            promised = middle;
        } else {
            too_high = middle;
        }
    }
    (promised > 0.0).then_some(promised)
}

/// Returns the fewest accepted predictions that can show the target: all of them right.
fn fewest(target: f64, significance: f64) -> f64 {
    (significance.ln() / target.ln()).ceil()
}

/// Returns the fewest accepted predictions from which [`advise`] can ever advise a threshold for this target.
pub fn fewest_to_advise(target: f64) -> u64 {
    fewest(target, (1.0 - CONFIDENCE) * LARGEST_PART) as u64
}

/// Looks for a threshold in each class. The significance is divided among the classes in which enough predictions
/// were sampled to show anything; that depends on what was predicted, not on what is right.
fn per_class(sampled: &[(&Judged, bool)], target: f64) -> PerClass {
    let mut classes: BTreeMap<&str, Vec<(&Judged, bool)>> = BTreeMap::new();
    for one in sampled {
        classes.entry(&one.0.class).or_default().push(*one);
    }
    let tallies: BTreeMap<&str, Tallies> = classes
        .into_iter()
        .map(|(class, members)| (class, Tallies::of(members)))
        .collect();
    let significance = 1.0 - CONFIDENCE;
    let fewest = fewest(target, significance * LARGEST_PART);
    let large = |tallies: &Tallies| tallies.all.sampled as f64 >= fewest;
    let tested = tallies.values().filter(|tallies| large(tallies)).count();
    let (mut all, mut accepted) = (Tally::default(), Tally::default());
    let mut found = BTreeMap::new();
    for (class, tallies) in tallies {
        let tests = tallies.test(target, significance / tested.max(1) as f64);
        let best = lowest(&tests).filter(|_| large(&tallies));
        if let Some(best) = best {
            accepted.add(&tallies.above[best]);
        }
        all.add(&tallies.all);
        found.insert(
            class.to_owned(),
            best.map(|best| tallies.point(best, tests[best])),
        );
    }
    PerClass {
        classes: found,
        accuracy: accepted.accuracy(),
        review_share: accepted.left_out_of(&all),
        errors_caught: accepted.errors_left_out_of(&all),
    }
}

#[cfg(test)]
mod tests;
