//! What an operator decides.

use std::{num::NonZeroUsize, time::Duration};

use active_learning_aws::{
    claims::ClaimRetention,
    classifier::ClassifierSettings,
    env::{ConfigError, Env},
};
use active_learning_core::{
    feedback::review_policy::{AuditSampleRate, ReviewPolicy},
    text::personal_data::Treatment,
};

/// What an operator decides.
#[derive(Clone, Debug)]
pub struct Config {
    pub(crate) workflow_arn: String,
    pub(crate) human_review_url: Option<String>,
    pub(crate) feedback_bucket: String,
    pub(crate) training_bucket: String,
    pub(crate) items_per_task: NonZeroUsize,
    pub(crate) classes: Vec<String>,
    pub(crate) claim_retention: Duration,
    /// Items that people are asked about a day; 0 is no limit.
    pub(crate) review_budget: u64,
    /// Texts that reviewers may have open before more of the pool are asked; 0 asks about all at once.
    pub(crate) pool_texts_in_review: usize,
    /// Of which texts a serving model is not sure.
    pub(crate) policy: ReviewPolicy,
    /// Share of the pool that is held out to compare models on.
    pub(crate) test_share: f64,
    pub(crate) classifier: ClassifierSettings,
    /// Whether a text may have several labels.
    pub(crate) several_labels: bool,
    /// What becomes of personal data in texts.
    pub(crate) personal_data: Treatment,
}

impl Config {
    /// Reads the configuration from the function's environment.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the variable that is missing or wrong.
    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let claim_retention: ClaimRetention = env.required("CLAIM_RETENTION_DAYS")?;
        Ok(Self {
            workflow_arn: env.required("HUMAN_REVIEW_WORKFLOW_ARN")?,
            human_review_url: env.optional("HUMAN_REVIEW_URL")?,
            feedback_bucket: env.required("FEEDBACK_BUCKET_NAME")?,
            training_bucket: env.required("TRAINING_BUCKET_NAME")?,
            items_per_task: env.required("ITEMS_PER_TASK")?,
            classes: env.list("CLASSES")?,
            claim_retention: claim_retention.get(),
            review_budget: env.required("REVIEW_BUDGET_PER_DAY")?,
            pool_texts_in_review: env.required("POOL_TEXTS_IN_REVIEW")?,
            policy: ReviewPolicy {
                threshold: env.required("CONFIDENCE_THRESHOLD")?,
                margin: env.required("MARGIN_THRESHOLD")?,
                audit_rate: AuditSampleRate::default(),
            },
            test_share: env.required("TEST_SHARE")?,
            classifier: ClassifierSettings::from_env(env)?,
            several_labels: env.required("SEVERAL_LABELS")?,
            personal_data: env.required("PERSONAL_DATA")?,
        })
    }
}
