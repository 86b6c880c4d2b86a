//! How good a model is on held-out rows, and whether another one is better on the same rows.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use crate::{feedback::prediction::LABEL_DELIMITER, statistics::mcnemar_p_value};

/// Bins of equal size over which the calibration error is measured.
const CALIBRATION_BINS: usize = 15;

/// The labels of a row: one, unless a model is multi-label. Names may hold anything.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LabelNames(Vec<String>);

impl LabelNames {
    /// Takes names in any order.
    pub fn of(names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let mut names: Vec<String> = names.into_iter().map(Into::into).collect();
        names.sort_unstable();
        names.dedup();
        Self(names)
    }

    /// Returns the names, in order.
    pub fn names(&self) -> &[String] {
        &self.0
    }
}

impl From<&str> for LabelNames {
    fn from(name: &str) -> Self {
        Self::of([name])
    }
}

/// Joins the names with [`LABEL_DELIMITER`], for people.
impl fmt::Display for LabelNames {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.join(&LABEL_DELIMITER.to_string()))
    }
}

/// What a model said of one test row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TestPrediction {
    /// The right labels.
    pub actual: LabelNames,
    /// The predicted labels.
    pub predicted: LabelNames,
    /// Confidence of the prediction, from 0 to 1.
    pub confidence: f64,
}

impl TestPrediction {
    /// Returns whether all labels are right and none is missing.
    pub fn is_right(&self) -> bool {
        self.actual == self.predicted
    }

    fn has_other_than_one(&self) -> bool {
        [&self.actual, &self.predicted]
            .iter()
            .any(|labels| labels.names().len() != 1)
    }
}

/// What the figures of an evaluation leave out of the traffic, in three lines.
///
/// Held-out texts are not weighed: two models are compared on the same ones, and a text in doubt is never held out.
pub const COUNT_ALIKE: [&str; 3] = [
    "Each text counts once here, however it was selected: audits were trusted predictions,",
    "and none that was asked about in doubt is held out. Live accuracy and live calibration error",
    "stand for the traffic: they are weighted by how texts were selected.",
];

/// Measured quality of a model. All shares are from 0 to 1, and 0 where nothing was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Evaluation {
    /// Test rows.
    pub rows: usize,
    /// Share of rows whose labels are all right; where a row may have several it is called subset accuracy.
    pub accuracy: f64,
    /// Unweighted mean F1 of the classes that occur in the test rows.
    #[serde(rename = "macroF1")]
    pub macro_f1: f64,
    /// F1 of all labels of all rows together; accuracy, where each row has one label and is given one. Unknown where an earlier
    /// release measured, or somebody else.
    #[serde(rename = "microF1", default, skip_serializing_if = "Option::is_none")]
    pub micro_f1: Option<f64>,
    /// Whether some row has, or was given, other than one label.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub several_labels: bool,
    /// Each class by itself, in order of name.
    pub classes: Vec<ClassMetrics>,
    /// Which class was taken for which.
    pub confusion_matrix: ConfusionMatrix,
    /// Expected calibration error of the confidence, over 15 bins of equal size.
    ///
    /// Source: Naeini, Cooper and Hauskrecht (AAAI 2015); equal-mass bins: Nixon et al. (2019).
    pub expected_calibration_error: f64,
    /// Mean squared distance of the confidence from being right (1) or wrong (0). Source: G. W. Brier (1950).
    pub brier_score: f64,
    /// Probability that a right prediction has a higher confidence than a wrong one, ties counting half;
    /// unknown where all are right or all are wrong.
    pub auroc: Option<f64>,
    /// Mean confidence, from 0 to 1; none of averages, and of what a version before measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean_confidence: Option<f64>,
}

impl Evaluation {
    /// Returns what is known where somebody else measured and tells averages only: see [`Self::is_detailed`].
    pub fn of_averages(rows: usize, accuracy: f64, macro_f1: f64) -> Self {
        Self {
            rows,
            accuracy,
            macro_f1,
            micro_f1: None,
            several_labels: false,
            classes: Vec::new(),
            confusion_matrix: ConfusionMatrix::default(),
            expected_calibration_error: 0.0,
            brier_score: 0.0,
            auroc: None,
            mean_confidence: None,
        }
    }

    /// Returns micro F1 where it says something that accuracy does not.
    pub fn micro_f1_of_several(&self) -> Option<f64> {
        self.micro_f1.filter(|_| self.several_labels)
    }

    /// Returns whether each class and the confidence were measured, and not averages alone.
    pub fn is_detailed(&self) -> bool {
        !self.classes.is_empty()
    }
}

/// Measured quality on one class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClassMetrics {
    /// Name of the class.
    pub class: String,
    /// Test rows of the class; 0 for a class that was predicted only.
    pub support: usize,
    /// Share of the rows predicted as the class that are of the class.
    pub precision: f64,
    /// Share of the rows of the class that are predicted as such.
    pub recall: f64,
    /// Harmonic mean of precision and recall.
    pub f1: f64,
}

/// Counts of test rows by right and predicted label.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfusionMatrix {
    /// What rows and columns stand for; of a multi-label model sets of labels.
    pub labels: Vec<String>,
    /// Rows are actual, columns are predicted.
    pub counts: Vec<Vec<usize>>,
}

/// Measures a model on its predictions of all test rows. The order of rows does not count.
pub fn evaluate(predictions: &[TestPrediction]) -> Evaluation {
    let right = predictions.iter().filter(|row| row.is_right()).count();
    let classes = class_metrics(predictions);
    let tested: Vec<f64> = classes
        .iter()
        .filter(|class| class.support > 0)
        .map(|class| class.f1)
        .collect();
    let mut judged: Vec<(f64, bool)> = predictions
        .iter()
        .map(|row| (row.confidence, row.is_right()))
        .collect();
    judged.sort_by(|a, b| a.0.total_cmp(&b.0));
    let squares = judged
        .iter()
        .map(|(confidence, right)| (confidence - f64::from(u8::from(*right))).powi(2));
    Evaluation {
        rows: predictions.len(),
        accuracy: share(right, predictions.len()),
        macro_f1: tested.iter().sum::<f64>() / tested.len().max(1) as f64,
        micro_f1: Some(micro_f1(predictions)),
        several_labels: predictions.iter().any(TestPrediction::has_other_than_one),
        classes,
        confusion_matrix: confusion_matrix(predictions),
        expected_calibration_error: calibration_error(&judged),
        brier_score: squares.sum::<f64>() / judged.len().max(1) as f64,
        auroc: auroc(&judged),
        mean_confidence: (!judged.is_empty())
            .then(|| judged.iter().map(|(confidence, _)| confidence).sum::<f64>() / judged.len() as f64),
    }
}

fn share(part: usize, of: usize) -> f64 {
    if of == 0 { 0.0 } else { part as f64 / of as f64 }
}

/// Counts each label of each row once.
fn micro_f1(predictions: &[TestPrediction]) -> f64 {
    let (mut both, mut all) = (0, 0);
    for row in predictions {
        let (actual, predicted) = (row.actual.names(), row.predicted.names());
        both += actual.iter().filter(|label| predicted.contains(label)).count();
        all += actual.len() + predicted.len();
    }
    share(2 * both, all)
}

fn class_metrics(predictions: &[TestPrediction]) -> Vec<ClassMetrics> {
    #[derive(Default)]
    struct Counts {
        actual: usize,
        predicted: usize,
        both: usize,
    }
    let mut counts: BTreeMap<&str, Counts> = BTreeMap::new();
    for row in predictions {
        for label in row.actual.names() {
            let count = counts.entry(label).or_default();
            count.actual += 1;
            count.both += usize::from(row.predicted.names().contains(label));
        }
        for label in row.predicted.names() {
            counts.entry(label).or_default().predicted += 1;
        }
    }
    let metrics = |(class, count): (&str, Counts)| ClassMetrics {
        class: class.to_owned(),
        support: count.actual,
        precision: share(count.both, count.predicted),
        recall: share(count.both, count.actual),
        f1: share(2 * count.both, count.actual + count.predicted),
    };
    counts.into_iter().map(metrics).collect()
}

fn confusion_matrix(predictions: &[TestPrediction]) -> ConfusionMatrix {
    let labels = predictions.iter().flat_map(|row| [&row.actual, &row.predicted]);
    let mut numbers: BTreeMap<&LabelNames, usize> = labels.map(|label| (label, 0)).collect();
    numbers
        .values_mut()
        .zip(0..)
        .for_each(|(number, next)| *number = next);
    let mut counts = vec![vec![0; numbers.len()]; numbers.len()];
    for row in predictions {
        counts[numbers[&row.actual]][numbers[&row.predicted]] += 1;
    }
    ConfusionMatrix {
        labels: numbers.into_keys().map(LabelNames::to_string).collect(),
        counts,
    }
}

/// Sums |confidence − accuracy| over bins of equal size; equal confidences stay in one bin, so that the order
/// of rows does not count. `judged` is sorted by confidence.
fn calibration_error(judged: &[(f64, bool)]) -> f64 {
    let mut gap = 0.0;
    let mut start = 0;
    for bin in 1..=CALIBRATION_BINS {
        let mut end = (judged.len() * bin / CALIBRATION_BINS).max(start);
        while end > start && end < judged.len() && judged[end].0 == judged[end - 1].0 {
            end += 1;
        }
        let members = &judged[start..end];
        let confidence: f64 = members.iter().map(|(confidence, _)| confidence).sum();
        let right = members.iter().filter(|(_, right)| *right).count();
        gap += (confidence - right as f64).abs();
        start = end;
    }
    gap / judged.len().max(1) as f64
}

/// Mann–Whitney statistic with mid-ranks. `judged` is sorted by confidence.
fn auroc(judged: &[(f64, bool)]) -> Option<f64> {
    let right = judged.iter().filter(|(_, right)| *right).count() as f64;
    let wrong = judged.len() as f64 - right;
    let (mut below, mut won) = (0.0, 0.0);
    for tied in judged.chunk_by(|a, b| a.0 == b.0) {
        let tied_right = tied.iter().filter(|(_, right)| *right).count() as f64;
        let tied_wrong = tied.len() as f64 - tied_right;
        won += tied_right * (below + tied_wrong / 2.0);
        below += tied_wrong;
    }
    (right > 0.0 && wrong > 0.0).then(|| won / (right * wrong))
}

/// McNemar's paired test of two models on the same rows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct McNemar {
    /// Rows that only the champion has right.
    pub only_champion_right: u64,
    /// Rows that only the challenger has right.
    pub only_challenger_right: u64,
    /// Exact two-sided p-value of the hypothesis that both are equally often right.
    pub p_value: f64,
}

impl McNemar {
    /// Compares two models; `None` when the rows are not the same, in the same order.
    pub fn test(champion: &[TestPrediction], challenger: &[TestPrediction]) -> Option<Self> {
        let pairs = || champion.iter().zip(challenger);
        if champion.len() != challenger.len() || pairs().any(|(a, b)| a.actual != b.actual) {
            return None;
        }
        let only_champion_right = pairs().filter(|(a, b)| a.is_right() && !b.is_right()).count() as u64;
        let only_challenger_right = pairs().filter(|(a, b)| !a.is_right() && b.is_right()).count() as u64;
        let p_value = mcnemar_p_value(only_champion_right, only_challenger_right);
        Some(Self {
            only_champion_right,
            only_challenger_right,
            p_value,
        })
    }

    /// Returns whether the challenger is significantly worse at significance level `alpha`.
    pub fn is_against_challenger(&self, alpha: f64) -> bool {
        self.only_champion_right > self.only_challenger_right && self.p_value < alpha
    }
}

#[cfg(test)]
mod tests;
