//! Label Studio's JSON: one task an object, with the annotations of everybody who labelled it.
//!
//! Source: Label Studio guide, "Label Studio JSON format of annotated tasks".

use serde_json::Value;

use super::{NO_TEXT, PARTS, text_among};
use crate::{
    Options,
    draft::{Answer, Draft, DraftVote, Fields, person_of, time_of},
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
        let (questions, parts) = questions(&results);
        marks_parts |= parts;
        let by = person_of(annotation.get("completed_by"));
        let at = annotation
            .get("updated_at")
            .or_else(|| annotation.get("created_at"));
        let at = time_of(at);
        let answers = questions
            .into_iter()
            .map(|(question, is_rating, written)| Answer {
                question,
                is_rating,
                said: Ok(DraftVote {
                    written,
                    by: by.clone(),
                    at: at.clone(),
                }),
            });
        draft.answers.extend(answers);
    }
    if draft.answers.is_empty() && marks_parts {
        return Err(PARTS.to_owned());
    }
    if draft.answers.is_empty() && draft.aside.is_none() {
        draft.aside = unfinished(task);
    }
    Ok(draft)
}

/// Says what a task holds where nobody submitted an annotation: drafts, or predictions of a machine.
fn unfinished(task: &Fields) -> Option<&'static str> {
    let has = |field: &str| {
        let values = task.get(field).and_then(Value::as_array);
        values.is_some_and(|values| !values.is_empty())
    };
    let annotations = task.get("annotations").and_then(Value::as_array);
    let has_inner_drafts = annotations.into_iter().flatten().any(|annotation| {
        let drafts = annotation.get("drafts").or_else(|| annotation.get("draft"));
        drafts
            .and_then(Value::as_array)
            .is_some_and(|drafts| !drafts.is_empty())
    });
    match (has("drafts") || has_inner_drafts, has("predictions")) {
        (true, _) => Some("was discarded or is a draft"),
        (false, true) => Some("was labelled by a machine"),
        (false, false) => None,
    }
}

/// Returns what one annotator answered to each question, with whether it is a rating, and whether they marked parts of the
/// text.
fn questions(results: &[&Value]) -> (Vec<(String, bool, Written)>, bool) {
    let mut questions: Vec<(String, bool, Written)> = Vec::new();
    let mut marks_parts = false;
    for result in results {
        let value = &result["value"];
        if value.get("start").is_some() && value.get("end").is_some() {
            marks_parts = true;
            continue;
        }
        let names = |values: &Vec<Value>| values.iter().filter_map(name).collect::<Vec<String>>();
        let (is_rating, chosen) = match (&value["choices"], &value["taxonomy"], &value["rating"]) {
            (Value::Array(choices), ..) => (false, Written::List(names(choices))),
            (_, Value::Array(paths), _) => {
                let paths = paths.iter().filter_map(|path| Some(names(path.as_array()?)));
                (
                    false,
                    Written::Paths(paths.filter(|path| !path.is_empty()).collect()),
                )
            }
            (_, _, rating @ Value::Number(_)) => (true, Written::List(name(rating).into_iter().collect())),
            _ => {
                marks_parts |= value.get("labels").is_some();
                continue;
            }
        };
        let from = result["from_name"].as_str().unwrap_or_default();
        match questions.iter_mut().find(|(question, ..)| question == from) {
            Some((.., written)) => written.extend(chosen),
            None if chosen.is_empty() => {}
            None => questions.push((from.to_owned(), is_rating, chosen)),
        }
    }
    (questions, marks_parts)
}
