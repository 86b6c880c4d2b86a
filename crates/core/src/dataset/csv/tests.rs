use proptest::prelude::*;

use super::*;

fn row(label: &str, text: &str) -> Row {
    Row {
        labels: label.split(LABEL_DELIMITER).map(str::to_owned).collect(),
        text: text.into(),
    }
}

fn written(rows: &[Row]) -> (Vec<u8>, FileSummary) {
    let mut writer = CsvWriter::new(Vec::new());
    for row in rows {
        writer.write(row).expect("a good row");
    }
    writer.finish().expect("memory")
}

#[test]
fn a_label_that_holds_the_delimiter_is_one_label_with_another_delimiter_or_alone() {
    let rows = [
        Row {
            labels: vec!["A|B".into(), "C".into()],
            text: "both".into(),
        },
        Row {
            labels: vec!["A|B".into()],
            text: "one".into(),
        },
    ];

    let mut several = CsvWriter::with_delimiter(Vec::new(), Some('~'));
    rows.iter()
        .for_each(|row| several.write(row).expect("a good row"));
    let (several, _) = several.finish().expect("memory");
    let mut single = CsvWriter::with_delimiter(Vec::new(), None);
    single.write(&rows[1]).expect("a good row");
    let two = single.write(&rows[0]);
    let (single, summary) = single.finish().expect("memory");

    let read: Result<Vec<Row>, BadRow> = read_delimited_csv(&several[..], Mode::MultiLabel, '~').collect();
    assert_eq!(read.as_deref(), Ok(&rows[..]));
    assert!(two.is_err());
    let read: Result<Vec<Row>, BadRow> = read_csv(&single[..], Mode::MultiClass).collect();
    assert_eq!(read.as_deref(), Ok(&rows[1..]));
    assert_eq!(summary.classes["A|B"], 1);
}

#[test]
fn the_file_is_as_comprehend_wants_it() {
    let rows = [
        row("World", "Say \"hi\", twice"),
        row("Sports|World", "two\r\nlines\u{2028}and\ttabs "),
        row("A B", "plain"),
    ];

    let (file, summary) = written(&rows);

    let file = String::from_utf8(file).expect("UTF-8");
    assert_eq!(
        file,
        "World,\"Say \"\"hi\"\", twice\"\nSports|World,two lines and tabs\nA B,plain\n"
    );
    assert_eq!((summary.rows, summary.bytes), (3, file.len() as u64));
    assert_eq!(summary.classes["World"], 2);
    assert_eq!(summary.sha256, hex::encode(Sha256::digest(file.as_bytes())));
}

#[test]
fn rows_that_would_make_other_classes_are_not_written() {
    let mut writer = CsvWriter::new(Vec::new());
    let bad = |labels: &[&str], text: &str| Row {
        labels: labels.iter().map(|l| (*l).to_owned()).collect(),
        text: text.into(),
    };

    for row in [
        bad(&["A|B"], "t"),
        bad(&[], "t"),
        bad(&[" "], "t"),
        bad(&["A\nB"], "t"),
        bad(&["A"], "\n \u{2028}"),
    ] {
        assert_eq!(
            writer.write(&row).expect_err("refused").kind(),
            io::ErrorKind::InvalidData,
            "{row:?}"
        );
    }
    assert_eq!(writer.finish().expect("memory").1.rows, 0);
}

#[test]
fn a_quote_that_is_never_closed_is_a_bad_row_and_not_the_rest_of_the_file() {
    let rows: Vec<_> = read_csv(&b"A,one\nB,\"two\nA,three\nB,four\n"[..], Mode::MultiClass).collect();

    assert_eq!(rows.len(), 2);
    assert_eq!(
        rows[1].as_ref().expect_err("a bad row").to_string(),
        "line 2: the quote of this text is never closed"
    );
    assert_eq!(read_csv(&b"A,\"one\""[..], Mode::MultiClass).count(), 1);
}

#[test]
fn bad_rows_are_named_and_the_next_one_is_read() {
    let file = b"\xef\xbb\xbfWorld,one\r\nonly\nA,b,c\n,text\nB, \nB,\xff\nSports,\"two\nlines\"\n";

    let (summary, problems) = inspect_csv(&file[..], Mode::MultiClass);

    let messages: Vec<&str> = problems.iter().map(|problem| problem.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "line 2: expected two columns, label and text, found 1 (a text with a comma needs quotes)",
            "line 3: expected two columns, label and text, found 3 (a text with a comma needs quotes)",
            "line 4: the label is empty",
            "line 5: the text is empty",
            "line 6: not valid UTF-8; save the file as UTF-8 (is it Latin-1 or Windows-1252?)",
            "line 7: the text is spread over several lines; one line a document is needed",
        ]
    );
    assert_eq!((summary.rows, summary.bytes), (2, file.len() as u64));
    assert_eq!(summary.classes.keys().collect::<Vec<_>>(), ["Sports", "World"]);
    assert_eq!(summary.sha256, hex::encode(Sha256::digest(file)));
}

#[test]
fn many_bad_rows_are_counted() {
    let (_, problems) = inspect_csv("no text\n".repeat(25).as_bytes(), Mode::MultiClass);

    assert_eq!(problems.len(), 21);
    assert_eq!(problems[20].message, "5 more rows cannot be used");
}

#[test]
fn a_source_that_fails_ends_the_reading() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("lost"))
        }
    }

    let rows: Vec<_> = read_csv(b"A,b\n".chain(Broken), Mode::MultiClass).collect();

    assert_eq!(rows.len(), 2);
    assert!(rows[0].is_ok() && rows[1].is_err());
}

proptest! {
    #[test]
    fn texts_survive_with_quotes_commas_breaks_emoji_and_right_to_left_script(
        rows in proptest::collection::vec(
            (proptest::collection::vec("[a-zA-Z0-9][a-zA-Z0-9,\"' ]{0,5}[a-z]", 1..3), "[\\PC\n\r\t,\"|\u{1f600}\u{5d0}-\u{5ea}\u{627}-\u{64a}\u{200f}\u{202b}]{0,40}[a-z]"),
            0..12,
        ),
    ) {
        let rows: Vec<Row> = rows.into_iter().map(|(labels, text)| Row { labels, text }).collect();

        let (file, summary) = written(&rows);
        let read: Result<Vec<Row>, BadRow> = read_csv(&file[..], Mode::MultiLabel).collect();

        let expected: Vec<Row> = rows.iter().map(|row| Row { text: one_line(&row.text), ..row.clone() }).collect();
        prop_assert_eq!(read, Ok(expected));
        prop_assert_eq!(file.iter().filter(|byte| **byte == b'\n').count(), rows.len(), "one line a document");
        prop_assert_eq!(inspect_csv(&file[..], Mode::MultiLabel), (summary, vec![]));
    }

    #[test]
    fn any_bytes_end_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = inspect_csv(&bytes[..], Mode::MultiLabel);
    }
}
