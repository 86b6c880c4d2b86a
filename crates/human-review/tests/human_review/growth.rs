//! What a request asks of S3 does not depend on how many tasks wait or are done.

use std::sync::atomic::Ordering;

use chrono::Duration;
use human_review::HumanReview;
use serde_json::{Value, json};

use crate::harness::{FLOW, Reply, Review, config, proxy_event, start_body, url_event};

/// Tasks with a state of their own, at the head of the queue.
const WITH_STATE: usize = 110;

/// Pages of the console, and the queue.
const PAGES: [&str; 10] = [
    "queue",
    "overview",
    "tasks",
    "quality",
    "reviewers",
    "model",
    "versions",
    "operations",
    "data",
    "guideline",
];

/// Returns a review service with `open` more marks in the queue, behind all others, and `done` of tasks of yesterday.
async fn with_many(open: usize, done: usize) -> Review {
    let review = Review::new();
    let item = json!({ "id": "r-1", "utterance": "text", "prediction": "World", "confidence": 0.4 });
    let input = json!({ "comprehendPredictions": [item], "labels": ["World", "Sports"] });
    for number in 0..WITH_STATE {
        review.start(&format!("tc-{number:03}"), &input).await;
        review.wait(Duration::seconds(1));
    }
    let now = review.now().timestamp_millis();
    let yesterday = now - 86_400_000;
    review.put_marks(
        (0..open).map(|number| format!("human-review/queue/99999-{now}-{number:032x}-open-{number}")),
    );
    review.put_marks((0..done).flat_map(|number| {
        let rest = format!("{number:032x}-done-{number}");
        let ascending = format!("human-review/listing/ascending/{yesterday:013}-{rest}");
        let down = 9_999_999_999_999 - yesterday;
        [
            ascending,
            format!("human-review/listing/descending/{down:013}-{rest}"),
        ]
    }));
    review
}

/// Returns what a process that has just begun asks of S3 to answer this, lists included.
async fn asked_for(review: &Review, event: Value) -> usize {
    let function = HumanReview::new(config(), review.s3.clone(), b"a secret of the test");
    let before = review.requests.load(Ordering::Relaxed);
    let reply = Reply(function.handle(event, review.now()).await.expect("answered"));
    assert!(reply.status() < 400, "{reply:?}");
    review.requests.load(Ordering::Relaxed) - before
}

#[tokio::test]
async fn each_page_asks_the_same_of_s3_of_hundreds_and_of_thousands() {
    let mut asked = Vec::new();
    for (open, done) in [(1_000, 1_000), (4_000, 9_000)] {
        let review = with_many(open, done).await;
        let cookie = review.sign_in_admin("eve").await.cookie;
        let mut of_pages = Vec::new();
        for page in PAGES {
            let event = proxy_event("GET", page, Some(&cookie), &[]);
            of_pages.push((page, asked_for(&review, event).await));
        }
        let flow = FLOW.replace(':', "%3A").replace('/', "%2F");
        let list = format!("/human-loops?FlowDefinitionArn={flow}&MaxResults=10");
        of_pages.push((
            "ListHumanLoops",
            asked_for(&review, url_event("GET", &list, "")).await,
        ));
        asked.push(of_pages);
    }

    assert_eq!(asked[0], asked[1]);
    assert_eq!(
        asked[0].last(),
        Some(&("ListHumanLoops", 11)),
        "one listing, ten states"
    );
}

#[tokio::test]
async fn a_start_and_a_step_ask_the_same_of_s3_of_hundreds_and_of_thousands() {
    let mut asked = Vec::new();
    for (open, done) in [(1_000, 1_000), (4_000, 9_000)] {
        let review = with_many(open, done).await;
        let mut of_starts = Vec::new();
        for name in ["one-more", "and-one"] {
            let (requests, lists) = (review.asked(), review.lists.load(Ordering::Relaxed));
            let body = start_body(
                name,
                &json!({ "taskObject": "text", "comprehendPredictions": [] }),
            );
            review.api("POST", "/human-loops", &body).await;
            of_starts.push((
                review.asked() - requests,
                review.lists.load(Ordering::Relaxed) - lists,
            ));
        }
        let ann = review.sign_in("ann").await;
        let event = |page: &str| {
            let mut event = proxy_event("GET", page, Some(&ann.cookie), &[]);
            event["headers"]["Accept"] = json!("application/json");
            event
        };
        review.handle(event("next")).await;
        let (requests, lists) = (review.asked(), review.lists.load(Ordering::Relaxed));
        let next = Reply(review.handle(event("next?without=tc-000")).await).json();
        let of_next = review.asked() - requests;
        assert_eq!(next["next"]["loop"], "tc-001");
        assert!(review.lists.load(Ordering::Relaxed) - lists <= 1);
        asked.push((of_starts[1], of_next));
    }

    assert_eq!(asked[0], asked[1]);
}
