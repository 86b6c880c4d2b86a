//! The first model: a training file under `initial/` becomes the model that serves.

use active_learning_core::dataset::{self, HeldOut, NearCopies, is_test, read_csv};
use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use text_model::{LABEL_DELIMITER, Mode, Trained, TrainingDataError, TrainingSet, train};

use crate::{
    arn::{ClassifierArn, EndpointArn},
    bucket::{Bucket, StoreError, Updated},
    bucket_event::EventError,
    classifier::{
        Classifier, ClassifierMetadata, ClassifierProperties, ModelStatus, TrainedFacts, TrainingFile,
    },
    endpoint::{Endpoint, InitialModel},
    s3_uri::S3Uri,
    time::epoch_seconds,
    training_input::InputDataConfig,
};

/// Prefix of the training files that make a model at once.
const PREFIX: &str = "initial/";
const SUFFIX: &str = ".csv";
/// Raise it when training changes: the same file then makes a new version.
const TRAINER_REVISION: u32 = 4;
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
/// `test_share` of its texts is left out, as datasets hold it out, so that later models can be compared with this one.
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
    test_share: f64,
    upload: &Upload,
) -> Result<(), EventError> {
    let Some(file) = bucket.object(&upload.key, &upload.etag).await? else {
        tracing::info!(
            key = upload.key,
            "training file is gone or replaced: its own event follows"
        );
        return Ok(());
    };
    let arn = ClassifierArn::new(
        endpoint.scope(),
        endpoint.name(),
        Some(&version(&file, test_share)),
    );
    if bucket.read::<Classifier>(&arn.resource()).await?.is_none() {
        train_version(bucket, upload, file, test_share, &arn).await?;
    }
    put_in_service(bucket, endpoint, upload, &arn).await?;
    Ok(())
}

/// Returns a version name from what the model depends on: the file, what is left out and the way it is trained.
fn version(file: &[u8], test_share: f64) -> String {
    let digest = Sha256::new()
        .chain_update(TRAINER_REVISION.to_le_bytes())
        .chain_update(SEED.to_le_bytes())
        .chain_update(test_share.to_le_bytes())
        .chain_update(file)
        .finalize();
    hex::encode(&digest[..10])
}

async fn train_version(
    bucket: &Bucket,
    upload: &Upload,
    file: Vec<u8>,
    test_share: f64,
    arn: &ClassifierArn,
) -> Result<(), EventError> {
    let start = Utc::now();
    let training = tokio::task::spawn_blocking(move || {
        let set = training_set(&file, test_share)?;
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

/// Reads the rows to train on: those that no test set holds, nor any near copy of them.
///
/// A label that would be left without a row would be missing in the model: then all rows are trained on.
fn training_set(file: &[u8], test_share: f64) -> Result<TrainingSet, TrainingDataError> {
    let all = TrainingSet::read_csv(file)?;
    if test_share <= 0.0 {
        return Ok(all);
    }
    // Two sets at a time would take twice the memory.
    let (rows_in_all, mode, labels) = (all.len(), all.mode, all.labels);
    drop(all.examples);
    // The file is good, or reading it above had failed; labels are split there.
    let rows = || read_csv(file, dataset::Mode::MultiClass).filter_map(Result::ok);
    let mut held_out = HeldOut::default();
    for row in rows().filter(|row| is_test(&row.text, test_share)) {
        held_out.insert(&row.text);
    }
    let near_copies = NearCopies::of(&held_out);
    let mut kept = csv::Writer::from_writer(Vec::new());
    for row in rows().filter(|row| !near_copies.contains(&row.text)) {
        kept.write_record([&row.labels.concat(), &row.text])
            .map_err(|error| TrainingDataError::Read(error.into()))?;
    }
    let kept = kept
        .into_inner()
        .map_err(|error| TrainingDataError::Read(error.into_error()))?;
    match TrainingSet::read_csv(&kept[..]) {
        Ok(set) if set.mode == mode && set.labels == labels => {
            tracing::info!(
                rows = rows_in_all,
                left_out = rows_in_all - set.len(),
                "texts of the test set are left out"
            );
            Ok(set)
        }
        Ok(_) | Err(_) => {
            tracing::warn!(
                rows = rows_in_all,
                "too few rows to leave any out: this model has seen texts that later ones are tested with"
            );
            TrainingSet::read_csv(file)
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn file(rows: usize) -> String {
        (0..rows)
            .map(|row| {
                format!(
                    "{},{row} {} {}\n",
                    ["a", "b"][row % 2],
                    row * 7919,
                    row * row * 104_729
                )
            })
            .collect()
    }

    #[test]
    fn what_datasets_hold_out_is_left_out_with_its_near_copies() {
        let file = file(100);
        let held_out: Vec<String> = read_csv(file.as_bytes(), dataset::Mode::MultiClass)
            .filter_map(Result::ok)
            .map(|row| row.text)
            .filter(|text| is_test(text, 0.2))
            .collect();
        let copies: String = held_out
            .iter()
            .map(|text| format!("a,{}!\n", text.to_uppercase()))
            .collect();

        let all = training_set(file.as_bytes(), 0.0).expect("a good file");
        let some = training_set(file.as_bytes(), 0.2).expect("a good file");
        let with_copies = training_set((file + &copies).as_bytes(), 0.2).expect("a good file");

        assert_eq!(all.len(), 100);
        assert!(held_out.len() > 5 && some.len() > 50);
        assert!(some.len() <= 100 - held_out.len());
        assert_eq!(with_copies.len(), some.len());
    }

    #[test]
    fn a_label_is_not_left_without_a_row() {
        let share = (1..100)
            .map(|percent| f64::from(percent) / 100.0)
            .find(|share| is_test("the only row", *share))
            .expect("some share");
        let file = format!("{}c,the only row\n", file(100));

        let set = training_set(file.as_bytes(), share).expect("a good file");

        assert_eq!((set.len(), set.labels.len()), (101, 3));
    }

    #[test]
    fn labels_stay_several_when_all_rows_with_a_delimiter_are_left_out() {
        let file = "a|b,the only row with two\na,one\nb,two\na,three\nb,four\n";

        for percent in 0..100 {
            let set = training_set(file.as_bytes(), f64::from(percent) / 100.0).expect("a good file");
            assert_eq!(set.mode, Mode::MultiLabel, "{percent} %");
        }
    }

    #[test]
    fn another_share_makes_another_version() {
        assert_ne!(version(b"a,b", 0.1), version(b"a,b", 0.2));
    }
}
