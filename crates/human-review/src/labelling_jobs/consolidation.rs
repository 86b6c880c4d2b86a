//! The built-in consolidation: what several answers to one object come to, as Ground Truth writes it.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::manifest::metadata_of;
use super::record::{Job, Task};

/// The labels that one reviewer gave; `None` where the answer names none of the job's.
pub type Given = Option<Vec<usize>>;

/// What the answers to an object come to.
#[derive(Debug, Clone, PartialEq)]
pub struct Consolidated {
    /// Labels by number, each with how sure it is from 0 to 1.
    pub labels: Vec<(usize, f64)>,
}

/// Consolidates by majority; `None` where no answer names a label of the job.
///
/// Of several labels with as many votes one that the object has already counts, as far as the job adjusts labels (`so_far`,
/// empty in others): a label is wrong where more people say so than not. Then the first in the order of the label category
/// file does. A label of a multi-label job needs more than half of the votes, or half where the object has it already. As
/// in Ground Truth one answer alone has confidence 0; else it is the share of the votes.
pub fn consolidate(given: &[Given], task: Task, so_far: &[usize]) -> Option<Consolidated> {
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
            .max_by_key(|label| (votes(*label), so_far.contains(label)))
            .into_iter()
            .collect(),
        Task::MultiLabel => candidates
            .filter(|label| votes(*label) * 2 + usize::from(so_far.contains(label)) > answers.len())
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

    #[test]
    fn the_majority_counts_and_of_equals_the_first_in_the_file() {
        let single = |given: &[usize]| {
            let given: Vec<Given> = given.iter().map(|label| Some(vec![*label])).collect();
            consolidate(&given, Task::SingleLabel, &[]).map(|all| all.labels)
        };

        assert_eq!(single(&[2, 1, 2, 2]), Some(vec![(2, 0.75)]));
        assert_eq!(single(&[2, 1]), Some(vec![(1, 0.5)]));
        assert_eq!(single(&[2]), Some(vec![(2, 0.0)]), "one answer has no confidence");
        assert_eq!(single(&[]), None);
        assert_eq!(consolidate(&[None], Task::SingleLabel, &[]), None);
    }

    #[test]
    fn each_of_several_labels_needs_more_than_half_of_the_votes() {
        let given = [Some(vec![0, 2]), Some(vec![2]), Some(vec![1])];

        let all = consolidate(&given, Task::MultiLabel, &[]).expect("answers");

        assert_eq!(all.labels, [(2, 2.0 / 3.0)]);
        let none = consolidate(&[Some(vec![]), Some(vec![])], Task::MultiLabel, &[]).expect("answers");
        assert!(none.labels.is_empty());
    }

    #[test]
    fn of_divided_reviewers_the_label_that_is_looked_at_again_stays() {
        let divided = [Some(vec![0]), Some(vec![2])];

        let labels =
            |so_far: &[usize]| consolidate(&divided, Task::SingleLabel, so_far).map(|all| all.labels);
        assert_eq!(labels(&[2]), Some(vec![(2, 0.5)]));
        assert_eq!(labels(&[0]), Some(vec![(0, 0.5)]));
        assert_eq!(labels(&[1]), Some(vec![(0, 0.5)]), "neither says what was there");
        let outvoted = [Some(vec![0]), Some(vec![0]), Some(vec![2])];
        let found = consolidate(&outvoted, Task::SingleLabel, &[2]).expect("answers");
        assert_eq!(found.labels, [(0, 2.0 / 3.0)]);
        let several = [Some(vec![0, 2]), Some(vec![0])];
        let found = consolidate(&several, Task::MultiLabel, &[2]).expect("answers");
        assert_eq!(found.labels, [(0, 1.0), (2, 0.5)]);
    }
}
