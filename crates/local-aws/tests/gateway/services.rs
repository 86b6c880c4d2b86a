//! Which service a request is for, and the errors when it is for none or badly signed.

use aws_credential_types::Credentials;
use local_aws::{LocalAws, s3::BucketSpec};
use serde_json::json;

use crate::setup::{Call, get, post, put_role, services, session, user};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded; charset=utf-8");
const WHO: &str = "Action=GetCallerIdentity&Version=2011-06-15";

#[tokio::test]
async fn health_needs_no_signature() {
    let answer = get("/_aws/health").send(&LocalAws::in_memory()).await;

    assert_eq!(
        (answer.status, answer.json()),
        (200, json!({"status": "running"}))
    );
}

#[tokio::test]
async fn a_caller_learns_who_it_is() {
    let aws = LocalAws::in_memory();
    put_role(&aws, "worker", vec![]);
    let call = Call {
        headers: &[FORM],
        ..post("/", WHO)
    };

    let root = call.send_as(&aws, "sts", user()).await;
    let role = call.send_as(&aws, "sts", session(&aws, "worker")).await;

    assert_eq!(root.status, 200);
    assert!(root.body.contains("<Arn>arn:aws:iam::000000000000:root</Arn>"));
    assert!(root.body.contains("<Account>000000000000</Account>"));
    assert!(
        role.body
            .contains("<Arn>arn:aws:sts::000000000000:assumed-role/worker/local</Arn>")
    );
}

#[tokio::test]
async fn errors_of_the_query_protocol_are_xml() {
    let aws = LocalAws::in_memory();
    let stranger = Credentials::new("AKIASTRANGER", "x", None, None, "test");
    let call = Call {
        headers: &[FORM],
        ..post("/", WHO)
    };
    let other = Call {
        headers: &[FORM],
        ..post("/", "Action=GetSessionToken")
    };

    let unknown = call.send_as(&aws, "sts", stranger).await;
    let forged = call
        .send_as(&aws, "sts", Credentials::new("test", "wrong", None, None, "test"))
        .await;
    let unsigned = call.send(&aws).await;
    let other = other.send_as(&aws, "sts", user()).await;
    let other_service = Call {
        headers: &[FORM],
        ..post("/", "Action=ListMetrics")
    };
    let other_service = other_service.send_as(&aws, "monitoring", user()).await;

    assert_eq!(unknown.status, 403);
    assert!(unknown.body.contains("<Code>InvalidClientTokenId</Code>"));
    assert!(forged.body.contains("<Code>SignatureDoesNotMatch</Code>"));
    assert!(unsigned.body.contains("<Code>MissingAuthenticationToken</Code>"));
    assert_eq!(other.status, 501);
    assert!(other.body.contains("sts: GetSessionToken is not implemented"));
    assert_eq!(other_service.status, 501);
    assert!(
        other_service
            .body
            .contains("<Message>monitoring: ListMetrics is not implemented")
    );
}

#[tokio::test]
async fn unknown_services_are_not_implemented_by_name() {
    let aws = LocalAws::in_memory();
    let target = [("x-amz-target", "DynamoDB_20120810.PutItem")];

    let json = Call {
        headers: &target,
        ..post("/", "{}")
    }
    .send_as(&aws, "dynamodb", user())
    .await;
    let rest = get("/2017-03-26/anything").send_as(&aws, "kafka", user()).await;
    let path = get("/_aws/other").send(&aws).await;
    let cbor_headers = [
        ("smithy-protocol", "rpc-v2-cbor"),
        ("content-type", "application/cbor"),
    ];
    let cbor_path = "/service/Comprehend_20171127/operation/ClassifyDocument";
    let cbor = Call {
        headers: &cbor_headers,
        ..post(cbor_path, "")
    }
    .send_as(&aws, "comprehend", user())
    .await;

    assert_eq!(json.status, 501);
    assert_eq!(json.json()["__type"], "NotImplemented");
    assert!(json.body.contains("DynamoDB_20120810: PutItem"));
    assert_eq!(rest.status, 501);
    assert!(rest.body.contains("kafka: GET /2017-03-26/anything"));
    assert_eq!(path.status, 501);
    assert_eq!(cbor.status, 501);
    assert!(cbor.body.contains("CBOR"));
}

#[tokio::test]
async fn the_lambda_api_is_on_the_port() {
    let aws = services();
    let path = "/2015-03-31/functions/worker/invocations";

    let answer = post(path, r#"{"path":"/echo"}"#)
        .send_as(&aws, "lambda", user())
        .await;
    let denied = post(path, "{}")
        .send_as(&aws, "lambda", session(&aws, "worker"))
        .await;
    let unsigned = post(path, "{}").send(&aws).await;

    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["headers"]["x-from"], "function");
    assert_eq!(denied.status, 403);
    assert!(denied.body.contains("lambda:InvokeFunction"));
    assert_eq!(
        (unsigned.status, &unsigned.headers["x-amzn-errortype"]),
        (
            403,
            &"MissingAuthenticationTokenException".parse().expect("ASCII")
        )
    );
}

#[tokio::test]
async fn all_else_is_s3() {
    let aws = LocalAws::in_memory();
    aws.s3
        .put_bucket(BucketSpec {
            name: "bucket".to_owned(),
            ..BucketSpec::default()
        })
        .expect("the index works");
    put_role(
        &aws,
        "reader",
        vec![json!({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::bucket/*"})],
    );
    let user = aws_sdk_s3::Client::new(&aws.sdk_config());
    let reader = aws_sdk_s3::Client::new(
        &aws.sdk_config_for_role(&crate::setup::role_arn("reader"))
            .expect("the role exists"),
    );

    user.put_object()
        .bucket("bucket")
        .key("a b")
        .body(b"content".to_vec().into())
        .send()
        .await
        .expect("root may put");
    let read = reader
        .get_object()
        .bucket("bucket")
        .key("a b")
        .send()
        .await
        .expect("the reader may get");
    let denied = reader
        .delete_object()
        .bucket("bucket")
        .key("a b")
        .send()
        .await
        .expect_err("it may not delete");

    assert_eq!(
        read.body.collect().await.expect("the body is in memory").to_vec(),
        b"content"
    );
    let error = denied.into_service_error();
    assert_eq!(error.meta().code(), Some("AccessDenied"));
    assert!(
        error
            .meta()
            .message()
            .is_some_and(|it| it.contains("s3:DeleteObject"))
    );
    assert!(
        aws.sdk_config_for_role("arn:aws:iam::000000000000:role/none")
            .is_none()
    );
}

#[tokio::test]
async fn s3_needs_the_session_token_of_a_role() {
    let aws = LocalAws::in_memory();
    put_role(
        &aws,
        "reader",
        vec![json!({"Effect": "Allow", "Action": "s3:*", "Resource": "*"})],
    );
    let session = session(&aws, "reader");
    let without = Credentials::new(
        session.access_key_id(),
        session.secret_access_key(),
        None,
        None,
        "test",
    );
    let config = aws_sdk_s3::config::Builder::from(&aws.sdk_config())
        .credentials_provider(without)
        .force_path_style(true)
        .build();

    let refused = aws_sdk_s3::Client::from_conf(config)
        .list_buckets()
        .send()
        .await
        .expect_err("no token");

    assert_eq!(refused.into_service_error().meta().code(), Some("InvalidToken"));
}

#[tokio::test]
async fn firehose_and_secrets_manager_know_their_caller() {
    let aws = LocalAws::in_memory();
    put_role(&aws, "worker", vec![]);
    let target = [
        ("content-type", "application/x-amz-json-1.1"),
        ("x-amz-target", "secretsmanager.GetSecretValue"),
    ];
    let secret = Call {
        headers: &target,
        ..post("/", r#"{"SecretId":"signing"}"#)
    };
    let target = [
        ("content-type", "application/x-amz-json-1.1"),
        ("x-amz-target", "Firehose_20150804.DescribeDeliveryStream"),
    ];
    let stream = Call {
        headers: &target,
        ..post("/", r#"{"DeliveryStreamName":"s"}"#)
    };

    let missing = secret.send_as(&aws, "secretsmanager", user()).await;
    let denied = secret
        .send_as(&aws, "secretsmanager", session(&aws, "worker"))
        .await;
    let wrong_scope = stream.send_as(&aws, "secretsmanager", user()).await;
    let unsigned = stream.send(&aws).await;

    assert_eq!(missing.json()["__type"], "ResourceNotFoundException");
    assert_eq!(denied.json()["__type"], "AccessDeniedException");
    assert_eq!(wrong_scope.json()["__type"], "InvalidSignatureException");
    assert_eq!(
        wrong_scope.json()["message"],
        "Credential should be scoped to correct service: 'firehose'. "
    );
    assert_eq!(
        (unsigned.status, &unsigned.json()["__type"]),
        (400, &json!("MissingAuthenticationTokenException"))
    );
}
