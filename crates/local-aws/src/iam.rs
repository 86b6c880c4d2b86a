//! IAM: roles with inline policies, credentials that name a role, and the decision on every call.
//!
//! Differences from AWS:
//! - One account, no users, groups, permission boundaries, session policies or organisation policies.
//! - `aws:SecureTransport` is always `true`: locally the loopback stands in for TLS, so that a policy
//!   that demands TLS can be deployed unchanged.
//! - Role credentials are made once a process start and do not expire while it runs.
//! - The trust policy alone decides who assumes a role. A function that serves a service here assumes what that service
//!   may. A role that neither the template nor the API made can be assumed by any caller of `AssumeRole`, and may do what
//!   the user may; services assume none such.
//! - What a policy uses that is not implemented (a condition operator or key, a policy variable) is
//!   refused when the policy is given, never ignored.

mod calls;
mod kept;
mod policy;
mod roles;
mod shapes;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{PoisonError, RwLock},
};

use uuid::Uuid;

pub use self::calls::{Call, Denied, PolicyDocument, Principal, RoleCredentials, RoleSpec};
use self::policy::{Context, Kind, Policy, Verdict};
pub use self::roles::Roles;
use crate::ACCOUNT_ID;

/// The roles, their credentials, and the decisions.
#[derive(Debug)]
pub struct Iam {
    region: String,
    roles: RwLock<HashMap<String, Role>>,
    /// Services that sessions of a role stand for, by the role's ARN.
    services: RwLock<HashMap<String, BTreeSet<String>>>,
}

#[derive(Debug)]
struct Role {
    /// What it was made of; none of one that nobody made: it may do what the user may.
    spec: Option<RoleSpec>,
    trust: Policy,
    policies: Vec<Policy>,
    credentials: RoleCredentials,
}

impl Role {
    /// Makes a role that may do everything; whom it trusts is not asked.
    fn of_user() -> Self {
        let all = serde_json::json!({
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
        });
        let nobody = serde_json::json!({"Version": "2012-10-17", "Statement": []});
        Self {
            spec: None,
            trust: Policy::parse(&nobody, Kind::Trust).expect("a good policy"),
            policies: vec![Policy::parse(&all, Kind::Identity).expect("a good policy")],
            credentials: new_credentials(),
        }
    }
}

impl Default for Iam {
    fn default() -> Self {
        Self::new("us-east-1")
    }
}

impl Iam {
    /// Makes an account without roles, whose calls go to `region` (`aws:RequestedRegion`).
    pub fn new(region: &str) -> Self {
        Self {
            region: region.to_owned(),
            roles: RwLock::default(),
            services: RwLock::default(),
        }
    }

    /// Adds or replaces a role. Its credentials stay the same when it is replaced.
    ///
    /// # Errors
    ///
    /// Names what a policy uses that is not implemented here (a condition operator, a variable).
    pub fn put_role(&self, role: RoleSpec) -> Result<(), String> {
        let trust = Policy::parse(&role.trust_policy, Kind::Trust)
            .map_err(|error| format!("trust policy of role {}: {error}", role.name))?;
        let policies = role
            .policies
            .iter()
            .map(|document| Policy::parse(document, Kind::Identity))
            .collect::<Result<_, _>>()
            .map_err(|error| format!("policy of role {}: {error}", role.name))?;
        let mut roles = self.roles.write().unwrap_or_else(PoisonError::into_inner);
        let credentials = roles
            .remove(&role.arn)
            .map_or_else(new_credentials, |old| old.credentials);
        roles.insert(
            role.arn.clone(),
            Role {
                spec: Some(role),
                trust,
                policies,
                credentials,
            },
        );
        Ok(())
    }

    /// Takes a role away; its sessions end.
    pub(crate) fn remove_role(&self, role_arn: &str) {
        let mut roles = self.roles.write().unwrap_or_else(PoisonError::into_inner);
        roles.remove(role_arn);
    }

    /// Returns what the roles were made of.
    pub(crate) fn specs(&self) -> Vec<RoleSpec> {
        let roles = self.roles.read().unwrap_or_else(PoisonError::into_inner);
        roles.values().filter_map(|role| role.spec.clone()).collect()
    }

    /// Has sessions of a role stand for a service (for example `comprehend.amazonaws.com`), which a function with that role
    /// serves here: it may assume what the service may.
    pub fn stand_for(&self, role_arn: &str, service: &str) {
        let mut services = self.services.write().unwrap_or_else(PoisonError::into_inner);
        let of_role = services.entry(role_arn.to_owned()).or_default();
        of_role.insert(service.to_owned());
    }

    /// Checks that a policy of a role uses only what is implemented.
    ///
    /// # Errors
    ///
    /// Names what is not implemented or malformed.
    pub(crate) fn validate_identity_policy(document: &PolicyDocument) -> Result<(), String> {
        Policy::parse(document, Kind::Identity).map(|_| ())
    }

    /// Checks that a resource's policy (of a bucket, a function) uses only what is implemented.
    ///
    /// # Errors
    ///
    /// Names what is not implemented or malformed.
    pub fn validate_resource_policy(document: &PolicyDocument) -> Result<(), String> {
        Policy::parse(document, Kind::Resource).map(|_| ())
    }

    /// Returns whether the role exists and its trust policy lets the service (for example
    /// `lambda.amazonaws.com`) assume it.
    pub fn may_assume(&self, service: &str, role_arn: &str) -> bool {
        let roles = self.roles.read().unwrap_or_else(PoisonError::into_inner);
        roles.get(role_arn).is_some_and(|role| self.trusts(role, service))
    }

    fn trusts(&self, role: &Role, service: &str) -> bool {
        let principal = Principal::Service(service.to_owned());
        // Firehose sends the account as the external id, too.
        let account =
            ["aws:SourceAccount", "sts:ExternalId"].map(|key| (key.to_owned(), ACCOUNT_ID.to_owned()));
        let context = self.context(&principal, &account.into());
        let verdict = role.trust.verdict(&principal, "sts:AssumeRole", "*", &context);
        verdict == Verdict::Allow
    }

    /// Returns the services that a caller stands for.
    fn services_of(&self, principal: &Principal) -> BTreeSet<String> {
        let services = self.services.read().unwrap_or_else(PoisonError::into_inner);
        match principal {
            Principal::Role { arn } => services.get(arn).cloned().unwrap_or_default(),
            Principal::Root | Principal::Service(_) => BTreeSet::new(),
        }
    }

    /// Returns credentials of a session of the role: the same ones for as long as the process runs.
    pub fn role_credentials(&self, role_arn: &str) -> Option<RoleCredentials> {
        let roles = self.roles.read().unwrap_or_else(PoisonError::into_inner);
        roles.get(role_arn).map(|role| role.credentials.clone())
    }

    /// Returns credentials of a session of the role for a caller whom its trust policy lets assume it.
    ///
    /// A role that neither the template nor the API made is a stand-in for one of the user's account, and may do what the
    /// user may.
    ///
    /// # Errors
    ///
    /// [`Denied`], in the words AWS uses.
    pub fn assume_role(&self, principal: &Principal, role_arn: &str) -> Result<RoleCredentials, Denied> {
        let call = Call {
            principal,
            action: "sts:AssumeRole",
            resource: role_arn,
            context: &BTreeMap::new(),
            resource_policy: None,
        };
        let mut roles = self.roles.write().unwrap_or_else(PoisonError::into_inner);
        let role = roles.entry(role_arn.to_owned()).or_insert_with(Role::of_user);
        let context = self.context(principal, call.context);
        let is_trusted = role.spec.is_none()
            || *principal == Principal::Root
            || self
                .services_of(principal)
                .iter()
                .any(|service| self.trusts(role, service))
            || role.trust.verdict(principal, call.action, "*", &context) == Verdict::Allow;
        match is_trusted {
            true => Ok(role.credentials.clone()),
            false => {
                let reason = "because no resource-based policy allows the sts:AssumeRole action";
                Err(denied(&call, reason.to_owned()))
            }
        }
    }

    /// Returns the secret key of an access key id, and who it stands for.
    ///
    /// A role's session is known by its key id and its token together: check the token with
    /// [`has_session_token`](Self::has_session_token).
    pub fn access_key(&self, access_key_id: &str) -> Option<(String, Principal)> {
        if access_key_id == "test" {
            return Some(("test".to_owned(), Principal::Root));
        }
        let roles = self.roles.read().unwrap_or_else(PoisonError::into_inner);
        roles
            .iter()
            .find(|(_, role)| role.credentials.access_key_id == access_key_id)
            .map(|(arn, role)| {
                let principal = Principal::Role { arn: arn.clone() };
                (role.credentials.secret_access_key.clone(), principal)
            })
    }

    /// Returns whether a request that is signed with the access key carries the right session token
    /// (`x-amz-security-token`): that of the session, or none for the user's own key.
    pub fn has_session_token(&self, access_key_id: &str, token: Option<&str>) -> bool {
        let roles = self.roles.read().unwrap_or_else(PoisonError::into_inner);
        let expected = roles
            .values()
            .map(|role| &role.credentials)
            .find(|credentials| credentials.access_key_id == access_key_id)
            .map(|credentials| credentials.session_token.as_str());
        expected == token
    }

    /// Decides a call by the policies of the caller alone.
    ///
    /// # Errors
    ///
    /// [`Denied`], in the words AWS uses.
    pub fn permit(&self, principal: &Principal, action: &str, resource: &str) -> Result<(), Denied> {
        self.authorize(&Call {
            principal,
            action,
            resource,
            context: &BTreeMap::new(),
            resource_policy: None,
        })
    }

    /// Decides a call: an explicit deny wins, then any allow of the identity's or the resource's policy.
    ///
    /// # Errors
    ///
    /// [`Denied`], in the words AWS uses.
    pub fn authorize(&self, call: &Call<'_>) -> Result<(), Denied> {
        let roles = self.roles.read().unwrap_or_else(PoisonError::into_inner);
        let identity: &[Policy] = match call.principal {
            Principal::Root => return Ok(()),
            Principal::Role { arn } => roles.get(arn).map_or(&[], |role| &role.policies),
            Principal::Service(_) => &[],
        };
        let resource = match call.resource_policy.map(|it| Policy::parse(it, Kind::Resource)) {
            None => None,
            Some(Ok(policy)) => Some(policy),
            Some(Err(error)) => {
                let reason = format!("because the resource-based policy is invalid: {error}");
                return Err(denied(call, reason));
            }
        };

        let context = self.context(call.principal, call.context);
        let verdict = |policy: &Policy| policy.verdict(call.principal, call.action, call.resource, &context);
        let identity_verdict = identity.iter().map(verdict).max().unwrap_or_default();
        let resource_verdict = resource.as_ref().map(verdict).unwrap_or_default();
        match identity_verdict.max(resource_verdict) {
            Verdict::Allow => Ok(()),
            Verdict::Deny => {
                let kind = if identity_verdict == Verdict::Deny {
                    "an identity-based"
                } else {
                    "a resource-based"
                };
                Err(denied(call, format!("with an explicit deny in {kind} policy")))
            }
            Verdict::NoMatch => {
                let kind = match call.principal {
                    Principal::Service(_) => "resource-based",
                    Principal::Root | Principal::Role { .. } => "identity-based",
                };
                let reason = format!("because no {kind} policy allows the {} action", call.action);
                Err(denied(call, reason))
            }
        }
    }

    fn context(&self, principal: &Principal, of_call: &BTreeMap<String, String>) -> Context {
        let mut context: Context = of_call
            .iter()
            .map(|(key, value)| (key.to_ascii_lowercase(), value.clone()))
            .collect();
        let mut set = |key: &str, value: &str| context.insert(key.to_owned(), value.to_owned());
        set("aws:securetransport", "true");
        set("aws:requestedregion", &self.region);
        match principal {
            Principal::Root => {
                set("aws:principalaccount", ACCOUNT_ID);
                set("aws:principalarn", &principal.caller_arn());
            }
            Principal::Role { arn } => {
                set("aws:principalaccount", ACCOUNT_ID);
                set("aws:principalarn", arn);
            }
            Principal::Service(_) => {}
        }
        context
    }
}

fn denied(call: &Call<'_>, reason: String) -> Denied {
    Denied {
        principal: call.principal.caller_arn(),
        action: call.action.to_owned(),
        resource: call.resource.to_owned(),
        reason,
    }
}

fn new_credentials() -> RoleCredentials {
    let random = || Uuid::new_v4().simple().to_string();
    RoleCredentials {
        access_key_id: format!("ASIA{}", &random().to_uppercase()[..16]),
        secret_access_key: format!("{}{}", random(), &random()[..8]),
        session_token: format!("{}{}", random(), random()),
    }
}

#[cfg(test)]
mod tests;
