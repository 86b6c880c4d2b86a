//! What later builds read of the labels, and that they make the same of it.

use std::{collections::BTreeMap, io::Read};

use active_learning_core::{
    dataset::DatasetManifest,
    keys::{LABEL_PACKS, LABEL_PACKS_FOLDER},
};
use flate2::read::GzDecoder;
use local_aws::script::Script;
use model_building::export::Format;

use crate::{
    bucket::{BUCKET, Bucket, POLICY, audited, doubted},
    export::exported,
};

const DENIED: &str = "<Error><Code>AccessDenied</Code><Message>no</Message></Error>";

/// Keys of the labelled objects that were fetched.
fn fetched(script: &Script) -> usize {
    script.calls(&format!("GET /{BUCKET}/labelled/")).len()
}

async fn answer_all(bucket: &Bucket, human_loops: std::ops::Range<usize>) {
    for number in human_loops {
        let texts =
            [0, 1, 2].map(|text| format!("text {text} of the loop {number} about {}", number * 7_919));
        let answers = [
            doubted(&texts[0], "World"),
            doubted(&texts[1], "Sports"),
            doubted(&texts[2], "World"),
        ];
        // Later loops come before and behind earlier ones.
        bucket
            .answer(&format!("loop-{}", number * 37 % 10), 0, &answers)
            .await;
    }
}

/// Without its packs a build reads all objects.
async fn forget_packs(bucket: &Bucket) {
    for key in bucket.objects("datasets/labels").await.into_keys() {
        bucket.bucket().delete(&key).await.expect("deleted");
    }
}

/// Returns the objects of a dataset version, and what is held out.
async fn version(bucket: &Bucket, manifest: &DatasetManifest) -> BTreeMap<String, Vec<u8>> {
    let mut objects = bucket.objects(&format!("datasets/{}/", manifest.version)).await;
    objects.extend(bucket.objects("datasets/split").await);
    objects
}

/// Returns all that packs hold.
async fn packed(bucket: &Bucket) -> String {
    let mut content = String::new();
    for pack in bucket.objects(LABEL_PACKS_FOLDER).await.into_values() {
        let read = GzDecoder::new(&pack[..]).read_to_string(&mut content);
        read.expect("compressed");
    }
    content
}

#[tokio::test]
async fn a_second_build_reads_only_what_is_new() {
    let bucket = Bucket::new();
    answer_all(&bucket, 0..6).await;
    bucket.assemble(&POLICY).await;
    assert_eq!(fetched(&bucket.script), 6);
    answer_all(&bucket, 6..8).await;
    let script = Script::default();

    let assembled = bucket.assemble_by(&script).await.expect("a dataset");

    assert_eq!(assembled.new_texts, 6);
    assert_eq!(fetched(&script), 2);
    let script = Script::default();
    bucket.assemble_by(&script).await.expect("a dataset");
    assert_eq!(fetched(&script), 0);
    assert!(script.calls("PUT ").is_empty() && script.calls("DELETE ").is_empty());
}

#[tokio::test]
async fn the_same_version_comes_out_with_packs_and_without() {
    let (with, without) = (Bucket::new(), Bucket::new());
    let mut versions = Vec::new();
    for (bucket, packs_stay) in [(&with, true), (&without, false)] {
        let mut manifests = Vec::new();
        for build in 0..3 {
            answer_all(bucket, build * 3..build * 3 + 3).await;
            // Answers to one text at the same instant, in objects that do not come in the order of their keys.
            let name = ["m-tie", "z-tie", "a-tie"][build];
            let label = ["World", "Sports", "Business"][build];
            bucket
                .answer(name, 5, &[audited("a text that is asked again", label)])
                .await;
            if !packs_stay {
                forget_packs(bucket).await;
            }
            manifests.push(bucket.assemble(&POLICY).await);
        }
        let last = manifests.last().expect("three");
        let (lines, _) = exported(bucket, Format::JsonLines).await;
        let lines = String::from_utf8(lines).expect("UTF-8");
        let places = ["a-tie", "m-tie", "z-tie"].map(|name| lines.find(name));
        assert!(
            places.is_sorted() && places[0].is_some(),
            "by their keys: {lines}"
        );
        versions.push((manifests.clone(), version(bucket, last).await, lines));
    }

    assert_eq!(fetched(&with.script), 12);
    assert_eq!(fetched(&without.script), 4 + 8 + 12);
    assert_eq!(versions[0], versions[1]);
}

#[tokio::test]
async fn a_label_that_was_corrected_between_builds_counts_as_corrected() {
    let bucket = Bucket::new();
    answer_all(&bucket, 0..3).await;
    bucket
        .answer("corrected", 1, &[doubted("a text to correct", "World")])
        .await;
    let before = bucket.assemble(&POLICY).await;
    assert_eq!(bucket.labels(&before).await["a text to correct"], "World");

    bucket
        .answer("corrected", 1, &[doubted("a text to correct", "Sports")])
        .await;
    let after = bucket.assemble(&POLICY).await;

    assert_eq!(bucket.labels(&after).await["a text to correct"], "Sports");
    assert_eq!(fetched(&bucket.script), 5);
}

#[tokio::test]
async fn what_was_removed_is_in_the_packs_of_the_next_build_no_more() {
    let bucket = Bucket::new();
    answer_all(&bucket, 0..3).await;
    bucket
        .answer("removed", 1, &[doubted("a text that goes", "World")])
        .await;
    bucket.assemble(&POLICY).await;
    assert!(packed(&bucket).await.contains("a text that goes"));

    bucket
        .bucket()
        .delete("labelled/removed.jsonl")
        .await
        .expect("deleted");
    let after = bucket.assemble(&POLICY).await;

    assert!(!bucket.labels(&after).await.contains_key("a text that goes"));
    assert!(!packed(&bucket).await.contains("a text that goes"));
}

#[tokio::test]
async fn packs_that_are_damaged_or_missing_are_made_anew_and_no_label_is_lost() {
    for damage in [
        "index",
        "index of another version",
        "pack",
        "missing pack",
        "half a pack",
    ] {
        let bucket = Bucket::new();
        answer_all(&bucket, 0..4).await;
        let before = bucket.assemble(&POLICY).await;
        let (pack, content) = bucket
            .objects(LABEL_PACKS_FOLDER)
            .await
            .pop_first()
            .expect("a pack");
        match damage {
            "index" => bucket.put(LABEL_PACKS, "{").await,
            "pack" => bucket.put(&pack, "garbage").await,
            "missing pack" => bucket.bucket().delete(&pack).await.expect("deleted"),
            "half a pack" => bucket.put(&pack, &content[..content.len() / 2]).await,
            _ => {
                bucket
                    .put(LABEL_PACKS, r#"{"format": 9, "packs": [{"sha256": "x"}]}"#)
                    .await
            }
        }

        let script = Script::default();
        let after = bucket.assemble_by(&script).await.expect("a dataset").manifest;
        assert_eq!(
            (fetched(&script), &after.version),
            (4, &before.version),
            "{damage}"
        );
        let script = Script::default();
        bucket.assemble_by(&script).await.expect("a dataset");
        assert_eq!(fetched(&script), 0, "made anew: {damage}");
    }
}

#[tokio::test]
async fn a_build_that_breaks_off_anywhere_is_made_good_by_the_next() {
    let whole = Bucket::new();
    answer_all(&whole, 0..3).await;
    whole.assemble(&POLICY).await;
    answer_all(&whole, 3..5).await;
    let script = Script::default();
    let expected = whole.assemble_by(&script).await.expect("a dataset").manifest;
    let calls = script.calls("").len();
    assert!(calls > 20);

    for calls in 0..calls {
        let bucket = Bucket::new();
        answer_all(&bucket, 0..3).await;
        bucket.assemble(&POLICY).await;
        answer_all(&bucket, 3..5).await;
        let script = Script::default();
        script.pass(calls, "");
        script.always("", 403, DENIED);
        let broken_off = bucket.assemble_by(&script).await;
        assert!(broken_off.is_err(), "after {calls} calls");

        let after = bucket.assemble(&POLICY).await;

        assert_eq!(after.train, expected.train, "after {calls} calls");
        assert_eq!(after.test, expected.test);
        let script = Script::default();
        bucket.assemble_by(&script).await.expect("a dataset");
        assert_eq!(fetched(&script), 0, "after {calls} calls");
    }
}
