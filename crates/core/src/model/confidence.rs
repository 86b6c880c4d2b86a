//! Is the confidence of a serving model worth anything? Calibration and ranking, from the predictions that people reviewed.
//!
//! As in [`crate::model::audit`] each reviewed prediction is weighted by the inverse of its selection probability, so that
//! the numbers are those of the whole traffic. They are kept as sums in classes of nearly equal confidence:
//! any number of predictions fits, tallies can be stored and merged.

mod curves;

pub use curves::{ReliabilityBin, ThresholdPoint};

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    labels::labelled::LabelledRecord,
    model::audit::JudgedPrediction,
    statistics::{Interval, normal_quantile, wilson},
};

/// Confidence of the intervals that are reported.
const CONFIDENCE: f64 = 0.95;
/// Bins of equal weight over which the calibration error is measured.
const CALIBRATION_BINS: u32 = 15;
/// Classes of confidence per unit of its logit: 0.016 wide around one half, finer towards 0 and 1.
const CLASSES_PER_LOGIT: f64 = 16.0;
/// The logit at which confidences are cut off: a single-precision number says no more.
const MAX_LOGIT: f64 = 16.0;
/// Fewest right and fewest wrong predictions for an area under the curve.
const MIN_OF_EACH: u64 = 10;
/// Area under the curve below which a threshold on the confidence is hardly better than chance.
const MIN_AUROC: f64 = 0.6;

/// Sums over right, or over wrong, predictions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Sums {
    count: u64,
    /// Of weights.
    weight: f64,
    /// Of squared weights.
    square: f64,
}

impl Sums {
    fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.weight += other.weight;
        self.square += other.square;
    }

    /// Takes one of this weight out; with the last of them nothing is left, not even by rounding.
    fn take_out(&mut self, weight: f64) {
        *self = match self.count {
            0 | 1 => Self::default(),
            count => Self {
                count: count - 1,
                weight: (self.weight - weight).max(0.0),
                square: (self.square - weight * weight).max(0.0),
            },
        };
    }
}

/// Predictions of nearly equal confidence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Class {
    right: Sums,
    wrong: Sums,
    /// Sum of weight × confidence.
    confidence: f64,
}

impl Class {
    fn add(&mut self, other: &Self) {
        self.right.add(&other.right);
        self.wrong.add(&other.wrong);
        self.confidence += other.confidence;
    }

    fn weight(&self) -> f64 {
        self.right.weight + self.wrong.weight
    }
}

/// Sums over judged predictions of one model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfidenceTally {
    /// By the logit of the confidence.
    classes: BTreeMap<i16, Class>,
    /// Sums of weight × squared distance of confidence and truth; of its square times the squared weight; of it times
    /// the squared weight.
    distance: (f64, f64, f64),
}

/// What the confidence of a model is worth over its whole traffic.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfidenceQuality {
    /// Predictions that people judged.
    pub judged: u64,
    /// Expected calibration error over 15 bins of equal weight, 0 to 1; 0 is best.
    pub expected_calibration_error: f64,
    /// What that error would be on average by chance alone if the confidence were exact.
    pub calibration_error_by_chance: f64,
    /// Mean squared distance of the confidence from being right (1) or wrong (0).
    pub brier_score: f64,
    /// Confidence interval of it, 95 %, normal approximation.
    pub brier_interval: Interval,
    /// How well confidence tells right from wrong; `None` with fewer than ten of either.
    pub ranking: Option<Ranking>,
}

/// How well confidence tells right predictions from wrong ones.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ranking {
    /// Probability that a right prediction has a higher confidence than a wrong one, ties counting half; 0.5 is worthless.
    pub auroc: f64,
    /// Confidence interval of it, 95 %.
    pub interval: Interval,
}

impl ConfidenceTally {
    /// Adds a judged prediction with its confidence, from 0 to 1.
    pub fn add(&mut self, judged: JudgedPrediction, confidence: f32) {
        let confidence = f64::from(confidence);
        let weight = 1.0 / judged.selection_probability;
        let sums = Sums {
            count: 1,
            weight,
            square: weight * weight,
        };
        let class = self.classes.entry(class_of(confidence)).or_default();
        if judged.right {
            &mut class.right
        } else {
            &mut class.wrong
        }
        .add(&sums);
        class.confidence += weight * confidence;
        let distance = (confidence - f64::from(u8::from(judged.right))).powi(2);
        self.distance.0 += weight * distance;
        self.distance.1 += sums.square * distance * distance;
        self.distance.2 += sums.square * distance;
    }

    /// Takes out a prediction that was added, since it is judged otherwise by now; nothing where it is none of these, as of an
    /// earlier release.
    pub fn remove(&mut self, judged: JudgedPrediction, confidence: f32) {
        let confidence = f64::from(confidence);
        let number = class_of(confidence);
        let weight = 1.0 / judged.selection_probability;
        let Some(class) = self.classes.get_mut(&number) else {
            return;
        };
        let sums = match judged.right {
            true => &mut class.right,
            false => &mut class.wrong,
        };
        if sums.count == 0 {
            return;
        }
        sums.take_out(weight);
        class.confidence = (class.confidence - weight * confidence).max(0.0);
        if class.right.count + class.wrong.count == 0 {
            self.classes.remove(&number);
        }
        let distance = (confidence - f64::from(u8::from(judged.right))).powi(2);
        let square = weight * weight;
        self.distance.0 = (self.distance.0 - weight * distance).max(0.0);
        self.distance.1 = (self.distance.1 - square * distance * distance).max(0.0);
        self.distance.2 = (self.distance.2 - square * distance).max(0.0);
    }

    /// Adds what a labelled record says of the model that predicted, if it is a judged prediction.
    pub fn add_labelled(&mut self, labelled: &LabelledRecord) {
        if let (Some((_, judged)), Some(confidence)) =
            (JudgedPrediction::of(labelled), labelled.record.confidence)
        {
            self.add(judged, confidence);
        }
    }

    /// Adds another tally of the same model over other predictions.
    pub fn merge(&mut self, other: &Self) {
        for (number, class) in &other.classes {
            self.classes.entry(*number).or_default().add(class);
        }
        self.distance.0 += other.distance.0;
        self.distance.1 += other.distance.1;
        self.distance.2 += other.distance.2;
    }

    /// Returns what the confidence is worth; nothing without a judged prediction.
    pub fn quality(&self) -> Option<ConfidenceQuality> {
        let mut all = Class::default();
        self.classes.values().for_each(|class| all.add(class));
        let judged = all.right.count + all.wrong.count;
        if judged == 0 {
            return None;
        }
        let (weight, square) = (all.weight(), all.right.square + all.wrong.square);
        let brier_score = self.distance.0 / weight;
        // Linearised variance of a ratio: Σw²(distance − mean)² / (Σw)².
        let variance =
            self.distance.1 - 2.0 * brier_score * self.distance.2 + brier_score * brier_score * square;
        let margin = normal_quantile(f64::midpoint(1.0, CONFIDENCE)) * variance.max(0.0).sqrt() / weight;
        let bins = self.bins(weight);
        let gap = |bin: &Class| (bin.confidence - bin.right.weight).abs();
        Some(ConfidenceQuality {
            judged,
            expected_calibration_error: bins.iter().map(gap).sum::<f64>() / weight,
            calibration_error_by_chance: bins.iter().map(gap_by_chance).sum::<f64>() / weight,
            brier_score,
            brier_interval: Interval {
                low: (brier_score - margin).max(0.0),
                high: (brier_score + margin).min(1.0),
            },
            ranking: self.ranking(&all),
        })
    }

    /// Joins neighbouring classes until each bin has its part of the weight.
    fn bins(&self, weight: f64) -> Vec<Class> {
        let mut bins = vec![Class::default()];
        let mut reached = 0.0;
        for class in self.classes.values() {
            let full = weight * bins.len() as f64 / f64::from(CALIBRATION_BINS);
            if reached >= full * (1.0 - 1e-9) {
                bins.push(Class::default());
            }
            bins.last_mut().expect("starts with one").add(class);
            reached += class.weight();
        }
        bins
    }

    /// Mann–Whitney statistic with mid-ranks; its variance by weighted placements. Source: E. R. DeLong, D. M.
    /// DeLong and D. L. Clarke-Pearson, Biometrics 44 (1988). The interval is Wilson's with the number of trials that
    /// has this variance, and Kish's of the scarcer kind where the ranking is perfect: never degenerate.
    fn ranking(&self, all: &Class) -> Option<Ranking> {
        if all.right.count < MIN_OF_EACH || all.wrong.count < MIN_OF_EACH {
            return None;
        }
        let mut below = Class::default();
        // Share of the other kind that each class ranks rightly against, with the squares of its own weights.
        let (mut auroc, mut of_right, mut of_wrong) = (0.0, Vec::new(), Vec::new());
        for class in self.classes.values() {
            let wrong_below = (below.wrong.weight + class.wrong.weight / 2.0) / all.wrong.weight;
            let right_above = 1.0 - (below.right.weight + class.right.weight / 2.0) / all.right.weight;
            auroc += class.right.weight / all.right.weight * wrong_below;
            of_right.push((wrong_below, class.right.square));
            of_wrong.push((right_above, class.wrong.square));
            below.add(class);
        }
        let variance = |placements: &[(f64, f64)], weight: f64| {
            let squares = placements
                .iter()
                .map(|(share, square)| square * (share - auroc).powi(2));
            squares.sum::<f64>() / (weight * weight)
        };
        let variance = variance(&of_right, all.right.weight) + variance(&of_wrong, all.wrong.weight);
        let kish = |sums: &Sums| sums.weight * sums.weight / sums.square;
        let spread = auroc * (1.0 - auroc);
        let trials = if variance > 1e-12 && spread > 1e-12 {
            spread / variance
        } else {
            kish(&all.right).min(kish(&all.wrong))
        };
        let auroc = auroc.clamp(0.0, 1.0);
        Some(Ranking {
            auroc,
            interval: wilson(auroc, trials, CONFIDENCE),
        })
    }
}

impl ConfidenceQuality {
    /// Returns a warning where the confidence does not tell right from wrong: its area under the curve is below 0.6, or
    /// may be one half.
    pub fn warning(&self) -> Option<String> {
        let Ranking { auroc, interval } = self.ranking?;
        (auroc < MIN_AUROC || interval.low <= 0.5).then(|| {
            format!(
                "the confidence does not tell right predictions from wrong ones: AUROC {auroc:.2}, 95 % interval {:.2} to \
                 {:.2}, on {} judged predictions (0.5 is chance); a threshold on it chooses no better than chance, so \
                 audit more or train a better model",
                interval.low, interval.high, self.judged
            )
        })
    }
}

/// Tallies each model, by ARN; a record that was reviewed again must come once, its last time.
pub fn confidence_by_model<'a>(
    labelled: impl IntoIterator<Item = &'a LabelledRecord>,
) -> BTreeMap<String, ConfidenceTally> {
    let mut tallies: BTreeMap<String, ConfidenceTally> = BTreeMap::new();
    for labelled in labelled {
        let judged = JudgedPrediction::of(labelled);
        if let (Some((model, judged)), Some(confidence)) = (judged, labelled.record.confidence) {
            tallies
                .entry(model.to_owned())
                .or_default()
                .add(judged, confidence);
        }
    }
    tallies
}

fn class_of(confidence: f64) -> i16 {
    let logit = (confidence / (1.0 - confidence))
        .ln()
        .clamp(-MAX_LOGIT, MAX_LOGIT);
    (logit * CLASSES_PER_LOGIT).floor() as i16
}

/// Returns the mean size of a bin's gap, in weight, if each prediction is right with the bin's mean confidence.
fn gap_by_chance(bin: &Class) -> f64 {
    let confidence = bin.confidence / bin.weight();
    let variance = (bin.right.square + bin.wrong.square) * confidence * (1.0 - confidence);
    // Mean absolute value of a normal variable.
    (variance.max(0.0) * std::f64::consts::FRAC_2_PI).sqrt()
}

#[cfg(test)]
mod tests;
