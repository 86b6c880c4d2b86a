//! What each reviewer did: a row for each member of a page.
//!
//! What was answered and how well is counted with each dataset; what was skipped, and when somebody was active, is in a
//! reviewer's own history. A page reads one report, and a history for each of its members.

use std::collections::BTreeMap;

use active_learning_core::labels::agreement::ReviewerReport;
use chrono::{DateTime, Utc};
use futures::stream::{self, StreamExt, TryStreamExt};
use serde::Serialize;

use super::chart::percent;
use super::table::{Cell, Table};
use super::{Console, ConsoleError};
use crate::agreement_report;
use crate::history::OwnHistory;
use crate::human_loop::Worker;
use crate::members::Listed;

/// Histories that are read at a time.
const READS: usize = 16;
/// What stands where nothing is known.
const UNKNOWN: &str = "not known";

/// What a reviewer did.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Work {
    /// When they answered or skipped last; up to five answers behind.
    last_active_at: Option<DateTime<Utc>>,
    /// Tasks that they answered today; as far behind.
    done_today: u32,
    /// Tasks that they skipped, each once.
    skipped: u64,
    /// Answers, speed and agreement as of the newest dataset; none where they had answered nothing then.
    report: Option<ReviewerReport>,
}

/// What the members of a page did.
pub(super) struct Worked {
    /// The newest dataset; none where none was assembled.
    pub dataset: Option<String>,
    /// In the order of the members.
    pub rows: Vec<Work>,
}

impl Console<'_> {
    /// Returns what these members did.
    pub(super) async fn work_of(&self, members: &[Listed]) -> Result<Worked, ConsoleError> {
        let newest = agreement_report::newest(self.training).await?;
        let (dataset, report) = newest.map_or((None, None), |(version, report)| (Some(version), report));
        let reports = report.map(|report| report.reviewers).unwrap_or_default();
        let read = |listed: &Listed| {
            let worker = Worker::of(&listed.member.name);
            let earlier = listed.member.earlier_ids.iter().flatten().cloned();
            let ids: Vec<String> = earlier.chain([listed.worker_id.clone()]).collect();
            let worker = worker.with_earlier(&ids);
            let report = report_of(&worker, &reports);
            async move {
                let history = self.histories.of(&worker, None, self.now).await?;
                Ok::<_, ConsoleError>(self.work(&history, report))
            }
        };
        let reads: Vec<_> = members.iter().map(read).collect();
        let rows = stream::iter(reads).buffered(READS).try_collect().await?;
        Ok(Worked { dataset, rows })
    }

    fn work(&self, history: &OwnHistory, report: Option<ReviewerReport>) -> Work {
        Work {
            last_active_at: history.active_at(),
            done_today: history.done_on(self.now),
            skipped: history.skipped,
            report,
        }
    }
}

/// Returns the figures of a worker, by whatever id they answered.
fn report_of(worker: &Worker, reports: &BTreeMap<String, ReviewerReport>) -> Option<ReviewerReport> {
    let mut ids = std::iter::once(&worker.id).chain(worker.earlier_ids());
    ids.find_map(|id| reports.get(id).copied())
}

/// Returns the table of what these members did.
pub(super) fn table(members: &[Listed], worked: &Worked) -> Table {
    let rows = members.iter().zip(&worked.rows);
    Table {
        caption: "What they did".to_owned(),
        head: vec![
            "Name",
            "Last active",
            "Tasks today",
            "Skipped tasks",
            "Answers",
            "Median time",
            "Equal to the final answer",
            "Unsure",
        ],
        rows: rows
            .map(|(listed, work)| cells(&listed.member.name, work))
            .collect(),
    }
}

fn cells(name: &str, work: &Work) -> Vec<Cell> {
    let report = work.report.as_ref();
    let known = |text: Option<String>| Cell::text(text.unwrap_or_else(|| UNKNOWN.to_owned()));
    let agreement = report.and_then(|report| {
        let share = report.agreement?;
        let by_label = report.label_agreement.map_or_else(String::new, |share| {
            format!("; label by label {}", percent(share))
        });
        Some(format!("{} of {}{by_label}", percent(share), report.compared))
    });
    let seconds = report.and_then(|report| report.median_seconds);
    let at = work.last_active_at;
    vec![
        Cell::written(name),
        Cell::text(at.map_or_else(
            || "not yet".to_owned(),
            |at| at.format("%Y-%m-%d %H:%M UTC").to_string(),
        )),
        Cell::text(work.done_today.to_string()),
        Cell::text(work.skipped.to_string()),
        known(report.map(|report| report.answers.to_string())),
        known(seconds.map(|seconds| format!("{seconds:.1} s"))),
        known(agreement),
        known(report.map(|report| report.unsure.to_string())),
    ]
}
