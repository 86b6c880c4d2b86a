//! Charts of shares against shares, drawn by the server: lines and dots in a square from 0 to 1.

use super::table::{Cell, Table};

/// Width and height of the square, in units of the drawing.
const SIDE: f64 = 300.0;
/// Distance of the square from the left and the top of the drawing.
const MARGIN: f64 = 50.0;

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
    /// Marks of both axes: place across, place upwards, text.
    pub marks: Vec<(String, String, String)>,
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
        let marks = [0.0, 0.25, 0.5, 0.75, 1.0].into_iter();
        let marks = marks.map(|share| {
            let text = format!("{:.0} %", share * 100.0);
            (
                format!("{:.1}", across(share)),
                format!("{:.1}", upwards(share)),
                text,
            )
        });
        Self {
            title: title.to_owned(),
            description: description.to_owned(),
            across: axes.0,
            upwards: axes.1,
            lines: Vec::new(),
            dots: Vec::new(),
            marks: marks.collect(),
            table,
        }
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
