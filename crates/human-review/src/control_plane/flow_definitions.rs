//! Flow definitions ("human review workflows").

use active_learning_aws::bucket::Created;
use active_learning_aws::role::s3_as;
use chrono::{DateTime, Duration};
use serde::Deserialize;
use serde_json::{Value, json};

use super::listing::ListRequest;
use super::tags::{Tag, checked_tags};
use super::{ControlError, ControlPlane, checked_name, checked_text, epoch, invalid, required};
use crate::flows::{Flow, HumanLoopConfig, OutputConfig, Resource, Tags};

/// Flow definitions of an account and Region. Source: A2I quotas.
const MAX_FLOWS: usize = 100;
pub(super) const MAX_TITLE_CHARS: usize = 128;
pub(super) const MAX_DESCRIPTION_CHARS: usize = 255;
pub(super) const MIN_TIME_LIMIT_SECONDS: u32 = 30;
const MAX_KEYWORDS: usize = 5;
const MAX_KEYWORD_CHARS: usize = 30;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateFlow {
    flow_definition_name: Option<String>,
    human_loop_request_source: Option<Value>,
    human_loop_activation_config: Option<Value>,
    human_loop_config: Option<Config>,
    output_config: Option<Output>,
    role_arn: Option<String>,
    tags: Option<Vec<Tag>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Config {
    workteam_arn: Option<String>,
    human_task_ui_arn: Option<String>,
    task_title: Option<String>,
    task_description: Option<String>,
    task_count: Option<u8>,
    task_availability_lifetime_in_seconds: Option<u32>,
    task_time_limit_in_seconds: Option<u32>,
    task_keywords: Option<Vec<String>>,
    public_workforce_task_price: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Output {
    #[serde(rename = "S3OutputPath")]
    s3_output_path: Option<String>,
    kms_key_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OneFlow {
    flow_definition_name: Option<String>,
}

impl ControlPlane<'_> {
    pub(super) async fn create_flow(&self, request: CreateFlow) -> Result<Value, ControlError> {
        let name = checked_name(request.flow_definition_name, "flowDefinitionName", false)?;
        if request.human_loop_request_source.is_some() || request.human_loop_activation_config.is_some() {
            return Err(ControlError::Validation(
                "HumanLoopRequestSource and HumanLoopActivationConfig are for Amazon Rekognition and Amazon Textract: \
                 leave them out for a custom task."
                    .to_owned(),
            ));
        }
        let config = required(request.human_loop_config, "humanLoopConfig")?.checked()?;
        self.check_retention(config.availability_seconds())?;
        let output = required(request.output_config, "outputConfig")?;
        let (output, output_bucket, output_prefix) = output.checked(self.flows.bucket().name())?;
        let role_arn = checked_role(request.role_arn)?;
        let tags = checked_tags(request.tags.unwrap_or_default())?;
        self.check_workteam(&config.workteam_arn).await?;
        let member = "humanLoopConfig.humanTaskUiArn";
        let template_key = self.template_key(&config.human_task_ui_arn, member).await?;
        let taken = || ControlError::InUse(format!("A flow definition with the name {name} already exists."));
        if name == self.flows.own_name() || self.flows.find::<Flow>(&name).await?.is_some() {
            return Err(taken());
        }
        if self.flows.all::<Flow>().await?.len() >= MAX_FLOWS {
            let message = format!("There are {MAX_FLOWS} flow definitions already.");
            return Err(ControlError::LimitExceeded(message));
        }

        let flow = Flow {
            flow_definition_arn: self.flows.arn("flow-definition", &name),
            creation_time: self.now,
            human_loop_config: config,
            output_config: output,
            failure_reason: self.try_role(&role_arn).await?,
            flow_definition_name: name.clone(),
            role_arn,
            template_key,
            output_bucket,
            output_prefix,
            tags,
        };
        match self.flows.create(&flow).await? {
            Created::Created => Ok(json!({ "FlowDefinitionArn": flow.flow_definition_arn })),
            Created::Exists => Err(taken()),
        }
    }

    /// Returns why the role of a flow definition is of no use, if it is.
    async fn try_role(&self, role: &str) -> Result<Option<String>, ControlError> {
        let Some(sdk) = self.sdk else {
            return Ok(None);
        };
        match s3_as(sdk, role, "human-review").await {
            Ok(_) => Ok(None),
            Err(refused) if refused.is_definite() => Ok(Some(format!(
                "{refused}: its trust policy must allow sts:AssumeRole to this service."
            ))),
            // A flow definition that has failed stays so: a moment of trouble makes none.
            Err(refused) => Err(refused.into()),
        }
    }

    pub(super) async fn describe_flow(&self, request: OneFlow) -> Result<Value, ControlError> {
        let name = checked_name(request.flow_definition_name, "flowDefinitionName", false)?;
        let flow = match name == self.flows.own_name() {
            true => self.own_flow(),
            false => self.flow(&name).await?,
        };
        let mut description = summary(&flow);
        description["HumanLoopConfig"] = json!(flow.human_loop_config);
        description["OutputConfig"] = json!({ "S3OutputPath": flow.output_config.s3_output_path });
        description["RoleArn"] = json!(flow.role_arn);
        Ok(description)
    }

    /// Returns the flow definition of the stack by the function's settings.
    fn own_flow(&self) -> Flow {
        let name = self.flows.own_name();
        let rules = &self.own_rules;
        let seconds = |time: Duration| u32::try_from(time.num_seconds()).ok();
        Flow {
            flow_definition_arn: self.flows.arn("flow-definition", name),
            flow_definition_name: name.to_owned(),
            // When the stack made it is not known here.
            creation_time: DateTime::UNIX_EPOCH,
            human_loop_config: HumanLoopConfig {
                workteam_arn: self.flows.arn("workteam", &format!("private-crowd/{name}")),
                human_task_ui_arn: self.flows.arn("human-task-ui", name),
                task_title: "Text classification".to_owned(),
                task_description: "The flow definition of the stack, which its own functions use".to_owned(),
                task_count: u8::try_from(rules.task_count).unwrap_or(u8::MAX),
                task_availability_lifetime_in_seconds: seconds(rules.availability),
                task_time_limit_in_seconds: seconds(rules.time_limit),
                task_keywords: None,
            },
            output_config: OutputConfig {
                s3_output_path: self.flows.bucket().uri(""),
            },
            // The review function writes its output with its own rights.
            role_arn: self.own_role.to_owned(),
            template_key: self.template.key.to_owned(),
            output_bucket: self.flows.bucket().name().to_owned(),
            output_prefix: String::new(),
            failure_reason: None,
            tags: Tags::new(),
        }
    }

    pub(super) async fn list_flows(&self, request: ListRequest) -> Result<Value, ControlError> {
        let mut all = self.flows.all::<Flow>().await?;
        all.push(self.own_flow());
        let page = request.sorted_by(&[])?.page(all)?;
        let summaries: Vec<Value> = page.items.iter().map(summary).collect();
        Ok(json!({ "FlowDefinitionSummaries": summaries, "NextToken": page.next_token }))
    }

    /// Deletes a flow definition; its running loops finish.
    pub(super) async fn delete_flow(&self, request: OneFlow) -> Result<Value, ControlError> {
        let name = checked_name(request.flow_definition_name, "flowDefinitionName", false)?;
        if name == self.flows.own_name() {
            let message = format!("The flow definition {name} is that of the stack: delete the stack.");
            return Err(ControlError::InUse(message));
        }
        self.flow(&name).await?;
        self.flows.delete::<Flow>(&name).await?;
        Ok(json!({}))
    }

    async fn flow(&self, name: &str) -> Result<Flow, ControlError> {
        let found = self.flows.find::<Flow>(name).await?;
        found.ok_or_else(|| ControlError::NotFound(format!("The flow definition {name} does not exist.")))
    }
}

fn summary(flow: &Flow) -> Value {
    let mut summary = json!({
        "FlowDefinitionName": flow.name(),
        "FlowDefinitionArn": flow.flow_definition_arn,
        "FlowDefinitionStatus": if flow.failure_reason.is_some() { "Failed" } else { "Active" },
        "CreationTime": epoch(flow.creation_time),
    });
    if let Some(reason) = &flow.failure_reason {
        summary["FailureReason"] = json!(reason);
    }
    summary
}

impl Config {
    fn checked(self) -> Result<HumanLoopConfig, ControlError> {
        let member = |name: &str| format!("humanLoopConfig.{name}");
        if self.public_workforce_task_price.is_some() {
            let message = "PublicWorkforceTaskPrice: there is no public workforce here.";
            return Err(ControlError::Validation(message.to_owned()));
        }
        let task_count = required(self.task_count, &member("taskCount"))?;
        if !(1..=3).contains(&task_count) {
            let rule = "Member must have value from 1 to 3";
            return Err(invalid(&task_count.to_string(), &member("taskCount"), rule));
        }
        if self.task_availability_lifetime_in_seconds == Some(0) {
            let rule = "Member must have value greater than or equal to 1";
            let name = member("taskAvailabilityLifetimeInSeconds");
            return Err(invalid("0", &name, rule));
        }
        if let Some(limit) = self
            .task_time_limit_in_seconds
            .filter(|limit| *limit < MIN_TIME_LIMIT_SECONDS)
        {
            let rule = format!("Member must have value greater than or equal to {MIN_TIME_LIMIT_SECONDS}");
            return Err(invalid(
                &limit.to_string(),
                &member("taskTimeLimitInSeconds"),
                &rule,
            ));
        }
        checked_keywords(self.task_keywords.as_deref(), &member("taskKeywords"))?;
        Ok(HumanLoopConfig {
            workteam_arn: required(self.workteam_arn, &member("workteamArn"))?,
            human_task_ui_arn: required(self.human_task_ui_arn, &member("humanTaskUiArn"))?,
            task_title: checked_text(self.task_title, &member("taskTitle"), MAX_TITLE_CHARS)?,
            task_description: checked_text(
                self.task_description,
                &member("taskDescription"),
                MAX_DESCRIPTION_CHARS,
            )?,
            task_count,
            task_availability_lifetime_in_seconds: self.task_availability_lifetime_in_seconds,
            task_time_limit_in_seconds: self.task_time_limit_in_seconds,
            task_keywords: self.task_keywords,
        })
    }
}

impl Output {
    /// Returns the output as it was given, its bucket, and what keys begin with.
    fn checked(self, review_bucket: &str) -> Result<(OutputConfig, String, String), ControlError> {
        const MEMBER: &str = "outputConfig.s3OutputPath";
        if self.kms_key_id.is_some_and(|key| !key.is_empty()) {
            let message =
                "OutputConfig.KmsKeyId is not supported: set the key as the bucket's default encryption.";
            return Err(ControlError::Validation(message.to_owned()));
        }
        let path = required(self.s3_output_path, MEMBER)?;
        let rule = "Member must be s3:// with a bucket and a prefix";
        let rest = path
            .strip_prefix("s3://")
            .ok_or_else(|| invalid(&path, MEMBER, rule))?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            return Err(invalid(&path, MEMBER, rule));
        }
        if bucket == review_bucket {
            let rule = "Member must name a bucket of your own: this one holds what the service keeps";
            return Err(invalid(&path, MEMBER, rule));
        }
        let prefix = prefix.trim_matches('/');
        let prefix = match prefix {
            "" => String::new(),
            prefix => format!("{prefix}/"),
        };
        let (bucket, output) = (bucket.to_owned(), OutputConfig { s3_output_path: path });
        Ok((output, bucket, prefix))
    }
}

pub(crate) fn checked_role(role: Option<String>) -> Result<String, ControlError> {
    let role = required(role, "roleArn")?;
    let parts: Vec<&str> = role.splitn(6, ':').collect();
    let is_role = matches!(parts[..], ["arn", partition, "iam", "", account, name]
        if partition.starts_with("aws") && account.len() == 12 && account.bytes().all(|c| c.is_ascii_digit())
            && name.starts_with("role/"));
    let rule = r"Member must satisfy regular expression pattern: arn:aws[a-z\-]*:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+";
    is_role
        .then(|| role.clone())
        .ok_or_else(|| invalid(&role, "roleArn", rule))
}

pub(super) fn checked_keywords(keywords: Option<&[String]>, member: &str) -> Result<(), ControlError> {
    let Some(keywords) = keywords else {
        return Ok(());
    };
    let are_all = keywords.iter().all(|keyword| is_keyword(keyword));
    if !(1..=MAX_KEYWORDS).contains(&keywords.len()) || !are_all {
        let rule = "Member must have 1 to 5 keywords of 1 to 30 characters, which satisfy regular expression pattern: \
                    [A-Za-z0-9]+( [A-Za-z0-9]+)*";
        return Err(invalid(&keywords.join(","), member, rule));
    }
    Ok(())
}

/// Returns whether a text is a keyword: words of letters and digits, with one blank between them.
fn is_keyword(text: &str) -> bool {
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (1..=MAX_KEYWORD_CHARS).contains(&text.len()) && text.split(' ').all(is_word)
}
