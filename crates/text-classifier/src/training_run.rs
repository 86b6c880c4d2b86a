//! Training of a classifier, outside the request that asked for it.

use std::{collections::BTreeSet, sync::Arc};

use active_learning_core::{
    keys,
    model::evaluation::{LabelNames, TestPrediction},
    sampling::selection::SelectedTexts,
};
use aws_sdk_s3::primitives::ByteStream;
use chrono::Utc;
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio_util::io::SyncIoBridge;

use text_model::{
    Confidence, Model, TrainingDataError, TrainingSet,
    metrics::{self, Outcome},
    train,
    training_data::{Collector, Example, LABEL_DELIMITER},
};

use crate::{
    arn::ClassifierArn,
    bucket::{Bucket, NamedObjectError, StoreError, Updated},
    classifier::{
        Classifier, ClassifierMetadata, ClassifierProperties, ModelStatus, TrainedFacts, TrainingFile,
        encoder_of, message,
    },
    encoders::Encoders,
    flywheel::lake::{self, Newest},
    output,
    s3_uri::S3Uri,
    time::epoch_seconds,
    training_input::{Input, Source, Use},
    vectors,
    work::{Claim, Invocation, NotBegun, Run},
};

const SEED: u64 = 1;

/// With fewer texts and no test set, none is held out: the model is measured by cross-validation.
const MIN_TEXTS_TO_SPLIT: usize = 100;

/// Why nothing was trained. Names objects and lines, never their text.
#[derive(Debug, thiserror::Error)]
enum TrainingError {
    #[error("{0}")]
    NamedObject(#[source] NamedObjectError),
    #[error("there is no training data at {0}")]
    NoData(S3Uri),
    #[error("training data {uri} cannot be used: {source}")]
    File {
        uri: S3Uri,
        #[source]
        source: TrainingDataError,
    },
    #[error("the training data cannot be used: {0}")]
    Data(#[from] TrainingDataError),
    #[error("the request cannot be used any more")]
    Request,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<NamedObjectError> for TrainingError {
    fn from(error: NamedObjectError) -> Self {
        match error {
            NamedObjectError::Store(error) => Self::Store(error),
            NamedObjectError::Refused { .. } => Self::NamedObject(error),
        }
    }
}

/// What training made.
struct Built {
    metadata: ClassifierMetadata,
    facts: TrainedFacts,
    /// What was read otherwise than it is written.
    repairs: Vec<String>,
    output: Option<S3Uri>,
}

/// The texts of a request, as features.
struct Data {
    train: Collector,
    test: Option<Collector>,
    files: Vec<TrainingFile>,
}

/// Trains a classifier that waits for it, and puts down how it went.
///
/// Idempotent: a classifier that is trained, or on which another invocation works, is left alone.
///
/// # Errors
///
/// The bucket failed; the event may be sent again.
pub(crate) async fn run(
    bucket: &Bucket,
    encoders: &Encoders,
    arn: &ClassifierArn,
    invocation: &Invocation,
) -> Result<(), StoreError> {
    let resource = arn.resource();
    let Some(classifier) = claim(bucket, &resource, invocation).await? else {
        return Ok(());
    };
    let result = match build(bucket, encoders, arn, &classifier).await {
        Ok(built) => Ok(built),
        Err(TrainingError::Store(error)) if !matches!(error, StoreError::Encoder(_)) => return Err(error),
        Err(refusal) => Err(refusal.to_string()),
    };
    finish(bucket, &resource, invocation, &result).await
}

/// Returns the classifier if it is to be trained here and now.
async fn claim(
    bucket: &Bucket,
    resource: &str,
    invocation: &Invocation,
) -> Result<Option<Classifier>, StoreError> {
    let now = Utc::now();
    let begin = |classifier: &mut Classifier| {
        let properties = &mut classifier.properties;
        match properties.status {
            ModelStatus::Submitted | ModelStatus::Training | ModelStatus::StopRequested => {}
            ModelStatus::Deleting
            | ModelStatus::Stopped
            | ModelStatus::InError
            | ModelStatus::Trained
            | ModelStatus::TrainedWithWarning => return Err(NotBegun::Finished),
        }
        match Run::claim(classifier.run.as_ref(), invocation, now) {
            Claim::Mine(run) => classifier.run = Some(run),
            Claim::Busy => return Err(NotBegun::Busy),
            Claim::Exhausted => {
                properties.status = ModelStatus::InError;
                properties.message = Some("training did not come to an end in several attempts".to_owned());
                properties.end_time = Some(epoch_seconds(now));
                return Ok(());
            }
        }
        if properties.status == ModelStatus::StopRequested {
            properties.status = ModelStatus::Stopped;
            properties.end_time = Some(epoch_seconds(now));
        } else {
            properties.status = ModelStatus::Training;
            properties.training_start_time.get_or_insert(epoch_seconds(now));
        }
        Ok(())
    };
    match bucket.update(resource, begin).await? {
        Updated::Done(classifier) if classifier.properties.status == ModelStatus::Training => {
            return Ok(Some(classifier));
        }
        Updated::Refused(NotBegun::Busy) => return Ok(None),
        Updated::Missing | Updated::Refused(NotBegun::Finished) | Updated::Done(_) => {}
    }
    bucket.work_is_done(resource).await?;
    Ok(None)
}

async fn finish(
    bucket: &Bucket,
    resource: &str,
    invocation: &Invocation,
    result: &Result<Built, String>,
) -> Result<(), StoreError> {
    let now = epoch_seconds(Utc::now());
    let put_down = |classifier: &mut Classifier| {
        let properties = &mut classifier.properties;
        let mine = classifier
            .run
            .as_ref()
            .is_some_and(|run| run.owner == invocation.request_id);
        let stop = properties.status == ModelStatus::StopRequested;
        if !mine || !stop && properties.status != ModelStatus::Training {
            return Err(());
        }
        properties.training_end_time = Some(now);
        properties.end_time = Some(now);
        match result {
            Ok(_) | Err(_) if stop => properties.status = ModelStatus::Stopped,
            Ok(built) => {
                properties.status = ModelStatus::Trained;
                properties.message = message(&built.repairs);
                properties.classifier_metadata = Some(built.metadata.clone());
                if let (Some(config), Some(uri)) = (&mut properties.output_data_config, &built.output) {
                    config.s3_uri = Some(uri.to_string());
                }
                classifier.trained = Some(built.facts.clone());
            }
            Err(reason) => {
                properties.status = ModelStatus::InError;
                properties.message = Some(reason.clone());
            }
        }
        Ok(())
    };
    if let Updated::Done(classifier) = bucket.update(resource, put_down).await? {
        let properties = &classifier.properties;
        tracing::info!(
            classifier.arn = properties.document_classifier_arn,
            status = ?properties.status,
            message = properties.message,
            "training ended"
        );
        bucket.work_is_done(resource).await?;
    }
    Ok(())
}

async fn build(
    bucket: &Bucket,
    encoders: &Encoders,
    arn: &ClassifierArn,
    classifier: &Classifier,
) -> Result<Built, TrainingError> {
    let properties = &classifier.properties;
    let input = properties.input_data_config.input(properties.mode);
    let input = input.map_err(|_| TrainingError::Request)?;
    let folder = properties
        .output_data_config
        .as_ref()
        .and_then(|config| config.s3_uri.as_deref());
    let folder: Option<S3Uri> = folder
        .map(|folder| folder.parse().map_err(|_| TrainingError::Request))
        .transpose()?;
    let named = input.sources.iter().map(|source| &source.uri).chain(&folder);
    let role = properties.data_access_role_arn.as_deref();
    let bucket = &bucket.as_role(role, named).await?;
    let data = collect(bucket, &input, properties).await?;
    let files = data.files;
    let preparing = tokio::task::spawn_blocking(move || prepare(data.train, data.test));
    let mut prepared = preparing
        .await
        .expect("reading neither panics nor is cancelled")?;
    let is_of_flywheel = properties.flywheel_arn.is_some();
    prepared
        .set
        .set_selected(&selected(bucket, &input, is_of_flywheel).await?);
    let prepared = encode(bucket, encoders, prepared).await?;
    let training = tokio::task::spawn_blocking(move || train_and_test(prepared));
    let tested = training.await.expect("training neither panics nor is cancelled");
    bucket.put_model(&arn.resource(), &tested.model).await?;
    let output = match folder {
        Some(folder) => {
            let uri = output::uri(&folder, &arn.scope, "CLR", &output_id(classifier));
            let matrix = confusion_matrix(&tested.model, &tested.outcomes);
            let confidence = json!(tested.confidence).to_string().into_bytes();
            let mut files: Vec<(&str, &[u8])> = vec![
                ("confusion_matrix.json", &matrix),
                ("confidence.json", &confidence),
            ];
            if let Some(lines) = &tested.cross_validation {
                files.push(("cross_validation.jsonl", lines));
            }
            let archive = output::archive(&files);
            bucket.put_named(&uri, output::CONTENT_TYPE, archive).await?;
            Some(uri)
        }
        None => None,
    };
    let labels = tested.model.labels().to_vec();
    Ok(Built {
        repairs: tested.repairs,
        output,
        metadata: ClassifierMetadata {
            number_of_labels: labels.len(),
            number_of_trained_documents: tested.trained_on,
            number_of_test_documents: tested.outcomes.len(),
            evaluation_metrics: metrics::evaluate(tested.model.mode(), labels.len(), &tested.outcomes),
        },
        facts: TrainedFacts {
            labels,
            confidence: tested.confidence,
            encoder: encoder_of(&tested.model),
            sources: files,
        },
    })
}

/// Reads all training data; an object that is gone before it is read is an error.
async fn collect(
    bucket: &Bucket,
    input: &Input,
    properties: &ClassifierProperties,
) -> Result<Data, TrainingError> {
    let mut data = Data {
        train: Collector::new(input.syntax),
        test: None,
        files: Vec::new(),
    };
    for source in &input.sources {
        let objects = bucket.list_named(&source.uri).await?;
        if objects.is_empty() {
            return Err(TrainingError::NoData(source.uri.clone()));
        }
        let newest = match &properties.flywheel_arn {
            Some(flywheel) => {
                let written = (properties.mode, LABEL_DELIMITER);
                Some(Arc::new(
                    lake::newest(bucket, flywheel, &source.uri, written).await?,
                ))
            }
            None => None,
        };
        let collector = match source.use_for {
            Use::Train => &mut data.train,
            Use::Test => data.test.get_or_insert_with(|| Collector::new(input.syntax)),
        };
        for object in objects {
            let uri = source.uri.with_key(&object.key);
            let file = bucket.open_named(&uri).await?;
            let so_far = std::mem::replace(collector, Collector::new(input.syntax));
            *collector = read_file(so_far, file, source, &uri, newest.clone()).await?;
            collector.name_repairs(&uri.to_string());
            data.files.push(TrainingFile {
                uri: uri.to_string(),
                etag: object.etag,
            });
        }
    }
    Ok(data)
}

/// The dataset version that was assembled last.
#[derive(Deserialize)]
struct NewestDataset {
    version: String,
}

/// Returns how the texts were selected: a dataset of our own says it beside its training file. What is in the lake of a
/// flywheel came of datasets, of which the newest knows its texts as they are by now.
async fn selected(bucket: &Bucket, input: &Input, is_of_flywheel: bool) -> Result<SelectedTexts, StoreError> {
    let own = input
        .sources
        .iter()
        .filter(|source| source.uri.bucket == bucket.name());
    let versions = own.filter_map(|source| keys::dataset_of(&source.uri.key));
    let mut versions: BTreeSet<String> = versions.map(str::to_owned).collect();
    if is_of_flywheel {
        let newest: Option<NewestDataset> = bucket.read_own(keys::NEWEST_DATASET).await?;
        versions.extend(newest.map(|newest| newest.version));
    }
    let mut selected = SelectedTexts::default();
    for version in versions {
        if let Some(file) = bucket.bytes(&keys::selected_texts(&version)).await? {
            selected.append(SelectedTexts::from_bytes(&file));
        }
    }
    Ok(selected)
}

/// Reads a file as it comes: of a large one only the features are held in memory.
async fn read_file(
    mut collector: Collector,
    file: ByteStream,
    source: &Source,
    uri: &S3Uri,
    newest: Option<Arc<Newest>>,
) -> Result<Collector, TrainingError> {
    let attributes = source.attributes.clone();
    let key = uri.key.clone();
    let file = SyncIoBridge::new(file.into_async_read());
    let reading = tokio::task::spawn_blocking(move || {
        match (attributes, newest) {
            (Some(attributes), _) => collector.read_manifest(file, &attributes),
            (None, Some(newest)) => collector.read_csv_but(file, &|text| newest.is_outdated(&key, text)),
            (None, None) => collector.read_csv(file),
        }
        .map(|()| collector)
    });
    let read = reading.await.expect("reading neither panics nor is cancelled");
    read.map_err(|source| match source {
        TrainingDataError::Read(error) => TrainingError::Store(StoreError::Read(error.into())),
        source => TrainingError::File {
            uri: uri.clone(),
            source,
        },
    })
}

struct Tested {
    model: Model,
    trained_on: usize,
    confidence: Confidence,
    outcomes: Vec<Outcome>,
    /// The same with the names of labels, where there was no test set.
    cross_validation: Option<Vec<u8>>,
    repairs: Vec<String>,
}

/// What to train on, and what to test with.
struct Prepared {
    set: TrainingSet,
    test: Vec<Example>,
    /// Whether no test set was given.
    is_measured_by_itself: bool,
}

fn prepare(train: Collector, test: Option<Collector>) -> Result<Prepared, TrainingDataError> {
    let mut set = train.training_set()?;
    let is_measured_by_itself = test.is_none();
    let test = match test {
        Some(test) => {
            let test = test.test_set(&set.labels)?;
            set.repairs.extend(test.repairs);
            test.examples
        }
        // None to spare: each is judged by a model that has not seen it.
        None if set.len() < MIN_TEXTS_TO_SPLIT => Vec::new(),
        None => train::split_test(&mut set, SEED),
    };
    Ok(Prepared {
        set,
        test,
        is_measured_by_itself,
    })
}

/// Gives all texts their vectors, if there is an encoder and there are not too many.
async fn encode(
    bucket: &Bucket,
    encoders: &Encoders,
    mut prepared: Prepared,
) -> Result<Prepared, StoreError> {
    let Some(encoder) = encoders.current().await? else {
        return Ok(prepared);
    };
    let (set, test) = (&mut prepared.set, &mut prepared.test);
    vectors::give_to(bucket, &encoder, encoders.recent(), set, test).await;
    Ok(prepared)
}

fn train_and_test(prepared: Prepared) -> Tested {
    let Prepared {
        set,
        test,
        is_measured_by_itself,
    } = prepared;
    let trained = train::train(&set, SEED);
    let outcomes = match test.is_empty() {
        true => trained.outcomes,
        false => train::judge(&trained.model, &test),
    };
    Tested {
        trained_on: set.len(),
        repairs: set.repairs,
        confidence: Confidence::of(trained.model.mode(), &outcomes),
        cross_validation: is_measured_by_itself.then(|| cross_validation(&trained.model, &outcomes)),
        outcomes,
        model: trained.model,
    }
}

/// Writes outcomes as lines of JSON, in the shape of [`TestPrediction`]; no text is in them.
fn cross_validation(model: &Model, outcomes: &[Outcome]) -> Vec<u8> {
    let (mode, labels) = (model.mode(), model.labels());
    let names = |classes: &[usize]| LabelNames::of(classes.iter().map(|&class| labels[class].as_str()));
    let mut lines = Vec::new();
    for outcome in outcomes {
        let line = TestPrediction {
            actual: names(&outcome.truth),
            predicted: names(&outcome.given(mode)),
            confidence: outcome.confidence(mode),
        };
        lines.extend(json!(line).to_string().into_bytes());
        lines.push(b'\n');
    }
    lines
}

fn confusion_matrix(model: &Model, outcomes: &[Outcome]) -> Vec<u8> {
    let (mode, labels) = (model.mode(), model.labels());
    let matrix = json!({
        "type": match mode {
            text_model::Mode::MultiClass => "multi_class",
            text_model::Mode::MultiLabel => "multi_label",
        },
        "confusion_matrix": metrics::confusion_matrix(mode, labels.len(), outcomes),
        "labels": labels,
        "all_labels": labels,
    });
    matrix.to_string().into_bytes()
}

/// The same for each attempt at a training, another for each training.
fn output_id(classifier: &Classifier) -> String {
    let properties = &classifier.properties;
    let identity = format!(
        "{}\0{}",
        properties.document_classifier_arn, properties.submit_time
    );
    hex::encode(&Sha256::digest(identity)[..16])
}
