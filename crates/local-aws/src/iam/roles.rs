//! AWS IAM's API: roles beside those of the template, and policies that are attached to them.
//!
//! What it makes is kept, and counts as the template's roles do. Those are shown too; the template alone changes them. Differs
//! from IAM: no users, groups, instance profiles, boundaries, tags or versions of policies; of the
//! policies of AWS those for S3 alone are known, and others are refused when they are attached.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Body;
use chrono::Utc;
use futures::future::BoxFuture;
use http::{Request, Response};
use serde_json::json;

use super::{
    Iam, Principal, RoleSpec,
    kept::{self, KeptPolicy, KeptRole, Made, POLICIES, ROLES},
    shapes::{
        MAX_POLICY_NAME, Members, Paging, SESSION_SECONDS, describe, describe_policy, element, encoded, id,
        id_of, list, of_spec, reply,
    },
};
use crate::{
    ACCOUNT_ID,
    aws_error::{AwsError, Envelope, escape_xml},
    gateway::MAX_BODY_BYTES,
    json_protocol,
    service::{Protocol, Service},
    store::Store,
};

/// Operations that show something of a role.
const READS: [&str; 4] = [
    "GetRole",
    "GetRolePolicy",
    "ListRolePolicies",
    "ListAttachedRolePolicies",
];
/// Operations that change a role.
const CHANGES: [&str; 7] = [
    "CreateRole",
    "DeleteRole",
    "UpdateAssumeRolePolicy",
    "PutRolePolicy",
    "DeleteRolePolicy",
    "AttachRolePolicy",
    "DetachRolePolicy",
];

/// The service. A clone is another handle to the same roles.
#[derive(Debug, Clone)]
pub struct Roles {
    store: Arc<Store>,
    iam: Arc<Iam>,
    made: Arc<Mutex<Made>>,
}

impl Service for Roles {
    fn name(&self) -> &'static str {
        "iam"
    }

    fn protocol(&self) -> Protocol {
        Protocol::Query
    }

    fn serve(&self, request: Request<Body>) -> BoxFuture<'_, Response<Body>> {
        Box::pin(async {
            let answer = self.answer(request).await;
            answer.unwrap_or_else(|error| error.into_response(Envelope::Query))
        })
    }
}

impl Roles {
    /// Opens the roles in `store`, and has them count.
    ///
    /// # Errors
    ///
    /// Whatever the index reports.
    pub(crate) fn new(store: Arc<Store>, iam: Arc<Iam>) -> Result<Self, redb::Error> {
        let made = Made::load(&store)?;
        for role in made.roles.values() {
            if let Err(reason) = iam.restore_role(made.spec(role)) {
                // A version before took it.
                tracing::error!(reason, role = role.name, "a role is not in use: make it again");
                let closed = iam.restore_role(RoleSpec {
                    trust_policy: json!({"Statement": []}),
                    policies: Vec::new(),
                    ..made.spec(role)
                });
                closed.expect("a policy without statements is one");
            }
        }
        Ok(Self {
            store,
            iam,
            made: Arc::new(Mutex::new(made)),
        })
    }

    fn made(&self) -> MutexGuard<'_, Made> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(&self, request: Request<Body>) -> Result<Response<Body>, AwsError> {
        let caller = json_protocol::caller(&request)?;
        let body = axum::body::to_bytes(request.into_body(), MAX_BODY_BYTES).await;
        let body = body.map_err(|_| AwsError::new(400, "ValidationError", "the body broke off"))?;
        let mut members = Members(url::form_urlencoded::parse(&body).into_owned().collect());
        members.take("Version");
        let action = members.take("Action").unwrap_or_default();
        let (roles, operation) = (self.clone(), action.clone());
        let working = tokio::task::spawn_blocking(move || roles.perform(&caller, &operation, members));
        let result = working.await.expect("an operation does not panic")?;
        Ok(reply(&action, &result))
    }

    fn perform(&self, caller: &Principal, action: &str, mut members: Members) -> Result<String, AwsError> {
        match action {
            "ListRoles" => {
                self.iam.permit(caller, "iam:ListRoles", "*")?;
                let path = members.take("PathPrefix").unwrap_or_default();
                let paging = members.paging()?;
                members.end(action)?;
                self.list_roles(&path, &paging)
            }
            "CreatePolicy" => self.create_policy(caller, members),
            "GetPolicy" | "DeletePolicy" => {
                let arn = members.required("PolicyArn")?;
                self.iam.permit(caller, &format!("iam:{action}"), &arn)?;
                members.end(action)?;
                match action {
                    "GetPolicy" => self.get_policy(&arn),
                    _ => self.delete_policy(&arn),
                }
            }
            action if READS.contains(&action) || CHANGES.contains(&action) => {
                let name = members.required("RoleName")?;
                let path = members.0.get("Path").map_or("/", String::as_str);
                let arn = self.shown_role(&name).map_or_else(
                    || format!("arn:aws:iam::{ACCOUNT_ID}:role{path}{name}"),
                    |role| role.arn(),
                );
                self.iam.permit(caller, &format!("iam:{action}"), &arn)?;
                match READS.contains(&action) {
                    true => self.read(action, &name, members),
                    false => self.change(action, name, members),
                }
            }
            other => Err(AwsError::not_implemented("iam", other)),
        }
    }

    fn read(&self, action: &str, name: &str, mut members: Members) -> Result<String, AwsError> {
        let policy = match action {
            "GetRolePolicy" => members.required("PolicyName")?,
            _ => String::new(),
        };
        let paging = match action.starts_with("List") {
            true => members.paging()?,
            false => Paging::default(),
        };
        members.end(action)?;
        let role = self.shown_role(name).ok_or_else(|| no_role(name))?;
        Ok(match action {
            "GetRole" => element("Role", &describe(&role)),
            "GetRolePolicy" => {
                let document = role.inline.get(&policy).ok_or_else(|| no_policy(&policy))?;
                [
                    element("RoleName", &escape_xml(name)),
                    element("PolicyName", &escape_xml(&policy)),
                    element("PolicyDocument", &encoded(document)),
                ]
                .concat()
            }
            "ListRolePolicies" => {
                let names = role
                    .inline
                    .keys()
                    .map(|name| element("member", &escape_xml(name)));
                list("PolicyNames", names, &paging)?
            }
            _ => {
                let attached = role.attached.iter().map(|arn| {
                    let name = arn.rsplit('/').next().unwrap_or_default();
                    let both =
                        element("PolicyName", &escape_xml(name)) + &element("PolicyArn", &escape_xml(arn));
                    element("member", &both)
                });
                list("AttachedPolicies", attached, &paging)?
            }
        })
    }

    fn change(&self, action: &str, name: String, mut members: Members) -> Result<String, AwsError> {
        let mut made = self.made();
        if action == "CreateRole" {
            let role = members.role(name)?;
            members.end(action)?;
            if made.roles.contains_key(&role.name) || self.of_template(&role.name).is_some() {
                let message = format!("Role with name {} already exists.", role.name);
                return Err(AwsError::new(409, "EntityAlreadyExists", message));
            }
            let shown = element("Role", &describe(&role));
            return self.keep(&mut made, role).map(|()| shown);
        }
        let mut role = match (made.roles.get(&name), self.of_template(&name)) {
            (Some(role), _) => role.clone(),
            (None, Some(_)) => {
                let message = format!("The role {name} is of the template: change it there.");
                return Err(AwsError::new(400, "UnmodifiableEntity", message));
            }
            (None, None) => return Err(no_role(&name)),
        };
        match action {
            "DeleteRole" => {
                members.end(action)?;
                return self.delete(&mut made, &role);
            }
            "UpdateAssumeRolePolicy" => role.trust = members.document("PolicyDocument")?,
            "PutRolePolicy" => {
                let policy = members.name("PolicyName", MAX_POLICY_NAME)?;
                role.inline.insert(policy, members.document("PolicyDocument")?);
            }
            "DeleteRolePolicy" => {
                let policy = members.required("PolicyName")?;
                role.inline.remove(&policy).ok_or_else(|| no_policy(&policy))?;
            }
            "AttachRolePolicy" => {
                let arn = members.required("PolicyArn")?;
                if made.document(&arn).is_none() {
                    return Err(unknown_policy(&arn));
                }
                role.attached.insert(arn);
            }
            _ => {
                let arn = members.required("PolicyArn")?;
                if !role.attached.remove(&arn) {
                    return Err(no_policy(&arn));
                }
            }
        }
        members.end(action)?;
        self.keep(&mut made, role).map(|()| String::new())
    }

    /// Has a role count, and keeps it.
    fn keep(&self, made: &mut Made, role: KeptRole) -> Result<(), AwsError> {
        let before = made.roles.get(&role.name);
        let put = match before.is_some_and(|before| before.trust == role.trust) {
            true => self.iam.restore_role(made.spec(&role)),
            false => self.iam.put_role(made.spec(&role)),
        };
        put.map_err(|reason| AwsError::new(400, "MalformedPolicyDocument", reason))?;
        kept::keep(&self.store, ROLES, &role.name, Some(&role)).map_err(failed)?;
        made.roles.insert(role.name.clone(), role);
        Ok(())
    }

    fn delete(&self, made: &mut Made, role: &KeptRole) -> Result<String, AwsError> {
        if !role.inline.is_empty() || !role.attached.is_empty() {
            return Err(in_use("Cannot delete entity, must delete policies first."));
        }
        kept::keep::<KeptRole>(&self.store, ROLES, &role.name, None).map_err(failed)?;
        self.iam.remove_role(&role.arn());
        made.roles.remove(&role.name);
        Ok(String::new())
    }

    fn list_roles(&self, path: &str, paging: &Paging) -> Result<String, AwsError> {
        let made: Vec<KeptRole> = self.made().roles.values().cloned().collect();
        let of_template = self
            .iam
            .specs()
            .into_iter()
            .filter(|spec| !made.iter().any(|role| role.arn() == spec.arn))
            .map(|spec| of_spec(&spec));
        let mut roles: Vec<KeptRole> = made.iter().cloned().chain(of_template).collect();
        roles.retain(|role| role.path.starts_with(path));
        roles.sort_by(|one, other| one.name.cmp(&other.name));
        list(
            "Roles",
            roles.iter().map(|role| element("member", &describe(role))),
            paging,
        )
    }

    /// Returns a role of the API or of the template.
    fn shown_role(&self, name: &str) -> Option<KeptRole> {
        let made = self.made().roles.get(name).cloned();
        made.or_else(|| self.of_template(name).map(|spec| of_spec(&spec)))
    }

    /// Returns the id of a role, and how many seconds a session of it lasts at most.
    pub(crate) fn id_and_longest_session(&self, role_arn: &str) -> (String, u32) {
        let name = role_arn.rsplit('/').next().unwrap_or(role_arn);
        let role = self.shown_role(name).filter(|role| role.arn() == role_arn);
        let of_user = || (id_of(role_arn), SESSION_SECONDS);
        role.map_or_else(of_user, |role| (role.id, role.max_session_seconds))
    }

    fn of_template(&self, name: &str) -> Option<RoleSpec> {
        self.iam.specs().into_iter().find(|spec| spec.name == name)
    }

    fn create_policy(&self, caller: &Principal, mut members: Members) -> Result<String, AwsError> {
        let policy = KeptPolicy {
            name: members.name("PolicyName", MAX_POLICY_NAME)?,
            path: members.path()?,
            id: id("ANPA"),
            created_ms: Utc::now().timestamp_millis(),
            description: members.take("Description"),
            document: members.document("PolicyDocument")?,
        };
        let arn = policy.arn();
        self.iam.permit(caller, "iam:CreatePolicy", &arn)?;
        members.end("CreatePolicy")?;
        let checked = Iam::validate_identity_policy(&policy.document);
        checked.map_err(|reason| AwsError::new(400, "MalformedPolicyDocument", reason))?;
        let mut made = self.made();
        if made.policies.contains_key(&arn) {
            let message = format!(
                "A policy called {} already exists. Duplicate names are not allowed.",
                policy.name
            );
            return Err(AwsError::new(409, "EntityAlreadyExists", message));
        }
        kept::keep(&self.store, POLICIES, &arn, Some(&policy)).map_err(failed)?;
        let shown = element("Policy", &describe_policy(&policy, 0));
        made.policies.insert(arn, policy);
        Ok(shown)
    }

    fn get_policy(&self, arn: &str) -> Result<String, AwsError> {
        let made = self.made();
        let policy = made.policies.get(arn).ok_or_else(|| no_policy(arn))?;
        let uses = made.roles.values().filter(|role| role.attached.contains(arn));
        Ok(element("Policy", &describe_policy(policy, uses.count())))
    }

    fn delete_policy(&self, arn: &str) -> Result<String, AwsError> {
        let mut made = self.made();
        if !made.policies.contains_key(arn) {
            return Err(no_policy(arn));
        }
        if made.roles.values().any(|role| role.attached.contains(arn)) {
            return Err(in_use("Cannot delete a policy attached to entities."));
        }
        kept::keep::<KeptPolicy>(&self.store, POLICIES, arn, None).map_err(failed)?;
        made.policies.remove(arn);
        Ok(String::new())
    }
}

fn no_role(name: &str) -> AwsError {
    let message = format!("The role with name {name} cannot be found.");
    AwsError::new(404, "NoSuchEntity", message)
}

fn no_policy(name: &str) -> AwsError {
    let message = format!("The policy {name} cannot be found.");
    AwsError::new(404, "NoSuchEntity", message)
}

fn unknown_policy(arn: &str) -> AwsError {
    match arn.starts_with("arn:aws:iam::aws:policy/") {
        true => AwsError::not_implemented(
            "iam",
            &format!(
                "AttachRolePolicy of {arn}, whose rights are not known here (put them by PutRolePolicy),"
            ),
        ),
        false => no_policy(arn),
    }
}

fn in_use(message: &str) -> AwsError {
    AwsError::new(409, "DeleteConflict", message)
}

fn failed(error: redb::Error) -> AwsError {
    tracing::error!(%error, "the index of the state folder failed");
    AwsError::new(500, "ServiceFailure", "the state folder cannot be written")
}
