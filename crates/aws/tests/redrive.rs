//! Events that are sent again, over buckets in process.

use std::convert::Infallible;

use active_learning_aws::{
    bucket::{Bucket, JSON_LINES, Leaving},
    human_loops::STATUS_CHANGE,
    overview::REFUSED_WEBHOOKS,
    redrive::{Kept, Outcome, PREFIX, list, redrive},
};
use active_learning_core::{feedback::FeedbackRecord, keys};
use aws_sdk_s3::{Client, primitives::ByteStream};
use axum::{Router, body::Body, extract::Request, http::Response};
use local_aws::{LocalAws, s3::BucketSpec, script::Script};
use serde_json::{Value, json};
use tower::ServiceExt;

const FAILURES: &str = "feedback";
const UPLOADS: &str = "uploads";

fn s3() -> (LocalAws, Client) {
    let aws = LocalAws::in_memory();
    for name in [FAILURES, UPLOADS] {
        let name = name.to_owned();
        aws.s3
            .put_bucket(BucketSpec {
                name,
                ..BucketSpec::default()
            })
            .expect("the index works");
    }
    let client = Client::new(&aws.sdk_config());
    (aws, client)
}

async fn put(s3: &Client, bucket: &str, key: &str, body: &Value) {
    s3.put_object()
        .bucket(bucket)
        .key(key)
        .content_type("application/json")
        .metadata("origin", "form 7")
        .body(ByteStream::from(body.to_string().into_bytes()))
        .send()
        .await
        .expect("the bucket is there");
}

fn failure_of(keys: &[&str]) -> Value {
    let record = |key| json!({ "s3": { "bucket": { "name": UPLOADS }, "object": { "key": key } } });
    let records: Vec<_> = keys.iter().map(record).collect();
    json!({ "version": "1.0", "requestPayload": { "Records": records } })
}

async fn redrive_all(s3: &Client) -> Outcome {
    let bucket = Bucket::new(s3.clone(), FAILURES);
    let keys = list(&bucket).await.expect("the bucket is there");
    redrive(&bucket, keys).await
}

#[tokio::test]
async fn an_object_is_written_again_as_it_was_and_its_failure_record_goes() {
    let (_aws, s3) = s3();
    put(&s3, UPLOADS, "März/a b+c.json", &json!({ "n": 1 })).await;
    let key = format!("{PREFIX}f/2026/11/21/one");
    put(&s3, FAILURES, &key, &failure_of(&["M%C3%A4rz/a+b%2Bc.json"])).await;
    let head = || s3.head_object().bucket(UPLOADS).key("März/a b+c.json").send();
    let before = head().await.expect("there");

    let outcome = redrive_all(&s3).await;

    let after = head().await.expect("still there");
    assert_eq!(
        outcome,
        Outcome {
            redriven: 1,
            ..Outcome::default()
        }
    );
    assert_eq!(after.e_tag(), before.e_tag());
    assert_eq!(after.content_type(), Some("application/json"));
    assert_eq!(after.metadata(), before.metadata());
    assert!(
        list(&Bucket::new(s3.clone(), FAILURES))
            .await
            .expect("listed")
            .is_empty()
    );
}

#[tokio::test]
async fn calls_by_a_schedule_are_told_and_removed_since_they_come_again_by_themselves() {
    let (_aws, s3) = s3();
    for (name, operation) in [("a", "select"), ("b", "tick"), ("c", "select")] {
        let record = json!({ "version": "1.0", "requestPayload": { "operation": operation } });
        put(&s3, FAILURES, &format!("{PREFIX}f/{name}"), &record).await;
    }
    let told = json!({ "requestPayload": { "detail-type": STATUS_CHANGE, "detail": {} } });
    put(&s3, FAILURES, &format!("{PREFIX}f/d"), &told).await;

    let outcome = redrive_all(&s3).await;

    let scheduled = [("select", 2), ("sweep", 1), ("tick", 1)];
    let expected = Outcome {
        scheduled: scheduled.map(|(name, count)| (name.to_owned(), count)).into(),
        ..Outcome::default()
    };
    assert_eq!(outcome, expected);
    assert!(
        list(&Bucket::new(s3.clone(), FAILURES))
            .await
            .expect("listed")
            .is_empty()
    );
}

#[tokio::test]
async fn what_a_webhook_refused_is_sent_again_by_its_question_and_kept_where_there_is_none() {
    let (_aws, s3) = s3();
    put(&s3, FAILURES, "questions/r1.json", &json!({ "n": 1 })).await;
    for (name, record) in [("a", "r1"), ("b", "r2")] {
        let message = json!({ "type": "prediction.reviewed", "data": { "recordId": record } });
        let line = json!({ "line": 1, "reason": "HTTP 410", "raw": message.to_string() });
        let key = format!("{REFUSED_WEBHOOKS}{name}-00001.jsonl");
        put(&s3, FAILURES, &key, &line).await;
    }

    let outcome = redrive_all(&s3).await;

    assert_eq!(outcome.redriven, 1);
    assert_eq!(outcome.kept.len(), 1);
    assert_eq!(outcome.kept[0].reason, "its question is gone");
    let left = list(&Bucket::new(s3.clone(), FAILURES)).await.expect("listed");
    assert_eq!(left, [format!("{REFUSED_WEBHOOKS}b-00001.jsonl")]);
}

#[tokio::test]
async fn questions_that_were_given_up_are_delivered_anew_and_what_is_none_is_kept_with_its_reason() {
    let (_aws, s3) = s3();
    let bucket = Bucket::new(s3.clone(), FAILURES);
    let record = |text: &str| {
        let line =
            json!({ "classifier": "news", "utterance": text, "signal": "dislike", "source": "explicit-api" });
        FeedbackRecord::parse(line.to_string().as_bytes()).expect("a record")
    };
    let line =
        |number: usize, raw: &str| json!({ "line": number, "reason": "stopped", "raw": raw.trim_end() });
    let lines = ["Rates rise", "They won"].map(|text| record(text).to_line());
    let good = format!("{}\n{}\n", line(1, &lines[0]), line(2, &lines[1]));
    let good_key = keys::rejected("training-data", "review-1", 1);
    let bad_key = keys::rejected("training-data", "review-2", 1);
    bucket.put(&good_key, JSON_LINES, good).await.expect("stored");
    let bad = line(1, "{}").to_string();
    bucket.put(&bad_key, JSON_LINES, bad).await.expect("stored");

    let outcome = redrive_all(&s3).await;

    assert_eq!(outcome.redriven, 1);
    let reasons: Vec<_> = outcome
        .kept
        .iter()
        .map(|kept| (&kept.key, &kept.reason[..]))
        .collect();
    assert_eq!(
        reasons,
        [(&bad_key, "its line 1 holds no question: none can be asked")]
    );
    let delivered = bucket
        .read("feedback/redriven/review-1-00001.jsonl", 1 << 20)
        .await;
    let delivered = delivered.expect("read").expect("it is there");
    assert_eq!(String::from_utf8_lossy(&delivered.bytes), lines.concat());
    assert_eq!(list(&bucket).await.expect("listed"), [bad_key]);
}

#[tokio::test]
async fn a_record_whose_object_is_gone_or_that_is_no_s3_event_is_kept_with_its_reason() {
    let (_aws, s3) = s3();
    put(&s3, UPLOADS, "there.json", &json!({})).await;
    let records = [
        ("f/a-gone", failure_of(&["there.json", "gone.json"])),
        ("f/b-direct", json!({ "requestPayload": { "operation": "x" } })),
        ("f/c-other", json!("text")),
        ("f/d-good", failure_of(&["there.json"])),
    ];
    for (key, record) in &records {
        put(&s3, FAILURES, &format!("{PREFIX}{key}"), record).await;
    }
    put(&s3, FAILURES, "feedback/not-a-failure", &json!({})).await;

    let outcome = redrive_all(&s3).await;

    let kept: Vec<_> = outcome
        .kept
        .iter()
        .map(|kept| (kept.key.as_str(), kept.reason.as_str()))
        .collect();
    assert_eq!(outcome.redriven, 1);
    assert_eq!(
        kept,
        [
            (
                "aws/lambda/async/f/a-gone",
                "its object s3://uploads/gone.json is gone"
            ),
            (
                "aws/lambda/async/f/b-direct",
                "it is neither about an S3 event nor a call by a schedule"
            ),
            ("aws/lambda/async/f/c-other", "it is no record of a failed event"),
        ]
    );
    assert_eq!(
        list(&Bucket::new(s3.clone(), FAILURES))
            .await
            .expect("listed")
            .len(),
        3
    );
}

async fn etag_of(s3: &Client, key: &str) -> String {
    let head = s3.head_object().bucket(UPLOADS).key(key).send().await;
    let head = head.expect("there");
    head.e_tag().expect("an ETag").trim_matches('"').to_owned()
}

#[tokio::test]
async fn a_file_that_was_replaced_is_not_taken_for_that_of_the_event_that_failed_before_it_was_read() {
    let (_aws, s3) = s3();
    for name in ["same", "erased", "replaced"] {
        put(&s3, UPLOADS, &format!("{name}.json"), &json!({ "n": name })).await;
        let mut failure = failure_of(&[&format!("{name}.json")]);
        let object = &mut failure["requestPayload"]["Records"][0]["s3"]["object"];
        object["eTag"] = etag_of(&s3, &format!("{name}.json")).await.into();
        put(&s3, FAILURES, &format!("{PREFIX}f/{name}"), &failure).await;
    }
    let uploads = Bucket::new(s3.clone(), UPLOADS);
    let etag = etag_of(&s3, "erased.json").await;
    let left = uploads.leave("erased.json", &etag, "{}", false).await;
    assert!(matches!(left, Ok(Leaving::Written { .. })), "{left:?}");
    put(&s3, UPLOADS, "replaced.json", &json!({ "n": "other rows" })).await;

    let outcome = redrive_all(&s3).await;

    assert_eq!(outcome.redriven, 2);
    let expected = Kept {
        key: format!("{PREFIX}f/replaced"),
        reason: "its object s3://uploads/replaced.json was replaced before it was read: what it held is gone, and what is \
                 there has an event of its own"
            .to_owned(),
    };
    assert_eq!(outcome.kept, [expected]);
}

/// Returns a client whose bucket gets another object of this key and content just before a question is written.
fn refusing_meanwhile(aws: &LocalAws, s3: &Client, key: String, content: String) -> Client {
    let (services, s3) = (aws.router(), s3.clone());
    let router = Router::new().fallback(move |request: Request<Body>| {
        let (services, s3) = (services.clone(), s3.clone());
        let (key, body) = (key.clone(), ByteStream::from(content.clone().into_bytes()));
        async move {
            if request.method() == "PUT" && request.uri().path().contains("/questions/") {
                let refused = s3.put_object().bucket(FAILURES).key(key).body(body);
                refused.send().await.expect("set aside");
            }
            let response: Result<Response<Body>, Infallible> = services.oneshot(request).await;
            response.unwrap_or_else(|never| match never {})
        }
    });
    Client::new(&Script::default().sdk_config(router))
}

#[tokio::test]
async fn an_event_that_is_refused_once_more_while_it_is_sent_again_stays_set_aside() {
    let (aws, s3) = s3();
    put(&s3, FAILURES, "questions/r1.json", &json!({ "n": 1 })).await;
    let message = json!({ "type": "prediction.reviewed", "data": { "recordId": "r1" } });
    let line = json!({ "line": 1, "reason": "HTTP 410", "raw": message.to_string() });
    let key = format!("{REFUSED_WEBHOOKS}a-00001.jsonl");
    put(&s3, FAILURES, &key, &line).await;
    let client = refusing_meanwhile(&aws, &s3, key.clone(), line.to_string());

    let outcome = redrive_all(&client).await;

    let expected = Kept {
        key: key.clone(),
        reason: "it was sent again, and refused once more".to_owned(),
    };
    assert_eq!((outcome.redriven, outcome.kept), (0, vec![expected]));
    let left = Bucket::new(s3, FAILURES).read(&key, 1 << 20).await;
    assert_eq!(
        left.expect("read").expect("it stays").bytes,
        line.to_string().as_bytes()
    );
}
