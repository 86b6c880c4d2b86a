//! Amazon S3: buckets, their listings, and what becomes of objects over time.

use std::time::Duration;

use aws_sdk_s3::types::{
    BucketCannedAcl, BucketLocationConstraint, CreateBucketConfiguration, Delete, EncodingType, Object,
    ObjectIdentifier, ObjectOwnership, Tag,
};
use local_aws::s3::{BucketSpec, Expiration};
use proptest::prelude::*;

use crate::harness::{Storage, code, pattern};

#[tokio::test]
async fn listing_pages_through_prefixes_and_keys_once_each() {
    let storage = Storage::with_bucket();
    for key in ["a", "a/1", "a/2", "b/x/1", "b/y", "c", "ü/1", "z z"] {
        storage.put(key, b"").await;
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

        assert_eq!(seen, ["a", "a/", "b/", "c", "z z", "ü/"], "page size {page_size}");
    }
}

#[tokio::test]
async fn listing_honours_prefix_start_after_and_encoding() {
    let storage = Storage::with_bucket();
    for key in ["p/a b", "p/b+", "p/c", "q"] {
        storage.put(key, b"x").await;
    }
    let list = || storage.s3().list_objects_v2().bucket("bucket").prefix("p/");

    let after = list().start_after("p/a b").send().await.expect("list");
    let encoded = list()
        .encoding_type(EncodingType::Url)
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

    let keys = |objects: &[Object]| -> Vec<String> {
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
async fn many_objects_are_deleted_at_once_and_missing_ones_count_as_deleted() {
    let storage = Storage::with_bucket();
    storage.put("a", b"1").await;
    storage.put("b", &pattern(20_000)).await;
    let objects = ["a", "b", "missing"].map(|key| ObjectIdentifier::builder().key(key).build().expect("id"));
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
    storage.put("k", b"").await;

    s3.create_bucket().bucket("other").send().await.expect("create");
    let listed = s3.list_buckets().send().await.expect("list");
    let full = s3
        .delete_bucket()
        .bucket("bucket")
        .send()
        .await
        .expect_err("not empty");
    s3.delete_bucket().bucket("other").send().await.expect("delete");
    let gone = s3
        .list_objects_v2()
        .bucket("other")
        .send()
        .await
        .expect_err("gone");
    let head = s3.head_bucket().bucket("other").send().await.expect_err("gone");

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
async fn buckets_are_listed_in_pages_of_their_region() {
    let storage = Storage::with_bucket();
    let s3 = storage.s3();
    for name in ["alpha", "beta"] {
        s3.create_bucket().bucket(name).send().await.expect("create");
    }

    let (mut names, mut token) = (Vec::new(), None);
    loop {
        let list = s3.list_buckets().max_buckets(2).set_continuation_token(token);
        let page = list.send().await.expect("listed");
        let of_page = page.buckets().iter().filter_map(|bucket| bucket.name());
        names.push(of_page.map(str::to_owned).collect::<Vec<_>>());
        token = page.continuation_token;
        if token.is_none() {
            break;
        }
    }
    let elsewhere = s3
        .list_buckets()
        .bucket_region("eu-west-1")
        .send()
        .await
        .expect("listed");
    let here = s3
        .list_buckets()
        .bucket_region("us-east-1")
        .prefix("b")
        .send()
        .await
        .expect("listed");
    let none = s3
        .list_buckets()
        .max_buckets(0)
        .send()
        .await
        .expect_err("no page");

    let expected: [Vec<String>; 2] = [vec!["alpha".into(), "beta".into()], vec!["bucket".into()]];
    assert_eq!(names, expected);
    assert!(elsewhere.buckets().is_empty());
    assert_eq!((here.buckets().len(), here.prefix()), (2, Some("b")));
    assert_eq!(code(&none), "InvalidArgument");
}

#[tokio::test]
async fn a_bucket_that_is_to_be_another_than_all_are_is_not_made() {
    let storage = Storage::with_bucket();
    let create = || storage.s3().create_bucket().bucket("other");
    let located = |region: &str| {
        let region = BucketLocationConstraint::from(region);
        CreateBucketConfiguration::builder()
            .location_constraint(region)
            .build()
    };
    let tag = Tag::builder().key("team").value("a").build().expect("a tag");
    let tagged = CreateBucketConfiguration::builder().tags(tag).build();

    for (request, expected) in [
        (create().object_lock_enabled_for_bucket(true), "NotImplemented"),
        (create().acl(BucketCannedAcl::PublicRead), "NotImplemented"),
        (
            create().object_ownership(ObjectOwnership::ObjectWriter),
            "NotImplemented",
        ),
        (create().grant_write("id=\"1\""), "NotImplemented"),
        (
            create().create_bucket_configuration(located("eu-west-1")),
            "IllegalLocationConstraintException",
        ),
        (create().create_bucket_configuration(tagged), "NotImplemented"),
    ] {
        assert_eq!(code(&request.send().await.expect_err(expected)), expected);
    }
    let head = storage.s3().head_bucket().bucket("other").send().await;
    let taken = create()
        .acl(BucketCannedAcl::Private)
        .object_ownership(ObjectOwnership::BucketOwnerEnforced)
        .create_bucket_configuration(located("us-east-1"));

    assert!(head.is_err(), "none was made");
    taken.send().await.expect("it is as all are");
}

#[tokio::test]
async fn a_page_goes_on_behind_the_keys_of_a_common_prefix() {
    let storage = Storage::with_bucket();
    let keys = ["aü", "aü1", "aü2", "aý", "b\u{d7ff}ü", "c"];
    for key in keys {
        storage.put(key, b"").await;
    }

    for page_size in 1..=5 {
        let list = storage.s3().list_objects_v2().bucket("bucket").delimiter("ü");
        let mut pages = list.into_paginator().page_size(page_size).send();
        let (mut seen, mut prefixes) = (Vec::new(), Vec::new());
        while let Some(page) = pages.next().await {
            let page = page.expect("page");
            let objects = page.contents().iter().filter_map(|object| object.key());
            seen.extend(objects.map(str::to_owned));
            let common = page.common_prefixes().iter().filter_map(|common| common.prefix());
            prefixes.extend(common.map(str::to_owned));
        }

        assert_eq!(seen, ["aý", "c"], "page size {page_size}");
        assert_eq!(prefixes, ["aü", "b\u{d7ff}ü"], "page size {page_size}");
    }
}

#[tokio::test]
async fn what_is_not_implemented_says_so() {
    let storage = Storage::with_bucket();

    let acl = storage
        .s3()
        .get_bucket_acl()
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

    assert_eq!(code(&acl), "NotImplemented");
    assert_eq!(code(&tagged.expect_err("no tags")), "NotImplemented");
}

#[tokio::test]
async fn acknowledged_objects_survive_a_restart_and_half_done_ones_leave_nothing() {
    let mut storage = Storage::with_bucket();
    storage.put("small", b"hello").await;
    storage.put("large", &pattern(100_000)).await;
    std::fs::write(storage.blobs().join("s3-left-behind"), b"half").expect("write");

    storage.reopen();

    assert_eq!(storage.get("small").await, b"hello");
    assert_eq!(storage.get("large").await, pattern(100_000));
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
    storage.put("claims/1", &pattern(20_000)).await;
    storage.put("feedback/1", b"").await;
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
    let keys: Vec<_> = left.contents().iter().filter_map(|object| object.key()).collect();
    assert_eq!(keys, ["feedback/1"]);
    assert_eq!(storage.blob_count(), 0);
}

#[tokio::test]
async fn a_sweep_waits_for_no_writer_until_it_has_something_to_remove() {
    let storage = Storage::with(BucketSpec {
        name: "bucket".into(),
        expirations: vec![Expiration {
            prefix: "claims/".into(),
            days: 90,
        }],
        ..BucketSpec::default()
    });
    let s3 = &storage.services().s3;
    let index = &storage.services().store.index;
    let writer = index.begin_write().expect("a writer");
    for number in 0..2_500 {
        let key = format!("claims/{number}");
        let object = s3.stage("bucket", &key, "text/plain", b"mine".to_vec());
        s3.put(&writer, object.expect("staged")).expect("put");
    }
    writer.commit().expect("committed");
    let days = |days| chrono::Utc::now() + chrono::Duration::days(days);

    let writer = index.begin_write().expect("a writer");
    let swept = tokio::time::timeout(Duration::from_secs(60), s3.sweep(days(89))).await;
    drop(writer);
    s3.sweep(days(91)).await.expect("swept");

    swept.expect("it does not wait for the writer").expect("swept");
    assert_eq!(storage.objects("").await, []);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn keys_come_back_from_a_listing_in_the_order_of_their_bytes(
        // The SDK takes a key of white space alone for none.
        keys in prop::collection::btree_set("[^\\p{Cc}\\s\u{FFFE}\u{FFFF}][^\\p{Cc}\u{FFFE}\u{FFFF}]{0,39}", 1..8)
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("runtime");
        let listed: Vec<String> = runtime.block_on(async {
            let storage = Storage::with_bucket();
            for key in &keys {
                storage.put(key, b"x").await;
            }
            let list = storage.s3().list_objects_v2().bucket("bucket").send().await.expect("list");
            list.contents().iter().filter_map(|object| object.key().map(str::to_owned)).collect()
        });

        prop_assert_eq!(listed, keys.into_iter().collect::<Vec<_>>());
    }
}
