//! A file, opened: unpacked, decoded, and what shape its content has.

use std::io::{self, BufRead, BufReader, Cursor, ErrorKind, Read};

use encoding_rs::Encoding;
use flate2::read::MultiGzDecoder;

use crate::{
    Refusal,
    container::{Container, check_text, container},
    encoding::{Detected, NoLetters, Transcoded, display_name},
    names::is_text_name,
    tools::Tool,
};

/// Bytes at the beginning of a file by which it is told what it is.
pub(crate) const SAMPLE_BYTES: usize = 64 << 10;

/// Arrays of a document that hold its texts, by the names of their fields.
pub(crate) const WRAPPERS: [&str; 19] = [
    "sentences",
    "texts",
    "data",
    "records",
    "items",
    "examples",
    "documents",
    "rows",
    "results",
    "tickets",
    "comments",
    "messages",
    "utterances",
    "tasks",
    "conversations",
    "issues",
    "reviews",
    "posts",
    "entries",
];

/// How a file's content is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// One JSON document.
    Document,
    /// One JSON object a line.
    Lines,
    /// Columns, or one text a line.
    Table,
    /// An Excel workbook.
    Workbook,
}

/// A file, opened.
pub(crate) struct Source<'a> {
    pub shape: Shape,
    pub gzip: bool,
    /// Name of the encoding; none of a workbook.
    pub encoding: Option<Detected>,
    /// Bytes of it that are no letters of that, as far as it was read.
    pub no_letters: NoLetters,
    /// Its beginning, decoded; it comes again in `content`.
    pub sample: Vec<u8>,
    /// Whether that is all of it.
    pub is_whole: bool,
    /// Its content in UTF-8, but for lines that are not: see [`crate::encoding::decode_line`].
    pub content: Box<dyn BufRead + 'a>,
}

/// Why a file could not be opened.
#[derive(Debug)]
pub(crate) enum OpenError {
    Refused(Refusal),
    /// It could not be read; damage is one kind of that.
    Read(io::Error),
}

impl OpenError {
    /// Refuses what cannot be read, where there is no other try.
    pub(crate) fn into_refusal(self) -> Refusal {
        match self {
            Self::Refused(refusal) => refusal,
            Self::Read(error) => Refusal::Damaged(damage(&error).unwrap_or_else(|| error.to_string())),
        }
    }
}

impl From<Refusal> for OpenError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// Opens a file; `name` is a hint only.
pub(crate) fn open<'a>(
    input: impl Read + 'a,
    encoding: Option<&'static Encoding>,
) -> Result<Source<'a>, OpenError> {
    let raw = Sampled::of(Box::new(input))?;
    match container(&raw.sample)? {
        Container::Plain => decoded(raw, false, encoding),
        Container::Zip => Ok(workbook(raw, false)),
        Container::Gzip => {
            let unpacked = Sampled::of(Box::new(MultiGzDecoder::new(BufReader::new(raw.again()))))?;
            match container(&unpacked.sample)? {
                Container::Plain => decoded(unpacked, true, encoding),
                Container::Zip => Ok(workbook(unpacked, true)),
                Container::Gzip => Err(Refusal::Format {
                    what: "compressed twice",
                    advice: "unpack it once",
                }
                .into()),
            }
        }
    }
}

fn workbook(raw: Sampled<'_>, gzip: bool) -> Source<'_> {
    Source {
        shape: Shape::Workbook,
        gzip,
        encoding: None,
        no_letters: NoLetters::default(),
        sample: Vec::new(),
        is_whole: raw.is_whole(),
        content: Box::new(BufReader::new(raw.again())),
    }
}

fn decoded<'a>(
    raw: Sampled<'a>,
    gzip: bool,
    named: Option<&'static Encoding>,
) -> Result<Source<'a>, OpenError> {
    if let Some((named, found)) = named.and_then(|named| Some((named, Detected::other(&raw.sample, named)?)))
    {
        let (named, found) = (display_name(named), display_name(found));
        return Err(Refusal::OtherEncoding { named, found }.into());
    }
    let detected = Detected::of(&raw.sample, named);
    let no_letters = NoLetters::default();
    let text = if detected.is_by_line() {
        let mark = detected.mark;
        let mut text = raw;
        text.sample.drain(..mark);
        text
    } else {
        let decoded = Transcoded::new(raw.again(), detected.encoding, no_letters.clone());
        Sampled::of(Box::new(decoded))?
    };
    check_text(&text.sample)?;
    Ok(Source {
        shape: shape(&text.sample, text.is_whole()),
        gzip,
        encoding: Some(detected),
        no_letters,
        is_whole: text.is_whole(),
        sample: text.sample.clone(),
        content: Box::new(BufReader::new(text.again())),
    })
}

/// Tells an error that another try may mend from a damaged file, and says what is wrong with the latter.
pub(crate) fn damage(error: &io::Error) -> Option<String> {
    match error.kind() {
        ErrorKind::InvalidData | ErrorKind::InvalidInput | ErrorKind::UnexpectedEof => {
            Some(format!("the file is damaged from here on: {error}"))
        }
        _ => None,
    }
}

/// An input whose beginning was read.
struct Sampled<'a> {
    sample: Vec<u8>,
    failure: Option<io::Error>,
    rest: Box<dyn Read + 'a>,
}

impl<'a> Sampled<'a> {
    fn of(mut input: Box<dyn Read + 'a>) -> Result<Self, OpenError> {
        let mut sample = Vec::new();
        let failure = input
            .by_ref()
            .take(SAMPLE_BYTES as u64)
            .read_to_end(&mut sample)
            .err();
        match failure {
            Some(error) if sample.is_empty() || damage(&error).is_none() => Err(OpenError::Read(error)),
            failure => Ok(Self {
                sample,
                failure,
                rest: input,
            }),
        }
    }

    fn is_whole(&self) -> bool {
        self.sample.len() < SAMPLE_BYTES && self.failure.is_none()
    }

    /// Returns the input from its beginning.
    fn again(self) -> Box<dyn Read + 'a> {
        let rest = Rest {
            failure: self.failure,
            inner: self.rest,
        };
        Box::new(Cursor::new(self.sample).chain(rest))
    }
}

/// What comes after the sample; a failure while that was read comes first.
struct Rest<'a> {
    failure: Option<io::Error>,
    inner: Box<dyn Read + 'a>,
}

impl Read for Rest<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.failure.take() {
            Some(failure) => Err(failure),
            None => self.inner.read(buffer),
        }
    }
}

/// Tells how content is written by its beginning.
fn shape(sample: &[u8], is_whole: bool) -> Shape {
    let text = sample.trim_ascii_start();
    let second = text
        .get(1..)
        .map(<[u8]>::trim_ascii_start)
        .and_then(<[u8]>::first)
        .copied();
    match (text.first(), second) {
        (Some(b'['), Some(b'{' | b'"')) => Shape::Document,
        (Some(b'['), Some(b'[')) if begins_with_a_list(text) => Shape::Document,
        (Some(b'['), Some(b']')) if text.get(1..).map(<[u8]>::trim_ascii) == Some(b"]") => Shape::Document,
        (Some(b'{'), Some(b'"' | b'}')) => object(text, is_whole),
        _ if has_lines_of_json(text) => Shape::Lines,
        _ => Shape::Table,
    }
}

/// Returns whether an array begins with another one, of texts or numbers; a text may begin with brackets too.
fn begins_with_a_list(text: &[u8]) -> bool {
    let inner = text[1..]
        .trim_ascii_start()
        .get(1..)
        .map(<[u8]>::trim_ascii_start);
    let first = inner.and_then(<[u8]>::first);
    first.is_some_and(|byte| *byte == b'"' || byte.is_ascii_digit())
}

/// Tells one document from an object a line.
fn object(text: &[u8], is_whole: bool) -> Shape {
    let end = text.iter().position(|byte| *byte == b'\n');
    let first = text[..end.unwrap_or(text.len())].trim_ascii();
    let goes_on = end.is_some_and(|end| !text[end..].trim_ascii().is_empty());
    if end.is_none() && !is_whole {
        // A line that is longer than the sample.
        return if names_wrapper(first) {
            Shape::Document
        } else {
            Shape::Lines
        };
    }
    // A comma behind each line, as in a list.
    let value = match goes_on {
        true => first.strip_suffix(b",").unwrap_or(first),
        false => first,
    };
    match serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(value) {
        Ok(fields) if !goes_on && has_wrapper(&fields) => Shape::Document,
        Ok(_) => Shape::Lines,
        Err(_) if matches!(first.last(), Some(b'{' | b'[' | b',' | b':')) => Shape::Document,
        Err(_) if !goes_on && names_wrapper(first) => Shape::Document,
        Err(_) => Shape::Lines,
    }
}

/// Returns whether an object has an array that holds texts, whatever the case of its name; or one of objects only, and is
/// no row itself.
fn has_wrapper(fields: &serde_json::Map<String, serde_json::Value>) -> bool {
    let is_wrapper = |name: &String| WRAPPERS.contains(&name.to_lowercase().as_str());
    let holds_objects = |value: &serde_json::Value| {
        let values = value.as_array().filter(|values| !values.is_empty());
        values.is_some_and(|values| values.iter().all(serde_json::Value::is_object))
    };
    let is_row = || fields.keys().any(|name| is_text_name(name)) || Tool::of(fields).is_some();
    let arrays = || fields.values().filter(|value| value.is_array());
    fields
        .iter()
        .any(|(name, value)| is_wrapper(name) && value.is_array())
        || arrays().count() == 1 && arrays().all(holds_objects) && !is_row()
}

/// Returns the JSON of a line without white space around it, and without the comma before or behind it that lines of a list
/// have.
pub(crate) fn without_comma(line: &str) -> &str {
    let line = line.trim();
    if let Some(value) = line.strip_prefix(',') {
        return value.trim_start();
    }
    let value = line.strip_suffix(',').map(str::trim_end);
    value
        .filter(|value| value.ends_with(['}', ']', '"']))
        .unwrap_or(line)
}

fn names_wrapper(text: &[u8]) -> bool {
    let start = String::from_utf8_lossy(&text[..text.len().min(4_096)]);
    WRAPPERS.iter().any(|name| {
        let after = start
            .split_once(&format!("\"{name}\""))
            .map(|(_, after)| after.trim_start());
        let value = after
            .and_then(|after| after.strip_prefix(':'))
            .map(str::trim_start);
        value.is_some_and(|value| value.starts_with('['))
    })
}

/// Returns whether most lines are JSON objects, though the first is none.
fn has_lines_of_json(text: &[u8]) -> bool {
    let lines = text
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::trim_ascii)
        .filter(|line| !line.is_empty());
    let (mut objects, mut all) = (0, 0);
    for line in lines.take(50) {
        all += 1;
        objects += usize::from(line.starts_with(b"{\""));
    }
    2 * objects > all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_and_lines_of_json_are_told_apart() {
        for (content, expected) in [
            (r#"{"sentences":["a"]}"#, Shape::Document),
            ("{\n  \"sentences\": []\n}", Shape::Document),
            (r#"{"text":"a","label":["b"]}"#, Shape::Lines),
            ("{\"text\":\"a\"}\n{\"text\":\"b\"}", Shape::Lines),
            ("{\"text\":\"cut off\n{\"text\":\"b\"}", Shape::Lines),
            ("{\"text\":\"a\"},\n{\"text\":\"b\"},\n", Shape::Lines),
            ("{\"text\":\"a\",\n\"label\":\"b\"},\n", Shape::Document),
            ("nonsense\n{\"text\":\"a\"}\n{\"text\":\"b\"}", Shape::Lines),
            ("[\"a\", \"b\"]", Shape::Document),
            ("[ {\"text\": 1}", Shape::Document),
            ("[[\"a\", \"b\"]]", Shape::Document),
            ("[[urgent]] help,x\n", Shape::Table),
            ("[urgent] help,x\n", Shape::Table),
            ("{curly} brackets,x\n", Shape::Table),
            ("a,b\n", Shape::Table),
        ] {
            assert_eq!(shape(content.as_bytes(), true), expected, "{content}");
        }
    }
}
