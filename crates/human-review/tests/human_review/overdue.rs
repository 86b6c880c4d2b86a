//! Loops whose time is over end, and are told, though nobody looks at them.

use std::path::Path;
use std::sync::atomic::Ordering;

use chrono::Duration;
use serde_json::{Value, json};

use crate::control_plane::{add_flow, flow, made, start};
use crate::harness::{Review, config, two_items};
use crate::status_events::{events, services};

const EXPIRING: &str = "human-review/expiring/";
const TONE: &str = "arn:aws:sagemaker:us-east-1:123456789012:flow-definition/tone";
const ONE_HOUR: &str = "arn:aws:sagemaker:us-east-1:123456789012:flow-definition/one-hour";

/// Starts a loop of a flow definition that lets it wait for an hour, the stack's own for a day.
async fn start_for_an_hour(review: &Review, name: &str) {
    add_flow(review).await;
    let an_hour = json!({ "HumanLoopConfig.TaskAvailabilityLifetimeInSeconds": 3_600 });
    made(review, "CreateFlowDefinition", flow("one-hour", "tone", an_hour)).await;
    let started = start(review, name, ONE_HOUR, &json!({ "taskObject": "Fine" })).await;
    assert_eq!(started.status(), 200, "{started:?}");
}

async fn measure(review: &Review) {
    review.handle(json!({ "operation": "measure" })).await;
}

/// Returns the state of a loop as it is stored: who asks for it would end it.
async fn stored(review: &Review, name: &str) -> Value {
    let state = review.object(&format!("human-review/loops/{name}.json")).await;
    serde_json::from_str(&state).expect("JSON")
}

fn told(folder: &Path) -> Vec<(Value, Value)> {
    let all = events(folder).into_iter();
    let detail = |mut event: Value| event["detail"].take();
    let of = |mut detail: Value| (detail["humanLoopName"].take(), detail["failureCode"].take());
    all.map(detail).map(of).collect()
}

async fn end_overdue(review: &Review) {
    review.handle(json!({ "operation": "end-overdue" })).await;
}

#[tokio::test]
async fn a_task_that_nobody_answered_in_time_is_told_within_a_minute_and_no_other_is_read_for_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (_aws, review) = services(folder.path());
    for number in 1..=3 {
        review.start(&format!("early-{number}"), &two_items()).await;
    }
    review.wait(Duration::minutes(10));
    review.start("tc-1", &two_items()).await;
    review.wait(Duration::seconds(30));
    review.start("later", &two_items()).await;
    let wait = Duration::seconds(config().task_availability_seconds.into());
    review.wait(wait - Duration::seconds(31));
    end_overdue(&review).await;
    let before = stored(&review, "tc-1").await;
    let requests = [&review.reads, &review.lists];
    let counted = || requests.map(|count| count.load(Ordering::Relaxed));

    review.wait(Duration::seconds(1));
    let at_start = counted();
    end_overdue(&review).await;
    let at_end = counted();
    end_overdue(&review).await;

    assert_eq!(before["status"], "InProgress");
    assert_eq!(told(folder.path()), [(json!("tc-1"), json!("Expired"))]);
    // Its state is read once, and nothing of the four others.
    assert!(at_end[0] - at_start[0] <= 2, "{at_start:?} {at_end:?}");
    let lists = "what is due, the queue, and the labelling jobs that are open";
    assert_eq!(at_end[1] - at_start[1], 3, "{lists}");
    assert_eq!(stored(&review, "later").await["status"], "InProgress");
    assert_eq!(stored(&review, "early-1").await["status"], "InProgress");
}

#[tokio::test]
async fn a_loop_of_another_flow_definition_is_told_within_a_minute_of_its_end() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (_aws, review) = services(folder.path());
    start_for_an_hour(&review, "short").await;

    for _ in 0..61 {
        end_overdue(&review).await;
        review.wait(Duration::minutes(1));
    }

    assert_eq!(told(folder.path()), [(json!("short"), json!("Expired"))]);
}

#[tokio::test]
async fn a_loop_of_another_flow_definition_ends_at_its_own_time_and_is_told_once() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (_aws, review) = services(folder.path());
    start_for_an_hour(&review, "short").await;
    review.start("tc-1", &two_items()).await;
    review.wait(Duration::minutes(59));
    measure(&review).await;
    let before = stored(&review, "short").await;

    for _ in 0..2 {
        review.wait(Duration::minutes(2));
        measure(&review).await;
    }

    assert_eq!(before["status"], "InProgress");
    assert_eq!(stored(&review, "short").await["status"], "Failed");
    assert_eq!(stored(&review, "tc-1").await["status"], "InProgress");
    assert_eq!(told(folder.path()), [(json!("short"), json!("Expired"))]);
    assert_eq!(review.keys(EXPIRING).await, Vec::<String>::new());
    assert_eq!(
        review.keys("human-review/queue/").await.len(),
        1,
        "that of the stack"
    );
}

#[tokio::test]
async fn a_task_waits_for_as_long_as_the_stack_says_today_whatever_it_said_when_the_task_was_started() {
    let review = Review::new();
    let (hour, month) = (Duration::hours(1), Duration::days(30));
    for (name, said_then) in [("shorter", hour), ("longer", month)] {
        review.start(name, &two_items()).await;
        let mut state = stored(&review, name).await;
        state["expires_at"] = json!(review.now() + said_then);
        let key = format!("human-review/loops/{name}.json");
        review.put(&key, &state.to_string()).await;
    }
    review.wait(hour * 2);
    measure(&review).await;
    let after_hours = review.status("shorter").await;

    review.wait(Duration::seconds(config().task_availability_seconds.into()));
    measure(&review).await;

    assert_eq!(after_hours, "InProgress");
    for name in ["shorter", "longer"] {
        assert_eq!(stored(&review, name).await["status"], "Failed", "{name}");
    }
}

#[tokio::test]
async fn a_start_again_is_taken_while_the_stack_lets_the_task_wait_longer_than_when_it_was_started() {
    let review = Review::new();
    review.start("tc-1", &two_items()).await;
    let mut state = stored(&review, "tc-1").await;
    state["expires_at"] = json!(review.now() - Duration::hours(1));
    review
        .put("human-review/loops/tc-1.json", &state.to_string())
        .await;

    let again = review.start("tc-1", &two_items()).await;

    assert_eq!(again.status(), 200, "{again:?}");
    assert_eq!(review.status("tc-1").await, "InProgress");
}

#[tokio::test]
async fn a_loop_that_is_answered_in_time_or_deleted_leaves_no_mark() {
    let review = Review::new();
    start_for_an_hour(&review, "short").await;
    start(&review, "gone", ONE_HOUR, &json!({ "taskObject": "Bad" })).await;
    let before = review.keys(EXPIRING).await.len();
    let ada = review.sign_in("ada").await;
    let task = ada.open("short").await;

    ada.submit(&task, &json!({ "sentiment": { "label": "positive" } }))
        .await;
    review.stop("gone").await;
    review.delete("gone").await;

    assert_eq!(stored(&review, "short").await["status"], "Completed");
    assert_eq!((before, review.keys(EXPIRING).await.len()), (2, 0));
}

#[tokio::test]
async fn a_loop_without_a_mark_that_a_version_before_has_started_ends_as_it_did() {
    let review = Review::new();
    start_for_an_hour(&review, "short").await;
    let mark = review.keys(EXPIRING).await.remove(0);
    review.remove(&mark).await;

    review.wait(Duration::hours(25));
    measure(&review).await;

    assert_eq!(stored(&review, "short").await["status"], "Failed");
    assert_eq!(review.keys("human-review/queue/").await, Vec::<String>::new());
}

#[tokio::test]
async fn a_mark_of_a_start_that_came_no_further_is_removed() {
    let review = Review::new();
    let id = "0f".repeat(16);
    review
        .put(&format!("{EXPIRING}1000000000000-{id}-never"), "")
        .await;

    measure(&review).await;

    assert_eq!(review.keys(EXPIRING).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_loop_that_is_stopped_while_somebody_holds_it_ends_when_their_time_is_over() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (_aws, review) = services(folder.path());
    review.start("tc-1", &two_items()).await;
    review.sign_in("ann").await.open("tc-1").await;
    review.stop("tc-1").await;
    measure(&review).await;
    let before = stored(&review, "tc-1").await;

    for _ in 0..2 {
        review.wait(Duration::minutes(11));
        measure(&review).await;
    }

    assert_eq!(before["status"], "Stopping");
    assert_eq!(stored(&review, "tc-1").await["status"], "Stopped");
    assert_eq!(told(folder.path()).len(), 1);
    assert_eq!(review.keys(EXPIRING).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_look_reads_no_loop_that_is_found_otherwise_when_it_is_due() {
    let review = Review::new();
    add_flow(&review).await;
    for number in 1..=3 {
        // They may wait for 30 days.
        let name = format!("tone-{number}");
        start(&review, &name, TONE, &json!({ "taskObject": number })).await;
    }
    let time = review.now().timestamp_millis();
    let of_job = format!(
        "human-review/queue/00000-{time}-{}-job-0123456789ab-000001",
        "0f".repeat(16)
    );
    review.put(&of_job, "").await;
    let reads_of_look = async || {
        let before = review.reads.load(Ordering::Relaxed);
        measure(&review).await;
        review.reads.load(Ordering::Relaxed) - before
    };
    reads_of_look().await;

    let early = reads_of_look().await;
    review.wait(Duration::hours(25));
    let late = reads_of_look().await;

    assert_eq!(early, late);
    assert_eq!(review.keys("human-review/queue/").await.len(), 4);
    assert_eq!(stored(&review, "tone-1").await["status"], "InProgress");
}

#[tokio::test]
async fn a_loop_whose_state_is_damaged_holds_up_no_other_whose_time_is_over() {
    let review = Review::new();
    for name in ["a-damaged", "job-night-1", "tc-1"] {
        review.start(name, &two_items()).await;
    }
    start_for_an_hour(&review, "short").await;
    start(&review, "a-short", ONE_HOUR, &json!({ "taskObject": "Bad" })).await;
    for name in ["a-damaged", "a-short"] {
        review.put(&format!("human-review/loops/{name}.json"), "{").await;
    }
    review.wait(Duration::hours(25));

    measure(&review).await;

    for name in ["job-night-1", "tc-1", "short"] {
        assert_eq!(stored(&review, name).await["status"], "Failed", "{name}");
    }
}
