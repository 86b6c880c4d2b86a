//! Texts and labels of other tools, by command, through the whole stack.

use std::path::Path;

use active_learning_core::{dataset::TextId, feedback::record_id};
use serde_json::{Value, json};

use crate::{
    harness::{self, items_of_loops, until},
    new_models::{BY_HAND, Stack, news},
};

/// Writes a file and returns its path.
fn write(folder: &Path, name: &str, content: impl AsRef<[u8]>) -> String {
    let path = folder.join(name);
    std::fs::write(&path, content).expect("written");
    path.to_string_lossy().into_owned()
}

/// Writes rows as Label Studio exports them, each labelled by two people.
fn label_studio(rows: &[(String, String)]) -> String {
    let annotation = |by: u32, label: &str| {
        json!({
            "id": by,
            "completed_by": by,
            "was_cancelled": false,
            "updated_at": "2026-03-09T22:17:08.728378Z",
            "result": [{
                "value": {"choices": [label]},
                "from_name": "topic",
                "to_name": "text",
                "type": "choices",
                "origin": "manual",
            }],
        })
    };
    let task = |(label, text): &(String, String)| {
        let annotations = [annotation(1, label), annotation(2, label)];
        json!({"id": 1, "data": {"text": text}, "predictions": [], "annotations": annotations})
    };
    Value::Array(rows.iter().map(task).collect()).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn imported_labels_train_and_are_not_asked_again_and_texts_without_labels_are_asked() {
    let (folder, files) = (
        tempfile::tempdir().expect("a folder"),
        tempfile::tempdir().expect("a folder"),
    );
    let rows = news();
    // Every prediction is doubtful.
    let parameters = [&BY_HAND[..], &[("ComprehendClassificationScoreThreshold", "1")]].concat();
    let stack = Stack::start(folder.path(), &rows[..24], &parameters).await;
    let labelled = write(files.path(), "project-1.json", label_studio(&rows[24..36]));
    let utf_16: Vec<u8> = "\u{feff}Texto;Etiqueta\r\nLlueve mucho en Múnich hoy;Weather\r\n\
        \"Nobody labelled this; or did they?\";\r\nA second text without a label;\r\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let other = write(files.path(), "from-excel.csv", utf_16);
    let command = [
        "import",
        labelled.as_str(),
        other.as_str(),
        "--classifier",
        "news",
        "--yes",
    ];

    let (seen, preview) = harness::command(folder.path(), &["import", &labelled, &other, "--preview"]).await;
    let first = harness::command(folder.path(), &command).await;
    let again = harness::command(folder.path(), &command).await;
    let proposed = harness::command(folder.path(), &["labels", "proposed"]).await;
    let before = harness::command(folder.path(), &["export", "--format", "csv"]).await;
    let accepted = harness::command(
        folder.path(),
        &["import", &other, "--classifier", "news", "--add-labels", "--yes"],
    )
    .await;
    let after = harness::command(folder.path(), &["export", "--format", "csv"]).await;
    let votes_before = harness::printed(folder.path(), &["export", "--format", "jsonl"]).await;
    let mut exports = Vec::new();
    for format in ["csv", "manifest", "jsonl"] {
        let mut export = harness::printed(folder.path(), &["export", "--format", format]).await;
        if format == "csv" {
            // In front, a label that comes once in its own language could be the name of a column.
            let mut lines: Vec<&str> = export.lines().collect();
            lines.sort_by_key(|line| line.starts_with("Weather"));
            export = lines.join("\n");
        }
        let export = write(files.path(), &format!("export.{format}"), export);
        let import = ["import", &export, "--classifier", "news", "--yes"];
        exports.push(harness::command(folder.path(), &import).await);
    }
    let unchanged = harness::printed(folder.path(), &["export", "--format", "csv"]).await;
    let votes = harness::printed(folder.path(), &["export", "--format", "jsonl"]).await;
    let corrected = harness::printed(folder.path(), &["export", "--format", "manifest"]).await;
    let corrected = corrected.replace(r#""class-name":"Weather""#, r#""class-name":"World""#);
    let corrected = write(files.path(), "corrected.manifest", corrected);
    let corrected = harness::command(folder.path(), &["import", &corrected, "--yes"]).await;
    let right = harness::printed(folder.path(), &["export", "--format", "csv"]).await;
    let s3 = &stack.s3;
    let review = stack.outputs.output("ReviewS3Bucket");
    // Asked too, unless its label was accepted before it came to that.
    let proposed_text = record_id("news", "Llueve mucho en Múnich hoy");
    let mut asked = Vec::new();
    until(async || {
        asked = items_of_loops(s3, review).await;
        asked.retain(|id| *id != proposed_text);
        asked.len() >= 2
    })
    .await;
    let known = stack.classify(&rows[24].1).await;
    stack.stop().await;

    assert!(
        seen && preview.contains("export of Label Studio") && preview.contains("UTF-16LE, separated by `;`"),
        "{preview}"
    );
    assert!(preview.contains("new labels  Weather 1"), "{preview}");
    assert!(
        first.0
            && first.1.contains("Labels for 13 new texts.")
            && first.1.contains("Questions about 3 new texts.")
            && first.1.contains("12 labels train the next model"),
        "{}",
        first.1
    );
    assert!(
        again.0
            && again
                .1
                .contains("Labels for 0 new texts, beside 13 texts with known labels."),
        "{}",
        again.1
    );
    assert!(
        again.1.contains("Questions about 0 new texts, beside 3 texts"),
        "{}",
        again.1
    );
    assert!(proposed.1.contains("Weather\t1 vote"), "{}", proposed.1);
    let lines = |printed: &str, text: &str| {
        printed
            .lines()
            .filter(|line| line.contains(text))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    for (label, text) in &rows[24..36] {
        let of_text: Vec<_> = before
            .1
            .lines()
            .filter_map(|line| line.split_once(','))
            .filter(|(_, other)| {
                TextId::of(other.trim_matches('"').replace("\"\"", "\"").as_str()) == TextId::of(text)
            })
            .collect();
        assert_eq!(
            of_text.iter().map(|(label, _)| *label).collect::<Vec<_>>(),
            [label],
            "{text}"
        );
    }
    assert!(lines(&before.1, "Múnich").is_empty(), "{}", before.1);
    assert!(accepted.0, "{}", accepted.1);
    assert_eq!(lines(&after.1, "Múnich"), ["Weather,Llueve mucho en Múnich hoy"]);
    for (done, said) in exports {
        let known = "Labels for 0 new texts, beside 13 texts with known labels.";
        assert!(done && said.contains(known), "{said}");
    }
    assert_eq!(lines(&unchanged, "Múnich"), lines(&after.1, "Múnich"));
    assert_eq!(votes, votes_before, "no vote comes to them");
    assert!(
        corrected.1.contains("Another label for 1 known text"),
        "{}",
        corrected.1
    );
    assert_eq!(lines(&right, "Múnich"), ["World,Llueve mucho en Múnich hoy"]);
    let mut expected = [
        record_id("news", "Nobody labelled this; or did they?"),
        record_id("news", "A second text without a label"),
    ];
    let mut asked: Vec<&String> = asked.iter().collect();
    asked.sort();
    expected.sort();
    assert_eq!(asked, expected.iter().collect::<Vec<_>>());
    assert_eq!(known["review"]["reason"], "low-confidence", "{known}");
    assert_eq!(known["review"]["notQueuedBecause"], "already-answered", "{known}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_file_is_understood_and_other_kinds_are_refused_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("../text-import/tests/files");
    let file = |name: &str| files.join(name).to_string_lossy().into_owned();

    for (name, said) in [
        ("tickets.xlsx", "Excel workbook"),
        ("excel-semicolons-windows-1252.csv", "Windows-1252"),
        ("comprehend-multi-label.csv", "separated by `,`"),
        ("ground-truth-output.manifest", "export of Ground Truth"),
        ("label-studio-min.json", "export of Label Studio"),
        ("doccano.jsonl", "export of doccano"),
        ("prodigy-choice.jsonl", "export of Prodigy"),
        ("argilla-records.json", "export of Argilla"),
        ("help-desk.csv", "Tags = label"),
        ("rows.jsonl.gz", "JSON Lines, gzip"),
    ] {
        let (done, printed) = harness::command(folder.path(), &["import", &file(name), "--preview"]).await;
        assert!(done && printed.contains(said), "{name}: {printed}");
    }
    let (done, printed) = harness::command(folder.path(), &["import", &file("texts.zip"), "--preview"]).await;
    assert!(
        !done && printed.contains("texts.zip: the file is a zip archive; unpack it"),
        "{printed}"
    );
    let (done, printed) = harness::command(folder.path(), &["import", &file("texts.txt"), "--yes"]).await;
    assert!(!done && printed.contains("no stack was started"), "{printed}");
}
