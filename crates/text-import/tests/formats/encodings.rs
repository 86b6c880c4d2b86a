//! Files with bytes that are no letters of the encoding in which they are read.

use super::*;

fn in_encoding(content: impl AsRef<[u8]>, name: &str) -> Import {
    let options = Options {
        encoding: Some(name.to_owned()),
        ..Options::default()
    };
    import_with(content, &options)
}

fn says(import: &Import, words: &str) -> bool {
    import.notes.iter().any(|note| note.contains(words))
}

#[test]
fn no_letter_of_a_text_or_a_label_is_replaced_where_the_encoding_was_named_wrongly() {
    let content = b"text;label;note\nThe fee is too high;Geb\xc3\xbchr;a\nThe f\xfce is high;x;b\n\
        It is late;Geb\xfchr;c\nAll is well;x;\xfcber\n";

    let import = in_encoding(content, "utf-8");

    assert_eq!(
        rows(&import),
        ["The fee is too high => ?: Gebühr", "All is well => ?: x"]
    );
    let rejected: Vec<u64> = import.rejected.iter().map(|rejected| rejected.line).collect();
    assert_eq!(rejected, [3, 4]);
    assert!(
        import.rejected[0]
            .reason
            .contains("no letters of UTF-8, in which the file was read"),
        "{:?}",
        import.rejected
    );
    assert!(
        says(&import, "no letters of UTF-8: 3, the first in line 3"),
        "{:?}",
        import.notes
    );
}

#[test]
fn bytes_behind_the_beginning_by_which_an_encoding_was_told_are_no_letters_of_it_in_silence() {
    let (pair, ..) = encoding_rs::GBK.encode("发票金额不对，请帮我检查一下,账单\n包裹还没有送到,物流\n");
    let mut content = b"text,label\n".to_vec();
    content.extend(pair.repeat(1_500));
    content.extend_from_slice(b"It is late,Geb\xffhr\n");

    let import = import(&content);

    assert_eq!(
        (import.rows.len(), import.encoding.as_deref()),
        (3_000, Some("GBK"))
    );
    assert_eq!(import.rejected[0].line, 3_002);
    assert!(
        says(&import, "no letters of GBK: 1, the first in line 3002"),
        "{:?}",
        import.notes
    );
}

#[test]
fn a_sign_of_replacement_that_a_file_holds_itself_is_a_letter_of_it() {
    let import = in_encoding("text;label\nThe \u{FFFD} is its own;x\n", "utf-8");

    assert_eq!(rows(&import), ["The \u{FFFD} is its own => ?: x"]);
    assert_eq!((import.rejected, import.notes), (vec![], vec![]));
}

#[test]
fn a_json_document_loses_the_elements_with_such_bytes_and_no_others() {
    let content =
        b"{\"texts\": [{\"text\": \"caf\xe9\", \"label\": \"x\"}, {\"text\": \"tea\", \"label\": \"y\"}]}";

    let import = in_encoding(content, "utf-8");

    assert_eq!(rows(&import), ["tea => ?: y"]);
    assert_eq!(import.rejected.len(), 1);
}

#[test]
fn bytes_that_windows_1252_does_not_have_cost_their_row_told_or_named() {
    let content = b"text,label\nM\x81ller wartet,Rechnung\nM\xfcller wartet,Rechnung\n";

    for import in [
        import_with(content, &Options::default()),
        in_encoding(content, "windows-1252"),
    ] {
        assert_eq!(rows(&import), ["Müller wartet => ?: Rechnung"]);
        assert_eq!(import.rejected.len(), 1);
        assert!(
            import.rejected[0].reason.contains("no letters of Windows-1252"),
            "{:?}",
            import.rejected
        );
    }
}
