//! What stands between the columns of a file, told by its beginning.

use active_learning_core::dataset::declared_separator;

use crate::{
    encoding::decode_line,
    header::{can_be_name, has_both},
    lines::Lines,
    names::{is_label_name, is_text_name},
    records::{Dialect, Records},
};

/// Records that are looked at.
const LOOKED_AT: usize = 200;

/// What separates columns, in the order in which one is taken of two that fit as well.
pub(crate) const DELIMITERS: [u8; 4] = [b'\t', b';', b',', b'|'];

/// Lines of one cell that may stand before the columns.
const MAX_BEFORE: usize = 5;

/// Share of the records that must have as many columns as most, in percent.
const AGREEMENT: usize = 80;
/// The same where the first record names known columns.
const AGREEMENT_WITH_NAMES: usize = 50;

/// The columns of a file, as far as its beginning tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub dialect: Dialect,
    /// Columns that most records have.
    pub columns: usize,
    /// Whether the first line only says what the delimiter is: `sep=;`.
    pub has_separator_line: bool,
    /// The first records.
    pub records: Vec<Vec<String>>,
}

/// How well a delimiter fits.
struct Fit {
    dialect: Dialect,
    columns: usize,
    records: Vec<Vec<String>>,
    /// Share of the records with as many columns as most, in percent.
    share: usize,
    has_names: bool,
    /// Whether it stands before white space only, as in sentences.
    is_punctuation: bool,
    /// Sum of the places where it stands first.
    first: usize,
    is_quoted: bool,
}

/// Tells the columns of a file by its beginning; `wanted` is a delimiter that somebody named.
pub(crate) fn layout(sample: &[u8], is_whole: bool, wanted: Option<u8>) -> Layout {
    let (separator, rest) = declared_separator(sample);
    let quote = quote(rest);
    let backslash = escapes_by_backslash(rest, quote);
    let fit = |delimiter| {
        fit(
            rest,
            is_whole,
            Dialect {
                delimiter: Some(delimiter),
                quote,
                backslash,
            },
        )
    };
    let named = wanted.or(separator);
    let best = match named {
        Some(delimiter) => Some(fit(delimiter)),
        None => {
            let fits: Vec<Fit> = DELIMITERS.into_iter().map(fit).filter(Fit::is_good).collect();
            fits.into_iter().max_by(Fit::compare)
        }
    };
    // A header of known names tells it, however few of the rows can be read.
    let best = best.or_else(|| DELIMITERS.into_iter().map(fit).find(Fit::has_header));
    let best = best.or_else(|| Some(fit(b',')).filter(Fit::is_one_quoted_column));
    let best = best.unwrap_or_else(|| self::fit(rest, is_whole, Dialect::LINES));
    Layout {
        dialect: best.dialect,
        columns: best.columns,
        has_separator_line: separator.is_some(),
        records: best.records,
    }
}

/// Returns what cells are quoted with: a single quote where each cell of the first line stands in such.
fn quote(sample: &[u8]) -> u8 {
    let end = sample.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
    let line = sample[..end.unwrap_or(sample.len())].trim_ascii();
    let is_quoted = |delimiter: &u8| {
        let mut cells = line.split(|byte| byte == delimiter).map(<[u8]>::trim_ascii);
        line.contains(delimiter)
            && cells.all(|cell| cell.len() > 2 && cell.starts_with(b"'") && cell.ends_with(b"'"))
    };
    match DELIMITERS.iter().any(is_quoted) {
        true => b'\'',
        false => b'"',
    }
}

/// Returns whether quotes within quotes are written with a backslash, and never doubled.
fn escapes_by_backslash(sample: &[u8], quote: u8) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b' ';
    let inside = |three: &[u8]| three[..2] == [b'\\', quote] && is_letter(three[2]);
    let doubled = |three: &[u8]| three[1..] == [quote, quote] && is_letter(three[0]);
    sample.windows(3).any(inside) && !sample.windows(3).any(doubled)
}

fn fit(sample: &[u8], is_whole: bool, dialect: Dialect) -> Fit {
    // Most records have as many columns as the first ones that can be read without knowing it.
    let mut columns = 0;
    let mut rows = Vec::new();
    for _ in 0..2 {
        rows = sample_rows(sample, is_whole, dialect, columns);
        let first = rows.iter().flatten().next().map_or(0, Vec::len);
        let filled = rows
            .iter()
            .flatten()
            .filter(|cells| cells.iter().any(|cell| !cell.trim().is_empty()));
        columns = most_frequent(filled.map(|cells| without_empty_end(cells, first)));
    }
    // Words before the columns, such as a title.
    let before = rows
        .iter()
        .take_while(|row| row.as_ref().is_some_and(|cells| cells.len() == 1))
        .count();
    if columns > 1 && (1..=MAX_BEFORE).contains(&before) && rows.len() >= before + 3 {
        rows.drain(..before);
    }
    let agreeing = rows
        .iter()
        .flatten()
        .filter(|cells| without_empty_end(cells, columns) == columns)
        .count();
    let share = 100 * agreeing / rows.len().max(1);
    let records: Vec<Vec<String>> = rows.into_iter().flatten().collect();
    let of_columns = || {
        records
            .iter()
            .filter(|cells| cells.len() == columns && columns > 1)
    };
    let spaced = of_columns()
        .filter(|cells| cells[1..].iter().all(|cell| cell.starts_with(' ')))
        .count();
    Fit {
        dialect,
        columns,
        share,
        has_names: records.first().is_some_and(|cells| {
            cells.len() > 1 && cells.iter().any(|cell| is_text_name(cell) || is_label_name(cell))
        }),
        is_punctuation: 10 * spaced >= 9 * agreeing && spaced > 0,
        first: of_columns().map(|cells| cells[0].len()).sum(),
        is_quoted: sample.starts_with(b"\"")
            || sample.windows(2).any(|pair| matches!(pair, b"\n\"" | b"\r\"")),
        records,
    }
}

impl Fit {
    fn is_good(&self) -> bool {
        let needed = if self.has_names {
            AGREEMENT_WITH_NAMES
        } else {
            AGREEMENT
        };
        let is_punctuation = self.is_punctuation && !self.has_names && self.dialect.delimiter != Some(b'\t');
        self.columns > 1 && self.share >= needed && !is_punctuation
    }

    /// Compares two good ones: known names, then agreement, then what stands first in a line.
    fn compare(&self, other: &Self) -> std::cmp::Ordering {
        let key = |fit: &Self| {
            (
                fit.has_names,
                fit.share / 5,
                fit.dialect.delimiter != Some(b'|'),
                std::cmp::Reverse(fit.first),
            )
        };
        key(self).cmp(&key(other))
    }

    /// Returns whether the first record has a name of texts and one of labels, and nothing else but names.
    fn has_header(&self) -> bool {
        self.records.first().is_some_and(|cells| {
            has_both(cells, is_text_name, is_label_name) && cells.iter().all(|cell| can_be_name(cell))
        })
    }

    fn is_one_quoted_column(&self) -> bool {
        self.columns == 1 && self.share >= 90 && self.is_quoted
    }
}

/// Reads the first records, without a last one that may be cut off; `None` for one that cannot be read. One with a quote that
/// is never closed says nothing against the delimiter that it stands behind, and is none of them.
fn sample_rows(sample: &[u8], is_whole: bool, dialect: Dialect, columns: usize) -> Vec<Option<Vec<String>>> {
    let mut records = Records::new(Lines::new(sample), dialect, columns);
    let mut rows = Vec::new();
    while rows.len() <= LOOKED_AT {
        let Ok(Some(record)) = records.next() else { break };
        let text = |cell: &Vec<u8>| decode_line(cell).0.into_owned();
        if record.cells.is_err() && opens_a_cell(&record.raw, dialect) {
            continue;
        }
        let cells = record
            .cells
            .ok()
            .filter(|_| !(columns > 0 && record.has_stray_quote && dialect.delimiter.is_none()));
        rows.push(cells.map(|cells| cells.iter().map(text).collect()));
    }
    if rows.len() > LOOKED_AT || !is_whole && rows.len() > 1 {
        rows.pop();
    }
    rows
}

/// Returns whether a quote stands right behind a delimiter.
fn opens_a_cell(raw: &[u8], dialect: Dialect) -> bool {
    let opens = |pair: &[u8]| Some(pair[0]) == dialect.delimiter && pair[1] == dialect.quote;
    raw.windows(2).any(opens)
}

/// Counts cells, but not empty ones at the end beyond so many.
fn without_empty_end(cells: &[String], columns: usize) -> usize {
    let is_filled = |cell: &String| !cell.trim().is_empty();
    let filled = cells.iter().rposition(is_filled).map_or(0, |last| last + 1);
    cells.len().min(filled.max(columns))
}

fn most_frequent(counts: impl Iterator<Item = usize>) -> usize {
    let mut times = std::collections::BTreeMap::<usize, usize>::new();
    counts.for_each(|count| *times.entry(count).or_default() += 1);
    times
        .into_iter()
        .max_by_key(|(_, times)| *times)
        .map_or(1, |(count, _)| count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(content: &str) -> (Option<char>, usize) {
        let layout = layout(content.as_bytes(), true, None);
        (layout.dialect.delimiter.map(char::from), layout.columns)
    }

    #[test]
    fn the_delimiter_is_told_by_what_makes_the_same_columns_of_all_rows() {
        for (content, expected) in [
            ("label,text\nA,one\nB,\"two, three\"\n", (Some(','), 2)),
            ("World;one, with a comma\nSports;two, too\n", (Some(';'), 2)),
            ("World;one,a\nSports;two,b\n", (Some(';'), 2)),
            ("World,one; two\nSports,three; four\n", (Some(','), 2)),
            ("1\tWorld\tone\n2\tSports\ttwo, three\n", (Some('\t'), 3)),
            ("World|one\nSports|two\n", (Some('|'), 2)),
            ("A|B,one\nA|C,two\n", (Some(','), 2)),
            ("id;Texto;Etiqueta\n1,5;uno, dos;a\n2,5;tres;b\n", (Some(';'), 3)),
            ("label, text\nA, one\nB, two\n", (Some(','), 2)),
            ("sep=^\r\na^b,c\r\n", (Some('^'), 2)),
            ("\"sep=;\"\na;b\n", (Some(';'), 2)),
        ] {
            assert_eq!(told(content), expected, "{content}");
        }
    }

    #[test]
    fn a_header_tells_the_delimiter_where_no_row_can_be_read() {
        for content in [
            "text,label\nHallo du,Billing,zuviel\n\"offen ",
            "text,label\n\"offen\n",
            "text,label\n",
        ] {
            assert_eq!(told(content).0, Some(','), "{content}");
        }
    }

    #[test]
    fn a_quote_that_is_never_closed_makes_no_lines_of_text_of_a_short_file() {
        let content = "World,fine\nSports,\"never closed\nWorld,more\nSports,again\n";

        assert_eq!(told(content), (Some(','), 2));
    }

    #[test]
    fn lines_of_text_are_one_column_whatever_punctuation_they_hold() {
        for content in [
            "Hello, world\nHi, there\n",
            "one\ntwo, three, four\nfive\n",
            "One; two\nThree; four\n",
            "Hello, world\n\"Never closed, said he\nand went\n",
            "text\n",
        ] {
            assert_eq!(told(content), (None, 1), "{content}");
        }
        assert_eq!(told("\"Hello, \"\"world\"\"\"\n\"Hi, there\"\n"), (Some(','), 1));
    }
}
