//! Amazon S3.

use crate::harness::Storage;
use aws_sdk_s3::{
    error::{ProvideErrorMetadata, SdkError},
    presigning::PresigningConfig,
    primitives::ByteStream,
    types::{
        ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart, Delete, MetadataDirective,
        ObjectIdentifier,
    },
};
use axum::body::Body;
use http::{Request, StatusCode};
use local_aws::s3::{BucketSpec, Expiration, FunctionNotification};
use proptest::prelude::*;
use serde_json::{Value, json};
use tower::ServiceExt;

const FUNCTION: &str = "arn:aws:lambda:us-east-1:000000000000:function:listener";

fn code<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> &str {
    error.code().unwrap_or("none")
}

async fn put(storage: &Storage, key: &str, body: &[u8]) {
    let body = ByteStream::from(body.to_vec());
    let put = storage
        .s3()
        .put_object()
        .bucket("bucket")
        .key(key)
        .body(body);
    put.send().await.expect("put");
}

async fn get(storage: &Storage, key: &str) -> Vec<u8> {
    let object = storage.s3().get_object().bucket("bucket").key(key);
    let body = object.send().await.expect("get").body;
    body.collect().await.expect("body").to_vec()
}

/// Bytes that differ from place to place, so that a wrong range shows.
fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 31 % 251) as u8).collect()
}

fn listener(event: &str, prefix: &str, suffix: &str) -> FunctionNotification {
    FunctionNotification {
        event: event.into(),
        function_arn: FUNCTION.into(),
        prefix: prefix.into(),
        suffix: suffix.into(),
    }
}

#[tokio::test]
async fn a_small_and_a_large_object_come_back_as_they_went() {
    let storage = Storage::with_bucket();

    for length in [0, 1, 16 * 1024, 16 * 1024 + 1, 3_000_000] {
        let body = pattern(length);
        put(&storage, "object", &body).await;

        assert_eq!(get(&storage, "object").await, body, "{length} bytes");
    }
}

#[tokio::test]
async fn metadata_headers_checksum_and_etag_are_returned() {
    let storage = Storage::with_bucket();

    let put = storage
        .s3()
        .put_object()
        .bucket("bucket")
        .key("a b+c")
        .body(ByteStream::from_static(b"hello"))
        .content_type("text/plain; charset=utf-8")
        .content_encoding("gzip")
        .cache_control("no-store")
        .metadata("reason", "line 3: not JSON")
        .checksum_algorithm(ChecksumAlgorithm::Sha256)
        .send()
        .await
        .expect("put");
    let head = storage
        .s3()
        .head_object()
        .bucket("bucket")
        .key("a b+c")
        .checksum_mode(aws_sdk_s3::types::ChecksumMode::Enabled)
        .send()
        .await
        .expect("head");

    let md5 = "\"5d41402abc4b2a76b9719d911017c592\"";
    assert_eq!(put.e_tag(), Some(md5));
    assert_eq!(head.e_tag(), Some(md5));
    assert_eq!(head.content_length(), Some(5));
    assert_eq!(head.content_type(), Some("text/plain; charset=utf-8"));
    assert_eq!(head.content_encoding(), Some("gzip"));
    assert_eq!(head.cache_control(), Some("no-store"));
    let metadata = head.metadata().expect("metadata");
    assert_eq!(
        metadata.get("reason").map(String::as_str),
        Some("line 3: not JSON")
    );
    let sha256 = "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=";
    assert_eq!(head.checksum_sha256(), Some(sha256));
}

#[tokio::test]
async fn a_body_that_does_not_match_its_checksum_is_refused_and_not_stored() {
    let storage = Storage::with_bucket();
    let put = storage.s3().put_object().bucket("bucket").key("k");

    let refused = put
        .body(ByteStream::from_static(b"hello"))
        .checksum_crc32("AAAAAA==")
        .send()
        .await
        .expect_err("refused");

    assert_eq!(code(&refused), "BadDigest");
    let missing = storage
        .s3()
        .get_object()
        .bucket("bucket")
        .key("k")
        .send()
        .await;
    assert_eq!(code(&missing.expect_err("missing")), "NoSuchKey");
}

#[tokio::test]
async fn a_streamed_body_in_signed_chunks_is_stored_without_its_chunk_lines() {
    let storage = Storage::with_bucket();
    let body = pattern(300_000);
    let file = tempfile::NamedTempFile::new().expect("file");
    std::fs::write(file.path(), &body).expect("write");

    let stream = ByteStream::from_path(file.path()).await.expect("stream");
    let put = storage
        .s3()
        .put_object()
        .bucket("bucket")
        .key("k")
        .body(stream);
    put.send().await.expect("put");

    assert_eq!(get(&storage, "k").await, body);
    let head = storage
        .s3()
        .head_object()
        .bucket("bucket")
        .key("k")
        .send()
        .await
        .expect("head");
    assert_eq!(head.content_encoding(), None);
}

#[tokio::test]
async fn ranges_are_of_the_bytes_asked_for() {
    let storage = Storage::with_bucket();
    let body = pattern(50_000);
    put(&storage, "k", &body).await;

    for (range, expected) in [
        ("bytes=0-0", 0..1),
        ("bytes=17000-17999", 17_000..18_000),
        ("bytes=49999-", 49_999..50_000),
        ("bytes=-10", 49_990..50_000),
        ("bytes=40000-99999", 40_000..50_000),
    ] {
        let get = storage
            .s3()
            .get_object()
            .bucket("bucket")
            .key("k")
            .range(range);
        let object = get.send().await.expect(range);

        let content_range = format!("bytes {}-{}/50000", expected.start, expected.end - 1);
        assert_eq!(object.content_range(), Some(content_range.as_str()));
        let bytes = object.body.collect().await.expect("body").to_vec();
        assert_eq!(bytes, body[expected], "{range}");
    }
    let beyond = storage
        .s3()
        .get_object()
        .bucket("bucket")
        .key("k")
        .range("bytes=50000-");
    assert_eq!(
        code(&beyond.send().await.expect_err("beyond")),
        "InvalidRange"
    );
}

#[tokio::test]
async fn conditional_reads_answer_304_and_412() {
    let storage = Storage::with_bucket();
    put(&storage, "k", b"hello").await;
    let etag = "\"5d41402abc4b2a76b9719d911017c592\"";
    let get = || storage.s3().get_object().bucket("bucket").key("k");
    let status = |error: &SdkError<_>| error.raw_response().map(|raw| raw.status().as_u16());

    let unchanged = get()
        .if_none_match(etag)
        .send()
        .await
        .expect_err("unchanged");
    let changed = get()
        .if_match("\"other\"")
        .send()
        .await
        .expect_err("changed");

    assert_eq!(status(&unchanged), Some(304));
    assert_eq!(status(&changed), Some(412));
    assert_eq!(code(&changed), "PreconditionFailed");
    get().if_match(etag).send().await.expect("the same");
    get()
        .if_none_match("\"other\"")
        .send()
        .await
        .expect("another");
}

#[tokio::test]
async fn only_the_first_of_many_claims_succeeds() {
    let storage = Storage::with_bucket();
    let claim = || async {
        let claim = storage
            .s3()
            .put_object()
            .bucket("bucket")
            .key("claim")
            .if_none_match("*");
        claim.body(ByteStream::from_static(b"mine")).send().await
    };

    let claims = futures::future::join_all((0..8).map(|_| claim())).await;

    let won = claims.iter().filter(|claim| claim.is_ok()).count();
    assert_eq!(won, 1);
    for lost in claims.into_iter().filter_map(Result::err) {
        assert_eq!(code(&lost), "PreconditionFailed");
    }
}

#[tokio::test]
async fn a_write_on_condition_of_an_etag_needs_that_object() {
    let storage = Storage::with_bucket();
    let replace = |etag: &str| {
        let put = storage
            .s3()
            .put_object()
            .bucket("bucket")
            .key("k")
            .if_match(etag);
        put.body(ByteStream::from_static(b"new")).send()
    };

    let absent = replace("\"5d41402abc4b2a76b9719d911017c592\"")
        .await
        .expect_err("absent");
    put(&storage, "k", b"hello").await;
    let other = replace("\"ffff\"").await.expect_err("other");
    replace("\"5d41402abc4b2a76b9719d911017c592\"")
        .await
        .expect("the same");

    assert_eq!(code(&absent), "NoSuchKey");
    assert_eq!(code(&other), "PreconditionFailed");
    assert_eq!(get(&storage, "k").await, b"new");
}

#[tokio::test]
async fn listing_pages_through_prefixes_and_keys_once_each() {
    let storage = Storage::with_bucket();
    for key in ["a", "a/1", "a/2", "b/x/1", "b/y", "c", "ü/1", "z z"] {
        put(&storage, key, b"").await;
    }

    for page_size in 1..=8 {
        let mut seen = Vec::new();
        let mut pages = storage
            .s3()
            .list_objects_v2()
            .bucket("bucket")
            .delimiter("/")
            .into_paginator()
            .page_size(page_size)
            .send();
        while let Some(page) = pages.next().await {
            let page = page.expect("page");
            assert!(page.key_count().unwrap_or(0) <= page_size);
            seen.extend(
                page.contents()
                    .iter()
                    .filter_map(|object| object.key().map(str::to_owned)),
            );
            let prefixes = page.common_prefixes().iter();
            seen.extend(prefixes.filter_map(|prefix| prefix.prefix().map(str::to_owned)));
        }
        seen.sort();

        assert_eq!(
            seen,
            ["a", "a/", "b/", "c", "z z", "ü/"],
            "page size {page_size}"
        );
    }
}

#[tokio::test]
async fn listing_honours_prefix_start_after_and_encoding() {
    let storage = Storage::with_bucket();
    for key in ["p/a b", "p/b+", "p/c", "q"] {
        put(&storage, key, b"x").await;
    }
    let list = || storage.s3().list_objects_v2().bucket("bucket").prefix("p/");

    let after = list().start_after("p/a b").send().await.expect("list");
    let encoded = list()
        .encoding_type(aws_sdk_s3::types::EncodingType::Url)
        .send()
        .await
        .expect("list");
    let version_1 = storage
        .s3()
        .list_objects()
        .bucket("bucket")
        .max_keys(2)
        .send()
        .await
        .expect("list");

    let keys = |objects: &[aws_sdk_s3::types::Object]| -> Vec<String> {
        objects
            .iter()
            .filter_map(|object| object.key().map(str::to_owned))
            .collect()
    };
    assert_eq!(keys(after.contents()), ["p/b+", "p/c"]);
    assert_eq!(keys(encoded.contents()), ["p/a%20b", "p/b%2B", "p/c"]);
    assert_eq!(keys(version_1.contents()), ["p/a b", "p/b+"]);
    assert_eq!(version_1.is_truncated(), Some(true));
}

#[tokio::test]
async fn a_multipart_upload_becomes_one_object() {
    let storage = Storage::with_bucket();
    let s3 = storage.s3();
    let body = pattern(5 * 1024 * 1024 + 1000);
    let created = s3
        .create_multipart_upload()
        .bucket("bucket")
        .key("k")
        .content_type("text/csv");
    let created = created.send().await.expect("create");
    let id = created.upload_id().expect("id");

    let mut parts = CompletedMultipartUpload::builder();
    for (number, part) in body.chunks(5 * 1024 * 1024).enumerate() {
        let number = number as i32 + 1;
        let upload = s3
            .upload_part()
            .bucket("bucket")
            .key("k")
            .upload_id(id)
            .part_number(number);
        let uploaded = upload
            .body(part.to_vec().into())
            .send()
            .await
            .expect("part");
        let completed = CompletedPart::builder()
            .part_number(number)
            .set_e_tag(uploaded.e_tag);
        parts = parts.parts(completed.build());
    }
    let listed = s3
        .list_parts()
        .bucket("bucket")
        .key("k")
        .upload_id(id)
        .send()
        .await
        .expect("parts");
    let uploads = s3
        .list_multipart_uploads()
        .bucket("bucket")
        .send()
        .await
        .expect("uploads");
    let complete = s3
        .complete_multipart_upload()
        .bucket("bucket")
        .key("k")
        .upload_id(id);
    let completed = complete
        .multipart_upload(parts.build())
        .send()
        .await
        .expect("complete");

    assert_eq!(listed.parts().len(), 2);
    assert_eq!(uploads.uploads().len(), 1);
    assert!(completed.e_tag().is_some_and(|etag| etag.ends_with("-2\"")));
    let object = s3
        .get_object()
        .bucket("bucket")
        .key("k")
        .send()
        .await
        .expect("get");
    assert_eq!(object.content_type(), Some("text/csv"));
    assert!(object.body.collect().await.expect("body").to_vec() == body);
    let second = s3
        .get_object()
        .bucket("bucket")
        .key("k")
        .part_number(2)
        .send()
        .await
        .expect("part");
    assert_eq!(second.content_length(), Some(1000));
    let uploads = s3
        .list_multipart_uploads()
        .bucket("bucket")
        .send()
        .await
        .expect("uploads");
    assert!(uploads.uploads().is_empty());
    assert_eq!(storage.blob_count(), 1);
}

#[tokio::test]
async fn a_multipart_upload_is_refused_for_unknown_unordered_or_small_parts() {
    let storage = Storage::with_bucket();
    let s3 = storage.s3();
    let created = s3
        .create_multipart_upload()
        .bucket("bucket")
        .key("k")
        .send()
        .await
        .expect("create");
    let id = created.upload_id().expect("id");
    let mut etags = Vec::new();
    for number in 1..=2 {
        let upload = s3
            .upload_part()
            .bucket("bucket")
            .key("k")
            .upload_id(id)
            .part_number(number);
        let uploaded = upload
            .body(ByteStream::from_static(b"small"))
            .send()
            .await
            .expect("part");
        etags.push(uploaded.e_tag.expect("etag"));
    }
    let complete = |parts: &[(i32, &str)]| {
        let parts = parts.iter().map(|(number, etag)| {
            CompletedPart::builder()
                .part_number(*number)
                .e_tag(*etag)
                .build()
        });
        let upload = CompletedMultipartUpload::builder()
            .set_parts(Some(parts.collect()))
            .build();
        let complete = s3
            .complete_multipart_upload()
            .bucket("bucket")
            .key("k")
            .upload_id(id);
        complete.multipart_upload(upload).send()
    };

    let unknown = complete(&[(1, "\"ffff\"")]).await.expect_err("unknown");
    let unordered = complete(&[(2, &etags[1]), (1, &etags[0])])
        .await
        .expect_err("unordered");
    let small = complete(&[(1, &etags[0]), (2, &etags[1])])
        .await
        .expect_err("small");
    s3.abort_multipart_upload()
        .bucket("bucket")
        .key("k")
        .upload_id(id)
        .send()
        .await
        .expect("abort");
    let gone = complete(&[(1, &etags[0])]).await.expect_err("gone");

    assert_eq!(code(&unknown), "InvalidPart");
    assert_eq!(code(&unordered), "InvalidPartOrder");
    assert_eq!(code(&small), "EntityTooSmall");
    assert_eq!(code(&gone), "NoSuchUpload");
    assert_eq!(storage.blob_count(), 0);
}

#[tokio::test]
async fn a_copy_keeps_or_replaces_metadata_and_outlives_its_source() {
    let storage = Storage::with_bucket();
    let s3 = storage.s3();
    let body = pattern(40_000);
    let put = s3
        .put_object()
        .bucket("bucket")
        .key("a b")
        .metadata("k", "v")
        .body(body.clone().into());
    put.send().await.expect("put");

    let copy = s3
        .copy_object()
        .bucket("bucket")
        .key("copy")
        .copy_source("bucket/a%20b");
    copy.send().await.expect("copy");
    s3.delete_object()
        .bucket("bucket")
        .key("a b")
        .send()
        .await
        .expect("delete");

    assert!(get(&storage, "copy").await == body);
    let head = s3
        .head_object()
        .bucket("bucket")
        .key("copy")
        .send()
        .await
        .expect("head");
    assert_eq!(
        head.metadata().and_then(|metadata| metadata.get("k")),
        Some(&"v".to_owned())
    );
    let itself = s3
        .copy_object()
        .bucket("bucket")
        .key("copy")
        .copy_source("bucket/copy");
    assert_eq!(
        code(&itself.send().await.expect_err("no change")),
        "InvalidRequest"
    );
    let gone = s3
        .copy_object()
        .bucket("bucket")
        .key("x")
        .copy_source("bucket/a%20b");
    assert_eq!(code(&gone.send().await.expect_err("gone")), "NoSuchKey");
}

#[tokio::test]
async fn every_way_to_make_an_object_tells_the_function_once() {
    let storage = Storage::notifying(vec![listener("s3:ObjectCreated:*", "in/", ".csv")]);
    let s3 = storage.s3();
    let key = "in/a b+ü@.csv";

    put(&storage, key, b"hello").await;
    let copy = s3
        .copy_object()
        .bucket("bucket")
        .key(key)
        .metadata_directive(MetadataDirective::Replace);
    copy.copy_source("bucket/in%2Fa%20b%2B%C3%BC%40.csv")
        .send()
        .await
        .expect("copy onto itself");
    put(&storage, "in/a.json", b"other suffix").await;
    put(&storage, "out/a.csv", b"other prefix").await;
    let refused = s3
        .put_object()
        .bucket("bucket")
        .key(key)
        .if_none_match("*")
        .send()
        .await;

    assert!(refused.is_err());
    let events = storage.events();
    let names: Vec<_> = events.iter().map(|event| &event["eventName"]).collect();
    assert_eq!(names, ["ObjectCreated:Put", "ObjectCreated:Copy"]);
    let mut first = events[0].clone();
    assert!(
        first["s3"]["object"]["sequencer"].as_str()
            < events[1]["s3"]["object"]["sequencer"].as_str()
    );
    for volatile in [
        "/eventTime",
        "/s3/object/sequencer",
        "/responseElements/x-amz-request-id",
        "/responseElements/x-amz-id-2",
    ] {
        let value = first.pointer_mut(volatile).expect(volatile);
        assert!(
            value.as_str().is_some_and(|text| text.len() >= 16),
            "{volatile}"
        );
        *value = Value::Null;
    }
    assert_eq!(
        first,
        json!({
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "awsRegion": "us-east-1",
            "eventTime": null,
            "eventName": "ObjectCreated:Put",
            "userIdentity": {"principalId": "AWS:000000000000"},
            "requestParameters": {"sourceIPAddress": "127.0.0.1"},
            "responseElements": {"x-amz-request-id": null, "x-amz-id-2": null},
            "s3": {
                "s3SchemaVersion": "1.0",
                "configurationId": "bucket-0",
                "bucket": {
                    "name": "bucket",
                    "ownerIdentity": {"principalId": "000000000000"},
                    "arn": "arn:aws:s3:::bucket",
                },
                "object": {
                    "key": "in/a+b%2B%C3%BC%40.csv",
                    "size": 5,
                    "eTag": "5d41402abc4b2a76b9719d911017c592",
                    "sequencer": null,
                },
            },
        })
    );
}

#[tokio::test]
async fn the_notification_configuration_is_told() {
    let storage = Storage::notifying(vec![listener("s3:ObjectCreated:*", "in/", "")]);

    let asked = storage
        .s3()
        .get_bucket_notification_configuration()
        .bucket("bucket");
    let told = asked.send().await.expect("configuration");

    let function = &told.lambda_function_configurations()[0];
    assert_eq!(function.lambda_function_arn(), FUNCTION);
    assert_eq!(function.events()[0].as_str(), "s3:ObjectCreated:*");
    let rules = function
        .filter()
        .and_then(|filter| filter.key())
        .expect("filter")
        .filter_rules();
    assert_eq!(rules.len(), 1);
    assert_eq!(rules[0].value(), Some("in/"));
}

#[tokio::test]
async fn many_objects_are_deleted_at_once_and_missing_ones_count_as_deleted() {
    let storage = Storage::with_bucket();
    put(&storage, "a", b"1").await;
    put(&storage, "b", &pattern(20_000)).await;
    let objects =
        ["a", "b", "missing"].map(|key| ObjectIdentifier::builder().key(key).build().expect("id"));
    let delete = Delete::builder()
        .set_objects(Some(objects.into()))
        .build()
        .expect("delete");

    let deleted = storage
        .s3()
        .delete_objects()
        .bucket("bucket")
        .delete(delete)
        .send()
        .await
        .expect("delete");

    assert_eq!(deleted.deleted().len(), 3);
    assert!(deleted.errors().is_empty());
    assert_eq!(storage.blob_count(), 0);
}

#[tokio::test]
async fn buckets_are_made_listed_and_removed_when_empty() {
    let storage = Storage::with_bucket();
    let s3 = storage.s3();
    put(&storage, "k", b"").await;

    s3.create_bucket()
        .bucket("other")
        .send()
        .await
        .expect("create");
    let listed = s3.list_buckets().send().await.expect("list");
    let full = s3
        .delete_bucket()
        .bucket("bucket")
        .send()
        .await
        .expect_err("not empty");
    s3.delete_bucket()
        .bucket("other")
        .send()
        .await
        .expect("delete");
    let gone = s3
        .list_objects_v2()
        .bucket("other")
        .send()
        .await
        .expect_err("gone");
    let head = s3
        .head_bucket()
        .bucket("other")
        .send()
        .await
        .expect_err("gone");

    let names: Vec<_> = listed
        .buckets()
        .iter()
        .filter_map(|bucket| bucket.name())
        .collect();
    assert_eq!(names, ["bucket", "other"]);
    assert_eq!(code(&full), "BucketNotEmpty");
    assert_eq!(code(&gone), "NoSuchBucket");
    assert!(head.into_service_error().is_not_found());
}

#[tokio::test]
async fn a_missing_object_is_not_found_by_get_and_head() {
    let storage = Storage::with_bucket();

    let get = storage
        .s3()
        .get_object()
        .bucket("bucket")
        .key("k")
        .send()
        .await
        .expect_err("missing");
    let head = storage
        .s3()
        .head_object()
        .bucket("bucket")
        .key("k")
        .send()
        .await
        .expect_err("missing");

    assert!(get.into_service_error().is_no_such_key());
    assert!(head.into_service_error().is_not_found());
}

#[tokio::test]
async fn a_presigned_url_needs_no_other_credentials() {
    let storage = Storage::with_bucket();
    put(&storage, "k", b"hello").await;
    let expires = PresigningConfig::expires_in(std::time::Duration::from_secs(60)).expect("config");
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
    let anonymous = ask("http://127.0.0.1:4566/bucket/k")
        .await
        .expect("response");

    assert_eq!(right.status(), StatusCode::OK);
    assert_eq!(forged.status(), StatusCode::FORBIDDEN);
    assert_eq!(anonymous.status(), StatusCode::FORBIDDEN);
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
async fn what_is_not_implemented_says_so() {
    let storage = Storage::with_bucket();

    let versioning = storage
        .s3()
        .get_bucket_versioning()
        .bucket("bucket")
        .send()
        .await
        .expect_err("no");
    let tagged = storage
        .s3()
        .put_object()
        .bucket("bucket")
        .key("k")
        .tagging("a=b")
        .send()
        .await;

    assert_eq!(code(&versioning), "NotImplemented");
    assert_eq!(code(&tagged.expect_err("no tags")), "NotImplemented");
}

#[tokio::test]
async fn acknowledged_objects_survive_a_restart_and_half_done_ones_leave_nothing() {
    let mut storage = Storage::with_bucket();
    put(&storage, "small", b"hello").await;
    put(&storage, "large", &pattern(100_000)).await;
    std::fs::write(storage.blobs().join("s3-left-behind"), b"half").expect("write");

    storage.reopen();

    assert_eq!(get(&storage, "small").await, b"hello");
    assert_eq!(get(&storage, "large").await, pattern(100_000));
    assert_eq!(storage.blob_count(), 1);
}

#[tokio::test]
async fn objects_expire_by_prefix_and_age() {
    let storage = Storage::with(BucketSpec {
        name: "bucket".into(),
        expirations: vec![Expiration {
            prefix: "claims/".into(),
            days: 90,
        }],
        ..BucketSpec::default()
    });
    put(&storage, "claims/1", &pattern(20_000)).await;
    put(&storage, "feedback/1", b"").await;
    let days = |days| chrono::Utc::now() + chrono::Duration::days(days);

    storage.services().s3.sweep(days(89)).await.expect("sweep");
    assert_eq!(storage.blob_count(), 1);
    storage.services().s3.sweep(days(91)).await.expect("sweep");

    let left = storage
        .s3()
        .list_objects_v2()
        .bucket("bucket")
        .send()
        .await
        .expect("list");
    let keys: Vec<_> = left
        .contents()
        .iter()
        .filter_map(|object| object.key())
        .collect();
    assert_eq!(keys, ["feedback/1"]);
    assert_eq!(storage.blob_count(), 0);
}

#[tokio::test]
async fn strange_keys_are_keys_like_any_other() {
    let storage = Storage::with_bucket();
    let long = "k".repeat(1024);
    let keys = [
        "a",
        "a/",
        "a/b",
        "a//b",
        "../../etc/passwd",
        "./x",
        "x y+z%20&=?#",
        "日本/語",
        "\u{1F600}",
        &long,
    ];

    for key in keys {
        put(&storage, key, key.as_bytes()).await;
    }

    for key in keys {
        assert_eq!(get(&storage, key).await, key.as_bytes(), "{key}");
    }
    let too_long = storage
        .s3()
        .put_object()
        .bucket("bucket")
        .key("k".repeat(1025))
        .send()
        .await;
    assert_eq!(code(&too_long.expect_err("too long")), "KeyTooLongError");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn keys_come_back_from_a_listing_in_the_order_of_their_bytes(
        keys in prop::collection::btree_set("[^\\p{Cc}\u{FFFE}\u{FFFF}]{1,40}", 1..8)
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("runtime");
        let listed: Vec<String> = runtime.block_on(async {
            let storage = Storage::with_bucket();
            for key in &keys {
                put(&storage, key, b"x").await;
            }
            let list = storage.s3().list_objects_v2().bucket("bucket").send().await.expect("list");
            list.contents().iter().filter_map(|object| object.key().map(str::to_owned)).collect()
        });

        prop_assert_eq!(listed, keys.into_iter().collect::<Vec<_>>());
    }
}
