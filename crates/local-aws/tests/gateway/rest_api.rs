//! REST APIs in front of a function.

use serde_json::json;

use crate::setup::{Call, KEY, get, post, put_api, services, user};

const TIMEOUT_MS: u32 = 29_000;

#[tokio::test]
async fn a_function_answers_a_request() {
    let aws = services();
    put_api(&aws, TIMEOUT_MS);

    let answer = post("/_aws/execute-api/api1/dev/echo?a=1", "a text")
        .send(&aws)
        .await;

    let event = answer.json();
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["x-from"], "function");
    assert!(answer.headers.contains_key("x-amz-apigw-id"));
    assert_eq!(event["path"], "/echo");
    assert_eq!(event["body"], "a text");
    assert_eq!(event["queryStringParameters"], json!({"a": "1"}));
    assert_eq!(event["requestContext"]["path"], "/dev/echo");
    assert_eq!(
        event["requestContext"]["requestId"].as_str(),
        answer.headers["x-amzn-requestid"].to_str().ok()
    );
}

#[tokio::test]
async fn a_failing_function_is_a_bad_gateway() {
    let aws = services();
    put_api(&aws, TIMEOUT_MS);

    for path in [
        "/_aws/execute-api/api1/dev/fail",
        "/_aws/execute-api/api1/dev/malformed",
    ] {
        let answer = post(path, "").send(&aws).await;

        assert_eq!(
            (answer.status, answer.json()),
            (502, json!({"message": "Internal server error"}))
        );
        assert_eq!(answer.headers["x-amzn-errortype"], "InternalServerErrorException");
    }
}

#[tokio::test]
async fn a_function_that_takes_too_long_is_a_gateway_timeout() {
    let aws = services();
    put_api(&aws, 50);

    let answer = post("/_aws/execute-api/api1/dev/wait", "").send(&aws).await;

    assert_eq!(answer.status, 504);
    assert_eq!(answer.json(), json!({"message": "Endpoint request timed out"}));
}

#[tokio::test]
async fn the_function_must_permit_the_method() {
    let aws = services();
    put_api(&aws, TIMEOUT_MS);

    let answer = get("/_aws/execute-api/api1/dev/echo").send(&aws).await;

    assert_eq!(answer.status, 500);
    assert_eq!(answer.json(), json!({"message": "Internal server error"}));
}

#[tokio::test]
async fn an_event_over_6_mb_is_too_large_for_the_function() {
    let aws = services();
    put_api(&aws, TIMEOUT_MS);
    let body = "a".repeat(6 * 1024 * 1024);

    let answer = post("/_aws/execute-api/api1/dev/echo", &body).send(&aws).await;

    assert_eq!(answer.status, 413);
}

#[tokio::test]
async fn the_event_names_the_key_that_was_used() {
    let aws = services();
    put_api(&aws, TIMEOUT_MS);
    let call = Call {
        headers: &[("x-api-key", KEY)],
        ..post("/_aws/execute-api/api1/dev/keyed", "")
    };

    let answers = [
        call.send(&aws).await,
        call.send(&aws).await,
        call.send(&aws).await,
    ];

    assert_eq!(
        answers[0].json()["requestContext"]["identity"]["apiKeyId"],
        "key1"
    );
    assert_eq!(answers.map(|answer| answer.status), [200, 200, 429]);
}

#[tokio::test]
async fn users_look_up_the_value_of_a_key() {
    let aws = services();
    put_api(&aws, TIMEOUT_MS);

    let one = get("/apikeys/key1?includeValue=true")
        .send_as(&aws, "apigateway", user())
        .await;
    let without = get("/apikeys/key1").send_as(&aws, "apigateway", user()).await;
    let all = get("/apikeys?includeValues=true")
        .send_as(&aws, "apigateway", user())
        .await;
    let none = get("/apikeys/other").send_as(&aws, "apigateway", user()).await;
    let apis = get("/restapis").send_as(&aws, "apigateway", user()).await;

    assert_eq!(
        one.json(),
        json!({"id": "key1", "name": "users", "enabled": true, "value": KEY, "stageKeys": ["api1/dev"]})
    );
    assert!(without.json().get("value").is_none());
    assert_eq!(all.json()["item"][0]["value"], KEY);
    assert_eq!(
        (none.status, &none.headers["x-amzn-errortype"]),
        (404, &"NotFoundException".parse().expect("ASCII"))
    );
    assert_eq!(apis.json()["item"][0]["id"], "api1");
}

#[tokio::test]
async fn a_key_is_not_shown_to_who_may_not_see_it() {
    let aws = services();
    put_api(&aws, TIMEOUT_MS);
    let worker = crate::setup::session(&aws, "worker");

    let unsigned = get("/apikeys/key1?includeValue=true").send(&aws).await;
    let denied = get("/apikeys/key1?includeValue=true")
        .send_as(&aws, "apigateway", worker)
        .await;

    assert!(!unsigned.body.contains(KEY));
    assert_eq!(denied.status, 403);
    assert!(denied.body.contains("apigateway:GET"), "{}", denied.body);
}
