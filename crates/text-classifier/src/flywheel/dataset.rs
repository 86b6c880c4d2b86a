//! Datasets of flywheels: their state, and the operations on them.

use chrono::Utc;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    api_error::ApiError,
    arn::FlywheelArn,
    bucket::Bucket,
    flywheel::{self, FlywheelStatus, lake},
    listing::{self, Order, Paging, Position},
    s3_uri::S3Uri,
    time::{epoch_seconds, from_epoch_seconds},
    training_input::{self, Use},
    validation::{self, Origin, Tag, required},
    work::{self, Run},
};

/// First part of the resource under which a dataset's state lies.
pub(crate) const KIND: &str = "flywheel-dataset";
const NOT_FOUND: ApiError = ApiError::ResourceNotFound("dataset");
/// Most datasets of each type that a flywheel has, as in Comprehend.
const MAX_DATASETS: usize = 50;
const CSV_ONLY: &str =
    "the built-in classifier takes datasets for document classifiers as COMPREHEND_CSV only";

/// Comprehend's `DatasetStatus`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum DatasetStatus {
    Creating,
    Completed,
    Failed,
}

/// A dataset's state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Dataset {
    /// Answer of `DescribeDataset`.
    pub properties: DatasetProperties,
    pub origin: Origin,
    pub tags: Vec<Tag>,
    pub input: Input,
    /// Who copies its rows.
    pub run: Option<Run>,
}

/// Comprehend's `DatasetProperties`. Times are seconds since 1970.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct DatasetProperties {
    pub dataset_arn: String,
    pub dataset_name: String,
    pub dataset_type: Use,
    /// Where its rows lie in the lake.
    pub dataset_s3_uri: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    pub status: DatasetStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number_of_documents: Option<u64>,
    pub creation_time: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_time: Option<f64>,
}

/// Comprehend's `DatasetDocumentClassifierInputDataConfig`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub s3_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_delimiter: Option<String>,
}

impl Input {
    fn check(&self) -> Result<(), ApiError> {
        let uri = required(
            "inputDataConfig.documentClassifierInputDataConfig.s3Uri",
            self.s3_uri.as_deref(),
        )?;
        validation::s3_uri("inputDataConfig.documentClassifierInputDataConfig.s3Uri", uri)?;
        self.delimiter().map(drop)
    }

    pub(super) fn uri(&self) -> Option<S3Uri> {
        self.s3_uri.as_deref().and_then(|uri| uri.parse().ok())
    }

    pub(super) fn delimiter(&self) -> Result<char, ApiError> {
        training_input::delimiter(self.label_delimiter.as_deref())
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InputDataConfig {
    data_format: Option<String>,
    document_classifier_input_data_config: Option<Input>,
    augmented_manifests: Option<Value>,
    entity_recognizer_input_data_config: Option<Value>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct CreateRequest {
    flywheel_arn: Option<String>,
    dataset_name: Option<String>,
    dataset_type: Option<String>,
    description: Option<String>,
    input_data_config: Option<InputDataConfig>,
    #[serde(skip_serializing)]
    client_request_token: Option<String>,
    tags: Option<Vec<Tag>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ArnRequest {
    dataset_arn: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListRequest {
    flywheel_arn: Option<String>,
    filter: Option<Filter>,
    #[serde(flatten)]
    paging: Paging,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Filter {
    status: Option<String>,
    dataset_type: Option<String>,
    creation_time_after: Option<f64>,
    creation_time_before: Option<f64>,
}

pub(crate) async fn create(bucket: &Bucket, scope: &str, request: CreateRequest) -> Result<Value, ApiError> {
    let origin = Origin::new(request.client_request_token.clone(), &request);
    validation::client_request_token(request.client_request_token.as_deref())?;
    let arn = flywheel::requested(scope, request.flywheel_arn)?;
    let name = required("datasetName", request.dataset_name)?;
    validation::name("datasetName", &name, validation::MAX_NAME)?;
    let dataset_type = request.dataset_type.as_deref().unwrap_or("TRAIN");
    let dataset_type: Use = validation::enumeration("datasetType", dataset_type)?;
    let input = input(required("inputDataConfig", request.input_data_config)?)?;
    let tags = request.tags.unwrap_or_default();
    validation::tags(&tags)?;
    let flywheel = flywheel::read(bucket, &arn).await?;
    if flywheel.properties.status != FlywheelStatus::Active {
        return Err(ApiError::ResourceInUse("the flywheel is not active"));
    }

    let resource = flywheel::nested(KIND, &arn.name, &name);
    let folder = lake::folder(&flywheel.properties, dataset_type).map_err(|_| flywheel::NOT_FOUND)?;
    let dataset_arn = format!("{arn}/dataset/{name}");
    let dataset = Dataset {
        properties: DatasetProperties {
            dataset_arn: dataset_arn.clone(),
            dataset_name: name.clone(),
            dataset_type,
            dataset_s3_uri: folder.join(&format!("{name}.csv")).to_string(),
            description: request.description,
            status: DatasetStatus::Creating,
            message: None,
            number_of_documents: None,
            creation_time: epoch_seconds(Utc::now()),
            end_time: None,
        },
        origin: origin.clone(),
        tags,
        input,
        run: None,
    };
    let existing: Option<Dataset> = bucket.read(&resource).await?;
    if existing.is_none() && of(bucket, &arn, dataset_type).await?.len() >= MAX_DATASETS {
        return Err(ApiError::ResourceLimitExceeded(
            "a flywheel has at most 50 datasets of a type",
        ));
    }
    if existing.is_some() || !bucket.create(&resource, &dataset).await? {
        let existing: Dataset = bucket.read(&resource).await?.ok_or(NOT_FOUND)?;
        origin.repeats(&existing.origin, "there is a dataset of this name")?;
    }
    // Also for a request that comes again: its first delivery may have died before this.
    bucket.ask_for_work(&resource).await?;
    Ok(json!({"DatasetArn": dataset_arn}))
}

fn input(config: InputDataConfig) -> Result<Input, ApiError> {
    validation::unsupported(config.augmented_manifests.as_ref(), CSV_ONLY)?;
    validation::unsupported(config.entity_recognizer_input_data_config.as_ref(), CSV_ONLY)?;
    if config
        .data_format
        .is_some_and(|format| format != "COMPREHEND_CSV")
    {
        return Err(ApiError::InvalidRequest(CSV_ONLY));
    }
    let input = config.document_classifier_input_data_config;
    let input = required("inputDataConfig.documentClassifierInputDataConfig", input)?;
    input.check()?;
    Ok(input)
}

/// Returns the datasets of a flywheel of a type.
pub(super) async fn of(
    bucket: &Bucket,
    arn: &FlywheelArn,
    dataset_type: Use,
) -> Result<Vec<Dataset>, ApiError> {
    let mut datasets: Vec<Dataset> = bucket.states(&format!("{KIND}/{}", arn.name)).await?;
    datasets.retain(|dataset| dataset.properties.dataset_type == dataset_type);
    Ok(datasets)
}

pub(crate) async fn describe(bucket: &Bucket, scope: &str, request: ArnRequest) -> Result<Value, ApiError> {
    let arn = required("datasetArn", request.dataset_arn)?;
    let (flywheel, name) = FlywheelArn::of_dataset(&arn).ok_or_else(|| flywheel::pattern("datasetArn"))?;
    if flywheel.scope != scope {
        return Err(NOT_FOUND);
    }
    let resource = flywheel::nested(KIND, &flywheel.name, &name);
    let dataset: Dataset = bucket.read(&resource).await?.ok_or(NOT_FOUND)?;
    let created = from_epoch_seconds(dataset.properties.creation_time);
    if dataset.properties.status == DatasetStatus::Creating
        && work::is_overdue(dataset.run.as_ref(), created, Utc::now())
    {
        bucket.ask_for_work(&resource).await?;
    }
    Ok(json!({"DatasetProperties": dataset.properties}))
}

pub(crate) async fn list(bucket: &Bucket, scope: &str, request: ListRequest) -> Result<Value, ApiError> {
    let filter = request.filter.unwrap_or_default();
    let status = filter.status.as_deref();
    let status: Option<DatasetStatus> = status
        .map(|status| validation::enumeration("filter.status", status))
        .transpose()?;
    let dataset_type = filter.dataset_type.as_deref();
    let dataset_type: Option<Use> = dataset_type
        .map(|dataset_type| validation::enumeration("filter.datasetType", dataset_type))
        .transpose()?;
    let kind = match request.flywheel_arn {
        Some(arn) => {
            let arn = flywheel::requested(scope, Some(arn))?;
            flywheel::read(bucket, &arn).await?;
            format!("{KIND}/{}", arn.name)
        }
        None => KIND.to_owned(),
    };
    let wanted = |dataset: &Dataset| {
        let properties = &dataset.properties;
        status.is_none_or(|status| properties.status == status)
            && dataset_type.is_none_or(|wanted| properties.dataset_type == wanted)
            && listing::is_between(
                properties.creation_time,
                filter.creation_time_after,
                filter.creation_time_before,
            )
    };
    let datasets = bucket.states::<Dataset>(&kind).await?;
    let items: Vec<(Position, Value)> = datasets
        .into_iter()
        .filter(wanted)
        .map(|dataset| {
            let properties = dataset.properties;
            let position = (properties.creation_time, properties.dataset_arn.clone());
            (position, json!(properties))
        })
        .collect();
    let order = Order::of_filter(filter.creation_time_before);
    listing::page("DatasetPropertiesList", items, order, &request.paging)
}
