//! The webhook: events to one receiver, signed.
//!
//! What the receiver does not take for the moment (no connection, no answer, 429, 5xx) is sent again after pauses, and
//! then the invocation fails, so that Lambda goes on. What it refuses (another 4xx, and 3xx: redirects are not followed)
//! is not sent again by itself.

use std::time::Duration;

use active_learning_aws::{backoff::full_jitter, http::HttpClient};
use aws_config::SdkConfig;
use chrono::Utc;
use http::{HeaderMap, Request, StatusCode, header::RETRY_AFTER};
use lambda_runtime::tracing::warn;
use tokio::time::{Instant, sleep};

use crate::{
    secret::{Secret, SecretError},
    signature::SigningKey,
    url::WebhookUrl,
};

/// Times that an event is sent in one invocation, at most.
const MAX_TRIES: u32 = 4;
/// Bound of the first pause; it doubles from try to try.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Longest pause, also where the receiver asks for a longer one: Lambda's retries come later.
const MAX_PAUSE: Duration = Duration::from_secs(10);
/// Time to connect.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Time for an answer, beside that to connect: a receiver has 20 seconds for both. The specification asks for 15 to 30.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);

/// What the receiver did with an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivered {
    /// It took it.
    Taken,
    /// It refused it with this HTTP status, and would again.
    Refused(u16),
}

/// An event that the receiver did not take.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// There is no key to sign with.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The receiver does not take events at the moment: no answer, or this HTTP status.
    #[error("the receiver of the webhook did not take an event: {0}")]
    NotNow(String),
}

/// A receiver of events.
#[derive(Debug)]
pub struct Webhook {
    client: HttpClient,
    url: WebhookUrl,
    secret: Secret,
    /// Bound of the first pause; it doubles from try to try.
    first_pause: Duration,
}

/// What came of one try.
enum Tried {
    Done(Delivered),
    NotNow { why: String, pause: Option<Duration> },
}

impl Webhook {
    /// Sends to a URL, signed with a secret of Secrets Manager.
    pub fn new(sdk: &SdkConfig, url: WebhookUrl, secret_arn: String) -> Self {
        Self {
            client: HttpClient::new(CONNECT_TIMEOUT, ANSWER_TIMEOUT),
            url,
            secret: Secret::new(sdk, secret_arn),
            first_pause: FIRST_PAUSE,
        }
    }

    /// Begins pauses with another bound.
    #[must_use]
    pub fn with_first_pause(self, first_pause: Duration) -> Self {
        Self { first_pause, ..self }
    }

    /// Sends a message, again where the receiver does not take it for the moment.
    ///
    /// # Errors
    ///
    /// [`WebhookError`]; the message may have arrived.
    pub async fn send(&self, id: &str, body: &str) -> Result<Delivered, WebhookError> {
        let key = self.secret.key(Instant::now()).await?;
        for attempt in 1.. {
            match self.try_to_send(&key, id, body).await {
                Tried::Done(delivered) => return Ok(delivered),
                Tried::NotNow { why, .. } if attempt == MAX_TRIES => return Err(WebhookError::NotNow(why)),
                Tried::NotNow { why, pause } => {
                    warn!(event.id = id, attempt, why, "the webhook is sent again");
                    sleep(pause_before(attempt, self.first_pause, pause)).await;
                }
            }
        }
        unreachable!("the last attempt returns")
    }

    async fn try_to_send(&self, key: &SigningKey, id: &str, body: &str) -> Tried {
        let timestamp = Utc::now().timestamp();
        let request = Request::post(self.url.as_str())
            .header("content-type", "application/json")
            .header("user-agent", "active-learning")
            .header("webhook-id", id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", key.sign(id, timestamp, body))
            .body(body.to_owned().into());
        let not_now = |why: String| Tried::NotNow { why, pause: None };
        match request {
            // Its message might quote the URL.
            Err(_) => not_now("the request cannot be made".to_owned()),
            Ok(request) => match self.client.send(request).await {
                Ok(response) => judge(response.status(), response.headers()),
                Err(why) => not_now(why.to_string()),
            },
        }
    }
}

/// Returns the pause after so many tries: what the receiver asks for, up to [`MAX_PAUSE`], and never less than our own.
fn pause_before(attempt: u32, first_pause: Duration, asked: Option<Duration>) -> Duration {
    let own = full_jitter(attempt - 1, first_pause, MAX_PAUSE);
    asked.map_or(own, |asked| asked.min(MAX_PAUSE).max(own))
}

/// Says what an answer means; its body does not count.
fn judge(status: StatusCode, headers: &HeaderMap) -> Tried {
    let status = status.as_u16();
    match status {
        200..300 => Tried::Done(Delivered::Taken),
        408 | 425 | 429 | 500.. => Tried::NotNow {
            why: format!("HTTP {status}"),
            pause: retry_after(headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok())),
        },
        _ => Tried::Done(Delivered::Refused(status)),
    }
}

/// Reads `Retry-After` where it is a number of seconds (RFC 9110).
fn retry_after(value: Option<&str>) -> Option<Duration> {
    value?.trim().parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_a_receiver_that_asks_for_one_gets_it_up_to_ten_seconds() {
        let longest = |attempt: u32| {
            let pauses = (0..300).map(|_| pause_before(attempt, FIRST_PAUSE, None));
            pauses.max().expect("some")
        };
        let asking = |seconds: &str| {
            let value = seconds.parse().expect("a header's value");
            let headers = HeaderMap::from_iter([(RETRY_AFTER, value)]);
            match judge(StatusCode::SERVICE_UNAVAILABLE, &headers) {
                Tried::NotNow { pause, .. } => pause_before(1, FIRST_PAUSE, pause),
                Tried::Done(_) => Duration::ZERO,
            }
        };

        assert!(longest(1) <= FIRST_PAUSE && longest(3) > FIRST_PAUSE && longest(3) <= 4 * FIRST_PAUSE);
        assert_eq!(asking("7"), Duration::from_secs(7));
        assert_eq!(asking("3600"), MAX_PAUSE);
        assert!(asking("Wed, 21 Oct 2026 07:28:00 GMT") <= FIRST_PAUSE);
    }
}
