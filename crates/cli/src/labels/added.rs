//! Labels that something else than the command `labels` adds: what that does to the votes that there are is said before, and
//! asked after, as `labels add` does it.

use active_learning_aws::{
    label_set::LabelSets,
    relabelling::{Doubt, Relabelling},
};
use active_learning_core::labels::label_set::{LabelSet, LabelSetError};

use model_building::label_change::{LabelChanges, Plan, Said};

use super::{Failure, Labels, Made};
use crate::place::Place;

/// New labels of a set, with what they do to the votes that there are.
pub(crate) struct Added {
    labels: Labels,
    before: LabelSet,
    plan: Plan,
}

impl Added {
    /// Counts what becomes of votes when the one set becomes the other.
    pub(crate) async fn count(
        place: &Place,
        sets: &LabelSets,
        before: &LabelSet,
        after: &LabelSet,
    ) -> Result<Self, Failure> {
        let relabelling = Relabelling::new(place.feedback.clone(), place.training.clone());
        let labels = Labels {
            place: place.clone(),
            sets: sets.clone(),
            relabelling: relabelling.with_several_labels(after.has_several_labels()),
            changes: LabelChanges::new(
                place.training.clone(),
                place.feedback.clone(),
                after.has_several_labels(),
            ),
        };
        let counted = labels.changes.count_begins(Some(Doubt::NoneFits)).await?;
        let plan = labels.changes.plan_none_fitted(after).await?;
        let plan = labels
            .changes
            .with_effects(plan, [before, after], Said::default())
            .await?;
        let plan = Plan {
            counted: Some(counted),
            ..plan
        };
        Ok(Self {
            labels,
            before: before.clone(),
            plan,
        })
    }

    /// Says it; nothing where votes are as they were.
    pub(crate) fn in_words(&self) -> &str {
        self.plan.text.trim_start()
    }

    /// Counts the texts whose votes contradict one another by it and of which somebody else is asked.
    pub(crate) fn contradicted(&self) -> usize {
        self.plan.contradicted.len()
    }

    /// Counts the texts that no label fitted and that are asked again.
    pub(crate) fn asked_again(&self) -> usize {
        self.plan.again.count()
    }

    /// Makes the change, asks again what no label fitted, and has somebody else asked where votes contradict one another by it.
    pub(crate) async fn make(
        &self,
        change: impl FnMut(&mut LabelSet) -> Result<(), LabelSetError>,
    ) -> Result<Made, Failure> {
        self.labels.make(&self.before, &self.plan, change).await
    }
}
