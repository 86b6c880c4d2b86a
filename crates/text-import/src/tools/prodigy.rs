//! Prodigy's JSON Lines: one answer a line.
//!
//! Source: Prodigy documentation, "Annotation interfaces", `classification` and `choice`.

use active_learning_core::labels::label_key::label_key;
use serde_json::Value;

use super::{NO_TEXT, PARTS};
use crate::{
    draft::{Draft, DraftVote, Fields, text_of},
    labels::{Written, name},
};

pub(super) fn draft(task: &Fields) -> Result<Draft, String> {
    let text = text_of(task.get("text").or_else(|| task.get("html"))).ok_or(NO_TEXT)?;
    let mut draft = Draft {
        text,
        ..Draft::default()
    };
    match task.get("answer").and_then(Value::as_str) {
        Some("ignore") => draft.aside = Some("was ignored by its annotator"),
        Some("reject") => {
            draft.aside = Some("is a label that was rejected, which says nothing of the right one")
        }
        Some(_) | None => {
            let written = written(task)?;
            if written.is_none()
                && task
                    .get("spans")
                    .and_then(Value::as_array)
                    .is_some_and(|spans| !spans.is_empty())
            {
                return Err(PARTS.to_owned());
            }
            draft.votes.extend(written.map(|written| DraftVote {
                written,
                by: annotator(task),
                at: None,
            }));
        }
    }
    Ok(draft)
}

fn written(task: &Fields) -> Result<Option<Written>, &'static str> {
    if let Some(accepted) = task.get("accept").and_then(Value::as_array) {
        let labels: Vec<String> = accepted.iter().filter_map(|id| option_name(task, id)).collect();
        return Ok((!labels.is_empty()).then_some(Written::List(labels)));
    }
    let label = task
        .get("label")
        .and_then(name)
        .map(|label| Written::List(vec![label]));
    match (label, task.get("cats")) {
        (None, Some(categories)) => Written::of_value(categories),
        (label, _) => Ok(label),
    }
}

/// Returns the name of an option: its text, which people chose by; its id where it has none, or where the text is another
/// spelling of the id.
fn option_name(task: &Fields, id: &Value) -> Option<String> {
    let options = task.get("options").and_then(Value::as_array);
    let option = options
        .into_iter()
        .flatten()
        .find(|option| option.get("id") == Some(id));
    let text = || name(option?.get("text")?);
    match (id, text()) {
        (Value::Number(_), Some(text)) => Some(text),
        (_, Some(text)) if name(id).is_none_or(|id| label_key(&id) != label_key(&text)) => Some(text),
        _ => name(id),
    }
}

fn annotator(task: &Fields) -> Option<String> {
    text_of(task.get("_annotator_id")).or_else(|| text_of(task.get("_session_id")))
}
