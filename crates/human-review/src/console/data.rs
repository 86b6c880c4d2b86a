//! One text's way: what was predicted, why people were asked, what they said, and the label; and how texts are found.

use std::collections::BTreeMap;

use active_learning_aws::bucket::{CSV, JSON_LINES};
use active_learning_aws::questions;
use active_learning_core::feedback::record_id;
use active_learning_core::keys;
use active_learning_core::labels::labelled::LabelledRecord;
use active_learning_core::labels::question::Question;
use active_learning_core::text::counted;
use active_learning_core::text::personal_data::mask;
use serde_json::{Value, json};

use super::data_search::{Found, FoundText, NONE, OPEN, Search, to_csv, to_json_lines};
use super::form::{Field, Form, SearchField};
use super::page::Block;
use super::quality::in_words;
use super::table::{Cell, Table};
use super::{Console, ConsoleError, View};
use crate::event::{HttpReply, HttpRequest};
use crate::pages::{download, redirect};

/// Largest object that is read, in bytes.
pub(super) const MAX_BYTES: u64 = 8 << 20;
/// Address that a search is sent to.
pub(super) const FIND_TEXTS: &str = "find-texts";
/// Objects and lines that are named which cannot be read.
const SHOWN_PROBLEMS: usize = 10;
/// Characters of a text in a table.
const MAX_CHARS: usize = 120;

impl Console<'_> {
    pub(super) async fn data(&self, request: &HttpRequest) -> Result<View, ConsoleError> {
        let id = request.query.get("id").map(|id| id.trim().to_ascii_lowercase());
        let id = id.unwrap_or_default();
        let id = id.as_str();
        if request.query.contains_key("word") {
            let text = "a word is looked for by the form: words of texts stay out of every address";
            return Err(ConsoleError::Invalid(text.to_owned()));
        }
        if id.is_empty() && Search::is_asked_by(&request.query) {
            let search = Search::read(&request.query)?;
            let found = self.look(&search).await?;
            return Ok(found_view(&search, &found));
        }
        let mut blocks = vec![Block::heading("Labelled texts"), Block::text(ABOUT_SEARCH)];
        blocks.push(Block::Form(search_form(&Search::default())));
        blocks.push(Block::heading("One text"));
        blocks.push(Block::text(
            "A text is found by its exact words and the name of its classifier, or by the id of its record. Only texts \
             that people were asked about, that a file brought with labels, or that a user gave feedback on since, are \
             found, for as long as claims are kept.",
        ));
        blocks.extend([find_text(), find_id()].map(Block::Form));
        let mut document = json!({ "id": id, "question": null, "labelled": null });
        if is_record_id(id) {
            self.one_text(id, &mut blocks, &mut document).await?;
        } else if !id.is_empty() {
            blocks.push(Block::text(
                "This is no id of a record: it has 32 hexadecimal digits.",
            ));
        }
        Ok(View {
            title: "Data".to_owned(),
            blocks,
            json: document,
        })
    }

    /// Answers a search by the form: a page, or what that would show as a file.
    pub(super) async fn find_texts(
        &self,
        form: &BTreeMap<String, String>,
    ) -> Result<HttpReply, ConsoleError> {
        let search = Search::read(form)?;
        let format = form.get("format").map(String::as_str).unwrap_or_default();
        if format.is_empty() && search.word.is_empty() {
            return Ok(redirect(&search.address("data", &search.after)));
        }
        let found = self.look(&search).await?;
        match format {
            // A word is in no address: there is none of this page as JSON.
            "" => Ok(self.show("data", found_view(&search, &found), None, None)),
            "csv" => Ok(download(CSV, "texts.csv", to_csv(&found.texts))),
            "jsonl" => Ok(download(JSON_LINES, "texts.jsonl", to_json_lines(&found.texts))),
            _ => Err(ConsoleError::Invalid(
                "the format must be csv or jsonl".to_owned(),
            )),
        }
    }

    /// Goes to the record of a text, whose words stay out of every address.
    pub(super) async fn find(&self, text: &str, classifier: &str) -> Result<HttpReply, ConsoleError> {
        let ids = ids_of(text, classifier.trim());
        let mut found = &ids[0];
        for id in &ids {
            if questions::read(self.feedback, id).await?.is_some() {
                found = id;
                break;
            }
        }
        Ok(redirect(&format!("data?id={found}")))
    }

    async fn one_text(
        &self,
        id: &str,
        blocks: &mut Vec<Block>,
        document: &mut Value,
    ) -> Result<(), ConsoleError> {
        let Some(question) = questions::read(self.feedback, id).await? else {
            blocks.push(Block::text(format!(
                "No text of exactly these words was found, or none with the id {id}. A text whose personal data was \
                 masked is found as it is masked, or by its id. What was asked is found for as long as claims are kept."
            )));
            return Ok(());
        };
        blocks.push(Block::heading(format!("Record {id}")));
        blocks.push(Block::Quote(question.record.utterance.clone()));
        blocks.push(Block::Figures(figures(&question)));
        blocks.push(Block::Table(self.votes(&question).await?));
        let labelled = match &question.human_loop {
            Some(human_loop) => {
                self.skips_of_text(human_loop, blocks, document).await?;
                self.labelled(human_loop, id).await?
            }
            None => None,
        };
        blocks.push(Block::text(kept_of(&question, labelled.as_ref())));
        let datasets = match &labelled {
            Some(labelled) => self.datasets_of(labelled).await?,
            None => None,
        };
        blocks.extend(datasets.iter().map(|found| Block::text(found.in_words())));
        document["datasets"] = json!(datasets);
        document["question"] = json!(question);
        document["labelled"] = json!(labelled);
        Ok(())
    }

    async fn labelled(&self, human_loop: &str, id: &str) -> Result<Option<LabelledRecord>, ConsoleError> {
        let object = self.training.read(&keys::labelled(human_loop), MAX_BYTES).await?;
        let bytes = object.map(|object| object.bytes).unwrap_or_default();
        let records = bytes
            .split(|byte| *byte == b'\n')
            .filter_map(|line| LabelledRecord::parse(line).ok());
        Ok(records.into_iter().find(|record| record.record.id == id))
    }
}

/// What is said above a search.
const ABOUT_SEARCH: &str = "Looks through what human loops and files have labelled, and votes of users, a row for each: a text that \
    was labelled twice, or voted on later, comes more than once, and what an adjudicator said since is on its own page. Labels \
    are found and shown by the names of now. There is no index: some hundred objects are looked through at a time, in the \
    order of their names. Texts that wait are on the page Tasks.";

/// Shows what was found.
fn found_view(search: &Search, found: &Found) -> View {
    let mut blocks = vec![Block::text(ABOUT_SEARCH), Block::Form(search_form(search))];
    let shown = counted(found.texts.len(), "row");
    blocks.push(Block::text(format!(
        "{shown} of {} that were looked through just now.",
        found.looked_at
    )));
    if !found.texts.is_empty() {
        blocks.push(Block::Table(found_table(&found.texts)));
    }
    let passed_over = found.passed_over.iter().take(SHOWN_PROBLEMS);
    blocks.extend(passed_over.map(|what| Block::text(format!("Passed over: {what}."))));
    match &found.next {
        None => blocks.push(Block::text(
            "These were the last: nothing is left to look through.",
        )),
        Some(next) if search.word.is_empty() => {
            blocks.push(Block::Link(
                search.address("data", next),
                "Look further".to_owned(),
            ));
        }
        Some(next) => blocks.push(Block::Form(Form {
            button: "Look further".to_owned(),
            ..again(search, search.fields(next))
        })),
    }
    if !found.texts.is_empty() {
        let formats = [
            ("csv", "Export these as CSV"),
            ("jsonl", "Export these as JSON Lines"),
        ];
        blocks.extend(formats.map(|(format, button)| {
            let mut fields = search.fields(&search.after);
            fields.push(("format", format.to_owned()));
            Block::Form(Form {
                button: button.to_owned(),
                ..again(search, fields)
            })
        }));
        blocks.push(Block::text(
            "In CSV a cell that begins like a formula of a spreadsheet has an apostrophe before it.",
        ));
    }
    View {
        title: "Data".to_owned(),
        blocks,
        json: json!({
            "search": search, "texts": found.texts, "lookedAt": found.looked_at, "passedOver": found.passed_over,
            "next": found.next.as_ref().map(|next| next.to_text()),
        }),
    }
}

/// Returns a form that looks for the same word, with these fields.
fn again(search: &Search, mut hidden: Vec<(&'static str, String)>) -> Form {
    hidden.push(("word", search.word.clone()));
    Form {
        action: FIND_TEXTS,
        hidden,
        ..Form::default()
    }
}

fn found_table(texts: &[FoundText]) -> Table {
    let row = |text: &FoundText| {
        let mut begins: String = text.utterance.chars().take(MAX_CHARS).collect();
        if begins.len() < text.utterance.len() {
            begins.push('…');
        }
        let confidence = text.confidence.map(|share| format!("{:.1} %", share * 100.0));
        vec![
            Cell::Link(format!("data?id={}", text.id), begins),
            Cell::written(&text.said),
            Cell::written(text.predicted.as_deref().unwrap_or("nothing")),
            Cell::text(confidence.unwrap_or_default()),
            Cell::written(text.reviewers.join(", ")),
            Cell::text(text.signal.as_str().unwrap_or_default()),
            Cell::text(&text.labelled_at),
        ]
    };
    Table {
        caption: "Labelled texts".to_owned(),
        head: vec![
            "Text",
            "People said",
            "Predicted",
            "Confidence",
            "Who",
            "Why it was asked",
            "When",
        ],
        rows: texts.iter().map(row).collect(),
    }
}

fn search_form(search: &Search) -> Form {
    let text = |name, label, value: &String| SearchField {
        name,
        label,
        value: value.clone(),
        options: Vec::new(),
    };
    let choice = |name, label, value: &String, options: &[(&'static str, &'static str)]| SearchField {
        options: options.to_vec(),
        ..text(name, label, value)
    };
    let answers = [
        ("", "anything"),
        (NONE, "no label fits, or a new one"),
        (OPEN, "nothing that decides it"),
    ];
    let sources = [
        ("", "anywhere"),
        ("implicit", "the classification API"),
        ("explicit-api", "the feedback API"),
        ("explicit-batch", "a file"),
    ];
    Form {
        action: FIND_TEXTS,
        search: vec![
            text("word", "Word in the text", &search.word),
            text("label", "Label that people gave", &search.label),
            choice("answer", "People said", &search.answer, &answers),
            text("predicted", "Label that was predicted", &search.predicted),
            text("reviewer", "Reviewer", &search.reviewer),
            choice("source", "It came by", &search.source, &sources),
        ],
        button: "Look for texts".to_owned(),
        ..Form::default()
    }
}

/// Returns the ids that a text may have which somebody has typed or copied: a form sends every end of a line as two
/// characters, and what a stack has masked it has kept so.
fn ids_of(text: &str, classifier: &str) -> Vec<String> {
    let text = text.replace("\r\n", "\n");
    let masked = mask(&text).text;
    let forms = [text.as_str(), masked.as_ref()];
    let forms = forms
        .iter()
        .flat_map(|form| [(*form).to_owned(), form.replace('\n', "\r\n")]);
    let mut ids: Vec<String> = Vec::new();
    for id in forms.map(|form| record_id(classifier, &form)) {
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    ids
}

/// Returns whether a human loop has asked a text: others are known by the labels of a file, or by feedback.
fn was_asked(question: &Question) -> bool {
    question.human_loop.is_some() || question.first_loop.is_some() || !question.asked_in.is_empty()
}

/// Says what is kept for training.
fn kept_of(question: &Question, labelled: Option<&LabelledRecord>) -> String {
    match labelled {
        Some(labelled) => format!(
            "Its labelled record of the human loop {} is kept for training.",
            labelled.human_loop
        ),
        None if was_asked(question) => "Its latest human loop has given no labelled record.".to_owned(),
        None => {
            "No human loop has asked it: what is said of it came with a file or with feedback.".to_owned()
        }
    }
}

fn figures(question: &Question) -> Vec<(String, String)> {
    let record = &question.record;
    let words = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut figures = vec![
        ("Classifier", record.classifier.clone()),
        ("Received", record.received_at.clone()),
        (
            match was_asked(question) {
                true => "Why it was asked",
                false => "Reviewers were not asked; it is",
            },
            words(&json!(record.signal)),
        ),
        ("It came by", words(&json!(record.source))),
        (
            "Predicted",
            record.prediction.clone().unwrap_or_else(|| "nothing".to_owned()),
        ),
    ];
    if let Some(confidence) = record.confidence {
        figures.push(("Confidence", format!("{:.1} %", confidence * 100.0)));
    }
    if let Some(model) = &record.model_arn {
        figures.push(("Model", model.rsplit('/').next().unwrap_or_default().to_owned()));
    }
    if let Some(human_loop) = &question.human_loop {
        figures.push(("Latest human loop", human_loop.clone()));
    }
    figures.push(("The question is", words(&json!(question.state))));
    if let Some(answer) = question.answer() {
        figures.push(("People say", in_words(answer)));
    }
    figures
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// Returns whether a text may be the id of a record.
pub(super) fn is_record_id(id: &str) -> bool {
    id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn find_text() -> Form {
    Form {
        action: "find-text",
        text: Some(("subject", "Text")),
        fields: vec![Field {
            name: "value",
            label: "Classifier",
            options: Vec::new(),
        }],
        button: "Find the text".to_owned(),
        ..Form::default()
    }
}

fn find_id() -> Form {
    Form {
        action: "find-id",
        fields: vec![Field {
            name: "subject",
            label: "Id of a record",
            options: Vec::new(),
        }],
        button: "Find the record".to_owned(),
        ..Form::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(human_loop: Option<&str>) -> Question {
        let record = json!({"classifier": "news", "utterance": "One"});
        let question =
            json!({"schemaVersion": 1, "state": "answered", "record": record, "humanLoop": human_loop});
        serde_json::from_value(question).expect("a question")
    }

    #[test]
    fn a_text_that_a_file_brought_with_its_labels_is_not_said_to_have_been_asked() {
        let (imported, asked) = (question(None), question(Some("review-1")));
        let names = |question: &Question| -> Vec<String> {
            let figures = figures(question).into_iter();
            figures.map(|(name, _)| name).collect()
        };

        assert!(!names(&imported).contains(&"Why it was asked".to_owned()));
        assert!(names(&asked).contains(&"Why it was asked".to_owned()));
        let said = "No human loop has asked it: what is said of it came with a file or with feedback.";
        assert_eq!(kept_of(&imported, None), said);
        assert_eq!(
            kept_of(&asked, None),
            "Its latest human loop has given no labelled record."
        );
    }
}
