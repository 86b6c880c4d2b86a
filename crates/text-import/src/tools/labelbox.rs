//! Labelbox's export: one data row an object, with the labels of everybody in each project.
//!
//! Source: Labelbox documentation, "Export data", "Text export format".

use serde_json::Value;

use super::{NO_TEXT, PARTS, ground_truth::NOT_RIGHT};
use crate::{
    draft::{Answer, Draft, DraftVote, Fields, person_of, text_of, time_of},
    labels::{Written, name},
    named::is_nothing,
};

/// Status of a data row whose label a reviewer rejected.
const IN_REWORK: &str = "IN_REWORK";

pub(super) fn is_one(fields: &Fields) -> bool {
    let is_object = |field: &str| fields.get(field).is_some_and(Value::is_object);
    is_object("data_row") && (is_object("projects") || fields.contains_key("media_attributes"))
}

pub(super) fn draft(row: &Fields) -> Result<Draft, String> {
    let text = text_of(row.get("data_row").and_then(|row| row.get("row_data"))).ok_or(NO_TEXT)?;
    if is_address(&text) {
        return Err(
            "its text is in another file, of which `row_data` has the address: give the text itself"
                .to_owned(),
        );
    }
    let mut draft = Draft {
        text,
        ..Draft::default()
    };
    let mut marks_parts = false;
    let projects = row.get("projects").and_then(Value::as_object);
    for project in projects.into_iter().flat_map(Fields::values) {
        let is_rejected = project["project_details"]["workflow_status"] == IN_REWORK;
        for label in project["labels"].as_array().into_iter().flatten() {
            if label["performance_details"]["skipped"] == true {
                draft.aside = Some("was skipped by its annotator");
                continue;
            }
            let details = &label["label_details"];
            let said = Said {
                by: person_of(details.get("created_by")),
                at: time_of(details.get("updated_at").or_else(|| details.get("created_at"))),
                is_rejected,
            };
            let annotations = &label["annotations"];
            marks_parts |= !is_nothing(&annotations["objects"]);
            said.classifications(&annotations["classifications"], &mut draft)?;
        }
    }
    if draft.answers.is_empty() && marks_parts {
        return Err(PARTS.to_owned());
    }
    Ok(draft)
}

/// Who gave a label, and when.
struct Said {
    by: Option<String>,
    at: Option<String>,
    is_rejected: bool,
}

impl Said {
    /// Adds the answers to questions, and those to the questions that an answer opens.
    fn classifications(&self, questions: &Value, draft: &mut Draft) -> Result<(), String> {
        for question in questions.as_array().into_iter().flatten() {
            let called = name(question).unwrap_or_default();
            let chosen: Vec<&Value> = match (&question["radio_answer"], &question["checklist_answers"]) {
                (radio @ Value::Object(_), _) => vec![radio],
                (_, Value::Array(checked)) => checked.iter().collect(),
                // Words that somebody wrote are no labels.
                _ if question.get("text_answer").is_some() => continue,
                _ if is_nothing(question) => continue,
                _ => return Err(NO_ANSWER.to_owned()),
            };
            let names: Option<Vec<String>> = chosen.iter().map(|answer| answer_name(answer)).collect();
            let names = names.ok_or(NO_ANSWER)?;
            if !names.is_empty() {
                draft.answers.push(Answer {
                    question: called,
                    is_rating: false,
                    said: match self.is_rejected {
                        true => Err(NOT_RIGHT),
                        false => Ok(DraftVote {
                            written: Written::List(names),
                            by: self.by.clone(),
                            at: self.at.clone(),
                        }),
                    },
                });
            }
            for answer in chosen {
                self.classifications(&answer["classifications"], draft)?;
            }
        }
        Ok(())
    }
}

/// Why an answer is not read.
const NO_ANSWER: &str = "an answer in its `classifications` has no name that is known: neither `radio_answer` nor \
    `checklist_answers` gives one";

/// Returns what an answer is called where people chose it.
fn answer_name(answer: &Value) -> Option<String> {
    text_of(answer.get("name")).or_else(|| text_of(answer.get("value")))
}

/// Returns whether a text is nothing but the address of a file.
fn is_address(text: &str) -> bool {
    let is_of_files = ["https://", "http://", "gs://", "s3://"]
        .iter()
        .any(|scheme| text.starts_with(scheme));
    is_of_files && !text.contains(char::is_whitespace)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::{Options, read};

    /// Returns a data row with these questions, as the export writes it.
    fn row(text: &str, questions: &Value, status: &str, by: &str) -> Value {
        json!({
            "data_row": { "id": "cl1", "external_id": "1.txt", "row_data": text },
            "media_attributes": { "mime_type": "text/plain" },
            "projects": { "cl2": {
                "name": "Tickets",
                "labels": [{
                    "label_kind": "Default", "version": "1.0.0", "id": "cl3",
                    "label_details": { "created_at": "2026-11-01T10:00:00.000+00:00", "created_by": by, "reviews": [] },
                    "annotations": { "objects": [], "classifications": questions, "relationships": [] }
                }],
                "project_details": { "workflow_status": status }
            } }
        })
    }

    use serde_json::Value;

    fn answered(label: &str) -> Value {
        json!({ "feature_id": "f", "name": label, "value": label.to_lowercase(), "classifications": [] })
    }

    fn told(rows: &[Value]) -> (Vec<String>, Vec<String>) {
        let lines: Vec<String> = rows.iter().map(Value::to_string).collect();
        let import = read(lines.join("\n").as_bytes(), &Options::default()).expect("an export");
        let votes = |row: &crate::Row| {
            let votes = row.votes.iter();
            let votes: Vec<String> = votes
                .map(|vote| format!("{}: {}", vote.by.as_deref().unwrap_or("?"), vote.labels.join("+")))
                .collect();
            votes.join("; ")
        };
        let rejected = import.rejected.iter().map(|row| row.reason.clone());
        (
            import.rows.iter().map(votes).collect(),
            rejected.chain(import.notes.clone()).collect(),
        )
    }

    #[test]
    fn answers_of_one_and_of_several_choices_are_labels_of_who_gave_them() {
        let radio =
            |label: &str| json!([{ "name": "Topic", "value": "topic", "radio_answer": answered(label) }]);
        let several = json!([{ "name": "Topic", "value": "topic",
            "checklist_answers": [answered("Billing"), answered("Urgent")] }]);

        let (votes, told) = told(&[
            row(
                "The invoice is wrong",
                &radio("Billing"),
                "DONE",
                "ann@example.com",
            ),
            row("Charged twice", &several, "IN_REVIEW", "bob@example.com"),
            row("Where is it?", &json!([]), "TO_LABEL", "bob@example.com"),
            row("I cannot log in", &radio("Login"), "IN_REWORK", "ann@example.com"),
        ]);

        assert_eq!(
            votes,
            [
                "ann@example.com: Billing",
                "bob@example.com: Billing+Urgent",
                "",
                ""
            ]
        );
        let wrong = "texts whose label a verification did not find right, which have no label: 1, the first in line 4";
        assert_eq!(told, [wrong]);
    }

    #[test]
    fn what_is_no_label_of_a_text_is_refused_and_a_second_question_is_told() {
        let mut nested = answered("Billing");
        nested["classifications"] = json!([{ "name": "Kind", "radio_answer": answered("Refund") }]);
        let (votes, notes) = told(&[row(
            "Charged twice",
            &json!([{ "name": "Topic", "radio_answer": nested }]),
            "DONE",
            "ann",
        )]);
        assert_eq!(votes, ["ann: Billing"]);
        assert!(notes[0].contains("those to `Kind` were not read"), "{notes:?}");

        let unknown = json!([{ "name": "Topic", "slider_answer": 3 }]);
        let address = "https://example.com/1.txt";
        for (row, reason) in [
            (
                row("Charged twice", &unknown, "DONE", "ann"),
                "has no name that is known",
            ),
            (
                row(address, &json!([]), "DONE", "ann"),
                "its text is in another file",
            ),
        ] {
            let (votes, told) = told(&[row]);
            assert!(votes.is_empty() && told[0].contains(reason), "{told:?}");
        }
        let mut marked = row("Ada wrote it", &json!([]), "DONE", "ann");
        marked["projects"]["cl2"]["labels"][0]["annotations"]["objects"] = json!([{ "name": "Person" }]);
        assert_eq!(told(&[marked]).1, [crate::written::PARTS]);
    }
}
