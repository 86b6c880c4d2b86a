//! One text's way: what was predicted, why people were asked, what they said, and the label.

use active_learning_aws::questions;
use active_learning_core::feedback::record_id;
use active_learning_core::keys;
use active_learning_core::labels::labelled::LabelledRecord;
use active_learning_core::labels::question::Question;
use active_learning_core::text::personal_data::mask;
use serde_json::{Value, json};

use super::form::{Field, Form};
use super::page::Block;
use super::quality::in_words;
use super::{Console, ConsoleError, View};
use crate::event::{HttpReply, HttpRequest};
use crate::pages::redirect;

/// Largest object that is read, in bytes.
const MAX_BYTES: u64 = 8 << 20;

impl Console<'_> {
    pub(super) async fn data(&self, request: &HttpRequest) -> Result<View, ConsoleError> {
        let id = request.query.get("id").map(|id| id.trim().to_ascii_lowercase());
        let id = id.unwrap_or_default();
        let id = id.as_str();
        let mut blocks = vec![Block::text(
            "A text is found by its exact words and the name of its classifier, or by the id of its record. Only texts \
             that people were asked about, that a file brought with labels, or that a user gave feedback on since, are \
             found, for as long as claims are kept.",
        )];
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
            Some(human_loop) => self.labelled(human_loop, id).await?,
            None => None,
        };
        blocks.push(Block::text(kept_of(&question, labelled.as_ref())));
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
