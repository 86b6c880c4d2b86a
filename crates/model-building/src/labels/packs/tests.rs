//! How packs come about over several builds.

use std::collections::BTreeMap;

use active_learning_aws::bucket::BINARY;
use active_learning_core::keys::{self, LABEL_PACKS, LABEL_PACKS_FOLDER, LABELLED_FOLDER};
use aws_sdk_s3::Client;
use local_aws::{LocalAws, s3::BucketSpec, script::Script};

use super::*;

const BUCKET: &str = "training";
const LABELLED: Packs = Packs::LABELLED;
/// Three of the objects fill a pack.
const PACK_BYTES: usize = 100;

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

    /// Puts an object of 40 bytes.
    async fn put(&self, name: &str, letter: &str) {
        let key = keys::labelled(name);
        self.bucket
            .put(&key, BINARY, letter.repeat(40))
            .await
            .expect("put");
    }

    /// Returns the first letter of each object, in the order of their places.
    async fn read(&self) -> String {
        let mut letters: BTreeMap<u32, char> = BTreeMap::new();
        let take = |place, _: &str, content: &[u8]| {
            let again = letters.insert(place, char::from(content[0]));
            assert_eq!((again, content.len()), (None, 40));
            Ok(())
        };
        read_sized(&self.bucket, LABELLED, Packing::Renewed, PACK_BYTES, take)
            .await
            .expect("read");
        letters.into_values().collect()
    }

    /// Returns how many objects each pack has that counts, and how many packs there are.
    async fn packs(&self) -> (Vec<u64>, usize) {
        let (index, _) = read_index(&self.bucket, LABELLED).await.expect("an index");
        let there = self.bucket.list(LABEL_PACKS_FOLDER).await.expect("listed");
        (index.packs.iter().map(|pack| pack.objects).collect(), there.len())
    }

    fn calls(&self, method: &str, folder: &str) -> usize {
        self.script.calls(&format!("{method} /{BUCKET}/{folder}")).len()
    }
}

#[tokio::test]
async fn full_packs_stay_and_the_small_one_takes_what_is_new() {
    let training = Training::new();
    for letter in ["a", "b", "c", "d", "e"] {
        training.put(letter, letter).await;
    }
    assert_eq!(training.read().await, "abcde");
    assert_eq!(training.packs().await, (vec![3, 2], 2));
    let written = training.calls("PUT", LABEL_PACKS_FOLDER);
    assert_eq!(written, 2);

    assert_eq!(training.read().await, "abcde");
    assert_eq!(
        training.calls("PUT", "datasets/"),
        3,
        "nothing is new: nothing is written"
    );
    training.put("Before", "B").await;
    assert_eq!(training.read().await, "Babcde");

    assert_eq!(training.packs().await, (vec![3, 3], 2));
    assert_eq!(training.calls("PUT", LABEL_PACKS_FOLDER), written + 1);
    assert_eq!(training.calls("GET", LABELLED_FOLDER), 6, "each object once");
}

#[tokio::test]
async fn what_is_gone_or_changed_leaves_its_pack() {
    let training = Training::new();
    for letter in ["a", "b", "c", "d"] {
        training.put(letter, letter).await;
    }
    training.read().await;

    training.put("b", "B").await;
    training
        .bucket
        .delete(&keys::labelled("c"))
        .await
        .expect("deleted");
    assert_eq!(training.read().await, "aBd");

    assert_eq!(training.packs().await, (vec![3], 1));
    assert_eq!(training.calls("GET", LABELLED_FOLDER), 5);
    let left = training.bucket.list(LABEL_PACKS_FOLDER).await.expect("listed");
    let pack = training
        .bucket
        .read(&left[0].key, MAX_PACK_BYTES)
        .await
        .expect("read");
    let mut content = String::new();
    GzDecoder::new(&pack.expect("a pack").bytes[..])
        .read_to_string(&mut content)
        .expect("compressed");
    assert!(content.contains("BBBB") && !content.contains("bbbb") && !content.contains("cccc"));
}

#[tokio::test]
async fn packs_that_are_only_read_stay_as_they_are() {
    let training = Training::new();
    training.put("a", "a").await;
    training.read().await;
    training.put("b", "b").await;
    let written = training.calls("PUT", "datasets/");
    let mut read = 0;

    let take = |_, _: &str, _: &[u8]| {
        read += 1;
        Ok(())
    };
    read_sized(&training.bucket, LABELLED, Packing::AsItIs, PACK_BYTES, take)
        .await
        .expect("read");

    assert_eq!((read, training.calls("PUT", "datasets/")), (2, written));
    assert_eq!(training.calls("GET", LABELLED_FOLDER), 2);
}

#[tokio::test]
async fn packs_that_somebody_else_made_meanwhile_stay() {
    let training = Training::new();
    training.put("a", "a").await;
    training.read().await;
    training.put("b", "b").await;
    let index = format!("PUT /{BUCKET}/{LABEL_PACKS}");
    training
        .script
        .answer(1, &index, 412, "<Error><Code>PreconditionFailed</Code></Error>");

    assert_eq!(training.read().await, "ab");
    assert_eq!(training.packs().await, (vec![1], 2));
    assert_eq!(training.read().await, "ab");
    assert_eq!(training.packs().await, (vec![2], 1));
}

#[tokio::test]
async fn keys_that_json_escapes_are_packed_like_others() {
    let training = Training::new();
    for name in ["quote\"and\\", "ümlaut", "z"] {
        training.put(name, "x").await;
    }
    training.read().await;

    assert_eq!(training.read().await, "xxx");
    assert_eq!(training.calls("GET", LABELLED_FOLDER), 3);
}
