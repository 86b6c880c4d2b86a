//! The rows of a file as they lie in it, whatever its columns mean: for who looks for something in all of it, also in
//! files that are refused.

use std::{borrow::Cow, io::Read};

use active_learning_core::feedback::batch::MAX_ITEM_BYTES;
use encoding_rs::{UTF_16BE, UTF_16LE};

use super::table::{field, is_known};
use crate::{
    Refusal,
    encoding::{Detected, decode_line},
    layout::{DELIMITERS, layout},
    lines::Lines,
    records::{Dialect, Record, Records},
    source::{OpenError, SAMPLE_BYTES, Shape, Source, open},
    workbook::{self, Sheet},
};

/// A row as it lies in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawRow {
    /// Line on which it starts, or number of the row of a sheet; from 1.
    pub number: u64,
    /// Lines that it takes; one of a sheet.
    pub lines: u64,
    /// Its cells; none where it cannot be cut into as many as the others have.
    pub cells: Option<Vec<String>>,
    /// All of it; cells of a sheet are separated by tabs.
    pub raw: String,
    /// Whether it is so long that only its beginning is here.
    pub is_cut_off: bool,
    /// The column whose name says that it holds texts.
    pub text: Option<usize>,
    /// The column whose name says that it holds users.
    pub user: Option<usize>,
}

/// The rows of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RawRows {
    /// A JSON document, which has no rows.
    Document,
    /// Rows that are lines of the file; those of JSON Lines have no cells. Some may come twice, cut in another way.
    Lines(Vec<RawRow>),
    /// Rows of the sheets of a workbook that are not read as feedback.
    Sheets(Vec<RawRow>),
}

/// Returns the rows of a file that is not compressed. `is_read` says whether some of it is read as feedback: then the sheets
/// that are have no rows here.
///
/// # Errors
///
/// [`Refusal`] of a file that cannot be cut into rows.
pub fn raw_rows(bytes: &[u8], is_read: bool) -> Result<RawRows, Refusal> {
    let source = open(bytes, None).map_err(OpenError::into_refusal)?;
    match source.shape {
        Shape::Document => Ok(RawRows::Document),
        Shape::Workbook => sheets(source, is_read).map(RawRows::Sheets),
        Shape::Lines => rows(source, Dialect::LINES, 0, false).map(RawRows::Lines),
        Shape::Table => table(bytes, source).map(RawRows::Lines),
    }
}

/// Decodes a line as one is read whose encoding nothing tells: UTF-8, or else Windows-1252.
pub fn decoded(line: &[u8]) -> Cow<'_, str> {
    decode_line(line).0
}

/// Returns a file that is not compressed as UTF-8, without the mark at its beginning; none where it is no text.
pub fn transcoded(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    open(bytes, None).ok()?.content.read_to_end(&mut text).ok()?;
    Some(text)
}

/// Returns whether a file has columns, or one text a line.
pub fn is_table(bytes: &[u8]) -> bool {
    open(bytes, None).is_ok_and(|source| source.shape == Shape::Table)
}

/// Returns a file without some of its lines, by their numbers from 1; the others stay byte by byte.
pub fn without_lines(bytes: &[u8], is_gone: impl Fn(u64) -> bool) -> Vec<u8> {
    let detected = Detected::of(&bytes[..bytes.len().min(SAMPLE_BYTES)], None);
    // In all other encodings a line end is one byte, which is part of no letter.
    let (size, low) = match detected.encoding {
        encoding if encoding == UTF_16LE => (2, 0),
        encoding if encoding == UTF_16BE => (2, 1),
        _ => (1, 0),
    };
    let letter = |at: usize| {
        let unit = bytes.get(at..at + size)?;
        let is_ascii = size == 1 || unit[1 - low] == 0;
        is_ascii.then_some(unit[low])
    };
    let mut rest = bytes[..detected.mark].to_vec();
    let (mut number, mut begin, mut at) = (1, detected.mark, detected.mark);
    while begin < bytes.len() {
        let end = loop {
            match letter(at) {
                _ if at >= bytes.len() => break bytes.len(),
                Some(b'\r') if letter(at + size) == Some(b'\n') => break at + 2 * size,
                Some(b'\n' | b'\r') => break at + size,
                _ => at += size,
            }
        };
        if !is_gone(number) {
            rest.extend_from_slice(&bytes[begin..end]);
        }
        (number, begin, at) = (number + 1, end, end);
    }
    rest
}

/// Reads a file of columns; where nothing tells what stands between them, also by what might.
fn table(bytes: &[u8], source: Source<'_>) -> Result<Vec<RawRow>, Refusal> {
    let layout = layout(&source.sample, source.is_whole, None);
    let mut all = rows(source, layout.dialect, layout.columns, layout.has_separator_line)?;
    if layout.dialect.delimiter.is_none() {
        for delimiter in DELIMITERS {
            let dialect = Dialect {
                delimiter: Some(delimiter),
                quote: layout.dialect.quote,
                backslash: layout.dialect.backslash,
            };
            let again = open(bytes, None).map_err(OpenError::into_refusal)?;
            // Those of one line are looked through already.
            all.extend(
                rows(again, dialect, 0, false)?
                    .into_iter()
                    .filter(|row| row.lines > 1),
            );
        }
    }
    Ok(all)
}

fn rows(
    source: Source<'_>,
    dialect: Dialect,
    columns: usize,
    has_separator_line: bool,
) -> Result<Vec<RawRow>, Refusal> {
    let damaged = |error: std::io::Error| OpenError::Read(error).into_refusal();
    let is_json = source.shape == Shape::Lines;
    let mut lines = Lines::new(source.content);
    if has_separator_line {
        lines.next().map_err(damaged)?;
    }
    let mut records = Records::new(lines, dialect, columns);
    let (mut all, mut names) = (Vec::new(), None);
    while let Some(record) = records.next().map_err(damaged)? {
        let mut row = row(record, columns);
        match (&names, &row.cells) {
            (None, Some(cells)) => names = Some((named(cells, "sentence"), named(cells, "user"))),
            (Some((text, user)), _) => (row.text, row.user) = (*text, *user),
            (None, None) => {}
        }
        if is_json {
            row.cells = Some(Vec::new());
        }
        all.push(row);
    }
    Ok(all)
}

fn row(record: Record, columns: usize) -> RawRow {
    let raw = decode_line(&record.raw).0.into_owned();
    let cells = record
        .cells
        .ok()
        .filter(|cells| columns <= 1 || cells.len() == columns);
    let text = |cell: &Vec<u8>| decode_line(cell).0.into_owned();
    let ends = raw.matches('\n').count() + raw.matches('\r').count() - raw.matches("\r\n").count();
    RawRow {
        number: record.line,
        lines: ends as u64 + 1,
        cells: cells.map(|cells| cells.iter().map(text).collect()),
        is_cut_off: record.raw.len() >= MAX_ITEM_BYTES,
        raw,
        ..RawRow::default()
    }
}

/// Reads the rows of sheets: of all, or of those whose columns are not known.
fn sheets(source: Source<'_>, is_read: bool) -> Result<Vec<RawRow>, Refusal> {
    let bytes = workbook::bytes(source.content, workbook::LIMITS).map_err(OpenError::into_refusal)?;
    let mut all = Vec::new();
    for Sheet { rows, is_hidden, .. } in workbook::sheets(&bytes)? {
        let names = rows.first().map(|(_, names)| names.clone()).unwrap_or_default();
        if is_read && is_known(&names) && !is_hidden {
            continue;
        }
        let (text, user) = (named(&names, "sentence"), named(&names, "user"));
        for (place, (number, cells)) in rows.into_iter().enumerate() {
            all.push(RawRow {
                number,
                lines: 1,
                raw: cells.join("\t"),
                cells: Some(cells),
                is_cut_off: false,
                text: text.filter(|_| place > 0),
                user: user.filter(|_| place > 0),
            });
        }
    }
    Ok(all)
}

/// Returns the column whose name is that of a field.
fn named(names: &[String], wanted: &str) -> Option<usize> {
    names.iter().position(|name| field(name) == Some(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(bytes: &[u8]) -> Vec<RawRow> {
        match raw_rows(bytes, false) {
            Ok(RawRows::Lines(rows)) => rows,
            other => panic!("{other:?}"),
        }
    }

    fn utf_16(text: &str, bytes: impl Fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn rows_of_a_refused_file_are_cut_whatever_stands_between_their_cells() {
        let rows = lines("sentence;user;agent\r\n\"Two\r\nlines\";jane;x\r\n\r\nShort;bob\r\n".as_bytes());

        let cells = |row: &RawRow| row.cells.clone().unwrap_or_default();
        assert_eq!(cells(&rows[1]), ["Two\r\nlines", "jane", "x"]);
        assert_eq!((rows[1].number, rows[1].lines), (2, 2));
        assert_eq!(
            (rows[0].text, rows[1].text, rows[1].user),
            (None, Some(0), Some(1))
        );
        assert_eq!(
            (rows[2].number, &rows[2].cells, &rows[2].raw[..]),
            (5, &None, "Short;bob")
        );
    }

    #[test]
    fn a_text_over_several_lines_is_found_where_nothing_tells_the_columns() {
        let rows = lines(b"a,b,c\nnothing\nx,\"two\nlines\"\na;b\n,,,,\nq\n");

        let over_lines = rows.iter().find(|row| row.lines == 2).expect("one of two lines");
        assert_eq!(
            over_lines.cells.as_ref().map(|cells| &cells[1][..]),
            Some("two\nlines")
        );
    }

    #[test]
    fn lines_go_by_their_numbers_in_every_encoding_and_the_others_stay_byte_by_byte() {
        let text = "eins;ä\r\nzwei\rdrei\n\nfünf";
        let without = "zwei\rdrei\nfünf";
        let (old, ..) = encoding_rs::WINDOWS_1252.encode(text);
        let (old_rest, ..) = encoding_rs::WINDOWS_1252.encode(without);
        let mark = "\u{feff}";
        for (bytes, rest) in [
            (text.as_bytes().to_vec(), without.as_bytes().to_vec()),
            (
                format!("{mark}{text}").into_bytes(),
                format!("{mark}{without}").into_bytes(),
            ),
            (old.to_vec(), old_rest.to_vec()),
            (
                utf_16(&format!("{mark}{text}"), u16::to_le_bytes),
                utf_16(&format!("{mark}{without}"), u16::to_le_bytes),
            ),
            (utf_16(text, u16::to_be_bytes), utf_16(without, u16::to_be_bytes)),
        ] {
            assert_eq!(without_lines(&bytes, |line| line == 1 || line == 4), rest);
            assert_eq!(without_lines(&bytes, |_| false), bytes);
        }
    }
}
