//! What the events of API Gateway and of function URLs have in common.

use std::{collections::BTreeMap, net::SocketAddr};

use axum::extract::ConnectInfo;
use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderMap, header, request::Parts};
use percent_encoding::percent_decode_str;
use serde_json::Value;

/// Largest event of a synchronous invocation, base64 included.
pub(crate) const MAX_EVENT_BYTES: usize = 6 * 1024 * 1024;
/// Code of a request that is larger.
pub(crate) const REQUEST_TOO_LARGE: &str = "RequestEntityTooLargeException";

/// How events write the time of a request.
pub(crate) const REQUEST_TIME_FORMAT: &str = "%d/%b/%Y:%H:%M:%S %z";

/// Returns the client's address; the loopback's for a call without a socket.
pub(crate) fn source_ip(parts: &Parts) -> String {
    let address = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    address.map_or_else(|| "127.0.0.1".to_owned(), |address| address.0.ip().to_string())
}

/// Returns the host that the client named, with its port.
pub(crate) fn host(parts: &Parts) -> String {
    let header = parts
        .headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let authority = parts.uri.authority().map(|authority| authority.as_str());
    header.or(authority).unwrap_or("127.0.0.1").to_owned()
}

/// Returns the headers that reach a function, each with the values it was sent with, and those that
/// AWS adds in front of it.
pub(crate) fn headers(parts: &Parts) -> BTreeMap<String, Vec<String>> {
    let mut sent = parts.headers.clone();
    let host = host(parts);
    let port = host.rsplit_once(':').map_or("80", |(_, port)| port).to_owned();
    let mut set = |name: &'static str, value: String| {
        if let Ok(value) = value.parse() {
            sent.insert(name, value);
        }
    };
    let address = source_ip(parts);
    let forwarded = parts
        .headers
        .get("x-forwarded-for")
        .and_then(|value| value.to_str().ok());
    set(
        "x-forwarded-for",
        forwarded.map_or(address.clone(), |hops| format!("{hops}, {address}")),
    );
    set("x-forwarded-port", port);
    set("x-forwarded-proto", "http".to_owned());
    set("host", host);
    sent.keys()
        .map(|name| (name.to_string(), values(&sent, name)))
        .collect()
}

fn values(headers: &HeaderMap, name: &header::HeaderName) -> Vec<String> {
    let values = headers.get_all(name).iter();
    values
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        .collect()
}

/// Returns the decoded parameters of a query, in order.
pub(crate) fn query_pairs(query: Option<&str>) -> Vec<(String, String)> {
    url::form_urlencoded::parse(query.unwrap_or_default().as_bytes())
        .into_owned()
        .collect()
}

/// Decodes `%XX`.
pub(crate) fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// Returns a body as the members `body` and `isBase64Encoded`: as text if it may be, and is.
pub(crate) fn body(bytes: &[u8], may_be_text: bool) -> (Value, bool) {
    if bytes.is_empty() {
        return (Value::Null, false);
    }
    match std::str::from_utf8(bytes) {
        Ok(text) if may_be_text => (text.into(), false),
        _ => (BASE64_STANDARD.encode(bytes).into(), true),
    }
}

/// Reads the body of a function's answer.
pub(crate) fn answer_body(body: Option<String>, is_base64: bool) -> Result<Vec<u8>, &'static str> {
    let body = body.unwrap_or_default();
    if is_base64 {
        BASE64_STANDARD.decode(body).map_err(|_| "the body is not base64")
    } else {
        Ok(body.into_bytes())
    }
}

/// Reads a header's value, which functions may also give as a number or a boolean.
pub(crate) fn header_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Returns whether a header of a function's answer is the connection's own and not passed on.
pub(crate) fn is_of_connection(name: &str) -> bool {
    [
        "connection",
        "content-length",
        "keep-alive",
        "transfer-encoding",
        "upgrade",
    ]
    .contains(&name.to_ascii_lowercase().as_str())
}
