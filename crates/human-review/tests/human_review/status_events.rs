//! What the event bus is told of loops that have ended.

use std::path::Path;

use chrono::Duration;
use local_aws::{LocalAws, eventbridge::EventBusSpec, transport::ENDPOINT_URL};
use serde_json::{Value, json};

use crate::harness::{BUCKET, FLOW, Review, config, two_items};
use crate::labelling_jobs::{call, describe, label, request, sources, started};

/// Starts services with the bus, and a review service that tells it.
pub fn services(folder: &Path) -> (LocalAws, Review) {
    let aws = LocalAws::open(folder, "us-east-1", ENDPOINT_URL).expect("the folder is free");
    aws.events.put_event_bus(EventBusSpec {
        name: config().event_bus,
        description: None,
    });
    let review = Review::telling(config(), &aws.sdk_config());
    (aws, review)
}

pub fn events(folder: &Path) -> Vec<Value> {
    let log = folder.join(format!("logs/event-bus-{}.log", config().event_bus));
    let log = std::fs::read_to_string(log).unwrap_or_default();
    log.lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

#[tokio::test]
async fn a_loop_that_was_stopped_is_told_in_the_shape_of_a2i_and_once() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (_aws, review) = services(folder.path());
    review.start("tc-1", &two_items()).await;

    review.stop("tc-1").await;
    review.status("tc-1").await;

    let events = events(folder.path());
    assert_eq!(events.len(), 1, "{events:?}");
    let event = &events[0];
    let arn = "arn:aws:sagemaker:us-east-1:123456789012:human-loop/tc-1";
    assert_eq!(
        (&event["source"], &event["detail-type"], &event["resources"]),
        (
            &json!("active-learning.human-review"),
            &json!("SageMaker A2I HumanLoop Status Change"),
            &json!([arn])
        )
    );
    let expected = json!({
        "creationTime": "2026-11-20T09:59:00.123Z",
        "failureCode": null,
        "failureReason": null,
        "flowDefinitionArn": FLOW,
        "humanLoopArn": arn,
        "humanLoopName": "tc-1",
        "humanLoopOutput": null,
        "humanLoopStatus": "Stopped",
    });
    assert_eq!(event["detail"], expected);
}

#[tokio::test]
async fn a_loop_that_was_answered_is_told_with_its_output() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (_aws, review) = services(folder.path());
    review.start("tc-1", &two_items()).await;
    let ann = review.sign_in("ann").await;
    let task = ann.open("tc-1").await;

    ann.submit(&task, &json!({"r-2": "World", "r-10": "Sports"}))
        .await;

    let detail = &events(folder.path())[0]["detail"];
    assert_eq!(detail["humanLoopStatus"], "Completed");
    let uri = detail["humanLoopOutput"]["outputS3Uri"]
        .as_str()
        .expect("an output");
    let key = uri
        .strip_prefix(&format!("s3://{BUCKET}/"))
        .expect("in the bucket");
    assert!(review.object(key).await.contains("World"));
}

#[tokio::test]
async fn a_loop_that_nobody_answered_in_time_is_ended_and_told_though_nobody_looks_at_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (_aws, review) = services(folder.path());
    review.start("tc-old", &two_items()).await;
    review.wait(Duration::hours(23));
    review.start("tc-new", &two_items()).await;
    review.handle(json!({"operation": "measure"})).await;
    let before = events(folder.path());
    review.wait(Duration::hours(2));

    let measured = review.handle(json!({"operation": "measure"})).await;

    let after = events(folder.path());
    assert_eq!((before.len(), after.len()), (0, 1), "{after:?}");
    let detail = &after[0]["detail"];
    assert_eq!(
        (
            &detail["humanLoopName"],
            &detail["humanLoopStatus"],
            &detail["failureCode"]
        ),
        (&json!("tc-old"), &json!("Failed"), &json!("Expired"))
    );
    assert_eq!(measured["waiting"]["tasks"]["count"], 1);
}

#[tokio::test]
async fn the_end_of_a_task_of_a_labelling_job_is_told_once() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (_aws, review) = services(folder.path());
    started(&review, &sources(&["One", "Two"]), &request("topics", json!({}))).await;
    let ann = review.sign_in("ann").await;
    let name = ann.get("next").await.header("location").to_owned();
    let name = name.strip_prefix("task?loop=").expect("a task");
    let task = ann.open(name).await;
    ann.submit(&task, &label("World")).await;

    for _ in 0..2 {
        review.status(name).await;
    }
    ann.submit(&task, &label("World")).await;

    let events = events(folder.path());
    let ends = events
        .iter()
        .filter(|event| event["detail"]["humanLoopName"] == name);
    assert_eq!(ends.count(), 1, "{events:?}");
}

#[tokio::test]
async fn a_bus_that_takes_nothing_changes_nothing_about_the_loop() {
    let aws = LocalAws::in_memory();
    let review = Review::telling(config(), &aws.sdk_config());
    review.start("tc-1", &two_items()).await;

    review.stop("tc-1").await;

    assert_eq!(review.status("tc-1").await, "Stopped");
}

#[tokio::test]
async fn a_second_stop_of_a_labelling_job_goes_on_where_the_first_was_cut_off() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (_aws, review) = services(folder.path());
    started(&review, &sources(&["One"]), &request("stop", json!({}))).await;
    let stop = json!({ "LabelingJobName": "stop" });
    let goes_on = || {
        let events = events(folder.path());
        let told = events
            .iter()
            .filter(|event| event["detail-type"] == "Labeling Job Goes On");
        told.count()
    };
    let before = goes_on();

    let first = call(&review, "StopLabelingJob", &stop).await;
    let after_first = goes_on();
    // Nothing comes of it.
    let second = call(&review, "StopLabelingJob", &stop).await;

    assert_eq!((first.status(), second.status()), (200, 200));
    assert_eq!((after_first, goes_on()), (before + 1, before + 2));
    let told = events(folder.path());
    let stopping = told
        .iter()
        .filter(|event| event["detail"]["LabelingJobStatus"] == "Stopping");
    assert_eq!(stopping.count(), 1, "the status has changed once");
}

#[tokio::test]
async fn the_next_attempt_at_an_event_goes_on_with_the_job_where_the_one_before_was_cut_off() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (_aws, review) = services(folder.path());
    started(&review, &sources(&["One"]), &request("stop", json!({}))).await;
    call(&review, "StopLabelingJob", &json!({ "LabelingJobName": "stop" })).await;
    let bucket = active_learning_aws::bucket::Bucket::new(review.s3.clone(), BUCKET);
    let key = "human-review/labelling-jobs/stop.json";
    let mut job: Value = bucket.read_document(key).await.expect("JSON").expect("a job");
    let ends = review.now() + Duration::seconds(170);
    job["lease"] = json!({"id": "cut-off", "expires_at": ends, "invocation": "event-1"});
    bucket.put_document(key, &job).await.expect("stored");
    let event = json!({"detail-type": "Labeling Job Goes On", "detail": {"flowDefinitionArn": job["arn"]}});
    let status = async || describe(&review, "stop").await["LabelingJobStatus"].clone();

    let of_another = review
        .function
        .handle_attempt("event-2", event.clone(), review.now());
    of_another.await.expect("handled");
    let kept_out = status().await;
    let again = review.function.handle_attempt("event-1", event, review.now());
    again.await.expect("handled");

    assert_eq!((kept_out, status().await), (json!("Stopping"), json!("Stopped")));
}
