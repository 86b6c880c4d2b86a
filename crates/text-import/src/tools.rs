//! What labelling tools export: which one it is, and what its rows say.

mod argilla;
pub(crate) mod fast_text;
pub(crate) mod ground_truth;
mod label_studio;
mod labelbox;
mod prodigy;
pub(crate) mod questions;

use serde_json::Value;

use crate::{
    Options,
    draft::{Draft, DraftVote, Fields, text_of},
    labels::Written,
    names::{folded, text_place},
    written::PARTS,
};

/// A tool whose export is known by its shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// Amazon SageMaker Ground Truth: input, output or augmented manifest.
    GroundTruth,
    /// Label Studio: JSON, JSON-MIN or CSV.
    LabelStudio,
    /// doccano.
    Doccano,
    /// Prodigy.
    Prodigy,
    /// Argilla.
    Argilla,
    /// fastText.
    FastText,
    /// Labelbox.
    Labelbox,
}

impl Tool {
    /// Returns its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::GroundTruth => "Ground Truth",
            Self::LabelStudio => "Label Studio",
            Self::Doccano => "doccano",
            Self::Prodigy => "Prodigy",
            Self::Argilla => "Argilla",
            Self::FastText => "fastText",
            Self::Labelbox => "Labelbox",
        }
    }

    /// Tells the tool whose objects are not plain fields of a table.
    pub(crate) fn of(fields: &Fields) -> Option<Self> {
        let has = |name: &str| fields.contains_key(name);
        let is_word = |name: &str, words: &[&str]| {
            fields
                .get(name)
                .and_then(Value::as_str)
                .is_some_and(|word| words.contains(&word))
        };
        if fields.get("data").is_some_and(Value::is_object)
            && (has("annotations") || has("completions") || has("predictions"))
        {
            Some(Self::LabelStudio)
        } else if has("_task_hash")
            || has("_input_hash")
            || has("text") && is_word("answer", &["accept", "reject", "ignore"])
        {
            Some(Self::Prodigy)
        } else if labelbox::is_one(fields) {
            Some(Self::Labelbox)
        } else if argilla::is_one(fields) {
            Some(Self::Argilla)
        } else if has("text") && has("Comments") && fields.get("label").is_some_and(Value::is_array)
            || has("text") && old_doccano(fields).is_some()
            || is_bare_doccano(fields)
        {
            Some(Self::Doccano)
        } else if ground_truth::is_one(fields) {
            Some(Self::GroundTruth)
        } else {
            None
        }
    }

    /// Tells the tool whose export is a table by the names of its columns.
    pub(crate) fn of_columns(names: &[String]) -> Option<Self> {
        let has = |name: &str| names.iter().any(|other| folded(other) == name);
        if has("annotationid") && (has("annotator") || has("leadtime")) {
            Some(Self::LabelStudio)
        } else if has("id") && has("text") && (has("comments") || has("annotationapprover")) && has("label") {
            Some(Self::Doccano)
        } else {
            None
        }
    }

    /// Reads an object of its export.
    ///
    /// # Errors
    ///
    /// Why it cannot be used.
    pub(crate) fn draft(self, fields: &Fields, options: &Options) -> Result<Draft, String> {
        match self {
            Self::LabelStudio => label_studio::draft(fields, options),
            Self::Prodigy => prodigy::draft(fields),
            Self::Argilla => argilla::draft(fields, options),
            Self::GroundTruth => ground_truth::draft(fields),
            Self::Doccano => doccano(fields),
            Self::Labelbox => labelbox::draft(fields),
            // Its files are lines of words, no objects.
            Self::FastText => Err(NO_TEXT.to_owned()),
        }
    }
}

/// Returns whether an object is a row of doccano without comments: an id, a text and a list of labels, and nothing else.
fn is_bare_doccano(fields: &Fields) -> bool {
    let is_known = |name: &String| ["id", "text", "label", "meta"].contains(&name.as_str());
    let is_id = fields.get("id").is_some_and(|id| id.is_u64());
    let has_labels = fields.get("label").is_some_and(Value::is_array);
    is_id && has_labels && fields.contains_key("text") && fields.keys().all(is_known)
}

/// Returns the annotations of doccano before 1.0, whose labels are numbers:
/// `{"id": 1, "text": "…", "annotations": [{"label": 3, "user": 1}]}`.
fn old_doccano(fields: &Fields) -> Option<&Vec<Value>> {
    let annotations = fields.get("annotations")?.as_array()?;
    let is_numbered = |annotation: &Value| annotation.get("label").is_some_and(Value::is_number);
    annotations.iter().all(is_numbered).then_some(annotations)
}

/// Why labels of doccano before 1.0 are not read.
pub(crate) const NUMBERED: &str = "has numbers of doccano's own for labels";

/// Reads doccano's JSON Lines: `{"id": 1, "text": "…", "label": ["…"], "Comments": []}`.
fn doccano(fields: &Fields) -> Result<Draft, String> {
    let text = text_of(fields.get("text")).ok_or(NO_TEXT)?;
    if let Some(annotations) = old_doccano(fields) {
        if annotations
            .iter()
            .any(|annotation| annotation.get("start_offset").is_some())
        {
            return Err(PARTS.to_owned());
        }
        return Ok(Draft {
            text,
            aside: (!annotations.is_empty()).then_some(NUMBERED),
            ..Draft::default()
        });
    }
    let label = fields.get("label").unwrap_or(&Value::Null);
    if label
        .as_array()
        .is_some_and(|labels| labels.iter().any(Value::is_array))
    {
        return Err(PARTS.to_owned());
    }
    let by = text_of(fields.get("annotation_approver"));
    let vote = Written::of_value(label)?.map(|written| DraftVote {
        written,
        by,
        at: None,
    });
    Ok(Draft {
        text,
        votes: vote.into_iter().collect(),
        ..Draft::default()
    })
}

/// Returns the columns of answers of Label Studio's tables: those that are neither the text nor its own.
pub(crate) fn label_studio_answers(names: &[String], text: &dyn Fn(usize) -> bool) -> Vec<usize> {
    const OWN: [&str; 9] = [
        "id",
        "annotator",
        "annotationid",
        "createdat",
        "updatedat",
        "leadtime",
        "annotationcreatedat",
        "filename",
        "source",
    ];
    let is_label =
        |(column, name): &(usize, &String)| !text(*column) && !OWN.contains(&folded(name).as_str());
    let answers = names.iter().enumerate().filter(is_label);
    answers.map(|(column, _)| column).collect()
}

/// Finds the text among the data of a tool: the field that is named, one of a known name, or the longest
/// text.
fn text_among(fields: &Fields, options: &Options) -> Option<String> {
    if let Some(wanted) = &options.text_column {
        return text_of(fields.get(wanted));
    }
    let known = fields
        .iter()
        .filter_map(|(name, value)| Some((text_place(name)?, text_of(Some(value))?)));
    let surest = known.min_by_key(|(place, _)| *place).map(|(_, text)| text);
    let longest = || {
        fields
            .values()
            .filter_map(Value::as_str)
            .max_by_key(|text| text.len())
            .map(str::to_owned)
    };
    surest.or_else(longest)
}

/// Told of an object in which no text is found.
const NO_TEXT: &str = "there is no text in it";
