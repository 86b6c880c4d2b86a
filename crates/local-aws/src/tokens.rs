//! AWS STS: who calls, and the roles that callers take.
//!
//! Differs from STS: only `GetCallerIdentity` and `AssumeRole` answer; sessions end with this process; managed session
//! policies, tags, source identities and second factors are refused by name.

use std::{collections::BTreeMap, sync::Arc};

use axum::body::Body;
use chrono::{TimeDelta, Utc};
use futures::future::BoxFuture;
use http::{Request, Response, StatusCode};

use crate::{
    ACCOUNT_ID,
    aws_error::{AwsError, Envelope, escape_xml, xml_response},
    gateway::MAX_BODY_BYTES,
    iam::{Iam, PolicyDocument, Principal, Roles, SessionSpec, session_arn},
    service::{Protocol, Service},
    sigv4::Caller,
};

/// `DurationSeconds` where it is not given, the least and the most that it may be, and the most of who has a role already.
///
/// Source: AWS STS API Reference, `AssumeRole`.
const SESSION_SECONDS: u32 = 3_600;
const MIN_SESSION_SECONDS: u32 = 900;
const MAX_SESSION_SECONDS: u32 = 43_200;
const MAX_CHAINED_SECONDS: u32 = 3_600;
/// Longest session policy, characters.
const MAX_POLICY_CHARS: usize = 2_048;

/// The service.
#[derive(Debug, Clone)]
pub struct Tokens {
    iam: Arc<Iam>,
    roles: Roles,
}

/// The members of a request that were not read yet.
type Members = BTreeMap<String, String>;

impl Service for Tokens {
    fn name(&self) -> &'static str {
        "sts"
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

impl Tokens {
    /// Gives the roles of IAM.
    pub(crate) fn new(iam: Arc<Iam>, roles: Roles) -> Self {
        Self { iam, roles }
    }

    async fn answer(&self, request: Request<Body>) -> Result<Response<Body>, AwsError> {
        let caller = request.extensions().get::<Caller>().cloned();
        let caller = caller.ok_or_else(AwsError::unsigned)?;
        let body = axum::body::to_bytes(request.into_body(), MAX_BODY_BYTES).await;
        let body = body.map_err(|_| validation("the body broke off"))?;
        let mut members: Members = url::form_urlencoded::parse(&body).into_owned().collect();
        members.remove("Version");
        let action = members.remove("Action").unwrap_or_default();
        let result = match action.as_str() {
            "GetCallerIdentity" => self.caller_identity(&caller),
            "AssumeRole" => self.assume_role(members, &caller.principal)?,
            _ => return Err(AwsError::not_implemented("sts", &action)),
        };

        let body = format!(
            "<{action}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{action}Result>{result}</{action}Result>\
             <ResponseMetadata><RequestId>{}</RequestId></ResponseMetadata></{action}Response>",
            uuid::Uuid::new_v4(),
        );
        Ok(xml_response(StatusCode::OK, body))
    }

    fn assume_role(&self, mut members: Members, caller: &Principal) -> Result<String, AwsError> {
        let role = required(&mut members, "RoleArn")?;
        if !is_role_arn(&role) {
            return Err(validation(&format!("{role} is invalid")));
        }
        let name = required(&mut members, "RoleSessionName")?;
        check_text("roleSessionName", &name, 2, 64, "+=,.@-")?;
        let external_id = members.remove("ExternalId");
        if let Some(id) = &external_id {
            check_text("externalId", id, 2, 1_224, "+=,.@:/-")?;
        }
        let policy = session_policy(members.remove("Policy"))?;
        let (role_id, longest) = self.roles.id_and_longest_session(&role);
        let seconds = session_seconds(members.remove("DurationSeconds"), longest, caller)?;
        // An SDK sends a list without members as an empty text.
        if let Some((member, _)) = members.iter().find(|(_, value)| !value.is_empty()) {
            return Err(AwsError::not_implemented(
                "sts",
                &format!("AssumeRole with {member}"),
            ));
        }
        let expires = Utc::now() + TimeDelta::seconds(seconds.into());
        let session = SessionSpec {
            name: &name,
            external_id: external_id.as_deref(),
            policy: policy.as_ref(),
            expires,
        };
        let assumed = self.iam.assume_role(caller, &role, &session);
        let credentials = assumed.map_err(|denied| AwsError::new(403, "AccessDenied", denied.to_string()))?;

        Ok(format!(
            "<Credentials><AccessKeyId>{}</AccessKeyId><SecretAccessKey>{}</SecretAccessKey>\
             <SessionToken>{}</SessionToken><Expiration>{}</Expiration></Credentials>\
             <AssumedRoleUser><AssumedRoleId>{}:{name}</AssumedRoleId>\
             <Arn>{}</Arn></AssumedRoleUser>",
            credentials.access_key_id,
            credentials.secret_access_key,
            credentials.session_token,
            expires.format("%Y-%m-%dT%H:%M:%SZ"),
            escape_xml(&role_id),
            escape_xml(&session_arn(&role, &name)),
        ))
    }

    fn caller_identity(&self, caller: &Caller) -> String {
        let of_role = |arn: &str, session: &str| {
            let (id, _) = self.roles.id_and_longest_session(arn);
            format!("{id}:{session}")
        };
        let user_id = match &caller.principal {
            Principal::Root | Principal::Service(_) => ACCOUNT_ID.to_owned(),
            Principal::Role { arn } => of_role(arn, "local"),
            Principal::Session { role, name, .. } => of_role(role, name),
        };
        format!(
            "<Arn>{}</Arn><UserId>{}</UserId><Account>{ACCOUNT_ID}</Account>",
            escape_xml(&caller.principal.caller_arn()),
            escape_xml(&user_id),
        )
    }
}

fn required(members: &mut Members, name: &str) -> Result<String, AwsError> {
    let value = members.remove(name).filter(|value| !value.is_empty());
    value.ok_or_else(|| validation(&format!("{name} is missing")))
}

fn is_role_arn(arn: &str) -> bool {
    let account_and_role = arn
        .strip_prefix("arn:aws:iam::")
        .and_then(|it| it.split_once(":role/"));
    account_and_role.is_some_and(|(account, role)| {
        account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit()) && !role.is_empty()
    })
}

/// Refuses a text that is too short or too long, or has others than letters, digits, `_` and these characters.
fn check_text(member: &str, text: &str, least: usize, most: usize, others: &str) -> Result<(), AwsError> {
    let must = if text.len() < least {
        format!("have length greater than or equal to {least}")
    } else if text.len() > most {
        format!("have length less than or equal to {most}")
    } else if !text
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || c == '_' || others.contains(c))
    {
        format!("satisfy regular expression pattern: [\\w{others}]*")
    } else {
        return Ok(());
    };
    Err(constraint(text, member, &must))
}

fn session_policy(text: Option<String>) -> Result<Option<PolicyDocument>, AwsError> {
    let Some(text) = text else {
        return Ok(None);
    };
    if text.chars().count() > MAX_POLICY_CHARS {
        let must = format!("have length less than or equal to {MAX_POLICY_CHARS}");
        return Err(constraint("", "policy", &must));
    }
    let malformed = |reason: String| AwsError::new(400, "MalformedPolicyDocument", reason);
    let policy: PolicyDocument =
        serde_json::from_str(&text).map_err(|error| malformed(format!("Policy is not JSON: {error}")))?;
    Iam::validate_identity_policy(&policy).map_err(malformed)?;
    Ok(Some(policy))
}

/// Returns how long a session is to last, at most as long as its role lets it.
fn session_seconds(given: Option<String>, longest: u32, caller: &Principal) -> Result<u32, AwsError> {
    let Some(given) = given else {
        return Ok(SESSION_SECONDS);
    };
    let of_value = |must: String| constraint(&given, "durationSeconds", &must);
    let seconds: u32 = given
        .parse()
        .map_err(|_| of_value("be a whole number of seconds".to_owned()))?;
    if seconds < MIN_SESSION_SECONDS {
        let must = format!("have value greater than or equal to {MIN_SESSION_SECONDS}");
        return Err(of_value(must));
    } else if seconds > MAX_SESSION_SECONDS {
        let must = format!("have value less than or equal to {MAX_SESSION_SECONDS}");
        return Err(of_value(must));
    } else if seconds > longest {
        return Err(validation(
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        ));
    } else if seconds > MAX_CHAINED_SECONDS && caller.role_arn().is_some() {
        return Err(validation(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining",
        ));
    }
    Ok(seconds)
}

fn constraint(value: &str, member: &str, must: &str) -> AwsError {
    validation(&format!(
        "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: Member must {must}"
    ))
}

fn validation(message: &str) -> AwsError {
    AwsError::new(400, "ValidationError", message)
}
