//! What was read of a file so far, with what is to be said of it.

use std::collections::BTreeMap;

use crate::{
    Column, Options, Rejected,
    draft::{Draft, Fields},
    encoding::{Detected, NO_LETTER, decode_line},
    source::damage,
    tools::Tool,
};

const OTHER_ENCODING: &str = "lines that are no UTF-8, which were read as Windows-1252 (if letters are wrong, \
    name the encoding, such as --encoding windows-1250 or windows-1254)";
const UNLIKELY: &str = "most letters are none of Western languages: is the first text as it should be? \
    If not, name the encoding, such as --encoding windows-1251 or shift_jis";

/// What was read so far.
pub(crate) struct Collected<'a> {
    pub options: &'a Options,
    pub drafts: Vec<(u64, Draft)>,
    pub rejected: Vec<Rejected>,
    pub notes: Vec<String>,
    pub columns: Vec<Column>,
    pub tool: Option<Tool>,
    /// Whether a row named the columns of a table.
    pub has_names: bool,
    /// Whether one object holds all texts.
    pub is_one_object: bool,
    /// Objects that no tool wrote: rows of a table.
    pub objects: Vec<(u64, Fields)>,
    /// Lists: rows of a table too.
    pub lists: Vec<(u64, Vec<String>)>,
    pub counted: Counted,
    /// The encoding of the file, where bytes of it are no letters of that.
    pub damaged_encoding: Option<&'static str>,
    /// Letters beyond ASCII and those of it, in lines that were read as Windows-1252.
    foreign: (usize, usize),
}

/// Repairs that are told once, with the number of their lines and the first one.
#[derive(Default)]
pub(crate) struct Counted(BTreeMap<&'static str, Lines>);

/// Lines in which something was repaired.
struct Lines {
    count: u64,
    first: u64,
    last: u64,
}

impl Counted {
    /// Counts a line, once for however many cells of it.
    pub(crate) fn add(&mut self, what: &'static str, line: u64) {
        let lines = self.0.entry(what).or_insert(Lines {
            count: 0,
            first: line,
            last: line,
        });
        lines.count += u64::from(lines.count == 0 || lines.last != line);
        lines.last = line;
    }

    pub(crate) fn notes(self) -> impl Iterator<Item = String> {
        self.0
            .into_iter()
            .map(|(what, Lines { count, first, .. })| format!("{what}: {count}, the first in line {first}"))
    }
}

impl<'a> Collected<'a> {
    pub(crate) fn new(options: &'a Options) -> Self {
        Self {
            options,
            drafts: Vec::new(),
            rejected: Vec::new(),
            notes: Vec::new(),
            columns: Vec::new(),
            tool: None,
            has_names: false,
            is_one_object: false,
            objects: Vec::new(),
            lists: Vec::new(),
            counted: Counted::default(),
            damaged_encoding: None,
            foreign: (0, 0),
        }
    }

    pub(crate) fn reject(&mut self, line: u64, reason: impl ToString) {
        self.rejected.push(Rejected {
            line,
            reason: reason.to_string(),
        });
    }

    /// Tells that reading ended early, behind a line.
    pub(crate) fn broken(&mut self, error: &std::io::Error, last: u64) {
        let reason =
            damage(error).unwrap_or_else(|| format!("the file could not be read from here on: {error}"));
        self.reject(last + 1, reason);
    }

    pub(crate) fn decoded(&mut self, bytes: &[u8], line: u64) -> String {
        let (text, is_other) = decode_line(bytes);
        if is_other {
            self.counted.add(OTHER_ENCODING, line);
            if text.contains(NO_LETTER) {
                self.damaged_encoding.get_or_insert("Windows-1252");
            }
            self.foreign.0 += text.chars().filter(|c| !c.is_ascii()).count();
            self.foreign.1 += text.chars().filter(char::is_ascii_alphabetic).count();
        }
        text.into_owned()
    }

    pub(crate) fn encoding_name(&mut self, detected: Detected) -> String {
        if self.foreign.0 > self.foreign.1 {
            self.notes.push(UNLIKELY.to_owned());
        }
        let name = detected.name();
        match self.counted.0.get(OTHER_ENCODING) {
            Some(_) if detected.mark == 0 => "Windows-1252, or UTF-8 where it is".to_owned(),
            Some(_) | None => name.to_owned(),
        }
    }
}
