//! What the gateway itself answers, and how the template customises it.

use std::collections::BTreeMap;

use axum::body::Body;
use http::{HeaderName, HeaderValue, Response, StatusCode, header::CONTENT_TYPE};
use serde_json::json;

use super::GatewayResponseSpec;

/// Why the gateway answers by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    InvalidApiKey,
    UnknownStage,
    MissingAuthenticationToken,
    Throttled,
    QuotaExceeded,
    BadRequestBody,
    BadRequestParameters,
    RequestTooLarge,
    /// The function may not be invoked, is not there, or is throttled.
    ApiConfiguration,
    /// The function failed, or its answer is not a proxy response.
    BadAnswer,
    IntegrationTimeout,
    IntegrationFailure,
}

/// An answer of the gateway itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct GatewayError {
    pub(super) cause: Cause,
    /// What is wrong with the request: `$context.error.validationErrorString`, or the missing
    /// parameters.
    pub(super) detail: String,
}

impl From<Cause> for GatewayError {
    fn from(cause: Cause) -> Self {
        Self {
            cause,
            detail: String::new(),
        }
    }
}

impl Cause {
    /// Returns the response type, the status, the message and `x-amzn-ErrorType`.
    fn facts(self) -> (&'static str, StatusCode, &'static str, &'static str) {
        use StatusCode as S;
        let internal = "Internal server error";
        let server = "InternalServerErrorException";
        match self {
            Self::InvalidApiKey => ("INVALID_API_KEY", S::FORBIDDEN, "Forbidden", "ForbiddenException"),
            Self::UnknownStage => ("DEFAULT_4XX", S::FORBIDDEN, "Forbidden", "ForbiddenException"),
            Self::MissingAuthenticationToken => (
                "MISSING_AUTHENTICATION_TOKEN",
                S::FORBIDDEN,
                "Missing Authentication Token",
                "MissingAuthenticationTokenException",
            ),
            Self::Throttled => (
                "THROTTLED",
                S::TOO_MANY_REQUESTS,
                "Too Many Requests",
                "TooManyRequestsException",
            ),
            Self::QuotaExceeded => (
                "QUOTA_EXCEEDED",
                S::TOO_MANY_REQUESTS,
                "Limit Exceeded",
                "LimitExceededException",
            ),
            Self::BadRequestBody => (
                "BAD_REQUEST_BODY",
                S::BAD_REQUEST,
                "Invalid request body",
                "BadRequestException",
            ),
            Self::BadRequestParameters => (
                "BAD_REQUEST_PARAMETERS",
                S::BAD_REQUEST,
                "Missing required request parameters",
                "BadRequestException",
            ),
            Self::RequestTooLarge => (
                "REQUEST_TOO_LARGE",
                S::PAYLOAD_TOO_LARGE,
                "HTTP content length exceeded 10485760 bytes.",
                "RequestTooLargeException",
            ),
            Self::ApiConfiguration => (
                "API_CONFIGURATION_ERROR",
                S::INTERNAL_SERVER_ERROR,
                internal,
                server,
            ),
            Self::BadAnswer => ("DEFAULT_5XX", S::BAD_GATEWAY, internal, server),
            Self::IntegrationTimeout => (
                "INTEGRATION_TIMEOUT",
                S::GATEWAY_TIMEOUT,
                "Endpoint request timed out",
                server,
            ),
            Self::IntegrationFailure => ("INTEGRATION_FAILURE", S::GATEWAY_TIMEOUT, internal, server),
        }
    }
}

impl GatewayError {
    /// Renders the answer, customised by the API's own gateway responses.
    pub(super) fn into_response(
        self,
        customised: Option<&BTreeMap<String, GatewayResponseSpec>>,
        request_id: &str,
    ) -> Response<Body> {
        let (kind, status, message, error_type) = self.cause.facts();
        let message = match self.cause {
            Cause::BadRequestParameters => format!("{message}: [{}]", self.detail),
            _ => message.to_owned(),
        };
        let default_kind = if status.is_server_error() {
            "DEFAULT_5XX"
        } else {
            "DEFAULT_4XX"
        };
        let spec = customised
            .and_then(|specs| specs.get(kind).or_else(|| specs.get(default_kind)))
            .cloned()
            .unwrap_or_default();
        let body = match &spec.template {
            None => json!({ "message": message }).to_string(),
            Some(template) => render(template, |variable| match variable {
                "error.messageString" => Some(json!(message).to_string()),
                "error.message" => Some(message.clone()),
                "error.validationErrorString" => Some(inside_quotes(&self.detail)),
                "error.responseType" => Some(kind.to_owned()),
                "requestId" => Some(request_id.to_owned()),
                _ => None,
            })
            .unwrap_or_default(),
        };

        let mut response = Response::new(Body::from(body));
        let status = spec
            .status
            .and_then(|status| StatusCode::from_u16(status).ok())
            .unwrap_or(status);
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert("x-amzn-errortype", HeaderValue::from_static(error_type));
        for (name, value) in &spec.headers {
            if let Ok((name, value)) = header(name, value) {
                headers.insert(name, value);
            }
        }
        response
    }
}

/// Checks that a customised response can be rendered.
pub(super) fn validate(spec: &GatewayResponseSpec) -> Result<(), String> {
    if let Some(status) = spec.status
        && !(200..600).contains(&status)
    {
        return Err(format!("status {status} is not one of HTTP"));
    }
    for (name, value) in &spec.headers {
        header(name, value)?;
    }
    let known = [
        "error.messageString",
        "error.message",
        "error.validationErrorString",
        "error.responseType",
        "requestId",
    ];
    let template = spec.template.as_deref().unwrap_or_default();
    render(template, |variable| known.contains(&variable).then(String::new)).map(|_| ())
}

fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), String> {
    let malformed = || format!("header {name} is not one of HTTP");
    let name = HeaderName::try_from(name).map_err(|_| malformed())?;
    let value = HeaderValue::try_from(value).map_err(|_| malformed())?;
    Ok((name, value))
}

/// Replaces each `$context.…`; a `$` with anything else behind it is refused.
fn render(template: &str, mut value: impl FnMut(&str) -> Option<String>) -> Result<String, String> {
    let mut rendered = String::new();
    let mut rest = template;
    while let Some(at) = rest.find('$') {
        rendered.push_str(&rest[..at]);
        let expression = &rest[at..];
        let variable = expression.strip_prefix("$context.").unwrap_or_default();
        let end = variable
            .find(|character: char| !character.is_ascii_alphanumeric() && character != '.')
            .unwrap_or(variable.len());
        let variable = variable[..end].trim_end_matches('.');
        let Some(value) = value(variable) else {
            let expression: String = expression.split_whitespace().next().unwrap_or("$").to_owned();
            return Err(format!("template expression {expression} is not implemented"));
        };
        rendered.push_str(&value);
        rest = &expression["$context.".len() + variable.len()..];
    }
    rendered.push_str(rest);
    Ok(rendered)
}

/// Escapes text for a place between the quotes of a JSON string.
fn inside_quotes(text: &str) -> String {
    let quoted = json!(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}
