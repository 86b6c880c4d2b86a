//! Lambda function URLs: `/_aws/lambda-url/<id>/…`.
//!
//! With `AWS_IAM` the request must be signed for the service `lambda`, whatever protocol its body
//! speaks, and the caller needs both `lambda:InvokeFunctionUrl` and `lambda:InvokeFunction`.
//!
//! The event leaves out the `authorization` and `x-amz-security-token` headers, which a function has no use for.

mod event;

use std::{collections::BTreeMap, sync::Arc};

use axum::body::Body;
use bytes::Bytes;
use chrono::Utc;
use http::{Request, Response, request::Parts};

use crate::{
    aws_error::{AwsError, Envelope},
    http_event::{MAX_EVENT_BYTES, REQUEST_TOO_LARGE},
    iam::{Call, Iam, Principal},
    lambda::{FunctionUrlSpec, InvokeError, Lambda},
    sigv4::{self, Caller},
};

/// The front of the functions' own URLs.
#[derive(Debug)]
pub(crate) struct FunctionUrls {
    iam: Arc<Iam>,
    lambda: Arc<Lambda>,
    region: String,
}

/// A request that may reach its function.
pub(crate) struct UrlRequest<'a> {
    pub(crate) url_id: &'a str,
    /// Path within the URL, as sent.
    pub(crate) path: &'a str,
    pub(crate) parts: &'a Parts,
    pub(crate) body: Bytes,
    /// Who signed it; nobody, if the URL is open.
    pub(crate) caller: Option<&'a Caller>,
    pub(crate) request_id: &'a str,
}

impl FunctionUrls {
    pub(crate) fn new(iam: Arc<Iam>, lambda: Arc<Lambda>, region: String) -> Self {
        Self { iam, lambda, region }
    }

    /// Answers a request to `/_aws/lambda-url/<id>/…`.
    pub(crate) async fn handle(&self, request: Request<Body>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path();
        let path = path.strip_prefix("/_aws/lambda-url/").unwrap_or_default();
        let (url_id, path) = match path.find('/') {
            Some(at) => path.split_at(at),
            None => (path, "/"),
        };
        let result = match self.lambda.url(url_id) {
            Some(url) => self.admit_and_invoke(&url, path, &parts, body).await,
            None => Err(forbidden()),
        };
        result.unwrap_or_else(|error| error.into_response(Envelope::RestJson))
    }

    async fn admit_and_invoke(
        &self,
        url: &FunctionUrlSpec,
        path: &str,
        parts: &Parts,
        body: Body,
    ) -> Result<Response<Body>, AwsError> {
        let body = read_body(body).await?;
        let caller = if url.iam_auth {
            Some(self.signer(parts, &body)?)
        } else {
            None
        };
        self.authorize(url, caller.as_ref())?;
        self.invoke(url, path, parts, body, caller.as_ref()).await
    }

    fn signer(&self, parts: &Parts, body: &[u8]) -> Result<Caller, AwsError> {
        if !parts.headers.contains_key("authorization") {
            return Err(forbidden());
        }
        let caller = sigv4::verify(&self.iam, parts, body, "lambda", &self.region, Utc::now())?;
        Ok(caller)
    }

    fn authorize(&self, url: &FunctionUrlSpec, caller: Option<&Caller>) -> Result<(), AwsError> {
        // Who has not signed is nobody's principal: only a policy for everyone lets them in.
        let anonymous = Principal::Service("anonymous".to_owned());
        let auth_type = if url.iam_auth { "AWS_IAM" } else { "NONE" };
        let context = BTreeMap::from([
            ("lambda:FunctionUrlAuthType".to_owned(), auth_type.to_owned()),
            ("lambda:InvokedViaFunctionUrl".to_owned(), "true".to_owned()),
        ]);
        let policy = self.lambda.policy(&url.function_name);
        for action in ["lambda:InvokeFunctionUrl", "lambda:InvokeFunction"] {
            let call = Call {
                principal: caller.map_or(&anonymous, |caller| &caller.principal),
                action,
                resource: &self.lambda.function_arn(&url.function_name),
                context: &context,
                resource_policy: policy.as_ref(),
            };
            self.iam.authorize(&call).map_err(|denied| {
                tracing::warn!(%denied, "function URL refused");
                forbidden()
            })?;
        }
        Ok(())
    }

    /// Hands a request to the function of a URL, whoever has decided that it may.
    pub(crate) async fn invoke(
        &self,
        url: &FunctionUrlSpec,
        path: &str,
        parts: &Parts,
        body: Bytes,
        caller: Option<&Caller>,
    ) -> Result<Response<Body>, AwsError> {
        let request_id = uuid::Uuid::new_v4().to_string();
        let request = UrlRequest {
            url_id: &url.id,
            path,
            parts,
            body,
            caller,
            request_id: &request_id,
        };
        let event = event::event(&request, Utc::now());
        let event = serde_json::to_vec(&event).expect("an event has only string keys");
        if event.len() > MAX_EVENT_BYTES {
            return Err(too_large());
        }
        let output = self
            .lambda
            .invoke(&url.function_name, event.into())
            .await
            .map_err(|error| match error {
                InvokeError::NotFound(_) => forbidden(),
                InvokeError::Throttled => AwsError::new(429, "TooManyRequestsException", "Rate Exceeded."),
                InvokeError::Stopping => AwsError::new(503, "ServiceUnavailableException", error.to_string()),
            })?;
        if output.function_error.is_some() {
            return Err(bad_gateway());
        }
        let mut response = event::response(&output.payload).map_err(|problem| {
            tracing::warn!(function = url.function_name, problem, "malformed answer");
            bad_gateway()
        })?;
        let request_id = request_id.parse().expect("an id is ASCII");
        response
            .headers_mut()
            .entry("x-amzn-requestid")
            .or_insert(request_id);
        Ok(response)
    }
}

/// Reads a request body of at most 6 MB.
async fn read_body(body: Body) -> Result<Bytes, AwsError> {
    axum::body::to_bytes(body, MAX_EVENT_BYTES)
        .await
        .map_err(|_| too_large())
}

fn forbidden() -> AwsError {
    AwsError::new(
        403,
        "AccessDeniedException",
        "Forbidden. For troubleshooting Function URL authorization issues, see: \
         https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html",
    )
}

fn too_large() -> AwsError {
    let message = "Request must be smaller than 6291456 bytes for the InvokeFunction operation";
    AwsError::new(413, REQUEST_TOO_LARGE, message)
}

fn bad_gateway() -> AwsError {
    AwsError::new(502, "InternalServerErrorException", "Internal Server Error")
}
