//! What is done for flywheels outside requests: rows are taken into the lake.

use active_learning_core::{dataset::is_initial_file, text::counted_as};
use chrono::Utc;

use text_model::training_data::LABEL_DELIMITER;

use crate::{
    arn::{ClassifierArn, FlywheelArn},
    bucket::{Bucket, StoreError, Updated},
    classifier::Classifier,
    flywheel::{
        self, Flywheel, FlywheelProperties, FlywheelStatus,
        dataset::{Dataset, DatasetStatus},
        lake::{self, LakeError, Newest, Taken},
    },
    s3_uri::S3Uri,
    time::epoch_seconds,
    work::{Claim, Invocation, Run},
};

pub(super) const EXHAUSTED: &str = "it did not come to an end in several attempts";

/// Takes over work on a state, where nobody else is at it and it is not done.
pub(super) enum Begun<T> {
    Mine(T),
    Busy,
    Finished,
}

/// Claims what is under `resource`, while `is_open`; `give_up` marks it as failed after too many attempts.
pub(super) async fn begin<T: serde::Serialize + serde::de::DeserializeOwned>(
    bucket: &Bucket,
    resource: &str,
    invocation: &Invocation,
    is_open: impl Fn(&T) -> bool,
    run: impl Fn(&mut T) -> &mut Option<Run>,
    give_up: impl Fn(&mut T),
) -> Result<Begun<T>, StoreError> {
    let claim = |state: &mut T| {
        if !is_open(state) {
            return Err(false);
        }
        match Run::claim(run(state).as_ref(), invocation, Utc::now()) {
            Claim::Mine(mine) => *run(state) = Some(mine),
            Claim::Busy => return Err(true),
            Claim::Exhausted => give_up(state),
        }
        Ok(())
    };
    Ok(match bucket.update(resource, claim).await? {
        Updated::Done(state) if is_open(&state) => Begun::Mine(state),
        Updated::Refused(true) => Begun::Busy,
        Updated::Done(_) | Updated::Refused(false) | Updated::Missing => Begun::Finished,
    })
}

/// Copies the data of the model that a flywheel starts with into its lake; `test_share` of a file under `initial/` is
/// held out.
///
/// # Errors
///
/// The bucket failed; the event may be sent again.
pub(crate) async fn fill_lake(
    bucket: &Bucket,
    test_share: f64,
    arn: &FlywheelArn,
    invocation: &Invocation,
) -> Result<(), StoreError> {
    let resource = arn.resource();
    let begun = begin(
        bucket,
        &resource,
        invocation,
        |flywheel: &Flywheel| flywheel.properties.status == FlywheelStatus::Creating,
        |flywheel| &mut flywheel.run,
        |flywheel| end_creation(&mut flywheel.properties, Some(EXHAUSTED)),
    );
    match begun.await? {
        Begun::Busy => return Ok(()),
        Begun::Finished => {}
        Begun::Mine(flywheel) => {
            let failure = match Box::pin(copy_of_model(bucket, test_share, &flywheel.properties)).await {
                Ok(()) => None,
                Err(LakeError::Store(error)) => return Err(error),
                Err(refusal) => Some(refusal.to_string()),
            };
            let put_down = |flywheel: &mut Flywheel| {
                end_creation(&mut flywheel.properties, failure.as_deref());
                Ok::<(), ()>(())
            };
            bucket.update(&resource, put_down).await?;
        }
    }
    bucket.work_is_done(&resource).await
}

fn end_creation(properties: &mut FlywheelProperties, failure: Option<&str>) {
    properties.status = match failure {
        Some(_) => FlywheelStatus::Failed,
        None => FlywheelStatus::Active,
    };
    properties.message = failure.map(str::to_owned);
    properties.last_modified_time = epoch_seconds(Utc::now());
}

async fn copy_of_model(
    bucket: &Bucket,
    test_share: f64,
    flywheel: &FlywheelProperties,
) -> Result<(), LakeError> {
    let model = flywheel.active_model_arn.as_deref().unwrap_or_default();
    let arn: Option<ClassifierArn> = model.parse().ok();
    let state: Option<Classifier> = match arn {
        Some(arn) => bucket.read(&arn.resource()).await?,
        None => None,
    };
    let Some(state) = state else { return Ok(()) };
    let input = state.properties.input_data_config.input(state.properties.mode);
    let sources = input.map(|input| input.sources).unwrap_or_default();
    let delimiter = state.properties.input_data_config.label_delimiter.as_deref();
    let delimiter = delimiter
        .and_then(|delimiter| delimiter.chars().next())
        .unwrap_or(LABEL_DELIMITER);
    for (number, source) in sources.iter().enumerate() {
        if source.attributes.is_some() {
            return Err(LakeError::Row {
                uri: source.uri.clone(),
                reason:
                    "the model was trained on augmented manifests, which a flywheel here cannot start with"
                        .to_owned(),
            });
        }
        let to = lake::folder(flywheel, source.use_for)?.join(&format!("active-model-{number}.csv"));
        // A training file under initial/ is all there: a share of it was not trained on.
        let is_initial = source.uri.bucket == bucket.name() && is_initial_file(&source.uri.key);
        let held_out = if is_initial { test_share } else { 0.0 };
        let newest = match &state.properties.flywheel_arn {
            Some(before) => Some(newest(bucket, flywheel, before, &source.uri, delimiter).await?),
            None => None,
        };
        let rows = (delimiter, held_out);
        lake::take(bucket, flywheel, &source.uri, rows, &to, newest.as_ref()).await?;
    }
    Ok(())
}

/// Looks which rows of the lake of another flywheel are the newest of their texts.
async fn newest(
    bucket: &Bucket,
    flywheel: &FlywheelProperties,
    before: &str,
    folder: &S3Uri,
    delimiter: char,
) -> Result<Newest, LakeError> {
    let role = Some(flywheel.data_access_role_arn.as_str());
    let bucket = bucket.as_role(role, [folder]).await?;
    Ok(lake::newest(&bucket, before, folder, (flywheel.mode(), delimiter)).await?)
}

/// Copies the rows of a dataset into the lake.
///
/// # Errors
///
/// The bucket failed; the event may be sent again.
pub(crate) async fn fill_dataset(
    bucket: &Bucket,
    scope: &str,
    (flywheel, name): (&str, &str),
    invocation: &Invocation,
) -> Result<(), StoreError> {
    let resource = flywheel::nested(flywheel::dataset::KIND, flywheel, name);
    let begun = begin(
        bucket,
        &resource,
        invocation,
        |dataset: &Dataset| dataset.properties.status == DatasetStatus::Creating,
        |dataset| &mut dataset.run,
        |dataset| end_dataset(dataset, Err(EXHAUSTED)),
    );
    match begun.await? {
        Begun::Busy => return Ok(()),
        Begun::Finished => {}
        Begun::Mine(dataset) => {
            let arn = FlywheelArn::new(scope, flywheel);
            let taken = match bucket.read::<Flywheel>(&arn.resource()).await? {
                Some(flywheel) => match take_dataset(bucket, &flywheel.properties, &dataset).await {
                    Err(LakeError::Store(error)) => return Err(error),
                    taken => taken.map_err(|refusal| refusal.to_string()),
                },
                None => Err("the flywheel was deleted".to_owned()),
            };
            let put_down = |dataset: &mut Dataset| {
                end_dataset(dataset, taken.as_ref().map_err(String::as_str));
                Ok::<(), ()>(())
            };
            bucket.update(&resource, put_down).await?;
        }
    }
    bucket.work_is_done(&resource).await
}

async fn take_dataset(
    bucket: &Bucket,
    flywheel: &FlywheelProperties,
    dataset: &Dataset,
) -> Result<Taken, LakeError> {
    let to: Option<S3Uri> = dataset.properties.dataset_s3_uri.parse().ok();
    let (Some(from), Some(to)) = (dataset.input.uri(), to) else {
        return Err(LakeError::NoLake);
    };
    let delimiter = dataset.input.delimiter().unwrap_or(LABEL_DELIMITER);
    lake::take(bucket, flywheel, &from, (delimiter, 0.0), &to, None).await
}

fn end_dataset(dataset: &mut Dataset, taken: Result<&Taken, &str>) {
    let properties = &mut dataset.properties;
    properties.end_time = Some(epoch_seconds(Utc::now()));
    match taken {
        Ok(taken) => {
            properties.status = DatasetStatus::Completed;
            properties.number_of_documents = Some(taken.rows);
            properties.message = (taken.unknown > 0).then(|| {
                format!(
                    "{} no label that the flywheel knows: left out",
                    counted_as(taken.unknown, "row has", "rows have")
                )
            });
        }
        Err(reason) => {
            properties.status = DatasetStatus::Failed;
            properties.message = Some(reason.to_owned());
        }
    }
}
