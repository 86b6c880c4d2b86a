//! Lambda: a file of feedback in S3.
//!
//! The file is read as a stream and its feedback is put into the feedback stream in batches; lines
//! that cannot be used are set aside, and a report is written last. An event whose report exists has
//! been worked off, until what it claimed has expired. A file that is replaced before it is read has a report that says
//! so. A run that broke off before its report is repeated as a whole: records that it sent
//! already are sent again with the same ids, by which a2i-trigger recognises them.

mod prepared;
mod reader;

use std::{collections::BTreeMap, future::ready};

use active_learning_aws::{
    self as aws,
    bucket::{Bucket, BucketError, Replaced},
    claims::ClaimRetention,
    class_names::ClassNames,
    env::{ConfigError, Env},
    erased::ErasedList,
    feedback_stream::{FeedbackStream, PublishError},
    lambda, metrics,
    personal_data::{self, Masking},
    rejected::{self, RejectedLines},
    s3_event::{self, InvalidEvent, S3Object},
};
use active_learning_core::{
    MAX_CLASSIFIER_BYTES,
    feedback::batch::{BadItem, ReadError},
    keys,
};
use aws_config::SdkConfig;
use aws_sdk_s3::{error::BoxError, primitives::ByteStream};
use chrono::{DateTime, TimeDelta, Utc};
use futures::{StreamExt, TryStreamExt, stream};
use lambda_runtime::{
    Diagnostic, LambdaEvent,
    tracing::{info, warn},
};
pub use prepared::NotPrepared;
use reader::{Chunk, Outcome, ReadingError};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use text_import::feedback::{Whole, classifier_of_key};
use tokio::sync::mpsc;

/// Batches that are under way to the feedback stream at a time.
const BATCHES_IN_FLIGHT: usize = 4;

/// What an operator decides.
#[derive(Clone, Debug)]
pub struct Config {
    feedback_stream: String,
    feedback_bucket: String,
    /// Bucket of the label set.
    training_bucket: String,
    /// Whether a text may have several labels.
    several_labels: bool,
    /// What becomes of personal data before a text is stored.
    personal_data: personal_data::Settings,
    /// Of items that name none.
    default_classifier: String,
    /// How long it is known what people were asked.
    claim_retention: TimeDelta,
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
            feedback_stream: env.required("FEEDBACK_STREAM_NAME")?,
            feedback_bucket: env.required("FEEDBACK_BUCKET_NAME")?,
            training_bucket: env.required("TRAINING_BUCKET_NAME")?,
            several_labels: env.required("SEVERAL_LABELS")?,
            personal_data: personal_data::Settings::from_env(env)?,
            default_classifier: env.required("DEFAULT_CLASSIFIER_NAME")?,
            claim_retention: TimeDelta::from_std(claim_retention.get()).unwrap_or(TimeDelta::MAX),
        })
    }
}

/// What became of a file; written below `batch-reports/`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    bucket: &'a str,
    key: &'a str,
    etag: &'a str,
    /// The classifier of all records; none where nothing was accepted, or there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    classifier: Option<String>,
    /// Accepted records by their classifier, where there are several: the first of very many.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    classifiers: BTreeMap<String, u64>,
    /// Records that the feedback stream holds.
    accepted: u64,
    /// Lines that could not be used.
    rejected: u64,
    /// Repetitions within the file, which were not sent again.
    duplicates: u64,
    /// In how many records personal data was replaced, by its kind.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    masked: BTreeMap<String, u64>,
    started_at: String,
    finished_at: String,
    /// What was read otherwise than it is written, such as columns under another name.
    repairs: Vec<String>,
    /// Where the lines that could not be used lie.
    rejected_keys: Vec<String>,
    /// Lines beyond the first that could not be used: they are counted, and lie in the file alone.
    #[serde(skip_serializing_if = "is_zero")]
    rejected_not_kept: u64,
    /// Why nothing of the file was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    unread: Option<&'a str>,
}

/// What of a report says whether its file has been worked off.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Done {
    finished_at: Option<DateTime<Utc>>,
    #[serde(default)]
    unread: Option<String>,
}

/// What an earlier run has reported of a file.
enum Earlier {
    Nothing,
    /// That nothing was read.
    Unread {
        /// Of the report.
        etag: String,
    },
    /// That it was read, and what it asked is still known.
    Read,
    /// That it was read; what it asked is not known any more.
    ReadLongAgo,
}

/// Said of a file that was gone when its event came.
const REPLACED: &str = "the file was replaced or removed before it was read";

/// Said of a file in which there is nothing.
const EMPTY: &str = "there is no text in the file";

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// Why an event could not be worked off; Lambda gives it again, and in the end to the failure destination.
#[derive(Debug, thiserror::Error)]
pub enum BatchFeedbackError {
    /// The payload is not what S3 sends.
    #[error(transparent)]
    InvalidEvent(#[from] InvalidEvent),
    /// The file could not be fetched to its end.
    #[error("the file could not be read")]
    Read(#[source] BoxError),
    /// A text could not be looked through for personal data, or a prediction that is named not be looked up.
    #[error(transparent)]
    NotPrepared(#[from] NotPrepared),
    /// The feedback stream did not take everything.
    #[error(transparent)]
    NotStored(#[from] PublishError),
    /// Report or rejected lines could not be written, or the report not be looked for.
    #[error("the feedback bucket did not answer")]
    FeedbackBucket(#[source] BucketError),
}

impl From<BatchFeedbackError> for Diagnostic {
    fn from(error: BatchFeedbackError) -> Self {
        let error_type = match &error {
            BatchFeedbackError::InvalidEvent(_) => "InvalidEvent",
            BatchFeedbackError::Read(_) => "Read",
            BatchFeedbackError::NotPrepared(NotPrepared::NotMasked(_)) => "NotMasked",
            BatchFeedbackError::NotPrepared(NotPrepared::Prediction(_)) => "FeedbackBucket",
            BatchFeedbackError::NotStored(_) => "NotStored",
            BatchFeedbackError::FeedbackBucket(_) => "FeedbackBucket",
        };
        Self {
            error_type: error_type.to_owned(),
            error_message: error.to_string(),
        }
    }
}

/// The function.
#[derive(Debug)]
pub struct BatchFeedback {
    bucket: Bucket,
    feedback: FeedbackStream,
    erased: ErasedList,
    /// What labels are called by now.
    names: ClassNames,
    masking: Masking,
    default_classifier: String,
    claim_retention: TimeDelta,
}

impl BatchFeedback {
    /// Makes the function with clients of its own.
    pub fn new(config: Config, sdk: &SdkConfig) -> Self {
        let firehose = aws_sdk_firehose::Client::new(sdk);
        let bucket = Bucket::new(aws_sdk_s3::Client::new(sdk), config.feedback_bucket);
        Self {
            erased: ErasedList::new(bucket.clone()),
            names: ClassNames::new(bucket.other(&config.training_bucket), config.several_labels),
            bucket,
            feedback: FeedbackStream::new(firehose, config.feedback_stream),
            masking: Masking::new(config.personal_data, sdk),
            default_classifier: config.default_classifier,
            claim_retention: config.claim_retention,
        }
    }

    /// Works off all files that an S3 event names; one that fails does not hold back the others.
    ///
    /// Idempotent: a file that its report says was read is left alone.
    ///
    /// # Errors
    ///
    /// [`BatchFeedbackError`], that of the first file that failed.
    pub async fn handle(&self, payload: Value) -> Result<(), BatchFeedbackError> {
        let objects = s3_event::objects(payload)?;
        s3_event::for_each(objects, async |object| self.work_off(&object).await).await
    }

    async fn work_off(&self, object: &S3Object) -> Result<(), BatchFeedbackError> {
        if object.key.ends_with('/') && object.size == 0 {
            return Ok(()); // What consoles call a folder.
        }
        let is_left = self.bucket.other(&object.bucket).is_left(&object.key).await;
        if is_left.map_err(|error| BatchFeedbackError::Read(error.into()))? {
            info!(
                object.key,
                "texts were erased from a file that was worked off before"
            );
            return Ok(());
        }
        self.work_off_new(object).await
    }

    async fn work_off_new(&self, object: &S3Object) -> Result<(), BatchFeedbackError> {
        let name = keys::result_name(&object.bucket, &object.key, &object.etag);
        let report_key = keys::batch_report(&name);
        let earlier = self.earlier(&report_key).await?;
        if matches!(earlier, Earlier::Read) {
            info!(object.key, "the file was worked off before");
            return Ok(());
        }
        let started_at = aws::now();
        let outcome = match object.size {
            0 => Some(Outcome::default()),
            _ => self.read(object, &name).await?,
        };
        let is_empty = |outcome: &Outcome| {
            outcome.accepted + outcome.duplicates + outcome.rejected + outcome.rejected_not_kept == 0
        };
        let unread = match &outcome {
            None => Some(REPLACED),
            Some(outcome) if is_empty(outcome) => Some(EMPTY),
            Some(_) => None,
        };
        if let Some(reason) = unread {
            warn!(object.bucket, object.key, reason, "a file is unread");
        }
        let outcome = outcome.unwrap_or_default();
        let (classifier, classifiers) = match outcome.classifiers.len() {
            0 | 1 => (outcome.classifiers.into_keys().next(), BTreeMap::new()),
            _ => (None, outcome.classifiers),
        };
        let report = Report {
            bucket: &object.bucket,
            key: &object.key,
            etag: &object.etag,
            classifier,
            classifiers,
            accepted: outcome.accepted,
            rejected: outcome.rejected,
            duplicates: outcome.duplicates,
            masked: outcome.masked,
            repairs: outcome.repairs,
            started_at,
            finished_at: aws::now(),
            rejected_keys: (1..=outcome.rejected_objects)
                .map(|number| keys::rejected("batch-feedback", &name, number))
                .collect(),
            rejected_not_kept: outcome.rejected_not_kept,
            unread,
        };
        let written = self.report(&report_key, &report, &earlier).await;
        written.map_err(BatchFeedbackError::FeedbackBucket)?;
        metrics::count(
            "batch-feedback",
            &[
                ("Accepted", outcome.accepted),
                ("RejectedLines", outcome.rejected),
                ("Duplicates", outcome.duplicates),
                ("UnreadFiles", u64::from(unread.is_some())),
            ],
        );
        Ok(())
    }

    /// Reads what an earlier run has reported of a file. A report that is damaged says that it was read.
    async fn earlier(&self, report_key: &str) -> Result<Earlier, BatchFeedbackError> {
        let (report, etag) = match self.bucket.read_version::<Done>(report_key).await {
            Ok(Some(found)) => found,
            Ok(None) => return Ok(Earlier::Nothing),
            Err(BucketError::Damaged { .. }) => return Ok(Earlier::Read),
            Err(error) => return Err(BatchFeedbackError::FeedbackBucket(error)),
        };
        let has_expired = (report.finished_at).is_some_and(|at| Utc::now() - at > self.claim_retention);
        Ok(match report.unread {
            Some(_) => Earlier::Unread { etag },
            None if has_expired => Earlier::ReadLongAgo,
            None => Earlier::Read,
        })
    }

    /// Writes a report. That nothing of a file was read never takes the place of what another run has read of it.
    async fn report(&self, key: &str, report: &Report<'_>, earlier: &Earlier) -> Result<(), BucketError> {
        let before = match (report.unread, earlier) {
            (None, _) => return self.bucket.put_document(key, report).await,
            (Some(_), Earlier::Nothing) => None,
            (Some(_), Earlier::Unread { etag }) => Some(etag.as_str()),
            (Some(_), Earlier::Read | Earlier::ReadLongAgo) => return Ok(()),
        };
        let replaced = self.bucket.replace_document(key, before, report).await?;
        if replaced == Replaced::Changed {
            info!(report.key, "another run has reported of the file meanwhile");
        }
        Ok(())
    }

    /// Reads the file, a JSON document twice: what stands at its end counts for all its texts. `None` if it
    /// is gone.
    async fn read(&self, object: &S3Object, name: &str) -> Result<Option<Outcome>, BatchFeedbackError> {
        let Some(body) = self.open(object).await? else {
            return Ok(None);
        };
        match reader::find_whole(body).await.map_err(PassOnError::Read)? {
            Ok(whole) => Ok(self.pass_on(object, whole, name).await?),
            Err(reason) => self.reject_file(name, &reason).await.map(Some),
        }
    }

    /// Returns the classifier of items and documents that name none.
    fn classifier(&self, key: &str) -> String {
        let of_key = classifier_of_key(key).filter(|folder| folder.len() <= MAX_CLASSIFIER_BYTES);
        of_key.unwrap_or(&self.default_classifier).to_owned()
    }

    /// Reads the file on a thread of its own and stores what it yields meanwhile.
    ///
    /// Memory: one batch that is read, one that waits, [`BATCHES_IN_FLIGHT`] that are sent.
    async fn pass_on(
        &self,
        object: &S3Object,
        whole: Whole,
        name: &str,
    ) -> Result<Option<Outcome>, PassOnError> {
        let Some(body) = self.open(object).await.map_err(PassOnError::Store)? else {
            return Ok(None);
        };
        let (sender, receiver) = mpsc::channel(1);
        // The time of the event: a second try makes the same records.
        let received_at = object.time.map_or_else(aws::now, aws::rfc3339);
        let classifier = self.classifier(&object.key);
        let erased = self.erased.current().await;
        let erased = erased.map_err(|error| PassOnError::Store(BatchFeedbackError::FeedbackBucket(error)))?;
        let made = reader::Making {
            classifier,
            received_at,
            masking: self.masking.clone(),
            predictions: self.bucket.clone(),
            erased,
            set: self.names.set().await,
        };
        let reading = reader::start(body, whole, made, sender);
        let chunks = stream::unfold(receiver, async |mut receiver| {
            Some((receiver.recv().await?, receiver))
        });
        // Dropping the channel on an error stops the reader.
        let stored = chunks
            .map(|chunk| self.store(chunk, name))
            .buffer_unordered(BATCHES_IN_FLIGHT)
            .try_for_each(|()| ready(Ok(())))
            .await;
        let outcome = reader::finished(reading).await;
        stored.map_err(PassOnError::Store)?;
        outcome.map(Some).map_err(|error| match error {
            ReadingError::Read(error) => PassOnError::Read(error),
            ReadingError::NotPrepared(error) => PassOnError::Store(error.into()),
        })
    }

    async fn open(&self, object: &S3Object) -> Result<Option<ByteStream>, BatchFeedbackError> {
        let bucket = self.bucket.other(&object.bucket);
        let body = bucket.open_version(&object.key, &object.etag).await;
        body.map_err(|error| BatchFeedbackError::Read(error.into()))
    }

    async fn store(&self, chunk: Chunk, name: &str) -> Result<(), BatchFeedbackError> {
        match chunk {
            Chunk::Lines(lines) => Ok(self.feedback.publish_batch(lines).await?),
            Chunk::Rejected(object) => {
                let put = rejected::put(&self.bucket, "batch-feedback", name, object).await;
                put.map_err(BatchFeedbackError::FeedbackBucket)
            }
        }
    }

    /// Sets aside that a whole file cannot be used.
    async fn reject_file(&self, name: &str, reason: &str) -> Result<Outcome, BatchFeedbackError> {
        let mut lines = RejectedLines::default();
        let bad = BadItem {
            reason: reason.to_owned(),
            raw: Vec::new(),
        };
        lines.push(0, &bad);
        if let Some(object) = lines.finish() {
            self.store(Chunk::Rejected(object), name).await?;
        }
        Ok(Outcome {
            rejected: lines.count,
            rejected_objects: lines.objects(),
            ..Outcome::default()
        })
    }
}

/// Why passing a file on ended early.
enum PassOnError {
    Read(ReadError),
    Store(BatchFeedbackError),
}

impl From<PassOnError> for BatchFeedbackError {
    fn from(error: PassOnError) -> Self {
        match error {
            PassOnError::Read(error) => Self::Read(error.into()),
            PassOnError::Store(error) => error,
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
    let batch_feedback = &BatchFeedback::new(lambda::configured(&env, Config::from_env(&env))?, &sdk);
    lambda::run_events(|event: LambdaEvent<Value>| batch_feedback.handle(event.payload)).await
}
