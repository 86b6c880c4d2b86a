//! Sessions of roles, as STS gives them and as the other services know them.

use aws_credential_types::Credentials;
use local_aws::{LocalAws, iam::RoleSpec};
use serde_json::json;

use crate::setup::{Answer, Call, post, put_role, role_arn, user};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded; charset=utf-8");

async fn sts(aws: &LocalAws, action: &str, members: &[(&str, &str)], who: Credentials) -> Answer {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.append_pair("Action", action)
        .append_pair("Version", "2011-06-15");
    let body = form.extend_pairs(members).finish();
    let call = Call {
        headers: &[FORM],
        ..post("/", &body)
    };
    call.send_as(aws, "sts", who).await
}

fn text<'a>(body: &'a str, element: &str) -> &'a str {
    let rest = body.split(&format!("<{element}>")).nth(1).unwrap_or_default();
    rest.split('<').next().unwrap_or_default()
}

/// Makes a role that may do all with S3, and that the account may assume.
fn put_storage_role(aws: &LocalAws) -> String {
    let arn = role_arn("storage");
    let all = json!({"Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}});
    let role = RoleSpec {
        name: "storage".to_owned(),
        arn: arn.clone(),
        trust_policy: json!({"Statement": {"Effect": "Allow", "Principal": {"AWS": "000000000000"},
            "Action": "sts:AssumeRole"}}),
        policies: vec![all],
    };
    aws.iam.put_role(role).expect("a role");
    arn
}

async fn assume(aws: &LocalAws, members: &[(&str, &str)]) -> (Credentials, String) {
    let answer = sts(aws, "AssumeRole", members, user()).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let of = |element| text(&answer.body, element).to_owned();
    let token = Some(of("SessionToken"));
    let credentials = Credentials::new(of("AccessKeyId"), of("SecretAccessKey"), token, None, "test");
    (credentials, answer.body.clone())
}

fn s3_with(aws: &LocalAws, credentials: Credentials) -> aws_sdk_s3::Client {
    let config = aws_sdk_s3::config::Builder::from(&aws.sdk_config())
        .credentials_provider(credentials)
        .force_path_style(true)
        .build();
    aws_sdk_s3::Client::from_conf(config)
}

#[tokio::test]
async fn a_session_that_may_only_read_deletes_nothing() {
    let aws = LocalAws::in_memory();
    let role = put_storage_role(&aws);
    let owner = s3_with(&aws, user());
    let made = owner.create_bucket().bucket("notes").send().await;
    made.expect("a bucket");
    let body = aws_sdk_s3::primitives::ByteStream::from_static(b"kept");
    let put = owner.put_object().bucket("notes").key("a").body(body).send();
    put.await.expect("stored");
    let reads = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]});
    let policy = reads.to_string();
    let asked = [
        ("RoleArn", role.as_str()),
        ("RoleSessionName", "reader"),
        ("Policy", policy.as_str()),
    ];

    let (session, _) = assume(&aws, &asked).await;
    let reader = s3_with(&aws, session);
    let read = reader.get_object().bucket("notes").key("a").send().await;
    let deleted = reader.delete_object().bucket("notes").key("a").send().await;

    assert!(read.is_ok());
    let refused = deleted.expect_err("it may not").into_service_error();
    assert_eq!(refused.meta().code(), Some("AccessDenied"));
    let message = refused.meta().message().unwrap_or_default();
    assert!(
        message.contains("assumed-role/storage/reader")
            && message.contains("because no session policy allows the s3:DeleteObject action"),
        "{message}"
    );
    let still = owner.head_object().bucket("notes").key("a").send().await;
    assert!(still.is_ok());
}

#[tokio::test]
async fn a_session_has_the_name_and_the_time_that_its_caller_asks_for() {
    let aws = LocalAws::in_memory();
    let role = put_storage_role(&aws);
    let named = |name| {
        [
            ("RoleArn", role.as_str()),
            ("RoleSessionName", name),
            ("DurationSeconds", "900"),
        ]
    };

    let before = chrono::Utc::now();
    let (me, answer) = assume(&aws, &named("me")).await;
    let (you, _) = assume(&aws, &named("you")).await;
    let who = sts(&aws, "GetCallerIdentity", &[], me.clone()).await;

    assert_ne!(me.access_key_id(), you.access_key_id());
    let arn = "arn:aws:sts::000000000000:assumed-role/storage/me";
    assert_eq!(text(&who.body, "Arn"), arn);
    assert_eq!(text(&answer, "Arn"), arn);
    let id = text(&answer, "AssumedRoleId");
    assert!(id.starts_with("AROA") && id.ends_with(":me"), "{id}");
    assert_eq!(text(&who.body, "UserId"), id);
    let ends: chrono::DateTime<chrono::Utc> = text(&answer, "Expiration").parse().expect("a time");
    let seconds = (ends - before).num_seconds();
    assert!((890..1_800).contains(&seconds), "{seconds}");
}

#[tokio::test]
async fn what_a_session_cannot_have_is_refused_by_name() {
    let aws = LocalAws::in_memory();
    let role = put_storage_role(&aws);
    let long = "x".repeat(65);
    let odd = r#"{"Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Condition": {"Odd": {"a": "b"}}}}"#;
    let role = ("RoleArn", role.as_str());
    let name = ("RoleSessionName", "me");
    for (members, code, part) in [
        (vec![role], "ValidationError", "RoleSessionName is missing"),
        (
            vec![role, ("RoleSessionName", "a b")],
            "ValidationError",
            r"pattern: [\w+=,.@-]*",
        ),
        (
            vec![role, ("RoleSessionName", "a")],
            "ValidationError",
            "greater than or equal to 2",
        ),
        (
            vec![role, ("RoleSessionName", long.as_str())],
            "ValidationError",
            "less than or equal to 64",
        ),
        (
            vec![role, name, ("DurationSeconds", "899")],
            "ValidationError",
            "equal to 900",
        ),
        (
            vec![role, name, ("DurationSeconds", "1000000")],
            "ValidationError",
            "equal to 43200",
        ),
        (
            vec![role, name, ("DurationSeconds", "7200")],
            "ValidationError",
            "MaxSessionDuration",
        ),
        (
            vec![role, name, ("Policy", "{")],
            "MalformedPolicyDocument",
            "JSON",
        ),
        (
            vec![role, name, ("Policy", odd)],
            "MalformedPolicyDocument",
            "Odd",
        ),
        (
            vec![("RoleArn", "storage"), name],
            "ValidationError",
            "storage is invalid",
        ),
        (
            vec![role, name, ("SerialNumber", "arn:aws:iam::000000000000:mfa/x")],
            "NotImplemented",
            "SerialNumber",
        ),
        (
            vec![role, name, ("SourceIdentity", "ann")],
            "NotImplemented",
            "SourceIdentity",
        ),
        (
            vec![role, name, ("Tags.member.1.Key", "team")],
            "NotImplemented",
            "Tags.member.1.Key",
        ),
    ] {
        let refused = sts(&aws, "AssumeRole", &members, user()).await;
        assert_eq!(text(&refused.body, "Code"), code, "{}", refused.body);
        assert!(refused.body.contains(part), "{}", refused.body);
    }
}

#[tokio::test]
async fn the_user_cannot_take_the_role_of_a_function() {
    let aws = LocalAws::in_memory();
    put_role(&aws, "function", vec![]);
    let arn = role_arn("function");
    let members = [("RoleArn", arn.as_str()), ("RoleSessionName", "me")];

    let refused = sts(&aws, "AssumeRole", &members, user()).await;

    assert_eq!(
        (refused.status, text(&refused.body, "Code")),
        (403, "AccessDenied")
    );
}
