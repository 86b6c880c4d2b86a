//! Counts above each threshold of the grid, and the test of all of them together.

use super::{CONFIDENCE, Judged, OperatingPoint};
use crate::statistics::{binomial_at_most, clopper_pearson_low};

/// Thresholds at which the search may start, in ten-thousandths, each with its part of the significance.
///
/// A calibrated model is at least as accurate above a threshold as the threshold says, so for the usual targets the most
/// lies around 0.9; the highest are for models that are nearly always sure. Fixed before any prediction is seen.
const STARTS: [(u16, f64); 8] = [
    (9_999, 0.0625),
    (9_990, 0.0625),
    (9_900, 0.125),
    (9_500, 0.25),
    (9_000, 0.25),
    (8_000, 0.125),
    (7_000, 0.0625),
    (5_000, 0.0625),
];
/// The largest of these parts: with it the fewest predictions show a target.
pub(super) const LARGEST_PART: f64 = 0.25;

/// Returns the thresholds that are tried, in ten-thousandths, the safest first.
///
/// Hundredths, and finer ones for models that are nearly always sure. The quotient by 10,000 is the `f32` that the
/// same number has as a parameter.
pub(crate) fn grid() -> impl Iterator<Item = u16> {
    let hundredths = (0..100).rev().map(|hundredth| hundredth * 100);
    [9_999, 9_998, 9_995, 9_990, 9_980, 9_950]
        .into_iter()
        .chain(hundredths)
}

/// Sums over judged predictions.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub(super) sampled: u64,
    pub(super) sampled_wrong: u64,
    weight: f64,
    weight_wrong: f64,
}

impl Tally {
    pub(super) fn add(&mut self, other: &Self) {
        self.sampled += other.sampled;
        self.sampled_wrong += other.sampled_wrong;
        self.weight += other.weight;
        self.weight_wrong += other.weight_wrong;
    }

    pub(super) fn accuracy(&self) -> Option<f64> {
        (self.weight > 0.0).then(|| 1.0 - self.weight_wrong / self.weight)
    }

    /// Returns whether errors are so few that the accuracy may still be the target; significance as of the promise.
    pub(super) fn may_be_as_accurate_as(&self, target: f64) -> bool {
        let right = self.sampled - self.sampled_wrong;
        clopper_pearson_low(right, self.sampled, 1.0 - CONFIDENCE) <= 1.0 - target
    }

    pub(super) fn left_out_of(&self, all: &Self) -> f64 {
        (1.0 - self.weight / all.weight).max(0.0)
    }

    pub(super) fn errors_left_out_of(&self, all: &Self) -> Option<f64> {
        (all.weight_wrong > 0.0).then(|| (1.0 - self.weight_wrong / all.weight_wrong).max(0.0))
    }
}

impl From<(&Judged, bool)> for Tally {
    fn from((judged, sampled): (&Judged, bool)) -> Self {
        let weight = 1.0 / judged.selection_probability;
        Self {
            sampled: u64::from(sampled),
            sampled_wrong: u64::from(sampled && !judged.right),
            weight,
            weight_wrong: if judged.right { 0.0 } else { weight },
        }
    }
}

/// Sums above each threshold of the grid, and over all.
pub(super) struct Tallies {
    pub(super) above: Vec<Tally>,
    pub(super) all: Tally,
}

impl Tallies {
    pub(super) fn of<'a>(judged: impl IntoIterator<Item = (&'a Judged, bool)>) -> Self {
        let thresholds: Vec<f32> = grid().map(threshold_of).collect();
        // What exceeds one threshold of the grid but not the one before; last what exceeds none.
        let mut between = vec![Tally::default(); thresholds.len() + 1];
        for one in judged {
            let first_exceeded = thresholds.partition_point(|threshold| one.0.confidence <= *threshold);
            between[first_exceeded].add(&one.into());
        }
        let mut all = Tally::default();
        let mut above: Vec<Tally> = between
            .iter()
            .map(|tally| {
                all.add(tally);
                all
            })
            .collect();
        above.pop();
        Self { above, all }
    }

    /// Tests every threshold of the grid by the fallback procedure.
    pub(super) fn test(&self, target: f64, significance: f64) -> Vec<Test> {
        fallback(significance, |number| {
            let above = &self.above[number];
            binomial_at_most(above.sampled_wrong, above.sampled, 1.0 - target)
        })
    }

    /// Returns the tests of so many sampled predictions in all, if they are right and sure as often as these.
    ///
    /// Errors are rounded up. What is seen in fewer than `min_hopeful` predictions passes no test: it may be luck.
    pub(super) fn test_of_more(
        &self,
        sampled: f64,
        target: f64,
        significance: f64,
        min_hopeful: u64,
    ) -> Vec<Test> {
        let scaled = |count: u64| count as f64 * sampled / self.all.sampled as f64;
        fallback(significance, |number| {
            let above = &self.above[number];
            if above.sampled < min_hopeful {
                return 1.0;
            }
            let (accepted, wrong) = (scaled(above.sampled).floor(), scaled(above.sampled_wrong).ceil());
            binomial_at_most(wrong as u64, accepted as u64, 1.0 - target)
        })
    }

    pub(super) fn point(&self, number: usize, test: Test) -> OperatingPoint {
        let above = &self.above[number];
        OperatingPoint {
            threshold: grid().nth(number).map_or(1.0, threshold_of),
            accepted: above.sampled,
            wrong: above.sampled_wrong,
            accuracy: above.accuracy(),
            accuracy_at_least: test
                .is_tested()
                .then(|| clopper_pearson_low(above.sampled_wrong, above.sampled, test.level)),
            review_share: above.left_out_of(&self.all),
            errors_caught: above.errors_left_out_of(&self.all),
            keeps_promise: test.passes,
        }
    }
}

/// What became of a threshold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Test {
    /// Significance with which it was tested; 0 where nothing was left to test it with.
    pub(crate) level: f64,
    pub(crate) passes: bool,
}

impl Test {
    /// Returns whether anything was left to test it with: it is where a search starts, or the one before passed.
    pub(crate) fn is_tested(self) -> bool {
        self.level > 0.0
    }
}

/// Tests every threshold of the grid by the fallback procedure; `p_value` is given the number of a threshold.
pub(crate) fn fallback(significance: f64, p_value: impl Fn(usize) -> f64) -> Vec<Test> {
    let mut handed_on = 0.0;
    let test_one = |(number, threshold): (usize, u16)| {
        let start = STARTS.iter().find(|(start, _)| *start == threshold);
        let level = handed_on + start.map_or(0.0, |(_, part)| significance * part);
        let passes = level > 0.0 && p_value(number) <= level;
        handed_on = if passes { level } else { 0.0 };
        Test { level, passes }
    };
    grid().enumerate().map(test_one).collect()
}

/// Returns the confidence that a threshold of the grid stands for.
pub(crate) fn threshold_of(ten_thousandths: u16) -> f32 {
    f32::from(ten_thousandths) / 10_000.0
}
