//! What this program writes, and what spreadsheets do, read again.

use active_learning_core::dataset::{CsvWriter, Row};

use super::*;

#[test]
fn an_export_with_bars_within_names_is_read_as_it_was_written() {
    let written = [
        (vec!["Anmeldung|Konto"], "Ich kann mich nicht anmelden"),
        (vec!["Lieferung, Versand"], "Mein Paket ist nicht angekommen"),
        (
            vec!["Lieferung, Versand", "Anmeldung|Konto"],
            "Wann kommt die Lieferung in mein Konto",
        ),
        (vec!["Lieferung, Versand"], "Mein Paket ist weg"),
    ];
    let mut csv = CsvWriter::escaped(Vec::new());
    for (labels, text) in &written {
        let labels = labels.iter().map(|label| (*label).to_owned()).collect();
        let text = (*text).to_owned();
        csv.write(&Row { labels, text }).expect("a good row");
    }
    let (content, _) = csv.finish().expect("memory");

    let import = import(&content);

    let expected: Vec<(&str, Vec<&str>)> = written
        .iter()
        .map(|(labels, text)| (*text, labels.clone()))
        .collect();
    let read: Vec<(&str, Vec<&str>)> = import
        .rows
        .iter()
        .map(|row| {
            (
                row.text.as_str(),
                row.votes[0].labels.iter().map(String::as_str).collect(),
            )
        })
        .collect();
    assert_eq!(read, expected);
}

#[test]
fn errors_of_a_spreadsheet_are_neither_texts_nor_labels_and_are_told() {
    let import = import("text,label\nOne text,A\nTwo text,#N/A\n#REF!,A\nThree text,#VALUE!\n");

    assert_eq!(rows(&import), ["One text => ?: A", "Two text", "Three text"]);
    assert!(
        import.notes.iter().any(|note| note.contains("read as none: 2")),
        "{:?}",
        import.notes
    );
    assert_eq!(
        (import.rejected[0].line, import.rejected[0].reason.as_str()),
        (4, "the text is an error of the spreadsheet, such as `#N/A`")
    );
}

#[test]
fn the_sheet_with_texts_and_labels_is_read_where_the_first_is_a_cover() {
    let import = import_file("cover.xlsx");

    assert_eq!(import.sheets, ["Tickets"]);
    assert_eq!(
        rows(&import),
        [
            "The invoice is wrong again => ?: Billing",
            "I cannot log in => ?: Login",
            "My parcel"
        ]
    );
    let says = |words: &str| import.notes.iter().any(|note| note.contains(words));
    assert!(
        says("sheet `Cover` has other columns") && says("read as none: 1"),
        "{:?}",
        import.notes
    );
}

#[test]
fn a_field_that_one_object_gives_twice_costs_its_row_and_is_named() {
    let lines = "{\"text\": \"one\", \"label\": \"A\", \"label\": \"B\"}\n{\"text\": \"two\", \"label\": \"A\"}\n\
        {\"text\": \"three\", \"label\": {\"A\": 1, \"A\": 0}}\n";
    let list = "[{\"text\": \"one\", \"text\": \"two\"}, {\"text\": \"three\"}]";
    let of_texts = "{\n\"I cannot log in\": \"login\",\n\"It is late\": \"delivery\",\n\"I cannot log in\": \"billing\"}";
    let of_all = "{\"label\": \"A\", \"texts\": [\"one\"], \"label\": \"B\"}";

    let (lines, list) = (import(lines), import(list));
    let told = |import: &Import| -> Vec<(u64, String)> {
        let rejected = import.rejected.iter();
        rejected
            .map(|rejected| (rejected.line, rejected.reason.clone()))
            .collect()
    };

    assert_eq!(rows(&lines), ["two => ?: A"]);
    assert_eq!(
        told(&lines),
        [
            (
                1,
                "field `label` is given twice: which is meant cannot be told".to_owned()
            ),
            (
                3,
                "one of its fields is given twice: which is meant cannot be told".to_owned()
            )
        ]
    );
    assert_eq!(
        told(&list),
        [(
            1,
            "field `text` is given twice: which is meant cannot be told".to_owned()
        )]
    );
    let said = refusal(of_texts);
    assert!(
        said.contains("given twice") && said.contains("line 4") && !said.contains("log in"),
        "{said}"
    );
    assert!(refusal(of_all).contains("`label` of the document is given twice"));
}

#[test]
fn whole_numbers_with_a_point_are_labels_without_it_and_it_is_told() {
    let table = "text,label\nA text of words,1.0\nAnother text,1\nOne more text,2.0\nThe last text,\n";
    let versions = table.replace("2.0", "2.5");
    let of_points = Options {
        labels: vec!["1.0".to_owned(), "2.0".to_owned()],
        ..Options::default()
    };

    let whole = import(table);
    let kept = import_with(table, &of_points);

    assert_eq!(
        rows(&whole),
        [
            "A text of words => ?: 1",
            "Another text => ?: 1",
            "One more text => ?: 2",
            "The last text"
        ]
    );
    assert!(
        whole
            .notes
            .iter()
            .any(|note| note == "labels such as `1.0`, which were read as `1`: 2, the first in line 2"),
        "{:?}",
        whole.notes
    );
    assert_eq!(rows(&kept)[2], "One more text => ?: 2.0");
    assert_eq!(
        rows(&import(versions))[0],
        "A text of words => ?: 1.0",
        "numbers of versions"
    );
}

#[test]
fn a_merged_cell_stands_for_each_of_its_rows_and_what_is_hidden_is_told() {
    let import = import_file("merged-and-hidden.xlsx");

    assert_eq!(
        rows(&import),
        [
            "The invoice is wrong => ?: Billing",
            "The invoice came twice => ?: Billing",
            "I cannot log in => ?: Login",
            "My password expired => ?: Login",
            "Who can help me",
        ]
    );
    for said in [
        "sheet `Q&A`: 1 row got the value of the merged cell that covers it, the first is row 3",
        "sheet `Q&A`: 1 row is hidden, and was read, the first is row 4",
        "sheet `Old` is hidden and was not read; --sheet reads it",
    ] {
        assert!(
            import.notes.iter().any(|note| note == said),
            "{said}: {:?}",
            import.notes
        );
    }
}

#[test]
fn a_hidden_sheet_is_read_where_it_is_named() {
    let options = Options {
        sheet: Some("Old".to_owned()),
        ..Options::default()
    };

    let import = import_with(file("merged-and-hidden.xlsx"), &options);

    assert_eq!(rows(&import), ["An old complaint => ?: Legal"]);
}
