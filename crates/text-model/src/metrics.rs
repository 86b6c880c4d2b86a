//! How good a model is on texts that it was not trained on.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use active_learning_core::{
    dataset::Mode,
    model::evaluation::{LabelNames, TestPrediction},
};

/// A label of a multi-label model counts as given from this probability on.
pub const LABEL_THRESHOLD: f32 = 0.5;

/// Measured quality, by Comprehend's definitions (`EvaluationMetrics`); all from 0 to 1.
///
/// Precision, recall and F1 without a prefix are unweighted means over the classes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names are the definitions")]
pub struct EvaluationMetrics {
    /// Share of texts whose labels are all right.
    pub accuracy: f64,
    pub precision: f64,
    pub recall: f64,
    pub f1_score: f64,
    pub micro_precision: f64,
    pub micro_recall: f64,
    pub micro_f1_score: f64,
    /// Share of single label decisions that are wrong.
    pub hamming_loss: f64,
}

/// One text: what the model said and what is right.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// One probability a class.
    pub probabilities: Vec<f32>,
    /// Indexes of the right classes, ascending.
    pub truth: Vec<usize>,
}

impl Outcome {
    /// Returns the classes that the model gives, ascending.
    pub fn given(&self, mode: Mode) -> Vec<usize> {
        match mode {
            Mode::MultiClass => vec![self.best().0],
            Mode::MultiLabel => (0..self.probabilities.len())
                .filter(|&class| self.probabilities[class] >= LABEL_THRESHOLD)
                .collect(),
        }
    }

    /// Returns what the confidence is about: multi-class the class, multi-label a yes or no for each label.
    pub fn decisions(&self, mode: Mode) -> Vec<TestPrediction> {
        match mode {
            Mode::MultiClass => {
                let (class, probability) = self.best();
                vec![TestPrediction {
                    actual: LabelNames::of([self.truth[0].to_string()]),
                    predicted: LabelNames::of([class.to_string()]),
                    confidence: f64::from(probability),
                }]
            }
            Mode::MultiLabel => {
                let decision = |(class, &probability): (usize, &f32)| TestPrediction {
                    actual: LabelNames::of([self.truth.contains(&class).to_string()]),
                    predicted: LabelNames::of([(probability >= LABEL_THRESHOLD).to_string()]),
                    confidence: f64::from(probability.max(1.0 - probability)),
                };
                self.probabilities.iter().enumerate().map(decision).collect()
            }
        }
    }

    /// Returns the confidence of all that the model gives: multi-class that of the class, multi-label that of the least
    /// certain label, or of the best one where none is given.
    pub fn confidence(&self, mode: Mode) -> f64 {
        let given = self.given(mode);
        let (best, probability) = self.best();
        let confidence = match mode {
            Mode::MultiLabel if given.as_slice() != [best] && !given.is_empty() => self
                .probabilities
                .iter()
                .map(|probability| probability.max(1.0 - probability))
                .fold(1.0, f32::min),
            _ => probability,
        };
        f64::from(confidence)
    }

    fn best(&self) -> (usize, f32) {
        let mut best = (0, f32::NEG_INFINITY);
        for (class, &probability) in self.probabilities.iter().enumerate() {
            if probability > best.1 {
                best = (class, probability);
            }
        }
        best
    }
}

/// Right and wrong decisions about one class, or about all.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    given_and_right: usize,
    given: usize,
    right: usize,
}

impl Counts {
    fn precision(self) -> f64 {
        share(self.given_and_right, self.given)
    }

    fn recall(self) -> f64 {
        share(self.given_and_right, self.right)
    }

    fn f1_score(self) -> f64 {
        share(2 * self.given_and_right, self.given + self.right)
    }
}

/// Measures outcomes; all zero if there are none.
pub fn evaluate(mode: Mode, classes: usize, outcomes: &[Outcome]) -> EvaluationMetrics {
    let mut by_class = vec![Counts::default(); classes];
    let mut all_right = 0;
    for outcome in outcomes {
        let given = outcome.given(mode);
        all_right += usize::from(given == outcome.truth);
        for &class in &given {
            by_class[class].given += 1;
            by_class[class].given_and_right += usize::from(outcome.truth.contains(&class));
        }
        for &class in &outcome.truth {
            by_class[class].right += 1;
        }
    }
    let pooled = by_class.iter().fold(Counts::default(), |pooled, counts| Counts {
        given_and_right: pooled.given_and_right + counts.given_and_right,
        given: pooled.given + counts.given,
        right: pooled.right + counts.right,
    });
    let mean = |metric: fn(Counts) -> f64| by_class.iter().copied().map(metric).sum::<f64>() / classes as f64;
    EvaluationMetrics {
        accuracy: share(all_right, outcomes.len()),
        precision: mean(Counts::precision),
        recall: mean(Counts::recall),
        f1_score: mean(Counts::f1_score),
        micro_precision: pooled.precision(),
        micro_recall: pooled.recall(),
        micro_f1_score: pooled.f1_score(),
        hamming_loss: share(
            pooled.given + pooled.right - 2 * pooled.given_and_right,
            classes * outcomes.len(),
        ),
    }
}

/// Counts decisions as Comprehend's `confusion_matrix.json` does: rows are the truth, columns what the
/// model gives. Multi-class: one table of classes. Multi-label: per label one of no and yes.
pub fn confusion_matrix(mode: Mode, classes: usize, outcomes: &[Outcome]) -> Value {
    match mode {
        Mode::MultiClass => {
            let mut table = vec![vec![0_u64; classes]; classes];
            for outcome in outcomes {
                table[outcome.truth[0]][outcome.best().0] += 1;
            }
            json!(table)
        }
        Mode::MultiLabel => {
            let mut tables = vec![[[0_u64; 2]; 2]; classes];
            for outcome in outcomes {
                let given = outcome.given(mode);
                for (class, table) in tables.iter_mut().enumerate() {
                    let (truth, said) = (outcome.truth.contains(&class), given.contains(&class));
                    table[usize::from(truth)][usize::from(said)] += 1;
                }
            }
            json!(tables)
        }
    }
}

fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(probabilities: &[f32], truth: &[usize]) -> Outcome {
        Outcome {
            probabilities: probabilities.to_vec(),
            truth: truth.to_vec(),
        }
    }

    fn assert_close(actual: f64, expected: f64) {
        assert!((actual - expected).abs() < 1e-6, "{actual} is not {expected}");
    }

    #[test]
    fn multi_class_metrics_follow_their_definitions() {
        let outcomes = [
            outcome(&[0.9, 0.1], &[0]),
            outcome(&[0.8, 0.2], &[0]),
            outcome(&[0.7, 0.3], &[1]),
            outcome(&[0.4, 0.6], &[1]),
        ];

        let metrics = evaluate(Mode::MultiClass, 2, &outcomes);

        assert_close(metrics.accuracy, 0.75);
        assert_close(metrics.precision, (2.0 / 3.0 + 1.0) / 2.0);
        assert_close(metrics.recall, (1.0 + 0.5) / 2.0);
        assert_close(metrics.f1_score, (0.8 + 2.0 / 3.0) / 2.0);
        assert_close(metrics.micro_f1_score, 0.75);
        assert_close(metrics.hamming_loss, 0.25);
    }

    #[test]
    fn multi_label_metrics_count_each_label() {
        let outcomes = [outcome(&[0.9, 0.6, 0.1], &[0]), outcome(&[0.1, 0.2, 0.8], &[2])];

        let metrics = evaluate(Mode::MultiLabel, 3, &outcomes);

        assert_close(metrics.accuracy, 0.5);
        assert_close(metrics.micro_precision, 2.0 / 3.0);
        assert_close(metrics.micro_recall, 1.0);
        assert_close(metrics.hamming_loss, 1.0 / 6.0);
    }

    #[test]
    fn confidence_is_about_the_class_or_about_each_label() {
        let decisions = |mode, truth: &[usize]| {
            let rows = outcome(&[0.75, 0.25], truth).decisions(mode).into_iter();
            rows.map(|row| (row.is_right(), row.confidence))
                .collect::<Vec<_>>()
        };

        assert_eq!(decisions(Mode::MultiClass, &[1]), [(false, 0.75)]);
        assert_eq!(
            decisions(Mode::MultiLabel, &[0, 1]),
            [(true, 0.75), (false, 0.75)]
        );
    }

    #[test]
    fn rows_of_a_confusion_matrix_are_the_truth() {
        let outcomes = [
            outcome(&[0.9, 0.1], &[1]),
            outcome(&[0.8, 0.2], &[1]),
            outcome(&[0.2, 0.8], &[1]),
        ];

        assert_eq!(
            confusion_matrix(Mode::MultiClass, 2, &outcomes),
            json!([[0, 0], [2, 1]])
        );
        assert_eq!(
            confusion_matrix(Mode::MultiLabel, 2, &outcomes),
            json!([[[1, 2], [0, 0]], [[0, 0], [2, 1]]])
        );
    }

    #[test]
    fn nothing_measured_is_all_zero() {
        assert_eq!(evaluate(Mode::MultiClass, 2, &[]), EvaluationMetrics::default());
    }
}
