//! Function URLs.

use local_aws::lambda::{FunctionUrlSpec, PermissionSpec};
use serde_json::json;

use crate::setup::{Call, FUNCTION_ARN, post, put_role, services, session, user};

const JSON_1_1: (&str, &str) = ("content-type", "application/x-amz-json-1.1");

fn both_rights() -> serde_json::Value {
    json!({
        "Effect": "Allow",
        "Action": ["lambda:InvokeFunctionUrl", "lambda:InvokeFunction"],
        "Resource": FUNCTION_ARN,
    })
}

#[tokio::test]
async fn a_role_with_both_rights_reaches_the_function() {
    let aws = services();
    put_role(&aws, "caller", vec![both_rights()]);
    let call = Call {
        headers: &[JSON_1_1],
        ..post("/_aws/lambda-url/url1/human-loops?x=1", "{}")
    };

    let answer = call.send_as(&aws, "lambda", session(&aws, "caller")).await;

    let event = answer.json();
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["x-from"], "function");
    assert_eq!(event["version"], "2.0");
    assert_eq!(event["rawPath"], "/human-loops");
    assert_eq!(event["rawQueryString"], "x=1");
    assert_eq!(event["body"], "e30=");
    assert_eq!(event["requestContext"]["apiId"], "url1");
    assert_eq!(
        event["requestContext"]["authorizer"]["iam"]["userArn"],
        "arn:aws:sts::000000000000:assumed-role/caller/local"
    );
    assert!(event["headers"].get("authorization").is_none());
}

#[tokio::test]
async fn one_right_alone_is_not_enough() {
    let aws = services();
    for action in ["lambda:InvokeFunctionUrl", "lambda:InvokeFunction"] {
        put_role(
            &aws,
            "caller",
            vec![json!({"Effect": "Allow", "Action": action, "Resource": FUNCTION_ARN})],
        );

        let answer = post("/_aws/lambda-url/url1/", "")
            .send_as(&aws, "lambda", session(&aws, "caller"))
            .await;

        assert_eq!(answer.status, 403);
        assert_eq!(answer.headers["x-amzn-errortype"], "AccessDeniedException");
        assert!(
            answer.json()["Message"]
                .as_str()
                .is_some_and(|it| it.starts_with("Forbidden. ")),
            "{}",
            answer.body
        );
    }
}

#[tokio::test]
async fn the_conditions_of_function_urls_are_known() {
    let aws = services();
    let mut statement = both_rights();
    statement["Condition"] = json!({
        "Bool": {"lambda:InvokedViaFunctionUrl": "true"},
        "StringEquals": {"lambda:FunctionUrlAuthType": "AWS_IAM"},
    });
    put_role(&aws, "caller", vec![statement]);

    let answer = post("/_aws/lambda-url/url1/", "")
        .send_as(&aws, "lambda", session(&aws, "caller"))
        .await;

    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn the_signature_must_be_for_lambda() {
    let aws = services();

    let other_service = post("/_aws/lambda-url/url1/", "")
        .send_as(&aws, "comprehend", user())
        .await;
    let unsigned = post("/_aws/lambda-url/url1/", "").send(&aws).await;
    let unknown_url = post("/_aws/lambda-url/other/", "")
        .send_as(&aws, "lambda", user())
        .await;

    assert_eq!(other_service.status, 403);
    assert!(
        other_service
            .body
            .contains("Credential should be scoped to correct service: 'lambda'")
    );
    assert_eq!(unsigned.status, 403);
    assert_eq!(unknown_url.status, 403);
}

#[tokio::test]
async fn an_open_url_needs_a_permission_for_everyone() {
    let aws = services();
    let open = FunctionUrlSpec {
        id: "open".to_owned(),
        function_name: "worker".to_owned(),
        iam_auth: false,
    };
    aws.lambda.put_url(open);

    let before = post("/_aws/lambda-url/open/echo", "").send(&aws).await;
    for action in ["lambda:InvokeFunctionUrl", "lambda:InvokeFunction"] {
        aws.lambda.add_permission(PermissionSpec {
            function_name: "worker".to_owned(),
            action: action.to_owned(),
            principal: "*".to_owned(),
            source_arn: None,
            source_account: None,
        });
    }
    let after = post("/_aws/lambda-url/open/echo", "").send(&aws).await;

    assert_eq!(before.status, 403);
    assert_eq!(after.status, 200);
    assert_eq!(after.json()["requestContext"]["accountId"], "anonymous");
}

#[tokio::test]
async fn a_failing_function_is_a_bad_gateway() {
    let aws = services();
    for path in ["/_aws/lambda-url/url1/fail", "/_aws/lambda-url/url1/malformed"] {
        let answer = post(path, "").send_as(&aws, "lambda", user()).await;

        assert_eq!(answer.status, 502);
        assert_eq!(answer.json()["Message"], "Internal Server Error");
    }
}

#[tokio::test]
async fn an_answer_without_a_status_is_the_body() {
    let aws = services();

    let answer = post("/_aws/lambda-url/url1/inferred", "")
        .send_as(&aws, "lambda", user())
        .await;

    assert_eq!(answer.status, 200);
    assert_eq!(answer.json(), json!({"Classes": []}));
}

#[tokio::test]
async fn a_body_over_6_mb_is_too_large() {
    let aws = services();
    let body = "a".repeat(6 * 1024 * 1024 + 1);

    let answer = post("/_aws/lambda-url/url1/", &body)
        .send_as(&aws, "lambda", user())
        .await;

    assert_eq!(answer.status, 413);
}
