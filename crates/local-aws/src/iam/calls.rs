//! Who calls, with which role, for what.

use std::collections::BTreeMap;

use crate::ACCOUNT_ID;

/// An IAM policy document, as the template gives it.
pub type PolicyDocument = serde_json::Value;

/// A role of the template or of the API.
#[derive(Debug, Clone, PartialEq)]
pub struct RoleSpec {
    /// Role name.
    pub name: String,
    /// Role ARN.
    pub arn: String,
    /// Who may assume it.
    pub trust_policy: PolicyDocument,
    /// Inline policies.
    pub policies: Vec<PolicyDocument>,
}

/// Who makes a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// The user of this machine (`test`/`test`): all rights.
    Root,
    /// The session of a role that its functions and services have.
    Role {
        /// ARN of the role.
        arn: String,
    },
    /// A session of a role that `AssumeRole` gave.
    Session {
        /// ARN of the role.
        role: String,
        /// Name of the session.
        name: String,
        /// Id of its access key, by which its policy is known.
        access_key_id: String,
    },
    /// An AWS service by its own right, for example `s3.amazonaws.com`.
    Service(String),
}

impl Principal {
    /// Returns the ARN that error messages and `GetCallerIdentity` show: the root user, the role's
    /// session, or the service's name.
    pub fn caller_arn(&self) -> String {
        match self {
            Self::Root => format!("arn:aws:iam::{ACCOUNT_ID}:root"),
            Self::Role { arn } => session_arn(arn, "local"),
            Self::Session { role, name, .. } => session_arn(role, name),
            Self::Service(name) => name.clone(),
        }
    }

    /// Returns the ARN of the caller's role, if it is a role's session.
    pub fn role_arn(&self) -> Option<&str> {
        match self {
            Self::Role { arn } | Self::Session { role: arn, .. } => Some(arn),
            Self::Root | Self::Service(_) => None,
        }
    }
}

/// Returns the ARN of a session of a role.
pub(crate) fn session_arn(role_arn: &str, session: &str) -> String {
    let name = role_arn.rsplit('/').next().unwrap_or(role_arn);
    format!("arn:aws:sts::{ACCOUNT_ID}:assumed-role/{name}/{session}")
}

/// Credentials of a role's session.
#[derive(Clone)]
pub struct RoleCredentials {
    /// Access key id.
    pub access_key_id: String,
    /// Secret access key.
    pub secret_access_key: String,
    /// Session token.
    pub session_token: String,
}

impl std::fmt::Debug for RoleCredentials {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("RoleCredentials")
            .field("access_key_id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}

/// One call to be decided.
#[derive(Debug)]
pub struct Call<'a> {
    /// Who calls.
    pub principal: &'a Principal,
    /// Service and operation, for example `s3:PutObject`.
    pub action: &'a str,
    /// ARN that the call touches; `*` for an operation that touches none.
    pub resource: &'a str,
    /// Condition keys of the call beyond those that are known of every call (`aws:SecureTransport`,
    /// `aws:PrincipalArn`, `aws:PrincipalAccount`, `aws:RequestedRegion`).
    pub context: &'a BTreeMap<String, String>,
    /// Policy attached to the resource, if any (bucket policy, function policy).
    pub resource_policy: Option<&'a PolicyDocument>,
}

/// The refusal of a call, in the words AWS uses.
#[derive(Debug, thiserror::Error)]
#[error("User: {principal} is not authorized to perform: {action} on resource: {resource} {reason}")]
pub struct Denied {
    /// ARN of the caller.
    pub principal: String,
    /// The action.
    pub action: String,
    /// ARN of the resource.
    pub resource: String,
    /// For example "because no identity-based policy allows the s3:PutObject action".
    pub reason: String,
}
