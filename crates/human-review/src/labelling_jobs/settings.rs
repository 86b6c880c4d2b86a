//! What a labelling job does, as its request says.

use serde::{Deserialize, Serialize};

/// How many labels an object gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Task {
    /// One: `text-multi-class`.
    SingleLabel,
    /// Any number: `text-multi-label`.
    MultiLabel,
}

/// Where the worker task template comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Template {
    /// The shipped one for text labelling.
    BuiltIn,
    /// `UiTemplateS3Uri`.
    Uri(String),
    /// Key of the content of a `HumanTaskUi` in the review bucket.
    Key(String),
}

/// An earlier label that selects objects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// Name of the label attribute.
    pub attribute: String,
    /// Class that an object must have.
    pub class: String,
}

/// What a job asks about a label that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum AuditKind {
    /// Whether it is right.
    Verification,
    /// Which one is right; the one that is there is chosen already.
    Adjustment,
}

/// The label that a job is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audit {
    /// What is asked.
    pub kind: AuditKind,
    /// Its label attribute; empty until the label category file was read that names it.
    pub attribute: String,
}

/// What a job does, as its request says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// `LabelAttributeName`.
    pub attribute: String,
    /// `RoleArn`: with its rights everything outside the review bucket is read, written and invoked.
    pub role_arn: String,
    /// `ManifestS3Uri`.
    pub manifest: String,
    /// `LabelCategoryConfigS3Uri`.
    pub categories: Option<String>,
    /// `S3OutputPath`, without slashes at the end.
    pub output: String,
    /// `UiConfig`.
    pub template: Template,
    /// How many labels an object gets.
    pub task: Task,
    /// `PreHumanTaskLambdaArn`; none for the built-in behaviour.
    pub pre_annotation: Option<String>,
    /// `AnnotationConsolidationLambdaArn`; none for the built-in behaviour.
    pub consolidation: Option<String>,
    /// `NumberOfHumanWorkersPerDataObject`.
    pub workers: usize,
    /// `TaskTimeLimitInSeconds`.
    pub time_limit_seconds: i64,
    /// `TaskAvailabilityLifetimeInSeconds`.
    pub availability_seconds: i64,
    /// `MaxConcurrentTaskCount`.
    pub max_concurrent: usize,
    /// `TaskTitle`.
    pub title: String,
    /// `TaskDescription`.
    pub description: String,
    /// `MaxHumanLabeledObjectCount`.
    pub max_human_labelled: Option<usize>,
    /// `MaxPercentageOfInputDatasetLabeled`.
    pub max_percentage: Option<usize>,
    /// Tag `active-learning:only-where`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only_where: Option<Filter>,
    /// Tag `active-learning:show`: an attribute whose label reviewers see beside the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub show: Option<String>,
    /// Tag `active-learning:parent`: the label attribute of the level above; each text is offered the labels within its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Whether a model labels what it is sure of (`LabelingJobAlgorithmsConfig`).
    #[serde(default)]
    pub is_automated: bool,
    /// The label that is verified or adjusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit: Option<Audit>,
    /// Tag `active-learning:share`: the share of the objects, drawn at random, that is asked about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<f64>,
    /// Tag `active-learning:same-text`: whether each line is asked about, also where others have the same text.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub asks_each: bool,
}
