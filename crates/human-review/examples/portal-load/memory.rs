//! S3 in memory: what functions ask of it, in time that does not depend on what lies there. Counts requests.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::{Body, to_bytes};
use chrono::{DateTime, SecondsFormat, Utc};
use http::{HeaderMap, Request, Response, StatusCode};

use super::series::Series;
use super::wire::{bare, decoded, refusal, reply, unchunked, with_etag};

/// What was written is counted from here, so that no ETag is that of a series.
const FIRST_ETAG: u128 = 1 << 100;

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
    /// What is there beside them, but for those of the same path.
    series: Vec<Series>,
    /// Paths of objects of the series that were deleted.
    deleted: BTreeSet<String>,
    requests: Requests,
    written: u128,
}

#[derive(Clone, Debug)]
struct Object {
    body: Vec<u8>,
    etag: String,
    modified: DateTime<Utc>,
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

    /// Has a series of objects there, too.
    pub fn place_series(&self, series: Series) {
        self.state().series.push(series);
    }

    /// Returns how many objects there are.
    pub fn count(&self) -> u64 {
        let state = self.state();
        let stored = state.objects.len() as u64;
        stored + state.series.iter().map(Series::count).sum::<u64>()
    }

    /// Returns the content of an object.
    pub fn body(&self, path: &str) -> Option<Vec<u8>> {
        self.state().find(path).map(|object| object.body)
    }

    /// Returns the ETag of an object.
    pub fn etag(&self, path: &str) -> Option<String> {
        self.state().find(path).map(|object| object.etag)
    }

    /// Returns the first paths that begin so, in their order.
    pub fn paths(&self, prefix: &str, count: usize) -> Vec<String> {
        let state = self.state();
        let mut walk = Walk::new(&state, prefix, prefix);
        let paths = std::iter::from_fn(|| walk.next().map(|(path, _)| path));
        paths.take(count).collect()
    }

    /// Returns the objects of a bucket that are of no series.
    pub fn objects(&self, bucket: &str) -> Vec<(String, Vec<u8>)> {
        let prefix = format!("/{bucket}/");
        let state = self.state();
        let own = state.objects.iter().filter(|(path, _)| path.starts_with(&prefix));
        own.map(|(path, object)| (path.clone(), object.body.clone()))
            .collect()
    }

    /// Removes an object without counting it.
    pub fn remove(&self, path: &str) {
        self.state().delete(path);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers a request, and counts it.
    pub async fn answer(&self, request: Request<Body>) -> Response<Body> {
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
                state.delete(&path);
                reply(StatusCode::NO_CONTENT, Vec::new())
            }
            "POST" if query.contains_key("delete") => {
                state.requests.delete += 1;
                state.delete_all(&path, &String::from_utf8_lossy(&body))
            }
            _ => refusal(StatusCode::NOT_IMPLEMENTED, "NotImplemented"),
        }
    }
}

impl State {
    fn put(&mut self, path: String, body: Vec<u8>) -> String {
        self.written += 1;
        let etag = format!("\"{:032x}\"", FIRST_ETAG + self.written);
        let object = Object {
            body,
            etag: etag.clone(),
            modified: Utc::now(),
        };
        self.objects.insert(path, object);
        etag
    }

    fn delete(&mut self, path: &str) {
        self.objects.remove(path);
        if self.series.iter().any(|series| series.find(path).is_some()) {
            self.deleted.insert(path.to_owned());
        }
    }

    /// Removes the objects that a request names; no key of these buckets has a character that XML would write otherwise.
    fn delete_all(&mut self, bucket: &str, request: &str) -> Response<Body> {
        let root = format!("/{}/", bucket.trim_matches('/'));
        let keys = request
            .split("<Key>")
            .skip(1)
            .filter_map(|rest| rest.split('<').next());
        for key in keys {
            self.delete(&format!("{root}{key}"));
        }
        let nothing = "<?xml version=\"1.0\"?><DeleteResult/>";
        reply(StatusCode::OK, nothing.as_bytes().to_vec())
    }

    fn find(&self, path: &str) -> Option<Object> {
        if let Some(object) = self.objects.get(path) {
            return Some(object.clone());
        }
        if self.deleted.contains(path) {
            return None;
        }
        let place = |series: &Series| series.find(path).map(|place| Object::of(series, place));
        self.series.iter().find_map(place)
    }

    fn put_if(&mut self, path: String, body: Vec<u8>, headers: &HeaderMap) -> Response<Body> {
        let there = self.find(&path);
        let is_taken = headers.contains_key("if-none-match") && there.is_some();
        let wanted = headers.get("if-match").and_then(|etag| etag.to_str().ok());
        let is_changed = wanted.is_some_and(|wanted| {
            there
                .as_ref()
                .is_none_or(|there| bare(&there.etag) != bare(wanted))
        });
        if is_taken || is_changed {
            return refusal(StatusCode::PRECONDITION_FAILED, "PreconditionFailed");
        }
        let etag = self.put(path, body);
        with_etag(reply(StatusCode::OK, Vec::new()), &etag)
    }

    fn get(&self, path: &str, headers: &HeaderMap) -> Response<Body> {
        let Some(object) = self.find(path) else {
            return refusal(StatusCode::NOT_FOUND, "NoSuchKey");
        };
        let header = |name: &str| headers.get(name).and_then(|etag| etag.to_str().ok());
        if header("if-none-match").is_some_and(|known| bare(known) == bare(&object.etag)) {
            return with_etag(reply(StatusCode::NOT_MODIFIED, Vec::new()), &object.etag);
        }
        if header("if-match").is_some_and(|wanted| bare(wanted) != bare(&object.etag)) {
            return refusal(StatusCode::PRECONDITION_FAILED, "PreconditionFailed");
        }
        with_etag(reply(StatusCode::OK, object.body), &object.etag)
    }

    fn list(&self, bucket: &str, query: &BTreeMap<String, String>) -> Response<Body> {
        let text = |name: &str| query.get(name).map_or("", String::as_str);
        let root = format!("/{}/", bucket.trim_matches('/'));
        let prefix = format!("{root}{}", text("prefix"));
        let delimiter = text("delimiter");
        let after = text("start-after").max(text("continuation-token"));
        let most: usize = text("max-keys").parse().unwrap_or(1_000);
        let from = match after {
            "" => prefix.clone(),
            folder if !delimiter.is_empty() && folder.ends_with(delimiter) => {
                beyond(&format!("{root}{folder}"))
            }
            after => format!("{root}{after}\0"),
        };

        let mut walk = Walk::new(self, &prefix, &from);
        let (mut xml, mut last, mut count) = (String::new(), String::new(), 0);
        let mut is_truncated = false;
        while let Some((path, object)) = walk.next() {
            if count == most {
                is_truncated = true;
                break;
            }
            count += 1;
            let below = path[prefix.len()..]
                .find(delimiter)
                .filter(|_| !delimiter.is_empty());
            let written = match below {
                Some(end) => {
                    let folder = &path[..prefix.len() + end + delimiter.len()];
                    last = folder[root.len()..].to_owned();
                    walk = Walk::new(self, &prefix, &beyond(folder));
                    write!(xml, "<CommonPrefixes><Prefix>{last}</Prefix></CommonPrefixes>")
                }
                None => {
                    last = path[root.len()..].to_owned();
                    write!(
                        xml,
                        "<Contents><Key>{last}</Key><LastModified>{}</LastModified><ETag>{}</ETag><Size>{}</Size></Contents>",
                        object.modified.to_rfc3339_opts(SecondsFormat::Millis, true),
                        object.etag.replace('"', "&quot;"),
                        object.size
                    )
                }
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

impl Object {
    fn of(series: &Series, place: u64) -> Self {
        let (etag, modified, _) = series.head(place);
        let body = series.body(place);
        Self { body, etag, modified }
    }
}

/// An object in a listing.
struct Entry {
    etag: String,
    modified: DateTime<Utc>,
    size: usize,
}

impl Entry {
    fn of(object: &Object) -> Self {
        Self {
            etag: object.etag.clone(),
            modified: object.modified,
            size: object.body.len(),
        }
    }

    fn at(series: &Series, place: u64) -> Self {
        let (etag, modified, size) = series.head(place);
        Self { etag, modified, size }
    }
}

/// The objects below a prefix in the order of their paths, from one path on.
struct Walk<'a> {
    state: &'a State,
    prefix: &'a str,
    stored: std::iter::Peekable<std::collections::btree_map::Range<'a, String, Object>>,
    /// Of each series its next place, with its path.
    series: Vec<(&'a Series, u64, String)>,
}

impl<'a> Walk<'a> {
    fn new(state: &'a State, prefix: &'a str, from: &str) -> Self {
        let series = state.series.iter().filter(|series| series.may_begin_with(prefix));
        let begun = series.map(|series| {
            let place = series.place_of(from);
            (series, place, path_at(series, place))
        });
        Self {
            state,
            prefix,
            stored: state.objects.range(from.to_owned()..).peekable(),
            series: begun.collect(),
        }
    }

    fn next(&mut self) -> Option<(String, Entry)> {
        loop {
            self.series.retain(|(_, _, path)| path.starts_with(self.prefix));
            let first = self.series.iter_mut().min_by(|(_, _, a), (_, _, b)| a.cmp(b));
            let stored = self
                .stored
                .peek()
                .filter(|(path, _)| path.starts_with(self.prefix));
            match (first, stored) {
                (Some((series, place, path)), stored) if stored.is_none_or(|(other, _)| *path < **other) => {
                    let found = (std::mem::take(path), Entry::at(series, *place));
                    *place += 1;
                    *path = path_at(series, *place);
                    if !self.state.deleted.contains(&found.0) {
                        return Some(found);
                    }
                }
                (first, Some(_)) => {
                    let (path, object) = self.stored.next()?;
                    if let Some((series, place, covered)) = first.filter(|(_, _, other)| other == path) {
                        *place += 1;
                        *covered = path_at(series, *place);
                    }
                    return Some((path.clone(), Entry::of(object)));
                }
                (None, None) | (Some(_), None) => return None,
            }
        }
    }
}

/// Returns the path at a place of a series; nothing beyond its end.
fn path_at(series: &Series, place: u64) -> String {
    if place < series.count() {
        series.path(place)
    } else {
        String::new()
    }
}

/// Returns the first path that does not begin so.
fn beyond(folder: &str) -> String {
    let mut beyond = folder.to_owned();
    let last = beyond.pop().map_or('\u{1}', |last| {
        char::from_u32(u32::from(last) + 1).unwrap_or(last)
    });
    beyond.push(last);
    beyond
}
