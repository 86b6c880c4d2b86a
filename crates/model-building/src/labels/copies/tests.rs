//! How copies are counted over several builds.

use active_learning_aws::{bucket::JSON, copy_changes};
use active_learning_core::sampling::duplicates::Becomes;
use aws_sdk_s3::Client;
use local_aws::{LocalAws, s3::BucketSpec, script::Script};

use super::*;

const BUCKET: &str = "training";

struct Training {
    script: Script,
    bucket: Bucket,
    _aws: LocalAws,
}

impl Training {
    fn new() -> Self {
        let aws = LocalAws::in_memory();
        let name = BUCKET.to_owned();
        aws.s3
            .put_bucket(BucketSpec {
                name,
                ..BucketSpec::default()
            })
            .expect("a bucket");
        let script = Script::default();
        let bucket = Bucket::new(Client::new(&script.sdk_config(aws.router())), BUCKET);
        Self {
            script,
            bucket,
            _aws: aws,
        }
    }

    /// Stores a copy without a mark, as a release before did.
    async fn put(&self, number: u128) {
        let key = copy(number).to_string();
        self.bucket.put(&key, JSON, "{}").await.expect("put");
    }

    async fn keep(&self, number: u128) {
        self.announce(Becomes::Kept, number).await;
        self.put(number).await;
    }

    async fn remove(&self, number: u128) {
        self.announce(Becomes::Removed, number).await;
        let key = copy(number).to_string();
        self.bucket.delete(&key).await.expect("deleted");
    }

    async fn announce(&self, becomes: Becomes, number: u128) {
        let key = copy(number).to_string();
        copy_changes::announce(&self.bucket, becomes, &[key])
            .await
            .expect("announced");
    }

    /// Counts the copies so many hours from now; returns their numbers, and how many lists that took: one of the marks,
    /// and 16 of all copies.
    async fn count(&self, hours: i64) -> (Vec<u128>, usize) {
        let lists = self.lists();
        let now = Utc::now() + TimeDelta::hours(hours);
        let copies = read_at(&self.bucket, Packing::Renewed, now).await.expect("read");
        let numbers = copies.iter().map(|copy| copy.id).collect();
        (numbers, self.lists() - lists)
    }

    /// Returns how many lists were made: what is read beside is in one of two folders.
    fn lists(&self) -> usize {
        let calls = |path: &str| self.script.calls(&format!("GET /{BUCKET}{path}")).len();
        calls("") - calls("/copies-new/") - calls("/datasets/")
    }

    async fn marks(&self) -> usize {
        self.bucket.list(NEW_COPIES_FOLDER).await.expect("listed").len()
    }
}

fn copy(id: u128) -> KeptCopy {
    KeptCopy {
        original: 7,
        id,
        occurrence: 3,
    }
}

#[tokio::test]
async fn a_later_build_lists_no_copies_and_finds_what_came_and_what_went() {
    let training = Training::new();
    training.put(1).await;
    training.keep(2).await;
    assert_eq!(training.count(0).await, (vec![1, 2], 17));

    training.keep(3).await;
    training.remove(1).await;

    assert_eq!(training.count(2).await, (vec![2, 3], 1));
    assert_eq!(training.marks().await, 0);
    assert_eq!(training.count(3).await, (vec![2, 3], 1));
}

#[tokio::test]
async fn copies_without_a_mark_are_found_for_an_hour_after_an_upgrade() {
    let training = Training::new();
    training.put(1).await;
    training.count(0).await;

    training.put(2).await;

    assert_eq!(training.count(0).await, (vec![1, 2], 17));
    assert_eq!(training.count(2).await, (vec![1, 2], 1));
}

#[tokio::test]
async fn a_change_that_is_made_after_a_build_counts_in_the_next_one() {
    let training = Training::new();
    training.put(1).await;
    training.count(0).await;

    training.announce(Becomes::Kept, 2).await;
    training.announce(Becomes::Removed, 1).await;
    assert_eq!(training.count(2).await, (vec![1], 1));
    training.put(2).await;
    let removed = training.bucket.delete(&copy(1).to_string()).await;
    removed.expect("deleted");

    assert_eq!(training.count(2).await, (vec![2], 1));
    assert_eq!(training.marks().await, 0);
}

#[tokio::test]
async fn marks_of_what_broke_off_go_after_a_day() {
    let training = Training::new();
    training.put(1).await;
    training.count(0).await;
    training.announce(Becomes::Kept, 2).await;

    training.count(23).await;
    assert_eq!(training.marks().await, 1);
    training.count(25).await;

    assert_eq!(training.marks().await, 0);
}

#[tokio::test]
async fn copies_that_go_or_come_without_a_mark_are_noticed_within_a_week() {
    let training = Training::new();
    for number in [1, 2] {
        training.put(number).await;
    }
    training.count(0).await;
    // As a text expires, and as a bucket is brought back.
    let expired = training.bucket.delete(&copy(1).to_string()).await;
    expired.expect("deleted");
    training.put(3).await;

    let week = 7 * 24;
    assert_eq!(training.count(week - 1).await, (vec![1, 2], 1));
    assert_eq!(training.count(week).await, (vec![2, 3], 17));
    assert_eq!(training.count(week + 2).await, (vec![2, 3], 1));
}

#[tokio::test]
async fn a_week_without_a_change_is_followed_by_another_without_a_list() {
    let training = Training::new();
    training.put(1).await;
    training.count(0).await;

    let week = 7 * 24;
    assert_eq!(training.count(week).await, (vec![1], 17));
    assert_eq!(training.count(week + 2).await, (vec![1], 1));
}

#[tokio::test]
async fn all_copies_are_listed_where_more_are_new_than_a_list_costs() {
    let training = Training::new();
    training.put(1).await;
    training.count(0).await;
    let keys: Vec<String> = (1..=FEW_COPIES as u128 + 1)
        .map(|id| copy(id).to_string())
        .collect();
    let announced = copy_changes::announce(&training.bucket, Becomes::Kept, &keys).await;
    announced.expect("announced");

    let (found, lists) = training.count(2).await;

    assert_eq!((found, lists), (vec![1], 17));
    assert!(!are_few(4_001, 100_000) && are_few(4_000, 100_000));
}

#[tokio::test]
async fn a_build_that_breaks_off_before_it_stores_loses_no_change() {
    let training = Training::new();
    training.put(1).await;
    training.count(0).await;
    training.keep(2).await;
    training
        .script
        .always(&format!("PUT /{BUCKET}/{COUNTED_COPIES}"), 403, "");

    let now = Utc::now() + TimeDelta::hours(2);
    let failed = read_at(&training.bucket, Packing::Renewed, now).await;

    assert!(failed.is_err());
    assert_eq!(training.marks().await, 1);
}

#[tokio::test]
async fn what_was_counted_and_is_damaged_is_listed_anew() {
    for damage in ["", "{}", "no JSON\n", "{\"format\":1}\nabc"] {
        let training = Training::new();
        training.put(1).await;
        training.count(0).await;
        let put = training.bucket.put(COUNTED_COPIES, BINARY, damage).await;
        put.expect("put");

        assert_eq!(training.count(2).await, (vec![1], 17), "{damage}");
    }
    let training = Training::new();
    training.put(1).await;
    training.count(0).await;
    let mark = active_learning_core::keys::mark_of_copies("w");
    training.bucket.put(&mark, JSON, "no JSON").await.expect("put");
    assert_eq!(training.count(2).await, (vec![1], 17));
    assert_eq!(training.marks().await, 0);
}

#[tokio::test]
async fn what_only_reads_stores_nothing() {
    let training = Training::new();
    training.keep(1).await;

    let read = read_at(&training.bucket, Packing::AsItIs, Utc::now()).await;

    assert_eq!(read.expect("read"), [copy(1)]);
    assert_eq!(training.marks().await, 1);
    assert!(!training.bucket.exists(COUNTED_COPIES).await.expect("S3 answers"));
}
