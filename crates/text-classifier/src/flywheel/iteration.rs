//! Iterations of flywheels: their state, and the operations on them.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    api_error::ApiError,
    arn::{ClassifierArn, FlywheelArn},
    bucket::{Bucket, Updated},
    flywheel::{
        self, Flywheel, FlywheelStatus,
        dataset::{self, DatasetStatus},
    },
    listing::{self, Order, Paging, Position},
    time::{epoch_seconds, from_epoch_seconds},
    training_input::Use,
    validation::{self, Origin, required},
    work::{self, Run},
};

/// First part of the resource under which an iteration's state lies.
pub(crate) const KIND: &str = "flywheel-iteration";
const NOT_FOUND: ApiError = ApiError::ResourceNotFound("flywheel iteration");
/// How an id is written: when the iteration was begun.
const ID: &str = "%Y%m%dT%H%M%SZ";
/// Longest time between the request for an iteration and its state.
const BEGINNING: TimeDelta = TimeDelta::minutes(1);

/// Comprehend's `FlywheelIterationStatus`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum IterationStatus {
    Training,
    Evaluating,
    Completed,
    Failed,
    StopRequested,
    Stopped,
}

impl IterationStatus {
    pub(super) fn is_open(self) -> bool {
        match self {
            Self::Training | Self::Evaluating | Self::StopRequested => true,
            Self::Completed | Self::Failed | Self::Stopped => false,
        }
    }
}

/// An iteration's state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Iteration {
    /// Answer of `DescribeFlywheelIteration`.
    pub properties: IterationProperties,
    pub origin: Origin,
    /// Who trains and evaluates.
    pub run: Option<Run>,
}

/// Comprehend's `FlywheelIterationProperties`. Times are seconds since 1970.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct IterationProperties {
    pub flywheel_arn: String,
    pub flywheel_iteration_id: String,
    pub creation_time: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_time: Option<f64>,
    pub status: IterationStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evaluated_model_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evaluated_model_metrics: Option<Metrics>,
    pub trained_model_arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trained_model_metrics: Option<Metrics>,
}

/// Comprehend's `FlywheelModelEvaluationMetrics`: unweighted means over the classes; the accuracy is the share of texts
/// whose labels are all right.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Metrics {
    pub average_f1_score: f64,
    pub average_precision: f64,
    pub average_recall: f64,
    pub average_accuracy: f64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct StartRequest {
    flywheel_arn: Option<String>,
    #[serde(skip_serializing)]
    client_request_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct DescribeRequest {
    flywheel_arn: Option<String>,
    flywheel_iteration_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct HistoryRequest {
    flywheel_arn: Option<String>,
    filter: Option<Filter>,
    #[serde(flatten)]
    paging: Paging,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Filter {
    creation_time_after: Option<f64>,
    creation_time_before: Option<f64>,
}

/// Starts an iteration. Idempotent by its token; a flywheel has one at a time.
pub(crate) async fn start(bucket: &Bucket, scope: &str, request: StartRequest) -> Result<Value, ApiError> {
    let origin = Origin::new(request.client_request_token.clone(), &request);
    validation::client_request_token(request.client_request_token.as_deref())?;
    let arn = flywheel::requested(scope, request.flywheel_arn)?;
    let flywheel = flywheel::read(bucket, &arn).await?;
    if flywheel.properties.status != FlywheelStatus::Active {
        return Err(ApiError::ResourceInUse("the flywheel is not active"));
    }
    let before = of(bucket, &arn).await?;
    let repeated = before
        .iter()
        .find(|before| origin.repeats(&before.origin, "").is_ok());
    let id = match repeated {
        Some(repeated) => repeated.properties.flywheel_iteration_id.clone(),
        None => create(bucket, &arn, &flywheel, &before, origin).await?,
    };
    // Also for a request that comes again: its first delivery may have died before this.
    bucket
        .ask_for_work(&flywheel::nested(KIND, &arn.name, &id))
        .await?;
    Ok(json!({"FlywheelArn": arn.to_string(), "FlywheelIterationId": id}))
}

async fn create(
    bucket: &Bucket,
    arn: &FlywheelArn,
    flywheel: &Flywheel,
    before: &[Iteration],
    origin: Origin,
) -> Result<String, ApiError> {
    let runs = |iteration: &Iteration| iteration.properties.status.is_open();
    if before.iter().any(runs) {
        return Err(ApiError::ResourceInUse("the flywheel is in an iteration"));
    }
    let now = Utc::now();
    for use_for in [Use::Train, Use::Test] {
        let datasets = dataset::of(bucket, arn, use_for).await?;
        let is_creating = |dataset: &dataset::Dataset| dataset.properties.status == DatasetStatus::Creating;
        if datasets.iter().any(is_creating) {
            return Err(ApiError::ResourceInUse("a dataset of the flywheel is being made"));
        }
    }
    // Of two requests at a time the flywheel names one iteration, whose state may not be there yet.
    let latest = flywheel.properties.latest_flywheel_iteration.as_deref();
    let is_there = |latest: &&str| {
        before
            .iter()
            .any(|it| it.properties.flywheel_iteration_id == **latest)
    };
    if latest
        .filter(|latest| !is_there(latest))
        .is_some_and(|latest| is_new(latest, now))
    {
        return Err(ApiError::ResourceInUse("the flywheel is in an iteration"));
    }

    let id = now.format(ID).to_string();
    let active = flywheel.properties.active_model_arn.clone();
    let iteration = Iteration {
        properties: IterationProperties {
            flywheel_arn: arn.to_string(),
            flywheel_iteration_id: id.clone(),
            creation_time: epoch_seconds(now),
            end_time: None,
            status: IterationStatus::Training,
            message: None,
            trained_model_arn: new_model(arn, active.as_deref(), &id).to_string(),
            evaluated_model_arn: active,
            evaluated_model_metrics: None,
            trained_model_metrics: None,
        },
        origin,
        run: None,
    };
    let take = |flywheel: &mut Flywheel| {
        let properties = &mut flywheel.properties;
        if properties.latest_flywheel_iteration.as_deref() != latest {
            return Err(());
        }
        properties.latest_flywheel_iteration = Some(id.clone());
        Ok(())
    };
    match bucket.update(&arn.resource(), take).await? {
        Updated::Done(_) => {}
        Updated::Refused(()) => return Err(ApiError::ResourceInUse("the flywheel is in an iteration")),
        Updated::Missing => return Err(flywheel::NOT_FOUND),
    }
    let resource = flywheel::nested(KIND, &arn.name, &id);
    match bucket.create(&resource, &iteration).await? {
        true => Ok(id),
        false => Err(ApiError::ResourceInUse("the flywheel is in an iteration")),
    }
}

/// Returns whether an iteration of this id was begun so lately that its state may not be there yet.
fn is_new(id: &str, now: DateTime<Utc>) -> bool {
    let begun = NaiveDateTime::parse_from_str(id, ID);
    begun.is_ok_and(|begun| now - begun.and_utc() < BEGINNING)
}

/// Names the version that an iteration trains: of the active model, else of one that is called as the flywheel is.
fn new_model(arn: &FlywheelArn, active: Option<&str>, id: &str) -> ClassifierArn {
    let active: Option<ClassifierArn> = active.and_then(|active| active.parse().ok());
    let name = active.map_or_else(|| arn.name.clone(), |active| active.name);
    let identity = hex::encode(&Sha256::digest(format!("{arn}\0{id}"))[..4]);
    ClassifierArn::new(
        &arn.scope,
        &name,
        Some(&format!("Comprehend-Generated-v1-{identity}")),
    )
}

/// Returns the iterations of a flywheel.
pub(super) async fn of(bucket: &Bucket, arn: &FlywheelArn) -> Result<Vec<Iteration>, ApiError> {
    Ok(bucket.states(&format!("{KIND}/{}", arn.name)).await?)
}

pub(crate) async fn describe(
    bucket: &Bucket,
    scope: &str,
    request: DescribeRequest,
) -> Result<Value, ApiError> {
    let arn = flywheel::requested(scope, request.flywheel_arn)?;
    let id = required("flywheelIterationId", request.flywheel_iteration_id)?;
    validation::name("flywheelIterationId", &id, validation::MAX_NAME)?;
    let resource = flywheel::nested(KIND, &arn.name, &id);
    let iteration: Iteration = bucket.read(&resource).await?.ok_or(NOT_FOUND)?;
    let started = from_epoch_seconds(iteration.properties.creation_time);
    if iteration.properties.status.is_open() && work::is_overdue(iteration.run.as_ref(), started, Utc::now())
    {
        bucket.ask_for_work(&resource).await?;
    }
    Ok(json!({"FlywheelIterationProperties": iteration.properties}))
}

pub(crate) async fn history(
    bucket: &Bucket,
    scope: &str,
    request: HistoryRequest,
) -> Result<Value, ApiError> {
    let arn = flywheel::requested(scope, request.flywheel_arn)?;
    flywheel::read(bucket, &arn).await?;
    let filter = request.filter.unwrap_or_default();
    let (after, before) = (filter.creation_time_after, filter.creation_time_before);
    let iterations = of(bucket, &arn).await?.into_iter().map(|it| it.properties);
    let items: Vec<(Position, Value)> = iterations
        .filter(|iteration| listing::is_between(iteration.creation_time, after, before))
        .map(|iteration| {
            let position = (iteration.creation_time, iteration.flywheel_iteration_id.clone());
            (position, json!(iteration))
        })
        .collect();
    let order = Order::of_filter(before);
    listing::page("FlywheelIterationPropertiesList", items, order, &request.paging)
}
