//! What new objects in the training bucket ask this function to do.

use active_learning_aws::s3_event;
use active_learning_core::dataset::is_initial_file;
use aws_lambda_events::s3::{S3Event, S3EventRecord};
use lambda_runtime::Diagnostic;

use crate::{
    Config,
    arn::{ClassifierArn, EndpointArn, FlywheelArn},
    bucket::{self, Bucket, ENCODER_FOLDER, StoreError},
    classification_job, classification_run,
    encoders::Encoders,
    endpoint, flywheel,
    initial_model::{self, Upload},
    roll_out, training_run,
    work::Invocation,
};

/// Why an event was not dealt with.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// The bucket failed; the event may be sent again.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<EventError> for Diagnostic {
    fn from(error: EventError) -> Self {
        let error_type = match &error {
            EventError::Store(_) => "Store",
        };
        Self {
            error_type: error_type.into(),
            error_message: error.to_string(),
        }
    }
}

/// Does what each object of an event asks for. The same event again changes nothing. `part` is how many documents a
/// classification job puts down at a time, if that is decided.
///
/// # Errors
///
/// The first object that could not be dealt with.
pub(crate) async fn handle(
    bucket: &Bucket,
    encoders: &Encoders,
    config: &Config,
    event: S3Event,
    invocation: &Invocation,
    part: Option<usize>,
) -> Result<(), EventError> {
    // What waits for the encoder may be taken now, also where another one was chosen since.
    if encoders.are_new() {
        Box::pin(initial_model::take_waiting(bucket, encoders, config)).await?;
        encoders.are_known();
    }
    for record in event.records {
        let Some(upload) = upload(bucket, record) else {
            continue;
        };
        if is_initial_file(&upload.key) {
            Box::pin(initial_model::build(bucket, encoders, config, &upload)).await?;
        } else if upload.key.starts_with(ENCODER_FOLDER) {
            Box::pin(initial_model::take_waiting(bucket, encoders, config)).await?;
        } else if let Some(resource) = bucket::resource_of_job(&upload.key) {
            work(bucket, encoders, config, resource, invocation, part).await?;
        } else {
            tracing::warn!(key = upload.key, "nothing is to be done for such an object");
        }
    }
    Ok(())
}

async fn work(
    bucket: &Bucket,
    encoders: &Encoders,
    config: &Config,
    resource: &str,
    invocation: &Invocation,
    part: Option<usize>,
) -> Result<(), StoreError> {
    let own = &config.endpoint_arn;
    if let Some(classifier) = ClassifierArn::from_resource(own.scope(), resource) {
        return Box::pin(training_run::run(bucket, encoders, &classifier, invocation)).await;
    }
    match resource.split_once('/') {
        Some((endpoint::KIND, name)) => {
            roll_out::run(bucket, encoders, &EndpointArn::new(own.scope(), name)).await
        }
        Some((classification_job::KIND, id)) => {
            Box::pin(classification_run::run(bucket, encoders, id, invocation, part)).await
        }
        Some((flywheel::KIND, name)) => {
            let arn = FlywheelArn::new(own.scope(), name);
            Box::pin(flywheel::run::fill_lake(
                bucket,
                config.test_share,
                &arn,
                invocation,
            ))
            .await
        }
        Some((flywheel::dataset::KIND, rest)) => match flywheel::names(rest) {
            Some(names) => {
                Box::pin(flywheel::run::fill_dataset(
                    bucket,
                    own.scope(),
                    names,
                    invocation,
                ))
                .await
            }
            None => Ok(()),
        },
        Some((flywheel::iteration::KIND, rest)) => match flywheel::names(rest) {
            Some(names) => {
                Box::pin(flywheel::iterate::iterate(
                    bucket,
                    encoders,
                    own.scope(),
                    names,
                    invocation,
                ))
                .await
            }
            None => Ok(()),
        },
        Some(_) | None => {
            tracing::warn!(resource, "nothing is to be done for such a resource");
            Ok(())
        }
    }
}

fn upload(bucket: &Bucket, record: S3EventRecord) -> Option<Upload> {
    let key = record.s3.object.key.as_deref().and_then(s3_event::decode_key);
    let upload = Upload {
        key: key.unwrap_or_default(),
        etag: record.s3.object.e_tag.unwrap_or_default(),
        time: record.event_time,
    };
    let ours = record.s3.bucket.name.as_deref() == Some(bucket.name())
        && record
            .event_name
            .is_some_and(|name| name.starts_with("ObjectCreated:"));
    if !ours {
        tracing::warn!(
            key = upload.key,
            "event is not about a new object of this bucket: left alone"
        );
    }
    ours.then_some(upload)
}
