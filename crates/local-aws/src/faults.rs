//! Faults that AWS has and one machine has not: by script, for tests of whoever calls S3, and by chance, for
//! long runs of everything.

mod chance;

use std::{
    collections::{BTreeMap, HashSet},
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::body::Body;
use http::{Method, Request, Response, StatusCode, header};

use self::chance::Chance;
use crate::aws_error::{AwsError, Envelope, xml_response};

pub use self::chance::Rates;

/// Calls of S3 that a fault befalls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum S3Call {
    /// Objects that are written or removed.
    Write,
    /// Of these, those with a condition (`If-Match`, `If-None-Match`).
    ConditionalWrite,
}

/// What befalls a call, a record or an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// A call is answered 409 `ConditionalRequestConflict` and not carried out.
    Conflict,
    /// It is throttled: answered 503 `SlowDown` by S3, `ThrottlingException` by others, and not carried out.
    SlowDown,
    /// It is answered 500 and not carried out.
    Failure,
    /// It is carried out, but the connection breaks before the answer has arrived.
    LostAnswer,
    /// It takes half a second longer at most.
    Delay,
    /// A record of a `PutRecordBatch` is not taken, others are.
    LostRecord,
    /// An event is delivered twice.
    RepeatedEvent,
    /// An event comes up to five seconds late, so that later ones overtake it.
    LateEvent,
}

/// What comes about by itself while chance is at work: it is counted, not drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Seen {
    /// A conditional call was answered 412: somebody else had written.
    LostRace,
    /// An event of a service was given to a function that was at work on another one.
    EventsAtOnce,
}

/// How a service is spoken to, and so how it refuses a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// S3's own.
    S3,
    /// JSON, with the operation in a header.
    Json,
    /// REST with JSON.
    RestJson,
}

/// The faults of the services, none at first.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    rules: Arc<Mutex<Vec<Rule>>>,
    chance: Arc<Mutex<Option<Chance>>>,
    /// Events that are under way, by the ARN of their function.
    under_way: Arc<Mutex<BTreeMap<String, u64>>>,
}

/// An event that a function is at work on.
pub(crate) struct UnderWay {
    events: Arc<Mutex<BTreeMap<String, u64>>>,
    function_arn: String,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(events) = events.get_mut(&self.function_arn) {
            *events = events.saturating_sub(1);
        }
    }
}

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
    pub has_condition: bool,
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

    /// Lets chance befall calls, records and events from now on; the same seed and the same calls, the same faults.
    ///
    /// Calls of S3, Firehose, Comprehend and A2I; not those of a client of an API or of the portal.
    pub fn at_random(&self, seed: u64, rates: Rates) {
        *self.chance.lock().unwrap_or_else(PoisonError::into_inner) = Some(Chance::new(seed, rates));
    }

    /// Returns what chance has done so far.
    pub fn befallen(&self) -> BTreeMap<Fault, u64> {
        self.by_chance(|chance| chance.befallen.clone())
            .unwrap_or_default()
    }

    /// Returns what came about by itself while chance was at work.
    pub fn seen(&self) -> BTreeMap<Seen, u64> {
        self.by_chance(|chance| chance.seen.clone()).unwrap_or_default()
    }

    /// Notes that a function is given an event of a service, until what is returned is dropped.
    pub(crate) fn gives_event(&self, function_arn: &str) -> UnderWay {
        let before = {
            let mut events = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
            let events = events.entry(function_arn.to_owned()).or_default();
            *events += 1;
            *events - 1
        };
        if before > 0 {
            self.by_chance(|chance| chance.saw(Seen::EventsAtOnce));
        }
        UnderWay {
            events: self.under_way.clone(),
            function_arn: function_arn.to_owned(),
        }
    }

    /// Carries out a call to a service of this process, unless chance keeps it from it; returns what arrives of the answer.
    pub async fn around(
        &self,
        protocol: Protocol,
        has_condition: bool,
        call: impl Future<Output = Response<Body>>,
    ) -> Response<Body> {
        let envelope = match protocol {
            Protocol::S3 => None,
            Protocol::Json => Some(Envelope::Json {
                content_type: "application/x-amz-json-1.1",
                message_member: "message",
            }),
            Protocol::RestJson => Some(Envelope::RestJson),
        };
        match self.before(envelope, has_condition).await {
            Some(refusal) => refusal,
            None => self.after(call.await),
        }
    }

    /// Lets chance decide whether a fault befalls.
    pub fn befalls(&self, fault: Fault) -> bool {
        self.by_chance(|chance| chance.befalls(fault)).unwrap_or(false)
    }

    /// Returns by how much an event comes late.
    pub(crate) fn delay_of_event(&self) -> Option<Duration> {
        self.by_chance(Chance::delay_of_event).flatten()
    }

    /// Holds a call up, or returns the answer of one that is not to be carried out, by chance.
    ///
    /// `envelope` is that of the service's errors; `None` for S3.
    pub(crate) async fn before(
        &self,
        envelope: Option<Envelope>,
        has_condition: bool,
    ) -> Option<Response<Body>> {
        if let Some(delay) = self.by_chance(Chance::delay_of_call).flatten() {
            tokio::time::sleep(delay).await;
        }
        let (status, code) = if has_condition && self.befalls(Fault::Conflict) {
            (409, "ConditionalRequestConflict")
        } else if self.befalls(Fault::SlowDown) {
            match envelope {
                None => (503, "SlowDown"),
                Some(_) => (400, "ThrottlingException"),
            }
        } else if self.befalls(Fault::Failure) {
            (500, "InternalError")
        } else {
            return None;
        };
        let error = AwsError::new(status, code, "A fault by chance.");
        Some(match envelope {
            Some(envelope) => error.into_response(envelope),
            None => s3_error(status, code),
        })
    }

    /// Returns what arrives of the answer to a call that was carried out, by chance.
    pub(crate) fn after(&self, answer: Response<Body>) -> Response<Body> {
        if answer.status() == StatusCode::PRECONDITION_FAILED {
            self.by_chance(|chance| chance.saw(Seen::LostRace));
        }
        match answer.status().is_success() && self.befalls(Fault::LostAnswer) {
            true => broken(answer),
            false => answer,
        }
    }

    fn by_chance<T>(&self, ask: impl FnOnce(&mut Chance) -> T) -> Option<T> {
        let mut chance = self.chance.lock().unwrap_or_else(PoisonError::into_inner);
        chance.as_mut().map(ask)
    }

    /// Returns the answer to a call that is not to be carried out.
    pub(crate) fn refusal(&self, write: &Write) -> Option<Response<Body>> {
        let fault = self.befall(write, |fault| fault != Fault::LostAnswer)?;
        Some(match fault {
            Fault::Conflict => s3_error(409, "ConditionalRequestConflict"),
            _ => s3_error(503, "SlowDown"),
        })
    }

    /// Returns what arrives of the answer to a call that was carried out.
    pub(crate) fn arrived(&self, write: &Write, answer: Response<Body>) -> Response<Body> {
        let is_lost =
            answer.status().is_success() && self.befall(write, |fault| fault == Fault::LostAnswer).is_some();
        if !is_lost {
            return answer;
        }
        broken(answer)
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
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn s3_error(status: u16, code: &str) -> Response<Body> {
    let body = format!("<Error><Code>{code}</Code><Message>A fault.</Message></Error>");
    let status = StatusCode::from_u16(status).expect("statuses are literals");
    xml_response(status, body)
}

/// Returns an answer whose connection breaks.
fn broken(answer: Response<Body>) -> Response<Body> {
    let (mut head, _) = answer.into_parts();
    head.headers.remove(header::CONTENT_LENGTH);
    let broken = futures::stream::once(async {
        Err::<bytes::Bytes, _>(io::Error::from(io::ErrorKind::ConnectionReset))
    });
    Response::from_parts(head, Body::from_stream(broken))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_race_and_events_at_once_are_counted_while_chance_is_at_work() {
        let faults = Faults::default();
        let answer = || s3_error(412, "PreconditionFailed");
        drop(faults.after(answer()));
        assert!(faults.seen().is_empty(), "chance is not at work yet");
        faults.at_random(1, Rates::default());

        drop(faults.after(answer()));
        let one = faults.gives_event("arn:a");
        let of_another = faults.gives_event("arn:b");
        drop(one);
        let next = faults.gives_event("arn:a");
        assert_eq!(faults.seen(), [(Seen::LostRace, 1)].into());
        let beside = faults.gives_event("arn:a");
        drop((of_another, next, beside));

        assert_eq!(
            faults.seen(),
            [(Seen::LostRace, 1), (Seen::EventsAtOnce, 1)].into()
        );
    }
}
