//! Worker task templates ("human task UIs").

use active_learning_aws::bucket::Created;
use chrono::DateTime;
use serde::Deserialize;
use serde_json::{Value, json};

use super::flow_definitions::checked_role;
use super::listing::ListRequest;
use super::tags::{Tag, checked_tags};
use super::{ControlError, ControlPlane, checked_name, checked_text, epoch, invalid, required};
use crate::flows::{Resource, Tags, TaskUi};
use crate::form::read_form;
use crate::human_loop::sha256;
use crate::worker_template::{TemplateError, render_html, render_without_links};

/// Longest content and input, in characters. Source: SageMaker API, `UiTemplate` and `RenderableTask`.
const MAX_CONTENT_CHARS: usize = 128_000;
/// Templates of an account and Region. Source: A2I quotas.
const MAX_TASK_UIS: usize = 100;
/// Stands for the nonce of a page that nobody is shown.
const NO_NONCE: &str = "preview";
/// Media type of a template.
const HTML: &str = "text/html; charset=utf-8";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateTaskUi {
    human_task_ui_name: Option<String>,
    ui_template: Option<UiTemplate>,
    tags: Option<Vec<Tag>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UiTemplate {
    content: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OneTaskUi {
    human_task_ui_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RenderTemplate {
    ui_template: Option<UiTemplate>,
    human_task_ui_arn: Option<String>,
    task: Option<RenderableTask>,
    role_arn: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RenderableTask {
    input: Option<String>,
}

impl ControlPlane<'_> {
    pub(super) async fn create_task_ui(&self, request: CreateTaskUi) -> Result<Value, ControlError> {
        let name = checked_name(request.human_task_ui_name, "humanTaskUiName", false)?;
        let template = required(request.ui_template, "uiTemplate")?;
        let content = checked_text(template.content, "uiTemplate.content", MAX_CONTENT_CHARS)?;
        if let Err(error) = render_html(&content, &json!({}), NO_NONCE) {
            let message = format!("The template is not valid Liquid: {error}");
            return Err(ControlError::Validation(message));
        }
        check_elements(&content)?;
        let ui = TaskUi {
            human_task_ui_name: name.clone(),
            creation_time: self.now,
            content_sha256: sha256(&content),
            tags: checked_tags(request.tags.unwrap_or_default())?,
        };
        let taken = || ControlError::InUse(format!("A HumanTaskUi with the name {name} already exists."));
        if name == self.flows.own_name() || self.flows.find::<TaskUi>(&name).await?.is_some() {
            return Err(taken());
        }
        if self.flows.all::<TaskUi>().await?.len() >= MAX_TASK_UIS {
            let message = format!("There are {MAX_TASK_UIS} worker task templates already.");
            return Err(ControlError::LimitExceeded(message));
        }

        let bucket = self.flows.bucket();
        // Named by its hash: what is there already is the same.
        bucket.create(&ui.content_key(), HTML, content).await.map(drop)?;
        match self.flows.create(&ui).await? {
            Created::Created => Ok(json!({ "HumanTaskUiArn": self.flows.arn("human-task-ui", &name) })),
            Created::Exists => Err(taken()),
        }
    }

    pub(super) async fn describe_task_ui(&self, request: OneTaskUi) -> Result<Value, ControlError> {
        let name = checked_name(request.human_task_ui_name, "humanTaskUiName", false)?;
        let arn = self.flows.arn("human-task-ui", &name);
        let (ui, key) = match name == self.flows.own_name() {
            true => {
                let content = self.content_of(&arn).await?;
                (self.own_task_ui(sha256(&content)), self.template.key.to_owned())
            }
            false => {
                let ui = self.task_ui(&name).await?;
                let key = ui.content_key();
                (ui, key)
            }
        };
        let mut template = json!({ "ContentSha256": ui.content_sha256 });
        // The shipped one is no object.
        if !key.is_empty() {
            template["Url"] = json!(self.flows.bucket().uri(&key));
        }
        Ok(json!({
            "HumanTaskUiArn": arn,
            "HumanTaskUiName": name,
            "HumanTaskUiStatus": "Active",
            "CreationTime": epoch(ui.creation_time),
            "UiTemplate": template,
        }))
    }

    /// Returns the template of the stack.
    fn own_task_ui(&self, content_sha256: String) -> TaskUi {
        TaskUi {
            human_task_ui_name: self.flows.own_name().to_owned(),
            // When the stack made it is not known here.
            creation_time: DateTime::UNIX_EPOCH,
            content_sha256,
            tags: Tags::new(),
        }
    }

    pub(super) async fn list_task_uis(&self, request: ListRequest) -> Result<Value, ControlError> {
        let mut all = self.flows.all::<TaskUi>().await?;
        // A summary does not tell the hash.
        all.push(self.own_task_ui(String::new()));
        let page = request.sorted_by(&[])?.page(all)?;
        let summaries: Vec<Value> = (page.items.iter())
            .map(|ui| {
                json!({
                    "HumanTaskUiName": ui.name(),
                    "HumanTaskUiArn": self.flows.arn("human-task-ui", ui.name()),
                    "CreationTime": epoch(ui.creation_time),
                })
            })
            .collect();
        Ok(json!({ "HumanTaskUiSummaries": summaries, "NextToken": page.next_token }))
    }

    /// Deletes a template; the flow definitions that have it keep its content.
    pub(super) async fn delete_task_ui(&self, request: OneTaskUi) -> Result<Value, ControlError> {
        let name = checked_name(request.human_task_ui_name, "humanTaskUiName", false)?;
        if name == self.flows.own_name() {
            let message = format!("The HumanTaskUi {name} is that of the stack: delete the stack.");
            return Err(ControlError::InUse(message));
        }
        self.task_ui(&name).await?;
        self.flows.delete::<TaskUi>(&name).await?;
        Ok(json!({}))
    }

    pub(super) async fn render_template(&self, request: RenderTemplate) -> Result<Value, ControlError> {
        checked_role(request.role_arn)?;
        let task = required(request.task, "task")?;
        let input = checked_text(task.input, "task.input", MAX_CONTENT_CHARS)?;
        let content = match (request.ui_template, request.human_task_ui_arn) {
            (Some(template), None) => {
                checked_text(template.content, "uiTemplate.content", MAX_CONTENT_CHARS)?
            }
            (None, Some(arn)) => self
                .content_of(&arn)
                .await
                .map_err(|error| not_found(error, &arn))?,
            _ => {
                let message = "Give either UiTemplate or HumanTaskUiArn.";
                return Err(ControlError::Validation(message.to_owned()));
            }
        };
        let input: Value = serde_json::from_str(&input)
            .map_err(|_| ControlError::Validation("Task.Input must be JSON.".to_owned()))?;

        match render_without_links(&content, &input, NO_NONCE) {
            Ok(html) => Ok(json!({ "RenderedContent": html, "Errors": [] })),
            Err(TemplateError::Storage(error)) => Err(error.into()),
            Err(TemplateError::Liquid(error)) => Ok(json!({
                "RenderedContent": "",
                "Errors": [{ "Code": "LiquidError", "Message": error.to_string() }],
            })),
        }
    }

    /// Returns a template that the API made.
    pub(super) async fn task_ui(&self, name: &str) -> Result<TaskUi, ControlError> {
        let found = self.flows.find::<TaskUi>(name).await?;
        found.ok_or_else(|| ControlError::NotFound(format!("The HumanTaskUi {name} does not exist.")))
    }

    /// Returns the key of the content of a template: empty for the shipped one of the stack.
    pub(super) async fn template_key(&self, arn: &str, member: &str) -> Result<String, ControlError> {
        let name = self.flows.name_in("human-task-ui", arn);
        if name == Some(self.flows.own_name()) {
            return Ok(self.template.key.to_owned());
        }
        let found = match name {
            Some(name) => self.flows.find::<TaskUi>(name).await?,
            None => None,
        };
        let rule = "Member must be the ARN of a HumanTaskUi that exists";
        found
            .map(|ui| ui.content_key())
            .ok_or_else(|| invalid(arn, member, rule))
    }

    async fn content_of(&self, arn: &str) -> Result<String, ControlError> {
        let key = self.template_key(arn, "humanTaskUiArn").await?;
        let template = crate::task_template::TaskTemplate {
            key: &key,
            ..self.template
        };
        let message = || ControlError::NotFound(format!("The content of {arn} is gone."));
        template.content().await.map_err(|_| message())
    }
}

/// Returns the error of a template that there is not: this operation has one of its own.
fn not_found(error: ControlError, arn: &str) -> ControlError {
    match error {
        ControlError::Validation(_) => {
            ControlError::NotFound(format!("The HumanTaskUi {arn} does not exist."))
        }
        error => error,
    }
}

/// Refuses a template whose only elements for an answer are some that the portal does not have. Whether it has a field at all
/// is known for sure once a loop starts: a script may make one.
fn check_elements(content: &str) -> Result<(), ControlError> {
    let form = read_form(content);
    match form
        .why_without_field()
        .filter(|_| !form.unknown_elements.is_empty())
    {
        Some(why) => Err(ControlError::Validation(format!("The template has {why}."))),
        None => Ok(()),
    }
}
