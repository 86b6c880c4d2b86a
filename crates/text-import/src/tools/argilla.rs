//! Argilla's records, as its server, its `to_json` and its datasets write them, and those of its first
//! version.
//!
//! Source: Argilla, `rg.Record.to_dict`, `Dataset.to_datasets`; v1: `FeedbackDataset.format_as("datasets")`,
//! `TextClassificationRecord`.

use serde_json::Value;

use super::{NO_TEXT, text_among};
use crate::{
    Options,
    draft::{Answer, Draft, DraftVote, Fields, text_of, time_of},
    labels::Written,
    named::is_nothing,
};

/// Ends of the names of columns that say what people answered, and what was suggested.
const RESPONSES: &str = ".responses";
const SUGGESTION: &str = "-suggestion";

pub(super) fn is_one(fields: &Fields) -> bool {
    let has = |name: &str| fields.contains_key(name);
    let ends = |end: &str| fields.keys().any(|name| name.ends_with(end));
    fields.get("fields").is_some_and(Value::is_object)
        && (has("responses") || has("suggestions") || has("_server_id"))
        || ends(RESPONSES)
        || ends(SUGGESTION) && ends("-suggestion-metadata")
        || has("inputs") && has("annotation") && (has("prediction") || has("multi_label"))
}

pub(super) fn draft(record: &Fields, options: &Options) -> Result<Draft, String> {
    let nested = ["fields", "inputs"]
        .iter()
        .find_map(|name| record.get(*name)?.as_object());
    let text = match nested {
        Some(fields) => text_among(fields, options),
        None => text_among(record, options),
    };
    let text = text.ok_or(NO_TEXT)?;
    let mut draft = Draft {
        text,
        ..Draft::default()
    };
    if let Some(Value::Array(responses)) = record.get("responses") {
        of_server(responses, &mut draft)?;
    } else if let Some(Value::Object(responses)) = record.get("responses") {
        for (question, answers) in responses {
            of_answers(question, answers, &mut draft);
        }
    } else if record.keys().any(|name| name.ends_with(RESPONSES)) {
        of_columns(record, &mut draft);
    } else if let Some(annotation) = record.get("annotation") {
        let written = Written::of_value(annotation)?;
        let by = text_of(record.get("annotation_agent"));
        let at = time_of(record.get("event_timestamp"));
        match is_validated(record.get("status")) {
            true => draft
                .votes
                .extend(written.map(|written| DraftVote { written, by, at })),
            false => draft.aside = written.map(|_| NOT_SUBMITTED),
        }
    } else {
        let is_question = |name: &String| record.contains_key(&format!("{name}{SUGGESTION}"));
        for (question, answers) in record.iter().filter(|(name, _)| is_question(name)) {
            of_answers(question, answers, &mut draft);
        }
    }
    Ok(draft)
}

/// Reads `[{"values": {"label": {"value": …}}, "status": "submitted", "user_id": …}]`.
///
/// # Errors
///
/// A response says nothing in the words of Argilla.
fn of_server(responses: &[Value], draft: &mut Draft) -> Result<(), String> {
    for response in responses {
        let values = response.get("values").and_then(Value::as_object);
        if !is_submitted(response.get("status")) {
            draft.aside = Some(NOT_SUBMITTED);
            continue;
        }
        if values.is_none() && !is_nothing(response) {
            return Err(NO_VALUES.to_owned());
        }
        for (question, answer) in values.into_iter().flatten() {
            push(question, answer.get("value"), response, draft);
        }
    }
    Ok(())
}

/// Reads `[{"value": …, "user_id": …, "status": "submitted"}]`.
fn of_answers(question: &str, answers: &Value, draft: &mut Draft) {
    for answer in answers.as_array().into_iter().flatten() {
        if is_submitted(answer.get("status")) {
            push(question, answer.get("value"), answer, draft);
        } else {
            draft.answers.push(not_submitted(question));
        }
    }
}

/// Reads the columns `label.responses`, `label.responses.users` and `label.responses.status` of each question.
fn of_columns(record: &Fields, draft: &mut Draft) {
    let columns = record
        .iter()
        .filter_map(|(name, value)| Some((name.strip_suffix(RESPONSES)?, value.as_array()?)));
    for (question, values) in columns {
        let column = |end: &str| {
            record
                .get(&format!("{question}{RESPONSES}.{end}"))
                .and_then(Value::as_array)
        };
        let (users, statuses) = (column("users"), column("status"));
        for (number, value) in values.iter().enumerate() {
            if !is_submitted(statuses.and_then(|statuses| statuses.get(number))) {
                draft.answers.push(not_submitted(question));
                continue;
            }
            let by = text_of(users.and_then(|users| users.get(number)));
            draft.answers.extend(answer(question, value, by, None));
        }
    }
}

/// Why a record is not read whose responses are no answers of Argilla.
const NO_VALUES: &str = "its `responses` hold no `values`, as those of Argilla do: write the names of its labels into a field \
    `label`";

/// Why an answer does not count.
const NOT_SUBMITTED: &str = "was discarded or is a draft";

fn is_submitted(status: Option<&Value>) -> bool {
    let status = status.and_then(Value::as_str);
    status.is_none_or(|status| status == "submitted")
}

/// Returns whether a record of the first version counts; one that was edited and not validated, or discarded, does not.
fn is_validated(status: Option<&Value>) -> bool {
    let status = status.and_then(Value::as_str);
    status.is_none_or(|status| status.eq_ignore_ascii_case("validated"))
}

fn not_submitted(question: &str) -> Answer {
    Answer {
        question: question.to_owned(),
        is_rating: false,
        said: Err(NOT_SUBMITTED),
    }
}

fn push(question: &str, value: Option<&Value>, from: &Value, draft: &mut Draft) {
    let by = text_of(from.get("user_id")).or_else(|| text_of(from.get("user")));
    let at = time_of(from.get("updated_at").or_else(|| from.get("inserted_at")));
    draft
        .answers
        .extend(value.and_then(|value| answer(question, value, by, at)));
}

fn answer(question: &str, value: &Value, by: Option<String>, at: Option<String>) -> Option<Answer> {
    let said = match Written::of_value(value) {
        Ok(written) => Ok(DraftVote {
            written: whole(written?),
            by,
            at,
        }),
        Err(reason) => Err(reason),
    };
    Some(Answer {
        question: question.to_owned(),
        is_rating: value.is_number(),
        said,
    })
}

/// One answer is one label, whatever signs it holds.
fn whole(written: Written) -> Written {
    match written {
        Written::Cell(label) => Written::List(vec![label]),
        list => list,
    }
}
