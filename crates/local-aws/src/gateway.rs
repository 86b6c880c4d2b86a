//! The one port: which service a request is for, and who sent it.
//!
//! S3 and function URLs check signatures themselves; for all other services the gateway does, and
//! hands the [`Principal`](crate::iam::Principal) on in the request's extensions.

use std::collections::BTreeMap;

use axum::body::Body;
use chrono::Utc;
use http::{HeaderMap, Method, Request, Response, StatusCode, header::CONTENT_TYPE, request::Parts};
use serde_json::json;

use crate::{
    LocalAws,
    aws_error::{AwsError, Envelope, json_response},
    faults::Write,
    http_event::{MAX_EVENT_BYTES, REQUEST_TOO_LARGE},
    iam::Call,
    json_protocol::JSON_1_1,
    service::{Protocol, Service, table},
    sigv4::{self, Caller},
};

/// Largest body of a request that the gateway checks; S3 and API Gateway have limits of their own.
pub(crate) const MAX_BODY_BYTES: usize = 10 * 1024 * 1024;

/// Services of the JSON protocol that a function serves, whose URL requests are passed on to: what stands before the
/// operation, the name in signatures, and where errors have their message.
const SERVED: [(&str, &str, &str); 2] = [
    ("Comprehend_20171127", "comprehend", "Message"),
    ("SageMaker", "sagemaker", "message"),
];

/// What a request is for.
enum Route<'a> {
    Health,
    ExecuteApi,
    FunctionUrl,
    S3,
    Service(&'a dyn Service),
    Served(Served),
    Unknown(UnknownOperation),
}

/// A service that a function serves.
struct Served {
    signing_name: &'static str,
    /// None where it has no such operation.
    operation: Option<String>,
    envelope: Envelope,
}

/// A service and an operation that nothing here answers.
#[derive(Debug, PartialEq, Eq)]
struct UnknownOperation {
    service: String,
    operation: String,
    envelope: Envelope,
}

/// Answers any request.
pub(crate) async fn dispatch(aws: &LocalAws, request: Request<Body>) -> Response<Body> {
    match route(aws, &request) {
        Route::Health => {
            let body = json!({ "status": "running" });
            json_response(StatusCode::OK, "application/json", &body)
        }
        Route::ExecuteApi => aws.api_gateway.handle(request).await,
        Route::FunctionUrl => aws.function_urls.handle(request).await,
        Route::S3 => s3(aws, request).await,
        Route::Service(service) => {
            let answer = ask(aws, service, request);
            let envelope = service.protocol().envelope();
            let answer = match service.takes_faults() {
                true => with_faults(aws, envelope, answer).await,
                false => answer.await,
            };
            answer.unwrap_or_else(|error| error.into_response(envelope))
        }
        Route::Served(served) => {
            let envelope = served.envelope;
            let answer = pass_on(aws, request, served.signing_name, served.operation.as_deref());
            with_faults(aws, envelope, answer)
                .await
                .unwrap_or_else(|error| error.into_response(envelope))
        }
        Route::Unknown(unknown) => {
            let operation = match unknown.envelope {
                Envelope::Query => action_of(request).await.unwrap_or(unknown.operation),
                Envelope::Json { .. } | Envelope::RestJson => unknown.operation,
            };
            AwsError::not_implemented(&unknown.service, &operation).into_response(unknown.envelope)
        }
    }
}

/// Has a service answer, once the signature is checked.
async fn ask(
    aws: &LocalAws,
    service: &dyn Service,
    request: Request<Body>,
) -> Result<Response<Body>, AwsError> {
    let (mut parts, body, caller) = signed(aws, request, service.name()).await?;
    parts.extensions.insert(caller.principal.clone());
    parts.extensions.insert(caller);
    Ok(service.serve(Request::from_parts(parts, body.into())).await)
}

/// Answers a request to S3, unless a fault befalls it.
async fn s3(aws: &LocalAws, request: Request<Body>) -> Response<Body> {
    let write = Write::of(&request);
    let has_condition = write.as_ref().is_some_and(|write| write.has_condition);
    if let Some(refusal) = aws.faults.before(None, has_condition).await {
        return refusal;
    }
    let Some(write) = write else {
        return aws.s3.handle(request).await;
    };
    if let Some(refusal) = aws.faults.refusal(&write) {
        return refusal;
    }
    let answer = aws.s3.handle(request).await;
    aws.faults.after(aws.faults.arrived(&write, answer))
}

/// Answers a request to a service that a fault may befall.
async fn with_faults(
    aws: &LocalAws,
    envelope: Envelope,
    answer: impl Future<Output = Result<Response<Body>, AwsError>>,
) -> Result<Response<Body>, AwsError> {
    match aws.faults.before(Some(envelope), false).await {
        Some(refusal) => Ok(refusal),
        None => answer.await.map(|answer| aws.faults.after(answer)),
    }
}

/// Returns the operation that a request of the Query protocol names.
async fn action_of(request: Request<Body>) -> Option<String> {
    let body = axum::body::to_bytes(request.into_body(), MAX_BODY_BYTES)
        .await
        .ok()?;
    action(&body)
}

fn action(body: &[u8]) -> Option<String> {
    let action = url::form_urlencoded::parse(body).find(|(name, _)| name == "Action");
    action.map(|(_, action)| action.into_owned())
}

fn route<'a>(aws: &'a LocalAws, request: &Request<Body>) -> Route<'a> {
    let (headers, path) = (request.headers(), request.uri().path());
    if path == "/_aws/health" {
        return Route::Health;
    } else if path.starts_with("/_aws/execute-api/") {
        return Route::ExecuteApi;
    } else if path.starts_with("/_aws/lambda-url/") {
        return Route::FunctionUrl;
    } else if path.starts_with("/_aws/") {
        return unknown("local services", path, Envelope::RestJson);
    }
    if text(headers, "smithy-protocol") == Some("rpc-v2-cbor") {
        return unknown("the protocol RPC v2 CBOR", path, Envelope::RestJson);
    }
    if let Some(target) = text(headers, "x-amz-target") {
        let (prefix, operation) = target.rsplit_once('.').unwrap_or((target, ""));
        return route_of_target(aws, prefix, operation);
    }

    let is_form = text(headers, CONTENT_TYPE.as_str())
        .is_some_and(|it| it.starts_with("application/x-www-form-urlencoded"));
    let name = match sigv4::signing_service(headers) {
        Some("s3") => return Route::S3,
        Some("sagemaker") if is_human_loops(path) => return human_loops(request.method(), path),
        Some(name) => name,
        None if path.starts_with("/2015-03-31/functions/") => "lambda",
        None if is_form && path == "/" => "sts",
        None => return Route::S3,
    };
    let found = table(aws).into_iter().find(|service| match service.protocol() {
        Protocol::Rest => service.name() == name,
        Protocol::Query => service.name() == name && is_form,
        Protocol::Json { .. } => false,
    });
    let operation = format!("{} {path}", request.method());
    match found {
        Some(service) => Route::Service(service),
        None if is_form => unknown(name, &operation, Envelope::Query),
        None => unknown(name, &operation, Envelope::RestJson),
    }
}

/// Returns what `X-Amz-Target` names: a service by the prefix, and its operation.
fn route_of_target<'a>(aws: &'a LocalAws, prefix: &str, operation: &str) -> Route<'a> {
    if let Some((_, signing_name, message_member)) = SERVED.iter().find(|(served, ..)| *served == prefix) {
        return Route::Served(Served {
            signing_name,
            operation: Some(operation.to_owned()),
            envelope: json_envelope(message_member),
        });
    }
    let is_it = |service: &&dyn Service| match service.protocol() {
        Protocol::Json { prefix: own, .. } => own == prefix,
        Protocol::Rest | Protocol::Query => false,
    };
    match table(aws).into_iter().find(is_it) {
        Some(service) => Route::Service(service),
        None => unknown(prefix, operation, json_envelope("message")),
    }
}

fn json_envelope(message_member: &'static str) -> Envelope {
    Envelope::Json {
        content_type: JSON_1_1,
        message_member,
    }
}

fn human_loops<'a>(method: &Method, path: &str) -> Route<'a> {
    Route::Served(Served {
        signing_name: "sagemaker",
        operation: human_loop_action(method, path).map(str::to_owned),
        envelope: Envelope::RestJson,
    })
}

fn unknown<'a>(service: &str, operation: &str, envelope: Envelope) -> Route<'a> {
    Route::Unknown(UnknownOperation {
        service: service.to_owned(),
        operation: operation.to_owned(),
        envelope,
    })
}

fn is_human_loops(path: &str) -> bool {
    path == "/human-loops" || path.starts_with("/human-loops/")
}

async fn signed(
    aws: &LocalAws,
    request: Request<Body>,
    service: &str,
) -> Result<(Parts, bytes::Bytes, Caller), AwsError> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, MAX_BODY_BYTES).await.map_err(|_| {
        let message = format!("The request body is larger than {MAX_BODY_BYTES} bytes.");
        AwsError::new(413, REQUEST_TOO_LARGE, message)
    })?;
    let caller = sigv4::verify(&aws.iam, &parts, &body, service, &aws.region, Utc::now())?;
    Ok((parts, body, caller))
}

/// Passes a request of a service that a function serves on to that function, as its URL would.
async fn pass_on(
    aws: &LocalAws,
    request: Request<Body>,
    service: &str,
    operation: Option<&str>,
) -> Result<Response<Body>, AwsError> {
    let shown = operation.map_or_else(
        || format!("{} {}", request.method(), request.uri().path()),
        str::to_owned,
    );
    let url = aws
        .function_url_of(service)
        .ok_or_else(|| AwsError::not_implemented(service, &shown))?;
    let operation = operation.ok_or_else(|| AwsError::not_implemented(service, &shown))?;
    let (parts, body, caller) = signed(aws, request, service).await.map_err(too_long)?;
    let call = Call {
        principal: &caller.principal,
        action: &format!("{service}:{operation}"),
        resource: "*",
        context: &BTreeMap::new(),
        resource_policy: None,
    };
    let decision = aws.iam.authorize(&call);
    decision.map_err(|denied| AwsError::new(403, "AccessDeniedException", denied.to_string()))?;
    let path = parts.uri.path();
    aws.function_urls
        .invoke(&url, path, &parts, body, Some(&caller))
        .await
        .map_err(too_long)
}

/// Says that a request is too long for the function as the service would say it of a member: SDKs know no other code of it.
fn too_long(error: AwsError) -> AwsError {
    if error.code() != REQUEST_TOO_LARGE {
        return error;
    }
    let message = format!(
        "The request is too long. A function answers it here, which takes {MAX_EVENT_BYTES} bytes, and each letter outside \
         ASCII may be sent as six bytes or more: send less at a time."
    );
    AwsError::new(400, "ValidationException", message)
}

/// Returns the operation of A2I that a method and a path are.
fn human_loop_action(method: &Method, path: &str) -> Option<&'static str> {
    let is_one = path
        .strip_prefix("/human-loops/")
        .is_some_and(|name| !name.is_empty());
    match (method.as_str(), path) {
        ("POST", "/human-loops") => Some("StartHumanLoop"),
        ("GET", "/human-loops") => Some("ListHumanLoops"),
        ("POST", "/human-loops/stop") => Some("StopHumanLoop"),
        ("GET", _) if is_one => Some("DescribeHumanLoop"),
        ("DELETE", _) if is_one => Some("DeleteHumanLoop"),
        _ => None,
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
