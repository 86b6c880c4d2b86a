//! What a file is, told from its beginning.

use super::{
    BadRow,
    header::{Header, header, stands_apart},
    reader,
};
use crate::dataset::declared_separator;

/// Rows of the sample that must agree on another separator.
const SAMPLE_ROWS: usize = 50;

/// What files of other programs begin with.
const OTHER_FILES: [(&[u8], &str); 4] = [
    (b"PK\x03\x04", "a spreadsheet or an archive (ZIP); save it as CSV"),
    (b"\x1F\x8B", "compressed (gzip); put it there unpacked"),
    (b"%PDF", "a PDF document; save it as CSV"),
    (b"\xD0\xCF\x11\xE0", "an Office document; save it as CSV"),
];

/// Column separators that are not ours, with their names.
const OTHER_SEPARATORS: [(u8, &str); 3] = [(b';', "semicolons"), (b'\t', "tabs"), (b'|', "bars")];

/// What the beginning of a file tells.
pub(super) struct Beginning {
    /// What the first line names as the separator of the columns.
    pub declared: Option<u8>,
    /// What cells are quoted with.
    pub quote: u8,
    /// What kind of header line there is.
    pub header: Option<Header>,
    /// Whether only the rows below tell that it is one.
    pub is_guessed: bool,
}

impl Beginning {
    fn of(declared: Option<u8>, quote: u8, rows: &[csv::ByteRecord]) -> Self {
        let known = header(rows);
        let is_guessed = known.is_none() && stands_apart(rows);
        Self {
            declared,
            quote,
            header: known.or(is_guessed.then_some(Header::LabelFirst)),
            is_guessed,
        }
    }
}

/// Tells from its beginning what a file is, and refuses what is no CSV of ours.
pub(super) fn look_at(
    sample: &[u8],
    is_whole: bool,
    label_delimiter: Option<char>,
) -> Result<Beginning, BadRow> {
    let refused = |reason: String| Err(BadRow { line: 1, reason });
    if let Some((_, kind)) = OTHER_FILES.iter().find(|(start, _)| sample.starts_with(start)) {
        return refused(format!("the file is {kind}"));
    }
    if is_utf_16(sample) {
        return refused("the file is UTF-16; save it as UTF-8".to_owned());
    }
    let text = sample.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(sample);
    if let Some(kind) = json_kind(text) {
        let kind = if text.trim_ascii_start().starts_with(b"{") {
            kind.replacen("JSON", "JSON Lines", 1)
        } else {
            kind.to_owned()
        };
        return refused(format!(
            "the file is {kind}, not CSV of a label and a text a line"
        ));
    }
    let (declared, text) = declared_separator(text);
    let quote = quote(text, declared.unwrap_or(b','), is_whole);
    if let Some(separator) = declared {
        let rows = sample_rows(text, separator, quote, is_whole);
        return Ok(Beginning::of(declared, quote, &rows));
    }
    let by_comma = sample_rows(text, b',', quote, is_whole);
    if let Some(separators) = other_separator(text, &by_comma, is_whole, label_delimiter) {
        return refused(format!(
            "the columns are separated by {separators}; separate label and text by a comma"
        ));
    }
    Ok(Beginning::of(declared, quote, &by_comma))
}

/// Returns whether bytes are UTF-16, with or without a byte-order mark: every other byte of most letters is
/// zero.
fn is_utf_16(sample: &[u8]) -> bool {
    let start = &sample[..sample.len().min(1_024)];
    let zeros = |odd: usize| {
        start
            .iter()
            .skip(odd)
            .step_by(2)
            .filter(|byte| **byte == 0)
            .count()
    };
    let many = start.len() / 8;
    start.starts_with(b"\xFF\xFE")
        || start.starts_with(b"\xFE\xFF")
        || start.len() >= 8 && (zeros(0) > many && zeros(1) == 0 || zeros(1) > many && zeros(0) == 0)
}

pub(super) fn json_kind(text: &[u8]) -> Option<&'static str> {
    let text = text.trim_ascii_start();
    let inside = |text: &[u8]| {
        text.get(1..)
            .map(<[u8]>::trim_ascii_start)
            .unwrap_or_default()
            .to_vec()
    };
    let inside = inside(text);
    match (text.first()?, inside.first()) {
        (b'{' | b'[', Some(b'"')) | (b'[', Some(b'{' | b'[')) => Some("JSON"),
        (b'{' | b'[', Some(b'\'')) => Some("JSON in Python's notation"),
        _ => None,
    }
}

/// Returns what cells are quoted with: a single quote where every line of the sample begins and ends in such, with two and the
/// separator between them.
fn quote(text: &[u8], separator: u8, is_whole: bool) -> u8 {
    let mut lines: Vec<&[u8]> = text.split(|byte| matches!(byte, b'\n' | b'\r')).collect();
    if !is_whole {
        lines.pop();
    }
    let between = [b'\'', separator, b'\''];
    let is_quoted = |line: &&[u8]| {
        line.len() > 4
            && line.starts_with(b"'")
            && line.ends_with(b"'")
            && line.windows(3).any(|three| three == between)
    };
    let mut filled = lines
        .into_iter()
        .map(<[u8]>::trim_ascii)
        .filter(|line| !line.is_empty())
        .take(SAMPLE_ROWS)
        .peekable();
    match filled.peek().is_some() && filled.all(|line| is_quoted(&line)) {
        true => b'\'',
        false => b'"',
    }
}

/// Reads the first rows with a separator, without a last one that may be cut off.
fn sample_rows(text: &[u8], separator: u8, quote: u8, is_whole: bool) -> Vec<csv::ByteRecord> {
    let rows = reader(separator, quote).from_reader(text).into_byte_records();
    let mut rows: Vec<_> = rows.map_while(Result::ok).take(SAMPLE_ROWS + 1).collect();
    if rows.len() > SAMPLE_ROWS || !is_whole {
        rows.pop();
    }
    rows
}

/// Returns the name of a separator by which all rows fall into the same columns, where they do not by commas.
fn other_separator(
    text: &[u8],
    by_comma: &[csv::ByteRecord],
    is_whole: bool,
    label_delimiter: Option<char>,
) -> Option<&'static str> {
    let good = |rows: &[csv::ByteRecord]| !rows.is_empty() && rows.iter().all(|row| row.len() == 2);
    let commas_are_good = good(by_comma);
    let candidates = OTHER_SEPARATORS.iter().filter(|(separator, _)| {
        let is_label_delimiter = label_delimiter == Some(char::from(*separator));
        // Several labels a row may be separated by bars.
        let is_taken_for_one = commas_are_good && *separator == b'|';
        !(is_label_delimiter || is_taken_for_one)
    });
    for (separator, name) in candidates {
        let rows = sample_rows(text, *separator, b'"', is_whole);
        let columns = rows.first().map_or(0, csv::ByteRecord::len);
        let agree = columns >= 2 && rows.iter().all(|row| row.len() == columns);
        let before_the_comma = by_comma.iter().all(|row| row[0].contains(separator));
        if agree && (before_the_comma || !commas_are_good && columns == 2) {
            return Some(name);
        }
    }
    None
}
