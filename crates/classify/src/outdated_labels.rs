//! Which predicted classes are no longer labels: a model may be older than a change of the label set, after a roll-back say.

use std::time::Duration;

use active_learning_aws::{bucket::Bucket, failure::chain, label_set::LabelSets};
use active_learning_core::{
    feedback::{Review, Signal, prediction::Prediction},
    labels::label_set::Resolution,
};
use lambda_http::tracing::{debug, warn};
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};

/// Longest wait for the label set.
const TIMEOUT: Duration = Duration::from_secs(2);

/// How long it is not looked for where it could not be read.
const PAUSE: Duration = Duration::from_secs(60);

/// The label set, as far as predictions are held against it.
#[derive(Debug)]
pub(crate) struct OutdatedLabels {
    sets: LabelSets,
    /// When it could not be read last.
    failed: Mutex<Option<Instant>>,
}

impl OutdatedLabels {
    /// Reads the set of a training bucket.
    pub(crate) fn new(training: Bucket) -> Self {
        Self {
            sets: LabelSets::new(training),
            failed: Mutex::default(),
        }
    }

    /// Sends a prediction to people that names a label which is split or retired, whatever its confidence. Where the set
    /// cannot be read, the policy alone decides.
    pub(crate) async fn review(&self, prediction: &Prediction, review: Option<Review>) -> Option<Review> {
        match self.is_outdated(prediction).await {
            true => Some(Review {
                signal: Signal::OutdatedLabel,
                selection_probability: 1.0,
            }),
            false => review,
        }
    }

    async fn is_outdated(&self, prediction: &Prediction) -> bool {
        let mut failed = self.failed.lock().await;
        if failed.is_some_and(|since| since.elapsed() < PAUSE) {
            return false;
        }
        let set = match timeout(TIMEOUT, self.sets.current()).await {
            Ok(Ok(Some(set))) => set,
            Ok(Ok(None)) => return false,
            // Without the right to list, S3 hides that there is none yet.
            Ok(Err(error)) if error.code() == Some("AccessDenied") => {
                debug!("there is no label set, or it may not be read");
                *failed = Some(Instant::now());
                return false;
            }
            Ok(Err(error)) => {
                warn!(error = chain(&error), "the label set cannot be read");
                *failed = Some(Instant::now());
                return false;
            }
            Err(_) => {
                warn!("the label set was not read in time");
                *failed = Some(Instant::now());
                return false;
            }
        };
        drop(failed);
        let is_outdated =
            |label: &String| matches!(set.resolve(label), Resolution::Retired(_) | Resolution::Split(_));
        prediction.labels.iter().any(is_outdated)
    }
}
