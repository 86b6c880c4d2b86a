//! Copies of a text: one answer serves them all, and they are counted.

use active_learning_core::{
    dataset::{Mode, read_csv},
    feedback::{Signal, record_id},
    labels::{
        labelled::{LabelledRecord, name_of_vote},
        vote::{Vote, VoteSource},
    },
    sampling::duplicates::occurrence,
};
use model_building::export::{ExportSummary, Format};
use serde_json::Value;

use crate::{
    assemble::initial,
    bucket::{Bucket, POLICY, doubted, record, time, vote},
    export::exported,
};

/// A text with two copies and a repetition, one with a copy of a copy, one without any, and copies of what nobody
/// answered.
async fn with_copies() -> Bucket {
    let bucket = Bucket::new();
    bucket.put("initial/a.csv", initial(40)).await;
    let answers = [
        doubted("Rates rise", "World"),
        doubted("The club won", "Sports"),
        doubted("A new phone", "World"),
    ];
    bucket.answer("loop-1", 0, &answers).await;
    bucket.copy("Rates rise", "RATES rise", 1).await;
    bucket.copy("Rates rise", "Rates rise!", 2).await;
    bucket.copy("Rates rise", "Rates rise", 3).await;
    bucket.copy("The club won", "The club won.", 4).await;
    bucket.copy("The club won.", "The club won", 5).await;
    bucket.copy("Nobody answered", "nobody answered", 6).await;
    bucket
}

#[tokio::test]
async fn copies_make_no_rows_and_the_dataset_says_how_many_its_answers_serve() {
    let bucket = with_copies().await;

    let manifest = bucket.assemble(&POLICY).await;

    let rows = bucket.labels(&manifest).await;
    assert_eq!(rows.len(), 43, "{rows:?}");
    assert_eq!(manifest.train.summary.rows + manifest.test.summary.rows, 43);
    assert_eq!(manifest.copies, 5);
}

#[tokio::test]
async fn a_copy_that_comes_after_the_answer_makes_no_version_and_counts_in_the_next_one() {
    let bucket = with_copies().await;
    let before = bucket.assemble(&POLICY).await;
    bucket.copy("A new phone", "A NEW phone", 7).await;

    let same = bucket.assemble(&POLICY).await;
    bucket.answer("loop-2", 1, &[doubted("Oil falls", "World")]).await;
    let next = bucket.assemble(&POLICY).await;

    assert_eq!(same, before);
    assert_ne!(next.version, before.version);
    assert_eq!((before.copies, next.copies), (5, 6));
}

#[tokio::test]
async fn exports_say_how_many_copies_each_answer_serves() {
    let bucket = with_copies().await;

    let (lines, lines_summary) = exported(&bucket, Format::JsonLines).await;
    let (manifest, manifest_summary) = exported(&bucket, Format::AugmentedManifest).await;
    let (csv, csv_summary) = exported(&bucket, Format::ComprehendCsv).await;

    let copies = |lines: &[u8], text: &str| {
        let lines = std::str::from_utf8(lines).expect("UTF-8").lines();
        let values = lines.map(|line| serde_json::from_str(line).expect("JSON"));
        let mut counts: Vec<(String, u64)> = values
            .map(|value: Value| {
                let text = value[text].as_str().expect("a text").to_owned();
                (text, value["copies"].as_u64().expect("a count"))
            })
            .collect();
        counts.sort();
        counts
    };
    let expected = [("A new phone", 0), ("Rates rise", 3), ("The club won", 2)]
        .map(|(text, count)| (text.to_owned(), count));
    assert_eq!(copies(&lines, "text"), expected);
    assert_eq!(copies(&manifest, "source"), expected);
    let rows: Vec<_> = read_csv(&csv[..], Mode::MultiClass).collect();
    assert_eq!(rows.len(), 3);
    let summary = ExportSummary {
        rows: 3,
        copies: 5,
        ..ExportSummary::default()
    };
    assert_eq!(
        [lines_summary, manifest_summary, csv_summary],
        [summary.clone(), summary.clone(), summary]
    );
}

#[tokio::test]
async fn what_a_user_votes_on_a_text_that_was_asked_is_no_copy_of_it() {
    let bucket = with_copies().await;
    let mut said = record("Rates rise", Signal::LowConfidence);
    said.received_at = time(8);
    let vote = Vote {
        source: VoteSource::Feedback,
        ..vote("user:ann", "World", 8)
    };

    bucket.copy("Rates rise", "Rates rise", 8).await;
    let (_, as_copy) = exported(&bucket, Format::ComprehendCsv).await;
    let name = name_of_vote(&record_id("news", "Rates rise"), occurrence(&said));
    let line = LabelledRecord::new(record("Rates rise", Signal::LowConfidence), vec![vote], &name, "");
    bucket.label(&name, &[line]).await;
    let (_, as_vote) = exported(&bucket, Format::ComprehendCsv).await;

    assert_eq!((as_copy.rows, as_copy.copies), (3, 6));
    assert_eq!((as_vote.rows, as_vote.copies), (3, 5));
}
