//! Lambda: tells the clients of predictions what people answered.
//!
//! S3 tells of every change of a question. Where people are done with it, an event goes to the stack's bus and, if there
//! is one, to the webhook: at least once, with an id by which a repetition is known. A duplicate that comes when its
//! original is answered already is told on its own, when it is noted whose answer is its answer.

mod predictions;
mod secret;
mod signature;
mod url;
mod webhook;

use std::time::Duration;

use active_learning_aws::{
    bucket::{Bucket, BucketError},
    class_names::ClassNames,
    env::{ConfigError, Env},
    event_bus::{Event, EventBus, EventBusError},
    lambda, metrics, originals, questions,
    rejected::{self, RejectedLines},
    s3_event::{self, InvalidEvent, S3Object},
};
use active_learning_core::{
    feedback::batch::BadItem,
    keys,
    labels::{question::Question, review_event::ReviewEvent},
    sampling::duplicates::Duplicate,
};
use aws_config::SdkConfig;
use chrono::{DateTime, Utc};
use lambda_runtime::{
    Diagnostic, LambdaEvent,
    tracing::{error, info},
};
use serde::Serialize;
use serde_json::Value;

use crate::predictions::Predictions;
pub use crate::{
    url::WebhookUrl,
    webhook::{Delivered, Webhook, WebhookError},
};

/// The function's name in metrics and below `rejected/`.
const FUNCTION: &str = "review-events";
/// Source of the events.
pub const SOURCE: &str = "active-learning";
/// Kind of the events on the bus.
pub const DETAIL_TYPE: &str = "Prediction Reviewed";
/// Kind of the messages of the webhook.
const MESSAGE_TYPE: &str = "prediction.reviewed";

/// What an operator decides.
#[derive(Clone, Debug)]
pub struct Config {
    feedback_bucket: String,
    training_bucket: String,
    /// Whether a text may have several labels.
    several_labels: bool,
    event_bus: String,
    /// Where webhooks go, and the ARN of the secret; none where there are none.
    webhook: Option<(WebhookUrl, String)>,
}

impl Config {
    /// Reads the configuration from the function's environment.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the variable that is missing or wrong.
    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let url: Option<WebhookUrl> = env.optional("RESULT_WEBHOOK_URL")?;
        let secret: Option<String> = env.optional("RESULT_WEBHOOK_SECRET_ARN")?;
        let webhook = match (url, secret) {
            (Some(url), Some(secret)) => Some((url, secret)),
            (None, _) => None,
            (Some(_), None) => {
                return Err(ConfigError::Invalid {
                    name: "RESULT_WEBHOOK_SECRET_ARN".to_owned(),
                    reason: "expected the ARN of a secret, since there is a webhook".to_owned(),
                });
            }
        };
        Ok(Self {
            feedback_bucket: env.required("FEEDBACK_BUCKET_NAME")?,
            training_bucket: env.required("TRAINING_BUCKET_NAME")?,
            several_labels: env.required("SEVERAL_LABELS")?,
            event_bus: env.required("EVENT_BUS_NAME")?,
            webhook,
        })
    }
}

/// Why an event could not be worked off; Lambda gives it again, and in the end to the failure destination.
#[derive(Debug, thiserror::Error)]
pub enum ReviewEventsError {
    /// The payload is not what S3 sends.
    #[error(transparent)]
    InvalidEvent(#[from] InvalidEvent),
    /// A question, or which predictions it answers, could not be read.
    #[error("a question, or which predictions it answers, could not be read")]
    Read(#[from] BucketError),
    /// The bus has not taken the event.
    #[error(transparent)]
    Bus(#[from] EventBusError),
    /// The receiver of the webhook has not taken the event.
    #[error(transparent)]
    Webhook(#[from] WebhookError),
    /// What the receiver has refused could not be set aside.
    #[error("what the receiver of the webhook has refused could not be set aside")]
    Rejected(#[source] BucketError),
}

impl From<ReviewEventsError> for Diagnostic {
    fn from(error: ReviewEventsError) -> Self {
        let error_type = match &error {
            ReviewEventsError::InvalidEvent(_) => "InvalidEvent",
            ReviewEventsError::Read(_) => "Read",
            ReviewEventsError::Bus(_) => "Bus",
            ReviewEventsError::Webhook(WebhookError::Secret(_)) => "Secret",
            ReviewEventsError::Webhook(WebhookError::NotNow(_)) => "Webhook",
            ReviewEventsError::Rejected(_) => "Rejected",
        };
        Self {
            error_type: error_type.to_owned(),
            error_message: error.to_string(),
        }
    }
}

/// A message of the webhook, in the shape that Standard Webhooks proposes.
#[derive(Serialize)]
struct Message<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    /// When the question was changed, RFC 3339 in UTC: the same however often the message is sent.
    timestamp: String,
    data: &'a ReviewEvent,
}

/// The function.
#[derive(Debug)]
pub struct ReviewEvents {
    feedback: Bucket,
    training: Bucket,
    /// What labels are called by now.
    names: ClassNames,
    bus: EventBus,
    webhook: Option<Webhook>,
}

impl ReviewEvents {
    /// Makes the function with clients of its own.
    pub fn new(config: Config, sdk: &SdkConfig) -> Self {
        let feedback = Bucket::new(aws_sdk_s3::Client::new(sdk), config.feedback_bucket);
        let training = feedback.other(config.training_bucket);
        Self {
            names: ClassNames::new(training.clone(), config.several_labels),
            training,
            feedback,
            bus: EventBus::new(sdk, config.event_bus),
            webhook: config.webhook.map(|(url, secret)| Webhook::new(sdk, url, secret)),
        }
    }

    /// Begins the pauses between tries of the webhook with another bound.
    #[must_use]
    pub fn with_first_pause(self, pause: Duration) -> Self {
        Self {
            webhook: self.webhook.map(|webhook| webhook.with_first_pause(pause)),
            ..self
        }
    }

    /// Tells what people answered to the questions that an S3 event names.
    ///
    /// The same event again tells the same again, under the same id.
    ///
    /// # Errors
    ///
    /// [`ReviewEventsError`], that of the first question that failed; the others are told.
    pub async fn handle(&self, payload: Value) -> Result<(), ReviewEventsError> {
        let objects = s3_event::objects(payload)?;
        s3_event::for_each(objects, async |object| Box::pin(self.work_off(&object)).await).await
    }

    async fn work_off(&self, object: &S3Object) -> Result<(), ReviewEventsError> {
        let changed_at = object.time.unwrap_or_else(Utc::now);
        if let Some(record_id) = keys::record_of_question(&object.key) {
            let question = questions::read(&self.feedback, record_id).await?;
            let Some(question) = question.filter(|question| question.state.is_final()) else {
                return Ok(());
            };
            let predictions = self.predictions_of_question(record_id).await?;
            self.tell(record_id, &question, predictions, changed_at).await?;
        } else if let Some(record_id) = keys::record_of_duplicate(&object.key) {
            let duplicate: Option<Duplicate> = self.feedback.read_document(&object.key).await?;
            let Some(Duplicate { original }) = duplicate else {
                return Ok(());
            };
            // Where people are still at it, the answer to the original is told to its duplicates as well.
            let asked = originals::follow(&self.feedback, original).await?;
            if let Some(question) = asked.question.filter(|question| question.state.is_final()) {
                let predictions = Predictions {
                    ids: self.predictions_of_record(record_id).await?,
                    has_more: false,
                };
                self.tell(record_id, &question, predictions, changed_at).await?;
            }
        }
        Ok(())
    }

    async fn tell(
        &self,
        record_id: &str,
        question: &Question,
        predictions: Predictions,
        changed_at: DateTime<Utc>,
    ) -> Result<(), ReviewEventsError> {
        let set = self.names.set().await;
        let event = ReviewEvent::of(record_id, question, predictions.ids, set.as_deref());
        let Some(mut event) = event else {
            return Ok(());
        };
        event.more_predictions |= predictions.has_more;
        let (told, sent) = tokio::join!(self.put(&event), self.send(&event, changed_at));
        if let (Err(_), Err(failure)) = (&told, &sent) {
            error!(event.id = event.id, %failure, "the webhook failed as well");
        }
        told?;
        let delivered = sent?;

        info!(
            event.id = event.id,
            record.id = record_id,
            status = ?event.result.status,
            predictions = event.prediction_ids.len(),
            webhook = ?delivered,
            "told"
        );
        Ok(())
    }

    async fn put(&self, event: &ReviewEvent) -> Result<(), ReviewEventsError> {
        let event = Event {
            source: SOURCE,
            detail_type: DETAIL_TYPE,
            resources: Vec::new(),
            detail: event.to_json(),
        };
        self.bus.put(&event).await?;
        metrics::count(FUNCTION, &[("ReviewEvents", 1)]);
        Ok(())
    }

    /// Sends an event to the webhook, if there is one; what the receiver refuses is set aside.
    async fn send(
        &self,
        event: &ReviewEvent,
        changed_at: DateTime<Utc>,
    ) -> Result<Option<Delivered>, ReviewEventsError> {
        let Some(webhook) = &self.webhook else {
            return Ok(None);
        };
        let message = Message {
            kind: MESSAGE_TYPE,
            timestamp: active_learning_aws::rfc3339(changed_at),
            data: event,
        };
        let body = serde_json::to_string(&message).expect("a message has string keys and finite numbers");
        let delivered = webhook.send(&event.id, &body).await?;
        match delivered {
            Delivered::Taken => metrics::count(FUNCTION, &[("WebhooksDelivered", 1)]),
            Delivered::Refused(status) => self.set_aside(event, status, body).await?,
        }
        Ok(Some(delivered))
    }

    /// Keeps an event that the receiver has refused, under the same key however often it comes.
    async fn set_aside(
        &self,
        event: &ReviewEvent,
        status: u16,
        body: String,
    ) -> Result<(), ReviewEventsError> {
        let mut lines = RejectedLines::default();
        let bad = BadItem {
            reason: format!("the receiver of the webhook answered HTTP {status}"),
            raw: body.into_bytes(),
        };
        let object = lines.push(1, &bad).or_else(|| lines.finish());
        if let Some(object) = object {
            let put = rejected::put(&self.feedback, FUNCTION, &event.id, object).await;
            put.map_err(ReviewEventsError::Rejected)?;
        }
        error!(
            event.id = event.id,
            status, "the receiver of the webhook has refused an event"
        );
        metrics::count(FUNCTION, &[("WebhooksRefused", 1)]);
        Ok(())
    }
}

/// Runs the function in its Lambda environment.
///
/// # Errors
///
/// A wrong configuration, or the Lambda runtime's own failure.
pub async fn run() -> Result<(), lambda_runtime::Error> {
    let (env, sdk) = lambda::start().await;
    let review_events = &ReviewEvents::new(lambda::configured(&env, Config::from_env(&env))?, &sdk);
    lambda::run_events(|event: LambdaEvent<Value>| review_events.handle(event.payload)).await
}
