//! Batch files of feedback, read as streams: memory does not grow with the file.
//!
//! Every field of an item must be known; whatever cannot be used is told with its bytes as they were found,
//! and what is read otherwise than it is written is told as a repair.

mod csv;
mod json;
mod json_lines;
#[cfg(test)]
mod tests;

use std::{
    cell::Cell,
    io::{BufRead, BufReader, ErrorKind, Read},
    ops::ControlFlow,
};

use flate2::read::MultiGzDecoder;

use crate::feedback::FeedbackRequest;

pub use json::json_classifier;

/// Longest line, CSV record or JSON element, in bytes; a longer one is rejected, not held in memory.
pub const MAX_ITEM_BYTES: usize = 1 << 20;

/// First bytes of text in UTF-16, of both byte orders.
const UTF_16_MARKS: [&[u8]; 2] = [b"\xFF\xFE", b"\xFE\xFF"];

/// Shape of a batch file's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `{"classifier": "…", "sentences": ["…" or {…}]}`, or an array of objects.
    Json,
    /// One object a line.
    JsonLines,
    /// Comma-separated with a header line that names the columns.
    Csv,
}

/// A batch file, by the suffix of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchFile {
    /// Shape of its content.
    pub format: Format,
    /// Whether it is compressed.
    pub gzip: bool,
}

impl BatchFile {
    /// Reads `.json`, `.jsonl` or `.csv`, with or without `.gz`, in any case.
    pub fn from_key(key: &str) -> Option<Self> {
        let key = key.to_ascii_lowercase();
        let (name, gzip) = match key.strip_suffix(".gz") {
            Some(name) => (name, true),
            None => (key.as_str(), false),
        };
        let format = match name.rsplit_once('.')?.1 {
            "json" => Format::Json,
            "jsonl" | "ndjson" => Format::JsonLines,
            "csv" => Format::Csv,
            _ => return None,
        };
        Some(Self { format, gzip })
    }
}

/// One line, record or element of a batch file.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// Line number, or the number of the element in a JSON document; from 1.
    pub number: u64,
    /// The item as it was found, byte by byte, as far as it could be read.
    pub raw: Vec<u8>,
    /// What it holds, or why it cannot be used.
    pub content: Result<FeedbackRequest, String>,
}

/// An item that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadItem {
    /// Why; safe to show.
    pub reason: String,
    /// The item as it was found, byte by byte, as far as it could be read.
    pub raw: Vec<u8>,
}

/// Why reading ended before the end of the file.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file could not be fetched; worth another try.
    #[error("the file could not be read")]
    Io(#[source] std::io::Error),
}

/// Reads the items of `input`, hands them to `emit` until it breaks or the file ends, and returns what was
/// read otherwise than it is written, in sentences.
///
/// A damaged item is told and reading goes on; a damaged file becomes a last bad item.
/// `classifier` is used for items without one of their own.
///
/// # Errors
///
/// [`ReadError`], never for what the file holds.
pub fn read(
    file: BatchFile,
    input: impl Read,
    classifier: &str,
    emit: &mut dyn FnMut(Item) -> ControlFlow<()>,
) -> Result<Vec<String>, ReadError> {
    let budget = Cell::new(0);
    let mut sink = Sink {
        emit,
        classifier,
        budget: &budget,
        number: 0,
        stopped: false,
        repairs: Vec::new(),
    };
    let mut input = match content(file, input, &budget) {
        Ok(input) => input,
        Err(error) => {
            sink.bad(1, io_or_damaged(error)?, b"");
            return Ok(sink.repairs);
        }
    };
    if is_utf_16(&mut input)? {
        sink.bad(1, "the file is UTF-16; save it as UTF-8", b"");
        return Ok(sink.repairs);
    }
    match file.format {
        Format::Json => json::read(input, &mut sink)?,
        Format::JsonLines => json_lines::read(input, &mut sink)?,
        Format::Csv => csv::read(input, &mut sink)?,
    }
    Ok(sink.repairs)
}

/// Looks at the first bytes only; damage there is found again by who reads on.
fn is_utf_16(input: &mut dyn BufRead) -> Result<bool, ReadError> {
    match input.fill_buf() {
        Ok(start) => Ok(UTF_16_MARKS.iter().any(|mark| start.starts_with(mark))),
        Err(error) => io_or_damaged(error).map(|_| false),
    }
}

/// Decompresses, limits and strips the byte order mark.
fn content<'a>(
    file: BatchFile,
    input: impl Read + 'a,
    budget: &'a Cell<usize>,
) -> std::io::Result<Box<dyn BufRead + 'a>> {
    let raw: Box<dyn Read + 'a> = if file.gzip {
        Box::new(MultiGzDecoder::new(BufReader::new(input)))
    } else {
        Box::new(input)
    };
    let mut content = BufReader::new(Limited { inner: raw, budget });
    if content.fill_buf()?.starts_with(b"\xEF\xBB\xBF") {
        content.consume(3);
    }
    Ok(Box::new(content))
}

/// Tells a transport error, which another try may mend, from a damaged file.
pub(crate) fn io_or_damaged(error: std::io::Error) -> Result<String, ReadError> {
    match error.kind() {
        ErrorKind::InvalidData | ErrorKind::InvalidInput | ErrorKind::UnexpectedEof => {
            Ok(format!("the file is damaged from here on: {error}"))
        }
        _ => Err(ReadError::Io(error)),
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

/// Takes the limit off again where nothing is kept.
struct Unlimited<'a, R> {
    inner: R,
    budget: &'a Cell<usize>,
}

impl<R: Read> Read for Unlimited<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.budget.set(0);
        self.inner.read(buffer)
    }
}

/// Passes items on.
struct Sink<'a> {
    emit: &'a mut dyn FnMut(Item) -> ControlFlow<()>,
    /// Of items that name none.
    classifier: &'a str,
    budget: &'a Cell<usize>,
    number: u64,
    stopped: bool,
    repairs: Vec<String>,
}

impl Sink<'_> {
    /// Passes an item on; false when no more are wanted.
    fn put(&mut self, number: u64, content: Result<FeedbackRequest, String>, raw: &[u8]) -> bool {
        self.number = number;
        self.budget.set(0);
        let content = content.map(|request| request.or_classifier(self.classifier));
        let raw = raw.to_vec();
        self.stopped |= (self.emit)(Item { number, raw, content }).is_break();
        !self.stopped
    }

    fn bad(&mut self, number: u64, reason: impl ToString, raw: &[u8]) -> bool {
        self.put(number, Err(reason.to_string()), raw)
    }
}

/// Returns a line without its line end.
fn without_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}
