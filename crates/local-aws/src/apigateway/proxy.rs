//! The Lambda proxy integration: a request as an event (format 1.0), an answer as a response.

use std::collections::BTreeMap;

use axum::body::Body;
use chrono::{DateTime, Utc};
use http::{HeaderName, HeaderValue, Response, StatusCode, header::CONTENT_TYPE};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::Exchange;
use crate::{
    ACCOUNT_ID,
    http_event::{self, REQUEST_TIME_FORMAT},
};

/// What a function answers. Every member may be left out, and no other is allowed.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Answer {
    #[serde(default)]
    status_code: Option<Value>,
    #[serde(default)]
    headers: Option<BTreeMap<String, Value>>,
    #[serde(default)]
    multi_value_headers: Option<BTreeMap<String, Vec<Value>>>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: Option<bool>,
}

/// Makes the event of a request.
pub(super) fn event(exchange: &Exchange<'_>, now: DateTime<Utc>) -> Value {
    let headers = http_event::headers(exchange.parts);
    let mut query = Values::new();
    for (name, value) in http_event::query_pairs(exchange.parts.uri.query()) {
        query.entry(name).or_default().push(value);
    }
    let (body, is_base64) = http_event::body(&exchange.body, true);
    json!({
        "resource": exchange.method.spec.path,
        "path": http_event::decode(exchange.path),
        "httpMethod": exchange.parts.method.as_str(),
        "headers": last_values(&headers),
        "multiValueHeaders": all_values(&headers),
        "queryStringParameters": last_values(&query),
        "multiValueQueryStringParameters": all_values(&query),
        "pathParameters": or_null(&exchange.path_parameters, |value| json!(value)),
        "stageVariables": null,
        "requestContext": request_context(exchange, now),
        "body": body,
        "isBase64Encoded": is_base64,
    })
}

fn request_context(exchange: &Exchange<'_>, now: DateTime<Utc>) -> Value {
    let user_agent = exchange.parts.headers.get("user-agent");
    let mut identity = json!({
        "accessKey": null,
        "accountId": null,
        "caller": null,
        "cognitoAuthenticationProvider": null,
        "cognitoAuthenticationType": null,
        "cognitoIdentityId": null,
        "cognitoIdentityPoolId": null,
        "principalOrgId": null,
        "sourceIp": http_event::source_ip(exchange.parts),
        "user": null,
        "userAgent": user_agent.and_then(|value| value.to_str().ok()),
        "userArn": null,
    });
    if let Some(key) = &exchange.api_key {
        identity["apiKey"] = json!(key.value);
        identity["apiKeyId"] = json!(key.id);
    }
    let api = exchange.api;
    let host = http_event::host(exchange.parts);
    json!({
        "accountId": ACCOUNT_ID,
        "apiId": api.id,
        "deploymentId": short_id(&[&api.id, &api.stage]),
        "domainName": host.rsplit_once(':').map_or(host.as_str(), |(name, _)| name),
        "domainPrefix": api.id,
        "extendedRequestId": exchange.extended_request_id,
        "httpMethod": exchange.parts.method.as_str(),
        "identity": identity,
        "path": format!("/{}{}", api.stage, http_event::decode(exchange.path)),
        "protocol": format!("{:?}", exchange.parts.version),
        "requestId": exchange.request_id,
        "requestTime": now.format(REQUEST_TIME_FORMAT).to_string(),
        "requestTimeEpoch": now.timestamp_millis(),
        "resourceId": short_id(&[&api.id, &exchange.method.spec.path]),
        "resourcePath": exchange.method.spec.path,
        "stage": api.stage,
    })
}

/// Makes the response of a function's answer.
///
/// # Errors
///
/// Says what is malformed.
pub(super) fn response(payload: &[u8]) -> Result<Response<Body>, &'static str> {
    let answer: Answer = serde_json::from_slice(payload).map_err(|_| "it is not a proxy response object")?;
    let status = match &answer.status_code {
        None | Some(Value::Null) => Some(200),
        Some(Value::Number(status)) => status.as_u64(),
        Some(Value::String(status)) => status.parse().ok(),
        Some(_) => None,
    };
    let status = status
        .and_then(|status| u16::try_from(status).ok())
        .filter(|status| (200..600).contains(status))
        .and_then(|status| StatusCode::from_u16(status).ok())
        .ok_or("statusCode is not a status")?;
    let multi_value_headers = answer.multi_value_headers.unwrap_or_default();
    let single = answer.headers.unwrap_or_default();
    let single = single.iter().filter(|(name, _)| {
        !multi_value_headers
            .keys()
            .any(|other| other.eq_ignore_ascii_case(name))
    });
    let all = single.chain(
        multi_value_headers
            .iter()
            .flat_map(|(name, values)| values.iter().map(move |value| (name, value))),
    );

    let body = http_event::answer_body(answer.body, answer.is_base64_encoded.unwrap_or(false))?;
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    for (name, value) in all.filter(|(name, _)| !http_event::is_of_connection(name)) {
        let Some(value) = http_event::header_text(value) else {
            continue;
        };
        let name = HeaderName::try_from(name).map_err(|_| "a header's name is malformed")?;
        let value = HeaderValue::try_from(value).map_err(|_| "a header's value is malformed")?;
        response.headers_mut().append(name, value);
    }
    let default = HeaderValue::from_static("application/json");
    response.headers_mut().entry(CONTENT_TYPE).or_insert(default);
    Ok(response)
}

/// Makes the response of a `MOCK` integration.
pub(super) fn mock(status: u16, headers: &BTreeMap<String, String>) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// Named values, each as a list.
type Values = BTreeMap<String, Vec<String>>;

fn last_values(values: &Values) -> Value {
    or_null(values, |values| json!(values.last()))
}

fn all_values(values: &Values) -> Value {
    or_null(values, |values| json!(values))
}

/// Makes an object; `null` in place of an empty one.
fn or_null<T>(values: &BTreeMap<String, T>, json: impl Fn(&T) -> Value) -> Value {
    if values.is_empty() {
        return Value::Null;
    }
    let members = values.iter().map(|(name, value)| (name.clone(), json(value)));
    Value::Object(Map::from_iter(members))
}

/// Makes an id of six characters that stays the same for the same names.
fn short_id(names: &[&str]) -> String {
    hex::encode(Sha256::digest(names.join("/")))[..6].to_owned()
}

#[cfg(test)]
mod tests;
