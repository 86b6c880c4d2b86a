//! The functions in this program: `active-learning lambda <name>` runs one, as Lambda would.

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
