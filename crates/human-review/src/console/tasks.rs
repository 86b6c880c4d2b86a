//! What waits for reviewers, and who has it open.

use std::collections::BTreeSet;

use active_learning_aws::overview::age;
use active_learning_core::keys;
use serde::Serialize;

use super::form::Form;
use super::page::Block;
use super::skips::{SkippedBy, in_one_line};
use super::table::{Cell, Table};
use super::{Console, ConsoleError, View, to_json};
use crate::asked::{first_words, reasons};
use crate::event::HttpRequest;
use crate::human_loop::HumanLoop;
use crate::marks::Mark;
use crate::output::iso_time;

/// Tasks on a page.
const PAGE: usize = 50;

/// A task, as the page shows it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Task {
    name: String,
    created_at: String,
    age_seconds: i64,
    /// Beginning of its first text.
    text: String,
    /// Why people are asked: the signals of its texts, each once.
    reasons: Vec<String>,
    items: Option<usize>,
    lowest_confidence: Option<f64>,
    answers: usize,
    answers_wanted: usize,
    is_stopping: bool,
    held_by: Vec<Holder>,
    skipped_by: usize,
    /// Who they are, and why.
    skips: Vec<SkippedBy>,
}

/// Who has a task open.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Holder {
    name: String,
    until: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Tasks {
    tasks: Vec<Task>,
    /// Why those are asked that are shown; empty shows all.
    why: String,
    /// Given as `after`, the next page.
    next: Option<String>,
}

impl Console<'_> {
    pub(super) async fn tasks(&self, request: &HttpRequest) -> Result<View, ConsoleError> {
        let after = request.query.get("after").map(String::as_str).unwrap_or_default();
        let listed = self.review.list_after(keys::QUEUE_FOLDER, after, PAGE).await?;
        let names = listed
            .iter()
            .filter_map(|mark| mark.key.strip_prefix(keys::QUEUE_FOLDER));
        let names: Vec<&str> = names.collect();
        let marks: Vec<Mark> = names.iter().filter_map(|name| Mark::parse_queue(name)).collect();
        let next = names
            .last()
            .filter(|_| listed.len() == PAGE)
            .map(|name| (*name).to_owned());

        let mut tasks = Vec::new();
        for human_loop in self.loops.of_marks(&marks, self.now).await? {
            tasks.push(self.task(&human_loop).await?);
        }
        let why = request.query.get("why").cloned().unwrap_or_default();
        let reasons: BTreeSet<String> = tasks.iter().flat_map(|task| task.reasons.clone()).collect();
        if !why.is_empty() {
            tasks.retain(|task| task.reasons.contains(&why));
        }
        let mut blocks = vec![Block::text(
            "The most uncertain comes first. To release a task ends the turn of whoever has it open; to stop it \
             takes it from the queue for good, and its question counts as given up. One that somebody has open is \
             stopping until their turn ends, or until you release it: they may still answer, and others do not get it.",
        )];
        if !why.is_empty() || reasons.len() > 1 {
            blocks.push(Block::Links(filters(&reasons, after)));
        }
        if !why.is_empty() {
            blocks.push(Block::Text(format!(
                "Of this page of {PAGE} tasks those are shown that are asked for {why}."
            )));
        }
        if tasks.is_empty() {
            blocks.push(Block::text("Nothing waits for reviewers on this page."));
        } else {
            blocks.push(Block::Table(table(&tasks)));
        }
        if let Some(next) = &next {
            blocks.push(Block::Link(address(next, &why), "More tasks".to_owned()));
        }
        let tasks = Tasks { tasks, why, next };
        Ok(View {
            title: "Tasks".to_owned(),
            blocks,
            json: to_json(&tasks),
        })
    }

    async fn task(&self, human_loop: &HumanLoop) -> Result<Task, ConsoleError> {
        let mut held_by = Vec::new();
        for lease in human_loop
            .leases
            .iter()
            .filter(|lease| lease.expires_at > self.now)
        {
            let name = self.members.name_of(&lease.worker_id, self.now).await?;
            held_by.push(Holder {
                name: name.unwrap_or_else(|| lease.worker_id.clone()),
                until: iso_time(lease.expires_at),
            });
        }
        // What was deleted or is damaged meanwhile is shown without.
        let input = self.loops.input_now(human_loop).await.unwrap_or_default();
        Ok(Task {
            text: first_words(&input),
            reasons: reasons(&input),
            name: human_loop.name.clone(),
            created_at: iso_time(human_loop.created_at),
            age_seconds: (self.now - human_loop.created_at).num_seconds().max(0),
            items: human_loop.item_count,
            lowest_confidence: human_loop.lowest_confidence,
            answers: human_loop.answers.len(),
            answers_wanted: human_loop.task_count,
            is_stopping: human_loop.status != crate::human_loop::Status::InProgress,
            held_by,
            skipped_by: human_loop.skipped_by.len(),
            skips: self.skips_of(human_loop).await?,
        })
    }
}

/// Returns the address of a page of tasks that are asked for a reason, or for any where that is empty.
fn address(after: &str, why: &str) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in [("after", after), ("why", why)] {
        if !value.is_empty() {
            query.append_pair(name, value);
        }
    }
    let query = query.finish();
    match query.is_empty() {
        true => "tasks".to_owned(),
        false => format!("tasks?{query}"),
    }
}

fn filters(reasons: &BTreeSet<String>, after: &str) -> Vec<(String, String)> {
    let all = (address(after, ""), "All".to_owned());
    let each = reasons
        .iter()
        .map(|reason| (address(after, reason), format!("Only {reason}")));
    std::iter::once(all).chain(each).collect()
}

fn table(tasks: &[Task]) -> Table {
    Table {
        caption: "Tasks in review order".to_owned(),
        head: vec![
            "Begins with",
            "Waiting for",
            "Asked for",
            "Texts",
            "Lowest confidence",
            "Answers",
            "Open at",
            "Skipped by",
            "Task",
            "Actions",
        ],
        rows: tasks.iter().map(row).collect(),
    }
}

fn row(task: &Task) -> Vec<Cell> {
    let form = |action, button: &str| Form {
        action,
        hidden: vec![("subject", task.name.clone())],
        button: button.to_owned(),
        about: task.name.clone(),
        ..Form::default()
    };
    let release = (!task.held_by.is_empty()).then(|| form("release-task", "Release"));
    let stop = (!task.is_stopping).then(|| form("stop-task", "Stop"));
    let confidence = task.lowest_confidence;
    vec![
        match task.text.is_empty() {
            true => Cell::text(&task.name),
            false => Cell::written(&task.text),
        },
        Cell::text(age(task.age_seconds)),
        Cell::text(task.reasons.join(", ")),
        Cell::text(
            task.items
                .map_or_else(|| "1".to_owned(), |items| items.to_string()),
        ),
        Cell::text(
            confidence.map_or_else(|| "unknown".to_owned(), |score| format!("{:.1} %", score * 100.0)),
        ),
        Cell::text(format!("{} of {}", task.answers, task.answers_wanted)),
        Cell::text(open_at(task)),
        Cell::written(in_one_line(&task.skips)),
        Cell::Name(task.name.clone()),
        Cell::Forms(release.into_iter().chain(stop).collect()),
    ]
}

/// Says who has a task open, and whether it ends with their turn.
fn open_at(task: &Task) -> String {
    let holders = task
        .held_by
        .iter()
        .map(|holder| format!("{} until {}", holder.name, in_short(&holder.until)));
    let holders: Vec<String> = holders.collect();
    match (holders.is_empty(), task.is_stopping) {
        (true, false) => "nobody".to_owned(),
        (true, true) => "nobody; it is about to end".to_owned(),
        (false, false) => holders.join(", "),
        (false, true) => format!("{}; stopping: it ends then", holders.join(", ")),
    }
}

/// Writes a time in RFC 3339 for people: `2026-11-30T13:37:35.673Z` as `2026-11-30 13:37 UTC`.
fn in_short(time: &str) -> String {
    match (time.get(..10), time.get(11..16)) {
        (Some(day), Some(minute)) => format!("{day} {minute} UTC"),
        _ => time.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_that_is_being_stopped_says_when_it_ends() {
        let task = |is_stopping, held_by: &[&str]| Task {
            name: "tc-1".to_owned(),
            text: String::new(),
            reasons: Vec::new(),
            created_at: String::new(),
            age_seconds: 0,
            items: None,
            lowest_confidence: None,
            answers: 0,
            answers_wanted: 1,
            is_stopping,
            held_by: held_by
                .iter()
                .map(|name| Holder {
                    name: (*name).to_owned(),
                    until: "2026-11-30T10:00:35.673Z".to_owned(),
                })
                .collect(),
            skipped_by: 0,
            skips: Vec::new(),
        };

        assert_eq!(
            open_at(&task(true, &["ann"])),
            "ann until 2026-11-30 10:00 UTC; stopping: it ends then"
        );
        assert_eq!(open_at(&task(false, &["ann"])), "ann until 2026-11-30 10:00 UTC");
        assert_eq!(open_at(&task(true, &[])), "nobody; it is about to end");
        assert_eq!(open_at(&task(false, &[])), "nobody");
    }
}
