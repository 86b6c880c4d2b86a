//! Label category files.
//!
//! Source: Amazon SageMaker Ground Truth, "Create a Labeling Category Configuration File".

use std::collections::BTreeMap;

use active_learning_core::labels::human_loop::is_answer_word;
use active_learning_core::labels::label_key::label_key;
use active_learning_core::labels::label_set::MAX_NAME_BYTES;
use active_learning_core::text::{counted, is_blank};
use serde::Deserialize;
use serde_json::Value;

use super::record::{Categories, Task};

/// Most labels of a single-label job here; Ground Truth's console offers 50.
const MAX_LABELS: usize = 1_000;
/// Characters of a label that is no good, as it is named.
const NAMED_CHARS: usize = 80;
/// Most labels of a multi-label job. Source: Ground Truth, text classification (multi-label).
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
    label: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Instructions {
    short_instruction: Option<String>,
    full_instruction: Option<String>,
}

/// Reads a label category file.
///
/// # Errors
///
/// What is wrong with it.
pub fn read(file: &[u8], task: Task) -> Result<Categories, String> {
    let file: Value = serde_json::from_slice(file).map_err(|_| "is not JSON".to_owned())?;
    let file: File = serde_json::from_value(file)
        .map_err(|_| "has no list `labels` of objects with a `label`".to_owned())?;
    let labels: Vec<String> = file.labels.into_iter().map(|label| label.label).collect();

    let most = match task {
        Task::SingleLabel => MAX_LABELS,
        Task::MultiLabel => MAX_MULTI_LABELS,
    };
    if !(2..=most).contains(&labels.len()) {
        let labels = counted(labels.len(), "label");
        return Err(format!("has {labels}: 2 to {most} are allowed"));
    }
    if let Some(refusal) = refusal(&labels) {
        return Err(refusal);
    }
    let (instructions, full_instructions) = file
        .instructions
        .map(|instructions| (instructions.short_instruction, instructions.full_instruction))
        .unwrap_or_default();
    Ok(Categories {
        labels,
        instructions,
        full_instructions,
        audited: file.audited,
    })
}

/// Returns why reviewers could not choose from these labels, if they could not: pages leave out what can be no label, and
/// spellings of one label are one choice.
fn refusal(labels: &[String]) -> Option<String> {
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    for (label, number) in labels.iter().zip(1..) {
        if let Some(problem) = problem(label) {
            return Some(format!(
                "has the label {} (number {number}), which {problem}",
                named(label)
            ));
        }
        let other = seen.insert(label_key(label), label);
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
fn named(label: &str) -> String {
    let short: String = label.chars().take(NAMED_CHARS).collect();
    format!("`{}`", short.escape_debug())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_read_in_their_order() {
        let file = br#"{"document-version": "2018-11-28", "labels": [{"label": "b"}, {"label": "a"}]}"#;

        let categories = read(file, Task::SingleLabel).expect("a good file");

        assert_eq!(categories.labels, ["b", "a"]);
    }

    #[test]
    fn both_instructions_of_a_file_are_kept() {
        let file = br#"{"labels": [{"label": "b"}, {"label": "a"}],
            "instructions": {"shortInstruction": "Which?", "fullInstruction": "Read it twice."}}"#;

        let categories = read(file, Task::SingleLabel).expect("a good file");

        assert_eq!(categories.instructions.as_deref(), Some("Which?"));
        assert_eq!(categories.full_instructions.as_deref(), Some("Read it twice."));
    }

    #[test]
    fn a_file_that_names_no_choice_is_refused_with_the_reason() {
        for (file, reason) in [
            ("[", "is not JSON"),
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
            assert_eq!(read(file.as_bytes(), Task::SingleLabel), Err(reason.to_owned()));
        }
    }

    #[test]
    fn a_word_of_the_review_page_is_no_label_however_it_is_spelt() {
        for (label, named) in [
            ("__none__", "__none__"),
            (" __Unsure__\u{200b}", r" __Unsure__\u{200b}"),
        ] {
            let file = serde_json::json!({ "labels": [{ "label": "World" }, { "label": label }] });

            let refused = read(file.to_string().as_bytes(), Task::MultiLabel);

            let reason = format!("has the label `{named}` (number 2), which is a word of the review page");
            assert!(refused.expect_err(label).starts_with(&reason), "{label}");
        }
    }
}
