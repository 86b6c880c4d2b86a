//! The Lambda API: invoking functions, and looking at them.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use axum::body::Body;
use base64::{Engine, prelude::BASE64_STANDARD};
use futures::future::BoxFuture;
use http::{Method, Request, Response, StatusCode, header::HeaderName};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::{
    InvokeError, Lambda,
    function::Function,
    function_name,
    payload::{MAX_ASYNCHRONOUS_BYTES, MAX_SYNCHRONOUS_BYTES, collect},
};
use crate::{
    iam::{Call, Principal},
    invocation_queue::QueuedEvent,
    service::{Protocol, Service},
};

/// Most functions on a page.
const MAX_PAGE: usize = 50;

/// Most of a log that an invocation gives back, bytes.
const MAX_TAIL_BYTES: usize = 4096;

/// How long what a function has printed may be on its way to its log.
const LOG_DELAY: Duration = Duration::from_millis(50);

/// A refusal of the API: status, code and message.
#[derive(Debug)]
struct Refusal {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl Refusal {
    fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::from_u16(status).expect("the callers name real statuses"),
            code,
            message: message.into(),
        }
    }
}

impl From<InvokeError> for Refusal {
    fn from(error: InvokeError) -> Self {
        let message = error.to_string();
        match error {
            InvokeError::NotFound(_) => Self::new(404, "ResourceNotFoundException", message),
            InvokeError::Throttled => Self::new(429, "TooManyRequestsException", message),
            InvokeError::Stopping => Self::new(503, "ServiceUnavailableException", message),
        }
    }
}

impl Service for Arc<Lambda> {
    fn name(&self) -> &'static str {
        "lambda"
    }

    fn protocol(&self) -> Protocol {
        Protocol::Rest
    }

    fn serve(&self, request: Request<Body>) -> BoxFuture<'_, Response<Body>> {
        Box::pin(Lambda::handle(self, request))
    }
}

impl Lambda {
    /// Answers a request of the Lambda API.
    ///
    /// The caller is the [`Principal`] in the request's extensions; without one it is refused.
    /// Operations: Invoke, GetFunction, GetFunctionConfiguration, GetPolicy, ListFunctions.
    pub async fn handle(&self, request: Request<Body>) -> Response<Body> {
        let request_id = uuid::Uuid::new_v4().to_string();
        let mut response = match self.route(request, &request_id).await {
            Ok(response) => response,
            Err(refusal) => refusal.into_response(),
        };
        let request_id = request_id.parse().expect("a UUID is a header value");
        response
            .headers_mut()
            .insert(HeaderName::from_static("x-amzn-requestid"), request_id);
        response
    }

    async fn route(&self, request: Request<Body>, request_id: &str) -> Result<Response<Body>, Refusal> {
        let path = request.uri().path().trim_end_matches('/').to_owned();
        let Some(rest) = path.strip_prefix("/2015-03-31/functions") else {
            return Err(not_implemented(request.method(), &path));
        };
        let segments: Vec<&str> = rest.split('/').skip(1).collect();
        match (request.method(), segments.as_slice()) {
            (&Method::POST, [function, "invocations"]) => {
                let function = self.named(function, &request)?;
                self.invoke_over_http(&function, request, request_id).await
            }
            (&Method::GET, []) => self.list_functions(&request),
            (&Method::GET, [function]) => {
                let function = self.named(function, &request)?;
                self.authorize(&request, "lambda:GetFunction", &function)?;
                Ok(json_response(&json!({
                    "Configuration": configuration(self.known(&function)?.as_ref()),
                })))
            }
            (&Method::GET, [function, "configuration"]) => {
                let function = self.named(function, &request)?;
                self.authorize(&request, "lambda:GetFunctionConfiguration", &function)?;
                Ok(json_response(&configuration(self.known(&function)?.as_ref())))
            }
            (&Method::GET, [function, "policy"]) => {
                let function = self.named(function, &request)?;
                self.authorize(&request, "lambda:GetPolicy", &function)?;
                self.get_policy(&function)
            }
            _ => Err(not_implemented(request.method(), &path)),
        }
    }

    /// Returns the name in a path segment: a name or ARN, with no version but `$LATEST`.
    fn named(&self, segment: &str, request: &Request<Body>) -> Result<String, Refusal> {
        let decoded = percent_decode_str(segment).decode_utf8_lossy();
        let query = request.uri().query().unwrap_or_default();
        let qualifier = url::form_urlencoded::parse(query.as_bytes())
            .find(|(name, _)| name == "Qualifier")
            .map(|(_, value)| value);
        match qualifier {
            Some(qualifier) if qualifier != "$LATEST" => {
                let arn = format!("{}:{qualifier}", self.function_arn(&decoded));
                Err(InvokeError::NotFound(arn).into())
            }
            _ => Ok(function_name(&decoded).to_owned()),
        }
    }

    fn known(&self, name: &str) -> Result<std::sync::Arc<Function>, InvokeError> {
        self.function(name)
            .ok_or_else(|| InvokeError::NotFound(self.function_arn(name)))
    }

    fn authorize(&self, request: &Request<Body>, action: &str, function: &str) -> Result<(), Refusal> {
        self.authorize_on(request, action, &self.function_arn(function))
    }

    fn authorize_on(&self, request: &Request<Body>, action: &str, resource: &str) -> Result<(), Refusal> {
        let Some(principal) = request.extensions().get::<Principal>() else {
            let message = "Missing Authentication Token";
            return Err(Refusal::new(403, "MissingAuthenticationTokenException", message));
        };
        let policy = self.policy(resource);
        let call = Call {
            principal,
            action,
            resource,
            context: &BTreeMap::new(),
            resource_policy: policy.as_ref(),
        };
        self.iam
            .authorize(&call)
            .map_err(|denied| Refusal::new(403, "AccessDeniedException", denied.to_string()))
    }

    async fn invoke_over_http(
        &self,
        function: &str,
        request: Request<Body>,
        request_id: &str,
    ) -> Result<Response<Body>, Refusal> {
        self.authorize(&request, "lambda:InvokeFunction", function)?;
        self.known(function)?;
        let log_type = request.headers().get("x-amz-log-type");
        let with_log = log_type.is_some_and(|log_type| log_type == "Tail");
        let invocation_type = request.headers().get("x-amz-invocation-type");
        let invocation_type = invocation_type.map_or(Ok("RequestResponse"), |value| value.to_str());
        match invocation_type.unwrap_or_default() {
            "RequestResponse" => {
                let payload = event(request, MAX_SYNCHRONOUS_BYTES).await?;
                let event = super::Event {
                    request_id: request_id.to_owned(),
                    payload: payload.into(),
                };
                let before = with_log.then(|| self.log_position(function));
                let output = self.invoke_as(function, event).await?;
                let mut response = Response::builder()
                    .header("content-type", "application/json")
                    .header("x-amz-executed-version", "$LATEST");
                if let Some(before) = before {
                    // What a function prints comes by another way than its answer.
                    tokio::time::sleep(LOG_DELAY).await;
                    let log = self.log_since(function, before);
                    response = response.header("x-amz-log-result", BASE64_STANDARD.encode(log));
                }
                if output.function_error.is_some() {
                    response = response.header("x-amz-function-error", "Unhandled");
                }
                Ok(response
                    .body(Body::from(output.payload))
                    .expect("the headers are constants"))
            }
            "Event" => {
                let payload = event(request, MAX_ASYNCHRONOUS_BYTES).await?;
                self.enqueue(function, request_id, payload).await?;
                Ok(empty_response(StatusCode::ACCEPTED))
            }
            "DryRun" => Ok(empty_response(StatusCode::NO_CONTENT)),
            _ => Err(Refusal::new(
                400,
                "InvalidParameterValueException",
                "X-Amz-Invocation-Type must be RequestResponse, Event or DryRun",
            )),
        }
    }

    fn log_path(&self, function: &str) -> PathBuf {
        self.store.logs().join(format!("{function}.log"))
    }

    fn log_position(&self, function: &str) -> u64 {
        let log = std::fs::metadata(self.log_path(function));
        log.map_or(0, |log| log.len())
    }

    /// Returns the last of what a function has logged since its log had a length, at most [`MAX_TAIL_BYTES`].
    fn log_since(&self, function: &str, before: u64) -> Vec<u8> {
        let log = std::fs::read(self.log_path(function)).unwrap_or_default();
        // A log that is shorter than before was begun anew.
        let since = log.get(before as usize..).unwrap_or(&log);
        since[since.len().saturating_sub(MAX_TAIL_BYTES)..].to_vec()
    }

    async fn enqueue(&self, function: &str, request_id: &str, payload: String) -> Result<(), Refusal> {
        let mut event = QueuedEvent::new(self.function_arn(function), payload);
        event.request_id = request_id.to_owned();
        self.in_queue(move |queue| queue.enqueue(&event))
            .await
            .map_err(|error| {
                tracing::error!(%error, "an event cannot be queued");
                Refusal::new(500, "ServiceException", "The event was not stored.")
            })
    }

    fn list_functions(&self, request: &Request<Body>) -> Result<Response<Body>, Refusal> {
        self.authorize_on(request, "lambda:ListFunctions", "*")?;
        let query = request.uri().query().unwrap_or_default();
        let parameter = |wanted: &str| {
            let mut pairs = url::form_urlencoded::parse(query.as_bytes());
            pairs
                .find(|(name, _)| name == wanted)
                .map(|(_, value)| value.into_owned())
        };
        let invalid = |message: &str| Refusal::new(400, "InvalidParameterValueException", message);
        let most = match parameter("MaxItems") {
            None => MAX_PAGE,
            Some(number) => number
                .parse()
                .ok()
                .filter(|number| (1..=10_000).contains(number))
                .map(|number: usize| number.min(MAX_PAGE))
                .ok_or_else(|| invalid("MaxItems must be a number from 1 to 10000"))?,
        };
        // The marker is the name of the last function of the page before.
        let after = parameter("Marker").filter(|marker| !marker.is_empty());
        let provisioned = self.provisioned();
        let mut functions = provisioned.functions.iter();
        let mut page = Vec::new();
        let mut last = None;
        let mut has_more = false;
        for (name, function) in functions.by_ref() {
            if after.as_ref().is_some_and(|after| name <= after) {
                continue;
            } else if page.len() == most {
                has_more = true;
                break;
            }
            last = Some(name);
            page.push(configuration(function));
        }
        let mut answer = json!({ "Functions": page });
        if has_more {
            answer["NextMarker"] = json!(last);
        }
        Ok(json_response(&answer))
    }

    fn get_policy(&self, function: &str) -> Result<Response<Body>, Refusal> {
        self.known(function)?;
        let policy = self.policy(function).ok_or_else(|| {
            let message = "The resource you requested does not exist.";
            Refusal::new(404, "ResourceNotFoundException", message)
        })?;
        Ok(json_response(
            &json!({ "Policy": policy.to_string(), "RevisionId": "1" }),
        ))
    }
}

/// Reads the event: JSON text, where nothing at all stands for `{}`.
async fn event(request: Request<Body>, limit: usize) -> Result<String, Refusal> {
    let body = collect(request.into_body(), limit).await;
    let body = body.ok_or_else(|| {
        let message = format!("Request must be smaller than {limit} bytes for the InvokeFunction operation");
        Refusal::new(413, "RequestTooLargeException", message)
    })?;
    let invalid = |cause: String| {
        let message = format!("Could not parse request body into json: {cause}");
        Refusal::new(400, "InvalidRequestContentException", message)
    };
    let body = String::from_utf8(body.into()).map_err(|_| invalid("it is not UTF-8".to_owned()))?;
    if body.is_empty() {
        return Ok("{}".to_owned());
    }
    match serde_json::from_str::<serde::de::IgnoredAny>(&body) {
        Ok(_) => Ok(body),
        // Only the place: the message of the parser could quote the event.
        Err(error) => Err(invalid(format!(
            "line {}, column {}",
            error.line(),
            error.column()
        ))),
    }
}

fn configuration(function: &Function) -> Value {
    let spec = &function.spec;
    json!({
        "FunctionName": spec.name,
        "FunctionArn": function.arn,
        "Runtime": "provided.al2023",
        "Handler": "bootstrap",
        "Role": spec.role_arn,
        "Timeout": spec.timeout_seconds,
        "MemorySize": spec.memory_megabytes,
        "Environment": { "Variables": spec.environment },
        "PackageType": "Zip",
        "Version": "$LATEST",
        "State": "Active",
        "LastUpdateStatus": "Successful",
    })
}

fn not_implemented(method: &Method, path: &str) -> Refusal {
    let message = format!("{method} {path} is not implemented by the local Lambda service");
    Refusal::new(501, "NotImplementedException", message)
}

fn json_response(body: &Value) -> Response<Body> {
    Response::builder()
        .header("content-type", "application/json")
        .body(Body::from(body.to_string()))
        .expect("the headers are constants")
}

fn empty_response(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

impl Refusal {
    fn into_response(self) -> Response<Body> {
        // The service's model spells the member in two ways.
        let member = match self.code {
            "ResourceNotFoundException" | "ServiceException" | "AccessDeniedException" => "Message",
            _ => "message",
        };
        let fault = if self.status.is_server_error() {
            "Service"
        } else {
            "User"
        };
        let mut response = json_response(&json!({ "Type": fault, member: self.message }));
        *response.status_mut() = self.status;
        let code = http::HeaderValue::from_static(self.code);
        response
            .headers_mut()
            .insert(HeaderName::from_static("x-amzn-errortype"), code);
        response
    }
}
