//! Events of functions, and what is left of those that failed.

use std::panic::AssertUnwindSafe;

use active_learning_aws::{
    bucket::Bucket,
    redrive::{self, Outcome},
};
use aws_sdk_s3::Client;
use fuzz::fuzz;
use human_review::{
    answer::read_answer,
    event::{HttpRequest, Invocation},
};
use local_aws::{LocalAws, lambda::FunctionSpec, s3::BucketSpec, scheduler::ScheduleSpec};
use serde_json::Value;
use tokio::runtime::Builder;

/// Of API Gateway (format 1.0), of a function URL, of an HTTP API (format 2.0) and of a caller.
const REQUESTS: &[&[u8]] = &[
    include_bytes!("../../../../events/human-review/queue-without-session.json"),
    include_bytes!("../../../../events/human-review/start-human-loop.json"),
    include_bytes!("../../../../events/human-review/create-sign-in-link.json"),
    br#"{"httpMethod": "POST", "path": "/task/1", "headers": {"Cookie": "a=b", "X-Forwarded-Proto": "https", "Host": "x"},
        "queryStringParameters": {"a": "b"}, "body": "YT0xJmE9MiUyMCslRkY=", "isBase64Encoded": true, "requestContext": {"path":
        "/dev/task/1", "requestId": "r", "identity": {"sourceIp": "2001:db8::1"}}}"#,
    br#"{"version": "2.0", "rawPath": "/a%20b", "rawQueryString": "a=1&a=2&b", "cookies": ["a=b"], "headers": {"accept": "a, b"},
        "body": "item.0.label=A&item.0.label=B&item.0.note=%C3%A9", "isBase64Encoded": false, "requestContext": {"requestId": "r",
        "stage": "$default", "http": {"method": "POST", "path": "/a b", "sourceIp": "127.0.0.1"}}}"#,
];

#[test]
fn http_events_give_the_request_that_they_are_of() {
    fuzz(REQUESTS, |bytes| {
        let Ok(event) = serde_json::from_slice::<Value>(bytes) else {
            return;
        };
        let is_http = event.get("rawPath").is_some() || event.get("httpMethod").is_some();
        match Invocation::read(event.clone()) {
            Ok(Invocation::Direct(direct)) => assert!(!is_http && direct == event),
            Ok(Invocation::FunctionUrl(request)) => {
                assert_eq!(event["rawPath"], request.path);
                hold_request(&request);
            }
            Ok(Invocation::Proxy(request)) => {
                assert_eq!(event["path"], request.path);
                hold_request(&request);
            }
            Err(_) => assert!(is_http),
        }
    });
}

fn hold_request(request: &HttpRequest) {
    let fields = request.fields();

    assert_eq!(
        request.form().len(),
        fields
            .iter()
            .map(|(name, _)| name)
            .collect::<std::collections::BTreeSet<_>>()
            .len()
    );
    assert!(
        request
            .headers
            .keys()
            .all(|name| *name == name.to_ascii_lowercase())
    );
    assert!(request.base_url().starts_with("http"));
    drop(read_answer(&fields));
}

/// Of Lambda, for events of S3, of a schedule and of EventBridge.
const FAILURES: &[&[u8]] = &[
    br#"{"version": "1.0", "timestamp": "2026-11-20T10:00:00Z", "requestContext": {"requestId": "r", "condition": "RetriesExhausted",
        "approximateInvokeCount": 3}, "requestPayload": {"Records": [{"s3": {"bucket": {"name": "feedback"}, "object": {"key":
        "feedback/a+b%20c", "eTag": "1"}}}]}, "responseContext": {"statusCode": 200, "functionError": "Unhandled"}}"#,
    br#"{"requestPayload": {"operation": "sweep"}}"#,
    br#"{"requestPayload": {"detail-type": "SageMaker A2I HumanLoop Status Change", "detail": {}}}"#,
    br#"{"requestPayload": {"operation": "import", "Records": [{"s3": {"bucket": {"name": "no"}, "object": {"key": "%ff"}}}]}}"#,
];

#[test]
fn a_failure_record_stays_with_a_reason_or_is_done_with() {
    const KEY: &str = "failed-events/aws/lambda/async/f/2026/11/20/a.json";
    let aws = LocalAws::in_memory();
    let bucket = BucketSpec {
        name: "feedback".to_owned(),
        ..BucketSpec::default()
    };
    aws.s3.put_bucket(bucket).expect("a good name");
    let bucket = Bucket::new(Client::new(&aws.sdk_config()), "feedback");
    let runtime = Builder::new_current_thread().enable_all().build();
    let (bucket, runtime) = (AssertUnwindSafe(bucket), runtime.expect("a runtime"));
    let runtime = AssertUnwindSafe(runtime);
    let write = |key: &str, bytes: &[u8]| {
        let writing = bucket.put(key, "application/json", bytes.to_vec());
        runtime.block_on(writing).expect("a healthy bucket");
    };
    write("feedback/a b c", b"{}\n");
    let redrive = |bytes: &[u8]| {
        write(KEY, bytes);
        runtime.block_on(redrive::redrive(&bucket, vec![KEY.to_owned()]))
    };
    assert_eq!(redrive(FAILURES[0]).redriven, 1);
    fuzz(FAILURES, |bytes| {
        let Outcome {
            redriven,
            scheduled,
            kept,
        } = redrive(bytes);
        let is_there = runtime
            .block_on(bucket.read(KEY, 1 << 20))
            .expect("a healthy bucket");

        assert_eq!(redriven + scheduled.values().sum::<usize>() + kept.len(), 1);
        assert_eq!(is_there.is_some(), !kept.is_empty());
        assert!(kept.iter().all(|kept| !kept.reason.is_empty()));
    });
}

const EXPRESSIONS: &[&[u8]] = &[
    b"rate(5 minutes)",
    b"rate(1 day)",
    b"rate(4294967295 days)",
    b"cron(0 10 * * ? *)",
    b"at(2026-11-20T10:00:00)",
];

#[test]
fn a_schedule_is_taken_at_a_rate_or_refused_with_its_expression() {
    let aws = AssertUnwindSafe(LocalAws::in_memory());
    let put = |expression: &str| {
        aws.scheduler.put_schedule(ScheduleSpec {
            name: "tick".to_owned(),
            expression: expression.to_owned(),
            enabled: true,
            target_arn: "arn:aws:lambda:us-east-1:000000000000:function:worker".to_owned(),
            role_arn: "arn:aws:iam::000000000000:role/role".to_owned(),
            input: None,
        })
    };
    assert!(
        EXPRESSIONS[..3]
            .iter()
            .all(|one| put(&String::from_utf8_lossy(one)).is_ok())
    );
    fuzz(EXPRESSIONS, |bytes| {
        let expression = String::from_utf8_lossy(bytes);
        match put(&expression) {
            Ok(()) => {
                let digits = expression.bytes().any(|byte| (b'1'..=b'9').contains(&byte));
                assert!(expression.starts_with("rate(") && digits, "{expression}");
            }
            Err(reason) => assert!(reason.contains(&*expression)),
        }
    });
}

const PAYLOADS: &[&[u8]] = &[
    br#"{"a": [1, -2.5e3, "\u00e9", null, true], "b": {"c": {}}}"#,
    b"",
    b" \"text\" ",
    b"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
];

#[test]
fn a_function_is_asked_with_json_or_not_at_all() {
    use axum::http::StatusCode;

    use crate::{
        requests::Services,
        wire::{Unsigned, read},
    };

    let services = Services::open();
    services.aws.lambda.put_function(FunctionSpec {
        name: "worker".to_owned(),
        role_arn: "arn:aws:iam::000000000000:role/role".to_owned(),
        environment: std::collections::BTreeMap::new(),
        timeout_seconds: 1,
        memory_megabytes: 128,
        json_logs: false,
        reserved_concurrency: None,
        command: vec!["/nowhere".into()],
    });
    fuzz(PAYLOADS, |body| {
        let request = Unsigned {
            method: "POST",
            target: "/2015-03-31/functions/worker/invocations",
            service: "lambda",
            headers: &[("x-amz-invocation-type", "Event")],
            payload: None,
            body,
        };
        let (status, answer) = services.ask(read(&request.signed(false)).expect("a request"));

        let is_json = |text| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
        let is_event = std::str::from_utf8(body).is_ok_and(|text| text.is_empty() || is_json(text));
        let expected = match is_event {
            true => StatusCode::ACCEPTED,
            false => StatusCode::BAD_REQUEST,
        };
        assert_eq!(status, expected, "{}", String::from_utf8_lossy(&answer));
    });
}
