//! The work of a classification job, outside the request that asked for it.
//!
//! Differs from Comprehend: documents are plain text in UTF-8; one that is not, or is blank, gets a line with
//! its error.

use std::sync::Arc;

use chrono::Utc;
use serde_json::{Value, json};

use text_model::Model;

use crate::{
    arn::ClassifierArn,
    bucket::{Bucket, NamedObjectError, StoreError, Updated},
    classification,
    classification_job::{InputFormat, Job, JobProperties, JobStatus, resource},
    output,
    s3_uri::S3Uri,
    time::epoch_seconds,
    work::{Claim, Invocation, NotBegun, Run},
};

/// Why a job failed. Names objects, never their text.
#[derive(Debug, thiserror::Error)]
enum JobError {
    #[error("CLASSIFIER_INVALID_INPUT: {0}")]
    NamedObject(#[source] NamedObjectError),
    #[error("CLASSIFIER_INVALID_INPUT: there are no documents at {0}")]
    NoInput(S3Uri),
    #[error("the model cannot be loaded")]
    Model,
    #[error("the request cannot be used any more")]
    Request,
    #[error(transparent)]
    Store(StoreError),
}

impl From<NamedObjectError> for JobError {
    fn from(error: NamedObjectError) -> Self {
        match error {
            NamedObjectError::Store(error) => Self::Store(error),
            NamedObjectError::Refused { .. } => Self::NamedObject(error),
        }
    }
}

/// Does a job that waits for it, and puts down how it went.
///
/// Idempotent: a job that is done, or on which another invocation works, is left alone.
///
/// # Errors
///
/// The bucket failed; the event may be sent again.
pub(crate) async fn run(bucket: &Bucket, id: &str, invocation: &Invocation) -> Result<(), StoreError> {
    let resource = resource(id);
    let Some(properties) = claim(bucket, &resource, invocation).await? else {
        return Ok(());
    };
    let failure = match classify_all(bucket, &properties).await {
        Ok(()) => None,
        Err(JobError::Store(error)) => return Err(error),
        Err(refusal) => Some(refusal.to_string()),
    };
    let put_down = |job: &mut Job| {
        let mine = job
            .run
            .as_ref()
            .is_some_and(|run| run.owner == invocation.request_id);
        if !mine || !job.properties.is_open() {
            return Err(());
        }
        end(&mut job.properties, failure.as_deref());
        Ok(())
    };
    if let Updated::Done(job) = bucket.update(&resource, put_down).await? {
        tracing::info!(job.id = id, status = ?job.properties.job_status, "classification job ended");
        bucket.work_is_done(&resource).await?;
    }
    Ok(())
}

/// Returns the job if it is to be done here and now.
async fn claim(
    bucket: &Bucket,
    resource: &str,
    invocation: &Invocation,
) -> Result<Option<JobProperties>, StoreError> {
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
        Updated::Done(job) if job.properties.is_open() => return Ok(Some(job.properties)),
        Updated::Refused(NotBegun::Busy) => return Ok(None),
        Updated::Missing | Updated::Refused(NotBegun::Finished) | Updated::Done(_) => {}
    }
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

async fn classify_all(bucket: &Bucket, properties: &JobProperties) -> Result<(), JobError> {
    let (input, format) = properties
        .input_data_config
        .input()
        .map_err(|_| JobError::Request)?;
    let model = load(bucket, &properties.document_classifier_arn).await?;
    let output = properties.output_data_config.s3_uri.as_deref();
    let output: S3Uri = output.and_then(|uri| uri.parse().ok()).ok_or(JobError::Request)?;
    let role = Some(properties.data_access_role_arn.as_str());
    let bucket = bucket.as_role(role, [&input, &output]).await?;
    let objects = bucket.list_named(&input).await?;
    if objects.is_empty() {
        return Err(JobError::NoInput(input));
    }
    let mut predictions = Vec::new();
    for object in objects {
        let file = bucket.get_named(&input.with_key(&object.key)).await?;
        let name = object.key.rsplit('/').next().unwrap_or_default().to_owned();
        let model = Arc::clone(&model);
        let working = tokio::task::spawn_blocking(move || classify_file(&model, &name, &file, format));
        predictions.extend(working.await.expect("predicting neither panics nor is cancelled"));
    }
    let archive = output::archive(&[("predictions.jsonl", &predictions)]);
    bucket.put_named(&output, output::CONTENT_TYPE, archive).await?;
    Ok(())
}

async fn load(bucket: &Bucket, arn: &str) -> Result<Arc<Model>, JobError> {
    let arn: ClassifierArn = arn.parse().map_err(|_| JobError::Request)?;
    match bucket.model(&arn.resource()).await {
        Ok(model) => Ok(Arc::new(model)),
        Err(StoreError::Model { .. }) => Err(JobError::Model),
        Err(error) => Err(JobError::Store(error)),
    }
}

/// Returns one JSON line a document.
fn classify_file(model: &Model, name: &str, file: &[u8], format: InputFormat) -> Vec<u8> {
    match format {
        InputFormat::OneDocPerFile => json_line(&classify_document(model, file, json!({"File": name}))),
        InputFormat::OneDocPerLine => {
            let lines = file
                .strip_suffix(b"\n")
                .unwrap_or(file)
                .split(|&byte| byte == b'\n');
            (0_u64..)
                .zip(lines)
                .flat_map(|(line, document)| {
                    // A string, as Comprehend writes it.
                    let identity = json!({"File": name, "Line": line.to_string()});
                    json_line(&classify_document(model, document, identity))
                })
                .collect()
        }
    }
}

fn classify_document(model: &Model, document: &[u8], mut identity: Value) -> Value {
    let error = match std::str::from_utf8(document) {
        Ok(text) if !text.trim().is_empty() => {
            let scores = classification::scores(model, text, None);
            if let (Value::Object(identity), Value::Object(scores)) = (&mut identity, scores) {
                identity.extend(scores);
            }
            return identity;
        }
        Ok(_) => "the document is empty",
        Err(_) => "the document is not UTF-8",
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
