//! The first step: what the execution is to do, the lock of builds, and the champion.

use active_learning_aws::{
    approval::{Wanted, approval_key},
    backoff::Tries,
};
use active_learning_core::keys::BUILD_LOCK;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    ModelBuilding,
    build::{Action, Build, Request, Status},
    deployment::{self, Deployment},
    error::StepError,
};

/// What the last build began with.
pub(crate) const LAST_KEY: &str = "builds/last.json";

/// Who builds.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Lock {
    execution_arn: String,
    since: DateTime<Utc>,
}

/// The last build that began.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LastBuild {
    pub id: String,
    pub started_at: DateTime<Utc>,
    /// Its number, counted from 1.
    pub number: u64,
    /// Labels that there were.
    pub labels: u64,
    /// Dataset version of the last build that came to a decision.
    #[serde(default)]
    pub decided_dataset: Option<String>,
}

/// Models that are named to go back to.
const NAMED: usize = 10;

/// Refuses a model that never served: it was not good enough, or a person rejected it.
fn check_served(deployments: &[Deployment], target: &str) -> Result<(), StepError> {
    let served = deployment::served(deployments);
    if served.contains(&target) {
        return Ok(());
    }
    let name = |arn: &&str| arn.rsplit('/').next().unwrap_or_default().to_owned();
    let mut names: Vec<String> = served.iter().take(NAMED).map(name).collect();
    if served.len() > NAMED {
        names.push(format!("and {} more", served.len() - NAMED));
    }
    let served = match names.is_empty() {
        true => "no other has served either".to_owned(),
        false => format!("those that did are {}", names.join(", ")),
    };
    Err(StepError::Failed(format!(
        "the model {target} never served, so it cannot be brought back: {served}"
    )))
}

impl ModelBuilding {
    /// Takes the lock for a build; finds the model to go back to for a roll-back.
    ///
    /// A roll-back needs no lock: a build under way finds at its own switch that the champion has changed.
    pub(crate) async fn begin(&self, mut build: Build) -> Result<Build, StepError> {
        let request = build.request()?;
        match request.action {
            Action::Build => self.begin_build(&mut build).await?,
            Action::RollBack => self.begin_roll_back(&mut build, &request).await?,
        }
        Ok(build)
    }

    async fn begin_build(&self, build: &mut Build) -> Result<(), StepError> {
        if let Some(other) = self.lock(build).await? {
            build.status = Status::AnotherBuildRuns;
            build.why = self.why_not_now(&other).await?;
            return Ok(());
        }
        // After the lock is taken: whoever erases holds builds back first, and then looks at the lock. So one sees the other.
        if let Some(until) = self.erasing(Utc::now()).await? {
            self.unlock(build).await?;
            build.status = Status::AnotherBuildRuns;
            build.why = format!(
                "texts are being erased (`active-learning erase`), or objects brought back (`infra/restore.sh`): a build begins \
                 when that is done, or from {until} on if it was broken off"
            );
            return Ok(());
        }
        let last = self.last_build().await?;
        if last.as_ref().is_none_or(|last| last.id != build.id) {
            let next = LastBuild {
                id: build.id.clone(),
                started_at: build.started_at,
                number: last.as_ref().map_or(1, |last| last.number + 1),
                labels: self.tally().await?.labels,
                decided_dataset: last.and_then(|last| last.decided_dataset),
            };
            self.bucket.put_document(LAST_KEY, &next).await?;
        }
        build.champion = self.champion().await?;
        build.status = Status::Build;
        Ok(())
    }

    /// Says what the build is at that runs already.
    async fn why_not_now(&self, execution_arn: &str) -> Result<String, StepError> {
        let id = execution_arn.rsplit(':').next().unwrap_or_default();
        let asked: Option<Wanted> = self.bucket.read_document(&approval_key(id)).await?;
        Ok(match asked {
            Some(_) => format!(
                "the build {id} has a model that won and waits for a person: active-learning approve {id}, or the \
                 same with --reject REASON; two builds never run at once"
            ),
            None => format!("the build {id} is under way; two builds never run at once"),
        })
    }

    async fn begin_roll_back(&self, build: &mut Build, request: &Request) -> Result<(), StepError> {
        self.config.endpoint.of_built_models()?;
        let serving = self.champion().await?.ok_or_else(|| {
            StepError::Failed("the endpoint has no model, so there is none to roll back".to_owned())
        })?;
        let deployments = deployment::read_all(&self.bucket).await?;
        let target = match &request.model_arn {
            Some(target) => target.clone(),
            None => {
                let before = deployment::model_before(&deployments, &serving).ok_or_else(|| {
                    StepError::Failed(format!(
                        "no model is known to have served before {serving}; there is nothing to go back to"
                    ))
                })?;
                before.to_owned()
            }
        };
        build.status = if target == serving {
            build.why = format!("the model {target} serves already");
            Status::NothingToDo
        } else {
            self.check_not_deleted(&deployments, &serving, &target).await?;
            self.check_usable(&target).await?;
            check_served(&deployments, &target)?;
            Status::RollBack
        };
        build.champion = Some(serving);
        build.challenger = Some(target);
        Ok(())
    }

    /// Returns the last build that began.
    pub(crate) async fn last_build(&self) -> Result<Option<LastBuild>, StepError> {
        Ok(self.bucket.read_document(LAST_KEY).await?)
    }

    /// Takes down that a dataset was decided on, so that it is not trained on again. Only under the lock.
    pub(crate) async fn put_decided(&self, build: &Build) -> Result<(), StepError> {
        if let Some(mut last) = self.last_build().await?.filter(|last| last.id == build.id) {
            last.decided_dataset.clone_from(&build.dataset);
            self.bucket.put_document(LAST_KEY, &last).await?;
        }
        Ok(())
    }

    /// Takes the lock; returns the execution that has it, if another does and still runs.
    async fn lock(&self, build: &Build) -> Result<Option<String>, StepError> {
        let mine = Lock {
            execution_arn: build.execution_arn.clone(),
            since: build.started_at,
        };
        let mut tries = Tries::default();
        while tries.again().await {
            let holder = self.bucket.read_version::<Lock>(BUILD_LOCK).await?;
            let (holder, etag) = holder.unzip();
            if let Some(holder) = holder {
                if holder.execution_arn == build.execution_arn {
                    return Ok(None);
                }
                if self.runs(&holder.execution_arn).await? {
                    return Ok(Some(holder.execution_arn));
                }
            }
            let replaced = self
                .bucket
                .replace_document(BUILD_LOCK, etag.as_deref(), &mine)
                .await?;
            if replaced.is_written() {
                return Ok(None);
            }
        }
        Err(StepError::NotNow(format!("others keep writing {BUILD_LOCK}")))
    }

    /// Returns the ARN of the execution that builds, if one does.
    pub(crate) async fn running_build(&self) -> Result<Option<String>, StepError> {
        match self.bucket.read_document::<Lock>(BUILD_LOCK).await? {
            Some(lock) if self.runs(&lock.execution_arn).await? => Ok(Some(lock.execution_arn)),
            _ => Ok(None),
        }
    }

    /// Gives the lock back, if this build has it.
    pub(crate) async fn unlock(&self, build: &Build) -> Result<(), StepError> {
        let holder = self.bucket.read_document::<Lock>(BUILD_LOCK).await?;
        if holder.is_some_and(|holder| holder.execution_arn == build.execution_arn) {
            self.bucket.delete(BUILD_LOCK).await?;
        }
        Ok(())
    }

    /// Returns whether an execution has not ended.
    async fn runs(&self, execution_arn: &str) -> Result<bool, StepError> {
        let describe = self.sfn.describe_execution().execution_arn(execution_arn);
        match describe.send().await {
            Ok(execution) => Ok(*execution.status() == aws_sdk_sfn::types::ExecutionStatus::Running),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|error| error.is_execution_does_not_exist()) =>
            {
                Ok(false)
            }
            Err(error) => Err(StepError::refused(
                &format!("the execution {execution_arn} could not be described"),
                error,
            )),
        }
    }
}
