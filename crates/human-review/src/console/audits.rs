//! How many labels are wrong, as second looks at them say.

use std::collections::BTreeMap;

use active_learning_core::labels::label_audit::{ErrorRate, LabelAudit, SecondLooks};
use serde_json::{Value, json};

use super::audit_start::{HOW, start_form};
use super::chart::{percent, percent_cell};
use super::page::Block;
use super::table::{Cell, Table};
use super::{AUDIT, Console, ConsoleError, View};
use crate::flows::Resource;
use crate::labelling_jobs::audit_results::{Audited, label_name};
use crate::labelling_jobs::exclusions::lacking;
use crate::labelling_jobs::record::Job;
use crate::stack_audit::left_out;
use crate::validation::is_name;

/// Labelling jobs that the page looks at.
const PAGE: usize = 100;
/// What is said of an audit that an earlier version has counted, where its output cannot be read any more.
const NAMES_OF_THEN: &str = "An earlier version has counted this, and the output of the audit cannot be read any more: labels \
    are named as they were when it ended, also those that were renamed or merged since.";
/// What is said above the list.
const ABOUT: &str = "Labels that other reviewers looked at again. An audit asks about a random share of the labels \
    of the stack, and a labelling job with the functions of Adjustment about those of any manifest. Shown \
    are those of the newest hundred labelling jobs.";

impl Console<'_> {
    /// Lists the audits.
    pub(super) async fn audits(&self) -> Result<View, ConsoleError> {
        let audits = self.jobs.audits(PAGE).await?;
        let row = |job: &Job| {
            let counts = job.counts();
            vec![
                Cell::Link(format!("{AUDIT}{}", job.name()), job.name().to_owned()),
                Cell::text(job.status.as_str()),
                Cell::text(job.created_at.format("%Y-%m-%d %H:%M").to_string()),
                Cell::text(counts.human.to_string()),
                Cell::text((counts.waiting + counts.asked + counts.same).to_string()),
            ]
        };
        let table = Table {
            caption: "Audits, the newest first".to_owned(),
            head: vec!["Audit", "Status", "Started (UTC)", "Looked at", "Waiting"],
            rows: audits.iter().map(row).collect(),
        };
        Ok(View {
            title: "Audits".to_owned(),
            blocks: vec![
                Block::text(ABOUT),
                Block::Table(table),
                Block::heading("Start an audit"),
                Block::text(HOW),
                Block::Form(start_form()),
            ],
            json: json!({ "audits": audits.iter().map(summary).collect::<Vec<_>>() }),
        })
    }

    /// Shows what an audit has found.
    pub(super) async fn audit(&self, name: &str) -> Result<View, ConsoleError> {
        let job = match is_name(name, true) {
            true => self.jobs.find(name).await?,
            false => None,
        };
        let job = job.ok_or(ConsoleError::NotFound)?;
        let mut json = summary(&job);
        let counts = job.counts();
        let mut blocks = vec![Block::Figures(vec![
            ("Status".to_owned(), job.status.as_str().to_owned()),
            ("Looked at".to_owned(), counts.human.to_string()),
            (
                "Waiting".to_owned(),
                (counts.waiting + counts.asked + counts.same).to_string(),
            ),
        ])];
        blocks.extend(job.notice().map(Block::Text));
        let lacking = lacking(&job, self.members, self.flows, self.now).await?;
        blocks.extend(lacking.map(Block::Text));
        blocks.extend(left_out(&job.request["Tags"]).map(Block::Text));

        if !job.status.is_final() {
            blocks.push(Block::text(
                "What is wrong is shown when all of it was looked at.",
            ));
        } else {
            match self.jobs.audited(&job).await {
                Ok(Some(audited)) => {
                    let audit = match audited {
                        Audited::Looks(looks) => self.counted(&job, &looks).await?,
                        Audited::Counted(audit) => {
                            json["problem"] = json!(NAMES_OF_THEN);
                            blocks.push(Block::text(NAMES_OF_THEN));
                            audit
                        }
                    };
                    json["result"] = audit.to_json();
                    result(&audit, &mut blocks);
                }
                Ok(None) => return Err(ConsoleError::NotFound),
                Err(error) => {
                    json["problem"] = json!(error.to_string());
                    blocks.push(Block::text(format!("The output cannot be read: {error}.")));
                }
            }
        }
        Ok(View {
            title: format!("Audit {name}"),
            blocks,
            json,
        })
    }

    /// Counts what an audit has found by the names that labels and reviewers have now.
    async fn counted(&self, job: &Job, looks: &SecondLooks) -> Result<LabelAudit, ConsoleError> {
        let set = self.label_sets.current().await?;
        let mut names = BTreeMap::new();
        for worker in looks.reviewers() {
            if let Some(name) = self.members.name_of(worker, self.now).await? {
                names.insert(worker.to_owned(), name);
            }
        }
        Ok(looks.audit(|label| label_name(job, set.as_deref(), label).to_owned(), &names))
    }
}

fn summary(job: &Job) -> Value {
    let counts = job.counts();
    json!({
        "name": job.name(), "status": job.status.as_str(), "startedAt": job.created_at,
        "lookedAt": counts.human, "waiting": counts.waiting + counts.asked + counts.same, "failed": counts.failed,
    })
}

fn result(audit: &LabelAudit, blocks: &mut Vec<Block>) {
    blocks.push(Block::text(
        "The ranges hold the true error rate with 95 % confidence (exact, Clopper-Pearson).",
    ));
    blocks.extend(audit.of_divided().map(Block::Text));
    let all = [("All labels".to_owned(), audit.all)].into();
    blocks.push(Block::Table(rates("In all", "Labels", &all)));
    blocks.push(Block::Table(rates("By label", "Label", &audit.by_label)));
    if !audit.by_reviewer.is_empty() {
        blocks.push(Block::Table(rates(
            "By reviewer who gave it",
            "Reviewer",
            &audit.by_reviewer,
        )));
    }
    let change = |((before, after), count): (&(String, String), &u64)| {
        vec![
            Cell::written(before),
            Cell::written(after),
            Cell::text(count.to_string()),
        ]
    };
    blocks.push(Block::Table(Table {
        caption: "What became of wrong labels".to_owned(),
        head: vec!["Label", "Should be", "Texts"],
        rows: audit.changes.iter().map(change).collect(),
    }));
}

fn rates(caption: &str, of: &'static str, rates: &BTreeMap<String, ErrorRate>) -> Table {
    let row = |(name, rate): (&String, &ErrorRate)| {
        let interval = rate.interval();
        vec![
            Cell::written(name),
            Cell::text(rate.audited.to_string()),
            Cell::text(rate.wrong.to_string()),
            percent_cell(rate.rate()),
            Cell::text(format!("{} to {}", percent(interval.low), percent(interval.high))),
        ]
    };
    Table {
        caption: caption.to_owned(),
        head: vec![of, "Looked at", "Wrong", "Error rate", "Range"],
        rows: rates.iter().map(row).collect(),
    }
}
