//! Accepted predictions: trained on while their promise holds, beside what people labelled and never instead of it.

use std::{collections::BTreeMap, io::Read};

use active_learning_core::{
    dataset::{ContentId, DatasetManifest, Row, read_csv},
    feedback::{
        FeedbackRecord,
        prediction::{ClassScore, Prediction},
    },
    labels::label_set::{LabelSet, Origin},
};
use flate2::read::GzDecoder;
use model_building::{
    assemble::AssemblePolicy,
    export::{Format, export},
};
use serde_json::{Value, json};

use crate::bucket::{BUCKET, Bucket, POLICY, audited, doubted, time};

const MODEL: &str = "arn:aws:comprehend:us-east-1:123456789012:document-classifier/news/version/1";
const ON: AssemblePolicy = AssemblePolicy {
    automated_labelling: Some(0.95),
    ..POLICY
};
/// Nobody asked for any of these to be held out.
const NOT_HELD_OUT: AssemblePolicy = AssemblePolicy {
    test_share: 0.001,
    ..ON
};

/// A text that is no near copy of any other.
fn text(number: usize) -> String {
    format!(
        "{} by {} in {}",
        number * 7_919 + 10_007,
        number * number * 104_729 + 1_000_003,
        number * 31_337
    )
}

fn initial(rows: usize) -> String {
    (0..rows)
        .map(|row| format!("{},{}\n", ["World", "Sports"][row % 2], text(row)))
        .collect()
}

fn accepted(text: &str, label: &str, confidence: f32, minute: usize) -> FeedbackRecord {
    let classes = vec![ClassScore {
        name: label.into(),
        score: confidence,
    }];
    let prediction = Prediction::multi_class(classes).expect("a class");
    FeedbackRecord::accepted("news", text, &prediction, 0.5, "p-1", MODEL.into(), &time(minute))
}

/// Stores what a delivered object held.
async fn accept(bucket: &Bucket, name: &str, records: &[FeedbackRecord]) {
    let lines: String = records.iter().map(FeedbackRecord::to_line).collect();
    bucket.put(&format!("machine-labelled/{name}.jsonl"), lines).await;
}

async fn promise(bucket: &Bucket, state: &str, threshold: f64) {
    let counts = json!({"audited": 200, "wrong": 1});
    let promise = json!({MODEL: {
        "target": 0.95, "state": state, "since": "2026-11-21T10:00:00.000Z", "reason": "audits", "threshold": threshold,
        "evidence": counts, "accuracyAtLeast": 0.96, "watched": counts, "told": true,
    }});
    bucket
        .put("automated-labelling/promises.json", promise.to_string())
        .await;
}

/// Forty initial rows, and a promise that is kept above 0.9.
async fn bucket() -> Bucket {
    let bucket = Bucket::new();
    bucket.put("initial/a.csv", initial(40)).await;
    promise(&bucket, "on", 0.9).await;
    bucket
}

async fn machine_rows(bucket: &Bucket, manifest: &DatasetManifest) -> Vec<Row> {
    let Some(machine) = &manifest.machine_labelled else {
        return Vec::new();
    };
    let file = bucket.get(&machine.file.key).await;
    let rows: Vec<Row> = read_csv(&file[..], manifest.mode)
        .collect::<Result<_, _>>()
        .expect("good rows");
    assert_eq!(rows.len() as u64, machine.file.summary.rows);
    rows
}

fn left_out(manifest: &DatasetManifest) -> BTreeMap<&str, u64> {
    let machine = manifest.left_out.iter().filter_map(|(reason, count)| {
        let reason = reason.strip_prefix("machine-label-")?;
        Some((reason, *count))
    });
    machine.collect()
}

#[tokio::test]
async fn accepted_predictions_become_a_training_file_of_their_own_with_their_origin() {
    let bucket = bucket().await;
    let people = bucket.assemble(&ON).await;
    let records: Vec<_> = (100..110)
        .map(|number| accepted(&text(number), "World", 0.97, number))
        .collect();
    accept(&bucket, "a", &records).await;
    let kept = (100..110).filter(|number| !ContentId::of(&text(*number)).is_test(0.2));
    let kept: Vec<usize> = kept.collect();

    let manifest = bucket.assemble(&ON).await;
    let writes = bucket.writes();
    let again = bucket.assemble(&ON).await;

    assert!((2..10).contains(&kept.len()), "{kept:?}");
    let rows = machine_rows(&bucket, &manifest).await;
    assert_eq!(rows.len(), kept.len());
    assert!(rows.iter().all(|row| row.labels == ["World"]));
    assert!(
        kept.iter()
            .all(|number| rows.iter().any(|row| row.text == text(*number)))
    );
    assert_eq!(
        left_out(&manifest),
        [("kept-for-tests", 10 - kept.len() as u64)].into()
    );
    let machine = manifest.machine_labelled.clone().expect("machine rows");
    assert_eq!(machine.models, [(MODEL.to_owned(), kept.len() as u64)].into());
    assert_eq!(manifest.sources["machine"], kept.len() as u64);
    assert_eq!(
        manifest.training_prefix(),
        format!("datasets/{}/train", manifest.version)
    );
    let provenance = String::from_utf8(bucket.get(&machine.provenance).await).expect("UTF-8");
    let lines: Vec<Value> = provenance
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(lines.len(), rows.len());
    for (line, row) in lines.iter().zip(&rows) {
        let record = records
            .iter()
            .find(|record| record.utterance == row.text)
            .expect("one of them");
        assert_eq!(
            line,
            &json!({"id": record.id, "labels": ["World"], "modelArn": MODEL, "confidence": 0.97_f32, "predictedAt": record.received_at})
        );
    }
    // What people labelled is what it was.
    assert_ne!(manifest.version, people.version);
    assert_eq!(bucket.labels(&manifest).await, bucket.labels(&people).await);
    assert_eq!((again, bucket.writes()), (manifest, writes));
    let mut exported = Vec::new();
    let summary = export(&bucket.bucket(), Format::JsonLines, true, &mut exported).await;
    assert_eq!(summary.expect("exported").rows, 0, "no person labelled any");
}

/// Returns how many objects of accepted predictions were fetched.
fn fetched(bucket: &Bucket) -> usize {
    bucket
        .script
        .calls(&format!("GET /{BUCKET}/machine-labelled/"))
        .len()
}

/// Returns the rows' own objects of a dataset version.
async fn files_of(bucket: &Bucket, manifest: &DatasetManifest) -> BTreeMap<String, Vec<u8>> {
    bucket.objects(&format!("datasets/{}/", manifest.version)).await
}

#[tokio::test]
async fn a_second_build_reads_only_the_accepted_predictions_that_are_new() {
    let bucket = bucket().await;
    for number in 100..140 {
        accept(
            &bucket,
            &format!("{number}"),
            &[accepted(&text(number), "World", 0.97, 1)],
        )
        .await;
    }
    let first = bucket.assemble(&NOT_HELD_OUT).await;
    assert_eq!(fetched(&bucket), 40);
    let writes = bucket.writes();

    let again = bucket.assemble(&NOT_HELD_OUT).await;
    assert_eq!(
        (fetched(&bucket), bucket.writes()),
        (40, writes),
        "nothing is new"
    );
    // Before and behind those that were read.
    accept(&bucket, "099", &[accepted(&text(99), "World", 0.97, 1)]).await;
    accept(&bucket, "200", &[accepted(&text(200), "Sports", 0.97, 1)]).await;
    let more = bucket.assemble(&NOT_HELD_OUT).await;

    assert_eq!(fetched(&bucket), 42);
    assert_eq!(again, first);
    let rows = machine_rows(&bucket, &first).await.len();
    assert!(machine_rows(&bucket, &more).await.len() > rows);
}

#[tokio::test]
async fn accepted_predictions_make_the_same_version_with_packs_and_without() {
    let (with, without) = (bucket().await, bucket().await);
    let spellings = ["predicted twice", "Predicted, twice", "predicted TWICE"];
    let mut versions = Vec::new();
    for (bucket, packs_stay) in [(&with, true), (&without, false)] {
        let mut last = None;
        for build in 0..3 {
            // At the same instant, in objects that do not come in the order of their keys.
            let name = ["m", "z", "a"][build];
            let label = ["World", "Sports", "World"][build];
            let records = [
                accepted(spellings[build], label, 0.97 - build as f32 / 100.0, 5),
                accepted(&text(100 + build), "World", 0.97, 1),
            ];
            accept(bucket, name, &records).await;
            if !packs_stay {
                for key in bucket.objects("datasets/machine-labels").await.into_keys() {
                    bucket.bucket().delete(&key).await.expect("deleted");
                }
            }
            last = Some(bucket.assemble(&NOT_HELD_OUT).await);
        }
        let last = last.expect("three builds");
        versions.push((files_of(bucket, &last).await, last));
    }

    assert_eq!((fetched(&with), fetched(&without)), (3, 1 + 2 + 3));
    assert_eq!(versions[0], versions[1]);
    let rows = machine_rows(&with, &versions[0].1).await;
    assert!(
        rows.iter().any(|row| row.text == "predicted TWICE"),
        "as it stands first: {rows:?}"
    );
}

#[tokio::test]
async fn what_was_accepted_and_removed_is_in_no_pack_and_no_version_any_more() {
    let bucket = bucket().await;
    for (name, text) in [("a", "a text that stays"), ("b", "a text that goes")] {
        accept(&bucket, name, &[accepted(text, "World", 0.97, 1)]).await;
    }
    bucket.assemble(&NOT_HELD_OUT).await;
    let before = bucket.objects("datasets/machine-labels/").await;

    let key = "machine-labelled/b.jsonl";
    bucket.bucket().delete(key).await.expect("deleted");
    let after = bucket.assemble(&NOT_HELD_OUT).await;

    let rows = machine_rows(&bucket, &after).await;
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].text, "a text that stays");
    let packs = bucket.objects("datasets/machine-labels/").await;
    assert_eq!((before.len(), packs.len(), fetched(&bucket)), (1, 1, 2));
    assert!(before.keys().ne(packs.keys()), "the pack was made anew");
    let mut content = String::new();
    for pack in packs.values() {
        let read = GzDecoder::new(&pack[..]).read_to_string(&mut content);
        read.expect("compressed");
    }
    assert!(content.contains("a text that stays") && !content.contains("a text that goes"));
}

#[tokio::test]
async fn machine_labels_follow_a_change_of_their_label_as_the_rows_of_people_do() {
    let mut set = LabelSet::seed(["World", "Sports", "Ball"], Origin::Edited, &time(0));
    set.rename("World", "Planet").expect("free");
    set.merge("Ball", "Sports").expect("active");
    set.add("Old", "").expect("free");
    set.add("Torn", "").expect("free");
    set.retire("Old").expect("active");
    set.split("Torn", &["Ripped", "Cut"]).expect("parts");
    let bucket = bucket().await;
    bucket.put_set(&set).await;
    let records: Vec<_> = ["World", "Ball", "Old", "Torn"]
        .into_iter()
        .zip(100..)
        .map(|(label, number)| accepted(&text(number), label, 0.97, number))
        .collect();
    accept(&bucket, "a", &records).await;

    let manifest = bucket.assemble(&NOT_HELD_OUT).await;

    let rows = machine_rows(&bucket, &manifest).await;
    let mut labels: Vec<_> = rows.iter().flat_map(|row| &row.labels).collect();
    labels.sort();
    assert_eq!(labels, ["Planet", "Sports"]);
    let expected = [("retired-label", 1), ("split-label", 1)];
    assert_eq!(left_out(&manifest), expected.into());
}

#[tokio::test]
async fn labels_without_a_promise_that_holds_are_left_out_also_afterwards() {
    let bucket = bucket().await;
    let people = bucket.assemble(&NOT_HELD_OUT).await;
    accept(
        &bucket,
        "a",
        &[
            accepted(&text(100), "World", 0.97, 1),
            accepted(&text(101), "World", 0.9, 1),
        ],
    )
    .await;
    let on = bucket.assemble(&NOT_HELD_OUT).await;
    assert_eq!(machine_rows(&bucket, &on).await.len(), 1);
    assert_eq!(left_out(&on), [("without-promise", 1)].into());

    promise(&bucket, "on", 0.98).await;
    let raised = bucket.assemble(&NOT_HELD_OUT).await;
    let higher = AssemblePolicy {
        automated_labelling: Some(0.99),
        ..NOT_HELD_OUT
    };
    promise(&bucket, "on", 0.9).await;
    let more_wanted = bucket.assemble(&higher).await;
    promise(&bucket, "broken", 0.9).await;
    let broken = bucket.assemble(&NOT_HELD_OUT).await;

    for manifest in [raised, more_wanted, broken] {
        assert_eq!(manifest.version, people.version, "the rows of people alone");
        assert_eq!(manifest.machine_labelled, None);
    }
}

#[tokio::test]
async fn with_automated_labelling_off_nothing_of_it_is_read_or_written() {
    let bucket = bucket().await;
    accept(&bucket, "a", &[accepted(&text(100), "World", 0.97, 1)]).await;

    let manifest = bucket.assemble(&POLICY).await;

    assert_eq!(manifest.machine_labelled, None);
    assert!(manifest.left_out.is_empty());
    for folder in ["automated-labelling/", "machine-labelled/"] {
        assert!(bucket.script.calls(&format!("GET /{BUCKET}/{folder}")).is_empty());
    }
}

#[tokio::test]
async fn people_win_over_machines_and_the_newest_prediction_over_older_ones() {
    let bucket = bucket().await;
    bucket
        .answer(
            "loop-1",
            0,
            &[
                doubted("a text that people know", "Sports"),
                doubted("a text that fits nothing", "-"),
                doubted("a text that nobody can tell", "?"),
            ],
        )
        .await;
    let asked = [
        "A text that people know!",
        "a text that fits nothing",
        "a text that nobody can tell",
        &text(0),
    ];
    let asked: Vec<_> = asked.map(|text| accepted(text, "World", 0.97, 9)).into();
    accept(&bucket, "a", &asked).await;
    accept(&bucket, "b", &[accepted("predicted twice", "World", 0.97, 5)]).await;
    accept(&bucket, "c", &[accepted("Predicted, twice", "Sports", 0.95, 4)]).await;
    accept(&bucket, "d", &[accepted("predicted TWICE", "Sports", 0.93, 7)]).await;

    let manifest = bucket.assemble(&NOT_HELD_OUT).await;

    let rows = machine_rows(&bucket, &manifest).await;
    let expected = Row {
        labels: vec!["Sports".into()],
        text: "predicted twice".into(),
    };
    assert_eq!(rows, [expected]);
    assert_eq!(
        left_out(&manifest),
        [("known-from-people", 4), ("older", 2)].into()
    );
    let labels = bucket.labels(&manifest).await;
    assert_eq!(labels["a text that people know"], "Sports");
    assert!(!labels.contains_key("a text that fits nothing"));
}

#[tokio::test]
async fn a_copy_of_a_question_that_came_back_is_left_to_its_answer() {
    let bucket = bucket().await;
    let question = "The council of the northern port met on Monday to talk about the new ferry";
    let copy = "The council of the northern port met on Tuesday to talk about the new ferry";
    bucket.copy(question, copy, 1).await;
    bucket
        .copy("a question that is still open", "of an open one", 1)
        .await;
    let records = [copy, "of an open one"].map(|text| accepted(text, "World", 0.97, 5));
    accept(&bucket, "a", &records).await;
    let open = bucket.assemble(&NOT_HELD_OUT).await;
    assert_eq!(machine_rows(&bucket, &open).await.len(), 2);

    bucket.answer("loop-1", 9, &[doubted(question, "Sports")]).await;
    let answered = bucket.assemble(&NOT_HELD_OUT).await;

    let rows = machine_rows(&bucket, &answered).await;
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].text, "of an open one");
    assert_eq!(left_out(&answered), [("copy-of-a-question", 1)].into());
}

#[tokio::test]
async fn of_each_class_there_are_no_more_than_people_labelled_and_no_class_comes_of_machines() {
    let bucket = bucket().await;
    let mut records: Vec<_> = (100..300)
        .map(|number| accepted(&text(number), "World", 0.97, number))
        .collect();
    records.extend((300..330).map(|number| accepted(&text(number), "Health", 0.97, number)));
    records.push(accepted(&text(400), "World|Sports", 0.97, 1));
    accept(&bucket, "a", &records).await;

    let manifest = bucket.assemble(&NOT_HELD_OUT).await;
    // The same in another order, in other objects, make the same rows.
    bucket
        .s3
        .delete_object()
        .bucket(BUCKET)
        .key("machine-labelled/a.jsonl")
        .send()
        .await
        .expect("gone");
    records.reverse();
    accept(&bucket, "z", &records[..100]).await;
    accept(&bucket, "b", &records[100..]).await;
    let again = bucket.assemble(&NOT_HELD_OUT).await;

    let people = manifest.train.summary.classes["World"];
    let machine = manifest.machine_labelled.as_ref().expect("machine rows");
    assert_eq!(
        machine.file.summary.classes,
        [("World".to_owned(), people)].into()
    );
    let left_out = left_out(&manifest);
    // Where texts have one class, `World|Sports` is one name, and that of no class.
    assert_eq!(left_out["of-no-class"], 31);
    assert!(!manifest.train.summary.classes.contains_key("Health"));
    assert_eq!(again.version, manifest.version);
}

#[tokio::test]
async fn a_held_out_text_and_its_near_copies_are_never_trained_on() {
    let bucket = Bucket::new();
    let sentence = |number: usize| {
        format!(
            "The council of the northern port met for the {} time",
            text(number)
        )
    };
    let rows: String = (0..40)
        .map(|row| format!("{},{}\n", ["World", "Sports"][row % 2], sentence(row)))
        .collect();
    bucket.put("initial/a.csv", rows).await;
    promise(&bucket, "on", 0.9).await;
    let first = bucket.assemble(&ON).await;
    let held_out = bucket.test(&first).await;
    // Of another hash, so that only its likeness keeps it out.
    let near: Vec<String> = held_out
        .iter()
        .flat_map(|row| (0..9).map(|number| format!("{} {number}", row.text)))
        .filter(|text| !ContentId::of(text).is_test(0.2))
        .collect();
    let records: Vec<_> = held_out
        .iter()
        .map(|row| &row.text)
        .chain(&near)
        .map(|text| accepted(text, "World", 0.97, 1))
        .collect();
    accept(&bucket, "a", &records).await;

    let assembled = bucket.try_assemble(&ON).await.expect("a dataset");

    assert_eq!(assembled.manifest, first, "nothing is added");
    let left_out = |reason: &str| assembled.left_out[&format!("machine-label-{reason}")];
    assert!(!near.is_empty());
    assert_eq!(left_out("near-copy"), near.len() as u64);
    assert_eq!(left_out("known-from-people"), held_out.len() as u64);
}

#[tokio::test]
async fn what_a_machine_label_was_trained_on_is_never_held_out_later() {
    let bucket = bucket().await;
    accept(&bucket, "a", &[accepted("trained on already", "World", 0.97, 1)]).await;
    let first = bucket.assemble(&NOT_HELD_OUT).await;
    assert_eq!(machine_rows(&bucket, &first).await.len(), 1);

    bucket
        .answer(
            "loop-1",
            9,
            &[
                audited("trained on already", "Sports"),
                audited("never seen before", "Sports"),
            ],
        )
        .await;
    let all = AssemblePolicy {
        test_share: 1.0,
        ..ON
    };
    let second = bucket.assemble(&all).await;

    assert!(
        bucket
            .train(&second)
            .await
            .iter()
            .any(|row| row.text == "trained on already")
    );
    let test = bucket.test(&second).await;
    assert!(test.iter().any(|row| row.text == "never seen before"));
    assert!(test.iter().all(|row| row.text != "trained on already"));
    assert_eq!(second.machine_labelled, None);
}

#[tokio::test]
async fn damaged_lines_are_left_out_and_counted() {
    let bucket = bucket().await;
    let forged = accepted(&text(100), "World", 0.97, 1)
        .to_line()
        .replace("implicit", "explicit-api");
    let like = json!({"classifier": "news", "utterance": "liked", "signal": "like", "prediction": "World"});
    let good = accepted(&text(101), "World", 0.97, 1).to_line();
    bucket
        .put(
            "machine-labelled/a.jsonl",
            format!("nonsense\n{forged}{like}\n{good}"),
        )
        .await;

    let manifest = bucket.assemble(&NOT_HELD_OUT).await;

    assert_eq!(machine_rows(&bucket, &manifest).await.len(), 1);
    assert_eq!(left_out(&manifest), [("unreadable", 3)].into());
}
