//! Exports of tools with several questions about each text.

use super::*;

fn with_question(content: &str, question: &str) -> Import {
    let options = Options {
        label_column: Some(question.to_owned()),
        ..Options::default()
    };
    import_with(content, &options)
}

fn label_studio(results: &[(&str, &str)]) -> String {
    let result = |(name, value): &(&str, &str)| {
        format!(r#"{{"from_name": "{name}", "to_name": "text", "value": {value}}}"#)
    };
    let results: Vec<String> = results.iter().map(result).collect();
    format!(
        r#"{{"data": {{"text": "my parcel {}"}}, "annotations": [{{"completed_by": 1, "result": [{}]}}]}}"#,
        results.len(),
        results.join(", ")
    )
}

fn is_told(import: &Import, chosen: &str, other: &str) -> bool {
    let told = format!(
        "labels are the answers to `{chosen}`; those to `{other}` were not read: --label-column {other}"
    );
    import.notes.iter().any(|note| note.starts_with(&told))
}

#[test]
fn a_rating_beats_no_choice_in_whatever_order_they_stand() {
    let (rating, topic) = (
        ("rating", r#"{"rating": 4}"#),
        ("topic", r#"{"choices": ["delivery"]}"#),
    );
    let document = format!(
        "[{}, {}, {}]",
        label_studio(&[rating, topic]),
        label_studio(&[topic, rating]),
        label_studio(&[rating])
    );

    let told = import(&document);
    let named = with_question(&document, "rating");

    assert_eq!(
        rows(&told),
        [
            "my parcel 2 => 1: delivery",
            "my parcel 2 => 1: delivery",
            "my parcel 1"
        ]
    );
    assert!(is_told(&told, "topic", "rating"), "{:?}", told.notes);
    assert_eq!(rows(&named)[2], "my parcel 1 => 1: 4");
    assert_eq!(
        rows(&import(format!("[{}]", label_studio(&[rating]))))[0],
        "my parcel 1 => 1: 4"
    );
}

#[test]
fn of_two_questions_one_is_read_in_the_whole_file_and_the_other_is_named() {
    let studio = label_studio(&[
        ("sentiment", r#"{"choices": ["neg"]}"#),
        ("topic", r#"{"choices": ["delivery"]}"#),
    ]);
    let answers = |label: &str| format!(r#"[{{"value": "{label}", "user_id": "1", "status": "submitted"}}]"#);
    let argilla = format!(
        r#"{{"id": "0", "fields": {{"text": "my parcel 2"}}, "responses": {{"sentiment": {}, "topic": {}}}}}"#,
        answers("neg"),
        answers("delivery")
    );
    let min = r#"{"id": 0, "text": "my parcel 2", "sentiment": "neg", "topic": "delivery", "stars": 4, "annotator": 1, "annotation_id": 5, "lead_time": 3.2}"#;
    let csv = "annotation_id,annotator,created_at,id,lead_time,sentiment,topic,text,updated_at\n\
        0,1,2026,0,3.1,neg,delivery,my parcel 2,2026\n";

    for content in [
        format!("[{studio}]"),
        format!("[{argilla}]"),
        format!("[{min}]"),
        csv.to_owned(),
    ] {
        let told = import(&content);
        let named = with_question(&content, "topic");

        assert_eq!(rows(&told), ["my parcel 2 => 1: neg"], "{content}");
        let says = told
            .notes
            .iter()
            .any(|note| note.contains("`sentiment`") && note.contains("--label-column topic"));
        assert!(says, "{:?}", told.notes);
        assert_eq!(rows(&named), ["my parcel 2 => 1: delivery"], "{content}");
    }
    let refused = read(
        studio.as_bytes(),
        &Options {
            label_column: Some("mood".into()),
            ..Options::default()
        },
    );
    assert_eq!(
        refused.expect_err("refused").to_string(),
        "there is no column `mood`; the columns are `sentiment`, `topic`"
    );
}

#[test]
fn of_two_label_attributes_of_ground_truth_the_other_is_named() {
    let metadata =
        |class: &str| format!(r#"{{"class-name": "{class}", "human-annotated": "yes", "job-name": "j"}}"#);
    let line = format!(
        r#"{{"source": "t 0", "topic": 0, "topic-metadata": {}, "mood": 1, "mood-metadata": {}}}"#,
        metadata("delivery"),
        metadata("angry")
    );

    let told = import(&line);
    let named = with_question(&line, "mood");

    // A name that labels have comes first.
    assert_eq!(rows(&told), ["t 0 => j: delivery"]);
    assert!(is_told(&told, "topic", "mood"), "{:?}", told.notes);
    assert_eq!(rows(&named), ["t 0 => j: angry"]);
}
