//! What an operator decides.

use std::str::FromStr;

use active_learning_aws::env::{ConfigError, Env};
use active_learning_core::model::{
    accuracy_guarantee::AcceptedAccuracy, audit::RollbackPolicy, comparison::SelectionPolicy,
};

use crate::{endpoint::ServingEndpoint, tick::BuildPolicy};

/// What an operator decides.
#[derive(Clone, Debug)]
pub struct Config {
    pub(crate) training_bucket: String,
    /// What serves, and whether its models are built here.
    pub(crate) endpoint: ServingEndpoint,
    /// The built-in classifier; none for Comprehend.
    pub(crate) classifier_url: Option<String>,
    pub(crate) classifier_name: String,
    pub(crate) language_code: String,
    pub(crate) data_access_role_arn: String,
    pub(crate) state_machine_arn: String,
    /// What trains and evaluates in place of trainings of our own.
    pub(crate) flywheel_arn: Option<String>,
    /// Bus that is told of datasets for a hosted model.
    pub(crate) event_bus: String,
    pub(crate) test_share: f64,
    pub(crate) min_rows_per_class: u64,
    /// Labelled texts of each label that start the first build.
    pub(crate) first_model_rows_per_label: u64,
    pub(crate) build_policy: BuildPolicy,
    pub(crate) selection: SelectionPolicy,
    /// Whether a person must agree before a model is deployed.
    pub(crate) approve_deployments: bool,
    pub(crate) rollback: RollbackPolicy,
    /// Model versions that stay beside the serving one; 0 keeps all.
    pub(crate) keep_model_versions: usize,
    /// Accuracy that predictions must have to be accepted as labels.
    pub(crate) automated_labelling: AcceptedAccuracy,
    /// Whether a text may have several labels.
    pub(crate) several_labels: bool,
}

impl Config {
    /// Reads the function's environment.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the variable that is missing or wrong.
    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let share = |name| env.required::<Share>(name).map(|share| share.0);
        Ok(Self {
            training_bucket: env.required("TRAINING_BUCKET_NAME")?,
            endpoint: ServingEndpoint::from_env(env)?,
            classifier_url: env.optional("CLASSIFIER_URL")?,
            classifier_name: env.required("CLASSIFIER_NAME")?,
            language_code: env.required("LANGUAGE_CODE")?,
            data_access_role_arn: env.required("DATA_ACCESS_ROLE_ARN")?,
            state_machine_arn: env.required("STATE_MACHINE_ARN")?,
            flywheel_arn: env.optional("FLYWHEEL_ARN")?,
            event_bus: env.required("EVENT_BUS_NAME")?,
            test_share: share("TEST_SHARE")?,
            min_rows_per_class: env.required("MIN_ROWS_PER_CLASS")?,
            first_model_rows_per_label: env.required("FIRST_MODEL_ROWS_PER_LABEL")?,
            build_policy: BuildPolicy {
                new_labels: env.required("NEW_LABELS_TO_BUILD")?,
                min_minutes: env.required("MIN_MINUTES_BETWEEN_BUILDS")?,
                max_days: env.required("MAX_DAYS_BETWEEN_BUILDS")?,
            },
            selection: SelectionPolicy {
                min_macro_f1_gain: share("MIN_MACRO_F1_GAIN")?,
                significance: share("SIGNIFICANCE")?,
                max_recall_loss: share("MAX_RECALL_LOSS")?,
            },
            approve_deployments: env.required("APPROVE_DEPLOYMENTS")?,
            rollback: RollbackPolicy {
                significance: share("ROLLBACK_SIGNIFICANCE")?,
                min_audited: env.required("ROLLBACK_MIN_AUDITED")?,
            },
            keep_model_versions: env.required("KEEP_MODEL_VERSIONS")?,
            automated_labelling: env.required("AUTOMATED_LABELLING_ACCURACY")?,
            several_labels: env.required("SEVERAL_LABELS")?,
        })
    }
}

/// A number from 0 to 1.
struct Share(f64);

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text
            .trim()
            .parse()
            .ok()
            .filter(|share| (0.0..=1.0).contains(share));
        number
            .map(Self)
            .ok_or_else(|| format!("expected a number from 0 to 1, got `{text}`"))
    }
}
