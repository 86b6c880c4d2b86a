//! Reads a whole file into rows, with what is to be said of it.

use std::{collections::BTreeMap, io::Read};

use active_learning_core::{MAX_UTTERANCE_BYTES, text::is_blank};
use encoding_rs::Encoding;
use serde_json::Value;

use crate::{
    Column, Format, Import, Options, Refusal, Rejected, Row, Vote,
    draft::{Draft, DraftVote, Fields, text_of},
    elements::{Head, Wanted, elements},
    encoding::{Detected, decode_line},
    labels::{Cut, Written},
    layout::layout,
    lines::Lines,
    records::Records,
    source::{OpenError, Shape, Source, WRAPPERS, damage, open},
    table::{self, Table},
    tools::Tool,
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
    /// Objects that no tool wrote: rows of a table.
    objects: Vec<(u64, Fields)>,
    counted: Counted,
}

/// Repairs that are told once, with their number and the first line.
#[derive(Default)]
struct Counted(BTreeMap<&'static str, (u64, u64)>);

impl Counted {
    fn add(&mut self, what: &'static str, line: u64) {
        let (count, _) = self.0.entry(what).or_insert((0, line));
        *count += 1;
    }

    fn notes(self) -> impl Iterator<Item = String> {
        self.0
            .into_iter()
            .map(|(what, (count, line))| format!("{count} {what} (first: line {line})"))
    }
}

const OTHER_ENCODING: &str = "lines are no UTF-8 and were read as Windows-1252";
const STRAY_QUOTE: &str = "rows hold quotes that are neither doubled nor close a cell; they were kept";
const NUL: &str = "texts held NUL characters, which were removed";

/// Reads a file: see [`crate::read`].
pub(crate) fn read(bytes: &[u8], options: &Options) -> Result<Import, Refusal> {
    if bytes.is_empty() {
        return Err(Refusal::Empty);
    }
    let source = opened(bytes, options)?;
    let (shape, gzip, encoding) = (source.shape, source.gzip, source.encoding);
    let mut collected = Collected {
        options,
        drafts: Vec::new(),
        rejected: Vec::new(),
        notes: Vec::new(),
        columns: Vec::new(),
        tool: None,
        objects: Vec::new(),
        counted: Counted::default(),
    };
    let mut import = Import {
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
    };
    match shape {
        Shape::Workbook => {
            import.format = Format::Xlsx;
            import.sheets = workbook::read(source, &mut collected)?;
        }
        Shape::Table => import.delimiter = collected.delimited(source)?,
        Shape::Lines => {
            import.format = Format::JsonLines;
            collected.json_lines(source)?;
        }
        Shape::Document => {
            import.format = Format::Json;
            import.classifier = collected.document(bytes, source)?;
        }
    }
    if shape == Shape::Table && import.delimiter.is_none() {
        import.format = Format::Lines;
    }
    import.encoding = encoding.map(|detected| collected.encoding_name(detected));
    if let Some(note) = contradiction(options, import.format) {
        collected.notes.push(note);
    }
    collected.finish(import)
}

fn opened<'a>(bytes: &'a [u8], options: &Options) -> Result<Source<'a>, Refusal> {
    let encoding = match &options.encoding {
        None => None,
        Some(name) => match Encoding::for_label(name.as_bytes()) {
            Some(encoding) => Some(encoding),
            None => return Err(Refusal::NoEncoding(name.clone())),
        },
    };
    let mut source = open(bytes, encoding).map_err(|error| match error {
        OpenError::Refused(refusal) => refusal,
        OpenError::Read(error) => Refusal::Damaged(damage(&error).unwrap_or_else(|| error.to_string())),
    })?;
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

impl Collected<'_> {
    pub(crate) fn reject(&mut self, line: u64, reason: impl ToString) {
        self.rejected.push(Rejected {
            line,
            reason: reason.to_string(),
        });
    }

    /// Tells that reading ended early.
    fn broken(&mut self, error: &std::io::Error) {
        let last = self
            .drafts
            .last()
            .map(|(line, _)| *line)
            .max(self.objects.last().map(|(line, _)| *line));
        let reason =
            damage(error).unwrap_or_else(|| format!("the file could not be read from here on: {error}"));
        self.reject(last.unwrap_or(0) + 1, reason);
    }

    /// Reads columns with a delimiter, or one text a line; returns the delimiter.
    fn delimited(&mut self, source: Source<'_>) -> Result<Option<char>, Refusal> {
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
                    self.broken(&error);
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
        }
        text.into_owned()
    }

    /// Reads one JSON object or text a line.
    fn json_lines(&mut self, source: Source<'_>) -> Result<(), Refusal> {
        let mut lines = Lines::new(source.content);
        loop {
            let line = match lines.next() {
                Ok(Some(line)) => line,
                Ok(None) => break,
                Err(error) => {
                    self.broken(&error);
                    break;
                }
            };
            if line.is_too_long {
                self.reject(line.number, "the line is longer than 1 MiB");
            } else if !line.bytes.trim_ascii().is_empty() {
                let text = self.decoded(&line.bytes, line.number);
                self.element(line.number, &text);
            }
        }
        table::of_objects(std::mem::take(&mut self.objects), self)
    }

    /// Reads one JSON document; returns the classifier that it names.
    fn document(&mut self, bytes: &[u8], source: Source<'_>) -> Result<Option<String>, Refusal> {
        let head = match Head::read(opened(bytes, self.options)?.content) {
            Ok(head) => head,
            Err(error) => {
                return Err(Refusal::Damaged(
                    damage(&error).unwrap_or_else(|| error.to_string()),
                ));
            }
        };
        let known = WRAPPERS
            .iter()
            .find(|name| head.arrays.iter().any(|array| array == *name))
            .map(|name| (*name).to_owned());
        let only = || (head.arrays.len() == 1).then(|| head.arrays[0].clone());
        let field = known.or_else(only);
        let read = match (&field, head.is_object) {
            (Some(field), true) => elements(source.content, Wanted::Field(field), &mut |number, element| {
                self.element(number, element);
                true
            }),
            (None, true) => {
                self.notes
                    .push("the document is one object, which was read as one text".to_owned());
                let mut text = String::new();
                let mut content = source.content;
                match content.read_to_string(&mut text) {
                    Ok(_) => self.element(1, &text),
                    Err(error) => self.broken(&error),
                }
                Ok(())
            }
            (_, false) => elements(source.content, Wanted::Itself, &mut |number, element| {
                self.element(number, element);
                true
            }),
        };
        if let Err(error) = read {
            let last = self.drafts.len() + self.objects.len() + self.rejected.len();
            self.reject(
                last as u64 + 1,
                format!(
                    "the document ends or is damaged here: line {}, column {}",
                    error.line(),
                    error.column()
                ),
            );
        }
        let (first, table) = (self.drafts.len(), std::mem::take(&mut self.objects));
        table::of_objects(table, self)?;
        match field {
            Some(_) => Ok(self.whole_file_fields(&head, first)),
            None => Ok(None),
        }
    }

    /// Gives the fields of a document to those of its rows that have none of their own; returns its classifier.
    fn whole_file_fields(&mut self, head: &Head, _first: usize) -> Option<String> {
        let field = |name: &str| {
            head.fields
                .iter()
                .rev()
                .find(|(other, _)| other == name)
                .map(|(_, value)| value)
        };
        let written = field("label")
            .or_else(|| field("labels"))
            .and_then(Written::of_value);
        let by = text_of(field("user").or_else(|| field("annotator")));
        for (_, draft) in &mut self.drafts {
            if let (true, Some(written)) = (draft.votes.is_empty() && draft.aside.is_none(), &written) {
                draft.votes.push(DraftVote {
                    written: written.clone(),
                    by: None,
                    at: None,
                });
            }
            for vote in &mut draft.votes {
                vote.by = vote.by.take().or_else(|| by.clone());
            }
        }
        let unused = head.fields.iter().map(|(name, _)| name.as_str());
        let unused: Vec<String> = unused
            .filter(|name| !["label", "labels", "user", "annotator", "classifier"].contains(name))
            .map(|name| format!("`{name}`"))
            .collect();
        if !unused.is_empty() {
            self.notes.push(format!(
                "fields of the document that were not used: {}",
                unused.join(", ")
            ));
        }
        text_of(field("classifier"))
    }

    /// Reads an element of a document, or a line.
    fn element(&mut self, number: u64, json: &str) {
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
            Ok(_) => self.reject(number, "neither a text nor an object"),
            Err(error) => self.reject(number, format!("not valid JSON (column {})", error.column())),
        }
    }

    fn encoding_name(&mut self, detected: Detected) -> String {
        let name = detected.name();
        match self.counted.0.get(OTHER_ENCODING) {
            Some(_) if detected.mark == 0 => "Windows-1252, or UTF-8 where it is".to_owned(),
            Some(_) | None => name.to_owned(),
        }
    }

    /// Cuts labels, checks texts, and sums up.
    fn finish(mut self, mut import: Import) -> Result<Import, Refusal> {
        let cells: Vec<String> = self
            .drafts
            .iter()
            .flat_map(|(_, draft)| &draft.votes)
            .filter_map(|vote| match &vote.written {
                Written::Cell(cell) => Some(cell.clone()),
                Written::List(_) => None,
            })
            .collect();
        let cut = Cut::of(cells.iter().map(String::as_str), self.options.label_delimiter);
        let mut drafts = std::mem::take(&mut self.drafts);
        drafts.sort_by_key(|(line, _)| *line);
        for (line, draft) in drafts {
            match self.row(line, draft, &cut) {
                Ok(row) => import.rows.push(row),
                Err(reason) => self.reject(line, reason),
            }
        }
        if import.rows.is_empty() && self.rejected.is_empty() {
            return Err(Refusal::Empty);
        }
        self.rejected.sort_by_key(|rejected| rejected.line);
        import.rejected = self.rejected;
        import.columns = self.columns;
        import.tool = self.tool;
        import.notes = self.notes;
        import.notes.extend(cut.note);
        import.notes.extend(self.counted.notes());
        Ok(import)
    }

    fn row(&mut self, line: u64, draft: Draft, cut: &Cut) -> Result<Row, String> {
        let mut text = draft.text;
        if text.contains('\0') {
            text.retain(|c| c != '\0');
            self.counted.add(NUL, line);
        }
        if is_blank(&text) {
            return Err("the text is empty".to_owned());
        }
        if text.len() > MAX_UTTERANCE_BYTES {
            return Err(format!(
                "the text has {} bytes, more than {MAX_UTTERANCE_BYTES}",
                text.len()
            ));
        }
        if let Some(aside) = draft.aside {
            self.counted.add(aside_note(aside), line);
        }
        let votes = draft.votes.into_iter().map(|vote| {
            let labels: Vec<String> = cut
                .labels(vote.written)
                .into_iter()
                .map(without_controls)
                .collect();
            Vote {
                labels,
                by: vote.by,
                at: vote.at,
            }
        });
        let votes = votes.filter(|vote| !vote.labels.is_empty()).collect();
        Ok(Row {
            line,
            text: text.trim().to_owned(),
            votes,
        })
    }
}

fn without_controls(label: String) -> String {
    match label.contains(char::is_control) {
        true => label
            .split(char::is_control)
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(" "),
        false => label,
    }
}

/// Says of how many texts an answer does not count; they stay in the pool unless somebody else labelled them.
fn aside_note(aside: &'static str) -> &'static str {
    match aside {
        "was skipped by its annotator" => {
            "texts have an annotation that was skipped by its annotator, which does not count"
        }
        "was ignored by its annotator" => "texts were ignored by their annotator and have no label",
        "is a label that was rejected, which says nothing of the right one" => {
            "texts have a label that was rejected, which does not say the right one: they have no label"
        }
        "was discarded or is a draft" => {
            "texts have an answer that was discarded or is a draft, which does not count"
        }
        "was labelled by a machine" => "texts were labelled by a machine: they have no label",
        _ => "texts have a label without its name, which does not count",
    }
}
