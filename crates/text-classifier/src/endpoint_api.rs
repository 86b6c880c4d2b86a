//! The operations on endpoints.
//!
//! Differs from Comprehend: inference units are counted but limit nothing, and a deleted endpoint is gone at
//! once.

use chrono::Utc;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    api_error::ApiError,
    arn::{ClassifierArn, EndpointArn},
    bucket::{Bucket, Updated},
    classifier,
    endpoint::{Endpoint, EndpointProperties, EndpointStatus, KIND, NO_MODEL},
    flywheel,
    listing::{self, Order, Paging, Position},
    time::{epoch_seconds, from_epoch_seconds},
    validation::{self, Origin, Tag, required},
    work,
};

/// Most inference units of an endpoint, as in Comprehend.
const MAX_UNITS: i32 = 50;
const NOT_FOUND: ApiError = ApiError::ResourceNotFound("endpoint");

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct CreateRequest {
    endpoint_name: Option<String>,
    model_arn: Option<String>,
    desired_inference_units: Option<i32>,
    #[serde(skip_serializing)]
    client_request_token: Option<String>,
    tags: Option<Vec<Tag>>,
    data_access_role_arn: Option<String>,
    flywheel_arn: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct UpdateRequest {
    endpoint_arn: Option<String>,
    desired_model_arn: Option<String>,
    desired_inference_units: Option<i32>,
    desired_data_access_role_arn: Option<String>,
    flywheel_arn: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ArnRequest {
    endpoint_arn: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListRequest {
    filter: Option<Filter>,
    #[serde(flatten)]
    paging: Paging,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Filter {
    model_arn: Option<String>,
    status: Option<String>,
    creation_time_before: Option<f64>,
    creation_time_after: Option<f64>,
}

pub(crate) async fn create(
    bucket: &Bucket,
    own: &EndpointArn,
    request: CreateRequest,
) -> Result<Value, ApiError> {
    let origin = Origin::new(request.client_request_token.clone(), &request);
    let name = required("endpointName", request.endpoint_name)?;
    validation::name("endpointName", &name, validation::MAX_ENDPOINT_NAME)?;
    let units = required("desiredInferenceUnits", request.desired_inference_units)?;
    check_units(units)?;
    validation::client_request_token(request.client_request_token.as_deref())?;
    if let Some(role) = &request.data_access_role_arn {
        validation::data_access_role(role)?;
    }
    let tags = request.tags.unwrap_or_default();
    validation::tags(&tags)?;
    flywheel::not_both(request.model_arn.as_deref(), request.flywheel_arn.as_deref())?;
    let model = match (request.model_arn, &request.flywheel_arn) {
        (Some(model), _) => model,
        (None, Some(flywheel)) => flywheel::active_model(bucket, own.scope(), flywheel).await?,
        (None, None) => {
            return Err(ApiError::InvalidRequest("a ModelArn or a FlywheelArn is needed"));
        }
    };
    let model = validation::classifier_arn("modelArn", &model)?;
    let arn = EndpointArn::new(own.scope(), &name);
    if let Some(existing) = bucket.read::<Endpoint>(&arn.resource()).await? {
        repeats(&origin, &existing)?;
    } else {
        classifier::usable(bucket, own.scope(), &model).await?;
        let now = epoch_seconds(Utc::now());
        let mut properties = EndpointProperties::creating(&arn);
        properties.model_arn = Some(model.to_string());
        properties.desired_model_arn = Some(model.to_string());
        properties.desired_inference_units = units;
        properties.creation_time = Some(now);
        properties.last_modified_time = Some(now);
        properties.data_access_role_arn = request.data_access_role_arn;
        properties.flywheel_arn = request.flywheel_arn;
        let endpoint = Endpoint {
            properties,
            origin: Some(origin.clone()),
            tags,
            initial: None,
            next_model: None,
        };
        if !bucket.create(&arn.resource(), &endpoint).await?
            && let Some(existing) = bucket.read::<Endpoint>(&arn.resource()).await?
        {
            repeats(&origin, &existing)?;
        }
    }
    // Also for a request that comes again: its first delivery may have died before this.
    bucket.ask_for_work(&arn.resource()).await?;
    Ok(json!({"EndpointArn": arn.to_string(), "ModelArn": model.to_string()}))
}

fn check_units(units: i32) -> Result<(), ApiError> {
    if units < 1 {
        let constraint = "Member must have value greater than or equal to 1";
        return Err(validation::invalid("desiredInferenceUnits", constraint));
    }
    if units > MAX_UNITS {
        return Err(ApiError::ResourceLimitExceeded(
            "an endpoint has at most 50 inference units",
        ));
    }
    Ok(())
}

fn repeats(origin: &Origin, existing: &Endpoint) -> Result<(), ApiError> {
    let in_use = "there is an endpoint of this name";
    match &existing.origin {
        Some(first) => origin.repeats(first, in_use),
        None => Err(ApiError::ResourceInUse(in_use)),
    }
}

pub(crate) async fn describe(
    bucket: &Bucket,
    own: &EndpointArn,
    request: ArnRequest,
) -> Result<Value, ApiError> {
    let arn = requested_arn(own, request.endpoint_arn)?;
    let properties = match bucket.read::<Endpoint>(&arn.resource()).await? {
        Some(endpoint) => endpoint.properties,
        None if arn == *own => EndpointProperties::waiting_for_a_model(&arn),
        None => return Err(NOT_FOUND),
    };
    let asked_for = from_epoch_seconds(properties.last_modified_time.unwrap_or_default());
    let changing = matches!(
        properties.status,
        EndpointStatus::Creating | EndpointStatus::Updating
    );
    if changing && properties.desired_model_arn.is_some() && work::is_overdue(None, asked_for, Utc::now()) {
        bucket.ask_for_work(&arn.resource()).await?;
    }
    Ok(json!({"EndpointProperties": properties}))
}

pub(crate) async fn update(
    bucket: &Bucket,
    own: &EndpointArn,
    request: UpdateRequest,
) -> Result<Value, ApiError> {
    let arn = requested_arn(own, request.endpoint_arn)?;
    if let Some(role) = &request.desired_data_access_role_arn {
        validation::data_access_role(role)?;
    }
    let units = request.desired_inference_units;
    units.map_or(Ok(()), check_units)?;
    flywheel::not_both(
        request.desired_model_arn.as_deref(),
        request.flywheel_arn.as_deref(),
    )?;
    let active = match (&request.desired_model_arn, &request.flywheel_arn) {
        (None, Some(flywheel)) => Some(flywheel::active_model(bucket, own.scope(), flywheel).await?),
        (Some(_), _) | (None, None) => None,
    };
    let model = request.desired_model_arn.as_deref().or(active.as_deref());
    let model = model
        .map(|model| validation::classifier_arn("desiredModelArn", model))
        .transpose()?;
    if model.is_none() && units.is_none() && request.desired_data_access_role_arn.is_none() {
        return Err(ApiError::InvalidRequest("nothing is to be changed"));
    }
    let endpoint: Option<Endpoint> = bucket.read(&arn.resource()).await?;
    let endpoint = match endpoint {
        Some(endpoint) => endpoint,
        None if arn == *own => return Err(ApiError::ResourceUnavailable(NO_MODEL)),
        None => return Err(NOT_FOUND),
    };
    if let Some(model) = &model {
        check_same_mode(bucket, own, &endpoint, model).await?;
    }
    let change = |endpoint: &mut Endpoint| {
        let properties = &mut endpoint.properties;
        match properties.status {
            EndpointStatus::InService => {}
            EndpointStatus::Creating | EndpointStatus::Updating | EndpointStatus::Deleting => {
                return Err(ApiError::ResourceInUse("the endpoint is being changed"));
            }
            EndpointStatus::Failed => return Err(ApiError::ResourceUnavailable("the endpoint has failed")),
        }
        properties.status = EndpointStatus::Updating;
        properties.message = None;
        properties.last_modified_time = Some(epoch_seconds(Utc::now()));
        // Without a wish the serving model stays; so ends what a failed update has left wished for.
        let model = model.as_ref().map(ClassifierArn::to_string);
        properties.desired_model_arn = model.or(properties.model_arn.clone());
        if let Some(units) = units {
            properties.desired_inference_units = units;
        }
        if let Some(flywheel) = &request.flywheel_arn {
            properties.flywheel_arn = Some(flywheel.clone());
        }
        if let Some(role) = &request.desired_data_access_role_arn {
            properties.desired_data_access_role_arn = Some(role.clone());
        }
        Ok(())
    };
    match bucket.update(&arn.resource(), change).await? {
        Updated::Missing => Err(NOT_FOUND),
        Updated::Refused(refusal) => Err(refusal),
        Updated::Done(endpoint) => {
            bucket.ask_for_work(&arn.resource()).await?;
            Ok(json!({"DesiredModelArn": endpoint.properties.desired_model_arn}))
        }
    }
}

/// Has the endpoints of a flywheel serve its active model: one that is being changed goes on to it then.
pub(crate) async fn follow(
    bucket: &Bucket,
    scope: &str,
    flywheel_arn: &str,
    model: &ClassifierArn,
) -> Result<(), ApiError> {
    let model = model.to_string();
    for endpoint in bucket.states::<Endpoint>(KIND).await? {
        let properties = endpoint.properties;
        let is_its_own = properties.flywheel_arn.as_deref() == Some(flywheel_arn);
        let Ok(arn) = properties.endpoint_arn.parse::<EndpointArn>() else {
            continue;
        };
        if !is_its_own || arn.scope() != scope {
            continue;
        }
        let change = |endpoint: &mut Endpoint| match endpoint.follow(&model, epoch_seconds(Utc::now())) {
            true => Ok(()),
            false => Err(()),
        };
        if let Updated::Done(_) = bucket.update(&arn.resource(), change).await? {
            bucket.ask_for_work(&arn.resource()).await?;
        }
    }
    Ok(())
}

async fn check_same_mode(
    bucket: &Bucket,
    own: &EndpointArn,
    endpoint: &Endpoint,
    desired: &ClassifierArn,
) -> Result<(), ApiError> {
    let desired = classifier::usable(bucket, own.scope(), desired).await?;
    let serving = endpoint.properties.model_arn.as_deref();
    let Some(serving) = serving.and_then(|arn| arn.parse::<ClassifierArn>().ok()) else {
        return Ok(());
    };
    let serving: Option<classifier::Classifier> = bucket.read(&serving.resource()).await?;
    if serving.is_some_and(|serving| serving.properties.mode != desired.properties.mode) {
        return Err(ApiError::InvalidRequest(
            "the model has another mode than the endpoint's",
        ));
    }
    Ok(())
}

pub(crate) async fn list(
    bucket: &Bucket,
    own: &EndpointArn,
    request: ListRequest,
) -> Result<Value, ApiError> {
    let filter = request.filter.unwrap_or_default();
    if let Some(model) = &filter.model_arn {
        validation::classifier_arn("filter.modelArn", model)?;
    }
    let status = filter.status.as_deref();
    let status: Option<EndpointStatus> = status
        .map(|status| validation::enumeration("filter.status", status))
        .transpose()?;
    let endpoints = bucket.states::<Endpoint>(KIND).await?;
    let mut all: Vec<EndpointProperties> = endpoints
        .into_iter()
        .map(|endpoint| endpoint.properties)
        .collect();
    let own_arn = own.to_string();
    if all.iter().all(|properties| properties.endpoint_arn != own_arn) {
        all.push(EndpointProperties::waiting_for_a_model(own));
    }
    let created = |properties: &EndpointProperties| properties.creation_time.unwrap_or_default();
    let wanted = |properties: &EndpointProperties| {
        status.is_none_or(|status| properties.status == status)
            && (filter.model_arn.is_none() || properties.model_arn == filter.model_arn)
            && listing::is_between(
                created(properties),
                filter.creation_time_after,
                filter.creation_time_before,
            )
    };
    let items: Vec<(Position, Value)> = all
        .into_iter()
        .filter(wanted)
        .map(|properties| {
            let position = (created(&properties), properties.endpoint_arn.clone());
            (position, json!(properties))
        })
        .collect();
    let order = Order::of_filter(filter.creation_time_before);
    listing::page("EndpointPropertiesList", items, order, &request.paging)
}

pub(crate) async fn delete(
    bucket: &Bucket,
    own: &EndpointArn,
    request: ArnRequest,
) -> Result<Value, ApiError> {
    let arn = requested_arn(own, request.endpoint_arn)?;
    let status = match bucket.read::<Endpoint>(&arn.resource()).await? {
        Some(endpoint) => endpoint.properties.status,
        None if arn == *own => EndpointStatus::Creating,
        None => return Err(NOT_FOUND),
    };
    match status {
        EndpointStatus::InService | EndpointStatus::Failed => {
            bucket.delete(&arn.resource()).await?;
            Ok(json!({}))
        }
        EndpointStatus::Creating | EndpointStatus::Updating | EndpointStatus::Deleting => {
            Err(ApiError::ResourceInUse("the endpoint is being changed"))
        }
    }
}

fn requested_arn(own: &EndpointArn, arn: Option<String>) -> Result<EndpointArn, ApiError> {
    let arn = validation::endpoint_arn(arn)?;
    if arn.scope() == own.scope() {
        Ok(arn)
    } else {
        Err(NOT_FOUND)
    }
}
