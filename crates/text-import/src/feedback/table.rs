//! Files of columns whose first row names them.

use active_learning_core::{
    dataset::{FAST_TEXT_MARK, HeaderRow, NamesAgain},
    feedback::{
        FeedbackRequest, Fields, Known,
        batch::{ReadError, io_or_damaged},
        folded_name,
        prediction::join_labels,
        unknown_field, with_decimal_point,
    },
    text::counted,
};
use serde_json::Value;

use super::{
    STRAY_QUOTE, Sink, each_line,
    requests::{FIELDS, Requests, note, of_draft},
};
use crate::{
    Options,
    columns::{Roles, roles},
    encoding::{decode_line, reason},
    header::{NAMES_AGAIN, TURNED, can_be_name},
    labels::Written,
    layout::layout,
    lines::Lines,
    names::{is_annotator_name, is_plain_label_name, is_plain_text_name},
    records::{Record, Records},
    source::{OpenError, Source},
    table::{FORMULA, NO_VALUE, draft, is_rule},
    tools::{Tool, fast_text, label_studio_answers},
    workbook::{self, Limits, Sheet, is_error},
};

/// Workbooks are held in memory, that of a function.
pub(super) const LIMITS: Limits = Limits {
    bytes: 16 << 20,
    unpacked: 128 << 20,
};

/// What to do with a file whose columns are not known.
const ADVICE: &str = "Name the columns in the first line, such as `sentence,label`; texts without columns are one a line, \
    or JSON Lines";

/// Told of a file without columns.
const TEXTS: &str = "the file has no columns: each line was read as a text";

/// Told of confidences that are written as in many countries, behind the number of lines.
const DECIMAL_COMMA: &str =
    "lines whose confidence has a decimal comma, such as 0,83, which was read as 0.83";

/// Told of rows of dashes, behind the number of lines.
const RULE: &str = "rows of dashes below the names of a table, which were passed over";

/// Returns whether the first line of a file without columns is a text: it does not look like the name of a column.
fn is_a_text(cells: &[Vec<u8>]) -> bool {
    let [cell] = cells else { return false };
    let (text, _) = decode_line(cell);
    let words = text.split_whitespace().count();
    field(&text).is_none() && (words > 2 || text.trim_end().ends_with(['.', '!', '?', '。', '！', '？']))
}

/// The columns of a file.
struct Columns {
    kind: Kind,
    /// The row that names them; none of a file without columns.
    header: Option<HeaderRow>,
}

/// What the columns of a file are.
enum Kind {
    /// Fields of a request each.
    Fields(Vec<&'static str>),
    /// Those of a tool's export.
    Tool { roles: Roles, width: usize },
}

/// Reads one record a line, or several lines where a text is quoted.
pub(super) fn delimited(source: Source<'_>, sink: &mut Sink<'_>) -> Result<(), ReadError> {
    if fast_text::is_one(&source.sample) {
        sink.repairs.push(fast_text::NOTE.to_owned());
        return each_line(
            source,
            sink,
            &|_, number, text| match fast_text::is_header(text) && number == 1 {
                true => Ok(Requests::default()),
                false => Ok(of_draft(fast_text::draft(text))),
            },
        );
    }
    let layout = layout(&source.sample, source.is_whole, None);
    let mut lines = Lines::new(source.content);
    if layout.has_separator_line
        && let Err(error) = lines.next()
    {
        sink.bad(1, io_or_damaged(error)?, b"");
        return Ok(());
    }
    let mut records = Records::new(lines, layout.dialect, layout.columns);
    let mut columns: Option<Columns> = None;
    loop {
        let record = match records.next() {
            Ok(Some(record)) => record,
            Ok(None) => return Ok(()),
            Err(error) => {
                sink.bad(sink.number + 1, io_or_damaged(error)?, b"");
                return Ok(());
            }
        };
        if record.has_stray_quote {
            sink.count(STRAY_QUOTE, record.line);
        }
        let Some(known) = &columns else {
            if layout.columns <= 1 && record.cells.as_ref().is_ok_and(|cells| is_a_text(cells)) {
                sink.repairs.push(TEXTS.to_owned());
                let texts = columns.insert(Columns::of_texts());
                if !put_record(record, texts, sink) {
                    return Ok(());
                }
                continue;
            }
            if sink.is_damaged(&record.raw) {
                let reason = format!(
                    "the header line: {}; nothing of the file was read",
                    reason(sink.encoding)
                );
                sink.bad(record.line, reason, &record.raw);
                return Ok(());
            }
            let names = record.cells.map(|cells| {
                cells
                    .iter()
                    .map(|cell| decode_line(cell).0.into_owned())
                    .collect::<Vec<_>>()
            });
            match names.and_then(|names| Columns::of(&names, &mut sink.repairs)) {
                Ok(found) => columns = Some(found),
                Err(reason) => {
                    sink.bad(
                        record.line,
                        format!("{reason}; nothing of the file was read. {ADVICE}"),
                        &record.raw,
                    );
                    return Ok(());
                }
            }
            continue;
        };
        if !put_record(record, known, sink) {
            return Ok(());
        }
    }
}

/// Passes the requests of a record on; false when no more are wanted.
fn put_record(record: Record, columns: &Columns, sink: &mut Sink<'_>) -> bool {
    let content = record.cells.map(|cells| {
        let cell = |cell: &Vec<u8>| sink.decoded(cell, record.line).into_owned();
        cells.iter().map(cell).collect::<Vec<_>>()
    });
    let content = match content {
        Ok(cells) => match columns.names_again(&cells, record.line, sink) {
            Some(NamesAgain::Same) => return true,
            Some(NamesAgain::Turned) => {
                sink.bad(record.line, TURNED, &record.raw);
                return false;
            }
            None => columns.requests(columns.with_decimal_points(cells, record.line, sink)),
        },
        Err(reason) => Err(reason),
    };
    sink.put_all(record.line, content, &record.raw)
}

/// Reads the rows of the sheets whose first rows name known columns; the others are told.
pub(super) fn workbook(source: Source<'_>, sink: &mut Sink<'_>) -> Result<(), ReadError> {
    let bytes = match workbook::bytes(source.content, LIMITS) {
        Ok(bytes) => bytes,
        Err(OpenError::Read(error)) => {
            sink.bad(1, io_or_damaged(error)?, b"");
            return Ok(());
        }
        Err(OpenError::Refused(refusal)) => {
            sink.bad(1, refusal, b"");
            return Ok(());
        }
    };
    let sheets = match workbook::sheets(&bytes) {
        Ok(sheets) => sheets,
        Err(refusal) => {
            sink.bad(1, refusal, b"");
            return Ok(());
        }
    };
    let mut first_reason = None;
    let mut is_read = false;
    for sheet in sheets {
        let Sheet { name, rows, .. } = sheet;
        let Some((_, names)) = rows.first() else { continue };
        if sheet.is_hidden {
            sink.repairs.push(format!(
                "sheet `{name}` is hidden and was not read; unhide it to have it read"
            ));
            continue;
        }
        match Columns::of(names, &mut sink.repairs) {
            Err(reason) => {
                sink.repairs
                    .push(format!("sheet `{name}` was not read: {reason}"));
                first_reason.get_or_insert(reason);
            }
            Ok(columns) => {
                is_read = true;
                sink.repairs.extend(sheet.notes);
                let width = names.len();
                for (number, mut cells) in rows.into_iter().skip(1) {
                    let raw = cells.join("\t");
                    match columns.names_again(&cells, number, sink) {
                        Some(NamesAgain::Same) => continue,
                        Some(NamesAgain::Turned) => {
                            sink.bad(number, TURNED, raw.as_bytes());
                            break;
                        }
                        None => {}
                    }
                    cells.resize(cells.len().max(width), String::new());
                    let cells = columns.with_decimal_points(cells, number, sink);
                    if !sink.put_all(number, columns.requests(cells), raw.as_bytes()) {
                        return Ok(());
                    }
                }
            }
        }
    }
    if let (false, Some(reason)) = (is_read, first_reason) {
        sink.bad(1, format!("{reason}; nothing of the file was read"), b"");
    }
    Ok(())
}

impl Columns {
    /// The only column of a file without names.
    fn of_texts() -> Self {
        Self {
            kind: Kind::Fields(vec!["sentence"]),
            header: None,
        }
    }

    /// Returns how a row names the columns once more, if it does; one that is passed over is counted.
    fn names_again(&self, cells: &[String], line: u64, sink: &mut Sink<'_>) -> Option<NamesAgain> {
        let again = self.header.as_ref()?.again(cells)?;
        if again == NamesAgain::Same {
            sink.count(NAMES_AGAIN, line);
        }
        Some(again)
    }

    /// Reads the row that names the columns.
    fn of(names: &[String], repairs: &mut Vec<String>) -> Result<Self, String> {
        Ok(Self {
            kind: Kind::of(names, repairs)?,
            header: Some(HeaderRow::of(names)),
        })
    }

    /// Reads a confidence with a decimal comma, as spreadsheets of many countries write it, and counts its line.
    fn with_decimal_points(&self, mut cells: Vec<String>, line: u64, sink: &mut Sink<'_>) -> Vec<String> {
        if let Kind::Fields(fields) = &self.kind
            && let Some(column) = fields.iter().position(|field| *field == "confidence")
            && let Some(cell) = cells.get_mut(column)
            && let Some(point) = with_decimal_point(cell)
        {
            *cell = point;
            sink.count(DECIMAL_COMMA, line);
        }
        cells
    }

    /// Makes requests of a row.
    fn requests(&self, cells: Vec<String>) -> Result<Requests, String> {
        let width = match &self.kind {
            Kind::Fields(fields) => fields.len(),
            Kind::Tool { width, .. } => *width,
        };
        let is_filled = |cell: &String| !cell.trim().is_empty();
        let filled = cells.iter().rposition(is_filled).map_or(0, |last| last + 1);
        if filled == 0 && cells.len() > 1 {
            return Ok(Requests::default());
        }
        if width > 1 && is_rule(&cells) {
            return Ok(Requests {
                fields: Vec::new(),
                notes: vec![RULE],
            });
        }
        if cells.len() < width || filled > width {
            let found = cells.len();
            return Err(format!(
                "{} where the header has {width}",
                counted(found, "column")
            ));
        }
        match &self.kind {
            Kind::Fields(fields) => {
                if cells.iter().any(|cell| cell == NO_VALUE) {
                    return Err(FORMULA.to_owned());
                }
                if cells.iter().any(|cell| is_error(cell)) {
                    return Err("a cell holds an error of the spreadsheet, such as `#N/A`".to_owned());
                }
                let filled = fields.iter().zip(cells).filter(|(_, cell)| !cell.is_empty());
                let mut notes = Vec::new();
                let mut read = Fields::new();
                for (field, cell) in filled {
                    read.insert(*field, value(field, cell, &mut notes)?);
                }
                let mut requests = Requests::of(vec![read]);
                requests.notes.append(&mut notes);
                // Checked here, where the field can be named.
                for fields in &requests.fields {
                    FeedbackRequest::of(fields.clone()).map_err(|error| error.to_string())?;
                }
                Ok(requests)
            }
            Kind::Tool { roles, .. } => {
                let values: Vec<Value> = cells.into_iter().map(Value::String).collect();
                draft(&values, roles).map(of_draft)
            }
        }
    }
}

impl Kind {
    /// Reads the row that names the columns: every one must be known, once, and there must be one of texts.
    fn of(names: &[String], repairs: &mut Vec<String>) -> Result<Self, String> {
        if let Some(tool) = Tool::of_columns(names) {
            let mut roles = roles(names, &[], &Options::default()).map_err(|refusal| refusal.to_string())?;
            repairs.push(format!("the columns were read as an export of {}", tool.name()));
            if tool == Tool::LabelStudio {
                let answers = label_studio_answers(names, &|column| column == roles.text);
                roles.label = answers.first().copied();
                let others = answers.iter().skip(1);
                repairs
                    .extend(others.map(|column| format!("column `{}` was not read", names[*column].trim())));
            }
            return Ok(Self::Tool {
                roles,
                width: names.len(),
            });
        }
        let mut fields: Vec<&'static str> = Vec::new();
        let mut told = Vec::new();
        for (name, number) in names.iter().zip(1..) {
            let Some(field) = field(name) else {
                return Err(unknown_column(names, name.trim(), number));
            };
            if fields.contains(&field) {
                return Err(format!("the header line has more than one column for `{field}`"));
            }
            if name.trim() != field {
                told.push(format!("column `{}` was read as `{field}`", name.trim()));
            }
            fields.push(field);
        }
        if !fields.contains(&"sentence") {
            return Err("the header line has no column `sentence`".to_owned());
        }
        repairs.append(&mut told);
        Ok(Self::Fields(fields))
    }
}

/// Says that a column is not known. A name of several words is shown only beside one that is known: another row may be a text.
fn unknown_column(names: &[String], name: &str, number: usize) -> String {
    let is_header = || names.iter().any(|other| field(other).is_some());
    let words = name.split_whitespace().count();
    match words {
        0 => format!(
            "the header line has no name in column {number}; if it numbers the rows, leave it out, as by \
             to_csv(index=False) of pandas"
        ),
        2.. if can_be_name(name) && is_header() => format!(
            "the header line has in column {number} an unknown field `{name}`: the fields are {}",
            listed(&request_fields())
        ),
        _ => format!(
            "the header line has in column {number} an {}",
            unknown_field(name, &request_fields())
        ),
    }
}

fn listed(known: &[Known]) -> String {
    let names: Vec<String> = known.iter().map(|(name, _)| format!("`{name}`")).collect();
    names.join(", ")
}

/// Returns whether a row names columns that are read.
pub(super) fn is_known(names: &[String]) -> bool {
    Columns::of(names, &mut Vec::new()).is_ok()
}

/// Returns whether comments stand above the line that names the columns.
pub(super) fn has_names_below(sample: &[u8]) -> bool {
    let sample = String::from_utf8_lossy(sample);
    let is_comment = |line: &&str| ["#", "//", "--"].iter().any(|mark| line.starts_with(mark));
    let mut lines = sample.lines().map(str::trim).filter(|line| !line.is_empty());
    if !lines.next().is_some_and(|first| is_comment(&first)) {
        return false;
    }
    lines.find(|line| !is_comment(line)).is_some_and(|line| {
        [',', ';', '\t', '|'].iter().any(|separator| {
            let names: Vec<String> = line
                .split(*separator)
                .map(|name| name.trim_matches('"').to_owned())
                .collect();
            names.len() > 1 && is_known(&names)
        })
    })
}

/// Returns the value of a cell, without white space around it where it is no text; labels may be a list.
fn value(field: &str, cell: String, notes: &mut Vec<&'static str>) -> Result<Value, String> {
    if field == "sentence" {
        return Ok(Value::from(cell));
    }
    let written = match field {
        "label" => Written::of_cell(&cell)?,
        _ => None,
    };
    match written {
        Some(several @ (Written::List(_) | Written::Paths(_))) => {
            notes.extend(note(&several));
            notes.extend(
                cell.trim_start()
                    .starts_with(FAST_TEXT_MARK)
                    .then_some(fast_text::MARKED),
            );
            Ok(Value::from(join_labels(several.names())))
        }
        Some(Written::Cell(_)) | None => Ok(Value::from(cell.trim())),
    }
}

/// Returns the field of a column, whatever the case or the language of its name.
pub fn field(name: &str) -> Option<&'static str> {
    let folded = folded_name(name);
    let known = FIELDS.iter().find(|(other, _)| folded_name(other) == folded);
    match known {
        Some((_, field)) => Some(field),
        None if is_plain_text_name(name) => Some("sentence"),
        None if is_plain_label_name(name) => Some("label"),
        None if is_annotator_name(name) => Some("user"),
        None => None,
    }
}

fn request_fields() -> [Known; 9] {
    active_learning_core::feedback::REQUEST_FIELDS
}
