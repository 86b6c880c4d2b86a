//! The operations on document classifiers.
//!
//! Differs from Comprehend: any two labelled texts with different labels are enough to train, and all of
//! a version's name is given back once it is deleted.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    api_error::ApiError,
    arn::ClassifierArn,
    bucket::{Bucket, Updated},
    classification_job,
    classifier::{Classifier, ClassifierProperties, KIND, ModelStatus, NOT_FOUND, OutputDataConfig},
    endpoint, flywheel,
    listing::{self, Order, Paging, Position},
    time::{epoch_seconds, from_epoch_seconds},
    training_input::InputDataConfig,
    validation::{self, Origin, Tag, required},
    work,
};

const LANGUAGES: [&str; 12] = [
    "en", "es", "fr", "de", "it", "pt", "ar", "hi", "ja", "ko", "zh", "zh-TW",
];
const LANGUAGES_OF_TRAINING: [&str; 6] = ["en", "es", "fr", "de", "it", "pt"];
/// Most classifiers in training at a time, as in Comprehend.
const MAX_TRAININGS: usize = 10;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct CreateRequest {
    document_classifier_name: Option<String>,
    version_name: Option<String>,
    data_access_role_arn: Option<String>,
    tags: Option<Vec<Tag>>,
    input_data_config: Option<InputDataConfig>,
    output_data_config: Option<OutputDataConfig>,
    #[serde(skip_serializing)]
    client_request_token: Option<String>,
    language_code: Option<String>,
    volume_kms_key_id: Option<String>,
    model_kms_key_id: Option<String>,
    vpc_config: Option<Value>,
    mode: Option<String>,
    model_policy: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ArnRequest {
    document_classifier_arn: Option<String>,
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
    document_classifier_name: Option<String>,
    submit_time_before: Option<f64>,
    submit_time_after: Option<f64>,
}

impl Filter {
    /// Source: Comprehend API reference, "you can only set one filter at a time".
    fn check(&self) -> Result<Option<ModelStatus>, ApiError> {
        let given = [
            self.status.is_some(),
            self.document_classifier_name.is_some(),
            self.submit_time_before.is_some(),
            self.submit_time_after.is_some(),
        ];
        if given.into_iter().filter(|given| *given).count() > 1 {
            return Err(ApiError::InvalidFilter);
        }
        if let Some(name) = &self.document_classifier_name {
            validation::name("filter.documentClassifierName", name, validation::MAX_NAME)?;
        }
        let status = self.status.as_deref();
        status
            .map(|status| validation::enumeration("filter.status", status))
            .transpose()
    }
}

/// A request that was checked, member by member.
struct Checked {
    name: String,
    properties: ClassifierProperties,
    tags: Vec<Tag>,
}

impl CreateRequest {
    fn check(self, scope: &str, now: DateTime<Utc>) -> Result<Checked, ApiError> {
        let name = required("documentClassifierName", self.document_classifier_name)?;
        validation::name("documentClassifierName", &name, validation::MAX_NAME)?;
        if let Some(version) = &self.version_name {
            validation::name("versionName", version, validation::MAX_NAME)?;
        }
        let role = required("dataAccessRoleArn", self.data_access_role_arn)?;
        validation::data_access_role(&role)?;
        validation::client_request_token(self.client_request_token.as_deref())?;
        let language = language(required("languageCode", self.language_code)?)?;
        let mode = self.mode.as_deref().unwrap_or("MULTI_CLASS");
        let mode = validation::enumeration("mode", mode)?;
        let mut input = required("inputDataConfig", self.input_data_config)?;
        input.input(mode)?;
        input
            .data_format
            .get_or_insert_with(|| "COMPREHEND_CSV".to_owned());
        let output = self.output_data_config.as_ref();
        if let Some(uri) = output.and_then(|output| output.s3_uri.as_deref()) {
            validation::s3_uri("outputDataConfig.s3Uri", uri)?;
        }
        validation::no_kms_key(&[
            self.volume_kms_key_id.as_deref(),
            self.model_kms_key_id.as_deref(),
            output.and_then(|output| output.kms_key_id.as_deref()),
        ])?;
        validation::unsupported(self.vpc_config.as_ref(), "VpcConfig is not supported")?;
        validation::unsupported(self.model_policy.as_ref(), "ModelPolicy is not supported")?;
        let tags = self.tags.unwrap_or_default();
        validation::tags(&tags)?;
        let arn = ClassifierArn::new(scope, &name, self.version_name.as_deref());
        Ok(Checked {
            name,
            tags,
            properties: ClassifierProperties {
                document_classifier_arn: arn.to_string(),
                version_name: self.version_name,
                language_code: Some(language),
                status: ModelStatus::Submitted,
                message: None,
                mode,
                submit_time: epoch_seconds(now),
                training_start_time: None,
                training_end_time: None,
                end_time: None,
                input_data_config: input,
                output_data_config: self.output_data_config,
                data_access_role_arn: Some(role),
                classifier_metadata: None,
                flywheel_arn: None,
            },
        })
    }
}

pub(crate) fn language(code: String) -> Result<String, ApiError> {
    if !LANGUAGES.contains(&code.as_str()) {
        return Err(validation::invalid(
            "languageCode",
            "Member must satisfy enum value set",
        ));
    }
    if LANGUAGES_OF_TRAINING.contains(&code.as_str()) {
        Ok(code)
    } else {
        Err(ApiError::UnsupportedLanguage)
    }
}

pub(crate) async fn create(bucket: &Bucket, scope: &str, request: CreateRequest) -> Result<Value, ApiError> {
    let origin = Origin::new(request.client_request_token.clone(), &request);
    let Checked {
        name,
        properties,
        tags,
    } = request.check(scope, Utc::now())?;
    let arn = ClassifierArn::new(scope, &name, properties.version_name.as_deref());
    let classifier = Classifier {
        properties,
        origin: Some(origin.clone()),
        tags,
        run: None,
        trained: None,
    };
    if let Some(existing) = create_or_read(bucket, &arn.resource(), &classifier).await? {
        repeats(&origin, &existing)?;
    }
    // Also for a request that comes again: its first delivery may have died before this.
    bucket.ask_for_work(&arn.resource()).await?;
    Ok(json!({"DocumentClassifierArn": arn.to_string()}))
}

/// Returns the classifier that was there, if there was one.
async fn create_or_read(
    bucket: &Bucket,
    resource: &str,
    classifier: &Classifier,
) -> Result<Option<Classifier>, ApiError> {
    if let Some(existing) = bucket.read(resource).await? {
        return Ok(Some(existing));
    }
    if bucket.open_work(KIND).await? >= MAX_TRAININGS {
        return Err(ApiError::ResourceLimitExceeded("10 classifiers are in training"));
    }
    if bucket.create(resource, classifier).await? {
        return Ok(None);
    }
    Ok(bucket.read(resource).await?)
}

fn repeats(origin: &Origin, existing: &Classifier) -> Result<(), ApiError> {
    let in_use = "there is a document classifier of this name and version";
    match &existing.origin {
        Some(first) => origin.repeats(first, in_use),
        None => Err(ApiError::ResourceInUse(in_use)),
    }
}

pub(crate) async fn describe(bucket: &Bucket, scope: &str, request: ArnRequest) -> Result<Value, ApiError> {
    let arn = requested_arn(scope, request)?;
    let classifier: Classifier = bucket.read(&arn.resource()).await?.ok_or(NOT_FOUND)?;
    let submitted = from_epoch_seconds(classifier.properties.submit_time);
    if !classifier.properties.status.is_final()
        && work::is_overdue(classifier.run.as_ref(), submitted, Utc::now())
    {
        bucket.ask_for_work(&arn.resource()).await?;
    }
    Ok(json!({"DocumentClassifierProperties": classifier.properties}))
}

pub(crate) async fn list(bucket: &Bucket, request: ListRequest) -> Result<Value, ApiError> {
    let filter = request.filter.unwrap_or_default();
    let status = filter.check()?;
    let order = Order::of_filter(filter.submit_time_before);
    let wanted = |classifier: &Classifier| {
        let properties = &classifier.properties;
        let name = filter.document_classifier_name.as_deref();
        status.is_none_or(|status| properties.status == status)
            && name.is_none_or(|name| name_of(properties) == name)
            && listing::is_between(
                properties.submit_time,
                filter.submit_time_after,
                filter.submit_time_before,
            )
    };
    let classifiers = bucket.states::<Classifier>(KIND).await?;
    let items: Vec<(Position, Value)> = classifiers
        .into_iter()
        .filter(wanted)
        .map(|classifier| {
            let properties = classifier.properties;
            let position = (properties.submit_time, properties.document_classifier_arn.clone());
            (position, json!(properties))
        })
        .collect();
    listing::page("DocumentClassifierPropertiesList", items, order, &request.paging)
}

pub(crate) async fn list_summaries(bucket: &Bucket, paging: Paging) -> Result<Value, ApiError> {
    let mut classifiers = bucket.states::<Classifier>(KIND).await?;
    let name = |classifier: &Classifier| name_of(&classifier.properties).to_owned();
    classifiers.sort_by(|left, right| {
        let times = left
            .properties
            .submit_time
            .total_cmp(&right.properties.submit_time);
        name(left).cmp(&name(right)).then(times)
    });
    let items: Vec<(Position, Value)> = classifiers
        .chunk_by(|left, right| name(left) == name(right))
        .filter_map(|versions| {
            let latest = &versions.last()?.properties;
            let mut summary = json!({
                "DocumentClassifierName": name_of(latest),
                "NumberOfVersions": versions.len(),
                "LatestVersionCreatedAt": latest.submit_time,
                "LatestVersionStatus": latest.status,
            });
            if let Some(version) = &latest.version_name {
                summary["LatestVersionName"] = version.as_str().into();
            }
            Some(((latest.submit_time, name_of(latest).to_owned()), summary))
        })
        .collect();
    listing::page(
        "DocumentClassifierSummariesList",
        items,
        Order::NewestFirst,
        &paging,
    )
}

pub(crate) async fn stop(bucket: &Bucket, scope: &str, request: ArnRequest) -> Result<Value, ApiError> {
    let arn = requested_arn(scope, request)?;
    let stop = |classifier: &mut Classifier| match classifier.properties.status {
        ModelStatus::Submitted | ModelStatus::Training => {
            classifier.properties.status = ModelStatus::StopRequested;
            Ok(())
        }
        ModelStatus::Deleting
        | ModelStatus::StopRequested
        | ModelStatus::Stopped
        | ModelStatus::InError
        | ModelStatus::Trained
        | ModelStatus::TrainedWithWarning => Err(()),
    };
    match bucket.update(&arn.resource(), stop).await? {
        Updated::Missing => Err(NOT_FOUND),
        Updated::Refused(()) | Updated::Done(_) => Ok(json!({})),
    }
}

pub(crate) async fn delete(bucket: &Bucket, scope: &str, request: ArnRequest) -> Result<Value, ApiError> {
    let arn = requested_arn(scope, request)?;
    let resource = arn.resource();
    let classifier: Classifier = bucket.read(&resource).await?.ok_or(NOT_FOUND)?;
    if !classifier.properties.status.is_final() {
        return Err(ApiError::ResourceInUse("the document classifier is in training"));
    }
    if endpoint::uses(bucket, &arn.to_string()).await? {
        return Err(ApiError::ResourceInUse(
            "an endpoint uses the document classifier",
        ));
    }
    if flywheel::uses(bucket, &arn.to_string()).await? {
        return Err(ApiError::ResourceInUse(
            "a flywheel has the document classifier as its active model",
        ));
    }
    if classification_job::uses(bucket, &arn.to_string()).await? {
        return Err(ApiError::ResourceInUse(
            "a classification job uses the document classifier",
        ));
    }
    bucket.delete(&resource).await?;
    bucket.delete_model(&resource).await?;
    Ok(json!({}))
}

fn requested_arn(scope: &str, request: ArnRequest) -> Result<ClassifierArn, ApiError> {
    let arn = required("documentClassifierArn", request.document_classifier_arn)?;
    let arn = validation::classifier_arn("documentClassifierArn", &arn)?;
    if arn.scope == scope {
        Ok(arn)
    } else {
        Err(NOT_FOUND)
    }
}

fn name_of(properties: &ClassifierProperties) -> &str {
    let resource = properties
        .document_classifier_arn
        .rsplit(':')
        .next()
        .unwrap_or_default();
    resource.split('/').nth(1).unwrap_or_default()
}
