//! What the services of the AWS JSON 1.1 protocol share: targets, bodies, replies, refusals.

use axum::body::Body;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::iam::{Denied, Principal};

const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("application/x-amz-json-1.1");

/// Why a call is not done: the code by which clients tell errors apart, and words for people.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl Refusal {
    /// A fault of the client. Clients go by the code; on this protocol the status is always 400.
    pub(crate) fn client(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            code,
            message: message.into(),
        }
    }

    pub(crate) fn validation(message: impl Into<String>) -> Self {
        Self::client("ValidationException", message)
    }

    pub(crate) fn not_implemented(service: &str, what: &str) -> Self {
        Self {
            status: StatusCode::NOT_IMPLEMENTED,
            code: "NotImplementedException",
            message: format!("{service}: {what} is not implemented"),
        }
    }

    /// A fault of ours, which a client may try again.
    pub(crate) fn server(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            code,
            message: message.into(),
        }
    }
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        Self::client("AccessDeniedException", denied.to_string())
    }
}

/// Returns the operation that `X-Amz-Target` names behind `prefix`.
pub(crate) fn operation(headers: &HeaderMap, prefix: &str) -> String {
    let target = headers
        .get("x-amz-target")
        .and_then(|target| target.to_str().ok());
    let operation = target.and_then(|target| target.strip_prefix(prefix));
    operation.unwrap_or("a request without an operation").to_owned()
}

/// Returns who calls: whoever the gateway has verified.
pub(crate) fn caller(request: &Request<Body>) -> Result<Principal, Refusal> {
    let caller = request.extensions().get::<Principal>().cloned();
    caller.ok_or_else(|| {
        Refusal::client(
            "MissingAuthenticationTokenException",
            "Missing Authentication Token",
        )
    })
}

/// Reads a request's body, at most `limit` bytes of JSON.
pub(crate) async fn parse<T: DeserializeOwned>(body: Body, limit: usize) -> Result<T, Refusal> {
    let bytes = axum::body::to_bytes(body, limit).await.map_err(|_| {
        Refusal::client(
            "InvalidArgumentException",
            format!("the body exceeds {limit} bytes or broke off"),
        )
    })?;
    // The message of serde_json may quote the body, which is the caller's business alone.
    serde_json::from_slice(&bytes).map_err(|_| {
        Refusal::client(
            "SerializationException",
            "the body is not the JSON of this operation",
        )
    })
}

/// Makes the HTTP response of an outcome.
pub(crate) fn reply(outcome: Result<Value, Refusal>) -> Response<Body> {
    let (status, body) = match outcome {
        Ok(body) => (StatusCode::OK, body),
        Err(Refusal {
            status,
            code,
            message,
        }) => (status, json!({"__type": code, "message": message})),
    };
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, CONTENT_TYPE);
    let id = uuid::Uuid::new_v4().to_string();
    headers.insert(
        "x-amzn-requestid",
        HeaderValue::from_str(&id).expect("a UUID is ASCII"),
    );
    response
}
