//! What the sums over judged predictions draw: how reliable confidence is, and what a threshold would do.

use serde::{Deserialize, Serialize};

use super::{Class, ConfidenceTally};

/// Predictions of similar confidence: a bin of the reliability diagram.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReliabilityBin {
    /// Mean confidence, from 0 to 1.
    pub confidence: f64,
    /// Estimated share that is right, from 0 to 1.
    pub accuracy: f64,
    /// Predictions that people judged.
    pub judged: u64,
}

/// What a threshold on the confidence would do to the traffic, as far as judged predictions tell.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ThresholdPoint {
    /// Confidence that a prediction must exceed to be trusted, from 0 to 1.
    pub threshold: f64,
    /// Estimated share of what is trusted that is right; none where nothing is trusted.
    pub accuracy: Option<f64>,
    /// Estimated share of all predictions that goes to people.
    pub review_share: f64,
    /// Estimated share of all errors that people would see; none without any error.
    pub errors_caught: Option<f64>,
}

impl Class {
    fn mean_confidence(&self) -> f64 {
        self.confidence / self.weight()
    }
}

impl ConfidenceTally {
    /// Returns the bins of the calibration error, by rising confidence.
    pub fn reliability(&self) -> Vec<ReliabilityBin> {
        let weight: f64 = self.classes.values().map(Class::weight).sum();
        let bins = self.bins(weight).into_iter().filter(|bin| bin.weight() > 0.0);
        let bins = bins.map(|bin| ReliabilityBin {
            confidence: bin.mean_confidence(),
            accuracy: bin.right.weight / bin.weight(),
            judged: bin.right.count + bin.wrong.count,
        });
        bins.collect()
    }

    /// Returns what each threshold would do. Predictions of nearly the same confidence are taken together, so a
    /// threshold is exact to 1.6 percentage points.
    pub fn at_thresholds(&self, thresholds: &[f64]) -> Vec<ThresholdPoint> {
        let mut all = Class::default();
        self.classes.values().for_each(|class| all.add(class));
        if all.weight() <= 0.0 {
            return Vec::new();
        }
        let at = |threshold: &f64| {
            let mut trusted = Class::default();
            let above = self
                .classes
                .values()
                .filter(|class| class.mean_confidence() > *threshold);
            above.for_each(|class| trusted.add(class));
            ThresholdPoint {
                threshold: *threshold,
                accuracy: (trusted.weight() > 0.0).then(|| trusted.right.weight / trusted.weight()),
                review_share: 1.0 - trusted.weight() / all.weight(),
                errors_caught: (all.wrong.weight > 0.0)
                    .then(|| 1.0 - trusted.wrong.weight / all.wrong.weight),
            }
        };
        thresholds.iter().map(at).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::audit::JudgedPrediction;

    fn tally(judged: &[(f32, bool, f64)]) -> ConfidenceTally {
        let mut tally = ConfidenceTally::default();
        for &(confidence, right, selection_probability) in judged {
            let judged = JudgedPrediction {
                right,
                selection_probability,
                audited: selection_probability < 1.0,
                of_all: false,
            };
            tally.add(judged, confidence);
        }
        tally
    }

    #[test]
    fn a_threshold_trusts_what_is_above_it_each_prediction_with_its_weight() {
        let tally = tally(&[
            (0.3, false, 1.0),
            (0.3, true, 1.0),
            (0.9, true, 0.25),
            (0.9, true, 0.5),
        ]);

        let points = tally.at_thresholds(&[0.0, 0.5, 0.99]);

        assert_eq!(points[0].review_share, 0.0);
        assert_eq!(points[0].accuracy, Some(0.875));
        assert_eq!((points[1].accuracy, points[1].review_share), (Some(1.0), 0.25));
        assert_eq!(points[1].errors_caught, Some(1.0));
        assert_eq!((points[2].accuracy, points[2].review_share), (None, 1.0));
    }

    #[test]
    fn without_a_judged_prediction_there_is_nothing_to_draw() {
        let tally = ConfidenceTally::default();

        assert!(tally.reliability().is_empty() && tally.at_thresholds(&[0.5]).is_empty());
    }

    #[test]
    fn the_bins_rise_in_confidence_and_hold_every_judged_prediction() {
        let judged: Vec<_> = (1..100).map(|n| (n as f32 / 100.0, n % 3 > 0, 1.0)).collect();

        let bins = tally(&judged).reliability();

        assert!(bins.is_sorted_by(|a, b| a.confidence < b.confidence));
        assert_eq!(bins.iter().map(|bin| bin.judged).sum::<u64>(), 99);
    }
}
