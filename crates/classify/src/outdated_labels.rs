//! Which predicted classes are no labels: a model may be older than a change of the label set, after a roll-back say, and one
//! that is hosted elsewhere may have classes that nobody here knows.

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
    /// Whether the model is hosted elsewhere.
    is_hosted: bool,
    /// When it could not be read last.
    failed: Mutex<Option<Instant>>,
}

impl OutdatedLabels {
    /// Reads the set of a training bucket; `is_hosted` says that the model is one of somebody else's.
    pub(crate) fn new(training: Bucket, is_hosted: bool) -> Self {
        Self {
            is_hosted,
            sets: LabelSets::new(training),
            failed: Mutex::default(),
        }
    }

    /// Sends a prediction to people that names a label which is split or retired, or, of a hosted model, one that there is
    /// not, whatever its confidence. Where the set cannot be read, the policy alone decides.
    pub(crate) async fn review(&self, prediction: &Prediction, review: Option<Review>) -> Option<Review> {
        match self.signal(prediction).await {
            Some(signal) => Some(Review {
                signal,
                selection_probability: 1.0,
            }),
            None => review,
        }
    }

    /// Returns why a prediction is no label, if it is none.
    async fn signal(&self, prediction: &Prediction) -> Option<Signal> {
        let mut failed = self.failed.lock().await;
        if failed.is_some_and(|since| since.elapsed() < PAUSE) {
            return None;
        }
        let set = match timeout(TIMEOUT, self.sets.current()).await {
            Ok(Ok(Some(set))) => set,
            Ok(Ok(None)) => return None,
            // Without the right to list, S3 hides that there is none yet.
            Ok(Err(error)) if error.code() == Some("AccessDenied") => {
                debug!("there is no label set, or it may not be read");
                *failed = Some(Instant::now());
                return None;
            }
            Ok(Err(error)) => {
                warn!(error = chain(&error), "the label set cannot be read");
                *failed = Some(Instant::now());
                return None;
            }
            Err(_) => {
                warn!("the label set was not read in time");
                *failed = Some(Instant::now());
                return None;
            }
        };
        drop(failed);
        let resolved = || prediction.labels.iter().map(|label| set.resolve(label));
        let is_outdated = |label| matches!(label, Resolution::Retired(_) | Resolution::Split(_));
        let is_unknown = |label| matches!(label, Resolution::Proposed(_));
        if resolved().any(is_outdated) {
            return Some(Signal::OutdatedLabel);
        }
        let knows_any = set.active().next().is_some();
        (self.is_hosted && knows_any && resolved().any(is_unknown)).then_some(Signal::UnknownLabel)
    }
}
