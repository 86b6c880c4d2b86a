//! How far people agree with one another and with the model, and what waits for an adjudicator.

use std::collections::BTreeMap;

use active_learning_aws::rfc3339;
use active_learning_core::feedback::prediction::for_people;
use active_learning_core::keys::DISPUTED_FOLDER;
use active_learning_core::labels::agreement::{Agreement, AgreementReport, ReviewerReport};
use active_learning_core::labels::consolidation::tied_labels;
use active_learning_core::labels::human_loop::{Answer, NONE_FITS, UNSURE};
use active_learning_core::labels::label_set::LabelSet;
use active_learning_core::labels::question::Question;
use serde_json::{Value, json};

use super::form::{Choices, Field, Form};
use super::page::Block;
use super::table::{Cell, Table};
use super::{Console, ConsoleError, View, chart::percent_cell};
use crate::agreement_report;
use crate::event::HttpRequest;
use crate::remarks::{KEPT, Newest, Remarks};

/// Disputes on a page.
const PAGE: usize = 25;

impl Console<'_> {
    pub(super) async fn quality(&self, request: &HttpRequest) -> Result<View, ConsoleError> {
        let mut blocks = Vec::new();
        let mut document = json!({});
        let newest = agreement_report::newest(self.training).await?;
        let (newest, report) = newest.map_or((None, None), |(version, report)| (Some(version), report));
        blocks.push(Block::heading("Agreement"));
        match (&newest, &report) {
            (Some(newest), Some(report)) => {
                blocks.push(Block::text(format!(
                    "As of the dataset {newest}, which was assembled last."
                )));
                blocks.push(Block::text(
                    "Two things are counted. The first table compares people with one another, on texts that at least \
                     two of them answered. The second compares each of them with the answer that the text got in the \
                     end, after all votes, ties and adjudications: the one may be low where the other is high.",
                ));
                if has_several(&report.reviewers) {
                    blocks.push(Block::text(
                        "Texts have several labels here. “Whole answers” are equal only where all their labels are. In \
                         the rows of the labels each label is a question of its own, whether it fits, as it is where \
                         votes are counted. So is it under “Labels equal, each by itself”: of the labels that a \
                         reviewer named on a text, how often the reviewer said what came out in the end, that it fits \
                         or that it does not.",
                    ));
                }
                blocks.push(Block::Table(agreement(&report.agreement)));
                blocks.push(Block::Table(self.reviewers_table(&report.reviewers).await?));
                if report.doubtful > 0 {
                    blocks.push(Block::text(format!(
                        "Doubtful labels: {}. By the error rates of those who gave them they are more probably wrong \
                         than right, and stay as they were given. `export --format jsonl` says which (`doubtful`).",
                        report.doubtful
                    )));
                }
            }
            _ => blocks.push(Block::text(
                "No dataset was assembled yet: agreement is counted then.",
            )),
        }
        document["dataset"] = json!(newest);
        document["report"] = json!(report);

        self.confusion(&mut blocks, &mut document).await?;
        let after = request.query.get("after").map(String::as_str).unwrap_or_default();
        self.disputes(after, &mut blocks, &mut document).await?;
        self.proposals(&mut blocks, &mut document).await?;
        self.remarks(&mut blocks, &mut document).await?;
        Ok(View {
            title: "Quality".to_owned(),
            blocks,
            json: document,
        })
    }

    async fn disputes(
        &self,
        after: &str,
        blocks: &mut Vec<Block>,
        document: &mut Value,
    ) -> Result<(), ConsoleError> {
        let listed = self.training.list_after(DISPUTED_FOLDER, after, PAGE).await?;
        let mut disputes: Vec<Question> = Vec::new();
        for object in &listed {
            let read = self.training.read(&object.key, 4 << 20).await?;
            disputes.extend(read.and_then(|object| Question::parse(&object.bytes)));
        }
        let next = listed.last().filter(|_| listed.len() == PAGE);
        let next = next.map(|object| object.key[DISPUTED_FOLDER.len()..].to_owned());

        blocks.push(Block::heading("Disputed"));
        blocks.push(Block::text(
            "People do not agree on these texts, and nobody else is there to ask. The answer given here is final.",
        ));
        if disputes.is_empty() {
            blocks.push(Block::text("Nothing is disputed on this page."));
        }
        let set = self.label_sets.current().await?;
        if let Some(set) = set.as_deref() {
            // As they are called now: an adjudicator chooses among these.
            disputes
                .iter_mut()
                .for_each(|question| set.use_own_names(question));
        }
        for question in &disputes {
            blocks.push(Block::Quote(question.record.utterance.clone()));
            blocks.push(Block::Table(self.votes(question).await?));
            let kept = set
                .as_deref()
                .map_or_else(Vec::new, |set| question.labels_kept(set));
            if !kept.is_empty() {
                blocks.push(Block::text(format!(
                    "Reviewers gave these labels beside one that was split since, and their word on them counts: {}.",
                    kept.join(", ")
                )));
            }
            let tied = tied_labels(&question.counted(set.as_deref()));
            if !tied.is_empty() {
                blocks.push(Block::text(format!(
                    "As many reviewers say that it fits as that it does not: {}.",
                    tied.join(", ")
                )));
            }
            blocks.extend(decide(question, set.as_deref()).map(Block::Form));
        }
        if let Some(next) = &next {
            let query = url::form_urlencoded::Serializer::new(String::new())
                .append_pair("after", next)
                .finish();
            blocks.push(Block::Link(
                format!("quality?{query}"),
                "More disputes".to_owned(),
            ));
        }
        let rows = disputes.iter().map(|question| {
            json!({
                "id": question.record.id, "utterance": question.record.utterance,
                "classifier": question.record.classifier, "votes": question.votes,
                "tied": tied_labels(&question.counted(set.as_deref())),
            })
        });
        document["disputed"] = json!({ "questions": rows.collect::<Vec<_>>(), "next": next });
        Ok(())
    }

    /// Shows the newest comments and flags of reviewers, and why they skipped.
    async fn remarks(&self, blocks: &mut Vec<Block>, document: &mut Value) -> Result<(), ConsoleError> {
        let Newest { remarks, skips } = Remarks(self.review).newest().await?;
        blocks.push(Block::heading("Comments and flags"));
        if remarks.is_empty() {
            blocks.push(Block::text("Nobody has commented on a text or flagged one."));
        } else {
            let mut rows = Vec::new();
            for remark in &remarks {
                rows.push(vec![
                    Cell::text(rfc3339(remark.at)),
                    Cell::written(self.name_of(&remark.worker).await?),
                    Cell::written(&remark.text),
                    Cell::written(answer_in_words(&remark.answer)),
                    Cell::written(remark.comment.as_deref().unwrap_or_default()),
                    Cell::text(if remark.flagged { "flagged" } else { "" }),
                ]);
            }
            blocks.push(Block::Table(Table {
                caption: format!("What reviewers said beside their answers, the newest {KEPT}"),
                head: vec!["When", "Who", "Text", "Answer", "Comment", "Flag"],
                rows,
            }));
        }
        document["remarks"] = json!(remarks);
        document["skips"] = json!(skips);
        self.newest_skips(&skips, blocks).await
    }

    /// Returns the votes on a question, with the names of those who are known.
    pub(super) async fn votes(&self, question: &Question) -> Result<Table, ConsoleError> {
        let mut rows = Vec::new();
        for vote in &question.votes {
            let name = self.name_of(&vote.worker).await?;
            let seconds = vote
                .seconds
                .map_or_else(String::new, |seconds| format!("{seconds:.0} s"));
            let flag = if vote.note.flagged { "flagged" } else { "" };
            rows.push(vec![
                Cell::written(name),
                Cell::written(match vote.is_taken_back() {
                    true => "names no label any more".to_owned(),
                    false => in_words(&vote.answer),
                }),
                Cell::text(&vote.at),
                Cell::text(seconds),
                Cell::written(vote.note.comment.as_deref().unwrap_or_default()),
                Cell::text(flag),
            ]);
        }
        Ok(Table {
            caption: format!("Votes on {}", question.record.id),
            head: vec!["Who", "Answer", "When", "Took", "Comment", "Flag"],
            rows,
        })
    }

    /// Returns the name of a worker, or their id where it is not known.
    pub(super) async fn name_of(&self, worker_id: &str) -> Result<String, ConsoleError> {
        let is_worker = worker_id.len() == 16 && worker_id.bytes().all(|byte| byte.is_ascii_hexdigit());
        let name = match is_worker {
            true => self.members.name_of(worker_id, self.now).await?,
            false => None,
        };
        Ok(name.unwrap_or_else(|| worker_id.to_owned()))
    }

    async fn reviewers_table(
        &self,
        reports: &BTreeMap<String, ReviewerReport>,
    ) -> Result<Table, ConsoleError> {
        let has_several = has_several(reports);
        let mut rows = Vec::new();
        for (worker_id, report) in reports.iter().take(100) {
            let seconds = report.median_seconds;
            let mut row = vec![
                Cell::written(self.name_of(worker_id).await?),
                Cell::text(report.answers.to_string()),
                Cell::text(report.unsure.to_string()),
                percent_cell(report.agreement),
                Cell::text(report.compared.to_string()),
                Cell::text(
                    seconds.map_or_else(|| "not known".to_owned(), |seconds| format!("{seconds:.1} s")),
                ),
            ];
            row.extend(has_several.then(|| percent_cell(report.label_agreement)));
            rows.push(row);
        }
        let mut head = vec![
            "Who",
            "Answers",
            "Unsure",
            "Equal to the final answer",
            "Texts compared",
            "Median time",
        ];
        head.extend(has_several.then_some("Labels equal, each by itself"));
        Ok(Table {
            caption: "Each reviewer against the final answers, the first hundred".to_owned(),
            head,
            rows,
        })
    }
}

/// Returns whether reviewers gave texts several labels.
fn has_several(reports: &BTreeMap<String, ReviewerReport>) -> bool {
    reports.values().any(|report| report.label_agreement.is_some())
}

fn agreement(report: &AgreementReport) -> Table {
    let row = |name: &str, agreement: &Agreement| {
        let alpha = agreement.alpha;
        vec![
            Cell::written(name),
            Cell::text(alpha.map_or_else(|| "not known".to_owned(), |alpha| format!("{alpha:.2}"))),
            percent_cell(agreement.percent_agreement),
            Cell::text(agreement.records.to_string()),
            Cell::text(agreement.answers.to_string()),
        ]
    };
    let labels = report
        .by_label
        .iter()
        .map(|(name, agreement)| row(name, agreement));
    Table {
        caption:
            "Reviewers against one another, by label: Krippendorff's alpha, 1 is perfect and 0 is chance"
                .to_owned(),
        head: vec![
            "Label",
            "Alpha",
            "Pairs with equal answers",
            "Texts with two answers",
            "Answers",
        ],
        rows: std::iter::once(row("Whole answers", &report.overall))
            .chain(labels)
            .collect(),
    }
}

/// Makes the forms that decide a dispute: several labels may be chosen where a text may have several.
fn decide(question: &Question, set: Option<&LabelSet>) -> [Form; 2] {
    let form = |action, button: &str| Form {
        action,
        hidden: vec![("subject", question.record.id.clone())],
        button: button.to_owned(),
        ..Form::default()
    };
    let labels: Vec<String> = set.map_or_else(Vec::new, |set| set.active().map(str::to_owned).collect());
    let by_label = form("adjudicate", "Decide");
    let by_label = match set.is_some_and(LabelSet::has_several_labels) {
        true => Form {
            choices: Some(Choices {
                name: "value",
                label: "The right labels, all that fit",
                options: labels,
            }),
            ..by_label
        },
        false => Form {
            fields: vec![Field {
                name: "value",
                label: "The right label",
                options: labels.into_iter().map(|label| (label.clone(), label)).collect(),
            }],
            ..by_label
        },
    };
    [by_label, form("adjudicate-none-fits", "No label fits")]
}

/// Says what was answered in a form.
fn answer_in_words(answer: &Value) -> String {
    let word = |label: &Value| match label.as_str() {
        Some(NONE_FITS) => "none fits".to_owned(),
        Some(UNSURE) => "unsure".to_owned(),
        other => other.unwrap_or_default().to_owned(),
    };
    match answer.as_array() {
        Some(labels) => labels.iter().map(word).collect::<Vec<_>>().join(", "),
        None => word(answer),
    }
}

/// Says an answer in words.
pub(super) fn in_words(answer: &Answer) -> String {
    match answer {
        Answer::Labels { labels } => labels.join(", "),
        Answer::NoneFits => "none fits".to_owned(),
        Answer::NewLabel { label } => format!("a new label: {}", for_people(label)),
        Answer::Unsure => "unsure".to_owned(),
    }
}
