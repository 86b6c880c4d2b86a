//! The A2I runtime API: shapes, listing, idempotency, and the real SDK as its client.

use std::sync::atomic::Ordering;

use aws_credential_types::Credentials;
use aws_sdk_sagemakera2iruntime::types::HumanLoopInput;
use axum::Router;
use axum::body::Body;
use chrono::Duration;
use local_aws::transport::sdk_config;
use serde_json::{Value, json};

use crate::harness::{FLOW, Reply, Review, two_items, url_event};

#[tokio::test]
async fn a_started_loop_is_described_with_its_output_location_while_in_progress() {
    let review = Review::new();

    let started = review.start("tc-1", &two_items()).await;
    let described = review.api("GET", "/human-loops/tc-1", "").await;

    assert_eq!(started.status(), 200);
    assert_eq!(started.header("content-type"), "application/json");
    assert_eq!(
        started.json(),
        json!({ "HumanLoopArn": "arn:aws:sagemaker:us-east-1:123456789012:human-loop/tc-1" })
    );
    assert_eq!(
        described.json(),
        json!({
            "CreationTime": "2026-11-20T09:59:00.123Z",
            "HumanLoopStatus": "InProgress",
            "HumanLoopName": "tc-1",
            "HumanLoopArn": "arn:aws:sagemaker:us-east-1:123456789012:human-loop/tc-1",
            "FlowDefinitionArn": FLOW,
            "HumanLoopOutput": { "OutputS3Uri": "s3://review-bucket/tc-review/2026/11/20/09/59/00/tc-1/output.json" },
        })
    );
    assert_eq!(review.keys("tc-review/").await, Vec::<String>::new());
}

#[tokio::test]
async fn the_same_start_again_is_the_same_loop_and_another_input_conflicts() {
    let review = Review::new();
    let first = review.start("tc-1", &two_items()).await;

    let again = review.start("tc-1", &two_items()).await;
    let other = review.start("tc-1", &json!({ "other": true })).await;

    assert_eq!((again.status(), again.json()), (200, first.json()));
    assert_eq!(
        (other.status(), other.header("x-amzn-errortype")),
        (409, "ConflictException")
    );
    assert_eq!(review.keys("human-review/queue/").await.len(), 1);
}

#[tokio::test]
async fn the_same_start_of_a_loop_that_asks_nobody_any_more_conflicts() {
    let review = Review::new();
    for name in ["stopped", "expired", "answered"] {
        review.start(name, &two_items()).await;
    }
    review.stop("stopped").await;
    let ann = review.sign_in("ann").await;
    let task = ann.open("answered").await;
    ann.submit(&task, &json!({ "r-2": "World", "r-10": "Sports" }))
        .await;
    review.wait(Duration::days(30));

    let mut replies = Vec::new();
    for name in ["stopped", "expired", "answered"] {
        replies.push(review.start(name, &two_items()).await);
    }

    for (reply, status) in replies.iter().zip(["Stopped", "Failed"]) {
        assert_eq!(
            (reply.status(), reply.header("x-amzn-errortype")),
            (409, "ConflictException")
        );
        assert!(reply.body().contains(&format!("is {status}")), "{reply:?}");
    }
    assert_eq!(review.status("answered").await, "Completed");
    assert_eq!(
        replies[2].status(),
        200,
        "its answers are there: {:?}",
        replies[2]
    );
    review.delete("stopped").await;
    assert_eq!(review.start("stopped", &two_items()).await.status(), 200);
}

#[tokio::test]
async fn an_input_nested_as_deep_as_can_be_read_keeps_no_other_task_from_reviewers() {
    let review = Review::new();
    // serde_json reads 127 levels.
    let deep = format!("{}1{}", "[".repeat(126), "]".repeat(126));
    let mut input = two_items();
    input["deep"] = serde_json::from_str(&deep).expect("126 levels");

    let started = review.start("deep", &input).await;
    review.start("other", &two_items()).await;
    let ann = review.sign_in("ann").await;
    let task = ann.open("deep").await;
    let taken = ann
        .submit(&task, &json!({ "r-2": "World", "r-10": "Sports" }))
        .await;

    assert_eq!(started.status(), 200);
    assert!(taken.status() < 400, "{taken:?}");
    assert_eq!(review.status("deep").await, "Completed");
    ann.open("other").await;
    assert_eq!(review.status("other").await, "InProgress");
}

#[tokio::test]
async fn concurrent_starts_of_one_name_make_one_loop() {
    let review = Review::new();
    let input = two_items();

    let replies = futures::future::join_all((0..8).map(|_| review.start("tc-1", &input))).await;

    assert!(replies.iter().all(|reply| reply.status() == 200), "{replies:?}");
    assert_eq!(review.keys("human-review/queue/").await.len(), 1);
    assert_eq!(review.keys("human-review/loops/").await.len(), 1);
    assert_eq!(review.list_names("").await, ["tc-1"]);
}

#[tokio::test]
async fn a_deleted_name_is_unknown_unlisted_and_free_for_another_input() {
    let review = Review::new();
    review.start("tc-1", &two_items()).await;

    let too_early = review.delete("tc-1").await;
    review.stop("tc-1").await;
    let deleted = review.delete("tc-1").await;
    let gone = review.api("GET", "/human-loops/tc-1", "").await;

    assert_eq!(
        (too_early.status(), too_early.header("x-amzn-errortype")),
        (400, "ValidationException")
    );
    assert_eq!((deleted.status(), deleted.body()), (200, "{}"));
    assert_eq!(
        (gone.status(), gone.header("x-amzn-errortype")),
        (404, "ResourceNotFoundException")
    );
    assert_eq!(review.list_names("").await, Vec::<String>::new());
    assert_eq!(review.keys("human-review/inputs/").await, Vec::<String>::new());
    let left = review.object("human-review/loops/tc-1.json").await;
    assert!(!left.contains("Rates rise again"), "{left}");
    assert_eq!(
        review.start("tc-1", &json!({ "other": true })).await.status(),
        200
    );
    assert_eq!(review.status("tc-1").await, "InProgress");
}

#[tokio::test]
async fn loops_are_listed_in_either_order_and_within_times() {
    let review = Review::new();
    for name in ["a", "b", "c", "d"] {
        review.start(name, &two_items()).await;
        review.wait(Duration::seconds(60));
    }

    let after = "&CreationTimeAfter=2026-11-20T10%3A00%3A00Z";
    let before = "&CreationTimeBefore=2026-11-20T10%3A02%3A00.123Z";
    assert_eq!(review.list_names("").await, ["d", "c", "b", "a"]);
    assert_eq!(
        review.list_names("&SortOrder=Ascending").await,
        ["a", "b", "c", "d"]
    );
    for (order, expected) in [("Ascending", ["b", "c"]), ("Descending", ["c", "b"])] {
        assert_eq!(
            review
                .list_names(&format!("&SortOrder={order}{after}{before}"))
                .await,
            expected
        );
    }
}

#[tokio::test]
async fn pages_of_a_listing_cover_each_loop_once_and_read_no_more_than_they_show() {
    let review = Review::new();
    for number in 0..23 {
        review.start(&format!("tc-{number}"), &two_items()).await;
        review.wait(Duration::milliseconds(if number % 3 == 0 { 0 } else { 7 }));
    }
    let flow = FLOW.replace(':', "%3A");

    for order in ["Ascending", "Descending"] {
        let mut names = Vec::new();
        let mut token = String::new();
        loop {
            review.reads.store(0, Ordering::Relaxed);
            let path = format!("/human-loops?FlowDefinitionArn={flow}&MaxResults=5&SortOrder={order}{token}");
            let page = review.api("GET", &path, "").await.json();
            assert!(
                review.reads.load(Ordering::Relaxed) <= 5,
                "a page reads its own loops only"
            );
            let summaries = page["HumanLoopSummaries"].as_array().expect("summaries").clone();
            names.extend(
                summaries
                    .into_iter()
                    .map(|summary| summary["HumanLoopName"].clone()),
            );
            match page["NextToken"].as_str() {
                Some(next) => token = format!("&NextToken={next}"),
                None => break,
            }
        }
        assert_eq!(names.len(), 23);
        names.sort_by_key(ToString::to_string);
        names.dedup();
        assert_eq!(names.len(), 23);
    }
}

#[tokio::test]
async fn a_summary_has_neither_arn_nor_output() {
    let review = Review::new();
    review.start("tc-1", &two_items()).await;

    let page = review
        .api("GET", &format!("/human-loops?FlowDefinitionArn={FLOW}"), "")
        .await
        .json();

    assert_eq!(
        page,
        json!({ "HumanLoopSummaries": [{
            "HumanLoopName": "tc-1",
            "HumanLoopStatus": "InProgress",
            "CreationTime": "2026-11-20T09:59:00.123Z",
            "FlowDefinitionArn": FLOW,
        }] })
    );
}

#[tokio::test]
async fn the_aws_sdk_drives_a_loop_through_its_life() {
    let review = Review::new();
    let client = sdk_client(&review);
    let input = HumanLoopInput::builder().input_content("{\"a\":1}").build();

    let start = client
        .start_human_loop()
        .human_loop_name("tc-1")
        .flow_definition_arn(FLOW);
    let started = start.human_loop_input(input).send().await.expect("started");
    let described = client
        .describe_human_loop()
        .human_loop_name("tc-1")
        .send()
        .await
        .expect("described");
    let listed = client.list_human_loops().flow_definition_arn(FLOW).max_results(5);
    let listed = listed.send().await.expect("listed");
    client
        .stop_human_loop()
        .human_loop_name("tc-1")
        .send()
        .await
        .expect("stopped");
    client
        .delete_human_loop()
        .human_loop_name("tc-1")
        .send()
        .await
        .expect("deleted");
    let gone = client
        .describe_human_loop()
        .human_loop_name("tc-1")
        .send()
        .await
        .expect_err("gone");

    assert_eq!(started.human_loop_arn(), described.human_loop_arn());
    let created = described
        .creation_time()
        .expect("a time")
        .to_millis()
        .expect("in range");
    assert_eq!(created, review.now().timestamp_millis());
    assert_eq!(listed.human_loop_summaries().len(), 1);
    assert!(
        gone.as_service_error()
            .is_some_and(|error| error.is_resource_not_found_exception())
    );
}

#[tokio::test]
async fn whom_an_input_excludes_is_a_list_of_worker_ids_in_any_form_or_it_is_refused() {
    let review = Review::new();
    let ada = human_review::human_loop::Worker::of("ada").id;
    let input = |excluded: Value| {
        let mut input = two_items();
        input["excludedWorkers"] = excluded;
        input
    };

    for wrong in [json!("ada"), json!([ada, 1]), json!({ "ada": true })] {
        let refused = review.start("tc-1", &input(wrong)).await;
        assert_eq!(refused.status(), 400, "{refused:?}");
        assert!(
            refused
                .body()
                .contains("`excludedWorkers` that are no list of worker ids"),
            "{refused:?}"
        );
    }
    let excluded = json!([format!("private.us-east-1.{ada}")]);
    let started = review.start("tc-1", &input(excluded)).await;

    assert_eq!(started.status(), 200, "{started:?}");
    let session = review.sign_in("ada").await;
    assert_eq!(session.get("next").await.header("location"), "queue");
    let session = review.sign_in("bob").await;
    assert_eq!(session.get("next").await.header("location"), "task?loop=tc-1");
}

/// Returns an A2I client whose requests become Function URL events.
fn sdk_client(review: &Review) -> aws_sdk_sagemakera2iruntime::Client {
    let (function, now) = (review.function.clone(), review.now());
    let router = Router::new().fallback(move |request: http::Request<Body>| {
        let function = function.clone();
        async move {
            let (parts, body) = request.into_parts();
            let body = axum::body::to_bytes(body, usize::MAX).await.expect("a body");
            let path = parts.uri.path_and_query().expect("a path").to_string();
            let event = url_event(parts.method.as_str(), &path, &String::from_utf8_lossy(&body));
            let reply = Reply(function.handle(event, now).await.expect("answered"));
            http::Response::builder()
                .status(u16::try_from(reply.status()).expect("a status"))
                .header("x-amzn-errortype", reply.header("x-amzn-errortype"))
                .body(Body::from(reply.body().to_owned()))
                .expect("a response")
        }
    });
    let credentials = Credentials::from_keys("test", "test", None);
    aws_sdk_sagemakera2iruntime::Client::new(&sdk_config(router, credentials))
}
