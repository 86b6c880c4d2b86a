//! Lambda: a review service that speaks the Amazon A2I runtime API, and the reviewers' portal.
//!
//! It stands in for A2I, which takes no new customers, behind the same SDK calls. One function, three ways
//! in:
//!
//! - its Function URL carries the API ([`api`]): Start, Describe, List, Stop and Delete human loop; and the
//!   [`control_plane`], which makes flow definitions;
//! - API Gateway carries the portal ([`portal`]): sign-in, queue, task, submit; and the [`console`] for admins;
//! - a direct invocation names one of the [`operations`]: `{"operation": "create-sign-in-link", "reviewer": "…"}`.
//!
//! All state lies in the review bucket ([`loops`]). The result of a loop is `output.json`, where and as A2I
//! writes it.

pub mod agreement_report;
pub mod answer;
pub mod api;
pub mod asked;
pub mod audit_log;
pub mod blind;
pub mod choices;
mod config;
pub mod console;
pub mod control_plane;
pub mod damaged;
pub mod erased_items;
mod error;
pub mod event;
pub mod flows;
pub mod form;
pub mod guideline;
pub mod history;
pub mod human_loop;
pub mod labelling_jobs;
mod loop_end;
pub mod loop_flow;
pub mod loops;
pub mod marks;
pub mod members;
pub mod networks;
pub mod not_in_use;
mod notices;
mod numbers;
pub mod oidc;
pub mod operations;
pub mod output;
pub mod pages;
pub mod portal;
pub mod recent;
pub mod records;
mod refusal;
pub mod remarks;
pub mod session;
pub mod stack_audit;
pub mod status_events;
pub mod suggestions;
pub mod task_template;
mod template_watch;
pub mod text_retention;
pub mod trial;
pub mod validation;
mod worker;
pub mod worker_template;
pub mod written;

use std::sync::Arc;

use active_learning_aws::{
    bucket::Bucket, erased::ErasedList, event_bus::EventBus, failure::chain, label_set::LabelSets, lambda,
    personal_data::Masking,
};
use chrono::{DateTime, Duration, Utc};
use lambda_runtime::{
    LambdaEvent,
    tracing::{error, info},
};
use serde_json::Value;

use crate::api::Api;
pub use crate::config::Config;
use crate::console::ChangeCounter;
pub use crate::error::HumanReviewError;
use crate::event::{HttpReply, HttpRequest, Invocation};
use crate::flows::Flows;
use crate::guideline::Guidelines;
use crate::history::Histories;
use crate::human_loop::FlowRules;
use crate::loops::Loops;
use crate::members::Members;
use crate::oidc::Provider;
use crate::portal::Portal;
use crate::recent::Recent;
use crate::session::KeyInUse;
use crate::task_template::TaskTemplate;
use crate::worker::Worker;

/// Longest name of a reviewer, in characters.
const MAX_REVIEWER_CHARS: usize = 64;

/// Returns the id under which a reviewer's votes are kept, whose sign-in link was made for this name.
pub fn worker_id(reviewer: &str) -> String {
    Worker::of(reviewer).id
}

/// Serves invocations until the process is stopped.
///
/// # Errors
///
/// A wrong configuration, or a signing secret that cannot be read.
pub async fn run() -> Result<(), lambda_runtime::Error> {
    let (env, sdk) = lambda::start().await;
    let config = lambda::configured(&env, Config::from_env(&env))?;
    let secrets = aws_sdk_secretsmanager::Client::new(&sdk);
    let secret = secrets
        .get_secret_value()
        .secret_id(&config.signing_secret_arn)
        .send()
        .await?;
    let secret = secret.secret_string().ok_or("the signing secret has no text")?;
    let bus = EventBus::new(&sdk, &config.event_bus);
    let masking = Masking::new(config.personal_data.clone(), &sdk);
    let function = HumanReview::new(config, aws_sdk_s3::Client::new(&sdk), secret.as_bytes());
    let function = function.with_signing_secret(secrets).with_event_bus(bus);
    let function = function.assuming_roles(sdk.clone()).with_provider(&sdk);
    let function = function
        .with_masking(masking)
        .with_topics(aws_sdk_sns::Client::new(&sdk));
    let function = function.with_state_machine(aws_sdk_sfn::Client::new(&sdk));
    let function = &function.with_counts(aws_sdk_lambda::Client::new(&sdk));
    lambda::run_events(|event: LambdaEvent<Value>| async move {
        let request_id = &event.context.request_id;
        function
            .handle_attempt(request_id, event.payload, Utc::now())
            .await
    })
    .await
}

/// The function.
#[derive(Debug)]
pub struct HumanReview {
    config: Config,
    bucket: Bucket,
    training: Bucket,
    feedback: Bucket,
    erased: ErasedList,
    sfn: Option<aws_sdk_sfn::Client>,
    /// Asks what a change of the label set does.
    lambda: Option<aws_sdk_lambda::Client>,
    sns: Option<aws_sdk_sns::Client>,
    members: Members,
    provider: Option<Provider>,
    label_sets: LabelSets,
    loops: Loops,
    flows: Flows,
    rules: FlowRules,
    /// Assumes the roles of flow definitions and jobs.
    sdk: Option<aws_config::SdkConfig>,
    /// Takes personal data out of the texts of labelling jobs.
    masking: Option<Masking>,
    /// Is told how loops and jobs fare.
    bus: Option<EventBus>,
    guidelines: Guidelines,
    histories: Histories,
    job_choices: Recent<Arc<labelling_jobs::Choices>>,
    key: KeyInUse,
}

impl HumanReview {
    /// Returns the function over its bucket, with the secret that signs links and sessions.
    pub fn new(config: Config, s3: aws_sdk_s3::Client, signing_secret: &[u8]) -> Self {
        let training = Bucket::new(s3.clone(), &config.training_bucket);
        let feedback = Bucket::new(s3.clone(), &config.feedback_bucket);
        let bucket = Bucket::new(s3, &config.bucket);
        let rules = FlowRules {
            excluded_workers: Vec::new(),
            task_count: config.task_count,
            availability: config
                .text_retention
                .limit(Duration::seconds(config.task_availability_seconds.into())),
            time_limit: Duration::seconds(config.task_time_limit_seconds.into()),
        };
        let loops = Loops::new(bucket.clone(), config.flow_definition_arn.clone(), rules.clone());
        Self {
            guidelines: Guidelines::new(bucket.clone()),
            histories: Histories::new(bucket.clone()),
            job_choices: Recent::default(),
            flows: Flows::new(bucket.clone(), &config.flow_definition_arn),
            rules,
            sdk: None,
            masking: None,
            bus: None,
            sfn: None,
            lambda: None,
            provider: None,
            sns: None,
            members: Members::new(bucket.clone()),
            bucket,
            erased: ErasedList::new(feedback.clone()),
            feedback,
            label_sets: LabelSets::new(training.clone())
                .with_several_labels(config.show_rules.several_labels),
            config,
            training,
            loops,
            key: KeyInUse::fixed(signing_secret),
        }
    }

    /// Lets the console approve deployments and roll back.
    #[must_use]
    pub fn with_state_machine(self, sfn: aws_sdk_sfn::Client) -> Self {
        Self {
            sfn: Some(sfn),
            ..self
        }
    }

    /// Lets the console say with numbers what a change of the label set does.
    #[must_use]
    pub fn with_counts(self, lambda: aws_sdk_lambda::Client) -> Self {
        Self {
            lambda: Some(lambda),
            ..self
        }
    }

    fn counter(&self) -> Option<ChangeCounter<'_>> {
        let function = self.config.model_building_function.as_str();
        let lambda = self.lambda.as_ref().filter(|_| !function.is_empty())?;
        Some(ChangeCounter {
            lambda,
            function,
            feedback_bucket: &self.config.feedback_bucket,
        })
    }

    /// Signs people in by the provider of the configuration, if it names one.
    #[must_use]
    pub fn with_provider(self, sdk: &aws_config::SdkConfig) -> Self {
        let settings = self.config.oidc.clone();
        Self {
            provider: settings.map(|settings| Provider::new(settings, sdk)),
            ..self
        }
    }

    /// Writes outputs of flow definitions that the API made with the rights of their roles.
    #[must_use]
    pub fn assuming_roles(self, sdk: aws_config::SdkConfig) -> Self {
        Self {
            loops: self.loops.assuming_roles(sdk.clone()),
            sdk: Some(sdk),
            ..self
        }
    }

    /// Takes personal data out of the texts of labelling jobs, as the configuration says.
    #[must_use]
    pub fn with_masking(self, masking: Masking) -> Self {
        Self {
            masking: (!masking.is_off()).then_some(masking),
            ..self
        }
    }

    /// Follows the signing secret: where an operator replaces it, all links and sessions before are void within five
    /// minutes.
    #[must_use]
    pub fn with_signing_secret(self, secrets: aws_sdk_secretsmanager::Client) -> Self {
        let secret = self.config.signing_secret_arn.clone();
        Self {
            key: self.key.following(secrets, secret),
            ..self
        }
    }

    /// Answers one invocation at the given time.
    ///
    /// # Errors
    ///
    /// [`HumanReviewError`] for direct invocations and events of no known kind; HTTP errors are replies.
    pub async fn handle(&self, event: Value, now: DateTime<Utc>) -> Result<Value, HumanReviewError> {
        self.answer(None, event, now).await
    }

    /// Does the same for an invocation of which there may be attempts before with this request id, that were cut off.
    ///
    /// # Errors
    ///
    /// As [`handle`](Self::handle).
    pub async fn handle_attempt(
        &self,
        request_id: &str,
        event: Value,
        now: DateTime<Utc>,
    ) -> Result<Value, HumanReviewError> {
        self.answer(Some(request_id), event, now).await
    }

    async fn answer(
        &self,
        request_id: Option<&str>,
        event: Value,
        now: DateTime<Utc>,
    ) -> Result<Value, HumanReviewError> {
        match Invocation::read(event)? {
            Invocation::FunctionUrl(request) if control_plane::operation(&request).is_some() => {
                let operation = control_plane::operation(&request).unwrap_or_default();
                let reply = Box::pin(self.control_plane(now).answer(operation, &request)).await;
                Ok(reply.into_event())
            }
            Invocation::FunctionUrl(request) => {
                let api = Api {
                    flows: &self.flows,
                    loops: &self.loops,
                    erased: &self.erased,
                    template: self.template(),
                    flow_definition_arn: &self.config.flow_definition_arn,
                    bucket: &self.config.bucket,
                    retention: self.config.text_retention,
                    now,
                };
                // Boxed: the compiler measures nested futures to a limited depth only.
                Ok(Box::pin(api.answer(&request)).await.into_event())
            }
            Invocation::Proxy(request) => {
                let reply = Box::pin(self.at_portal(&request, now)).await;
                Ok(reply.into_event())
            }
            Invocation::Direct(event) if event.get("detail-type").is_some() => {
                if let Some(job) = labelling_jobs::job_of_event(&event) {
                    let jobs = labelling_jobs::Jobs {
                        invocation: request_id,
                        ..self.jobs()
                    };
                    let clock = labelling_jobs::Clock::starting(now);
                    Box::pin(jobs.drive_and_go_on(job, clock)).await;
                }
                Ok(Value::Null)
            }
            Invocation::Direct(payload) => Box::pin(self.operate(payload, now)).await,
        }
    }

    /// Answers a request to the portal.
    async fn at_portal(&self, request: &HttpRequest, now: DateTime<Utc>) -> HttpReply {
        match self.may_reach(request, now).await {
            Ok(true) => {}
            Ok(false) => {
                info!("refused: not of an allowed network");
                return HttpReply::not_found();
            }
            Err(error) => {
                error!(
                    error = chain(&error),
                    "whether the network is allowed cannot be read"
                );
                return HttpReply::unavailable();
            }
        }
        let models = self.sfn.as_ref();
        let portal = Portal {
            loops: &self.loops,
            jobs: self.jobs(),
            control: &self.control_plane(now),
            bucket: &self.bucket,
            key: &self.key.recent(now).await,
            training: &self.training,
            feedback: &self.feedback,
            models: models.map(|sfn| (sfn, self.config.state_machine_arn.as_str())),
            counter: self.counter(),
            members: &self.members,
            flows: &self.flows,
            provider: self.provider.as_ref(),
            label_sets: &self.label_sets,
            template: self.template(),
            rules: self.config.show_rules,
            guidelines: &self.guidelines,
            histories: &self.histories,
            portal_url: &self.config.portal_url,
            threshold: self.config.confidence_threshold,
            now,
        };
        // Boxed: the compiler measures nested futures to a limited depth only.
        Box::pin(portal.answer(request)).await
    }

    fn template(&self) -> TaskTemplate<'_> {
        TaskTemplate {
            bucket: &self.bucket,
            key: &self.config.template_key,
            is_opaque: false,
        }
    }
}

/// Returns a reviewer's name without the spaces around it.
///
/// # Errors
///
/// [`HumanReviewError::InvalidReviewer`].
pub fn checked_reviewer(reviewer: &str) -> Result<&str, HumanReviewError> {
    let reviewer = reviewer.trim();
    let length = reviewer.chars().count();
    match length == 0 || length > MAX_REVIEWER_CHARS || reviewer.contains(char::is_control) {
        true => Err(HumanReviewError::InvalidReviewer),
        false => Ok(reviewer),
    }
}
