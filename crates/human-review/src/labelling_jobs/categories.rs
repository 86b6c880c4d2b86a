//! Label category files.
//!
//! Source: Amazon SageMaker Ground Truth, "Create a Labeling Category Configuration File".

use std::collections::BTreeMap;

use active_learning_core::labels::human_loop::is_answer_word;
use active_learning_core::labels::label_key::label_key;
use active_learning_core::labels::label_set::MAX_NAME_BYTES;
use active_learning_core::text::{counted, is_blank, why_no_utf8_json};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::census::PARENT_TAG;
use super::record::{Categories, Task};

/// Most labels of a single-label job here; Ground Truth's console offers 50.
const MAX_LABELS: usize = 1_000;
/// Characters of a label that is no good, as it is named.
const NAMED_CHARS: usize = 80;
/// Most labels that a text of a multi-label job is offered. Source: Ground Truth, text classification (multi-label).
const MAX_MULTI_LABELS: usize = 50;

#[derive(Deserialize)]
struct File {
    labels: Vec<Label>,
    #[serde(default)]
    instructions: Option<Instructions>,
    #[serde(default, rename = "auditLabelAttributeName")]
    audited: Option<String>,
}

#[derive(Deserialize)]
struct Label {
    #[serde(deserialize_with = "word")]
    label: String,
    /// Those of the level below.
    #[serde(default)]
    labels: Vec<Label>,
}

/// Reads a label, which may be written as a number.
fn word<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::String(text) => Ok(text),
        Value::Number(number) => Ok(number.to_string()),
        _ => Err(D::Error::custom("a label is a text")),
    }
}

/// Members by which the tasks for images and videos ask about more than a label. Source: Ground Truth, "Labeling category
/// configuration file with label category and frame attributes".
const ATTRIBUTES: [&str; 4] = [
    "attributes",
    "categoryAttributes",
    "categoryGlobalAttributes",
    "frameAttributes",
];

/// Returns which of these members a file has, in it or in one of its labels, at any depth.
fn asks_for_attributes(file: &Value) -> Option<&'static str> {
    let has = |name: &&&str| match &file[**name] {
        Value::Null => false,
        Value::Array(attributes) => !attributes.is_empty(),
        _ => true,
    };
    let below = file["labels"].as_array().into_iter().flatten();
    let own = ATTRIBUTES.iter().find(has).copied();
    own.or_else(|| below.into_iter().find_map(asks_for_attributes))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Instructions {
    short_instruction: Option<String>,
    full_instruction: Option<String>,
}

/// Begins files that some editors write.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Reads a label category file: its labels, or, for a job on a level below another one, those within each label. A byte order
/// mark before it is no part of it.
///
/// # Errors
///
/// What is wrong with it.
pub fn read(file: &[u8], task: Task, is_below: bool) -> Result<Categories, String> {
    let file = file.strip_prefix(BYTE_ORDER_MARK).unwrap_or(file);
    let no_json = || why_no_utf8_json(file).unwrap_or("is not JSON");
    let file: Value = serde_json::from_slice(file).map_err(|_| no_json().to_owned())?;
    if let Some(member) = asks_for_attributes(&file) {
        return Err(format!(
            "has `{member}`: a job about texts asks for labels alone, so leave them out or ask in a job of their own"
        ));
    }
    let file: File = serde_json::from_value(file)
        .map_err(|_| "has no list `labels` of objects with a `label`".to_owned())?;
    let (mut labels, mut parents, mut childless) = (Vec::new(), Vec::new(), Vec::new());
    match is_below {
        true => {
            let first: Vec<String> = file.labels.iter().map(|label| label.label.clone()).collect();
            let unclear = || twice_above(&file.labels, &mut BTreeMap::new());
            if let Some(refusal) = refusal(&first, &[]).or_else(unclear) {
                return Err(refusal);
            }
            collect_below(&file.labels, &mut labels, &mut parents);
            let has_none = |label: &&Label| label.labels.is_empty();
            childless.extend(
                file.labels
                    .iter()
                    .filter(has_none)
                    .map(|label| label.label.clone()),
            );
        }
        false => labels.extend(file.labels.into_iter().map(|label| label.label)),
    }
    if is_below && labels.is_empty() {
        return Err(format!(
            "has no labels within a label, which the tag {PARENT_TAG} is about"
        ));
    }

    let offered = match task {
        Task::SingleLabel => MAX_LABELS,
        Task::MultiLabel => MAX_MULTI_LABELS,
    };
    // Of a tree a text is offered the labels of one parent.
    let most = if is_below { MAX_LABELS } else { offered };
    if !(2..=most).contains(&labels.len()) {
        let labels = counted(labels.len(), "label");
        return Err(format!("has {labels}: 2 to {most} are allowed"));
    }
    if let Some(refusal) = refusal(&labels, &parents).or_else(|| too_many_below(&parents, offered)) {
        return Err(refusal);
    }
    let (instructions, full_instructions) = file
        .instructions
        .map(|instructions| (instructions.short_instruction, instructions.full_instruction))
        .unwrap_or_default();
    Ok(Categories {
        labels,
        parents,
        childless,
        instructions,
        full_instructions,
        audited: file.audited,
    })
}

/// Collects all labels within others, at any depth and in their order, each with the one that it is within.
fn collect_below(above: &[Label], labels: &mut Vec<String>, parents: &mut Vec<String>) {
    for parent in above {
        for label in &parent.labels {
            labels.push(label.label.clone());
            parents.push(parent.label.clone());
        }
        collect_below(&parent.labels, labels, parents);
    }
}

/// Returns within which label there are more than a text may be offered, if there are.
fn too_many_below(parents: &[String], most: usize) -> Option<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for parent in parents {
        *counts.entry(parent.as_str()).or_default() += 1;
    }
    let (parent, count) = counts.into_iter().find(|(_, count)| *count > most)?;
    let (labels, parent) = (counted(count, "label"), named(parent));
    Some(format!(
        "has {labels} within {parent}: at most {most} are allowed"
    ))
}

/// Returns why it cannot be told which labels are within a class, if it cannot: two labels of its name have some.
fn twice_above<'l>(above: &'l [Label], seen: &mut BTreeMap<String, &'l str>) -> Option<String> {
    for parent in above.iter().filter(|parent| !parent.labels.is_empty()) {
        if let Some(other) = seen.insert(label_key(&parent.label), &parent.label) {
            let (one, other) = (named(other), named(&parent.label));
            return Some(match one == other {
                true => format!("has the label {one} in two places, with labels within it in both"),
                false => {
                    format!("has labels within both {one} and {other}, which are one label in two spellings")
                }
            });
        }
        if let Some(refusal) = twice_above(&parent.labels, seen) {
            return Some(refusal);
        }
    }
    None
}

/// Returns why reviewers could not choose from these labels, if they could not: pages leave out what can be no label, and
/// spellings of one label are one choice.
fn refusal(labels: &[String], parents: &[String]) -> Option<String> {
    let mut seen: BTreeMap<(String, String), &str> = BTreeMap::new();
    let parents = parents.iter().map(|parent| label_key(parent));
    // Two parents may each have one of the same name.
    let parents = parents.chain(std::iter::repeat(String::new()));
    for ((label, parent), number) in labels.iter().zip(parents).zip(1..) {
        if let Some(problem) = problem(label) {
            return Some(format!(
                "has the label {} (number {number}), which {problem}",
                named(label)
            ));
        }
        let other = seen.insert((parent, label_key(label)), label);
        match other {
            Some(other) if other == label => return Some(format!("has the label {} twice", named(label))),
            Some(other) => {
                let (one, other) = (named(other), named(label));
                return Some(format!(
                    "has the labels {one} and {other}, which are one label in two spellings"
                ));
            }
            None => {}
        }
    }
    None
}

/// Returns why a name can be no label, if it can be none.
fn problem(label: &str) -> Option<String> {
    if is_blank(label) || label_key(label).is_empty() {
        return Some("holds nothing that can be seen".to_owned());
    }
    if is_answer_word(label) {
        let why = "is a word of the review page, which says that no label was chosen";
        return Some(why.to_owned());
    }
    if label.contains(char::is_control) {
        return Some("holds a line break or another control character".to_owned());
    }
    (label.len() > MAX_NAME_BYTES).then(|| format!("has more than {MAX_NAME_BYTES} bytes"))
}

/// Writes a label so that what cannot be seen of it is seen.
pub(super) fn named(label: &str) -> String {
    let short: String = label.chars().take(NAMED_CHARS).collect();
    format!("`{}`", short.escape_debug())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_read_in_their_order() {
        let file = br#"{"document-version": "2018-11-28", "labels": [{"label": "b"}, {"label": "a"}]}"#;
        let marked = [BYTE_ORDER_MARK, file].concat();

        for file in [&file[..], &marked] {
            let categories = read(file, Task::SingleLabel, false).expect("a good file");

            assert_eq!(categories.labels, ["b", "a"]);
        }
    }

    #[test]
    fn labels_that_are_written_as_numbers_are_labels() {
        let file = br#"{"labels": [{"label": 1}, {"label": 2.5}], "frameAttributes": []}"#;

        let categories = read(file, Task::SingleLabel, false).expect("a good file");

        assert_eq!(categories.labels, ["1", "2.5"]);
    }

    #[test]
    fn attributes_that_nobody_would_be_asked_for_are_refused_by_name() {
        for (file, member) in [
            (
                r#"{"labels": [{"label": "a"}, {"label": "b", "attributes": [{"name": "x"}]}]}"#,
                "attributes",
            ),
            (
                r#"{"labels": [{"label": "a"}, {"label": "b"}], "categoryGlobalAttributes": [{"name": "x"}]}"#,
                "categoryGlobalAttributes",
            ),
        ] {
            let refused = read(file.as_bytes(), Task::SingleLabel, false).expect_err(member);

            assert!(refused.starts_with(&format!("has `{member}`")), "{refused}");
        }
    }

    #[test]
    fn both_instructions_of_a_file_are_kept() {
        let file = br#"{"labels": [{"label": "b"}, {"label": "a"}],
            "instructions": {"shortInstruction": "Which?", "fullInstruction": "Read it twice."}}"#;

        let categories = read(file, Task::SingleLabel, false).expect("a good file");

        assert_eq!(categories.instructions.as_deref(), Some("Which?"));
        assert_eq!(categories.full_instructions.as_deref(), Some("Read it twice."));
    }

    #[test]
    fn a_file_that_names_no_choice_is_refused_with_the_reason() {
        for (file, reason) in [
            ("[", "is not JSON"),
            ("{\0\"\0l\0", "is UTF-16: save it as UTF-8"),
            (
                r#"{"labels": ["a"]}"#,
                "has no list `labels` of objects with a `label`",
            ),
            (
                r#"{"labels": [{"label": "a"}]}"#,
                "has 1 label: 2 to 1000 are allowed",
            ),
            (
                r#"{"labels": [{"label": "a"}, {"label": " "}]}"#,
                "has the label ` ` (number 2), which holds nothing that can be seen",
            ),
            (
                r#"{"labels": [{"label": "World"}, {"label": "Sports"}, {"label": "\u200b"}]}"#,
                r"has the label `\u{200b}` (number 3), which holds nothing that can be seen",
            ),
            (
                r#"{"labels": [{"label": "World"}, {"label": " \u200bwORLD"}]}"#,
                r"has the labels `World` and ` \u{200b}wORLD`, which are one label in two spellings",
            ),
            (
                r#"{"labels": [{"label": "World\nNews"}, {"label": "World"}]}"#,
                r"has the label `World\nNews` (number 1), which holds a line break or another control character",
            ),
            (
                r#"{"labels": [{"label": "a"}, {"label": "a"}]}"#,
                "has the label `a` twice",
            ),
        ] {
            assert_eq!(
                read(file.as_bytes(), Task::SingleLabel, false),
                Err(reason.to_owned())
            );
        }
    }

    #[test]
    fn a_word_of_the_review_page_is_no_label_however_it_is_spelt() {
        for (label, named) in [
            ("__none__", "__none__"),
            (" __Unsure__\u{200b}", r" __Unsure__\u{200b}"),
        ] {
            let file = serde_json::json!({ "labels": [{ "label": "World" }, { "label": label }] });

            let refused = read(file.to_string().as_bytes(), Task::MultiLabel, false);

            let reason = format!("has the label `{named}` (number 2), which is a word of the review page");
            assert!(refused.expect_err(label).starts_with(&reason), "{label}");
        }
    }

    #[test]
    fn labels_within_labels_are_those_of_a_job_on_a_level_below_each_with_its_parent() {
        let file = br#"{"labels": [
            {"label": "Sports", "labels": [{"label": "Football"}, {"label": "Other"}]},
            {"label": "Business", "labels": [{"label": "Banks", "labels": [{"label": "Rates"}]}, {"label": "Other"}]}]}"#;

        let top = read(file, Task::SingleLabel, false).expect("a good file");
        let below = read(file, Task::SingleLabel, true).expect("a good file");

        assert_eq!(top.labels, ["Sports", "Business"]);
        assert_eq!(below.labels, ["Football", "Other", "Banks", "Other", "Rates"]);
        assert_eq!(
            below.parents,
            ["Sports", "Sports", "Business", "Business", "Banks"]
        );
        let offered = |parents: &[&str]| {
            let parents: Vec<String> = parents.iter().map(|name| (*name).to_owned()).collect();
            below.below(&parents)
        };
        assert_eq!(offered(&[" sports"]), [0, 1]);
        assert_eq!(offered(&["Business", "Sports"]), [0, 1, 2, 3]);
        assert!(offered(&["World"]).is_empty() && offered(&[]).is_empty());
    }

    #[test]
    fn of_a_tree_each_label_may_have_as_many_within_as_a_text_may_be_offered() {
        let tree = |counts: [usize; 2]| {
            let parent = |(name, count): (&str, usize)| {
                let within: Vec<_> = (0..count)
                    .map(|number| serde_json::json!({ "label": format!("{name} {number}") }))
                    .collect();
                serde_json::json!({ "label": name, "labels": within })
            };
            let [one, other] = [("a", counts[0]), ("b", counts[1])].map(parent);
            serde_json::json!({ "labels": [one, other] }).to_string()
        };
        let read = |counts, task| read(tree(counts).as_bytes(), task, true);

        let many = read([50, 50], Task::MultiLabel).expect("a text is offered 50 at most");
        let too_many = read([2, 51], Task::MultiLabel);
        let of_one_label = read([2, 51], Task::SingleLabel);
        let far_too_many = read([500, 501], Task::SingleLabel);

        assert_eq!(many.labels.len(), 100);
        assert_eq!(
            too_many,
            Err("has 51 labels within `b`: at most 50 are allowed".to_owned())
        );
        assert!(of_one_label.is_ok());
        assert_eq!(
            far_too_many,
            Err("has 1001 labels: 2 to 1000 are allowed".to_owned())
        );
    }

    #[test]
    fn a_parent_has_no_label_twice_and_some_label_has_one_within() {
        let flat = br#"{"labels": [{"label": "a"}, {"label": "b"}]}"#;
        let twice = br#"{"labels": [{"label": "a", "labels": [{"label": "x"}, {"label": "X"}]}]}"#;

        let reasons = [&flat[..], &twice[..]].map(|file| read(file, Task::SingleLabel, true));

        let none = "has no labels within a label, which the tag active-learning:parent is about";
        let spelt = "has the labels `x` and `X`, which are one label in two spellings";
        assert_eq!(reasons, [Err(none.to_owned()), Err(spelt.to_owned())]);
    }

    #[test]
    fn a_tree_in_which_two_labels_of_one_name_have_some_within_is_refused_by_name() {
        let read_tree = |labels: &str| {
            let file = format!(r#"{{"labels": {labels}}}"#);
            read(file.as_bytes(), Task::SingleLabel, true)
        };
        let (sports, other) = (
            r#"{"label": "Sports", "labels": [{"label": "Cups"}, {"label": "Other", "labels": [{"label": "x"}]}]}"#,
            r#"{"label": "World", "labels": [{"label": "OTHER", "labels": [{"label": "y"}]}]}"#,
        );

        let spelt = read_tree(&format!("[{sports}, {other}]"));
        let same = read_tree(&format!("[{sports}, {}]", other.replace("OTHER", "Other")));
        let first = read_tree(&format!(r#"[{sports}, {{"label": "sports"}}]"#));
        let within_none = read_tree(&format!(
            r#"[{sports}, {{"label": "World", "labels": [{{"label": "Other"}}]}}]"#
        ));

        let reason = "has labels within both `Other` and `OTHER`, which are one label in two spellings";
        assert_eq!(spelt, Err(reason.to_owned()));
        let reason = "has the label `Other` in two places, with labels within it in both";
        assert_eq!(same, Err(reason.to_owned()));
        let reason = "has the labels `Sports` and `sports`, which are one label in two spellings";
        assert_eq!(first, Err(reason.to_owned()));
        assert!(within_none.is_ok(), "one of them has none within");
    }
}
