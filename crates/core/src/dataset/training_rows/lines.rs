//! The bytes of a file on their way to its reader: line ends are made one, and quotes are watched.

use std::{
    collections::VecDeque,
    io::{self, Read},
};

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// What comes after the sample; a failure while that was read comes first.
pub(super) struct Rest<R> {
    pub(super) failure: Option<io::Error>,
    pub(super) file: R,
}

impl<R: Read> Read for Rest<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.failure.take() {
            Some(failure) => Err(failure),
            None => self.file.read(buffer),
        }
    }
}

/// Turns every line end into a line feed, so that lines can be counted.
pub(super) struct LineFeeds<R> {
    inner: R,
    after_return: bool,
    pub(super) quotes: Quotes,
}

impl<R: Read> LineFeeds<R> {
    /// Reads columns between which this separator stands, quoted with this.
    pub(super) fn new(inner: R, separator: u8, quote: u8) -> Self {
        Self {
            inner,
            after_return: false,
            quotes: Quotes::new(separator, quote),
        }
    }
}

impl<R: Read> Read for LineFeeds<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.inner.read(buffer)?;
            let mut kept = 0;
            for index in 0..count {
                let byte = buffer[index];
                let second_half = byte == b'\n' && self.after_return;
                self.after_return = byte == b'\r';
                if !second_half {
                    buffer[kept] = if self.after_return { b'\n' } else { byte };
                    kept += 1;
                }
            }
            // Nothing kept of something read is not the end of the file.
            if kept > 0 || count == 0 {
                buffer[..kept].iter().for_each(|byte| self.quotes.take(*byte));
                return Ok(kept);
            }
        }
    }
}

/// A quoted column that goes on after the quote that ends it: `"Rates" rise`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BrokenQuote {
    /// Line on which its row starts, from 1.
    row: u64,
    /// Whether the quotes are on different lines.
    pub(super) is_over_lines: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    RowStart,
    ColumnStart,
    Plain,
    Quoted,
    /// After a quote that may end the column, or be the first of two.
    Ended,
    /// After the white space that follows one that ended it.
    Padded,
}

/// Follows the quotes of a CSV file as its reader does, which drops those that end too early without a word.
pub(super) struct Quotes {
    separator: u8,
    quote: u8,
    state: State,
    bytes: usize,
    line: u64,
    row: u64,
    opened: u64,
    broken: VecDeque<BrokenQuote>,
}

impl Quotes {
    fn new(separator: u8, quote: u8) -> Self {
        Self {
            separator,
            quote,
            state: State::RowStart,
            bytes: 0,
            line: 1,
            row: 1,
            opened: 1,
            broken: VecDeque::new(),
        }
    }

    fn take(&mut self, byte: u8) {
        let is_mark = BYTE_ORDER_MARK.get(self.bytes) == Some(&byte);
        self.bytes += 1;
        if is_mark {
            return;
        }
        self.state = match (self.state, byte) {
            (State::Quoted, b'\n') => State::Quoted,
            (_, b'\n') => State::RowStart,
            (State::Quoted, byte) if byte == self.quote => State::Ended,
            (State::Quoted, _) => State::Quoted,
            (State::Ended, byte) if byte == self.quote => State::Quoted,
            (_, byte) if byte == self.separator => self.begun(State::ColumnStart),
            (State::Ended | State::Padded, b' ' | b'\t') => State::Padded,
            (State::Ended | State::Padded, _) => self.broken(),
            (State::RowStart | State::ColumnStart, byte) if byte == self.quote => {
                self.opened = self.line;
                self.begun(State::Quoted)
            }
            (State::RowStart | State::ColumnStart | State::Plain, _) => self.begun(State::Plain),
        };
        self.line += u64::from(byte == b'\n');
    }

    /// Notes where the row starts, if it does.
    fn begun(&mut self, next: State) -> State {
        if self.state == State::RowStart {
            self.row = self.line;
        }
        next
    }

    fn broken(&mut self) -> State {
        self.broken.push_back(BrokenQuote {
            row: self.row,
            is_over_lines: self.line > self.opened,
        });
        State::Plain
    }

    /// Returns the broken quote of the row that starts on a line, and forgets those before it.
    pub(super) fn broken_in(&mut self, row: u64) -> Option<BrokenQuote> {
        let mut found: Option<BrokenQuote> = None;
        while let Some(broken) = self.broken.pop_front_if(|broken| broken.row <= row) {
            let is_worse = broken.is_over_lines || found.is_none();
            found = if broken.row == row && is_worse {
                Some(broken)
            } else {
                found
            };
        }
        found
    }
}
