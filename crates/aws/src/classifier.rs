//! What classifies a text: Comprehend, the built-in classifier, or a model that is hosted elsewhere.

use std::sync::Arc;

use active_learning_core::{
    feedback::{hosted_model::UnreadableAnswer, prediction::Prediction},
    labels::label_set::LabelSet,
};
use aws_config::SdkConfig;

use crate::{
    bucket::Bucket,
    class_names::ClassNames,
    clients,
    env::{ConfigError, Env},
    failure::Refusal,
    hosted_model::{HostedModel, HostedSettings},
    predictions::{self, Classified},
};

/// Which classifier an operator chose.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassifierSettings {
    /// ARN of the endpoint that speaks Comprehend's protocol; empty where a hosted model classifies.
    pub endpoint_arn: String,
    /// URL of the built-in classifier; none for Comprehend or a hosted model.
    pub url: Option<String>,
    /// The hosted model, if one classifies.
    pub hosted: Option<HostedSettings>,
    /// Whether a text may have several labels.
    pub several_labels: bool,
}

impl ClassifierSettings {
    /// Reads the settings from a function's environment.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the variable that is missing or wrong.
    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let hosted = HostedSettings::from_env(env)?;
        let endpoint_arn = match hosted {
            Some(_) => env.optional("COMPREHEND_ENDPOINT_ARN")?.unwrap_or_default(),
            None => env.required("COMPREHEND_ENDPOINT_ARN")?,
        };
        Ok(Self {
            endpoint_arn,
            url: env.optional("CLASSIFIER_URL")?,
            hosted,
            several_labels: env.required("SEVERAL_LABELS")?,
        })
    }
}

/// Why a text has no prediction. Safe to show: it never holds a text.
#[derive(Debug, thiserror::Error)]
pub enum ClassifierError {
    /// The service refused, or did not answer.
    #[error("{0}")]
    Refused(Refusal),
    /// The endpoint of the hosted model is not there, or still being made.
    #[error("there is no such endpoint: {0}")]
    NoEndpoint(Refusal),
    /// The hosted model failed, not SageMaker.
    #[error("the model behind the endpoint failed{}: {refusal}", said(*status))]
    ModelFailed {
        /// Status that its container answered with.
        status: Option<i32>,
        /// What SageMaker says.
        refusal: Refusal,
    },
    /// The hosted model answers in an unknown shape.
    #[error("the model's answer cannot be read: {0}")]
    Unreadable(UnreadableAnswer),
    /// The answer names no class.
    #[error("the classifier answered without a class")]
    NoPrediction,
}

fn said(status: Option<i32>) -> String {
    status.map_or_else(String::new, |status| format!(" with status {status}"))
}

/// What classifies a text.
#[derive(Clone, Debug)]
pub enum Classifier {
    /// Comprehend, or the built-in classifier that speaks its protocol.
    Comprehend {
        /// The client.
        client: aws_sdk_comprehend::Client,
        /// ARN of the endpoint.
        endpoint_arn: String,
        /// What its classes are called here.
        names: ClassNames,
    },
    /// A model behind a SageMaker endpoint.
    Hosted(Box<HostedModel>),
}

impl Classifier {
    /// Makes the classifier of the settings, with clients of its own. Its classes get their names from the label set in
    /// `training`.
    pub fn new(sdk: &SdkConfig, settings: ClassifierSettings, training: Bucket) -> Self {
        let names = ClassNames::new(training, settings.several_labels);
        match settings.hosted {
            Some(hosted) => Self::Hosted(Box::new(HostedModel::new(sdk, hosted, names))),
            None => Self::Comprehend {
                client: clients::comprehend(sdk, settings.url.as_deref()),
                endpoint_arn: settings.endpoint_arn,
                names,
            },
        }
    }

    /// Classifies a text. Classes have the names that their labels have by now, so that a rename of a label shows at once:
    /// see [`class_name`](crate::class_names::class_name).
    ///
    /// # Errors
    ///
    /// [`ClassifierError`].
    pub async fn classify(&self, text: &str) -> Result<Prediction, ClassifierError> {
        match self {
            Self::Comprehend {
                client,
                endpoint_arn,
                names,
            } => {
                let call = client.classify_document().endpoint_arn(endpoint_arn).text(text);
                let answer = call.send().await;
                let answer = answer.map_err(|error| ClassifierError::Refused(error.into()))?;
                let answer = predictions::read(&answer);
                let answer = Classified {
                    classes: names.name(answer.classes).await,
                    ..answer
                };
                answer.prediction().ok_or(ClassifierError::NoPrediction)
            }
            Self::Hosted(model) => model.classify(text).await,
        }
    }

    /// Returns the label set by which its classes are named; none where there is none, or where it cannot be read.
    pub async fn label_set(&self) -> Option<Arc<LabelSet>> {
        match self {
            Self::Comprehend { names, .. } => names.set().await,
            Self::Hosted(model) => model.names().set().await,
        }
    }
}
