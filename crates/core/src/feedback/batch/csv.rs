//! CSV with a header line that names the columns.

use std::{
    cell::RefCell,
    io::{self, BufRead, Read},
};

use serde_json::Value;

use super::{ReadError, Sink, io_or_damaged};
use crate::feedback::{
    FeedbackRequest,
    fields::{Fields, folded_name, unknown_field},
    request::FIELDS,
};

/// Another name of a column that is understood in files only.
const TEXT: &str = "text";

/// Column separators that are not ours, with their names.
const OTHER_SEPARATORS: [(char, &str); 3] = [(';', "semicolons"), ('\t', "tabs"), ('|', "bars")];

/// Reads one record a line, or several lines where a text is quoted.
pub(super) fn read(input: Box<dyn BufRead + '_>, sink: &mut Sink<'_>) -> Result<(), ReadError> {
    let kept = RefCell::new(Kept::default());
    let input = Keeping {
        inner: input,
        kept: &kept,
    };
    // Only with `\n` as the terminator does the crate count the lines of CRLF files right.
    let mut reader = ::csv::ReaderBuilder::new()
        .flexible(true)
        .terminator(::csv::Terminator::Any(b'\n'))
        .from_reader(input);
    let header = match reader.byte_headers() {
        Ok(header) => header.clone(),
        Err(error) => return csv_error(error, 1, sink),
    };
    let raw = kept.borrow_mut().take_to(reader.position().byte());
    if header.is_empty() {
        return Ok(());
    }
    let columns = match columns(&header) {
        Ok(columns) => columns,
        Err(reason) => {
            sink.bad(1, format!("{reason}; nothing of the file was read"), &raw);
            return Ok(());
        }
    };
    sink.repairs.extend(columns.repairs);
    let mut record = ::csv::ByteRecord::new();
    loop {
        match reader.read_byte_record(&mut record) {
            Ok(false) => return Ok(()),
            Ok(true) => {}
            Err(error) => return csv_error(error, sink.number + 1, sink),
        }
        let raw = kept.borrow_mut().take_to(reader.position().byte());
        if record.len() == 1 && record[0].trim_ascii().is_empty() {
            continue;
        }
        let number = record.position().map_or(0, ::csv::Position::line);
        if !sink.put(number, request(&record, &columns.fields), &raw) {
            return Ok(());
        }
    }
}

/// The bytes that were read and belong to no record yet.
#[derive(Default)]
struct Kept {
    bytes: Vec<u8>,
    /// Position of the first of them in the file.
    start: u64,
}

impl Kept {
    /// Takes the bytes up to a position in the file, without the line ends around them.
    fn take_to(&mut self, position: u64) -> Vec<u8> {
        let count = usize::try_from(position - self.start).unwrap_or(usize::MAX);
        let rest = self.bytes.split_off(count.min(self.bytes.len()));
        let taken = std::mem::replace(&mut self.bytes, rest);
        self.start = position;
        let is_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
        let first = taken.iter().position(|byte| !is_end(byte)).unwrap_or(taken.len());
        let last = taken
            .iter()
            .rposition(|byte| !is_end(byte))
            .map_or(first, |last| last + 1);
        taken[first..last].to_vec()
    }
}

/// Keeps what passes.
struct Keeping<'a> {
    inner: Box<dyn BufRead + 'a>,
    kept: &'a RefCell<Kept>,
}

impl Read for Keeping<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.kept.borrow_mut().bytes.extend_from_slice(&buffer[..read]);
        Ok(read)
    }
}

/// What a header line says.
struct Columns {
    /// The field that each column fills.
    fields: Vec<&'static str>,
    /// Columns that are called otherwise than their field.
    repairs: Vec<String>,
}

/// Reads the header line: every column must be known, once, and there must be one of texts.
fn columns(header: &::csv::ByteRecord) -> Result<Columns, String> {
    let mut columns = Columns {
        fields: Vec::new(),
        repairs: Vec::new(),
    };
    for name in header {
        let name = std::str::from_utf8(name).map_err(|_| "the header line is not valid UTF-8".to_owned())?;
        let separator = OTHER_SEPARATORS.iter().find(|(other, _)| name.contains(*other));
        let field = match (field(name), separator) {
            (Some(field), _) => field,
            (None, Some((_, separators))) if header.len() == 1 => {
                return Err(format!(
                    "the columns are separated by {separators}; separate them by commas"
                ));
            }
            (None, _) => {
                return Err(format!(
                    "the header line has an {}",
                    unknown_field(name.trim(), &FIELDS)
                ));
            }
        };
        if columns.fields.contains(&field) {
            return Err(format!("the header line has more than one column for `{field}`"));
        }
        if name.trim() != field {
            columns
                .repairs
                .push(format!("column `{}` was read as `{field}`", name.trim()));
        }
        columns.fields.push(field);
    }
    if !columns.fields.contains(&"sentence") {
        return Err("the header line has no column `sentence`".to_owned());
    }
    Ok(columns)
}

/// Returns the field of a column, whatever the case of its name.
fn field(name: &str) -> Option<&'static str> {
    let folded = folded_name(name);
    let known = FIELDS.iter().find(|(other, _)| folded_name(other) == folded);
    match known {
        Some((_, field)) => Some(field),
        None if folded == TEXT => Some("sentence"),
        None => None,
    }
}

fn request(record: &::csv::ByteRecord, fields: &[&'static str]) -> Result<FeedbackRequest, String> {
    if record.len() != fields.len() {
        let (found, expected) = (record.len(), fields.len());
        return Err(format!("{found} columns where the header has {expected}"));
    }
    let mut values = Fields::new();
    for (value, field) in record.iter().zip(fields) {
        let value = value.strip_suffix(b"\r").unwrap_or(value);
        let value = std::str::from_utf8(value).map_err(|_| format!("field `{field}` is not valid UTF-8"))?;
        if !value.is_empty() {
            values.insert(field, Value::from(value));
        }
    }
    FeedbackRequest::of(values).map_err(|error| error.to_string())
}

fn csv_error(error: ::csv::Error, number: u64, sink: &mut Sink<'_>) -> Result<(), ReadError> {
    let reason = match error.into_kind() {
        ::csv::ErrorKind::Io(error) => io_or_damaged(error)?,
        _ => "the file is no CSV from here on".to_owned(),
    };
    sink.bad(number, reason, b"");
    Ok(())
}
