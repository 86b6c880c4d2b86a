//! Amazon S3: writes on a condition, and those that are refused since they would do something else.

use aws_sdk_s3::{
    primitives::{ByteStream, DateTime},
    types::ChecksumAlgorithm,
};

use crate::harness::{Storage, code};

#[tokio::test]
async fn a_copy_on_a_condition_spares_what_is_there() {
    let storage = Storage::with_bucket();
    let s3 = storage.s3();
    storage.put("a", b"source").await;
    storage.put("b", b"hello").await;
    let copy = |key: &str| s3.copy_object().bucket("bucket").key(key).copy_source("bucket/a");

    let there = copy("b")
        .if_none_match("*")
        .send()
        .await
        .expect_err("it is there");
    let other = copy("b").if_match("\"ffff\"").send().await.expect_err("another");
    let kept = storage.get("b").await;
    let absent = copy("c").if_match("\"ffff\"").send().await.expect_err("none");
    let other_checksum = copy("c")
        .checksum_algorithm(ChecksumAlgorithm::Sha256)
        .send()
        .await;
    copy("c").if_none_match("*").send().await.expect("it is new");
    let same = copy("b").if_match("\"5d41402abc4b2a76b9719d911017c592\"");
    let same = same.checksum_algorithm(ChecksumAlgorithm::Crc32).send().await;

    assert_eq!(
        [code(&there), code(&other)],
        ["PreconditionFailed", "PreconditionFailed"]
    );
    assert_eq!(kept, b"hello");
    assert_eq!(code(&absent), "NoSuchKey");
    assert_eq!(
        code(&other_checksum.expect_err("none is computed")),
        "NotImplemented"
    );
    let result = same
        .expect("it is the same")
        .copy_object_result
        .expect("a result");
    assert!(result.checksum_crc32().is_some());
    assert_eq!(
        (storage.get("b").await, storage.get("c").await),
        (b"source".to_vec(), b"source".to_vec())
    );
}

#[tokio::test]
async fn data_that_is_to_be_appended_does_not_replace_what_is_there() {
    let storage = Storage::with_bucket();
    storage.put("k", b"hello").await;

    let append = storage
        .s3()
        .put_object()
        .bucket("bucket")
        .key("k")
        .write_offset_bytes(5);
    let refused = append.body(ByteStream::from_static(b" again")).send().await;

    assert_eq!(
        code(&refused.expect_err("there is no appending")),
        "NotImplemented"
    );
    assert_eq!(storage.get("k").await, b"hello");
}

#[tokio::test]
async fn a_deletion_on_size_or_time_is_refused_and_deletes_nothing() {
    let storage = Storage::with_bucket();
    storage.put("k", b"hello").await;
    let delete = || storage.s3().delete_object().bucket("bucket").key("k");

    let on_size = delete().if_match_size(6).send().await.expect_err("refused");
    let time = DateTime::from_secs(0);
    let on_time = delete()
        .if_match_last_modified_time(time)
        .send()
        .await
        .expect_err("refused");

    assert_eq!(
        [code(&on_size), code(&on_time)],
        ["NotImplemented", "NotImplemented"]
    );
    assert_eq!(storage.get("k").await, b"hello");
}
