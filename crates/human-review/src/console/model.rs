//! How good the serving model is in service, as far as people judged its predictions.

use active_learning_aws::overview::{Serving, Tally, serving};
use active_learning_core::erasure::{LearntAndErased, describe_rows};
use active_learning_core::keys;
use active_learning_core::model::audit::{AuditedAccuracy, NOT_AUDITED};
use active_learning_core::model::confidence::{ConfidenceQuality, ReliabilityBin, ThresholdPoint};
use serde_json::json;

use super::chart::{Chart, Line, percent, percent_cell};
use super::page::Block;
use super::table::{Cell, Table};
use super::{Console, ConsoleError, View};

/// Thresholds that are shown.
const THRESHOLDS: [f64; 21] = [
    0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9,
    0.95, 0.99,
];

impl Console<'_> {
    pub(super) async fn model(&self) -> Result<View, ConsoleError> {
        let title = "Model".to_owned();
        let Some(serving) = serving(self.training, self.now).await? else {
            let text = "No model serves yet, as far as is on record here.";
            return Ok(View {
                title,
                blocks: vec![Block::text(text)],
                json: json!({ "serving": null }),
            });
        };
        let tally = Tally::read(self.training).await?;
        let accuracy = tally.accuracy(&serving.model_arn);
        let confidence = tally.confidence(&serving.model_arn);
        let quality = confidence
            .filter(|_| accuracy.is_some())
            .and_then(|tally| tally.quality());
        let bins = confidence.map(|tally| tally.reliability()).unwrap_or_default();
        let points = confidence
            .map(|tally| tally.at_thresholds(&THRESHOLDS))
            .unwrap_or_default();
        let over_time = self.over_time(&tally).await?;
        let drift = self.drift(&serving, &tally).await?;
        let threshold = self.thresholds_of(&serving, &tally);

        let mut figures = of_serving(&serving, accuracy.as_ref(), quality.as_ref());
        figures.extend(drift.figures());
        figures.push(("Threshold in use".to_owned(), percent(threshold.current)));
        figures.push(("Threshold by the audits".to_owned(), threshold.text.clone()));
        let learnt: Option<LearntAndErased> = self.training.read_document(keys::LEARNT_AND_ERASED).await?;
        let erased_rows = learnt.and_then(|learnt| learnt.of_model(&serving.model_arn));
        let mut blocks = vec![Block::Figures(figures)];
        if let Some(rows) = erased_rows {
            blocks.push(Block::text(format!("Of this model: {}.", describe_rows(rows))));
        }
        blocks.extend(over_time.blocks());
        blocks.extend(curves(&bins, &points));
        Ok(View {
            title,
            blocks,
            json: json!({
                "serving": serving, "erasedRows": erased_rows, "liveAccuracy": accuracy, "confidence": quality,
                "overTime": over_time, "drift": drift, "threshold": threshold, "reliability": bins, "thresholds": points,
            }),
        })
    }
}

/// Returns what is known of the serving model.
fn of_serving(
    serving: &Serving,
    accuracy: Option<&AuditedAccuracy>,
    quality: Option<&ConfidenceQuality>,
) -> Vec<(String, String)> {
    let mut figures = vec![
        ("Model", serving.version().to_owned()),
        (
            "Serves since",
            serving.at.format("%Y-%m-%d %H:%M UTC").to_string(),
        ),
        ("Why", serving.reason.clone()),
    ];
    if let Some(live) = accuracy {
        let interval = format!(
            "{} to {}",
            percent(live.interval.low),
            percent(live.interval.high)
        );
        figures.push(("Live accuracy", percent(live.accuracy)));
        figures.push(("95 % interval", interval));
        figures.push((
            "Judged predictions",
            format!("{}, {} of them audits", live.judged, live.audited),
        ));
    } else {
        figures.push(("Live accuracy", NOT_AUDITED.to_owned()));
    }
    if let Some(quality) = quality {
        let error = format!(
            "{} ({} by chance alone)",
            percent(quality.expected_calibration_error),
            percent(quality.calibration_error_by_chance)
        );
        figures.push(("Calibration error", error));
    }
    figures
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// Draws how far confidence can be believed, and what thresholds would do.
fn curves(bins: &[ReliabilityBin], points: &[ThresholdPoint]) -> Vec<Block> {
    if bins.is_empty() {
        return vec![Block::text(
            "No prediction of this model was judged with its confidence yet: nothing can be drawn of it.",
        )];
    }
    vec![
        Block::text(
            "Estimated from what people judged, each prediction weighted by its chance of being asked about. Until \
             one of them was audited, and where AuditSampleRate is 0, nothing here holds for trusted predictions, \
             unless all predictions are reviewed.",
        ),
        Block::Chart(reliability(bins)),
        Block::Chart(thresholds(points)),
    ]
}

fn reliability(bins: &[ReliabilityBin]) -> Chart {
    let row = |bin: &ReliabilityBin| {
        vec![
            Cell::text(percent(bin.confidence)),
            Cell::text(percent(bin.accuracy)),
            Cell::text(bin.judged.to_string()),
        ]
    };
    let table = Table {
        caption: "Reliability".to_owned(),
        head: vec!["Mean confidence", "Right", "Judged"],
        rows: bins.iter().map(row).collect(),
    };
    let text =
        "Share of right predictions against confidence. On the diagonal the confidence can be believed.";
    Chart::new(
        "How far confidence can be believed",
        text,
        ("Confidence", "Right"),
        table,
    )
    .with_line(Line::through(
        "ideal",
        "confidence as it should be",
        [(0.0, 0.0), (1.0, 1.0)].into_iter(),
    ))
    .with_line(Line::through(
        "first",
        "this model",
        bins.iter().map(|bin| (bin.confidence, bin.accuracy)),
    ))
    .with_dots(bins.iter().map(|bin| (bin.confidence, bin.accuracy)))
}

fn thresholds(points: &[ThresholdPoint]) -> Chart {
    let row = |point: &ThresholdPoint| {
        vec![
            Cell::text(percent(point.threshold)),
            percent_cell(point.accuracy),
            Cell::text(percent(point.review_share)),
            percent_cell(point.errors_caught),
        ]
    };
    let table = Table {
        caption: "What a threshold would do".to_owned(),
        head: vec![
            "Threshold",
            "Trusted that are right",
            "Goes to people",
            "Errors that people see",
        ],
        rows: points.iter().map(row).collect(),
    };
    let accuracy = points
        .iter()
        .filter_map(|point| Some((point.threshold, point.accuracy?)));
    let caught = points
        .iter()
        .filter_map(|point| Some((point.threshold, point.errors_caught?)));
    let share = points.iter().map(|point| (point.threshold, point.review_share));
    let text = "Accuracy of trusted predictions, share that goes to people and errors that people see, against the \
                threshold. Thresholds are exact to 1.6 points.";
    Chart::new("What a threshold would do", text, ("Threshold", "Share"), table)
        .with_line(Line::through(
            "first",
            "trusted predictions that are right",
            accuracy,
        ))
        .with_line(Line::through("second", "goes to people", share))
        .with_line(Line::through("third", "errors that people see", caught))
}
