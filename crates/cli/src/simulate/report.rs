//! The answers, as text and as JSON.

use serde_json::{Value, json};

use super::{
    replay::{THRESHOLDS, Trusted, Way},
    stream::{Stream, Texts},
    summary::{Curve, Mean, Summary},
};

use crate::wording::{counted, counted_as};

/// Accuracies for which the labels are counted, in percent.
const TARGETS: [u8; 10] = [50, 60, 70, 75, 80, 85, 90, 95, 98, 99];
/// Shares of the accuracy with all labels for which the labels are counted, in percent.
const SHARES: [u8; 4] = [80, 90, 95, 100];
/// Accuracies of trusted predictions for which a threshold is named, in percent.
const PROMISES: [u8; 3] = [90, 95, 99];

/// What the confidence is not told of in a replay.
const NO_AUDITS: &str = "Each held-out text counts once. Audits are not replayed: in production they come out of the traffic, and \
                         the confidence is learned from them too.\n";

/// Says what is about to be replayed.
pub(super) fn opening(texts: &Texts, streams: &[Stream], imbalance: f64, labels: usize) -> String {
    let sizes = |size: fn(&Stream) -> usize| {
        let sizes = streams.iter().map(size);
        let (least, most) = (sizes.clone().min().unwrap_or(0), sizes.max().unwrap_or(0));
        if least == most {
            least.to_string()
        } else {
            format!("{least} to {most}")
        }
    };
    let (to_label, to_test) = (
        sizes(|stream| stream.pool.len()),
        sizes(|stream| stream.test.len()),
    );
    let Texts {
        rows,
        copies,
        near_copies,
        ..
    } = texts;
    let imbalance = if imbalance > 1.0 {
        format!("; thinned to {imbalance}:1, another class being the rarest with each seed")
    } else {
        String::new()
    };
    format!(
        "{}: {} and {} of test texts are left out{imbalance}.\n\
         {to_label} texts to label, {to_test} to test on; up to {}.",
        counted(*rows, "row"),
        counted_as(*copies, "copy", "copies"),
        counted_as(*near_copies, "near copy", "near copies"),
        counted(labels, "label")
    )
}

/// Says what came out.
pub(super) fn text(summary: &Summary) -> String {
    let mut parts = vec![
        format!(
            "Accuracy in percent on held-out texts, by labels: {}\n{}",
            mean_of(summary.seeds),
            curves(summary, |point| Some(point.accuracy))
        ),
        format!(
            "Macro F1, likewise\n{}",
            curves(summary, |point| Some(point.macro_f1))
        ),
        format!(
            "What is the confidence worth? Its calibration error (ECE) in percent on held-out texts\n{}{NO_AUDITS}",
            curves(summary, |point| Some(point.calibration_error))
        ),
        format!(
            "How well it tells right from wrong (AUROC; 50 is chance, – where all were right or all wrong), likewise\n{}",
            curves(summary, |point| point.auroc)
        ),
        format!("How many labels do I need?\n{}", labels_needed(summary)),
        of_all_labels(summary),
        format!("Which strategy?\n{}", which_strategy(summary)),
        format!("What threshold?\n{}", what_threshold(summary)),
    ];
    let worth = what_the_encoder_is_worth(summary);
    if !worth.is_empty() {
        parts.insert(
            parts.len() - 1,
            format!("What is the text encoder worth?\n{worth}"),
        );
    }
    parts.join("\n")
}

fn mean_of(seeds: usize) -> String {
    if seeds == 1 {
        "one replay, which says nothing of chance".to_owned()
    } else {
        format!("mean of {seeds} replays, ± its 95 % interval over them")
    }
}

fn curves(summary: &Summary, metric: fn(&super::summary::MeanPoint) -> Option<Mean>) -> String {
    let mut rows = vec![header(summary, "labels")];
    for (index, point) in summary.curves[0].points.iter().enumerate() {
        let cells = summary.curves.iter().map(|curve| {
            let Some(Mean { mean, half }) = metric(&curve.points[index]) else {
                return "–".to_owned();
            };
            half.map_or(percent(mean), |half| {
                format!("{} ± {}", percent(mean), percent(half))
            })
        });
        rows.push([point.labels.to_string()].into_iter().chain(cells).collect());
    }
    table(&rows)
}

fn labels_needed(summary: &Summary) -> String {
    let mut rows = vec![header(summary, "accuracy")];
    for target in TARGETS {
        let needed = summary
            .curves
            .iter()
            .map(|curve| curve.labels_for(f64::from(target) / 100.0));
        if needed.clone().flatten().count() == 0 {
            break;
        }
        rows.push(
            [format!("{target} %")]
                .into_iter()
                .chain(needed.map(reached))
                .collect(),
        );
    }
    table(&rows)
}

/// Says how many labels give how much of what all labels give.
fn of_all_labels(summary: &Summary) -> String {
    let all = &summary.all;
    let mut rows = vec![header(summary, "share of that")];
    for share in SHARES {
        let target = f64::from(share) / 100.0 * all.accuracy.mean;
        let needed = summary.curves.iter().map(|curve| curve.labels_for(target));
        rows.push(
            [format!("{share} %")]
                .into_iter()
                .chain(needed.map(reached))
                .collect(),
        );
    }
    format!(
        "All {} labels{} give {} %. How many give how much of it?\n{}",
        all.labels,
        if has_encoder(summary) {
            ", with the text encoder,"
        } else {
            ""
        },
        percent(all.accuracy.mean),
        table(&rows)
    )
}

fn reached(labels: Option<f64>) -> String {
    labels.map_or("not reached".to_owned(), |labels| format!("{labels:.0}"))
}

fn which_strategy(summary: &Summary) -> String {
    let best = summary.best();
    let mut text = format!(
        "{} is best on average over all numbers of labels ({} %).\n",
        best.way,
        percent(best.average())
    );
    let looks: &[bool] = match has_encoder(summary) {
        true => &[true, false],
        false => &[false],
    };
    for &encoder in looks {
        let Some(random) = summary.random(encoder) else {
            return text + "Replay random as well to see what choosing is worth.\n";
        };
        for curve in &summary.curves {
            if curve.way.encoder == encoder && curve.way != random.way {
                text += &against(curve, random);
            }
        }
    }
    text
}

fn has_encoder(summary: &Summary) -> bool {
    summary.curves.iter().any(|curve| curve.way.encoder)
}

/// Says of each strategy what it gains by the encoder.
fn what_the_encoder_is_worth(summary: &Summary) -> String {
    let with = summary.curves.iter().filter(|curve| curve.way.encoder);
    with.filter_map(|curve| {
        let without = Way {
            encoder: false,
            ..curve.way
        };
        Some(against(curve, summary.curve(without)?))
    })
    .collect()
}

fn against(curve: &Curve, other: &Curve) -> String {
    let (way, than, last) = (curve.way, other.way, other.last());
    let reached = match curve.labels_for(last.accuracy.mean) {
        Some(labels) => format!(
            "reaches with {labels:.0} labels the {} % that {than} reaches with {}, {} % fewer",
            percent(last.accuracy.mean),
            last.labels,
            (100.0 * (1.0 - labels / last.labels as f64)).round()
        ),
        None => format!("does not reach the {} % of {than}", percent(last.accuracy.mean)),
    };
    match curve.worst_against(other) {
        Some((gap, labels)) => format!(
            "{way} {reached}; at worst it is {} points below, with {labels} labels.\n",
            percent(gap)
        ),
        None => format!("{way} {reached}; it is nowhere below.\n"),
    }
}

fn what_threshold(summary: &Summary) -> String {
    let best = summary.best();
    let or_none = |share: Option<f64>| share.map_or("none".to_owned(), percent);
    let mut rows = vec![
        [
            "threshold",
            "% to people",
            "% right of the rest",
            "% of errors caught",
        ]
        .map(str::to_owned)
        .to_vec(),
    ];
    for (threshold, trusted) in THRESHOLDS.iter().zip(&best.trusted) {
        rows.push(vec![
            (*threshold).to_owned(),
            percent(trusted.reviewed),
            or_none(trusted.accuracy),
            or_none(trusted.errors_caught),
        ]);
    }
    let mut text = format!(
        "The last models of {}, with {} labels; people see what does not exceed the threshold:\n{}",
        best.way,
        best.last().labels,
        table(&rows)
    );
    for promise in PROMISES {
        let kept = |index: &usize| {
            let accuracy = best.trusted[*index].accuracy;
            accuracy.is_some_and(|accuracy| accuracy >= f64::from(promise) / 100.0)
        };
        text += &match (0..THRESHOLDS.len()).find(kept) {
            Some(index) => format!(
                "{promise} % right without people: threshold {}, people see {} %.\n",
                THRESHOLDS[index],
                percent(best.trusted[index].reviewed)
            ),
            None => format!("{promise} % right without people: no threshold here; more labels are needed.\n"),
        };
    }
    text + "These are averages; `advise` finds a threshold that keeps a promise.\n"
}

fn header(summary: &Summary, first: &str) -> Vec<String> {
    let ways = summary.curves.iter().map(|curve| curve.way.to_string());
    [first.to_owned()].into_iter().chain(ways).collect()
}

fn percent(share: f64) -> String {
    format!("{:.1}", 100.0 * share)
}

/// Aligns the columns to the right.
fn table(rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..rows[0].len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row
            .iter()
            .zip(&widths)
            .map(|(cell, &width)| format!("{cell:>width$}"));
        cells.collect::<Vec<_>>().join("   ") + "\n"
    };
    rows.iter().map(line).collect()
}

/// Returns what all replays say, for programs; shares are from 0 to 1.
pub(super) fn json(summary: &Summary) -> Value {
    let curves = summary.curves.iter().map(|curve| {
        json!({
            "strategy": curve.way.strategy.name(),
            "encoder": curve.way.encoder,
            "points": curve.points,
            "thresholds": THRESHOLDS.iter().zip(&curve.trusted).map(at_threshold).collect::<Vec<_>>(),
        })
    });
    let best = summary.best().way;
    json!({
        "replays": summary.seeds,
        "allLabels": summary.all,
        "best": { "strategy": best.strategy.name(), "encoder": best.encoder },
        "strategies": curves.collect::<Vec<_>>(),
    })
}

fn at_threshold((threshold, trusted): (&&str, &Trusted)) -> Value {
    let threshold: f64 = threshold.parse().expect("thresholds are numbers");
    json!({
        "threshold": threshold,
        "reviewed": trusted.reviewed,
        "accuracy": trusted.accuracy,
        "errorsCaught": trusted.errors_caught,
    })
}

#[cfg(test)]
pub(super) mod tests {
    use active_learning_core::sampling::query_strategy::QueryStrategy;

    use super::*;
    use crate::simulate::{
        replay::Replay,
        summary::tests::{plain, replay},
    };

    pub fn replays() -> Vec<Replay> {
        vec![
            replay(QueryStrategy::Margin, 0, &[0.5, 0.7, 0.9]),
            replay(QueryStrategy::Margin, 1, &[0.5, 0.7, 0.9]),
            replay(QueryStrategy::Random, 0, &[0.5, 0.75, 0.8]),
            replay(QueryStrategy::Random, 1, &[0.5, 0.75, 0.8]),
        ]
    }

    pub fn summary() -> Summary {
        let all = &replays()[0].points[2..];
        let ways = [QueryStrategy::Margin, QueryStrategy::Random].map(plain);
        Summary::of(&ways, &replays(), all)
    }

    #[test]
    fn the_answers_are_in_plain_words() {
        let text = text(&summary());

        for line in [
            "labels       margin       random\n",
            "    40   70.0 ± 0.0   75.0 ± 0.0\n",
            "    80 %       50            60\n".trim_start(),
            "All 60 labels give 90.0 %. How many give how much of it?\n",
            "        80 %       42            38\n",
            "       100 %       60   not reached\n",
            "margin is best on average over all numbers of labels (70.0 %).\n",
            "margin reaches with 50 labels the 80.0 % that random reaches with 60, 17 % fewer; at worst it is 5.0 \
             points below, with 40 labels.\n",
            "Each held-out text counts once. Audits are not replayed: in production they come out of the traffic, and the \
             confidence is learned from them too.\n",
            "90 % right without people: threshold 0, people see 25.0 %.\n",
            "99 % right without people: no threshold here; more labels are needed.\n",
        ] {
            let plain = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(plain(&text).contains(&plain(line)), "{line}\n{text}");
        }
    }

    #[test]
    fn without_random_nothing_is_said_of_what_choosing_is_worth() {
        let summary = Summary::of(
            &[plain(QueryStrategy::Margin)],
            &replays()[..1],
            &replays()[0].points,
        );

        let text = text(&summary);

        assert!(
            text.contains("Replay random as well") && text.contains("one replay"),
            "{text}"
        );
        assert!(!text.contains('±'), "{text}");
    }

    #[test]
    fn json_holds_the_means_with_their_intervals_and_names_the_best() {
        let answers = json(&summary());

        assert_eq!(answers["best"], json!({"strategy": "margin", "encoder": false}));
        assert_eq!(
            (&answers["replays"], &answers["allLabels"]["labels"]),
            (&json!(2), &json!(60))
        );
        let margin = &answers["strategies"][0];
        assert_eq!(margin["strategy"], "margin");
        assert_eq!(margin["points"][1]["labels"], 40);
        assert_eq!(margin["points"][1]["accuracy"], json!({"mean": 0.7, "half": 0.0}));
        assert_eq!(
            margin["thresholds"][1],
            json!({"threshold": 0.5, "reviewed": 0.25, "accuracy": 0.9, "errorsCaught": 0.5})
        );
    }
}
