//! Deleting model versions that nobody goes back to: Comprehend bills each for as long as it exists.
//!
//! Only versions of the model that the stack trains are looked at. What serves stays, and what a roll-back goes to:
//! the model before, whichever way it is reached, and those that served last. A version that never served cannot be
//! brought back in any case; one that was made just now may be about to serve.

use std::collections::BTreeSet;

use aws_sdk_comprehend::types::{DocumentClassifierFilter, DocumentClassifierProperties, ModelStatus};
use chrono::{DateTime, TimeDelta, Utc};
use tracing::{info, warn};

use crate::{
    ModelBuilding,
    deployment::{self, Deployment},
    error::StepError,
};

/// A version that was made within this time stays: a training file becomes the serving model in several steps, without the
/// lock of builds.
const YOUNG: TimeDelta = TimeDelta::hours(1);

/// Models that are named to go back to.
const NAMED: usize = 10;

/// Returns the models that stay: the serving one, the ones before it, and as many of those that served last.
fn kept<'a>(deployments: &'a [Deployment], serving: &'a str, beside: usize) -> BTreeSet<&'a str> {
    let before = deployment::lasting(deployments)
        .last()
        .and_then(|last| last.previous_model_arn.as_deref());
    let served = deployment::served(deployments).into_iter();
    served
        .filter(|model| *model != serving)
        .take(beside)
        .chain([serving])
        .chain(before)
        .chain(deployment::model_before(deployments, serving))
        .collect()
}

/// Returns whether the newest switches name all models that stay. The oldest of them is left out: it may have undone one that
/// is older still, so that what it names did not serve.
fn name_all_kept(newest: &[Deployment], serving: &str, beside: usize) -> bool {
    let newest = newest.get(1..).unwrap_or_default();
    let others = deployment::served(newest).into_iter();
    others.filter(|model| *model != serving).count() >= beside
        && deployment::model_before(newest, serving).is_some()
}

/// Returns whether a version was made just now.
fn is_young(model: &DocumentClassifierProperties, now: DateTime<Utc>) -> bool {
    let ended = model.end_time.as_ref().map(|time| time.secs());
    ended.is_some_and(|ended| now.timestamp() - ended < YOUNG.num_seconds())
}

impl ModelBuilding {
    /// Returns the model versions that need not be kept, if any are to be deleted at all. Only under the lock of builds.
    pub(crate) async fn old_models(&self) -> Result<Vec<String>, StepError> {
        if self.config.keep_model_versions == 0 {
            return Ok(Vec::new());
        }
        let endpoint = self.endpoint().await?;
        let Some(serving) = endpoint.as_ref().and_then(|endpoint| endpoint.model.as_deref()) else {
            return Ok(Vec::new());
        };
        let desired = endpoint.as_ref().and_then(|endpoint| endpoint.desired.as_deref());

        let beside = self.config.keep_model_versions;
        let are_enough = |newest: &[Deployment]| name_all_kept(newest, serving, beside);
        let deployments = deployment::read_until(&self.bucket, Utc::now(), are_enough).await?;
        let kept = kept(&deployments, serving, beside);
        let trained = self.trained_models().await?;
        let is_old = |model: &String| !kept.contains(model.as_str()) && desired != Some(model.as_str());
        Ok(trained.into_iter().filter(is_old).collect())
    }

    /// Lists the versions of the model that are trained, those left out that are young.
    async fn trained_models(&self) -> Result<Vec<String>, StepError> {
        let filter = DocumentClassifierFilter::builder()
            .document_classifier_name(&self.config.classifier_name)
            .build();
        let list = self.comprehend.list_document_classifiers().filter(filter);
        let mut pages = list.into_paginator().send();
        let mut models = Vec::new();
        while let Some(page) = pages.next().await {
            let page =
                page.map_err(|error| StepError::refused("the model versions could not be listed", error))?;
            let listed = page.document_classifier_properties_list.unwrap_or_default();
            let trained = listed.into_iter().filter(|model| {
                let is_trained = matches!(
                    model.status,
                    Some(ModelStatus::Trained | ModelStatus::TrainedWithWarning)
                );
                is_trained && !is_young(model, Utc::now())
            });
            models.extend(trained.filter_map(|model| model.document_classifier_arn));
        }
        Ok(models)
    }

    /// Deletes models; returns those that are gone, also those that were gone before.
    ///
    /// One that cannot be deleted costs its price until the next build tries again, and nothing else: it is logged.
    pub(crate) async fn delete_models(&self, models: Vec<String>) -> Vec<String> {
        let mut gone = Vec::new();
        for model in models {
            let delete = self.comprehend.delete_document_classifier();
            match delete.document_classifier_arn(&model).send().await {
                Ok(_) => {
                    info!(model.arn = model, "deleted: KeepModelVersions keeps others");
                    gone.push(model);
                }
                Err(error)
                    if error
                        .as_service_error()
                        .is_some_and(|error| error.is_resource_not_found_exception()) =>
                {
                    gone.push(model);
                }
                Err(error) => {
                    let refused = StepError::refused("it could not be deleted", error);
                    warn!(model.arn = model, error = %refused, "an old model version stays");
                }
            }
        }
        gone
    }

    /// Refuses a model to go back to that served once and is gone, with those that are left.
    pub(crate) async fn check_not_deleted(
        &self,
        deployments: &[Deployment],
        serving: &str,
        target: &str,
    ) -> Result<(), StepError> {
        let served = deployment::served(deployments);
        if !served.contains(&target) || self.model(target).await?.is_some() {
            return Ok(());
        }
        let mut left = Vec::new();
        for model in served
            .into_iter()
            .filter(|model| *model != serving && *model != target)
        {
            if left.len() < NAMED && self.model(model).await?.is_some() {
                left.push(model.rsplit('/').next().unwrap_or_default());
            }
        }
        let instead = match left.is_empty() {
            true => "no other that served is left".to_owned(),
            false => format!("those that are left are {}", left.join(", ")),
        };
        Err(StepError::Failed(format!(
            "the model {target} served once and was deleted (KeepModelVersions says how many stay): {instead}. A new \
             model from the labels of today: active-learning build"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deployment::SwitchedBy;

    fn switch(number: i64, by: SwitchedBy, from: Option<&str>, to: &str) -> Deployment {
        Deployment {
            at: DateTime::UNIX_EPOCH + TimeDelta::days(number),
            model_arn: to.to_owned(),
            previous_model_arn: from.map(str::to_owned),
            by,
            reason: String::new(),
            build_id: format!("b{number}"),
        }
    }

    #[test]
    fn what_serves_stays_with_those_that_served_last() {
        let switches = [
            switch(1, SwitchedBy::InitialFile, None, "a"),
            switch(2, SwitchedBy::Build, Some("a"), "b"),
            switch(3, SwitchedBy::Build, Some("b"), "c"),
            switch(4, SwitchedBy::Build, Some("c"), "d"),
        ];

        assert_eq!(kept(&switches, "d", 1), BTreeSet::from(["c", "d"]));
        assert_eq!(kept(&switches, "d", 2), BTreeSet::from(["b", "c", "d"]));
    }

    #[test]
    fn after_a_roll_back_the_next_one_still_has_where_to_go() {
        let switches = [
            switch(1, SwitchedBy::InitialFile, None, "a"),
            switch(2, SwitchedBy::Build, Some("a"), "b"),
            switch(3, SwitchedBy::Build, Some("b"), "c"),
            switch(4, SwitchedBy::RollBack, Some("c"), "b"),
        ];

        assert_eq!(kept(&switches, "b", 1), BTreeSet::from(["a", "b", "c"]));
    }

    #[test]
    fn the_newest_switches_are_enough_once_they_name_what_stays_without_the_oldest_of_them() {
        let switches = [
            switch(4, SwitchedBy::RollBack, Some("d"), "c"),
            switch(5, SwitchedBy::Build, Some("c"), "e"),
            switch(6, SwitchedBy::Build, Some("e"), "f"),
        ];

        assert!(name_all_kept(&switches, "f", 2));
        assert!(!name_all_kept(&switches, "f", 3), "d did not serve");
        assert!(
            !name_all_kept(&switches[..2], "c", 1),
            "what c replaced is not known"
        );
        assert!(!name_all_kept(&[], "f", 1));
    }

    #[test]
    fn a_model_that_serves_though_nothing_is_known_of_it_stays() {
        assert_eq!(kept(&[], "somebody's", 1), BTreeSet::from(["somebody's"]));
    }
}
