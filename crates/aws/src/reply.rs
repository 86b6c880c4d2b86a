//! Answers of the HTTP functions: JSON, problem details, CORS.

use lambda_http::{
    Body, Response,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
};
use serde::Serialize;

/// How long a browser may keep the answer to a preflight, seconds.
const PREFLIGHT_SECONDS: &str = "3600";

/// A refusal as the client sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// HTTP status.
    pub status: StatusCode,
    /// Stable word for programs, for example `text_too_long`.
    pub code: &'static str,
    /// One sentence for people; holds nothing of the request's text.
    pub detail: String,
    /// Seconds after which another try makes sense.
    pub retry_after_seconds: Option<u32>,
}

/// Makes a JSON answer.
pub fn json(status: StatusCode, body: &impl Serialize, allowed_origin: &str) -> Response<Body> {
    answer(status, "application/json", body, allowed_origin)
}

/// Makes an `application/problem+json` answer (RFC 9457) with the extension member `code`.
pub fn problem(problem: &Problem, allowed_origin: &str) -> Response<Body> {
    let body = serde_json::json!({
        "type": "about:blank",
        "title": problem.status.canonical_reason().unwrap_or_default(),
        "status": problem.status.as_u16(),
        "code": problem.code,
        "detail": problem.detail,
    });
    let mut response = answer(problem.status, "application/problem+json", &body, allowed_origin);
    if let Some(seconds) = problem.retry_after_seconds {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

/// Makes a JSON answer with its entity tag.
pub fn tagged(body: &impl Serialize, etag: &str, allowed_origin: &str) -> Response<Body> {
    with_etag(json(StatusCode::OK, body, allowed_origin), etag)
}

/// Answers that nothing has changed since the client asked last.
pub fn not_modified(etag: &str, allowed_origin: &str) -> Response<Body> {
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    allow_origin(response.headers_mut(), allowed_origin);
    with_etag(response, etag)
}

fn with_etag(mut response: Response<Body>, etag: &str) -> Response<Body> {
    if let Ok(etag) = HeaderValue::from_str(etag) {
        response.headers_mut().insert(header::ETAG, etag);
    }
    response
}

/// Answers a request of another method than the one that is understood: a browser's preflight with what is allowed,
/// others with 405.
pub fn unless(understood: &Method, method: &Method, allowed_origin: &str) -> Option<Response<Body>> {
    match method {
        _ if method == understood => None,
        &Method::OPTIONS => Some(preflight(understood, allowed_origin)),
        _ => {
            let refusal = Problem {
                status: StatusCode::METHOD_NOT_ALLOWED,
                code: "method_not_allowed",
                detail: format!("only {understood} is understood here"),
                retry_after_seconds: None,
            };
            let mut response = problem(&refusal, allowed_origin);
            if let Ok(allowed) = HeaderValue::from_str(&format!("{understood}, OPTIONS")) {
                response.headers_mut().insert(header::ALLOW, allowed);
            }
            Some(response)
        }
    }
}

fn preflight(understood: &Method, allowed_origin: &str) -> Response<Body> {
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    allow_origin(headers, allowed_origin);
    if let Ok(methods) = HeaderValue::from_str(&format!("{understood},OPTIONS")) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
    }
    for (name, value) in [
        (
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            "content-type,if-none-match,x-api-key",
        ),
        (header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_SECONDS),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

fn answer(
    status: StatusCode,
    content_type: &'static str,
    body: &impl Serialize,
    allowed_origin: &str,
) -> Response<Body> {
    let body = serde_json::to_string(body).expect("answers have only string keys");
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    allow_origin(headers, allowed_origin);
    response
}

fn allow_origin(headers: &mut HeaderMap, allowed_origin: &str) {
    if let Ok(origin) = HeaderValue::from_str(allowed_origin) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static("ETag,Retry-After"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_carries_its_code_and_when_to_come_back() {
        let throttled = Problem {
            status: StatusCode::TOO_MANY_REQUESTS,
            code: "throttled",
            detail: "the classifier is busy".into(),
            retry_after_seconds: Some(1),
        };

        let response = problem(&throttled, "https://example.com");

        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()["retry-after"], "1");
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        assert_eq!(
            response.headers()["access-control-allow-origin"],
            "https://example.com"
        );
        let body: serde_json::Value = serde_json::from_slice(response.body()).expect("JSON");
        assert_eq!(body["code"], "throttled");
        assert_eq!(body["status"], 429);
    }
}
