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
