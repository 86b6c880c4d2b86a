//! Means over the replays of each strategy, and what they say.

use active_learning_core::{sampling::query_strategy::QueryStrategy, statistics::half_interval_of_mean};

use serde::Serialize;

use super::replay::{Point, Replay, Trusted, Way};

const CONFIDENCE: f64 = 0.95;

/// What all replays say together.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Summary {
    /// Replays of each strategy.
    pub seeds: usize,
    /// One a way, in their order.
    pub curves: Vec<Curve>,
    /// What there is to learn: models of all labels.
    pub all: AllLabels,
}

/// Models that have learned all labels, on average.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct AllLabels {
    /// Their number; with another rarest class for each replay, the largest.
    pub labels: usize,
    /// Their accuracy.
    pub accuracy: Mean,
}

/// How good models of one strategy become.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Curve {
    /// How texts were chosen and looked at.
    pub way: Way,
    /// By number of labels, ascending.
    pub points: Vec<MeanPoint>,
    /// What the last models do at each threshold, on average.
    pub trusted: Vec<Trusted>,
}

/// Models with the same number of labels.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MeanPoint {
    /// The number of labels.
    pub labels: usize,
    /// Their accuracy.
    pub accuracy: Mean,
    /// Their macro F1.
    pub macro_f1: Mean,
    /// The calibration error of their confidence.
    pub calibration_error: Mean,
    /// The AUROC of their confidence, of those models that have one.
    pub auroc: Option<Mean>,
}

/// A mean with its 95 % confidence interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Mean {
    /// The mean.
    pub mean: f64,
    /// How far the interval reaches to either side; unknown of a single measurement.
    pub half: Option<f64>,
}

impl Mean {
    fn of(measurements: &[f64]) -> Self {
        Self {
            mean: measurements.iter().sum::<f64>() / measurements.len() as f64,
            half: half_interval_of_mean(measurements, CONFIDENCE),
        }
    }
}

impl Summary {
    /// Sums up replays of these ways, each of which has at least one, and models of all labels, one a seed.
    pub fn of(ways: &[Way], replays: &[Replay], all: &[Point]) -> Self {
        let of = |way: &Way| -> Vec<&Replay> { replays.iter().filter(|replay| replay.way == *way).collect() };
        Self {
            seeds: replays.len() / ways.len(),
            all: AllLabels {
                labels: all.iter().map(|point| point.labels).max().unwrap_or(0),
                accuracy: Mean::of(&all.iter().map(|point| point.accuracy).collect::<Vec<_>>()),
            },
            curves: ways.iter().map(|way| Curve::of(*way, &of(way))).collect(),
        }
    }

    /// Returns the curve of random choice with the encoder, or that without, if it was replayed.
    pub fn random(&self, encoder: bool) -> Option<&Curve> {
        let strategy = QueryStrategy::Random;
        self.curve(Way { strategy, encoder })
    }

    /// Returns the curve of a way, if it was replayed.
    pub fn curve(&self, way: Way) -> Option<&Curve> {
        self.curves.iter().find(|curve| curve.way == way)
    }

    /// Returns the curve that is highest on average over all numbers of labels.
    pub fn best(&self) -> &Curve {
        let best = self.curves.iter().rev();
        best.max_by(|a, b| a.average().total_cmp(&b.average()))
            .expect("a simulation has a strategy")
    }
}

impl Curve {
    fn of(way: Way, replays: &[&Replay]) -> Self {
        let mean_point = |index: usize| {
            let mean = |metric: fn(&Point) -> f64| {
                let points = replays.iter().map(|replay| metric(&replay.points[index]));
                Mean::of(&points.collect::<Vec<_>>())
            };
            let auroc = replays.iter().filter_map(|replay| replay.points[index].auroc);
            let auroc: Vec<f64> = auroc.collect();
            MeanPoint {
                labels: replays[0].points[index].labels,
                accuracy: mean(|point| point.accuracy),
                macro_f1: mean(|point| point.macro_f1),
                calibration_error: mean(|point| point.calibration_error),
                auroc: (!auroc.is_empty()).then(|| Mean::of(&auroc)),
            }
        };
        let mean_trusted = |index: usize| {
            let trusted = || replays.iter().map(move |replay| replay.trusted[index]);
            Trusted {
                reviewed: mean_of_known(trusted().map(|trusted| Some(trusted.reviewed))).unwrap_or(0.0),
                accuracy: mean_of_known(trusted().map(|trusted| trusted.accuracy)),
                errors_caught: mean_of_known(trusted().map(|trusted| trusted.errors_caught)),
            }
        };
        Self {
            way,
            points: (0..replays[0].points.len()).map(mean_point).collect(),
            trusted: (0..replays[0].trusted.len()).map(mean_trusted).collect(),
        }
    }

    /// Returns the mean accuracy over all numbers of labels.
    pub fn average(&self) -> f64 {
        self.points.iter().map(|point| point.accuracy.mean).sum::<f64>() / self.points.len() as f64
    }

    /// Returns the accuracy with all labels.
    pub fn last(&self) -> MeanPoint {
        *self.points.last().expect("a replay has a start")
    }

    /// Returns how many labels reach an accuracy for good: no later point is below it. Between points on a straight line.
    pub fn labels_for(&self, accuracy: f64) -> Option<f64> {
        let below = self
            .points
            .iter()
            .rposition(|point| point.accuracy.mean < accuracy);
        let Some(below) = below else {
            return Some(self.points[0].labels as f64);
        };
        let (before, after) = (self.points[below], self.points.get(below + 1)?);
        let step = (accuracy - before.accuracy.mean) / (after.accuracy.mean - before.accuracy.mean);
        Some(before.labels as f64 + step * (after.labels - before.labels) as f64)
    }

    /// Returns by how much this curve is at most below another one, and there the labels; nothing if nowhere.
    pub fn worst_against(&self, other: &Self) -> Option<(f64, usize)> {
        let points = self.points.iter().zip(&other.points);
        points
            .map(|(point, other)| (other.accuracy.mean - point.accuracy.mean, point.labels))
            .filter(|(gap, _)| *gap > 0.0)
            .max_by(|a, b| a.0.total_cmp(&b.0))
    }
}

fn mean_of_known(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let known: Vec<f64> = values.flatten().collect();
    (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A strategy without an encoder.
    pub fn plain(strategy: QueryStrategy) -> Way {
        let encoder = false;
        Way { strategy, encoder }
    }

    /// A replay with these accuracies at 20, 40, 60 … labels.
    pub fn replay(strategy: QueryStrategy, seed: u64, accuracies: &[f64]) -> Replay {
        let point = |(index, accuracy): (usize, &f64)| Point {
            labels: 20 * (index + 1),
            accuracy: *accuracy,
            macro_f1: *accuracy / 2.0,
            calibration_error: 0.25,
            auroc: (*accuracy < 1.0).then_some(0.75),
        };
        let trusted = Trusted {
            reviewed: 0.25,
            accuracy: Some(0.9),
            errors_caught: (seed > 0).then_some(0.5),
        };
        Replay {
            way: plain(strategy),
            seed,
            points: accuracies.iter().enumerate().map(point).collect(),
            trusted: vec![trusted; super::super::replay::THRESHOLDS.len()],
        }
    }

    fn curve(accuracies: &[f64]) -> Curve {
        Curve::of(
            plain(QueryStrategy::Margin),
            &[&replay(QueryStrategy::Margin, 0, accuracies)],
        )
    }

    #[test]
    fn means_have_an_interval_over_seeds() {
        let replays = [
            replay(QueryStrategy::Margin, 0, &[0.5, 0.6]),
            replay(QueryStrategy::Margin, 1, &[0.7, 0.6]),
            replay(QueryStrategy::Random, 0, &[0.4, 0.4]),
            replay(QueryStrategy::Random, 1, &[0.4, 0.6]),
        ];

        let ways = [QueryStrategy::Margin, QueryStrategy::Random].map(plain);
        let summary = Summary::of(&ways, &replays, &replays[0].points);

        let margin = &summary.curves[0].points;
        assert_eq!(summary.seeds, 2);
        assert_eq!((margin[0].labels, margin[1].labels), (20, 40));
        assert!((margin[0].accuracy.mean - 0.6).abs() < 1e-9);
        // Student's t with one degree of freedom is 12.7 standard errors.
        assert!((margin[0].accuracy.half.expect("two seeds") - 1.270_62).abs() < 1e-4);
        assert_eq!(margin[1].accuracy.half, Some(0.0));
        assert_eq!(summary.curves[0].trusted[0].errors_caught, Some(0.5));
        assert_eq!(summary.best().way, ways[0]);
        assert_eq!(summary.random(false).expect("replayed").way, ways[1]);
        assert_eq!(summary.random(true), None);
    }

    #[test]
    fn an_auroc_that_is_not_defined_is_in_no_mean() {
        let replays = [
            replay(QueryStrategy::Margin, 0, &[1.0, 1.0]),
            replay(QueryStrategy::Margin, 1, &[0.7, 1.0]),
        ];

        let summary = Summary::of(&[plain(QueryStrategy::Margin)], &replays, &replays[0].points);

        let [first, second] = summary.curves[0].points[..] else {
            panic!("two points")
        };
        assert_eq!(
            first.auroc,
            Some(Mean {
                mean: 0.75,
                half: None
            })
        );
        assert_eq!(second.auroc, None);
    }

    #[test]
    fn an_accuracy_is_reached_only_when_it_stays() {
        let curve = curve(&[0.5, 0.8, 0.7, 0.9]);

        assert_eq!(curve.labels_for(0.4), Some(20.0));
        assert!((curve.labels_for(0.75).expect("reached") - 65.0).abs() < 1e-9);
        assert_eq!(curve.labels_for(0.95), None);
    }

    #[test]
    fn the_worst_place_against_another_curve_is_named() {
        let (gap, labels) = curve(&[0.5, 0.6, 0.9])
            .worst_against(&curve(&[0.5, 0.7, 0.8]))
            .expect("below at 40");

        assert!((gap - 0.1).abs() < 1e-9 && labels == 40);
        assert_eq!(curve(&[0.5]).worst_against(&curve(&[0.5])), None);
    }
}
