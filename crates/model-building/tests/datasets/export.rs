//! The labels of people in the formats that other tools read.

use std::collections::{BTreeMap, BTreeSet};

use active_learning_core::{
    dataset::{Mode, Row, TextId, one_line, read_csv, read_manifest},
    feedback::{Signal, prediction::split_labels},
    labels::{
        human_loop::Answer,
        label_set::{LABEL_SET_KEY, LabelSet, Origin},
        labelled::LabelledRecord,
        vote::Vote,
    },
    text::is_blank,
};
use model_building::export::{ExportSummary, Format, MANIFEST_ATTRIBUTE, export};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::bucket::{Bucket, doubted, record, time, vote};

pub async fn exported(bucket: &Bucket, format: Format) -> (Vec<u8>, ExportSummary) {
    let mut file = Vec::new();
    let summary = export(&bucket.bucket(), format, true, &mut file)
        .await
        .expect("an export");
    (file, summary)
}

#[tokio::test]
async fn json_lines_keep_the_whole_lineage() {
    let bucket = Bucket::new();
    let mut disputed = record("Rates rise,\nagain", Signal::Audit);
    disputed.suggested_label = Some("World".into());
    for (number, worker) in [(1, "ada"), (2, "bob")] {
        let human_loop = format!("loop-{number}");
        let votes = vec![vote(worker, "Business", number)];
        let labelled = LabelledRecord::new(disputed.clone(), votes, &human_loop, "arn:flow");
        bucket.label(&human_loop, &[labelled]).await;
    }

    let (file, summary) = exported(&bucket, Format::JsonLines).await;

    let line: Value = serde_json::from_slice(&file).expect("one line");
    assert_eq!((summary.rows, summary.left_out.len()), (1, 0));
    assert_eq!(line["labels"], json!(["Business"]));
    assert_eq!(line["text"], "Rates rise,\nagain");
    assert_eq!(line["consensus"]["state"], "agreed");
    assert_eq!(line["decidedBy"], "majority");
    assert_eq!(line["record"]["selectionProbability"], 0.05);
    assert_eq!(line["record"]["modelArn"], json!(disputed.model_arn));
    assert_eq!(line["record"]["source"], "implicit");
    assert_eq!(
        line["votes"].as_array().map(Vec::len),
        Some(3),
        "the suggestion is one vote"
    );
    assert_eq!(
        line["humanLoops"],
        json!([
            {"name": "loop-1", "flowDefinitionArn": "arn:flow", "labelledAt": time(1)},
            {"name": "loop-2", "flowDefinitionArn": "arn:flow", "labelledAt": time(2)},
        ])
    );
}

#[tokio::test]
async fn json_lines_have_a_users_vote_once_by_the_labels_own_names() {
    for (said, kept) in [
        ("ＷＯＲＬＤ", Answer::labels(["World"])),
        (
            "refund|goodwill",
            Answer::NewLabel {
                label: "goodwill|refund".to_owned(),
            },
        ),
    ] {
        let bucket = Bucket::new();
        let set = LabelSet::seed(["World", "Sports"], Origin::Edited, "2026-11-20T10:00:00.000Z");
        bucket.put(LABEL_SET_KEY, set.to_json()).await;
        let mut disliked = record("one", Signal::Dislike);
        disliked.suggested_label = Some(said.into());
        let mut answered = LabelledRecord::new(
            disliked.clone(),
            vec![vote("ada", "World", 1)],
            "loop-1",
            "arn:flow",
        );
        set.canonical_votes(&disliked, &mut answered.votes);
        bucket.label("loop-1", &[answered]).await;

        let (file, _) = exported(&bucket, Format::JsonLines).await;

        let line: Value = serde_json::from_slice(&file).expect("one line");
        let votes = line["votes"].as_array().expect("votes");
        let of_users: Vec<&Value> = votes.iter().filter(|vote| vote["source"] == "feedback").collect();
        assert_eq!(of_users.len(), 1, "{said}: {votes:?}");
        assert_eq!(of_users[0]["answer"], json!(kept));
    }
}

#[tokio::test]
async fn training_formats_hold_agreed_labels_and_the_summary_says_what_they_do_not() {
    let bucket = Bucket::new();
    let answers = [
        doubted("a good text", "World"),
        doubted("nothing fits", "-"),
        doubted("a hard one", "?"),
    ];
    bucket.answer("loop-1", 0, &answers).await;
    bucket
        .answer("loop-2", 1, &[doubted("A GOOD text.", "Sports")])
        .await;
    bucket.put("labelled/odd.jsonl", "no json\n").await;

    let (csv, csv_summary) = exported(&bucket, Format::ComprehendCsv).await;
    let (manifest, manifest_summary) = exported(&bucket, Format::AugmentedManifest).await;
    let (_, all) = exported(&bucket, Format::JsonLines).await;

    assert_eq!(String::from_utf8_lossy(&csv), "Sports,A GOOD text.\n");
    let left_out = [
        ("none-fits", 1),
        ("older-answer", 1),
        ("unreadable-line", 1),
        ("unsure", 1),
    ];
    let left_out = left_out.map(|(reason, count)| (reason.to_owned(), count)).into();
    let expected = ExportSummary {
        rows: 1,
        left_out,
        ..ExportSummary::default()
    };
    assert_eq!(csv_summary, expected);
    assert_eq!(manifest_summary, csv_summary);
    let line: Value = serde_json::from_slice(&manifest).expect("one line");
    assert_eq!(line["label-metadata"]["class-name"], "Sports");
    assert_eq!(line["label-metadata"]["job-name"], "labeling-job/loop-2");
    assert_eq!(all.rows, 4);
}

#[tokio::test]
async fn a_label_by_the_majority_stays_where_error_rates_speak_against_it_and_is_called_doubtful() {
    let bucket = Bucket::new();
    let answered = (0..60).map(|number| {
        let (right, wrong) = if number % 2 == 0 {
            ("World", "Sports")
        } else {
            ("Sports", "World")
        };
        let slip = if number == 0 { wrong } else { right };
        let votes = [("ann", right), ("bea", slip), ("eve", wrong)];
        let votes = votes.map(|(worker, label)| vote(worker, label, 1)).to_vec();
        let text = format!("text number {number}");
        LabelledRecord::new(record(&text, Signal::LowConfidence), votes, "loop-1", "arn:flow")
    });
    let answered: Vec<LabelledRecord> = answered.collect();
    let told: BTreeMap<String, Value> = answered
        .iter()
        .map(|labelled| {
            (
                labelled.record.utterance.clone(),
                json!(labelled.consensus.labels()),
            )
        })
        .collect();
    bucket.label("loop-1", &answered).await;

    let (_, csv) = exported(&bucket, Format::ComprehendCsv).await;
    let (lines, all) = exported(&bucket, Format::JsonLines).await;

    let lines = String::from_utf8(lines).expect("UTF-8");
    let lines: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let labels: BTreeMap<String, Value> = lines
        .iter()
        .map(|line| {
            (
                line["text"].as_str().unwrap_or_default().to_owned(),
                line["labels"].clone(),
            )
        })
        .collect();
    assert_eq!(labels, told, "as each question was answered");
    let doubtful: Vec<&Value> = lines.iter().filter(|line| line["doubtful"] == true).collect();
    assert_eq!(doubtful.len(), 1);
    assert_eq!(doubtful[0]["text"], "text number 0");
    assert_eq!(doubtful[0]["decidedBy"], "majority");
    assert_eq!((csv.rows, csv.doubtful, all.doubtful), (60, 1, 1));
}

#[tokio::test]
async fn a_csv_escapes_bars_within_names_so_that_it_is_read_as_it_was_written() {
    let bucket = Bucket::new();
    let one_name = Vote {
        answer: Answer::labels(["Anmeldung|Konto"]),
        ..vote("ada", "-", 1)
    };
    let one = record("one", Signal::LowConfidence);
    let one = LabelledRecord::new(one, vec![one_name], "loop-1", "arn:flow");
    bucket.label("loop-1", &[one]).await;
    bucket.answer("loop-2", 0, &[doubted("two", "R&D, Sales")]).await;
    let other = Bucket::new();
    other
        .answer("loop-1", 0, &[doubted("one", "Anmeldung|Konto")])
        .await;

    let (csv, summary) = exported(&bucket, Format::ComprehendCsv).await;
    let several = exported(&other, Format::ComprehendCsv).await.1;

    let csv = String::from_utf8(csv).expect("UTF-8");
    let mut lines: Vec<&str> = csv.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["\"R&D, Sales\",two", r"Anmeldung\|Konto,one"]);
    assert_eq!((summary.rows, summary.several, summary.escaped), (2, 0, 1));
    assert_eq!((several.rows, several.several, several.escaped), (1, 1, 0));
    let rows = active_learning_core::dataset::TrainingRows::new(csv.as_bytes(), Some('|')).expect("a CSV");
    let names = rows.map(|row| split_labels(&row.expect("a good row").label));
    let names: BTreeSet<Vec<String>> = names.collect();
    assert_eq!(
        names,
        BTreeSet::from([vec!["Anmeldung|Konto".to_owned()], vec!["R&D, Sales".to_owned()]])
    );
}

#[test]
fn formats_have_names() {
    assert_eq!("csv".parse(), Ok(Format::ComprehendCsv));
    assert_eq!(
        "xml".parse::<Format>(),
        Err("unknown format `xml`: expected csv, manifest or jsonl".to_owned())
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn texts_of_any_script_survive_the_way_through_s3_into_csv_and_manifest(
        texts in proptest::collection::vec("[\\PC\n\r\t,\"'\\\\|\u{1f600}\u{5d0}-\u{5ea}\u{627}-\u{64a}\u{202b}]{1,40}", 1..8),
    ) {
        let texts: Vec<String> = texts.into_iter().filter(|text| !is_blank(&one_line(text))).collect();
        tokio::runtime::Runtime::new().expect("a runtime").block_on(async {
            let bucket = Bucket::new();
            let mut expected: BTreeMap<TextId, (String, String)> = BTreeMap::new();
            for (text, number) in texts.iter().zip(0..) {
                let label = ["World", "Sports, \"and\" more", "\u{5e2}\u{5d5}\u{5dc}\u{5dd}"][number % 3];
                bucket.answer(&format!("loop-{number}"), number, &[doubted(text, label)]).await;
                expected.insert(TextId::of(&one_line(text)), (label.to_owned(), text.clone()));
            }

            let (csv, _) = exported(&bucket, Format::ComprehendCsv).await;
            let (manifest, _) = exported(&bucket, Format::AugmentedManifest).await;

            let found = |rows: Vec<Row>| -> BTreeMap<TextId, (String, String)> {
                let entry = |row: Row| (TextId::of(&one_line(&row.text)), (row.labels.concat(), row.text));
                rows.into_iter().map(entry).collect()
            };
            let csv = read_csv(&csv[..], Mode::MultiClass).collect::<Result<_, _>>().expect("good rows");
            let manifest = read_manifest(&manifest[..], MANIFEST_ATTRIBUTE).collect::<Result<_, _>>().expect("good rows");
            assert_eq!(found(manifest), expected);
            let on_one_line = |(id, (label, text)): (TextId, (String, String))| (id, (label, one_line(&text)));
            assert_eq!(found(csv), expected.into_iter().map(on_one_line).collect());
        });
    }
}
