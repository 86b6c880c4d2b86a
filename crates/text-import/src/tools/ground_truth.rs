//! Ground Truth's manifests: what is to be labelled, what was labelled, and what trains.
//!
//! Source: Amazon SageMaker Ground Truth, "Input data", "Output data"; Amazon Comprehend, "Augmented manifest
//! file".

use active_learning_core::{
    dataset::is_own_manifest_line,
    labels::{manifest_classes::classes_of_label, says_no::says_no},
};
use serde_json::Value;

use crate::{
    draft::{Answer, Draft, DraftVote, Fields, text_of, time_of},
    labels::{Written, name},
};

const METADATA: &str = "-metadata";

/// Why labels of a line do not count.
pub(crate) const ADJUSTED: &str = "was adjusted by another job";
pub(crate) const NOT_RIGHT: &str = "was not found to be right";
pub(crate) const FAILED: &str = "is of an object that failed in its job";

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
    let attributes: Vec<(&str, &Value)> = line
        .iter()
        .filter_map(|(name, metadata)| Some((name.strip_suffix(METADATA)?, metadata)))
        .collect();
    let answer = |(attribute, metadata): (&str, &Value)| Answer {
        question: attribute.to_owned(),
        is_rating: false,
        said: vote(line, attribute, metadata),
    };
    Ok(Draft {
        text,
        classifier: text_of(line.get("classifier")),
        answers: settled(&attributes, attributes.iter().copied().map(answer).collect()),
        ..Draft::default()
    })
}

/// What one job says of the label that another one gave.
enum Later {
    /// That it is right, or not.
    Verified { is_wrong: bool },
    /// Which label it should be.
    Adjusted,
}

impl Later {
    fn of(metadata: &Value) -> Option<Self> {
        if metadata["type"] == "groundtruth/label-verification" {
            let verdict = name(&metadata["class-name"])?;
            return Some(Self::Verified {
                is_wrong: says_no(&verdict),
            });
        }
        metadata["adjustment-status"]
            .is_string()
            .then_some(Self::Adjusted)
    }
}

/// Returns the answers once those jobs are heard that look at the label of another one: an adjusted label takes the place of
/// the one that it adjusts, and one that was found to be wrong is none, each in the order of time. A line does not say which label a job looked at:
/// it is plain where there is one only.
fn settled(attributes: &[(&str, &Value)], answers: Vec<Answer>) -> Vec<Answer> {
    let of = |name: &str| {
        let found = attributes.iter().find(|(attribute, _)| *attribute == name);
        found.and_then(|(_, metadata)| Later::of(metadata))
    };
    let made_at = |name: &str| {
        let found = attributes.iter().find(|(attribute, _)| *attribute == name);
        found.and_then(|(_, metadata)| time_of(metadata.get("creation-date")))
    };
    let (mut later, mut first): (Vec<_>, Vec<_>) = answers
        .into_iter()
        .partition(|answer| of(&answer.question).is_some());
    let [given] = &mut first[..] else {
        first.extend(later);
        return first;
    };
    let question = given.question.clone();
    later.sort_by_cached_key(|answer| made_at(&answer.question));
    let mut asides = Vec::new();
    for answer in later {
        match of(&answer.question) {
            Some(Later::Verified { is_wrong: true }) => given.said = Err(NOT_RIGHT),
            Some(Later::Adjusted) if answer.said.is_ok() => {
                let before = std::mem::replace(&mut given.said, answer.said);
                let is_same = matches!((&before, &given.said), (Ok(before), Ok(after)) if before.written == after.written);
                asides.extend((!is_same).then_some(ADJUSTED));
            }
            Some(Later::Verified { is_wrong: false } | Later::Adjusted) | None => {}
        }
    }
    first.extend(asides.into_iter().map(|aside| Answer {
        question: question.clone(),
        is_rating: false,
        said: Err(aside),
    }));
    first
}

/// Reads the metadata of one label attribute of a line; or says why it gives no vote. The job is who gave it, but for an export
/// of a stack: its human loops and imports are no annotators.
fn vote(line: &Fields, attribute: &str, metadata: &Value) -> Result<DraftVote, &'static str> {
    if metadata.get("human-annotated").and_then(Value::as_str) == Some("no") {
        return Err("was labelled by a machine");
    }
    if metadata.get("failure-reason").is_some() {
        return Err(FAILED);
    }
    let labels = labels(metadata, line.get(attribute));
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

/// Returns the classes that the metadata of a label name.
fn labels(metadata: &Value, value: Option<&Value>) -> Vec<String> {
    let classes = classes_of_label(metadata, value).unwrap_or_default();
    let names = classes.into_iter().map(Value::from);
    names.filter_map(|class| name(&class)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Returns the label of a line with these members, and why another does not count.
    fn read(members: Value) -> (Option<String>, Option<&'static str>) {
        let mut line = members.as_object().expect("an object").clone();
        line.insert("source".to_owned(), json!("It is late"));
        let draft = crate::tools::questions::only(draft(&line).expect("a text")).expect("one question");
        let label = draft
            .votes
            .first()
            .map(|vote| vote.written.clone().names().join("|"));
        (label, draft.aside)
    }

    #[test]
    fn what_a_later_job_says_of_a_label_counts_and_is_told() {
        let topic = json!({ "class-name": "Sports", "job-name": "one", "human-annotated": "yes" });
        let adjusted = |class: &str, status: &str| json!({ "class-name": class, "job-name": "two", "human-annotated": "yes", "adjustment-status": status });
        let verified = |verdict: &str| {
            json!({ "class-name": verdict, "job-name": "two", "human-annotated": "yes",
                "type": "groundtruth/label-verification" })
        };
        let sports = Some("Sports".to_owned());

        for (second, expected) in [
            (
                adjusted("World", "adjusted"),
                (Some("World".to_owned()), Some(ADJUSTED)),
            ),
            (adjusted("Sports", "unadjusted"), (sports.clone(), None)),
            (verified("correct"), (sports.clone(), None)),
            (verified("incorrect"), (None, Some(NOT_RIGHT))),
            (verified("Disagree"), (None, Some(NOT_RIGHT))),
            (verified("reject"), (None, Some(NOT_RIGHT))),
            (verified("nein "), (None, Some(NOT_RIGHT))),
        ] {
            let line = json!({ "topic": 0, "topic-metadata": topic, "second": 1, "second-metadata": second });
            assert_eq!(read(line.clone()), expected, "{line}");
        }
        // The later word counts, whatever the attributes are called.
        let dated = |mut metadata: Value, day: u8| {
            metadata["creation-date"] = json!(format!("2026-11-0{day}T10:00:00.000000"));
            metadata
        };
        for (first, last, expected) in [
            (
                verified("incorrect"),
                adjusted("World", "adjusted"),
                Some("World".to_owned()),
            ),
            (adjusted("World", "adjusted"), verified("incorrect"), None),
        ] {
            for [one, other] in [["a", "b"], ["b", "a"]] {
                let line = json!({
                    "topic-metadata": dated(topic.clone(), 1), format!("{one}-metadata"): dated(first.clone(), 2),
                    format!("{other}-metadata"): dated(last.clone(), 3),
                });
                assert_eq!(read(line.clone()).0, expected, "{line}");
            }
        }
        let mut failed = topic.clone();
        failed["failure-reason"] = json!("nobody answered");
        assert_eq!(read(json!({ "topic-metadata": failed })), (None, Some(FAILED)));
        assert_eq!(
            read(json!({ "topic": 0, "topic-metadata": topic })),
            (sports, None)
        );
    }
}
