//! Tags of resources: `TagResource`, `UntagResource` and `ListTagsForResource`. Nothing here depends on them.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    api_error::ApiError,
    bucket::{Bucket, Updated},
    validation::{self, Tag, required},
};

const NOT_FOUND: ApiError = ApiError::ResourceNotFound("resource");
/// What has tags, by the beginning of the resource in its ARN; data sets are parts of flywheels.
const KINDS: [&str; 4] = [
    "document-classifier/",
    "document-classifier-endpoint/",
    "document-classification-job/",
    "flywheel/",
];
/// Where the state of each of them has its tags.
const MEMBER: &str = "tags";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct TagRequest {
    resource_arn: Option<String>,
    tags: Option<Vec<Tag>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct UntagRequest {
    resource_arn: Option<String>,
    tag_keys: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListRequest {
    resource_arn: Option<String>,
}

pub(crate) async fn list(bucket: &Bucket, scope: &str, request: ListRequest) -> Result<Value, ApiError> {
    let arn = required("resourceArn", request.resource_arn)?;
    let state: Value = bucket.read(resource(scope, &arn)?).await?.ok_or(NOT_FOUND)?;
    Ok(json!({"ResourceArn": arn, "Tags": tags_of(&state)}))
}

pub(crate) async fn tag(bucket: &Bucket, scope: &str, request: TagRequest) -> Result<Value, ApiError> {
    let arn = required("resourceArn", request.resource_arn)?;
    let given = required("tags", request.tags)?;
    let add = |mut tags: Vec<Tag>| {
        tags.retain(|tag| !given.iter().any(|given| given.key() == tag.key()));
        tags.extend(given.iter().cloned());
        tags
    };
    change(bucket, resource(scope, &arn)?, add).await
}

pub(crate) async fn untag(bucket: &Bucket, scope: &str, request: UntagRequest) -> Result<Value, ApiError> {
    let arn = required("resourceArn", request.resource_arn)?;
    let keys = required("tagKeys", request.tag_keys)?;
    let remove = |mut tags: Vec<Tag>| {
        tags.retain(|tag| !keys.iter().any(|key| key == tag.key()));
        tags
    };
    change(bucket, resource(scope, &arn)?, remove).await
}

async fn change(
    bucket: &Bucket,
    resource: &str,
    change: impl Fn(Vec<Tag>) -> Vec<Tag>,
) -> Result<Value, ApiError> {
    let write = |state: &mut Value| {
        let tags = change(tags_of(state));
        validation::tags(&tags)?;
        state[MEMBER] = json!(tags);
        Ok::<(), ApiError>(())
    };
    match bucket.update(resource, write).await? {
        Updated::Missing => Err(NOT_FOUND),
        Updated::Refused(error) => Err(error),
        Updated::Done(_) => Ok(json!({})),
    }
}

fn tags_of(state: &Value) -> Vec<Tag> {
    serde_json::from_value(state[MEMBER].clone()).unwrap_or_default()
}

/// Returns what an ARN names, which is also where its state lies.
fn resource<'a>(scope: &str, arn: &'a str) -> Result<&'a str, ApiError> {
    let resource = arn.strip_prefix(scope).and_then(|rest| rest.strip_prefix(':'));
    resource
        .filter(|resource| KINDS.iter().any(|kind| resource.starts_with(kind)))
        .ok_or(NOT_FOUND)
}
