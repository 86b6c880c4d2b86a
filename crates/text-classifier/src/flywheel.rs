//! Flywheels: what trains a classifier again and again on the datasets of a data lake. Their state.
//!
//! Differs from Comprehend: only document classifiers, datasets only as CSV, and the lake holds each dataset's rows as
//! `Datasets/TRAIN/<name>.csv` and `Datasets/TEST/<name>.csv`. Without a test set, only the new model is measured.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use text_model::Mode;

use crate::{
    api_error::ApiError,
    arn::{FlywheelArn, is_name},
    bucket::{Bucket, StoreError},
    s3_uri::S3Uri,
    validation::{Origin, Tag},
    work::Run,
};

pub(crate) mod api;
pub(crate) mod dataset;
pub(crate) mod iterate;
pub(crate) mod iteration;
pub(crate) mod lake;
pub(crate) mod run;

/// First part of a flywheel's resource.
pub(crate) const KIND: &str = "flywheel";
pub(crate) const NOT_FOUND: ApiError = ApiError::ResourceNotFound("flywheel");

/// Comprehend's `FlywheelStatus`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum FlywheelStatus {
    Creating,
    Active,
    Updating,
    Deleting,
    Failed,
}

/// A flywheel's state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Flywheel {
    /// Answer of `DescribeFlywheel`.
    pub properties: FlywheelProperties,
    pub origin: Option<Origin>,
    pub tags: Vec<Tag>,
    /// Who copies the data of its first model.
    pub run: Option<Run>,
}

/// Comprehend's `FlywheelProperties`, as far as they mean anything here. Times are seconds since 1970.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct FlywheelProperties {
    pub flywheel_arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active_model_arn: Option<String>,
    pub data_access_role_arn: String,
    pub task_config: TaskConfig,
    pub data_lake_s3_uri: String,
    pub status: FlywheelStatus,
    pub model_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    pub creation_time: f64,
    pub last_modified_time: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latest_flywheel_iteration: Option<String>,
}

/// Comprehend's `TaskConfig`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct TaskConfig {
    pub language_code: String,
    pub document_classification_config: ClassificationConfig,
}

/// Comprehend's `DocumentClassificationConfig`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ClassificationConfig {
    pub mode: Mode,
    /// Empty where any label is taken.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
}

impl FlywheelProperties {
    fn mode(&self) -> Mode {
        self.task_config.document_classification_config.mode
    }

    /// Returns the labels that it learns; any, where it has none.
    fn labels(&self) -> BTreeSet<&str> {
        let labels = &self.task_config.document_classification_config.labels;
        labels.iter().map(String::as_str).collect()
    }

    fn lake(&self) -> Option<S3Uri> {
        self.data_lake_s3_uri.parse().ok()
    }
}

/// Returns a flywheel that is there.
async fn read(bucket: &Bucket, arn: &FlywheelArn) -> Result<Flywheel, ApiError> {
    bucket.read(&arn.resource()).await?.ok_or(NOT_FOUND)
}

/// Refuses a request that names a model beside a flywheel, whose active model it would be.
pub(crate) fn not_both(model: Option<&str>, flywheel: Option<&str>) -> Result<(), ApiError> {
    match (model, flywheel) {
        (Some(_), Some(_)) => Err(ApiError::InvalidRequest(
            "give the ARN of a model or that of a flywheel, not both",
        )),
        _ => Ok(()),
    }
}

/// Returns the model that a flywheel has as its active one.
pub(crate) async fn active_model(bucket: &Bucket, scope: &str, arn: &str) -> Result<String, ApiError> {
    let arn = requested(scope, Some(arn.to_owned()))?;
    let flywheel = read(bucket, &arn).await?;
    let active = flywheel.properties.active_model_arn;
    active.ok_or(ApiError::ResourceUnavailable("the flywheel has no active model"))
}

/// Returns whether a model is the active one of a flywheel, or is being compared with it.
pub(crate) async fn uses(bucket: &Bucket, model_arn: &str) -> Result<bool, StoreError> {
    let flywheels = bucket.states::<Flywheel>(KIND).await?;
    let is_active = |flywheel: &Flywheel| flywheel.properties.active_model_arn.as_deref() == Some(model_arn);
    Ok(flywheels.iter().any(is_active))
}

fn requested(scope: &str, arn: Option<String>) -> Result<FlywheelArn, ApiError> {
    let arn = crate::validation::required("flywheelArn", arn)?;
    let arn: FlywheelArn = arn.parse().map_err(|_| pattern("flywheelArn"))?;
    if arn.scope == scope {
        Ok(arn)
    } else {
        Err(NOT_FOUND)
    }
}

fn pattern(member: &'static str) -> ApiError {
    crate::validation::invalid(member, "Member must satisfy the pattern of its ARN")
}

/// Returns where the state of a dataset or an iteration lies, and that of all of a flywheel: `<kind>/<flywheel>`.
fn nested(kind: &str, flywheel: &str, name: &str) -> String {
    format!("{kind}/{flywheel}/{name}")
}

/// Reads what [`nested`] writes after the kind.
pub(crate) fn names(rest: &str) -> Option<(&str, &str)> {
    rest.split_once('/')
        .filter(|(flywheel, name)| is_name(flywheel) && is_name(name))
}
