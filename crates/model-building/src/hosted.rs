//! A model that is hosted elsewhere: builds end at the dataset version, and whoever trains is told of it.

use active_learning_aws::{
    event_bus::{Event, EventBusError},
    failure::chain,
};
use active_learning_core::dataset::DatasetManifest;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tracing::info;

use crate::{
    ModelBuilding,
    build::{Build, Status},
    deployment::{Deployment, SwitchedBy},
    error::StepError,
};

/// Source of the events.
pub const SOURCE: &str = "active-learning.model-building";

/// Kind of the event.
pub const DATASET_READY: &str = "Dataset Ready";

impl ModelBuilding {
    /// Tells the event bus of a dataset version that the model behind a hosted endpoint is to learn from. At least once:
    /// the version tells repeats.
    pub(crate) async fn hand_over(
        &self,
        build: &mut Build,
        manifest: &DatasetManifest,
        endpoint: &str,
    ) -> Result<(), StepError> {
        let detail = self.detail(build, manifest, endpoint);
        let event = Event {
            source: SOURCE,
            detail_type: DATASET_READY,
            resources: vec![endpoint.to_owned()],
            detail: detail.to_string(),
        };
        self.bus.put(&event).await.map_err(|error| match error {
            EventBusError::Call(refusal) if !refusal.is_transient() => {
                StepError::Failed(format!("the event bus was not told of the dataset: {refusal}"))
            }
            error => StepError::NotNow(format!(
                "the event bus was not told of the dataset: {}",
                chain(&error)
            )),
        })?;

        let version = &manifest.version;
        info!(
            dataset.version = version,
            endpoint, "the dataset is ready for the hosted model"
        );
        build.status = Status::DatasetReady;
        build.why = format!(
            "dataset version {version} is ready, with {} training rows and {} test rows; the model is hosted elsewhere, so \
             training and deployment are yours",
            manifest.train.summary.rows, manifest.test.summary.rows
        );
        Ok(())
    }

    fn detail(&self, build: &Build, manifest: &DatasetManifest, endpoint: &str) -> Value {
        let uri = |key: &str| self.bucket.uri(key);
        let machine = manifest.machine_labelled.as_ref();
        json!({
            "version": manifest.version,
            "parent": manifest.parent,
            "buildId": build.id,
            "endpointArn": endpoint,
            "bucket": self.bucket.name(),
            "manifestS3Uri": uri(&format!("datasets/{}/manifest.json", manifest.version)),
            "trainS3Uri": uri(&manifest.train.key),
            "machineLabelledS3Uri": machine.map(|machine| uri(&machine.file.key)),
            "testS3Uri": uri(&manifest.test.key),
            "trainRows": manifest.train.summary.rows,
            "testRows": manifest.test.summary.rows,
            "labels": manifest.train.summary.classes.len(),
            "mode": manifest.mode,
            "labelDelimiter": manifest.label_delimiter,
        })
    }

    /// Writes down that a parameter made another endpoint serve, or made the one of before serve again: no build did.
    pub(crate) async fn note_host(
        &self,
        serving: Option<&str>,
        last: Option<&Deployment>,
        now: DateTime<Utc>,
    ) -> Result<(), StepError> {
        let hosted = self.config.endpoint.hosted();
        let was_hosted =
            last.is_some_and(|last| last.by == SwitchedBy::Parameter && is_hosted(&last.model_arn));
        let (Some(serving), true) = (serving, hosted.is_some() || was_hosted) else {
            return Ok(());
        };
        if last.is_some_and(|last| last.model_arn == serving) {
            return Ok(());
        }

        let reason = match hosted {
            Some(_) => "the parameter SageMakerEndpointName names its endpoint",
            None => "the parameter SageMakerEndpointName names no endpoint any more",
        };
        let deployment = Deployment {
            at: now,
            model_arn: serving.to_owned(),
            previous_model_arn: last.map(|last| last.model_arn.clone()),
            by: SwitchedBy::Parameter,
            reason: reason.to_owned(),
            build_id: "parameter".to_owned(),
        };
        self.bucket.put_document(&deployment.key(), &deployment).await?;
        Ok(())
    }
}

/// Returns whether an ARN is that of a SageMaker endpoint.
fn is_hosted(arn: &str) -> bool {
    arn.split(':').nth(2) == Some("sagemaker")
}
