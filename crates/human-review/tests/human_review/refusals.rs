//! Every error code of the API, provoked once.

use aws_sdk_s3::Client;
use aws_sdk_s3::error::ErrorMetadata;
use aws_sdk_s3::operation::get_object::GetObjectError;
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::types::Object;
use aws_sdk_s3::types::error::NoSuchKey;
use aws_smithy_mocks::{RuleMode, mock, mock_client};
use human_review::HumanReview;
use serde_json::{Value, json};

use crate::harness::{FLOW, Reply, Review, config, start_body, two_items, url_event};

fn start_request(changes: Value) -> String {
    let mut body = json!({
        "HumanLoopName": "tc-1",
        "FlowDefinitionArn": FLOW,
        "HumanLoopInput": { "InputContent": "{}" },
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
        (json!({ "HumanLoopName": null }), "Value null at 'humanLoopName' failed to satisfy constraint: Member must not be null"),
        (
            json!({ "HumanLoopName": "Comprehend-Text1" }),
            "Value 'Comprehend-Text1' at 'humanLoopName' failed to satisfy constraint: \
             Member must satisfy regular expression pattern: ^[a-z0-9](-*[a-z0-9])*$",
        ),
        (json!({ "HumanLoopName": "a".repeat(64) }), "Member must have length less than or equal to 63"),
        (json!({ "FlowDefinitionArn": "nonsense" }), "at 'flowDefinitionArn' failed to satisfy constraint: Member must satisfy regular"),
        (json!({ "FlowDefinitionArn": other_flow }), "The flow definition does not exist"),
        (json!({ "HumanLoopInput": null }), "Value null at 'humanLoopInput' failed"),
        (json!({ "HumanLoopInput": {} }), "Value null at 'humanLoopInput.inputContent' failed"),
        (json!({ "HumanLoopInput": { "InputContent": "[]" } }), "must be the text of a JSON object"),
        (json!({ "HumanLoopInput": { "InputContent": "not JSON" } }), "must be the text of a JSON object"),
        (
            json!({ "HumanLoopInput": { "InputContent": format!("{{\"a\":\"{}\"}}", "ä".repeat(3_145_728)) } }),
            "Value at 'humanLoopInput.inputContent' failed to satisfy constraint: Member must have length less than or equal to 3145728",
        ),
        (json!({ "DataAttributes": {} }), "Value null at 'dataAttributes.contentClassifiers' failed"),
        (json!({ "DataAttributes": { "ContentClassifiers": ["Nice"] } }), "Member must satisfy enum value set: [FreeOf"),
    ];
    for (changes, message) in cases {
        let reply = review.api("POST", "/human-loops", &start_request(changes)).await;

        assert_eq!((reply.status(), reply.header("x-amzn-errortype")), (400, "ValidationException"));
        let text = reply.json()["Message"].as_str().expect("a message").to_owned();
        assert!(text.contains(message), "{text}");
    }
    assert_eq!(review.keys("").await, Vec::<String>::new());
}

#[tokio::test]
async fn the_longest_input_is_accepted() {
    let review = Review::new();
    let input = format!("{{\"a\":\"{}\"}}", "x".repeat(3_145_728 - 8));

    let reply = review.api("POST", "/human-loops", &start_request(json!({ "HumanLoopInput": { "InputContent": input } }))).await;

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
        ("GET", "/human-loops/unknown".to_owned(), "", 404, "ResourceNotFoundException"),
        ("DELETE", "/human-loops/unknown".to_owned(), "", 404, "ResourceNotFoundException"),
        ("POST", "/human-loops/stop".to_owned(), &unknown, 404, "ResourceNotFoundException"),
        ("GET", format!("/human-loops?FlowDefinitionArn={other_flow}"), "", 404, "ResourceNotFoundException"),
        ("GET", "/human-loops/Bad_Name".to_owned(), "", 400, "ValidationException"),
        ("GET", "/human-loops/%2e%2e%2fqueue".to_owned(), "", 400, "ValidationException"),
        ("POST", "/human-loops/stop".to_owned(), "{}", 400, "ValidationException"),
        ("POST", "/human-loops/stop".to_owned(), &done, 400, "ValidationException"),
        ("GET", "/human-loops".to_owned(), "", 400, "ValidationException"),
        ("GET", list("&MaxResults=0"), "", 400, "ValidationException"),
        ("GET", list("&MaxResults=101"), "", 400, "ValidationException"),
        ("GET", list("&MaxResults=ten"), "", 400, "ValidationException"),
        ("GET", list("&SortOrder=Up"), "", 400, "ValidationException"),
        ("GET", list("&CreationTimeAfter=yesterday"), "", 400, "ValidationException"),
        ("GET", list("&NextToken=nonsense"), "", 400, "ValidationException"),
        ("POST", "/human-loops".to_owned(), "{", 400, "SerializationException"),
        ("PUT", "/human-loops".to_owned(), "", 404, "UnknownOperationException"),
        ("GET", "/".to_owned(), "", 404, "UnknownOperationException"),
    ];
    for (method, path, body, status, code) in cases {
        let reply = review.api(method, &path, body).await;

        assert_eq!((reply.status(), reply.header("x-amzn-errortype")), (status, code), "{method} {path}");
        assert!(reply.json()["Message"].is_string());
    }
}

fn over(s3: Client) -> HumanReview {
    HumanReview::new(config(), s3, b"secret")
}

async fn start(function: &HumanReview) -> Reply {
    let event = url_event("POST", "/human-loops", &start_body("tc-1", &two_items()));
    let now = "2026-11-20T10:00:00Z".parse().expect("a time");
    Reply(function.handle(event, now).await.expect("answered"))
}

#[tokio::test]
async fn a_full_flow_definition_refuses_with_402() {
    let nothing = mock!(Client::get_object)
        .then_error(|| GetObjectError::NoSuchKey(NoSuchKey::builder().meta(ErrorMetadata::builder().code("NoSuchKey").build()).build()));
    let full_page = || {
        let mark = |number: usize| format!("human-review/queue/00100-1763632799000-{number:032x}-tc");
        let objects = (0..1_000).map(|number| Object::builder().key(mark(number)).build());
        ListObjectsV2Output::builder().set_contents(Some(objects.collect())).build()
    };
    let pages = mock!(Client::list_objects_v2)
        .sequence()
        .output(move || full_page())
        .times(5)
        .output(|| ListObjectsV2Output::builder().build())
        .build();
    let function = over(mock_client!(aws_sdk_s3, RuleMode::MatchAny, [&nothing, &pages]));

    let reply = Reply(
        function
            .handle(
                url_event("POST", "/human-loops", &start_body("tc-1", &two_items())),
                "2025-11-20T10:00:00Z".parse().expect("a time"),
            )
            .await
            .expect("answered"),
    );

    assert_eq!((reply.status(), reply.header("x-amzn-errortype")), (402, "ServiceQuotaExceededException"));
}

#[tokio::test]
async fn a_busy_bucket_is_throttling_and_a_broken_one_an_internal_error_without_details() {
    for (s3_code, status, code) in [
        ("SlowDown", 429, "ThrottlingException"),
        ("KMS.DisabledException", 500, "InternalServerException"),
    ] {
        let failing = mock!(Client::get_object).then_error(move || {
            GetObjectError::generic(ErrorMetadata::builder().code(s3_code).message("internals").build())
        });
        let function = over(mock_client!(aws_sdk_s3, RuleMode::MatchAny, [&failing]));

        let reply = start(&function).await;

        assert_eq!((reply.status(), reply.header("x-amzn-errortype")), (status, code));
        assert!(!reply.body().contains("internals"));
    }
}
