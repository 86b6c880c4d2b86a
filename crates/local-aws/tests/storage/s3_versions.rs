//! Amazon S3: buckets that keep versions.

mod listing;
mod rules;

use aws_sdk_s3::{
    error::ProvideErrorMetadata,
    operation::list_object_versions::ListObjectVersionsOutput,
    primitives::ByteStream,
    types::{
        BucketVersioningStatus, CompletedMultipartUpload, CompletedPart, Delete, MfaDelete, ObjectIdentifier,
        VersioningConfiguration,
    },
};
use local_aws::s3::{BucketSpec, Versioning};

use crate::harness::{Storage, code, pattern};

fn spec(versioning: Option<Versioning>) -> BucketSpec {
    BucketSpec {
        name: "bucket".into(),
        versioning,
        ..BucketSpec::default()
    }
}

fn versioned() -> Storage {
    Storage::with(spec(Some(Versioning::Enabled)))
}

async fn set(storage: &Storage, status: BucketVersioningStatus) {
    let configuration = VersioningConfiguration::builder().status(status).build();
    let put = storage.s3().put_bucket_versioning().bucket("bucket");
    put.versioning_configuration(configuration)
        .send()
        .await
        .expect("set");
}

async fn status(storage: &Storage) -> Option<BucketVersioningStatus> {
    let got = storage.s3().get_bucket_versioning().bucket("bucket").send().await;
    got.expect("got").status
}

/// Puts an object and returns the id of its version.
async fn put(storage: &Storage, key: &str, body: &[u8]) -> Option<String> {
    let put = storage.s3().put_object().bucket("bucket").key(key);
    let put = put.body(ByteStream::from(body.to_vec())).send().await;
    put.expect("put").version_id
}

/// Deletes an object, or one version; returns whether it was about a marker, and the version.
async fn delete(storage: &Storage, key: &str, version: Option<&str>) -> (bool, Option<String>) {
    let delete = storage.s3().delete_object().bucket("bucket").key(key);
    let deleted = delete.set_version_id(version.map(str::to_owned)).send().await;
    let deleted = deleted.expect("deleted");
    (deleted.delete_marker == Some(true), deleted.version_id)
}

async fn version(storage: &Storage, key: &str, id: &str) -> Vec<u8> {
    let get = storage.s3().get_object().bucket("bucket").key(key).version_id(id);
    let body = get.send().await.expect("got").body;
    body.collect().await.expect("body").to_vec()
}

/// Versions and markers in the order of the listing: key, id, whether it is the latest, and whether it is a marker. The two
/// kinds lie in lists of their own.
fn shown(page: &ListObjectVersionsOutput) -> Vec<(String, String, bool, bool)> {
    let versions = page.versions().iter().map(|version| {
        let is_latest = version.is_latest() == Some(true);
        (version.key(), version.version_id(), is_latest, false)
    });
    let markers = page.delete_markers().iter().map(|marker| {
        let is_latest = marker.is_latest() == Some(true);
        (marker.key(), marker.version_id(), is_latest, true)
    });
    let all = versions.chain(markers);
    let owned = |text: Option<&str>| text.expect("there").to_owned();
    all.map(|(key, id, is_latest, is_marker)| (owned(key), owned(id), is_latest, is_marker))
        .collect()
}

async fn all(storage: &Storage) -> Vec<(String, String, bool, bool)> {
    let listed = storage.s3().list_object_versions().bucket("bucket").send().await;
    shown(&listed.expect("listed"))
}

#[tokio::test]
async fn what_is_written_over_stays_and_comes_back_when_the_newer_version_goes() {
    let storage = versioned();

    let first = put(&storage, "k", b"one").await.expect("an id");
    let second = put(&storage, "k", &pattern(20_000)).await.expect("an id");
    let third = put(&storage, "k", b"three").await.expect("an id");

    assert_eq!(storage.get("k").await, b"three");
    assert_eq!(version(&storage, "k", &first).await, b"one");
    assert_eq!(version(&storage, "k", &second).await, pattern(20_000));
    let line = |id: &String, is_latest| ("k".to_owned(), id.clone(), is_latest, false);
    assert_eq!(
        all(&storage).await,
        [line(&third, true), line(&second, false), line(&first, false)]
    );
    let head = storage.s3().head_object().bucket("bucket").key("k");
    let head = head.version_id(&first).send().await.expect("there");
    assert_eq!(
        (head.content_length, head.version_id),
        (Some(3), Some(first.clone()))
    );

    assert_eq!(
        delete(&storage, "k", Some(&third)).await,
        (false, Some(third.clone()))
    );
    assert_eq!(storage.get("k").await, pattern(20_000));
    delete(&storage, "k", Some(&second)).await;
    assert_eq!(storage.get("k").await, b"one");
    assert_eq!(storage.blob_count(), 0, "the data of what is gone for good goes");
    assert_eq!(all(&storage).await, [line(&first, true)]);
}

#[tokio::test]
async fn a_deletion_leaves_a_marker_and_the_object_comes_back_without_it() {
    let storage = versioned();
    let first = put(&storage, "k", b"one").await.expect("an id");

    let (is_marker, marker) = delete(&storage, "k", None).await;
    let marker = marker.expect("an id");
    let gone = storage.s3().get_object().bucket("bucket").key("k").send().await;
    let of_marker = storage.s3().get_object().bucket("bucket").key("k");
    let of_marker = of_marker.version_id(&marker).send().await;
    let listed = storage.s3().list_objects_v2().bucket("bucket").send().await;

    assert!(is_marker);
    let gone = gone.expect_err("deleted");
    assert_eq!(code(&gone), "NoSuchKey");
    let headers = gone.raw_response().expect("answered").headers();
    assert_eq!(headers.get("x-amz-delete-marker"), Some("true"));
    assert_eq!(headers.get("x-amz-version-id"), Some(marker.as_str()));
    let of_marker = of_marker.expect_err("no data");
    assert_eq!(code(&of_marker), "MethodNotAllowed");
    let answer = of_marker.raw_response().expect("answered");
    assert_eq!(answer.status().as_u16(), 405);
    assert_eq!(answer.headers().get("allow"), Some("DELETE"));
    assert!(answer.headers().get("last-modified").is_some());
    assert!(listed.expect("listed").contents().is_empty());
    assert_eq!(version(&storage, "k", &first).await, b"one");
    assert_eq!(
        all(&storage).await,
        [
            ("k".to_owned(), first.clone(), false, false),
            ("k".to_owned(), marker.clone(), true, true)
        ]
    );

    assert_eq!(
        delete(&storage, "k", Some(&marker)).await,
        (true, Some(marker.clone()))
    );
    assert_eq!(storage.get("k").await, b"one");
    let unknown = storage.s3().get_object().bucket("bucket").key("k");
    let unknown = unknown.version_id(&marker).send().await.expect_err("gone");
    assert_eq!(code(&unknown), "NoSuchVersion");
    assert_eq!(
        delete(&storage, "k", Some(&marker)).await,
        (false, Some(marker.clone())),
        "what is gone may be deleted again"
    );
    assert!(delete(&storage, "never there", None).await.0);
}

#[tokio::test]
async fn versioning_is_set_by_its_two_words_only() {
    let storage = Storage::with_bucket();
    assert_eq!(status(&storage).await, None);

    set(&storage, BucketVersioningStatus::Suspended).await;
    assert_eq!(status(&storage).await, Some(BucketVersioningStatus::Suspended));
    set(&storage, BucketVersioningStatus::Enabled).await;
    let refused = [
        (
            VersioningConfiguration::builder(),
            "IllegalVersioningConfigurationException",
        ),
        (
            VersioningConfiguration::builder().status("enabled".into()),
            "MalformedXML",
        ),
        (
            VersioningConfiguration::builder()
                .status(BucketVersioningStatus::Enabled)
                .mfa_delete(MfaDelete::Enabled),
            "NotImplemented",
        ),
    ];
    for (configuration, wanted) in refused {
        let put = storage.s3().put_bucket_versioning().bucket("bucket");
        let put = put.versioning_configuration(configuration.build()).send().await;
        assert_eq!(code(&put.expect_err(wanted)), wanted);
    }
    assert_eq!(status(&storage).await, Some(BucketVersioningStatus::Enabled));
}

#[tokio::test]
async fn a_suspended_bucket_keeps_what_it_has_and_one_version_without_an_id() {
    let storage = Storage::with_bucket();
    assert_eq!(put(&storage, "k", &pattern(20_000)).await, None);
    set(&storage, BucketVersioningStatus::Enabled).await;
    let id = put(&storage, "k", b"two").await.expect("an id");
    let null = |is_latest, is_marker| ("k".to_owned(), "null".to_owned(), is_latest, is_marker);
    let with_id = ("k".to_owned(), id.clone(), false, false);
    assert_eq!(version(&storage, "k", "null").await, pattern(20_000));

    set(&storage, BucketVersioningStatus::Suspended).await;
    assert_eq!(put(&storage, "k", b"three").await, None);
    assert_eq!(storage.blob_count(), 0, "it replaced the one without an id");
    assert_eq!(all(&storage).await, [null(true, false), with_id.clone()]);
    let head = storage.s3().head_object().bucket("bucket").key("k").send().await;
    assert_eq!(head.expect("there").version_id.as_deref(), Some("null"));
    put(&storage, "k", b"four").await;
    assert_eq!(all(&storage).await, [null(true, false), with_id.clone()]);

    assert_eq!(delete(&storage, "k", None).await, (true, Some("null".into())));
    assert_eq!(delete(&storage, "k", None).await, (true, Some("null".into())));
    assert_eq!(all(&storage).await, [with_id, null(true, true)]);
    assert_eq!(
        delete(&storage, "k", Some("null")).await,
        (true, Some("null".into()))
    );
    assert_eq!(storage.get("k").await, b"two");
}

#[tokio::test]
async fn a_bucket_that_never_kept_versions_has_one_of_each_object() {
    let storage = Storage::with_bucket();
    put(&storage, "k", b"one").await;
    put(&storage, "k", b"two").await;

    let head = storage.s3().head_object().bucket("bucket").key("k");
    let head = head.version_id("null").send().await.expect("there");

    assert_eq!(head.version_id, None);
    assert_eq!(
        all(&storage).await,
        [("k".to_owned(), "null".to_owned(), true, false)]
    );
    delete(&storage, "k", Some("null")).await;
    assert_eq!(all(&storage).await, []);
}

#[tokio::test]
async fn a_condition_is_about_what_is_there_now() {
    let storage = versioned();
    let put = || storage.s3().put_object().bucket("bucket").key("k");
    let first = put().send().await.expect("put");
    let etag = first.e_tag().expect("an ETag");

    let over_object = put().if_none_match("*").send().await.expect_err("it is there");
    let second = put()
        .if_match(etag)
        .body(ByteStream::from_static(b"two"))
        .send()
        .await;
    let second = second.expect("it was the one");
    let over_old = put().if_match(etag).send().await.expect_err("it is old");
    delete(&storage, "k", None).await;
    let over_marker = put().if_match(second.e_tag().expect("an ETag")).send().await;
    let anew = put().if_none_match("*").send().await;

    assert_eq!(code(&over_object), "PreconditionFailed");
    assert_eq!(code(&over_old), "PreconditionFailed");
    assert_eq!(code(&over_marker.expect_err("it is deleted")), "NoSuchKey");
    assert!(anew.expect("nothing is there").version_id.is_some());
    assert_eq!(all(&storage).await.len(), 4);
}

#[tokio::test]
async fn copies_and_uploads_in_parts_are_versions_too_and_an_old_version_can_be_brought_back() {
    let storage = versioned();
    let s3 = storage.s3();
    let old = put(&storage, "k", &pattern(20_000)).await.expect("an id");
    put(&storage, "k", b"new").await;

    let copy = s3.copy_object().bucket("bucket").key("k");
    let copy = copy
        .copy_source(format!("bucket/k?versionId={old}"))
        .send()
        .await
        .expect("copied");
    assert_eq!(copy.copy_source_version_id.as_deref(), Some(old.as_str()));
    let brought_back = copy.version_id.expect("an id");
    assert_ne!(brought_back, old);
    assert_eq!(storage.get("k").await, pattern(20_000));

    let upload = s3
        .create_multipart_upload()
        .bucket("bucket")
        .key("k")
        .send()
        .await;
    let upload = upload.expect("begun");
    let upload_id = upload.upload_id().expect("an id");
    let part = s3
        .upload_part_copy()
        .bucket("bucket")
        .key("k")
        .upload_id(upload_id);
    let part = part
        .part_number(1)
        .copy_source(format!("bucket/k?versionId={old}"));
    let part = part.send().await.expect("copied");
    assert_eq!(part.copy_source_version_id.as_deref(), Some(old.as_str()));
    let etag = part.copy_part_result.and_then(|result| result.e_tag);
    let part = CompletedPart::builder().part_number(1).set_e_tag(etag).build();
    let parts = CompletedMultipartUpload::builder().parts(part).build();
    let complete = s3.complete_multipart_upload().bucket("bucket").key("k");
    let complete = complete.upload_id(upload_id).multipart_upload(parts).send().await;
    let completed = complete.expect("completed").version_id.expect("an id");

    assert_eq!(all(&storage).await[0], ("k".to_owned(), completed, true, false));
    assert_eq!(all(&storage).await.len(), 4);
    let (_, marker) = delete(&storage, "k", None).await;
    let of_marker = s3.copy_object().bucket("bucket").key("other");
    let source = format!("bucket/k?versionId={}", marker.expect("an id"));
    let of_marker = of_marker.copy_source(source).send().await.expect_err("no data");
    assert_eq!(code(&of_marker), "InvalidRequest");
}

#[tokio::test]
async fn many_are_deleted_by_version_and_by_key() {
    let storage = versioned();
    let old = put(&storage, "a", b"1").await.expect("an id");
    put(&storage, "a", b"2").await;
    let (_, marker) = delete(&storage, "b", None).await;
    let marker = marker.expect("an id");
    let object = |key: &str, version: Option<&str>| {
        let id = ObjectIdentifier::builder().key(key);
        id.set_version_id(version.map(str::to_owned))
            .build()
            .expect("an id")
    };
    let delete = Delete::builder()
        .objects(object("a", Some(&old)))
        .objects(object("b", Some(&marker)))
        .objects(object("c", None))
        .objects(object("a", Some("HPniJFCxqTsMuIH9KX8K8wEjNUgmABCD")))
        .build()
        .expect("whole");

    let answer = storage
        .s3()
        .delete_objects()
        .bucket("bucket")
        .delete(delete)
        .send()
        .await;

    let answer = answer.expect("answered");
    let [of_object, of_marker, marked] = answer.deleted() else {
        panic!("{answer:?}");
    };
    assert_eq!(of_object.version_id(), Some(old.as_str()));
    assert_eq!(of_object.delete_marker(), None);
    assert_eq!(of_marker.version_id(), Some(marker.as_str()));
    assert_eq!(of_marker.delete_marker_version_id(), Some(marker.as_str()));
    assert_eq!(of_marker.delete_marker(), Some(true));
    assert_eq!((marked.version_id(), marked.delete_marker()), (None, Some(true)));
    assert!(marked.delete_marker_version_id().is_some());
    let [error] = answer.errors() else {
        panic!("{answer:?}");
    };
    assert_eq!(error.code(), Some("NoSuchVersion"));
    assert_eq!(all(&storage).await.len(), 2);
}

#[tokio::test]
async fn a_bucket_with_old_versions_or_markers_is_not_empty() {
    let storage = versioned();
    let id = put(&storage, "k", b"x").await.expect("an id");
    let (_, marker) = delete(&storage, "k", None).await;
    let remove = || storage.s3().delete_bucket().bucket("bucket").send();

    let with_both = remove().await.expect_err("not empty");
    delete(&storage, "k", Some(&id)).await;
    let with_marker = remove().await.expect_err("not empty");
    delete(&storage, "k", marker.as_deref()).await;

    assert_eq!(code(&with_both), "BucketNotEmpty");
    assert!(
        with_marker
            .message()
            .is_some_and(|text| text.contains("all versions"))
    );
    remove().await.expect("empty");
}
