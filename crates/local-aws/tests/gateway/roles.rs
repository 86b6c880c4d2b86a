//! IAM's API over the Query protocol: roles and policies that count and are kept.

use std::path::Path;

use local_aws::{LocalAws, iam::Principal, transport::ENDPOINT_URL};
use serde_json::{Value, json};

use crate::setup::{Answer, Call, post, put_role, session, user};

const ARN: &str = "arn:aws:iam::000000000000:role/mine";
const READS_S3: &str = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess";

fn services(folder: &Path) -> LocalAws {
    LocalAws::open(folder, "us-east-1", ENDPOINT_URL).expect("the folder is free")
}

async fn send_as(
    aws: &LocalAws,
    action: &str,
    members: &[(&str, &str)],
    who: aws_credential_types::Credentials,
) -> Answer {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.append_pair("Action", action)
        .append_pair("Version", "2010-05-08");
    let body = form.extend_pairs(members).finish();
    let headers = [("content-type", "application/x-www-form-urlencoded; charset=utf-8")];
    let call = Call {
        headers: &headers,
        ..post("/", &body)
    };
    call.send_as(aws, "iam", who).await
}

async fn send(aws: &LocalAws, action: &str, members: &[(&str, &str)]) -> Answer {
    send_as(aws, action, members, user()).await
}

async fn done(aws: &LocalAws, action: &str, members: &[(&str, &str)]) -> String {
    let answer = send(aws, action, members).await;
    assert_eq!(answer.status, 200, "{action}: {}", answer.body);
    answer.body
}

/// Returns the code and the status of a refusal.
async fn refused(aws: &LocalAws, action: &str, members: &[(&str, &str)]) -> (String, u16) {
    let answer = send(aws, action, members).await;
    let code = answer.body.split("<Code>").nth(1).unwrap_or_default();
    let code = code.split('<').next().unwrap_or_default();
    (code.to_owned(), answer.status)
}

fn trust(service: &str) -> String {
    let statement = json!({"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"});
    json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
}

fn allowing(action: &str) -> String {
    let statement = json!({"Effect": "Allow", "Action": action, "Resource": "*"});
    json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
}

/// Returns which of these actions a role may do.
fn rights(aws: &LocalAws) -> Vec<&'static str> {
    let role = Principal::Role { arn: ARN.to_owned() };
    ["events:InvokeApiDestination", "s3:GetObject", "s3:PutObject"]
        .into_iter()
        .filter(|action| aws.iam.permit(&role, action, "arn:aws:x").is_ok())
        .collect()
}

const NAME: (&str, &str) = ("RoleName", "mine");

#[tokio::test]
async fn a_role_that_the_api_made_has_its_policies_rights_and_is_there_after_the_next_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let aws = services(folder.path());
    let trusted = trust("events.amazonaws.com");
    let document = allowing("events:InvokeApiDestination");

    let made = done(
        &aws,
        "CreateRole",
        &[NAME, ("AssumeRolePolicyDocument", &trusted)],
    )
    .await;
    let inline = [
        NAME,
        ("PolicyName", "invoke"),
        ("PolicyDocument", document.as_str()),
    ];
    done(&aws, "PutRolePolicy", &inline).await;
    done(&aws, "AttachRolePolicy", &[NAME, ("PolicyArn", READS_S3)]).await;
    let before = rights(&aws);
    drop(aws);
    let aws = services(folder.path());

    assert!(made.contains(&format!("<Arn>{ARN}</Arn>")), "{made}");
    assert_eq!(before, ["events:InvokeApiDestination", "s3:GetObject"]);
    assert_eq!(rights(&aws), before);
    let trusts = ["events.amazonaws.com", "lambda.amazonaws.com"].map(|it| aws.iam.may_assume(it, ARN));
    assert_eq!(trusts, [true, false]);
    let shown = done(&aws, "GetRolePolicy", &inline[..2]).await;
    let shown = shown.split("<PolicyDocument>").nth(1).expect("a document");
    let shown = shown.split('<').next().expect("its end");
    let shown = percent_encoding::percent_decode_str(shown)
        .decode_utf8()
        .expect("UTF-8");
    let shown: Value = serde_json::from_str(&shown).expect("JSON");
    assert_eq!(
        shown.to_string(),
        document.parse::<Value>().expect("JSON").to_string()
    );
    let attached = done(&aws, "ListAttachedRolePolicies", &[NAME]).await;
    assert!(attached.contains(READS_S3), "{attached}");
}

#[tokio::test]
async fn a_role_goes_after_its_policies_and_a_policy_after_its_roles() {
    let folder = tempfile::tempdir().expect("a folder");
    let aws = services(folder.path());
    let document = allowing("s3:PutObject");
    let trusted = trust("comprehend.amazonaws.com");
    done(
        &aws,
        "CreateRole",
        &[NAME, ("AssumeRolePolicyDocument", &trusted)],
    )
    .await;
    let policy = [("PolicyName", "writes"), ("PolicyDocument", document.as_str())];
    done(&aws, "CreatePolicy", &policy).await;
    let arn = ("PolicyArn", "arn:aws:iam::000000000000:policy/writes");
    done(&aws, "AttachRolePolicy", &[NAME, arn]).await;
    let with_it = rights(&aws);

    let conflicts = [
        refused(&aws, "DeleteRole", &[NAME]).await,
        refused(&aws, "DeletePolicy", &[arn]).await,
    ];
    let shown = done(&aws, "GetPolicy", &[arn]).await;
    done(&aws, "DetachRolePolicy", &[NAME, arn]).await;
    let without = rights(&aws);
    done(&aws, "DeletePolicy", &[arn]).await;
    done(&aws, "DeleteRole", &[NAME]).await;

    assert_eq!(with_it, ["s3:PutObject"]);
    assert_eq!(
        conflicts,
        [const { "DeleteConflict" }; 2].map(|code| (code.to_owned(), 409))
    );
    assert!(shown.contains("<AttachmentCount>1</AttachmentCount>"), "{shown}");
    assert!(without.is_empty());
    assert_eq!(
        refused(&aws, "GetRole", &[NAME]).await,
        ("NoSuchEntity".to_owned(), 404)
    );
    assert_eq!(
        refused(&aws, "GetPolicy", &[arn]).await,
        ("NoSuchEntity".to_owned(), 404)
    );
    assert!(!aws.iam.may_assume("comprehend.amazonaws.com", ARN));
}

#[tokio::test]
async fn roles_of_the_template_are_shown_and_what_cannot_be_done_is_refused_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let aws = services(folder.path());
    let may_list = json!({"Effect": "Allow", "Action": "iam:ListRoles", "Resource": "*"});
    put_role(&aws, "function", vec![may_list]);
    let trusted = trust("lambda.amazonaws.com");
    let of_template = ("RoleName", "function");
    let document = ("AssumeRolePolicyDocument", trusted.as_str());

    let listed = send_as(&aws, "ListRoles", &[], session(&aws, "function")).await;
    let denied = send_as(&aws, "GetRole", &[of_template], session(&aws, "function")).await;
    let shown = done(&aws, "GetRole", &[of_template]).await;

    assert!(
        listed.status == 200 && listed.body.contains("<RoleName>function</RoleName>"),
        "{}",
        listed.body
    );
    assert_eq!(denied.status, 403);
    assert!(shown.contains(":role/function</Arn>"), "{shown}");
    done(&aws, "CreateRole", &[NAME, document]).await;
    let sage_maker = ("PolicyArn", "arn:aws:iam::aws:policy/AmazonSageMakerFullAccess");
    let tag = ("Tags.member.1.Key", "team");
    let like = r#"{"Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Condition": {"Odd": {"a": "b"}}}}"#;
    for (action, members, code, status) in [
        ("CreateRole", vec![NAME, document], "EntityAlreadyExists", 409),
        (
            "CreateRole",
            vec![of_template, document],
            "EntityAlreadyExists",
            409,
        ),
        (
            "CreateRole",
            vec![("RoleName", "a b"), document],
            "ValidationError",
            400,
        ),
        (
            "CreateRole",
            vec![("RoleName", "other"), document, tag],
            "NotImplemented",
            501,
        ),
        ("CreateRole", vec![("RoleName", "other")], "ValidationError", 400),
        (
            "UpdateAssumeRolePolicy",
            vec![of_template, ("PolicyDocument", trusted.as_str())],
            "UnmodifiableEntity",
            400,
        ),
        (
            "PutRolePolicy",
            vec![NAME, ("PolicyName", "p"), ("PolicyDocument", like)],
            "MalformedPolicyDocument",
            400,
        ),
        ("AttachRolePolicy", vec![NAME, sage_maker], "NotImplemented", 501),
        (
            "DeleteRolePolicy",
            vec![NAME, ("PolicyName", "p")],
            "NoSuchEntity",
            404,
        ),
        ("CreateUser", vec![("UserName", "ann")], "NotImplemented", 501),
    ] {
        let refusal = refused(&aws, action, &members).await;
        assert_eq!(refusal, (code.to_owned(), status), "{action} {members:?}");
    }
    assert!(rights(&aws).is_empty(), "what was refused has no effect");
}

#[tokio::test]
async fn roles_come_in_pages() {
    let folder = tempfile::tempdir().expect("a folder");
    let aws = services(folder.path());
    for name in ["one", "three", "two"] {
        put_role(&aws, name, vec![]);
    }
    let names = |body: &str| {
        let parts = body.split("<RoleName>").skip(1);
        let names = parts.map(|part| part.split('<').next().unwrap_or_default().to_owned());
        names.collect::<Vec<String>>()
    };

    let first = done(&aws, "ListRoles", &[("MaxItems", "2")]).await;
    let marker = first.split("<Marker>").nth(1).expect("a marker");
    let marker = marker.split('<').next().unwrap_or_default();
    let rest = done(&aws, "ListRoles", &[("MaxItems", "2"), ("Marker", marker)]).await;

    assert_eq!(
        (names(&first), names(&rest)),
        (vec!["one".to_owned(), "three".to_owned()], vec!["two".to_owned()])
    );
    assert!(first.contains("<IsTruncated>true</IsTruncated>"));
    assert!(rest.contains("<IsTruncated>false</IsTruncated>") && !rest.contains("Marker"));
    for member in [("MaxItems", "0"), ("Marker", "zzz")] {
        assert_eq!(refused(&aws, "ListRoles", &[member]).await.0, "ValidationError");
    }
}

#[tokio::test]
async fn a_trust_policy_under_an_unknown_key_is_refused_when_it_is_given() {
    let folder = tempfile::tempdir().expect("a folder");
    let aws = services(folder.path());
    let trusting = |key: &str| {
        let statement = json!({"Effect": "Allow", "Principal": {"AWS": "000000000000"}, "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {key: "x"}}});
        json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
    };
    let (known, unknown) = (trusting("sts:ExternalId"), trusting("foo:bar"));
    let (trust, document) = ("AssumeRolePolicyDocument", "PolicyDocument");

    let at_first = refused(&aws, "CreateRole", &[NAME, (trust, unknown.as_str())]).await;
    done(&aws, "CreateRole", &[NAME, (trust, known.as_str())]).await;
    let later = refused(
        &aws,
        "UpdateAssumeRolePolicy",
        &[NAME, (document, unknown.as_str())],
    )
    .await;

    let malformed = ("MalformedPolicyDocument".to_owned(), 400);
    assert_eq!((at_first, later), (malformed.clone(), malformed));
}
