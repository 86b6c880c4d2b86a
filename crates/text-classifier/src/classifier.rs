//! Document classifiers: their state. The operations are in [`crate::classifier_api`], training in
//! [`crate::training_run`].

use serde::{Deserialize, Serialize};

use text_model::{Confidence, EvaluationMetrics, Mode, Model};

use crate::{
    api_error::ApiError,
    arn::ClassifierArn,
    bucket::Bucket,
    training_input::InputDataConfig,
    validation::{Origin, Tag},
    work::Run,
};

/// First part of a classifier's resource.
pub(crate) const KIND: &str = "document-classifier";
pub(crate) const NOT_FOUND: ApiError = ApiError::ResourceNotFound("document classifier");

/// Comprehend's `ModelStatus`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum ModelStatus {
    Submitted,
    Training,
    Deleting,
    StopRequested,
    Stopped,
    InError,
    Trained,
    TrainedWithWarning,
}

impl ModelStatus {
    pub(crate) fn is_final(self) -> bool {
        match self {
            Self::Submitted | Self::Training | Self::Deleting | Self::StopRequested => false,
            Self::Stopped | Self::InError | Self::Trained | Self::TrainedWithWarning => true,
        }
    }

    /// Returns whether there is a model that can serve.
    pub(crate) fn is_usable(self) -> bool {
        matches!(self, Self::Trained | Self::TrainedWithWarning)
    }
}

/// A classifier's state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Classifier {
    /// Answer of `DescribeDocumentClassifier`.
    pub properties: ClassifierProperties,
    /// The request that made it; none if an initial training file did.
    pub origin: Option<Origin>,
    pub tags: Vec<Tag>,
    /// Who trains it.
    pub run: Option<Run>,
    /// What training found, in the end.
    pub trained: Option<TrainedFacts>,
}

/// What is known of a trained model beyond Comprehend's description.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TrainedFacts {
    /// Labels in alphabetical order.
    pub labels: Vec<String>,
    /// What the confidence was worth on texts that training did not see.
    #[serde(default)]
    pub confidence: Confidence,
    /// Identity of the encoder that it looks through, or [`NO_ENCODER`]; not known of what an earlier release has trained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoder: Option<String>,
    /// The objects that it was trained on.
    pub sources: Vec<TrainingFile>,
}

/// Said of a model that looks through no encoder.
const NO_ENCODER: &str = "none";

/// Returns what is noted of the encoder of a model.
pub(crate) fn encoder_of(model: &Model) -> Option<String> {
    Some(model.encoder().unwrap_or(NO_ENCODER).to_owned())
}

/// An object that a model was trained on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TrainingFile {
    pub uri: String,
    /// Without quotes.
    pub etag: String,
}

/// Comprehend's `DocumentClassifierProperties`, as far as they mean anything here. Times are seconds
/// since 1970.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ClassifierProperties {
    pub document_classifier_arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language_code: Option<String>,
    pub status: ModelStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    pub mode: Mode,
    pub submit_time: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub training_start_time: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub training_end_time: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_time: Option<f64>,
    pub input_data_config: InputDataConfig,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_data_config: Option<OutputDataConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_access_role_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classifier_metadata: Option<ClassifierMetadata>,
    /// The flywheel whose iteration trained it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flywheel_arn: Option<String>,
}

/// Comprehend's `DocumentClassifierOutputDataConfig`; once trained, the URI is that of the `output.tar.gz`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct OutputDataConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub s3_uri: Option<String>,
    /// Refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kms_key_id: Option<String>,
}

/// Comprehend's `ClassifierMetadata`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ClassifierMetadata {
    pub number_of_labels: usize,
    pub number_of_trained_documents: usize,
    pub number_of_test_documents: usize,
    pub evaluation_metrics: EvaluationMetrics,
}

/// Longest message of a classifier, in characters, as in Comprehend.
const MAX_MESSAGE: usize = 2_048;

/// Makes the message of a classifier of what was repaired in its training data, a sentence a line.
pub(crate) fn message(repairs: &[String]) -> Option<String> {
    let all = repairs.join("\n");
    let start: String = all.chars().take(MAX_MESSAGE).collect();
    (!start.is_empty()).then_some(start)
}

/// Returns a classifier whose model can be used.
pub(crate) async fn usable(
    bucket: &Bucket,
    scope: &str,
    arn: &ClassifierArn,
) -> Result<Classifier, ApiError> {
    if arn.scope != scope {
        return Err(NOT_FOUND);
    }
    let classifier: Classifier = bucket.read(&arn.resource()).await?.ok_or(NOT_FOUND)?;
    if classifier.properties.status.is_usable() {
        Ok(classifier)
    } else {
        Err(ApiError::ResourceUnavailable(
            "the document classifier is not trained",
        ))
    }
}
