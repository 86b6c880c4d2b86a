//! Jobs about labels that are there: is this label right, or which one is; of all objects or of a random share.

use std::collections::BTreeSet;

use active_learning_core::labels::human_loop::OfferedLabels;
use active_learning_core::labels::label_audit::NO_LABEL;
use active_learning_core::labels::label_key::label_key;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::functions::Answered;
use super::manifest::{Line, added_classes, classes, is_labelled, metadata_of};
use super::record::{Audit, AuditKind, Categories, Job, Settings};

/// What reviewers choose from in a verification without a label category file.
const VERDICTS: [&str; 2] = ["correct", "incorrect"];

/// Returns the choices of a job without a label category file.
pub fn default_categories(settings: &Settings) -> Categories {
    let verifies = matches!(&settings.audit, Some(audit) if audit.kind == AuditKind::Verification);
    let labels = VERDICTS
        .iter()
        .filter(|_| verifies)
        .map(|label| (*label).to_owned());
    Categories {
        labels: labels.collect(),
        ..Categories::default()
    }
}

/// Returns whether an object has a label to look at, also that no label applies, and is in the random share.
pub fn is_chosen(line: &Line, object: usize, job: &Job) -> bool {
    let audited = job
        .settings
        .audit
        .as_ref()
        .is_none_or(|audit| is_labelled(line, &audit.attribute));
    audited
        && job
            .settings
            .share
            .is_none_or(|share| draw(Draw::Share, job, object) < share)
}

/// What a number is drawn for: draws for different ends have nothing to do with one another.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Draw {
    /// The random share of a job; by a version before also its rounds of automated labelling.
    #[default]
    Share,
    /// The rounds of automated labelling.
    Round,
}

/// Returns a number from 0 to 1 for an object, the same whenever it is drawn for the same end.
pub fn draw(end: Draw, job: &Job, object: usize) -> f64 {
    let salt = match end {
        Draw::Share => "share",
        Draw::Round => "round",
    };
    let digest = Sha256::digest(format!("{salt}:{}:{object}", job.short_id()));
    let bits = digest
        .iter()
        .take(6)
        .fold(0_u64, |bits, byte| (bits << 8) | u64::from(*byte));
    // 48 bits fit into a float.
    bits as f64 / (1_u64 << 48) as f64
}

/// Adds to the input of the built-in template what an audit shows: the label so far, chosen already where it may be
/// adjusted, and asked about where it is verified. Who gave it is not asked.
pub fn show(input: &mut Value, line: &Line, job: &Job) {
    if let Some(attribute) = &job.settings.show {
        input["earlierLabel"] = json!(words_of(line, attribute));
    }
    if let Some(Audit { kind, attribute }) = &job.settings.audit {
        let earlier = match kind {
            AuditKind::Adjustment => as_offered(classes(line, attribute), line, job),
            AuditKind::Verification => classes(line, attribute),
        };
        input["earlierLabel"] = json!(words_of(line, attribute));
        match (kind, earlier.as_slice()) {
            (AuditKind::Verification, _) => input["isVerification"] = json!(true),
            (AuditKind::Adjustment, []) => {}
            (AuditKind::Adjustment, [one]) if input["severalLabels"].is_null() => {
                input["initialValue"] = json!(one);
            }
            (AuditKind::Adjustment, all) => input["initialValue"] = json!(all),
        }
    }
}

/// Returns labels as the job writes those that it offers for a line, however the manifest spells them.
fn as_offered(labels: Vec<String>, line: &Line, job: &Job) -> Vec<String> {
    let offered = job.offered(line).into_iter();
    let offered = OfferedLabels::new(offered.filter_map(|number| job.categories.labels.get(number)));
    let written = labels
        .into_iter()
        .map(|label| offered.resolve(&label).unwrap_or(label));
    written.collect()
}

/// Returns the label so far as it is shown.
fn words_of(line: &Line, attribute: &str) -> String {
    let earlier = classes(line, attribute);
    match earlier.is_empty() && is_labelled(line, attribute) {
        true => NO_LABEL.to_owned(),
        false => earlier.join(", "),
    }
}

/// Member of an input line that lists who is not asked about it.
pub const EXCLUDED: &str = "excluded-workers";
/// Begins a worker id where it names its workforce and Region too, as consolidation functions are given it.
const PRIVATE: &str = "private.";

/// Member of a label's metadata that lists who has answered; Ground Truth has none.
const WORKERS: &str = "worker-ids";

/// Returns the workers who are not asked about an input line, by id and each once: those whom it excludes, and, where the
/// job is about a label, those who gave it.
pub fn excluded(line: &Line, job: &Job) -> Vec<String> {
    let mut workers = ids_in(line.get(EXCLUDED).as_ref());
    workers.extend(givers(line, job));
    workers.sort_unstable();
    workers.dedup();
    workers
}

/// Returns who gave the label that a job is about, as far as its metadata say. Manifests from elsewhere do not.
fn givers(line: &Line, job: &Job) -> Vec<String> {
    let audit = job.settings.audit.as_ref();
    let metadata = audit.and_then(|audit| line.get(&metadata_of(&audit.attribute)));
    ids_in(metadata.as_ref().and_then(|metadata| metadata.get(WORKERS)))
}

fn ids_in(workers: Option<&Value>) -> Vec<String> {
    let workers = workers.and_then(Value::as_array).into_iter().flatten();
    workers.filter_map(worker_id).collect()
}

/// Names in the metadata of a new label who has answered, and who gave the label that it is about: of who looks at it again
/// they are none. What a function of the job's own says of it stays.
pub fn name_workers(content: &mut Map<String, Value>, answered: &Answered, job: &Job) {
    let Some(Value::Object(metadata)) = content.get_mut(&metadata_of(&job.settings.attribute)) else {
        return;
    };
    let mut workers = givers(&answered.line, job);
    workers.extend(answered.answers.iter().map(|answer| answer.worker.id.clone()));
    workers.sort_unstable();
    workers.dedup();
    let named = workers.iter().map(|id| full_worker_id(id, job.region()));
    metadata
        .entry(WORKERS)
        .or_insert_with(|| named.map(Value::from).collect());
}

/// Returns a worker id as consolidation functions are given it.
pub fn full_worker_id(id: &str, region: &str) -> String {
    format!("{PRIVATE}{region}.{id}")
}

/// Returns whether what an input line excludes is a list of workers, or nobody.
pub fn excludes_workers(line: &Line) -> bool {
    match line.get(EXCLUDED) {
        Some(Value::Array(workers)) => workers.iter().all(Value::is_string),
        Some(Value::Null) => true,
        Some(_) => false,
        None => !line.has(EXCLUDED),
    }
}

/// Returns a worker id without the names of workforce and Region, as consolidation functions get it.
pub fn worker_id(value: &Value) -> Option<String> {
    let text = value.as_str()?;
    let rest = text.strip_prefix(PRIVATE).and_then(|rest| rest.split_once('.'));
    Some(rest.map_or(text, |(_, id)| id).to_owned())
}

/// Notes in the metadata of a new label what it says of the one before.
pub fn note(content: &mut Map<String, Value>, line: &Line, job: &Job) {
    let Some(Audit { kind, attribute }) = &job.settings.audit else {
        return;
    };
    let keys = |names: Vec<String>| names.iter().map(|name| label_key(name)).collect::<BTreeSet<_>>();
    let before = keys(classes(line, attribute));
    let after = keys(added_classes(content, &job.settings.attribute));
    let Some(Value::Object(metadata)) = content.get_mut(&metadata_of(&job.settings.attribute)) else {
        return;
    };
    match kind {
        AuditKind::Verification => {
            metadata.insert("type".to_owned(), json!("groundtruth/label-verification"))
        }
        AuditKind::Adjustment => {
            let status = if before == after { "unadjusted" } else { "adjusted" };
            metadata.insert("adjustment-status".to_owned(), json!(status))
        }
    };
}

/// Returns the labels, by number, that a job which adjusts labels finds at an object; none of another job.
pub fn adjusted_labels(line: &Line, job: &Job) -> Vec<usize> {
    let Some(Audit {
        kind: AuditKind::Adjustment,
        attribute,
    }) = &job.settings.audit
    else {
        return Vec::new();
    };
    let so_far: BTreeSet<_> = classes(line, attribute)
        .iter()
        .map(|name| label_key(name))
        .collect();
    let labels = job.categories.labels.iter().enumerate();
    labels
        .filter(|(_, name)| so_far.contains(&label_key(name)))
        .map(|(number, _)| number)
        .collect()
}
