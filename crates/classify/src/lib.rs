//! Lambda: text in, prediction out, review decision.
//!
//! What the review policy selects is stored in the feedback stream, or, while the stream is down, as
//! an object beside what the stream delivers. The caller gets the prediction either way. With automated labelling on,
//! so is a prediction that it trusts and whose confidence exceeds what is promised of the model.
//!
//! Which model serves is asked once a minute: for so long after a switch predictions, also accepted ones, are put down to
//! the model before.

mod answer;
mod automated_labelling;
mod config;
mod error;
mod outdated_labels;
mod request;
mod results;
mod review;

use std::time::Duration;

use active_learning_aws::{
    self as aws,
    asked_before::{AskedBefore, NotAsked},
    bucket::Bucket,
    classifier::{Classifier, ClassifierError},
    erased::ErasedList,
    failure::{Refusal, chain},
    feedback_stream::FeedbackStream,
    lambda, metrics,
    model_arn::ModelArn,
    personal_data::{Kinds, Masking, NotMasked},
    reply::{self, Problem},
};
use active_learning_core::{
    feedback::{Signal, check_texts, prediction::Prediction},
    labels::prediction_result::{KeptPrediction, PredictionResult},
};
use answer::Answer;
use automated_labelling::AutomatedLabelling;
use aws_config::SdkConfig;
use chrono::{DateTime, Utc};
use config::BeforeFirstModel;
pub use config::Config;
use error::ClassifyError;
use lambda_http::{
    Body, Request, RequestExt, Response,
    http::{Method, StatusCode, header},
    tracing::warn,
};
use outdated_labels::OutdatedLabels;
use request::{ClassifyRequest, wait_of_query};
use results::{Results, etag_of, matches_etag};
use tokio::time::{Instant, timeout, timeout_at};

/// Time for the prediction, with the look for personal data before it. API Gateway waits 29 seconds in all, of which a review
/// takes at most 13: the model's ARN, the list of erased texts, and two ways to store feedback.
const PREDICTION_TIMEOUT: Duration = Duration::from_secs(15);

/// Time to keep a prediction.
const KEEP_TIMEOUT: Duration = Duration::from_secs(3);

/// Time for all of a request: API Gateway waits a little longer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(27);

/// Path parameter of a request for what became of a prediction.
const PREDICTION_ID: &str = "predictionId";

/// The function.
#[derive(Debug)]
pub struct Classify {
    classifier: Classifier,
    bucket: Bucket,
    feedback: FeedbackStream,
    asked_before: AskedBefore,
    erased: ErasedList,
    results: Results,
    model_arn: ModelArn,
    masking: Masking,
    automated_labelling: Option<AutomatedLabelling>,
    outdated_labels: OutdatedLabels,
    config: Config,
}

impl Classify {
    /// Makes the function with clients of its own.
    pub fn new(config: Config, sdk: &SdkConfig) -> Self {
        let firehose = aws_sdk_firehose::Client::new(sdk);
        let s3 = aws_sdk_s3::Client::new(sdk);
        let bucket = Bucket::new(s3.clone(), &config.feedback_bucket);
        let training = bucket.other(&config.training_bucket);
        let classifier = Classifier::new(sdk, config.classifier.clone(), training.clone());
        let mut automated_labelling = config.automated_labelling;
        if config.policy.audit_rate.is_off() && automated_labelling.take().is_some() {
            warn!(
                "automated labelling is off: with an audit sample rate of 0 nobody would see that a promise is broken"
            );
        }
        Self {
            automated_labelling: automated_labelling.map(|target| AutomatedLabelling::new(training, target)),
            outdated_labels: OutdatedLabels::new(classifier.clone()),
            model_arn: ModelArn::new(classifier.clone()),
            results: Results::new(
                bucket.clone(),
                config.asked_before.claim_retention(),
                classifier.clone(),
            ),
            erased: ErasedList::new(bucket.clone()),
            asked_before: AskedBefore::new(s3, config.asked_before.clone()),
            masking: Masking::new(config.personal_data.clone(), sdk),
            classifier,
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
                let answer = Box::pin(self.classify(request.body(), rand::random(), Utc::now())).await;
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
        let wait = wait_of_query(request.query_string_parameters().iter())?;
        let deadline = Instant::now() + Duration::from_secs(wait);
        // Several lines of a header are one list. Source: RFC 9110, 5.3, "Field Order".
        let known = request.headers().get_all(header::IF_NONE_MATCH).into_iter();
        let known: Vec<&str> = known.filter_map(|known| known.to_str().ok()).collect();
        let known = (!known.is_empty()).then(|| known.join(","));
        let known = known.as_deref();

        let kept = self.results.find(prediction_id).await;
        let kept = kept.map_err(ClassifyError::NoResult)?;
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
            mut utterance,
            wait_seconds,
        } = ClassifyRequest::parse(body, &self.config.default_classifier)?;
        let prediction_deadline = begin + PREDICTION_TIMEOUT;
        let masked = self
            .mask(&classifier, &mut utterance, prediction_deadline)
            .await?;
        let prediction_id = uuid::Uuid::new_v4().to_string();
        let prediction = match self.predict(&utterance, prediction_deadline).await {
            Err(error)
                if error.is_before_first_model()
                    && self.config.before_first_model == BeforeFirstModel::Label =>
            {
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
        // Else a client that asks would wait for an answer that never comes.
        let ended = match review.as_ref().and_then(|review| review.not_queued_because) {
            Some(NotAsked::Erased) => Some(kept.clone().of_erased_text()),
            Some(NotAsked::NotStored) => Some(kept.clone().that_was_not_stored()),
            _ => None,
        };
        let result_kept = match &ended {
            Some(ended) => timeout_at(begin + REQUEST_TIMEOUT, self.keep(ended))
                .await
                .unwrap_or(false),
            None => result_kept,
        };
        let result = match review.as_ref().and_then(|review| review.wait_of(wait_seconds)) {
            // Nobody has asked to wait, and it is there: a look must not cost the caller the prediction.
            Some(0) => timeout(KEEP_TIMEOUT, Box::pin(self.wait_for_people(&kept, begin, 0)))
                .await
                .unwrap_or_default(),
            Some(seconds) => Box::pin(self.wait_for_people(&kept, begin, seconds)).await,
            None => None,
        };
        Ok(Answer {
            utterance,
            masked,
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

    /// Keeps a prediction for those who ask what became of it. Returns whether they can; a failure is counted, and does
    /// not cost the caller the prediction.
    async fn keep(&self, kept: &KeptPrediction) -> bool {
        if !self.config.keeps_predictions {
            return true;
        }
        let keeping = Box::pin(async {
            tokio::try_join!(self.results.keep(kept), async {
                match kept.review {
                    Some(_) => self.results.mark(kept).await,
                    None => Ok(()),
                }
            })
        });
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

    /// Takes personal data out of a text, which a mask may lengthen; what cannot be looked through is neither classified nor
    /// stored.
    async fn mask(
        &self,
        classifier: &str,
        utterance: &mut String,
        deadline: Instant,
    ) -> Result<Kinds, ClassifyError> {
        let masking = timeout_at(deadline, self.masking.apply(utterance)).await;
        let masked = masking.unwrap_or_else(|_| Err(NotMasked::Comprehend(Refusal::no_answer_in_time())))?;
        if !masked.is_empty() {
            check_texts(classifier, utterance)?;
        }
        Ok(masked)
    }

    async fn predict(&self, utterance: &str, deadline: Instant) -> Result<Prediction, ClassifyError> {
        let is_hosted = matches!(self.classifier, Classifier::Hosted(_));
        let predicted = timeout_at(deadline, self.classifier.classify(utterance)).await;
        predicted
            .unwrap_or_else(|_| Err(ClassifierError::Refused(Refusal::no_answer_in_time())))
            .map_err(|error| ClassifyError::of(error, is_hosted))
    }
}

/// Runs the function in its Lambda environment.
///
/// # Errors
///
/// A wrong configuration, or the Lambda runtime's own failure.
pub async fn run() -> Result<(), lambda_runtime::Error> {
    let (env, sdk) = lambda::start().await;
    let classify = &Classify::new(lambda::configured(&env, Config::from_env(&env))?, &sdk);
    lambda::run_http(|request| classify.handle(request)).await
}
