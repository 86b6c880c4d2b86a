mod leaving;

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::{
    Router,
    body::Body,
    http::{Method, Request, StatusCode},
    response::{IntoResponse, Response},
};
use local_aws::{LocalAws, s3::BucketSpec, script::Script};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::*;

const BUCKET: &str = "training";
const KEY: &str = "a/document.json";
const PUT: &str = "PUT /training/a/document.json";
const GET: &str = "GET /training/a/document.json";
const CONFLICT: &str = "<Error><Code>ConditionalRequestConflict</Code></Error>";
const SLOW_DOWN: &str = "<Error><Code>SlowDown</Code></Error>";

/// S3 with an empty bucket.
struct World {
    aws: LocalAws,
    script: Script,
}

impl World {
    fn new() -> Self {
        let aws = LocalAws::in_memory();
        let spec = BucketSpec {
            name: BUCKET.to_owned(),
            ..BucketSpec::default()
        };
        aws.s3.put_bucket(spec).expect("the index works");
        let script = Script::default();
        Self { aws, script }
    }

    /// Returns the bucket as a function sees it through the script.
    fn bucket(&self) -> Bucket {
        self.bucket_behind(self.aws.router())
    }

    /// Returns the bucket as a function sees it that is not told what became of its first write.
    fn bucket_with_a_lost_answer(&self) -> Bucket {
        let services = self.aws.router();
        let has_lost = Arc::new(AtomicBool::new(false));
        let router = Router::new().fallback(move |request: Request<Body>| {
            let (services, has_lost) = (services.clone(), has_lost.clone());
            async move { lose_first_answer(request, services, &has_lost).await }
        });
        self.bucket_behind(router)
    }

    fn bucket_behind(&self, services: Router) -> Bucket {
        Bucket::new(Client::new(&self.script.sdk_config(services)), BUCKET)
    }
}

/// Does what is asked; but to the first write it answers that it failed.
async fn lose_first_answer(request: Request<Body>, services: Router, has_lost: &AtomicBool) -> Response {
    let is_write = request.method() == Method::PUT;
    let response = services
        .oneshot(request)
        .await
        .unwrap_or_else(|never| match never {});
    if is_write && !has_lost.swap(true, Ordering::Relaxed) {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    response
}

fn number(document: Option<Value>) -> i64 {
    document.map_or(0, |document| document["n"].as_i64().expect("a number"))
}

/// Counts in the document of [`KEY`].
async fn count(bucket: &Bucket) -> Result<i64, BucketError> {
    let next = |document: Option<Value>| {
        let next = number(document) + 1;
        Change::Write(json!({ "n": next }), next)
    };
    bucket.change(KEY, next).await
}

#[tokio::test]
async fn what_is_written_is_read_and_what_is_missing_is_none() {
    let world = World::new();
    let bucket = world.bucket();

    bucket.put(KEY, TEXT, "one").await.expect("written");

    let object = bucket.read(KEY, 3).await.expect("read").expect("there");
    assert_eq!(object.bytes, b"one");
    assert_eq!(bucket.read("b", 3).await.expect("read"), None);
    assert!(bucket.open("b").await.expect("answered").is_none());
    assert!(bucket.exists(KEY).await.expect("answered"));
    assert!(!bucket.exists("b").await.expect("answered"));
    assert_eq!(bucket.uri(KEY), "s3://training/a/document.json");
}

#[tokio::test]
async fn many_objects_are_removed_with_one_request_and_each_alone_where_that_is_refused() {
    for refused in [false, true] {
        let world = World::new();
        let bucket = world.bucket();
        for key in ["a", "b & c", "d"] {
            bucket.put(key, TEXT, "one").await.expect("written");
        }
        if refused {
            world.script.always(
                "POST /training",
                501,
                "<Error><Code>NotImplemented</Code></Error>",
            );
        }

        let keys = ["a", "b & c", "missing"].map(str::to_owned);
        bucket.delete_all(&keys).await.expect("removed");
        bucket.delete_all(&[]).await.expect("nothing to do");

        let left: Vec<String> = bucket
            .list("")
            .await
            .expect("listed")
            .into_iter()
            .map(|left| left.key)
            .collect();
        assert_eq!(left, ["d"]);
        let alone = world.script.calls("DELETE /training").len();
        assert_eq!(alone, if refused { 3 } else { 0 });
    }
}

#[tokio::test]
async fn an_object_is_created_once_and_replaced_only_as_it_was_read() {
    let world = World::new();
    let bucket = world.bucket();

    let created = bucket.create(KEY, TEXT, "one").await.expect("answered");
    let again = bucket.create(KEY, TEXT, "one").await.expect("answered");
    let etag = bucket.read(KEY, 9).await.expect("read").expect("there").etag;
    let replaced = bucket.replace(KEY, &etag, TEXT, "two").await.expect("answered");
    let late = bucket.replace(KEY, &etag, TEXT, "three").await.expect("answered");
    let now = bucket.read(KEY, 9).await.expect("read").expect("there").etag;
    bucket.delete(KEY).await.expect("deleted");
    let gone = bucket.replace(KEY, &etag, TEXT, "three").await.expect("answered");

    assert_eq!((created, again), (Created::Created, Created::Exists));
    assert_eq!(
        (replaced, late, gone),
        (
            Replaced::Written { etag: Some(now) },
            Replaced::Changed,
            Replaced::Changed
        )
    );
}

#[tokio::test]
async fn a_bucket_that_is_missing_is_a_failure_whatever_is_asked() {
    let world = World::new();
    let bucket = world.bucket().other("no-such-bucket");

    let errors = [
        bucket.read(KEY, 9).await.map(drop),
        bucket.create(KEY, TEXT, "x").await.map(drop),
        bucket.replace(KEY, "\"e\"", TEXT, "x").await.map(drop),
        bucket.list("").await.map(drop),
    ];

    for error in errors {
        assert_eq!(error.expect_err("missing").code(), Some("NoSuchBucket"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_that_meets_another_is_tried_again() {
    let world = World::new();
    let bucket = world.bucket();
    world.script.answer(3, PUT, 409, CONFLICT);

    let created = bucket.create(KEY, TEXT, "one").await.expect("in the end");

    assert_eq!(created, Created::Created);
    assert_eq!(world.script.calls(PUT).len(), 4);
}

#[tokio::test(start_paused = true)]
async fn an_object_that_others_write_for_ever_is_given_up() {
    let world = World::new();
    let bucket = world.bucket();
    world.script.always(PUT, 409, CONFLICT);

    let error = bucket.create(KEY, TEXT, "one").await.expect_err("given up");

    assert_eq!(
        error.to_string(),
        "others kept writing s3://training/a/document.json"
    );
    assert!(error.is_throttling());
    assert_eq!(world.script.calls(PUT).len(), 30);
}

#[tokio::test(start_paused = true)]
async fn a_created_object_whose_answer_was_lost_is_known_as_our_own() {
    let world = World::new();

    let ours = world.bucket_with_a_lost_answer().create(KEY, TEXT, "one").await;
    let theirs = world.bucket_with_a_lost_answer().create(KEY, TEXT, "one").await;

    assert_eq!(ours.expect("answered"), Created::Created);
    assert_eq!(
        theirs.expect("answered"),
        Created::Exists,
        "the same content, but not ours"
    );
}

#[tokio::test(start_paused = true)]
async fn a_change_whose_answer_was_lost_is_made_once() {
    let world = World::new();
    let bucket = world.bucket();
    count(&bucket).await.expect("counted");

    let lost = count(&world.bucket_with_a_lost_answer()).await.expect("counted");
    let next = count(&bucket).await.expect("counted");

    assert_eq!((lost, next), (2, 3));
}

#[tokio::test]
async fn changes_at_the_same_time_are_all_made() {
    let world = World::new();
    let bucket = world.bucket();

    let counted: Vec<i64> = futures::future::try_join_all((0..12).map(|_| count(&bucket)))
        .await
        .expect("all of them");

    let mut sorted = counted.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, (1..=12).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_change_that_leaves_all_as_it_is_writes_nothing() {
    let world = World::new();
    let bucket = world.bucket();

    let seen = bucket.change(KEY, |document: Option<Value>| Change::Leave(number(document)));

    assert_eq!(seen.await.expect("read"), 0);
    assert!(world.script.calls(PUT).is_empty());
}

#[tokio::test(start_paused = true)]
async fn throttling_is_told_from_other_refusals() {
    let world = World::new();
    let bucket = world.bucket();
    world.script.answer(3, GET, 503, SLOW_DOWN);
    world
        .script
        .answer(1, GET, 403, "<Error><Code>AccessDenied</Code></Error>");

    let busy = bucket.read(KEY, 9).await.expect_err("busy");
    let denied = bucket.read(KEY, 9).await.expect_err("denied");

    assert!(busy.is_throttling() && !denied.is_throttling());
    assert_eq!(denied.code(), Some("AccessDenied"));
}

#[tokio::test]
async fn an_object_beyond_the_limit_and_a_damaged_document_are_named_and_not_quoted() {
    let world = World::new();
    let bucket = world.bucket();
    bucket
        .put(KEY, JSON, "{\"name\":\n \"Ann\" secret}")
        .await
        .expect("written");

    let large = bucket.read(KEY, 9).await.expect_err("too large");
    let damaged = bucket.read_document::<Value>(KEY).await.expect_err("damaged");

    assert_eq!(
        large.to_string(),
        "s3://training/a/document.json is larger than 9 bytes"
    );
    let damaged = crate::failure::chain(&damaged);
    assert_eq!(
        damaged,
        "s3://training/a/document.json is damaged in line 2, column 8"
    );
}

#[tokio::test]
async fn a_read_is_spared_while_nothing_has_changed() {
    let world = World::new();
    let bucket = world.bucket();
    let missing = bucket.read_if_changed(KEY, None, 9).await.expect("answered");
    bucket.put(KEY, TEXT, "one").await.expect("written");
    let Fetched::Found(first) = bucket.read_if_changed(KEY, None, 9).await.expect("answered") else {
        panic!("there is an object");
    };

    let same = bucket.read_if_changed(KEY, Some(&first.etag), 9).await;
    bucket.put(KEY, TEXT, "two").await.expect("written");
    let other = bucket.read_if_changed(KEY, Some(&first.etag), 9).await;

    assert_eq!(missing, Fetched::Missing);
    assert_eq!(same.expect("answered"), Fetched::Unchanged);
    assert!(matches!(other, Ok(Fetched::Found(object)) if object.bytes == b"two"));
}

#[tokio::test]
async fn a_version_that_was_replaced_is_not_opened() {
    let world = World::new();
    let bucket = world.bucket();
    bucket.put(KEY, TEXT, "one").await.expect("written");
    let etag = bucket.list("a/").await.expect("listed")[0].etag.clone();

    let first = bucket.open_version(KEY, &etag).await.expect("answered");
    bucket.put(KEY, TEXT, "two").await.expect("written");
    let late = bucket.open_version(KEY, &etag).await.expect("answered");

    assert!(first.is_some() && late.is_none());
}

#[tokio::test]
async fn a_range_is_read_of_the_version_that_is_meant() {
    let world = World::new();
    let bucket = world.bucket();
    bucket.put(KEY, TEXT, "0123456789").await.expect("written");
    let etag = bucket.list("a/").await.expect("listed")[0].etag.clone();

    let middle = bucket.read_range(KEY, &etag, 3..6).await.expect("answered");
    let end = bucket.read_range(KEY, &etag, 6..10).await.expect("answered");
    let beyond = bucket.read_range(KEY, &etag, 6..11).await;
    bucket.put(KEY, TEXT, "9876543210").await.expect("written");
    let late = bucket.read_range(KEY, &etag, 3..6).await.expect("answered");

    assert_eq!(middle.as_deref(), Some(&b"345"[..]));
    assert_eq!(end.as_deref(), Some(&b"6789"[..]));
    assert!(matches!(beyond, Err(BucketError::Broken { .. })), "{beyond:?}");
    assert_eq!(late, None);
}

#[tokio::test]
async fn a_file_is_sent_over_what_is_there() {
    let world = World::new();
    let bucket = world.bucket();
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    fs::write(file.path(), "two").expect("written");
    bucket.put(KEY, TEXT, "one").await.expect("written");

    bucket
        .overwrite_with_file(KEY, TEXT, file.path())
        .await
        .expect("written");

    let read = bucket.read(KEY, 100).await.expect("answered").expect("there");
    assert_eq!(read.bytes, b"two");
}

#[tokio::test]
async fn listings_go_on_after_a_key_and_name_folders() {
    let world = World::new();
    let bucket = world.bucket();
    for key in ["a/1", "a/2", "a/3", "b/x/1", "b/y/1"] {
        bucket.put(key, TEXT, key).await.expect("written");
    }

    let after = bucket.list_after("a/", "1", 1).await.expect("listed");
    let folders = bucket.folders("b/").await.expect("listed");

    assert_eq!((after.len(), after[0].key.as_str(), after[0].size), (1, "a/2", 3));
    assert_eq!(folders, ["b/x/", "b/y/"]);
    assert_eq!(bucket.list("").await.expect("listed").len(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_file_is_sent_again_from_its_beginning_and_only_where_none_is() {
    let world = World::new();
    let bucket = world.bucket();
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    fs::write(file.path(), "one").expect("written");
    world.script.answer(1, PUT, 409, CONFLICT);

    let sent = bucket.put_file(KEY, TEXT, file.path()).await.expect("answered");
    let again = bucket.put_file(KEY, TEXT, file.path()).await.expect("answered");

    assert_eq!((sent, again), (Created::Created, Created::Exists));
    assert_eq!(
        bucket.read(KEY, 9).await.expect("read").expect("there").bytes,
        b"one"
    );
}

#[tokio::test]
async fn a_touched_object_stays_as_it_was() {
    let world = World::new();
    let bucket = world.bucket();
    let key = "März/a b+c.json";
    bucket.put(key, JSON, "{}").await.expect("written");

    let touched = bucket.touch(key).await.expect("copied");
    let missing = bucket.touch("missing").await.expect("answered");

    assert!(touched && !missing);
    assert_eq!(
        bucket.read(key, 9).await.expect("read").expect("there").bytes,
        b"{}"
    );
}
