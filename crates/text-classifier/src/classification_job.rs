//! Asynchronous classification of many documents: the operations. The work is in
//! [`crate::classification_run`].

use chrono::Utc;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    api_error::ApiError,
    bucket::{Bucket, StoreError},
    classification_run::Progress,
    classifier::{self, OutputDataConfig},
    flywheel,
    listing::{self, Order, Paging, Position},
    output,
    s3_uri::S3Uri,
    time::{epoch_seconds, from_epoch_seconds},
    validation::{self, Origin, Tag, required},
    work::{self, Run},
};

/// First part of a job's resource.
pub(crate) const KIND: &str = "document-classification-job";
/// Most jobs at a time, as in Comprehend.
const MAX_JOBS: usize = 10;

/// Comprehend's `JobStatus`, as far as its document classification jobs have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum JobStatus {
    Submitted,
    InProgress,
    Completed,
    Failed,
    StopRequested,
    Stopped,
}

/// What is one document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum InputFormat {
    OneDocPerFile,
    OneDocPerLine,
}

/// A job's state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Job {
    /// Answer of `DescribeDocumentClassificationJob`.
    pub properties: JobProperties,
    pub origin: Origin,
    pub tags: Vec<Tag>,
    /// Who works on it.
    pub run: Option<Run>,
    /// How far it is, if a part of its output is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
}

/// Comprehend's `DocumentClassificationJobProperties`, as far as they mean anything here. Times are seconds
/// since 1970.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct JobProperties {
    pub job_id: String,
    pub job_arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_name: Option<String>,
    pub job_status: JobStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    pub submit_time: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_time: Option<f64>,
    pub document_classifier_arn: String,
    pub input_data_config: InputConfig,
    pub output_data_config: OutputDataConfig,
    pub data_access_role_arn: String,
}

/// Comprehend's `InputDataConfig`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct InputConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub s3_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_format: Option<String>,
    /// Of native documents: refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document_reader_config: Option<Value>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct StartRequest {
    job_name: Option<String>,
    document_classifier_arn: Option<String>,
    input_data_config: Option<InputConfig>,
    output_data_config: Option<OutputDataConfig>,
    data_access_role_arn: Option<String>,
    #[serde(skip_serializing)]
    client_request_token: Option<String>,
    volume_kms_key_id: Option<String>,
    vpc_config: Option<Value>,
    tags: Option<Vec<Tag>>,
    flywheel_arn: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct DescribeRequest {
    job_id: Option<String>,
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
    job_name: Option<String>,
    job_status: Option<String>,
    submit_time_before: Option<f64>,
    submit_time_after: Option<f64>,
}

impl JobProperties {
    pub(crate) fn is_open(&self) -> bool {
        match self.job_status {
            JobStatus::Submitted | JobStatus::InProgress | JobStatus::StopRequested => true,
            JobStatus::Completed | JobStatus::Failed | JobStatus::Stopped => false,
        }
    }
}

impl InputConfig {
    /// Checks the members.
    pub(crate) fn input(&self) -> Result<(S3Uri, InputFormat), ApiError> {
        let uri = required("inputDataConfig.s3Uri", self.s3_uri.as_deref())?;
        let message = "only documents of plain text are supported";
        validation::unsupported(self.document_reader_config.as_ref(), message)?;
        // The model's default.
        let format = self.input_format.as_deref().unwrap_or("ONE_DOC_PER_LINE");
        Ok((
            validation::s3_uri("inputDataConfig.s3Uri", uri)?,
            validation::enumeration("inputDataConfig.inputFormat", format)?,
        ))
    }
}

pub(crate) async fn start(
    bucket: &Bucket,
    scope: &str,
    mut request: StartRequest,
) -> Result<Value, ApiError> {
    let origin = Origin::new(request.client_request_token.clone(), &request);
    flywheel::not_both(
        request.document_classifier_arn.as_deref(),
        request.flywheel_arn.as_deref(),
    )?;
    if let (None, Some(flywheel)) = (&request.document_classifier_arn, &request.flywheel_arn) {
        let active = flywheel::active_model(bucket, scope, flywheel).await?;
        request.document_classifier_arn = Some(active);
    }
    let id = job_id(request.client_request_token.as_deref());
    let properties = request.check(scope, &id)?;
    let tags = request.tags.unwrap_or_default();
    let model = validation::classifier_arn("documentClassifierArn", &properties.document_classifier_arn)?;
    let resource = resource(&id);
    let job = match bucket.read::<Job>(&resource).await? {
        Some(existing) => existing,
        None => {
            classifier::usable(bucket, scope, &model).await?;
            if bucket.open_work(KIND).await? >= MAX_JOBS {
                return Err(ApiError::TooManyRequests("10 classification jobs are under way"));
            }
            let job = Job {
                properties,
                origin: origin.clone(),
                tags,
                run: None,
                progress: None,
            };
            if bucket.create(&resource, &job).await? {
                job
            } else {
                bucket.read(&resource).await?.unwrap_or(job)
            }
        }
    };
    if job.origin != origin {
        origin.repeats(&job.origin, "there is a classification job of this id")?;
    }
    // Also for a request that comes again: its first delivery may have died before this.
    bucket.ask_for_work(&resource).await?;
    let properties = job.properties;
    Ok(json!({
        "JobId": properties.job_id,
        "JobArn": properties.job_arn,
        "JobStatus": properties.job_status,
        "DocumentClassifierArn": properties.document_classifier_arn,
    }))
}

impl StartRequest {
    fn check(&self, scope: &str, id: &str) -> Result<JobProperties, ApiError> {
        if let Some(name) = &self.job_name {
            validation::job_name(name)?;
        }
        validation::client_request_token(self.client_request_token.as_deref())?;
        validation::unsupported(self.vpc_config.as_ref(), "VpcConfig is not supported")?;
        validation::tags(self.tags.as_deref().unwrap_or_default())?;
        let mut input = required("inputDataConfig", self.input_data_config.clone())?;
        input.input()?;
        input
            .input_format
            .get_or_insert_with(|| "ONE_DOC_PER_LINE".to_owned());
        let output = required("outputDataConfig", self.output_data_config.clone())?;
        let folder = required("outputDataConfig.s3Uri", output.s3_uri.as_deref())?;
        let folder = validation::s3_uri("outputDataConfig.s3Uri", folder)?;
        validation::no_kms_key(&[self.volume_kms_key_id.as_deref(), output.kms_key_id.as_deref()])?;
        let role = required("dataAccessRoleArn", self.data_access_role_arn.clone())?;
        validation::data_access_role(&role)?;
        let model = self.document_classifier_arn.clone();
        let model = model.ok_or(ApiError::InvalidRequest(
            "a DocumentClassifierArn or a FlywheelArn is needed",
        ))?;
        Ok(JobProperties {
            job_id: id.to_owned(),
            job_arn: format!("{scope}:{}", resource(id)),
            job_name: self.job_name.clone(),
            job_status: JobStatus::Submitted,
            message: None,
            submit_time: epoch_seconds(Utc::now()),
            end_time: None,
            document_classifier_arn: model,
            input_data_config: input,
            output_data_config: OutputDataConfig {
                s3_uri: Some(output::uri(&folder, scope, "CLN", id).to_string()),
                kms_key_id: None,
            },
            data_access_role_arn: role,
        })
    }
}

pub(crate) async fn describe(bucket: &Bucket, request: DescribeRequest) -> Result<Value, ApiError> {
    let id = required("jobId", request.job_id)?;
    validation::length("jobId", &id, 1..=32)?;
    if !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(ApiError::JobNotFound);
    }
    let resource = resource(&id);
    let job: Job = bucket.read(&resource).await?.ok_or(ApiError::JobNotFound)?;
    let submitted = from_epoch_seconds(job.properties.submit_time);
    if job.properties.is_open() && work::is_overdue(job.run.as_ref(), submitted, Utc::now()) {
        bucket.ask_for_work(&resource).await?;
    }
    Ok(json!({"DocumentClassificationJobProperties": job.properties}))
}

pub(crate) async fn list(bucket: &Bucket, request: ListRequest) -> Result<Value, ApiError> {
    let filter = request.filter.unwrap_or_default();
    let given = [
        filter.job_name.is_some(),
        filter.job_status.is_some(),
        filter.submit_time_before.is_some(),
        filter.submit_time_after.is_some(),
    ];
    if given.into_iter().filter(|given| *given).count() > 1 {
        return Err(ApiError::InvalidFilter);
    }
    if let Some(name) = &filter.job_name {
        validation::job_name(name)?;
    }
    let status = filter.job_status.as_deref();
    let status: Option<JobStatus> = status
        .map(|status| validation::enumeration("filter.jobStatus", status))
        .transpose()?;
    let wanted = |properties: &JobProperties| {
        status.is_none_or(|status| properties.job_status == status)
            && (filter.job_name.is_none() || properties.job_name == filter.job_name)
            && listing::is_between(
                properties.submit_time,
                filter.submit_time_after,
                filter.submit_time_before,
            )
    };
    let items: Vec<(Position, Value)> = bucket
        .states::<Job>(KIND)
        .await?
        .into_iter()
        .map(|job| job.properties)
        .filter(wanted)
        .map(|properties| {
            (
                (properties.submit_time, properties.job_id.clone()),
                json!(properties),
            )
        })
        .collect();
    let order = Order::of_filter(filter.submit_time_before);
    listing::page(
        "DocumentClassificationJobPropertiesList",
        items,
        order,
        &request.paging,
    )
}

/// Returns whether a job that is not done needs a model.
pub(crate) async fn uses(bucket: &Bucket, model_arn: &str) -> Result<bool, StoreError> {
    // Those that are done have no work left: they are not read, however many there are.
    let jobs = bucket.states_at_work::<Job>(KIND).await?;
    let uses = |job: &Job| job.properties.is_open() && job.properties.document_classifier_arn == model_arn;
    Ok(jobs.iter().any(uses))
}

pub(crate) fn resource(id: &str) -> String {
    format!("{KIND}/{id}")
}

/// The same token is the same job.
fn job_id(token: Option<&str>) -> String {
    match token {
        Some(token) => hex::encode(&Sha256::digest(token)[..16]),
        None => uuid::Uuid::new_v4().simple().to_string(),
    }
}
