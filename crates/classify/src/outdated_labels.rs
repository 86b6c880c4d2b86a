//! Which predicted classes are no labels: a model may be older than a change of the label set, after a roll-back say, and one
//! that is hosted elsewhere may have classes that nobody here knows.

use active_learning_aws::classifier::Classifier;
use active_learning_core::{
    feedback::{Review, Signal, prediction::Prediction},
    labels::label_set::Resolution,
};

/// The label set, as far as predictions are held against it.
#[derive(Debug)]
pub(crate) struct OutdatedLabels {
    classifier: Classifier,
}

impl OutdatedLabels {
    /// Holds predictions against the set by which the classifier's classes are named.
    pub(crate) fn new(classifier: Classifier) -> Self {
        Self { classifier }
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
        let set = self.classifier.label_set().await?;
        let resolved = || prediction.labels.iter().map(|label| set.resolve(label));
        let is_outdated = |label| matches!(label, Resolution::Retired(_) | Resolution::Split(_));
        let is_unknown = |label| matches!(label, Resolution::Proposed(_));
        if resolved().any(is_outdated) {
            return Some(Signal::OutdatedLabel);
        }
        let knows_any = set.active().next().is_some();
        let is_hosted = matches!(self.classifier, Classifier::Hosted(_));
        (is_hosted && knows_any && resolved().any(is_unknown)).then_some(Signal::UnknownLabel)
    }
}
