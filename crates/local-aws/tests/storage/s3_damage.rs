//! Data that was damaged on the disk: which object it is, is said at the start and where it is read.

use std::path::PathBuf;

use aws_sdk_s3::error::ProvideErrorMetadata;

use crate::harness::{Storage, pattern};

/// Stores an object, and returns where its data lies.
async fn stored(storage: &Storage, key: &str, length: usize) -> PathBuf {
    let blobs = || {
        let entries = std::fs::read_dir(storage.blobs()).expect("blobs");
        entries.map(|entry| entry.expect("readable").path())
    };
    let before: Vec<PathBuf> = blobs().collect();
    storage.put(key, &pattern(length)).await;
    blobs().find(|path| !before.contains(path)).expect("a new file")
}

/// Bucket and key of the objects that are known to be damaged, and whether one was refused.
fn damaged(storage: &Storage) -> Vec<(String, String, bool)> {
    let objects = storage.services().s3.damaged_objects().expect("readable");
    let named = objects
        .into_iter()
        .map(|object| (object.bucket, object.key, object.was_refused));
    named.collect()
}

fn of_bucket(key: &str, was_refused: bool) -> (String, String, bool) {
    ("bucket".to_owned(), key.to_owned(), was_refused)
}

#[tokio::test]
async fn a_start_names_the_objects_whose_files_are_gone_or_cut_and_forgets_them_when_they_are_back() {
    let mut storage = Storage::with_bucket();
    let cut = stored(&storage, "cut", 40_000).await;
    let gone = stored(&storage, "gone", 50_000).await;
    stored(&storage, "whole", 60_000).await;
    std::fs::write(&cut, pattern(20_000)).expect("written");
    std::fs::remove_file(&gone).expect("removed");

    storage.reopen();

    assert_eq!(
        damaged(&storage),
        [of_bucket("cut", false), of_bucket("gone", false)]
    );
    std::fs::write(&cut, pattern(40_000)).expect("put back");
    storage.put("gone", b"anew").await;
    assert_eq!(damaged(&storage), []);
    assert_eq!(storage.get("cut").await, pattern(40_000));
}

#[tokio::test]
async fn what_was_read_and_found_damaged_is_named_and_refused_by_name_from_then_on() {
    let storage = Storage::with_bucket();
    let path = stored(&storage, "a/key", 60_000).await;
    let mut bytes = pattern(60_000);
    bytes[30_000] ^= 1;
    std::fs::write(&path, &bytes).expect("written");
    let get = || storage.s3().get_object().bucket("bucket").key("a/key").send();

    let first = get().await;
    let second = get().await.expect_err("it is known");

    assert!(first.is_err());
    let said = second.message().unwrap_or_default();
    assert!(
        said.starts_with("the data of s3://bucket/a/key (file blobs/s3-"),
        "{said}"
    );
    assert_eq!(damaged(&storage), [of_bucket("a/key", true)]);
    std::fs::write(&path, pattern(60_000)).expect("put back");
    assert_eq!(storage.get("a/key").await, pattern(60_000));
    assert_eq!(damaged(&storage), []);
}

#[tokio::test]
async fn a_copy_that_is_put_back_with_the_time_of_the_damaged_file_is_read_at_once() {
    let storage = Storage::with_bucket();
    let path = stored(&storage, "a/key", 60_000).await;
    let modified = std::fs::metadata(&path).and_then(|file| file.modified());
    let modified = modified.expect("a time");
    let write = |bytes: &[u8]| {
        std::fs::write(&path, bytes).expect("written");
        let file = std::fs::File::options().write(true).open(&path).expect("open");
        file.set_modified(modified).expect("as it was");
    };
    let part = || {
        let part = storage.s3().get_object().bucket("bucket").key("a/key");
        part.range("bytes=0-9").send()
    };
    let mut bytes = pattern(60_000);
    bytes[30_000] ^= 1;
    write(&bytes);
    assert!(part().await.is_err());
    assert_eq!(damaged(&storage), [of_bucket("a/key", true)]);

    write(&pattern(60_000));

    assert!(part().await.is_ok());
    assert_eq!(storage.get("a/key").await, pattern(60_000));
    assert_eq!(damaged(&storage), []);
}

#[tokio::test]
async fn who_waits_for_damage_is_woken_by_the_first_read_that_finds_some() {
    let storage = Storage::with_bucket();
    let path = stored(&storage, "a/key", 60_000).await;
    let s3 = storage.services().s3.clone();
    let waiting = tokio::spawn(async move { s3.damage_seen().await });
    tokio::task::yield_now().await;
    assert_eq!(storage.get("a/key").await, pattern(60_000));
    assert!(!waiting.is_finished(), "nothing is damaged");

    std::fs::write(&path, pattern(50_000)).expect("cut");
    let read = storage
        .s3()
        .get_object()
        .bucket("bucket")
        .key("a/key")
        .send()
        .await;

    assert!(read.is_err() || read.expect("begun").body.collect().await.is_err());
    let woken = tokio::time::timeout(std::time::Duration::from_secs(10), waiting);
    woken.await.expect("woken").expect("it ends");
    storage.services().s3.damage_seen().await;
}
