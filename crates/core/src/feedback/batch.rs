//! Batch files of feedback, read as streams: memory does not grow with the file.

use std::{
    cell::Cell,
    io::{BufRead, BufReader, ErrorKind, Read},
    ops::ControlFlow,
};

use flate2::read::MultiGzDecoder;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use crate::feedback::{FeedbackRequest, InvalidFeedback};

/// Longest line, CSV record or JSON element, in bytes; a longer one is rejected, not held in memory.
pub const MAX_ITEM_BYTES: usize = 1 << 20;

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
    /// What it holds.
    pub content: Result<FeedbackRequest, BadItem>,
}

/// An item that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadItem {
    /// Why; safe to show.
    pub reason: String,
    /// The item as it was found, as far as it could be read.
    pub raw: String,
}

/// Why reading ended before the end of the file.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file could not be fetched; worth another try.
    #[error("the file could not be read")]
    Io(#[source] std::io::Error),
    /// `sentences` stands before `classifier`: read again with [`json_classifier`]'s answer.
    #[error("the classifier is named after the sentences")]
    ClassifierComesLater,
}

/// Reads the items of `input` and hands them to `emit` until it breaks or the file ends.
///
/// A damaged item becomes a bad item and reading goes on; a damaged file becomes a last bad item.
/// `classifier` is used for JSON elements without one of their own; `None` takes it from the document.
///
/// # Errors
///
/// [`ReadError`], never for what the file holds.
pub fn read(
    file: BatchFile,
    input: impl Read,
    classifier: Option<&str>,
    emit: &mut dyn FnMut(Item) -> ControlFlow<()>,
) -> Result<(), ReadError> {
    let budget = Cell::new(0);
    let mut sink = Sink {
        emit,
        budget: &budget,
        number: 0,
        stopped: false,
    };
    let input = match content(file, input, &budget) {
        Ok(input) => input,
        Err(error) => {
            sink.bad(1, io_or_damaged(error)?, "");
            return Ok(());
        }
    };
    match file.format {
        Format::Json => read_json(input, classifier, &mut sink),
        Format::JsonLines => read_json_lines(input, &mut sink),
        Format::Csv => read_csv(input, &mut sink),
    }
}

/// Returns the classifier that a JSON document names at its top level, wherever it stands.
///
/// # Errors
///
/// [`ReadError::Io`] when the file cannot be fetched; a damaged document has no classifier.
pub fn json_classifier(file: BatchFile, input: impl Read) -> Result<Option<String>, ReadError> {
    #[derive(serde::Deserialize)]
    struct Document {
        classifier: Option<String>,
    }
    let budget = Cell::new(0);
    let input = match content(file, input, &budget) {
        Ok(input) => input,
        Err(error) => return io_or_damaged(error).map(|_| None),
    };
    let unlimited = Unlimited {
        inner: input,
        budget: &budget,
    };
    match serde_json::from_reader::<_, Document>(BufReader::new(unlimited)) {
        Ok(document) => Ok(document.classifier),
        Err(error) if error.is_io() => io_or_damaged(error.into()).map(|_| None),
        Err(_) => Ok(None),
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

struct Sink<'a> {
    emit: &'a mut dyn FnMut(Item) -> ControlFlow<()>,
    budget: &'a Cell<usize>,
    number: u64,
    stopped: bool,
}

impl Sink<'_> {
    /// Passes an item on; false when no more are wanted.
    fn put(&mut self, number: u64, content: Result<FeedbackRequest, BadItem>) -> bool {
        self.number = number;
        self.budget.set(0);
        self.stopped |= (self.emit)(Item { number, content }).is_break();
        !self.stopped
    }

    fn bad(&mut self, number: u64, reason: impl ToString, raw: impl Into<String>) -> bool {
        self.put(
            number,
            Err(BadItem {
                reason: reason.to_string(),
                raw: raw.into(),
            }),
        )
    }
}

fn read_json_lines(mut input: Box<dyn BufRead + '_>, sink: &mut Sink<'_>) -> Result<(), ReadError> {
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let limit = MAX_ITEM_BYTES as u64 + 1;
        let read = match input.by_ref().take(limit).read_until(b'\n', &mut line) {
            Ok(read) => read,
            Err(error) => {
                sink.bad(number, io_or_damaged(error)?, "");
                return Ok(());
            }
        };
        if read == 0 {
            return Ok(());
        }
        let text = line.trim_ascii();
        let goes_on = if line.len() > MAX_ITEM_BYTES {
            let reason = format!("the line is longer than {MAX_ITEM_BYTES} bytes");
            let goes_on = sink.bad(number, reason, "");
            skip_line(&mut input, sink)? && goes_on
        } else if text.is_empty() {
            sink.budget.set(0);
            true
        } else {
            match FeedbackRequest::parse(text) {
                Ok(request) => sink.put(number, Ok(request)),
                Err(error) => sink.bad(number, error, String::from_utf8_lossy(text)),
            }
        };
        if !goes_on {
            return Ok(());
        }
    }
    Ok(())
}

/// Passes over the rest of a line; false at a damaged place.
fn skip_line(input: &mut Box<dyn BufRead + '_>, sink: &mut Sink<'_>) -> Result<bool, ReadError> {
    loop {
        sink.budget.set(0);
        let (used, done) = match input.fill_buf() {
            Ok([]) => return Ok(true),
            Ok(block) => match block.iter().position(|&byte| byte == b'\n') {
                Some(end) => (end + 1, true),
                None => (block.len(), false),
            },
            Err(error) => {
                sink.bad(sink.number, io_or_damaged(error)?, "");
                return Ok(false);
            }
        };
        input.consume(used);
        if done {
            return Ok(true);
        }
    }
}

/// The column names that a header may use, by the field they fill.
const COLUMNS: [(&str, &str); 10] = [
    ("classifier", "classifier"),
    ("sentence", "sentence"),
    ("utterance", "sentence"),
    ("text", "sentence"),
    ("feedback", "feedback"),
    ("prediction", "prediction"),
    ("confidence", "confidence"),
    ("label", "label"),
    ("predictionid", "predictionId"),
    ("user", "user"),
];

fn read_csv(input: Box<dyn BufRead + '_>, sink: &mut Sink<'_>) -> Result<(), ReadError> {
    // Only with `\n` as the terminator does the crate count the lines of CRLF files right.
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .terminator(csv::Terminator::Any(b'\n'))
        .from_reader(input);
    let header = match reader.byte_headers() {
        Ok(header) => header.clone(),
        Err(error) => {
            csv_error(error, 1, sink)?;
            return Ok(());
        }
    };
    let fields: Vec<Option<&str>> = header.iter().map(column).collect();
    for required in ["classifier", "sentence"] {
        if !header.is_empty() && !fields.contains(&Some(required)) {
            let reason = format!("the header line has no column `{required}`");
            sink.bad(1, reason, String::from_utf8_lossy(header.as_slice()));
            return Ok(());
        }
    }
    let mut record = csv::ByteRecord::new();
    loop {
        match reader.read_byte_record(&mut record) {
            Ok(false) => return Ok(()),
            Ok(true) if record.len() == 1 && record[0].trim_ascii().is_empty() => continue,
            Ok(true) => {}
            Err(error) => {
                csv_error(error, sink.number + 1, sink)?;
                return Ok(());
            }
        }
        let number = record.position().map_or(0, csv::Position::line);
        let goes_on = match csv_request(&record, &fields) {
            Ok(request) => sink.put(number, Ok(request)),
            Err(reason) => sink.bad(number, reason, csv_text(&record)),
        };
        if !goes_on {
            return Ok(());
        }
    }
}

fn column(name: &[u8]) -> Option<&'static str> {
    let name = std::str::from_utf8(name)
        .ok()?
        .trim()
        .to_ascii_lowercase()
        .replace(['_', ' ', '-'], "");
    COLUMNS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, field)| *field)
}

fn csv_request(record: &csv::ByteRecord, fields: &[Option<&str>]) -> Result<FeedbackRequest, String> {
    if record.len() != fields.len() {
        return Err(format!(
            "{} columns where the header has {}",
            record.len(),
            fields.len()
        ));
    }
    let mut object = serde_json::Map::new();
    for (value, field) in record.iter().zip(fields) {
        let value = value.strip_suffix(b"\r").unwrap_or(value);
        let value = std::str::from_utf8(value).map_err(|_| "not valid UTF-8".to_owned())?;
        if let Some(field) = field
            && !value.is_empty()
        {
            object.insert((*field).to_owned(), value.into());
        }
    }
    serde_json::from_value(Value::Object(object)).map_err(|error| InvalidFeedback::from(error).to_string())
}

fn csv_text(record: &csv::ByteRecord) -> String {
    let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
    let written = writer
        .write_byte_record(record)
        .and_then(|()| writer.flush().map_err(Into::into));
    match (written, writer.into_inner()) {
        (Ok(()), Ok(bytes)) => String::from_utf8_lossy(bytes.trim_ascii_end()).into_owned(),
        _ => String::new(),
    }
}

fn csv_error(error: csv::Error, number: u64, sink: &mut Sink<'_>) -> Result<(), ReadError> {
    let reason = match error.into_kind() {
        csv::ErrorKind::Io(error) => io_or_damaged(error)?,
        _ => "the file is no CSV from here on".to_owned(),
    };
    sink.bad(number, reason, "");
    Ok(())
}

fn read_json(
    input: Box<dyn BufRead + '_>,
    classifier: Option<&str>,
    sink: &mut Sink<'_>,
) -> Result<(), ReadError> {
    let mut deserializer = serde_json::Deserializer::from_reader(input);
    let mut later = false;
    let document = Document {
        classifier,
        sink: &mut *sink,
        later: &mut later,
    };
    let end = deserializer
        .deserialize_any(document)
        .and_then(|()| deserializer.end());
    match end {
        _ if later => Err(ReadError::ClassifierComesLater),
        Ok(()) => Ok(()),
        Err(_) if sink.stopped => Ok(()),
        Err(error) if error.is_io() => {
            let reason = io_or_damaged(error.into())?;
            sink.bad(sink.number + 1, reason, "");
            Ok(())
        }
        Err(error) => {
            let reason = match error.classify() {
                // Our own words: the visitor below never quotes the input.
                serde_json::error::Category::Data => error.to_string(),
                _ => InvalidFeedback::from(error).to_string(),
            };
            sink.bad(sink.number + 1, reason, "");
            Ok(())
        }
    }
}

/// Streams the elements of a document to the sink.
struct Document<'a, 'b> {
    classifier: Option<&'a str>,
    sink: &'a mut Sink<'b>,
    later: &'a mut bool,
}

impl<'de> Visitor<'de> for Document<'_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("an object with `classifier` and `sentences`, or an array of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        stream(&mut elements, self.classifier.unwrap_or_default(), self.sink)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        let mut classifier = self.classifier.map(str::to_owned);
        let mut sentences = false;
        while let Some(field) = fields.next_key::<String>()? {
            match field.as_str() {
                "classifier" => {
                    let named = fields.next_value::<Option<String>>();
                    let named = named.map_err(|_| A::Error::custom("`classifier` is no text"))?;
                    classifier = named.or(classifier);
                }
                "sentences" => {
                    let Some(classifier) = classifier.as_deref() else {
                        *self.later = true;
                        return Err(A::Error::custom("the classifier comes later"));
                    };
                    sentences = true;
                    fields.next_value_seed(Sentences {
                        classifier,
                        sink: &mut *self.sink,
                    })?;
                }
                _ => {
                    fields.next_value::<IgnoredAny>()?;
                }
            }
        }
        if sentences {
            Ok(())
        } else {
            Err(A::Error::custom("field `sentences` is missing"))
        }
    }
}

struct Sentences<'a, 'b> {
    classifier: &'a str,
    sink: &'a mut Sink<'b>,
}

impl<'de> DeserializeSeed<'de> for Sentences<'_, '_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Sentences<'_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("`sentences` to be an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        stream(&mut elements, self.classifier, self.sink)
    }
}

fn stream<'de, A: SeqAccess<'de>>(
    elements: &mut A,
    classifier: &str,
    sink: &mut Sink<'_>,
) -> Result<(), A::Error> {
    let mut number = 0;
    while let Some(element) = elements.next_element::<Value>()? {
        number += 1;
        let goes_on = match element_request(&element, classifier) {
            Ok(request) => sink.put(number, Ok(request)),
            Err(reason) => sink.bad(number, reason, element.to_string()),
        };
        if !goes_on {
            return Err(A::Error::custom("no more is wanted"));
        }
    }
    Ok(())
}

fn element_request(element: &Value, classifier: &str) -> Result<FeedbackRequest, String> {
    let mut request = match element {
        Value::String(sentence) => FeedbackRequest {
            sentence: sentence.clone(),
            ..FeedbackRequest::default()
        },
        Value::Object(_) => serde::Deserialize::deserialize(element)
            .map_err(|error| InvalidFeedback::from(error).to_string())?,
        _ => return Err("neither a text nor an object".to_owned()),
    };
    if request.classifier.is_empty() {
        classifier.clone_into(&mut request.classifier);
    }
    Ok(request)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;

    fn items(key: &str, content: &[u8]) -> Vec<Item> {
        let mut items = Vec::new();
        let file = BatchFile::from_key(key).expect("a known suffix");
        read(file, content, None, &mut |item| {
            items.push(item);
            ControlFlow::Continue(())
        })
        .expect("a slice has no transport errors");
        items
    }

    fn sentences(items: &[Item]) -> Vec<String> {
        items
            .iter()
            .flat_map(|item| &item.content)
            .map(|request| request.sentence.clone())
            .collect()
    }

    fn reasons(items: &[Item]) -> Vec<(u64, &str)> {
        items
            .iter()
            .filter_map(|item| Some((item.number, item.content.as_ref().err()?.reason.as_str())))
            .collect()
    }

    #[test]
    fn the_suffix_names_the_format_in_any_case() {
        let file = |format, gzip| Some(BatchFile { format, gzip });
        assert_eq!(BatchFile::from_key("a/b.JSON"), file(Format::Json, false));
        assert_eq!(BatchFile::from_key("a.jsonl.gz"), file(Format::JsonLines, true));
        assert_eq!(BatchFile::from_key("a.csv"), file(Format::Csv, false));
        assert_eq!(BatchFile::from_key("a.txt"), None);
        assert_eq!(BatchFile::from_key("json"), None);
    }

    #[test]
    fn a_document_gives_its_classifier_to_texts_and_objects() {
        let items = items(
            "a.json",
            br#"{"classifier":"news","sentences":["One",{"sentence":"Two","label":"World"},{"classifier":"mail","sentence":"Three"}]}"#,
        );

        let requests: Vec<&FeedbackRequest> = items.iter().flat_map(|item| &item.content).collect();
        assert_eq!(sentences(&items), ["One", "Two", "Three"]);
        assert_eq!(requests[1].label.as_deref(), Some("World"));
        assert_eq!(
            requests.iter().map(|r| r.classifier.as_str()).collect::<Vec<_>>(),
            ["news", "news", "mail"]
        );
    }

    #[test]
    fn a_bad_element_is_set_aside_and_the_next_one_is_read() {
        let items = items(
            "a.json",
            br#"{"classifier":"news","sentences":[7,"One",{"sentence":["x"]},"Two"]}"#,
        );

        assert_eq!(sentences(&items), ["One", "Two"]);
        assert_eq!(
            reasons(&items)
                .iter()
                .map(|(number, _)| *number)
                .collect::<Vec<_>>(),
            [1, 3]
        );
    }

    #[test]
    fn a_classifier_after_the_sentences_takes_a_second_reading() {
        let content = br#"{"sentences":["One"],"classifier":"news"}"#;
        let file = BatchFile::from_key("a.json").expect("a known suffix");

        let first = read(file, &content[..], None, &mut |_| ControlFlow::Continue(()));
        let classifier = json_classifier(file, &content[..]).expect("no transport error");

        assert!(matches!(first, Err(ReadError::ClassifierComesLater)));
        assert_eq!(classifier.as_deref(), Some("news"));
    }

    #[test]
    fn a_damaged_document_keeps_what_came_before_and_says_where_it_breaks() {
        let items = items("a.json", br#"{"classifier":"news","sentences":["One","Two"#);

        assert_eq!(sentences(&items), ["One"]);
        assert_eq!(
            reasons(&items),
            [(
                2,
                "not valid JSON feedback: it ends too early (line 1, column 44)"
            )]
        );
    }

    #[test]
    fn a_document_without_sentences_says_so() {
        for content in [&br#"{"classifier":"news"}"#[..], b"7", b""] {
            assert_eq!(items("a.json", content).len(), 1, "{content:?}");
        }
    }

    #[test]
    fn lines_may_have_a_byte_order_mark_crlf_and_blanks() {
        let items = items(
            "a.jsonl",
            b"\xEF\xBB\xBF{\"classifier\":\"news\",\"sentence\":\"One\"}\r\n\r\nnonsense\r\n{\"classifier\":\"news\",\"sentence\":\"Two\"}",
        );

        assert_eq!(sentences(&items), ["One", "Two"]);
        assert_eq!(
            reasons(&items),
            [(3, "not valid JSON feedback: syntax error (line 1, column 2)")]
        );
    }

    #[test]
    fn a_line_beyond_the_limit_is_rejected_and_the_next_one_read() {
        let mut content = vec![b'x'; 5 * MAX_ITEM_BYTES];
        content.extend_from_slice(b"\n{\"classifier\":\"news\",\"sentence\":\"One\"}\n");

        let items = items("a.jsonl", &content);

        assert_eq!(sentences(&items), ["One"]);
        assert_eq!(reasons(&items), [(1, "the line is longer than 1048576 bytes")]);
    }

    #[test]
    fn csv_is_read_by_its_header() {
        let items = items(
            "a.csv",
            b"\xEF\xBB\xBFlabel,Sentence,classifier,other\r\nWorld,\"One, \"\"two\"\"\nthree\",news,x\r\nWorld,short\r\n,Four,news,\r\n",
        );

        assert_eq!(sentences(&items), ["One, \"two\"\nthree", "Four"]);
        assert_eq!(reasons(&items), [(4, "2 columns where the header has 4")]);
    }

    #[test]
    fn csv_without_the_needed_columns_is_rejected_once() {
        let items = items("a.csv", b"World,Some text\nSports,Other text\n");

        assert_eq!(
            reasons(&items),
            [(1, "the header line has no column `classifier`")]
        );
    }

    #[test]
    fn an_unbalanced_quote_does_not_fill_the_memory() {
        let mut content = b"classifier,sentence\nnews,One\nnews,\"".to_vec();
        content.resize(8 * MAX_ITEM_BYTES, b'x');

        let items = items("a.csv", &content);

        assert_eq!(sentences(&items), ["One"]);
        assert!(
            reasons(&items)[0].1.contains("unbalanced"),
            "{:?}",
            reasons(&items)
        );
    }

    #[test]
    fn a_truncated_gzip_file_keeps_what_could_be_read() {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        for number in 0..5_000 {
            writeln!(encoder, r#"{{"classifier":"news","sentence":"Text {number}"}}"#).expect("memory");
        }
        let bytes = encoder.finish().expect("memory");

        let whole = items("a.jsonl.gz", &bytes);
        let cut = items("a.jsonl.gz", &bytes[..bytes.len() / 2]);

        assert_eq!(whole.len(), 5_000);
        assert!(cut.len() > 1 && cut.len() < 5_000);
        assert!(cut.last().is_some_and(|item| item.content.is_err()));
        assert_eq!(items("a.jsonl.gz", b"no gzip at all").len(), 1);
    }

    #[test]
    fn a_transport_error_is_no_bad_item() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
                Err(std::io::Error::other("connection reset"))
            }
        }
        for key in ["a.json", "a.jsonl", "a.csv"] {
            let file = BatchFile::from_key(key).expect("a known suffix");
            let outcome = read(file, Broken, None, &mut |_| panic!("nothing was read"));
            assert!(matches!(outcome, Err(ReadError::Io(_))), "{key}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_end_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), kind in 0usize..4) {
            let _ = items(["a.json", "a.jsonl", "a.csv", "a.csv.gz"][kind], &bytes);
        }

        #[test]
        fn texts_survive_every_format(texts in proptest::collection::vec("\\PC{1,60}", 1..8)) {
            let mut csv = csv::Writer::from_writer(Vec::new());
            csv.write_record(["classifier", "sentence"]).expect("memory");
            let mut lines = String::new();
            for text in &texts {
                csv.write_record(["news", text]).expect("memory");
                lines += &format!("{}\n", serde_json::json!({"classifier": "news", "sentence": text}));
            }
            let document = serde_json::json!({"classifier": "news", "sentences": texts}).to_string();

            prop_assert_eq!(sentences(&items("a.json", document.as_bytes())), texts.clone());
            prop_assert_eq!(sentences(&items("a.jsonl", lines.as_bytes())), texts.clone());
            let csv = csv.into_inner().expect("memory");
            prop_assert_eq!(sentences(&items("a.csv", &csv)), texts);
        }
    }
}
