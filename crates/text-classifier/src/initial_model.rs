//! The first model: a training file under `initial/` becomes the model that serves.

use std::sync::Arc;

use active_learning_aws::metrics;
use active_learning_core::{
    dataset::{
        HeldOut, INITIAL_PREFIX, NearCopies, ONLY_LABEL, SAMPLE_IGNORED, TrainingFileReport,
        TrainingFileState, TrainingRow, TrainingRows, is_initial_file, is_shipped_sample, is_test,
        label_column, only_label_out_of_use, report_key,
    },
    erasure::{ERASED, rows_without},
    labels::{
        label_set::{Label, LabelSet, Origin, Resolution},
        missing::is_missing,
    },
    text::counted_as,
};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::json;
use sha2::{Digest, Sha256};

use text_encoder::Encoder;
use text_model::{LABEL_DELIMITER, Mode, Trained, TrainingDataError, TrainingSet, train};

use crate::{
    Config,
    arn::{ClassifierArn, EndpointArn},
    bucket::{Bucket, StoreError, Updated},
    classifier::{
        Classifier, ClassifierMetadata, ClassifierProperties, ModelStatus, TrainedFacts, TrainingFile,
        encoder_of, message,
    },
    encoders::Encoders,
    endpoint::{Endpoint, InitialModel},
    recent::Recent,
    s3_uri::S3Uri,
    time::epoch_seconds,
    training_input::InputDataConfig,
    vectors,
};

/// Raise it when training changes: the same file then makes a new version.
const TRAINER_REVISION: u32 = 9;
const SEED: u64 = 1;

/// A new object of the bucket.
pub(crate) struct Upload {
    pub key: String,
    pub etag: String,
    pub time: DateTime<Utc>,
}

/// Trains on a file and puts its model in service, unless that of a newer file is; says in a report what
/// became of it.
///
/// [`Config::test_share`] of its texts is left out, as datasets hold it out, so that later models can be compared
/// with this one. A file that cannot be used is refused in its report and changes nothing; so is sample
/// data beside a user's own. Where the text encoder cannot be used, a good file waits: see [`take_waiting`].
///
/// Idempotent: a model's version comes from the file's content, the order of files from the time of
/// their upload. The same event again changes nothing, whatever came in between.
///
/// # Errors
///
/// The bucket failed.
pub(crate) async fn build(
    bucket: &Bucket,
    encoders: &Encoders,
    config: &Config,
    upload: &Upload,
) -> Result<(), StoreError> {
    if bucket.is_left(&upload.key).await? {
        tracing::info!(
            key = upload.key,
            "texts were erased from a training file that was taken before"
        );
        return Ok(());
    }
    let Some(file) = bucket.object(&upload.key, &upload.etag).await? else {
        tracing::info!(
            key = upload.key,
            "training file is gone or replaced: its own event follows"
        );
        return Ok(());
    };
    build_of(bucket, encoders, config, upload, file).await
}

/// Looks again at the files that wait for the text encoder, and takes them where it can be used now. Idempotent.
///
/// # Errors
///
/// The bucket failed.
pub(crate) async fn take_waiting(
    bucket: &Bucket,
    encoders: &Encoders,
    config: &Config,
) -> Result<(), StoreError> {
    for file in bucket.own_objects(INITIAL_PREFIX).await? {
        if !is_initial_file(&file.key) {
            continue;
        }
        let report: Option<TrainingFileReport> = bucket.read_own(&report_key(&file.key)).await?;
        let waits = |report: &TrainingFileReport| {
            report.state == TrainingFileState::Waiting && report.etag == file.etag
        };
        let Some(report) = report.filter(waits) else {
            continue;
        };
        let uploaded = DateTime::parse_from_rfc3339(&report.at);
        let upload = Upload {
            time: uploaded.map_or(file.modified, |at| at.with_timezone(&Utc)),
            key: file.key,
            etag: file.etag,
        };
        build(bucket, encoders, config, &upload).await?;
    }
    Ok(())
}

async fn build_of(
    bucket: &Bucket,
    encoders: &Encoders,
    config: &Config,
    upload: &Upload,
    file: Vec<u8>,
) -> Result<(), StoreError> {
    let mut report = TrainingFileReport::of(&upload.key, &upload.etag, TrainingFileState::Taken);
    report.at = active_learning_aws::rfc3339(upload.time);
    let is_sample = is_shipped_sample(&upload.key, &hex::encode(Sha256::digest(&file)));
    let erased = bucket.erased().await?;
    let label = label_column(&file, Some(LABEL_DELIMITER));
    let (file, rows) = rows_without(&file, |place, field| place != label && erased.contains(field));
    if is_sample && has_own_data(bucket, &upload.key).await? {
        report.state = TrainingFileState::Ignored;
        report.reason = Some(SAMPLE_IGNORED.to_owned());
        return write_report(bucket, &report).await;
    }
    let made = taken(bucket, encoders, config, upload, file).await?;
    let arn = match made {
        Ok((arn, repairs)) => {
            report.repairs = repairs;
            report.repairs.extend(told_of_erased(rows.len()));
            report.erased_rows = rows;
            arn
        }
        Err(Refusal::OnlyLabel {
            label,
            repairs,
            reason,
        }) => {
            report.repairs = repairs;
            report.repairs.extend(told_of_erased(rows.len()));
            let set = bucket.label_sets().current().await?;
            let out_of_use = set.as_ref().and_then(|set| set.out_of_use(&label));
            if let Some(label) = out_of_use {
                return refuse(bucket, report, only_label_out_of_use(label)).await;
            }
            if !set.as_ref().is_some_and(|set| set.has_labels_beside(&label)) {
                return refuse(bucket, report, reason).await;
            }
            report.repairs.push(ONLY_LABEL.to_owned());
            report.erased_rows = rows;
            let several = set.as_ref().is_some_and(|set| set.has_several_in_data());
            if set.is_some_and(|set| set.find(&label).is_none()) {
                report
                    .repairs
                    .extend(take_labels(bucket, upload, &[label], several).await?);
            }
            keep_earlier_repairs(bucket, &mut report).await?;
            return write_report(bucket, &report).await;
        }
        Err(Refusal::Encoder(reason)) => {
            tracing::error!(
                key = upload.key,
                reason,
                "a training file waits for the text encoder"
            );
            report.state = TrainingFileState::Waiting;
            report.reason = Some(reason);
            return write_report(bucket, &report).await;
        }
        Err(Refusal::Other(refusal)) => return refuse(bucket, report, refusal).await,
    };
    // Before the model serves: people choose from what it knows.
    match is_sample {
        true => {
            let sets = bucket.label_sets();
            sets.current_or_seed(&config.classes, &report.at).await?;
        }
        false => report
            .repairs
            .extend(take_labels_of_model(bucket, config, upload, &arn).await?),
    }
    keep_earlier_repairs(bucket, &mut report).await?;

    put_in_service(bucket, &config.endpoint_arn, upload, &arn).await?;
    if bucket.read::<Classifier>(&arn.resource()).await?.is_none() {
        // A version of long ago that did not serve: a build has deleted it (`KeepModelVersions`) before the switch. From
        // now on none does.
        tracing::warn!(
            model.arn = arn.to_string(),
            "a model was deleted while it came into service: it is trained again"
        );
        return Box::pin(build(bucket, encoders, config, upload)).await;
    }
    report.model_arn = Some(arn.to_string());
    write_report(bucket, &report).await
}

/// Why no model is made of a file.
enum Refusal {
    /// All its rows have the same label: they are worth something beside others.
    OnlyLabel {
        label: String,
        repairs: Vec<String>,
        reason: String,
    },
    /// The text encoder cannot be used: nothing is wrong with the file.
    Encoder(String),
    Other(String),
}

impl From<TrainingDataError> for Refusal {
    fn from(error: TrainingDataError) -> Self {
        let reason = error.to_string();
        match error.only_label() {
            Ok((label, repairs)) => Self::OnlyLabel {
                label,
                repairs,
                reason,
            },
            Err(_) => Self::Other(reason),
        }
    }
}

/// Reports that a file cannot be used, and why.
async fn refuse(bucket: &Bucket, mut report: TrainingFileReport, reason: String) -> Result<(), StoreError> {
    tracing::error!(key = report.key, reason, "a training file cannot be used");
    metrics::count("text-classifier", &[("RefusedTrainingFiles", 1)]);
    report.state = TrainingFileState::Refused;
    report.reason = Some(reason);
    write_report(bucket, &report).await
}

/// Makes a model of a file; returns it with what was repaired, or why there is none.
async fn taken(
    bucket: &Bucket,
    encoders: &Encoders,
    config: &Config,
    upload: &Upload,
    file: Vec<u8>,
) -> Result<Result<(ClassifierArn, Vec<String>), Refusal>, StoreError> {
    let encoder = match encoders.current().await {
        Ok(encoder) => encoder,
        Err(error @ StoreError::Encoder(_)) => {
            // What is wrong with the file is told before.
            let read = training_set_of(bucket, file, Reading::of(config)).await?;
            let waits = format!(
                "{error}. Nothing is wrong with this file: it is taken as soon as the encoder can be used"
            );
            return Ok(Err(match read {
                Ok(_) => Refusal::Encoder(waits),
                Err(refusal) => refusal.into(),
            }));
        }
        Err(error) => return Err(error),
    };
    let (endpoint, reading) = (&config.endpoint_arn, Reading::of(config));
    let encoder_identity = encoder.as_ref().map(|encoder| encoder.identity());
    let version = version(&file, reading, encoder_identity);
    let arn = ClassifierArn::new(endpoint.scope(), endpoint.name(), Some(&version));
    let recent = encoders.recent();
    let trained = trained(bucket, encoder.as_ref(), recent, upload, file, reading, &arn).await?;
    Ok(match trained {
        Ok(repairs) => Ok((arn, repairs)),
        Err(refusal) => Err(refusal.into()),
    })
}

/// Keeps what an earlier run of the same event has said: what it did needs not be done again.
async fn keep_earlier_repairs(bucket: &Bucket, report: &mut TrainingFileReport) -> Result<(), StoreError> {
    let earlier: Option<TrainingFileReport> = bucket.read_own(&report_key(&report.key)).await?;
    let earlier = earlier.filter(|earlier| earlier.etag == report.etag && earlier.state == report.state);
    for repair in earlier.map(|earlier| earlier.repairs).unwrap_or_default() {
        if !report.repairs.contains(&repair) {
            report.repairs.push(repair);
        }
    }
    Ok(())
}

/// Takes in the labels of a user's own file, which are those of its model: see [`take_labels`].
async fn take_labels_of_model(
    bucket: &Bucket,
    config: &Config,
    upload: &Upload,
    arn: &ClassifierArn,
) -> Result<Vec<String>, StoreError> {
    let classifier = bucket.read::<Classifier>(&arn.resource()).await?;
    let is_several = |classifier: &Classifier| classifier.properties.mode == Mode::MultiLabel;
    // By the parameter every model is of several labels, whatever the file has.
    let several = !config.several_labels && classifier.as_ref().is_some_and(is_several);
    let labels = classifier
        .and_then(|classifier| classifier.trained)
        .map(|trained| trained.labels);
    take_labels(bucket, upload, &labels.unwrap_or_default(), several).await
}

/// Takes the labels of a user's own file into the label set, in place of those of the parameter, and whether its texts have
/// several: then every text may have. Returns what is to be said of labels that it adds to a set which others have made.
async fn take_labels(
    bucket: &Bucket,
    upload: &Upload,
    labels: &[String],
    several: bool,
) -> Result<Vec<String>, StoreError> {
    let at = active_learning_aws::rfc3339(upload.time);
    let before = bucket.label_sets().current().await?;
    let set = bucket.label_sets().take_data(labels, several, &at).await?;
    tracing::info!(
        label_set.version = set.version(),
        labels = labels.len(),
        "labels taken in"
    );
    let changed = before.and_then(|before| match before.origin() {
        Origin::Parameter => told_of_missing(&before, &set),
        Origin::InitialData | Origin::Edited => told_of_new(&before, &set),
    });
    Ok(changed.into_iter().chain(told_of_refused(labels, &set)).collect())
}

/// Names the labels of a file that the set did not take in, and why.
fn told_of_refused(labels: &[String], set: &LabelSet) -> Option<String> {
    let refused: Vec<&str> = labels
        .iter()
        .map(String::as_str)
        .filter(|label| set.find(label).is_none())
        .collect();
    let why = set.clone().add(refused.first()?, "").err()?;
    let are = if refused.len() == 1 {
        "which is no choice"
    } else {
        "which are no choices"
    };
    Some(format!(
        "the label set did not take in {}, {are}: {why}",
        shown(&refused)
    ))
}

/// Quotes the first labels of a list.
fn shown(labels: &[&str]) -> String {
    const SHOWN: usize = 20;
    let mut names = labels[..labels.len().min(SHOWN)].join("`, `");
    if labels.len() > SHOWN {
        names += "`, `…";
    }
    format!("`{names}`")
}

/// Says how many rows were left out since their texts were erased.
fn told_of_erased(rows: usize) -> Option<String> {
    (rows > 0).then(|| format!("{} left out: {ERASED}", counted_as(rows, "row is", "rows are")))
}

/// Names the labels of the parameter that training data took the place of and does not have. Where it has none of them,
/// the parameter is of other data, as the shipped one is.
fn told_of_missing(before: &LabelSet, after: &LabelSet) -> Option<String> {
    let (kept, missing): (Vec<&str>, Vec<&str>) = before
        .active()
        .partition(|name| after.find(name).is_some_and(Label::is_active));
    (!kept.is_empty() && !missing.is_empty()).then(|| {
        format!(
            "ComprehendClassificationCategories names `{}`, which the training data does not have: no label; \
             `active-learning labels add` makes it one",
            missing.join("`, `")
        )
    })
}

/// Names the labels of a set that an earlier one did not have.
fn told_of_new(before: &LabelSet, after: &LabelSet) -> Option<String> {
    let new: Vec<&str> = after
        .active()
        .filter(|name| before.find(name).is_none())
        .collect();
    (!new.is_empty()).then(|| {
        format!(
            "the label set did not have {}: added, {} in all; `active-learning labels` changes it",
            shown(&new),
            new.len()
        )
    })
}

/// Returns whether there is a training file that was taken and is no sample.
async fn has_own_data(bucket: &Bucket, sample: &str) -> Result<bool, StoreError> {
    for file in bucket.own_objects(INITIAL_PREFIX).await? {
        if file.key == sample || !is_initial_file(&file.key) || is_shipped_sample(&file.key, "") {
            continue;
        }
        let report: Option<TrainingFileReport> = bucket.read_own(&report_key(&file.key)).await?;
        if report.is_some_and(|report| report.state == TrainingFileState::Taken) {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn write_report(bucket: &Bucket, report: &TrainingFileReport) -> Result<(), StoreError> {
    bucket.put_own(&report_key(&report.key), report).await
}

/// How a training file is read.
#[derive(Clone, Copy, Debug)]
struct Reading {
    /// Share of the texts that are left out.
    test_share: f64,
    /// [`Mode::MultiLabel`] where texts may have several labels, whatever the file has.
    mode: Mode,
}

impl Reading {
    fn of(config: &Config) -> Self {
        Self {
            test_share: config.test_share,
            mode: match config.several_labels {
                true => Mode::MultiLabel,
                false => Mode::MultiClass,
            },
        }
    }
}

/// Returns a version name from what the model depends on: the file, what is left out and the way it is
/// trained.
fn version(file: &[u8], reading: Reading, encoder: Option<&str>) -> String {
    let mode: &[u8] = match reading.mode {
        Mode::MultiClass => b"",
        Mode::MultiLabel => b"several labels",
    };
    let digest = Sha256::new()
        .chain_update(TRAINER_REVISION.to_le_bytes())
        .chain_update(SEED.to_le_bytes())
        .chain_update(reading.test_share.to_le_bytes())
        .chain_update(mode)
        .chain_update(encoder.unwrap_or_default())
        .chain_update(file)
        .finalize();
    hex::encode(&digest[..10])
}

/// Trains the version unless it is trained; returns what was repaired, or why the file cannot be used.
async fn trained(
    bucket: &Bucket,
    encoder: Option<&Arc<Encoder>>,
    recent: &Recent,
    upload: &Upload,
    file: Vec<u8>,
    reading: Reading,
    arn: &ClassifierArn,
) -> Result<Result<Vec<String>, TrainingDataError>, StoreError> {
    let resource = arn.resource();
    if let Some(trained) = bucket.read::<Classifier>(&resource).await? {
        let message = trained.properties.message;
        return Ok(Ok(message
            .map(|message| message.lines().map(str::to_owned).collect())
            .unwrap_or_default()));
    }
    let start = Utc::now();
    let mut set = match training_set_of(bucket, file, reading).await? {
        Ok(set) => set,
        Err(refusal) => return Ok(Err(refusal)),
    };
    if let Some(encoder) = encoder {
        vectors::give_to(bucket, encoder, recent, &mut set, &mut []).await;
    }
    let training = tokio::task::spawn_blocking(move || {
        let trained = train(&set, SEED);
        (set.len(), set.repairs, trained)
    });
    let (documents, repairs, trained) = training.await.expect("training neither panics nor is cancelled");
    bucket.put_model(&resource, &trained.model).await?;
    // The model exists from here on. If another run was quicker, its model is of the same rows.
    let mut classifier = describe(bucket, upload, arn, start, documents, &trained);
    classifier.properties.message = message(&repairs);
    bucket.create(&resource, &classifier).await?;
    tracing::info!(
        model.arn = classifier.properties.document_classifier_arn,
        documents,
        accuracy = trained.metrics.accuracy,
        "model trained"
    );
    Ok(Ok(repairs))
}

/// Reads the rows to train on, by the label set of now.
async fn training_set_of(
    bucket: &Bucket,
    file: Vec<u8>,
    reading: Reading,
) -> Result<Result<TrainingSet, TrainingDataError>, StoreError> {
    let labels = bucket.label_sets().current().await?;
    let read = tokio::task::spawn_blocking(move || {
        let own_name = |name: &str| own_name(labels.as_deref()?, name);
        training_set(&file, reading, &own_name)
    });
    Ok(read.await.expect("reading neither panics nor is cancelled"))
}

/// Returns the name that the label set has for a label; where the parameter made the set, the file names the labels.
fn own_name(set: &LabelSet, name: &str) -> Option<String> {
    let label = set.find(name)?;
    Some(match (set.origin(), set.resolve(name)) {
        (Origin::Parameter, _) => name.to_owned(),
        (_, Resolution::Label(own)) => own.to_owned(),
        (_, Resolution::Retired(_) | Resolution::Split(_) | Resolution::Proposed(_)) => label.name.clone(),
    })
}

/// Reads the rows to train on: those that no test set holds, nor any near copy of them.
///
/// A label that would be left without a row would be missing in the model: then all rows are trained on.
fn training_set(
    file: &[u8],
    Reading { test_share, mode }: Reading,
    own_name: &dyn Fn(&str) -> Option<String>,
) -> Result<TrainingSet, TrainingDataError> {
    if test_share <= 0.0 {
        return TrainingSet::read_csv_where(file, mode, own_name, &|_| true);
    }
    let mut held_out = HeldOut::default();
    for row in TrainingRows::new(file, None)? {
        let TrainingRow { label, text, .. } = row?;
        if is_missing(&label) && own_name(&label).is_none() {
            continue;
        }
        if is_test(&text, test_share) {
            held_out.insert(&text);
        }
    }
    let near_copies = NearCopies::of(&held_out);
    let set = TrainingSet::read_csv_where(file, mode, own_name, &|text| !near_copies.contains(text))?;
    if set.counts().contains(&0) {
        let mut all = TrainingSet::read_csv_where(file, mode, own_name, &|_| true)?;
        all.repairs.push(
            "warning: too few rows to leave any out: \
             this model has seen texts that later ones are tested with"
                .to_owned(),
        );
        return Ok(all);
    }
    tracing::info!(rows = set.len(), "texts of the test set are left out");
    Ok(set)
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
            flywheel_arn: None,
        },
        origin: None,
        tags: Vec::new(),
        run: None,
        trained: Some(TrainedFacts {
            labels,
            confidence: trained.confidence,
            encoder: encoder_of(&trained.model),
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
    let now = Utc::now();
    let initial = InitialModel {
        uploaded: upload.time,
        model_arn: arn.to_string(),
        since: Some(now),
        previous: None,
    };
    let now = epoch_seconds(now);
    let replace = |state: &mut Endpoint| {
        // Of two files of the same millisecond one is always the newer.
        let known = state.initial.as_ref();
        if known
            .is_some_and(|known| (known.uploaded, &known.model_arn) >= (initial.uploaded, &initial.model_arn))
        {
            return Err(());
        }
        let previous = state.serving_model().map(str::to_owned);
        state.put_in_service(
            InitialModel {
                previous,
                ..initial.clone()
            },
            now,
        );
        Ok(())
    };
    let state = loop {
        match bucket.update(&endpoint.resource(), replace).await? {
            // The run before may have been broken off before it wrote the switch down.
            Updated::Refused(()) => break bucket.read::<Endpoint>(&endpoint.resource()).await?,
            Updated::Done(state) => break Some(state),
            Updated::Missing => {
                let state = Endpoint::in_service(endpoint, initial.clone(), now);
                if bucket.create(&endpoint.resource(), &state).await? {
                    break Some(state);
                }
            }
        }
    };
    let serving = state.and_then(|state| state.initial);
    match serving
        .filter(|serving| serving.model_arn == initial.model_arn && serving.uploaded == initial.uploaded)
    {
        Some(serving) => put_switch(bucket, upload, &serving).await,
        None => Ok(()),
    }
}

/// Writes down that the model came into service, as builds do, so that it can be rolled back like any other.
async fn put_switch(bucket: &Bucket, upload: &Upload, initial: &InitialModel) -> Result<(), StoreError> {
    let replaced = initial
        .previous
        .as_ref()
        .filter(|previous| **previous != initial.model_arn);
    let (Some(since), Some(_)) = (initial.since, replaced) else {
        return Ok(()); // There is nothing to go back to.
    };
    let at = since.to_rfc3339_opts(SecondsFormat::Millis, true);
    let version = initial.model_arn.rsplit('/').next().unwrap_or_default();
    let build_id = format!("initial-{version}");
    let switch = json!({
        "at": at,
        "modelArn": initial.model_arn,
        "previousModelArn": initial.previous,
        "by": "initial-file",
        "reason": format!("the training file {} was put there", upload.key),
        "buildId": build_id,
    });
    bucket
        .put_own(&format!("deployments/{at}-{build_id}.json"), &switch)
        .await?;
    tracing::info!(model.arn = initial.model_arn, "model in service");
    Ok(())
}

#[cfg(test)]
mod tests;
