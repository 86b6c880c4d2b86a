//! What a stack exports is read again as it was, with names that hold whatever stands between labels.

use active_learning_core::feedback::prediction::join_labels;
use proptest::prelude::*;
use serde_json::json;

use super::*;

/// Names of labels that hold what stands between labels, columns, or around cells.
const NAMES: [&str; 8] = [
    "billing",
    "Home|Garden",
    "Bills, paid",
    "Rock; Roll",
    "the \"best\"",
    "C#",
    "1/2",
    "Ü 1",
];

/// Returns the labels of each text: of the text of a number those that its bits say, one at least.
fn labels_of(bits: &[u8]) -> Vec<Vec<String>> {
    let named = |bits: &u8| {
        let chosen = (0..NAMES.len()).filter(|at| bits >> at & 1 == 1);
        let names: Vec<String> = chosen.map(|at| NAMES[at].to_owned()).collect();
        if names.is_empty() {
            vec![NAMES[0].to_owned()]
        } else {
            names
        }
    };
    bits.iter().map(named).collect()
}

fn text_of(number: usize) -> String {
    format!("Question number {number}, \"about\" all of it; and more than that is not to be said here")
}

fn read_back(import: &Import) -> Vec<(String, Vec<String>)> {
    let labels = |row: &text_import::Row| {
        let mut labels: Vec<String> = row.votes.iter().flat_map(|vote| vote.labels.clone()).collect();
        labels.sort();
        labels
    };
    import
        .rows
        .iter()
        .map(|row| (row.text.clone(), labels(row)))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn an_export_of_several_labels_is_read_again_as_it_was(bits in prop::collection::vec(any::<u8>(), 24..60)) {
        let labels = labels_of(&bits);
        let mut expected = Vec::new();
        let (mut table, mut lines) = (String::new(), String::new());
        for (number, labels) in labels.iter().enumerate() {
            let (text, cell) = (text_of(number), join_labels(labels));
            let quoted = |cell: &str| format!("\"{}\"", cell.replace('"', "\"\""));
            writeln!(table, "{},{}", quoted(&cell), quoted(&text)).expect("memory");
            let line = json!({ "labels": labels, "text": text, "consensus": 1.0, "votes": [],
                "record": { "utterance": text, "classifier": "news" } });
            writeln!(lines, "{line}").expect("memory");
            let mut sorted = labels.clone();
            sorted.sort();
            expected.push((text, sorted));
        }
        let names: Vec<String> = NAMES.map(str::to_owned).into();
        let of_stack = Options {
            labels: names.clone(),
            several_labels_of: Some(names),
            ..Options::default()
        };

        prop_assert_eq!(read_back(&import(&table)), expected.clone());
        for content in [&table, &lines] {
            prop_assert_eq!(read_back(&import_with(content, &of_stack)), expected.clone());
        }
    }
}

#[test]
fn an_export_of_many_classes_is_read_though_hardly_a_cell_comes_again() {
    let topics = [
        "billing", "hr", "login", "tax", "spam", "refund", "praise", "software", "contract", "delivery",
    ];
    let mut table = String::new();
    for number in 0..60 {
        let labels = [
            topics[number % 10],
            topics[(number * 7 + 3) % 10],
            topics[(number / 10 * 3 + 1) % 10],
        ];
        writeln!(table, "{},Question number {number}", labels.join("|")).expect("memory");
    }

    let read = import(&table);

    assert!(
        read.rows.iter().all(|row| row.votes.len() == 1),
        "{:?}",
        read.notes
    );
    assert_eq!(read.summary().labels.len(), 10, "{:?}", read.summary().labels);
}

#[test]
fn a_label_that_is_called_with_a_point_stays_what_the_set_calls_it() {
    let known = Options {
        labels: ["1", "1.0", "x"].map(str::to_owned).into(),
        ..Options::default()
    };
    let table = "text,label\nA text of words,1.0\nAnother text,1\nOne more text,x\nThe last text,1.0\n";
    let counts = |import: &Import| -> Vec<(String, u64)> {
        let labels = import.summary().labels.into_iter();
        labels.map(|label| (label.name, label.votes)).collect()
    };
    let named = |names: &[(&str, u64)]| -> Vec<(String, u64)> {
        names
            .iter()
            .map(|(name, votes)| ((*name).to_owned(), *votes))
            .collect()
    };

    let (of_stack, alone) = (import_with(table, &known), import(table));

    assert_eq!(counts(&of_stack), named(&[("1.0", 2), ("1", 1), ("x", 1)]));
    assert_eq!(of_stack.summary().joined, Vec::<String>::new());
    assert_eq!(
        alone.summary().labels.len(),
        2,
        "a label is named once: {:?}",
        alone.summary()
    );
    assert_eq!(alone.summary().joined.len(), 1);
}

#[test]
fn a_column_of_one_value_is_not_taken_for_the_labels_before_one_of_several() {
    let table = "\"The kettle leaks from the spout\",defect,urgent\n\"My parcel never arrived here\",shipping,urgent\n\
        \"The battery lasts three hours\",defect,urgent\n\"It came broken into pieces\",defect,urgent\n\
        \"The order is not here yet\",shipping,urgent\n\"The service is so slow\",service,urgent\n";

    let labels: Vec<String> = import(table)
        .summary()
        .labels
        .into_iter()
        .map(|label| label.name)
        .collect();

    assert_eq!(labels, ["defect", "shipping", "service"]);
}
