//! How the stack is doing.

use active_learning_aws::model_classes::label_differences;
use active_learning_aws::overview::{Activity, ActivityDay, ActivityHour, Overview, Places};

use super::chart::{Chart, Line, share_of_day};
use super::page::Block;
use super::table::{Cell, Table};
use super::{Console, ConsoleError, View};

/// Hours between two marks of the chart of hours.
const HOURS_BETWEEN_MARKS: usize = 12;

impl Console<'_> {
    pub(super) async fn overview(&self) -> Result<View, ConsoleError> {
        let places = Places {
            training: self.training,
            feedback: self.feedback,
            review: Some(self.review),
        };
        let overview = Overview::read(places, self.now).await?;
        let figures = overview.figures().into_iter();
        let figures = figures.map(|(name, value)| (name.to_owned(), value));

        let mut blocks = vec![Block::Figures(figures.collect())];
        blocks.extend(overview.missing_figures().into_iter().map(Block::text));
        blocks.extend(overview.template_problems().into_iter().map(Block::text));
        if let Some(serving) = &overview.serving {
            let differences = label_differences(self.training, &serving.model_arn).await?;
            blocks.extend(differences.into_iter().map(Block::text));
        }
        for file in &overview.refused_files {
            let state = if file.waits { "waits" } else { "was refused" };
            blocks.push(Block::text(format!("{} {state}: {}", file.key, file.reason)));
        }
        let activity = overview.activity.as_ref();
        blocks.extend(activity.map(|activity| Block::Chart(by_day(activity))));
        blocks.extend(activity.map(|activity| Block::Chart(by_hour(&activity.hours))));
        blocks.push(Block::text(
            "A + says that there is more than one page of a thousand keys, which is not counted. \
             Reviewed texts, answered texts and live accuracy are as of the last look of the function that builds models, \
             which is every five minutes.",
        ));
        Ok(View {
            title: "Overview".to_owned(),
            blocks,
            json: super::to_json(&overview),
        })
    }
}

/// Draws what came and what was answered on each day.
fn by_day(activity: &Activity) -> Chart {
    let days: Vec<&str> = activity.days.iter().map(|day| day.day.as_str()).collect();
    let counts = activity.days.iter().map(|day| (day.arrived, day.answered));
    let counts: Vec<(u64, u64)> = counts.collect();
    let text = "Texts that came for review and texts that were answered, by day. Today is not over. Copies of a text, and \
                texts that were asked before, do not count; an answer counts when a human loop has decided its text.";
    let empty = Chart::of_days(
        "Texts a day",
        text,
        "Texts",
        (&days, most(&counts)),
        table(activity),
    );
    with_lines(empty, &counts)
}

/// Draws what came and what was answered in each hour.
fn by_hour(hours: &[ActivityHour]) -> Chart {
    let counts: Vec<(u64, u64)> = hours.iter().map(|hour| (hour.arrived, hour.answered)).collect();
    let marked = hours.iter().enumerate().rev().step_by(HOURS_BETWEEN_MARKS);
    let marks = marked.map(|(number, hour)| (number, in_short(&hour.hour)));
    let marks: Vec<(usize, String)> = marks.collect();
    let text = "The same by hour, of the last 48 hours. This hour is not over.";
    let empty = Chart::of_counts(
        ("Texts an hour", text),
        ("Hour (UTC)", "Texts"),
        (hours.len(), &marks),
        most(&counts),
        hours_table(hours),
    );
    with_lines(empty, &counts)
}

fn most(counts: &[(u64, u64)]) -> u64 {
    let both = counts
        .iter()
        .flat_map(|(arrived, answered)| [*arrived, *answered]);
    both.max().unwrap_or_default()
}

/// Draws what came and what was answered into an empty chart, whose top stands for a number: time after time.
fn with_lines((chart, top): (Chart, f64), counts: &[(u64, u64)]) -> Chart {
    let points = |count: fn(&(u64, u64)) -> u64| {
        let point = move |(number, both)| (share_of_day(number, counts.len()), count(both) as f64 / top);
        counts.iter().enumerate().map(point)
    };
    chart
        .with_line(Line::through("first", "came for review", points(|both| both.0)))
        .with_line(Line::through("second", "answered", points(|both| both.1)))
}

/// Writes `2026-11-30T14` as `11-30 14 h`.
fn in_short(hour: &str) -> String {
    match hour.get(5..).and_then(|hour| hour.split_once('T')) {
        Some((day, hour)) => format!("{day} {hour} h"),
        None => hour.to_owned(),
    }
}

/// Lists the hours in which something happened.
fn hours_table(hours: &[ActivityHour]) -> Table {
    let row = |hour: &ActivityHour| {
        vec![
            Cell::text(in_short(&hour.hour)),
            Cell::text(hour.arrived.to_string()),
            Cell::text(hour.answered.to_string()),
        ]
    };
    let busy = hours.iter().rev().filter(|hour| hour.arrived + hour.answered > 0);
    Table {
        caption: "Texts an hour, the newest first, without the hours of which there is nothing to tell"
            .to_owned(),
        head: vec!["Hour (UTC)", "Came for review", "Answered"],
        rows: busy.map(row).collect(),
    }
}

fn table(activity: &Activity) -> Table {
    let row = |day: &ActivityDay| {
        let by = day.arrived_by.iter().map(|(signal, count)| {
            let name = super::to_json(signal);
            format!("{}: {count}", name.as_str().unwrap_or_default())
        });
        vec![
            Cell::text(&day.day),
            Cell::text(day.arrived.to_string()),
            Cell::text(day.answered.to_string()),
            Cell::text(by.collect::<Vec<_>>().join(", ")),
        ]
    };
    Table {
        caption: "Texts a day, the newest first".to_owned(),
        head: vec!["Day (UTC)", "Came for review", "Answered", "Came by"],
        rows: activity.days.iter().rev().map(row).collect(),
    }
}
