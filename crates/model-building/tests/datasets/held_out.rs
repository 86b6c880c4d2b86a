//! What is held out stays out of every training file.

use std::collections::{BTreeMap, BTreeSet};

use active_learning_core::{
    dataset::{ContentId, DatasetManifest},
    text::normalise,
};
use model_building::assemble::AssemblePolicy;
use proptest::prelude::*;

use crate::bucket::{Answered, BUCKET, Bucket, POLICY, audited, doubted};

const REFUSED: &str = "<Error><Code>AccessDenied</Code></Error>";
const CONFLICT: &str = "<Error><Code>PreconditionFailed</Code></Error>";
const CLASSES: [&str; 3] = ["World", "Sports", "Business"];
const WORDS: [&str; 24] = [
    "oil", "prices", "rise", "after", "talks", "fail", "minister", "resigns", "over", "budget", "team",
    "wins", "final", "in", "extra", "time", "bank", "raises", "rates", "again", "storm", "closes",
    "northern", "ports",
];

/// Texts of ten words: the number chooses them.
fn text(mut number: u64) -> String {
    let mut words = Vec::new();
    for _ in 0..10 {
        number = number
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        words.push(WORDS[(number >> 33) as usize % WORDS.len()]);
    }
    words.join(" ")
}

fn near_copy(text: &str, number: usize) -> String {
    match number % 3 {
        0 => format!("{}!", text.to_uppercase()),
        1 => format!("{text} ({number})"),
        _ => text.replacen(' ', "  -- ", 1) + "s",
    }
}

fn jaccard(a: &str, b: &str) -> f64 {
    let pieces = |text: &str| -> BTreeSet<String> {
        let letters: Vec<char> = normalise(text).chars().collect();
        letters.windows(5).map(|piece| piece.iter().collect()).collect()
    };
    let (a, b) = (pieces(a), pieces(b));
    a.intersection(&b).count() as f64 / a.union(&b).count().max(1) as f64
}

/// Everything that any version trains on or tests with.
#[derive(Default)]
struct Seen {
    trained: BTreeSet<String>,
    tested: BTreeSet<String>,
}

impl Seen {
    async fn add(&mut self, bucket: &Bucket, manifest: &DatasetManifest) {
        self.trained
            .extend(bucket.train(manifest).await.into_iter().map(|row| row.text));
        self.tested
            .extend(bucket.test(manifest).await.into_iter().map(|row| row.text));
    }

    fn check(&self) {
        let contents = |texts: &BTreeSet<String>| -> BTreeSet<ContentId> {
            texts.iter().map(|text| ContentId::of(text)).collect()
        };
        assert!(contents(&self.trained).is_disjoint(&contents(&self.tested)));
        for test in &self.tested {
            for train in &self.trained {
                assert!(
                    jaccard(test, train) < 0.8,
                    "held out: {test}\ntrained on: {train}"
                );
            }
        }
    }
}

/// What is uploaded and answered between two builds.
#[derive(Clone, Debug)]
struct Change {
    /// Numbers of the texts of a new initial file, which replaces one of three; none: no new file.
    initial: Vec<u64>,
    replaces: usize,
    /// Numbers of texts, of classes, and whether the answer was audited; some texts are near copies of others.
    answers: Vec<(u64, usize, usize, bool)>,
}

fn change() -> impl Strategy<Value = Change> {
    let initial = prop_oneof![Just(vec![]), proptest::collection::vec(0u64..60, 5..30)];
    let answers = proptest::collection::vec((0u64..60, 0usize..9, 0usize..3, any::<bool>()), 0..12);
    (initial, 0usize..3, answers).prop_map(|(initial, replaces, answers)| Change {
        initial,
        replaces,
        answers,
    })
}

async fn apply(bucket: &Bucket, build: usize, change: &Change) {
    if !change.initial.is_empty() {
        let row = |(number, place): (&u64, usize)| {
            let class = CLASSES[(*number % 3) as usize];
            match (place + build) % 3 {
                0 => format!("{class},{}\n", near_copy(&text(*number), build + place)),
                _ => format!("{class},{}\n", text(*number)),
            }
        };
        let rows: String = change.initial.iter().zip(0..).map(row).collect();
        bucket
            .put(&format!("initial/{}.csv", change.replaces), rows)
            .await;
    }
    let texts: Vec<String> = change
        .answers
        .iter()
        .map(|(number, copy, _, _)| match copy {
            0..5 => text(*number),
            copy => near_copy(&text(*number), *copy),
        })
        .collect();
    let answers: Vec<Answered> = change
        .answers
        .iter()
        .zip(&texts)
        .map(|((_, _, class, by_chance), text)| {
            if *by_chance {
                audited(text, CLASSES[*class])
            } else {
                doubted(text, CLASSES[*class])
            }
        })
        .collect();
    if !answers.is_empty() {
        bucket.answer(&format!("loop-{build}"), build, &answers).await;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    /// Twelve builds of growing data, in which initial files are replaced, answers change and near copies abound.
    #[test]
    fn no_version_trains_on_a_text_that_any_version_tests_with_or_on_a_near_copy(
        changes in proptest::collection::vec(change(), 12),
    ) {
        tokio::runtime::Runtime::new().expect("a runtime").block_on(async {
            let (bucket, mut seen) = (Bucket::new(), Seen::default());
            bucket.put("initial/9.csv", "World,a first text\nSports,a second text\n").await;
            for (build, change) in changes.iter().enumerate() {
                apply(&bucket, build, change).await;
                let manifest = bucket.assemble(&AssemblePolicy { test_share: 0.3, ..POLICY }).await;
                seen.add(&bucket, &manifest).await;
            }
            seen.check();
        });
    }
}

#[tokio::test]
async fn a_text_that_left_training_never_becomes_a_test_text() {
    let bucket = Bucket::new();
    let mut seen = Seen::default();
    let rows: Vec<String> = (0..40)
        .map(|n| format!("{},{}\n", CLASSES[n as usize % 3], text(n)))
        .collect();
    bucket.put("initial/a.csv", rows.concat()).await;
    let all_train = AssemblePolicy {
        test_share: 0.0,
        ..POLICY
    };
    seen.add(&bucket, &bucket.assemble(&all_train).await).await;
    bucket
        .put("initial/a.csv", "World,another text\nSports,and one more\n")
        .await;
    seen.add(&bucket, &bucket.assemble(&all_train).await).await;

    let copies: Vec<String> = (0..40)
        .map(|n| format!("World,{}\n", near_copy(&text(n), 1)))
        .collect();
    bucket.put("initial/b.csv", rows.concat()).await;
    bucket.put("initial/c.csv", copies.concat()).await;
    let manifest = bucket
        .assemble(&AssemblePolicy {
            test_share: 1.0,
            ..POLICY
        })
        .await;
    seen.add(&bucket, &manifest).await;

    seen.check();
    assert_eq!(seen.tested, BTreeSet::new());
    assert_eq!(manifest.train.summary.rows, 82);
}

#[tokio::test]
async fn near_copies_of_test_texts_are_left_out_of_training() {
    let bucket = Bucket::new();
    let rows: Vec<String> = (0..60)
        .map(|n| format!("{},{}\n", CLASSES[n as usize % 3], text(n)))
        .collect();
    bucket.put("initial/a.csv", rows.concat()).await;
    let first = bucket.assemble(&POLICY).await;
    let test = bucket.test(&first).await;
    let copies: Vec<String> = test.iter().map(|row| near_copy(&row.text, 1)).collect();
    let answers: Vec<Answered> = copies.iter().map(|copy| doubted(copy, "World")).collect();
    bucket.answer("loop-1", 0, &answers).await;

    let second = bucket.try_assemble(&POLICY).await.expect("a dataset");

    assert!(test.len() >= 5, "{first:?}");
    assert_eq!(second.left_out, [("near-copy".into(), test.len() as u64)].into());
    assert_eq!(second.manifest, first, "nothing else has changed");
}

#[tokio::test]
async fn every_class_is_tested_and_the_share_shrinks_to_what_memory_takes() {
    let bucket = Bucket::new();
    let rows: Vec<String> = (0..300)
        .map(|n| format!("{},{}\n", CLASSES[n as usize % 3], text(n)))
        .collect();
    bucket.put("initial/a.csv", rows.concat()).await;
    bucket
        .put(
            "initial/b.csv",
            "Rare,only two rows of this\nRare,and here is the other one\n",
        )
        .await;
    let policy = AssemblePolicy {
        max_held_out: 30,
        ..POLICY
    };

    let first = bucket.assemble(&policy).await;
    bucket.put("initial/c.csv", "World,one\nSports,two\n").await;
    let second = bucket.assemble(&policy).await;

    assert_eq!(first.test.summary.classes.len(), 4);
    assert_eq!(
        first.test.summary.classes["Rare"] + first.train.summary.classes["Rare"],
        2
    );
    assert!((20..45).contains(&first.test.summary.rows), "{first:?}");
    assert!(second.test.summary.rows <= first.test.summary.rows + 2);
}

/// A bucket in which two classes are to be assembled.
async fn filled() -> Bucket {
    let bucket = Bucket::new();
    let rows: Vec<String> = (0..60)
        .map(|n| format!("{},{}\n", CLASSES[n as usize % 3], text(n)))
        .collect();
    bucket.put("initial/a.csv", rows.concat()).await;
    bucket
        .answer(
            "loop-1",
            0,
            &[
                doubted(&near_copy(&text(1), 1), "World"),
                audited(&text(99), "Sports"),
            ],
        )
        .await;
    bucket
}

/// Returns the objects of datasets, but for what builds keep of labels and copies to read them once.
async fn built(bucket: &Bucket) -> BTreeMap<String, Vec<u8>> {
    let mut objects = bucket.objects("datasets/").await;
    objects.retain(|key, _| !key.starts_with("datasets/labels") && key != "datasets/copies.bin");
    objects
}

#[tokio::test]
async fn a_build_that_breaks_off_anywhere_is_made_good_by_the_next() {
    let whole = filled().await;
    whole.assemble(&POLICY).await;
    let expected = built(&whole).await;
    assert_eq!(expected.len(), 9, "{:?}", expected.keys());

    for key in expected.keys() {
        let bucket = filled().await;
        bucket
            .script
            .answer(1, &format!("PUT /{BUCKET}/{key}"), 403, REFUSED);
        let broken = bucket.try_assemble(&POLICY).await.expect_err(key);
        assert!(broken.to_string().contains(key), "{broken}");

        bucket.assemble(&POLICY).await;

        assert_eq!(built(&bucket).await, expected, "{key}");
    }
}

#[tokio::test]
async fn a_build_that_broke_off_before_new_data_came_leaks_no_test_text() {
    let keys: Vec<String> = {
        let whole = filled().await;
        whole.assemble(&POLICY).await;
        built(&whole).await.into_keys().collect()
    };
    for key in &keys {
        let (bucket, mut seen) = (filled().await, Seen::default());
        bucket
            .script
            .answer(1, &format!("PUT /{BUCKET}/{key}"), 403, REFUSED);
        bucket.try_assemble(&POLICY).await.expect_err(key);
        let copies: Vec<String> = (0..60)
            .map(|n| format!("{},{}\n", CLASSES[n as usize % 3], near_copy(&text(n), 1)))
            .collect();
        bucket.put("initial/b.csv", copies.concat()).await;

        for _ in 0..2 {
            seen.add(&bucket, &bucket.assemble(&POLICY).await).await;
        }
        seen.check();
        assert!(!seen.tested.is_empty());
    }
}

#[tokio::test]
async fn of_two_builds_at_a_time_the_second_begins_anew() {
    let split = format!("PUT /{BUCKET}/datasets/split.json");
    let (once, always) = (filled().await, filled().await);
    once.script.answer(1, &split, 412, CONFLICT);
    always.script.always(&split, 412, CONFLICT);

    let manifest = once.assemble(&POLICY).await;
    let given_up = always.try_assemble(&POLICY).await.expect_err("always in between");

    assert!(manifest.train.summary.rows > 0);
    assert_eq!(
        given_up.to_string(),
        "another build is assembling a dataset at the same time; try again later"
    );
    let versions = built(&always).await;
    assert!(
        versions.keys().all(|key| key.starts_with("datasets/split/")),
        "{:?}",
        versions.keys()
    );
}

#[tokio::test]
async fn a_list_of_the_split_that_is_gone_stops_the_build() {
    let bucket = filled().await;
    bucket.assemble(&POLICY).await;
    let lists = bucket.objects("datasets/split/trained-").await;
    let (list, _) = lists.first_key_value().expect("a list");
    bucket
        .s3
        .delete_object()
        .bucket(BUCKET)
        .key(list)
        .send()
        .await
        .expect("deleted");
    bucket
        .answer("loop-2", 1, &[doubted("something new", "World")])
        .await;

    let stopped = bucket.try_assemble(&POLICY).await.expect_err("a gap");

    assert_eq!(stopped.to_string(), format!("s3://{BUCKET}/{list} is gone"));
}
