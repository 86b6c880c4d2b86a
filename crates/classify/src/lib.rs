//! Lambda: text in, prediction out, review decision.
//!
//! What the review policy selects is stored in the feedback stream, or, while the stream is down, as
//! an object beside what the stream delivers. The caller gets the prediction either way. With automated labelling on,
//! so is a prediction that it trusts and whose confidence exceeds what is promised of the model.
//!
//! Which model serves is asked once a minute: for so long after a switch predictions, also accepted ones, are put down to
//! the model before.

mod automated_labelling;

use std::{str::FromStr, time::Duration};

use active_learning_aws::{
    self as aws,
    asked_before::{AskedBefore, NotAsked, Settings},
    bucket::{Bucket, JSON_LINES},
    clients,
    env::{ConfigError, Env},
    failure::{Refusal, chain},
    feedback_stream::FeedbackStream,
    lambda, metrics,
    model_arn::ModelArn,
    predictions,
    reply::{self, Problem},
};
use active_learning_core::{
    feedback::{
        FeedbackRecord, InvalidFeedback, Known, Signal, check_texts, parse_fields,
        prediction::{ClassScore, Prediction},
        review_policy::ReviewPolicy,
        take_text,
    },
    model::accuracy_guarantee::AcceptedAccuracy,
};
use automated_labelling::AutomatedLabelling;
use aws_config::SdkConfig;
use chrono::{DateTime, Utc};
use lambda_http::{
    Body, Request, Response,
    http::StatusCode,
    tracing::{error, warn},
};
use serde::Serialize;
use tokio::time::timeout;

/// Time for the prediction. API Gateway waits 29 seconds in all, of which a review takes at most 12: the model's ARN, and two
/// ways to store feedback.
const PREDICTION_TIMEOUT: Duration = Duration::from_secs(15);

/// Time for each of the two ways to store feedback.
const FEEDBACK_TIMEOUT: Duration = Duration::from_secs(5);

/// Time to accept a label, all in all: a trusted prediction is not kept from the caller for longer.
const ACCEPT_TIMEOUT: Duration = Duration::from_secs(3);

/// What an operator decides.
#[derive(Clone, Debug)]
pub struct Config {
    endpoint_arn: String,
    classifier_url: Option<String>,
    feedback_stream: String,
    feedback_bucket: String,
    asked_before: Settings,
    /// Of requests that name none.
    default_classifier: String,
    policy: ReviewPolicy,
    /// What becomes of a text that comes before the first model.
    before_first_model: BeforeFirstModel,
    /// Bucket of the promises, and the accuracy of accepted predictions; none where none are accepted.
    automated_labelling: Option<(String, f64)>,
    allowed_origin: String,
}

impl Config {
    /// Reads the configuration from the function's environment.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the variable that is missing or wrong.
    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let training_bucket = env.required("TRAINING_BUCKET_NAME")?;
        let target: AcceptedAccuracy = env.required("AUTOMATED_LABELLING_ACCURACY")?;
        Ok(Self {
            automated_labelling: target.get().map(|target| (training_bucket, target)),
            endpoint_arn: env.required("COMPREHEND_ENDPOINT_ARN")?,
            classifier_url: env.optional("CLASSIFIER_URL")?,
            feedback_stream: env.required("FEEDBACK_STREAM_NAME")?,
            feedback_bucket: env.required("FEEDBACK_BUCKET_NAME")?,
            asked_before: Settings::from_env(env)?,
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
enum BeforeFirstModel {
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

/// The fields of a request.
const FIELDS: [Known; 2] = [("classifier", "classifier"), ("sentence", "sentence")];

/// The answer to a classification. Before the first model there is no prediction, and no class.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    utterance: String,
    prediction: Option<String>,
    confidence: Option<f32>,
    classifier: String,
    prediction_id: String,
    review: Option<ReviewAnswer>,
    classes: Vec<ClassScore>,
}

/// Why the prediction goes to review, and whether it is on its way to a person.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ReviewAnswer {
    reason: Signal,
    queued: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    selection_probability: Option<f64>,
    /// Why nobody will be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_queued_because: Option<NotAsked>,
    /// What it waits for before somebody is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    waits_for: Option<NotAsked>,
}

#[derive(Debug, thiserror::Error)]
enum ClassifyError {
    #[error(transparent)]
    InvalidRequest(#[from] InvalidFeedback),
    #[error("the text is longer than the classifier accepts")]
    TextTooLong(#[source] Refusal),
    #[error("the classifier is busy; try again in a moment")]
    Throttled(#[source] Refusal),
    #[error(
        "the classifier is not in service: start its endpoint, or, with the built-in classifier, \
         put training data under `initial/` in the training bucket"
    )]
    NotReady(#[source] Refusal),
    #[error("the classifier did not answer")]
    Unavailable(#[source] Refusal),
    #[error("the classifier answered without a class")]
    NoPrediction,
}

impl From<Refusal> for ClassifyError {
    fn from(refusal: Refusal) -> Self {
        match refusal.code.as_deref() {
            Some("ResourceUnavailableException") => Self::NotReady(refusal),
            Some("TextSizeLimitExceededException") => Self::TextTooLong(refusal),
            _ if refusal.is_throttling() => Self::Throttled(refusal),
            _ => Self::Unavailable(refusal),
        }
    }
}

impl From<&ClassifyError> for Problem {
    fn from(error: &ClassifyError) -> Self {
        let (status, code, retry_after_seconds) = match error {
            ClassifyError::InvalidRequest(InvalidFeedback::TooLong(_)) | ClassifyError::TextTooLong(_) => {
                (StatusCode::PAYLOAD_TOO_LARGE, "text_too_long", None)
            }
            ClassifyError::InvalidRequest(_) => (StatusCode::BAD_REQUEST, "invalid_request", None),
            ClassifyError::Throttled(_) => (StatusCode::TOO_MANY_REQUESTS, "throttled", Some(1)),
            ClassifyError::NotReady(_) => (StatusCode::SERVICE_UNAVAILABLE, "classifier_not_ready", Some(30)),
            ClassifyError::Unavailable(_) => (StatusCode::BAD_GATEWAY, "classifier_unavailable", None),
            ClassifyError::NoPrediction => (StatusCode::BAD_GATEWAY, "no_prediction", None),
        };
        Self {
            status,
            code,
            detail: error.to_string(),
            retry_after_seconds,
        }
    }
}

/// The function.
#[derive(Debug)]
pub struct Classify {
    comprehend: aws_sdk_comprehend::Client,
    bucket: Bucket,
    feedback: FeedbackStream,
    asked_before: AskedBefore,
    model_arn: ModelArn,
    automated_labelling: Option<AutomatedLabelling>,
    config: Config,
}

impl Classify {
    /// Makes the function with clients of its own.
    pub fn new(config: Config, sdk: &SdkConfig) -> Self {
        let comprehend = clients::comprehend(sdk, config.classifier_url.as_deref());
        let firehose = aws_sdk_firehose::Client::new(sdk);
        let s3 = aws_sdk_s3::Client::new(sdk);
        let bucket = Bucket::new(s3.clone(), &config.feedback_bucket);
        let mut automated_labelling = config.automated_labelling.clone();
        if config.policy.audit_rate.is_off() && automated_labelling.take().is_some() {
            warn!(
                "automated labelling is off: with an audit sample rate of 0 nobody would see that a promise is broken"
            );
        }
        Self {
            automated_labelling: automated_labelling
                .map(|(training, target)| AutomatedLabelling::new(bucket.other(training), target)),
            model_arn: ModelArn::new(comprehend.clone(), config.endpoint_arn.clone()),
            asked_before: AskedBefore::new(s3, config.asked_before.clone()),
            comprehend,
            bucket,
            feedback: FeedbackStream::new(firehose, config.feedback_stream.clone()),
            config,
        }
    }

    /// Answers a request: the prediction, or a problem with a stable `code`.
    pub async fn handle(&self, request: Request) -> Response<Body> {
        let origin = &self.config.allowed_origin;
        if let Some(response) = reply::unless_post(request.method(), origin) {
            return response;
        }
        match self.classify(request.body(), rand::random(), Utc::now()).await {
            Ok(answer) => reply::json(StatusCode::OK, &answer, origin),
            Err(error) => {
                let problem = Problem::from(&error);
                warn!(
                    problem.code,
                    problem.status = problem.status.as_u16(),
                    error = chain(&error)
                );
                reply::problem(&problem, origin)
            }
        }
    }

    async fn classify(&self, body: &[u8], draw: f64, now: DateTime<Utc>) -> Result<Answer, ClassifyError> {
        let (classifier, utterance) = parse(body, &self.config.default_classifier)?;
        let prediction_id = uuid::Uuid::new_v4().to_string();
        let prediction = match self.predict(&utterance).await {
            Err(ClassifyError::NotReady(_)) if self.config.before_first_model == BeforeFirstModel::Label => {
                return Ok(self
                    .answer_without_model(classifier, utterance, prediction_id, now)
                    .await);
            }
            predicted => predicted?,
        };
        let review = match self.config.policy.decide(&prediction, draw) {
            None => {
                let accepting = self.accept(&classifier, &utterance, &prediction, &prediction_id, now);
                if timeout(ACCEPT_TIMEOUT, accepting).await.is_err() {
                    warn!(
                        prediction.id = prediction_id,
                        "the prediction was not accepted as a label in time"
                    );
                }
                None
            }
            Some(review) => {
                let record = FeedbackRecord::predicted(
                    &classifier,
                    &utterance,
                    &prediction,
                    review,
                    &prediction_id,
                    self.model_arn.get().await,
                    &aws::rfc3339(now),
                );
                Some(self.queue(&record, &prediction_id, now).await)
            }
        };
        Ok(Answer {
            utterance,
            prediction: Some(prediction.label),
            confidence: Some(prediction.confidence),
            classifier,
            prediction_id,
            review,
            classes: prediction.classes,
        })
    }

    /// Answers that no model serves yet; the text waits to be labelled, since each one brings the first model nearer.
    async fn answer_without_model(
        &self,
        classifier: String,
        utterance: String,
        prediction_id: String,
        now: DateTime<Utc>,
    ) -> Answer {
        let received_at = aws::rfc3339(now);
        let record = FeedbackRecord::without_model(&classifier, &utterance, &prediction_id, &received_at);
        let review = self.queue(&record, &prediction_id, now).await;
        Answer {
            utterance,
            prediction: None,
            confidence: None,
            classifier,
            prediction_id,
            review: Some(review),
            classes: Vec::new(),
        }
    }

    async fn predict(&self, utterance: &str) -> Result<Prediction, ClassifyError> {
        let call = self
            .comprehend
            .classify_document()
            .endpoint_arn(&self.config.endpoint_arn)
            .text(utterance)
            .send();
        let answer = timeout(PREDICTION_TIMEOUT, call)
            .await
            .map_err(|_| Refusal::no_answer_in_time())?
            .map_err(Refusal::from)?;
        predictions::read(&answer).ok_or(ClassifyError::NoPrediction)
    }

    /// Stores a trusted prediction as a label, if what is promised of its model covers it.
    ///
    /// Whatever fails, or is broken off for want of time, costs at most the label; only what was stored is counted.
    async fn accept(
        &self,
        classifier: &str,
        utterance: &str,
        prediction: &Prediction,
        prediction_id: &str,
        now: DateTime<Utc>,
    ) {
        let Some(automated_labelling) = &self.automated_labelling else {
            return;
        };
        let Some(model_arn) = self.model_arn.get().await else {
            return;
        };
        let threshold = automated_labelling.threshold(&model_arn).await;
        let Some(threshold) = threshold.filter(|threshold| prediction.confidence > *threshold) else {
            return;
        };
        let record = FeedbackRecord::accepted(
            classifier,
            utterance,
            prediction,
            threshold,
            prediction_id,
            model_arn,
            &aws::rfc3339(now),
        );
        if self.publish(&record).await || self.store_directly(&record, prediction_id, now).await {
            metrics::count("classify", &[("MachineLabels", 1)]);
        }
    }

    /// Stores the record for review; a loss is counted and logged, and does not cost the caller the prediction.
    async fn queue(&self, record: &FeedbackRecord, prediction_id: &str, now: DateTime<Utc>) -> ReviewAnswer {
        let store =
            async { self.publish(record).await || self.store_directly(record, prediction_id, now).await };
        let (stored, known) = tokio::join!(store, self.asked_before.why_not(record));
        metrics::count(
            "classify",
            &[("Reviews", 1), ("FeedbackLost", u64::from(!stored))],
        );
        let not_queued_because = if stored { known } else { Some(NotAsked::NotStored) };
        let queued = not_queued_because.is_none();
        let waits_for = self.asked_before.waits_for(record).filter(|_| queued);
        ReviewAnswer {
            reason: record.signal,
            queued,
            selection_probability: record.selection_probability,
            not_queued_because,
            waits_for,
        }
    }

    async fn publish(&self, record: &FeedbackRecord) -> bool {
        match timeout(FEEDBACK_TIMEOUT, self.feedback.publish(record)).await {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                warn!(record.id, error = chain(&error), "the feedback stream is down");
                false
            }
            Err(_) => {
                warn!(record.id, "the feedback stream did not answer in time");
                false
            }
        }
    }

    /// Writes the record where it is found like one that the stream delivered.
    async fn store_directly(&self, record: &FeedbackRecord, prediction_id: &str, now: DateTime<Utc>) -> bool {
        let key = format!(
            "feedback/direct/{}/{prediction_id}.jsonl",
            now.format("%Y/%m/%d/%H")
        );
        let put = self.bucket.put(&key, JSON_LINES, record.to_line());
        match timeout(FEEDBACK_TIMEOUT, put).await {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                error!(record.id, error = chain(&error), "feedback is lost");
                false
            }
            Err(_) => {
                error!(record.id, "feedback is lost: the bucket did not answer in time");
                false
            }
        }
    }
}

/// Reads classifier and text; a classifier that is absent, `null` or blank is the default one.
fn parse(body: &[u8], default_classifier: &str) -> Result<(String, String), InvalidFeedback> {
    let mut fields = parse_fields(body, &FIELDS)?;
    let classifier = take_text(&mut fields, "classifier")?.filter(|name| !name.trim().is_empty());
    let classifier = classifier.unwrap_or_else(|| default_classifier.to_owned());
    let sentence = take_text(&mut fields, "sentence")?.unwrap_or_default();
    check_texts(&classifier, &sentence)?;
    Ok((classifier, sentence))
}

/// Runs the function in its Lambda environment.
///
/// # Errors
///
/// A wrong configuration, or the Lambda runtime's own failure.
pub async fn run() -> Result<(), lambda_runtime::Error> {
    let (env, sdk) = lambda::start().await;
    let classify = &Classify::new(Config::from_env(&env)?, &sdk);
    lambda::run_http(|request| classify.handle(request)).await
}
