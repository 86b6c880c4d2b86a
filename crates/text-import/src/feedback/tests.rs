use std::io::Write;

use proptest::prelude::*;

use active_learning_core::feedback::Opinion;

use super::*;

/// Reads a file as batch-feedback does; returns its items and what was repaired.
fn read_all(content: &[u8]) -> (Vec<Item>, Vec<String>) {
    let mut items = Vec::new();
    let whole = whole(content).expect("a slice has no transport errors");
    let repairs = read(content, &whole.expect("fields that are known"), "", &mut |item| {
        items.push(item);
        ControlFlow::Continue(())
    });
    (items, repairs.expect("a slice has no transport errors"))
}

fn items(content: &[u8]) -> Vec<Item> {
    read_all(content).0
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
fn a_document_gives_its_classifier_to_texts_and_objects() {
    let items = items(
        br#"{"classifier":"news","sentences":
            ["One",{"sentence":"Two","label":"World"},{"classifier":"mail","sentence":"Three"}]}"#,
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
    let items = items(br#"{"classifier":"news","sentences":[7,"One",{"sentence":["x"]},"Two"]}"#);

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

    let whole = whole(&content[..]).expect("no transport error");

    assert_eq!(whole.map(|whole| whole.classifier), Ok(Some("news".to_owned())));
}

#[test]
fn a_damaged_document_keeps_what_came_before_and_says_where_it_breaks() {
    let items = items(br#"{"classifier":"news","sentences":["One","Two"#);

    assert_eq!(sentences(&items), ["One"]);
    assert_eq!(
        reasons(&items),
        [(2, "not valid JSON: it ends too early (line 1, column 44)")]
    );
}

#[test]
fn a_list_of_texts_within_a_line_or_an_element_is_told_to_be_a_file_of_its_own() {
    for content in [
        "{\"sentence\":\"One\"}\n{\"classifier\":\"news\",\"sentences\":[\"Two\"]}\n",
        r#"[{"sentence":"One"},{"sentences":["Two"]}]"#,
    ] {
        let items = items(content.as_bytes());

        assert_eq!(sentences(&items), ["One"]);
        let reason = items[1].content.as_ref().expect_err("no item");
        assert!(
            reason.contains("put the object into a file of its own"),
            "{reason}"
        );
    }
}

#[test]
fn the_first_line_of_a_spreadsheet_says_what_separates_the_columns_of_a_batch_file() {
    for content in [
        "sep=;\r\nsentence;label\r\nOne, two;World\r\n",
        "\u{feff}sep=;\nsentence;label\nOne, two;World\n",
        "\"sep=;\";\nsentence;label\nOne, two;World\n",
        "sep=,\nsentence,label\n\"One, two\",World\n",
    ] {
        let items = items(content.as_bytes());

        assert_eq!(sentences(&items), ["One, two"], "{content}");
        let request = items[0].content.as_ref().expect("an item");
        assert_eq!(request.label.as_deref(), Some("World"));
    }
}

#[test]
fn a_document_without_sentences_says_so() {
    for content in [&br#"{"classifier":"news"}"#[..], b"7"] {
        assert_eq!(items(content).len(), 1, "{content:?}");
    }
}

#[test]
fn lines_may_have_a_byte_order_mark_crlf_and_blanks() {
    let items = items(
        b"\xEF\xBB\xBF{\"classifier\":\"news\",\"sentence\":\"One\"}\r\n\r\nnonsense\r\n\
        {\"classifier\":\"news\",\"sentence\":\"Two\"}",
    );

    assert_eq!(sentences(&items), ["One", "Two"]);
    assert_eq!(reasons(&items), [(3, "not valid JSON: syntax error (column 2)")]);
}

#[test]
fn a_line_beyond_the_limit_is_rejected_and_the_next_one_read() {
    let mut content = b"{\"sentence\":\"Zero\"}\n".to_vec();
    content.resize(5 * MAX_ITEM_BYTES, b'x');
    content.extend_from_slice(b"\n{\"classifier\":\"news\",\"sentence\":\"One\"}\n");

    let items = items(&content);

    assert_eq!(sentences(&items), ["Zero", "One"]);
    assert_eq!(
        reasons(&items),
        [(
            2,
            "the line is longer than 1048576 bytes, with which it begins here"
        )]
    );
}

#[test]
fn csv_is_read_by_its_header() {
    let items = items(
        b"\xEF\xBB\xBFlabel,Sentence,classifier,user\r\n\
        World,\"One, \"\"two\"\"\nthree\",news,x\r\nWorld,short\r\n,Four,news,\r\n",
    );

    assert_eq!(sentences(&items), ["One, \"two\"\nthree", "Four"]);
    assert_eq!(reasons(&items), [(4, "2 columns where the header has 4")]);
}

#[test]
fn csv_without_the_needed_columns_is_rejected_once() {
    let items = items(b"World,Some text\nSports,Other text\n");

    assert_eq!(
        reasons(&items),
        [(
            1,
            "the header line has in column 1 an unknown field `World`: the fields are `classifier`, `sentence`, \
             `feedback`, \
             `prediction`, `confidence`, `label`, `predictionId`, `user`; nothing of the file was read. \
             Name the columns in the first line, such as `sentence,label`; texts without columns are one a line, \
             or JSON Lines"
        )]
    );
}

#[test]
fn an_unbalanced_quote_does_not_fill_the_memory() {
    let mut content = b"classifier,sentence\nnews,One\nnews,\"".to_vec();
    content.resize(8 * MAX_ITEM_BYTES, b'x');

    let items = items(&content);

    assert_eq!(sentences(&items), ["One"]);
    assert!(
        reasons(&items)[0].1.contains("longer than 1048576 bytes"),
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

    let whole = items(&bytes);
    let cut = items(&bytes[..bytes.len() / 2]);

    assert_eq!(whole.len(), 5_000);
    assert!(cut.len() > 1 && cut.len() < 5_000);
    assert!(cut.last().is_some_and(|item| item.content.is_err()));
    assert_eq!(items(b"no gzip at all").len(), 1);
}

#[test]
fn a_transport_error_is_no_bad_item() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("connection reset"))
        }
    }
    let outcome = read(Broken, &Whole::default(), "news", &mut |_| {
        panic!("nothing was read")
    });

    assert!(matches!(outcome, Err(ReadError::Io(_))));
    assert!(matches!(whole(Broken), Err(ReadError::Io(_))));
}

#[test]
fn an_unknown_field_of_a_line_rejects_that_line_and_names_it() {
    let content = br#"{"sentence":"One","like":true}
{"sentence":"Two","Feedback":"like"}
{"sentence":"Three","feedback":"Like"}
{"sentence":"Four","feedback":"like","feedback":"dislike"}
{"sentence":"Five","feedback":"like"}
"#;

    let items = items(content);

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
    let (items, repairs) = read_all(b"Text,Prediction ID,feedback\nOne,p-1,like\n");

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
        ("sentence,department", "an unknown field `department`"),
        ("text,Abteilung", "an unknown field `Abteilung`"),
        ("text,Oddělení", "an unknown field `Oddělení`"),
        ("sentence,rating", "did you mean `feedback`?"),
        ("sentence;lable", "an unknown field `lable`"),
        ("sentence\trating", "did you mean `feedback`?"),
        ("sentence,Text", "more than one column for `sentence`"),
        ("label,user", "no column `sentence`"),
    ] {
        let row = "One,Two".replace(
            ',',
            if header.contains(';') {
                ";"
            } else if header.contains('\t') {
                "\t"
            } else {
                ","
            },
        );
        let items = items(format!("{header}\n{row}\n").as_bytes());

        assert!(
            matches!(reasons(&items)[..], [(1, told)] if told.contains(reason)),
            "{header}: {items:?}"
        );
        assert_eq!(items[0].raw, header.as_bytes());
    }
}

#[test]
fn a_field_beside_the_sentences_of_a_document_refuses_it_wherever_it_stands() {
    for (content, reason) in [
        (
            r#"{"sentences":["One"],"rating":"like"}"#,
            "unknown field `rating`: did you mean `feedback`?",
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
        let refused = whole(content.as_bytes()).expect("no transport error");

        assert!(
            refused.as_ref().is_err_and(|told| told.starts_with(reason)),
            "{refused:?}"
        );
    }
}

#[test]
fn half_of_a_surrogate_pair_in_a_line_is_refused_by_its_field() {
    let items = items(b"{\"sentence\": \"One\"}\n{\"sentence\": \"x\\ud800\"}\n{\"sentence\": \"Two\"}\n");

    let told = reasons(&items);

    assert!(
        matches!(told[..], [(2, half)] if half.starts_with("field `sentence` holds half of a surrogate pair")),
        "{told:?}"
    );
    assert_eq!(sentences(&items), ["One", "Two"]);
}

#[test]
fn what_cannot_be_used_is_kept_byte_by_byte() {
    let csv = items(b"sentence,label\r\nOne,\"caf\xe9\",x\r\n\r\n\"Two\nlines\",a,b\r\nThree,\"a\"\r\n");
    let lines = items(b"{\"sentence\": \"caf\xe9\", \"x\": 1}\r\n");
    let document = items(br#"{"sentences": [ {"sentence" :  7}, "x\ud800" ]}"#);

    let bad = |items: &[Item]| {
        let bad = items.iter().filter(|item| item.content.is_err());
        bad.map(|item| item.raw.clone()).collect::<Vec<_>>()
    };
    assert_eq!(bad(&csv), [&b"One,\"caf\xe9\",x"[..], b"\"Two\nlines\",a,b"]);
    assert_eq!(reasons(&csv)[1], (4, "3 columns where the header has 2"));
    assert_eq!(bad(&lines), [b"{\"sentence\": \"caf\xe9\", \"x\": 1}"]);
    assert_eq!(bad(&document), [&br#"{"sentence" :  7}"#[..], br#""x\ud800""#]);
}

#[test]
fn a_line_of_another_encoding_counts_once_however_many_columns_have_accents() {
    let (_, told) = read_all(b"sentence\tlabel\ncaf\xe9\tBoisson chaud\xe9\nth\xe9\tth\xe9\nplain\tOther\n");

    let expected = "lines that are no UTF-8, which were read as Windows-1252: 2, the first in line 2";
    assert_eq!(told, [expected]);
}

#[test]
fn a_decimal_comma_is_read_as_a_point_and_told_in_a_table_and_named_in_json() {
    let (items, told) =
        read_all(b"sentence;prediction;confidence\na;World;0,83\nb;World;0.5\nc;World;0,5,1\n");
    let (json, _) = read_all(br#"{"sentence": "a", "prediction": "World", "confidence": "0,83"}"#);

    let confidence = |item: &Item| item.content.as_ref().ok().and_then(|request| request.confidence);
    let found: Vec<_> = items.iter().map(confidence).collect();
    assert_eq!(found, [Some(0.83), Some(0.5), None]);
    let expected = "lines whose confidence has a decimal comma, such as 0,83, which was read as 0.83: 1, the first in line 2";
    assert_eq!(told, [expected]);
    let reason = "field `confidence` is a number with a decimal comma, `0,83`: write `0.83`";
    assert_eq!(json[0].content, Err(reason.to_owned()));
}

#[test]
fn utf_16_windows_1252_and_other_delimiters_are_read_and_told() {
    let utf_16: Vec<u8> = "\u{feff}Texto;Etiqueta\r\ncaf\u{e9};World\r\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let (wide, repairs) = read_all(&utf_16);
    let (old, told) = read_all(b"sentence\tlabel\ncaf\xe9\tWorld\n");

    assert_eq!(
        (sentences(&wide), sentences(&old)),
        (vec!["café".to_owned()], vec!["café".to_owned()])
    );
    assert_eq!(
        repairs,
        [
            "column `Texto` was read as `sentence`",
            "column `Etiqueta` was read as `label`"
        ]
    );
    assert_eq!(
        told,
        ["lines that are no UTF-8, which were read as Windows-1252: 1, the first in line 2"]
    );
}

#[test]
fn a_quote_that_never_closes_costs_its_row_and_keeps_its_bytes() {
    let items = items(b"sentence,label\nOne,World\n\"Two,World\nThree,World\n");

    assert_eq!(sentences(&items), ["One", "Three"]);
    assert_eq!(
        reasons(&items),
        [(3, "the quote that opens in line 3 is never closed")]
    );
    assert_eq!(items[1].raw, b"\"Two,World");
}

#[test]
fn text_and_labels_are_fields_and_lists_of_labels_one_label_each() {
    let lines = items(
        br#"{"text":"One","labels":["World","Sports"]}
{"text":"Two","label":["World"]}
{"text":"Three","labels":[]}
{"text":"Four","labels":[["World"]]}
"#,
    );

    let labels: Vec<Option<&str>> = lines
        .iter()
        .flat_map(|item| &item.content)
        .map(|request| request.label.as_deref())
        .collect();
    assert_eq!(labels, [Some("World|Sports"), Some("World"), None]);
    assert_eq!(
        reasons(&lines),
        [(4, "field `label` must be a text or a list of texts")]
    );
}

#[test]
fn fields_of_a_document_count_for_its_texts_and_are_told() {
    let (items, repairs) = read_all(
        br#"{"sentences":["One",{"sentence":"Two","label":"Sports"}],"label":"World","feedback":"like"}"#,
    );

    let requests: Vec<&FeedbackRequest> = items.iter().flat_map(|item| &item.content).collect();
    let labels: Vec<Option<&str>> = requests.iter().map(|request| request.label.as_deref()).collect();
    assert_eq!(labels, [Some("World"), Some("Sports")]);
    assert!(
        requests
            .iter()
            .all(|request| request.feedback == Some(Opinion::Like))
    );
    assert_eq!(
        repairs,
        ["`feedback`, `label` of the document counts for each text without one of its own"]
    );
}

#[test]
fn the_first_folder_of_a_key_names_the_classifier_unless_it_is_a_date() {
    assert_eq!(classifier_of_key("news/2026/a.csv"), Some("news"));
    assert_eq!(classifier_of_key("2026/11/a.csv"), None);
    assert_eq!(classifier_of_key("a.csv"), None);
}

#[test]
fn exports_of_tools_give_a_request_for_each_vote() {
    let file = |name: &str| {
        std::fs::read(format!("{}/tests/files/{name}", env!("CARGO_MANIFEST_DIR"))).expect("a file")
    };

    for (name, expected) in [
        ("label-studio.json", 5),
        ("label-studio.csv", 2),
        ("doccano.jsonl", 3),
        ("doccano.csv", 4),
        ("prodigy-choice.jsonl", 3),
        ("argilla-records.json", 3),
        ("ground-truth-output.manifest", 4),
        ("ground-truth-input.manifest", 2),
    ] {
        let items = items(&file(name));
        assert_eq!(sentences(&items).len(), expected, "{name}: {items:?}");
    }
    let items = items(&file("label-studio.json"));
    let first = items[1].content.as_ref().expect("a request");
    assert_eq!(
        (first.user.as_deref(), first.label.as_deref()),
        (Some("bea@example.com"), Some("Neutral"))
    );
}

#[test]
fn a_workbook_is_read_where_its_columns_are_known_and_other_formats_are_refused_by_name() {
    let file = |name: &str| {
        std::fs::read(format!("{}/tests/files/{name}", env!("CARGO_MANIFEST_DIR"))).expect("a file")
    };
    let unknown = items(&file("tickets.xlsx"));
    let zip = whole(&file("texts.zip")[..]).expect("no transport error");

    assert_eq!(unknown.len(), 1);
    assert!(
        reasons(&unknown)[0]
            .1
            .starts_with("the header line has in column 1 an unknown field `Ticket`"),
        "{unknown:?}"
    );
    assert_eq!(
        zip,
        Err("the file is a zip archive; unpack it, and give the files in it".to_owned())
    );
}

proptest! {
    #[test]
    fn any_bytes_end_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let whole = whole(&bytes[..]).expect("no transport error").unwrap_or_default();
        let _ = read(&bytes[..], &whole, "news", &mut |_| ControlFlow::Continue(()));
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

        prop_assert_eq!(sentences(&items(document.as_bytes())), texts.clone());
        prop_assert_eq!(sentences(&items(lines.as_bytes())), texts.clone());
        let csv = csv.into_inner().expect("memory");
        prop_assert_eq!(sentences(&items(&csv)), texts);
    }
}

#[test]
fn files_of_other_encodings_are_converted_and_it_is_said_so() {
    let japanese = "sentence,label\n請求書の金額が間違っています,請求\nログインできません,ログイン\n";
    let chinese = "{\"sentence\": \"发票金额不对，请帮我检查一下\"}\n{\"sentence\": \"包裹还没有送到\"}\n";
    for (text, encoding, first) in [
        (japanese, encoding_rs::SHIFT_JIS, "請求書の金額が間違っています"),
        (chinese, encoding_rs::GBK, "发票金额不对，请帮我检查一下"),
    ] {
        let (bytes, ..) = encoding.encode(text);

        let (items, repairs) = read_all(&bytes);

        assert_eq!(sentences(&items)[0], first);
        assert_eq!(items.len(), 2);
        assert!(
            repairs.iter().any(|repair| repair.contains(encoding.name())),
            "{repairs:?}"
        );
    }
}

#[test]
fn objects_over_several_lines_are_items() {
    let one = "{\n  \"sentence\": \"The invoice is wrong\",\n  \"label\": \"billing\"\n}\n";
    let two = format!("{one}{}", one.replace("wrong", "late"));

    assert_eq!(sentences(&items(one.as_bytes())), ["The invoice is wrong"]);
    assert_eq!(
        sentences(&items(two.as_bytes())),
        ["The invoice is wrong", "The invoice is late"]
    );
    let broken = items(format!("{one}{{\n  \"sentence\": ").as_bytes());
    assert_eq!(sentences(&broken), ["The invoice is wrong"]);
    assert_eq!(reasons(&broken).len(), 1);
}

#[test]
fn a_file_without_columns_is_one_text_a_line_and_one_with_unknown_columns_is_refused_with_advice() {
    let (texts, repairs) = read_all(b"The invoice is wrong again\nI cannot log in\n\nThanks\n");
    let columns = items(b"frage,antwort\nWo ist es,Hier\nUnd dies,Dort\n");
    let one_unknown = items(b"frage\nWo ist es denn\n");

    assert_eq!(
        sentences(&texts),
        ["The invoice is wrong again", "I cannot log in", "Thanks"]
    );
    assert_eq!(repairs, ["the file has no columns: each line was read as a text"]);
    for refused in [columns, one_unknown] {
        let [(1, reason)] = reasons(&refused)[..] else {
            panic!("one reason for all");
        };
        assert!(
            reason.contains("nothing of the file was read. Name the columns"),
            "{reason}"
        );
    }
}

#[test]
fn a_file_whose_names_stand_below_a_comment_or_that_is_no_table_is_refused_and_no_line_is_a_text() {
    for (content, what) in [
        (
            "# exported in 2026\nsentence,label\nIt is late,World\n",
            "a comment",
        ),
        (
            "// from the shop\n-- again\nText;Label\nIt is late;World\n",
            "a comment",
        ),
        ("- sentence: It is late again\n  label: World\n", "YAML"),
        ("<r><s>It is late again</s></r>\n", "XML"),
    ] {
        let read = items(content.as_bytes());

        assert!(sentences(&read).is_empty(), "{content}");
        assert!(
            matches!(reasons(&read)[..], [(1, reason)] if reason.contains(what)),
            "{read:?}"
        );
    }
    let texts = items(b"# 1 in the charts again\nIt is late, again\n");
    assert_eq!(sentences(&texts).len(), 2, "{texts:?}");
}

#[test]
fn the_header_of_a_file_that_was_joined_is_no_text_and_no_label() {
    for (content, line) in [
        ("text,label\nOne,World\ntext,label\nTwo,Sports\n", 3),
        ("Texto;Etiqueta\nOne;World\n\nTEXTO ; etiqueta\nTwo;Sports\n", 4),
        ("sentence\nOne\n\u{feff}sentence\nTwo\nsentence\n", 3),
    ] {
        let (items, repairs) = read_all(content.as_bytes());

        assert_eq!(sentences(&items), ["One", "Two"], "{content}");
        assert_eq!(reasons(&items), [], "{content}");
        let said = repairs.last().expect("it is told");
        assert!(
            said.starts_with("header lines within the file, which were skipped: "),
            "{said}"
        );
        assert!(said.ends_with(&format!("the first in line {line}")), "{said}");
    }
}

#[test]
fn nothing_is_read_below_a_header_that_names_the_columns_in_another_order() {
    let items = items(b"text,label\nOne,World\nlabel,text\nSports,Two\n");

    assert_eq!(sentences(&items), ["One"]);
    assert!(
        matches!(reasons(&items)[..], [(3, told)] if told.contains("in another order")),
        "{items:?}"
    );
}

#[test]
fn a_row_with_bytes_that_are_no_letters_is_rejected_and_not_read_with_other_ones() {
    let (rows, ..) = encoding_rs::GBK.encode("发票金额不对，请帮我检查一下,账单\n包裹还没有送到,物流\n");
    let mut guessed = b"sentence,label\n".to_vec();
    guessed.extend(rows.repeat(1_500));
    guessed.extend_from_slice(b"It is late,Geb\xffhr\nThe last,x\n");
    let utf_16: Vec<u16> = "\u{feff}{\"sentence\": \"One \u{FFFD}\"}\n{\"sentence\": \"Two "
        .encode_utf16()
        .chain([0xD800])
        .chain("\"}\n".encode_utf16())
        .collect();
    let utf_16: Vec<u8> = utf_16.into_iter().flat_map(u16::to_le_bytes).collect();

    let guessed = items(&guessed);
    let wide = items(&utf_16);

    assert_eq!(sentences(&guessed).len(), 3_001);
    assert!(
        matches!(reasons(&guessed)[..], [(3_002, reason)] if reason.contains("no letters of GBK")),
        "{:?}",
        reasons(&guessed)
    );
    assert_eq!(
        guessed[3_000].raw,
        "It is late,Geb\u{FFFD}hr".as_bytes(),
        "as far as it could be read"
    );
    assert_eq!(sentences(&wide), ["One \u{FFFD}"]);
    assert!(
        matches!(reasons(&wide)[..], [(2, reason)] if reason.contains("no letters of UTF-16LE")),
        "{wide:?}"
    );
}

#[test]
fn a_header_or_a_field_of_the_document_with_bytes_that_are_no_letters_refuses_the_file() {
    let wide = |before: &str, after: &str| -> Vec<u8> {
        let units = "\u{feff}".encode_utf16().chain(before.encode_utf16());
        let units = units.chain([0xD800]).chain(after.encode_utf16());
        units.flat_map(u16::to_le_bytes).collect()
    };
    let table = items(&wide("sentence,lab", "el\nOne,x\n"));
    let document = whole(&wide("{\"classifier\": \"a", "\", \"sentences\": [\"One\"]}")[..]);

    assert!(
        matches!(reasons(&table)[..], [(1, reason)] if reason.starts_with("the header line: it has bytes")),
        "{table:?}"
    );
    let refused = document.expect("no transport error").expect_err("refused");
    assert!(refused.contains("nothing of the file was read"), "{refused}");
}

#[test]
fn the_header_of_a_sheet_that_comes_again_is_no_text_either() {
    let path = format!("{}/tests/files/two-sheets.xlsx", env!("CARGO_MANIFEST_DIR"));
    let (items, repairs) = read_all(&std::fs::read(path).expect("a file"));

    assert_eq!(
        sentences(&items),
        ["The invoice is wrong again", "I cannot log in"]
    );
    let told = "header lines within the file, which were skipped: 1, the first in line 3";
    assert!(repairs.iter().any(|repair| repair == told), "{repairs:?}");
}

fn labels(items: &[Item]) -> Vec<Option<&str>> {
    items
        .iter()
        .flat_map(|item| &item.content)
        .map(|request| request.label.as_deref())
        .collect()
}

#[test]
fn what_databases_write_where_there_is_nothing_is_no_label_and_is_counted() {
    for nothing in ["NULL", "NaN", "n/a", r"\N"] {
        let table = format!(
            "sentence,label,prediction,user,confidence\nOne,{nothing},{nothing},{nothing},{nothing}\nTwo,World,,,\n"
        );
        let (found, repairs) = read_all(table.as_bytes());

        assert_eq!(labels(&found), [None, Some("World")], "{nothing}");
        let first = found[0].content.as_ref().expect("it is read");
        let said = (&first.prediction, &first.user, first.confidence);
        assert_eq!(said, (&None, &None, None), "{nothing}");
        assert_eq!(repairs.len(), 1, "{nothing}: {repairs:?}");
        assert!(
            repairs[0].starts_with("items with a field such as `NULL`")
                && repairs[0].contains(": 1, the first"),
            "{nothing}: {repairs:?}"
        );
    }

    let (found, repairs) = read_all(
        b"{\"sentence\":\"One\",\"label\":\"NaN\"}\n{\"sentence\":\"Two\",\"labels\":[\"World\",\"NaN\"]}\n{\"sentence\":\"null\"}\n",
    );
    assert_eq!(labels(&found), [None, Some("World"), None]);
    assert_eq!(sentences(&found), ["One", "Two", "null"], "a text may say so");
    assert!(repairs[0].contains(": 2, the first in line 1"), "{repairs:?}");
}

#[test]
fn white_space_around_names_and_opinions_is_no_part_of_them() {
    let found = items(b"sentence, classifier, feedback, user\nRates rise, news, like, ada\n");

    let request = found[0].content.as_ref().expect("it is read");
    assert_eq!(request.classifier, "news");
    assert_eq!(request.feedback, Some(Opinion::Like));
    assert_eq!(request.user.as_deref(), Some("ada"));
}

#[test]
fn an_answer_of_a_tool_that_does_not_count_is_told() {
    let lines = b"{\"text\":\"One\",\"label\":\"World\",\"answer\":\"reject\",\"_task_hash\":1}\n\
        {\"text\":\"Two\",\"label\":\"World\",\"answer\":\"ignore\",\"_task_hash\":2}\n\
        {\"text\":\"Three\",\"label\":\"World\",\"answer\":\"accept\",\"_task_hash\":3}\n";
    let (found, repairs) = read_all(lines);

    assert_eq!(labels(&found), [None, None, Some("World")]);
    let told = repairs.join("\n");
    for expected in ["a label that was rejected", "their annotator ignored"] {
        assert!(told.contains(expected), "{told}");
    }
}

#[test]
fn the_rule_of_a_markdown_table_is_no_text() {
    let (found, repairs) = read_all(b"sentence|label\n---|---\nRates rise|World\n");

    assert_eq!(sentences(&found), ["Rates rise"]);
    assert!(
        repairs.iter().any(|repair| repair.starts_with("rows of dashes")),
        "{repairs:?}"
    );
}

#[test]
fn cells_in_single_quotes_are_read_without_them() {
    let (found, _) =
        read_all(b"'sentence','label'\n'Rates, and prices, rise','World'\n'It''s over','Sports'\n");

    assert_eq!(sentences(&found), ["Rates, and prices, rise", "It's over"]);
    assert_eq!(labels(&found), [Some("World"), Some("Sports")]);
}

#[test]
fn bytes_that_windows_1252_does_not_have_cost_their_row() {
    let (found, _) = read_all(b"sentence,label\nM\x81ller wartet,World\nM\xfcller wartet,World\n");
    assert_eq!(sentences(&found), ["Müller wartet"]);
    assert_eq!(reasons(&found).len(), 1);
    assert!(
        reasons(&found)[0].1.contains("no letters of Windows-1252"),
        "{:?}",
        reasons(&found)
    );
}

#[test]
fn one_text_where_a_list_is_wanted_is_told_from_an_item_of_several() {
    let found = items(br#"{"sentences":"One text"}"#);
    assert!(
        reasons(&found)[0].1.contains("must be a list of texts"),
        "{:?}",
        reasons(&found)
    );
}

#[test]
fn a_column_that_is_not_known_is_told_by_its_place() {
    let found = items(b"sentence,User ID\nOne,7\n");
    assert!(
        reasons(&found)[0].1.contains("in column 2 an unknown field"),
        "{:?}",
        reasons(&found)
    );
}

#[test]
fn lines_of_a_batch_file_with_a_comma_behind_each_are_read_one_by_one() {
    let line = "{\"sentence\": \"One\", \"label\": \"x\"},\n";
    for content in [
        line.repeat(3),
        line.replace(", \"label\"", ",\n\"label\"").repeat(3),
    ] {
        let (items, repairs) = read_all(content.as_bytes());

        assert_eq!(sentences(&items), ["One"; 3]);
        assert!(
            repairs.iter().any(|repair| repair.contains("comma")),
            "{repairs:?}"
        );
    }
}

#[test]
fn what_is_damaged_between_objects_is_kept_as_it_was_and_the_next_ones_are_read() {
    let items =
        items(b"{\n\"sentence\": \"One\"\n}\noops here\n{\n\"sentence\": \"Two\"\n}\n{\n\"sentence\"\n");

    assert_eq!(sentences(&items), ["One", "Two"]);
    assert_eq!(items[1].raw, b"oops here");
    assert_eq!(items[3].raw, b"{\n\"sentence\"\n");
}

#[test]
fn a_list_behind_a_list_is_read_and_damage_within_says_that_nothing_behind_it_was() {
    let lists = items(b"[{\"sentence\": \"One\"}]\n[{\"sentence\": \"Two\"}]\n");
    let damaged = items(b"[{\"sentence\": \"One\"}],\n[{\"sentence\": \"Two\"}]\n");

    assert_eq!(sentences(&lists), ["One", "Two"]);
    assert_eq!(
        reasons(&damaged),
        [(
            2,
            "not valid JSON: syntax error (line 1, column 22); nothing behind it was read"
        )]
    );
}

#[test]
fn a_batch_file_in_python_s_notation_is_refused_by_name() {
    for content in [
        "{'sentence': 'python repr', 'label': 'Billing'}\n{'sentence': 'another', 'label': 'Login'}\n",
        "('python repr', 'Billing')\n",
        "[{'sentence': 'python repr'}]\n",
    ] {
        let items = items(content.as_bytes());

        let [(1, reason)] = reasons(&items)[..] else {
            panic!("refused: {items:?}");
        };
        assert!(reason.contains("Python's notation"), "{reason}");
        assert_eq!(sentences(&items), [""; 0]);
    }
}

#[test]
fn drafts_and_labels_of_a_machine_in_label_studio_are_counted_in_the_report() {
    let task =
        "{\"data\": {\"text\": \"One text\"}, \"annotations\": [], \"predictions\": [{\"result\": []}]}";
    let drafts = "{\"data\": {\"text\": \"Two text\"}, \"annotations\": [], \"drafts\": [{\"result\": []}]}";

    let (items, repairs) = read_all(format!("[{task}, {drafts}]").as_bytes());

    assert_eq!(sentences(&items), ["One text", "Two text"]);
    let counted = |words: &str| repairs.iter().any(|repair| repair.contains(words));
    assert!(
        counted("a machine labelled") && counted("is a draft"),
        "{repairs:?}"
    );
}

#[test]
fn a_column_of_several_words_is_named_beside_known_ones_and_one_without_a_name_is_said_to_have_none() {
    for (header, words) in [
        (
            "sentence,label,Correct Category",
            "unknown field `Correct Category`",
        ),
        (",sentence,label", "no name in column 1"),
    ] {
        let items = items(format!("{header}\na,b,c\n").as_bytes());

        assert!(reasons(&items)[0].1.contains(words), "{:?}", reasons(&items));
    }
}

#[test]
fn rows_of_doccano_without_comments_are_read_as_those_with() {
    let (items, _) = read_all(b"{\"id\":1,\"text\":\"One\",\"label\":[\"a\"],\"Comments\":[]}\n{\"id\":2,\"text\":\"Two\",\"label\":[]}\n");

    assert_eq!(sentences(&items), ["One", "Two"]);
}

#[test]
fn of_a_workbook_hidden_sheets_are_told_and_merged_cells_stand_for_their_rows() {
    let (found, repairs) = read_all(include_bytes!("../../tests/files/merged-and-hidden.xlsx"));

    assert_eq!(
        labels(&found),
        [
            Some("Billing"),
            Some("Billing"),
            Some("Login"),
            Some("Login"),
            None
        ]
    );
    let says = |words: &str| repairs.iter().any(|repair| repair.contains(words));
    assert!(
        says("sheet `Old` is hidden and was not read") && says("1 row is hidden, and was read"),
        "{repairs:?}"
    );
}

#[test]
fn labels_that_fast_text_marks_are_labels_in_a_file_that_nobody_looks_at() {
    for content in [
        "__label__defect It leaks again\n__label__ship It is so late\n",
        "It leaks again __label__defect\nIt is so late __label__ship\n",
        "sentence,label\nIt leaks again,__label__defect\nIt is so late,__label__ship\n",
    ] {
        let (items, repairs) = read_all(content.as_bytes());

        assert_eq!(
            sentences(&items),
            ["It leaks again", "It is so late"],
            "{content}"
        );
        let labels = items.iter().flat_map(|item| &item.content);
        let labels: Vec<Option<&str>> = labels.map(|request| request.label.as_deref()).collect();
        assert_eq!(labels, [Some("defect"), Some("ship")], "{content}");
        assert!(
            repairs.iter().any(|repair| repair.contains("__label__")),
            "{repairs:?}"
        );
    }
    let within = items(b"sentence\nIt leaks __label__defect\nIt is late\nAnd it is late\n");
    assert_eq!(sentences(&within), ["It is late", "And it is late"]);
    assert!(reasons(&within)[0].1.contains("in a column of its own"));
}

#[test]
fn labels_that_are_not_named_are_refused_and_those_of_a_tree_have_their_path() {
    for label in [
        r#"[{"label":"a","score":0.9},{"label":"b","score":0.1}]"#,
        "[1, 0, 0]",
        "[0, 1]",
        r#""0|1|0""#,
    ] {
        let items = items(format!("{{\"sentence\":\"It leaks\",\"label\":{label}}}\n").as_bytes());
        assert!(
            sentences(&items).is_empty() && reasons(&items).len() == 1,
            "{label}"
        );
    }
    let task = r#"{"id":1,"data":{"text":"It leaks"},"annotations":[{"completed_by":1,"result":[
        {"from_name":"tax","type":"taxonomy","value":{"taxonomy":[["Goods","Other"]]}}]}]}"#;
    let (tree, repairs) = read_all(format!("[{task}]").as_bytes());
    let request = tree[0].content.as_ref().expect("a label");
    assert_eq!(request.label.as_deref(), Some("Goods / Other"));
    assert!(repairs[0].contains("Goods / Other"), "{repairs:?}");
}
