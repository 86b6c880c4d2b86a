//! Reads a whole file into rows, with what is to be said of it.

use std::{collections::BTreeMap, io::Read};

use encoding_rs::Encoding;
use serde_json::Value;

use crate::{
    Column, Format, Import, Options, Refusal, Rejected, columnwise,
    draft::{Draft, Fields},
    encoding::{Detected, decode_line},
    layout::layout,
    lines::Lines,
    records::Records,
    source::{OpenError, Shape, Source, damage, open},
    table::{self, Table},
    tools::{Tool, fast_text},
    workbook,
};

/// Bytes of unpacked content that are read at most.
const MAX_BYTES: u64 = 1 << 30;

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
    /// Objects that no tool wrote: rows of a table.
    pub objects: Vec<(u64, Fields)>,
    /// Lists: rows of a table too.
    pub lists: Vec<(u64, Vec<String>)>,
    pub counted: Counted,
    /// Letters beyond ASCII and those of it, in lines that were read as Windows-1252.
    foreign: (usize, usize),
}

/// Repairs that are told once, with their number and the first line.
#[derive(Default)]
pub(crate) struct Counted(BTreeMap<&'static str, (u64, u64)>);

impl Counted {
    pub(crate) fn add(&mut self, what: &'static str, line: u64) {
        let (count, _) = self.0.entry(what).or_insert((0, line));
        *count += 1;
    }

    pub(crate) fn notes(self) -> impl Iterator<Item = String> {
        self.0
            .into_iter()
            .map(|(what, (count, line))| format!("{what}: {count}, the first in line {line}"))
    }
}

const OTHER_ENCODING: &str = "lines that are no UTF-8, which were read as Windows-1252 (if letters are wrong, name the \
    encoding, such as --encoding windows-1250 or windows-1254)";
const NAME_IT: &str =
    "if letters are wrong, name the encoding, such as --encoding windows-1250, windows-1254 or macintosh";
const UNLIKELY: &str = "most letters are none of Western languages: is the first text as it should be? \
    If not, name the encoding, such as --encoding windows-1251 or shift_jis";
const STRAY_QUOTE: &str = "rows with quotes that are neither doubled nor close a cell, which were kept";

/// Reads a file: see [`crate::read`].
pub(crate) fn read(bytes: &[u8], options: &Options) -> Result<Import, Refusal> {
    if bytes.is_empty() {
        return Err(Refusal::Empty);
    }
    let source = opened(bytes, options)?;
    let (shape, gzip, encoding) = (source.shape, source.gzip, source.encoding);
    let mut collected = Collected::new(options);
    let mut import = Import::nothing(gzip);
    match shape {
        Shape::Workbook => {
            import.format = Format::Xlsx;
            import.sheets = workbook::read(source, &mut collected)?;
        }
        Shape::Table => import.delimiter = collected.delimited(source)?,
        Shape::Lines => {
            collected.json_lines(source)?;
            let is_document =
                |note: &String| [columnwise::NOTE, columnwise::BY_TEXT].contains(&note.as_str());
            let is_document = collected.notes.iter().any(is_document);
            import.format = if is_document {
                Format::Json
            } else {
                Format::JsonLines
            };
        }
        Shape::Document => {
            import.format = Format::Json;
            import.classifier = collected.document(bytes, source)?;
        }
    }
    if shape == Shape::Table && import.delimiter.is_none() {
        import.format = Format::Lines;
    }
    let note = encoding.and_then(|detected| detected.note());
    collected
        .notes
        .extend(note.map(|note| format!("{note}; {NAME_IT}")));
    import.encoding = encoding.map(|detected| collected.encoding_name(detected));
    if let Some(note) = contradiction(options, import.format) {
        collected.notes.push(note);
    }
    if options.sheet.is_some() && import.format != Format::Xlsx {
        collected.notes.push(format!(
            "no sheet was looked for: the file is no workbook but {}",
            import.format.name()
        ));
    }
    collected.finish(import)
}

pub(crate) fn opened<'a>(bytes: &'a [u8], options: &Options) -> Result<Source<'a>, Refusal> {
    let encoding = match &options.encoding {
        None => None,
        Some(name) => match Encoding::for_label(name.as_bytes()) {
            Some(encoding) => Some(encoding),
            None => return Err(Refusal::NoEncoding(name.clone())),
        },
    };
    let mut source = open(bytes, encoding).map_err(OpenError::into_refusal)?;
    source.content = Box::new(std::io::BufReader::new(source.content.take(MAX_BYTES)));
    Ok(source)
}

/// Says where the end of a name says something else than the content.
fn contradiction(options: &Options, format: Format) -> Option<String> {
    let name = options.name.as_ref()?.to_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    let suffix = name.rsplit_once('.')?.1;
    let expected: &[Format] = match suffix {
        "csv" | "tsv" => &[Format::Csv, Format::Lines],
        "json" => &[Format::Json],
        "jsonl" | "ndjson" => &[Format::JsonLines],
        "xlsx" | "xlsm" => &[Format::Xlsx],
        _ => return None,
    };
    let is_other = !expected.contains(&format);
    is_other.then(|| {
        format!(
            "the name ends in .{suffix}, the content is {}: it was read by its content",
            format.name()
        )
    })
}

impl Import {
    fn nothing(gzip: bool) -> Self {
        Self {
            format: Format::Csv,
            tool: None,
            gzip,
            encoding: None,
            delimiter: None,
            sheets: Vec::new(),
            columns: Vec::new(),
            classifier: None,
            rows: Vec::new(),
            rejected: Vec::new(),
            notes: Vec::new(),
        }
    }
}

impl<'a> Collected<'a> {
    fn new(options: &'a Options) -> Self {
        Self {
            options,
            drafts: Vec::new(),
            rejected: Vec::new(),
            notes: Vec::new(),
            columns: Vec::new(),
            tool: None,
            has_names: false,
            objects: Vec::new(),
            lists: Vec::new(),
            counted: Counted::default(),
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

    /// Reads columns with a delimiter, or one text a line; returns the delimiter.
    fn delimited(&mut self, source: Source<'_>) -> Result<Option<char>, Refusal> {
        if fast_text::is_one(&source.sample) {
            self.tool = Some(Tool::FastText);
            self.each_line(source, |collected, line, text| {
                collected.drafts.push((line, fast_text::draft(text)));
            });
            return Ok(None);
        }
        let layout = layout(&source.sample, source.is_whole, self.options.delimiter);
        let mut lines = Lines::new(source.content);
        if layout.has_separator_line {
            let _ = lines.next();
        }
        let mut records = Records::new(lines, layout.dialect, layout.columns);
        let mut rows: Vec<(u64, Vec<String>)> = Vec::new();
        loop {
            let record = match records.next() {
                Ok(Some(record)) => record,
                Ok(None) => break,
                Err(error) => {
                    self.broken(&error, rows.last().map_or(0, |(line, _)| *line));
                    break;
                }
            };
            if record.has_stray_quote {
                self.counted.add(STRAY_QUOTE, record.line);
            }
            match record.cells {
                Err(reason) => self.reject(record.line, reason),
                Ok(cells) => {
                    let cells: Vec<String> =
                        cells.iter().map(|cell| self.decoded(cell, record.line)).collect();
                    rows.push((record.line, cells));
                }
            }
        }
        let table = Table::of_cells(rows, layout.columns, self)?;
        table.read(self)?;
        Ok(layout
            .dialect
            .delimiter
            .filter(|_| layout.columns > 1 || layout.has_separator_line)
            .map(char::from))
    }

    fn decoded(&mut self, bytes: &[u8], line: u64) -> String {
        let (text, is_other) = decode_line(bytes);
        if is_other {
            self.counted.add(OTHER_ENCODING, line);
            self.foreign.0 += text.chars().filter(|c| !c.is_ascii()).count();
            self.foreign.1 += text.chars().filter(char::is_ascii_alphabetic).count();
        }
        text.into_owned()
    }

    /// Reads one JSON object or text a line.
    fn json_lines(&mut self, source: Source<'_>) -> Result<(), Refusal> {
        self.each_line(source, Self::element);
        self.tables()
    }

    /// Hands over each line that is not empty.
    fn each_line(&mut self, source: Source<'_>, take: impl Fn(&mut Self, u64, &str)) {
        let mut lines = Lines::new(source.content);
        let mut last = 0;
        loop {
            let line = match lines.next() {
                Ok(Some(line)) => line,
                Ok(None) => return,
                Err(error) => return self.broken(&error, last),
            };
            last = line.number;
            if line.is_too_long {
                self.reject(line.number, "the line is longer than 1 MiB");
            } else if !line.bytes.trim_ascii().is_empty() {
                let text = self.decoded(&line.bytes, line.number);
                take(self, line.number, &text);
            }
        }
    }

    /// Reads objects and lists as rows of tables.
    pub(crate) fn tables(&mut self) -> Result<(), Refusal> {
        let mut objects = std::mem::take(&mut self.objects);
        if let [(_, only)] = &objects[..]
            && let Some((rows, note)) = columnwise::rows(only)
        {
            self.notes.push(note.to_owned());
            objects = (1..).zip(rows).collect();
        }
        table::of_objects(objects, self)?;
        let lists = std::mem::take(&mut self.lists);
        let columns = lists.iter().map(|(_, cells)| cells.len()).max().unwrap_or(0);
        Table::of_cells(lists, columns, self)?.read(self)
    }

    /// Reads an element of a document, or a line.
    pub(crate) fn element(&mut self, number: u64, json: &str) {
        match serde_json::from_str::<Value>(json) {
            Ok(Value::Object(fields)) => match Tool::of(&fields) {
                Some(tool) => {
                    self.tool.get_or_insert(tool);
                    match tool.draft(&fields, self.options) {
                        Ok(draft) => self.drafts.push((number, draft)),
                        Err(reason) => self.reject(number, reason),
                    }
                }
                None => self.objects.push((number, fields)),
            },
            Ok(Value::String(text)) => self.drafts.push((
                number,
                Draft {
                    text,
                    ..Draft::default()
                },
            )),
            Ok(Value::Array(values)) => self.lists.push((number, columnwise::cells(&values))),
            Ok(_) => self.reject(number, "neither a text nor an object"),
            Err(error) => self.reject(number, format!("not valid JSON (column {})", error.column())),
        }
    }

    fn encoding_name(&mut self, detected: Detected) -> String {
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
