//! IAM: roles with inline policies, credentials that name a role, and the decision on every call.
//!
//! Differences from AWS:
//! - One account, no users, groups, permission boundaries or organisation policies.
//! - `aws:SecureTransport` is always `true`: locally the loopback stands in for TLS, so that a policy
//!   that demands TLS can be deployed unchanged.
//! - The credentials that functions have are made once a process start and do not expire while it runs. Sessions of
//!   `AssumeRole` are each caller's own and expire; they end with the process.
//! - The trust policy alone decides who assumes a role, also of the user `test`, whom AWS lets assume none. A function that
//!   serves a service here assumes what that service may. A role that neither the template nor the API made can be assumed
//!   by any caller of `AssumeRole`, and may do what the user may; services assume none such.
//! - What a policy uses that is not implemented (a condition operator or key, a policy variable) is
//!   refused when the policy is given, never ignored.

mod calls;
mod kept;
mod matching;
mod policy;
mod roles;
mod sessions;
mod shapes;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{PoisonError, RwLock},
};

pub(crate) use self::calls::session_arn;
pub use self::calls::{Call, Denied, PolicyDocument, Principal, RoleCredentials, RoleSpec};
use self::policy::{Context, Kind, Policy, Verdict};
pub use self::roles::Roles;
pub use self::sessions::SessionSpec;
use self::sessions::{Session, new_credentials};
use crate::ACCOUNT_ID;

/// The roles, their credentials, and the decisions.
#[derive(Debug)]
pub struct Iam {
    region: String,
    roles: RwLock<HashMap<String, Role>>,
    /// Services that sessions of a role stand for, by the role's ARN.
    services: RwLock<HashMap<String, BTreeSet<String>>>,
    /// Sessions that callers took, by the id of their access key. Locked after the roles.
    sessions: RwLock<HashMap<String, Session>>,
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
            sessions: RwLock::default(),
        }
    }

    /// Adds or replaces a role. Its credentials stay the same when it is replaced.
    ///
    /// # Errors
    ///
    /// Names what a policy uses that is not implemented here (a condition operator or key, a variable).
    pub fn put_role(&self, role: RoleSpec) -> Result<(), String> {
        Policy::given_trust(&role.trust_policy)
            .map_err(|error| format!("trust policy of role {}: {error}", role.name))?;
        self.restore_role(role)
    }

    /// Adds or replaces a role as [`put_role`](Self::put_role), which may be trusted under conditions that no call meets:
    /// a version before has taken such.
    ///
    /// # Errors
    ///
    /// Names what a policy uses that is not implemented here (a condition operator, a variable).
    pub(crate) fn restore_role(&self, role: RoleSpec) -> Result<(), String> {
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
        self.end_sessions(role_arn);
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

    /// Decides a call: an explicit deny wins, then any allow of the identity's or the resource's policy, which a session's
    /// policy must allow too.
    ///
    /// # Errors
    ///
    /// [`Denied`], in the words AWS uses.
    pub fn authorize(&self, call: &Call<'_>) -> Result<(), Denied> {
        if *call.principal == Principal::Root {
            return Ok(());
        }
        let resource = match call.resource_policy.map(|it| Policy::parse(it, Kind::Resource)) {
            None => None,
            Some(Ok(policy)) => Some(policy),
            Some(Err(error)) => {
                let reason = format!("because the resource-based policy is invalid: {error}");
                return Err(denied(call, reason));
            }
        };

        let roles = self.roles.read().unwrap_or_else(PoisonError::into_inner);
        let context = self.context(call.principal, call.context);
        let own = self.own(&roles, call, &context);
        let verdict = |policy: &Policy| policy.verdict(call.principal, call.action, call.resource, &context);
        let of_resource = resource.as_ref().map(verdict).unwrap_or_default();
        let verdicts = [
            ("an identity-based", own.identity),
            ("a resource-based", of_resource),
            ("a session", own.session.unwrap_or_default()),
        ];
        let allows_nothing = |kind: &str| {
            let reason = format!("because no {kind} policy allows the {} action", call.action);
            Err(denied(call, reason))
        };
        if let Some((kind, _)) = verdicts.iter().find(|(_, verdict)| *verdict == Verdict::Deny) {
            Err(denied(call, format!("with an explicit deny in {kind} policy")))
        } else if own.identity.max(of_resource) == Verdict::NoMatch {
            match call.principal {
                Principal::Service(_) => allows_nothing("resource-based"),
                Principal::Root | Principal::Role { .. } | Principal::Session { .. } => {
                    allows_nothing("identity-based")
                }
            }
        } else if own.session == Some(Verdict::NoMatch) {
            allows_nothing("session")
        } else {
            Ok(())
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
            Principal::Role { arn } | Principal::Session { role: arn, .. } => {
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

#[cfg(test)]
mod tests;
