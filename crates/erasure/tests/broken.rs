//! What is left of files that are almost JSON, and of records that were refused: no text and no name of who is erased.

use active_learning_core::erasure::ErasedTexts;
use erasure::{
    rewrite::{Left, Shape, rewrite},
    wanted::Wanted,
};
use serde_json::json;

const SHORT: &str = "Elm 4, café";
const LONG: &str = "I live in 4 Elm Street, next to the old mill.";

fn wanted() -> Wanted {
    let wanted = Wanted::new(&[SHORT.to_owned(), LONG.to_owned()], ErasedTexts::default());
    wanted.of_users(&["Jane".to_owned()], "erased")
}

fn left(shape: Shape, content: &str) -> Option<(String, u64)> {
    match rewrite(shape, content.as_bytes(), &wanted()) {
        Left::Rest { bytes, pieces } => Some((String::from_utf8(bytes).expect("UTF-8"), pieces)),
        Left::Nothing { pieces } => Some((String::new(), pieces)),
        Left::All => None,
        Left::Unread { reason } => panic!("{content}: {reason}"),
    }
}

const KEPT: &str = "{\"sentence\": \"Other\", \"user\": \"bob\"}\n";

/// Lines that hold the name or the text, and are no JSON or no object.
const BROKEN: [&str; 13] = [
    r#"{"sentence": "Any", "user": "jane""#,
    r#"{"sentence": "Any", "user": "jane",}"#,
    r#"{'sentence': 'Any', 'user': 'jane'}"#,
    r#"["Any", "jane"]"#,
    r#"{"sentence": "Elm 4, café", "sentence": "Other", "user": "bob"}"#,
    r#"["Elm 4, café", "bob"]"#,
    r#"{"sentence": "Elm 4, caf\u00e9", "user": "bob",}"#,
    r#"{"sentence": "I live in 4 Elm Street, next\nto the old mill.", "user": "bob""#,
    r#"{"sentence": "I live in 4 Elm Street,&nbsp;next to the old mill.", "user": "bob""#,
    r#"{"sentence": "I live in 4 Elm\/Street", "user": JANE}"#,
    r#"{"sentence": "They wrote: I live in 4 Elm Street, next to the old mill!", "user": "bob""#,
    r#"{"sentence": "I live in 4 Elm Street, next to the"#,
    "\u{feff}{\"sentence\": \"Any\", \"user\": \"jane\"}{",
];

#[test]
fn a_broken_line_that_names_the_user_or_the_text_goes_as_a_whole() {
    for line in BROKEN {
        for (before, after) in [(KEPT, KEPT), (KEPT, ""), ("", KEPT)] {
            let all = format!("{before}{line}\n{after}");

            assert_eq!(
                left(Shape::Upload, &all),
                Some((format!("{before}{after}"), 1)),
                "{all}"
            );
        }
    }
    for line in [
        r#"{"sentence": "Any", "user": "janet""#,
        r#"{'sentence': 'Elm 5', 'user': 'bob'}"#,
        "[\"a\"]",
    ] {
        assert_eq!(
            left(Shape::Upload, &format!("{KEPT}{line}\n{KEPT}")),
            None,
            "{line}"
        );
    }
}

#[test]
fn what_was_rejected_goes_where_its_broken_line_names_the_user_or_the_text() {
    let rejected = |raw: &str| json!({"line": 2, "reason": "damaged", "raw": raw}).to_string() + "\n";
    let kept = rejected("{\"sentence\": \"Other\", \"user\": \"bob\"");

    for line in BROKEN {
        let all = format!("{kept}{}", rejected(line));

        assert_eq!(left(Shape::Json, &all), Some((kept.clone(), 1)), "{line}");
    }
}

#[test]
fn a_record_that_was_refused_goes_whole_whatever_its_fields_are_called() {
    for record in [
        json!({"message": "Any", "user": "jane"}),
        json!({"Sentence": "Any", "USER": " Jane"}),
        json!({"message": "Any", "meta": {"from": {"name": "Jane"}}}),
        json!({"message": "Any", "people": ["bob", "jane"]}),
        json!({"sentence": "Other", "note": "elm 4, CAFÉ!"}),
        json!({"ticket": {"message": SHORT}, "id": 4}),
        json!({"sentences": ["Any"], "user": "jane"}),
    ] {
        let lines = format!("{KEPT}{record}\n{KEPT}");
        let printed = format!("{:#}", json!([{"message": "Other"}, record]));
        let within = format!("{:#}", json!({"records": {"a": [record, {"message": "Other"}]}}));

        assert_eq!(
            left(Shape::Upload, &lines),
            Some((format!("{KEPT}{KEPT}"), 1)),
            "{lines}"
        );
        assert_eq!(
            left(Shape::Upload, &printed),
            Some((format!("{:#}", json!([{"message": "Other"}])), 1)),
            "{printed}"
        );
        let rest = format!("{:#}", json!({"records": {"a": [{"message": "Other"}]}}));
        assert_eq!(left(Shape::Upload, &within), Some((rest, 1)), "{within}");
    }
}

#[test]
fn a_record_of_others_stays_whose_label_is_called_as_a_short_text() {
    let wanted = Wanted::new(&["Billing".to_owned()], ErasedTexts::default());
    let by_id = json!({"t1": {"message": "Any", "user": "jane"}, "t2": {"message": "Other", "user": "bob"}});
    let lines = "{\"sentence\":\"Where is my bill?\",\"label\":\"Billing\"}\n{\"message\":\"Other\",\"Category\":\"billing\"}\n";

    assert_eq!(rewrite(Shape::Upload, lines.as_bytes(), &wanted), Left::All);
    let (rest, _) = left(Shape::Upload, &by_id.to_string()).expect("a rest");
    assert!(
        !rest.contains("Any") && !rest.contains("jane") && rest.contains("\"Other\""),
        "{rest}"
    );
}

#[test]
fn a_printed_file_with_a_comma_too_many_loses_the_object_and_no_other() {
    let file = "[\n  {\n    \"message\": \"Any\",\n    \"user\": \"jane\",\n  },\n  {\n    \"message\": \"Other\",\n    \"user\": \"bob\",\n  },\n]\n";
    let kept = "[\n  {\n    \"message\": \"Other\",\n    \"user\": \"bob\",\n  },\n]\n";

    assert_eq!(left(Shape::Upload, file), Some((kept.to_owned(), 1)));
}

#[test]
fn a_damaged_document_in_another_encoding_loses_what_stands_behind_the_damage() {
    let document = "[\n  {\"sentence\": \"Other\",},\n  {\"sentence\": \"Any\", \"user\": \"jane\"},\n  {\"sentence\": \"More\"}\n]\n";
    let units = [0xfe_ff_u16].into_iter().chain(document.encode_utf16());
    let utf_16: Vec<u8> = units.flat_map(u16::to_le_bytes).collect();

    let left = rewrite(Shape::Upload, &utf_16, &wanted());

    let Left::Rest { bytes, pieces: 1 } = left else {
        panic!("{left:?}")
    };
    let rest = String::from_utf8_lossy(&bytes);
    assert!(!rest.contains("jane") && !rest.contains("Any"), "{rest}");
    assert!(rest.contains("Other") && rest.contains("More"), "{rest}");
}

#[test]
fn lists_of_texts_lose_the_text_on_a_line_of_their_own_too() {
    let line = json!({"sentences": [SHORT, "Other"]});

    let all = format!("{KEPT}{line}\n\"{SHORT}\"\n");

    let rest = format!("{KEPT}{}\n", json!({"sentences": ["Other"]}));
    assert_eq!(left(Shape::Upload, &all), Some((rest, 2)));
}

#[test]
fn a_list_by_texts_or_by_users_loses_the_entry_and_no_other() {
    let file = json!({"elm 4, café": "billing", "jane": ["Any"], "Other": "login"}).to_string();

    assert_eq!(
        left(Shape::Upload, &file),
        Some((json!({"Other": "login"}).to_string(), 2))
    );
    let line = r#"{"Elm 4, café": "billing", oops"#;
    assert_eq!(
        left(Shape::Upload, &format!("{KEPT}{line}\n")),
        Some((KEPT.to_owned(), 1))
    );
}

#[test]
fn an_object_that_is_printed_into_a_field_or_a_cell_is_looked_into() {
    let inner = json!({"message": "Any", "user": "jane"}).to_string();
    let line = json!({"id": 4, "payload": inner}).to_string();
    let cell = inner.replace('"', "\"\"");
    let table = format!("id;payload;x\n1;\"{cell}\";y\n2;Other;y\n");

    assert_eq!(
        left(Shape::Upload, &format!("{KEPT}{line}\n")),
        Some((KEPT.to_owned(), 1))
    );
    let rest = "id;payload;x\n2;Other;y\n".to_owned();
    assert_eq!(left(Shape::Upload, &table), Some((rest, 1)));
}

#[test]
fn a_broken_line_goes_alone_whatever_ends_the_lines() {
    let broken = r#"{"sentence": "Any", "user": "jane""#;
    for end in ["\n", "\r\n", "\r"] {
        let kept = KEPT.trim_end();
        let file = [kept, broken, kept].map(|line| format!("{line}{end}")).concat();

        assert_eq!(
            left(Shape::Upload, &file),
            Some((format!("{kept}{end}{kept}{end}"), 1)),
            "{end:?}"
        );
    }
}

#[test]
fn a_document_of_another_encoding_with_a_list_of_another_name_loses_the_record() {
    let document = json!({"customer": "x", "messages": [{"body": "Any", "user": "jane"}, {"body": "Other"}]});
    let marked = format!("\u{feff}{document:#}");

    let rest = format!("{:#}", json!({"customer": "x", "messages": [{"body": "Other"}]}));
    assert_eq!(left(Shape::Upload, &marked), Some((rest, 1)));
}
