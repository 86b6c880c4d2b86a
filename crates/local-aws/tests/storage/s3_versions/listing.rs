//! Listings of versions.

use aws_sdk_s3::{
    error::ProvideErrorMetadata, operation::list_object_versions::ListObjectVersionsOutput,
    types::BucketVersioningStatus,
};

use super::{all, delete, put, set, shown, versioned};
use crate::harness::Storage;

#[tokio::test]
async fn a_listing_of_versions_pages_through_each_once_by_key_and_version() {
    let storage = Storage::with_bucket();
    for key in ["a", "a/1", "b/y"] {
        storage.put(key, b"").await;
    }
    set(&storage, BucketVersioningStatus::Enabled).await;
    for key in ["a", "a/1", "a/2", "b/y", "a", "c", "b/y"] {
        put(&storage, key, b"x").await;
    }
    delete(&storage, "a/1", None).await;
    delete(&storage, "d", None).await;
    let mut whole = all(&storage).await;
    whole.sort();
    assert_eq!(whole.len(), 12);
    assert_eq!(whole.iter().filter(|(_, _, is_latest, _)| *is_latest).count(), 6);

    for size in 1..=12 {
        let (mut seen, mut after) = (Vec::new(), (None, None));
        loop {
            let list = storage
                .s3()
                .list_object_versions()
                .bucket("bucket")
                .max_keys(size);
            let list = list.set_key_marker(after.0).set_version_id_marker(after.1);
            let page = list.send().await.expect("listed");
            seen.extend(shown(&page));
            after = (page.next_key_marker, page.next_version_id_marker);
            if page.is_truncated != Some(true) {
                break;
            }
        }
        seen.sort();
        assert_eq!(seen, whole, "pages of {size}");
    }
}

#[tokio::test]
async fn a_listing_of_versions_honours_prefix_delimiter_and_markers() {
    let storage = versioned();
    for key in ["p/a", "p/b/1", "p/b/2", "p/c", "q"] {
        put(&storage, key, b"x").await;
        put(&storage, key, b"x").await;
    }
    let list = || storage.s3().list_object_versions().bucket("bucket").prefix("p/");
    let keys = |page: &ListObjectVersionsOutput| -> Vec<String> {
        shown(page).into_iter().map(|(key, ..)| key).collect()
    };

    let grouped = list().delimiter("/").send().await.expect("listed");
    let second = list()
        .delimiter("/")
        .max_keys(1)
        .key_marker("p/a")
        .send()
        .await
        .expect("listed");
    let third = list()
        .delimiter("/")
        .key_marker("p/b/")
        .send()
        .await
        .expect("listed");
    let behind = list().key_marker("p/b/1").send().await.expect("listed");
    let refused = list().version_id_marker("null").send().await.expect_err("no key");

    let prefixes = |page: &ListObjectVersionsOutput| -> Vec<String> {
        let prefixes = page.common_prefixes().iter();
        prefixes
            .filter_map(|prefix| prefix.prefix().map(str::to_owned))
            .collect()
    };
    assert_eq!(keys(&grouped), ["p/a", "p/a", "p/c", "p/c"]);
    assert_eq!(prefixes(&grouped), ["p/b/"]);
    assert_eq!(
        (keys(&second).len(), prefixes(&second)),
        (0, vec!["p/b/".to_owned()])
    );
    assert_eq!(second.next_key_marker(), Some("p/b/"));
    assert_eq!(second.next_version_id_marker(), None);
    assert_eq!(keys(&third), ["p/c", "p/c"]);
    assert_eq!(keys(&behind), ["p/b/2", "p/b/2", "p/c", "p/c"]);
    assert_eq!(refused.code(), Some("InvalidArgument"));
}

#[tokio::test]
async fn a_page_goes_on_where_the_version_of_its_marker_was_deleted() {
    let storage = Storage::with_bucket();
    storage.put("k", b"before").await;
    set(&storage, BucketVersioningStatus::Enabled).await;
    for body in [b"1", b"2", b"3"] {
        put(&storage, "k", body).await;
    }
    storage.put("l", b"x").await;

    let mut left = 5;
    let mut after = (None, None);
    loop {
        let list = storage.s3().list_object_versions().bucket("bucket").max_keys(2);
        let list = list.set_key_marker(after.0).set_version_id_marker(after.1);
        let page = list.send().await.expect("listed");
        for (number, (key, id, is_latest, _)) in shown(&page).into_iter().enumerate() {
            assert_eq!(is_latest, number == 0 || key == "l", "{key} {id}");
            delete(&storage, &key, Some(&id)).await;
            left -= 1;
        }
        after = (page.next_key_marker, page.next_version_id_marker);
        if page.is_truncated != Some(true) {
            break;
        }
    }

    assert_eq!(left, 0);
    assert_eq!(all(&storage).await, []);
}
