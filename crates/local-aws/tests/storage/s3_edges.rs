//! Amazon S3: what is refused, and that it changes nothing; and data that is damaged.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sdk_s3::{
    error::ProvideErrorMetadata,
    primitives::ByteStream,
    types::{CompletedMultipartUpload, CompletedPart, ObjectCannedAcl, ServerSideEncryption, StorageClass},
};
use aws_sigv4::{
    http_request::{
        PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation,
        SigningSettings, UriPathNormalizationMode, sign,
    },
    sign::v4,
};
use axum::body::Body;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::json;
use tower::ServiceExt;

use crate::harness::{REGION, Storage, code, pattern};

#[tokio::test]
async fn a_write_with_an_unknown_sub_resource_changes_nothing() {
    let storage = Storage::with_bucket();
    storage.put("k", b"hello").await;

    for query in [
        "renameObject",
        "acl",
        "cors",
        "tagging",
        "uploads",
        "restore",
        "madeUp=1",
    ] {
        let put = storage.s3().put_object().bucket("bucket").key("k");
        let put = put.customize().mutate_request(move |request| {
            let uri = request.uri().to_owned();
            let mark = if uri.contains('?') { '&' } else { '?' };
            request.set_uri(format!("{uri}{mark}{query}")).expect("a URI");
        });
        let refused = put.send().await.expect_err(query);
        assert_eq!(code(&refused), "NotImplemented", "{query}");
        assert!(refused.message().is_some(), "{query}");
        let delete = storage.s3().delete_object().bucket("bucket").key("k");
        let delete = delete.customize().mutate_request(move |request| {
            let uri = request.uri().to_owned();
            let mark = if uri.contains('?') { '&' } else { '?' };
            request.set_uri(format!("{uri}{mark}{query}")).expect("a URI");
        });
        let refused = delete.send().await.expect_err(query);
        assert_eq!(code(&refused), "NotImplemented", "{query}");
    }

    assert_eq!(storage.get("k").await, b"hello");
}

#[tokio::test]
async fn a_version_that_nobody_made_is_neither_read_nor_deleted() {
    let storage = Storage::with_bucket();
    storage.put("k", b"hello").await;
    let s3 = storage.s3();

    let read = s3
        .get_object()
        .bucket("bucket")
        .key("k")
        .version_id("3")
        .send()
        .await;
    let deleted = s3
        .delete_object()
        .bucket("bucket")
        .key("k")
        .version_id("3")
        .send()
        .await;
    let only = s3
        .get_object()
        .bucket("bucket")
        .key("k")
        .version_id("null")
        .send()
        .await;

    assert_eq!(code(&read.expect_err("no version")), "InvalidArgument");
    assert_eq!(code(&deleted.expect_err("no version")), "InvalidArgument");
    assert!(only.is_ok());
}

#[tokio::test]
async fn headers_that_would_have_to_be_kept_are_refused_and_those_that_hold_anyway_are_taken() {
    let storage = Storage::with_bucket();
    let put = || storage.s3().put_object().bucket("bucket").key("k");
    let refused = [
        put().acl(ObjectCannedAcl::PublicRead),
        put().storage_class(StorageClass::Glacier),
        put().server_side_encryption(ServerSideEncryption::AwsKms),
        put().ssekms_key_id("arn:aws:kms:us-east-1:123456789012:key/1"),
        put().grant_read("uri=\"http://acs.amazonaws.com/groups/global/AllUsers\""),
    ];

    for request in refused {
        let error = request.send().await.expect_err("refused");
        assert_eq!(code(&error), "NotImplemented");
        assert!(error.message().is_some_and(|text| text.contains("header")));
    }
    let taken = put()
        .acl(ObjectCannedAcl::Private)
        .storage_class(StorageClass::Standard)
        .server_side_encryption(ServerSideEncryption::Aes256);
    taken.send().await.expect("taken");
    let acl_of_upload = storage
        .s3()
        .create_multipart_upload()
        .bucket("bucket")
        .key("k")
        .acl(ObjectCannedAcl::PublicReadWrite);

    assert_eq!(
        code(&acl_of_upload.send().await.expect_err("refused")),
        "NotImplemented"
    );
}

#[tokio::test]
async fn dots_are_part_of_a_key_and_lead_nowhere() {
    let storage = Storage::with_bucket();
    storage.put("out/secret", b"secret").await;
    let writer = storage.s3_as_role(
        "writer",
        json!([{"Effect": "Allow", "Action": "s3:*Object", "Resource": "arn:aws:s3:::bucket/in/*"}]),
    );
    let put = |key: &str| {
        writer
            .put_object()
            .bucket("bucket")
            .key(key)
            .body(ByteStream::from_static(b"x"))
    };

    put("in/../out/secret").send().await.expect("a key as any other");
    let above = put("in/../../other/secret")
        .send()
        .await
        .expect_err("above the bucket");
    let not_in = put("./in/a").send().await.expect_err("not below in/");
    let copy = writer
        .copy_object()
        .bucket("bucket")
        .key("in/../../c")
        .copy_source("bucket/in/../out/secret");
    let copy = copy.send().await.expect_err("above the bucket");
    let upload = writer.create_multipart_upload().bucket("bucket").key("in/../..");
    let upload = upload.send().await.expect_err("above the bucket");

    assert_eq!(storage.get("out/secret").await, b"secret");
    assert_eq!(code(&above), "InvalidURI");
    assert_eq!(code(&not_in), "AccessDenied");
    assert_eq!(code(&copy), "InvalidURI");
    assert_eq!(code(&upload), "InvalidURI");
    assert_eq!(storage.get("in/../out/secret").await, b"x");
}

/// Signs a link to `GET /bucket/k` that is good for this long.
fn link(seconds: u64) -> String {
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(Duration::from_secs(seconds));
    settings.payload_checksum_kind = PayloadChecksumKind::NoHeader;
    settings.percent_encoding_mode = PercentEncodingMode::Single;
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    let identity = Credentials::from_keys("test", "test", None).into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(REGION)
        .name("s3")
        .time(SystemTime::now())
        .settings(settings)
        .build()
        .expect("complete")
        .into();
    let url = "http://127.0.0.1:4566/bucket/k";
    let headers = [("host", "127.0.0.1:4566")].into_iter();
    let request = SignableRequest::new("GET", url, headers, SignableBody::UnsignedPayload).expect("signable");
    let (instructions, _) = sign(request, &params).expect("signed").into_parts();
    let mut request = Request::get(url).body(()).expect("a request");
    instructions.apply_to_request_http1x(&mut request);
    request.uri().to_string()
}

async fn ask(storage: &Storage, request: http::request::Builder) -> (StatusCode, String) {
    let request = request.header("host", "127.0.0.1:4566").body(Body::empty());
    answer(storage, request.expect("a request")).await
}

async fn answer(storage: &Storage, request: Request<Body>) -> (StatusCode, String) {
    let answer = storage.router().oneshot(request).await;
    let answer = answer.unwrap_or_else(|never| match never {});
    let (head, body) = answer.into_parts();
    let body = body.collect().await.expect("readable").to_bytes();
    (head.status, String::from_utf8_lossy(&body).into_owned())
}

#[tokio::test]
async fn links_are_good_for_a_week_at_most() {
    let storage = Storage::with_bucket();
    storage.put("k", b"hello").await;

    let week = ask(&storage, Request::get(link(604_800))).await;
    let longer = ask(&storage, Request::get(link(604_801))).await;

    assert_eq!(week, (StatusCode::OK, "hello".to_owned()));
    assert_eq!(longer.0, StatusCode::BAD_REQUEST);
    assert!(
        longer
            .1
            .contains("<Code>AuthorizationQueryParametersError</Code>"),
        "{}",
        longer.1
    );
}

#[tokio::test]
async fn signature_version_2_is_refused_in_header_and_link() {
    let storage = Storage::with_bucket();
    storage.put("k", b"hello").await;
    let url = "http://127.0.0.1:4566/bucket/k";
    let by_link = format!("{url}?AWSAccessKeyId=test&Expires=9999999999&Signature=eA%3D%3D");

    let header = ask(
        &storage,
        Request::get(url).header("authorization", "AWS test:eA=="),
    )
    .await;
    let link = ask(&storage, Request::get(by_link)).await;

    for answer in [header, link] {
        assert_eq!(answer.0, StatusCode::BAD_REQUEST);
        assert!(answer.1.contains("Please use AWS4-HMAC-SHA256."), "{}", answer.1);
        let names_the_setting = answer.1.contains("signature_version") && answer.1.contains("s3v4");
        assert!(names_the_setting, "{}", answer.1);
    }
}

/// Sends eleven bytes to `/bucket/k` in chunks, with a checksum behind them, as this body.
async fn put_in_chunks(storage: &Storage, body: &'static str) -> (StatusCode, String) {
    let headers = [
        ("host", "127.0.0.1:4566"),
        ("content-encoding", "aws-chunked"),
        ("x-amz-decoded-content-length", "11"),
        ("x-amz-trailer", "x-amz-checksum-crc32"),
    ];
    let mut settings = SigningSettings::default();
    settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    let identity = Credentials::from_keys("test", "test", None).into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(REGION)
        .name("s3")
        .time(SystemTime::now())
        .settings(settings)
        .build()
        .expect("complete")
        .into();
    let url = "http://127.0.0.1:4566/bucket/k";
    let payload = SignableBody::StreamingUnsignedPayloadTrailer;
    let request = SignableRequest::new("PUT", url, headers.into_iter(), payload).expect("signable");
    let (instructions, _) = sign(request, &params).expect("signed").into_parts();
    let mut request = Request::put(url).body(Body::from(body)).expect("a request");
    for (name, value) in headers {
        request
            .headers_mut()
            .insert(name, value.parse().expect("a value"));
    }
    instructions.apply_to_request_http1x(&mut request);
    answer(storage, request).await
}

#[tokio::test]
async fn an_upload_in_chunks_that_breaks_off_or_lacks_its_checksum_is_refused() {
    let storage = Storage::with_bucket();
    let whole = "b\r\nhello world\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\r\n\r\n";

    assert_eq!(put_in_chunks(&storage, whole).await.0, StatusCode::OK);
    for (broken, code) in [
        ("", "IncompleteBody"),
        (
            "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n",
            "IncompleteBody",
        ),
        ("b\r\nhello earth\r\n0\r\n\r\n", "InvalidRequest"),
        (
            "b\r\nhello earth\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\r\n\r\n",
            "BadDigest",
        ),
    ] {
        let (status, said) = put_in_chunks(&storage, broken).await;

        assert_eq!(status, StatusCode::BAD_REQUEST, "{broken:?}: {said}");
        assert!(
            said.contains(&format!("<Code>{code}</Code>")),
            "{broken:?}: {said}"
        );
    }
    assert_eq!(storage.get("k").await, b"hello world");
}

#[tokio::test]
async fn a_date_of_other_characters_than_digits_is_refused() {
    let storage = Storage::with_bucket();
    let good = link(60);
    let url = "http://127.0.0.1:4566/bucket/k";
    let scope = |day: &str| {
        let credential = format!("Credential=test/{day}/us-east-1/s3/aws4_request");
        let value = format!("AWS4-HMAC-SHA256 {credential}, SignedHeaders=host;x-amz-date, Signature=00");
        Request::get(url).header("authorization", value)
    };
    let date = good.split("X-Amz-Date=").nth(1).expect("a date")[..16].to_owned();

    for request in [
        Request::get(good.replacen(&date, "2026-11-29T10:00", 1)),
        Request::get(good.replacen(&format!("%2F{}%2F", &date[..8]), "%2F2026-1-1%2F", 1)),
        scope("2026-1-1").header("x-amz-date", "20261129T100000Z"),
        scope("20261129").header("x-amz-date", "2026 1 29T100000"),
    ] {
        let (status, said) = ask(&storage, request).await;

        assert_eq!(status, StatusCode::BAD_REQUEST, "{said}");
        assert!(said.contains("<Code>Authorization"), "{said}");
    }
}

#[tokio::test]
async fn every_error_says_what_it_is_about() {
    let storage = Storage::with_bucket();
    let s3 = storage.s3();
    let errors = [
        s3.get_object()
            .bucket("bucket")
            .key("missing")
            .send()
            .await
            .expect_err("missing")
            .message()
            .map(str::to_owned),
        s3.get_object()
            .bucket("missing")
            .key("k")
            .send()
            .await
            .expect_err("missing")
            .message()
            .map(str::to_owned),
        s3.get_object()
            .bucket("bucket")
            .key("k".repeat(1_025))
            .send()
            .await
            .expect_err("long")
            .message()
            .map(str::to_owned),
        s3.list_objects_v2()
            .bucket("B")
            .send()
            .await
            .expect_err("no name")
            .message()
            .map(str::to_owned),
        storage
            .s3_as("test", "guess")
            .list_buckets()
            .send()
            .await
            .expect_err("wrong")
            .message()
            .map(str::to_owned),
        storage
            .s3_as("nobody", "x")
            .list_buckets()
            .send()
            .await
            .expect_err("wrong")
            .message()
            .map(str::to_owned),
        s3.get_bucket_acl()
            .bucket("bucket")
            .send()
            .await
            .expect_err("not here")
            .message()
            .map(str::to_owned),
    ];

    for (number, message) in errors.iter().enumerate() {
        assert!(
            message.as_ref().is_some_and(|text| text.len() > 10),
            "{number}: {message:?}"
        );
    }
}

/// Returns code and message of what a call is refused with.
macro_rules! refusal {
    ($call:expr) => {{
        let error = $call.send().await.expect_err("refused");
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        (text(error.code()), text(error.message()))
    }};
}

#[tokio::test]
async fn refusals_of_conditions_ranges_and_parts_say_what_they_are_about() {
    let storage = Storage::with_bucket();
    storage.put("k", b"hello").await;
    let s3 = storage.s3();
    let upload = s3.create_multipart_upload().bucket("bucket").key("m");
    let upload = upload.send().await.expect("begun");
    let id = upload.upload_id().expect("an id");
    let mut parts = Vec::new();
    for number in [1, 2] {
        let part = s3.upload_part().bucket("bucket").key("m").upload_id(id);
        let part = part.part_number(number).body(ByteStream::from_static(b"x"));
        let etag = part
            .send()
            .await
            .expect("a part")
            .e_tag()
            .expect("an ETag")
            .to_owned();
        let part = CompletedPart::builder().part_number(number).e_tag(etag);
        parts.push(part.build());
    }
    let complete = |parts: Vec<CompletedPart>| {
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts));
        let complete = s3.complete_multipart_upload().bucket("bucket").key("m");
        complete.upload_id(id).multipart_upload(parts.build())
    };
    let unknown = CompletedPart::builder().part_number(7).e_tag("\"1\"").build();
    let put = || s3.put_object().bucket("bucket").key("k");
    let get = || s3.get_object().bucket("bucket").key("k");
    let lost = s3.upload_part().bucket("bucket").key("m").upload_id("lost");

    let refusals = [
        ("InvalidRange", refusal!(get().range("bytes=10-20"))),
        ("PreconditionFailed", refusal!(put().if_match("\"1\""))),
        ("PreconditionFailed", refusal!(put().if_none_match("*"))),
        ("PreconditionFailed", refusal!(get().if_match("\"1\""))),
        ("EntityTooSmall", refusal!(complete(parts))),
        ("InvalidPart", refusal!(complete(vec![unknown]))),
        (
            "NoSuchUpload",
            refusal!(lost.part_number(1).body(ByteStream::from_static(b"x"))),
        ),
        ("BucketNotEmpty", refusal!(s3.delete_bucket().bucket("bucket"))),
        (
            "NoSuchBucketPolicy",
            refusal!(s3.get_bucket_policy().bucket("bucket")),
        ),
    ];

    for (expected, (code, message)) in refusals {
        assert_eq!(code, expected, "{message}");
        assert!(message.len() > 10, "{code}: {message:?}");
    }
}

#[tokio::test]
async fn damaged_data_is_not_handed_out_as_whole() {
    let storage = Storage::with_bucket();
    storage.put("large", &pattern(600_000)).await;
    let blob = std::fs::read_dir(storage.blobs())
        .expect("blobs")
        .next()
        .expect("one")
        .expect("readable")
        .path();
    let mut bytes = std::fs::read(&blob).expect("readable");
    bytes[300_000] ^= 1;
    std::fs::write(&blob, &bytes).expect("written");
    let get = || storage.s3().get_object().bucket("bucket").key("large").send();

    let changed = get().await;
    bytes.truncate(599_999);
    std::fs::write(&blob, &bytes).expect("written");
    let cut = get().await;

    // The connection breaks off; over a socket it does so at the end of the data.
    assert!(changed.is_err());
    assert_eq!(code(&cut.expect_err("too short")), "InternalError");
}

#[tokio::test]
async fn damaged_data_is_not_handed_out_by_range_either() {
    let storage = Storage::with_bucket();
    storage.put("large", &pattern(600_000)).await;
    let ranged = |range: &str| {
        let get = storage.s3().get_object().bucket("bucket").key("large");
        get.range(range).send()
    };
    let whole = ranged("bytes=0-99999").await.expect("handed out");
    let read = whole.body.collect().await.expect("readable").to_vec();
    let blobs = std::fs::read_dir(storage.blobs()).expect("blobs");
    let blob = blobs.map(|blob| blob.expect("readable").path()).next();
    let blob = blob.expect("one");
    let mut bytes = std::fs::read(&blob).expect("readable");
    bytes[300_000] ^= 1;
    std::fs::write(&blob, &bytes).expect("written");
    // Clocks of file systems are coarse.
    let file = std::fs::File::options().write(true).open(&blob).expect("opened");
    let later = SystemTime::now() + Duration::from_secs(60);
    file.set_modified(later).expect("set");

    let of_damage = ranged("bytes=250000-349999").await;
    let beside_it = ranged("bytes=0-99999").await;

    assert_eq!(read, pattern(600_000)[..100_000]);
    for refused in [of_damage, beside_it] {
        assert_eq!(code(&refused.expect_err("damaged")), "InternalError");
    }
}

#[tokio::test]
async fn whole_uploads_in_parts_are_handed_out_and_damaged_ones_are_not() {
    let storage = Storage::with_bucket();
    let s3 = storage.s3();
    let upload = s3
        .create_multipart_upload()
        .bucket("bucket")
        .key("parts")
        .send()
        .await
        .expect("begun");
    let id = upload.upload_id().expect("an id");
    let mut parts = Vec::new();
    for (number, size) in [(1, 5 << 20), (2, 700_000)] {
        let part = s3
            .upload_part()
            .bucket("bucket")
            .key("parts")
            .upload_id(id)
            .part_number(number);
        let part = part
            .body(ByteStream::from(pattern(size)))
            .send()
            .await
            .expect("stored");
        let part = CompletedPart::builder().part_number(number).set_e_tag(part.e_tag);
        parts.push(part.build());
    }
    let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
    let complete = s3
        .complete_multipart_upload()
        .bucket("bucket")
        .key("parts")
        .upload_id(id);
    complete.multipart_upload(parts).send().await.expect("completed");
    let get = || s3.get_object().bucket("bucket").key("parts").send();

    let whole = get()
        .await
        .expect("it begins")
        .body
        .collect()
        .await
        .expect("whole")
        .to_vec();
    let blob = std::fs::read_dir(storage.blobs())
        .expect("blobs")
        .next()
        .expect("one")
        .expect("readable")
        .path();
    let mut bytes = std::fs::read(&blob).expect("readable");
    bytes[(5 << 20) + 9] ^= 1;
    std::fs::write(&blob, &bytes).expect("written");
    let damaged = get().await;

    assert_eq!(whole, [pattern(5 << 20), pattern(700_000)].concat());
    assert!(damaged.is_err());
}
