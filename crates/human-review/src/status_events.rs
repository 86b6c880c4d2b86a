//! Events of loops that have ended, as Amazon A2I puts them on the default bus of its customer.
//!
//! The source differs: nobody but AWS may put events of a source that begins with `aws.`. Like A2I's they come at best
//! effort: a loop that has ended stays so, whether the bus took the event or not.

use std::time::Duration;

use active_learning_aws::{
    event_bus::{Event, EventBus},
    failure::chain,
    human_loops::STATUS_CHANGE,
    metrics,
};
use chrono::SecondsFormat;
use lambda_runtime::tracing::warn;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::{
    HumanReview,
    human_loop::HumanLoop,
    output::{failure, loop_arn, output_uri},
};

/// Source of the events.
pub const SOURCE: &str = "active-learning.human-review";

/// Time to tell one: a reviewer may be waiting, and API Gateway waits 29 seconds.
const TELL_TIMEOUT: Duration = Duration::from_secs(3);

/// Where the ends of loops are told.
#[derive(Debug, Clone)]
pub struct StatusEvents {
    bus: EventBus,
    /// Bucket of the output.
    bucket: String,
}

impl StatusEvents {
    /// Tells them on a bus; the output of loops lies in `bucket`.
    pub fn new(bus: EventBus, bucket: String) -> Self {
        Self { bus, bucket }
    }

    /// Tells that a loop has ended. A failure is logged and counted.
    pub(crate) async fn tell(&self, flow_definition_arn: &str, human_loop: &HumanLoop) {
        let event = Event {
            source: SOURCE,
            detail_type: STATUS_CHANGE,
            resources: vec![loop_arn(flow_definition_arn, &human_loop.name)],
            detail: detail(flow_definition_arn, &self.bucket, human_loop).to_string(),
        };
        let lost = match timeout(TELL_TIMEOUT, self.bus.put(&event)).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => chain(&error),
            Err(_) => "the event bus did not answer in time".to_owned(),
        };
        let name = &human_loop.name;
        warn!(human_loop.name = name, error = lost, "its end is not told");
        metrics::count("human-review", &[("StatusEventsLost", 1)]);
    }
}

impl HumanReview {
    /// Tells a bus when a loop has ended.
    #[must_use]
    pub fn with_event_bus(self, bus: EventBus) -> Self {
        let events = StatusEvents::new(bus.clone(), self.config.bucket.clone());
        Self {
            bus: Some(bus),
            loops: self.loops.with_status_events(events),
            ..self
        }
    }
}

/// Returns the detail of an event, in A2I's camel case.
fn detail(own_flow_arn: &str, bucket: &str, human_loop: &HumanLoop) -> Value {
    let failure = failure(human_loop);
    let output = (human_loop.has_output())
        .then(|| json!({ "outputS3Uri": output_uri(own_flow_arn, bucket, human_loop) }));
    json!({
        "creationTime": human_loop.created_at.to_rfc3339_opts(SecondsFormat::Millis, true),
        "failureCode": failure.map(|(code, _)| code),
        "failureReason": failure.map(|(_, reason)| reason),
        "flowDefinitionArn": human_loop.flow_arn(own_flow_arn),
        "humanLoopArn": loop_arn(own_flow_arn, &human_loop.name),
        "humanLoopName": human_loop.name,
        "humanLoopOutput": output,
        "humanLoopStatus": human_loop.status.as_str(),
    })
}
