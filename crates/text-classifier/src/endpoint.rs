//! Endpoints: their state. The operations are in [`crate::endpoint_api`]; how a model comes into service is in
//! [`crate::roll_out`].

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    arn::EndpointArn,
    bucket::{Bucket, StoreError},
    validation::{Origin, Tag},
};

/// First part of an endpoint's resource.
pub(crate) const KIND: &str = "document-classifier-endpoint";
/// Said of an endpoint before its first model.
pub(crate) const NO_MODEL: &str =
    "the endpoint has no model yet: put a training file under initial/ in the training bucket";
/// Comprehend's `EndpointStatus`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum EndpointStatus {
    Creating,
    Deleting,
    Failed,
    InService,
    Updating,
}

/// An endpoint's state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Endpoint {
    /// Answer of `DescribeEndpoint`.
    pub properties: EndpointProperties,
    /// The request that made it; none if an initial training file did.
    pub origin: Option<Origin>,
    pub tags: Vec<Tag>,
    /// The newest initial training file whose model came into service here.
    pub initial: Option<InitialModel>,
    /// The model that its flywheel made the active one while it was being changed: it comes next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_model: Option<String>,
}

/// An initial training file's model: an older file never replaces a newer one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct InitialModel {
    pub uploaded: DateTime<Utc>,
    pub model_arn: String,
    /// When it came into service; not known of older states.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<DateTime<Utc>>,
    /// The model that served until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<String>,
}

/// Comprehend's `EndpointProperties`, as far as they mean anything here. Times are seconds since 1970.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct EndpointProperties {
    pub endpoint_arn: String,
    pub status: EndpointStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub desired_model_arn: Option<String>,
    pub desired_inference_units: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current_inference_units: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub creation_time: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_modified_time: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_access_role_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub desired_data_access_role_arn: Option<String>,
    /// The flywheel whose active model it serves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flywheel_arn: Option<String>,
}

impl Endpoint {
    /// Returns the ARN of the model that serves, if one does.
    pub(crate) fn serving_model(&self) -> Option<&str> {
        match self.properties.status {
            EndpointStatus::InService | EndpointStatus::Updating => self.properties.model_arn.as_deref(),
            EndpointStatus::Creating | EndpointStatus::Deleting | EndpointStatus::Failed => None,
        }
    }

    /// Makes an endpoint whose model serves at once: it was loaded here before.
    pub(crate) fn in_service(arn: &EndpointArn, initial: InitialModel, now: f64) -> Self {
        let mut properties = EndpointProperties::creating(arn);
        properties.creation_time = Some(now);
        let mut endpoint = Self {
            properties,
            origin: None,
            tags: Vec::new(),
            initial: None,
            next_model: None,
        };
        endpoint.put_in_service(initial, now);
        endpoint
    }

    /// Puts a newer initial training file's model in service.
    pub(crate) fn put_in_service(&mut self, initial: InitialModel, now: f64) {
        let properties = &mut self.properties;
        properties.status = EndpointStatus::InService;
        properties.message = None;
        properties.model_arn = Some(initial.model_arn.clone());
        properties.desired_model_arn = Some(initial.model_arn.clone());
        properties.current_inference_units = Some(properties.desired_inference_units);
        properties.last_modified_time = Some(now);
        self.initial = Some(initial);
    }

    /// Returns the ARN of the model that is to come into service, if one is.
    pub(crate) fn desired_while_changing(&self) -> Option<&str> {
        match self.properties.status {
            EndpointStatus::Creating | EndpointStatus::Updating => {
                self.properties.desired_model_arn.as_deref()
            }
            EndpointStatus::InService | EndpointStatus::Deleting | EndpointStatus::Failed => None,
        }
    }

    /// Has it serve the model that its flywheel made the active one: at once, or after the one that is on its way. Returns
    /// whether that changes anything.
    pub(crate) fn follow(&mut self, model_arn: &str, now: f64) -> bool {
        match self.properties.status {
            EndpointStatus::InService if self.properties.model_arn.as_deref() == Some(model_arn) => false,
            EndpointStatus::InService => {
                let properties = &mut self.properties;
                properties.status = EndpointStatus::Updating;
                properties.message = None;
                properties.desired_model_arn = Some(model_arn.to_owned());
                properties.last_modified_time = Some(now);
                true
            }
            EndpointStatus::Creating | EndpointStatus::Updating => {
                let is_on_its_way = self.desired_while_changing() == Some(model_arn);
                let next = (!is_on_its_way).then(|| model_arn.to_owned());
                std::mem::replace(&mut self.next_model, next) != self.next_model
            }
            EndpointStatus::Deleting | EndpointStatus::Failed => false,
        }
    }

    fn needs(&self, model_arn: &str) -> bool {
        self.serving_model() == Some(model_arn)
            || self.desired_while_changing() == Some(model_arn)
            || self.next_model.as_deref() == Some(model_arn)
    }
}

impl EndpointProperties {
    /// The endpoint of the configuration before it has a model.
    pub(crate) fn creating(arn: &EndpointArn) -> Self {
        Self {
            endpoint_arn: arn.to_string(),
            status: EndpointStatus::Creating,
            message: None,
            model_arn: None,
            desired_model_arn: None,
            desired_inference_units: 1,
            current_inference_units: None,
            creation_time: None,
            last_modified_time: None,
            data_access_role_arn: None,
            desired_data_access_role_arn: None,
            flywheel_arn: None,
        }
    }

    pub(crate) fn waiting_for_a_model(arn: &EndpointArn) -> Self {
        Self {
            message: Some(NO_MODEL.to_owned()),
            ..Self::creating(arn)
        }
    }
}

/// Returns whether an endpoint serves a model or is about to.
pub(crate) async fn uses(bucket: &Bucket, model_arn: &str) -> Result<bool, StoreError> {
    let endpoints = bucket.states::<Endpoint>(KIND).await?;
    Ok(endpoints.iter().any(|endpoint| endpoint.needs(model_arn)))
}

/// Returns whether an endpoint serves the active model of a flywheel.
pub(crate) async fn follows(bucket: &Bucket, flywheel_arn: &str) -> Result<bool, StoreError> {
    let endpoints = bucket.states::<Endpoint>(KIND).await?;
    let follows = |endpoint: &Endpoint| endpoint.properties.flywheel_arn.as_deref() == Some(flywheel_arn);
    Ok(endpoints.iter().any(follows))
}
