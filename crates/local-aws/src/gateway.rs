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
    ACCOUNT_ID, LocalAws,
    aws_error::{AwsError, Envelope, escape_xml, json_response, xml_response},
    faults::Write,
    iam::{Call, Principal},
    json_protocol::JSON_1_0,
    sigv4::{self, Caller},
};

/// Largest body of a request that the gateway checks; S3 and API Gateway have limits of their own.
const MAX_BODY_BYTES: usize = 10 * 1024 * 1024;

const JSON_1_1: &str = "application/x-amz-json-1.1";

/// What a request is for.
#[derive(Debug, PartialEq, Eq)]
enum Route {
    Health,
    ExecuteApi,
    FunctionUrl,
    /// A request of the JSON protocols: the prefix and the operation of `X-Amz-Target`.
    Json(String, String),
    Lambda,
    ApiGateway,
    HumanLoops,
    Sns,
    CloudFormation,
    Sts,
    S3,
    Unknown(UnknownOperation),
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
    match route(&request) {
        Route::Health => {
            let body = json!({ "status": "running" });
            json_response(StatusCode::OK, "application/json", &body)
        }
        Route::ExecuteApi => aws.api_gateway.handle(request).await,
        Route::FunctionUrl => aws.function_urls.handle(request).await,
        Route::S3 => s3(aws, request).await,
        Route::Json(prefix, operation) => json_service(aws, request, &prefix, &operation).await,
        Route::Lambda => match verified(aws, request, "lambda").await {
            Ok(request) => aws.lambda.handle(request).await,
            Err(error) => error.into_response(Envelope::RestJson),
        },
        Route::ApiGateway => match verified(aws, request, "apigateway").await {
            Ok(request) => aws.api_gateway.handle_control(&request),
            Err(error) => error.into_response(Envelope::RestJson),
        },
        Route::HumanLoops => {
            let action = human_loop_action(request.method(), request.uri().path());
            let answer = pass_on(aws, request, "sagemaker", action);
            with_faults(aws, Envelope::RestJson, answer)
                .await
                .unwrap_or_else(|error| error.into_response(Envelope::RestJson))
        }
        Route::Sns => match verified(aws, request, "sns").await {
            Ok(request) => aws.sns.handle(request).await,
            Err(error) => error.into_response(Envelope::Query),
        },
        Route::CloudFormation => match verified(aws, request, "cloudformation").await {
            Ok(request) => aws.cloudformation.handle(request).await,
            Err(error) => error.into_response(Envelope::Query),
        },
        Route::Sts => sts(aws, request)
            .await
            .unwrap_or_else(|error| error.into_response(Envelope::Query)),
        Route::Unknown(unknown) => {
            let operation = match unknown.envelope {
                Envelope::Query => action_of(request).await.unwrap_or(unknown.operation),
                Envelope::Json { .. } | Envelope::RestJson => unknown.operation,
            };
            AwsError::not_implemented(&unknown.service, &operation).into_response(unknown.envelope)
        }
    }
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

fn route(request: &Request<Body>) -> Route {
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
        return Route::Json(prefix.to_owned(), operation.to_owned());
    }
    let operation = format!("{} {path}", request.method());
    let is_form = text(headers, CONTENT_TYPE.as_str())
        .is_some_and(|it| it.starts_with("application/x-www-form-urlencoded"));
    match sigv4::signing_service(headers) {
        Some("s3") => Route::S3,
        Some("lambda") => Route::Lambda,
        Some("apigateway") => Route::ApiGateway,
        Some("sns") if is_form => Route::Sns,
        Some("cloudformation") if is_form => Route::CloudFormation,
        Some("sts") => Route::Sts,
        Some("sagemaker") if is_human_loops(path) => Route::HumanLoops,
        Some(other) if is_form => unknown(other, &operation, Envelope::Query),
        Some(other) => unknown(other, &operation, Envelope::RestJson),
        None if path.starts_with("/2015-03-31/functions/") => Route::Lambda,
        None if is_form && path == "/" => Route::Sts,
        None => Route::S3,
    }
}

fn unknown(service: &str, operation: &str, envelope: Envelope) -> Route {
    Route::Unknown(UnknownOperation {
        service: service.to_owned(),
        operation: operation.to_owned(),
        envelope,
    })
}

fn is_human_loops(path: &str) -> bool {
    path == "/human-loops" || path.starts_with("/human-loops/")
}

async fn json_service(
    aws: &LocalAws,
    request: Request<Body>,
    prefix: &str,
    operation: &str,
) -> Response<Body> {
    let message_member = if prefix.starts_with("Comprehend_") {
        "Message"
    } else {
        "message"
    };
    let content_type = if prefix == "AWSStepFunctions" {
        JSON_1_0
    } else {
        JSON_1_1
    };
    let envelope = Envelope::Json {
        content_type,
        message_member,
    };
    let result = match prefix {
        "Firehose_20150804" => {
            let answer = async {
                let request = verified(aws, request, "firehose").await?;
                Ok(aws.firehose.handle(request).await)
            };
            with_faults(aws, envelope, answer).await
        }
        "secretsmanager" => match verified(aws, request, "secretsmanager").await {
            Ok(request) => Ok(aws.secrets.handle(request).await),
            Err(error) => Err(error),
        },
        "AWSStepFunctions" => match verified(aws, request, "states").await {
            Ok(request) => Ok(aws.step_functions.handle(request).await),
            Err(error) => Err(error),
        },
        "Logs_20140328" => match verified(aws, request, "logs").await {
            Ok(request) => Ok(aws.logs.handle(request).await),
            Err(error) => Err(error),
        },
        "AWSEvents" => match verified(aws, request, "events").await {
            Ok(request) => Ok(aws.events.handle(request).await),
            Err(error) => Err(error),
        },
        "AmazonSSM" => match verified(aws, request, "ssm").await {
            Ok(request) => Ok(aws.parameters.handle(request).await),
            Err(error) => Err(error),
        },
        "Comprehend_20171127" => {
            let answer = pass_on(aws, request, "comprehend", Some(operation));
            with_faults(aws, envelope, answer).await
        }
        "SageMaker" => {
            let answer = pass_on(aws, request, "sagemaker", Some(operation));
            with_faults(aws, envelope, answer).await
        }
        other => Err(AwsError::not_implemented(other, operation)),
    };
    result.unwrap_or_else(|error| error.into_response(envelope))
}

/// Checks the signature of a request and notes its principal in the extensions.
async fn verified(aws: &LocalAws, request: Request<Body>, service: &str) -> Result<Request<Body>, AwsError> {
    let (mut parts, body, caller) = signed(aws, request, service).await?;
    parts.extensions.insert(caller.principal);
    Ok(Request::from_parts(parts, body.into()))
}

async fn signed(
    aws: &LocalAws,
    request: Request<Body>,
    service: &str,
) -> Result<(Parts, bytes::Bytes, Caller), AwsError> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, MAX_BODY_BYTES).await.map_err(|_| {
        let message = format!("The request body is larger than {MAX_BODY_BYTES} bytes.");
        AwsError::new(413, "RequestEntityTooLargeException", message)
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
    let (parts, body, caller) = signed(aws, request, service).await?;
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

/// Answers `GetCallerIdentity` and `AssumeRole` of AWS STS.
async fn sts(aws: &LocalAws, request: Request<Body>) -> Result<Response<Body>, AwsError> {
    let (_, body, caller) = signed(aws, request, "sts").await?;
    let action = action(&body).unwrap_or_default();
    let result = match action.as_str() {
        "GetCallerIdentity" => caller_identity(&caller),
        "AssumeRole" => assume_role(aws, &body, &caller)?,
        _ => return Err(AwsError::not_implemented("sts", &action)),
    };
    let body = format!(
        "<{action}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{action}Result>{result}</{action}Result>\
         <ResponseMetadata><RequestId>{}</RequestId></ResponseMetadata></{action}Response>",
        uuid::Uuid::new_v4(),
    );
    Ok(xml_response(StatusCode::OK, body))
}

fn caller_identity(caller: &Caller) -> String {
    let user_id = match &caller.principal {
        Principal::Root | Principal::Service(_) => ACCOUNT_ID.to_owned(),
        Principal::Role { .. } => format!("{}:local", caller.access_key_id),
    };
    let arn = caller.principal.caller_arn();
    format!("<Arn>{arn}</Arn><UserId>{user_id}</UserId><Account>{ACCOUNT_ID}</Account>")
}

fn assume_role(aws: &LocalAws, body: &[u8], caller: &Caller) -> Result<String, AwsError> {
    let parameter = |wanted: &str| {
        let found = url::form_urlencoded::parse(body).find(|(name, _)| name == wanted);
        found
            .map(|(_, value)| value.into_owned())
            .filter(|value| !value.is_empty())
            .ok_or_else(|| AwsError::new(400, "ValidationError", format!("{wanted} is missing")))
    };
    let (role, session) = (parameter("RoleArn")?, parameter("RoleSessionName")?);
    let credentials = aws
        .iam
        .assume_role(&caller.principal, &role)
        .map_err(|denied| AwsError::new(403, "AccessDenied", denied.to_string()))?;

    let name = role.rsplit('/').next().unwrap_or(&role);
    let hours = chrono::TimeDelta::hours(1);
    Ok(format!(
        "<Credentials><AccessKeyId>{}</AccessKeyId><SecretAccessKey>{}</SecretAccessKey>\
         <SessionToken>{}</SessionToken><Expiration>{}</Expiration></Credentials>\
         <AssumedRoleUser><AssumedRoleId>{}:{session}</AssumedRoleId>\
         <Arn>arn:aws:sts::{ACCOUNT_ID}:assumed-role/{}/{session}</Arn></AssumedRoleUser>",
        credentials.access_key_id,
        credentials.secret_access_key,
        credentials.session_token,
        (Utc::now() + hours).format("%Y-%m-%dT%H:%M:%SZ"),
        credentials.access_key_id,
        escape_xml(name),
        session = escape_xml(&session),
    ))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
