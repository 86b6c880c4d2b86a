//! What went wrong, and what was done in the console.

use std::collections::BTreeMap;

use active_learning_aws::bucket::Listed;
use active_learning_aws::overview::{FAILED_EVENTS, GIVEN_UP, is_correction};
use active_learning_core::cost::{IDLE_MONTH, NOT_INCLUDED, PER_THOUSAND};
use serde_json::{Value, json};

use super::form::Form;
use super::page::Block;
use super::table::{Cell, Table};
use super::{Console, ConsoleError, View, report};
use crate::audit_log;
use crate::damaged::{Damaged, Note};
use crate::output::iso_time;

/// Objects of a folder that are shown.
const SHOWN: usize = 50;
/// Entries of the log that are shown.
const ENTRIES: usize = 30;
/// What is listed: heading, folder of the feedback bucket, and what lies there.
const FOLDERS: [(&str, &str, &str, &str); 4] = [
    (
        "failedEvents",
        "Failed events",
        FAILED_EVENTS,
        "Events that a function failed on to the end. Those about an uploaded file, delivered feedback or an answer are \
         sent again here; `active-learning redrive` sends any.",
    ),
    (
        "givenUp",
        "Human loops given up, and corrections that cannot be read",
        GIVEN_UP,
        "Questions that were stopped, that nobody answered in time, or whose answers cannot be read, with the reason: sent \
         again, they are asked anew. A correction that cannot be read is read again, and nobody is asked.",
    ),
    (
        "rejectedLines",
        "Rejected lines",
        report::REJECTED,
        "Objects of lines that cannot be used, each line with its reason.",
    ),
    (
        "batchReports",
        "Reports on uploaded files",
        report::BATCH_REPORTS,
        "What became of each uploaded file.",
    ),
];

impl Console<'_> {
    pub(super) async fn operations(&self) -> Result<View, ConsoleError> {
        let mut blocks = Vec::new();
        let mut document = json!({});
        for (name, heading, folder, text) in FOLDERS {
            let listed = self.feedback.list_after(folder, "", SHOWN + 1).await?;
            let has_more = listed.len() > SHOWN;
            let shown = &listed[..listed.len().min(SHOWN)];
            blocks.push(Block::heading(heading));
            blocks.push(Block::text(text));
            if shown.is_empty() {
                blocks.push(Block::text("There is none."));
            } else {
                blocks.push(Block::Table(objects(heading, folder, shown)));
            }
            if has_more {
                let bucket = self.feedback.name();
                blocks.push(Block::text(format!(
                    "There are more: these are the first {SHOWN} of s3://{bucket}/{folder} by name."
                )));
            }
            document[name] =
                json!({ "objects": shown.iter().map(as_json).collect::<Vec<_>>(), "hasMore": has_more });
            if folder == FAILED_EVENTS {
                let by_function = errors_by_function(shown);
                document["errorsByFunction"] = json!(by_function);
                blocks.extend(errors(&by_function));
            }
        }
        self.damaged(&mut blocks, &mut document).await?;
        blocks.push(Block::heading(
            "What a thousand texts cost, as was measured for this version",
        ));
        blocks.push(Block::text(format!(
            "The same for every stack of this version, and no bill of this one: what was measured of each step over a million \
             records, by list prices of AWS in us-east-1, {NOT_INCLUDED}. The overview adds up this month by what this stack \
             has counted."
        )));
        blocks.push(Block::Table(costs()));
        document["usdPerThousandTexts"] = PER_THOUSAND.iter().copied().collect();
        document["usdPerIdleMonth"] = json!(IDLE_MONTH);
        let (entries, has_more) = audit_log::latest(self.review, self.now, ENTRIES).await?;
        blocks.push(Block::heading("Done by operators today"));
        blocks.push(Block::Table(log(&entries)));
        if has_more {
            blocks.push(Block::text(
                "There are more entries than were looked at: the newest may be missing.",
            ));
        }
        document["auditLog"] = json!({ "entries": entries, "hasMore": has_more });
        Ok(View {
            title: "Operations".to_owned(),
            blocks,
            json: document,
        })
    }
}

/// Returns how many of these failed events are of each function. Lambda puts the name of the function into the key.
fn errors_by_function(failed: &[Listed]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for object in failed {
        let rest = object.key.strip_prefix(FAILED_EVENTS).unwrap_or_default();
        if let Some((function, _)) = rest.split_once('/') {
            *counts.entry(function).or_default() += 1;
        }
    }
    counts
}

/// Shows the errors of functions, as far as they are known here.
fn errors(by_function: &BTreeMap<&str, usize>) -> Vec<Block> {
    let mut blocks = vec![Block::text(
        "Known here are errors on events, which Lambda sets aside. A request that failed was answered with its error and \
         leaves no object: on AWS the alarm FunctionErrorsAlarm and the dashboard count all errors of functions, and each \
         stands in the log of its function.",
    )];
    if !by_function.is_empty() {
        let row =
            |(function, count): (&&str, &usize)| vec![Cell::text(*function), Cell::text(count.to_string())];
        blocks.push(Block::Table(Table {
            caption: "Errors of functions among the failed events above".to_owned(),
            head: vec!["Function", "Events"],
            rows: by_function.iter().map(row).collect(),
        }));
    }
    blocks
}

fn costs() -> Table {
    let row = |(what, usd): (&str, f64)| vec![Cell::text(what), Cell::text(format!("{usd:.4}"))];
    let idle = vec![
        Cell::text("a month in which nothing comes, whatever the texts"),
        Cell::text(format!("{IDLE_MONTH:.2}")),
    ];
    Table {
        caption: "Cost of 1,000 texts".to_owned(),
        head: vec!["Texts", "USD"],
        rows: PER_THOUSAND.into_iter().map(row).chain([idle]).collect(),
    }
}

impl Console<'_> {
    /// Shows what cannot be read and was passed over.
    async fn damaged(&self, blocks: &mut Vec<Block>, document: &mut Value) -> Result<(), ConsoleError> {
        let (noted, has_more) = Damaged::new(self.review.clone()).noted().await?;
        blocks.push(Block::heading("Damaged objects"));
        blocks.push(Block::text(
            "Objects of the review service that cannot be read: they are passed over, all else goes on. Put an earlier \
             version in their place, or remove them. One that was replaced leaves this list within five minutes.",
        ));
        if noted.is_empty() {
            blocks.push(Block::text("There is none."));
        } else {
            let row = |(key, note): &(String, Note)| vec![Cell::text(key), Cell::text(&note.reason)];
            blocks.push(Block::Table(Table {
                caption: "Damaged objects".to_owned(),
                head: vec!["Object", "What is wrong"],
                rows: noted.iter().map(row).collect(),
            }));
        }
        if has_more {
            blocks.push(Block::text("There are more: these are the first by name."));
        }
        let objects = noted.iter();
        let objects = objects.map(|(key, note)| json!({ "key": key, "reason": note.reason }));
        document["damaged"] = json!({ "objects": objects.collect::<Vec<_>>(), "hasMore": has_more });
        Ok(())
    }
}

fn objects(caption: &str, folder: &str, listed: &[Listed]) -> Table {
    let can_be_sent = [FAILED_EVENTS, GIVEN_UP].contains(&folder);
    let has_what = folder == GIVEN_UP;
    let row = |object: &Listed| {
        let send = can_be_sent.then(|| Form {
            action: "send-again",
            hidden: vec![("subject", object.key.clone())],
            button: "Send again".to_owned(),
            about: object.key.clone(),
            ..Form::default()
        });
        let name = match folder {
            FAILED_EVENTS => Cell::text(&object.key),
            _ => Cell::Link(report::address(&object.key), object.key.clone()),
        };
        let what = has_what.then(|| Cell::text(what_was_set_aside(&object.key)));
        let cells = [
            name,
            Cell::text(iso_time(object.modified)),
            Cell::text(format!("{} bytes", object.size)),
        ];
        cells
            .into_iter()
            .chain(what)
            .chain(send.map(|send| Cell::Forms(vec![send])))
            .collect()
    };
    let actions = can_be_sent.then_some("Actions");
    Table {
        caption: caption.to_owned(),
        head: ["Object", "Written", "Size"]
            .into_iter()
            .chain(has_what.then_some("What"))
            .chain(actions)
            .collect(),
        rows: listed.iter().map(row).collect(),
    }
}

/// Says what an object of [`GIVEN_UP`] holds.
fn what_was_set_aside(key: &str) -> &'static str {
    match is_correction(key) {
        true => "a correction that cannot be read",
        false => "a human loop",
    }
}

fn as_json(object: &Listed) -> Value {
    json!({ "key": object.key, "at": iso_time(object.modified), "bytes": object.size })
}

fn log(entries: &[audit_log::Entry]) -> Table {
    let row = |entry: &audit_log::Entry| {
        let outcome = entry
            .failed
            .as_ref()
            .map_or_else(String::new, |why| format!("failed: {why}"));
        vec![
            Cell::text(iso_time(entry.at)),
            Cell::written(who(entry)),
            Cell::text(&entry.action),
            Cell::written(&entry.subject),
            Cell::written(&entry.value),
            Cell::text(outcome),
        ]
    };
    Table {
        caption: "The newest first, of today (UTC)".to_owned(),
        head: vec!["When", "Who", "Action", "Of what", "Choice", "Outcome"],
        rows: entries.iter().map(row).collect(),
    }
}

fn who(entry: &audit_log::Entry) -> String {
    match entry.invoked {
        true => format!("{}, at the command line", entry.by),
        false => entry.by.clone(),
    }
}
