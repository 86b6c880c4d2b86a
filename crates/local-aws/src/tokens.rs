//! AWS STS: who calls, and the roles that callers take.
//!
//! Differs from STS: only `GetCallerIdentity` and `AssumeRole` answer; credentials of a role last as long as this
//! process, whatever their `Expiration` says.

use std::sync::Arc;

use axum::body::Body;
use chrono::{TimeDelta, Utc};
use futures::future::BoxFuture;
use http::{Request, Response, StatusCode};

use crate::{
    ACCOUNT_ID,
    aws_error::{AwsError, Envelope, escape_xml, xml_response},
    gateway::MAX_BODY_BYTES,
    iam::{Iam, Principal},
    service::{Protocol, Service},
    sigv4::Caller,
};

/// The service.
#[derive(Debug, Clone)]
pub struct Tokens {
    iam: Arc<Iam>,
}

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
    pub(crate) fn new(iam: Arc<Iam>) -> Self {
        Self { iam }
    }

    async fn answer(&self, request: Request<Body>) -> Result<Response<Body>, AwsError> {
        let caller = request.extensions().get::<Caller>().cloned();
        let caller = caller.ok_or_else(AwsError::unsigned)?;
        let body = axum::body::to_bytes(request.into_body(), MAX_BODY_BYTES).await;
        let body = body.map_err(|_| AwsError::new(400, "ValidationError", "the body broke off"))?;
        let action = parameter(&body, "Action").unwrap_or_default();
        let result = match action.as_str() {
            "GetCallerIdentity" => caller_identity(&caller),
            "AssumeRole" => self.assume_role(&body, &caller)?,
            _ => return Err(AwsError::not_implemented("sts", &action)),
        };

        let body = format!(
            "<{action}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{action}Result>{result}</{action}Result>\
             <ResponseMetadata><RequestId>{}</RequestId></ResponseMetadata></{action}Response>",
            uuid::Uuid::new_v4(),
        );
        Ok(xml_response(StatusCode::OK, body))
    }

    fn assume_role(&self, body: &[u8], caller: &Caller) -> Result<String, AwsError> {
        let required = |name: &str| {
            parameter(body, name)
                .filter(|value| !value.is_empty())
                .ok_or_else(|| AwsError::new(400, "ValidationError", format!("{name} is missing")))
        };
        let (role, session) = (required("RoleArn")?, required("RoleSessionName")?);
        let credentials = self
            .iam
            .assume_role(&caller.principal, &role)
            .map_err(|denied| AwsError::new(403, "AccessDenied", denied.to_string()))?;

        let name = role.rsplit('/').next().unwrap_or(&role);
        Ok(format!(
            "<Credentials><AccessKeyId>{}</AccessKeyId><SecretAccessKey>{}</SecretAccessKey>\
             <SessionToken>{}</SessionToken><Expiration>{}</Expiration></Credentials>\
             <AssumedRoleUser><AssumedRoleId>{}:{session}</AssumedRoleId>\
             <Arn>arn:aws:sts::{ACCOUNT_ID}:assumed-role/{}/{session}</Arn></AssumedRoleUser>",
            credentials.access_key_id,
            credentials.secret_access_key,
            credentials.session_token,
            (Utc::now() + TimeDelta::hours(1)).format("%Y-%m-%dT%H:%M:%SZ"),
            credentials.access_key_id,
            escape_xml(name),
            session = escape_xml(&session),
        ))
    }
}

fn caller_identity(caller: &Caller) -> String {
    let user_id = match &caller.principal {
        Principal::Root | Principal::Service(_) => ACCOUNT_ID.to_owned(),
        Principal::Role { .. } => format!("{}:local", caller.access_key_id),
    };
    let arn = caller.principal.caller_arn();
    format!("<Arn>{arn}</Arn><UserId>{user_id}</UserId><Account>{ACCOUNT_ID}</Account>")
}

fn parameter(body: &[u8], wanted: &str) -> Option<String> {
    let found = url::form_urlencoded::parse(body).find(|(name, _)| name == wanted);
    found.map(|(_, value)| value.into_owned())
}
