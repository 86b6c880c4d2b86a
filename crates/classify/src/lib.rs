//! Lambda: text in, prediction out, review decision.
//!
//! What the review policy selects is stored in the feedback stream, or, while the stream is down, as
//! an object beside what the stream delivers. The caller gets the prediction either way. With automated labelling on,
//! so is a prediction that it trusts and whose confidence exceeds what is promised of the model.
//!
//! Which model serves is asked once a minute: for so long after a switch predictions, also accepted ones, are put down to
//! the model before.

mod automated_labelling;
mod outdated_labels;
mod request;
mod results;

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
        FeedbackRecord, InvalidFeedback, Review, Signal,
        prediction::{ClassScore, Prediction},
        review_policy::ReviewPolicy,
    },
    labels::prediction_result::{KeptPrediction, PredictionResult},
    model::accuracy_guarantee::AcceptedAccuracy,
};
use automated_labelling::AutomatedLabelling;
use aws_config::SdkConfig;
use chrono::{DateTime, Utc};
use lambda_http::{
    Body, Request, RequestExt, Response,
    http::{Method, StatusCode, header},
    tracing::{error, warn},
};
use outdated_labels::OutdatedLabels;
use request::{ClassifyRequest, wait_of_query};
use results::{ResultError, Results, etag_of, matches_etag};
use serde::Serialize;
use tokio::time::{Instant, timeout};

/// Time for the prediction. API Gateway waits 29 seconds in all, of which a review takes at most 12: the model's ARN, and two
/// ways to store feedback.
const PREDICTION_TIMEOUT: Duration = Duration::from_secs(15);

/// Time for each of the two ways to store feedback.
const FEEDBACK_TIMEOUT: Duration = Duration::from_secs(5);

/// Time to accept a label, all in all: a trusted prediction is not kept from the caller for longer.
const ACCEPT_TIMEOUT: Duration = Duration::from_secs(3);

/// Time to keep a prediction.
const KEEP_TIMEOUT: Duration = Duration::from_secs(3);

/// Time for all of a request: API Gateway waits a little longer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(27);

/// Path parameter of a request for what became of a prediction.
const PREDICTION_ID: &str = "predictionId";

/// What an operator decides.
#[derive(Clone, Debug)]
pub struct Config {
    endpoint_arn: String,
    classifier_url: Option<String>,
    feedback_stream: String,
    feedback_bucket: String,
    asked_before: Settings,
    /// Whether predictions are kept, so that clients can ask what became of them.
    keeps_predictions: bool,
    /// Of requests that name none.
    default_classifier: String,
    policy: ReviewPolicy,
    /// What becomes of a text that comes before the first model.
    before_first_model: BeforeFirstModel,
    /// Accuracy of accepted predictions; none where none are accepted.
    automated_labelling: Option<f64>,
    /// Bucket of the label set and of the promises.
    training_bucket: String,
    allowed_origin: String,
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
            endpoint_arn: env.required("COMPREHEND_ENDPOINT_ARN")?,
            classifier_url: env.optional("CLASSIFIER_URL")?,
            feedback_stream: env.required("FEEDBACK_STREAM_NAME")?,
            feedback_bucket: env.required("FEEDBACK_BUCKET_NAME")?,
            asked_before: Settings::from_env(env)?,
            keeps_predictions: env.required::<u32>("PREDICTION_RETENTION_DAYS")? > 0,
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
    /// What people answered, where the request waits for them.
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<PredictionResult>,
    /// There where it could not be kept: nobody can ask what became of the prediction.
    #[serde(skip_serializing_if = "Option::is_none")]
    result_kept: Option<bool>,
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
    #[error(
        "no prediction of this id is kept: it is another stack's, or older than PredictionRetentionDays says"
    )]
    UnknownPrediction,
    #[error("what became of the prediction could not be read; try again in a moment")]
    NoResult(#[source] ResultError),
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
            ClassifyError::UnknownPrediction => (StatusCode::NOT_FOUND, "unknown_prediction", None),
            ClassifyError::NoResult(_) => (StatusCode::SERVICE_UNAVAILABLE, "result_unavailable", Some(1)),
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
    results: Results,
    model_arn: ModelArn,
    automated_labelling: Option<AutomatedLabelling>,
    outdated_labels: OutdatedLabels,
    config: Config,
}

impl Classify {
    /// Makes the function with clients of its own.
    pub fn new(config: Config, sdk: &SdkConfig) -> Self {
        let comprehend = clients::comprehend(sdk, config.classifier_url.as_deref());
        let firehose = aws_sdk_firehose::Client::new(sdk);
        let s3 = aws_sdk_s3::Client::new(sdk);
        let bucket = Bucket::new(s3.clone(), &config.feedback_bucket);
        let training = bucket.other(&config.training_bucket);
        let mut automated_labelling = config.automated_labelling;
        if config.policy.audit_rate.is_off() && automated_labelling.take().is_some() {
            warn!(
                "automated labelling is off: with an audit sample rate of 0 nobody would see that a promise is broken"
            );
        }
        Self {
            automated_labelling: automated_labelling
                .map(|target| AutomatedLabelling::new(training.clone(), target)),
            outdated_labels: OutdatedLabels::new(training),
            model_arn: ModelArn::new(comprehend.clone(), config.endpoint_arn.clone()),
            results: Results::new(bucket.clone(), config.asked_before.claim_retention()),
            asked_before: AskedBefore::new(s3, config.asked_before.clone()),
            comprehend,
            bucket,
            feedback: FeedbackStream::new(firehose, config.feedback_stream.clone()),
            config,
        }
    }

    /// Answers a request: a prediction, what became of one, or a problem with a stable `code`.
    pub async fn handle(&self, request: Request) -> Response<Body> {
        let origin = &self.config.allowed_origin;
        let path = request.path_parameters();
        let prediction_id = path.first(PREDICTION_ID);
        let method = match prediction_id {
            Some(_) => Method::GET,
            None => Method::POST,
        };
        if let Some(response) = reply::unless(&method, request.method(), origin) {
            return response;
        }
        let answered = match prediction_id {
            Some(prediction_id) => self.result(prediction_id, &request).await,
            None => {
                let answer = self.classify(request.body(), rand::random(), Utc::now()).await;
                answer.map(|answer| reply::json(StatusCode::OK, &answer, origin))
            }
        };
        answered.unwrap_or_else(|error| {
            let problem = Problem::from(&error);
            warn!(
                problem.code,
                problem.status = problem.status.as_u16(),
                error = chain(&error)
            );
            reply::problem(&problem, origin)
        })
    }

    /// Answers what became of a prediction: at once, or once there is news or the time to wait is over.
    async fn result(&self, prediction_id: &str, request: &Request) -> Result<Response<Body>, ClassifyError> {
        let origin = &self.config.allowed_origin;
        let wait = wait_of_query(request.query_string_parameters().first("wait"))?;
        let deadline = Instant::now() + Duration::from_secs(wait);
        let known = request.headers().get(header::IF_NONE_MATCH);
        let known = known.and_then(|known| known.to_str().ok());

        let kept = self.results.find(prediction_id).await;
        let kept = kept.map_err(|error| ClassifyError::NoResult(error.into()))?;
        let kept = kept.ok_or(ClassifyError::UnknownPrediction)?;
        let result = self.results.wait(&kept, known, deadline).await;
        let result = result.map_err(ClassifyError::NoResult)?;

        let etag = etag_of(&result);
        Ok(match known.is_some_and(|known| matches_etag(known, &etag)) {
            true => reply::not_modified(&etag, origin),
            false => reply::tagged(&result, &etag, origin),
        })
    }

    async fn classify(&self, body: &[u8], draw: f64, now: DateTime<Utc>) -> Result<Answer, ClassifyError> {
        let begin = Instant::now();
        let ClassifyRequest {
            classifier,
            utterance,
            wait_seconds,
        } = ClassifyRequest::parse(body, &self.config.default_classifier)?;
        let prediction_id = uuid::Uuid::new_v4().to_string();
        let prediction = match self.predict(&utterance).await {
            Err(ClassifyError::NotReady(_)) if self.config.before_first_model == BeforeFirstModel::Label => {
                None
            }
            predicted => Some(predicted?),
        };
        let review = match &prediction {
            Some(prediction) => {
                let review = self.config.policy.decide(prediction, draw);
                self.outdated_labels.review(prediction, review).await
            }
            None => None,
        };
        let signal = match &prediction {
            Some(_) => review.map(|review| review.signal),
            None => Some(Signal::Unlabelled),
        };
        let text = (classifier.as_str(), utterance.as_str());
        let at = aws::rfc3339(now);
        let kept = KeptPrediction::new(&prediction_id, text, prediction.as_ref(), signal, &at);

        let (review, result_kept) = tokio::join!(
            self.review(text, prediction.as_ref(), review, &prediction_id, now),
            self.keep(&kept)
        );
        let result = match wait_seconds.filter(|_| review.as_ref().is_some_and(|review| review.queued)) {
            Some(seconds) => self.wait_for_people(&kept, begin, seconds).await,
            None => None,
        };
        Ok(Answer {
            utterance,
            confidence: prediction.as_ref().map(|prediction| prediction.confidence),
            classifier,
            prediction_id,
            review,
            result,
            result_kept: (!result_kept).then_some(false),
            classes: prediction
                .as_ref()
                .map_or_else(Vec::new, |prediction| prediction.classes.clone()),
            prediction: prediction.map(|prediction| prediction.label),
        })
    }

    /// Sends a text to people where the policy or the lack of a model asks for it; else it may become a label by itself.
    async fn review(
        &self,
        (classifier, utterance): (&str, &str),
        prediction: Option<&Prediction>,
        review: Option<Review>,
        prediction_id: &str,
        now: DateTime<Utc>,
    ) -> Option<ReviewAnswer> {
        let at = aws::rfc3339(now);
        let record = match (prediction, review) {
            // No model serves yet: each label brings the first one nearer.
            (None, _) => FeedbackRecord::without_model(classifier, utterance, prediction_id, &at),
            (Some(prediction), Some(review)) => {
                let model = self.model_arn.get().await;
                FeedbackRecord::predicted(
                    classifier,
                    utterance,
                    prediction,
                    review,
                    prediction_id,
                    model,
                    &at,
                )
            }
            (Some(prediction), None) => {
                metrics::count("classify", &[("Classified", 1)]);
                let accepting = self.accept(classifier, utterance, prediction, prediction_id, now);
                if timeout(ACCEPT_TIMEOUT, accepting).await.is_err() {
                    warn!(
                        prediction.id = prediction_id,
                        "the prediction was not accepted as a label in time"
                    );
                }
                return None;
            }
        };
        Some(self.queue(&record, prediction_id, now).await)
    }

    /// Keeps a prediction for those who ask what became of it. Returns whether they can; a failure is counted, and does
    /// not cost the caller the prediction.
    async fn keep(&self, kept: &KeptPrediction) -> bool {
        if !self.config.keeps_predictions {
            return true;
        }
        let keeping = async {
            tokio::try_join!(self.results.keep(kept), async {
                match kept.review {
                    Some(_) => self.results.mark(kept).await,
                    None => Ok(()),
                }
            })
        };
        let is_kept = match timeout(KEEP_TIMEOUT, keeping).await {
            Ok(Ok(_)) => true,
            Ok(Err(error)) => {
                warn!(
                    prediction.id = kept.prediction_id,
                    error = chain(&error),
                    "it is not kept"
                );
                false
            }
            Err(_) => {
                warn!(
                    prediction.id = kept.prediction_id,
                    "it is not kept: the bucket did not answer in time"
                );
                false
            }
        };
        if !is_kept {
            metrics::count("classify", &[("PredictionsNotKept", 1)]);
        }
        is_kept
    }

    /// Waits until people have answered, as long as the caller wants and a gateway allows.
    async fn wait_for_people(
        &self,
        kept: &KeptPrediction,
        begin: Instant,
        seconds: u64,
    ) -> Option<PredictionResult> {
        let deadline = (Instant::now() + Duration::from_secs(seconds)).min(begin + REQUEST_TIMEOUT);
        match self.results.wait(kept, None, deadline).await {
            Ok(result) => Some(result),
            Err(error) => {
                warn!(
                    prediction.id = kept.prediction_id,
                    error = chain(&error),
                    "nobody can be waited for"
                );
                None
            }
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
            &[
                ("Classified", 1),
                ("Reviews", 1),
                ("FeedbackLost", u64::from(!stored)),
            ],
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
