use super::*;

fn read(file: &[u8]) -> (Vec<(u64, String, String)>, Vec<String>) {
    let rows = TrainingRows::new(file, None).expect("a CSV file");
    let repairs = rows.repairs();
    let rows = rows.map(|row| row.map(|row| (row.line, row.label, row.text)));
    (rows.collect::<Result<_, _>>().expect("good rows"), repairs)
}

fn refusal(file: &[u8]) -> String {
    match TrainingRows::new(file, None) {
        Err(error) => error.to_string(),
        Ok(rows) => {
            let bad = rows.filter_map(Result::err).next().expect("a bad row");
            bad.to_string()
        }
    }
}

#[test]
fn a_header_line_is_skipped_and_the_repair_is_told() {
    for header in [
        "label,text",
        "Category,Description",
        "\u{feff}LABEL , Text",
        "\"class\",\"utterance\"",
    ] {
        let (rows, repairs) = read(format!("{header}\r\nWorld,one\n").as_bytes());

        assert_eq!(rows, [(2, "World".to_owned(), "one".to_owned())], "{header}");
        assert_eq!(repairs, ["line 1: the header line was skipped"]);
    }
}

#[test]
fn cells_in_single_quotes_are_read_without_these_and_it_is_told() {
    let file = "'label','text'\n'World','Rates, they say, ''rise'''\n'Sports','\"They\" won'\n";

    let (rows, repairs) = read(file.as_bytes());
    let (mixed, none) = read(b"'World','one'\nSports,two\n");

    assert_eq!(
        rows,
        [
            (2, "World".to_owned(), "Rates, they say, 'rise'".to_owned()),
            (3, "Sports".to_owned(), "\"They\" won".to_owned())
        ]
    );
    assert_eq!(
        repairs,
        [
            "line 1: the cells stand in single quotes, and were read without these",
            "line 1: the header line was skipped"
        ]
    );
    assert_eq!((mixed[0].1.as_str(), none.len()), ("'World'", 0));
}

#[test]
fn a_header_line_of_other_languages_and_names_is_skipped() {
    for header in [
        "Kategorie,Text",
        "étiquette,texte",
        "类别,文本",
        "категория,текст",
        "news_category,news_text",
        "Gruppe,text",
        "Štítek,Popis",
        "Luokka,Viesti",
        "Etichetă,Conținut",
        "Címke,Szöveg",
        "Мітка,Повідомлення",
        "Nhãn,Nội dung",
        "Phân loại,Văn bản",
        "Kelas,Teks",
        "C\u{00ed}mke,Szo\u{0308}veg",
    ] {
        let (rows, repairs) = read(format!("{header}\nWorld,one text\nSports,two texts\n").as_bytes());

        assert_eq!((rows.len(), repairs.len()), (2, 1), "{header}");
    }
}

#[test]
fn a_plain_name_beside_one_of_several_words_or_above_other_labels_is_a_header_line() {
    let below = "World,one text\nSports,two texts\nWorld,three texts\n";
    for (header, turned) in [
        ("Category,Customer message", false),
        ("Label.,Text.", false),
        ("Label,\"Message of the customer\"", false),
        ("Kategorie,Nachricht des Kunden", false),
        ("Category,What did they tell us about it?", false),
        ("Customer message,Category", true),
    ] {
        let below = match turned {
            true => "one text,World\ntwo texts,Sports\nthree texts,World\n",
            false => below,
        };
        let (rows, repairs) = read(format!("{header}\n{below}").as_bytes());

        assert_eq!((rows.len(), repairs.len()), (3, 1), "{header}");
        assert_eq!(
            rows[0],
            (2, "World".to_owned(), "one text".to_owned()),
            "{header}"
        );
    }
    assert_eq!(
        read(b"Category,a text of a class of that name\nWorld,one\nCategory,two\n")
            .0
            .len(),
        3
    );
    assert_eq!(
        read(b"answer,What is my balance\nquestion,one text\nother,two texts\n")
            .0
            .len(),
        3
    );
}

#[test]
fn control_characters_within_a_text_are_left_out_and_told_and_line_breaks_stay() {
    let file = b"World,a b\nWorld,\"one\0two\x07\nthree\"\nSports,tab\there\nSports,x\x1Fy\n";
    let mut rows = TrainingRows::new(&file[..], None).expect("a CSV file");

    let texts = rows.by_ref().map(|row| row.expect("a good row").text);
    assert_eq!(
        texts.collect::<Vec<_>>(),
        ["a b", "onetwo\nthree", "tab\there", "xy"]
    );
    assert_eq!(
        rows.repairs(),
        ["line 2 and 1 more: a control character within the text, such as a zero byte, was left out"]
    );
}

#[test]
fn files_of_other_programs_are_refused_by_what_they_are() {
    for (file, kind) in [
        (&b"PK\x03\x04\x14"[..], "a spreadsheet"),
        (b"\x1F\x8B\x08\x00", "compressed (gzip)"),
        (b"%PDF-1.7", "a PDF document"),
    ] {
        let told = refusal(file);
        assert!(
            told.starts_with("line 1: the file is ") && told.contains(kind),
            "{told}"
        );
    }
}

#[test]
fn a_header_line_that_names_the_text_first_turns_the_columns_round() {
    let (rows, repairs) = read(b"text,label\none,World\n");

    assert_eq!(rows, [(2, "World".to_owned(), "one".to_owned())]);
    assert!(repairs[0].contains("names the text first"), "{repairs:?}");
}

#[test]
fn a_first_row_that_only_resembles_a_header_is_a_row() {
    for first in ["label,a text about labels", "World,text", "label,label"] {
        let (rows, repairs) = read(format!("{first}\nWorld,one\n").as_bytes());

        assert_eq!((rows.len(), repairs.len()), (2, 0), "{first}");
    }
}

#[test]
fn a_first_row_of_one_word_is_a_row_where_other_texts_are_words_too() {
    for rest in [
        "World,one\nSports,two words\n",
        "World,two words\nfoo,more words\n",
    ] {
        let (rows, repairs) = read(format!("foo,message\n{rest}").as_bytes());

        assert_eq!((rows.len(), repairs.len()), (3, 0), "{rest}");
    }
}

#[test]
fn a_first_row_of_one_letter_is_a_row_though_no_other_has_its_label() {
    let (rows, repairs) = read(b"0a,x\nAa,a\nAa,a\n");

    assert_eq!((rows.len(), repairs.len()), (3, 0));
    assert_eq!(read(b"label,x\nWorld,one\n").0.len(), 1);
}

#[test]
fn a_label_of_nothing_that_can_be_seen_and_a_word_of_the_review_page_are_refused_with_their_line() {
    for (label, reason) in [
        ("\u{200b}\u{feff}", "nothing that can be seen"),
        ("World|\u{200b}", "nothing that can be seen"),
        ("__none__", "a word of the review page"),
        ("\u{ff3f}\u{ff3f}NONE__", "a word of the review page"),
        ("__Unsure__ ", "a word of the review page"),
    ] {
        let told = refusal(format!("World,one\n{label},two\n").as_bytes());

        assert!(
            told.starts_with("line 2: the label") && told.contains(reason),
            "{told}"
        );
    }
}

#[test]
fn columns_by_another_separator_are_refused_by_its_name() {
    for (file, name) in [
        ("World;one\nSports;two\n", "semicolons"),
        ("World;one, with a comma\nSports;two, too\n", "semicolons"),
        ("World;one, with a comma\nSports;two\n", "semicolons"),
        ("World\tone\nSports\ttwo\n", "tabs"),
        ("1\tWorld\tone\n2\tSports\ttwo\n", "tabs"),
        ("World|one\nSports|two\n", "bars"),
    ] {
        let told = format!("line 1: the columns are separated by {name}; separate label and text by a comma");
        assert_eq!(refusal(file.as_bytes()), told, "{file}");
    }
    assert_eq!(read(b"A|B,one; two\nA|C,three\n").0.len(), 2);
    let rows = TrainingRows::new(&b"A;B,one\nA;C,two\n"[..], Some(';')).expect("labels by semicolons");
    assert_eq!(rows.count(), 2);
}

#[test]
fn json_in_a_csv_is_refused_by_name_and_line() {
    for (file, message) in [
        (
            "{\"label\":\"World\",\"text\":\"one\"}\n",
            "line 1: the file is JSON Lines, not CSV of a label and a text a line",
        ),
        (
            "[{\"label\":\"World\"}]",
            "line 1: the file is JSON, not CSV of a label and a text a line",
        ),
        (
            "World,one\n{\"label\":\"World\",two}\n",
            "line 2: the line is JSON, not a label and a text",
        ),
    ] {
        assert_eq!(refusal(file.as_bytes()), message);
    }
}

#[test]
fn json_in_any_notation_is_refused_wherever_it_stands() {
    let lines = "line 1: the file is JSON Lines, not CSV of a label and a text a line";
    let python = "line 1: the file is JSON Lines in Python's notation, not CSV of a label and a text a line";
    let later = "line 2: the line is JSON, not a label and a text";
    let python_later = "line 2: the line is JSON in Python's notation, not a label and a text";
    for (file, message) in [
        (
            "{'label': 'World', 'text': 'one'}\n{'label': 'World', 'text': 'two'}\n",
            python,
        ),
        (" { \"label\":\"World\",\"text\":\"one\"}\n", lines),
        (
            "[['World', 'one']]",
            "line 1: the file is JSON, not CSV of a label and a text a line",
        ),
        (
            "['World', 'one']\n",
            "line 1: the file is JSON in Python's notation, not CSV of a label and a text a line",
        ),
        ("World,one\n {\"label\":\"World\",\"text\":\"two\"}\n", later),
        ("World,one\n{ \"label\": \"World\", \"text\": \"two\" }\n", later),
        ("World,one\n[\"World\",\"two\"]\n", later),
        ("World,one\n{'label': 'World', 'text': 'two'}\n", python_later),
        ("World,one\n['World', 'two']\n", python_later),
        (
            "World,one\n\"['World', 'Sports']\",two\n",
            "line 2: the label is JSON in Python's notation; write its name, or several with a bar (|) between them",
        ),
    ] {
        assert_eq!(refusal(file.as_bytes()), message, "{file}");
    }
    assert_eq!(read(b"[News] World,one\n{a},{'b': 1}\n").0.len(), 2);
}

#[test]
fn a_header_line_that_comes_again_is_skipped_and_told() {
    for (file, told) in [
        (
            "label,text\nWorld,one\nlabel,text\nSports,two\n",
            &[
                "line 1: the header line was skipped",
                "line 3: a header line within the file was skipped",
            ][..],
        ),
        (
            "World,one\n\u{feff}Label,Text\nSports,two\nlabel,text\n",
            &["line 2 and 1 more: a header line within the file was skipped"],
        ),
        (
            "Gruppe,text\nWorld,one text\nGruppe,text\nSports,two texts\n",
            &[
                "line 1: the header line was skipped",
                "line 3: a header line within the file was skipped",
            ],
        ),
        (
            "Gruppe,Text\r\nWorld,one text\r\n\u{feff}gruppe , text\r\nSports,two texts\r\n",
            &[
                "line 1: the header line was skipped",
                "line 3: a header line within the file was skipped",
            ],
        ),
    ] {
        let mut rows = TrainingRows::new(file.as_bytes(), None).expect("a CSV file");
        let labels: Vec<String> = rows.by_ref().map(|row| row.expect("a row").label).collect();

        assert_eq!(labels, ["World", "Sports"], "{file}");
        assert_eq!(rows.repairs(), told, "{file}");
    }
    assert_eq!(
        refusal(b"label,text\nWorld,one\ntext,label\ntwo,Sports\n"),
        "line 3: the header line names the columns the other way round than those above are read; put files with other \
         columns there by themselves"
    );
    assert!(
        refusal(b"Gruppe,text\nWorld,one text\nText,Gruppe\ntwo texts,Sports and more\n")
            .starts_with("line 3: the header")
    );
    assert_eq!(read(b"World,one\nanswer,message\nlabel,of the text\n").0.len(), 3);
}

#[test]
fn a_quote_that_takes_another_row_in_is_refused_with_its_line() {
    for (file, line) in [
        ("World,\"he said hi\nSports,\"she left\"\n", 1),
        ("Sports,one\nWorld,\"he said hi\nSports,she left\"\n", 2),
        ("World,\"he said hi\nSports,she left\"\nSports,two\n", 1),
        (
            "World,one\n\nWorld,\"he said\nhi\nWorld,two\nSports,\"three\"\n",
            3,
        ),
        (
            "text,label\n\"he said hi,World\nshe left\",Sports\none,World\n",
            2,
        ),
    ] {
        let told = refusal(file.as_bytes());

        let expected = format!("line {line}: the quote before the text is closed only in a later row");
        assert!(told.starts_with(&expected), "{file}: {told}");
    }
}

#[test]
fn a_line_of_a_text_that_begins_or_ends_with_a_number_is_no_row() {
    for file in [
        "5,\"Great.\n1,000 miles and no fault\"\n1,Broken\n",
        "4,\"Bestellt:\n1,5 kg Mehl\"\n1,Kaputt\n",
        "text,label\n\"Es kostet 1,5\nund mehr\",4\nKaputt,5\n",
    ] {
        let rows: Vec<_> = TrainingRows::new(file.as_bytes(), None)
            .expect("a CSV file")
            .collect();
        assert_eq!(rows.len(), 2, "{file}");
        assert!(rows.iter().all(Result::is_ok), "{file}: {rows:?}");
    }
}

#[test]
fn quotes_that_are_closed_well_are_no_repair_and_those_that_end_before_their_text_are_told() {
    let good = "World,\"two\nlines, of a text\" \nWorld,\"he said \"\"hi\"\"\"\r\n\"Sports\", \"left\"\nWorld,5\" pipe\n";
    let told = |file: &str| {
        let mut rows = TrainingRows::new(file.as_bytes(), None).expect("a CSV file");
        let texts: Vec<String> = rows.by_ref().map(|row| row.expect("a row").text).collect();
        (texts, rows.repairs())
    };

    let (texts, repairs) = told(&format!("\u{feff}\"World\",one\n{good}"));
    assert_eq!((texts.len(), repairs), (5, vec![]));
    let (texts, repairs) = told("World,one\nWorld,\"Rates\" rise\nSports,\"Two\" \"words\"\n");
    assert_eq!(texts[1], "Rates rise");
    assert_eq!(
        repairs,
        [
            "line 2 and 1 more: a quote that ends before its text was left out; quotes within a text are written twice"
        ]
    );
}

#[test]
fn the_first_line_of_a_spreadsheet_says_what_separates_the_columns_and_is_told() {
    for (file, separator) in [
        (
            "sep=;\nlabel;text\nWorld;one, two\nSports;\"left; right\"\n",
            "`;`",
        ),
        (
            "\u{feff}sep=;\r\nlabel;text\r\nWorld;one, two\r\nSports;\"left; right\"\r\n",
            "`;`",
        ),
        (
            "\"sep=\t\"\nlabel\ttext\nWorld\tone, two\nSports\tleft; right\n",
            "a tab",
        ),
        (
            "sep=,\nlabel,text\nWorld,\"one, two\"\nSports,left; right\n",
            "`,`",
        ),
    ] {
        let mut rows = TrainingRows::new(file.as_bytes(), None).expect("a CSV file");

        let read: Vec<TrainingRow> = rows.by_ref().map(|row| row.expect("a row")).collect();

        let read: Vec<_> = read
            .iter()
            .map(|row| (row.line, &row.label[..], &row.text[..]))
            .collect();
        assert_eq!(
            read,
            [(3, "World", "one, two"), (4, "Sports", "left; right")],
            "{file}"
        );
        assert_eq!(
            rows.repairs(),
            [
                format!("line 1: {separator} separates the columns, as the line says"),
                "line 2: the header line was skipped".to_owned()
            ]
        );
    }
}

#[test]
fn a_text_first_file_with_a_line_of_its_separator_is_erased_by_its_columns() {
    let file = b"sep=;\ntext;label\nWorld;Sports\nSports;World\n";

    assert_eq!(label_column(file, None), 1);
    let is_gone = |place: usize, field: &str| place != 1 && field == "World";
    let (rest, gone) = crate::erasure::rows_without(file, is_gone);
    assert_eq!(rest, b"sep=;\ntext;label\nSports;World\n");
    assert_eq!(gone, [2]);
}

#[test]
fn a_line_of_a_separator_within_a_file_is_no_row_and_rows_with_another_one_are_told() {
    assert_eq!(
        refusal(b"World,one\nsep=,\nWorld,two\n"),
        "line 2: `sep=` is a spreadsheet's and no row: only the first line of a file may be one"
    );
    assert_eq!(
        refusal(b"sep=;\nWorld,one\n"),
        "line 2: expected two columns, label and text, found 1 (a text with `;` needs quotes)"
    );
}

#[test]
fn utf_16_and_latin_1_are_refused_with_line_and_reason() {
    let utf_16: Vec<u8> = "World,one two three"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let utf_16_be: Vec<u8> = "World,one two three"
        .encode_utf16()
        .flat_map(u16::to_be_bytes)
        .collect();

    for file in [
        [b"\xff\xfe", utf_16.as_slice()].concat(),
        utf_16.clone(),
        utf_16_be,
    ] {
        assert_eq!(refusal(&file), "line 1: the file is UTF-16; save it as UTF-8");
    }
    assert_eq!(
        refusal(b"World,one\nWorld,caf\xe9\n"),
        "line 2: not valid UTF-8; save the file as UTF-8 (is it Latin-1 or Windows-1252?)"
    );
}

#[test]
fn lines_are_counted_over_blank_lines_quoted_breaks_and_every_line_end() {
    let (rows, _) = read(b"a,one\r\n\r\nb,\"two\nlines\"\rc,three\n\n\nd,four");

    let lines: Vec<u64> = rows.iter().map(|(line, ..)| *line).collect();
    assert_eq!(lines, [1, 3, 5, 8]);
}

#[test]
fn rows_whose_labels_are_not_named_are_refused_by_line_with_what_to_do() {
    for (row, words) in [
        ("0|1|0,one", "write the names"),
        ("\"1,0,0\",one", "write the names"),
        ("__label__World,one", "as fastText marks labels"),
        (
            "The vote was held,badly __label__World",
            "as fastText marks labels",
        ),
    ] {
        let refused = refusal(format!("World,first\n{row}\nSports,last\n").as_bytes());

        assert!(
            refused.starts_with("line 2: ") && refused.contains(words),
            "{refused}"
        );
    }
}

#[test]
fn a_label_that_is_longer_than_a_label_set_takes_is_refused_by_line() {
    let fits = "x".repeat(crate::labels::label_set::MAX_NAME_BYTES);
    let refused = refusal(format!("World,first\n{fits}x,second\nSports,last\n").as_bytes());

    assert!(
        refused.starts_with("line 2: ") && refused.contains("longer than 5000 bytes"),
        "{refused}"
    );
    assert_eq!(label_problem(&fits), None);
    assert!(label_problem(&format!("{fits}x")).is_some());
    // Of several labels each is one.
    assert_eq!(label_problem("World"), None);
}

#[test]
fn a_dataset_with_a_text_about_fast_text_or_such_a_label_is_read() {
    let dataset = "World,How does __label__x work?\n__label__spam,Win a prize\n0.5|1,It is fine\n";

    let rows = crate::dataset::read_csv(dataset.as_bytes(), crate::dataset::Mode::MultiLabel);

    let labels: Vec<_> = rows.map(|row| row.expect("a row").labels.join("+")).collect();
    assert_eq!(labels, ["World", "__label__spam", "0.5+1"]);
}

/// Eight rows or more of labels that come again, below a first row.
fn below(first: &str, rows: usize) -> String {
    let row = |at: usize| format!("{},The story of item {at} goes on\n", ["World", "Sports"][at % 2]);
    format!("{first}\n{}", (0..rows).map(row).collect::<String>())
}

#[test]
fn a_first_row_of_unknown_words_that_stands_apart_is_a_header_line_and_it_is_told() {
    for first in ["Rubriek,Klacht", "Oznaka,Poruka kupca", "\"Żyma\",\"Tekstas\""] {
        let (rows, repairs) = read(below(first, 8).as_bytes());

        assert_eq!((rows.len(), rows[0].0), (8, 2), "{first}");
        assert!(
            repairs.len() == 1 && repairs[0].starts_with("line 1: read as a header line and skipped"),
            "{repairs:?}"
        );
    }
}

#[test]
fn a_first_row_that_may_be_one_of_those_below_it_is_a_row() {
    for (first, rows) in [
        ("Rubriek,Klacht", 7),
        ("Sports,Klacht", 12),
        ("Weather,It rains at last and it goes on", 12),
        ("Weather,It rains!", 12),
        ("5,Klacht", 12),
    ] {
        let (read, repairs) = read(below(first, rows).as_bytes());

        assert_eq!((read.len(), repairs.len()), (rows + 1, 0), "{first}");
    }
    let single = below("Rubriek,Klacht", 12) + "Weather,It rains again\n";
    assert_eq!(read(single.as_bytes()).0.len(), 14, "a label comes once");

    let content = below("Rubriek,Klacht", 12);
    let dataset = TrainingRows::new(content.as_bytes(), None)
        .expect("a CSV file")
        .taking_any_names();
    assert_eq!(dataset.repairs(), Vec::<String>::new());
    assert_eq!(dataset.count(), 13, "a dataset has no header line");
}

#[test]
fn a_label_of_fast_text_within_a_text_is_told_with_its_line_and_what_to_do() {
    let said = refusal(b"World,The vote was held\nWorld,How does __label__x work?\n");

    assert!(
        said.starts_with("line 2: the text holds a word that begins with `__label__`")
            && said.contains("take it out"),
        "{said}"
    );
}
