//! The event bus of the stack: what others may listen to.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_eventbridge::{
    Client,
    types::{PutEventsRequestEntry, PutEventsResultEntry},
};
use lambda_runtime::tracing::warn;
use tokio::time::sleep;

use crate::{backoff::full_jitter, failure::Refusal};

/// Times that an event is given to the bus, at most; beside those of the SDK, which sees only calls that fail as a whole.
const MAX_TRIES: u32 = 4;
/// Bound of the first pause; it doubles from try to try.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// Longest pause.
const MAX_PAUSE: Duration = Duration::from_secs(2);

/// An event that the bus has not taken.
#[derive(Debug, thiserror::Error)]
pub enum EventBusError {
    /// The call failed.
    #[error("the event bus did not answer")]
    Call(#[source] Refusal),
    /// The call succeeded, and the event was refused: the code says why.
    #[error("the event bus refused an event with {0}")]
    Refused(String),
}

/// An event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// Who says it.
    pub source: &'a str,
    /// What kind of event it is.
    pub detail_type: &'a str,
    /// ARNs of what it is about.
    pub resources: Vec<String>,
    /// What it says, a JSON object.
    pub detail: String,
}

/// An event bus.
#[derive(Clone, Debug)]
pub struct EventBus {
    client: Client,
    name: String,
}

impl EventBus {
    /// Gives events to the bus of this name.
    pub fn new(sdk: &SdkConfig, name: impl Into<String>) -> Self {
        Self {
            client: Client::new(sdk),
            name: name.into(),
        }
    }

    /// Gives an event to the bus, again where only the event was refused: the call has succeeded then.
    ///
    /// # Errors
    ///
    /// [`EventBusError`].
    pub async fn put(&self, event: &Event<'_>) -> Result<(), EventBusError> {
        let entry = PutEventsRequestEntry::builder()
            .event_bus_name(&self.name)
            .source(event.source)
            .detail_type(event.detail_type)
            .set_resources(Some(event.resources.clone()))
            .detail(&event.detail)
            .build();
        for attempt in 1.. {
            let answer = self.client.put_events().entries(entry.clone()).send().await;
            let answer = answer.map_err(|error| EventBusError::Call(error.into()))?;
            let Some(code) = failure(answer.failed_entry_count(), answer.entries()) else {
                return Ok(());
            };
            if attempt == MAX_TRIES {
                return Err(EventBusError::Refused(code));
            }
            warn!(code, attempt, "the event bus refused an event: it is given again");
            sleep(full_jitter(attempt - 1, FIRST_PAUSE, MAX_PAUSE)).await;
        }
        unreachable!("the last attempt returns")
    }
}

/// Returns the code with which the only event was refused, if it was.
fn failure(failed: i32, entries: &[PutEventsResultEntry]) -> Option<String> {
    let code = entries.iter().find_map(|entry| entry.error_code());
    match (failed, code) {
        (_, Some(code)) => Some(code.to_owned()),
        (0, None) => None,
        (_, None) => Some("no code".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use aws_credential_types::Credentials;
    use axum::Router;

    use super::*;

    const TAKEN: &str = r#"{"FailedEntryCount": 0, "Entries": [{"EventId": "e-1"}]}"#;
    const REFUSED: &str = r#"{"FailedEntryCount": 1, "Entries": [{"ErrorCode": "ThrottlingException"}]}"#;

    /// Returns a bus that refuses so many events, and how often it was asked.
    fn bus(refusals: usize) -> (EventBus, Arc<AtomicUsize>) {
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = calls.clone();
        let answer = move || {
            let call = counted.fetch_add(1, Ordering::Relaxed);
            async move { if call < refusals { REFUSED } else { TAKEN } }
        };
        let router = Router::new().fallback(answer);
        let sdk = local_aws::transport::sdk_config(router, Credentials::from_keys("test", "test", None));
        (EventBus::new(&sdk, "news"), calls)
    }

    fn event() -> Event<'static> {
        Event {
            source: "active-learning",
            detail_type: "Prediction Reviewed",
            resources: Vec::new(),
            detail: "{}".to_owned(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_event_that_is_refused_in_an_answer_of_success_is_given_again() {
        let (bus, calls) = bus(2);

        let outcome = bus.put(&event()).await;

        assert!(outcome.is_ok(), "{outcome:?}");
        assert_eq!(calls.load(Ordering::Relaxed), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn an_event_that_is_refused_to_the_end_is_an_error_with_its_code() {
        let (bus, calls) = bus(100);

        let outcome = bus.put(&event()).await;

        assert!(
            matches!(&outcome, Err(EventBusError::Refused(code)) if code == "ThrottlingException"),
            "{outcome:?}"
        );
        assert_eq!(calls.load(Ordering::Relaxed), MAX_TRIES as usize);
    }
}
