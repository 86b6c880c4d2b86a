//! Learning curves as SVG: lines of means with bands of their 95 % intervals, readable on light and dark pages.

use std::fmt::Write as _;

use active_learning_core::sampling::query_strategy::QueryStrategy;

use super::{
    replay::Way,
    summary::{Curve, Mean, MeanPoint, Summary},
};

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 460.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 44.0;
const BOTTOM: f64 = 56.0;
/// Height of a line of the legend.
const LINE: f64 = 20.0;

/// Text and grid follow the page's colours where the viewer says whether it is dark.
const STYLE: &str = "<style>text{font:13px system-ui,sans-serif;fill:#24292f}.title{font-size:16px;font-weight:600}\
    .grid{stroke:#8c959f;stroke-opacity:.35}.curve{fill:none;stroke-linejoin:round}\
    .band{fill-opacity:.16}@media(prefers-color-scheme:dark){text{fill:#e6edf3}}</style>";

/// Where values lie on the paper.
struct Scale {
    labels: (f64, f64),
    values: (f64, f64),
}

impl Scale {
    fn x(&self, labels: f64) -> f64 {
        let (low, high) = self.labels;
        LEFT + (labels - low) / (high - low) * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, value: f64) -> f64 {
        let (low, high) = self.values;
        HEIGHT - BOTTOM - (value - low) / (high - low) * (HEIGHT - TOP - BOTTOM)
    }
}

/// Draws one metric of all strategies.
pub(super) fn svg(title: &str, summary: &Summary, metric: impl Fn(&MeanPoint) -> &Mean) -> String {
    let points = || summary.curves.iter().flat_map(|curve| &curve.points);
    let ends = |point: &MeanPoint| {
        let Mean { mean, half } = *metric(point);
        let half = half.unwrap_or(0.0);
        ((mean - half).max(0.0), (mean + half).min(1.0))
    };
    let low = points().map(|point| ends(point).0).fold(1.0, f64::min);
    let high = points().map(|point| ends(point).1).fold(0.0, f64::max);
    let most = points().map(|point| point.labels).max().unwrap_or(1);
    let scale = Scale {
        labels: (0.0, most as f64),
        values: ((low * 20.0).floor() / 20.0, ((high * 20.0).floor() + 1.0) / 20.0),
    };
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\">\
         <title>{title} by number of labels</title>{STYLE}\
         <text class=\"title\" x=\"{LEFT}\" y=\"24\">{title} on held-out texts</text>"
    );
    axes(&mut svg, &scale);
    for curve in &summary.curves {
        draw(&mut svg, &scale, curve, &metric, ends);
    }
    legend(&mut svg, summary);
    svg + "</svg>\n"
}

fn axes(svg: &mut String, scale: &Scale) {
    let (bottom, right) = (HEIGHT - BOTTOM, WIDTH - RIGHT);
    let (low, high) = scale.values;
    let step = step(high - low, 8.0);
    for tick in ticks(low, high, step) {
        let y = scale.y(tick);
        // Writing to a string cannot fail.
        let _ = write!(
            svg,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
             <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{:.0} %</text>",
            LEFT - 8.0,
            y + 4.5,
            100.0 * tick
        );
    }
    for tick in ticks(0.0, scale.labels.1, self::step(scale.labels.1, 10.0)) {
        let x = scale.x(tick);
        let _ = write!(
            svg,
            "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{bottom}\" y2=\"{}\"/>\
             <text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{tick:.0}</text>",
            bottom + 5.0,
            bottom + 20.0
        );
    }
    let _ = write!(
        svg,
        "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">labels</text>",
        f64::midpoint(LEFT, right),
        HEIGHT - 12.0
    );
}

/// Returns 1, 2 or 5 times a power of ten so that there are at most `most` steps.
fn step(range: f64, most: f64) -> f64 {
    let least = range / most;
    let power = 10_f64.powf(least.log10().floor());
    let factors = [1.0, 2.0, 5.0, 10.0];
    let factor = factors
        .into_iter()
        .find(|factor| factor * power >= least * (1.0 - 1e-9));
    factor.unwrap_or(10.0) * power
}

fn ticks(low: f64, high: f64, step: f64) -> impl Iterator<Item = f64> {
    let first = (low / step - 1e-9).ceil();
    (0..)
        .map(move |count| (first + f64::from(count)) * step)
        .take_while(move |tick| *tick <= high + step * 1e-9)
}

fn draw(
    svg: &mut String,
    scale: &Scale,
    curve: &Curve,
    metric: impl Fn(&MeanPoint) -> &Mean,
    ends: impl Fn(&MeanPoint) -> (f64, f64),
) {
    let place = |labels: usize, value: f64| format!("{:.1},{:.1}", scale.x(labels as f64), scale.y(value));
    let lower = curve
        .points
        .iter()
        .map(|point| place(point.labels, ends(point).0));
    let upper = curve
        .points
        .iter()
        .map(|point| place(point.labels, ends(point).1));
    let band: Vec<String> = lower.chain(upper.rev()).collect();
    let line: Vec<String> = curve
        .points
        .iter()
        .map(|point| place(point.labels, metric(point).mean))
        .collect();
    let (colour, dashes, width) = look(curve.way);
    let _ = write!(
        svg,
        "<polygon class=\"band\" fill=\"{colour}\" points=\"{}\"/>\
         <polyline class=\"curve\" stroke=\"{colour}\" stroke-width=\"{width}\" stroke-dasharray=\"{dashes}\" points=\"{}\"/>",
        band.join(" "),
        line.join(" ")
    );
}

/// In the corner at the bottom right: learning curves rise and leave it free.
fn legend(svg: &mut String, summary: &Summary) {
    let lines = summary.curves.len() as f64;
    for (index, curve) in summary.curves.iter().enumerate() {
        let y = HEIGHT - BOTTOM - 14.0 - LINE * (lines - 1.0 - index as f64);
        let (colour, dashes, width) = look(curve.way);
        let _ = write!(
            svg,
            "<line class=\"curve\" stroke=\"{colour}\" stroke-width=\"{width}\" stroke-dasharray=\"{dashes}\" x1=\"{}\" x2=\"{}\" \
             y1=\"{:.1}\" y2=\"{:.1}\"/><text x=\"{}\" y=\"{y:.1}\">{}</text>",
            WIDTH - RIGHT - 172.0,
            WIDTH - RIGHT - 136.0,
            y - 4.5,
            y - 4.5,
            WIDTH - RIGHT - 126.0,
            curve.way
        );
    }
}

/// Returns colour, dashes and width, which is that of the encoder: told apart on light and dark ground, by colour-blind readers and in print.
/// Source: M. Okabe and K. Ito, "Color Universal Design" (2008).
fn look(way: Way) -> (&'static str, &'static str, f64) {
    let (colour, dashes) = match way.strategy {
        QueryStrategy::Representative => ("#0072b2", "none"),
        QueryStrategy::Margin => ("#d55e00", "7 3"),
        QueryStrategy::LeastConfidence => ("#cc79a7", "3 3"),
        QueryStrategy::Entropy => ("#009e73", "9 3 2 3"),
        QueryStrategy::ClassBalanced => ("#e69f00", "12 3"),
        QueryStrategy::Diversity => ("#56b4e9", "2 2"),
        QueryStrategy::Random => ("#808080", "none"),
    };
    (colour, dashes, if way.encoder { 3.6 } else { 1.8 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::summary::tests::{plain, replay};

    #[test]
    fn the_plot_has_a_line_and_a_band_for_each_strategy_within_the_paper() {
        let ways = [QueryStrategy::Representative, QueryStrategy::Random].map(plain);
        let replays = [
            replay(QueryStrategy::Representative, 0, &[0.4, 0.9, 1.0]),
            replay(QueryStrategy::Representative, 1, &[0.2, 0.8, 1.0]),
            replay(QueryStrategy::Random, 0, &[0.4, 0.5, 0.6]),
            replay(QueryStrategy::Random, 1, &[0.4, 0.5, 0.6]),
        ];

        let svg = svg(
            "Accuracy",
            &Summary::of(&ways, &replays, &replays[0].points),
            |point| &point.accuracy,
        );

        for (part, count) in [
            ("<polyline", 2),
            ("<polygon", 2),
            (">random</text>", 1),
            (">100 %</text>", 1),
        ] {
            assert_eq!(svg.matches(part).count(), count, "{part}\n{svg}");
        }
        let points = svg.split("points=\"").skip(1).flat_map(|rest| {
            let (points, _) = rest.split_once('"').expect("an attribute ends");
            points.split([' ', ',']).collect::<Vec<_>>()
        });
        let numbers: Vec<f64> = points.map(|number| number.parse().expect("a number")).collect();
        assert!(
            numbers.iter().all(|number| (0.0..=WIDTH).contains(number)),
            "{numbers:?}"
        );
    }

    #[test]
    fn ticks_are_round_numbers() {
        let between = |low, high, most| {
            let ticks: Vec<f64> = ticks(low, high, step(high - low, most)).collect();
            ticks
        };

        assert_eq!(
            between(0.0, 525.0, 10.0),
            [0.0, 100.0, 200.0, 300.0, 400.0, 500.0]
        );
        assert_eq!(between(0.0, 3.0, 10.0).len(), 7);
        assert_eq!(between(0.5, 1.0, 8.0).len(), 6);
    }
}
