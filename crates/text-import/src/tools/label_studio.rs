//! Label Studio's JSON: one task an object, with the annotations of everybody who labelled it.
//!
//! Source: Label Studio guide, "Label Studio JSON format of annotated tasks".

use serde_json::Value;

use super::{NO_TEXT, PARTS, text_among};
use crate::{
    Options,
    draft::{Draft, DraftVote, Fields, text_of, time_of},
    labels::{Written, name},
};

pub(super) fn draft(task: &Fields, options: &Options) -> Result<Draft, String> {
    let data = task.get("data").and_then(Value::as_object).ok_or(NO_TEXT)?;
    let text = text_among(data, options).ok_or(NO_TEXT)?;
    let annotations = ["annotations", "completions"]
        .iter()
        .find_map(|field| task.get(*field)?.as_array());
    let mut draft = Draft {
        text,
        ..Draft::default()
    };
    let mut marks_parts = false;
    for annotation in annotations.into_iter().flatten() {
        if annotation.get("was_cancelled").and_then(Value::as_bool) == Some(true) {
            draft.aside = Some("was skipped by its annotator");
            continue;
        }
        let results = annotation.get("result").and_then(Value::as_array);
        let results: Vec<&Value> = results.into_iter().flatten().collect();
        let (labels, parts) = labels(&results, options.label_column.as_deref());
        marks_parts |= parts;
        if !labels.is_empty() {
            draft.votes.push(DraftVote {
                written: Written::List(labels),
                by: annotator(annotation.get("completed_by")),
                at: time_of(
                    annotation
                        .get("updated_at")
                        .or_else(|| annotation.get("created_at")),
                ),
            });
        }
    }
    if draft.votes.is_empty() && marks_parts {
        return Err(PARTS.to_owned());
    }
    Ok(draft)
}

/// Returns the labels that one annotator chose for one question, the first or the one that is named, and
/// whether they marked parts of the text.
fn labels(results: &[&Value], question: Option<&str>) -> (Vec<String>, bool) {
    let mut asked: Option<&str> = question;
    let mut labels = Vec::new();
    let mut marks_parts = false;
    for result in results {
        let value = &result["value"];
        let chosen: Vec<String> = match (&value["choices"], &value["taxonomy"], &value["rating"]) {
            (Value::Array(choices), ..) => choices.iter().filter_map(name).collect(),
            (_, Value::Array(paths), _) => paths
                .iter()
                .filter_map(|path| name(path.as_array()?.last()?))
                .collect(),
            (_, _, rating @ Value::Number(_)) => name(rating).into_iter().collect(),
            _ => {
                marks_parts |= value.get("labels").is_some();
                continue;
            }
        };
        let from = result["from_name"].as_str().unwrap_or_default();
        if *asked.get_or_insert(from) == from {
            labels.extend(chosen);
        }
    }
    (labels, marks_parts)
}

/// Returns who annotated: a number, or what an export with people says of them.
fn annotator(completed_by: Option<&Value>) -> Option<String> {
    let completed_by = completed_by?;
    let of_person = || {
        ["email", "username", "id"]
            .iter()
            .find_map(|field| text_of(completed_by.get(*field)))
    };
    text_of(Some(completed_by)).or_else(of_person)
}
