//! Texts by their labels.

use serde_json::json;

use crate::{Import, Options, Refusal, read};

fn told(document: &str) -> Result<Import, Refusal> {
    read(document.as_bytes(), &Options::default())
}

fn rows(import: &Import) -> Vec<(String, String)> {
    let row = |row: &crate::Row| (row.text.clone(), row.votes[0].labels.join("|"));
    import.rows.iter().map(row).collect()
}

#[test]
fn texts_that_lie_in_a_list_beside_their_label_are_rows_however_the_list_is_called() {
    let expected = [
        ("I was charged twice", "billing"),
        ("No invoice came", "billing"),
        ("I cannot log in", "login"),
    ];
    let expected: Vec<(String, String)> = expected.map(|(text, label)| (text.into(), label.into())).into();
    let groups = |label: &str, list: &str, text: fn(&str) -> serde_json::Value| {
        json!([
            {label: "billing", list: [text("I was charged twice"), text("No invoice came")], "responses": ["We look"]},
            {label: "login", list: [text("I cannot log in")], "responses": []},
        ])
    };
    let plain = |text: &str| json!(text);
    let parts = |text: &str| {
        let (one, other) = text.split_at(5);
        json!({"type": "EXAMPLE", "parts": [{"text": one}, {"text": other, "entityType": "@x"}]})
    };
    for (document, field) in [
        (json!({"intents": groups("tag", "patterns", plain)}), "patterns"),
        (groups("label", "texts", plain), "texts"),
        (
            groups("intent", "examples", |text| json!({"text": text})),
            "examples",
        ),
        (
            json!({"intents": groups("intent", "examples", |text| json!({"text": text})), "entities": [], "language": "en"}),
            "examples",
        ),
        (
            json!({"name": "Bot", "intents": groups("name", "sampleUtterances", |text| json!({"utterance": text}))}),
            "sampleUtterances",
        ),
        (
            json!({"metadata": {"schemaVersion": "1.0"}, "resource": {"name": "Bot", "intents": groups("name", "sampleUtterances", plain)}}),
            "sampleUtterances",
        ),
        (groups("displayName", "trainingPhrases", parts), "trainingPhrases"),
        (
            json!({"language": "en", "entities": {"date": {}}, "intents": {
                "billing": {"utterances": [
                    {"data": [{"text": "I was "}, {"text": "charged twice", "entity": "x"}]},
                    {"data": [{"text": "No invoice came"}]},
                ]},
                "login": {"utterances": [{"data": [{"text": "I cannot log in"}]}]},
            }}),
            "utterances",
        ),
    ] {
        for content in [document.to_string(), format!("{document:#}")] {
            let import = told(&content).expect(&content);
            assert_eq!(rows(&import), expected, "{content}");
            assert!(
                import
                    .notes
                    .iter()
                    .any(|note| note.contains(&format!("(`{field}`)"))),
                "{:?}",
                import.notes
            );
        }
    }
    let lines = groups("category", "examples", plain);
    let lines: Vec<String> = lines
        .as_array()
        .expect("a list")
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(rows(&told(&lines.join("\n")).expect("lines")), expected);
    let with_empty =
        json!([{"intent": "greet", "examples": []}, {"intent": "bye", "examples": ["Good bye then"]}]);
    let import = told(&with_empty.to_string()).expect("one text");
    assert!(
        import
            .notes
            .iter()
            .any(|note| note == "labels without a text: `greet`"),
        "{:?}",
        import.notes
    );
}

#[test]
fn an_object_of_labels_with_their_texts_and_one_of_the_parts_of_a_data_set_are_read() {
    let by_label =
        json!({"billing": ["I was charged twice", "No invoice came"], "login": ["I cannot log in"]});
    let import = told(&by_label.to_string()).expect("by label");
    let mut found = rows(&import);
    found.sort();
    assert_eq!(found.len(), 3);
    assert_eq!(found[0], ("I cannot log in".to_owned(), "login".to_owned()));
    assert!(
        import
            .notes
            .iter()
            .any(|note| note.contains("whose names were read as labels")),
        "{:?}",
        import.notes
    );

    let parts = json!({
        "train": [["I was charged twice", "billing"], ["I cannot log in", "login"]],
        "test": [["No invoice came", "billing"]],
    });
    let swapped = json!({"train": [["billing", "I was charged twice"], ["login", "I cannot log in"]],
        "test": [["billing", "No invoice came"]]});
    for document in [parts, swapped] {
        let import = told(&document.to_string()).expect("parts");
        let mut again = rows(&import);
        again.sort();
        assert_eq!(again, found);
        assert!(
            import
                .notes
                .iter()
                .any(|note| note.contains("parts of a data set")),
            "{:?}",
            import.notes
        );
    }
}

#[test]
fn what_only_looks_like_groups_is_read_as_before_or_refused() {
    for document in [
        json!({"train": ["I was charged twice"], "test": ["I cannot log in"]}),
        json!({"World": ["a"], "Sports": ["b"]}),
        json!({"train": [["I was charged twice", "I cannot log in"]], "test": [["It is late", "It is early"]]}),
        json!([{"name": "Ada", "tickets": ["I was charged twice"]}]),
    ] {
        let read = told(&document.to_string());
        let labels = read
            .iter()
            .flat_map(|import| &import.rows)
            .flat_map(|row| &row.votes);
        assert_eq!(labels.count(), 0, "{document}");
    }
    let columns = json!({"text": ["I was charged twice", "I cannot log in"], "label": ["billing", "login"]});
    assert_eq!(rows(&told(&columns.to_string()).expect("columns")).len(), 2);
    let own =
        json!({"classifier": "news", "label": "billing", "sentences": ["I was charged twice", "No invoice"]});
    assert_eq!(rows(&told(&own.to_string()).expect("a batch")).len(), 2);
}
