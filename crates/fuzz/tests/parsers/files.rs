//! Files that operators and clients upload, and events that tell of them.

use active_learning_aws::s3_event;
use active_learning_core::MAX_UTTERANCE_BYTES;
use fuzz::fuzz;
use human_review::labelling_jobs::{categories, settings::Task};
use serde_json::Value;

/// Workbooks and compressed files: few changes get behind their checksums, and those that do meet the readers inside.
const CONTAINERS: &[&[u8]] = &[
    include_bytes!("../../../text-import/tests/files/cover.xlsx"),
    include_bytes!("../../../text-import/tests/files/formulas-without-values.xlsx"),
    include_bytes!("../../../text-import/tests/files/merged-and-hidden.xlsx"),
    include_bytes!("../../../text-import/tests/files/two-sheets.xlsx"),
    include_bytes!("../../../text-import/tests/files/rows.jsonl.gz"),
    include_bytes!("../../../text-import/tests/files/texts.zip"),
];

#[test]
fn workbooks_and_compressed_files_are_read_or_refused_with_a_reason() {
    fuzz(CONTAINERS, |bytes| {
        match text_import::read(bytes, &text_import::Options::default()) {
            Ok(import) => {
                for row in &import.rows {
                    assert!(!row.text.trim().is_empty() && row.text.len() <= MAX_UTTERANCE_BYTES);
                }
            }
            Err(refusal) => assert!(!refusal.to_string().is_empty()),
        }
    });
}

#[test]
fn label_category_files_give_labels_or_say_what_is_wrong() {
    const FILES: &[&[u8]] = &[
        br#"{"document-version": "2018-11-28", "labels": [{"label": "World"}, {"label": "Sports"}],
        "instructions": {"shortInstruction": "<b>Which?</b>", "fullInstruction": "At length."}}"#,
        br#"{"labels": [{"label": "World", "labels": [{"label": "Europe"}, {"label": "Asia"}]}, {"label": "Sports"}],
        "auditLabelAttributeName": "topic"}"#,
    ];
    let read = |bytes: &[u8], is_below| categories::read(bytes, Task::SingleLabel, is_below);
    assert!(read(FILES[0], false).is_ok() && read(FILES[1], true).is_ok());
    fuzz(FILES, |bytes| {
        for is_below in [false, true] {
            match read(bytes, is_below) {
                Ok(categories) => {
                    assert!(categories.labels.len() >= 2);
                    assert!(categories.labels.iter().all(|label| !label.trim().is_empty()));
                    assert!(!is_below || categories.parents.len() == categories.labels.len());
                }
                Err(reason) => assert!(!reason.is_empty()),
            }
        }
    });
}

#[test]
fn events_of_s3_tell_of_their_objects_or_are_refused() {
    const EVENTS: &[&[u8]] = &[
        include_bytes!("../../../../events/a2i-trigger/object-created.json"),
        br#"{"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b"}"#,
        br#"{"Records": [{"s3": {"bucket": {"name": "b"}, "object": {"key": "a+b%20%C3%BC.csv", "eTag": "\"1\""}}}]}"#,
    ];
    let read = |bytes: &[u8]| s3_event::objects(serde_json::from_slice::<Value>(bytes).ok()?).ok();
    let keys =
        read(EVENTS[2]).map(|objects| objects.into_iter().map(|object| object.key).collect::<Vec<_>>());
    assert_eq!(keys, Some(vec!["a b \u{fc}.csv".to_owned()]));
    fuzz(EVENTS, |bytes| {
        let Some(objects) = read(bytes) else { return };
        let records = serde_json::from_slice::<Value>(bytes).expect("it was read");
        let records = records["Records"].as_array().map_or(0, Vec::len);

        assert!(objects.is_empty() || objects.len() == records, "none is left out");
    });
}
