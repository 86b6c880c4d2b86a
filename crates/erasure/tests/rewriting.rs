//! What is left of every format, and that what others have said stays byte by byte.

use std::io::{Read, Write};

use active_learning_core::{
    erasure::ErasedTexts,
    text::{Vector, normalise, pack_vectors, vector_id},
};
use erasure::{
    rewrite::{Left, Shape, rewrite},
    wanted::{ERASED_MARK, Wanted},
};
use flate2::{Compression, read::MultiGzDecoder, write::GzEncoder};
use proptest::prelude::*;
use serde_json::{Value, json};

const TEXT: &str = "I live in 4 \"Elm\" Street,\nnext to the old mill.";

fn wanted() -> Wanted {
    let wanted = Wanted::new(&[TEXT.to_owned()], ErasedTexts::default());
    wanted.of_users(&["Jane Roe".to_owned()], "erased")
}

fn rest(shape: Shape, bytes: &[u8]) -> Vec<u8> {
    match rewrite(shape, bytes, &wanted()) {
        Left::Rest { bytes, .. } => bytes,
        other => panic!("{other:?}"),
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("UTF-8")
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).expect("a vector takes everything");
    encoder.finish().expect("a vector takes everything")
}

#[test]
fn records_go_in_every_spelling_and_the_others_stay_byte_by_byte() {
    let kept = "{\"utterance\":\"Other\" , \"user\":\"bob\"}\n";
    let lines = format!(
        "{}\n{kept}{}\n{kept}",
        json!({"utterance": TEXT.to_uppercase(), "user": "bob"}),
        json!({"line": 3, "reason": "bad", "raw": json!({"sentence": TEXT}).to_string()}),
    );

    let left = rest(Shape::Json, lines.as_bytes());

    assert_eq!(text(left), format!("{kept}{kept}"));
}

#[test]
fn what_is_compressed_is_compressed_again() {
    let kept = "{\"utterance\":\"Other\"}\n";
    let content = gzip(format!("{}\n{kept}", json!({"utterance": TEXT})).as_bytes());

    let left = rest(Shape::Json, &content);

    let mut plain = String::new();
    MultiGzDecoder::new(&left[..])
        .read_to_string(&mut plain)
        .expect("gzip");
    assert_eq!(plain, kept);
}

#[test]
fn a_line_that_is_no_json_goes_where_the_text_stands_in_it() {
    let escaped = serde_json::to_string(TEXT).expect("JSON");
    let lines = format!("{{\"utterance\": {escaped}, oops\nnonsense of others\n");

    let left = rest(Shape::Json, lines.as_bytes());

    assert_eq!(text(left), "nonsense of others\n");
}

#[test]
fn a_question_goes_with_its_record_and_a_user_s_vote_on_another_text_loses_the_name() {
    let question = |text: &str| {
        json!({"record": {"utterance": text, "user": "jane roe"},
            "votes": [{"worker": "user:Jane  Roe", "at": "t"}, {"worker": "user:bob"}, {"worker": "jane roe"}]})
    };

    let own = rewrite(Shape::Json, question(TEXT).to_string().as_bytes(), &wanted());
    let shared = rest(Shape::Json, question("Ours").to_string().as_bytes());

    assert_eq!(own, Left::Nothing { pieces: 1 });
    let shared: Value = serde_json::from_slice(&shared).expect("JSON");
    assert_eq!(
        shared,
        json!({"record": {"utterance": "Ours"},
            "votes": [{"worker": "user:erased-1", "at": "t"}, {"worker": "user:bob"}, {"worker": "jane roe"}]})
    );
}

#[test]
fn a_task_loses_its_item_with_the_words_and_answers_on_it() {
    let input = |items: &[Value]| json!({"rowCount": items.len(), "comprehendPredictions": items, "words": {"1": ["elm"], "2": ["b"]}});
    let (own, other) = (
        json!({"id": "1", "utterance": TEXT}),
        json!({"id": "2", "utterance": "B"}),
    );
    let output = |items: &[Value]| {
        json!({"inputContent": input(items), "humanAnswers": [
            {"answerContent": {"1": "World", "comment-1": "so?", "2": "Sports"}}]})
    };

    let both = rest(
        Shape::Json,
        output(&[own.clone(), other.clone()]).to_string().as_bytes(),
    );
    let alone = rewrite(
        Shape::Json,
        output(std::slice::from_ref(&own)).to_string().as_bytes(),
        &wanted(),
    );
    let input_alone = rewrite(Shape::Json, input(&[own]).to_string().as_bytes(), &wanted());

    let both: Value = serde_json::from_slice(&both).expect("JSON");
    assert_eq!(
        both,
        json!({"inputContent": {"rowCount": 1, "comprehendPredictions": [other], "words": {"2": ["b"]}},
            "humanAnswers": [{"answerContent": {"2": "Sports"}}]})
    );
    assert!(matches!(alone, Left::Nothing { .. }), "{alone:?}");
    assert!(matches!(input_alone, Left::Nothing { .. }), "{input_alone:?}");
}

#[test]
fn the_selection_of_the_budget_and_the_texts_asked_before_lose_it() {
    let budget = json!({"day": "d", "selection": {"number": 7, "items": [
        {"key": "k", "record": {"utterance": TEXT}}, {"key": "l", "record": {"utterance": "B"}}]}});
    let asked = json!([TEXT, "B"]);

    let budget: Value =
        serde_json::from_slice(&rest(Shape::Json, budget.to_string().as_bytes())).expect("JSON");
    let asked: Value =
        serde_json::from_slice(&rest(Shape::Texts, asked.to_string().as_bytes())).expect("JSON");

    assert_eq!(
        budget["selection"]["items"],
        json!([{"key": "l", "record": {"utterance": "B"}}])
    );
    assert_eq!(asked, json!(["B"]));
}

#[test]
fn a_remark_goes_by_the_beginning_of_its_text_and_a_comment_loses_the_quote() {
    let long = format!("{TEXT} {}", "More and more. ".repeat(40));
    let beginning: String = long.chars().take(300).collect();
    let wanted = Wanted::new(&[TEXT.to_owned(), long], ErasedTexts::default());
    let remarks = json!({"remarks": [{"text": format!("{beginning} …"), "comment": "c"},
        {"text": "B", "comment": format!("as in: {TEXT}")}]});

    let Left::Rest { bytes, pieces } = rewrite(Shape::Json, remarks.to_string().as_bytes(), &wanted) else {
        panic!("a rest");
    };

    let left: Value = serde_json::from_slice(&bytes).expect("JSON");
    let comment = format!("as in: {ERASED_MARK}");
    assert_eq!(
        (left, pieces),
        (json!({"remarks": [{"text": "B", "comment": comment}]}), 2)
    );
}

#[test]
fn lines_and_elements_of_a_labelling_job_keep_their_places() {
    let lines = format!("{}\n{{\"source\":\"B\"}}\n", json!({"source": TEXT}));
    let part = json!({"objects": [{"Labelled": {"content": {"note": TEXT}}}, "Withheld"]});

    let lines = rest(Shape::NumberedLines, lines.as_bytes());
    let part: Value =
        serde_json::from_slice(&rest(Shape::JsonInPlace, part.to_string().as_bytes())).expect("JSON");

    assert_eq!(text(lines), "{}\n{\"source\":\"B\"}\n");
    assert_eq!(part["objects"][1], "Withheld");
    assert_eq!(part["objects"][0]["Labelled"]["content"]["note"], ERASED_MARK);
}

#[test]
fn rows_of_a_dataset_go_and_a_label_of_the_same_name_does_not() {
    let wanted = Wanted::new(&[TEXT.to_owned(), "World".to_owned()], ErasedTexts::default());
    let quoted = TEXT.replace('"', "\"\"");
    let rows = format!("World,One\nSports,\"{quoted}\"\nSports,world\nWorld,\"T\"\"wo\"\n");

    let left = rewrite(Shape::Rows, rows.as_bytes(), &wanted);

    let bytes = b"World,One\nWorld,\"T\"\"wo\"\n".to_vec();
    assert_eq!(left, Left::Rest { bytes, pieces: 2 });
}

#[test]
fn lists_of_texts_vectors_and_ids_lose_it() {
    let lines = format!("{}\nother text\n", normalise(TEXT));
    let vectors = [Vector::of(&[1.0, -2.0]), Vector::of(&[0.5, 1.0])];
    let ids = [TEXT, "Other"].map(vector_id);

    let lines = rest(Shape::Lines, lines.as_bytes());
    let pack = rest(Shape::Vectors, &pack_vectors(2, ids.iter().zip(&vectors)));
    let chosen = rest(Shape::Ids, &ids.concat());

    assert_eq!(text(lines), "other text\n");
    assert_eq!(pack, pack_vectors(2, [(&ids[1], &vectors[1])]));
    assert_eq!(chosen, ids[1]);
}

#[test]
fn an_uploaded_table_loses_the_rows_of_the_text_and_of_the_user_and_no_row_that_quotes_a_short_one() {
    let wanted = Wanted::new(&[TEXT.to_owned(), "Hello".to_owned()], ErasedTexts::default());
    let wanted = wanted.of_users(&["jane roe".to_owned()], "erased");
    let quoted = TEXT.replace('"', "\"\"");
    let others = "\"He said, \"\"Hello\"\" to\r\nus\",bob\r\n";
    let table =
        format!("sentence,user\r\n{others}Hello,bob\r\n\"{quoted}\",\r\nAny,Jane Roe\r\n{others}Last,bob");

    let left = rewrite(Shape::Upload, table.as_bytes(), &wanted);

    let bytes = format!("sentence,user\r\n{others}{others}Last,bob").into_bytes();
    assert_eq!(left, Left::Rest { bytes, pieces: 3 });
}

#[test]
fn a_document_of_sentences_loses_it() {
    let document = json!({"classifier": "news", "sentences": [TEXT, "Other"]});

    let left: Value =
        serde_json::from_slice(&rest(Shape::Upload, document.to_string().as_bytes())).expect("JSON");

    assert_eq!(left, json!({"classifier": "news", "sentences": ["Other"]}));
}

#[test]
fn a_table_in_another_encoding_becomes_lines_that_mean_the_same() {
    let table = format!(
        "sentence,user\nOther,bob\n\"{}\",bob\n",
        TEXT.replace('"', "\"\"")
    );
    let utf16: Vec<u8> = [0xfe_ff_u16]
        .into_iter()
        .chain(table.encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();

    let left = text(rest(Shape::Upload, &utf16));

    let left: Value = serde_json::from_str(left.trim()).expect("one line");
    assert_eq!(
        (&left["sentence"], &left["user"]),
        (&json!("Other"), &json!("bob"))
    );
}

#[test]
fn what_holds_nothing_stays_as_it_is() {
    for (shape, content) in [
        (Shape::Json, "{\"utterance\": \"Other\"}"),
        (Shape::Rows, "World,Other\n"),
        (Shape::Lines, "other\n"),
        (Shape::Upload, "Other\n"),
        (Shape::Upload, ""),
        (Shape::Json, "{\"remarks\": [{\"text\": \"I live in 4\"}]}"),
    ] {
        assert_eq!(
            rewrite(shape, content.as_bytes(), &wanted()),
            Left::All,
            "{content}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn rows_of_others_stay_byte_by_byte_wherever_the_text_stands(
        rows in prop::collection::vec(("[A-Z][a-z]{2,6}", "[a-z0-9,\"\n' ]{1,30}", any::<bool>()), 1..20),
    ) {
        let mut all = String::new();
        let mut others = String::new();
        for (label, other, is_wanted) in &rows {
            let other = format!("of others {other}");
            let field = if *is_wanted { TEXT } else { other.as_str() };
            let row = format!("{label},\"{}\"\n", field.replace('"', "\"\""));
            all += &row;
            if !is_wanted {
                others += &row;
            }
        }

        let left = rewrite(Shape::Rows, all.as_bytes(), &wanted());

        let gone = rows.iter().filter(|(_, _, is_wanted)| *is_wanted).count() as u64;
        prop_assert_eq!(left.pieces(), gone);
        match left {
            Left::All => prop_assert_eq!(gone, 0),
            Left::Nothing { .. } => prop_assert_eq!(others, ""),
            Left::Rest { bytes, .. } => prop_assert_eq!(String::from_utf8_lossy(&bytes), others),
        }
    }

    #[test]
    fn records_of_others_stay_byte_by_byte_wherever_the_text_stands(
        records in prop::collection::vec((".{0,30}", any::<bool>(), " {0,2}"), 1..20),
    ) {
        let mut all = String::new();
        let mut others = String::new();
        for (other, is_wanted, space) in &records {
            let utterance = if *is_wanted { TEXT.to_owned() } else { format!("of others {other}") };
            let record = format!("{{{space}\"utterance\":{space}{},\"a\":0.10}}\n", json!(utterance));
            all += &record;
            if !is_wanted {
                others += &record;
            }
        }

        let left = rewrite(Shape::Json, all.as_bytes(), &wanted());

        match left {
            Left::All => prop_assert_eq!(all, others),
            Left::Nothing { .. } => prop_assert_eq!(others, ""),
            Left::Rest { bytes, .. } => prop_assert_eq!(String::from_utf8_lossy(&bytes), others),
        }
    }
}
