//! First rows that name columns in ways that look like data, and data that looks like names.

use std::fmt::Write;

use super::*;

const LABELS: [&str; 3] = ["delivery", "login", "billing"];

/// Writes 20 rows below a header, each cell made of the row's number.
fn table(header: &str, cells: &[&str]) -> String {
    let mut content = format!("{header}\n");
    for number in 0..20 {
        let cell = |cell: &&str| {
            let cell = cell
                .replace("LABEL", LABELS[number % 3])
                .replace("N", &number.to_string());
            cell.replace("ANSWER", ["yes", "no"][number % 2])
        };
        let cells: Vec<String> = cells.iter().map(cell).collect();
        writeln!(content, "{}", cells.join(";")).expect("memory");
    }
    content
}

fn labels(import: &Import) -> Vec<String> {
    let mut labels: Vec<String> = Summary::of(&import.rows)
        .labels
        .into_iter()
        .map(|label| label.name)
        .collect();
    labels.sort();
    labels
}

const TEXT: &str = "This is the customer text number N";

#[test]
fn cells_such_as_numbers_abbreviations_and_questions_leave_a_header_a_header() {
    for (header, cells) in [
        ("Nr.;Text;Kategorie", ["N", TEXT, "LABEL"]),
        ("No.;Description;Category", ["N", TEXT, "LABEL"]),
        ("Ticket-Nr.;Beschreibung;Kategorie", ["T-N", TEXT, "LABEL"]),
        ("#;Text;Label", ["N", TEXT, "LABEL"]),
        ("1;Text;Label", ["N", TEXT, "LABEL"]),
        ("2026;Text;Label", ["N", TEXT, "LABEL"]),
        ("Text;Label;Anz.", [TEXT, "LABEL", "2"]),
        (
            "Text;Label;Did the customer call before? (yes/no)",
            [TEXT, "LABEL", "ANSWER"],
        ),
        ("Approx. amount;Text;Label", ["3.5", TEXT, "LABEL"]),
        ("Was?;Text;Kategorie", ["N", TEXT, "LABEL"]),
        ("ID;Was ist passiert?;Kategorie", ["N", TEXT, "LABEL"]),
        (
            "Zeitstempel;Was ist Ihr Anliegen?;Welche Kategorie passt?",
            ["28.11.2026 10:00", TEXT, "LABEL"],
        ),
        (
            "Nr.;Beschreibung des Problems;Kategorie (intern)",
            ["N", TEXT, "LABEL"],
        ),
        (
            "Case No.;Customer message (verbatim);Reason code",
            ["N", TEXT, "LABEL"],
        ),
    ] {
        let import = import(table(header, &cells));

        assert_eq!(import.rows.len(), 20, "{header}");
        assert_eq!(
            import.rows[0].text, "This is the customer text number 0",
            "{header}"
        );
        assert_eq!(
            labels(&import),
            ["billing", "delivery", "login"],
            "{header}: {:?}",
            import.notes
        );
    }
}

#[test]
fn texts_alone_below_a_header_of_a_ticket_system_are_texts_without_labels() {
    let import = import(table(
        "Ticket-Nr.;Erstellt am;Anliegen",
        &["100N", "03.11.2026 10:00", TEXT],
    ));

    assert_eq!(
        (import.rows.len(), import.unlabelled().count()),
        (20, 20),
        "{:?}",
        import.notes
    );
    assert_eq!(role(&import, Role::Text), ["Anliegen"]);
}

#[test]
fn it_is_said_that_the_first_line_was_read_as_a_row_or_as_names_by_what_is_below() {
    let row = import(table("0;Yet another text;login", &["N", TEXT, "LABEL"]));
    let names = import(table("tunn.;sõnum;silt", &["N", TEXT, "LABEL"]));
    let text = import(
        "Wunsch\nIch möchte gern eine Rechnung\nMein Paket ist noch nicht da\nIch kann nicht hinein\n",
    );

    let says = |import: &Import, words: &str| import.notes.iter().any(|note| note.contains(words));
    assert!(
        row.rows.len() == 21 && says(&row, "line 1 was read as a row"),
        "{:?}",
        row.notes
    );
    assert!(
        names.rows.len() == 20 && says(&names, "line 1 was read as the names"),
        "{:?}",
        names.notes
    );
    assert!(
        text.rows.len() == 4 && says(&text, "line 1 was read as a text"),
        "{:?}",
        text.notes
    );
}

#[test]
fn the_row_below_the_names_of_a_markdown_table_is_no_text() {
    let import = import("| text | label |\n|---|:---:|\n| my parcel | delivery |\n| log in | login |\n");

    assert_eq!(rows(&import), ["my parcel => ?: delivery", "log in => ?: login"]);
    assert!(
        import.notes.iter().any(|note| note.contains("line 2 only rules")),
        "{:?}",
        import.notes
    );
}

#[test]
fn fields_that_are_spelled_or_called_otherwise_in_some_lines_are_read() {
    let spelled = import(
        "{\"Text\": \"hello 0\", \"label\": \"y\"}\n{\"text\": \"hello 1\", \"label\": \"x\"}\n{\"Text\": \"hello 2\", \"label\": \"x\"}\n",
    );
    let called =
        import("{\"text\":\"a parcel\",\"label\":\"x\"}\n{\"body\":\"b parcel\",\"category\":\"y\"}\n");
    let other =
        import("{\"text\":\"a parcel\",\"label\":\"x\"}\n{\"text\":\"b parcel\",\"type\":\"email\"}\n");

    assert_eq!(
        rows(&spelled),
        ["hello 0 => ?: y", "hello 1 => ?: x", "hello 2 => ?: x"]
    );
    assert_eq!(spelled.notes, ["field `text` was read as `Text`"]);
    assert_eq!(rows(&called), ["a parcel => ?: x", "b parcel => ?: y"]);
    assert_eq!(
        called.notes,
        ["1 text without a field `text` was read from `body`, with the labels"]
    );
    assert_eq!(rows(&other), ["a parcel => ?: x", "b parcel"]);
}

#[test]
fn an_array_of_objects_holds_the_texts_whatever_it_is_called() {
    for name in ["conversations", "threads"] {
        let import = import(format!(
            r#"{{"{name}": [{{"id": "1", "source": {{"body": "My parcel is lost"}}, "tags": {{"type": "tag.list", "tags": [{{"name": "delivery"}}]}}}}]}}"#
        ));

        assert_eq!(rows(&import), ["My parcel is lost => ?: delivery"], "{name}");
    }
}

#[test]
fn old_encodings_of_turkish_polish_and_the_macintosh_are_read_and_it_is_said_how_to_name_another() {
    let turkish = "Metin;Etiket\nŞifremi unuttum ve giriş yapamıyorum;giriş\nÖdeme yapamıyorum;ödeme\n";
    let polish = "Treść;Etykieta\nGdzie jest paczka?;dostawa\nNie mogę się zalogować;logowanie\n";
    let german = "text;label\nDie Lieferung ist für mich zu spät;Gebühr\nWo ist mein Gerät;Gerät\n";
    for (text, encoding, expected) in [
        (
            turkish,
            encoding_rs::WINDOWS_1254,
            "Şifremi unuttum ve giriş yapamıyorum => ?: giriş",
        ),
        (
            polish,
            encoding_rs::WINDOWS_1250,
            "Gdzie jest paczka? => ?: dostawa",
        ),
        (
            german,
            encoding_rs::MACINTOSH,
            "Die Lieferung ist für mich zu spät => ?: Gebühr",
        ),
    ] {
        // The crate decodes the Macintosh's encoding, and encodes it too.
        let bytes = encoding.encode(text).0;

        let import = import(&bytes);

        assert_eq!(rows(&import)[0], expected, "{:?}", import.notes);
        assert!(
            import.notes.iter().any(|note| note.contains("--encoding")),
            "{:?}",
            import.notes
        );
    }
    let western = import(b"text;label\nDie Geb\xfchr ist zu hoch;A\n");
    assert!(
        western.notes.iter().any(|note| note.contains("--encoding")),
        "{:?}",
        western.notes
    );
}

#[test]
fn the_header_of_a_file_that_was_joined_is_neither_a_text_nor_a_label() {
    for (header, cells) in [
        ("text;label", [TEXT, "LABEL"].as_slice()),
        ("Nr.;Text;Kategorie", &["N", TEXT, "LABEL"]),
        ("id;Text", &["N", TEXT]),
        ("Zeitstempel;Was ist Ihr Anliegen?", &["28.11.2026 10:00", TEXT]),
        ("Nachricht", &[TEXT]),
    ] {
        let month = table(header, cells);
        let second = month.replacen(header, &header.to_uppercase(), 1);
        let import = import(format!("{month}\u{feff}{second}{month}"));

        assert_eq!(import.rows.len(), 60, "{header}: {:?}", import.notes);
        assert_eq!(import.rejected, [], "{header}");
        assert!(
            import.rows.iter().all(|row| row.text.starts_with("This is the")),
            "{header}"
        );
        let told = "header lines within the file, which were skipped: 2, the first in line 22";
        assert!(
            import.notes.iter().any(|note| note == told),
            "{header}: {:?}",
            import.notes
        );
    }
}

#[test]
fn a_text_that_comes_twice_is_no_header_because_of_that() {
    let short = import("question\nanswer me\nquestion\nwhere is it\n");
    let rows = import(table("ok;praise", &[TEXT, "LABEL"]) + "ok;praise\n");

    assert_eq!(short.rows.len(), 4, "{:?}", short.notes);
    assert_eq!(rows.rows.len(), 22, "{:?}", rows.notes);
}

#[test]
fn what_stands_below_a_header_in_another_order_is_not_read() {
    let import = import("text,label\nOne text,A\nTwo texts,B\nlabel,text\nA,Three texts\n");

    assert_eq!(rows(&import), ["One text => ?: A", "Two texts => ?: B"]);
    assert_eq!(import.rejected[0].line, 4);
    assert!(import.rejected[0].reason.contains("in another order"));
}
