//! The request of `CreateLabelingJob`, and the rules that it keeps.
//!
//! Source: Amazon SageMaker API, `CreateLabelingJob`.

use serde::Deserialize;
use serde_json::Value;

use super::flow_definitions::{
    MAX_DESCRIPTION_CHARS, MAX_TITLE_CHARS, MIN_TIME_LIMIT_SECONDS, checked_keywords, checked_role,
};
use super::labeling_job_functions::{Functions, checked_functions};
use super::labeling_job_rules::{checked_attribute, checked_uri, not_supported, within};
use super::labeling_job_tags::{JobTags, Tag};
use super::{ControlError, checked_name, checked_text, invalid, required};
use crate::labelling_jobs::census::PARENT_TAG;
use crate::labelling_jobs::record::{Audit, AuditKind, Settings, Task, Template};

const MAX_WORKERS: usize = 9;
/// Longest `TaskTimeLimitInSeconds` of a text job.
const MAX_TIME_LIMIT_SECONDS: u32 = 28_800;
/// Shortest, longest and usual `TaskAvailabilityLifetimeInSeconds` of a private team.
const AVAILABILITY_SECONDS: (u32, u32) = (60, 2_592_000);
/// Most and usual `MaxConcurrentTaskCount`.
const CONCURRENT: (usize, usize) = (5_000, 1_000);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateJob {
    labeling_job_name: Option<String>,
    label_attribute_name: Option<String>,
    input_config: Option<Input>,
    output_config: Option<Output>,
    role_arn: Option<String>,
    #[serde(rename = "LabelCategoryConfigS3Uri")]
    label_category_config_s3_uri: Option<String>,
    stopping_conditions: Option<Stopping>,
    labeling_job_algorithms_config: Option<Algorithms>,
    human_task_config: Option<Config>,
    #[serde(default)]
    tags: Vec<Tag>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input {
    data_source: Option<Source>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Source {
    #[serde(rename = "S3DataSource")]
    s3_data_source: Option<S3Source>,
    sns_data_source: Option<Value>,
}

#[derive(Deserialize)]
struct S3Source {
    #[serde(rename = "ManifestS3Uri")]
    manifest: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Output {
    #[serde(rename = "S3OutputPath")]
    s3_output_path: Option<String>,
    kms_key_id: Option<String>,
    sns_topic_arn: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Stopping {
    max_human_labeled_object_count: Option<usize>,
    max_percentage_of_input_dataset_labeled: Option<usize>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Algorithms {
    labeling_job_algorithm_specification_arn: Option<String>,
    initial_active_learning_model_arn: Option<String>,
    labeling_job_resource_config: Option<Resources>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Resources {
    volume_kms_key_id: Option<String>,
    vpc_config: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Config {
    workteam_arn: Option<String>,
    ui_config: Option<Ui>,
    pre_human_task_lambda_arn: Option<String>,
    annotation_consolidation_config: Option<Consolidation>,
    task_keywords: Option<Vec<String>>,
    task_title: Option<String>,
    task_description: Option<String>,
    number_of_human_workers_per_data_object: Option<usize>,
    task_time_limit_in_seconds: Option<u32>,
    task_availability_lifetime_in_seconds: Option<u32>,
    max_concurrent_task_count: Option<usize>,
    public_workforce_task_price: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Ui {
    #[serde(rename = "UiTemplateS3Uri")]
    ui_template_s3_uri: Option<String>,
    human_task_ui_arn: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Consolidation {
    annotation_consolidation_lambda_arn: Option<String>,
}

/// A request that keeps the rules.
pub(super) struct Checked {
    pub name: String,
    pub workteam: String,
    pub human_task_ui: Option<String>,
    pub settings: Settings,
}

impl CreateJob {
    pub(super) fn checked(self) -> Result<Checked, ControlError> {
        let name = checked_name(self.labeling_job_name, "labelingJobName", true)?;
        let attribute = checked_attribute(self.label_attribute_name)?;
        let manifest = required(self.input_config, "inputConfig")?.checked()?;
        let output = required(self.output_config, "outputConfig")?.checked()?;
        let role_arn = checked_role(self.role_arn)?;
        let categories = self.label_category_config_s3_uri;
        let categories = categories
            .map(|uri| checked_uri(uri, "labelCategoryConfigS3Uri"))
            .transpose()?;
        let stopping = self.stopping_conditions.unwrap_or_default().checked()?;
        let tags = JobTags::read(&self.tags)?;
        let (audit_tag, share) = (tags.audit.unwrap_or_default(), tags.share);
        let asks_each = tags.asks_each;
        let human = required(self.human_task_config, "humanTaskConfig")?.checked()?;
        let functions = human.functions;
        let audit = functions.audit.map(|kind| Audit {
            kind,
            attribute: audit_tag,
        });
        check_choices(&functions, categories.as_deref())?;
        let is_automated = is_automated(self.labeling_job_algorithms_config, &functions)?;
        let has_labels = categories.is_some() && functions.pre_annotation.is_none();
        let verifies = functions.audit == Some(AuditKind::Verification);
        check_parent(tags.parent.as_deref(), has_labels, is_automated, verifies)?;

        let settings = Settings {
            attribute,
            role_arn,
            manifest,
            categories,
            output,
            template: human.template,
            task: functions.task,
            pre_annotation: functions.pre_annotation,
            consolidation: functions.consolidation,
            workers: human.workers,
            time_limit_seconds: human.time_limit_seconds,
            availability_seconds: human.availability_seconds,
            max_concurrent: human.max_concurrent,
            title: human.title,
            description: human.description,
            max_human_labelled: stopping.max_human_labeled_object_count,
            max_percentage: stopping.max_percentage_of_input_dataset_labeled,
            only_where: tags.only_where,
            show: tags.show,
            is_automated,
            audit,
            share,
            asks_each,
            parent: tags.parent,
        };
        Ok(Checked {
            name,
            workteam: human.workteam,
            human_task_ui: human.human_task_ui,
            settings,
        })
    }
}

/// Checks that the labels of a level below another one can be offered by that of each text.
fn check_parent(
    parent: Option<&str>,
    has_labels: bool,
    is_automated: bool,
    verifies: bool,
) -> Result<(), ControlError> {
    let Some(parent) = parent else { return Ok(()) };
    let reason = match (has_labels, is_automated) {
        _ if verifies => "a job that verifies asks whether a label is right, and offers none of a level",
        (true, false) => return Ok(()),
        (true, true) => {
            "a model is learnt for each parent: start a job for each, with active-learning:only-where"
        }
        (false, _) => "it needs LabelCategoryConfigS3Uri, and no PreHumanTaskLambdaArn of your own",
    };
    let rule = format!("Member {PARENT_TAG} cannot be here: {reason}");
    Err(invalid(parent, "tags", &rule))
}

/// Checks that reviewers have something to choose from.
fn check_choices(functions: &Functions, categories: Option<&str>) -> Result<(), ControlError> {
    let has_verdicts = functions.audit == Some(AuditKind::Verification);
    if functions.consolidation.is_none() && categories.is_none() && !has_verdicts {
        let rule = "Member must not be null where the built-in annotation consolidation is used";
        return Err(invalid("null", "labelCategoryConfigS3Uri", rule));
    }
    Ok(())
}

impl Input {
    fn checked(self) -> Result<String, ControlError> {
        const MEMBER: &str = "inputConfig.dataSource.s3DataSource.manifestS3Uri";
        let source = required(self.data_source, "inputConfig.dataSource")?;
        if source.sns_data_source.is_some() {
            let message = "InputConfig.DataSource.SnsDataSource is not supported: give an S3DataSource.";
            return Err(ControlError::Validation(message.to_owned()));
        }
        let source = required(source.s3_data_source, "inputConfig.dataSource.s3DataSource")?;
        checked_uri(required(source.manifest, MEMBER)?, MEMBER)
    }
}

impl Output {
    fn checked(self) -> Result<String, ControlError> {
        const MEMBER: &str = "outputConfig.s3OutputPath";
        let refused = [
            ("KmsKeyId", &self.kms_key_id),
            ("SnsTopicArn", &self.sns_topic_arn),
        ];
        let given = |value: &Option<String>| value.as_ref().is_some_and(|it| !it.is_empty());
        if let Some((name, _)) = refused.iter().find(|(_, value)| given(value)) {
            return Err(not_supported(&format!("OutputConfig.{name}")));
        }
        let path = required(self.s3_output_path, MEMBER)?;
        let trimmed = path.trim_end_matches('/');
        let is_path = trimmed
            .strip_prefix("s3://")
            .is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'));
        let rule = "Member must be s3:// with a bucket and a prefix";
        is_path
            .then(|| trimmed.to_owned())
            .ok_or_else(|| invalid(&path, MEMBER, rule))
    }
}

impl Stopping {
    fn checked(self) -> Result<Self, ControlError> {
        let members = [
            (
                "maxHumanLabeledObjectCount",
                self.max_human_labeled_object_count,
                usize::MAX,
            ),
            (
                "maxPercentageOfInputDatasetLabeled",
                self.max_percentage_of_input_dataset_labeled,
                100,
            ),
        ];
        for (name, value, most) in members {
            within(value, &format!("stoppingConditions.{name}"), 1, most)?;
        }
        Ok(self)
    }
}

/// What `HumanTaskConfig` says, by its rules.
struct Human {
    workteam: String,
    functions: Functions,
    template: Template,
    human_task_ui: Option<String>,
    workers: usize,
    time_limit_seconds: i64,
    availability_seconds: i64,
    max_concurrent: usize,
    title: String,
    description: String,
}

impl Config {
    fn checked(self) -> Result<Human, ControlError> {
        let member = |name: &str| format!("humanTaskConfig.{name}");
        self.check()?;
        let functions = self.functions()?;
        let (template, human_task_ui) = required(self.ui_config, &member("uiConfig"))?.checked()?;
        let availability = (self.task_availability_lifetime_in_seconds).unwrap_or(AVAILABILITY_SECONDS.1);
        let description = self.task_description;
        Ok(Human {
            functions,
            template,
            human_task_ui,
            workers: self.number_of_human_workers_per_data_object.unwrap_or(1),
            time_limit_seconds: self.task_time_limit_in_seconds.unwrap_or_default().into(),
            availability_seconds: availability.into(),
            max_concurrent: self.max_concurrent_task_count.unwrap_or(CONCURRENT.1),
            title: checked_text(self.task_title, &member("taskTitle"), MAX_TITLE_CHARS)?,
            description: checked_text(description, &member("taskDescription"), MAX_DESCRIPTION_CHARS)?,
            workteam: required(self.workteam_arn, &member("workteamArn"))?,
        })
    }

    /// Checks its numbers.
    fn check(&self) -> Result<(), ControlError> {
        let member = |name: &str| format!("humanTaskConfig.{name}");
        if self.public_workforce_task_price.is_some() {
            let message = "PublicWorkforceTaskPrice: there is no public workforce here.";
            return Err(ControlError::Validation(message.to_owned()));
        }
        let workers = member("numberOfHumanWorkersPerDataObject");
        required(self.number_of_human_workers_per_data_object, &workers)?;
        within(
            self.number_of_human_workers_per_data_object,
            &workers,
            1,
            MAX_WORKERS,
        )?;
        let limit = member("taskTimeLimitInSeconds");
        required(self.task_time_limit_in_seconds, &limit)?;
        within(
            self.task_time_limit_in_seconds,
            &limit,
            MIN_TIME_LIMIT_SECONDS,
            MAX_TIME_LIMIT_SECONDS,
        )?;
        let (shortest, longest) = AVAILABILITY_SECONDS;
        let availability = member("taskAvailabilityLifetimeInSeconds");
        within(
            self.task_availability_lifetime_in_seconds,
            &availability,
            shortest,
            longest,
        )?;
        within(
            self.max_concurrent_task_count,
            &member("maxConcurrentTaskCount"),
            1,
            CONCURRENT.0,
        )?;
        checked_keywords(self.task_keywords.as_deref(), &member("taskKeywords"))
    }

    fn functions(&self) -> Result<Functions, ControlError> {
        let consolidation = self.annotation_consolidation_config.as_ref();
        let consolidation =
            consolidation.and_then(|config| config.annotation_consolidation_lambda_arn.as_deref());
        checked_functions(self.pre_human_task_lambda_arn.as_deref(), consolidation)
    }
}

impl Ui {
    /// Returns the template, or the ARN of the `HumanTaskUi` that holds it.
    fn checked(self) -> Result<(Template, Option<String>), ControlError> {
        const MEMBER: &str = "humanTaskConfig.uiConfig.uiTemplateS3Uri";
        match (self.ui_template_s3_uri, self.human_task_ui_arn) {
            (Some(_), Some(_)) => {
                let message = "Give either UiTemplateS3Uri or HumanTaskUiArn.";
                Err(ControlError::Validation(message.to_owned()))
            }
            (Some(uri), None) => Ok((Template::Uri(checked_uri(uri, MEMBER)?), None)),
            (None, arn) => Ok((Template::BuiltIn, arn)),
        }
    }
}

/// Returns whether a model is to label what it is sure of.
fn is_automated(config: Option<Algorithms>, functions: &Functions) -> Result<bool, ControlError> {
    const MEMBER: &str = "labelingJobAlgorithmsConfig.labelingJobAlgorithmSpecificationArn";
    let Some(config) = config else {
        return Ok(false);
    };
    let arn = required(config.labeling_job_algorithm_specification_arn, MEMBER)?;
    if !arn.ends_with(":labeling-job-algorithm-specification/text-classification") {
        let rule = "Member must be the algorithm specification text-classification";
        return Err(invalid(&arn, MEMBER, rule));
    }
    let resources = config.labeling_job_resource_config;
    if let Some(Resources {
        volume_kms_key_id,
        vpc_config,
    }) = resources
    {
        let member = "LabelingJobAlgorithmsConfig.LabelingJobResourceConfig";
        if volume_kms_key_id.is_some_and(|key| !key.is_empty()) {
            return Err(not_supported(&format!("{member}.VolumeKmsKeyId")));
        }
        if vpc_config.is_some_and(|config| !config.is_null()) {
            return Err(not_supported(&format!("{member}.VpcConfig")));
        }
    }
    if config.initial_active_learning_model_arn.is_some() {
        let message =
            "InitialActiveLearningModelArn is not supported: the model learns from the job's own answers.";
        return Err(ControlError::Validation(message.to_owned()));
    }
    if functions.consolidation.is_some() || functions.task != Task::SingleLabel || functions.audit.is_some() {
        let message = "LabelingJobAlgorithmsConfig is for ACS-TextMultiClass: one label, by the built-in consolidation.";
        return Err(ControlError::Validation(message.to_owned()));
    }
    Ok(true)
}
