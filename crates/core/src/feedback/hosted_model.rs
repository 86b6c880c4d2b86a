//! What a model that is hosted elsewhere is asked, and how its answer is read.
//!
//! Without paths the answers are understood that text classifiers of Hugging Face and PyTorch containers give:
//!
//! ```text
//! [{"label": "billing", "score": 0.9}, …]          {"label": "billing", "score": 0.9}
//! [[{"label": "billing", "score": 0.9}, …]]        {"labels": ["billing", …], "scores": [0.9, …]}
//! {"predictions": [{"label": "billing", …}, …]}    {"predicted_label": "billing", "probabilities": [0.9, …], "labels": […]}
//! {"billing": 0.9, "refund": 0.1}                  [[0.9, 0.1]]
//! ```
//!
//! The last two are of TorchServe's text classifier and of the SageMaker PyTorch toolkit. Classes without names are called by
//! their places: `0`, `1`.

mod json_path;
mod request_template;

use std::{borrow::Cow, collections::BTreeSet};

use serde_json::{Map, Value};

use json_path::Selected;
pub use json_path::{InvalidJsonPath, JsonPath};
pub use request_template::{InvalidRequestTemplate, PLACEHOLDER, RequestTemplate};

use super::prediction::ClassScore;
use crate::labels::label_set::{MAX_ACTIVE_LABELS, can_be_label};

/// Members that hold a label or, as an array, labels.
const LABELS: [&str; 5] = ["labels", "label", "classes", "class", "predicted_label"];
/// Members that hold a score or scores.
const SCORES: [&str; 6] = [
    "scores",
    "score",
    "probabilities",
    "probability",
    "prob",
    "confidence",
];
/// Members that hold the answer to the one text that was asked about.
const WRAPPERS: [&str; 4] = ["predictions", "outputs", "results", "output"];
/// How far scores may exceed 1, as sums of rounded numbers do.
const TOLERANCE: f64 = 1e-4;
/// How far scores that nothing calls so, by name or without, may be from 1 in all; other numbers are no scores.
const SUM_TOLERANCE: f64 = 0.01;

/// Where an answer has its labels and scores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerPaths {
    /// Path of the labels.
    pub label: JsonPath,
    /// Path of the scores, in the order of the labels.
    pub score: JsonPath,
}

/// Why an answer cannot be read. Safe to show: it never holds anything of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnreadableAnswer {
    /// It is no JSON.
    #[error("it is no JSON")]
    NoJson,
    /// It has none of the usual shapes.
    #[error(
        "it has none of the usual shapes: name the places of label and score (SageMakerLabelPath and SageMakerScorePath)"
    )]
    UnknownShape,
    /// The path of the labels leads nowhere.
    #[error("the path of the label leads to nothing (SageMakerLabelPath)")]
    NoLabel,
    /// The paths lead to different numbers of labels and scores.
    #[error("it holds {labels} labels and {scores} scores")]
    Unequal {
        /// Labels.
        labels: usize,
        /// Scores.
        scores: usize,
    },
    /// Labels and scores are at different places, so that it cannot be told which belong together.
    #[error("labels and scores are not at the same places: somewhere one of them is missing")]
    Unpaired,
    /// It holds more classes than a label set has labels in use.
    #[error("it holds more than {MAX_ACTIVE_LABELS} classes")]
    TooMany,
    /// It holds a label twice, so that it cannot be told how sure the model is of it.
    #[error("it holds a label more than once")]
    Repeated,
    /// A label is neither a text that can be a label nor a whole number.
    #[error("a label cannot be one here: it is empty, too long, or says that none fits")]
    Label,
    /// A score is no number from 0 to 1.
    #[error("a score is no number from 0 to 1: the model must answer with probabilities")]
    Score,
}

/// Reads an answer; with paths where they lead, else in one of the usual shapes.
///
/// # Errors
///
/// [`UnreadableAnswer`].
pub fn read_answer(body: &[u8], paths: Option<&AnswerPaths>) -> Result<Vec<ClassScore>, UnreadableAnswer> {
    let answer: Value = serde_json::from_slice(body).map_err(|_| UnreadableAnswer::NoJson)?;
    let (labels, scores) = match paths {
        Some(paths) => selected(paths, &answer)?,
        None => usual(&answer).ok_or(UnreadableAnswer::UnknownShape)?,
    };
    if labels.is_empty() {
        return Err(UnreadableAnswer::NoLabel);
    } else if labels.len() != scores.len() {
        return Err(UnreadableAnswer::Unequal {
            labels: labels.len(),
            scores: scores.len(),
        });
    } else if labels.len() > MAX_ACTIVE_LABELS {
        return Err(UnreadableAnswer::TooMany);
    }

    let mut seen = BTreeSet::new();
    labels
        .into_iter()
        .zip(scores)
        .map(|(label, score)| {
            let class = ClassScore {
                name: name(&label)?,
                score: probability(score)?,
            };
            match seen.insert(class.name.clone()) {
                true => Ok(class),
                false => Err(UnreadableAnswer::Repeated),
            }
        })
        .collect()
}

type LabelsAndScores<'a> = (Vec<Cow<'a, Value>>, Vec<&'a Value>);

/// Returns what paths lead to. Where both lead through lists, what is at the same place of them belongs together: an item
/// with a label only and one with a score only are no pair.
fn selected<'a>(paths: &AnswerPaths, answer: &'a Value) -> Result<LabelsAndScores<'a>, UnreadableAnswer> {
    let (labels, scores) = (paths.label.select(answer), paths.score.select(answer));
    let is_pair = |label: &Selected<'_>, score: &Selected<'_>| {
        label.place.ends_with(&score.place) || score.place.ends_with(&label.place)
    };
    let is_paired = labels
        .iter()
        .zip(&scores)
        .all(|(label, score)| is_pair(label, score));
    match labels.len() == scores.len() && !is_paired {
        true => Err(UnreadableAnswer::Unpaired),
        false => {
            let labels = labels.into_iter().map(|label| Cow::Borrowed(label.value));
            Ok((
                labels.collect(),
                scores.into_iter().map(|score| score.value).collect(),
            ))
        }
    }
}

fn usual(answer: &Value) -> Option<LabelsAndScores<'_>> {
    match answer {
        Value::Array(items) => match &items[..] {
            [only @ Value::Array(_)] => usual(only),
            [Value::Object(only)] => of_object(only).or_else(|| of_members(only)),
            items => of_items(items).or_else(|| of_places(items)),
        },
        Value::Object(object) => of_object(object)
            .or_else(|| {
                let wrapped = WRAPPERS.iter().find_map(|name| object.get(*name))?;
                usual(wrapped)
            })
            .or_else(|| of_members(object)),
        _ => None,
    }
}

/// Reads an object whose members are the classes: their probabilities are 1 in all. Members that are called as those are that
/// hold labels or scores are no classes.
fn of_members(object: &Map<String, Value>) -> Option<LabelsAndScores<'_>> {
    let is_usual = |name: &String| LABELS.contains(&name.as_str()) || SCORES.contains(&name.as_str());
    let are_classes = object.len() > 1 && !object.keys().any(is_usual);
    (are_classes && is_distribution(object.values())).then(|| {
        let labels = object.keys().map(|name| Cow::Owned(Value::from(name.as_str())));
        (labels.collect(), object.values().collect())
    })
}

/// Reads scores without labels: a class is called by its place. Probabilities are 1 in all; what is none is read, and refused
/// as such.
fn of_places(items: &[Value]) -> Option<LabelsAndScores<'_>> {
    let are_numbers = items.len() > 1 && items.iter().all(Value::is_number);
    let are_scores = || is_distribution(items) || items.iter().any(|item| probability(item).is_err());
    (are_numbers && are_scores()).then(|| {
        let labels = (0..items.len()).map(|place| Cow::Owned(Value::from(place)));
        (labels.collect(), items.iter().collect())
    })
}

/// Returns whether these are numbers that are 1 in all.
fn is_distribution<'a>(scores: impl IntoIterator<Item = &'a Value>) -> bool {
    let sum: Option<f64> = scores.into_iter().map(Value::as_f64).sum();
    sum.is_some_and(|sum| (sum - 1.0).abs() <= SUM_TOLERANCE)
}

/// Reads one object for each class, or one for the text.
fn of_items(items: &[Value]) -> Option<LabelsAndScores<'_>> {
    let (mut labels, mut scores) = (Vec::new(), Vec::new());
    for item in items {
        let (more_labels, more_scores) = of_object(item.as_object()?)?;
        if more_labels.len() != more_scores.len() {
            // What is missing in one item is not to be made up for by another.
            return Some((more_labels, more_scores));
        }
        labels.extend(more_labels);
        scores.extend(more_scores);
    }
    Some((labels, scores))
}

fn of_object(object: &Map<String, Value>) -> Option<LabelsAndScores<'_>> {
    let find = |names: &[&str], is_it: fn(&Value) -> bool| {
        let mut found = names.iter().filter_map(|name| object.get(*name));
        found.find(|value| is_it(value))
    };
    let arrays = find(&LABELS, Value::is_array).zip(find(&SCORES, Value::is_array));
    if let Some((labels, scores)) = arrays {
        return Some((
            labels.as_array()?.iter().map(Cow::Borrowed).collect(),
            scores.as_array()?.iter().collect(),
        ));
    }
    let is_scalar = |value: &Value| value.is_string() || value.is_number();
    let label = find(&LABELS, is_scalar)?;
    Some((vec![Cow::Borrowed(label)], vec![find(&SCORES, is_scalar)?]))
}

fn name(label: &Value) -> Result<String, UnreadableAnswer> {
    match label {
        Value::String(name) if can_be_label(name) => Ok(name.trim().to_owned()),
        Value::Number(number) if number.is_u64() => Ok(number.to_string()),
        _ => Err(UnreadableAnswer::Label),
    }
}

fn probability(score: &Value) -> Result<f32, UnreadableAnswer> {
    let score = score
        .as_f64()
        .filter(|score| (0.0..=1.0 + TOLERANCE).contains(score));
    score
        .map(|score| score.min(1.0) as f32)
        .ok_or(UnreadableAnswer::Score)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<Vec<(String, f32)>, UnreadableAnswer> {
        let classes = read_answer(body.as_bytes(), None)?;
        Ok(classes
            .into_iter()
            .map(|class| (class.name, class.score))
            .collect())
    }

    fn pairs(pairs: &[(&str, f32)]) -> Vec<(String, f32)> {
        pairs
            .iter()
            .map(|(name, score)| ((*name).to_owned(), *score))
            .collect()
    }

    #[test]
    fn the_answers_of_usual_containers_are_understood_without_paths() {
        let two = pairs(&[("POSITIVE", 0.75), ("NEGATIVE", 0.25)]);
        for body in [
            r#"[{"label":"POSITIVE","score":0.75},{"label":"NEGATIVE","score":0.25}]"#,
            r#"[[{"label":"POSITIVE","score":0.75},{"label":"NEGATIVE","score":0.25}]]"#,
            r#"{"predictions":[{"label":"POSITIVE","score":0.75},{"label":"NEGATIVE","score":0.25}]}"#,
            r#"{"predictions":[[{"label":"POSITIVE","score":0.75},{"label":"NEGATIVE","score":0.25}]]}"#,
            r#"{"labels":["POSITIVE","NEGATIVE"],"scores":[0.75,0.25]}"#,
            r#"{"sequence":"a","labels":["POSITIVE","NEGATIVE"],"scores":[0.75,0.25]}"#,
            r#"{"predicted_label":"POSITIVE","probabilities":[0.75,0.25],"labels":["POSITIVE","NEGATIVE"]}"#,
            r#"[{"label":["POSITIVE","NEGATIVE"],"prob":[0.75,0.25]}]"#,
        ] {
            assert_eq!(read(body), Ok(two.clone()), "{body}");
        }
        let one = pairs(&[("POSITIVE", 0.75)]);
        for body in [
            r#"[{"label":"POSITIVE","score":0.75}]"#,
            r#"{"label":"POSITIVE","score":0.75}"#,
            r#"{"class":" POSITIVE ","confidence":0.75}"#,
        ] {
            assert_eq!(read(body), Ok(one.clone()), "{body}");
        }
        assert_eq!(read(r#"{"label":1,"score":1.00001}"#), Ok(pairs(&[("1", 1.0)])));
    }

    #[test]
    fn scores_by_class_name_and_bare_probabilities_are_understood_where_they_are_1_in_all() {
        let named = Ok(pairs(&[("Business", 0.015), ("Sports", 0.98), ("World", 0.005)]));
        for body in [
            r#"{"Business":0.015,"Sports":0.98,"World":0.005}"#,
            r#"[{"Business":0.015,"Sports":0.98,"World":0.005}]"#,
            r#"{"predictions":[{"Business":0.015,"Sports":0.98,"World":0.005}]}"#,
        ] {
            assert_eq!(read(body), named, "{body}");
        }
        let numbered = Ok(pairs(&[("0", 0.125), ("1", 0.875)]));
        for body in [
            "[[0.125,0.875]]",
            "[0.125,0.875]",
            r#"{"predictions":[[0.125,0.875]]}"#,
        ] {
            assert_eq!(read(body), numbered, "{body}");
        }

        let others = [
            r#"{"latency":0.25,"tokens":12}"#,
            r#"{"score":1.0}"#,
            "[0.9]",
            "[[0.1,0.9],[0.2,0.8]]",
            "[0.9,0.8]",
            "[[0.25,0.25]]",
            r#"{"predictions":[0.5,0.1]}"#,
            r#"{"score":0.75,"confidence":0.25}"#,
            r#"{"probability":0.75,"other":0.25}"#,
            r#"[{"class":0.75,"other":0.25}]"#,
        ];
        for body in others {
            assert_eq!(read(body), Err(UnreadableAnswer::UnknownShape), "{body}");
        }
        assert_eq!(read("[[-1.5,3.25]]"), Err(UnreadableAnswer::Score), "logits");
    }

    #[test]
    fn an_answer_that_cannot_be_read_says_why_and_nothing_of_itself() {
        let unreadable = [
            ("<html>secret", UnreadableAnswer::NoJson),
            (r#""secret""#, UnreadableAnswer::UnknownShape),
            (r#"{"answer":"secret"}"#, UnreadableAnswer::UnknownShape),
            (r#"[{"label":"secret"}]"#, UnreadableAnswer::UnknownShape),
            (
                r#"[[{"label":"a","score":1}],[{"label":"secret","score":1}]]"#,
                UnreadableAnswer::UnknownShape,
            ),
            ("[]", UnreadableAnswer::NoLabel),
            (
                r#"{"labels":["a","b"],"scores":[1]}"#,
                UnreadableAnswer::Unequal { labels: 2, scores: 1 },
            ),
            (
                r#"[{"label":"secret","score":0.5},{"label":"secret ","score":0.4}]"#,
                UnreadableAnswer::Repeated,
            ),
            (
                r#"{"labels":["a","b","a"],"scores":[0.1,0.1,0.1]}"#,
                UnreadableAnswer::Repeated,
            ),
            (r#"{"label":" ","score":1}"#, UnreadableAnswer::Label),
            (r#"{"label":1.5,"score":1}"#, UnreadableAnswer::Label),
            (r#"[{"label":"LABEL_0","score":4.2}]"#, UnreadableAnswer::Score),
            (r#"[{"label":"LABEL_0","score":"0.5"}]"#, UnreadableAnswer::Score),
        ];

        for (body, why) in unreadable {
            assert_eq!(read(body), Err(why), "{body}");
            assert!(!why.to_string().contains("secret"));
        }
    }

    #[test]
    fn labels_and_scores_of_different_places_are_no_pairs() {
        let by_paths = |body: &str, label: &str, score: &str| {
            let paths = AnswerPaths {
                label: label.parse().expect("a path"),
                score: score.parse().expect("a path"),
            };
            let classes = read_answer(body.as_bytes(), Some(&paths))?;
            let pairs = classes.into_iter().map(|class| (class.name, class.score));
            Ok(pairs.collect::<Vec<_>>())
        };
        let two = Ok(pairs(&[("a", 0.75), ("b", 0.25)]));

        let gaps = by_paths(r#"[{"l":"a"},{"s":0.75},{"l":"b","s":0.25}]"#, "$[*].l", "$[*].s");
        let missing = by_paths(r#"[{"l":"a"},{"l":"b","s":0.25}]"#, "$[*].l", "$[*].s");
        let lists = by_paths(r#"{"l":["a","b"],"s":[[0.75,0.25]]}"#, "$.l[*]", "$.s[*][*]");
        let members = by_paths(
            r#"{"l":{"1":"a","2":"b"},"s":{"1":0.75,"2":0.25}}"#,
            "$.l.*",
            "$.s.*",
        );
        let other_members = by_paths(
            r#"{"l":{"1":"a","2":"b"},"s":{"2":0.75,"3":0.25}}"#,
            "$.l.*",
            "$.s.*",
        );
        let items = read(r#"[{"label":["a","b"],"prob":[0.5]},{"label":["c"],"prob":[0.3,0.2]}]"#);

        assert_eq!(gaps, Err(UnreadableAnswer::Unpaired));
        assert_eq!(missing, Err(UnreadableAnswer::Unequal { labels: 2, scores: 1 }));
        assert_eq!((&lists, &members), (&two, &two));
        assert_eq!(other_members, Err(UnreadableAnswer::Unpaired));
        assert_eq!(items, Err(UnreadableAnswer::Unequal { labels: 2, scores: 1 }));
    }

    #[test]
    fn more_classes_than_a_label_set_has_and_names_that_no_label_has_are_not_read() {
        let answer = |count: usize| {
            let labels: Vec<String> = (0..count).map(|number| format!("class {number}")).collect();
            serde_json::json!({"labels": labels, "scores": vec![0.0; count]}).to_string()
        };
        let named = |name: &str| read(&serde_json::json!({"label": name, "score": 1}).to_string());

        assert_eq!(read(&answer(1_000)).map(|classes| classes.len()), Ok(1_000));
        assert_eq!(read(&answer(1_001)), Err(UnreadableAnswer::TooMany));
        assert_eq!(named("two\nlines"), Err(UnreadableAnswer::Label));
        assert_eq!(named(&"x".repeat(10_000)), Err(UnreadableAnswer::Label));
        assert_eq!(named("two words"), Ok(pairs(&[("two words", 1.0)])));
    }

    #[test]
    fn paths_lead_to_labels_and_scores_of_any_other_shape() {
        let paths = AnswerPaths {
            label: "$.result.topics[*]['name']".parse().expect("a path"),
            score: "$.result.topics[*].p".parse().expect("a path"),
        };
        let body = r#"{"result":{"topics":[{"name":"a","p":0.5},{"name":"b","p":0.25}]}}"#;

        let classes = read_answer(body.as_bytes(), Some(&paths)).expect("read");
        let nothing = read_answer(b"{}", Some(&paths));

        assert_eq!(classes.len(), 2);
        assert_eq!((classes[1].name.as_str(), classes[1].score), ("b", 0.25));
        assert_eq!(nothing, Err(UnreadableAnswer::NoLabel));
    }
}
