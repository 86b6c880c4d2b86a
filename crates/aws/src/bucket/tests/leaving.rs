//! Old versions go, and none comes back meanwhile.

use std::sync::atomic::AtomicUsize;

use local_aws::s3::Versioning;

use super::*;

const DENIED: &str = "<Error><Code>AccessDenied</Code></Error>";

fn versioned() -> World {
    let aws = LocalAws::in_memory();
    let spec = BucketSpec {
        name: BUCKET.to_owned(),
        versioning: Some(Versioning::Enabled),
        ..BucketSpec::default()
    };
    aws.s3.put_bucket(spec).expect("the index works");
    let script = Script::default();
    World { aws, script }
}

impl World {
    /// Returns the bucket as somebody sees it who is stopped after so many deletions.
    fn bucket_until(&self, deletions: usize) -> Bucket {
        let (services, done) = (self.aws.router(), Arc::new(AtomicUsize::new(0)));
        let router = Router::new().fallback(move |request: Request<Body>| {
            let (services, done) = (services.clone(), done.clone());
            async move {
                let is_deletion = request.method() == Method::DELETE;
                if is_deletion && done.fetch_add(1, Ordering::Relaxed) >= deletions {
                    return (StatusCode::FORBIDDEN, DENIED).into_response();
                }
                services
                    .oneshot(request)
                    .await
                    .expect("infallible")
                    .into_response()
            }
        });
        self.bucket_behind(router)
    }
}

/// Writes an object so many times, each time with its number.
async fn write(bucket: &Bucket, key: &str, times: usize) {
    for number in 0..times {
        bucket.put(key, TEXT, number.to_string()).await.expect("written");
    }
}

async fn now(bucket: &Bucket, key: &str) -> Option<String> {
    let object = bucket.read(key, 9).await.expect("read")?;
    Some(String::from_utf8(object.bytes).expect("UTF-8"))
}

async fn versions(bucket: &Bucket) -> usize {
    let list = bucket.client.list_object_versions().bucket(BUCKET).send();
    let list = list.await.expect("a list");
    list.versions().len() + list.delete_markers().len()
}

#[tokio::test]
async fn no_version_of_a_deleted_object_comes_back_however_many_there_are_and_wherever_it_breaks_off() {
    let world = versioned();
    let bucket = world.bucket();
    write(&bucket, KEY, 1_003).await;
    bucket.delete(KEY).await.expect("deleted");

    for stopped_after in [1_000, 2] {
        let stopped = world.bucket_until(stopped_after).delete_old_versions(KEY).await;
        assert!(stopped.is_err());
        assert_eq!(now(&bucket, KEY).await, None, "stopped after {stopped_after}");
    }
    let deleted = bucket.delete_old_versions(KEY).await.expect("deleted");

    assert_eq!(deleted, 2, "the last version, and the mark");
    assert_eq!((now(&bucket, KEY).await, versions(&bucket).await), (None, 0));
}

#[tokio::test]
async fn the_version_that_is_there_stays_and_the_others_go() {
    let world = versioned();
    let bucket = world.bucket();
    write(&bucket, KEY, 1_200).await;
    write(&bucket, "a/document.json.2", 2).await;

    let deleted = bucket.delete_old_versions(KEY).await.expect("deleted");

    assert_eq!(deleted, 1_199);
    assert_eq!(now(&bucket, KEY).await, Some("1199".to_owned()));
    assert_eq!(versions(&bucket).await, 3);
}

#[tokio::test]
async fn of_objects_that_go_with_all_versions_none_is_seen_as_it_was_before() {
    for stopped_after in 0..7 {
        let world = versioned();
        let bucket = world.bucket();
        write(&bucket, "a/1", 3).await;
        write(&bucket, "a/2", 2).await;
        bucket.delete("a/2").await.expect("deleted");

        let deleted = world.bucket_until(stopped_after).delete_all_versions("a/").await;

        assert_eq!(deleted.is_ok(), stopped_after == 6);
        let seen = now(&bucket, "a/1").await;
        assert!(seen.is_none() || seen.as_deref() == Some("2"), "{seen:?}");
        assert_eq!(now(&bucket, "a/2").await, None, "stopped after {stopped_after}");
    }
}
