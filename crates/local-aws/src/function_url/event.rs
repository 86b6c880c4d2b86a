//! Payload format 2.0: a request as an event, an answer as a response.

use std::collections::BTreeMap;

use axum::body::Body;
use chrono::{DateTime, Utc};
use http::{
    HeaderName, HeaderValue, Response, StatusCode,
    header::{CONTENT_TYPE, SET_COOKIE},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::UrlRequest;
use crate::{
    ACCOUNT_ID,
    http_event::{self, REQUEST_TIME_FORMAT},
};

/// What a function answers that says how; members beyond these are ignored.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    status_code: u16,
    #[serde(default)]
    headers: Option<BTreeMap<String, Value>>,
    #[serde(default)]
    cookies: Option<Vec<String>>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: Option<bool>,
}

/// Makes the event of a request.
pub(super) fn event(request: &UrlRequest<'_>, now: DateTime<Utc>) -> Value {
    let mut headers = http_event::headers(request.parts);
    headers.remove("authorization");
    headers.remove("x-amz-security-token");
    let cookies: Vec<String> = headers
        .remove("cookie")
        .iter()
        .flatten()
        .flat_map(|header| header.split(';'))
        .map(|cookie| cookie.trim().to_owned())
        .filter(|cookie| !cookie.is_empty())
        .collect();
    let headers: BTreeMap<String, String> = headers
        .into_iter()
        .map(|(name, values)| (name, values.join(",")))
        .collect();
    let query_string = request.parts.uri.query().unwrap_or_default();
    let mut query: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in http_event::query_pairs(Some(query_string)) {
        query
            .entry(name)
            .and_modify(|values| values.extend([",", value.as_str()]))
            .or_insert(value);
    }
    let content_type = headers.get("content-type").map_or("", String::as_str);
    let (body, is_base64) = http_event::body(&request.body, is_text(content_type));

    let mut event = json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": request.path,
        "rawQueryString": query_string,
        "headers": headers,
        "requestContext": request_context(request, now),
        "isBase64Encoded": is_base64,
    });
    if !cookies.is_empty() {
        event["cookies"] = json!(cookies);
    }
    if !query.is_empty() {
        event["queryStringParameters"] = json!(query);
    }
    if !body.is_null() {
        event["body"] = body;
    }
    event
}

fn request_context(request: &UrlRequest<'_>, now: DateTime<Utc>) -> Value {
    let user_agent = request.parts.headers.get("user-agent");
    let host = http_event::host(request.parts);
    let mut context = json!({
        "accountId": "anonymous",
        "apiId": request.url_id,
        "domainName": host.rsplit_once(':').map_or(host.as_str(), |(name, _)| name),
        "domainPrefix": request.url_id,
        "http": {
            "method": request.parts.method.as_str(),
            "path": request.path,
            "protocol": format!("{:?}", request.parts.version),
            "sourceIp": http_event::source_ip(request.parts),
            "userAgent": user_agent.and_then(|value| value.to_str().ok()),
        },
        "requestId": request.request_id,
        "routeKey": "$default",
        "stage": "$default",
        "time": now.format(REQUEST_TIME_FORMAT).to_string(),
        "timeEpoch": now.timestamp_millis(),
    });
    if let Some(caller) = request.caller {
        let arn = caller.principal.caller_arn();
        context["accountId"] = json!(ACCOUNT_ID);
        context["authorizer"] = json!({ "iam": {
            "accessKey": caller.access_key_id,
            "accountId": ACCOUNT_ID,
            "callerId": caller.access_key_id,
            "userArn": arn,
            "userId": caller.access_key_id,
        }});
    }
    context
}

/// Returns whether a body of this type reaches the function as text.
///
/// `application/x-amz-json-1.1`, what the AWS SDKs send, does not.
fn is_text(content_type: &str) -> bool {
    let media_type = content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    media_type.starts_with("text/")
        || ["application/json", "application/xml", "application/javascript"].contains(&media_type.as_str())
}

/// Makes the response of a function's answer. What has no `statusCode` is the body itself.
///
/// # Errors
///
/// Says what is malformed.
pub(super) fn response(payload: &[u8]) -> Result<Response<Body>, &'static str> {
    let payload: Value = serde_json::from_slice(payload).map_err(|_| "it is not JSON")?;
    let answer = if payload.get("statusCode").is_some() {
        serde_json::from_value(payload).map_err(|_| "it is not an answer of format 2.0")?
    } else {
        Answer {
            status_code: 200,
            headers: None,
            cookies: None,
            body: Some(match payload {
                Value::String(text) => text,
                other => other.to_string(),
            }),
            is_base64_encoded: None,
        }
    };
    let status = Some(answer.status_code)
        .filter(|status| (200..600).contains(status))
        .and_then(|status| StatusCode::from_u16(status).ok())
        .ok_or("statusCode is not a status")?;
    let body = http_event::answer_body(answer.body, answer.is_base64_encoded.unwrap_or(false))?;

    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in answer.headers.iter().flatten() {
        if http_event::is_of_connection(name) {
            continue;
        }
        let value = http_event::header_text(value).ok_or("a header's value is malformed")?;
        let name = HeaderName::try_from(name).map_err(|_| "a header's name is malformed")?;
        let value = HeaderValue::try_from(value).map_err(|_| "a header's value is malformed")?;
        headers.insert(name, value);
    }
    for cookie in answer.cookies.iter().flatten() {
        let cookie = HeaderValue::try_from(cookie).map_err(|_| "a cookie is malformed")?;
        headers.append(SET_COOKIE, cookie);
    }
    let default = HeaderValue::from_static("application/json");
    headers.entry(CONTENT_TYPE).or_insert(default);
    Ok(response)
}

#[cfg(test)]
mod tests;
