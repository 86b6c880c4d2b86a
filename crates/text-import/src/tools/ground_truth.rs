//! Ground Truth's manifests: what is to be labelled, what was labelled, and what trains.
//!
//! Source: Amazon SageMaker Ground Truth, "Input data", "Output data"; Amazon Comprehend, "Augmented manifest
//! file".

use serde_json::Value;

use crate::{
    Options,
    draft::{Draft, DraftVote, Fields, text_of, time_of},
    labels::{Written, name},
};

const METADATA: &str = "-metadata";

pub(super) fn is_one(fields: &Fields) -> bool {
    let has_metadata = fields.keys().any(|name| name.ends_with(METADATA));
    fields.contains_key("source-ref")
        || fields.get("source").is_some_and(Value::is_string) && (has_metadata || fields.len() == 1)
}

pub(super) fn draft(line: &Fields, options: &Options) -> Result<Draft, String> {
    let Some(text) = text_of(line.get("source")) else {
        let reason = match line.contains_key("source-ref") {
            true => "its text is in another object (`source-ref`): only texts in `source` are read",
            false => "`source` is missing",
        };
        return Err(reason.to_owned());
    };
    let mut draft = Draft {
        text,
        ..Draft::default()
    };
    let attributes = line.keys().filter_map(|name| name.strip_suffix(METADATA));
    let attribute = match &options.label_column {
        Some(wanted) => attributes.into_iter().find(|name| name == wanted),
        None => attributes.into_iter().next(),
    };
    let Some((attribute, metadata)) =
        attribute.and_then(|name| Some((name, line.get(&format!("{name}{METADATA}"))?)))
    else {
        return Ok(draft);
    };
    if metadata.get("human-annotated").and_then(Value::as_str) == Some("no") {
        draft.aside = Some("was labelled by a machine");
        return Ok(draft);
    }
    let labels = labels(metadata);
    if labels.is_empty() {
        draft.aside = Some("has no class name in its metadata");
        return Ok(draft);
    }
    draft.votes.push(DraftVote {
        written: Written::List(labels),
        by: text_of(metadata.get("job-name")).or_else(|| Some(attribute.to_owned())),
        at: time_of(metadata.get("creation-date")),
    });
    Ok(draft)
}

/// Returns the classes that the metadata names: numbers are written as texts by some jobs.
fn labels(metadata: &Value) -> Vec<String> {
    match (metadata.get("class-name"), metadata.get("class-map")) {
        (Some(class), _) => name(class).into_iter().collect(),
        (_, Some(Value::Object(classes))) => {
            let mut classes: Vec<(usize, String)> = classes
                .iter()
                .filter_map(|(number, class)| Some((number.parse().ok()?, name(class)?)))
                .collect();
            classes.sort_unstable();
            classes.into_iter().map(|(_, class)| class).collect()
        }
        _ => Vec::new(),
    }
}
