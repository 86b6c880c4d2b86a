//! How accurate the models in service were week by week, whether the one that serves has drifted, and which threshold fits it.

use active_learning_aws::overview::{Serving, Tally, lasting, switches};
use active_learning_core::model::accuracy_by_week::{MeanConfidence, WEEKS_KEPT, Week};
use active_learning_core::model::accuracy_guarantee::{AdvisedByAudits, AuditCounts};
use active_learning_core::model::comparison::Decision;
use active_learning_core::model::threshold::fewest_to_advise;
use active_learning_core::text::counted;
use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use serde::Serialize;

use super::chart::{Chart, Line, percent};
use super::page::Block;
use super::table::{Cell, Table};
use super::versions::is_execution_name;
use super::{Console, ConsoleError};

/// Accuracy that is looked for, as `advise` does by itself.
const TARGET: f64 = 0.95;
/// Newest switches of the endpoint that are marked.
const SWITCHES: usize = 50;
/// Marks across the time at most.
const MARKS: usize = 6;
/// Days of a week.
const WEEK_DAYS: f64 = 7.0;

/// When another model came into service.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct VersionMark {
    /// What stands over its line in the chart.
    pub mark: String,
    /// The model.
    pub version: String,
    /// When it came.
    pub at: DateTime<Utc>,
    /// What put it there.
    pub by: String,
}

/// Live accuracy by week, with the versions that came into service meanwhile.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OverTime {
    pub weeks: Vec<Week>,
    pub versions: Vec<VersionMark>,
}

/// How sure the serving model is, in service and where it was tested.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Drift {
    /// Mean confidence on the held-out texts of its build; none where that is not on record.
    pub when_built: Option<f64>,
    /// The newest week of which it is known; none where there is none.
    pub week: Option<String>,
    /// Mean confidence in that week.
    pub in_service: Option<MeanConfidence>,
    /// How much more it is than when it was built, from -1 to 1.
    pub change: Option<f64>,
    /// The same in words, or what is missing.
    pub text: String,
}

/// Which threshold is set, and which `advise` would take by the audits.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Thresholds {
    /// The one that is set, from 0 to 1.
    pub current: f64,
    /// Accuracy of what is trusted that is looked for.
    pub target: f64,
    /// The lowest that audits show to keep it; none where they show it of none.
    pub advised: Option<AdvisedByAudits>,
    /// The same in words, or what is missing.
    pub text: String,
}

impl Console<'_> {
    /// Returns live accuracy by week and what came into service in these weeks.
    pub(super) async fn over_time(&self, tally: &Tally) -> Result<OverTime, ConsoleError> {
        let weeks = tally.by_week.weeks();
        let Some(begin) = weeks.first().and_then(|week| begins(&week.week)) else {
            return Ok(OverTime {
                weeks,
                versions: Vec::new(),
            });
        };
        let newest = switches(self.training, self.now, SWITCHES).await?;
        let switches = lasting(newest, Serving::switch);
        let of_time = switches.into_iter().filter(|switch| switch.at >= begin);
        let versions = of_time.zip(1..).map(|(switch, number)| VersionMark {
            mark: number.to_string(),
            version: switch.version().to_owned(),
            at: switch.at,
            by: switch.by,
        });
        Ok(OverTime {
            versions: versions.collect(),
            weeks,
        })
    }

    /// Compares the confidence of the serving model with what it was on the held-out texts of its build.
    pub(super) async fn drift(&self, serving: &Serving, tally: &Tally) -> Result<Drift, ConsoleError> {
        let decision: Option<Decision> = match is_execution_name(&serving.build_id) {
            true => {
                let key = format!("builds/{}/decision.json", serving.build_id);
                self.training.read_document(&key).await?
            }
            false => None,
        };
        let measured = decision.map(|decision| decision.challenger);
        let measured = measured.filter(|measured| measured.model_arn == serving.model_arn);
        let when_built = measured.and_then(|measured| measured.evaluation.mean_confidence);
        Ok(Drift::of(when_built, tally.by_week.newest_of(&serving.model_arn)))
    }

    /// Says which threshold is set and which one audits of the serving model advise.
    pub(super) fn thresholds_of(&self, serving: &Serving, tally: &Tally) -> Thresholds {
        let audits = tally.audits(&serving.model_arn);
        let advised = audits.and_then(|audits| audits.advised(TARGET));
        let all = audits.map(|audits| audits.above(0.0)).unwrap_or_default();
        Thresholds {
            current: in_ten_thousandths(self.threshold.get()),
            target: TARGET,
            text: advice_in_words(advised.as_ref(), all),
            advised,
        }
    }
}

/// Returns a threshold as it was written, without the digits that a single-precision number adds.
fn in_ten_thousandths(threshold: f32) -> f64 {
    (f64::from(threshold) * 10_000.0).round() / 10_000.0
}

fn advice_in_words(advised: Option<&AdvisedByAudits>, all: AuditCounts) -> String {
    let further =
        "The command `advise` also counts the answers to doubtful predictions, and looks for other targets.";
    let target = percent(TARGET);
    let said = match advised {
        Some(advised) => format!(
            "A threshold of {} keeps what is trusted right in {target} of cases, with 95 % confidence: of {} above it {} \
             wrong.",
            percent(advised.threshold),
            counted_audits(advised.audited),
            were(advised.wrong),
        ),
        None if all.audited == 0 => format!(
            "Not known for a target of {target}: no trusted prediction of this model was audited. AuditSampleRate says how \
             many are."
        ),
        None => format!(
            "Not known for a target of {target}: of {} {} wrong, which shows it of no threshold. It takes at least {} above \
             one, none of them wrong.",
            counted_audits(all.audited),
            were(all.wrong),
            fewest_to_advise(TARGET),
        ),
    };
    format!("{said} {further}")
}

fn counted_audits(audited: u64) -> String {
    counted(audited, "audited prediction")
}

fn were(wrong: u64) -> String {
    match wrong {
        0 => "none is".to_owned(),
        1 => "1 is".to_owned(),
        more => format!("{more} are"),
    }
}

impl Drift {
    fn of(when_built: Option<f64>, newest: Option<Week>) -> Self {
        let (week, in_service) = newest.map_or((None, None), |week| (Some(week.week), week.confidence));
        let change = in_service
            .zip(when_built)
            .map(|(confidence, built)| confidence.mean - built);
        Self {
            text: drift_in_words(when_built, week.as_deref().zip(in_service), change),
            when_built,
            week,
            in_service,
            change,
        }
    }

    /// Returns the figures of the page.
    pub(super) fn figures(&self) -> [(String, String); 3] {
        let built = self
            .when_built
            .map_or_else(|| "not on record".to_owned(), percent);
        let in_service = match (&self.week, &self.in_service) {
            (Some(week), Some(confidence)) => format!(
                "{} in the week from {week}, 95 % interval {} to {}",
                percent(confidence.mean),
                percent(confidence.interval.low),
                percent(confidence.interval.high)
            ),
            _ => "not known".to_owned(),
        };
        [
            ("Mean confidence when it was built", built),
            ("Mean confidence in service", in_service),
            ("Drift", self.text.clone()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
    }
}

fn drift_in_words(
    when_built: Option<f64>,
    in_service: Option<(&str, MeanConfidence)>,
    change: Option<f64>,
) -> String {
    let Some((_, confidence)) = in_service else {
        return "not known: it takes ten judged predictions of one week, with audits among them".to_owned();
    };
    let (Some(built), Some(change)) = (when_built, change) else {
        return "not known: its build has left no mean confidence, as one of a version before, a training file or a \
                roll-back has not"
            .to_owned();
    };
    let points = format!("{:+.1} points", change * 100.0);
    let interval = confidence.interval;
    match (interval.low..=interval.high).contains(&built) {
        true => format!("{points}, which may be chance"),
        false if change < 0.0 => {
            format!("{points}: it is less sure of what comes now than of what it was tested on")
        }
        false => format!("{points}: it is surer of what comes now than of what it was tested on"),
    }
}

/// Returns when a week begins.
fn begins(week: &str) -> Option<DateTime<Utc>> {
    let day: NaiveDate = week.parse().ok()?;
    Some(day.and_time(NaiveTime::MIN).and_utc())
}

impl OverTime {
    /// Returns the blocks of the page.
    pub(super) fn blocks(&self) -> Vec<Block> {
        if self.weeks.iter().all(|week| week.accuracy.is_none()) {
            return vec![Block::text(
                "Live accuracy over time is not known yet: it is kept by week from this version on, and of a week of which \
                 trusted predictions were audited.",
            )];
        }
        let chart = self.chart();
        let mut blocks: Vec<Block> = chart.map(Block::Chart).into_iter().collect();
        if !self.versions.is_empty() {
            blocks.push(Block::Table(self.versions_table()));
        }
        blocks
    }

    fn chart(&self) -> Option<Chart> {
        let begin = begins(&self.weeks.first()?.week)?;
        let end = begins(&self.weeks.last()?.week)?.checked_add_days(Days::new(WEEK_DAYS as u64))?;
        let place = |at: DateTime<Utc>| (at - begin).as_seconds_f64() / (end - begin).as_seconds_f64();
        let half = WEEK_DAYS / 2.0 * 86_400.0 / (end - begin).as_seconds_f64();
        let known: Vec<(f64, &Week)> = self
            .weeks
            .iter()
            .filter(|week| week.accuracy.is_some())
            .filter_map(|week| Some((place(begins(&week.week)?) + half, week)))
            .collect();
        let low = known
            .iter()
            .filter_map(|(x, week)| Some((*x, week.accuracy?.interval.low)));
        let high = known
            .iter()
            .filter_map(|(x, week)| Some((*x, week.accuracy?.interval.high)));
        let right = || {
            known
                .iter()
                .filter_map(|(x, week)| Some((*x, week.accuracy?.accuracy)))
        };
        let step = self.weeks.len().div_ceil(MARKS);
        let marks = self.weeks.iter().step_by(step).filter_map(|week| {
            let text = week.week.get(5..).unwrap_or_default().to_owned();
            Some((place(begins(&week.week)?), text))
        });
        let text = format!(
            "Estimated share of right predictions by the week in which they were made, at most {WEEKS_KEPT} weeks, each \
             prediction weighted by its chance of being asked about. A numbered line is a model that came into service."
        );
        let axes = ("Week from (UTC)", "Right");
        let chart = Chart::over_time("Live accuracy over time", &text, axes, marks, self.weeks_table());
        let events = self
            .versions
            .iter()
            .map(|version| (place(version.at), version.mark.clone()));
        Some(
            chart
                .with_line(Line::through("band", "95 % interval", low.chain(high.rev())))
                .with_line(Line::through("first", "right predictions", right()))
                .with_dots(right())
                .with_events(events.filter(|(place, _)| *place <= 1.0)),
        )
    }

    fn weeks_table(&self) -> Table {
        let unknown = || "not known".to_owned();
        let row = |week: &Week| {
            let accuracy = week.accuracy;
            let interval =
                accuracy.map(|it| format!("{} to {}", percent(it.interval.low), percent(it.interval.high)));
            let confidence = week.confidence.map(|confidence| percent(confidence.mean));
            vec![
                Cell::text(&week.week),
                Cell::text(accuracy.map_or_else(unknown, |it| percent(it.accuracy))),
                Cell::text(interval.unwrap_or_else(unknown)),
                Cell::text(week.judged.to_string()),
                Cell::text(accuracy.map_or(0, |it| it.audited).to_string()),
                Cell::text(confidence.unwrap_or_else(unknown)),
            ]
        };
        Table {
            caption: "Live accuracy by week, the newest first".to_owned(),
            head: vec![
                "Week from",
                "Right",
                "95 % interval",
                "Judged",
                "Audits",
                "Mean confidence",
            ],
            rows: self.weeks.iter().rev().map(row).collect(),
        }
    }

    fn versions_table(&self) -> Table {
        let row = |version: &VersionMark| {
            vec![
                Cell::text(&version.mark),
                Cell::text(&version.version),
                Cell::text(version.at.format("%Y-%m-%d %H:%M UTC").to_string()),
                Cell::text(&version.by),
            ]
        };
        Table {
            caption: "Models that came into service in these weeks".to_owned(),
            head: vec!["Mark", "Model", "Since", "By"],
            rows: self.versions.iter().map(row).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use active_learning_core::statistics::Interval;

    fn week(mean: f64) -> Week {
        Week {
            week: "2026-11-23".to_owned(),
            judged: 40,
            accuracy: None,
            confidence: Some(MeanConfidence {
                mean,
                interval: Interval {
                    low: mean - 0.05,
                    high: mean + 0.05,
                },
                judged: 40,
            }),
        }
    }

    #[test]
    fn a_fall_of_the_confidence_is_told_from_chance_and_what_is_missing_is_said() {
        let drift = |built, week| Drift::of(built, week);

        let fell = drift(Some(0.8), Some(week(0.6)));
        assert_eq!(
            fell.text,
            "-20.0 points: it is less sure of what comes now than of what it was tested on"
        );
        assert!((fell.change.expect("both are known") + 0.2).abs() < 1e-12);
        assert_eq!(
            drift(Some(0.8), Some(week(0.78))).text,
            "-2.0 points, which may be chance"
        );
        assert!(drift(Some(0.8), Some(week(0.9))).text.contains("surer"));
        assert!(drift(Some(0.8), None).text.contains("ten judged predictions"));
        assert!(
            drift(None, Some(week(0.8)))
                .text
                .contains("left no mean confidence")
        );
    }

    #[test]
    fn what_is_missing_for_an_advice_is_said_with_its_numbers() {
        let audits = |audited, wrong| AuditCounts { audited, wrong };

        assert!(advice_in_words(None, audits(0, 0)).contains("AuditSampleRate"));
        let few = advice_in_words(None, audits(40, 1));
        assert!(
            few.contains("of 40 audited predictions 1 is wrong") && few.contains("at least 86 above"),
            "{few}"
        );
    }
}
