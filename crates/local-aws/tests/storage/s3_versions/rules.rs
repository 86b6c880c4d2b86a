//! What a template says of versions, what becomes of them over time, who is told of them, and who may have them.

use aws_sdk_s3::types::BucketVersioningStatus;
use chrono::{Duration, Utc};
use local_aws::s3::{BucketSpec, Expiration, FunctionNotification, VersionExpiration, Versioning};
use serde_json::json;

use super::{all, delete, put, set, spec, status, version, versioned};
use crate::harness::{Storage, code, pattern};

#[tokio::test]
async fn versions_survive_a_restart_and_the_template_says_what_is_kept() {
    let mut storage = Storage::with_bucket();
    set(&storage, BucketVersioningStatus::Enabled).await;
    let old = put(&storage, "k", &pattern(20_000)).await.expect("an id");
    put(&storage, "k", &pattern(30_000)).await;
    delete(&storage, "k", None).await;
    let before = all(&storage).await;

    storage.reopen();
    let put_bucket = |storage: &Storage, versioning| {
        storage.services().s3.put_bucket(spec(versioning)).expect("put");
    };
    put_bucket(&storage, None);
    assert_eq!(all(&storage).await, before);
    assert_eq!(version(&storage, "k", &old).await, pattern(20_000));
    assert_eq!(storage.blob_count(), 2);
    assert_eq!(
        status(&storage).await,
        Some(BucketVersioningStatus::Enabled),
        "the template never said anything of it"
    );

    put_bucket(&storage, Some(Versioning::Enabled));
    set(&storage, BucketVersioningStatus::Suspended).await;
    put_bucket(&storage, Some(Versioning::Enabled));
    assert_eq!(status(&storage).await, Some(BucketVersioningStatus::Suspended));
    put_bucket(&storage, None);
    assert_eq!(status(&storage).await, Some(BucketVersioningStatus::Suspended));
    put_bucket(&storage, Some(Versioning::Enabled));
    assert_eq!(status(&storage).await, Some(BucketVersioningStatus::Enabled));
    put_bucket(&storage, None);
    assert_eq!(
        status(&storage).await,
        Some(BucketVersioningStatus::Suspended),
        "what a template leaves out is suspended"
    );
}

#[tokio::test]
async fn old_versions_expire_by_when_they_were_replaced_and_then_the_markers() {
    let storage = Storage::with(BucketSpec {
        version_expirations: vec![
            VersionExpiration {
                prefix: "a/".into(),
                noncurrent_days: Some(30),
                kept_versions: 0,
                lone_markers: true,
            },
            VersionExpiration {
                prefix: "b/".into(),
                noncurrent_days: Some(30),
                kept_versions: 1,
                lone_markers: false,
            },
        ],
        ..spec(Some(Versioning::Enabled))
    });
    for key in ["a/there", "a/gone", "b/there", "b/there", "c/gone"] {
        put(&storage, key, &pattern(20_000)).await;
        put(&storage, key, b"new").await;
    }
    delete(&storage, "a/gone", None).await;
    delete(&storage, "c/gone", None).await;
    let sweep = async |days| {
        let now = Utc::now() + Duration::days(days);
        storage.services().s3.sweep(now).await.expect("swept");
    };
    let left = async || -> Vec<(String, bool)> {
        let all = all(&storage).await;
        all.into_iter()
            .map(|(key, _, _, is_marker)| (key, is_marker))
            .collect()
    };

    sweep(29).await;
    assert_eq!(left().await.len(), 12);
    sweep(31).await;

    let line = |key: &str, is_marker| (key.to_owned(), is_marker);
    assert_eq!(
        left().await,
        [
            line("a/there", false),
            line("b/there", false),
            line("b/there", false),
            line("c/gone", false),
            line("c/gone", false),
            line("c/gone", true),
        ]
    );
    assert_eq!(storage.get("a/there").await, b"new");
    assert_eq!(storage.blob_count(), 2, "one of b/there and one of c/gone");
}

#[tokio::test]
async fn what_expires_in_a_versioned_bucket_is_marked_and_the_marker_goes_when_it_is_alone() {
    let storage = Storage::with(BucketSpec {
        expirations: vec![Expiration {
            prefix: String::new(),
            days: 10,
        }],
        ..spec(Some(Versioning::Enabled))
    });
    let id = put(&storage, "k", b"x").await.expect("an id");
    let later = || Utc::now() + Duration::days(11);

    storage.services().s3.sweep(later()).await.expect("swept");

    let kinds: Vec<_> = all(&storage).await.iter().map(|line| (line.2, line.3)).collect();
    assert_eq!(kinds, [(false, false), (true, true)]);
    delete(&storage, "k", Some(&id)).await;
    storage.services().s3.sweep(later()).await.expect("swept");
    assert_eq!(all(&storage).await, []);
}

#[tokio::test]
async fn a_function_is_told_of_the_version_and_of_a_marker() {
    let listener = |event: &str| FunctionNotification {
        event: event.into(),
        function_arn: "arn:aws:lambda:us-east-1:000000000000:function:listener".into(),
        prefix: String::new(),
        suffix: String::new(),
    };
    let storage = Storage::with(BucketSpec {
        notifications: vec![listener("s3:ObjectCreated:*"), listener("s3:ObjectRemoved:*")],
        ..spec(Some(Versioning::Enabled))
    });

    let id = put(&storage, "k", b"x").await;
    let (_, marker) = delete(&storage, "k", None).await;
    delete(&storage, "k", id.as_deref()).await;
    set(&storage, BucketVersioningStatus::Suspended).await;
    put(&storage, "k", b"x").await;

    let told: Vec<_> = storage
        .events()
        .iter()
        .map(|event| {
            (
                event["eventName"].clone(),
                event["s3"]["object"]["versionId"].clone(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (json!("ObjectCreated:Put"), json!(id)),
            (json!("ObjectRemoved:DeleteMarkerCreated"), json!(marker)),
            (json!("ObjectRemoved:Delete"), json!(id)),
            (json!("ObjectCreated:Put"), json!(null)),
        ]
    );
}

#[tokio::test]
async fn versions_need_rights_of_their_own() {
    let storage = versioned();
    let id = put(&storage, "k", b"x").await.expect("an id");
    let role = |name: &str, actions: &[&str]| {
        let resources = ["arn:aws:s3:::bucket", "arn:aws:s3:::bucket/*"];
        let statements = json!([{"Effect": "Allow", "Action": actions, "Resource": resources}]);
        storage.s3_as_role(name, statements)
    };
    let plain = role(
        "plain",
        &["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket"],
    );
    let of_versions = role(
        "versions",
        &[
            "s3:GetObjectVersion",
            "s3:DeleteObjectVersion",
            "s3:ListBucketVersions",
            "s3:GetBucketVersioning",
        ],
    );

    let denied = [
        plain
            .get_object()
            .bucket("bucket")
            .key("k")
            .version_id(&id)
            .send()
            .await
            .map_err(|error| code(&error).to_owned())
            .err(),
        plain
            .delete_object()
            .bucket("bucket")
            .key("k")
            .version_id(&id)
            .send()
            .await
            .map_err(|error| code(&error).to_owned())
            .err(),
        plain
            .copy_object()
            .bucket("bucket")
            .key("other")
            .copy_source(format!("bucket/k?versionId={id}"))
            .send()
            .await
            .map_err(|error| code(&error).to_owned())
            .err(),
        plain
            .list_object_versions()
            .bucket("bucket")
            .send()
            .await
            .map_err(|error| code(&error).to_owned())
            .err(),
        plain
            .get_bucket_versioning()
            .bucket("bucket")
            .send()
            .await
            .map_err(|error| code(&error).to_owned())
            .err(),
        of_versions
            .get_object()
            .bucket("bucket")
            .key("k")
            .send()
            .await
            .map_err(|error| code(&error).to_owned())
            .err(),
    ];
    for (number, denied) in denied.iter().enumerate() {
        assert_eq!(denied.as_deref(), Some("AccessDenied"), "{number}");
    }

    let get = of_versions.get_object().bucket("bucket").key("k").version_id(&id);
    get.send().await.expect("allowed");
    of_versions
        .list_object_versions()
        .bucket("bucket")
        .send()
        .await
        .expect("allowed");
    of_versions
        .get_bucket_versioning()
        .bucket("bucket")
        .send()
        .await
        .expect("allowed");
    let delete = of_versions
        .delete_object()
        .bucket("bucket")
        .key("k")
        .version_id(&id);
    delete.send().await.expect("allowed");
}
