//! The last step: one outcome with its reason, whatever happened before.

use std::collections::BTreeSet;

use active_learning_aws::{approval::REJECTED, failure::chain, metrics};
use chrono::Utc;
use tracing::warn;

use crate::{
    ModelBuilding,
    build::{Action, Build, Status},
    build_record::{BuildRecord, Outcome, RECORD},
    decision_record::{DECISION, DecisionRecord},
    error::StepError,
    message,
};

impl ModelBuilding {
    /// Writes the record, gives the lock back and says what people are told.
    pub(crate) async fn record(&self, mut build: Build) -> Result<Build, StepError> {
        let request = build.request().ok();
        let (outcome, why) = outcome(&build, request.as_ref().map(|request| request.action));
        let decision: Option<DecisionRecord> = self.bucket.read_document(&build.key(DECISION)).await?;
        let mut record = BuildRecord {
            id: build.id.clone(),
            execution_arn: build.execution_arn.clone(),
            action: request.as_ref().map(|request| request.action),
            reason: request.as_ref().map(|request| request.reason),
            outcome,
            why,
            started_at: build.started_at,
            ended_at: Utc::now(),
            dataset: build.dataset.clone(),
            champion: build.champion.clone(),
            challenger: build.challenger.clone(),
            // Not worth a failure: the record matters more.
            serving: self.serving().await.unwrap_or_default(),
            decision: decision.is_some().then(|| build.key(DECISION)),
            approved_by: build
                .approval
                .as_ref()
                .map(|approval| approval.approved_by.clone()),
            deleted_models: Vec::new(),
        };
        if record.action == Some(Action::Build) && matches!(outcome, Outcome::Deployed | Outcome::Refused) {
            record.deleted_models = self.models_to_delete(&build).await;
        }
        self.bucket.put_document(&build.key(RECORD), &record).await?;
        self.delete_recorded(&build, &mut record).await?;

        if matches!(
            outcome,
            Outcome::Deployed | Outcome::Refused | Outcome::DatasetReady
        ) {
            self.put_decided(&build).await?;
        }
        self.unlock(&build).await?;
        metrics::count("model-building", &[(metric(outcome), 1)]);
        build.status = status(outcome);
        build.notification = Some(message::outcome(&record, decision.as_ref()));
        build.why = record.why;
        if record.action == Some(Action::Build) {
            self.note_first_model(&build).await?;
        }
        Ok(build)
    }
}

impl ModelBuilding {
    /// Returns the old model versions, with those that an attempt before this one wrote down and may have deleted. Not worth a
    /// failure: they stay, and the next build tries again.
    async fn models_to_delete(&self, build: &Build) -> Vec<String> {
        if self.config.keep_model_versions == 0 {
            return Vec::new();
        }
        let old = match self.old_models().await {
            Ok(old) => old,
            Err(error) => {
                warn!(error = chain(&error), "old model versions stay");
                return Vec::new();
            }
        };
        let before: Option<BuildRecord> = self.bucket.read_document(&build.key(RECORD)).await.ok().flatten();
        let before = before.map(|record| record.deleted_models).unwrap_or_default();
        before
            .into_iter()
            .chain(old)
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect()
    }

    /// Deletes the model versions that the record names, and corrects it where one stays.
    async fn delete_recorded(&self, build: &Build, record: &mut BuildRecord) -> Result<(), StepError> {
        if record.deleted_models.is_empty() {
            return Ok(());
        }
        let all = record.deleted_models.len();
        record.deleted_models = self
            .delete_models(std::mem::take(&mut record.deleted_models))
            .await;
        let deleted = record.deleted_models.len();
        metrics::count(
            "model-building",
            &[
                ("ModelsDeleted", deleted as u64),
                ("ModelsNotDeleted", (all - deleted) as u64),
            ],
        );
        if deleted < all {
            self.bucket.put_document(&build.key(RECORD), record).await?;
        }
        Ok(())
    }
}

fn outcome(build: &Build, action: Option<Action>) -> (Outcome, String) {
    if let Some(reason) = &build.switching_back {
        let why = match (&build.error, &build.champion) {
            (Some(error), _) => error.reason(),
            (None, Some(_)) => format!("{reason}; the model before serves again"),
            (None, None) => format!("{reason}; there is no model before"),
        };
        return (Outcome::Failed, why);
    }
    if let Some(error) = &build.error {
        return match (build.status, error.error.as_str()) {
            (Status::NeedsApproval, REJECTED) => {
                (Outcome::Refused, format!("a person rejected it: {}", error.cause))
            }
            (Status::NeedsApproval, "States.Timeout") => {
                (Outcome::Refused, "nobody approved it in time".to_owned())
            }
            _ => (Outcome::Failed, error.reason()),
        };
    }
    let outcome = match build.status {
        Status::Refused => Outcome::Refused,
        Status::NothingNew => Outcome::NothingNew,
        Status::DatasetReady => Outcome::DatasetReady,
        Status::NothingToDo => Outcome::NothingToDo,
        Status::Verified if action == Some(Action::RollBack) => Outcome::RolledBack,
        Status::Verified => Outcome::Deployed,
        status => {
            let why = format!("the state machine ended after a step that came to {status:?}");
            return (Outcome::Failed, why);
        }
    };
    (outcome, build.why.clone())
}

fn status(outcome: Outcome) -> Status {
    match outcome {
        Outcome::Deployed => Status::Deployed,
        Outcome::Refused => Status::Refused,
        Outcome::NothingNew => Status::NothingNew,
        Outcome::DatasetReady => Status::DatasetReady,
        Outcome::RolledBack => Status::RolledBack,
        Outcome::NothingToDo => Status::NothingToDo,
        Outcome::Failed => Status::Failed,
    }
}

fn metric(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Deployed => "ModelsDeployed",
        Outcome::Refused => "ModelsRefused",
        Outcome::NothingNew | Outcome::NothingToDo => "BuildsWithoutNews",
        Outcome::DatasetReady => "DatasetsReady",
        Outcome::RolledBack => "ModelsRolledBack",
        Outcome::Failed => "BuildsFailed",
    }
}
