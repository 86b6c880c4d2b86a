//! How a function behind a URL is called, and what its answer is over HTTP.

use std::collections::BTreeMap;

use axum::body::Body;
use http::{Response, StatusCode, request::Parts};
use serde_json::{Value, json};

/// Path of A2I's operations, behind that of the function.
pub const HUMAN_LOOPS: &str = "/human-loops";

/// Makes the event of a function URL.
pub fn url_event(head: &Parts, body: &str) -> Value {
    let path = head.uri.path();
    let path = path.find(HUMAN_LOOPS).map_or("/", |start| &path[start..]);
    let headers: BTreeMap<String, &str> = head
        .headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), value.to_str().unwrap_or_default()))
        .collect();
    json!({
        "version": "2.0", "routeKey": "$default", "rawPath": path,
        "rawQueryString": head.uri.query().unwrap_or_default(), "headers": headers,
        "requestContext": {
            "http": { "method": head.method.as_str(), "path": path }, "requestId": "1", "timeEpoch": 1,
        },
        "body": body, "isBase64Encoded": false,
    })
}

/// Returns the answer that a function gave.
pub fn reply_of(answer: &Value) -> Response<Body> {
    let status = answer["statusCode"]
        .as_u64()
        .and_then(|status| u16::try_from(status).ok());
    let status = status.and_then(|status| StatusCode::from_u16(status).ok());
    let body = answer["body"].as_str().unwrap_or_default().to_owned();
    let mut response = reply(status.expect("a status"), body);
    for (name, value) in answer["headers"].as_object().into_iter().flatten() {
        let value = value.as_str().unwrap_or_default().parse();
        let name = http::HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// Makes an answer.
pub fn reply(status: StatusCode, body: String) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response
}
