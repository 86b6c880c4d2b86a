//! Reads a whole file into rows, with what is to be said of it.

use std::io::Read;

use active_learning_core::repeated_field::{RepeatedField, repeated_field};
use encoding_rs::Encoding;
use serde_json::Value;

use crate::{
    Format, Import, Options, Refusal,
    collected::Collected,
    columnwise,
    draft::{Draft, Fields},
    encoding::shown,
    grouped::{self, Grouped},
    layout::layout,
    lines::Lines,
    names::{is_annotator_name, is_classifier_name, is_label_name, is_text_name},
    no_texts::{self, NoTexts, data_sets},
    python,
    records::Records,
    source::{OpenError, Shape, Source, open, without_comma},
    table::{self, Table},
    tools::{Tool, fast_text},
    workbook,
};

/// Told of lines of JSON with a comma behind them, behind their number.
pub(crate) const COMMA: &str = "lines with a comma beside their JSON, as in a list, which was passed over";

/// Bytes of unpacked content that are read at most.
const MAX_BYTES: u64 = 1 << 30;

const NAME_IT: &str =
    "if letters are wrong, name the encoding, such as --encoding windows-1250, windows-1254 or macintosh";
const NO_LETTERS: &str =
    "rows with such bytes in a text or a label are rejected: name another encoding, or leave it out";
const STRAY_QUOTE: &str = "rows with quotes that are neither doubled nor close a cell, which were kept";

/// Reads a file: see [`crate::read`].
pub(crate) fn read(bytes: &[u8], options: &Options) -> Result<Import, Refusal> {
    if bytes.is_empty() {
        return Err(Refusal::Empty);
    }
    let source = opened(bytes, options)?;
    if python::is_one(&source.sample) {
        return Err(Refusal::Format {
            what: python::WHAT,
            advice: python::ADVICE,
        });
    }
    let is_named = options.text_column.is_some() || options.delimiter.is_some();
    if let (false, Some(NoTexts { what, advice })) =
        (is_named, no_texts::found(&source.sample, source.is_whole))
    {
        return Err(Refusal::Format { what, advice });
    }
    let (shape, gzip, encoding) = (source.shape, source.gzip, source.encoding);
    let no_letters = source.no_letters.clone();
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
            import.format = if collected.is_one_object {
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
    if let Some(detected) = encoding.filter(|_| !no_letters.is_none()) {
        collected.damaged_encoding = Some(detected.name());
        let note = no_letters.note(detected.name());
        collected
            .notes
            .extend(note.map(|note| format!("{note}; {NO_LETTERS}")));
        import.classifier = import.classifier.map(|name| shown(&name).into_owned());
    }
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

/// Says that a field is given twice. Its name is told where it is one of fields: names may be texts.
pub(crate) fn twice(field: &RepeatedField) -> String {
    let name = field.name.as_str();
    let is_told =
        is_text_name(name) || is_label_name(name) || is_annotator_name(name) || is_classifier_name(name);
    match is_told {
        true => format!("field `{name}` is given twice: which is meant cannot be told"),
        false => "one of its fields is given twice: which is meant cannot be told".to_owned(),
    }
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
            known_labels: Vec::new(),
            rejected: Vec::new(),
            notes: Vec::new(),
        }
    }
}

impl Collected<'_> {
    /// Reads columns with a delimiter, or one text a line; returns the delimiter.
    fn delimited(&mut self, source: Source<'_>) -> Result<Option<char>, Refusal> {
        if fast_text::is_one(&source.sample) {
            self.tool = Some(Tool::FastText);
            self.each_line(source, |collected, line, text| {
                match fast_text::is_header(text) && collected.drafts.is_empty() {
                    true => collected
                        .notes
                        .push(format!("line {line} was read as the name of the texts")),
                    false => collected.drafts.push((line, fast_text::draft(text))),
                }
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

    /// Reads one JSON object or text a line.
    fn json_lines(&mut self, source: Source<'_>) -> Result<(), Refusal> {
        self.each_line(source, |collected, line, json| {
            let value = without_comma(json);
            if value.len() < json.trim().len() {
                collected.counted.add(COMMA, line);
            }
            collected.element(line, value);
        });
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
        let is_one = objects.len() == 1;
        if let [(_, only)] = &objects[..] {
            let within = || columnwise::within(only).map_err(several_lists);
            if let Some((rows, note)) = columnwise::rows(only) {
                self.notes.push(note.to_owned());
                objects = (1..).zip(rows).collect();
            } else if let (None, Some((rows, path))) = (&self.options.text_column, within()?) {
                self.notes
                    .push(format!("the texts were read from `{path}` within the document"));
                self.notes.extend(columnwise::unused(only, &path));
                objects = (1..).zip(rows).collect();
            }
        }
        if self.options.text_column.is_none() && self.options.label_column.is_none() {
            objects = self.ungrouped(objects);
        }
        self.is_one_object = is_one && objects.len() > 1;
        let is_named = self.options.text_column.is_some();
        let first = objects.first().filter(|_| !is_named);
        if let Some(NoTexts { what, advice }) = first.and_then(|(_, fields)| data_sets::of_object(fields)) {
            return Err(Refusal::Format { what, advice });
        }
        table::of_objects(objects, self)?;
        let lists = std::mem::take(&mut self.lists);
        let columns = lists.iter().map(|(_, cells)| cells.len()).max().unwrap_or(0);
        Table::of_cells(lists, columns, self)?.read(self)
    }

    /// Returns the texts of objects that are a label with a list of them each; other objects as they are.
    fn ungrouped(&mut self, objects: Vec<(u64, Fields)>) -> Vec<(u64, Fields)> {
        let grouped = grouped::groups(objects.iter().map(|(_, fields)| fields));
        let within = match &objects[..] {
            [(_, only)] if grouped.is_none() => grouped::within(only),
            _ => None,
        };
        let Some(Grouped { rows, notes }) = grouped.or(within) else {
            return objects;
        };
        self.notes.extend(notes);
        (1..).zip(rows).collect()
    }

    /// Reads an element of a document, or a line.
    pub(crate) fn element(&mut self, number: u64, json: &str) {
        if let Some(field) = repeated_field(json.as_bytes()) {
            self.reject(number, twice(&field));
            return;
        }
        match serde_json::from_str::<Value>(json) {
            Ok(Value::Object(fields)) => match Tool::of(&fields) {
                Some(tool) => {
                    self.tool.get_or_insert(tool);
                    match tool.draft(&fields, self.options) {
                        Ok(draft) => self.drafts.push((number, draft)),
                        Err(reason) => self.reject(number, reason),
                    }
                }
                None => self.objects.push((number, own_export(fields))),
            },
            Ok(Value::String(text)) => self.drafts.push((
                number,
                Draft {
                    text,
                    ..Draft::default()
                },
            )),
            Ok(Value::Array(values)) => match (columnwise::with_categories(&values), values) {
                (Some(fields), _) => self.objects.push((number, fields)),
                (None, values) if values.iter().any(Value::is_object) => {
                    let reason = data_sets::of_list(&values);
                    self.reject(
                        number,
                        reason.unwrap_or("the row holds an object, which is neither a text nor a label"),
                    );
                }
                (None, values) => self.lists.push((number, columnwise::cells(&values))),
            },
            Ok(_) => self.reject(number, "neither a text nor an object"),
            Err(error) => self.reject(number, format!("not valid JSON (column {})", error.column())),
        }
    }
}

/// Refuses a document of which several parts may be the texts.
fn several_lists(paths: Vec<String>) -> Refusal {
    let paths: Vec<String> = paths.iter().map(|path| format!("`{path}`")).collect();
    Refusal::Damaged(format!(
        "several parts of the document hold texts ({}): give each by itself",
        paths.join(", ")
    ))
}

/// Returns what a line of a stack's own JSON Lines says: its text with the labels that were agreed on, which no annotator
/// signed. Who gave the feedback of its record said something else of it, or nothing.
fn own_export(fields: Fields) -> Fields {
    let is_own = ["labels", "text", "consensus", "votes", "record"]
        .iter()
        .all(|name| fields.contains_key(*name));
    if !is_own || !fields["record"].is_object() {
        return fields;
    }
    let classifier = fields["record"].get("classifier").cloned();
    let kept = fields
        .into_iter()
        .filter(|(name, _)| name == "labels" || name == "text");
    let classifier = classifier.map(|name| ("classifier".to_owned(), name));
    kept.chain(classifier).collect()
}
