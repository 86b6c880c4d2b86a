//! The results as CSV: each model of each replay, the means, and the thresholds.

use std::io;

use super::{
    replay::{Replay, THRESHOLDS, Way},
    summary::{Mean, Summary},
};

/// Returns each model of each replay as CSV.
pub(super) fn runs_csv(replays: &[Replay]) -> io::Result<Vec<u8>> {
    let mut rows = csv::Writer::from_writer(Vec::new());
    rows.write_record([
        "strategy",
        "encoder",
        "seed",
        "labels",
        "accuracy",
        "macro_f1",
        "calibration_error",
        "auroc",
    ])?;
    for replay in replays {
        for point in &replay.points {
            rows.write_record([
                replay.way.strategy.name(),
                with_or_without(replay.way),
                &replay.seed.to_string(),
                &point.labels.to_string(),
                &point.accuracy.to_string(),
                &point.macro_f1.to_string(),
                &point.calibration_error.to_string(),
                &point.auroc.map_or_else(String::new, |auroc| auroc.to_string()),
            ])?;
        }
    }
    finish(rows)
}

/// Returns the means with the ends of their 95 % intervals as CSV.
pub(super) fn curves_csv(summary: &Summary) -> io::Result<Vec<u8>> {
    let mut rows = csv::Writer::from_writer(Vec::new());
    rows.write_record([
        "strategy",
        "encoder",
        "labels",
        "accuracy",
        "accuracy_low",
        "accuracy_high",
        "macro_f1",
        "macro_f1_low",
        "macro_f1_high",
        "calibration_error",
        "calibration_error_low",
        "calibration_error_high",
        "auroc",
        "auroc_low",
        "auroc_high",
    ])?;
    let ends = |Mean { mean, half }: Mean| {
        let end = |sign: f64| half.map_or(String::new(), |half| (mean + sign * half).to_string());
        [mean.to_string(), end(-1.0), end(1.0)]
    };
    for curve in &summary.curves {
        for point in &curve.points {
            let mut row = vec![
                curve.way.strategy.to_string(),
                with_or_without(curve.way).to_owned(),
                point.labels.to_string(),
            ];
            row.extend(ends(point.accuracy));
            row.extend(ends(point.macro_f1));
            row.extend(ends(point.calibration_error));
            row.extend(point.auroc.map(ends).unwrap_or_default());
            rows.write_record(row)?;
        }
    }
    finish(rows)
}

/// Returns what the last models of each strategy do at each threshold as CSV; empty where it is not defined.
pub(super) fn thresholds_csv(summary: &Summary) -> io::Result<Vec<u8>> {
    let mut rows = csv::Writer::from_writer(Vec::new());
    rows.write_record([
        "strategy",
        "encoder",
        "labels",
        "threshold",
        "reviewed",
        "accuracy",
        "errors_caught",
    ])?;
    let known = |share: Option<f64>| share.map_or(String::new(), |share| share.to_string());
    for curve in &summary.curves {
        for (threshold, trusted) in THRESHOLDS.iter().zip(&curve.trusted) {
            rows.write_record([
                curve.way.strategy.name(),
                with_or_without(curve.way),
                &curve.last().labels.to_string(),
                threshold,
                &trusted.reviewed.to_string(),
                &known(trusted.accuracy),
                &known(trusted.errors_caught),
            ])?;
        }
    }
    finish(rows)
}

fn with_or_without(way: Way) -> &'static str {
    if way.encoder { "with" } else { "without" }
}

fn finish(rows: csv::Writer<Vec<u8>>) -> io::Result<Vec<u8>> {
    rows.into_inner().map_err(csv::IntoInnerError::into_error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::report::tests::{replays, summary};

    #[test]
    fn csv_files_hold_every_number() {
        let text = |csv: io::Result<Vec<u8>>| String::from_utf8(csv.expect("memory")).expect("UTF-8");

        let runs = text(runs_csv(&replays()));
        let curves = text(curves_csv(&summary()));
        let thresholds = text(thresholds_csv(&summary()));

        assert_eq!(runs.lines().count(), 1 + 4 * 3);
        assert_eq!(
            runs.lines().nth(2),
            Some("margin,without,0,40,0.7,0.35,0.25,0.75")
        );
        assert_eq!(
            curves.lines().nth(1),
            Some("margin,without,20,0.5,0.5,0.5,0.25,0.25,0.25,0.25,0.25,0.25,0.75,0.75,0.75")
        );
        assert_eq!(thresholds.lines().count(), 1 + 2 * THRESHOLDS.len());
        assert_eq!(
            thresholds.lines().nth(2),
            Some("margin,without,60,0.5,0.25,0.9,0.5")
        );
    }
}
