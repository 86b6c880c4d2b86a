//! What the services of the AWS JSON protocols share: targets, bodies, replies, refusals.

use axum::body::Body;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::{
    aws_error::{AwsError, Envelope, json_response},
    iam::Principal,
};

/// Content type of version 1.0 of the protocol.
pub(crate) const JSON_1_0: &str = "application/x-amz-json-1.0";
/// Content type of version 1.1 of the protocol.
pub(crate) const JSON_1_1: &str = "application/x-amz-json-1.1";

/// Returns the operation that `X-Amz-Target` names behind `prefix`.
pub(crate) fn operation(headers: &HeaderMap, prefix: &str) -> String {
    let target = headers
        .get("x-amz-target")
        .and_then(|target| target.to_str().ok());
    let operation = target.and_then(|target| target.strip_prefix(prefix));
    operation.unwrap_or("a request without an operation").to_owned()
}

/// Returns who calls: whoever the gateway has verified.
pub(crate) fn caller(request: &Request<Body>) -> Result<Principal, AwsError> {
    let caller = request.extensions().get::<Principal>().cloned();
    caller.ok_or_else(AwsError::unsigned)
}

/// Reads a request's body, at most `limit` bytes of JSON.
pub(crate) async fn parse<T: DeserializeOwned>(body: Body, limit: usize) -> Result<T, AwsError> {
    let bytes = axum::body::to_bytes(body, limit).await.map_err(|_| {
        AwsError::new(
            400,
            "InvalidArgumentException",
            format!("the body exceeds {limit} bytes or broke off"),
        )
    })?;
    // The message of serde_json may quote the body, which is the caller's business alone.
    serde_json::from_slice(&bytes).map_err(|_| not_of_operation())
}

fn not_of_operation() -> AwsError {
    AwsError::new(
        400,
        "SerializationException",
        "the body is not the JSON of this operation",
    )
}

/// Reads a request's body as [`parse`] for an operation of a service that knows these members.
///
/// # Errors
///
/// Names a member that it does not know: what would be ignored is refused. A member that is `null` or `false` asks for
/// nothing.
pub(crate) async fn parse_known<T: DeserializeOwned>(
    body: Body,
    limit: usize,
    (service, operation): (&str, &str),
    known: &[&str],
) -> Result<T, AwsError> {
    let members: Map<String, Value> = parse(body, limit).await?;
    refuse_unknown(&members, (service, operation), known)?;
    serde_json::from_value(Value::Object(members)).map_err(|_| not_of_operation())
}

/// Refuses a member that an operation of a service does not know, as [`parse_known`].
pub(crate) fn refuse_unknown(
    members: &Map<String, Value>,
    (service, operation): (&str, &str),
    known: &[&str],
) -> Result<(), AwsError> {
    let asks = |value: &Value| !matches!(value, Value::Null | Value::Bool(false));
    let unknown = members
        .iter()
        .find(|(member, value)| asks(value) && !known.contains(&member.as_str()));
    match unknown {
        Some((member, _)) => Err(AwsError::not_implemented(
            service,
            &format!("{operation} with {member}"),
        )),
        None => Ok(()),
    }
}

/// Returns a page of a list, and the token of the next one: its place in the list. `None` where the token is none.
pub(crate) fn page<T>(items: Vec<T>, token: Option<&str>, size: usize) -> Option<(Vec<T>, Option<String>)> {
    let first: usize = match token {
        None => 0,
        Some(token) => token
            .parse::<usize>()
            .ok()
            .filter(|first| *first <= items.len())?,
    };
    let end = first.saturating_add(size);
    let next = (end < items.len()).then(|| end.to_string());
    Some((items.into_iter().skip(first).take(size).collect(), next))
}

/// Makes the HTTP response of an outcome, in version 1.1 of the protocol.
pub(crate) fn reply(outcome: Result<Value, AwsError>) -> Response<Body> {
    reply_as(JSON_1_1, outcome)
}

/// Makes the HTTP response of an outcome, in version 1.0 of the protocol.
pub(crate) fn reply_1_0(outcome: Result<Value, AwsError>) -> Response<Body> {
    reply_as(JSON_1_0, outcome)
}

fn reply_as(content_type: &'static str, outcome: Result<Value, AwsError>) -> Response<Body> {
    match outcome {
        Ok(body) => {
            let mut response = json_response(StatusCode::OK, content_type, &body);
            let id = uuid::Uuid::new_v4().to_string();
            let id = HeaderValue::from_str(&id).expect("a UUID is ASCII");
            response.headers_mut().insert("x-amzn-requestid", id);
            response
        }
        Err(error) => error.into_response(Envelope::Json {
            content_type,
            message_member: "message",
        }),
    }
}

/// A request whose member breaks a rule of its model.
pub(crate) fn validation(message: impl Into<String>) -> AwsError {
    AwsError::new(400, "ValidationException", message)
}
