//! What is left of every format, and that what others have said stays byte by byte.

use std::io::{Read, Write};

use active_learning_core::{
    erasure::ErasedTexts,
    sampling::selection::{SelectedBy, SelectedTexts},
    text::{Vector, VectorId, normalise, pack_vectors, vector_id},
};
use base64::{Engine, prelude::BASE64_STANDARD};
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
        {"text": "B", "comment": format!("as in: {TEXT}")}],
        "skips": [{"text": TEXT, "reason": "r"}, {"text": "B", "reason": "r"}]});

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
        (
            json!({"remarks": [{"text": "B", "comment": comment}], "skips": [{"text": "B", "reason": "r"}]}),
            3
        )
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
    let audited = |ids: &[VectorId]| -> SelectedTexts {
        let audited = ids.iter().map(|id| (*id, SelectedBy::Audit(0.5)));
        audited.collect()
    };
    let selected = rest(Shape::Ids, &audited(&ids).to_bytes());

    assert_eq!(text(lines), "other text\n");
    assert_eq!(pack, pack_vectors(2, [(&ids[1], &vectors[1])]));
    assert_eq!(chosen, ids[1]);
    assert_eq!(selected, audited(&ids[1..]).to_bytes());
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

fn utf_16(text: &str) -> Vec<u8> {
    let units = [0xfe_ff_u16].into_iter().chain(text.encode_utf16());
    units.flat_map(u16::to_le_bytes).collect()
}

#[test]
fn a_table_in_another_encoding_stays_in_it_without_the_rows() {
    let kept = "sentence,user\r\nOther,bob\r\n";
    let table = format!("{kept}\"{}\",bob\r\nAny,Jane Roe\r\n", TEXT.replace('"', "\"\""));

    let left = rewrite(Shape::Upload, &utf_16(&table), &wanted());

    let bytes = utf_16(kept);
    assert_eq!(left, Left::Rest { bytes, pieces: 2 });
}

#[test]
fn json_in_another_encoding_becomes_lines_that_mean_the_same() {
    let document = json!({"classifier": "news", "sentences": ["Other", TEXT]});

    let left = text(rest(Shape::Upload, &utf_16(&document.to_string())));

    let left: Value = serde_json::from_str(left.trim()).expect("one line");
    assert_eq!(
        (&left["sentence"], &left["classifier"]),
        (&json!("Other"), &json!("news"))
    );
}

/// A short text, with letters that encodings write otherwise, and what it is erased by.
const SHORT: &str = "Elmstraße 4";

fn short() -> Wanted {
    let wanted = Wanted::new(&[SHORT.to_owned()], ErasedTexts::default());
    wanted.of_users(&["jane".to_owned()], "erased")
}

#[test]
fn a_file_that_was_refused_as_a_whole_loses_its_rows_however_it_is_written() {
    let old = |text: &str| -> Vec<u8> {
        text.chars()
            .map(|c| u8::try_from(u32::from(c)).expect("old"))
            .collect()
    };
    let kept = "sentence;label;agent\nAnother \"text\";billing;x\n";
    let own = "Elmstraße 4;billing;x\nWhatever;billing;jane\n\"elmstraße\n4\";billing;y\n";
    for delimiter in [";", ",", "\t", "|"] {
        let (kept, all) = (
            kept.replace(';', delimiter),
            format!("{kept}{own}").replace(';', delimiter),
        );
        for (all, kept) in [
            (all.clone().into_bytes(), kept.clone().into_bytes()),
            (utf_16(&all), utf_16(&kept)),
            (old(&all), old(&kept)),
        ] {
            let left = rewrite(Shape::Upload, &all, &short());

            let pieces = 3;
            assert_eq!(left, Left::Rest { bytes: kept, pieces }, "{delimiter}");
        }
    }
}

#[test]
fn a_refused_list_of_texts_and_a_table_that_begins_as_json_lose_the_rows() {
    for (all, kept) in [
        (
            "Beschwerden\nElmstraße 4\nElmstraße 4 ist es nicht\n",
            "Beschwerden\nElmstraße 4 ist es nicht\n",
        ),
        (
            "[urgent] a,b,c\nx,\"Elmstraße\n4\",z\nu,v,w\n",
            "[urgent] a,b,c\nu,v,w\n",
        ),
        ("a,b\nElmstraße 4,c,d\ne\n", "a,b\ne\n"),
    ] {
        let left = rewrite(Shape::Upload, all.as_bytes(), &short());

        let bytes = kept.as_bytes().to_vec();
        assert_eq!(left, Left::Rest { bytes, pieces: 1 }, "{all}");
    }
}

#[test]
fn json_lines_and_rejected_rows_in_an_old_encoding_lose_the_text() {
    let kept = b"{\"sentence\": \"F\xfcr 5\"}\n".to_vec();
    let lines = [kept.clone(), b"{\"sentence\": \"Elmstra\xdfe 4\"}\n".to_vec()].concat();
    let raw = BASE64_STANDARD.encode(b"Elmstra\xdfe 4;x");
    let rejected = json!({"line": 2, "reason": "columns", "rawBase64": raw}).to_string();

    let left = rewrite(Shape::Upload, &lines, &short());

    assert_eq!(
        left,
        Left::Rest {
            bytes: kept,
            pieces: 1
        }
    );
    assert_eq!(
        rewrite(Shape::Json, rejected.as_bytes(), &short()),
        Left::Nothing { pieces: 1 }
    );
}

fn workbook(name: &str) -> Vec<u8> {
    let path = format!("{}/../text-import/tests/files/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(path).expect("a file of the tests")
}

#[test]
fn sheets_lose_the_rows_whether_they_were_read_or_refused_and_none_of_the_others() {
    let left = |name: &str, erased: &str| {
        let wanted = Wanted::new(&[erased.to_owned()], ErasedTexts::default());
        match rewrite(
            Shape::Upload,
            &workbook(name),
            &wanted.of_users(&["jane".to_owned()], "erased"),
        ) {
            Left::Rest { bytes, pieces } => (text(bytes), pieces),
            other => panic!("{name}: {other:?}"),
        }
    };

    let (refused, of_refused) = left("tickets.xlsx", "My parcel never came");
    let (read, of_read) = left("two-sheets.xlsx", "I cannot log in");

    assert_eq!((of_refused, of_read), (1, 2));
    assert!(
        !refused.contains("My parcel")
            && refused.contains("The invoice is wrong")
            && refused.contains("sheet\\there"),
        "{refused}"
    );
    assert!(
        !read.contains("log in") && !read.contains("Call me back"),
        "{read}"
    );
    assert!(
        read.contains("The invoice is wrong again") && read.contains("The parcel is late"),
        "{read}"
    );
    // What is left is looked through again by another erasure.
    let wanted = Wanted::new(&["the parcel is late".to_owned()], ErasedTexts::default());
    let again = rewrite(Shape::Upload, read.as_bytes(), &wanted);
    assert_eq!(again.pieces(), 1, "{again:?}");
}

#[test]
fn a_training_file_that_was_refused_loses_its_rows_and_stays_what_it_was() {
    let old = |text: &str| -> Vec<u8> {
        text.chars()
            .map(|c| u8::try_from(u32::from(c)).expect("old"))
            .collect()
    };
    for (all, kept) in [
        ("billing;Elmstraße 4\nbilling;Other\n", "billing;Other\n"),
        ("billing\tElmstraße 4\nbilling\tOther\n", "billing\tOther\n"),
        ("billing,Elmstraße 4\nGebühr,Für 5\n", "Gebühr,Für 5\n"),
        (
            "a,\"never closed\nbilling,Elmstraße 4\nbilling,Other\n",
            "a,\"never closed\nbilling,Other\n",
        ),
        ("Elmstraße 4,a,b\nbilling,Other\n", "billing,Other\n"),
    ] {
        for (all, kept) in [
            (all.as_bytes().to_vec(), kept.as_bytes().to_vec()),
            (old(all), old(kept)),
            (utf_16(all), utf_16(kept)),
        ] {
            let left = rewrite(Shape::Rows, &all, &short());

            assert_eq!(
                left,
                Left::Rest {
                    bytes: kept,
                    pieces: 1
                },
                "{}",
                String::from_utf8_lossy(&all)
            );
        }
    }
    // Of a refused file too a label is no text where the columns are known.
    let wanted = Wanted::new(&["Billing".to_owned()], ErasedTexts::default());
    let labels = b"Billing,Caf\xe9\nBilling,Other\nLogin,Any\n";
    assert_eq!(rewrite(Shape::Rows, labels, &wanted), Left::All);
    assert_eq!(
        rewrite(Shape::Lake, b"Billing,One\nLogin,Two\n", &wanted),
        Left::All
    );
}

#[test]
fn what_cannot_be_cut_into_rows_is_told_and_a_picture_is_not() {
    let is_unread = |shape, bytes: &[u8]| matches!(rewrite(shape, bytes, &short()), Left::Unread { .. });

    for bytes in [
        &workbook("texts.zip")[..],
        &workbook("texts.parquet"),
        b"%PDF-1.7 and more",
        b"<html><p>Elmstra\xc3\x9fe 4</p></html>",
        b"\x1F\x8B damaged",
    ] {
        assert!(is_unread(Shape::Upload, bytes) && is_unread(Shape::Rows, bytes));
    }
    assert_eq!(
        rewrite(Shape::Upload, b"%PDF-1.7", &short()),
        Left::Unread {
            reason: "it is a PDF".to_owned()
        }
    );
    for bytes in [&b"\x89PNG\r\n\x1a\n and more"[..], b"", b"Other\n"] {
        assert_eq!(rewrite(Shape::Upload, bytes, &short()), Left::All);
    }
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

#[test]
fn beside_what_goes_every_number_name_and_space_stays_as_it_is_written() {
    let wanted = Wanted::new(
        &["Grumble snark fizzle wottle plam the seventh.".to_owned()],
        ErasedTexts::default(),
    );
    let erased = "\"Grumble snark fizzle wottle plam the seventh.\"";
    let mark = format!("\"{ERASED_MARK}\"");
    let line = r#"{"source":"keep me","z":1.10,"id":123456789012345678901234567890,"e":1e400,"note":X,"a":{"y":1,"b":2E1}}"#;
    let list =
        r#"[{"sentence":X,"confidence":0.50},{"sentence":"its own form","confidence":0.50,  "user":"q"}]"#;
    let sentences = r#"{ "classifier": "news", "sentences": [ "One", X, "\u00e9\/Two" ], "n": 1.0 }"#;
    let state = r#"{"input":{"text":"keep this","ticket":98765432109876543210987,"price":1.10,"earlier":X},"n":1.50}"#;
    for (shape, content, expected) in [
        (
            Shape::NumberedLines,
            format!("{line}\n"),
            format!("{}\n", line.replace('X', &mark)),
        ),
        (Shape::Json, line.to_owned(), line.replace('X', &mark)),
        (Shape::HumanLoop, state.to_owned(), state.replace('X', &mark)),
        (
            Shape::Upload,
            list.to_owned(),
            r#"[{"sentence":"its own form","confidence":0.50,  "user":"q"}]"#.to_owned(),
        ),
        (
            Shape::Upload,
            sentences.to_owned(),
            r#"{ "classifier": "news", "sentences": [ "One", "\u00e9\/Two" ], "n": 1.0 }"#.to_owned(),
        ),
        (
            Shape::Texts,
            "[\"a\",  X, \"\\u00e9\"]".to_owned(),
            "[\"a\", \"\\u00e9\"]".to_owned(),
        ),
    ] {
        let left = rewrite(shape, content.replace('X', erased).as_bytes(), &wanted);

        let bytes = expected.into_bytes();
        assert_eq!(left, Left::Rest { bytes, pieces: 1 }, "{shape:?}");
    }
}

#[test]
fn a_row_with_a_number_or_a_letter_that_no_type_holds_is_json_and_goes_only_where_it_is_meant() {
    let own = |text: &str| {
        format!(
            "{{\"sentence\":{},\"e\":1e400,\"half\":\"\\ud800\"}}\n",
            json!(text)
        )
    };
    let other = own("Another text");

    let left = rest(Shape::Upload, format!("{}{other}", own(TEXT)).as_bytes());
    let by_its_digits = Wanted::new(
        &["123456789012345678901234567890".to_owned()],
        ErasedTexts::default(),
    );
    let row = b"{\"customer\":123456789012345678901234567890}\n{\"customer\":1.10}\n";

    assert_eq!(text(left), other);
    let bytes = b"{\"customer\":1.10}\n".to_vec();
    assert_eq!(
        rewrite(Shape::Upload, row, &by_its_digits),
        Left::Rest { bytes, pieces: 1 }
    );
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
            Left::Unread { reason } => prop_assert_eq!(reason, ""),
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
            Left::Unread { reason } => prop_assert_eq!(reason, ""),
            Left::All => prop_assert_eq!(all, others),
            Left::Nothing { .. } => prop_assert_eq!(others, ""),
            Left::Rest { bytes, .. } => prop_assert_eq!(String::from_utf8_lossy(&bytes), others),
        }
    }
}
