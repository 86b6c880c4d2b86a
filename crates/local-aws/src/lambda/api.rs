//! The Lambda API: invoking functions, and looking at them.

use std::collections::BTreeMap;

use axum::body::Body;
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
};

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
        let invocation_type = request.headers().get("x-amz-invocation-type");
        let invocation_type = invocation_type.map_or(Ok("RequestResponse"), |value| value.to_str());
        match invocation_type.unwrap_or_default() {
            "RequestResponse" => {
                let payload = event(request, MAX_SYNCHRONOUS_BYTES).await?;
                let event = super::Event {
                    request_id: request_id.to_owned(),
                    payload: payload.into(),
                };
                let output = self.invoke_as(function, event).await?;
                let mut response = Response::builder()
                    .header("content-type", "application/json")
                    .header("x-amz-executed-version", "$LATEST");
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
        let functions: Vec<Value> = self
            .provisioned()
            .functions
            .values()
            .map(|function| configuration(function))
            .collect();
        Ok(json_response(&json!({ "Functions": functions })))
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
