//! IAM: roles with inline policies, credentials that name a role, and the decision on every call.

use std::collections::BTreeMap;

/// An IAM policy document, as the template gives it.
pub type PolicyDocument = serde_json::Value;

/// A role of the template.
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
    /// A role's session.
    Role {
        /// ARN of the role.
        arn: String,
    },
    /// An AWS service by its own right, for example `s3.amazonaws.com`.
    Service(String),
}

/// Credentials of a role's session.
#[derive(Debug, Clone)]
pub struct RoleCredentials {
    /// Access key id.
    pub access_key_id: String,
    /// Secret access key.
    pub secret_access_key: String,
    /// Session token.
    pub session_token: String,
}

/// One call to be decided.
#[derive(Debug)]
pub struct Call<'a> {
    /// Who calls.
    pub principal: &'a Principal,
    /// Service and operation, for example `s3:PutObject`.
    pub action: &'a str,
    /// ARN that the call touches.
    pub resource: &'a str,
    /// Condition keys of the call beyond the global ones.
    pub context: &'a BTreeMap<String, String>,
    /// Policy attached to the resource, if any (bucket policy, function policy).
    pub resource_policy: Option<&'a PolicyDocument>,
}

/// The refusal of a call, in the words AWS uses.
#[derive(Debug, thiserror::Error)]
#[error("User: {principal} is not authorized to perform: {action} on resource: {resource} because {reason}")]
pub struct Denied {
    /// ARN of the caller.
    pub principal: String,
    /// The action.
    pub action: String,
    /// ARN of the resource.
    pub resource: String,
    /// For example "no identity-based policy allows the s3:PutObject action".
    pub reason: String,
}

/// The roles, their credentials, and the decisions.
#[derive(Debug, Default)]
pub struct Iam {}

impl Iam {
    /// Adds or replaces a role.
    ///
    /// # Errors
    ///
    /// Names what a policy uses that is not implemented here (a condition operator, a variable).
    pub fn put_role(&self, _role: RoleSpec) -> Result<(), String> {
        unimplemented!("filled in by the iam work")
    }

    /// Returns credentials of a session of the role.
    pub fn role_credentials(&self, _role_arn: &str) -> Option<RoleCredentials> {
        unimplemented!("filled in by the iam work")
    }

    /// Returns the secret key of an access key id, and who it stands for.
    pub fn access_key(&self, access_key_id: &str) -> Option<(String, Principal)> {
        (access_key_id == "test").then(|| ("test".to_owned(), Principal::Root))
    }

    /// Decides a call: an explicit deny wins, then any allow of the identity's or the resource's policy.
    ///
    /// # Errors
    ///
    /// [`Denied`], in the words AWS uses.
    pub fn authorize(&self, _call: &Call<'_>) -> Result<(), Denied> {
        Ok(())
    }
}
