//! The operations on flywheels themselves.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use text_model::Mode;

use crate::{
    api_error::ApiError,
    arn::{ClassifierArn, FlywheelArn},
    bucket::{Bucket, Updated},
    classifier::{self, Classifier},
    classifier_api, endpoint, endpoint_api,
    flywheel::{
        self, ClassificationConfig, Flywheel, FlywheelProperties, FlywheelStatus, KIND, NOT_FOUND,
        TaskConfig, dataset, iteration,
    },
    listing::{self, Order, Paging, Position},
    s3_uri::S3Uri,
    time::{epoch_seconds, from_epoch_seconds},
    training_input::Use,
    validation::{self, Origin, Tag, required},
    work,
};

/// Folder of the training bucket in which the data lakes of this bucket lie.
const LAKES: &str = "flywheels/";
/// Most flywheels, as in Comprehend.
const MAX_FLYWHEELS: usize = 20;
/// Members of a description that a summary has not.
const ONLY_DESCRIBED: [&str; 2] = ["DataAccessRoleArn", "TaskConfig"];
const MAX_LABELS: usize = 1_000;
const MAX_LABEL: usize = 5_000;
const MAX_LAKE_URI: usize = 512;
const CLASSIFIERS_ONLY: &str = "only flywheels of document classifiers are supported";

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RequestedTask {
    language_code: Option<String>,
    document_classification_config: Option<RequestedClasses>,
    entity_recognition_config: Option<Value>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RequestedClasses {
    mode: Option<String>,
    labels: Option<Vec<String>>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct CreateRequest {
    flywheel_name: Option<String>,
    active_model_arn: Option<String>,
    data_access_role_arn: Option<String>,
    task_config: Option<RequestedTask>,
    model_type: Option<String>,
    data_lake_s3_uri: Option<String>,
    data_security_config: Option<Value>,
    #[serde(skip_serializing)]
    client_request_token: Option<String>,
    tags: Option<Vec<Tag>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ArnRequest {
    flywheel_arn: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct UpdateRequest {
    flywheel_arn: Option<String>,
    active_model_arn: Option<String>,
    data_access_role_arn: Option<String>,
    data_security_config: Option<Value>,
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
    status: Option<String>,
    creation_time_after: Option<f64>,
    creation_time_before: Option<f64>,
}

/// A request that was checked, but for the model that it names.
struct Checked {
    arn: FlywheelArn,
    lake: S3Uri,
    role: String,
    tags: Vec<Tag>,
    model: Option<ClassifierArn>,
    /// What it learns, where no model says so.
    task: Option<TaskConfig>,
}

impl CreateRequest {
    fn check(self, bucket: &Bucket, scope: &str, now: DateTime<Utc>) -> Result<Checked, ApiError> {
        let name = required("flywheelName", self.flywheel_name)?;
        validation::name("flywheelName", &name, validation::MAX_NAME)?;
        let role = required("dataAccessRoleArn", self.data_access_role_arn)?;
        validation::data_access_role(&role)?;
        validation::client_request_token(self.client_request_token.as_deref())?;
        let no_keys = "DataSecurityConfig is not supported";
        validation::unsupported(self.data_security_config.as_ref(), no_keys)?;
        let tags = self.tags.unwrap_or_default();
        validation::tags(&tags)?;
        let lake = required("dataLakeS3Uri", self.data_lake_s3_uri)?;
        validation::length("dataLakeS3Uri", &lake, 0..=MAX_LAKE_URI)?;
        let lake = validation::s3_uri("dataLakeS3Uri", &lake)?;
        if lake.bucket == bucket.name() && !format!("{}/", lake.key).starts_with(LAKES) {
            return Err(ApiError::InvalidRequest(
                "in the training bucket a data lake lies under flywheels/",
            ));
        }
        if self.model_type.is_some_and(|kind| kind != "DOCUMENT_CLASSIFIER") {
            return Err(ApiError::InvalidRequest(CLASSIFIERS_ONLY));
        }
        let model = self.active_model_arn.as_deref();
        let model = model
            .map(|model| validation::classifier_arn("activeModelArn", model))
            .transpose()?;
        let task = self.task_config.map(task).transpose()?;
        if model.is_some() == task.is_some() {
            return Err(ApiError::InvalidRequest(
                "give either ActiveModelArn or ModelType and TaskConfig",
            ));
        }
        let created = now.format("%Y%m%dT%H%M%SZ");
        Ok(Checked {
            lake: lake.join(&format!("{name}/schemaVersion=1/{created}/")),
            arn: FlywheelArn::new(scope, &name),
            role,
            tags,
            model,
            task,
        })
    }
}

fn task(task: RequestedTask) -> Result<TaskConfig, ApiError> {
    validation::unsupported(task.entity_recognition_config.as_ref(), CLASSIFIERS_ONLY)?;
    let language = required("taskConfig.languageCode", task.language_code)?;
    let classes = required(
        "taskConfig.documentClassificationConfig",
        task.document_classification_config,
    )?;
    let mode = required("taskConfig.documentClassificationConfig.mode", classes.mode)?;
    let mode: Mode = validation::enumeration("taskConfig.documentClassificationConfig.mode", &mode)?;
    let labels = classes.labels.unwrap_or_default();
    if labels.len() == 1 || labels.len() > MAX_LABELS {
        return Err(ApiError::InvalidRequest("a flywheel has 2 to 1,000 labels"));
    }
    for label in &labels {
        let member = "taskConfig.documentClassificationConfig.labels";
        validation::length(member, label, 1..=MAX_LABEL)?;
        if label.contains(char::is_control) {
            return Err(validation::invalid(
                member,
                r"Member must satisfy regular expression pattern: ^\P{C}*$",
            ));
        }
    }
    Ok(TaskConfig {
        language_code: classifier_api::language(language)?,
        document_classification_config: ClassificationConfig { mode, labels },
    })
}

/// Returns what a model's classifier says of what a flywheel of it learns.
fn task_of(model: &Classifier) -> TaskConfig {
    let trained = model.trained.as_ref();
    TaskConfig {
        language_code: model
            .properties
            .language_code
            .clone()
            .unwrap_or_else(|| "en".to_owned()),
        document_classification_config: ClassificationConfig {
            mode: model.properties.mode,
            labels: trained.map(|trained| trained.labels.clone()).unwrap_or_default(),
        },
    }
}

pub(crate) async fn create(bucket: &Bucket, scope: &str, request: CreateRequest) -> Result<Value, ApiError> {
    let origin = Origin::new(request.client_request_token.clone(), &request);
    let now = Utc::now();
    let checked = request.check(bucket, scope, now)?;
    let (arn, resource) = (checked.arn.clone(), checked.arn.resource());
    let model = checked.model.as_ref().map(ClassifierArn::to_string);
    let existing: Option<Flywheel> = bucket.read(&resource).await?;
    if existing.is_none() {
        let flywheel = new(bucket, scope, checked, origin.clone(), epoch_seconds(now)).await?;
        bucket.create(&resource, &flywheel).await?;
    }
    let there = flywheel::read(bucket, &arn).await?;
    let first = there.origin.as_ref().ok_or(NOT_FOUND)?;
    if *first != origin || existing.is_some() {
        origin.repeats(first, "there is a flywheel of this name")?;
    }
    if there.properties.status == FlywheelStatus::Creating {
        // Also for a request that comes again: its first delivery may have died before this.
        bucket.ask_for_work(&resource).await?;
    }
    Ok(match model {
        Some(model) => json!({"FlywheelArn": arn.to_string(), "ActiveModelArn": model}),
        None => json!({"FlywheelArn": arn.to_string()}),
    })
}

async fn new(
    bucket: &Bucket,
    scope: &str,
    checked: Checked,
    origin: Origin,
    now: f64,
) -> Result<Flywheel, ApiError> {
    if bucket.states::<Flywheel>(KIND).await?.len() >= MAX_FLYWHEELS {
        return Err(ApiError::ResourceLimitExceeded("there are 20 flywheels"));
    }
    let task_config = match (&checked.model, checked.task) {
        (Some(model), _) => task_of(&classifier::usable(bucket, scope, model).await?),
        (None, Some(task)) => task,
        (None, None) => return Err(ApiError::InvalidRequest("a TaskConfig is needed")),
    };
    let status = match checked.model {
        Some(_) => FlywheelStatus::Creating, // Its data is to be copied.
        None => FlywheelStatus::Active,
    };
    Ok(Flywheel {
        properties: FlywheelProperties {
            flywheel_arn: checked.arn.to_string(),
            active_model_arn: checked.model.map(|model| model.to_string()),
            data_access_role_arn: checked.role,
            task_config,
            data_lake_s3_uri: checked.lake.to_string(),
            status,
            model_type: "DOCUMENT_CLASSIFIER".to_owned(),
            message: None,
            creation_time: now,
            last_modified_time: now,
            latest_flywheel_iteration: None,
        },
        origin: Some(origin),
        tags: checked.tags,
        run: None,
    })
}

pub(crate) async fn describe(bucket: &Bucket, scope: &str, request: ArnRequest) -> Result<Value, ApiError> {
    let arn = flywheel::requested(scope, request.flywheel_arn)?;
    let flywheel = flywheel::read(bucket, &arn).await?;
    let created = from_epoch_seconds(flywheel.properties.creation_time);
    if flywheel.properties.status == FlywheelStatus::Creating
        && work::is_overdue(flywheel.run.as_ref(), created, Utc::now())
    {
        bucket.ask_for_work(&arn.resource()).await?;
    }
    Ok(json!({"FlywheelProperties": flywheel.properties}))
}

pub(crate) async fn list(bucket: &Bucket, request: ListRequest) -> Result<Value, ApiError> {
    let filter = request.filter.unwrap_or_default();
    let status = filter.status.as_deref();
    let status: Option<FlywheelStatus> = status
        .map(|status| validation::enumeration("filter.status", status))
        .transpose()?;
    let flywheels = bucket.states::<Flywheel>(KIND).await?;
    let all = flywheels.into_iter().map(|flywheel| flywheel.properties);
    let wanted = |properties: &FlywheelProperties| {
        status.is_none_or(|status| properties.status == status)
            && listing::is_between(
                properties.creation_time,
                filter.creation_time_after,
                filter.creation_time_before,
            )
    };
    let items: Vec<(Position, Value)> = all
        .filter(wanted)
        .map(|properties| {
            let position = (properties.creation_time, properties.flywheel_arn.clone());
            let mut summary = json!(properties);
            if let Some(members) = summary.as_object_mut() {
                members.retain(|name, _| !ONLY_DESCRIBED.contains(&name.as_str()));
            }
            (position, summary)
        })
        .collect();
    let order = Order::of_filter(filter.creation_time_before);
    listing::page("FlywheelSummaryList", items, order, &request.paging)
}

/// Changes a flywheel. Endpoints that belong to it follow its active model.
pub(crate) async fn update(bucket: &Bucket, scope: &str, request: UpdateRequest) -> Result<Value, ApiError> {
    let arn = flywheel::requested(scope, request.flywheel_arn)?;
    let no_keys = "DataSecurityConfig is not supported";
    validation::unsupported(request.data_security_config.as_ref(), no_keys)?;
    if let Some(role) = &request.data_access_role_arn {
        validation::data_access_role(role)?;
    }
    let model = request.active_model_arn.as_deref();
    let model = model
        .map(|model| validation::classifier_arn("activeModelArn", model))
        .transpose()?;
    let flywheel = flywheel::read(bucket, &arn).await?;
    if let Some(model) = &model {
        let classifier = classifier::usable(bucket, scope, model).await?;
        if classifier.properties.mode != flywheel.properties.mode() {
            return Err(ApiError::InvalidRequest(
                "the model has another mode than the flywheel's",
            ));
        }
    }
    let change = |flywheel: &mut Flywheel| {
        let properties = &mut flywheel.properties;
        if properties.status != FlywheelStatus::Active {
            return Err(ApiError::InvalidRequest("the flywheel is not active"));
        }
        if let Some(model) = &model {
            properties.active_model_arn = Some(model.to_string());
        }
        if let Some(role) = &request.data_access_role_arn {
            properties.data_access_role_arn.clone_from(role);
        }
        properties.last_modified_time = epoch_seconds(Utc::now());
        Ok(())
    };
    let flywheel = match bucket.update(&arn.resource(), change).await? {
        Updated::Done(flywheel) => flywheel,
        Updated::Refused(refusal) => return Err(refusal),
        Updated::Missing => return Err(NOT_FOUND),
    };
    if let Some(model) = &model {
        endpoint_api::follow(bucket, scope, &arn.to_string(), model).await?;
    }
    Ok(json!({"FlywheelProperties": flywheel.properties}))
}

/// Deletes a flywheel. Its lake and its models stay, as in Comprehend.
pub(crate) async fn delete(bucket: &Bucket, scope: &str, request: ArnRequest) -> Result<Value, ApiError> {
    let arn = flywheel::requested(scope, request.flywheel_arn)?;
    flywheel::read(bucket, &arn).await?;
    let iterations = iteration::of(bucket, &arn).await?;
    if iterations.iter().any(|it| it.properties.status.is_open()) {
        return Err(ApiError::ResourceInUse("the flywheel is in an iteration"));
    }
    if endpoint::follows(bucket, &arn.to_string()).await? {
        return Err(ApiError::ResourceInUse("an endpoint belongs to the flywheel"));
    }
    for iteration in iterations {
        let id = &iteration.properties.flywheel_iteration_id;
        bucket
            .delete(&flywheel::nested(iteration::KIND, &arn.name, id))
            .await?;
    }
    for use_for in [Use::Train, Use::Test] {
        for dataset in dataset::of(bucket, &arn, use_for).await? {
            let name = &dataset.properties.dataset_name;
            bucket
                .delete(&flywheel::nested(dataset::KIND, &arn.name, name))
                .await?;
        }
    }
    bucket.delete(&arn.resource()).await?;
    Ok(json!({}))
}
