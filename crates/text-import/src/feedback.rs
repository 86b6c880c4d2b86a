//! Files of feedback, read as streams: memory does not grow with the file, but for a workbook.
//!
//! Nobody looks at these files before they are used, so that nothing is guessed: every field of an item must
//! be known, whatever cannot be used is told with its bytes as they were found, and what is read otherwise
//! than it is written is told as a repair.

mod raw;
mod requests;
mod table;
#[cfg(test)]
mod tests;

use std::{
    cell::Cell,
    io::{BufReader, ErrorKind, Read},
    ops::ControlFlow,
};

use active_learning_core::{
    dataset::holds_fast_text_label,
    feedback::{
        FeedbackRequest, Fields, InvalidFeedback,
        batch::{MAX_ITEM_BYTES, ReadError, io_or_damaged},
    },
};
pub use raw::{RawRow, RawRows, decoded, is_table, raw_rows, transcoded, without_lines};
pub use requests::Whole;
use requests::{Requests, of_element};
use serde_json::Value;
pub use table::field;

use crate::{
    collect::COMMA,
    collected::Counted,
    document::{ENDLESS, NO_JSON, NOTHING_BEHIND},
    elements::{Head, Wanted, elements},
    encoding::{NO_LETTER, NoLetters, decode_line, holds_no_letter, reason, shown_bytes},
    lines::Lines,
    no_texts,
    objects::{Found, Objects},
    python,
    source::{OpenError, Shape, Source, open, without_comma},
    tools::fast_text,
    workbook,
};

/// Told of lines that are not UTF-8, behind their number.
const OTHER_ENCODING: &str = "lines that are no UTF-8, which were read as Windows-1252";
/// Told of quotes within texts, behind the number of records.
const STRAY_QUOTE: &str = "records with quotes that are neither doubled nor close a cell, which were kept";

/// One line, record or element of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// Line number, or the number of the row of a workbook or of the element of a JSON document; from 1.
    pub number: u64,
    /// The item as it was found, byte by byte, as far as it could be read; cells of a workbook are separated
    /// by tabs.
    pub raw: Vec<u8>,
    /// What it holds, or why it cannot be used.
    pub content: Result<FeedbackRequest, String>,
}

/// Returns the classifier that the first folder of a key names: one with a letter in it, since a date is
/// none.
pub fn classifier_of_key(key: &str) -> Option<&str> {
    let (folder, _) = key.trim_start_matches('/').split_once('/')?;
    let folder = folder.trim();
    folder.chars().any(char::is_alphabetic).then_some(folder)
}

/// Reads what a document says of all its texts, wherever it stands; of other files nothing, at once.
///
/// The inner error says why nothing of the file can be used: it is of a format that is not read, or a field
/// is unknown, given twice or of another kind, which might have changed what all its texts mean.
///
/// # Errors
///
/// [`ReadError`] when the file cannot be fetched; a damaged document has the fields that were found before.
pub fn whole(input: impl Read) -> Result<Result<Whole, String>, ReadError> {
    let source = match open(input, None) {
        Ok(source) => source,
        Err(OpenError::Refused(refusal)) => return Ok(Err(refusal.to_string())),
        // Damage is told by who reads the texts.
        Err(OpenError::Read(error)) => return io_or_damaged(error).map(|_| Ok(Whole::default())),
    };
    if source.shape == Shape::Workbook {
        return match workbook::bytes(source.content, table::LIMITS) {
            Ok(_) => Ok(Ok(Whole::default())),
            Err(OpenError::Refused(refusal)) => Ok(Err(refusal.to_string())),
            Err(OpenError::Read(error)) => io_or_damaged(error).map(|_| Ok(Whole::default())),
        };
    }
    if source.shape != Shape::Document {
        return Ok(Ok(Whole::default()));
    }
    let encoding = source.encoding.map_or("", |detected| detected.name());
    // Buffered as a type that is known: what reads JSON takes byte by byte.
    match Head::read(BufReader::new(source.content)) {
        Ok(head) if !source.no_letters.is_none() && head.holds_no_letter() => {
            Ok(Err(format!("{}; nothing of the file was read", reason(encoding))))
        }
        Ok(head) => Ok(Whole::of(&head)),
        Err(error) => io_or_damaged(error).map(|_| Ok(Whole::default())),
    }
}

/// Reads the items of `input`, hands them to `emit` until it breaks or the file ends, and returns what was
/// read otherwise than it is written, in sentences.
///
/// A damaged item is told and reading goes on; a damaged file becomes a last bad item, one that cannot be
/// used at all the only one. `whole` is what [`whole`] found; `classifier` is used for items without one of
/// their own.
///
/// # Errors
///
/// [`ReadError`], never for what the file holds.
pub fn read(
    input: impl Read,
    whole: &Whole,
    classifier: &str,
    emit: &mut dyn FnMut(Item) -> ControlFlow<()>,
) -> Result<Vec<String>, ReadError> {
    let budget = Cell::new(0);
    let mut sink = Sink {
        emit,
        whole: &whole.fields,
        classifier: whole.classifier.as_deref().unwrap_or(classifier),
        budget: &budget,
        no_letters: NoLetters::default(),
        encoding: "",
        number: 0,
        stopped: false,
        repairs: whole.repairs.clone(),
        counted: Counted::default(),
    };
    let source = match open(input, None) {
        Ok(source) => source,
        Err(OpenError::Refused(refusal)) => {
            sink.bad(1, refusal, b"");
            return Ok(sink.repairs);
        }
        Err(OpenError::Read(error)) => {
            sink.bad(1, io_or_damaged(error)?, b"");
            return Ok(sink.repairs);
        }
    };
    sink.repairs
        .extend(source.encoding.and_then(|detected| detected.note()));
    sink.no_letters = source.no_letters.clone();
    sink.encoding = source.encoding.map_or("", |detected| detected.name());
    if let Some((what, advice)) = not_read(&source) {
        let line = source
            .sample
            .trim_ascii_start()
            .split(|byte| *byte == b'\n')
            .next();
        sink.bad(
            1,
            format!("the file is {what}; {advice}"),
            line.unwrap_or_default(),
        );
        return Ok(sink.repairs);
    }
    match source.shape {
        Shape::Document if whole.is_item => objects(source, &mut sink)?,
        Shape::Document => document(source, &mut sink)?,
        Shape::Lines => json_lines(source, &mut sink)?,
        Shape::Table => table::delimited(source, &mut sink)?,
        Shape::Workbook => table::workbook(source, &mut sink)?,
    }
    let counted = std::mem::take(&mut sink.counted);
    sink.repairs.extend(counted.notes());
    Ok(sink.repairs)
}

/// Returns what a file is that looks like one of texts and is none, and what to do about it.
fn not_read(source: &Source<'_>) -> Option<(&'static str, &'static str)> {
    if python::is_one(&source.sample) {
        return Some((python::WHAT, python::ADVICE));
    }
    if let Some(found) = no_texts::found(&source.sample, source.is_whole) {
        return Some((found.what, found.advice));
    }
    let is_table = source.shape == Shape::Table;
    (is_table && table::has_names_below(&source.sample)).then_some((
        "one whose first line is a comment, above the line that names the columns",
        "leave the comment out: the first line must name the columns",
    ))
}

/// Reads one object a line.
fn json_lines(source: Source<'_>, sink: &mut Sink<'_>) -> Result<(), ReadError> {
    each_line(source, sink, &|sink, number, text| {
        let value = without_comma(text);
        if value.len() < text.trim().len() {
            sink.count(COMMA, number);
        }
        of_element(value)
    })
}

/// Reads what each line holds that is not blank.
fn each_line(
    source: Source<'_>,
    sink: &mut Sink<'_>,
    content: &dyn Fn(&mut Sink<'_>, u64, &str) -> Result<Requests, String>,
) -> Result<(), ReadError> {
    let mut lines = Lines::new(source.content);
    loop {
        let line = match lines.next() {
            Ok(Some(line)) => line,
            Ok(None) => return Ok(()),
            Err(error) => {
                sink.bad(sink.number + 1, io_or_damaged(error)?, b"");
                return Ok(());
            }
        };
        let number = line.number;
        if line.bytes.trim_ascii().is_empty() {
            continue;
        }
        let goes_on = if line.is_too_long {
            let reason = format!("the line is longer than {MAX_ITEM_BYTES} bytes, with which it begins here");
            sink.bad(number, reason, &line.bytes)
        } else {
            let text = sink.decoded(&line.bytes, number);
            let requests = content(sink, number, &text);
            sink.put_all(number, requests, &line.bytes)
        };
        if !goes_on {
            return Ok(());
        }
    }
}

/// Reads objects that are spread over several lines, one behind the other.
fn objects(source: Source<'_>, sink: &mut Sink<'_>) -> Result<(), ReadError> {
    let mut objects = Objects::new(source.content);
    for number in 1.. {
        let goes_on = match objects.next() {
            Ok(None) => break,
            Ok(Some(Found::Value(json))) => {
                if objects.had_comma {
                    sink.count(COMMA, number);
                }
                let text = sink.decoded(&json, number);
                sink.put_all(number, of_element(&text), &json)
            }
            Ok(Some(Found::Rest(raw))) => sink.bad(number, NO_JSON, &raw),
            Ok(Some(Found::Endless(raw))) => sink.bad(number, ENDLESS, &raw),
            Err(error) => {
                let reason = io_or_damaged(error)?;
                sink.bad(number, reason, b"");
                false
            }
        };
        if !goes_on {
            break;
        }
    }
    Ok(())
}

/// Reads the elements of a document.
fn document(source: Source<'_>, sink: &mut Sink<'_>) -> Result<(), ReadError> {
    let is_object = source.sample.trim_ascii_start().starts_with(b"{");
    let wanted = if is_object {
        Wanted::Field("sentences")
    } else {
        Wanted::Itself
    };
    let limited = Limited {
        inner: source.content,
        budget: sink.budget,
    };
    let read = elements(BufReader::new(limited), wanted, &mut |number, element| {
        sink.put_all(number, of_element(element), element.as_bytes())
    });
    match read {
        Ok(()) => Ok(()),
        Err(error) if error.is_io() => {
            let reason = io_or_damaged(error.into())?;
            sink.bad(sink.number + 1, reason, b"");
            Ok(())
        }
        Err(error) => {
            let reason = match error.classify() {
                // Our own words: what reads elements never quotes the input.
                serde_json::error::Category::Data => error.to_string(),
                serde_json::error::Category::Syntax => {
                    format!("{}; {NOTHING_BEHIND}", InvalidFeedback::from(error))
                }
                _ => InvalidFeedback::from(error).to_string(),
            };
            sink.bad(sink.number + 1, reason, b"");
            Ok(())
        }
    }
}

/// Ends a stream that delivers more than one item may hold, so that no item fills the memory.
struct Limited<'a, R> {
    inner: R,
    budget: &'a Cell<usize>,
}

impl<R: Read> Read for Limited<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        // Twice the limit: what lies in read buffers belongs to the next items.
        if self.budget.get() > 2 * MAX_ITEM_BYTES {
            return Err(std::io::Error::new(
                ErrorKind::InvalidData,
                format!("an item is longer than {MAX_ITEM_BYTES} bytes; is a quote unbalanced?"),
            ));
        }
        let read = self.inner.read(buffer)?;
        self.budget.set(self.budget.get() + read);
        Ok(read)
    }
}

/// Passes items on.
struct Sink<'a> {
    emit: &'a mut dyn FnMut(Item) -> ControlFlow<()>,
    /// Fields of items that have none of their own.
    whole: &'a Fields,
    /// Of items that name none.
    classifier: &'a str,
    budget: &'a Cell<usize>,
    /// Bytes of the file that are no letters of its encoding.
    no_letters: NoLetters,
    encoding: &'static str,
    number: u64,
    stopped: bool,
    repairs: Vec<String>,
    /// Repairs that are told once, with their number and the first line.
    counted: Counted,
}

impl Sink<'_> {
    /// Passes the requests of an item on, or that it holds none; false when no more are wanted.
    fn put_all(&mut self, number: u64, content: Result<Requests, String>, raw: &[u8]) -> bool {
        let requests = match content {
            // What stood there is not known: no label and no text is made of it.
            Ok(_) if self.is_damaged(raw) => return self.bad(number, reason(self.encoding), raw),
            Ok(requests) => requests,
            Err(reason) => return self.bad(number, reason, raw),
        };
        let is_damaged = |value: &Value| value.as_str().is_some_and(|text| text.contains(NO_LETTER));
        let mut values = requests.fields.iter().flat_map(Fields::values);
        if self.no_letters.is_none() && values.any(is_damaged) {
            return self.bad(number, reason("Windows-1252"), raw);
        }
        let holds_label = |value: &Value| value.as_str().is_some_and(holds_fast_text_label);
        let mut texts = requests.fields.iter().filter_map(|fields| fields.get("sentence"));
        if texts.any(holds_label) {
            return self.bad(number, fast_text::WITHIN, raw);
        }
        for note in requests.notes {
            self.count(note, number);
        }
        requests.fields.into_iter().all(|fields| {
            let mut all = self.whole.clone();
            all.extend(fields);
            let request = FeedbackRequest::of(all).map_err(|error| error.to_string());
            self.put(number, request, raw)
        })
    }

    fn put(&mut self, number: u64, content: Result<FeedbackRequest, String>, raw: &[u8]) -> bool {
        self.number = number;
        self.budget.set(0);
        let content = content.map(|request| request.or_classifier(self.classifier));
        let raw = match self.no_letters.is_none() {
            true => raw.to_vec(),
            false => shown_bytes(raw),
        };
        self.stopped |= (self.emit)(Item { number, raw, content }).is_break();
        !self.stopped
    }

    /// Returns whether some of an item's bytes are no letters of the file's encoding.
    fn is_damaged(&self, raw: &[u8]) -> bool {
        !self.no_letters.is_none() && holds_no_letter(raw)
    }

    fn bad(&mut self, number: u64, reason: impl ToString, raw: &[u8]) -> bool {
        self.put(number, Err(reason.to_string()), raw)
    }

    fn count(&mut self, what: &'static str, line: u64) {
        self.counted.add(what, line);
    }

    fn decoded<'b>(&mut self, bytes: &'b [u8], line: u64) -> std::borrow::Cow<'b, str> {
        let (text, is_other) = decode_line(bytes);
        if is_other {
            self.count(OTHER_ENCODING, line);
        }
        text
    }
}
