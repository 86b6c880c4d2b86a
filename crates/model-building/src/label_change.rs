//! What a change of the label set will do, with numbers: said before it is made, by the command and in the console.

mod effects;
mod plan;
mod words;

use active_learning_aws::{
    bucket::{Bucket, BucketError},
    label_set::LabelSets,
    relabelling::Relabelling,
};
use active_learning_core::labels::label_set::{ChangeCounted, LabelChange, LabelSet};

pub use self::{effects::Said, plan::Plan};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Counts what changes of a label set do.
#[derive(Clone, Debug)]
pub struct LabelChanges {
    training: Bucket,
    feedback: Bucket,
    relabelling: Relabelling,
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
        let text = match set.clone().apply(change) {
            Ok(()) => self.plan(&set, change).await?.text,
            Err(refused) => format!("It cannot be done: {refused}."),
        };
        let version = set.version();
        Ok(ChangeCounted { text, version })
    }

    async fn current(&self, several: bool) -> Result<LabelSet, BucketError> {
        let sets = LabelSets::new(self.training.clone()).with_several_labels(several);
        let set = sets.current().await?;
        Ok(set.map_or_else(LabelSet::none, |set| set.as_ref().clone()))
    }
}
