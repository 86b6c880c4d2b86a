//! What requests to IAM's API hold, and how its answers are written.

use std::collections::{BTreeMap, BTreeSet};

use axum::body::Body;
use chrono::{DateTime, SecondsFormat, Utc};
use http::{Response, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest, Sha256};

use super::{
    PolicyDocument, RoleSpec,
    kept::{KeptPolicy, KeptRole},
};
use crate::{
    aws_error::{AwsError, escape_xml, xml_response},
    json_protocol,
};

const NAMESPACE: &str = "https://iam.amazonaws.com/doc/2010-05-08/";
const MAX_ROLE_NAME: usize = 64;
/// Members of a page where `MaxItems` is not given, and the most that it may be.
const DEFAULT_ITEMS: usize = 100;
const MAX_ITEMS: usize = 1_000;
pub(super) const MAX_POLICY_NAME: usize = 128;
/// `MaxSessionDuration` where it is not given, and the most that it may be.
pub(super) const SESSION_SECONDS: u32 = 3_600;
const MAX_SESSION_SECONDS: u32 = 43_200;

/// The members of a request that were not read yet.
pub(super) struct Members(pub BTreeMap<String, String>);

impl Members {
    pub(super) fn take(&mut self, member: &str) -> Option<String> {
        self.0.remove(member)
    }

    pub(super) fn required(&mut self, member: &str) -> Result<String, AwsError> {
        let value = self.take(member).filter(|value| !value.is_empty());
        value.ok_or_else(|| validation(&format!("{member} is missing")))
    }

    pub(super) fn name(&mut self, member: &str, most: usize) -> Result<String, AwsError> {
        let name = self.required(member)?;
        match is_name(&name, most) {
            true => Ok(name),
            false => Err(validation(&format!(
                "{member} {name} must have 1 to {most} letters, digits and characters of +=,.@_-"
            ))),
        }
    }

    /// Returns the path of what is made, which begins and ends with a slash.
    pub(super) fn path(&mut self) -> Result<String, AwsError> {
        let path = self.take("Path").unwrap_or_else(|| "/".to_owned());
        let is_path = path.starts_with('/')
            && path.ends_with('/')
            && path.len() <= 512
            && path.chars().all(|c| c.is_ascii_graphic());
        match is_path {
            true => Ok(path),
            false => Err(validation("Path must begin and end with a slash")),
        }
    }

    pub(super) fn document(&mut self, member: &str) -> Result<PolicyDocument, AwsError> {
        let text = self.required(member)?;
        serde_json::from_str(&text).map_err(|error| {
            let message = format!("{member} is not JSON: {error}");
            AwsError::new(400, "MalformedPolicyDocument", message)
        })
    }

    /// Reads the role that is to be made.
    pub(super) fn role(&mut self, name: String) -> Result<KeptRole, AwsError> {
        if !is_name(&name, MAX_ROLE_NAME) {
            return Err(validation(&format!(
                "RoleName {name} must have 1 to {MAX_ROLE_NAME} letters, digits and characters of +=,.@_-"
            )));
        }
        let seconds = match self.take("MaxSessionDuration") {
            None => SESSION_SECONDS,
            Some(given) => given
                .parse()
                .ok()
                .filter(|seconds| (SESSION_SECONDS..=MAX_SESSION_SECONDS).contains(seconds))
                .ok_or_else(|| validation("MaxSessionDuration must be from 3600 to 43200"))?,
        };
        Ok(KeptRole {
            name,
            path: self.path()?,
            id: id("AROA"),
            created_ms: Utc::now().timestamp_millis(),
            description: self.take("Description"),
            max_session_seconds: seconds,
            trust: self.document("AssumeRolePolicyDocument")?,
            inline: BTreeMap::new(),
            attached: BTreeSet::new(),
        })
    }

    /// Reads which page of a list is wanted.
    pub(super) fn paging(&mut self) -> Result<Paging, AwsError> {
        let most = match self.take("MaxItems") {
            None => DEFAULT_ITEMS,
            Some(given) => given
                .parse::<usize>()
                .ok()
                .filter(|most| (1..=MAX_ITEMS).contains(most))
                .ok_or_else(|| validation("MaxItems must be from 1 to 1000"))?,
        };
        let marker = self.take("Marker");
        Ok(Paging { marker, most })
    }

    /// Refuses what nobody has read.
    pub(super) fn end(&self, action: &str) -> Result<(), AwsError> {
        match self.0.keys().next() {
            Some(member) => Err(AwsError::not_implemented(
                "iam",
                &format!("{action} with {member}"),
            )),
            None => Ok(()),
        }
    }
}

fn is_name(name: &str, most: usize) -> bool {
    let is_letter = |c: char| c.is_ascii_alphanumeric() || "+=,.@_-".contains(c);
    (1..=most).contains(&name.len()) && name.chars().all(is_letter)
}

/// Returns a role of the template as one of the API is kept; when it was made is not known.
pub(super) fn of_spec(spec: &RoleSpec) -> KeptRole {
    let path = spec.arn.split_once(":role").map_or("/", |(_, path)| path);
    let path = path.strip_suffix(spec.name.as_str()).unwrap_or("/");
    let policies = spec.policies.iter().cloned();
    let named = (1..)
        .zip(policies)
        .map(|(number, it): (u32, _)| (format!("policy-{number}"), it));
    KeptRole {
        name: spec.name.clone(),
        path: path.to_owned(),
        id: format!("AROA{}", spec.name.to_uppercase()),
        created_ms: 0,
        description: None,
        max_session_seconds: SESSION_SECONDS,
        trust: spec.trust_policy.clone(),
        inline: named.collect(),
        attached: BTreeSet::new(),
    }
}

/// Makes up what names a role or a policy for good.
pub(super) fn id(prefix: &str) -> String {
    let random = uuid::Uuid::new_v4().simple().to_string().to_uppercase();
    format!("{prefix}{}", &random[..17])
}

/// Returns the id of a role that neither the template nor the API made: the same one each time.
pub(super) fn id_of(role_arn: &str) -> String {
    let digest = hex::encode(Sha256::digest(role_arn.as_bytes())).to_uppercase();
    format!("AROA{}", &digest[..17])
}

/// Returns the members of a role.
pub(super) fn describe(role: &KeptRole) -> String {
    let description = role.description.as_deref().map(escape_xml);
    [
        element("Path", &escape_xml(&role.path)),
        element("RoleName", &escape_xml(&role.name)),
        element("RoleId", &escape_xml(&role.id)),
        element("Arn", &escape_xml(&role.arn())),
        element("CreateDate", &time(role.created_ms)),
        element("AssumeRolePolicyDocument", &encoded(&role.trust)),
        description.map_or_else(String::new, |text| element("Description", &text)),
        element("MaxSessionDuration", &role.max_session_seconds.to_string()),
    ]
    .concat()
}

/// Returns the members of a policy.
pub(super) fn describe_policy(policy: &KeptPolicy, uses: usize) -> String {
    let description = policy.description.as_deref().map(escape_xml);
    let created = time(policy.created_ms);
    [
        element("PolicyName", &escape_xml(&policy.name)),
        element("PolicyId", &policy.id),
        element("Arn", &escape_xml(&policy.arn())),
        element("Path", &escape_xml(&policy.path)),
        element("DefaultVersionId", "v1"),
        element("AttachmentCount", &uses.to_string()),
        element("IsAttachable", "true"),
        description.map_or_else(String::new, |text| element("Description", &text)),
        element("CreateDate", &created),
        element("UpdateDate", &created),
    ]
    .concat()
}

fn time(milliseconds: i64) -> String {
    let time = DateTime::from_timestamp_millis(milliseconds).unwrap_or_default();
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Returns a document as answers have it: as in a URL.
pub(super) fn encoded(document: &PolicyDocument) -> String {
    utf8_percent_encode(&document.to_string(), NON_ALPHANUMERIC).to_string()
}

pub(super) fn element(name: &str, content: &str) -> String {
    format!("<{name}>{content}</{name}>")
}

/// Which page of a list is asked for.
#[derive(Default)]
pub(super) struct Paging {
    marker: Option<String>,
    most: usize,
}

/// Returns a page of a list.
pub(super) fn list(
    name: &str,
    members: impl Iterator<Item = String>,
    paging: &Paging,
) -> Result<String, AwsError> {
    let page = json_protocol::page(members.collect(), paging.marker.as_deref(), paging.most);
    let (members, next) =
        page.ok_or_else(|| validation("Marker is none that an earlier page of this list gave"))?;
    let is_truncated = element("IsTruncated", &next.is_some().to_string());
    let marker = next.map(|marker| element("Marker", &marker));
    Ok(element(name, &members.concat()) + &is_truncated + &marker.unwrap_or_default())
}

/// Writes an answer.
pub(super) fn reply(action: &str, result: &str) -> Response<Body> {
    let result = match result.is_empty() {
        true => String::new(),
        false => element(&format!("{action}Result"), result),
    };
    let request_id = uuid::Uuid::new_v4().to_string();
    let metadata = element("ResponseMetadata", &element("RequestId", &request_id));
    let body = format!("<{action}Response xmlns=\"{NAMESPACE}\">{result}{metadata}</{action}Response>");
    xml_response(StatusCode::OK, body)
}

fn validation(message: &str) -> AwsError {
    AwsError::new(400, "ValidationError", message)
}
