//! What a change of the label set will do, with numbers: said before it is made, by the command and in the console.

mod effects;
mod plan;
mod words;

use active_learning_aws::{
    bucket::{Bucket, BucketError},
    label_set::LabelSets,
    relabelling::Relabelling,
};
use active_learning_core::labels::label_set::{LabelChange, LabelSet};
use serde::{Deserialize, Serialize};

pub use self::{effects::Said, plan::Plan};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Counts what changes of a label set do.
#[derive(Clone, Debug)]
pub struct LabelChanges {
    training: Bucket,
    feedback: Bucket,
    relabelling: Relabelling,
}

/// What a change will do, for who asks from elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangeCounted {
    /// In words, with numbers.
    pub text: String,
}

impl LabelChanges {
    /// Reads the answers of the training bucket, and the questions of the feedback bucket; a text may have `several` labels.
    pub fn new(training: Bucket, feedback: Bucket, several: bool) -> Self {
        let relabelling = Relabelling::new(feedback.clone(), training.clone());
        Self {
            relabelling: relabelling.with_several_labels(several),
            training,
            feedback,
        }
    }

    /// Says what a change of the current set will do. What the set refuses is said as well.
    ///
    /// # Errors
    ///
    /// A bucket or a training file cannot be read.
    pub async fn count(&self, several: bool, change: &LabelChange) -> Result<ChangeCounted, Failure> {
        let set = self.current(several).await?;
        if let Err(refused) = set.clone().apply(change) {
            return Ok(ChangeCounted {
                text: format!("It cannot be done: {refused}."),
            });
        }
        let text = self.plan(&set, change).await?.text;
        Ok(ChangeCounted { text })
    }

    async fn current(&self, several: bool) -> Result<LabelSet, BucketError> {
        let sets = LabelSets::new(self.training.clone()).with_several_labels(several);
        let set = sets.current().await?;
        Ok(set.map_or_else(LabelSet::none, |set| set.as_ref().clone()))
    }
}
