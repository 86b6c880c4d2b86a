//! The first model: a training file under `initial/` becomes the model that serves.

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use crate::{
    LABEL_DELIMITER, Mode, Trained, TrainingSet,
    arn::{ClassifierArn, EndpointArn},
    bucket::{Bucket, StoreError, Updated},
    bucket_event::EventError,
    classifier::{
        Classifier, ClassifierMetadata, ClassifierProperties, ModelStatus, TrainedFacts, TrainingFile,
    },
    endpoint::{Endpoint, InitialModel},
    s3_uri::S3Uri,
    time::epoch_seconds,
    train,
    training_input::InputDataConfig,
};

/// Prefix of the training files that make a model at once.
const PREFIX: &str = "initial/";
const SUFFIX: &str = ".csv";
/// Raise it when training changes: the same file then makes a new version.
const TRAINER_REVISION: u32 = 2;
const SEED: u64 = 1;

/// A new object of the bucket.
pub(crate) struct Upload {
    pub key: String,
    pub etag: String,
    pub time: DateTime<Utc>,
}

pub(crate) fn is_training_file(key: &str) -> bool {
    key.starts_with(PREFIX) && key.ends_with(SUFFIX)
}

/// Trains on a file and puts its model in service, unless that of a newer file is.
///
/// Idempotent: a model's version comes from the file's content, the order of files from the time of
/// their upload. The same event again changes nothing, whatever came in between.
///
/// # Errors
///
/// A file that cannot be used, by name, line and reason; or the bucket failed.
pub(crate) async fn build(
    bucket: &Bucket,
    endpoint: &EndpointArn,
    upload: &Upload,
) -> Result<(), EventError> {
    let Some(file) = bucket.object(&upload.key, &upload.etag).await? else {
        tracing::info!(
            key = upload.key,
            "training file is gone or replaced: its own event follows"
        );
        return Ok(());
    };
    let arn = ClassifierArn::new(endpoint.scope(), endpoint.name(), Some(&version(&file)));
    if bucket.read::<Classifier>(&arn.resource()).await?.is_none() {
        train_version(bucket, upload, file, &arn).await?;
    }
    put_in_service(bucket, endpoint, upload, &arn).await?;
    Ok(())
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
    bucket: &Bucket,
    upload: &Upload,
    file: Vec<u8>,
    arn: &ClassifierArn,
) -> Result<(), EventError> {
    let start = Utc::now();
    let training = tokio::task::spawn_blocking(move || {
        let set = TrainingSet::read_csv(&file[..])?;
        Ok((set.len(), train(&set, SEED)))
    });
    let (documents, trained) = training
        .await
        .expect("training neither panics nor is cancelled")
        .map_err(|source| EventError::TrainingData {
            key: upload.key.clone(),
            source,
        })?;
    let resource = arn.resource();
    bucket.put_model(&resource, &trained.model).await?;
    // The model exists from here on. If another run was quicker, its model is the same.
    let classifier = describe(bucket, upload, arn, start, documents, &trained);
    bucket.create(&resource, &classifier).await?;
    tracing::info!(
        model.arn = classifier.properties.document_classifier_arn,
        documents,
        accuracy = trained.metrics.accuracy,
        "model trained"
    );
    Ok(())
}

/// Test documents are the ones held out in turn.
fn describe(
    bucket: &Bucket,
    upload: &Upload,
    arn: &ClassifierArn,
    start: DateTime<Utc>,
    documents: usize,
    trained: &Trained,
) -> Classifier {
    let mode = trained.model.mode();
    let end = Some(epoch_seconds(Utc::now()));
    let labels = trained.model.labels().to_vec();
    let uri = S3Uri {
        bucket: bucket.name().to_owned(),
        key: upload.key.clone(),
    };
    Classifier {
        properties: ClassifierProperties {
            document_classifier_arn: arn.to_string(),
            version_name: arn.version.clone(),
            language_code: None,
            status: ModelStatus::Trained,
            message: None,
            mode,
            submit_time: epoch_seconds(upload.time),
            training_start_time: Some(epoch_seconds(start)),
            training_end_time: end,
            end_time: end,
            input_data_config: InputDataConfig {
                data_format: Some("COMPREHEND_CSV".to_owned()),
                s3_uri: Some(uri.to_string()),
                label_delimiter: (mode == Mode::MultiLabel).then(|| LABEL_DELIMITER.to_string()),
                ..InputDataConfig::default()
            },
            output_data_config: None,
            data_access_role_arn: None,
            classifier_metadata: Some(ClassifierMetadata {
                number_of_labels: labels.len(),
                number_of_trained_documents: documents,
                number_of_test_documents: trained.held_out,
                evaluation_metrics: trained.metrics,
            }),
        },
        origin: None,
        tags: Vec::new(),
        run: None,
        trained: Some(TrainedFacts {
            labels,
            confidence: trained.confidence,
            sources: vec![TrainingFile {
                uri: uri.to_string(),
                etag: upload.etag.clone(),
            }],
        }),
    }
}

async fn put_in_service(
    bucket: &Bucket,
    endpoint: &EndpointArn,
    upload: &Upload,
    arn: &ClassifierArn,
) -> Result<(), StoreError> {
    let initial = InitialModel {
        uploaded: upload.time,
        model_arn: arn.to_string(),
    };
    let now = epoch_seconds(Utc::now());
    let replace = |state: &mut Endpoint| {
        // Of two files of the same millisecond one is always the newer.
        let known = state.initial.as_ref();
        if known
            .is_some_and(|known| (known.uploaded, &known.model_arn) >= (initial.uploaded, &initial.model_arn))
        {
            return Err(());
        }
        state.put_in_service(initial.clone(), now);
        Ok(())
    };
    loop {
        match bucket.update(&endpoint.resource(), replace).await? {
            Updated::Refused(()) => return Ok(()),
            Updated::Done(_) => break,
            Updated::Missing => {
                let state = Endpoint::in_service(endpoint, initial.clone(), now);
                if bucket.create(&endpoint.resource(), &state).await? {
                    break;
                }
            }
        }
    }
    tracing::info!(model.arn = initial.model_arn, "model in service");
    Ok(())
}
