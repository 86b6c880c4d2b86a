//! Files of every kind that people bring, through one stack: each label arrives, and each text without one is asked about.

use std::{collections::BTreeMap, io::Write as _, path::Path};

use active_learning_core::{dataset::TextId, feedback::record_id};
use serde_json::{Value, json};

use crate::{
    harness::{self, exported_labels, items_of_loops, until},
    new_models::{BY_HAND, Stack, news},
};

/// Label and text.
type Row = (String, String);

/// How a tool writes rows that are labelled.
type Writer = fn(&[Row]) -> Vec<u8>;

/// Writes rows between two columns that nobody needs.
fn delimited(rows: &[Row], delimiter: u8, header: &[&str]) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new()
        .delimiter(delimiter)
        .from_writer(Vec::new());
    writer.write_record(header).expect("memory");
    for (number, (label, text)) in rows.iter().enumerate() {
        let number = number.to_string();
        writer
            .write_record([&number, text, label, "2026-01-01 10:00"])
            .expect("memory");
    }
    writer.into_inner().expect("memory")
}

fn in_spanish(rows: &[Row], delimiter: u8) -> String {
    let bytes = delimited(rows, delimiter, &["N.º", "Texto", "Etiqueta", "Creación"]);
    String::from_utf8(bytes).expect("UTF-8")
}

/// Writes without a header, label first: as Amazon Comprehend reads it.
fn comprehend(rows: &[Row]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    rows.iter().for_each(|row| writer.serialize(row).expect("memory"));
    writer.into_inner().expect("memory")
}

fn windows_1252(rows: &[Row]) -> Vec<u8> {
    // The letters of the header and the texts are those of Latin-1.
    let letter = |letter: char| u8::try_from(u32::from(letter)).expect("a letter of Latin-1");
    in_spanish(rows, b';').chars().map(letter).collect()
}

fn utf_16(text: &str, to_bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    format!("\u{feff}{text}")
        .encode_utf16()
        .flat_map(to_bytes)
        .collect()
}

fn lines(rows: &[Row], line: impl Fn(usize, &str, &str) -> Value) -> Vec<u8> {
    let lines = rows.iter().enumerate();
    let lines = lines.map(|(number, (label, text))| format!("{}\n", line(number, label, text)));
    lines.collect::<String>().into_bytes()
}

fn array(rows: &[Row], item: impl Fn(usize, &str, &str) -> Value) -> Vec<u8> {
    let items = rows.iter().enumerate();
    let items = items.map(|(number, (label, text))| item(number, label, text));
    Value::Array(items.collect()).to_string().into_bytes()
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content).expect("memory");
    encoder.finish().expect("memory")
}

/// A line of a manifest that a labelling job of Ground Truth wrote.
fn ground_truth(number: usize, label: &str, text: &str, attribute: &str) -> Value {
    let mut line = json!({"source": text});
    line[attribute] = json!(number);
    line[format!("{attribute}-metadata")] = json!({
        "class-name": label,
        "job-name": "labeling-job/tickets",
        "confidence": 0.9,
        "type": "groundtruth/text-classification",
        "human-annotated": "yes",
        "creation-date": "2026-03-04T05:06:07.123456",
    });
    line
}

fn label_studio(number: usize, label: &str, text: &str) -> Value {
    let result = json!([{
        "value": {"choices": [label]}, "id": "x", "from_name": "topic", "to_name": "text", "type": "choices",
        "origin": "manual",
    }]);
    let annotation = json!({
        "id": number, "completed_by": 1, "was_cancelled": false, "ground_truth": false, "result": result,
        "created_at": "2026-03-09T22:16:08.728353Z", "updated_at": "2026-03-09T22:17:08.728378Z", "lead_time": 4.2,
    });
    json!({
        "id": number, "data": {"text": text}, "annotations": [annotation], "drafts": [], "predictions": [],
        "meta": {}, "project": 1,
    })
}

fn label_studio_min(number: usize, label: &str, text: &str) -> Value {
    json!({
        "text": text, "id": number, "topic": label, "annotator": 1, "annotation_id": number,
        "created_at": "2026-03-09T22:16:08.728353Z", "updated_at": "2026-03-09T22:17:08.728378Z", "lead_time": 4.2,
    })
}

fn label_studio_csv(rows: &[Row]) -> Vec<u8> {
    let header = "annotation_id,annotator,created_at,id,lead_time,topic,text,updated_at\n";
    let mut writer = csv::Writer::from_writer(header.as_bytes().to_vec());
    let at = "2026-03-09T22:17:08.728378Z";
    for (label, text) in rows {
        writer
            .write_record(["1", "1", at, "1", "4.2", label, text, at])
            .expect("memory");
    }
    writer.into_inner().expect("memory")
}

fn prodigy(_: usize, label: &str, text: &str) -> Value {
    let options: Vec<Value> = ["World", "Sports", "Business", "SciTech"]
        .iter()
        .map(|label| json!({"id": label, "text": label}))
        .collect();
    json!({
        "text": text, "_input_hash": 1, "_task_hash": 2, "options": options, "_view_id": "choice",
        "accept": [label], "answer": "accept", "_timestamp": 1_700_000_000, "_annotator_id": "tickets-ann",
    })
}

fn argilla(number: usize, label: &str, text: &str) -> Value {
    let response =
        |value: &str, user: &str, status: &str| json!({"value": value, "user_id": user, "status": status});
    json!({
        "id": format!("a{number}"), "fields": {"text": text}, "metadata": {}, "vectors": {}, "status": "completed",
        "suggestions": {"label": {"value": "Suggested", "score": 0.4, "agent": "m"}},
        "responses": {"label": [response(label, "u-1", "submitted"), response("Discarded", "u-2", "discarded")]},
    })
}

/// Every kind of file with labels: its name, and how its tool writes rows.
const LABELLED: [(&str, Writer); 20] = [
    ("comma.csv", |rows| {
        delimited(rows, b',', &["id", "text", "label", "created"])
    }),
    ("semicolon.csv", |rows| in_spanish(rows, b';').into_bytes()),
    ("tab.tsv", |rows| in_spanish(rows, b'\t').into_bytes()),
    ("sep.csv", |rows| {
        format!("sep=;\r\n{}", in_spanish(rows, b';')).into_bytes()
    }),
    ("unicode-text.txt", |rows| {
        utf_16(&in_spanish(rows, b'\t'), u16::to_le_bytes)
    }),
    ("utf-16-be.csv", |rows| {
        utf_16(&in_spanish(rows, b';'), u16::to_be_bytes)
    }),
    ("windows-1252.csv", windows_1252),
    ("records.json", |rows| {
        array(rows, |_, label, text| json!({"text": text, "label": label}))
    }),
    ("rows.jsonl", |rows| {
        lines(rows, |_, label, text| json!({"text": text, "labels": [label]}))
    }),
    ("rows.jsonl.gz", |rows| {
        gzip(&lines(
            rows,
            |_, label, text| json!({"text": text, "label": label}),
        ))
    }),
    ("comprehend.csv", comprehend),
    ("output.manifest", |rows| {
        lines(rows, |number, label, text| {
            ground_truth(number, label, text, "topic")
        })
    }),
    ("augmented.manifest", |rows| {
        lines(rows, |number, label, text| {
            ground_truth(number, label, text, "news-labelling-2026")
        })
    }),
    ("project-1.json", |rows| array(rows, label_studio)),
    ("project-1-min.json", |rows| array(rows, label_studio_min)),
    ("project-1.csv", label_studio_csv),
    ("doccano.jsonl", |rows| {
        lines(
            rows,
            |number, label, text| json!({"id": number, "text": text, "label": [label], "Comments": []}),
        )
    }),
    ("prodigy.jsonl", |rows| lines(rows, prodigy)),
    ("argilla.json", |rows| array(rows, argilla)),
    ("help-desk.csv", |rows| {
        delimited(rows, b',', &["Id", "Description", "Tags", "Created at"])
    }),
];

/// Rows of a label and a text, two for each kind of file, beyond those that the first model learns from.
fn rows_of(place: usize) -> Vec<Row> {
    let rows = &news()[24 + 2 * place..26 + 2 * place];
    // Letters that the encodings write differently.
    let accented = |(label, text): &Row| (label.clone(), format!("{text} Más «información» después."));
    rows.iter().map(accented).collect()
}

/// Two thousand rows, of which one opens a quote that never closes.
fn with_an_unclosed_quote() -> String {
    let row = |number: u32| match number {
        12 => "World,\"never closed\n".to_owned(),
        _ => format!(
            "World,Report {number:04} about harbour {:04}\n",
            number * 7 % 2_003
        ),
    };
    format!("label,text\n{}", (1..=2_000).map(row).collect::<String>())
}

/// What an import said, and whether it was done.
async fn import(folder: &Path, file: &str, more: &[&str]) -> (bool, String) {
    let command = ["import", file, "--classifier", "news", "--yes"];
    harness::command(folder, &[&command[..], more].concat()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_every_kind_bring_their_labels_into_the_export_and_their_other_texts_to_people() {
    let (folder, files) = (
        tempfile::tempdir().expect("a folder"),
        tempfile::tempdir().expect("a folder"),
    );
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../text-import/tests/files");
    let fixture = |name: &str| fixtures.join(name).to_string_lossy().into_owned();
    let write = |name: &str, content: &[u8]| {
        let path = files.path().join(name);
        std::fs::write(&path, content).expect("written");
        path.to_string_lossy().into_owned()
    };
    let stack = Stack::start(folder.path(), &news()[..24], &BY_HAND).await;

    for (place, (name, writer)) in LABELLED.iter().enumerate() {
        let (done, said) = import(folder.path(), &write(name, &writer(&rows_of(place))), &[]).await;
        assert!(done && said.contains("Labels for 2 new texts."), "{name}: {said}");
    }
    let (done, said) = import(folder.path(), &fixture("tickets.xlsx"), &["--add-labels"]).await;
    assert!(done && said.contains("Labels for 4 new texts."), "{said}");
    let pool = [
        "A text of a manifest, which nobody has labelled",
        "Another one, about an eel",
    ];
    let manifest = pool.map(|text| format!("{}\n", json!({"source": text}))).concat();
    let (done, said) = import(folder.path(), &write("input.manifest", manifest.as_bytes()), &[]).await;
    assert!(done && said.contains("Questions about 2 new texts."), "{said}");
    let (done, said) = import(folder.path(), &fixture("texts.parquet"), &[]).await;
    assert!(
        !done && said.contains("texts.parquet: the file is Parquet; write it as CSV"),
        "{said}"
    );
    let unclosed = write("unclosed.csv", with_an_unclosed_quote().as_bytes());
    let (done, said) = import(folder.path(), &unclosed, &[]).await;
    assert!(done && said.contains("Labels for 1999 new texts."), "{said}");
    assert!(
        said.contains("the quote that opens in line 13 is never closed"),
        "{said}"
    );

    let exported = exported_labels(folder.path()).await;
    let review = stack.outputs.output("ReviewS3Bucket");
    let mut asked = Vec::new();
    until(async || {
        asked = items_of_loops(&stack.s3, review).await;
        pool.iter().all(|text| asked.contains(&record_id("news", text)))
    })
    .await;
    stack.stop().await;

    let of_text: BTreeMap<TextId, &Vec<String>> = exported
        .iter()
        .map(|(text, labels)| (TextId::of(text), labels))
        .collect();
    let mut expected: Vec<Row> = (0..LABELLED.len()).flat_map(rows_of).collect();
    for (label, text) in [
        ("Billing", "The invoice is wrong, again"),
        ("Billing", "The charge came twice"),
        ("Delivery", "My parcel never came"),
        ("Login", "I cannot log in 😀"),
    ] {
        expected.push((label.to_owned(), text.to_owned()));
    }
    for (label, text) in &expected {
        assert_eq!(
            of_text.get(&TextId::of(text)).copied(),
            Some(&vec![label.clone()]),
            "{text}"
        );
    }
    let reports = exported.keys().filter(|text| text.starts_with("Report "));
    assert_eq!(reports.count(), 1_999);
    // The workbook has a text without a label too.
    assert!(
        asked.contains(&record_id("news", "Two\nlines of text")),
        "{asked:?}"
    );
    assert_eq!(asked.len(), 3);
}
