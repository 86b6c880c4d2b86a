//! Amazon S3: objects.

use aws_sdk_s3::{
    error::SdkError,
    primitives::ByteStream,
    types::{ChecksumAlgorithm, ChecksumMode},
};

use crate::harness::{Storage, code, pattern};

#[tokio::test]
async fn a_small_and_a_large_object_come_back_as_they_went() {
    let storage = Storage::with_bucket();

    for length in [0, 1, 16 * 1024, 16 * 1024 + 1, 3_000_000] {
        let body = pattern(length);
        storage.put("object", &body).await;

        assert_eq!(storage.get("object").await, body, "{length} bytes");
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
        .checksum_mode(ChecksumMode::Enabled)
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
    let missing = storage.s3().get_object().bucket("bucket").key("k").send().await;
    assert_eq!(code(&missing.expect_err("missing")), "NoSuchKey");
}

#[tokio::test]
async fn a_streamed_body_in_signed_chunks_is_stored_without_its_chunk_lines() {
    let storage = Storage::with_bucket();
    let body = pattern(300_000);
    let file = tempfile::NamedTempFile::new().expect("file");
    std::fs::write(file.path(), &body).expect("write");

    let stream = ByteStream::from_path(file.path()).await.expect("stream");
    let put = storage.s3().put_object().bucket("bucket").key("k").body(stream);
    put.send().await.expect("put");

    assert_eq!(storage.get("k").await, body);
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
    storage.put("k", &body).await;

    for (range, expected) in [
        ("bytes=0-0", 0..1),
        ("bytes=17000-17999", 17_000..18_000),
        ("bytes=49999-", 49_999..50_000),
        ("bytes=-10", 49_990..50_000),
        ("bytes=40000-99999", 40_000..50_000),
    ] {
        let get = storage.s3().get_object().bucket("bucket").key("k").range(range);
        let object = get.send().await.expect(range);

        let content_range = format!("bytes {}-{}/50000", expected.start, expected.end - 1);
        assert_eq!(object.content_range(), Some(content_range.as_str()));
        let head = storage.s3().head_object().bucket("bucket").key("k").range(range);
        let head = head.send().await.expect(range);
        assert_eq!(head.content_range(), Some(content_range.as_str()), "{range}");
        let bytes = object.body.collect().await.expect("body").to_vec();
        assert_eq!(bytes, body[expected], "{range}");
    }
    let beyond = storage
        .s3()
        .get_object()
        .bucket("bucket")
        .key("k")
        .range("bytes=50000-");
    assert_eq!(code(&beyond.send().await.expect_err("beyond")), "InvalidRange");
}

#[tokio::test]
async fn conditional_reads_answer_304_and_412() {
    let storage = Storage::with_bucket();
    storage.put("k", b"hello").await;
    let etag = "\"5d41402abc4b2a76b9719d911017c592\"";
    let get = || storage.s3().get_object().bucket("bucket").key("k");
    let status = |error: &SdkError<_>| error.raw_response().map(|raw| raw.status().as_u16());

    let unchanged = get().if_none_match(etag).send().await.expect_err("unchanged");
    let changed = get().if_match("\"other\"").send().await.expect_err("changed");

    assert_eq!(status(&unchanged), Some(304));
    assert_eq!(status(&changed), Some(412));
    assert_eq!(code(&changed), "PreconditionFailed");
    get().if_match(etag).send().await.expect("the same");
    get().if_none_match("\"other\"").send().await.expect("another");
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
        let put = storage.s3().put_object().bucket("bucket").key("k").if_match(etag);
        put.body(ByteStream::from_static(b"new")).send()
    };

    let absent = replace("\"5d41402abc4b2a76b9719d911017c592\"")
        .await
        .expect_err("absent");
    storage.put("k", b"hello").await;
    let other = replace("\"ffff\"").await.expect_err("other");
    replace("\"5d41402abc4b2a76b9719d911017c592\"")
        .await
        .expect("the same");

    assert_eq!(code(&absent), "NoSuchKey");
    assert_eq!(code(&other), "PreconditionFailed");
    assert_eq!(storage.get("k").await, b"new");
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

    assert!(storage.get("copy").await == body);
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
async fn strange_keys_are_keys_like_any_other() {
    let storage = Storage::with_bucket();
    let long = "k".repeat(1024);
    let keys = [
        "a",
        "a/",
        "a/b",
        "a//b",
        "etc/../passwd",
        "./x",
        "x y+z%20&=?#",
        "日本/語",
        "\u{1F600}",
        &long,
    ];

    for key in keys {
        storage.put(key, key.as_bytes()).await;
    }

    for key in keys {
        assert_eq!(storage.get(key).await, key.as_bytes(), "{key}");
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

#[tokio::test]
async fn a_bucket_may_be_named_in_front_of_localhost() {
    let storage = Storage::with_bucket();
    let config = storage.config_as("test", "test").to_builder();
    // The SDK makes this bucket.localhost, but 127.0.0.1 a path.
    let config = config.endpoint_url("http://localhost:4566").build();
    let s3 = aws_sdk_s3::Client::new(&config);

    let put = s3.put_object().bucket("bucket").key("a/b");
    put.body(ByteStream::from_static(b"")).send().await.expect("put");
    let buckets = storage.s3().list_buckets().send().await.expect("list");

    assert_eq!(storage.objects("").await, [("a/b".to_owned(), Vec::new())]);
    assert_eq!(buckets.buckets().len(), 1);
}

#[tokio::test]
async fn metadata_beyond_two_kilobytes_is_refused_wherever_it_is_given() {
    let storage = Storage::with_bucket();
    let s3 = storage.s3();
    let put = |value: &str| s3.put_object().bucket("bucket").key("k").metadata("a", value);
    let (most, more) = ("x".repeat(2047), "x".repeat(2048));

    put(&most).send().await.expect("2,048 bytes with the name");
    let put = put(&more).send().await.expect_err("too large");
    let copy = s3.copy_object().bucket("bucket").key("c").copy_source("bucket/k");
    let copy = copy.metadata_directive(aws_sdk_s3::types::MetadataDirective::Replace);
    let copy = copy.metadata("a", &more).send().await.expect_err("too large");
    let upload = s3.create_multipart_upload().bucket("bucket").key("u");
    let upload = upload.metadata("a", &more).send().await.expect_err("too large");

    let codes = [code(&put), code(&copy), code(&upload)];
    assert_eq!(codes, ["MetadataTooLarge"; 3]);
}
