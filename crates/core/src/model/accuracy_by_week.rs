//! How accurate predictions were by the week in which they were made, and how sure the models were.
//!
//! Sums over judged predictions, weighted as in [`crate::model::audit`], for each model and week: their number is
//! bounded, whatever is judged. A prediction belongs to the week in which it was made, so that a week fills while people answer.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    labels::labelled::LabelledRecord,
    model::audit::{AuditTally, AuditedAccuracy, JudgedPrediction},
    statistics::{Interval, normal_quantile},
};

/// Weeks that are kept, the newest ones: a year.
pub const WEEKS_KEPT: usize = 53;
/// Sums that are kept of all weeks together: beyond it the oldest weeks go.
const MOST_SUMS: usize = 160;
/// Fewest judged predictions of which a mean confidence is told: its interval is a normal approximation.
const MIN_JUDGED: u64 = 10;
/// Confidence of the intervals that are reported.
const CONFIDENCE: f64 = 0.95;

/// Sums over the confidence of judged predictions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConfidenceSums {
    count: u64,
    /// Of weights, and of weight × confidence.
    weighted: (f64, f64),
    /// Of squared weights, of these × confidence, and of these × squared confidence.
    squares: (f64, f64, f64),
}

impl ConfidenceSums {
    /// Adds a prediction, or takes one out with a `sign` of -1.
    fn add(&mut self, weight: f64, confidence: f64, sign: f64) {
        let square = sign * weight * weight;
        self.weighted.0 += sign * weight;
        self.weighted.1 += sign * weight * confidence;
        self.squares.0 += square;
        self.squares.1 += square * confidence;
        self.squares.2 += square * confidence * confidence;
    }

    fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.weighted.0 += other.weighted.0;
        self.weighted.1 += other.weighted.1;
        self.squares.0 += other.squares.0;
        self.squares.1 += other.squares.1;
        self.squares.2 += other.squares.2;
    }

    /// Returns the weighted mean; its variance is the linearised one of a ratio, Σw²(confidence − mean)² / (Σw)².
    fn mean(&self) -> Option<MeanConfidence> {
        if self.count < MIN_JUDGED || self.weighted.0 <= 0.0 {
            return None;
        }
        let mean = self.weighted.1 / self.weighted.0;
        let squares = self.squares.2 - 2.0 * mean * self.squares.1 + mean * mean * self.squares.0;
        let deviation = squares.max(0.0).sqrt() / self.weighted.0;
        let margin = normal_quantile(f64::midpoint(1.0, CONFIDENCE)) * deviation;
        Some(MeanConfidence {
            mean: mean.clamp(0.0, 1.0),
            interval: Interval {
                low: (mean - margin).max(0.0),
                high: (mean + margin).min(1.0),
            },
            judged: self.count,
        })
    }
}

/// How sure a model was of its predictions, an estimate over the whole traffic.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MeanConfidence {
    /// Mean confidence, from 0 to 1.
    pub mean: f64,
    /// Confidence interval of it, 95 %, normal approximation.
    pub interval: Interval,
    /// Judged predictions that it rests on.
    pub judged: u64,
}

/// Sums over the judged predictions of one model that were made in one week.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WeekSums {
    accuracy: AuditTally,
    #[serde(default)]
    confidence: ConfidenceSums,
}

impl WeekSums {
    fn add(&mut self, judged: JudgedPrediction, confidence: Option<f32>) {
        self.accuracy.add(judged);
        if let Some(confidence) = confidence {
            self.confidence
                .add(1.0 / judged.selection_probability, confidence.into(), 1.0);
            self.confidence.count += 1;
        }
    }

    fn remove(&mut self, judged: JudgedPrediction, confidence: Option<f32>) {
        self.accuracy.remove(judged);
        match (confidence, self.confidence.count) {
            (None, _) | (Some(_), 0) => {}
            // With the last of them nothing is left, not even by rounding.
            (Some(_), 1) => self.confidence = ConfidenceSums::default(),
            (Some(confidence), _) => {
                self.confidence
                    .add(1.0 / judged.selection_probability, confidence.into(), -1.0);
                self.confidence.count -= 1;
            }
        }
    }
}

/// What judged predictions say of one week.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Week {
    /// Its first day, as in `2026-11-30`.
    pub week: String,
    /// Predictions of this week that people judged.
    pub judged: u64,
    /// Estimated accuracy of all predictions of the week, by whatever model; none where none of the trusted was audited.
    pub accuracy: Option<AuditedAccuracy>,
    /// Their mean confidence; none without an accuracy, or with fewer than ten judged predictions.
    pub confidence: Option<MeanConfidence>,
}

/// Sums by the first day of a week, and by the ARN of the model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AccuracyByWeek(BTreeMap<String, BTreeMap<String, WeekSums>>);

impl AccuracyByWeek {
    /// Adds what a labelled record says of its prediction, which was made in the week that begins with this day; what it takes
    /// the place of is taken out.
    pub fn add(&mut self, labelled: &LabelledRecord, week: &str) {
        let confidence = labelled.record.confidence;
        if let Some((model, judged)) = JudgedPrediction::before(labelled)
            && let Some(sums) = self.0.get_mut(week).and_then(|models| models.get_mut(model))
        {
            sums.remove(judged, confidence);
        }
        if let Some((model, judged)) = JudgedPrediction::of(labelled) {
            let models = self.0.entry(week.to_owned()).or_default();
            models
                .entry(model.to_owned())
                .or_default()
                .add(judged, confidence);
        }
        while self.is_too_much() {
            self.0.pop_first();
        }
    }

    fn is_too_much(&self) -> bool {
        let sums: usize = self.0.values().map(BTreeMap::len).sum();
        self.0.len() > WEEKS_KEPT || self.0.len() > 1 && sums > MOST_SUMS
    }

    /// Returns what is known of each week, the oldest first.
    pub fn weeks(&self) -> Vec<Week> {
        let week = |(week, models): (&String, &BTreeMap<String, WeekSums>)| described(week, models.values());
        self.0.iter().map(week).collect()
    }

    /// Returns what is known of a model in the newest week in which its confidence is.
    pub fn newest_of(&self, model_arn: &str) -> Option<Week> {
        let mut weeks = self.0.iter().rev().filter_map(|(week, models)| {
            let sums = models.get(model_arn)?;
            Some(described(week, std::iter::once(sums)))
        });
        weeks.find(|week| week.confidence.is_some())
    }
}

fn described<'a>(week: &str, sums: impl Iterator<Item = &'a WeekSums>) -> Week {
    let mut all = WeekSums::default();
    for sums in sums {
        all.accuracy.merge(&sums.accuracy);
        all.confidence.merge(&sums.confidence);
    }
    let accuracy = all.accuracy.estimate();
    Week {
        week: week.to_owned(),
        judged: all.accuracy.judged(),
        confidence: accuracy.and_then(|_| all.confidence.mean()),
        accuracy,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A line about one audited prediction of `World`: its label, its confidence, and what was said of it before.
    fn audit(model: &str, label: &str, confidence: f32, was_right: Option<bool>) -> LabelledRecord {
        let mut line = json!({
            "schemaVersion": 1, "humanLoop": "h", "flowDefinitionArn": "", "votes": [],
            "consensus": { "state": "agreed", "answer": { "kind": "labels", "labels": [label] }, "confidence": 1.0 },
            "labelledAt": "2026-11-19T08:00:00.000Z",
            "record": {
                "schemaVersion": 1, "classifier": "news", "utterance": "t", "prediction": "World",
                "confidence": confidence, "source": "implicit", "signal": "audit",
                "receivedAt": "2026-11-19T08:00:00.000Z", "selectionProbability": 0.5, "modelArn": model,
            },
        });
        if let Some(was_right) = was_right {
            line["wasRight"] = was_right.into();
        }
        serde_json::from_value(line).expect("a labelled record")
    }

    fn add(by_week: &mut AccuracyByWeek, week: &str, count: usize, label: &str) {
        for _ in 0..count {
            by_week.add(&audit("v1", label, 0.8, None), week);
        }
    }

    #[test]
    fn a_model_that_was_right_in_one_week_and_wrong_in_the_next_shows_a_fall_with_its_band() {
        let mut by_week = AccuracyByWeek::default();
        add(&mut by_week, "2026-11-16", 20, "World");
        add(&mut by_week, "2026-11-23", 5, "World");
        add(&mut by_week, "2026-11-23", 15, "Sports");

        let weeks = by_week.weeks();

        let shares: Vec<_> = weeks
            .iter()
            .map(|week| (week.week.as_str(), week.accuracy.expect("audited").accuracy))
            .collect();
        assert_eq!(shares, [("2026-11-16", 1.0), ("2026-11-23", 0.25)]);
        let (before, after) = (weeks[0].accuracy.expect("one"), weeks[1].accuracy.expect("one"));
        assert!(after.interval.high < before.interval.low, "{after:?} {before:?}");
    }

    #[test]
    fn a_corrected_answer_counts_once_in_its_week() {
        let mut by_week = AccuracyByWeek::default();
        add(&mut by_week, "2026-11-16", 10, "World");

        by_week.add(&audit("v1", "Sports", 0.8, Some(true)), "2026-11-16");

        let week = &by_week.weeks()[0];
        assert_eq!((week.judged, week.accuracy.expect("audited").accuracy), (10, 0.9));
        assert_eq!(week.confidence.expect("ten").judged, 10);
    }

    #[test]
    fn what_was_judged_before_there_were_weeks_is_taken_out_of_none() {
        let mut by_week = AccuracyByWeek::default();

        by_week.add(&audit("v1", "World", 0.8, Some(false)), "2026-11-16");

        assert_eq!(by_week.weeks()[0].judged, 1);
    }

    #[test]
    fn the_mean_confidence_is_weighted_by_the_chance_of_being_asked_and_has_an_interval() {
        let mut by_week = AccuracyByWeek::default();
        for number in 0..20 {
            let confidence = if number % 2 == 0 { 0.6 } else { 1.0 };
            by_week.add(&audit("v1", "World", confidence, None), "2026-11-16");
        }

        let found = by_week.newest_of("v1").and_then(|week| week.confidence);

        let found = found.expect("twenty");
        assert!((found.mean - 0.8).abs() < 1e-6, "{found:?}");
        // The deviation of one is 0.2; of the mean of twenty 0.2 / √20.
        assert!(
            (found.interval.high - 0.8 - 1.96 * 0.2 / 20_f64.sqrt()).abs() < 1e-4,
            "{found:?}"
        );
        assert_eq!(by_week.newest_of("v2"), None);
    }

    #[test]
    fn the_newest_weeks_are_kept_and_so_many_sums_in_all() {
        let mut years = AccuracyByWeek::default();
        let mut many_models = AccuracyByWeek::default();
        for number in 0..60 {
            years.add(&audit("v1", "World", 0.8, None), &format!("week-{number:02}"));
            for model in 0..10 {
                let line = audit(&format!("v{model}"), "World", 0.8, None);
                many_models.add(&line, &format!("week-{number:02}"));
            }
        }

        assert_eq!(years.weeks().len(), WEEKS_KEPT);
        assert_eq!(years.weeks()[0].week, "week-07");
        assert_eq!(many_models.weeks().len(), 16);
    }

    #[test]
    fn without_an_audit_nothing_is_said_of_a_week() {
        let mut by_week = AccuracyByWeek::default();
        for _ in 0..20 {
            let mut line = audit("v1", "World", 0.3, None);
            line.record.signal = crate::feedback::Signal::LowConfidence;
            by_week.add(&line, "2026-11-16");
        }

        let week = &by_week.weeks()[0];
        assert_eq!((week.judged, week.accuracy, week.confidence), (20, None, None));
    }
}
