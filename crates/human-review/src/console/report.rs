//! What became of an uploaded file, and which lines cannot be used, with the reasons.

use std::collections::BTreeMap;

use active_learning_aws::overview::REJECTED_LINES;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::page::Block;
use super::table::{Cell, Table};
use super::{Console, ConsoleError, REPORT, View};
use crate::event::HttpRequest;

/// Folder of rejected lines in the feedback bucket.
pub(super) const REJECTED: &str = REJECTED_LINES;
/// Folder of the reports on uploaded files in the feedback bucket.
pub(super) const BATCH_REPORTS: &str = "batch-reports/";
/// Largest object that is read, in bytes: rejected lines are written in objects of 5 MiB and a line.
const MAX_BYTES: u64 = 8 << 20;
/// Lines that are shown.
const SHOWN: usize = 50;
/// Characters of a line that are shown.
const MAX_CHARS: usize = 500;
/// Objects of rejected lines of which a report's reasons are counted.
const COUNTED_OBJECTS: usize = 4;

/// A line that cannot be used, as it is set aside.
#[derive(Debug, Deserialize, Serialize)]
struct Rejected {
    line: u64,
    reason: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    raw: Option<String>,
}

/// Returns the address of the report with this key.
pub(super) fn address(key: &str) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("key", key)
        .finish();
    format!("{REPORT}?{query}")
}

impl Console<'_> {
    pub(super) async fn report(&self, request: &HttpRequest) -> Result<View, ConsoleError> {
        let key = request.query.get("key").map(String::as_str).unwrap_or_default();
        if key.starts_with(REJECTED) {
            return self.rejected_lines(key).await;
        }
        if key.starts_with(BATCH_REPORTS) {
            return self.batch_report(key).await;
        }
        Err(ConsoleError::NotFound)
    }

    async fn rejected_lines(&self, key: &str) -> Result<View, ConsoleError> {
        let lines = self.lines(key).await?.ok_or(ConsoleError::NotFound)?;
        let reasons = by_reason(&lines);

        let mut blocks = vec![Block::text(key)];
        blocks.push(Block::Table(reasons_table(&reasons)));
        blocks.push(Block::Table(lines_table(&lines)));
        if lines.len() > SHOWN {
            blocks.push(Block::text(format!(
                "These are the first {SHOWN} of {} lines.",
                lines.len()
            )));
        }
        blocks.push(Block::Link(
            "operations".to_owned(),
            "Back to operations".to_owned(),
        ));
        Ok(View {
            title: "Rejected lines".to_owned(),
            blocks,
            json: json!({ "key": key, "reasons": reasons, "lines": &lines[..lines.len().min(SHOWN)] }),
        })
    }

    async fn batch_report(&self, key: &str) -> Result<View, ConsoleError> {
        let report: Option<Value> = self.feedback.read_document(key).await?;
        let report = report.ok_or(ConsoleError::NotFound)?;
        let texts = |name: &str| -> Vec<String> {
            let list = report[name].as_array().into_iter().flatten();
            list.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let rejected = texts("rejectedKeys");
        let mut lines = Vec::new();
        for object in rejected.iter().take(COUNTED_OBJECTS) {
            lines.extend(self.lines(object).await?.unwrap_or_default());
        }
        let reasons = by_reason(&lines);

        let mut blocks = vec![Block::Figures(figures(&report))];
        if !reasons.is_empty() {
            blocks.push(Block::heading("Why lines cannot be used"));
            blocks.push(Block::Table(reasons_table(&reasons)));
        }
        if rejected.len() > COUNTED_OBJECTS {
            let counted = lines.len();
            blocks.push(Block::text(format!(
                "Counted over the first {counted} of these lines."
            )));
        }
        if !rejected.is_empty() {
            let links = rejected.iter().map(|key| (address(key), key.clone()));
            blocks.push(Block::Links(links.collect()));
        }
        let repairs = texts("repairs");
        if !repairs.is_empty() {
            blocks.push(Block::heading("Read otherwise than it is written"));
        }
        blocks.extend(repairs.into_iter().map(Block::Text));
        blocks.push(Block::Link(
            "operations".to_owned(),
            "Back to operations".to_owned(),
        ));
        Ok(View {
            title: "Report on an uploaded file".to_owned(),
            blocks,
            json: json!({ "key": key, "report": report, "reasons": reasons }),
        })
    }

    /// Reads lines that were set aside; `None` if there is no such object.
    async fn lines(&self, key: &str) -> Result<Option<Vec<Rejected>>, ConsoleError> {
        if !key.starts_with(REJECTED) {
            return Ok(None);
        }
        let Some(object) = self.feedback.read(key, MAX_BYTES).await? else {
            return Ok(None);
        };
        let lines = object.bytes.split(|byte| *byte == b'\n');
        Ok(Some(
            lines
                .filter_map(|line| serde_json::from_slice(line).ok())
                .collect(),
        ))
    }
}

/// Counts lines by reason, the most frequent first.
fn by_reason(lines: &[Rejected]) -> Vec<(String, usize)> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for line in lines {
        *counts.entry(&line.reason).or_default() += 1;
    }
    let counts = counts
        .into_iter()
        .map(|(reason, count)| (reason.to_owned(), count));
    let mut counts: Vec<(String, usize)> = counts.collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts
}

fn reasons_table(reasons: &[(String, usize)]) -> Table {
    let row = |(reason, count): &(String, usize)| vec![Cell::text(reason), Cell::text(count.to_string())];
    Table {
        caption: "Lines by reason".to_owned(),
        head: vec!["Reason", "Lines"],
        rows: reasons.iter().map(row).collect(),
    }
}

fn lines_table(lines: &[Rejected]) -> Table {
    let row = |line: &Rejected| {
        let raw = match &line.raw {
            Some(raw) => raw.chars().take(MAX_CHARS).collect(),
            None => "(bytes that are no text)".to_owned(),
        };
        vec![
            Cell::text(line.line.to_string()),
            Cell::text(&line.reason),
            Cell::written(raw),
        ]
    };
    Table {
        caption: "Lines".to_owned(),
        head: vec!["Line", "Reason", "Content"],
        rows: lines.iter().take(SHOWN).map(row).collect(),
    }
}

/// Returns what a report says in a word or a number.
fn figures(report: &Value) -> Vec<(String, String)> {
    const NAMES: [(&str, &str); 10] = [
        ("key", "File"),
        ("classifier", "Classifier"),
        ("classifiers", "Records by classifier"),
        ("accepted", "Accepted"),
        ("rejected", "Rejected"),
        ("duplicates", "Repetitions"),
        ("rejectedNotKept", "Rejected and not set aside"),
        ("unread", "Not read"),
        ("startedAt", "Began"),
        ("finishedAt", "Ended"),
    ];
    let figure = |(name, shown): (&str, &str)| {
        let value = match &report[name] {
            Value::Null => return None,
            Value::String(text) => text.clone(),
            Value::Object(counts) => {
                let counts = counts.iter().map(|(name, count)| format!("{name}: {count}"));
                counts.collect::<Vec<_>>().join(", ")
            }
            other => other.to_string(),
        };
        Some((shown.to_owned(), value))
    };
    NAMES.into_iter().filter_map(figure).collect()
}
