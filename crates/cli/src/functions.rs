//! The functions in this program: `active-learning lambda <name>` runs one, as Lambda would.

use std::collections::BTreeMap;

use active_learning_aws::env::{ConfigError, Env};
use local_stack::plan::WrongVariable;

/// Names of the functions, as `Code` of the template ends with them.
pub const NAMES: &[&str] = &[
    "a2i-trigger",
    "batch-feedback",
    "classify",
    "feedback-api",
    "human-review",
    "label-collection",
    "model-building",
    "review-events",
    "text-classifier",
];

/// Reads the environment of one function as its process does.
///
/// # Errors
///
/// [`ConfigError`] naming the variable that is missing or wrong.
pub fn configure(name: &str, environment: &BTreeMap<String, String>) -> Result<(), ConfigError> {
    let env: Env = environment.clone().into_iter().collect();
    match name {
        "a2i-trigger" => a2i_trigger::Config::from_env(&env).map(drop),
        "batch-feedback" => batch_feedback::Config::from_env(&env).map(drop),
        "classify" => classify::Config::from_env(&env).map(drop),
        "feedback-api" => feedback_api::Config::from_env(&env).map(drop),
        "human-review" => human_review::Config::from_env(&env).map(drop),
        "label-collection" => label_collection::Config::from_env(&env).map(drop),
        "model-building" => model_building::Config::from_env(&env).map(drop),
        "review-events" => review_events::Config::from_env(&env).map(drop),
        "text-classifier" => text_classifier::Config::from_env(&env).map(drop),
        _ => Ok(()),
    }
}

/// Says what is wrong with the environment that a template gives to a function.
///
/// # Errors
///
/// [`WrongVariable`]; none for a variable that is missing: an own template may leave out what it does not use, and the
/// function itself says so.
pub fn check(name: &str, environment: &BTreeMap<String, String>) -> Result<(), WrongVariable> {
    match configure(name, environment) {
        Ok(()) | Err(ConfigError::Missing(_)) => Ok(()),
        Err(ConfigError::Invalid { name, reason }) => Err(WrongVariable { name, reason }),
    }
}

/// Serves one function until the process is ended.
///
/// # Errors
///
/// When there is no function of this name, or its configuration is wrong.
pub async fn run(name: &str) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    match name {
        "a2i-trigger" => a2i_trigger::run().await,
        "batch-feedback" => batch_feedback::run().await,
        "classify" => classify::run().await,
        "feedback-api" => feedback_api::run().await,
        "human-review" => human_review::run().await,
        "model-building" => model_building::run().await,
        "review-events" => review_events::run().await,
        "text-classifier" => text_classifier::run().await,
        "label-collection" => label_collection::run().await,
        _ => Err(format!("there is no function `{name}`, only {}", NAMES.join(", ")).into()),
    }
}
