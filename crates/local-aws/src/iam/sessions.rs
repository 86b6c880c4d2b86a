//! Sessions of roles: who gets one, what it may at most, and whose credentials are whose.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::PoisonError,
};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{
    Call, Denied, Iam, PolicyDocument, Principal, Role, RoleCredentials, denied,
    policy::{Context, Kind, Policy, Verdict},
};

const ASSUME: &str = "sts:AssumeRole";

/// What a caller of `AssumeRole` asks for beside the role.
#[derive(Debug, Clone, Copy)]
pub struct SessionSpec<'a> {
    /// Name of the session (`sts:RoleSessionName`).
    pub name: &'a str,
    /// What the caller shows as `sts:ExternalId`, if anything.
    pub external_id: Option<&'a str>,
    /// Session policy: the session may do what both the role and it allow.
    pub policy: Option<&'a PolicyDocument>,
    /// When its credentials end.
    pub expires: DateTime<Utc>,
}

/// A session that somebody was given.
#[derive(Debug)]
pub(super) struct Session {
    /// ARN of its role.
    role: String,
    name: String,
    policy: Option<Policy>,
    credentials: RoleCredentials,
    expires: DateTime<Utc>,
}

/// What the caller's own policies say on a call.
pub(super) struct Own {
    pub(super) identity: Verdict,
    /// Of the session's policy, if it has one.
    pub(super) session: Option<Verdict>,
}

impl Iam {
    /// Returns credentials of a session of the role: the same ones for as long as the process runs.
    pub fn role_credentials(&self, role_arn: &str) -> Option<RoleCredentials> {
        let roles = self.roles.read().unwrap_or_else(PoisonError::into_inner);
        roles.get(role_arn).map(|role| role.credentials.clone())
    }

    /// Returns credentials of a new session of the role, for a caller whom its trust policy lets assume it.
    ///
    /// A trust policy that names the account leaves the decision to the caller's own policies; one that denies them outweighs
    /// every trust. A role that neither the template nor the API made is a stand-in for one of the user's account, and may do
    /// what the user may.
    ///
    /// # Errors
    ///
    /// [`Denied`], in the words AWS uses; also where the session policy is none.
    pub fn assume_role(
        &self,
        principal: &Principal,
        role_arn: &str,
        session: &SessionSpec<'_>,
    ) -> Result<RoleCredentials, Denied> {
        let mut of_call = BTreeMap::from([("sts:RoleSessionName".to_owned(), session.name.to_owned())]);
        if let Some(id) = session.external_id {
            of_call.insert("sts:ExternalId".to_owned(), id.to_owned());
        }
        let call = Call {
            principal,
            action: ASSUME,
            resource: role_arn,
            context: &of_call,
            resource_policy: None,
        };
        let policy = session.policy.map(|it| Policy::parse(it, Kind::Identity));
        let policy = policy
            .transpose()
            .map_err(|error| denied(&call, format!("because the session policy is invalid: {error}")))?;

        let mut roles = self.roles.write().unwrap_or_else(PoisonError::into_inner);
        self.check_trust(&roles, &call)?;
        roles.entry(role_arn.to_owned()).or_insert_with(Role::of_user);
        let session = Session {
            role: role_arn.to_owned(),
            name: session.name.to_owned(),
            policy,
            credentials: new_credentials(),
            expires: session.expires,
        };
        let credentials = session.credentials.clone();
        let mut sessions = self.sessions.write().unwrap_or_else(PoisonError::into_inner);
        // Who comes with one that has ended is told so for a while.
        let ended = Utc::now() - TimeDelta::hours(1);
        sessions.retain(|_, session| ended <= session.expires);
        sessions.insert(credentials.access_key_id.clone(), session);
        Ok(credentials)
    }

    /// Decides who may assume a role.
    fn check_trust(&self, roles: &HashMap<String, Role>, call: &Call<'_>) -> Result<(), Denied> {
        let context = self.context(call.principal, call.context);
        let own = self.own(roles, call, &context);
        let refuse = |reason: &str| Err(denied(call, reason.to_owned()));
        if own.identity == Verdict::Deny {
            return refuse("with an explicit deny in an identity-based policy");
        } else if own.session == Some(Verdict::Deny) {
            return refuse("with an explicit deny in a session policy");
        } else if own.session == Some(Verdict::NoMatch) {
            return refuse("because no session policy allows the sts:AssumeRole action");
        }
        let Some(role) = roles.get(call.resource).filter(|role| role.spec.is_some()) else {
            return Ok(());
        };
        let trust = |principal: &Principal| role.trust.verdict(principal, ASSUME, "*", &context);
        let trusts_caller = trust(call.principal);
        if trusts_caller == Verdict::Deny {
            return refuse("with an explicit deny in a resource-based policy");
        }
        let services = self.services_of(call.principal);
        let is_trusted = trusts_caller == Verdict::Allow
            || services.iter().any(|service| self.trusts(role, service))
            || (own.identity == Verdict::Allow && trust(&Principal::Root) == Verdict::Allow);
        match is_trusted {
            true => Ok(()),
            false => refuse("because no resource-based policy allows the sts:AssumeRole action"),
        }
    }

    /// Returns what the policies of the caller's role and of its session say.
    pub(super) fn own(&self, roles: &HashMap<String, Role>, call: &Call<'_>, context: &Context) -> Own {
        let verdict = |policy: &Policy| policy.verdict(call.principal, call.action, call.resource, context);
        let identity = match (call.principal, call.principal.role_arn()) {
            (Principal::Root, _) => Verdict::Allow,
            (_, Some(arn)) => {
                let policies = roles.get(arn).map_or(&[][..], |role| role.policies.as_slice());
                policies.iter().map(verdict).max().unwrap_or_default()
            }
            (_, None) => Verdict::NoMatch,
        };
        let session = match call.principal {
            Principal::Session { access_key_id, .. } => {
                let sessions = self.sessions.read().unwrap_or_else(PoisonError::into_inner);
                match sessions.get(access_key_id) {
                    Some(session) => session.policy.as_ref().map(verdict),
                    // It has ended since the request was checked.
                    None => Some(Verdict::NoMatch),
                }
            }
            Principal::Root | Principal::Role { .. } | Principal::Service(_) => None,
        };
        Own { identity, session }
    }

    /// Returns the services that a caller stands for.
    fn services_of(&self, principal: &Principal) -> BTreeSet<String> {
        let services = self.services.read().unwrap_or_else(PoisonError::into_inner);
        let of_role = principal.role_arn().and_then(|arn| services.get(arn));
        of_role.cloned().unwrap_or_default()
    }

    /// Returns the secret key of an access key id, and who it stands for.
    ///
    /// A role's session is known by its key id and its token together: check the token with
    /// [`has_session_token`](Self::has_session_token), and the time with [`has_expired`](Self::has_expired).
    pub fn access_key(&self, access_key_id: &str) -> Option<(String, Principal)> {
        if access_key_id == "test" {
            return Some(("test".to_owned(), Principal::Root));
        }
        let sessions = self.sessions.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(session) = sessions.get(access_key_id) {
            let principal = Principal::Session {
                role: session.role.clone(),
                name: session.name.clone(),
                access_key_id: access_key_id.to_owned(),
            };
            return Some((session.credentials.secret_access_key.clone(), principal));
        }
        drop(sessions);
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
        let sessions = self.sessions.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(session) = sessions.get(access_key_id) {
            return token == Some(session.credentials.session_token.as_str());
        }
        drop(sessions);
        let roles = self.roles.read().unwrap_or_else(PoisonError::into_inner);
        let expected = roles
            .values()
            .map(|role| &role.credentials)
            .find(|credentials| credentials.access_key_id == access_key_id)
            .map(|credentials| credentials.session_token.as_str());
        expected == token
    }

    /// Returns whether the session of an access key has ended at `now`.
    pub fn has_expired(&self, access_key_id: &str, now: DateTime<Utc>) -> bool {
        let sessions = self.sessions.read().unwrap_or_else(PoisonError::into_inner);
        let session = sessions.get(access_key_id);
        session.is_some_and(|session| session.expires < now)
    }

    /// Ends the sessions of a role.
    pub(super) fn end_sessions(&self, role_arn: &str) {
        let mut sessions = self.sessions.write().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|_, session| session.role != role_arn);
    }
}

pub(super) fn new_credentials() -> RoleCredentials {
    let random = || Uuid::new_v4().simple().to_string();
    RoleCredentials {
        access_key_id: format!("ASIA{}", &random().to_uppercase()[..16]),
        secret_access_key: format!("{}{}", random(), &random()[..8]),
        session_token: format!("{}{}", random(), random()),
    }
}
