//! The first model: a training file under `initial/` becomes the model that serves.

use active_learning_aws::objects;
use aws_lambda_events::s3::{S3Event, S3EventRecord};
use chrono::{DateTime, Utc};
use lambda_runtime::Diagnostic;
use sha2::{Digest, Sha256};

use crate::{
    LABEL_DELIMITER, Mode, Trained, TrainingDataError, TrainingSet,
    model_store::{
        ClassifierMetadata, ClassifierProperties, EndpointState, InputDataConfig, ModelMetadata, ModelStore,
        StateRead, StoreError, TrainingFile,
    },
    train,
};

/// Prefix of the training files that make a model at once.
const PREFIX: &str = "initial/";
const SUFFIX: &str = ".csv";
/// Raise it when training changes: the same file then makes a new version.
const TRAINER_REVISION: u32 = 1;
const SEED: u64 = 1;

/// Why a training file did not become the serving model. The endpoint keeps what it had.
#[derive(Debug, thiserror::Error)]
pub enum InitialModelError {
    /// The file itself is bad; sending the event again does not help.
    #[error("training file {key} cannot be used: {source}")]
    TrainingData {
        /// Object key.
        key: String,
        /// Line and reason.
        #[source]
        source: TrainingDataError,
    },
    /// The bucket failed; the event may be sent again.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<InitialModelError> for Diagnostic {
    fn from(error: InitialModelError) -> Self {
        let error_type = match &error {
            InitialModelError::TrainingData { .. } => "TrainingData",
            InitialModelError::Store(_) => "Store",
        };
        Self {
            error_type: error_type.into(),
            error_message: error.to_string(),
        }
    }
}

/// A training file that an event announces.
struct Upload {
    key: String,
    etag: String,
    time: DateTime<Utc>,
}

/// Trains on each announced file and puts the newest in service.
///
/// Idempotent: a model's version comes from the file's content, the order of files from the time of
/// their upload. The same event again changes nothing, whatever came in between.
///
/// # Errors
///
/// The first file that cannot be used, by name, line and reason.
pub(crate) async fn build(store: &ModelStore, event: S3Event) -> Result<(), InitialModelError> {
    for record in event.records {
        let Some(upload) = announced_upload(store, record) else {
            continue;
        };
        let Some(file) = store.training_file(&upload.key, &upload.etag).await? else {
            tracing::info!(
                key = upload.key,
                "training file is gone or replaced: its own event follows"
            );
            continue;
        };
        let version = version(&file);
        if store.metadata(&version).await?.is_none() {
            train_version(store, &upload, file, &version).await?;
        }
        put_in_service(store, &upload, &version).await?;
    }
    Ok(())
}

fn announced_upload(store: &ModelStore, record: S3EventRecord) -> Option<Upload> {
    let key = record.s3.object.key.as_deref().and_then(objects::decode_key);
    let upload = Upload {
        key: key.unwrap_or_default(),
        etag: record.s3.object.e_tag.unwrap_or_default(),
        time: record.event_time,
    };
    let ours = record.s3.bucket.name.as_deref() == Some(store.bucket())
        && record
            .event_name
            .is_some_and(|name| name.starts_with("ObjectCreated:"))
        && upload.key.starts_with(PREFIX)
        && upload.key.ends_with(SUFFIX);
    if !ours {
        tracing::warn!(key = upload.key, "event is not about a training file: left alone");
    }
    ours.then_some(upload)
}

/// Returns a version name from what the model depends on: the file and the way it is trained.
fn version(file: &[u8]) -> String {
    let digest = Sha256::new()
        .chain_update(TRAINER_REVISION.to_le_bytes())
        .chain_update(SEED.to_le_bytes())
        .chain_update(file)
        .finalize();
    hex::encode(&digest[..10])
}

async fn train_version(
    store: &ModelStore,
    upload: &Upload,
    file: Vec<u8>,
    version: &str,
) -> Result<(), InitialModelError> {
    let start = Utc::now();
    let training = tokio::task::spawn_blocking(move || {
        let set = TrainingSet::read_csv(&file[..])?;
        Ok((set.len(), train(&set, SEED)))
    });
    let (documents, trained) = training
        .await
        .expect("training neither panics nor is cancelled")
        .map_err(|source| InitialModelError::TrainingData {
            key: upload.key.clone(),
            source,
        })?;
    let metadata = describe(store, upload, version, start, documents, &trained);
    store.put_model(version, &trained.model, &metadata).await?;
    tracing::info!(
        model.arn = metadata.properties.document_classifier_arn,
        documents,
        accuracy = trained.metrics.accuracy,
        "model trained"
    );
    Ok(())
}

fn describe(
    store: &ModelStore,
    upload: &Upload,
    version: &str,
    start: DateTime<Utc>,
    documents: usize,
    trained: &Trained,
) -> ModelMetadata {
    let mode = trained.model.mode();
    let end = epoch_seconds(Utc::now());
    let labels = trained.model.labels().to_vec();
    ModelMetadata {
        properties: ClassifierProperties {
            document_classifier_arn: store.endpoint().model_arn(version),
            version_name: version.to_owned(),
            status: "TRAINED".to_owned(),
            mode,
            submit_time: epoch_seconds(upload.time),
            training_start_time: epoch_seconds(start),
            training_end_time: end,
            end_time: end,
            input_data_config: InputDataConfig {
                data_format: "COMPREHEND_CSV".to_owned(),
                s3_uri: format!("s3://{}/{}", store.bucket(), upload.key),
                label_delimiter: (mode == Mode::MultiLabel).then(|| LABEL_DELIMITER.to_string()),
            },
            classifier_metadata: ClassifierMetadata {
                number_of_labels: labels.len(),
                number_of_trained_documents: documents,
                number_of_test_documents: trained.held_out,
                evaluation_metrics: trained.metrics,
            },
        },
        labels,
        calibration_error: trained.calibration_error,
        source: TrainingFile {
            key: upload.key.clone(),
            etag: upload.etag.clone(),
        },
    }
}

/// Makes the model serve unless a newer file's model does; a writer who comes between is read again.
async fn put_in_service(store: &ModelStore, upload: &Upload, version: &str) -> Result<(), InitialModelError> {
    let model_arn = store.endpoint().model_arn(version);
    loop {
        let read = match store.endpoint_state(None).await? {
            StateRead::Found(read) => Some(read),
            StateRead::Missing | StateRead::Unchanged => None,
        };
        // Of two files of the same millisecond one is always the newer.
        if let Some(read) = &read
            && (read.state.training_data_time, &read.state.model_arn) >= (upload.time, &model_arn)
        {
            return Ok(());
        }
        let now = Utc::now();
        let state = EndpointState {
            status: "IN_SERVICE".to_owned(),
            model_arn: model_arn.clone(),
            desired_model_arn: model_arn.clone(),
            creation_time: read.as_ref().map_or(now, |read| read.state.creation_time),
            last_modified_time: now,
            training_data_time: upload.time,
        };
        if store.replace_endpoint_state(read.as_ref(), &state).await? {
            tracing::info!(model.arn = model_arn, "model in service");
            return Ok(());
        }
    }
}

/// Comprehend's timestamps on the wire.
pub(crate) fn epoch_seconds(time: DateTime<Utc>) -> f64 {
    time.timestamp_millis() as f64 / 1_000.0
}
