//! Faults that AWS has and one machine has not, by script: for tests of whoever calls S3.

use std::{
    collections::HashSet,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::body::Body;
use http::{Method, Request, Response, StatusCode, header};

use crate::aws_error::xml_response;

/// Calls of S3 that a fault befalls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum S3Call {
    /// Objects that are written or removed.
    Write,
    /// Of these, those with a condition (`If-Match`, `If-None-Match`).
    ConditionalWrite,
}

/// What befalls a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is answered 409 `ConditionalRequestConflict` and not carried out.
    Conflict,
    /// It is answered 503 `SlowDown` and not carried out.
    SlowDown,
    /// It is carried out, but the connection breaks before the answer has arrived.
    LostAnswer,
}

/// The faults of the services, none at first.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Mutex<Vec<Rule>>>);

#[derive(Debug)]
struct Rule {
    calls: S3Call,
    fault: Fault,
    /// Bucket and key of each object that it has befallen.
    befallen: HashSet<String>,
}

/// What of a call the rules look at.
pub(crate) struct Write {
    object: String,
    has_condition: bool,
}

impl Faults {
    /// Lets a fault befall the first such call on each object. Of several for one call, those that keep it from
    /// being carried out come first.
    pub fn once_per_object(&self, calls: S3Call, fault: Fault) {
        self.rules().push(Rule {
            calls,
            fault,
            befallen: HashSet::new(),
        });
    }

    /// Returns how often a fault has befallen a call.
    pub fn count(&self, fault: Fault) -> usize {
        let rules = self.rules();
        let counts = rules.iter().filter(|rule| rule.fault == fault);
        counts.map(|rule| rule.befallen.len()).sum()
    }

    /// Returns the answer to a call that is not to be carried out.
    pub(crate) fn refusal(&self, write: &Write) -> Option<Response<Body>> {
        let fault = self.befall(write, |fault| fault != Fault::LostAnswer)?;
        let (status, code) = match fault {
            Fault::Conflict => (StatusCode::CONFLICT, "ConditionalRequestConflict"),
            Fault::SlowDown | Fault::LostAnswer => (StatusCode::SERVICE_UNAVAILABLE, "SlowDown"),
        };
        let body = format!("<Error><Code>{code}</Code><Message>A fault by script.</Message></Error>");
        Some(xml_response(status, body))
    }

    /// Returns what arrives of the answer to a call that was carried out.
    pub(crate) fn arrived(&self, write: &Write, answer: Response<Body>) -> Response<Body> {
        let is_lost =
            answer.status().is_success() && self.befall(write, |fault| fault == Fault::LostAnswer).is_some();
        if !is_lost {
            return answer;
        }
        let (mut head, _) = answer.into_parts();
        head.headers.remove(header::CONTENT_LENGTH);
        let broken = futures::stream::once(async {
            Err::<bytes::Bytes, _>(io::Error::from(io::ErrorKind::ConnectionReset))
        });
        Response::from_parts(head, Body::from_stream(broken))
    }

    fn befall(&self, write: &Write, is_wanted: impl Fn(Fault) -> bool) -> Option<Fault> {
        let mut rules = self.rules();
        let rule = rules.iter_mut().find(|rule| {
            let fits = rule.calls == S3Call::Write || write.has_condition;
            fits && is_wanted(rule.fault) && !rule.befallen.contains(&write.object)
        })?;
        rule.befallen.insert(write.object.clone());
        Some(rule.fault)
    }

    fn rules(&self) -> MutexGuard<'_, Vec<Rule>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write {
    /// Returns what a request writes; `None` if it writes no object.
    pub(crate) fn of<B>(request: &Request<B>) -> Option<Self> {
        let object = request.uri().path();
        let has_key = object
            .trim_start_matches('/')
            .split_once('/')
            .is_some_and(|(_, key)| !key.is_empty());
        let is_write = [Method::PUT, Method::DELETE].contains(request.method());
        let has = |name| request.headers().contains_key(name);
        (is_write && has_key).then(|| Self {
            object: object.to_owned(),
            has_condition: has(header::IF_MATCH) || has(header::IF_NONE_MATCH),
        })
    }
}
