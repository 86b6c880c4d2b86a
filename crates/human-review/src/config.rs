//! What an operator decides, read from the environment.

use active_learning_aws::env::{ConfigError, Env};
use active_learning_aws::personal_data;
use active_learning_core::feedback::review_policy::ConfidenceThreshold;

use crate::networks::AllowedNetworks;
use crate::oidc::OidcSettings;
use crate::portal::ShowRules;
use crate::text_retention::TextRetention;

/// What the function is told by its environment.
#[derive(Debug, Clone)]
pub struct Config {
    /// ARN of the flow definition that this service stands for (`HUMAN_REVIEW_WORKFLOW_ARN`).
    pub flow_definition_arn: String,
    /// ARN of the role with whose rights the output of that flow definition is written: the function's own
    /// (`REVIEW_ROLE_ARN`).
    pub role_arn: String,
    /// Bucket of state and output (`REVIEW_BUCKET_NAME`).
    pub bucket: String,
    /// Bucket of the label set (`TRAINING_BUCKET_NAME`).
    pub training_bucket: String,
    /// Bucket of what went wrong and what waits, for the console (`FEEDBACK_BUCKET_NAME`).
    pub feedback_bucket: String,
    /// State machine that builds models, which the console tells what an operator decides (`STATE_MACHINE_ARN`).
    pub state_machine_arn: String,
    /// Function that builds models, which counts what a change of the label set does; empty where nothing is counted
    /// (`MODEL_BUILDING_FUNCTION_NAME`).
    pub model_building_function: String,
    /// Bus that is told when a loop has ended (`EVENT_BUS_NAME`).
    pub event_bus: String,
    /// Topic at which reviewers are told of new work (`REVIEW_TOPIC_ARN`).
    pub review_topic_arn: String,
    /// Public base URL of the portal; empty to take it from each request (`PORTAL_URL`).
    pub portal_url: String,
    /// Secret that signs links and sessions (`SIGNING_SECRET_ARN`).
    pub signing_secret_arn: String,
    /// Answers that complete a loop, 1 to 3 (`TASK_COUNT`).
    pub task_count: usize,
    /// How long a loop waits for its answers (`TASK_AVAILABILITY_SECONDS`).
    pub task_availability_seconds: u32,
    /// For how long texts are kept, and so tasks at most (`TEXT_RETENTION_DAYS`).
    pub text_retention: TextRetention,
    /// What becomes of personal data in the texts of labelling jobs (`PERSONAL_DATA`, `LANGUAGE_CODE`).
    pub personal_data: personal_data::Settings,
    /// How long one reviewer may hold a task (`TASK_TIME_LIMIT_SECONDS`).
    pub task_time_limit_seconds: u32,
    /// How tasks are shown (`BLIND_SHARE`, `SEVERAL_LABELS`).
    pub show_rules: ShowRules,
    /// From where the portal may be reached (`ALLOWED_NETWORKS`).
    pub allowed_networks: AllowedNetworks,
    /// ARNs of the roles with whose rights admins may start audits in the portal, where nothing else says which they may use
    /// (`AUDIT_ROLE_ARNS`).
    pub audit_roles: Vec<String>,
    /// The provider that signs people in beside the links (`OIDC_…`).
    pub oidc: Option<OidcSettings>,
    /// Key of the worker task template in the bucket; empty for the shipped one (`WORKER_TASK_TEMPLATE_KEY`).
    pub template_key: String,
    /// Items of a task, by which the template is tried (`ITEMS_PER_TASK`).
    pub items_per_task: usize,
    /// Confidence that a prediction must exceed to be trusted, which the console shows (`CONFIDENCE_THRESHOLD`).
    pub confidence_threshold: ConfidenceThreshold,
}

impl Config {
    /// Reads the configuration.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the variable that is missing or wrong.
    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let task_count = env.required("TASK_COUNT")?;
        if !(1..=3).contains(&task_count) {
            return Err(ConfigError::Invalid {
                name: "TASK_COUNT".to_owned(),
                reason: format!("expected a number from 1 to 3, got `{task_count}`"),
            });
        }
        Ok(Self {
            flow_definition_arn: env.required("HUMAN_REVIEW_WORKFLOW_ARN")?,
            role_arn: env.required("REVIEW_ROLE_ARN")?,
            bucket: env.required("REVIEW_BUCKET_NAME")?,
            training_bucket: env.required("TRAINING_BUCKET_NAME")?,
            feedback_bucket: env.required("FEEDBACK_BUCKET_NAME")?,
            state_machine_arn: env.required("STATE_MACHINE_ARN")?,
            model_building_function: env.optional("MODEL_BUILDING_FUNCTION_NAME")?.unwrap_or_default(),
            event_bus: env.required("EVENT_BUS_NAME")?,
            review_topic_arn: env.required("REVIEW_TOPIC_ARN")?,
            portal_url: env.optional("PORTAL_URL")?.unwrap_or_default(),
            signing_secret_arn: env.required("SIGNING_SECRET_ARN")?,
            task_count,
            task_availability_seconds: env.required("TASK_AVAILABILITY_SECONDS")?,
            text_retention: TextRetention(env.required("TEXT_RETENTION_DAYS")?),
            personal_data: personal_data::Settings::from_env(env)?,
            task_time_limit_seconds: env.required("TASK_TIME_LIMIT_SECONDS")?,
            show_rules: ShowRules {
                blind_share: env.required("BLIND_SHARE")?,
                several_labels: env.required("SEVERAL_LABELS")?,
            },
            allowed_networks: env.optional("ALLOWED_NETWORKS")?.unwrap_or_default(),
            audit_roles: list(&env.optional::<String>("AUDIT_ROLE_ARNS")?.unwrap_or_default()),
            oidc: OidcSettings::from_env(env)?,
            template_key: env.optional("WORKER_TASK_TEMPLATE_KEY")?.unwrap_or_default(),
            items_per_task: env.required("ITEMS_PER_TASK")?,
            confidence_threshold: env.required("CONFIDENCE_THRESHOLD")?,
        })
    }
}

/// Reads names with commas between.
fn list(text: &str) -> Vec<String> {
    let names = text.split(',').map(str::trim);
    names.filter(|name| !name.is_empty()).map(str::to_owned).collect()
}
