//! Argilla's records, as its server, its `to_json` and its datasets write them, and those of its first
//! version.
//!
//! Source: Argilla, `rg.Record.to_dict`, `Dataset.to_datasets`; v1: `FeedbackDataset.format_as("datasets")`,
//! `TextClassificationRecord`.

use serde_json::Value;

use super::{NO_TEXT, text_among};
use crate::{
    Options,
    draft::{Draft, DraftVote, Fields, text_of, time_of},
    labels::Written,
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
    let question = options.label_column.as_deref();
    let mut draft = Draft {
        text,
        ..Draft::default()
    };
    if let Some(Value::Array(responses)) = record.get("responses") {
        of_server(responses, question, &mut draft);
    } else if let Some(Value::Object(responses)) = record.get("responses") {
        if let Some((_, Value::Array(answers))) = chosen(
            responses.iter().map(|(name, value)| (name.as_str(), value)),
            question,
        ) {
            of_answers(answers, &mut draft);
        }
    } else if record.keys().any(|name| name.ends_with(RESPONSES)) {
        of_columns(record, question, &mut draft);
    } else if let Some(annotation) = record.get("annotation") {
        let written = Written::of_value(annotation);
        let by = text_of(record.get("annotation_agent"));
        let at = time_of(record.get("event_timestamp"));
        draft
            .votes
            .extend(written.map(|written| DraftVote { written, by, at }));
    } else {
        let questions = record
            .iter()
            .filter(|(name, _)| record.contains_key(&format!("{name}{SUGGESTION}")));
        if let Some((_, Value::Array(answers))) =
            chosen(questions.map(|(name, value)| (name.as_str(), value)), question)
        {
            of_answers(answers, &mut draft);
        }
    }
    Ok(draft)
}

/// Chooses a question: the one that is named, one that is called like labels, or the first with an answer.
fn chosen<'a>(
    questions: impl Iterator<Item = (&'a str, &'a Value)>,
    wanted: Option<&str>,
) -> Option<(&'a str, &'a Value)> {
    let mut questions: Vec<(&str, &Value)> = questions.collect();
    questions.sort_by_key(|(name, _)| (crate::names::label_place(name).is_none(), *name));
    match wanted {
        Some(wanted) => questions.into_iter().find(|(name, _)| *name == wanted),
        None => questions.into_iter().next(),
    }
}

/// Reads `[{"values": {"label": {"value": …}}, "status": "submitted", "user_id": …}]`.
fn of_server(responses: &[Value], question: Option<&str>, draft: &mut Draft) {
    for response in responses {
        if !is_submitted(response.get("status"), draft) {
            continue;
        }
        let values = response.get("values").and_then(Value::as_object);
        let questions = values
            .into_iter()
            .flatten()
            .map(|(name, value)| (name.as_str(), value));
        let Some((_, answer)) = chosen(questions, question) else {
            continue;
        };
        push(answer.get("value"), response, draft);
    }
}

/// Reads `[{"value": …, "user_id": …, "status": "submitted"}]`.
fn of_answers(answers: &[Value], draft: &mut Draft) {
    for answer in answers {
        if is_submitted(answer.get("status"), draft) {
            push(answer.get("value"), answer, draft);
        }
    }
}

/// Reads the columns `label.responses`, `label.responses.users` and `label.responses.status`.
fn of_columns(record: &Fields, question: Option<&str>, draft: &mut Draft) {
    let columns = record
        .iter()
        .filter_map(|(name, value)| Some((name.strip_suffix(RESPONSES)?, value)));
    let Some((name, Value::Array(values))) = chosen(columns, question) else {
        return;
    };
    let column = |end: &str| {
        record
            .get(&format!("{name}{RESPONSES}.{end}"))
            .and_then(Value::as_array)
    };
    let (users, statuses) = (column("users"), column("status"));
    for (number, value) in values.iter().enumerate() {
        if is_submitted(statuses.and_then(|statuses| statuses.get(number)), draft) {
            let by = text_of(users.and_then(|users| users.get(number)));
            let vote = Written::of_value(value).map(|written| DraftVote {
                written: whole(written),
                by,
                at: None,
            });
            draft.votes.extend(vote);
        }
    }
}

fn is_submitted(status: Option<&Value>, draft: &mut Draft) -> bool {
    let is_submitted = status
        .and_then(Value::as_str)
        .is_none_or(|status| status == "submitted");
    if !is_submitted {
        draft.aside = Some("was discarded or is a draft");
    }
    is_submitted
}

fn push(value: Option<&Value>, from: &Value, draft: &mut Draft) {
    let Some(written) = value.and_then(Written::of_value) else {
        return;
    };
    draft.votes.push(DraftVote {
        written: whole(written),
        by: text_of(from.get("user_id")).or_else(|| text_of(from.get("user"))),
        at: time_of(from.get("updated_at").or_else(|| from.get("inserted_at"))),
    });
}

/// One answer is one label, whatever signs it holds.
fn whole(written: Written) -> Written {
    match written {
        Written::Cell(label) => Written::List(vec![label]),
        list => list,
    }
}
