//! The label set, by which models of different times are compared.

use std::{collections::BTreeSet, sync::Arc};

use active_learning_aws::{bucket::Bucket, label_set::LabelSets};
use active_learning_core::{
    labels::label_set::{LABEL_SET_KEY, LabelSet, Resolution},
    model::{comparison::Reason, evaluation::TestPrediction},
};

use crate::{ModelBuilding, error::StepError, storage::failed};

impl ModelBuilding {
    /// Reads the label set; `None` if there is none.
    pub(crate) async fn label_set(&self) -> Result<Option<Arc<LabelSet>>, StepError> {
        let bucket = Bucket::new(self.storage.s3.clone(), &self.storage.bucket);
        let set = LabelSets::new(bucket).current().await;
        set.map_err(|error| failed(LABEL_SET_KEY, error))
    }
}

/// Writes predictions by the names that labels have now: a model does not lose by a rename or a merge.
pub(crate) fn use_own_names(set: &LabelSet, predictions: &mut [TestPrediction]) {
    for prediction in predictions {
        prediction.predicted = set.own_names(&prediction.predicted);
    }
}

/// Returns the classes of a champion that a challenger must know, and what is to be said of those it may lack.
pub(crate) fn required(set: &LabelSet, classes: &BTreeSet<String>) -> (BTreeSet<String>, Option<Reason>) {
    let (mut required, mut gone) = (BTreeSet::new(), Vec::new());
    for class in classes {
        match set.resolve(class) {
            Resolution::Label(name) => {
                required.insert(name.to_owned());
            }
            Resolution::Proposed(_) => {
                required.insert(class.clone());
            }
            Resolution::Retired(_) | Resolution::Split(_) => gone.push(format!("`{class}`")),
        }
    }
    let reason = (!gone.is_empty()).then(|| Reason {
        in_favour: true,
        text: format!("{} of the champion may be missing: retired or split since", gone.join(", ")),
    });
    (required, reason)
}
