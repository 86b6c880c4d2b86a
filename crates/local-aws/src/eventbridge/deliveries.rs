//! Events on their way to API destinations: sent until they are taken, refused or given up.
//!
//! An endpoint that answers 401, 407, 409, 429 or 5xx, or nothing within five seconds, is asked again; another answer than
//! 2xx ends it.
//! Source: Amazon EventBridge User Guide, "API destinations". Pauses are seconds here, not minutes; what is given up is
//! a line of `logs/api-destination-<name>.log`, by the event's id, since there are no dead-letter queues.

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
    time::Duration,
};

use bytes::Bytes;
use chrono::{SecondsFormat, Utc};
use futures::StreamExt;
use http::{HeaderMap, Request, StatusCode, header::RETRY_AFTER};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::Notify;
use url::Url;

use super::{
    EventBridge, PRINCIPAL,
    api_destinations::{ApiDestinationSpec, name_in},
    connections::{ConnectionSpec, Parameter},
    http_client::{HttpClient, http_client},
    targets::{HttpParameters, RetryPolicy},
    waiting::{self, Place},
};
use crate::{alive::NOTE_INTERVAL, iam::Principal, invocation_queue::epoch_millis};

/// Time for an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// The first pause between two tries; it doubles from try to try.
const FIRST_PAUSE_MS: u64 = 1_000;
const LONGEST_PAUSE_MS: u64 = 60_000;
/// Shortest sleep: what the disk does not take stays due.
const SHORTEST_SLEEP: Duration = Duration::from_millis(100);
/// Longest sleep, after which the clock is looked at again: a laptop may have slept meanwhile.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);
/// Requests at once.
const AT_ONCE: usize = 16;

/// An event on its way to an API destination.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Delivery {
    pub destination_arn: String,
    pub rule_arn: String,
    pub event_id: String,
    pub role_arn: Option<String>,
    pub payload: String,
    pub http: HttpParameters,
    pub retry: RetryPolicy,
    pub accepted_ms: u64,
    pub attempts: u32,
    pub not_before_ms: u64,
}

/// Wakes the deliveries, and sends them.
#[derive(Debug, Clone, Default)]
pub(super) struct Sender {
    wake: Arc<Notify>,
    client: Arc<OnceLock<HttpClient>>,
}

/// What came of one try.
enum Tried {
    Taken,
    Refused(String),
    NotNow { why: String, pause: Duration },
}

impl Sender {
    /// Tells that deliveries were committed.
    pub(super) fn wake(&self) {
        self.wake.notify_one();
    }

    async fn send(&self, request: Request<Bytes>) -> Tried {
        let client = self.client.get_or_init(http_client);
        let not_now = |why: &str| Tried::NotNow {
            why: why.to_owned(),
            pause: Duration::ZERO,
        };
        let answer = client.request(request.map(Into::into));
        match tokio::time::timeout(ANSWER_TIMEOUT, answer).await {
            Ok(Ok(response)) => judge(response.status(), response.headers()),
            Ok(Err(_)) => not_now("no connection"),
            Err(_) => not_now("no answer in time"),
        }
    }
}

fn after(now_ms: u64, pause: Duration) -> u64 {
    now_ms.saturating_add(u64::try_from(pause.as_millis()).unwrap_or(u64::MAX))
}

fn judge(status: StatusCode, headers: &HeaderMap) -> Tried {
    let status = status.as_u16();
    let why = format!("HTTP {status}");
    let asked = headers.get(RETRY_AFTER).and_then(|seconds| seconds.to_str().ok());
    let asked: Option<i64> = asked.and_then(|seconds| seconds.trim().parse().ok());
    match (status, asked.unwrap_or_default()) {
        (200..300, _) => Tried::Taken,
        (401 | 407 | 409 | 429 | 500.., 0) => Tried::NotNow {
            why,
            pause: Duration::ZERO,
        },
        (401 | 407 | 409 | 429 | 500.., pause @ 1..) => Tried::NotNow {
            why: format!("{why}, to come again in {pause} s"),
            pause: Duration::from_secs(pause.unsigned_abs()),
        },
        // A negative pause asks not to come again.
        _ => Tried::Refused(why),
    }
}

impl EventBridge {
    /// Sends events to API destinations, for ever. Provision everything before.
    pub async fn run(&self) {
        let mut noted_ms = 0;
        loop {
            let now_ms = epoch_millis();
            if Duration::from_millis(now_ms.abs_diff(noted_ms)) >= NOTE_INTERVAL {
                noted_ms = now_ms;
                self.note_alive().await;
            }
            // The earliest alone: one destination that does not answer holds up no other for longer than its own timeout.
            let found = waiting::due(&self.store.index, epoch_millis(), AT_ONCE);
            let (due, next_ms) = match found {
                Ok(found) => found,
                Err(error) => {
                    tracing::error!(%error, "events for API destinations cannot be read");
                    (Vec::new(), u64::MAX)
                }
            };
            futures::stream::iter(due)
                .for_each_concurrent(AT_ONCE, |(place, delivery)| self.deliver(place, delivery))
                .await;
            let sleep = Duration::from_millis(next_ms.saturating_sub(epoch_millis()));
            tokio::time::sleep(SHORTEST_SLEEP).await;
            let woken = self.sender.wake.notified();
            // Either way there may be something to do.
            let _ = tokio::time::timeout(sleep.min(LONGEST_SLEEP), woken).await;
        }
    }

    /// Tries once, and keeps what came of it.
    async fn deliver(&self, place: Place, mut delivery: Delivery) {
        let tried = match self.request(&delivery) {
            Ok(request) => self.sender.send(request).await,
            Err(reason) => Tried::Refused(reason),
        };
        delivery.attempts += 1;
        let now_ms = epoch_millis();
        if let Tried::NotNow { pause, .. } = &tried
            && delivery.is_over(after(now_ms, *pause))
        {
            self.note_alive().await;
            self.look_at_age(place, &mut delivery);
        }
        let kept = match tried {
            Tried::Taken => None,
            Tried::Refused(reason) => self.give_up(&delivery, &reason),
            // By then it may be too old.
            Tried::NotNow { why, pause } if delivery.is_over(after(now_ms, pause)) => {
                self.give_up(&delivery, &why)
            }
            Tried::NotNow { why, pause } => {
                let own = FIRST_PAUSE_MS << (delivery.attempts - 1).min(16);
                let own = now_ms.saturating_add(own.min(LONGEST_PAUSE_MS));
                delivery.not_before_ms = own.max(after(now_ms, pause));
                tracing::info!(
                    destination = delivery.destination_arn,
                    why,
                    "an event is sent again"
                );
                Some(delivery)
            }
        };
        let store = self.store.clone();
        let settle = move || waiting::settle(&store.index, place, kept.as_ref());
        let settled = tokio::task::spawn_blocking(settle).await;
        if let Err(error) = settled.expect("storing does not panic and is not aborted") {
            tracing::error!(%error, "what came of an event for an API destination cannot be stored");
        }
    }

    /// Notes that the service runs: what waits does not age while nothing does.
    async fn note_alive(&self) {
        let store = self.store.clone();
        let note = move || waiting::note_alive(&store.index, epoch_millis());
        let noted = tokio::task::spawn_blocking(note).await;
        if let Err(error) = noted.expect("storing does not panic and is not aborted") {
            tracing::warn!(%error, "that the service runs could not be noted");
        }
    }

    /// Takes over when an event was accepted, as that counts by now: the machine may have slept while it was sent.
    fn look_at_age(&self, place: Place, delivery: &mut Delivery) {
        match waiting::accepted_ms(&self.store.index, place) {
            Ok(accepted_ms) => delivery.accepted_ms = accepted_ms.unwrap_or(delivery.accepted_ms),
            Err(error) => {
                tracing::error!(%error, "the age of an event for an API destination cannot be read")
            }
        }
    }

    /// Tells that an event is not sent again.
    fn give_up(&self, delivery: &Delivery, reason: &str) -> Option<Delivery> {
        let (destination, event) = (&delivery.destination_arn, &delivery.event_id);
        tracing::error!(destination, event, reason, "an event is given up");
        let name = name_in(destination);
        let line = json!({
            "time": Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true),
            "eventId": event,
            "ruleArn": delivery.rule_arn,
            "attempts": delivery.attempts,
            "reason": reason,
        });
        let log = format!("api-destination-{name}");
        if let Err(error) = self.store.append_log(&log, &format!("{line}\n")) {
            tracing::warn!(%error, log, "an event that was given up cannot be logged");
        }
        None
    }

    /// Makes the request of a delivery.
    ///
    /// # Errors
    ///
    /// Why there is none: what it needs is gone, or the role may not.
    fn request(&self, delivery: &Delivery) -> Result<Request<Bytes>, String> {
        let arn = &delivery.destination_arn;
        let found = self.destination_at(arn);
        let (destination, connection) =
            found.ok_or("there is no such API destination, or it has no connection")?;
        let role = delivery.role_arn.clone().unwrap_or_default();
        if !self.iam.may_assume(PRINCIPAL, &role) {
            return Err(format!("{PRINCIPAL} cannot assume {role}"));
        }
        let role = Principal::Role { arn: role };
        let permitted = self.iam.permit(&role, "events:InvokeApiDestination", arn);
        permitted.map_err(|denied| denied.to_string())?;
        request(&destination, &connection, delivery)
    }
}

impl Delivery {
    /// Returns whether there is no further try at that time.
    pub(super) fn is_over(&self, at_ms: u64) -> bool {
        let age_ms = at_ms.saturating_sub(self.accepted_ms);
        self.attempts > self.retry.maximum_retry_attempts
            || age_ms >= u64::from(self.retry.maximum_event_age_in_seconds) * 1_000
    }
}

fn request(
    destination: &ApiDestinationSpec,
    connection: &ConnectionSpec,
    delivery: &Delivery,
) -> Result<Request<Bytes>, String> {
    let own = &connection.auth_parameters.invocation_http_parameters;
    let given = |parameters: &[Parameter]| -> Vec<(String, String)> {
        let pairs = parameters.iter().map(|it| (it.key.clone(), it.value.clone()));
        pairs.collect()
    };
    let mut url = url(
        &destination.invocation_endpoint,
        &delivery.http.path_parameter_values,
    )?;
    let mut query = delivery.http.query_string_parameters.clone();
    query.extend(given(&own.query_string_parameters));
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
    let mut body = delivery.payload.clone();
    if let (false, Ok(Value::Object(mut members))) =
        (own.body_parameters.is_empty(), serde_json::from_str(&body))
    {
        let more = given(&own.body_parameters).into_iter();
        members.extend(more.map(|(name, value)| (name, Value::from(value))));
        body = Value::Object(members).to_string();
    }

    let mut headers = BTreeMap::from([(
        "content-type".to_owned(),
        "application/json; charset=utf-8".to_owned(),
    )]);
    let of_target = delivery.http.header_parameters.clone().into_iter();
    let of_connection = given(&own.header_parameters).into_iter();
    let all = of_target.chain(of_connection).chain(connection.authorization());
    headers.extend(all.map(|(name, value)| (name.to_ascii_lowercase(), value)));
    headers.insert(
        "user-agent".to_owned(),
        "Amazon/EventBridge/ApiDestinations".to_owned(),
    );
    headers.insert("range".to_owned(), "bytes=0-1048575".to_owned());

    let mut request = Request::builder()
        .method(destination.http_method.as_str())
        .uri(url.as_str());
    for (name, value) in headers {
        request = request.header(name, value);
    }
    // The message of this might quote a secret.
    let wrong = |_| "the request cannot be made".to_owned();
    request.body(Bytes::from(body)).map_err(wrong)
}

/// Returns an endpoint with its stars replaced.
fn url(endpoint: &str, values: &[String]) -> Result<Url, String> {
    let mut parts = endpoint.split('*');
    let mut url = parts.next().unwrap_or_default().to_owned();
    let mut values = values.iter();
    for part in parts {
        let value = values.next().ok_or("a path parameter of the target is missing")?;
        url += &utf8_percent_encode(value, NON_ALPHANUMERIC).to_string();
        url += part;
    }
    Url::parse(&url).map_err(|_| "the endpoint is no URL".to_owned())
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    #[test]
    fn an_endpoint_is_asked_again_where_eventbridge_asks_again() {
        let judged = |status: u16| {
            let status = StatusCode::from_u16(status).expect("a status");
            judge(status, &HeaderMap::new())
        };

        for status in [401, 407, 409, 429, 500, 503] {
            assert!(matches!(judged(status), Tried::NotNow { .. }), "{status}");
        }
        for status in [301, 400, 403, 404, 408, 422] {
            assert!(matches!(judged(status), Tried::Refused(_)), "{status}");
        }
        assert!(matches!(judged(204), Tried::Taken));
    }

    #[tokio::test]
    async fn an_answer_counts_whatever_bytes_its_headers_hold() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/", listener.local_addr().expect("an address"));
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let _ = stream.read(&mut [0; 4096]).await;
            let answer = b"HTTP/1.1 204 No Content\r\nx-place: M\xfcnchen\r\n\r\n";
            let _ = stream.write_all(answer).await;
        });
        let request = Request::post(url)
            .body(Bytes::from_static(b"{}"))
            .expect("a request");

        let tried = Sender::default().send(request).await;

        assert!(matches!(tried, Tried::Taken));
    }
}
