use std::{
    fs,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use http::StatusCode;
use local_aws::{
    invocation_queue::{EventSource, QueuedEvent},
    lambda::{EventInvokeSpec, PermissionSpec, Timing},
};
use serde_json::json;

use crate::setup::{QUICK, Service, eventually, failure_under, invoke, lines_of, open, temporary_folder};

const ARN: &str = "arn:aws:lambda:us-east-1:000000000000:function:worker";

async fn queue_is_empty(service: &Service) {
    eventually("the queue is empty", || {
        let queued = service.queue.list().expect("the queue is readable");
        queued.is_empty().then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_accepted_event_reaches_the_function_with_the_id_that_the_caller_got() {
    let folder = temporary_folder();
    let service = open(folder.path(), QUICK);
    service.lambda.start();

    let accepted = invoke(&service.lambda, "Event", json!({ "do": "write" })).await;

    assert_eq!(accepted.status(), StatusCode::ACCEPTED);
    let request_id = accepted.headers()["x-amzn-requestid"].to_str().expect("text");
    let attempts = lines_of(&folder.path().join("attempts"), 1).await;
    queue_is_empty(&service).await;
    assert_eq!(attempts, [request_id]);
}

#[tokio::test]
async fn an_event_that_waits_is_delivered_after_a_restart() {
    let folder = temporary_folder();
    let accepted = {
        let service = open(folder.path(), QUICK);
        let accepted = invoke(&service.lambda, "Event", json!({ "do": "write" })).await;
        service.lambda.shutdown().await;
        accepted
    };

    let service = open(folder.path(), QUICK);
    service.lambda.start();

    let request_id = accepted.headers()["x-amzn-requestid"].to_str().expect("text");
    assert_eq!(lines_of(&folder.path().join("attempts"), 1).await, [request_id]);
    queue_is_empty(&service).await;
}

#[tokio::test]
async fn an_event_whose_delivery_was_cut_off_is_delivered_again_after_a_restart() {
    let folder = temporary_folder();
    {
        let service = open(folder.path(), QUICK);
        service.lambda.start();
        let event = json!({ "do": "write and wait", "write": "attempts", "wait": "go" });
        invoke(&service.lambda, "Event", event).await;
        lines_of(&folder.path().join("attempts"), 1).await;
        service.lambda.shutdown().await;
    }
    fs::write(folder.path().join("go"), "").expect("the folder is there");

    let service = open(folder.path(), QUICK);
    service.lambda.start();

    let attempts = lines_of(&folder.path().join("attempts"), 2).await;
    queue_is_empty(&service).await;
    assert_eq!(attempts[0], attempts[1]);
}

#[tokio::test]
async fn an_event_that_fails_is_tried_as_often_as_its_function_says_and_then_dropped() {
    let folder = temporary_folder();
    let service = open(folder.path(), QUICK);
    service.lambda.put_event_invoke(EventInvokeSpec {
        function_name: "worker".to_owned(),
        maximum_retry_attempts: 1,
        maximum_event_age_seconds: 3600,
        on_failure_arn: None,
    });
    service.lambda.start();

    invoke(&service.lambda, "Event", json!({ "do": "write and fail" })).await;

    queue_is_empty(&service).await;
    let attempts = lines_of(&folder.path().join("attempts"), 2).await;
    assert_eq!(attempts.len(), 2);
    assert_eq!(attempts[0], attempts[1]);
}

#[tokio::test]
async fn a_failed_attempt_is_remembered_over_a_restart() {
    let folder = temporary_folder();
    let mut event = QueuedEvent::new(ARN.to_owned(), json!({ "do": "write and fail" }).to_string());
    event.failed_attempts = 2;
    {
        let service = open(folder.path(), QUICK);
        service.queue.enqueue(&event).expect("stored");
    }

    let service = open(folder.path(), QUICK);
    service.lambda.start();

    queue_is_empty(&service).await;
    assert_eq!(
        lines_of(&folder.path().join("attempts"), 1).await,
        [event.request_id]
    );
}

#[tokio::test]
async fn a_service_that_the_function_does_not_let_in_does_not_reach_it() {
    let folder = temporary_folder();
    let service = open(folder.path(), QUICK);
    service.lambda.add_permission(PermissionSpec {
        function_name: "worker".to_owned(),
        action: "lambda:InvokeFunction".to_owned(),
        principal: "s3.amazonaws.com".to_owned(),
        source_arn: Some("arn:aws:s3:::uploads".to_owned()),
        source_account: Some("000000000000".to_owned()),
    });
    let event_of = |bucket: &str| QueuedEvent {
        source: Some(EventSource {
            service: "s3.amazonaws.com".to_owned(),
            arn: format!("arn:aws:s3:::{bucket}"),
        }),
        ..QueuedEvent::new(ARN.to_owned(), json!({ "do": "write" }).to_string())
    };
    let (refused, allowed) = (event_of("other"), event_of("uploads"));
    service.queue.enqueue(&refused).expect("stored");
    service.queue.enqueue(&allowed).expect("stored");

    service.lambda.start();

    queue_is_empty(&service).await;
    assert_eq!(
        lines_of(&folder.path().join("attempts"), 1).await,
        [allowed.request_id]
    );
}

#[tokio::test]
async fn a_failure_while_the_service_stops_does_not_count() {
    let folder = temporary_folder();
    let timing = Timing {
        shutdown_grace: Duration::from_secs(60),
        ..QUICK
    };
    let service = open(folder.path(), timing);
    service.lambda.start();
    let event = json!({ "do": "write and wait", "write": "attempts", "wait": "go", "fail": true });
    invoke(&service.lambda, "Event", event).await;
    lines_of(&folder.path().join("attempts"), 1).await;

    let failing = async { fs::write(folder.path().join("go"), "").expect("the folder is there") };
    tokio::join!(service.lambda.shutdown(), failing);

    let queued = service.queue.list().expect("readable");
    assert_eq!(queued.len(), 1);
    assert_eq!(queued[0].1.failed_attempts, 0);
}

const FAILURES: &str = "arn:aws:s3:::failures";

fn failures_to(bucket_arn: &str) -> EventInvokeSpec {
    EventInvokeSpec {
        function_name: "worker".to_owned(),
        maximum_retry_attempts: 1,
        maximum_event_age_seconds: 3600,
        on_failure_arn: Some(bucket_arn.to_owned()),
    }
}

#[tokio::test]
async fn an_event_that_fails_to_the_end_lies_at_the_destination() {
    let folder = temporary_folder();
    let service = open(folder.path(), QUICK);
    service.lambda.put_event_invoke(failures_to(FAILURES));
    service.lambda.start();
    let event = json!({ "do": "write and fail", "Records": [] });

    let accepted = invoke(&service.lambda, "Event", event.clone()).await;

    queue_is_empty(&service).await;
    let request_id = accepted.headers()["x-amzn-requestid"].to_str().expect("text");
    let (key, mut record) = failure_under(&service, "aws/lambda/async/worker/").await;
    let timestamp = record["timestamp"].take();
    let timestamp = timestamp.as_str().expect("text");
    let error_type = record["responsePayload"]["errorType"].take();
    assert!(error_type.is_string(), "{error_type}");
    assert_eq!(
        record,
        json!({
            "version": "1.0",
            "timestamp": null,
            "requestContext": {
                "requestId": request_id,
                "functionArn": format!("{ARN}:$LATEST"),
                "condition": "RetriesExhausted",
                "approximateInvokeCount": 2,
            },
            "requestPayload": event,
            "responseContext": {
                "statusCode": 200,
                "executedVersion": "$LATEST",
                "functionError": "Unhandled",
            },
            "responsePayload": {
                "errorMessage": "this event cannot be handled",
                "errorType": null,
            },
        })
    );
    let (day, time) = timestamp.split_at(10);
    let (clock, _) = time.split_at(9);
    let place = format!("{}/{day}{}-", day.replace('-', "/"), clock.replace(':', "."));
    assert!(key.contains(&place), "{key} {place}");
}

#[tokio::test]
async fn an_event_that_is_too_old_lies_at_the_destination_and_is_not_run() {
    let folder = temporary_folder();
    let service = open(folder.path(), QUICK);
    service.lambda.put_event_invoke(failures_to(FAILURES));
    let event = QueuedEvent::new(ARN.to_owned(), json!({ "do": "write" }).to_string());
    // The service has run all the time.
    service.queue.note_alive(event.accepted_at_ms).expect("stored");
    let event = QueuedEvent {
        accepted_at_ms: 0,
        ..event
    };
    service.queue.enqueue(&event).expect("stored");

    service.lambda.start();

    queue_is_empty(&service).await;
    let (_, record) = failure_under(&service, "aws/lambda/async/worker/").await;
    assert_eq!(record["requestContext"]["condition"], "EventAgeExceeded");
    assert_eq!(record.get("responsePayload"), None);
    assert!(!folder.path().join("attempts").exists());
}

#[tokio::test]
async fn an_event_that_comes_late_is_held_for_longer_than_the_pauses_between_retries() {
    let folder = temporary_folder();
    let service = open(folder.path(), QUICK);
    service.lambda.start();
    let event = QueuedEvent::new(ARN.to_owned(), json!({ "do": "write" }).to_string());
    let not_before_ms = event.accepted_at_ms + 3_000;

    let late = QueuedEvent {
        not_before_ms,
        ..event
    };
    service.queue.enqueue(&late).expect("stored");

    lines_of(&folder.path().join("attempts"), 1).await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    assert!(now.as_millis() >= u128::from(not_before_ms));
}

#[tokio::test]
async fn an_event_stays_queued_while_the_role_may_not_write_to_the_destination() {
    let folder = temporary_folder();
    let service = open(folder.path(), QUICK);
    service
        .lambda
        .put_event_invoke(failures_to("arn:aws:s3:::closed"));
    service.lambda.start();
    invoke(&service.lambda, "Event", json!({ "do": "write and fail" })).await;
    eventually("the event has failed twice", || {
        let queued = service.queue.list().expect("readable");
        let (_, event) = queued.first().expect("the event stays");
        (event.failed_attempts == 2).then_some(())
    })
    .await;

    service.lambda.put_event_invoke(failures_to(FAILURES));

    queue_is_empty(&service).await;
    let (_, record) = failure_under(&service, "aws/lambda/async/worker/").await;
    assert_eq!(record["requestContext"]["approximateInvokeCount"], 2);
    assert_eq!(
        record["responsePayload"]["errorMessage"],
        "this event cannot be handled"
    );
    assert_eq!(lines_of(&folder.path().join("attempts"), 2).await.len(), 2);
}
