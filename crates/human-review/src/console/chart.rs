//! Charts drawn by the server, lines and dots in a square: of shares against shares, and of numbers by day.

use super::table::{Cell, Table};

/// Width and height of the square, in units of the drawing.
const SIDE: f64 = 300.0;
/// Distance of the square from the left and the top of the drawing.
const MARGIN: f64 = 50.0;
/// Where marks stand, in shares of a side.
const QUARTERS: [f64; 5] = [0.0, 0.25, 0.5, 0.75, 1.0];

/// A chart, with what it shows as a table.
#[derive(Debug)]
pub(super) struct Chart {
    pub title: String,
    /// What it shows, for who does not see it.
    pub description: String,
    pub across: &'static str,
    pub upwards: &'static str,
    pub lines: Vec<Line>,
    pub dots: Vec<(String, String)>,
    /// Lines from top to bottom, each with what is written over it: place and text.
    pub events: Vec<(String, String)>,
    /// Marks of the axis across: place and text.
    pub across_marks: Vec<(String, String)>,
    /// Marks of the axis upwards: place and text.
    pub upwards_marks: Vec<(String, String)>,
    pub table: Table,
}

/// A line through points.
#[derive(Debug)]
pub(super) struct Line {
    /// Names its class in the style sheet.
    pub kind: &'static str,
    /// What it stands for.
    pub name: &'static str,
    pub points: String,
}

impl Line {
    /// Draws a line through points, each across and upwards from 0 to 1.
    pub(super) fn through(
        kind: &'static str,
        name: &'static str,
        points: impl Iterator<Item = (f64, f64)>,
    ) -> Self {
        let points = points.map(|(x, y)| format!("{:.1},{:.1}", across(x), upwards(y)));
        let points: Vec<String> = points.collect();
        Self {
            kind,
            name,
            points: points.join(" "),
        }
    }
}

impl Chart {
    /// Returns an empty chart with its axes.
    pub(super) fn new(
        title: &str,
        description: &str,
        axes: (&'static str, &'static str),
        table: Table,
    ) -> Self {
        let text = |share: f64| format!("{:.0} %", share * 100.0);
        let across_marks = QUARTERS.map(|share| (format!("{:.1}", across(share)), text(share)));
        let upwards_marks = QUARTERS.map(|share| (format!("{:.1}", upwards(share)), text(share)));
        Self {
            title: title.to_owned(),
            description: description.to_owned(),
            across: axes.0,
            upwards: axes.1,
            lines: Vec::new(),
            dots: Vec::new(),
            events: Vec::new(),
            across_marks: across_marks.into(),
            upwards_marks: upwards_marks.into(),
            table,
        }
    }

    /// Returns an empty chart of numbers by day, with marks at each third day and up to at least `most`; also returns what
    /// the top stands for.
    pub(super) fn of_days(
        title: &str,
        description: &str,
        upwards_name: &'static str,
        (days, most): (&[&str], u64),
        table: Table,
    ) -> (Self, f64) {
        let marked = days.iter().enumerate().rev().step_by(3);
        let marks = marked.map(|(number, day)| (number, day.get(5..).unwrap_or(day).to_owned()));
        let marks: Vec<_> = marks.collect();
        let axes = ("Day (UTC)", upwards_name);
        Self::of_counts((title, description), axes, (days.len(), &marks), most, table)
    }

    /// Returns an empty chart of numbers by a number of times, with these marks across, each at the number of its time, and up
    /// to at least `most`; also returns what the top stands for.
    pub(super) fn of_counts(
        (title, description): (&str, &str),
        (across_name, upwards_name): (&'static str, &'static str),
        (times, marks): (usize, &[(usize, String)]),
        most: u64,
        table: Table,
    ) -> (Self, f64) {
        let step = step_up_to(most);
        let across_marks = marks.iter().map(|(number, text)| {
            let place = across(share_of_day(*number, times));
            (format!("{place:.1}"), text.clone())
        });
        let upwards_marks = (0_u32..).zip(QUARTERS).map(|(number, share)| {
            let text = (step * u64::from(number)).to_string();
            (format!("{:.1}", upwards(share)), text)
        });
        let chart = Self {
            title: title.to_owned(),
            description: description.to_owned(),
            across: across_name,
            upwards: upwards_name,
            lines: Vec::new(),
            dots: Vec::new(),
            events: Vec::new(),
            across_marks: across_marks.collect(),
            upwards_marks: upwards_marks.collect(),
            table,
        };
        (chart, (step * 4) as f64)
    }

    /// Returns an empty chart of shares over time, with these marks across: places from 0 to 1, and texts.
    pub(super) fn over_time(
        title: &str,
        description: &str,
        axes: (&'static str, &'static str),
        marks: impl Iterator<Item = (f64, String)>,
        table: Table,
    ) -> Self {
        let marks = marks.map(|(place, text)| (format!("{:.1}", across(place)), text));
        Self {
            across_marks: marks.collect(),
            ..Self::new(title, description, axes, table)
        }
    }

    /// Adds lines from top to bottom at places from 0 to 1, with what is written over them.
    pub(super) fn with_events(mut self, events: impl Iterator<Item = (f64, String)>) -> Self {
        let events = events.map(|(place, text)| (format!("{:.1}", across(place)), text));
        self.events.extend(events);
        self
    }

    /// Adds dots, each across and upwards from 0 to 1.
    pub(super) fn with_dots(mut self, dots: impl Iterator<Item = (f64, f64)>) -> Self {
        let dots = dots.map(|(x, y)| (format!("{:.1}", across(x)), format!("{:.1}", upwards(y))));
        self.dots.extend(dots);
        self
    }

    /// Adds a line.
    pub(super) fn with_line(mut self, line: Line) -> Self {
        self.lines.push(line);
        self
    }
}

/// Returns where a day stands across, from 0 to 1.
pub(super) fn share_of_day(number: usize, days: usize) -> f64 {
    number as f64 / days.saturating_sub(1).max(1) as f64
}

/// Returns the smallest step of 1, 2 or 5, or these with noughts, of which four reach `most`.
fn step_up_to(most: u64) -> u64 {
    let steps = (0..18).flat_map(|noughts| [1, 2, 5].map(|step| step * 10_u64.pow(noughts)));
    let mut reaching = steps.filter(|step| step.saturating_mul(4) >= most);
    reaching.next().unwrap_or(most)
}

fn across(share: f64) -> f64 {
    MARGIN + share.clamp(0.0, 1.0) * SIDE
}

fn upwards(share: f64) -> f64 {
    MARGIN + (1.0 - share.clamp(0.0, 1.0)) * SIDE
}

/// Writes a share in percent.
pub(super) fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// Writes a share in percent, or that it is not known.
pub(super) fn percent_cell(share: Option<f64>) -> Cell {
    Cell::text(share.map_or_else(|| "not known".to_owned(), percent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_marks_of_a_chart_of_days_are_round_and_reach_the_greatest_number() {
        let steps = [0, 3, 4, 5, 21, 80, 1_700].map(step_up_to);

        assert_eq!(steps, [1, 1, 1, 2, 10, 20, 500]);
    }

    #[test]
    fn the_last_day_stands_at_the_right_end_also_if_it_is_the_only_one() {
        assert_eq!((share_of_day(0, 14), share_of_day(13, 14)), (0.0, 1.0));
        assert_eq!(share_of_day(0, 1), 0.0);
    }
}
