//! Every error code of the API, provoked once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use active_learning_core::erasure::ErasedTexts;
use active_learning_core::keys::ERASED_TEXTS;
use aws_credential_types::Credentials;
use aws_sdk_s3::config::retry::RetryConfig;
use axum::Router;
use axum::body::Body;
use chrono::{DateTime, Utc};
use human_review::HumanReview;
use local_aws::transport::sdk_config;
use serde_json::{Value, json};

use crate::harness::{FEEDBACK_BUCKET, FLOW, Reply, Review, config, start_body, two_items, url_event};

fn start_request(changes: Value) -> String {
    let mut body = json!({
        "HumanLoopName": "tc-1",
        "FlowDefinitionArn": FLOW,
        "HumanLoopInput": { "InputContent": "{\"text\":\"x\"}" },
    });
    for (name, value) in changes.as_object().expect("changes") {
        body[name] = value.clone();
    }
    body.to_string()
}

#[tokio::test]
async fn a_start_that_breaks_a_rule_is_a_validation_exception() {
    let review = Review::new();
    let other_flow = FLOW.replace("tc-review", "other");
    let cases = [
        (
            json!({ "HumanLoopName": null }),
            "Value null at 'humanLoopName' failed to satisfy constraint: Member must not be null",
        ),
        (
            json!({ "HumanLoopName": "Comprehend-Text1" }),
            "Value 'Comprehend-Text1' at 'humanLoopName' failed to satisfy constraint: \
             Member must satisfy regular expression pattern: ^[a-z0-9](-*[a-z0-9])*$",
        ),
        (
            json!({ "HumanLoopName": "a".repeat(64) }),
            "Member must have length less than or equal to 63",
        ),
        (
            json!({ "FlowDefinitionArn": "nonsense" }),
            "at 'flowDefinitionArn' failed to satisfy constraint: Member must satisfy regular",
        ),
        (
            json!({ "FlowDefinitionArn": other_flow }),
            "The flow definition does not exist",
        ),
        (
            json!({ "HumanLoopInput": null }),
            "Value null at 'humanLoopInput' failed",
        ),
        (
            json!({ "HumanLoopInput": {} }),
            "Value null at 'humanLoopInput.inputContent' failed",
        ),
        (
            json!({ "HumanLoopInput": { "InputContent": "[]" } }),
            "must be the text of a JSON object",
        ),
        (
            json!({ "HumanLoopInput": { "InputContent": r#"{"text":"\ud83d"}"# } }),
            "InputContent holds half of a surrogate pair (`\\ud800` to `\\udfff` alone), which is no character",
        ),
        (
            json!({ "HumanLoopInput": { "InputContent": r#"{"text":"\ude00 x"}"# } }),
            "InputContent holds half of a surrogate pair",
        ),
        (
            json!({ "HumanLoopInput": { "InputContent": "not JSON" } }),
            "must be the text of a JSON object",
        ),
        (
            json!({ "HumanLoopInput": { "InputContent": format!("{{\"a\":\"{}\"}}", "ä".repeat(3_145_728)) } }),
            "Value at 'humanLoopInput.inputContent' failed to satisfy constraint: Member must have length less than or equal to 3145728",
        ),
        (
            json!({ "DataAttributes": {} }),
            "Value null at 'dataAttributes.contentClassifiers' failed",
        ),
        (
            json!({ "DataAttributes": { "ContentClassifiers": ["Nice"] } }),
            "Member must satisfy enum value set: [FreeOf",
        ),
    ];
    for (changes, message) in cases {
        let reply = review.api("POST", "/human-loops", &start_request(changes)).await;

        assert_eq!(
            (reply.status(), reply.header("x-amzn-errortype")),
            (400, "ValidationException")
        );
        let text = reply.json()["Message"].as_str().expect("a message").to_owned();
        assert!(text.contains(message), "{text}");
    }
    assert_eq!(review.keys("").await, Vec::<String>::new());
}

#[tokio::test]
async fn an_input_that_holds_a_text_which_was_erased_is_refused() {
    let review = Review::new();
    let mut erased = ErasedTexts::default();
    erased.insert("Cup final tonight");
    let erased = aws_sdk_s3::primitives::ByteStream::from(erased.write());
    let put = review.s3.put_object().bucket(FEEDBACK_BUCKET).key(ERASED_TEXTS);
    put.body(erased).send().await.expect("stored");

    for input in [two_items(), json!({ "taskObject": "CUP final tonight!" })] {
        let reply = review.start("tc-1", &input).await;

        assert_eq!(reply.status(), 400, "{input}");
        assert!(
            reply.body().contains("erased at a person's wish"),
            "{}",
            reply.body()
        );
    }
    assert!(review.keys("human-review/").await.is_empty());
}

#[tokio::test]
async fn the_longest_input_is_accepted() {
    let review = Review::new();
    let input = format!("{{\"text\":\"{}\"}}", "x".repeat(3_145_728 - 11));

    let reply = review
        .api(
            "POST",
            "/human-loops",
            &start_request(json!({ "HumanLoopInput": { "InputContent": input } })),
        )
        .await;

    assert_eq!(reply.status(), 200, "{}", reply.body());
}

#[tokio::test]
async fn other_operations_refuse_in_the_same_words() {
    let review = Review::new();
    review.start("done", &two_items()).await;
    review.stop("done").await;
    let other_flow = FLOW.replace("tc-review", "other");
    let unknown = json!({ "HumanLoopName": "unknown" }).to_string();
    let done = json!({ "HumanLoopName": "done" }).to_string();
    let list = |query: &str| format!("/human-loops?FlowDefinitionArn={FLOW}{query}");
    let cases = [
        (
            "GET",
            "/human-loops/unknown".to_owned(),
            "",
            404,
            "ResourceNotFoundException",
        ),
        (
            "DELETE",
            "/human-loops/unknown".to_owned(),
            "",
            404,
            "ResourceNotFoundException",
        ),
        (
            "POST",
            "/human-loops/stop".to_owned(),
            &unknown,
            404,
            "ResourceNotFoundException",
        ),
        (
            "GET",
            format!("/human-loops?FlowDefinitionArn={other_flow}"),
            "",
            404,
            "ResourceNotFoundException",
        ),
        (
            "GET",
            "/human-loops/Bad_Name".to_owned(),
            "",
            400,
            "ValidationException",
        ),
        (
            "GET",
            "/human-loops/%2e%2e%2fqueue".to_owned(),
            "",
            400,
            "ValidationException",
        ),
        (
            "POST",
            "/human-loops/stop".to_owned(),
            "{}",
            400,
            "ValidationException",
        ),
        (
            "POST",
            "/human-loops/stop".to_owned(),
            &done,
            400,
            "ValidationException",
        ),
        ("GET", "/human-loops".to_owned(), "", 400, "ValidationException"),
        ("GET", list("&MaxResults=0"), "", 400, "ValidationException"),
        ("GET", list("&MaxResults=101"), "", 400, "ValidationException"),
        ("GET", list("&MaxResults=ten"), "", 400, "ValidationException"),
        ("GET", list("&SortOrder=Up"), "", 400, "ValidationException"),
        (
            "GET",
            list("&CreationTimeAfter=yesterday"),
            "",
            400,
            "ValidationException",
        ),
        ("GET", list("&NextToken=nonsense"), "", 400, "ValidationException"),
        (
            "POST",
            "/human-loops".to_owned(),
            "{",
            400,
            "SerializationException",
        ),
        (
            "PUT",
            "/human-loops".to_owned(),
            "",
            404,
            "UnknownOperationException",
        ),
        ("GET", "/".to_owned(), "", 404, "UnknownOperationException"),
    ];
    for (method, path, body, status, code) in cases {
        let reply = review.api(method, &path, body).await;

        assert_eq!(
            (reply.status(), reply.header("x-amzn-errortype")),
            (status, code),
            "{method} {path}"
        );
        assert!(reply.json()["Message"].is_string());
    }
}

/// Returns the function over a bucket that answers every request by `answer`, without retries.
fn over(
    answer: impl Fn(&http::Request<Body>) -> (u16, String) + Clone + Send + Sync + 'static,
) -> HumanReview {
    let router = Router::new().fallback(move |request: http::Request<Body>| {
        let (status, body) = answer(&request);
        let response = http::Response::builder().status(status).body(Body::from(body));
        async move { response.expect("a response") }
    });
    let sdk = sdk_config(router, Credentials::from_keys("test", "test", None));
    let s3 = aws_sdk_s3::config::Builder::from(&sdk).retry_config(RetryConfig::disabled());
    HumanReview::new(config(), aws_sdk_s3::Client::from_conf(s3.build()), b"secret")
}

async fn start(function: &HumanReview) -> Reply {
    let event = url_event("POST", "/human-loops", &start_body("tc-1", &two_items()));
    let now = "2026-11-20T10:00:00Z".parse().expect("a time");
    Reply(function.handle(event, now).await.expect("answered"))
}

fn s3_error(code: &str) -> String {
    format!("<Error><Code>{code}</Code><Message>internals</Message></Error>")
}

#[tokio::test]
async fn a_full_flow_definition_refuses_with_402() {
    refuses_with_402("2026-11-20T09:59:59Z").await;
}

#[tokio::test]
async fn loops_that_wait_longer_than_those_of_the_stack_count_for_the_quota() {
    refuses_with_402("2026-11-01T09:59:59Z").await;
}

async fn refuses_with_402(created: &str) {
    let created: DateTime<Utc> = created.parse().expect("a time");
    let time = created.timestamp_millis();
    let lists = Arc::new(AtomicUsize::new(0));
    let function = over(move |request| {
        let is_list = request.uri().query().unwrap_or_default().contains("list-type");
        if !is_list {
            return (404, s3_error("NoSuchKey"));
        }
        let page = lists.fetch_add(1, Ordering::Relaxed);
        let marks = if page < 5 { 1_000 } else { 0 };
        let contents: String = (0..marks)
            .map(|number| {
                let key = format!("human-review/queue/00100-{time}-{page}{number:031x}-tc");
                let rest = "<Size>0</Size><LastModified>2026-11-20T09:59:59Z</LastModified>";
                format!("<Contents><Key>{key}</Key>{rest}</Contents>")
            })
            .collect();
        let next = match marks {
            0 => String::new(),
            _ => format!(
                "<IsTruncated>true</IsTruncated><NextContinuationToken>{page}</NextContinuationToken>"
            ),
        };
        (
            200,
            format!("<ListBucketResult>{next}{contents}</ListBucketResult>"),
        )
    });

    let reply = start(&function).await;

    assert_eq!(
        (reply.status(), reply.header("x-amzn-errortype")),
        (402, "ServiceQuotaExceededException")
    );
}

#[tokio::test]
async fn a_busy_bucket_is_throttling_and_a_broken_one_an_internal_error_without_details() {
    for (s3_status, s3_code, status, code) in [
        (503, "SlowDown", 429, "ThrottlingException"),
        (400, "KMS.DisabledException", 500, "InternalServerException"),
    ] {
        let function = over(move |_| (s3_status, s3_error(s3_code)));

        let reply = start(&function).await;

        assert_eq!((reply.status(), reply.header("x-amzn-errortype")), (status, code));
        assert!(!reply.body().contains("internals"));
    }
}
