//! Lambda: likes, dislikes and corrections.
//!
//! Success is answered only once the feedback stream holds the record.

use std::{sync::Arc, time::Duration};

use active_learning_aws::{
    self as aws,
    asked_before::{AskedBefore, Decided, NotAsked, Settings},
    bucket::{BINARY, Bucket, BucketError},
    class_names::ClassNames,
    env::{ConfigError, Env},
    erased::ErasedList,
    failure::chain,
    feedback_stream::{FeedbackStream, PublishError},
    kept_predictions::{self, PredictionId},
    lambda, metrics,
    personal_data::{self, Kinds, Masking, NotMasked},
    reply::{self, Problem},
};
use active_learning_core::{
    erasure::ERASED,
    feedback::{
        FeedbackRecord, FeedbackRequest, InvalidFeedback, Opinion, Signal, Source, check_texts, take_opinion,
    },
    keys,
    labels::{
        label_set::{LabelSet, check_suggestion},
        vote::Vote,
    },
};
use aws_config::SdkConfig;
use lambda_http::{
    Body, Request, Response,
    http::{Method, StatusCode},
    tracing::warn,
};
use serde::Serialize;
use tokio::time::timeout;

/// Time to look the prediction up.
const LOOK_UP_TIMEOUT: Duration = Duration::from_secs(1);

/// What an operator decides.
#[derive(Clone, Debug)]
pub struct Config {
    feedback_stream: String,
    feedback_bucket: String,
    /// Bucket of the label set.
    training_bucket: String,
    /// Whether a text may have several labels.
    several_labels: bool,
    asked_before: Settings,
    /// What becomes of personal data before a text is stored.
    personal_data: personal_data::Settings,
    /// Of feedback that names none.
    default_classifier: String,
    allowed_origin: String,
}

impl Config {
    /// Reads the configuration from the function's environment.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the variable that is missing or wrong.
    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        Ok(Self {
            feedback_stream: env.required("FEEDBACK_STREAM_NAME")?,
            feedback_bucket: env.required("FEEDBACK_BUCKET_NAME")?,
            training_bucket: env.required("TRAINING_BUCKET_NAME")?,
            several_labels: env.required("SEVERAL_LABELS")?,
            asked_before: Settings::from_env(env)?,
            personal_data: personal_data::Settings::from_env(env)?,
            default_classifier: env.required("DEFAULT_CLASSIFIER_NAME")?,
            allowed_origin: env.required("ALLOWED_ORIGIN")?,
        })
    }
}

/// The answer to feedback that is stored.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    status: &'static str,
    id: String,
    feedback: Opinion,
    /// Kinds of personal data that were replaced in the text.
    #[serde(skip_serializing_if = "Kinds::is_empty")]
    masked: Kinds,
    /// Whether it is on its way to a person.
    review: bool,
    /// When it is decided whether one is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    decided: Option<Decided>,
    /// Why nobody will, of feedback that asks for a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_reviewed_because: Option<NotAsked>,
    /// What it waits for before somebody looks at it.
    #[serde(skip_serializing_if = "Option::is_none")]
    waits_for: Option<NotAsked>,
    /// Why it is no vote, of feedback that likes what it does not name.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_counted_because: Option<NotCounted>,
}

/// Why feedback is no vote.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "kebab-case")]
enum NotCounted {
    /// It names neither a prediction nor a label. A like of the same user or prediction still takes a dislike back.
    NamesNoLabel,
}

impl NotCounted {
    fn of(record: &FeedbackRecord) -> Option<Self> {
        let names_none = record.signal == Signal::Like && Vote::of_feedback(record).is_none();
        names_none.then_some(Self::NamesNoLabel)
    }
}

impl Answer {
    fn new(
        record: FeedbackRecord,
        masked: Kinds,
        not_asked: Option<NotAsked>,
        waits_for: Option<NotAsked>,
    ) -> Self {
        let review = record.signal.needs_review() && not_asked.is_none();
        Self {
            not_counted_because: NotCounted::of(&record),
            status: "stored",
            id: record.id,
            masked,
            feedback: match record.signal {
                Signal::Like | Signal::Accepted => Opinion::Like,
                Signal::Dislike
                | Signal::LowConfidence
                | Signal::LowMargin
                | Signal::OutdatedLabel
                | Signal::UnknownLabel
                | Signal::Audit
                | Signal::Relabel
                | Signal::Unlabelled => Opinion::Dislike,
            },
            review,
            decided: Decided::later(review),
            not_reviewed_because: not_asked,
            waits_for: waits_for.filter(|_| review),
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum FeedbackApiError {
    #[error(transparent)]
    InvalidRequest(#[from] InvalidFeedback),
    #[error(transparent)]
    NotMasked(#[from] NotMasked),
    #[error("{ERASED}")]
    Erased,
    #[error("the feedback was not stored; send it again in a moment")]
    NotStored(#[from] PublishError),
    #[error("the feedback was not stored; send it again in a moment")]
    NotHeldAgainstErased(#[source] BucketError),
}

impl From<&FeedbackApiError> for Problem {
    fn from(error: &FeedbackApiError) -> Self {
        let (status, code, retry_after_seconds) = match error {
            FeedbackApiError::InvalidRequest(InvalidFeedback::TooLong(_)) => {
                (StatusCode::PAYLOAD_TOO_LARGE, "text_too_long", None)
            }
            FeedbackApiError::InvalidRequest(_) => (StatusCode::BAD_REQUEST, "invalid_request", None),
            FeedbackApiError::Erased => (StatusCode::BAD_REQUEST, "erased_text", None),
            FeedbackApiError::NotMasked(_) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "personal_data_unavailable",
                Some(1),
            ),
            FeedbackApiError::NotStored(_) | FeedbackApiError::NotHeldAgainstErased(_) => {
                (StatusCode::SERVICE_UNAVAILABLE, "feedback_unavailable", Some(5))
            }
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
pub struct FeedbackApi {
    feedback: FeedbackStream,
    feedback_bucket: Bucket,
    /// What labels are called by now.
    names: ClassNames,
    asked_before: AskedBefore,
    erased: ErasedList,
    masking: Masking,
    config: Config,
}

impl FeedbackApi {
    /// Makes the function with clients of its own.
    pub fn new(config: Config, sdk: &SdkConfig) -> Self {
        let firehose = aws_sdk_firehose::Client::new(sdk);
        let s3 = aws_sdk_s3::Client::new(sdk);
        let feedback_bucket = Bucket::new(s3.clone(), &config.feedback_bucket);
        let training = feedback_bucket.other(&config.training_bucket);
        Self {
            names: ClassNames::new(training, config.several_labels),
            feedback: FeedbackStream::new(firehose, config.feedback_stream.clone()),
            erased: ErasedList::new(feedback_bucket.clone()),
            feedback_bucket,
            asked_before: AskedBefore::new(s3, config.asked_before.clone()),
            masking: Masking::new(config.personal_data.clone(), sdk),
            config,
        }
    }

    /// Answers a request: that the feedback is stored, or a problem with a stable `code`.
    pub async fn handle(&self, request: Request) -> Response<Body> {
        let origin = &self.config.allowed_origin;
        if let Some(response) = reply::unless(&Method::POST, request.method(), origin) {
            return response;
        }
        match Box::pin(self.store(request.body(), &aws::now())).await {
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

    async fn store(&self, body: &[u8], received_at: &str) -> Result<Answer, FeedbackApiError> {
        let request = FeedbackRequest::parse(body)?;
        let classifier = request.classifier.clone();
        let mut request = request.or_classifier(&self.config.default_classifier);
        check_texts(&request.classifier, &request.sentence)?;
        let masked = self.masking.apply(&mut request.sentence).await?;
        let said = request.feedback;
        let set = self.set_for(&request).await;
        let mut record = request.into_record_by(set.as_deref(), Source::ExplicitApi, received_at)?;
        check_suggestion(&record)?;
        let is_erased = self.erased.contains(&record.utterance).await;
        if is_erased.map_err(FeedbackApiError::NotHeldAgainstErased)? {
            return Err(FeedbackApiError::Erased);
        }
        let kept = self
            .hold_against_prediction(&mut record, (said, &classifier), set.as_deref())
            .await?;
        let why_not = async {
            match record.signal.needs_review() {
                true => self.asked_before.why_not(&record, Some(&self.names)).await,
                false => None,
            }
        };
        let (stored, not_asked, ()) = tokio::join!(
            self.feedback.publish(&record),
            why_not,
            self.mark(&record, kept.as_deref())
        );
        stored?;
        let waits_for = self.asked_before.waits_for(&record);
        let answer = Answer::new(record, masked, not_asked, waits_for);
        let counted = match answer.feedback {
            Opinion::Like => "Likes",
            Opinion::Dislike => "Dislikes",
        };
        metrics::count("feedback-api", &[(counted, 1)]);
        Ok(answer)
    }
}

impl FeedbackApi {
    /// Returns the label set where names of labels may have to be compared. It is read anew where they name what it does not know
    /// as it was read last: a label may be called so since.
    async fn set_for(&self, request: &FeedbackRequest) -> Option<Arc<LabelSet>> {
        let names = [
            request.prediction.is_some(),
            request.label.is_some(),
            request.prediction_id.is_some(),
        ];
        if names.into_iter().filter(|is_given| *is_given).count() < 2 {
            return None;
        }
        let set = self.names.set().await?;
        let mut names = request.label.iter().chain(&request.prediction);
        match names.any(|names| set.names(names).is_none()) {
            true => self.names.newest().await,
            false => Some(set),
        }
    }

    /// Takes classifier and label from the prediction that is named, and refuses what the client says otherwise. One that is not kept,
    /// or cannot be read in time, is taken at the client's word. Returns its id if it is kept.
    async fn hold_against_prediction(
        &self,
        record: &mut FeedbackRecord,
        (said, classifier): (Option<Opinion>, &str),
        set: Option<&LabelSet>,
    ) -> Result<Option<String>, FeedbackApiError> {
        let Some(id) = record.prediction_id.as_deref().and_then(PredictionId::parse) else {
            return Ok(None);
        };
        let find = kept_predictions::find(&self.feedback_bucket, id);
        let kept = match timeout(LOOK_UP_TIMEOUT, find).await {
            Ok(Ok(kept)) => kept,
            Ok(Err(error)) => {
                warn!(record.id, error = chain(&error), "the prediction cannot be read");
                None
            }
            Err(_) => {
                warn!(record.id, "the prediction was not read in time");
                None
            }
        };
        let Some(kept) = kept else { return Ok(None) };
        kept.check(&record.utterance, record.prediction.as_deref(), set)?;
        *record = record.clone().of_classifier(kept.classifier_of(classifier)?);
        if record.prediction.is_none() {
            record.prediction = kept.prediction;
            record.confidence = record.confidence.or(kept.confidence);
            take_opinion(record, said, set)?;
        }
        Ok(Some(kept.prediction_id))
    }

    /// Marks that people are asked about a prediction that was trusted, so that its client is told what they answer. What
    /// cannot be marked costs at most that.
    async fn mark(&self, record: &FeedbackRecord, prediction_id: Option<&str>) {
        let Some(prediction_id) = prediction_id.filter(|_| record.signal.needs_review()) else {
            return;
        };
        let key = keys::prediction_of(&record.id, prediction_id);
        let mark = self.feedback_bucket.put(&key, BINARY, Vec::new());
        match timeout(LOOK_UP_TIMEOUT, mark).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => warn!(record.id, error = chain(&error), "the prediction is not marked"),
            Err(_) => warn!(record.id, "the prediction was not marked in time"),
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
    let feedback_api = &FeedbackApi::new(lambda::configured(&env, Config::from_env(&env))?, &sdk);
    lambda::run_http(|request| feedback_api.handle(request)).await
}
