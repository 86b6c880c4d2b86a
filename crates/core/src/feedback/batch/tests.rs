use std::io::Write;

use proptest::prelude::*;

use super::*;

/// Reads a file as batch-feedback does; returns its items and what was repaired.
fn read_all(key: &str, content: &[u8]) -> (Vec<Item>, Vec<String>) {
    let mut items = Vec::new();
    let file = BatchFile::from_key(key).expect("a known suffix");
    let named = match file.format {
        Format::Json => json_classifier(file, content).expect("a slice has no transport errors"),
        Format::JsonLines | Format::Csv => Ok(None),
    };
    let classifier = named.expect("fields that are known").unwrap_or_default();
    let repairs = read(file, content, &classifier, &mut |item| {
        items.push(item);
        ControlFlow::Continue(())
    });
    (items, repairs.expect("a slice has no transport errors"))
}

fn items(key: &str, content: &[u8]) -> Vec<Item> {
    read_all(key, content).0
}

fn sentences(items: &[Item]) -> Vec<String> {
    items
        .iter()
        .flat_map(|item| &item.content)
        .map(|request| request.sentence.clone())
        .collect()
}

fn reasons(items: &[Item]) -> Vec<(u64, &str)> {
    items
        .iter()
        .filter_map(|item| Some((item.number, item.content.as_ref().err()?.as_str())))
        .collect()
}

#[test]
fn the_suffix_names_the_format_in_any_case() {
    let file = |format, gzip| Some(BatchFile { format, gzip });
    assert_eq!(BatchFile::from_key("a/b.JSON"), file(Format::Json, false));
    assert_eq!(BatchFile::from_key("a.jsonl.gz"), file(Format::JsonLines, true));
    assert_eq!(BatchFile::from_key("a.csv"), file(Format::Csv, false));
    assert_eq!(BatchFile::from_key("a.txt"), None);
    assert_eq!(BatchFile::from_key("json"), None);
}

#[test]
fn a_document_gives_its_classifier_to_texts_and_objects() {
    let items = items(
        "a.json",
        br#"{"classifier":"news","sentences":["One",{"sentence":"Two","label":"World"},{"classifier":"mail","sentence":"Three"}]}"#,
    );

    let requests: Vec<&FeedbackRequest> = items.iter().flat_map(|item| &item.content).collect();
    assert_eq!(sentences(&items), ["One", "Two", "Three"]);
    assert_eq!(requests[1].label.as_deref(), Some("World"));
    assert_eq!(
        requests.iter().map(|r| r.classifier.as_str()).collect::<Vec<_>>(),
        ["news", "news", "mail"]
    );
}

#[test]
fn a_bad_element_is_set_aside_and_the_next_one_is_read() {
    let items = items(
        "a.json",
        br#"{"classifier":"news","sentences":[7,"One",{"sentence":["x"]},"Two"]}"#,
    );

    assert_eq!(sentences(&items), ["One", "Two"]);
    assert_eq!(
        reasons(&items)
            .iter()
            .map(|(number, _)| *number)
            .collect::<Vec<_>>(),
        [1, 3]
    );
}

#[test]
fn a_classifier_after_the_sentences_is_found() {
    let content = br#"{"sentences":["One"],"classifier":"news"}"#;
    let file = BatchFile::from_key("a.json").expect("a known suffix");

    let classifier = json_classifier(file, &content[..]).expect("no transport error");

    assert_eq!(classifier, Ok(Some("news".to_owned())));
}

#[test]
fn a_damaged_document_keeps_what_came_before_and_says_where_it_breaks() {
    let items = items("a.json", br#"{"classifier":"news","sentences":["One","Two"#);

    assert_eq!(sentences(&items), ["One"]);
    assert_eq!(
        reasons(&items),
        [(
            2,
            "not valid JSON feedback: it ends too early (line 1, column 44)"
        )]
    );
}

#[test]
fn a_document_without_sentences_says_so() {
    for content in [&br#"{"classifier":"news"}"#[..], b"7", b""] {
        assert_eq!(items("a.json", content).len(), 1, "{content:?}");
    }
}

#[test]
fn lines_may_have_a_byte_order_mark_crlf_and_blanks() {
    let items = items(
        "a.jsonl",
        b"\xEF\xBB\xBF{\"classifier\":\"news\",\"sentence\":\"One\"}\r\n\r\nnonsense\r\n{\"classifier\":\"news\",\"sentence\":\"Two\"}",
    );

    assert_eq!(sentences(&items), ["One", "Two"]);
    assert_eq!(
        reasons(&items),
        [(3, "not valid JSON feedback: syntax error (line 1, column 2)")]
    );
}

#[test]
fn a_line_beyond_the_limit_is_rejected_and_the_next_one_read() {
    let mut content = vec![b'x'; 5 * MAX_ITEM_BYTES];
    content.extend_from_slice(b"\n{\"classifier\":\"news\",\"sentence\":\"One\"}\n");

    let items = items("a.jsonl", &content);

    assert_eq!(sentences(&items), ["One"]);
    assert_eq!(
        reasons(&items),
        [(
            1,
            "the line is longer than 1048576 bytes, with which it begins here"
        )]
    );
}

#[test]
fn csv_is_read_by_its_header() {
    let items = items(
        "a.csv",
        b"\xEF\xBB\xBFlabel,Sentence,classifier,user\r\nWorld,\"One, \"\"two\"\"\nthree\",news,x\r\nWorld,short\r\n,Four,news,\r\n",
    );

    assert_eq!(sentences(&items), ["One, \"two\"\nthree", "Four"]);
    assert_eq!(reasons(&items), [(4, "2 columns where the header has 4")]);
}

#[test]
fn csv_without_the_needed_columns_is_rejected_once() {
    let items = items("a.csv", b"World,Some text\nSports,Other text\n");

    assert_eq!(
        reasons(&items),
        [(
            1,
            "the header line has an unknown field `World`: the fields are `classifier`, `sentence`, `feedback`, \
             `prediction`, `confidence`, `label`, `predictionId`, `user`; nothing of the file was read"
        )]
    );
}

#[test]
fn an_unbalanced_quote_does_not_fill_the_memory() {
    let mut content = b"classifier,sentence\nnews,One\nnews,\"".to_vec();
    content.resize(8 * MAX_ITEM_BYTES, b'x');

    let items = items("a.csv", &content);

    assert_eq!(sentences(&items), ["One"]);
    assert!(
        reasons(&items)[0].1.contains("unbalanced"),
        "{:?}",
        reasons(&items)
    );
}

#[test]
fn a_truncated_gzip_file_keeps_what_could_be_read() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    for number in 0..5_000 {
        writeln!(encoder, r#"{{"classifier":"news","sentence":"Text {number}"}}"#).expect("memory");
    }
    let bytes = encoder.finish().expect("memory");

    let whole = items("a.jsonl.gz", &bytes);
    let cut = items("a.jsonl.gz", &bytes[..bytes.len() / 2]);

    assert_eq!(whole.len(), 5_000);
    assert!(cut.len() > 1 && cut.len() < 5_000);
    assert!(cut.last().is_some_and(|item| item.content.is_err()));
    assert_eq!(items("a.jsonl.gz", b"no gzip at all").len(), 1);
}

#[test]
fn a_transport_error_is_no_bad_item() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("connection reset"))
        }
    }
    for key in ["a.json", "a.jsonl", "a.csv"] {
        let file = BatchFile::from_key(key).expect("a known suffix");
        let outcome = read(file, Broken, "news", &mut |_| panic!("nothing was read"));
        assert!(matches!(outcome, Err(ReadError::Io(_))), "{key}");
    }
}

#[test]
fn an_unknown_field_of_a_line_rejects_that_line_and_names_it() {
    let content = br#"{"sentence":"One","like":true}
{"sentence":"Two","Feedback":"like"}
{"sentence":"Three","feedback":"Like"}
{"sentence":"Four","feedback":"like","feedback":"dislike"}
{"sentence":"Five","feedback":"like"}
"#;

    let items = items("a.jsonl", content);

    assert_eq!(sentences(&items), ["Five"]);
    assert_eq!(
        reasons(&items),
        [
            (1, "unknown field `like`: did you mean `feedback`?"),
            (2, "unknown field `Feedback`: did you mean `feedback`?"),
            (
                3,
                "field `feedback` must be `like` or `dislike`, in lower case, not another text; \
                 left out it means `dislike`"
            ),
            (4, "field `feedback` is given more than once"),
        ]
    );
}

#[test]
fn a_header_in_another_case_is_read_and_the_repair_is_told() {
    let (items, repairs) = read_all("a.csv", b"Text,Prediction ID,feedback\nOne,p-1,like\n");

    let request = items[0].content.as_ref().expect("a request");
    assert_eq!(request.prediction_id.as_deref(), Some("p-1"));
    assert_eq!(
        repairs,
        [
            "column `Text` was read as `sentence`",
            "column `Prediction ID` was read as `predictionId`"
        ]
    );
}

#[test]
fn a_csv_column_that_nobody_reads_refuses_the_file_by_its_name() {
    for (header, reason) in [
        ("sentence,lable", "an unknown field `lable`"),
        ("sentence,rating", "did you mean `feedback`?"),
        ("sentence;label", "separated by semicolons"),
        ("sentence\tlabel", "separated by tabs"),
        ("sentence,Text", "more than one column for `sentence`"),
        ("label,user", "no column `sentence`"),
    ] {
        let items = items("a.csv", format!("{header}\nOne,Two\n").as_bytes());

        assert!(
            matches!(reasons(&items)[..], [(1, told)] if told.contains(reason)),
            "{header}: {items:?}"
        );
        assert_eq!(items[0].raw, header.as_bytes());
    }
}

#[test]
fn a_field_beside_the_sentences_of_a_document_refuses_it_wherever_it_stands() {
    let file = BatchFile::from_key("a.json").expect("a known suffix");
    for (content, reason) in [
        (
            r#"{"sentences":["One"],"feedback":"like"}"#,
            "unknown field `feedback`: the fields are",
        ),
        (
            r#"{"Sentences":["One"]}"#,
            "unknown field `Sentences`: did you mean `sentences`?",
        ),
        (
            r#"{"classifier":7,"sentences":["One"]}"#,
            "field `classifier` must be a text",
        ),
        (
            r#"{"sentences":[],"sentences":["One"]}"#,
            "field `sentences` is given more than once",
        ),
    ] {
        let refused = json_classifier(file, content.as_bytes()).expect("no transport error");

        assert!(
            refused.as_ref().is_err_and(|told| told.starts_with(reason)),
            "{refused:?}"
        );
    }
}

#[test]
fn what_cannot_be_used_is_kept_byte_by_byte() {
    let csv = items(
        "a.csv",
        b"sentence,label\r\nOne,\"caf\xe9\"\r\n\r\n\"Two\nlines\",a,b\r\n",
    );
    let lines = items("a.jsonl", b"{\"sentence\": \"caf\xe9\"}\r\n");
    let document = items("a.json", br#"{"sentences": [ {"sentence" :  7}, "x\ud800" ]}"#);

    let raw = |items: &[Item]| items.iter().map(|item| item.raw.clone()).collect::<Vec<_>>();
    assert_eq!(raw(&csv), [&b"One,\"caf\xe9\""[..], b"\"Two\nlines\",a,b"]);
    assert_eq!(raw(&lines), [b"{\"sentence\": \"caf\xe9\"}"]);
    assert_eq!(raw(&document), [&br#"{"sentence" :  7}"#[..], br#""x\ud800""#]);
    assert!(
        csv.iter()
            .chain(&lines)
            .chain(&document)
            .all(|item| item.content.is_err())
    );
}

#[test]
fn a_file_in_utf_16_is_refused_by_name() {
    for key in ["a.csv", "a.jsonl", "a.json"] {
        let items = items(key, b"\xff\xfes\0e\0n\0");

        assert_eq!(reasons(&items), [(1, "the file is UTF-16; save it as UTF-8")]);
    }
}

proptest! {
    #[test]
    fn any_bytes_end_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), kind in 0usize..4) {
        let key = ["a.json", "a.jsonl", "a.csv", "a.csv.gz"][kind];
        let file = BatchFile::from_key(key).expect("a known suffix");
        let _ = json_classifier(file, &bytes[..]);
        let _ = read(file, &bytes[..], "news", &mut |_| ControlFlow::Continue(()));
    }

    #[test]
    fn texts_survive_every_format(texts in proptest::collection::vec("\\PC{1,60}", 1..8)) {
        let mut csv = ::csv::Writer::from_writer(Vec::new());
        csv.write_record(["classifier", "sentence"]).expect("memory");
        let mut lines = String::new();
        for text in &texts {
            csv.write_record(["news", text]).expect("memory");
            lines += &format!("{}\n", serde_json::json!({"classifier": "news", "sentence": text}));
        }
        let document = serde_json::json!({"classifier": "news", "sentences": texts}).to_string();

        prop_assert_eq!(sentences(&items("a.json", document.as_bytes())), texts.clone());
        prop_assert_eq!(sentences(&items("a.jsonl", lines.as_bytes())), texts.clone());
        let csv = csv.into_inner().expect("memory");
        prop_assert_eq!(sentences(&items("a.csv", &csv)), texts);
    }
}
