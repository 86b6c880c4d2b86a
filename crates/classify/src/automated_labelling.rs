//! Which predictions are accepted as labels: asked seldom, and never in the way of an answer.

use std::time::Duration;

use active_learning_aws::{bucket::Bucket, failure::chain};
use active_learning_core::model::accuracy_guarantee::{PROMISES_KEY, Promises};
use aws_sdk_s3::error::BoxError;
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
    bucket: Bucket,
    /// Accuracy that accepted predictions must have.
    target: f64,
    known: Mutex<Option<(Instant, Promises)>>,
}

impl AutomatedLabelling {
    pub(crate) fn new(bucket: Bucket, target: f64) -> Self {
        Self {
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
        let read = self.bucket.read_document(PROMISES_KEY);
        match timeout(TIMEOUT, read).await? {
            Ok(promises) => Ok(promises.unwrap_or_default()),
            Err(error) if error.code() == Some("AccessDenied") => {
                // Without the right to list, S3 hides that there are none yet.
                debug!("there are no promises, or they may not be read");
                Ok(Promises::default())
            }
            Err(error) => Err(error.into()),
        }
    }
}
