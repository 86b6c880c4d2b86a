//! The work of a classification job, outside the request that asked for it.
//!
//! Documents are read, classified and put down a part at a time: memory does not grow with their number. An attempt goes on
//! where the one before ended. One whose time runs out hands over: it asks for the work again, which S3 tells this same
//! function of. Lambda may take that for an endless loop after some sixteen times; whoever describes the job then asks anew.
//!
//! Differs from Comprehend: documents are plain text in UTF-8; one that is not, or is blank, gets a line with
//! its error.

mod input;
mod parts;

use std::{io, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use active_learning_core::{model::CANNOT_BE_LOADED, text::Vector};
use text_encoder::EncoderError;
use text_model::{MAX_ENCODED, ModelError};

use self::input::{Found, Input};
pub(crate) use self::parts::Progress;
use crate::{
    arn::ClassifierArn,
    bucket::{Bucket, NamedObjectError, StoreError, Updated, unusable_encoder},
    classification,
    classification_job::{InputFormat, Job, JobProperties, JobStatus, resource},
    encoders::{Classifying, Encoders},
    s3_uri::S3Uri,
    time::epoch_seconds,
    vectors::{self, For},
    work::{Claim, Invocation, NotBegun, Run},
};

/// Documents of a part where each is encoded: half a minute on one core.
const ENCODED_AT_ONCE: usize = 4_000;
/// Documents of a part where none is encoded.
const DOCUMENTS_AT_ONCE: usize = MAX_ENCODED;
/// Output that is put together however little time is left, in bytes before it is packed.
const SMALL_OUTPUT: u64 = 8 << 20;
/// Time that is left for what comes beside the work on a part.
const SPARE: TimeDelta = TimeDelta::seconds(30);

/// Why a job failed. Names objects, never their text.
#[derive(Debug, thiserror::Error)]
enum JobError {
    #[error("CLASSIFIER_INVALID_INPUT: {0}")]
    NamedObject(#[source] NamedObjectError),
    #[error("CLASSIFIER_INVALID_INPUT: there are no documents at {0}")]
    NoInput(S3Uri),
    #[error(
        "CLASSIFIER_INVALID_INPUT: what is at {0} changed {times} times while the job read it; start the job again on files to \
         which none is added until it is done",
        times = parts::MAX_BEGUN_ANEW + 1
    )]
    InputChanges(S3Uri),
    #[error("{}", cannot_be_loaded(.0))]
    Model(#[source] ModelError),
    #[error("{}", unusable_encoder(.0))]
    Encoder(#[source] EncoderError),
    #[error("the request cannot be used any more")]
    Request,
    #[error("parts of the output that were kept are gone: start the job again")]
    PartGone,
    #[error("the output could not be put together on disk: {0}")]
    Disk(#[source] io::Error),
    #[error(transparent)]
    Store(StoreError),
}

/// Says that a model cannot be loaded, so that whoever builds models knows it.
fn cannot_be_loaded(why: &ModelError) -> String {
    format!("{CANNOT_BE_LOADED}: {why}")
}

impl From<NamedObjectError> for JobError {
    fn from(error: NamedObjectError) -> Self {
        match error {
            NamedObjectError::Store(error) => Self::Store(error),
            NamedObjectError::Refused { .. } => Self::NamedObject(error),
        }
    }
}

/// How an attempt ended.
enum Attempt {
    /// The output is written.
    Done,
    /// There is more to do, for another invocation.
    OutOfTime,
    /// Another invocation has the job by now.
    Lost,
}

/// Does a job that waits for it, and puts down how it went. `part` is how many documents are put down at a time; none is as many
/// as take half a minute.
///
/// Idempotent: a job that is done, or on which another invocation works, is left alone.
///
/// # Errors
///
/// The bucket failed; the event may be sent again.
pub(crate) async fn run(
    bucket: &Bucket,
    encoders: &Encoders,
    id: &str,
    invocation: &Invocation,
    part: Option<usize>,
) -> Result<(), StoreError> {
    let resource = resource(id);
    let Some(job) = claim(bucket, &resource, id, invocation).await? else {
        return Ok(());
    };
    let pace = Pace::new(invocation);
    let failure = match Box::pin(classify_all(bucket, encoders, job, invocation, pace, part)).await {
        Ok(Attempt::Done) => None,
        Ok(Attempt::OutOfTime) => return hand_over(bucket, &resource, invocation).await,
        Ok(Attempt::Lost) => return Ok(()),
        Err(JobError::Store(error)) => return Err(error),
        Err(refusal) => Some(refusal.to_string()),
    };
    let put_down = |job: &mut Job| {
        if !is_mine(job, invocation) {
            return Err(());
        }
        end(&mut job.properties, failure.as_deref());
        Ok(())
    };
    if let Updated::Done(job) = bucket.update(&resource, put_down).await? {
        tracing::info!(job.id = id, status = ?job.properties.job_status, "classification job ended");
        parts::clear(bucket, id).await;
        bucket.work_is_done(&resource).await?;
    }
    Ok(())
}

/// Returns whether this invocation works on the job.
fn is_mine(job: &Job, invocation: &Invocation) -> bool {
    let run = job.run.as_ref();
    job.properties.is_open() && run.is_some_and(|run| run.owner == invocation.request_id)
}

/// Lets go of a job that is not done, and asks for the rest.
async fn hand_over(bucket: &Bucket, resource: &str, invocation: &Invocation) -> Result<(), StoreError> {
    let let_go = |job: &mut Job| {
        if !is_mine(job, invocation) {
            return Err(());
        }
        if let Some(run) = &mut job.run {
            run.until = Utc::now();
        }
        Ok(())
    };
    if let Updated::Done(_) = bucket.update(resource, let_go).await? {
        tracing::info!(resource, "classification job goes on in another invocation");
        bucket.ask_for_work(resource).await?;
    }
    Ok(())
}

/// Returns the job if it is to be done here and now.
async fn claim(
    bucket: &Bucket,
    resource: &str,
    id: &str,
    invocation: &Invocation,
) -> Result<Option<Job>, StoreError> {
    let begin = |job: &mut Job| {
        if !job.properties.is_open() {
            return Err(NotBegun::Finished);
        }
        match Run::claim(job.run.as_ref(), invocation, Utc::now()) {
            Claim::Mine(run) => {
                job.run = Some(run);
                job.properties.job_status = JobStatus::InProgress;
            }
            Claim::Busy => return Err(NotBegun::Busy),
            Claim::Exhausted => {
                let reason = "the job did not come to an end in several attempts";
                end(&mut job.properties, Some(reason));
            }
        }
        Ok(())
    };
    match bucket.update(resource, begin).await? {
        Updated::Done(job) if job.properties.is_open() => return Ok(Some(job)),
        Updated::Refused(NotBegun::Busy) => return Ok(None),
        Updated::Missing | Updated::Refused(NotBegun::Finished) | Updated::Done(_) => {}
    }
    parts::clear(bucket, id).await;
    bucket.work_is_done(resource).await?;
    Ok(None)
}

fn end(properties: &mut JobProperties, failure: Option<&str>) {
    properties.end_time = Some(epoch_seconds(Utc::now()));
    properties.message = failure.map(str::to_owned);
    properties.job_status = match failure {
        Some(_) => JobStatus::Failed,
        None => JobStatus::Completed,
    };
}

/// How much time there is.
struct Pace {
    deadline: DateTime<Utc>,
    /// When the part at hand was begun.
    begun: DateTime<Utc>,
    /// Time that the longest part took.
    longest: TimeDelta,
}

impl Pace {
    fn new(invocation: &Invocation) -> Self {
        Self {
            deadline: invocation.deadline,
            begun: Utc::now(),
            longest: TimeDelta::zero(),
        }
    }

    /// Takes note that a part was done at this time; returns whether there is time for one that takes twice as long as the
    /// longest one.
    fn goes_on(&mut self, now: DateTime<Utc>) -> bool {
        self.longest = self.longest.max(now - self.begun);
        self.begun = now;
        now + self.longest * 2 + SPARE < self.deadline
    }
}

/// Classifies what is left to classify, as far as time goes; a first part in any case.
async fn classify_all(
    bucket: &Bucket,
    encoders: &Encoders,
    job: Job,
    invocation: &Invocation,
    mut pace: Pace,
    part: Option<usize>,
) -> Result<Attempt, JobError> {
    let properties = &job.properties;
    let id = properties.job_id.as_str();
    let (input, format) = properties
        .input_data_config
        .input()
        .map_err(|_| JobError::Request)?;
    let model = load(encoders, &properties.document_classifier_arn).await?;
    let output = properties.output_data_config.s3_uri.as_deref();
    let output: S3Uri = output.and_then(|uri| uri.parse().ok()).ok_or(JobError::Request)?;
    let role = Some(properties.data_access_role_arn.as_str());
    let bucket = &bucket.as_role(role, [&input, &output]).await?;
    let objects = match format {
        // Each file has its line, an empty one too; an empty file of lines has none.
        InputFormat::OneDocPerFile => bucket.list_files(&input).await?,
        InputFormat::OneDocPerLine => bucket.list_named(&input).await?,
    };
    if objects.is_empty() {
        return Err(JobError::NoInput(input));
    }

    let digest = input::digest(&objects);
    let mut progress = match job.progress {
        Some(progress) => {
            let progress = progress.with_input(digest);
            progress.ok_or_else(|| JobError::InputChanges(input.clone()))?
        }
        None => Progress::none(digest),
    };
    let mut documents = Input::new(bucket, &input, format, &objects, progress.next);
    let most = part.unwrap_or(match model.encoder() {
        Some(_) => ENCODED_AT_ONCE,
        None => DOCUMENTS_AT_ONCE,
    });
    let mut is_fresh = true;
    loop {
        let found = documents.part(most).await?;
        let predictions = classify_part(bucket, &model, found).await;
        let is_small = progress.bytes + predictions.len() as u64 <= SMALL_OUTPUT;
        let has_time = pace.goes_on(Utc::now());
        if documents.is_at_its_end() && (is_fresh || is_small || has_time) {
            progress.put_together(bucket, id, predictions, &output).await?;
            return Ok(Attempt::Done);
        }
        let kept = progress.keep(bucket, id, predictions, documents.next()).await;
        kept.map_err(JobError::Store)?;
        if !put_down(bucket, id, invocation, &progress).await? {
            return Ok(Attempt::Lost);
        }
        if !has_time {
            return Ok(Attempt::OutOfTime);
        }
        is_fresh = false;
    }
}

/// Puts down how far a job is; returns whether it is still this invocation's. An attempt that comes further is none that failed.
async fn put_down(
    bucket: &Bucket,
    id: &str,
    invocation: &Invocation,
    progress: &Progress,
) -> Result<bool, JobError> {
    let come_further = |job: &mut Job| {
        if !is_mine(job, invocation) {
            return Err(());
        }
        job.progress = Some(progress.clone());
        if let Some(run) = &mut job.run {
            run.attempts = 0;
        }
        Ok(())
    };
    let updated = bucket.update(&resource(id), come_further).await;
    Ok(matches!(updated.map_err(JobError::Store)?, Updated::Done(_)))
}

async fn load(encoders: &Encoders, arn: &str) -> Result<Arc<Classifying>, JobError> {
    let arn: ClassifierArn = arn.parse().map_err(|_| JobError::Request)?;
    match encoders.model(&arn.resource()).await {
        Ok(model) => Ok(Arc::new(model)),
        Err(StoreError::Model { source, .. }) => Err(JobError::Model(source)),
        Err(StoreError::Encoder(error)) => Err(JobError::Encoder(error)),
        Err(error) => Err(JobError::Store(error)),
    }
}

/// Returns one JSON line a document.
async fn classify_part(bucket: &Bucket, model: &Arc<Classifying>, found: Vec<Found>) -> Vec<u8> {
    let vectors = vectors_of(bucket, model, &found).await;
    let model = Arc::clone(model);
    let working = tokio::task::spawn_blocking(move || {
        let lines = found.into_iter().zip(&vectors);
        let line = |(found, vector): (Found, &Option<Vector>)| {
            json_line(&classify_document(&model, found, vector.as_ref()))
        };
        lines.flat_map(line).collect::<Vec<u8>>()
    });
    working.await.expect("predicting neither panics nor is cancelled")
}

/// Returns the vectors that the model looks at, in the order of the documents.
async fn vectors_of(bucket: &Bucket, model: &Classifying, found: &[Found]) -> Vec<Option<Vector>> {
    let Some(encoder) = model.encoder() else {
        return vec![None; found.len()];
    };
    let texts: Vec<String> = found.iter().flat_map(|found| &found.document).cloned().collect();
    let made = vectors::of(bucket, encoder, model.recent(), For::Job, texts).await;
    let mut vectors = made.into_iter();
    let of_text = |found: &Found| found.document.is_ok().then(|| vectors.next()).flatten();
    found.iter().map(of_text).collect()
}

fn classify_document(model: &Classifying, found: Found, vector: Option<&Vector>) -> Value {
    let mut identity = found.identity;
    let error = match &found.document {
        Ok(text) => {
            let predictions = model.model.predict_with(text, vector);
            let scores = classification::scores(model.model.mode(), predictions, None);
            if let (Value::Object(identity), Value::Object(scores)) = (&mut identity, scores) {
                identity.extend(scores);
            }
            return identity;
        }
        Err(error) => *error,
    };
    identity["ErrorCode"] = "INVALID_DOCUMENT".into();
    identity["ErrorMessage"] = error.into();
    identity
}

fn json_line(value: &Value) -> Vec<u8> {
    let mut line = value.to_string().into_bytes();
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_goes_on_while_a_part_may_take_twice_as_long_as_any_before() {
        let at = |seconds| DateTime::from_timestamp(seconds, 0).expect("a time");
        let mut pace = Pace {
            deadline: at(900),
            begun: at(0),
            longest: TimeDelta::zero(),
        };

        let goes_on = [100, 140, 669, 670].map(|seconds| pace.goes_on(at(seconds)));

        // From the third on the longest took 529 seconds.
        assert_eq!(goes_on, [true, true, false, false]);
        let mut pace = Pace {
            deadline: at(900),
            begun: at(600),
            longest: TimeDelta::seconds(100),
        };
        assert_eq!([669, 670].map(|seconds| pace.goes_on(at(seconds))), [true, false]);
    }
}
