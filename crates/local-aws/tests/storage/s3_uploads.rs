//! Amazon S3: multipart uploads.

use aws_sdk_s3::{
    error::ProvideErrorMetadata,
    primitives::ByteStream,
    types::{ChecksumAlgorithm, ChecksumType, CompletedMultipartUpload, CompletedPart, EncodingType},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::{Duration, Utc};
use local_aws::s3::{BucketSpec, Expiration, FunctionNotification};
use sha2::{Digest, Sha256};

use crate::harness::{Storage, code, pattern};

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
        let uploaded = upload.body(part.to_vec().into()).send().await.expect("part");
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
        let parts = parts
            .iter()
            .map(|(number, etag)| CompletedPart::builder().part_number(*number).e_tag(*etag).build());
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
async fn parts_copied_from_objects_become_an_object_unless_it_is_there_already() {
    let storage = Storage::notifying(vec![FunctionNotification {
        event: "s3:ObjectCreated:CompleteMultipartUpload".into(),
        function_arn: "arn:aws:lambda:us-east-1:000000000000:function:listener".into(),
        prefix: String::new(),
        suffix: String::new(),
    }]);
    let s3 = storage.s3();
    let source = pattern(40_000);
    storage.put("source", &source).await;
    let complete = || async {
        let created = s3
            .create_multipart_upload()
            .bucket("bucket")
            .key("copy")
            .checksum_algorithm(ChecksumAlgorithm::Crc64Nvme);
        let id = created.send().await.expect("create").upload_id.expect("id");
        let part = s3
            .upload_part_copy()
            .bucket("bucket")
            .key("copy")
            .upload_id(&id)
            .part_number(7)
            .copy_source("bucket/source")
            .copy_source_range("bytes=100-30099");
        let etag = part
            .send()
            .await
            .expect("part")
            .copy_part_result
            .expect("result")
            .e_tag;
        let part = CompletedPart::builder().part_number(7).set_e_tag(etag).build();
        let upload = CompletedMultipartUpload::builder().parts(part).build();
        let complete = s3.complete_multipart_upload().bucket("bucket").key("copy");
        let complete = complete.upload_id(id).if_none_match("*").multipart_upload(upload);
        complete.send().await
    };

    let first = complete().await.expect("complete");
    let second = complete().await.expect_err("it is there");

    assert!(first.checksum_crc64_nvme().is_some());
    assert_eq!(first.checksum_type(), Some(&ChecksumType::FullObject));
    assert_eq!(code(&second), "PreconditionFailed");
    assert_eq!(storage.get("copy").await, source[100..30_100]);
    let events = storage.events();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["eventName"], "ObjectCreated:CompleteMultipartUpload");
}

#[tokio::test]
async fn a_part_is_copied_of_bytes_that_the_source_has_and_of_no_others() {
    let storage = Storage::with_bucket();
    let s3 = storage.s3();
    storage.put("source", &pattern(100)).await;
    let create = s3.create_multipart_upload().bucket("bucket").key("copy");
    let id = create.send().await.expect("create").upload_id.expect("an id");
    let copy = |range: &str| {
        let part = s3.upload_part_copy().bucket("bucket").key("copy").upload_id(&id);
        let part = part.part_number(1).copy_source("bucket/source");
        part.copy_source_range(range).send()
    };

    copy("bytes=0-99").await.expect("all of it");
    for (range, told) in [
        ("bytes=0-100", "not valid for source object of size: 100"),
        ("bytes=100-200", "not valid for source object of size: 100"),
        ("bytes=5-", "must be of the form bytes=first-last"),
        ("bytes=-5", "must be of the form bytes=first-last"),
        ("0-5", "must be of the form bytes=first-last"),
    ] {
        let refused = copy(range).await.expect_err(range);

        assert_eq!(code(&refused), "InvalidArgument", "{range}");
        let message = refused
            .as_service_error()
            .and_then(|error| error.meta().message());
        assert!(
            message.is_some_and(|message| message.contains(told)),
            "{range}: {message:?}"
        );
    }
}

#[tokio::test]
async fn the_parts_of_an_upload_with_a_checksum_have_and_name_those_of_its_algorithm() {
    let storage = Storage::with_bucket();
    let s3 = storage.s3();
    let create = s3.create_multipart_upload().bucket("bucket").key("k");
    let create = create.checksum_algorithm(ChecksumAlgorithm::Sha256);
    let id = create.send().await.expect("create").upload_id.expect("an id");
    let upload = |algorithm: Option<ChecksumAlgorithm>| {
        let part = s3
            .upload_part()
            .bucket("bucket")
            .key("k")
            .upload_id(&id)
            .part_number(1);
        let part = part.set_checksum_algorithm(algorithm);
        part.body(ByteStream::from_static(b"hello")).send()
    };
    let complete = |part: CompletedPart, size: i64, kind: Option<ChecksumType>| {
        let parts = CompletedMultipartUpload::builder().parts(part).build();
        let complete = s3
            .complete_multipart_upload()
            .bucket("bucket")
            .key("k")
            .upload_id(&id);
        let complete = complete.multipart_upload(parts).mpu_object_size(size);
        complete.set_checksum_type(kind).send()
    };

    let other = upload(Some(ChecksumAlgorithm::Crc32)).await.expect_err("another");
    // The client sends a CRC32 of its own accord.
    let unasked = upload(None).await.expect_err("another");
    let part = upload(Some(ChecksumAlgorithm::Sha256)).await.expect("its own");
    let named = CompletedPart::builder().part_number(1).set_e_tag(part.e_tag);
    let bare = complete(named.clone().build(), 5, None)
        .await
        .expect_err("no checksum");
    let named = named.set_checksum_sha256(part.checksum_sha256).build();
    let short = complete(named.clone(), 4, None).await.expect_err("another size");
    let whole = complete(named.clone(), 5, Some(ChecksumType::FullObject)).await;
    let whole = whole.expect_err("another type");
    let completed = complete(named, 5, None).await.expect("complete");

    assert_eq!(
        other.message(),
        Some("Checksum Type mismatch occurred, expected checksum Type: sha256, actual checksum Type: crc32")
    );
    for error in [
        code(&other),
        code(&unasked),
        code(&bare),
        code(&short),
        code(&whole),
    ] {
        assert_eq!(error, "InvalidRequest");
    }
    assert!(
        bare.message()
            .is_some_and(|text| text.contains("missing for part 1"))
    );
    let of_parts = BASE64_STANDARD.encode(Sha256::digest(Sha256::digest("hello")));
    assert_eq!(
        completed.checksum_sha256(),
        Some(format!("{of_parts}-1").as_str())
    );
    assert_eq!(storage.get("k").await, b"hello");
}

#[tokio::test]
async fn an_upload_that_was_given_up_goes_at_the_age_of_the_rule_with_its_parts() {
    let storage = Storage::with(BucketSpec {
        name: "bucket".into(),
        upload_expirations: vec![Expiration {
            prefix: "in/".into(),
            days: 7,
        }],
        ..BucketSpec::default()
    });
    let s3 = storage.s3();
    for key in ["in/k", "out/k"] {
        let created = s3
            .create_multipart_upload()
            .bucket("bucket")
            .key(key)
            .send()
            .await;
        let id = created.expect("create").upload_id.expect("an id");
        let part = s3
            .upload_part()
            .bucket("bucket")
            .key(key)
            .upload_id(id)
            .part_number(1);
        part.body(ByteStream::from_static(b"x"))
            .send()
            .await
            .expect("part");
    }
    let sweep = async |days| {
        let now = Utc::now() + Duration::days(days);
        storage.services().s3.sweep(now).await.expect("swept");
        let listed = s3
            .list_multipart_uploads()
            .bucket("bucket")
            .send()
            .await
            .expect("listed");
        let keys = listed.uploads().iter().filter_map(|upload| upload.key());
        (keys.map(str::to_owned).collect::<Vec<_>>(), storage.blob_count())
    };

    let (before, files_before) = sweep(6).await;
    let (after, files_after) = sweep(8).await;

    assert_eq!((before.len(), files_before), (2, 2));
    assert_eq!((after, files_after), (vec!["out/k".to_owned()], 1));
}

#[tokio::test]
async fn keys_of_uploads_are_encoded_where_the_client_asks_for_it() {
    let storage = Storage::with_bucket();
    for key in ["a%20b ü/1", "a%20b ü/2", "c d"] {
        let create = storage.s3().create_multipart_upload().bucket("bucket").key(key);
        create.send().await.expect("create");
    }

    let list = storage
        .s3()
        .list_multipart_uploads()
        .bucket("bucket")
        .delimiter("/");
    let listed = list
        .encoding_type(EncodingType::Url)
        .send()
        .await
        .expect("listed");

    assert_eq!(listed.encoding_type(), Some(&EncodingType::Url));
    assert_eq!(listed.uploads()[0].key(), Some("c%20d"));
    assert_eq!(listed.common_prefixes().len(), 1);
    assert_eq!(listed.common_prefixes()[0].prefix(), Some("a%2520b%20%C3%BC/"));
}

#[tokio::test]
async fn a_copy_of_an_object_that_was_uploaded_in_parts_has_one_part() {
    let storage = Storage::with_bucket();
    let s3 = storage.s3();
    let body = pattern(5 * 1024 * 1024 + 1000);
    let algorithm = ChecksumAlgorithm::Crc32;
    let create = s3.create_multipart_upload().bucket("bucket").key("parts");
    let created = create.checksum_algorithm(algorithm.clone()).send().await;
    let created = created.expect("created");
    let id = created.upload_id().expect("id");
    let mut parts = CompletedMultipartUpload::builder();
    for (part, number) in body.chunks(5 * 1024 * 1024).zip(1..) {
        let upload = s3.upload_part().bucket("bucket").key("parts").upload_id(id);
        let upload = upload.part_number(number).checksum_algorithm(algorithm.clone());
        let uploaded = upload.body(part.to_vec().into()).send().await.expect("part");
        let completed = CompletedPart::builder()
            .part_number(number)
            .set_e_tag(uploaded.e_tag)
            .set_checksum_crc32(uploaded.checksum_crc32);
        parts = parts.parts(completed.build());
    }
    let complete = s3.complete_multipart_upload().bucket("bucket").key("parts");
    let complete = complete.upload_id(id).multipart_upload(parts.build());
    let source = complete.send().await.expect("completed");
    let whole = s3.put_object().bucket("bucket").key("whole");
    let whole = whole.checksum_algorithm(algorithm).body(body.clone().into());
    let whole = whole.send().await.expect("put");

    let copy = s3
        .copy_object()
        .bucket("bucket")
        .key("copy")
        .copy_source("bucket/parts");
    let copied = copy.send().await.expect("copied");

    let copied = copied.copy_object_result().expect("a result");
    assert!(source.e_tag().is_some_and(|etag| etag.ends_with("-2\"")));
    assert_eq!(copied.e_tag(), whole.e_tag());
    assert_eq!(copied.checksum_crc32(), whole.checksum_crc32());
    assert_eq!(copied.checksum_type(), Some(&ChecksumType::FullObject));
    let read = s3.get_object().bucket("bucket").key("copy").send().await;
    let read = read.expect("read");
    assert_eq!((read.e_tag(), read.parts_count()), (whole.e_tag(), None));
    assert!(read.body.collect().await.expect("body").to_vec() == body);
}
