//! Which models there were, what each build came to and why, and what an operator may decide.

use active_learning_aws::overview::{Build, Overview, Places, Serving, model_before, switches};
use active_learning_core::model::comparison::{Decision, Measured};
use active_learning_core::model::evaluation::{COUNT_ALIKE, ClassMetrics, ConfusionMatrix};
use chrono::{DateTime, Utc};
use futures::stream::{self, StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::chart::{percent, percent_cell};
use super::form::{Field, Form};
use super::page::Block;
use super::table::{Cell, Table};
use super::{Console, ConsoleError, View};
use crate::event::HttpRequest;

/// Builds on a page, and switches.
pub(super) const PAGE: usize = 50;
/// Objects read at a time.
const READS: usize = 16;
/// Labels whose confusion is shown.
const MATRIX: usize = 40;

/// What a build came to, as far as the page shows it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    id: String,
    outcome: String,
    why: String,
    started_at: DateTime<Utc>,
    ended_at: DateTime<Utc>,
    dataset: Option<String>,
    champion: Option<String>,
    challenger: Option<String>,
    serving: Option<String>,
    approved_by: Option<String>,
    #[serde(default)]
    deleted_models: Vec<String>,
}

impl Console<'_> {
    pub(super) async fn versions(&self, request: &HttpRequest) -> Result<View, ConsoleError> {
        let places = Places {
            training: self.training,
            feedback: self.feedback,
            review: None,
        };
        let last = Overview::last_build(places).await?;
        let mut switches = switches(self.training, self.now, PAGE).await?;
        let has_before = model_before(&switches).is_some();
        switches.reverse();
        let after = request.query.get("after").map(String::as_str).unwrap_or_default();
        let (folders, has_more) = self.training.folders_after("builds/", after, PAGE).await?;
        let reads = folders.iter().map(|folder| async move {
            self.training
                .read_document::<Record>(&format!("{folder}record.json"))
                .await
        });
        let reads: Vec<_> = reads.collect();
        let records: Vec<Option<Record>> = stream::iter(reads).buffered(READS).try_collect().await?;
        let records: Vec<Record> = records.into_iter().flatten().collect();
        let next = folders.last().filter(|_| has_more);
        let next = next.map(|folder| folder["builds/".len()..].trim_end_matches('/').to_owned());

        let mut blocks = waiting(last.as_ref());
        blocks.push(Block::heading("In service"));
        blocks.push(Block::text(
            "The newest switches of the endpoint, the newest first. A model that served before can be brought back.",
        ));
        blocks.push(Block::Table(switches_table(&switches)));
        blocks.push(match has_before {
            true => Block::Form(Form {
                action: "roll-back",
                hidden: vec![("subject", "the model before".to_owned())],
                button: "Roll back to the model before".to_owned(),
                ..Form::default()
            }),
            false => Block::text("There is no model before to roll back to."),
        });
        blocks.push(Block::heading("Builds"));
        blocks.push(Block::text(
            "Executions that ended with a record, by name; a page of fifty.",
        ));
        blocks.push(Block::Links(records.iter().map(link).collect()));
        if let Some(next) = &next {
            let query = url::form_urlencoded::Serializer::new(String::new())
                .append_pair("after", next)
                .finish();
            blocks.push(Block::Link(format!("versions?{query}"), "More builds".to_owned()));
        }
        Ok(View {
            title: "Versions".to_owned(),
            blocks,
            json: json!({ "lastBuild": last, "switches": switches, "builds": records, "next": next }),
        })
    }

    pub(super) async fn version(&self, id: &str) -> Result<View, ConsoleError> {
        if !is_execution_name(id) {
            return Err(ConsoleError::NotFound);
        }
        let record: Option<Record> = self
            .training
            .read_document(&format!("builds/{id}/record.json"))
            .await?;
        let decision: Option<Decision> = self
            .training
            .read_document(&format!("builds/{id}/decision.json"))
            .await?;
        if record.is_none() && decision.is_none() {
            return Err(ConsoleError::NotFound);
        }
        let mut blocks = Vec::new();
        match &record {
            Some(record) => blocks.push(Block::Figures(figures(record))),
            None => blocks.push(Block::text(
                "The build has no record yet: it runs, waits for an approval, or was stopped.",
            )),
        }
        match &decision {
            Some(decision) => decided(decision, &mut blocks),
            None => blocks.push(Block::text("The build came to no comparison.")),
        }
        Ok(View {
            title: format!("Build {id}"),
            blocks,
            json: json!({ "record": record, "decision": decision }),
        })
    }
}

/// Returns whether a name is one of an execution. Source: AWS Step Functions, `StartExecution`.
pub(super) fn is_execution_name(name: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=80).contains(&name.len()) && name.bytes().all(is_part)
}

/// Asks for the decision on a build that waits for one.
fn waiting(last: Option<&Build>) -> Vec<Block> {
    let Some(build) = last.filter(|build| build.waits_for_approval) else {
        return Vec::new();
    };
    let hidden = || vec![("subject", build.id.clone())];
    vec![
        Block::heading("Waits for you"),
        Block::text(format!(
            "The build {} has made a model that won. It is deployed once somebody approves it.",
            build.id
        )),
        Block::Link(format!("versions/{}", build.id), "Its scores".to_owned()),
        Block::Form(Form {
            action: "approve-build",
            hidden: hidden(),
            button: "Approve".to_owned(),
            ..Form::default()
        }),
        Block::Form(Form {
            action: "reject-build",
            hidden: hidden(),
            fields: vec![Field {
                name: "value",
                label: "Why not",
                options: Vec::new(),
            }],
            button: "Reject".to_owned(),
            ..Form::default()
        }),
    ]
}

fn switches_table(switches: &[Serving]) -> Table {
    let row = |(number, switch): (usize, &Serving)| {
        let bring_back = Form {
            action: "roll-back",
            hidden: vec![("subject", switch.model_arn.clone())],
            button: "Bring back".to_owned(),
            about: switch.version().to_owned(),
            ..Form::default()
        };
        vec![
            Cell::text(switch.version()),
            Cell::text(switch.at.format("%Y-%m-%d %H:%M UTC").to_string()),
            Cell::text(&switch.by),
            Cell::written(&switch.reason),
            Cell::text(&switch.build_id),
            Cell::Forms(match number == 0 || switch.by == "parameter" {
                true => Vec::new(),
                false => vec![bring_back],
            }),
        ]
    };
    Table {
        caption: "Switches; the first row serves".to_owned(),
        head: vec!["Model", "Since", "By", "Why", "Execution", "Actions"],
        rows: switches.iter().enumerate().map(row).collect(),
    }
}

fn link(record: &Record) -> (String, String) {
    let text = format!("{}: {}. {}", record.id, record.outcome, record.why);
    (format!("versions/{}", record.id), text)
}

fn name_of(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or_default()
}

fn figures(record: &Record) -> Vec<(String, String)> {
    let name = |arn: &Option<String>| arn.as_deref().map_or("none", name_of).to_owned();
    let time = |at: DateTime<Utc>| at.format("%Y-%m-%d %H:%M UTC").to_string();
    let figures = [
        ("Outcome", record.outcome.clone()),
        ("Why", record.why.clone()),
        ("Began", time(record.started_at)),
        ("Ended", time(record.ended_at)),
        (
            "Dataset",
            record.dataset.clone().unwrap_or_else(|| "none".to_owned()),
        ),
        ("Served before", name(&record.champion)),
        ("New model", name(&record.challenger)),
        ("Serves at the end", name(&record.serving)),
        (
            "Approved by",
            record
                .approved_by
                .clone()
                .unwrap_or_else(|| "nobody had to".to_owned()),
        ),
        (
            "Old models that it deleted",
            match record.deleted_models.is_empty() {
                true => "none".to_owned(),
                false => record
                    .deleted_models
                    .iter()
                    .map(|arn| name_of(arn))
                    .collect::<Vec<_>>()
                    .join(", "),
            },
        ),
    ];
    figures.map(|(name, value)| (name.to_owned(), value)).into()
}

fn decided(decision: &Decision, blocks: &mut Vec<Block>) {
    let verdict = if decision.deploy {
        "The new model won."
    } else {
        "The new model did not win."
    };
    blocks.push(Block::heading("Decision"));
    blocks.push(Block::text(verdict));
    for reason in &decision.reasons {
        let side = if reason.in_favour { "For" } else { "Against" };
        blocks.push(Block::text(format!("{side}: {}", reason.text)));
    }
    blocks.push(Block::heading(
        "Scores on texts that the model has not learnt from",
    ));
    blocks.push(Block::text(COUNT_ALIKE.join(" ")));
    let champion = decision
        .champion
        .as_ref()
        .map(|champion| ("Served before", champion));
    let measured: Vec<(&str, &Measured)> = std::iter::once(("New model", &decision.challenger))
        .chain(champion)
        .collect();
    blocks.push(Block::Table(scores_table(&measured)));
    let evaluation = &decision.challenger.evaluation;
    blocks.push(Block::Table(Table {
        caption: "Each class of the new model".to_owned(),
        head: vec!["Class", "Texts", "Precision", "Recall", "F1"],
        rows: evaluation.classes.iter().map(class).collect(),
    }));
    blocks.extend(matrix(&evaluation.confusion_matrix));
}

/// Shows what models are worth; of several labels a text micro F1 too.
fn scores_table(measured: &[(&str, &Measured)]) -> Table {
    let of_several = measured.iter().any(|(_, model)| model.evaluation.several_labels);
    let (accuracy, more) = match of_several {
        true => ("Subset accuracy", Some("Micro F1")),
        false => ("Accuracy", None),
    };
    let head = ["Model", "Texts", accuracy, "Macro F1"].into_iter().chain(more);
    let rows = measured
        .iter()
        .map(|(name, model)| scores(name, model, of_several));
    Table {
        caption: "Scores".to_owned(),
        head: head.chain(["Calibration error", "AUROC"]).collect(),
        rows: rows.collect(),
    }
}

fn scores(name: &str, measured: &Measured, of_several: bool) -> Vec<Cell> {
    let evaluation = &measured.evaluation;
    let mut cells = vec![
        Cell::text(name),
        Cell::text(evaluation.rows.to_string()),
        Cell::text(percent(evaluation.accuracy)),
        Cell::text(percent(evaluation.macro_f1)),
    ];
    cells.extend(of_several.then(|| percent_cell(evaluation.micro_f1)));
    cells.extend([
        percent_cell(
            evaluation
                .is_detailed()
                .then_some(evaluation.expected_calibration_error),
        ),
        percent_cell(evaluation.auroc),
    ]);
    cells
}

fn class(metrics: &ClassMetrics) -> Vec<Cell> {
    vec![
        Cell::written(&metrics.class),
        Cell::text(metrics.support.to_string()),
        Cell::text(percent(metrics.precision)),
        Cell::text(percent(metrics.recall)),
        Cell::text(percent(metrics.f1)),
    ]
}

/// Returns which class was taken for which, as far as a page holds it.
fn matrix(matrix: &ConfusionMatrix) -> Vec<Block> {
    let shown = matrix.labels.len().min(MATRIX);
    let row = |(label, counts): (&String, &Vec<usize>)| {
        let counts = counts
            .iter()
            .take(shown)
            .map(|count| Cell::text(count.to_string()));
        std::iter::once(Cell::written(label)).chain(counts).collect()
    };
    let head = std::iter::once("is \\ predicted as".to_owned());
    let table = Block::Matrix {
        caption: "Which class the new model took for which; rows are what people say".to_owned(),
        head: head.chain(matrix.labels.iter().take(shown).cloned()).collect(),
        rows: matrix
            .labels
            .iter()
            .zip(&matrix.counts)
            .take(shown)
            .map(row)
            .collect(),
    };
    let more =
        (shown < matrix.labels.len()).then(|| Block::text(format!("The first {MATRIX} classes are shown.")));
    std::iter::once(table).chain(more).collect()
}
