//! Label category files.
//!
//! Source: Amazon SageMaker Ground Truth, "Create a Labeling Category Configuration File".

use active_learning_core::text::counted;
use serde::Deserialize;
use serde_json::Value;

use super::record::{Categories, Task};

/// Most labels of a single-label job here; Ground Truth's console offers 50.
const MAX_LABELS: usize = 1_000;
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
    if labels.iter().any(|label| label.trim().is_empty()) {
        return Err("has an empty label".to_owned());
    }
    for (number, label) in labels.iter().enumerate() {
        if labels[..number].contains(label) {
            return Err(format!("has the label `{label}` twice"));
        }
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
                "has an empty label",
            ),
            (
                r#"{"labels": [{"label": "a"}, {"label": "a"}]}"#,
                "has the label `a` twice",
            ),
        ] {
            assert_eq!(read(file.as_bytes(), Task::SingleLabel), Err(reason.to_owned()));
        }
    }
}
