//! Which predictions are accepted as labels: asked seldom, and never in the way of an answer.

use std::time::Duration;

use active_learning_aws::{
    failure::chain,
    objects::{self, ReadError},
};
use active_learning_core::model::accuracy_guarantee::{MAX_PROMISES_BYTES, PROMISES_KEY, Promises};
use aws_sdk_s3::{
    Client,
    error::{BoxError, ProvideErrorMetadata, SdkError},
    operation::get_object::GetObjectError,
};
use lambda_http::tracing::{debug, warn};
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};

/// How long promises, also that they cannot be read, are remembered: so long one that was broken still counts here.
/// What is accepted meanwhile is left out when a dataset is assembled.
const RETENTION: Duration = Duration::from_secs(60);

/// Longest wait for the promises.
const TIMEOUT: Duration = Duration::from_secs(2);

/// The promises that model-building keeps.
#[derive(Debug)]
pub(crate) struct AutomatedLabelling {
    client: Client,
    bucket: String,
    /// Accuracy that accepted predictions must have.
    target: f64,
    known: Mutex<Option<(Instant, Promises)>>,
}

impl AutomatedLabelling {
    pub(crate) fn new(client: Client, bucket: String, target: f64) -> Self {
        Self {
            client,
            bucket,
            target,
            known: Mutex::default(),
        }
    }

    /// Returns the confidence above which predictions of a model are accepted; nothing where none are, or nobody knows.
    pub(crate) async fn threshold(&self, model_arn: &str) -> Option<f32> {
        let mut known = self.known.lock().await;
        if let Some((since, promises)) = &*known
            && since.elapsed() < RETENTION
        {
            return promises.threshold(model_arn, self.target);
        }
        let promises = self.read().await.unwrap_or_else(|error| {
            warn!(
                error = chain(error.as_ref()),
                "the promises cannot be read: no label is accepted for a minute"
            );
            Promises::default()
        });
        let threshold = promises.threshold(model_arn, self.target);
        *known = Some((Instant::now(), promises));
        threshold
    }

    async fn read(&self) -> Result<Promises, BoxError> {
        let read = objects::read(&self.client, &self.bucket, PROMISES_KEY, MAX_PROMISES_BYTES);
        match timeout(TIMEOUT, read).await? {
            Ok(Some(json)) => Ok(serde_json::from_slice(&json)?),
            Ok(None) => Ok(Promises::default()),
            Err(ReadError::Failed(error)) if is_denied(&error) => {
                // Without the right to list, S3 hides that there are none yet.
                debug!("there are no promises, or they may not be read");
                Ok(Promises::default())
            }
            Err(error) => Err(error.into()),
        }
    }
}

fn is_denied(error: &BoxError) -> bool {
    let refused = error.downcast_ref::<SdkError<GetObjectError>>();
    refused.is_some_and(|refused| refused.code() == Some("AccessDenied"))
}
