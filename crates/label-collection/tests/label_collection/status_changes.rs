//! What EventBridge tells of the end of a human loop.

use serde_json::{Value, json};

use crate::harness::{FEEDBACK, FLOW, LIST, LOOP, START, Services, input};

const STATUS_CHANGE: &str = include_str!("../../../../events/label-collection/human-loop-status-change.json");

/// The sample's event, of another loop or flow definition.
fn status_change(flow: &str, name: &str, status: &str) -> Value {
    let mut event: Value = serde_json::from_str(STATUS_CHANGE).expect("JSON");
    event["detail"]["flowDefinitionArn"] = json!(flow);
    event["detail"]["humanLoopName"] = json!(name);
    event["detail"]["humanLoopStatus"] = json!(status);
    event
}

impl Services {
    async fn asked_and_ended(&self, name: &str, status: &str) {
        self.put(FEEDBACK, &format!("asked/{name}.json"), input().to_string())
            .await;
        self.review.add(name, status, &active_learning_aws::now());
    }

    async fn told(&self, event: Value) {
        self.function().handle(event).await.expect("seen to");
    }
}

#[tokio::test]
async fn a_loop_that_failed_is_asked_again_when_its_event_comes_and_twice_is_once() {
    let services = Services::start();
    services.asked_and_ended(LOOP, "Failed").await;

    services.told(status_change(FLOW, LOOP, "Failed")).await;
    services.told(status_change(FLOW, LOOP, "Failed")).await;

    let next = format!("{LOOP}-retry-1");
    assert_eq!(services.open().await, [next.as_str()]);
    assert_eq!(services.review.loops().len(), 2);
    assert_eq!(services.script.calls(LIST).len(), 1, "the loop itself");
}

#[tokio::test]
async fn a_loop_that_was_stopped_is_given_up_when_its_event_comes() {
    let services = Services::start();
    services.asked_and_ended(LOOP, "Stopped").await;

    let event = serde_json::from_str(STATUS_CHANGE).expect("JSON");
    services.told(event).await;

    assert!(services.open().await.is_empty());
    assert!(services.script.calls(START).is_empty());
    assert_eq!(services.keys(FEEDBACK, "rejected/").await.len(), 1);
}

#[tokio::test]
async fn loops_of_others_and_those_that_are_done_with_are_left_alone() {
    let services = Services::start();
    services.asked_and_ended(LOOP, "Failed").await;
    let other_flow = FLOW.replace("flow-definition/", "flow-definition/another-");
    let done_with = LOOP.replace('5', "6");

    services.told(status_change(&other_flow, LOOP, "Failed")).await;
    services.told(status_change(FLOW, &done_with, "Failed")).await;
    services
        .told(status_change(FLOW, "somebody-elses", "Failed"))
        .await;

    assert_eq!(services.open().await, [LOOP]);
    assert!(services.script.calls(START).is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_event_of_a_loop_that_failed_does_not_fail_where_there_is_no_room_to_ask_again() {
    let services = Services::start();
    services.asked_and_ended(LOOP, "Failed").await;
    services
        .script
        .always(START, 402, r#"{"__type": "ServiceQuotaExceededException"}"#);

    services.told(status_change(FLOW, LOOP, "Failed")).await;

    assert_eq!(services.open().await, [format!("{LOOP}-retry-1")]);
    assert_eq!(services.review.loops().len(), 1);
}

#[tokio::test]
async fn an_event_without_the_loop_is_an_error() {
    let services = Services::start();

    let outcome = services
        .function()
        .handle(json!({"detail-type": "SageMaker A2I HumanLoop Status Change", "detail": {}}))
        .await;

    assert!(outcome.is_err());
}
