//! The first model of a stack that began without training data: when it is built, and how far it is until then.

use active_learning_core::{keys::FIRST_MODEL, model::first_model::FirstModel};

use crate::{
    ModelBuilding,
    begin::LastBuild,
    build::{Build, Reason, Status},
    error::StepError,
    tally::Tally,
};

impl ModelBuilding {
    /// Returns whether no model has served yet, as far as is written down.
    pub(crate) async fn waits_for_first_model(&self) -> Result<bool, StepError> {
        let progress: Option<FirstModel> = self.bucket.read_document(FIRST_MODEL).await?;
        Ok(progress.is_some())
    }

    /// Returns how far it is to the first model, and writes it down where people look; `None` if a model serves.
    pub(crate) async fn first_model(
        &self,
        serving: Option<&str>,
        tally: &Tally,
    ) -> Result<Option<FirstModel>, StepError> {
        if serving.is_some() {
            self.bucket.delete(FIRST_MODEL).await?;
            return Ok(None);
        }
        let Some(set) = self.label_set().await? else {
            return Ok(None);
        };

        let needed = self
            .config
            .first_model_rows_per_label
            .max(self.config.min_rows_per_class);
        let mut progress = FirstModel::new(&set, &tally.by_label, needed);
        let before: Option<FirstModel> = self.bucket.read_document(FIRST_MODEL).await?;
        progress.refused = before.as_ref().and_then(|before| before.refused.clone());
        if before.as_ref() != Some(&progress) {
            self.bucket.put_document(FIRST_MODEL, &progress).await?;
        }
        Ok(Some(progress))
    }

    /// Returns why the first model is to be built now, if it is: each label has enough texts, or there are as many
    /// labelled texts as start any other build.
    ///
    /// After an attempt that gave no model, as many new ones are waited for as there are labels.
    pub(crate) fn first_model_is_due(
        &self,
        progress: &FirstModel,
        last: Option<&LastBuild>,
        tally: &Tally,
    ) -> Option<Reason> {
        let new = tally.labels.saturating_sub(last.map_or(0, |last| last.labels));
        let wanted = last.map_or(1, |_| progress.labels.len() as u64);
        let is_enough = progress.is_complete() || tally.labels >= self.config.build_policy.new_labels;
        (is_enough && new >= wanted.max(1)).then_some(Reason::FirstModel)
    }

    /// Writes down what an attempt at the first model came to.
    pub(crate) async fn note_first_model(&self, build: &Build) -> Result<(), StepError> {
        if build.champion.is_some() {
            return Ok(());
        }
        if build.status == Status::Deployed {
            self.bucket.delete(FIRST_MODEL).await?;
            return Ok(());
        }
        let progress: Option<FirstModel> = self.bucket.read_document(FIRST_MODEL).await?;
        if let Some(mut progress) = progress {
            progress.refused = Some(build.why.clone());
            self.bucket.put_document(FIRST_MODEL, &progress).await?;
        }
        Ok(())
    }
}
