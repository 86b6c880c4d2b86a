//! The work of a classification job, outside the request that asked for it.
//!
//! Differs from Comprehend: documents are plain text in UTF-8; one that is not, or is blank, gets a line with
//! its error.

use std::{collections::HashMap, sync::Arc};

use chrono::Utc;
use serde_json::{Value, json};

use active_learning_core::{
    model::CANNOT_BE_LOADED,
    text::{Vector, is_blank},
};
use text_encoder::EncoderError;
use text_model::{MAX_ENCODED, ModelError};

use crate::{
    arn::ClassifierArn,
    bucket::{Bucket, NamedObjectError, StoreError, Updated, unusable_encoder},
    classification,
    classification_job::{InputFormat, Job, JobProperties, JobStatus, resource},
    encoders::{Classifying, Encoders},
    output,
    s3_uri::S3Uri,
    time::epoch_seconds,
    vectors,
    work::{Claim, Invocation, NotBegun, Run},
};

/// Documents that are classified together.
const DOCUMENTS_AT_ONCE: usize = MAX_ENCODED;

/// Why a job failed. Names objects, never their text.
#[derive(Debug, thiserror::Error)]
enum JobError {
    #[error("CLASSIFIER_INVALID_INPUT: {0}")]
    NamedObject(#[source] NamedObjectError),
    #[error("CLASSIFIER_INVALID_INPUT: there are no documents at {0}")]
    NoInput(S3Uri),
    #[error("{}", cannot_be_loaded(.0))]
    Model(#[source] ModelError),
    #[error("{}", unusable_encoder(.0))]
    Encoder(#[source] EncoderError),
    #[error("the request cannot be used any more")]
    Request,
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

/// Does a job that waits for it, and puts down how it went.
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
) -> Result<(), StoreError> {
    let resource = resource(id);
    let Some(properties) = claim(bucket, &resource, invocation).await? else {
        return Ok(());
    };
    let failure = match classify_all(bucket, encoders, &properties).await {
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

async fn classify_all(
    bucket: &Bucket,
    encoders: &Encoders,
    properties: &JobProperties,
) -> Result<(), JobError> {
    let (input, format) = properties
        .input_data_config
        .input()
        .map_err(|_| JobError::Request)?;
    let model = load(encoders, &properties.document_classifier_arn).await?;
    let output = properties.output_data_config.s3_uri.as_deref();
    let output: S3Uri = output.and_then(|uri| uri.parse().ok()).ok_or(JobError::Request)?;
    let role = Some(properties.data_access_role_arn.as_str());
    let bucket = bucket.as_role(role, [&input, &output]).await?;
    let objects = match format {
        // Each file has its line, an empty one too; an empty file of lines has none.
        InputFormat::OneDocPerFile => bucket.list_files(&input).await?,
        InputFormat::OneDocPerLine => bucket.list_named(&input).await?,
    };
    if objects.is_empty() {
        return Err(JobError::NoInput(input));
    }
    let keys: Vec<&str> = objects.iter().map(|object| object.key.as_str()).collect();
    let mut predictions = Vec::new();
    for (key, name) in keys.iter().zip(file_names(&input.key, &keys)) {
        let file = bucket.get_named(&input.with_key(key)).await?;
        predictions.extend(classify_file(&bucket, &model, name, &file, format).await);
    }
    let archive = output::archive(&[("predictions.jsonl", &predictions)]);
    bucket.put_named(&output, output::CONTENT_TYPE, archive).await?;
    Ok(())
}

/// Returns what the output calls each file: the last part of its key, or its path below the input's folder where others end
/// as it does.
fn file_names<'a>(input: &str, keys: &[&'a str]) -> Vec<&'a str> {
    let last = |key: &&'a str| key.rsplit('/').next().unwrap_or_default();
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for name in keys.iter().map(last) {
        *counts.entry(name).or_default() += 1;
    }
    let folder = input.rfind('/').map_or(0, |end| end + 1);
    let name = |key: &&'a str| match counts.get(last(key)) {
        Some(2..) => key.get(folder..).unwrap_or(key),
        _ => last(key),
    };
    keys.iter().map(name).collect()
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

/// Returns one JSON line a document, of so many documents at a time.
async fn classify_file(
    bucket: &Bucket,
    model: &Arc<Classifying>,
    name: &str,
    file: &[u8],
    format: InputFormat,
) -> Vec<u8> {
    let documents = match format {
        InputFormat::OneDocPerFile => vec![file],
        InputFormat::OneDocPerLine => lines(file),
    };
    let mut predictions = Vec::new();
    let mut number = 0_u64;
    for documents in documents.chunks(DOCUMENTS_AT_ONCE) {
        let documents: Vec<Document> = documents.iter().map(|document| read(document)).collect();
        let vectors = vectors_of(bucket, model, &documents).await;
        let (model, name, first) = (Arc::clone(model), name.to_owned(), number);
        number += documents.len() as u64;

        let working = tokio::task::spawn_blocking(move || {
            let numbered = (first..).zip(documents.iter().zip(&vectors));
            let line = |(number, (document, vector)): (u64, (&Document, &Option<Vector>))| {
                let identity = match format {
                    InputFormat::OneDocPerFile => json!({"File": name}),
                    // A string, as Comprehend writes it.
                    InputFormat::OneDocPerLine => json!({"File": name, "Line": number.to_string()}),
                };
                json_line(&classify_document(&model, document, vector.as_ref(), identity))
            };
            numbered.flat_map(line).collect::<Vec<u8>>()
        });
        predictions.extend(working.await.expect("predicting neither panics nor is cancelled"));
    }
    predictions
}

/// A document's text, or why it is none.
type Document = Result<String, &'static str>;

fn lines(file: &[u8]) -> Vec<&[u8]> {
    let lines = file.strip_suffix(b"\n").unwrap_or(file);
    lines.split(|&byte| byte == b'\n').collect()
}

fn read(document: &[u8]) -> Document {
    match std::str::from_utf8(document) {
        Ok(text) if !is_blank(text) => Ok(text.to_owned()),
        Ok(_) => Err("the document is empty"),
        Err(_) => Err("the document is not UTF-8"),
    }
}

/// Returns the vectors that the model looks at, in the order of the documents.
async fn vectors_of(bucket: &Bucket, model: &Classifying, documents: &[Document]) -> Vec<Option<Vector>> {
    let Some(encoder) = model.encoder() else {
        return vec![None; documents.len()];
    };
    let texts: Vec<String> = documents.iter().flatten().cloned().collect();
    let mut vectors = vectors::of(bucket, encoder, texts).await.into_iter();
    let of_text = |document: &Document| document.is_ok().then(|| vectors.next()).flatten();
    documents.iter().map(of_text).collect()
}

fn classify_document(
    model: &Classifying,
    document: &Document,
    vector: Option<&Vector>,
    mut identity: Value,
) -> Value {
    let error = match document {
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
    fn files_of_one_name_are_told_apart_by_their_paths_below_the_folder_of_the_input() {
        let keys = ["f3/a.txt", "f3/b.txt", "f3/x/a.txt", "f3/y/a.txt"];

        assert_eq!(file_names("f3/", &keys), ["a.txt", "b.txt", "x/a.txt", "y/a.txt"]);
        assert_eq!(
            file_names("f3", &keys),
            ["f3/a.txt", "b.txt", "f3/x/a.txt", "f3/y/a.txt"]
        );
        assert_eq!(file_names("f3/b", &["f3/b.txt"]), ["b.txt"]);
    }
}
