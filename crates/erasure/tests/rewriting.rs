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
fn an_item_of_a_task_leaves_its_place_and_its_words_and_answers_go() {
    let input = |items: &[Value]| json!({"rowCount": items.len(), "comprehendPredictions": items, "words": {"1": ["elm"], "12": ["b"]}});
    let (own, other) = (
        json!({"id": "1", "utterance": TEXT, "user": "jane roe"}),
        json!({"id": "12", "utterance": "B", "source": "implicit"}),
    );
    let output = |items: &[Value]| {
        json!({"inputContent": input(items), "humanAnswers": [
            {"answerContent": {"1": "World", "comment:1": "so?", "12": "Sports", "item-1": "World"}}]})
    };

    let both = rest(
        Shape::Task,
        output(&[own.clone(), other.clone()]).to_string().as_bytes(),
    );
    let alone = rewrite(
        Shape::Task,
        output(std::slice::from_ref(&own)).to_string().as_bytes(),
        &wanted(),
    );
    let input_alone = rewrite(Shape::Task, input(&[own]).to_string().as_bytes(), &wanted());
    let again = rewrite(Shape::Task, &both, &wanted());

    let both: Value = serde_json::from_slice(&both).expect("JSON");
    assert_eq!(
        both,
        json!({"inputContent": {"rowCount": 2, "comprehendPredictions": [{"id": "1", "erased": true}, other], "words": {"12": ["b"]}},
            "humanAnswers": [{"answerContent": {"12": "Sports", "item-1": "World"}}]})
    );
    assert_eq!(again, Left::All);
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

    let Left::Rest { bytes, pieces } = rewrite(Shape::Remarks, remarks.to_string().as_bytes(), &wanted)
    else {
        panic!("a rest");
    };
    let record = json!({"utterance": format!("{beginning} …"), "user": "bob"}).to_string();
    assert_eq!(
        rewrite(Shape::Json, record.as_bytes(), &wanted),
        Left::All,
        "a text of bob's own"
    );

    let left: Value = serde_json::from_slice(&bytes).expect("JSON");
    let comment = format!("as in: {ERASED_MARK}");
    assert_eq!(
        (left, pieces),
        (json!({"remarks": [{"text": "B", "comment": comment}]}), 2)
    );
}

#[test]
fn lines_and_elements_of_a_labelling_job_keep_their_places() {
    let noted = json!({"source": "C", "note": format!("see {TEXT}")});
    let lines = format!("{}\n{{\"source\":\"B\"}}\n{noted}\n", json!({"source": TEXT}));
    let part = json!({"objects": [{"Labelled": {"content": {"note": TEXT}}}, "Withheld"]});

    let lines = rest(Shape::NumberedLines, lines.as_bytes());
    let part: Value =
        serde_json::from_slice(&rest(Shape::JsonInPlace, part.to_string().as_bytes())).expect("JSON");

    let noted = json!({"source": "C", "note": format!("see {ERASED_MARK}")});
    assert_eq!(text(lines), format!("{{}}\n{{\"source\":\"B\"}}\n{noted}\n"));
    assert_eq!(part["objects"][1], "Withheld");
    assert_eq!(part["objects"][0]["Labelled"]["content"]["note"], ERASED_MARK);
}

#[test]
fn what_others_have_written_stays_where_an_erased_text_stands_in_it() {
    let longer = format!("He wrote: {TEXT}");
    let quoted = longer.replace('"', "\"\"");
    let vote = json!({"worker": "user:bob", "answer": {"kind": "none-fits"}});
    for (shape, content) in [
        (
            Shape::Json,
            json!({"utterance": longer, "user": "bob"}).to_string(),
        ),
        (
            Shape::Json,
            json!({"record": {"utterance": longer}, "votes": [vote]}).to_string(),
        ),
        (
            Shape::Task,
            json!({"comprehendPredictions": [{"id": "a", "utterance": longer}]}).to_string(),
        ),
        (
            Shape::Task,
            json!({"taskObject": longer, "labels": ["World"]}).to_string(),
        ),
        (Shape::NumberedLines, json!({"source": longer}).to_string() + "\n"),
        (
            Shape::Upload,
            json!({"sentence": longer, "user": "bob"}).to_string(),
        ),
        (Shape::Upload, json!({"sentences": [longer]}).to_string()),
        (Shape::Upload, json!([longer]).to_string()),
        (Shape::Upload, format!("sentence,user\n\"{quoted}\",bob\n")),
        (
            Shape::Json,
            json!({"line": 1, "raw": json!({"sentence": longer, "user": "bob"}).to_string()}).to_string(),
        ),
        (Shape::Rows, format!("World,\"{quoted}\"\n")),
        (Shape::DatasetRows, format!("World,\"{quoted}\"\n")),
    ] {
        assert_eq!(
            rewrite(shape, content.as_bytes(), &wanted()),
            Left::All,
            "{shape:?}: {content}"
        );
    }
}

#[test]
fn a_text_that_is_called_as_a_source_takes_no_vote_and_no_record_of_others() {
    let texts = ["Feedback", "Human review", "Import", "Implicit"].map(str::to_owned);
    let wanted = Wanted::new(&texts, ErasedTexts::default());
    let question = json!({"record": {"utterance": "Other", "source": "implicit"}, "votes": [
        {"worker": "user:bob", "source": "feedback"}, {"worker": "a1", "source": "human-review"}]});

    for (shape, content) in [
        (Shape::Json, question.clone()),
        (
            Shape::Task,
            json!({"comprehendPredictions": [question["record"]]}),
        ),
        (Shape::Upload, json!({"sentence": "Other", "source": "import"})),
    ] {
        let left = rewrite(shape, content.to_string().as_bytes(), &wanted);

        assert_eq!(left, Left::All, "{content}");
    }
}

#[test]
fn what_a_labelling_job_asks_goes_also_where_it_is_short_and_a_label_does_not() {
    let wanted = Wanted::new(
        &["Elm 4".to_owned(), "Billing".to_owned()],
        ErasedTexts::default(),
    );
    let left = |shape, content: Value| rewrite(shape, content.to_string().as_bytes(), &wanted);

    for input in [
        json!({"taskObject": "elm 4", "labels": ["Billing"]}),
        json!({"initialValue": "Elm 4"}),
        json!({"source": "Elm 4"}),
        json!({"question": {"text": "Elm 4"}, "labels": ["Billing"]}),
    ] {
        assert_eq!(
            left(Shape::Task, input.clone()),
            Left::Nothing { pieces: 1 },
            "{input}"
        );
    }
    let audit = json!({"taskObject": "Other", "initialValue": "Billing", "labels": ["Billing"]});
    assert_eq!(left(Shape::Task, audit), Left::All);
    let consolidated = json!([
        {"datasetObjectId": "0", "dataObject": {"content": "Elm 4"}, "annotations": [{"workerId": "a"}]},
        {"datasetObjectId": "1", "dataObject": {"content": "Other"}, "annotations": []}]);
    let Left::Rest { bytes, .. } = left(Shape::Upload, consolidated.clone()) else {
        panic!("a rest");
    };
    let rest: Value = serde_json::from_slice(&bytes).expect("JSON");
    assert_eq!(rest, json!([consolidated[1]]));
}

#[test]
fn a_training_file_that_names_the_text_first_is_read_as_it_says() {
    let wanted = Wanted::new(
        &["I live in 4 Elm Street".to_owned(), "Billing".to_owned()],
        ErasedTexts::default(),
    );
    let file = "text,label\nI live in 4 Elm Street,Billing\nWhere is my bill?,Billing\nOther,Delivery\n";

    let left = rewrite(Shape::Rows, file.as_bytes(), &wanted);

    let bytes = b"text,label\nWhere is my bill?,Billing\nOther,Delivery\n".to_vec();
    assert_eq!(left, Left::Rest { bytes, pieces: 1 });
}

#[test]
fn rejected_rows_go_by_their_cells_and_by_their_user() {
    let wanted = Wanted::new(&["Call 0171 \"2345678\"".to_owned()], ErasedTexts::default());
    let wanted = wanted.of_users(&["jane".to_owned()], "erased");
    let raw = |raw: &str| json!({"line": 2, "reason": "feedback", "raw": raw}).to_string() + "\n";
    let kept = raw("Call me,bob,no");
    let lines = raw("Any text,Jane,no")
        + &kept
        + &raw("\"Call 0171 \"\"2345678\"\"\";bob;no")
        + &raw(&json!({"Sentence": "Any", "User": "jane"}).to_string())
        + &raw(&json!({"sentence": "Any", "user": "jane", "feedback": "no"}).to_string());

    let left = rewrite(Shape::Json, lines.as_bytes(), &wanted);

    assert_eq!(
        left,
        Left::Rest {
            bytes: kept.into_bytes(),
            pieces: 4
        }
    );
    let table = "sentence,user,feedback\nAny text,jane,no\nOther,bob,like\nCall me,bob,no\n";
    let left = rewrite(Shape::Upload, table.as_bytes(), &wanted);
    let bytes = b"sentence,user,feedback\nOther,bob,like\nCall me,bob,no\n".to_vec();
    assert_eq!(left, Left::Rest { bytes, pieces: 1 });
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
