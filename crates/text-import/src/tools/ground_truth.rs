//! Ground Truth's manifests: what is to be labelled, what was labelled, and what trains.
//!
//! Source: Amazon SageMaker Ground Truth, "Input data", "Output data"; Amazon Comprehend, "Augmented manifest
//! file".

use active_learning_core::dataset::is_own_manifest_line;
use serde_json::Value;

use crate::{
    draft::{Answer, Draft, DraftVote, Fields, text_of, time_of},
    labels::{Written, name},
};

const METADATA: &str = "-metadata";

pub(super) fn is_one(fields: &Fields) -> bool {
    let has_metadata = fields.keys().any(|name| name.ends_with(METADATA));
    fields.contains_key("source-ref")
        || fields.get("source").is_some_and(Value::is_string) && (has_metadata || fields.len() == 1)
}

pub(super) fn draft(line: &Fields) -> Result<Draft, String> {
    let Some(text) = text_of(line.get("source")) else {
        let reason = match line.contains_key("source-ref") {
            true => "its text is in another object (`source-ref`): only texts in `source` are read",
            false => "`source` is missing",
        };
        return Err(reason.to_owned());
    };
    let attributes = line
        .iter()
        .filter_map(|(name, metadata)| Some((name.strip_suffix(METADATA)?, metadata)));
    let answer = |(attribute, metadata): (&str, &Value)| Answer {
        question: attribute.to_owned(),
        is_rating: false,
        said: vote(line, attribute, metadata),
    };
    Ok(Draft {
        text,
        classifier: text_of(line.get("classifier")),
        answers: attributes.map(answer).collect(),
        ..Draft::default()
    })
}

/// Reads the metadata of one label attribute of a line; or says why it gives no vote. The job is who gave it, but for an export
/// of a stack: its human loops and imports are no annotators.
fn vote(line: &Fields, attribute: &str, metadata: &Value) -> Result<DraftVote, &'static str> {
    if metadata.get("human-annotated").and_then(Value::as_str) == Some("no") {
        return Err("was labelled by a machine");
    }
    let labels = labels(metadata);
    if labels.is_empty() {
        return Err("has no class name in its metadata");
    }
    let job = text_of(metadata.get("job-name"));
    let is_own = is_own_manifest_line(line, job.as_deref().unwrap_or_default());
    let by = (!is_own).then(|| job.unwrap_or_else(|| attribute.to_owned()));
    Ok(DraftVote {
        written: Written::List(labels),
        by,
        at: time_of(metadata.get("creation-date")),
    })
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
