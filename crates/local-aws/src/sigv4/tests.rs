use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use http::Request;
use serde_json::json;

use super::*;
use crate::iam::{RoleSpec, SessionSpec};

const ROLE: &str = "arn:aws:iam::000000000000:role/worker";
const BODY: &[u8] = br#"{"Text":"a"}"#;

fn now() -> DateTime<Utc> {
    "2026-03-04T05:06:07Z".parse().expect("it is a time")
}

fn user() -> Credentials {
    Credentials::new("test", "test", None, None, "test")
}

/// Signs as the AWS SDK does, for the service `firehose` in `us-east-1`.
fn signed(uri: &str, credentials: Credentials, at: DateTime<Utc>) -> Parts {
    let mut request = Request::post(uri)
        .header("host", "127.0.0.1:4566")
        .header("x-amz-target", "Firehose_20150804.PutRecord")
        .header("x-padded", "  two   words ")
        .body(())
        .expect("the request is well formed");
    let identity = credentials.into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region("us-east-1")
        .name("firehose")
        .time(SystemTime::from(at))
        .settings(SigningSettings::default())
        .build()
        .expect("all parameters are set")
        .into();
    let headers: Vec<(String, String)> = request
        .headers()
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().expect("ASCII").to_owned()))
        .collect();
    let signable = SignableRequest::new(
        "POST",
        uri,
        headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str())),
        SignableBody::Bytes(BODY),
    )
    .expect("the request can be signed");
    let (instructions, _) = sign(signable, &params)
        .expect("the request can be signed")
        .into_parts();
    instructions.apply_to_request_http1x(&mut request);
    request.into_parts().0
}

fn verify_for(iam: &Iam, parts: &Parts, service: &str) -> Result<Caller, Refusal> {
    verify(iam, parts, BODY, service, "us-east-1", now())
}

#[test]
fn a_request_signed_by_the_sdk_is_accepted() {
    let uri = "http://127.0.0.1:4566/a%20b//c/./d/?z=1&a=%C3%A4+b&flag";
    let parts = signed(uri, user(), now());

    let caller = verify_for(&Iam::default(), &parts, "firehose").expect("the signature is right");

    assert_eq!(caller.principal, Principal::Root);
    assert_eq!(caller.access_key_id, "test");
}

#[test]
fn a_changed_request_is_refused() {
    let mut parts = signed("http://127.0.0.1:4566/", user(), now());
    parts
        .headers
        .insert("x-amz-target", "Firehose_20150804.Other".parse().expect("ASCII"));

    let refusal = verify_for(&Iam::default(), &parts, "firehose").expect_err("a header has changed");

    assert_eq!(refusal.code, "InvalidSignatureException");
    assert!(
        refusal
            .message
            .starts_with("The request signature we calculated does not match")
    );
}

#[test]
fn a_changed_body_is_refused() {
    let parts = signed("http://127.0.0.1:4566/", user(), now());

    let result = verify(&Iam::default(), &parts, b"other", "firehose", "us-east-1", now());

    assert_eq!(
        result.expect_err("the body has changed").code,
        "InvalidSignatureException"
    );
}

#[test]
fn a_wrong_secret_is_refused() {
    let credentials = Credentials::new("test", "wrong", None, None, "test");
    let parts = signed("http://127.0.0.1:4566/", credentials, now());

    let refusal = verify_for(&Iam::default(), &parts, "firehose").expect_err("the secret is wrong");

    assert_eq!(refusal.code, "InvalidSignatureException");
}

#[test]
fn an_unknown_key_is_refused() {
    let credentials = Credentials::new("AKIAOTHER", "test", None, None, "test");
    let parts = signed("http://127.0.0.1:4566/", credentials, now());

    let refusal = verify_for(&Iam::default(), &parts, "firehose").expect_err("the key is unknown");

    assert_eq!(refusal.code, "UnrecognizedClientException");
    assert_eq!(
        refusal.message,
        "The security token included in the request is invalid."
    );
}

#[test]
fn an_unsigned_request_is_refused() {
    let parts = Request::post("/").body(()).expect("well formed").into_parts().0;

    let refusal = verify_for(&Iam::default(), &parts, "firehose").expect_err("nobody signed it");

    assert_eq!(refusal.code, "MissingAuthenticationTokenException");
}

#[test]
fn strange_authorization_headers_are_refused() {
    for header in [
        "Basic dGVzdDp0ZXN0",
        "AWS4-HMAC-SHA256 ",
        "AWS4-HMAC-SHA256 Credential=test, SignedHeaders=host, Signature=0",
        "AWS4-HMAC-SHA256 Credential=test/a/b/c/d/e, SignedHeaders=host, Signature=0",
        "AWS4-HMAC-SHA256 Credential=test/20260304/us-east-1/firehose/aws4_request, Signature=0",
        "AWS4-HMAC-SHA256 Credential=test/20260304/us-east-1/firehose/aws4_request,SignedHeaders=host,Signature=0",
    ] {
        let request = Request::post("/")
            .header("authorization", header)
            .body(())
            .expect("well formed");

        let refusal = verify_for(&Iam::default(), &request.into_parts().0, "firehose");

        assert_eq!(refusal.expect_err(header).code, "IncompleteSignatureException");
    }
}

#[test]
fn the_scope_must_name_the_service_and_the_region() {
    let parts = signed("http://127.0.0.1:4566/", user(), now());

    let service = verify_for(&Iam::default(), &parts, "lambda").expect_err("it is for Firehose");
    let region = verify(&Iam::default(), &parts, BODY, "firehose", "eu-west-1", now())
        .expect_err("it is for us-east-1");

    assert_eq!(
        service.message,
        "Credential should be scoped to correct service: 'lambda'. "
    );
    assert!(
        region
            .message
            .starts_with("Credential should be scoped to a valid region, not 'us-east-1'")
    );
    assert_eq!(signing_service(&parts.headers), Some("firehose"));
}

#[test]
fn clocks_may_be_five_minutes_apart() {
    let code_after = |minutes: i64| {
        let parts = signed(
            "http://127.0.0.1:4566/",
            user(),
            now() + TimeDelta::minutes(minutes),
        );
        verify_for(&Iam::default(), &parts, "firehose").map_err(|refusal| refusal.message)
    };

    assert!(code_after(4).is_ok());
    assert!(code_after(-4).is_ok());
    assert_eq!(
        code_after(-6).expect_err("it is too old"),
        "Signature expired: 20260304T050007Z is now earlier than 20260304T050107Z (20260304T050607Z - 5 min.)"
    );
    assert!(
        code_after(6)
            .expect_err("it is too new")
            .starts_with("Signature not yet current")
    );
}

#[test]
fn a_role_needs_its_session_token() {
    let iam = Iam::default();
    iam.put_role(RoleSpec {
        name: "worker".to_owned(),
        arn: ROLE.to_owned(),
        trust_policy: json!({"Statement": []}),
        policies: vec![],
    })
    .expect("the role is well formed");
    let session = iam.role_credentials(ROLE).expect("the role exists");
    let with_token = |token: Option<&str>| {
        let (id, secret) = (&session.access_key_id, &session.secret_access_key);
        let credentials = Credentials::new(id, secret, token.map(str::to_owned), None, "test");
        verify_for(
            &iam,
            &signed("http://127.0.0.1:4566/", credentials, now()),
            "firehose",
        )
    };

    let caller = with_token(Some(&session.session_token)).expect("the token is right");

    assert_eq!(caller.principal, Principal::Role { arn: ROLE.to_owned() });
    assert_eq!(
        with_token(None).expect_err("no token").code,
        "UnrecognizedClientException"
    );
    assert_eq!(
        with_token(Some("x")).expect_err("wrong token").code,
        "UnrecognizedClientException"
    );
}

#[test]
fn a_session_that_has_ended_is_told_so() {
    let iam = Iam::default();
    let code_with = |minutes| {
        let session = SessionSpec {
            name: "ann",
            external_id: None,
            policy: None,
            expires: now() + TimeDelta::minutes(minutes),
        };
        let session = iam
            .assume_role(&Principal::Root, ROLE, &session)
            .expect("a role of the user");
        let (id, secret) = (&session.access_key_id, &session.secret_access_key);
        let credentials = Credentials::new(id, secret, Some(session.session_token.clone()), None, "test");
        let request = signed("http://127.0.0.1:4566/", credentials, now());
        verify_for(&iam, &request, "firehose").map_err(|refusal| refusal.code)
    };

    assert!(code_with(1).is_ok());
    assert_eq!(code_with(-1), Err("ExpiredTokenException"));
}
