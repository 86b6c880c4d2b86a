//! What a file is, by its first bytes: what can be read, and what is refused by its name.

use crate::Refusal;

/// Bytes of which files of text have next to none.
const CONTROLS: [u8; 26] = [
    1, 2, 3, 4, 5, 6, 7, 8, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 27, 28, 29, 30, 31, 127,
];

/// Of so many bytes one that no text holds makes a file binary.
const BINARY_SHARE: usize = 20;

/// What holds the texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Container {
    /// Text, of whatever shape.
    Plain,
    /// Compressed by gzip.
    Gzip,
    /// An Excel workbook, or another zip archive: only the whole file can say.
    Zip,
}

/// A kind of file that is not read: its first bytes, its name, and what to do.
type Refused = (&'static [u8], &'static str, &'static str);

const UNPACK: &str = "unpack it, and give the files in it";
const SAVE_AS: &str = "save it as .xlsx or CSV";
const TEXTS: &str = "save its texts as CSV, one a row";

const REFUSED: [Refused; 28] = [
    (b"\xFF\xFE\0\0", "UTF-32", "save it as UTF-8"),
    (b"\0\0\xFE\xFF", "UTF-32", "save it as UTF-8"),
    (
        b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1",
        "an Office file of the old kind (.xls, .doc) or one with a password",
        "save it as .xlsx without a password, or as CSV",
    ),
    (b"%PDF-", "a PDF", TEXTS),
    (b"BZh", "compressed by bzip2", UNPACK),
    (b"\xFD7zXZ\0", "compressed by xz", UNPACK),
    (b"\x28\xB5\x2F\xFD", "compressed by zstd", UNPACK),
    (b"\x04\x22\x4D\x18", "compressed by lz4", UNPACK),
    (b"\x1F\x9D", "compressed by compress (.Z)", UNPACK),
    (b"7z\xBC\xAF\x27\x1C", "a 7z archive", UNPACK),
    (b"Rar!", "a rar archive", UNPACK),
    (
        b"PAR1",
        "Parquet",
        "write it as CSV or JSON Lines, such as by pandas.read_parquet(…).to_csv(…)",
    ),
    (
        b"PARE",
        "Parquet with encryption",
        "write it as CSV or JSON Lines",
    ),
    (b"ARROW1", "Arrow or Feather", "write it as CSV or JSON Lines"),
    (b"FEA1", "Feather", "write it as CSV or JSON Lines"),
    (
        b"\xFF\xFF\xFF\xFF\x10\0\0\0",
        "an Arrow stream",
        "write it as CSV or JSON Lines",
    ),
    (b"Obj\x01", "Avro", "write it as CSV or JSON Lines"),
    (b"ORC", "ORC", "write it as CSV or JSON Lines"),
    (
        b"SQLite format 3\0",
        "an SQLite database",
        "export its table as CSV",
    ),
    (b"\x89HDF\r\n", "HDF5", "write it as CSV or JSON Lines"),
    (b"\x93NUMPY", "a NumPy array", "write it as CSV or JSON Lines"),
    (b"{\\rtf", "rich text (.rtf)", TEXTS),
    (b"\x89PNG", "a picture", "texts are read only"),
    (b"\xFF\xD8\xFF", "a picture", "texts are read only"),
    (b"GIF8", "a picture", "texts are read only"),
    (b"II*\0", "a picture", "texts are read only"),
    (b"\x7FELF", "a program", "texts are read only"),
    (b"MZ\x90\0", "a program", "texts are read only"),
];

/// Beginnings of marked-up text, in lower case.
const MARKED_UP: [(&[u8], &str); 5] = [
    (b"<!doctype html", "an HTML page"),
    (b"<html", "an HTML page"),
    (b"<table", "an HTML page"),
    (b"<?xml", "XML"),
    (b"<workbook", "XML"),
];

/// Tells what a file is by its beginning.
pub(crate) fn container(sample: &[u8]) -> Result<Container, Refusal> {
    if sample.starts_with(b"\x1F\x8B") {
        return Ok(Container::Gzip);
    }
    if sample.starts_with(b"PK\x03\x04") || sample.starts_with(b"PK\x05\x06") {
        return Ok(Container::Zip);
    }
    // `ORC` and `BZh` begin words too: text that goes on is text.
    let is_kind = |(magic, ..): &&Refused| sample.starts_with(magic) && (magic.len() > 3 || !is_text(sample));
    if let Some((_, what, advice)) = REFUSED.iter().find(is_kind) {
        return Err(Refusal::Format { what, advice });
    }
    if sample.get(257..262) == Some(b"ustar") {
        return Err(Refusal::Format {
            what: "a tar archive",
            advice: UNPACK,
        });
    }
    let start = sample
        .strip_prefix(b"\xEF\xBB\xBF")
        .unwrap_or(sample)
        .trim_ascii_start();
    let start = start[..start.len().min(16)].to_ascii_lowercase();
    if let Some((_, what)) = MARKED_UP.iter().find(|(tag, _)| start.starts_with(tag)) {
        return Err(Refusal::Format {
            what,
            advice: SAVE_AS,
        });
    }
    Ok(Container::Plain)
}

/// Refuses what is neither text nor anything that is known; not for UTF-16.
pub(crate) fn check_text(sample: &[u8]) -> Result<(), Refusal> {
    if is_text(sample) {
        return Ok(());
    }
    Err(Refusal::Format {
        what: "binary data of a kind that is not known",
        advice: "save it as .xlsx, CSV or JSON",
    })
}

fn is_text(sample: &[u8]) -> bool {
    let strange = sample.iter().filter(|byte| CONTROLS.contains(byte)).count();
    let zeros = sample.iter().filter(|byte| **byte == 0).count();
    strange * BINARY_SHARE <= sample.len() && zeros * 4 <= sample.len()
}

/// Refuses a zip archive that is no workbook, by what it is.
pub(crate) fn check_workbook(bytes: &[u8]) -> Result<(), Refusal> {
    let holds = |name: &[u8]| find(bytes, name).is_some();
    let (what, advice) = if holds(b"xl/workbook.xml") || holds(b"xl/worksheets/") {
        if holds(b"xl/workbook.bin") {
            ("an Excel workbook of the binary kind (.xlsb)", SAVE_AS)
        } else {
            return Ok(());
        }
    } else if holds(b"xl/workbook.bin") {
        ("an Excel workbook of the binary kind (.xlsb)", SAVE_AS)
    } else if holds(b"application/vnd.oasis.opendocument.spreadsheet") {
        ("an OpenDocument spreadsheet (.ods)", SAVE_AS)
    } else if holds(b"application/vnd.oasis.opendocument") {
        ("an OpenDocument text (.odt)", TEXTS)
    } else if holds(b"word/document.xml") {
        ("a Word document (.docx)", TEXTS)
    } else if holds(b"ppt/presentation.xml") {
        ("a presentation (.pptx)", TEXTS)
    } else if holds(b"Index/Document.iwa") {
        ("a Numbers or Pages file", SAVE_AS)
    } else {
        ("a zip archive", UNPACK)
    };
    Err(Refusal::Format { what, advice })
}

/// Returns where bytes occur first.
fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    let first = *wanted.first()?;
    let mut from = 0;
    while let Some(at) = bytes.get(from..)?.iter().position(|byte| *byte == first) {
        if bytes[from + at..].starts_with(wanted) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(bytes: &[u8]) -> String {
        let refusal = container(bytes).and_then(|container| match container {
            Container::Zip => check_workbook(bytes),
            Container::Plain => check_text(bytes),
            Container::Gzip => Ok(()),
        });
        refusal.expect_err("refused").to_string()
    }

    #[test]
    fn other_formats_are_refused_by_their_name_with_what_to_do() {
        let tar = [vec![b'a'; 257], b"ustar\0".to_vec()].concat();
        for (bytes, name) in [
            (&b"PK\x03\x04....texts.csv"[..], "a zip archive; unpack it"),
            (
                b"PK\x03\x04mimetypeapplication/vnd.oasis.opendocument.spreadsheet",
                "(.ods); save it as .xlsx or CSV",
            ),
            (b"PK\x03\x04....word/document.xml", "(.docx)"),
            (b"PK\x03\x04....xl/workbook.bin", "(.xlsb)"),
            (b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1....", "(.xls, .doc)"),
            (b"%PDF-1.7", "a PDF"),
            (b"\xFF\xFE\0\0t\0\0\0", "UTF-32; save it as UTF-8"),
            (b"PAR1\x15\x04", "Parquet; write it as CSV"),
            (b"BZh91AY&SY\x01\x02\x03", "bzip2"),
            (b"\x28\xB5\x2F\xFD", "zstd"),
            (b" \n<!DOCTYPE HTML>", "an HTML page"),
            (b"\x01\x02\x03\x04\x05", "binary data"),
            (&tar, "a tar archive"),
        ] {
            assert!(refused(bytes).contains(name), "{name}: {}", refused(bytes));
        }
    }

    #[test]
    fn texts_that_begin_like_another_format_are_texts() {
        for text in [
            &b"BZhome,one\n"[..],
            b"ORC,a battle\n",
            b"PK,one\n",
            b"<b>bold</b>,one\n",
            b"a\0b,one\n",
        ] {
            assert_eq!(container(text), Ok(Container::Plain));
            assert_eq!(check_text(text), Ok(()));
        }
    }
}
