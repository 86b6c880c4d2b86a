//! Bringing a model into service, and back out if need be.
//!
//! The endpoint keeps its ARN; until the new model serves, and if it never does, the one before goes on. Every
//! switch leaves an immutable object under `deployments/`. A switch begins only from the model that was compared
//! with: if another has come into service meanwhile, nothing is switched.

use std::future::ready;

use active_learning_aws::{
    bucket::{Bucket, BucketError},
    overview::{self, Switch},
};
use aws_sdk_comprehend::types::EndpointStatus;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use futures::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    ModelBuilding,
    build::{Action, Build, Reason, Status},
    error::StepError,
};

const FOLDER: &str = "deployments/";
/// Switches that are read at first: one that its own execution has undone is two.
const NEWEST: usize = 8;
/// Switches that are read at a time.
const READS_AT_ONCE: usize = 16;
/// Longest time that an endpoint may show its old model, in service and without a message, after an update.
const PATIENCE: TimeDelta = TimeDelta::minutes(2);

/// One switch of the endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Deployment {
    /// When the switch began.
    pub at: DateTime<Utc>,
    /// ARN of the model that came into service.
    pub model_arn: String,
    /// ARN of the model that served before.
    pub previous_model_arn: Option<String>,
    /// What switched.
    pub by: SwitchedBy,
    /// Why.
    pub reason: String,
    /// Name of the execution.
    pub build_id: String,
}

/// What switched the endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SwitchedBy {
    /// A build whose model is better.
    Build,
    /// A training file under `initial/`: the classifier itself put its model in service.
    InitialFile,
    /// A person, or a build whose model could not be verified.
    RollBack,
    /// The watch over audited accuracy.
    AutomaticRollBack,
    /// A parameter: it names a model that is hosted elsewhere, or names it no longer.
    Parameter,
}

impl Deployment {
    pub(crate) fn key(&self) -> String {
        let at = self.at.to_rfc3339_opts(SecondsFormat::Millis, true);
        format!("{FOLDER}{at}-{}.json", self.build_id)
    }

    fn switch(&self) -> Switch<'_> {
        Switch {
            build_id: &self.build_id,
            model_arn: &self.model_arn,
            previous_model_arn: self.previous_model_arn.as_deref(),
        }
    }
}

/// Reads all switches, oldest first: where a person asks for something that may be as old as the first of them.
pub(crate) async fn read_all(bucket: &Bucket) -> Result<Vec<Deployment>, BucketError> {
    let switches = bucket.list(FOLDER).await?;
    read_each(bucket, switches.into_iter().map(|object| object.key)).await
}

/// Reads the newest switches, oldest first: as many as are `enough`, all where they never are.
pub(crate) async fn read_until(
    bucket: &Bucket,
    now: DateTime<Utc>,
    enough: impl Fn(&[Deployment]) -> bool,
) -> Result<Vec<Deployment>, BucketError> {
    let mut count = NEWEST;
    loop {
        let keys = overview::switch_keys(bucket, now, count).await?;
        let are_all = keys.len() < count;
        let newest = read_each(bucket, keys.into_iter()).await?;
        if are_all || enough(&newest) {
            return Ok(newest);
        }
        count *= 2;
    }
}

/// Reads the newest switches, oldest first: so many that the newest that lasted is among them, all where none is.
pub(crate) async fn read_newest(bucket: &Bucket, now: DateTime<Utc>) -> Result<Vec<Deployment>, BucketError> {
    read_until(bucket, now, |newest| !lasting(newest).is_empty()).await
}

async fn read_each(
    bucket: &Bucket,
    keys: impl Iterator<Item = String>,
) -> Result<Vec<Deployment>, BucketError> {
    stream::iter(keys)
        .map(async |key| bucket.read_document::<Deployment>(&key).await)
        .buffered(READS_AT_ONCE)
        .try_filter_map(|deployment| ready(Ok(deployment)))
        .try_collect()
        .await
}

impl SwitchedBy {
    /// Returns whether the model that came into service was a new one, and not one from before.
    fn is_new_model(self) -> bool {
        match self {
            Self::Build | Self::InitialFile | Self::Parameter => true,
            Self::RollBack | Self::AutomaticRollBack => false,
        }
    }

    /// Returns whether the model came into service to stay until it is rolled back: a parameter is not rolled back.
    fn can_be_rolled_back(self) -> bool {
        self.is_new_model() && self != Self::Parameter
    }
}

/// Returns the model that served before `serving` was deployed as a new one. What was rolled back from never is.
pub(crate) fn model_before<'a>(deployments: &'a [Deployment], serving: &str) -> Option<&'a str> {
    let as_new = |switch: &&Deployment| switch.by.can_be_rolled_back() && switch.model_arn == serving;
    let last = deployments.iter().rfind(as_new)?;
    last.previous_model_arn.as_deref()
}

/// Returns the switches that lasted, without those that their own execution has undone.
pub(crate) fn lasting(deployments: &[Deployment]) -> Vec<&Deployment> {
    overview::lasting(deployments.iter().collect(), |deployment| deployment.switch())
}

/// Returns the models that came into service and stayed there, or served before another, the last ones first.
pub(crate) fn served(deployments: &[Deployment]) -> Vec<&str> {
    let mut served: Vec<&str> = Vec::new();
    for switch in lasting(deployments).into_iter().rev() {
        for model in [
            Some(switch.model_arn.as_str()),
            switch.previous_model_arn.as_deref(),
        ] {
            served.extend(model.filter(|model| !served.contains(model)));
        }
    }
    served
}

/// Returns whether a model was taken out of service as worse or unusable, and not brought back by hand since.
pub(crate) fn was_rolled_back(deployments: &[Deployment], model: &str) -> bool {
    let concerns = |switch: &&Deployment| {
        switch.model_arn == model
            || !switch.by.is_new_model() && switch.previous_model_arn.as_deref() == Some(model)
    };
    let is_failed_roll_back = |switch: &&Deployment| {
        let undone =
            |other: &Deployment| !other.by.is_new_model() && other.switch().is_undone_by(&switch.switch());
        deployments.iter().any(undone)
    };
    let counts = |switch: &&Deployment| concerns(switch) && !is_failed_roll_back(switch);
    let last = deployments.iter().rfind(counts);
    last.is_some_and(|switch| switch.model_arn != model)
}

impl ModelBuilding {
    /// Begins to bring the challenger into service.
    pub(crate) async fn deploy(&self, mut build: Build) -> Result<Build, StepError> {
        let (from, to) = (build.champion.clone(), build.challenger()?.to_owned());
        self.begin_switch(from.as_deref(), &to, &build.id).await?;
        build.begin_to_wait(Utc::now());
        Ok(build)
    }

    /// Begins to bring the champion back, since the challenger did not come into service or is not itself there.
    pub(crate) async fn switch_back(&self, mut build: Build) -> Result<Build, StepError> {
        let reason = match build.error.take() {
            Some(error) => error.reason(),
            None => build.why.clone(),
        };
        let challenger = build.challenger()?.to_owned();
        if let Some(first) = &build.switching_back {
            return Err(StepError::Failed(format!(
                "{first}; then the champion could not be brought back: {reason}"
            )));
        }
        build.switching_back = Some(reason);
        match build.champion.clone() {
            Some(champion) => {
                self.begin_switch(Some(&challenger), &champion, &build.id).await?;
                build.begin_to_wait(Utc::now());
            }
            None => build.status = Status::SwitchedBack,
        }
        Ok(build)
    }

    /// Asks the endpoint for a model. Idempotent: a switch that was asked for is left to go on.
    async fn begin_switch(&self, from: Option<&str>, to: &str, build_id: &str) -> Result<(), StepError> {
        let arn = self.config.endpoint.of_built_models()?;
        let Some(endpoint) = self.endpoint().await? else {
            return Err(StepError::Failed(format!("the endpoint {arn} is gone")));
        };
        if endpoint.serves(to) || endpoint.is_changing() && endpoint.desired.as_deref() == Some(to) {
            return Ok(());
        }
        if endpoint.is_without_model() {
            self.promote(to).await?;
            return self.create_endpoint(to, build_id).await;
        }
        let serving = endpoint.model.as_deref();
        match &endpoint.status {
            EndpointStatus::InService if serving == from || serving == Some(to) => {}
            EndpointStatus::InService => {
                return Err(StepError::Failed(format!(
                    "the endpoint serves {} now, no longer {}: it was switched by somebody else meanwhile and is \
                     left alone",
                    serving.unwrap_or("no model"),
                    from.unwrap_or("no model")
                )));
            }
            EndpointStatus::Creating | EndpointStatus::Updating => {
                return Err(StepError::NotNow(format!("the endpoint {arn} is being changed")));
            }
            EndpointStatus::Failed if self.is_built_in() => return self.replace_endpoint(to, build_id).await,
            status => {
                return Err(StepError::Failed(format!("the endpoint {arn} is {status}")));
            }
        }
        if self.is_built_in() && self.have_other_modes(serving, to).await? {
            return self.replace_endpoint(to, build_id).await;
        }
        self.promote(to).await?;
        if self.config.flywheel_arn.is_some()
            && let Some(endpoint) = self.endpoint().await?
            && endpoint.desired.as_deref() == Some(to)
        {
            return Ok(()); // It belongs to the flywheel, and follows it.
        }
        let update = self.comprehend.update_endpoint();
        let update = update.endpoint_arn(arn.to_string()).desired_model_arn(to);
        match update.send().await {
            Ok(_) => Ok(()),
            Err(error) => {
                let what = format!("the endpoint could not be updated to {to}");
                Err(StepError::refused(&what, error))
            }
        }
    }

    /// Gives the built-in endpoint its first model. Comprehend's endpoints are never without one, and this
    /// costs nothing there.
    async fn create_endpoint(&self, model: &str, build_id: &str) -> Result<(), StepError> {
        let create = self.comprehend.create_endpoint();
        let create = create
            .endpoint_name(self.config.endpoint.of_built_models()?.name())
            .model_arn(model)
            .desired_inference_units(1)
            .client_request_token(token(&[build_id, model]));
        match create.send().await {
            Ok(_) => Ok(()),
            Err(error) => {
                let what = format!("the endpoint could not be given its first model {model}");
                Err(StepError::refused(&what, error))
            }
        }
    }

    /// Makes the built-in endpoint anew under its name, for a model of another mode than the one that serves: no endpoint
    /// changes its mode. It costs nothing there, and nobody is answered only while the model is loaded.
    async fn replace_endpoint(&self, model: &str, build_id: &str) -> Result<(), StepError> {
        let arn = self.config.endpoint.of_built_models()?.to_string();
        match self.comprehend.delete_endpoint().endpoint_arn(arn).send().await {
            Ok(_) => self.create_endpoint(model, build_id).await,
            Err(error) => Err(StepError::refused("the endpoint could not be made anew", error)),
        }
    }

    /// Returns whether one model gives one label a text, and the other several.
    pub(crate) async fn have_other_modes(&self, model: Option<&str>, other: &str) -> Result<bool, StepError> {
        let Some(model) = model else {
            return Ok(false);
        };
        let (model, other) = (self.model(model).await?, self.model(other).await?);
        let modes = model
            .and_then(|model| model.mode)
            .zip(other.and_then(|other| other.mode));
        Ok(modes.is_some_and(|(one, other)| one != other))
    }

    /// Returns whether the built-in classifier serves.
    pub(crate) fn is_built_in(&self) -> bool {
        self.config.classifier_url.is_some()
    }

    /// Asks whether the wanted model serves, and writes the switch down when it does.
    pub(crate) async fn describe_deployment(&self, mut build: Build) -> Result<Build, StepError> {
        let back = build.switching_back.is_some();
        let wanted = match (&build.champion, back) {
            (Some(champion), true) => champion.clone(),
            _ => build.challenger()?.to_owned(),
        };
        let now = Utc::now();
        let arn = self.config.endpoint.of_built_models()?;
        let endpoint = self
            .endpoint()
            .await?
            .ok_or_else(|| StepError::Failed(format!("the endpoint {arn} is gone")))?;
        if endpoint.serves(&wanted) {
            build.status = if back {
                Status::SwitchedBack
            } else {
                Status::InService
            };
            if !back || build.switched {
                self.put_deployment(&build, &wanted).await?;
            }
            build.switched = true;
            return Ok(build);
        }
        let changing = endpoint.is_changing();
        if changing || endpoint.message.is_none() && build.waited(now) < PATIENCE {
            build.wait_on(now);
            return Ok(build);
        }
        let said = endpoint.message.as_deref().unwrap_or("no reason is given");
        let why = format!(
            "the endpoint did not take the model {wanted} and is {}: {said}",
            endpoint.status
        );
        if back {
            return Err(StepError::Failed(why));
        }
        build.status = Status::FellBack;
        build.why = why;
        Ok(build)
    }

    async fn put_deployment(&self, build: &Build, serving: &str) -> Result<(), StepError> {
        let request = build.request()?;
        let (by, reason, previous) = match (&build.switching_back, request.action) {
            (Some(reason), _) => (SwitchedBy::RollBack, reason.clone(), build.challenger.clone()),
            (None, Action::Build) => (SwitchedBy::Build, build.why.clone(), build.champion.clone()),
            (None, Action::RollBack) => {
                let (by, reason) = match request.reason {
                    Reason::Accuracy => (
                        SwitchedBy::AutomaticRollBack,
                        "its audited accuracy is significantly worse",
                    ),
                    Reason::Manual
                    | Reason::FirstModel
                    | Reason::NewLabels
                    | Reason::Schedule
                    | Reason::Erasure => (SwitchedBy::RollBack, "somebody asked for it"),
                };
                (by, reason.to_owned(), build.champion.clone())
            }
        };
        let deployment = Deployment {
            at: build.waiting_since.unwrap_or(build.started_at),
            model_arn: serving.to_owned(),
            previous_model_arn: previous,
            by,
            reason,
            build_id: build.id.clone(),
        };
        self.bucket.put_document(&deployment.key(), &deployment).await?;
        Ok(())
    }
}

/// Returns a client request token: the same parts make the same one.
pub(crate) fn token(parts: &[&str]) -> String {
    hex::encode(&Sha256::digest(parts.join("\0"))[..16])
}

#[cfg(test)]
mod tests;
