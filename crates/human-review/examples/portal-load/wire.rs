//! How S3 is spoken to.

use axum::body::Body;
use http::{HeaderMap, Response, StatusCode};

pub fn bare(etag: &str) -> &str {
    etag.trim_matches('"')
}

pub fn decoded(path: &str) -> String {
    percent_encoding::percent_decode_str(path)
        .decode_utf8_lossy()
        .into_owned()
}

/// Takes the chunks of a body apart that the SDK sends with a checksum at its end.
pub fn unchunked(headers: &HeaderMap, body: Vec<u8>) -> Vec<u8> {
    if !headers.contains_key("x-amz-decoded-content-length") {
        return body;
    }
    let (mut plain, mut rest) = (Vec::new(), body.as_slice());
    while let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") {
        let head = String::from_utf8_lossy(&rest[..end]).into_owned();
        let size = usize::from_str_radix(head.split(';').next().unwrap_or_default(), 16).unwrap_or(0);
        if size == 0 {
            break;
        }
        plain.extend_from_slice(&rest[end + 2..][..size]);
        rest = &rest[end + 4 + size..];
    }
    plain
}

pub fn reply(status: StatusCode, body: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response
}

pub fn with_etag(mut response: Response<Body>, etag: &str) -> Response<Body> {
    let etag = etag.parse().expect("ETags are ASCII");
    response.headers_mut().insert("etag", etag);
    response
}

pub fn refusal(status: StatusCode, code: &str) -> Response<Body> {
    reply(status, format!("<Error><Code>{code}</Code></Error>").into_bytes())
}
