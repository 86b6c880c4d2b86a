//! The records of a file of columns. A quote that never closes costs its row, not the rest of the file.

use std::io::{self, BufRead};

use active_learning_core::feedback::batch::MAX_ITEM_BYTES;

use crate::lines::{Line, Lines};

/// Lines that one record has at most.
const MAX_LINES: usize = 2_000;
/// Lines that are left out at most behind a quote that is never closed before reading goes on as it comes.
const MAX_SKIPPED: usize = 20;

/// How columns and quotes are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dialect {
    /// What stands between columns; none where each line is one text, quotes and all.
    pub delimiter: Option<u8>,
    /// What cells are quoted with: `"`, or `'` as MySQL may be told to write.
    pub quote: u8,
    /// Whether a quote within quotes is written with a backslash.
    pub backslash: bool,
}

impl Dialect {
    /// Each line by itself.
    pub(crate) const LINES: Self = Self {
        delimiter: None,
        quote: b'"',
        backslash: false,
    };
}

/// A record, or lines of which none can be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// Line on which it starts, from 1.
    pub line: u64,
    /// The bytes as they were found, without the last line end.
    pub raw: Vec<u8>,
    /// Its cells, or why there are none.
    pub cells: Result<Vec<Vec<u8>>, String>,
    /// Whether a quote stands in it that is neither doubled nor closes anything.
    pub has_stray_quote: bool,
}

/// Splits lines into cells, one after the other.
pub(crate) struct Splitter {
    dialect: Dialect,
    cells: Vec<Vec<u8>>,
    cell: Vec<u8>,
    state: State,
    stray: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// At the beginning of a cell, or in white space there.
    Start,
    Plain,
    Quoted,
    /// Behind a quote within quotes: does it close them?
    Quote,
    /// In white space behind it.
    After,
    /// Behind a backslash within quotes.
    Escaped,
}

impl Splitter {
    pub(crate) fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            cells: Vec::new(),
            cell: Vec::new(),
            state: State::Start,
            stray: false,
        }
    }

    /// Takes a line; returns whether the record ends with it.
    pub(crate) fn take(&mut self, line: &Line) -> bool {
        if self.dialect.delimiter.is_none() {
            self.cells.push(line.bytes.clone());
            return true;
        }
        for &byte in &line.bytes {
            self.step(byte);
        }
        if matches!(self.state, State::Quoted | State::Escaped) {
            self.state = State::Quoted;
            self.cell.extend_from_slice(line.end);
            return false;
        }
        self.end_cell();
        true
    }

    fn step(&mut self, byte: u8) {
        let is_delimiter = Some(byte) == self.dialect.delimiter;
        let quote = self.dialect.quote;
        match self.state {
            State::Start if byte == quote => {
                self.cell.clear();
                self.state = State::Quoted;
            }
            State::Start | State::Plain if is_delimiter => self.end_cell(),
            State::Start if byte == b' ' => self.cell.push(byte),
            State::Start | State::Plain => {
                self.cell.push(byte);
                self.state = State::Plain;
            }
            State::Quoted if byte == quote => self.state = State::Quote,
            State::Quoted if byte == b'\\' && self.dialect.backslash => self.state = State::Escaped,
            State::Quoted => self.cell.push(byte),
            State::Escaped => {
                if byte != quote && byte != b'\\' {
                    self.cell.push(b'\\');
                }
                self.cell.push(byte);
                self.state = State::Quoted;
            }
            State::Quote if byte == quote => {
                self.cell.push(byte);
                self.state = State::Quoted;
            }
            State::Quote | State::After if is_delimiter => self.end_cell(),
            State::Quote | State::After if byte == b' ' => self.state = State::After,
            State::Quote | State::After => {
                // It closed nothing: it belongs to the text.
                self.stray = true;
                self.cell.push(quote);
                if self.state == State::After {
                    self.cell.push(b' ');
                }
                self.cell.push(byte);
                self.state = State::Quoted;
            }
        }
    }

    fn end_cell(&mut self) {
        self.cells.push(std::mem::take(&mut self.cell));
        self.state = State::Start;
    }
}

/// Reads records one by one.
pub(crate) struct Records<R> {
    lines: Lines<R>,
    dialect: Dialect,
    /// Cells that most records have; 0 where that is not known yet.
    columns: usize,
}

impl<R: BufRead> Records<R> {
    pub(crate) fn new(lines: Lines<R>, dialect: Dialect, columns: usize) -> Self {
        Self {
            lines,
            dialect,
            columns,
        }
    }

    /// Returns the next record; none at the end. Empty lines are passed over.
    pub(crate) fn next(&mut self) -> io::Result<Option<Record>> {
        let first = loop {
            match self.lines.next()? {
                None => return Ok(None),
                Some(line) if line.bytes.trim_ascii().is_empty() => {}
                Some(line) => break line,
            }
        };
        if first.is_too_long {
            let reason = format!("the line is longer than {MAX_ITEM_BYTES} bytes, with which it begins here");
            return Ok(Some(bad(&first, Vec::new(), reason)));
        }
        let mut splitter = Splitter::new(self.dialect);
        if splitter.take(&first) {
            return Ok(Some(Record {
                line: first.number,
                raw: first.bytes,
                cells: Ok(splitter.cells),
                has_stray_quote: splitter.stray,
            }));
        }
        self.over_several_lines(first, splitter)
    }

    fn fits(&self, cells: usize) -> bool {
        self.columns == 0 || cells == self.columns
    }

    /// Returns whether a line by itself can be a record, or the beginning of one.
    fn begins_a_record(&self, line: &Line) -> bool {
        let mut splitter = Splitter::new(self.dialect);
        let is_sensible = match splitter.take(line) {
            true => self.fits(splitter.cells.len()),
            false => self.columns == 0 || splitter.cells.len() < self.columns,
        };
        is_sensible && !splitter.stray
    }

    /// Reads on where a quote is open at the end of a line.
    fn over_several_lines(&mut self, first: Line, mut splitter: Splitter) -> io::Result<Option<Record>> {
        let mut more: Vec<Line> = Vec::new();
        let mut bytes = first.bytes.len();
        let is_closed = loop {
            if splitter.stray || more.len() >= MAX_LINES || bytes > MAX_ITEM_BYTES {
                break false;
            }
            let Some(line) = self.lines.next()? else {
                break false;
            };
            bytes += line.bytes.len() + line.end.len();
            let ends = splitter.take(&line);
            more.push(line);
            if ends {
                break !splitter.stray
                    && (self.fits(splitter.cells.len()) || !self.begins_a_record(&more[0]));
            }
        };
        if is_closed {
            return Ok(Some(Record {
                line: first.number,
                raw: joined(&first, &more),
                cells: Ok(splitter.cells),
                has_stray_quote: false,
            }));
        }
        self.lines.give_back(more.into_iter());
        let skipped = self.skip_to_a_record()?;
        let reason = match skipped.last() {
            None => format!("the quote that opens in line {} is never closed", first.number),
            Some(last) => {
                let (from, to) = (first.number, last.number);
                format!(
                    "the quote that opens in line {from} is never closed; lines {from} to {to} are left out"
                )
            }
        };
        Ok(Some(bad(&first, skipped, reason)))
    }

    /// Passes over lines up to one that can begin a record.
    fn skip_to_a_record(&mut self) -> io::Result<Vec<Line>> {
        let mut skipped = Vec::new();
        while let Some(line) = self.lines.next()? {
            let makes_sense = self.begins_a_record(&line);
            if makes_sense || skipped.len() >= MAX_SKIPPED {
                self.lines.give_back(std::iter::once(line));
                break;
            }
            skipped.push(line);
        }
        Ok(skipped)
    }
}

fn bad(first: &Line, more: Vec<Line>, reason: String) -> Record {
    Record {
        line: first.number,
        raw: joined(first, &more),
        cells: Err(reason),
        has_stray_quote: false,
    }
}

fn joined(first: &Line, more: &[Line]) -> Vec<u8> {
    let mut raw = first.bytes.clone();
    let mut end = first.end;
    for line in more {
        raw.extend_from_slice(end);
        raw.extend_from_slice(&line.bytes);
        end = line.end;
    }
    raw
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content: &str, delimiter: u8, columns: usize) -> Vec<(u64, Result<Vec<String>, String>)> {
        let dialect = Dialect {
            delimiter: Some(delimiter),
            quote: b'"',
            backslash: false,
        };
        let mut records = Records::new(Lines::new(content.as_bytes()), dialect, columns);
        let mut read = Vec::new();
        while let Some(record) = records.next().expect("memory") {
            let text = |cell: &Vec<u8>| String::from_utf8(cell.clone()).expect("UTF-8");
            read.push((
                record.line,
                record.cells.map(|cells| cells.iter().map(text).collect()),
            ));
        }
        read
    }

    fn cells(row: &(u64, Result<Vec<String>, String>)) -> Vec<&str> {
        row.1
            .as_ref()
            .expect("cells")
            .iter()
            .map(String::as_str)
            .collect()
    }

    #[test]
    fn quotes_hold_delimiters_line_breaks_and_doubled_quotes() {
        let rows = read(
            "a,\"one, \"\"two\"\"\r\nthree\"\r\n\r\n\"b\" , \"four\"\n",
            b',',
            2,
        );

        assert_eq!(cells(&rows[0]), ["a", "one, \"two\"\r\nthree"]);
        assert_eq!((rows[1].0, cells(&rows[1])), (4, vec!["b", "four"]));
    }

    #[test]
    fn a_quote_that_never_closes_costs_its_row_whatever_comes_after_it() {
        for rest in [
            "c,plain\nd,more",
            "c,\"quoted\"\nd,more",
            "\"c\",x\nd,more",
            "c,\"two\nlines\"\nd,more",
        ] {
            let rows = read(&format!("a,one\nb,\"never closed\n{rest}\n"), b',', 2);

            assert_eq!(
                rows[1],
                (
                    2,
                    Err("the quote that opens in line 2 is never closed".to_owned())
                ),
                "{rest}"
            );
            assert_eq!(rows.len(), 4, "{rest}: {rows:?}");
            assert_eq!(cells(&rows[3]), ["d", "more"], "{rest}");
        }
    }

    #[test]
    fn lines_of_a_text_whose_quote_never_closes_are_left_out_with_it() {
        let rows = read("a,one\nb,\"never\nclosed\nat all\nc,two\n", b',', 2);

        let reason = "the quote that opens in line 2 is never closed; lines 2 to 4 are left out";
        assert_eq!(rows[1], (2, Err(reason.to_owned())));
        assert_eq!((rows.len(), cells(&rows[2])), (3, vec!["c", "two"]));
    }

    #[test]
    fn quotes_within_a_text_on_one_line_belong_to_it() {
        let rows = read("a,\"He said \"hi\" to me\",x\nb,5\" long,y\n", b',', 3);

        assert_eq!(cells(&rows[0]), ["a", "He said \"hi\" to me", "x"]);
        assert_eq!(cells(&rows[1]), ["b", "5\" long", "y"]);
    }
}
