//! What an operator decides, read from the environment.

use std::str::FromStr;

use active_learning_aws::{
    asked_before::Settings,
    classifier::ClassifierSettings,
    env::{ConfigError, Env},
    personal_data,
};
use active_learning_core::{
    feedback::review_policy::ReviewPolicy, model::accuracy_guarantee::AcceptedAccuracy,
};

/// What an operator decides.
#[derive(Clone, Debug)]
pub struct Config {
    pub(crate) classifier: ClassifierSettings,
    pub(crate) feedback_stream: String,
    pub(crate) feedback_bucket: String,
    pub(crate) asked_before: Settings,
    /// Whether predictions are kept, so that clients can ask what became of them.
    pub(crate) keeps_predictions: bool,
    /// What becomes of personal data before a text is classified and stored.
    pub(crate) personal_data: personal_data::Settings,
    /// Of requests that name none.
    pub(crate) default_classifier: String,
    pub(crate) policy: ReviewPolicy,
    /// What becomes of a text that comes before the first model.
    pub(crate) before_first_model: BeforeFirstModel,
    /// Accuracy of accepted predictions; none where none are accepted.
    pub(crate) automated_labelling: Option<f64>,
    /// Bucket of the label set and of the promises.
    pub(crate) training_bucket: String,
    pub(crate) allowed_origin: String,
}

impl Config {
    /// Reads the configuration from the function's environment.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the variable that is missing or wrong.
    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let target: AcceptedAccuracy = env.required("AUTOMATED_LABELLING_ACCURACY")?;
        Ok(Self {
            automated_labelling: target.get(),
            training_bucket: env.required("TRAINING_BUCKET_NAME")?,
            classifier: ClassifierSettings::from_env(env)?,
            feedback_stream: env.required("FEEDBACK_STREAM_NAME")?,
            feedback_bucket: env.required("FEEDBACK_BUCKET_NAME")?,
            asked_before: Settings::from_env(env)?,
            keeps_predictions: env.required::<u32>("PREDICTION_RETENTION_DAYS")? > 0,
            personal_data: personal_data::Settings::from_env(env)?,
            default_classifier: env.required("DEFAULT_CLASSIFIER_NAME")?,
            policy: ReviewPolicy {
                threshold: env.required("CONFIDENCE_THRESHOLD")?,
                margin: env.required("MARGIN_THRESHOLD")?,
                audit_rate: env.required("AUDIT_SAMPLE_RATE")?,
            },
            before_first_model: env.required("BEFORE_FIRST_MODEL")?,
            allowed_origin: env.required("ALLOWED_ORIGIN")?,
        })
    }
}

/// What becomes of a text that comes before the first model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BeforeFirstModel {
    /// It is answered without a prediction, and waits to be labelled.
    Label,
    /// It is refused with 503.
    Refuse,
}

impl FromStr for BeforeFirstModel {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "label" => Ok(Self::Label),
            "refuse" => Ok(Self::Refuse),
            other => Err(format!("expected `label` or `refuse`, got `{other}`")),
        }
    }
}
