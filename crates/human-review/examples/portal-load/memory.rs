//! S3 in memory: what the review service asks of it, in time that does not depend on what lies there. Counts requests.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::{Body, to_bytes};
use http::{HeaderMap, Request, Response, StatusCode};

/// Requests by kind.
#[derive(Clone, Copy, Debug, Default)]
pub struct Requests {
    pub get: usize,
    pub put: usize,
    pub list: usize,
    pub delete: usize,
}

impl Requests {
    pub fn all(self) -> usize {
        self.get + self.put + self.list + self.delete
    }
}

/// The buckets, and what was asked of them.
#[derive(Clone, Debug, Default)]
pub struct Memory(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// By `/bucket/key`.
    objects: BTreeMap<String, Object>,
    requests: Requests,
    written: u64,
}

#[derive(Clone, Debug)]
struct Object {
    body: Vec<u8>,
    etag: String,
}

impl Memory {
    /// Returns the service as the SDK's transport takes it.
    pub fn router(&self) -> Router {
        let memory = self.clone();
        Router::new().fallback(move |request: Request<Body>| {
            let memory = memory.clone();
            async move { memory.answer(request).await }
        })
    }

    pub fn requests(&self) -> Requests {
        self.state().requests
    }

    /// Puts an object without counting it.
    pub fn place(&self, path: String, body: Vec<u8>) {
        self.state().put(path, body);
    }

    /// Returns the objects of a bucket.
    pub fn objects(&self, bucket: &str) -> Vec<(String, Vec<u8>)> {
        let prefix = format!("/{bucket}/");
        let state = self.state();
        let own = state.objects.iter().filter(|(path, _)| path.starts_with(&prefix));
        own.map(|(path, object)| (path.clone(), object.body.clone()))
            .collect()
    }

    /// Removes an object without counting it.
    pub fn remove(&self, path: &str) {
        self.state().objects.remove(path);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap_or_default().to_vec();
        let path = decoded(head.uri.path());
        let query: BTreeMap<String, String> =
            url::form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes())
                .into_owned()
                .collect();
        let mut state = self.state();
        match head.method.as_str() {
            "GET" if query.contains_key("list-type") => {
                state.requests.list += 1;
                state.list(&path, &query)
            }
            "GET" | "HEAD" => {
                state.requests.get += 1;
                state.get(&path, &head.headers)
            }
            "PUT" => {
                state.requests.put += 1;
                state.put_if(path, unchunked(&head.headers, body), &head.headers)
            }
            "DELETE" => {
                state.requests.delete += 1;
                state.objects.remove(&path);
                reply(StatusCode::NO_CONTENT, Vec::new())
            }
            _ => refusal(StatusCode::NOT_IMPLEMENTED, "NotImplemented"),
        }
    }
}

impl State {
    fn put(&mut self, path: String, body: Vec<u8>) -> String {
        self.written += 1;
        let etag = format!("\"{:032x}\"", self.written);
        let object = Object {
            body,
            etag: etag.clone(),
        };
        self.objects.insert(path, object);
        etag
    }

    fn put_if(&mut self, path: String, body: Vec<u8>, headers: &HeaderMap) -> Response<Body> {
        let there = self.objects.get(&path);
        let is_taken = headers.contains_key("if-none-match") && there.is_some();
        let wanted = headers.get("if-match").and_then(|etag| etag.to_str().ok());
        let is_changed =
            wanted.is_some_and(|wanted| there.is_none_or(|there| bare(&there.etag) != bare(wanted)));
        if is_taken || is_changed {
            return refusal(StatusCode::PRECONDITION_FAILED, "PreconditionFailed");
        }
        let etag = self.put(path, body);
        with_etag(reply(StatusCode::OK, Vec::new()), &etag)
    }

    fn get(&self, path: &str, headers: &HeaderMap) -> Response<Body> {
        let Some(object) = self.objects.get(path) else {
            return refusal(StatusCode::NOT_FOUND, "NoSuchKey");
        };
        let known = headers.get("if-none-match").and_then(|etag| etag.to_str().ok());
        if known.is_some_and(|known| bare(known) == bare(&object.etag)) {
            return with_etag(reply(StatusCode::NOT_MODIFIED, Vec::new()), &object.etag);
        }
        with_etag(reply(StatusCode::OK, object.body.clone()), &object.etag)
    }

    fn list(&self, bucket: &str, query: &BTreeMap<String, String>) -> Response<Body> {
        let text = |name: &str| query.get(name).map_or("", String::as_str);
        let root = format!("/{}/", bucket.trim_matches('/'));
        let prefix = format!("{root}{}", text("prefix"));
        let after = text("start-after").max(text("continuation-token"));
        let start = match after {
            "" => Bound::Included(prefix.clone()),
            after => Bound::Excluded(format!("{root}{after}")),
        };
        let most: usize = text("max-keys").parse().unwrap_or(1_000);

        let (mut xml, mut last, mut count, mut folder) = (String::new(), "", 0, String::new());
        let mut is_truncated = false;
        for (path, object) in self.objects.range((start, Bound::Unbounded)) {
            if !path.starts_with(&prefix) {
                break;
            }
            let below = path[prefix.len()..]
                .find('/')
                .filter(|_| !text("delimiter").is_empty());
            if below.is_some() && path.starts_with(&folder) && !folder.is_empty() {
                continue;
            }
            if count == most {
                is_truncated = true;
                break;
            }
            count += 1;
            last = &path[root.len()..];
            let written = match below {
                Some(end) => {
                    folder = path[..=prefix.len() + end].to_owned();
                    write!(
                        xml,
                        "<CommonPrefixes><Prefix>{}</Prefix></CommonPrefixes>",
                        &folder[root.len()..]
                    )
                }
                None => write!(
                    xml,
                    "<Contents><Key>{last}</Key><LastModified>2026-11-20T10:00:00.000Z</LastModified>\
                     <ETag>{}</ETag><Size>{}</Size></Contents>",
                    object.etag.replace('"', "&quot;"),
                    object.body.len()
                ),
            };
            written.expect("a string takes everything");
        }
        let next = if is_truncated {
            format!("<NextContinuationToken>{last}</NextContinuationToken>")
        } else {
            String::new()
        };
        let xml = format!(
            "<?xml version=\"1.0\"?><ListBucketResult><IsTruncated>{is_truncated}</IsTruncated>{next}{xml}</ListBucketResult>"
        );
        reply(StatusCode::OK, xml.into_bytes())
    }
}

fn bare(etag: &str) -> &str {
    etag.trim_matches('"')
}

fn decoded(path: &str) -> String {
    percent_encoding::percent_decode_str(path)
        .decode_utf8_lossy()
        .into_owned()
}

/// Takes the chunks of a body apart that the SDK sends with a checksum at its end.
fn unchunked(headers: &HeaderMap, body: Vec<u8>) -> Vec<u8> {
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

fn reply(status: StatusCode, body: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response
}

fn with_etag(mut response: Response<Body>, etag: &str) -> Response<Body> {
    let etag = etag.parse().expect("ETags are ASCII");
    response.headers_mut().insert("etag", etag);
    response
}

fn refusal(status: StatusCode, code: &str) -> Response<Body> {
    reply(status, format!("<Error><Code>{code}</Code></Error>").into_bytes())
}
