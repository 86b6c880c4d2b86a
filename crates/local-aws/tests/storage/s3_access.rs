//! Amazon S3: who may do what.

use std::time::Duration;

use aws_sdk_s3::{
    presigning::PresigningConfig,
    primitives::ByteStream,
    types::{Delete, ObjectIdentifier},
};
use axum::body::Body;
use http::{Request, StatusCode};
use local_aws::s3::{BucketError, BucketSpec};
use serde_json::json;
use tower::ServiceExt;

use crate::harness::{Storage, code};

#[tokio::test]
async fn a_presigned_url_needs_no_other_credentials() {
    let storage = Storage::with_bucket();
    storage.put("k", b"hello").await;
    let expires = PresigningConfig::expires_in(Duration::from_secs(60)).expect("config");
    let get = storage
        .s3()
        .get_object()
        .bucket("bucket")
        .key("k")
        .presigned(expires);
    let url = get.await.expect("presigned").uri().to_owned();

    let ask = |url: &str| {
        let request = Request::get(url)
            .header("host", "127.0.0.1:4566")
            .body(Body::empty());
        storage.router().oneshot(request.expect("request"))
    };
    let right = ask(&url).await.expect("response");
    let forged = ask(&url.replace("/bucket/k", "/bucket/other"))
        .await
        .expect("response");
    let anonymous = ask("http://127.0.0.1:4566/bucket/k").await.expect("response");

    assert_eq!(right.status(), StatusCode::OK);
    assert_eq!(forged.status(), StatusCode::FORBIDDEN);
    assert_eq!(anonymous.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn what_is_meant_for_a_bucket_of_another_account_does_nothing() {
    let storage = Storage::with_bucket();
    let s3 = storage.s3();
    storage.put("k", b"hello").await;
    let delete = || s3.delete_object().bucket("bucket").key("k");
    let copy = || {
        s3.copy_object()
            .bucket("bucket")
            .key("copy")
            .copy_source("bucket/k")
    };

    let of_another = delete().expected_bucket_owner("123456789012").send().await;
    let from_another = copy().expected_source_bucket_owner("123456789012").send().await;
    let kept = storage.get("k").await;
    let head = s3.head_object().bucket("bucket").key("copy").send().await;
    let from_own = copy().expected_source_bucket_owner("000000000000").send().await;
    let of_own = delete().expected_bucket_owner("000000000000").send().await;

    assert_eq!(code(&of_another.expect_err("another's")), "AccessDenied");
    assert_eq!(code(&from_another.expect_err("another's")), "AccessDenied");
    assert_eq!(kept, b"hello");
    assert!(head.is_err(), "nothing was copied");
    assert!(from_own.is_ok() && of_own.is_ok());
}

#[tokio::test]
async fn wrong_credentials_are_refused() {
    let storage = Storage::with_bucket();
    let stranger = storage.s3_as("nobody", "secret");
    let guesser = storage.s3_as("test", "guess");

    let unknown = stranger.list_buckets().send().await.expect_err("unknown");
    let wrong = guesser.list_buckets().send().await.expect_err("wrong");

    assert_eq!(code(&unknown), "InvalidAccessKeyId");
    assert_eq!(code(&wrong), "SignatureDoesNotMatch");
}

#[tokio::test]
async fn a_role_may_do_what_its_policy_allows_and_no_more() {
    let storage = Storage::with_bucket();
    storage.put("in/a", b"hello").await;
    let reader = storage.s3_as_role(
        "reader",
        json!([{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::bucket/in/*"}]),
    );

    let read = reader.get_object().bucket("bucket").key("in/a").send().await;
    let elsewhere = reader.get_object().bucket("bucket").key("out/a").send().await;
    let write = reader.put_object().bucket("bucket").key("in/b").send().await;
    let list = reader.list_objects_v2().bucket("bucket").send().await;
    let copy = reader
        .copy_object()
        .bucket("bucket")
        .key("in/b")
        .copy_source("bucket/in/a");

    assert!(read.is_ok());
    assert_eq!(code(&elsewhere.expect_err("read")), "AccessDenied");
    assert_eq!(code(&write.expect_err("write")), "AccessDenied");
    assert_eq!(code(&list.expect_err("list")), "AccessDenied");
    assert_eq!(code(&copy.send().await.expect_err("copy")), "AccessDenied");
}

#[tokio::test]
async fn only_who_may_list_the_bucket_learns_that_an_object_is_missing() {
    let storage = Storage::with_bucket();
    let get = json!({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::bucket/*"});
    let list = json!({"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::bucket"});
    let blind = storage.s3_as_role("blind", json!([get.clone()]));
    let seeing = storage.s3_as_role("seeing", json!([get, list]));

    let hidden = blind
        .get_object()
        .bucket("bucket")
        .key("k")
        .send()
        .await
        .expect_err("hidden");
    let hidden_head = blind
        .head_object()
        .bucket("bucket")
        .key("k")
        .send()
        .await
        .expect_err("hidden");
    let missing = seeing
        .get_object()
        .bucket("bucket")
        .key("k")
        .send()
        .await
        .expect_err("missing");

    assert_eq!(code(&hidden), "AccessDenied");
    assert_eq!(
        hidden_head.raw_response().map(|raw| raw.status().as_u16()),
        Some(403)
    );
    assert_eq!(code(&missing), "NoSuchKey");
}

#[tokio::test]
async fn a_listing_may_be_allowed_by_prefix() {
    let storage = Storage::with_bucket();
    let lister = storage.s3_as_role(
        "lister",
        json!([{
            "Effect": "Allow",
            "Action": "s3:ListBucket",
            "Resource": "arn:aws:s3:::bucket",
            "Condition": {"StringLike": {"s3:prefix": "in/*"}},
        }]),
    );

    let inside = lister
        .list_objects_v2()
        .bucket("bucket")
        .prefix("in/a")
        .send()
        .await;
    let outside = lister
        .list_objects_v2()
        .bucket("bucket")
        .prefix("out/")
        .send()
        .await;
    let everything = lister.list_objects_v2().bucket("bucket").send().await;

    assert!(inside.is_ok());
    assert_eq!(code(&outside.expect_err("outside")), "AccessDenied");
    assert_eq!(code(&everything.expect_err("everything")), "AccessDenied");
}

#[tokio::test]
async fn a_role_may_be_kept_from_writing_over_what_is_there() {
    let storage = Storage::with_bucket();
    let everything =
        json!({"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::bucket/*"});
    let unconditional = json!({
        "Effect": "Deny",
        "Action": "s3:PutObject",
        "Resource": "arn:aws:s3:::bucket/log/*",
        "Condition": {"Null": {"s3:if-none-match": "true"}},
    });
    let writer = storage.s3_as_role("writer", json!([everything, unconditional]));
    let put = |key| writer.put_object().bucket("bucket").key(key);

    let first = put("log/a").if_none_match("*").send().await;
    let again = put("log/a").if_none_match("*").send().await;
    let over = put("log/a").send().await;
    let elsewhere = put("other/a").send().await;

    assert!(first.is_ok());
    assert_eq!(code(&again.expect_err("it is there")), "PreconditionFailed");
    assert_eq!(code(&over.expect_err("no condition")), "AccessDenied");
    assert!(elsewhere.is_ok());
}

#[tokio::test]
async fn many_deletions_are_decided_one_by_one() {
    let storage = Storage::with_bucket();
    storage.put("mine/a", b"").await;
    storage.put("theirs/a", b"").await;
    let deleter = storage.s3_as_role(
        "deleter",
        json!([{"Effect": "Allow", "Action": "s3:DeleteObject", "Resource": "arn:aws:s3:::bucket/mine/*"}]),
    );
    let objects = ["mine/a", "theirs/a"].map(|key| ObjectIdentifier::builder().key(key).build().expect("id"));
    let delete = Delete::builder()
        .set_objects(Some(objects.into()))
        .build()
        .expect("delete");

    let answer = deleter
        .delete_objects()
        .bucket("bucket")
        .delete(delete)
        .send()
        .await
        .expect("answer");

    assert_eq!(answer.deleted()[0].key(), Some("mine/a"));
    assert_eq!(answer.errors()[0].key(), Some("theirs/a"));
    assert_eq!(answer.errors()[0].code(), Some("AccessDenied"));
    assert_eq!(storage.objects("").await.len(), 1);
}

#[tokio::test]
async fn a_bucket_policy_denies_what_a_role_allows() {
    let storage = Storage::with(BucketSpec {
        name: "bucket".into(),
        policy: Some(json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:PutObject",
            "Resource": "arn:aws:s3:::bucket/locked/*",
        }]})),
        ..BucketSpec::default()
    });
    let writer = storage.s3_as_role(
        "writer",
        json!([{"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::bucket/*"}]),
    );
    let write = |key: &str| {
        let put = writer.put_object().bucket("bucket").key(key);
        put.body(ByteStream::from_static(b"x")).send()
    };

    let open = write("open/a").await;
    let locked = write("locked/a").await;

    assert!(open.is_ok());
    assert_eq!(code(&locked.expect_err("locked")), "AccessDenied");
}

#[tokio::test]
async fn a_session_needs_its_token() {
    let storage = Storage::with_bucket();
    let arn = storage.put_role("role", json!([]));
    let keys = storage.services().iam.role_credentials(&arn).expect("role");
    let without = storage.s3_as(&keys.access_key_id, &keys.secret_access_key);

    let refused = without.list_buckets().send().await.expect_err("no token");

    assert_eq!(code(&refused), "InvalidToken");
}

#[tokio::test]
async fn a_bucket_with_a_wrong_name_or_an_unknown_condition_is_refused_when_it_is_made() {
    let storage = Storage::with_bucket();
    let make = |name: &str, condition: &str| {
        storage.services().s3.put_bucket(BucketSpec {
            name: name.into(),
            policy: Some(json!({"Version": "2012-10-17", "Statement": [{
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:*",
                "Resource": "*",
                "Condition": {condition: {"aws:SecureTransport": "false"}},
            }]})),
            ..BucketSpec::default()
        })
    };

    assert!(matches!(make("Not A Name", "Bool"), Err(BucketError::Name(_))));
    assert!(matches!(make("other", "Sometimes"), Err(BucketError::Policy(..))));
    assert!(make("other", "Bool").is_ok());
}
