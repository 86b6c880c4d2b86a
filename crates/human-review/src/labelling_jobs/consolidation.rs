//! The built-in consolidation: what several answers to one object come to, as Ground Truth writes it.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::manifest::metadata_of;
use super::record::{Job, Task};

/// The labels that one reviewer gave; `None` where the answer names none of the job's.
pub type Given = Option<Vec<usize>>;

/// Reads the labels in an answer: of a classifier element, of fields whose value is a label, or of marks.
///
/// The first field with a label of the job counts. A multi-label answer in which a choice of labels is left empty says
/// that none applies.
pub fn labels_in(answer: &Value, labels: &[String], task: Task) -> Given {
    let members = answer.as_object()?;
    let number = |name: &str| labels.iter().position(|label| label == name);
    let chosen = members.values().find_map(|value| {
        let numbers: Vec<usize> = names_in(value)?.into_iter().filter_map(number).collect();
        (!numbers.is_empty()).then_some(numbers)
    });
    let is_none = || task == Task::MultiLabel && members.values().any(|value| is_left_empty(value, labels));
    let mut numbers = chosen.or_else(|| is_none().then(Vec::new))?;
    numbers.sort_unstable();
    numbers.dedup();
    match task {
        Task::SingleLabel if numbers.len() != 1 => None,
        _ => Some(numbers),
    }
}

/// Returns whether the value of a field is a choice of labels in which none is chosen.
fn is_left_empty(value: &Value, labels: &[String]) -> bool {
    match value {
        Value::Array(names) => names.is_empty(),
        Value::Object(members) => match members.get("labels") {
            Some(Value::Array(names)) => names.is_empty(),
            _ => {
                let offers_labels = members.keys().any(|name| labels.contains(name));
                offers_labels && names_in(value).is_some_and(|names| names.is_empty())
            }
        },
        _ => false,
    }
}

/// Returns the names in the value of a field; `None` where it is of no known shape.
fn names_in(value: &Value) -> Option<Vec<&str>> {
    match value {
        Value::String(name) => Some(vec![name]),
        Value::Array(names) => names.iter().map(Value::as_str).collect(),
        Value::Object(members) => match (members.get("label"), members.get("labels")) {
            (Some(Value::String(name)), _) => Some(vec![name]),
            (_, Some(Value::Array(names))) => names.iter().map(Value::as_str).collect(),
            _ => {
                // Radio buttons and checkboxes: `{"World": {"on": true}}`.
                let mut names = Vec::new();
                for (name, mark) in members {
                    let is_on = mark.get("on").unwrap_or(mark).as_bool()?;
                    names.extend(is_on.then_some(name.as_str()));
                }
                (!members.is_empty()).then_some(names)
            }
        },
        _ => None,
    }
}

/// What the answers to an object come to.
#[derive(Debug, Clone, PartialEq)]
pub struct Consolidated {
    /// Labels by number, each with how sure it is from 0 to 1.
    pub labels: Vec<(usize, f64)>,
}

/// Consolidates by majority; `None` where no answer names a label of the job.
///
/// Of several labels with as many votes the first in the order of the label category file counts. A label of a
/// multi-label job needs more than half of the votes. As in Ground Truth one answer alone has confidence 0; else
/// it is the share of the votes.
pub fn consolidate(given: &[Given], task: Task) -> Option<Consolidated> {
    let answers: Vec<&Vec<usize>> = given.iter().flatten().collect();
    if answers.is_empty() {
        return None;
    }
    let most = answers.iter().flat_map(|answer| answer.iter().copied()).max();
    let votes = |label: usize| answers.iter().filter(|answer| answer.contains(&label)).count();
    let share = |label: usize| match answers.len() {
        1 => 0.0,
        count => votes(label) as f64 / count as f64,
    };
    let candidates = 0..most.map_or(0, |most| most + 1);
    let chosen: Vec<usize> = match task {
        // The later one of equals is the maximum: so from behind.
        Task::SingleLabel => candidates
            .rev()
            .max_by_key(|label| votes(*label))
            .into_iter()
            .collect(),
        Task::MultiLabel => candidates
            .filter(|label| votes(*label) * 2 > answers.len())
            .collect(),
    };
    let labels = chosen.into_iter().map(|label| (label, share(label))).collect();
    Some(Consolidated { labels })
}

/// Returns what the output has of a label: the attribute and its metadata.
pub fn content(
    job: &Job,
    consolidated: &Consolidated,
    by_people: bool,
    now: DateTime<Utc>,
) -> Map<String, Value> {
    let name = |label: usize| job.categories.labels.get(label).cloned().unwrap_or_default();
    let mut metadata = common_metadata(job, by_people, now);
    let value = match job.settings.task {
        Task::SingleLabel => {
            let (label, confidence) = consolidated.labels.first().copied().unwrap_or_default();
            metadata.insert("class-name".to_owned(), json!(name(label)));
            metadata.insert("confidence".to_owned(), json!(confidence));
            json!(label)
        }
        Task::MultiLabel => {
            let by_number = |value: &dyn Fn(usize, f64) -> Value| -> Map<String, Value> {
                let labels = consolidated.labels.iter();
                labels
                    .map(|(label, confidence)| (label.to_string(), value(*label, *confidence)))
                    .collect()
            };
            metadata.insert(
                "class-map".to_owned(),
                Value::Object(by_number(&|label, _| json!(name(label)))),
            );
            let confidences = by_number(&|_, confidence| json!(confidence));
            metadata.insert("confidence-map".to_owned(), Value::Object(confidences));
            json!(
                consolidated
                    .labels
                    .iter()
                    .map(|(label, _)| label)
                    .collect::<Vec<_>>()
            )
        }
    };
    let type_name = match job.settings.task {
        Task::SingleLabel => "groundtruth/text-classification",
        Task::MultiLabel => "groundtruth/text-classification-multilabel",
    };
    metadata.insert("type".to_owned(), json!(type_name));
    let attribute = &job.settings.attribute;
    Map::from_iter([
        (attribute.clone(), value),
        (metadata_of(attribute), Value::Object(metadata)),
    ])
}

/// Returns the metadata that every label of a job has.
pub fn common_metadata(job: &Job, by_people: bool, now: DateTime<Utc>) -> Map<String, Value> {
    Map::from_iter([
        ("job-name".to_owned(), json!(format!("labeling-job/{}", job.name))),
        (
            "human-annotated".to_owned(),
            json!(if by_people { "yes" } else { "no" }),
        ),
        (
            "creation-date".to_owned(),
            json!(now.format("%Y-%m-%dT%H:%M:%S%.6f").to_string()),
        ),
    ])
}

/// Returns what the output has of an object that failed.
pub fn failed(job: &Job, reason: &str, tries: u32, now: DateTime<Utc>) -> Map<String, Value> {
    let mut metadata = common_metadata(job, true, now);
    metadata.insert("failure-reason".to_owned(), json!(reason));
    metadata.insert("retry-count".to_owned(), json!(tries));
    Map::from_iter([(metadata_of(&job.settings.attribute), Value::Object(metadata))])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels() -> Vec<String> {
        ["World", "Sports", "Business"].map(str::to_owned).to_vec()
    }

    #[test]
    fn a_label_is_read_whatever_field_a_template_gives_it() {
        for answer in [
            json!({"crowd-classifier": {"label": "Sports"}}),
            json!({"tone": "Sports", "comment": "x"}),
            json!({"comment": "x", "tone": "Sports"}),
            json!({"topic": {"Sports": {"on": true}, "World": {"on": false}}}),
            json!({"topic": ["Sports"]}),
        ] {
            assert_eq!(
                labels_in(&answer, &labels(), Task::SingleLabel),
                Some(vec![1]),
                "{answer}"
            );
        }
        for answer in [
            json!({}),
            json!({"x": "Weather"}),
            json!({"x": ["World", "Sports"]}),
            json!({"x": 1}),
        ] {
            assert_eq!(labels_in(&answer, &labels(), Task::SingleLabel), None, "{answer}");
        }
    }

    #[test]
    fn a_multi_label_answer_may_say_that_none_applies() {
        let read = |answer: Value| labels_in(&answer, &labels(), Task::MultiLabel);

        assert_eq!(
            read(json!({"c": {"labels": ["Business", "World"]}})),
            Some(vec![0, 2])
        );
        assert_eq!(read(json!({"c": {"labels": []}})), Some(vec![]));
        let marks = json!({"World": {"on": false}, "Sports": {"on": false}});
        assert_eq!(read(json!({"comment": "x", "topic": marks})), Some(vec![]));
        assert_eq!(read(json!({})), None);
    }

    #[test]
    fn a_field_without_a_label_hides_none_of_a_multi_label_answer() {
        let read = |answer: Value| labels_in(&answer, &labels(), Task::MultiLabel);

        for answer in [
            json!({"comment": "x", "topic": ["Sports"]}),
            json!({"a": [], "topic": ["Sports"]}),
            json!({"flags": {"urgent": {"on": true}}, "topic": {"labels": ["Sports"]}}),
        ] {
            assert_eq!(read(answer.clone()), Some(vec![1]), "{answer}");
        }
        for answer in [
            json!({"comment": "x"}),
            json!({"topic": ["Weather"]}),
            json!({"flags": {"urgent": {"on": false}}}),
        ] {
            assert_eq!(read(answer.clone()), None, "{answer}");
        }
    }

    #[test]
    fn the_majority_counts_and_of_equals_the_first_in_the_file() {
        let single = |given: &[usize]| {
            let given: Vec<Given> = given.iter().map(|label| Some(vec![*label])).collect();
            consolidate(&given, Task::SingleLabel).map(|all| all.labels)
        };

        assert_eq!(single(&[2, 1, 2, 2]), Some(vec![(2, 0.75)]));
        assert_eq!(single(&[2, 1]), Some(vec![(1, 0.5)]));
        assert_eq!(single(&[2]), Some(vec![(2, 0.0)]), "one answer has no confidence");
        assert_eq!(single(&[]), None);
        assert_eq!(consolidate(&[None], Task::SingleLabel), None);
    }

    #[test]
    fn each_of_several_labels_needs_more_than_half_of_the_votes() {
        let given = [Some(vec![0, 2]), Some(vec![2]), Some(vec![1])];

        let all = consolidate(&given, Task::MultiLabel).expect("answers");

        assert_eq!(all.labels, [(2, 2.0 / 3.0)]);
        let none = consolidate(&[Some(vec![]), Some(vec![])], Task::MultiLabel).expect("answers");
        assert!(none.labels.is_empty());
    }
}
