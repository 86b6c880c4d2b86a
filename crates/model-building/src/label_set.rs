//! The label set, by which models of different times are compared.

use std::{collections::BTreeSet, sync::Arc};

use active_learning_aws::{
    bucket::{Bucket, BucketError},
    label_set::LabelSets,
    model_classes::classes_of,
};
use active_learning_core::{
    labels::label_set::{LabelSet, Resolution},
    model::{
        comparison::Reason,
        evaluation::{LabelNames, TestPrediction},
    },
};

use crate::{ModelBuilding, error::StepError};

impl ModelBuilding {
    /// Reads the label set; `None` if there is none.
    pub(crate) async fn label_set(&self) -> Result<Option<Arc<LabelSet>>, StepError> {
        Ok(LabelSets::new(self.bucket.clone()).current().await?)
    }
}

/// Returns what is to be said where the label set and the serving model differ; nothing where they do not, or where
/// one of them is not known.
///
/// # Errors
///
/// [`BucketError`].
pub async fn differences(bucket: &Bucket, model_arn: &str) -> Result<Vec<String>, BucketError> {
    let Some(set) = LabelSets::new(bucket.clone()).current().await? else {
        return Ok(Vec::new());
    };
    let Some(classes) = classes_of(bucket, model_arn).await? else {
        return Ok(Vec::new());
    };
    let difference = set.difference(classes.iter().map(String::as_str));
    let became = |pairs: &[(String, String)]| -> Vec<String> {
        let became = pairs
            .iter()
            .map(|(class, label)| format!("{class} (now {label})"));
        became.collect()
    };
    let said =
        |names: &[String], what: &str| (!names.is_empty()).then(|| format!("{what}: {}", shown(names)));
    let said = [
        said(
            &difference.not_in_model,
            "labels that the serving model does not know yet (choices, but never predicted)",
        ),
        said(
            &difference.not_in_set,
            "classes of the serving model that the label set does not have (choices as long as it serves)",
        ),
        said(
            &became(&difference.renamed),
            "classes of the serving model that are called otherwise now",
        ),
        said(
            &became(&difference.merged),
            "classes of the serving model that were merged into others since",
        ),
        said(
            &difference.retired,
            "classes of the serving model that were retired since (what it predicts so goes to people)",
        ),
        said(
            &difference.split,
            "classes of the serving model that were split since (what it predicts so goes to people)",
        ),
    ];
    Ok(said.into_iter().flatten().collect())
}

/// Names the first few of many.
fn shown(names: &[String]) -> String {
    const SHOWN: usize = 10;
    let some = names[..names.len().min(SHOWN)].join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => some,
        more => format!("{some} and {more} more"),
    }
}

/// Writes predictions by the names that labels have now: a model does not lose by a rename or a merge.
pub(crate) fn use_own_names(set: &LabelSet, predictions: &mut [TestPrediction]) {
    for prediction in predictions {
        let names = prediction.predicted.names().iter();
        prediction.predicted = LabelNames::of(names.map(|name| set.own_name(name)));
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
        text: format!(
            "{} of the champion may be missing: retired or split since",
            gone.join(", ")
        ),
    });
    (required, reason)
}
