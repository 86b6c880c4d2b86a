//! Tags of what the control plane makes.

use serde::Deserialize;
use serde_json::{Value, json};

use super::workteams::PRIVATE_TEAM;
use super::{ControlError, ControlPlane, invalid, required};
use crate::flows::{Flow, HasTags, Tags, TaskUi, Workteam};

/// Tags of a resource, at most. Source: SageMaker API, `AddTags`.
const MAX_TAGS: usize = 50;
/// Longest key and value, in characters. Source: SageMaker API, `Tag`.
const MAX_CHARS: [usize; 2] = [128, 256];
/// Begins keys that are AWS's own.
const RESERVED: &str = "aws:";

/// A tag of a request.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Tag {
    pub key: String,
    pub value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TagsRequest {
    resource_arn: Option<String>,
    tags: Option<Vec<Tag>>,
    tag_keys: Option<Vec<String>>,
}

/// What an ARN names.
enum Tagged<'a> {
    Flow(&'a str),
    TaskUi(&'a str),
    Team(&'a str),
    Job(&'a str),
}

/// Checks tags, and returns them by key.
///
/// # Errors
///
/// [`ControlError::Validation`].
pub(super) fn checked_tags(tags: Vec<Tag>) -> Result<Tags, ControlError> {
    let mut checked = Tags::new();
    for Tag { key, value } in tags {
        let [longest_key, longest_value] = MAX_CHARS;
        if key.is_empty() || key.chars().count() > longest_key || key.starts_with(RESERVED) {
            let rule = "Member must have length from 1 to 128, and not begin with aws:";
            return Err(invalid(&key, "tags.member.key", rule));
        }
        if value.chars().count() > longest_value {
            let rule = "Member must have length less than or equal to 256";
            return Err(invalid(&value, "tags.member.value", rule));
        }
        checked.insert(key, value);
    }
    check_count(&checked)?;
    Ok(checked)
}

fn check_count(tags: &Tags) -> Result<(), ControlError> {
    match tags.len() <= MAX_TAGS {
        true => Ok(()),
        false => Err(invalid(
            &tags.len().to_string(),
            "tags",
            "Member must have length less than or equal to 50",
        )),
    }
}

fn shown(tags: &Tags) -> Value {
    let tags = tags
        .iter()
        .map(|(key, value)| json!({ "Key": key, "Value": value }));
    tags.collect()
}

impl ControlPlane<'_> {
    pub(super) async fn list_tags(&self, request: TagsRequest) -> Result<Value, ControlError> {
        let arn = required(request.resource_arn, "resourceArn")?;
        let tags = match self.tagged(&arn)? {
            Tagged::Job(name) => {
                let job = self.jobs.find(name).await?.ok_or_else(|| nothing(&arn))?;
                match job.request.get("Tags") {
                    Some(tags) if tags.is_array() => tags.clone(),
                    _ => json!([]),
                }
            }
            // What the template makes has none here.
            Tagged::Flow(name) | Tagged::TaskUi(name) | Tagged::Team(name)
                if name == self.flows.own_name() =>
            {
                json!([])
            }
            Tagged::Flow(name) => shown(self.found::<Flow>(name, &arn).await?.tags()),
            Tagged::TaskUi(name) => shown(self.found::<TaskUi>(name, &arn).await?.tags()),
            Tagged::Team(name) => shown(self.found::<Workteam>(name, &arn).await?.tags()),
        };
        Ok(json!({ "Tags": tags }))
    }

    pub(super) async fn add_tags(&self, request: TagsRequest) -> Result<Value, ControlError> {
        let arn = required(request.resource_arn, "resourceArn")?;
        let new = checked_tags(required(request.tags, "tags")?)?;
        let add = |tags: &mut Tags| {
            tags.extend(new.clone());
            tags.len() <= MAX_TAGS
        };
        Ok(json!({ "Tags": shown(&self.change_tags(&arn, add).await?) }))
    }

    pub(super) async fn delete_tags(&self, request: TagsRequest) -> Result<Value, ControlError> {
        let arn = required(request.resource_arn, "resourceArn")?;
        let keys = required(request.tag_keys, "tagKeys")?;
        let remove = |tags: &mut Tags| {
            tags.retain(|key, _| !keys.contains(key));
            true
        };
        self.change_tags(&arn, remove).await?;
        Ok(json!({}))
    }

    /// Changes the tags of a resource; returns them.
    async fn change_tags(&self, arn: &str, change: impl Fn(&mut Tags) -> bool) -> Result<Tags, ControlError> {
        let changed = match self.tagged(arn)? {
            Tagged::Job(_) => {
                let message = "The tags of a labeling job are those that it was created with, and stay.";
                return Err(ControlError::Validation(message.to_owned()));
            }
            Tagged::Flow(name) | Tagged::TaskUi(name) | Tagged::Team(name)
                if name == self.flows.own_name() =>
            {
                let message = format!("{arn} is of the stack, whose template alone tags it.");
                return Err(ControlError::Validation(message));
            }
            Tagged::Flow(name) => self.flows.change_tags::<Flow>(name, change).await?,
            Tagged::TaskUi(name) => self.flows.change_tags::<TaskUi>(name, change).await?,
            Tagged::Team(name) => self.flows.change_tags::<Workteam>(name, change).await?,
        };
        let changed = changed.ok_or_else(|| nothing(arn))?;
        check_count(&changed)?;
        Ok(changed)
    }

    async fn found<T: HasTags>(&self, name: &str, arn: &str) -> Result<T, ControlError> {
        self.flows.find(name).await?.ok_or_else(|| nothing(arn))
    }

    fn tagged<'a>(&self, arn: &'a str) -> Result<Tagged<'a>, ControlError> {
        let flows = self.flows;
        let flow = flows.name_in("flow-definition", arn).map(Tagged::Flow);
        flow.or_else(|| flows.name_in("human-task-ui", arn).map(Tagged::TaskUi))
            .or_else(|| flows.name_in(PRIVATE_TEAM, arn).map(Tagged::Team))
            .or_else(|| flows.name_in("labeling-job", arn).map(Tagged::Job))
            .ok_or_else(|| nothing(arn))
    }
}

fn nothing(arn: &str) -> ControlError {
    ControlError::NotFound(format!("There is no {arn} here."))
}
