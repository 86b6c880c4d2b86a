//! Services that a function serves, under their own signing names.

use local_aws::LocalAws;
use serde_json::json;

use crate::setup::{Call, get, post, put_role, services, session, user};

const CLASSIFY: [(&str, &str); 2] = [
    ("content-type", "application/x-amz-json-1.1"),
    ("x-amz-target", "Comprehend_20171127.ClassifyDocument"),
];

fn serving() -> LocalAws {
    let aws = services();
    aws.serve_signing_name("comprehend", "url1");
    aws.serve_signing_name("sagemaker", "url1");
    aws
}

#[tokio::test]
async fn a_comprehend_request_reaches_its_function() {
    let aws = serving();
    let call = Call {
        headers: &CLASSIFY,
        ..post("/", r#"{"Text":"a"}"#)
    };

    let answer = call.send_as(&aws, "comprehend", user()).await;

    let event = answer.json();
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["content-type"], "application/x-amz-json-1.1");
    assert_eq!(event["rawPath"], "/");
    assert_eq!(
        event["headers"]["x-amz-target"],
        "Comprehend_20171127.ClassifyDocument"
    );
    assert_eq!(event["isBase64Encoded"], true);
}

#[tokio::test]
async fn a_human_loop_request_reaches_its_function() {
    let aws = serving();
    for (method, path) in [
        ("POST", "/human-loops"),
        ("GET", "/human-loops?FlowDefinitionArn=a"),
        ("GET", "/human-loops/name"),
        ("DELETE", "/human-loops/name"),
        ("POST", "/human-loops/stop"),
    ] {
        let call = Call {
            method,
            ..post(path, "")
        };

        let answer = call.send_as(&aws, "sagemaker", user()).await;

        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.json()["rawPath"].as_str(), path.split('?').next());
    }
}

#[tokio::test]
async fn a_role_needs_the_action_of_the_service() {
    let aws = serving();
    put_role(
        &aws,
        "allowed",
        vec![json!({"Effect": "Allow", "Action": "sagemaker:DescribeHumanLoop", "Resource": "*"})],
    );

    let allowed = get("/human-loops/name")
        .send_as(&aws, "sagemaker", session(&aws, "allowed"))
        .await;
    let denied = get("/human-loops")
        .send_as(&aws, "sagemaker", session(&aws, "allowed"))
        .await;
    let call = Call {
        headers: &CLASSIFY,
        ..post("/", "{}")
    };
    let denied_json = call.send_as(&aws, "comprehend", session(&aws, "allowed")).await;

    assert_eq!(allowed.status, 200);
    assert_eq!(denied.status, 403);
    assert!(denied.body.contains("sagemaker:ListHumanLoops"));
    assert_eq!(denied_json.status, 400);
    assert_eq!(denied_json.json()["__type"], "AccessDeniedException");
    assert!(
        denied_json.json()["Message"]
            .as_str()
            .is_some_and(|it| it.contains("comprehend:ClassifyDocument"))
    );
}

#[tokio::test]
async fn the_functions_own_errors_pass_unchanged() {
    let aws = serving();

    let answer = post("/_aws/lambda-url/url1/refuse", "")
        .send_as(&aws, "lambda", user())
        .await;

    assert_eq!(answer.status, 400);
    assert_eq!(
        answer.headers["x-amzn-errortype"],
        "TextSizeLimitExceededException"
    );
    assert_eq!(answer.body, r#"{"Message":"too long"}"#);
}

#[tokio::test]
async fn a_service_that_no_function_serves_is_not_implemented() {
    let aws = services();
    let call = Call {
        headers: &CLASSIFY,
        ..post("/", "{}")
    };

    let comprehend = call.send_as(&aws, "comprehend", user()).await;
    let human_loops = post("/human-loops", "{}")
        .send_as(&aws, "sagemaker", user())
        .await;
    let other_path = Call {
        method: "PUT",
        ..post("/human-loops/a", "{}")
    };
    let other_path = other_path.send_as(&serving(), "sagemaker", user()).await;

    assert_eq!(comprehend.status, 501);
    assert!(
        comprehend
            .body
            .contains("comprehend: ClassifyDocument is not implemented")
    );
    assert_eq!(human_loops.status, 501);
    assert!(other_path.body.contains("PUT /human-loops/a"));
}

#[tokio::test]
async fn a_request_that_is_too_long_for_the_function_is_refused_as_its_service_would() {
    let aws = serving();
    for megabytes in [7, 11] {
        let body = "a".repeat(megabytes << 20);
        let comprehend = Call {
            headers: &CLASSIFY,
            ..post("/", &body)
        };

        let answer = post("/human-loops", &body)
            .send_as(&aws, "sagemaker", user())
            .await;
        let comprehend = comprehend.send_as(&aws, "comprehend", user()).await;

        assert_eq!((answer.status, comprehend.status), (400, 400));
        assert_eq!(answer.headers["x-amzn-errortype"], "ValidationException");
        assert_eq!(comprehend.json()["__type"], "ValidationException");
        assert!(
            answer.body.contains("6291456 bytes") && comprehend.body.contains("6291456 bytes"),
            "{}",
            answer.body
        );
    }
}
