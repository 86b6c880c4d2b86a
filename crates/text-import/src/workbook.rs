//! Excel workbooks: each sheet is a table, its cells read as they are shown, as far as the file says how.

use std::{
    io::{Cursor, Read},
    panic::{AssertUnwindSafe, catch_unwind},
};

use calamine::{DataRef, ExcelDateTime, Reader, Xlsx};

use crate::{
    Refusal,
    collected::Collected,
    container::check_workbook,
    header::has_both,
    names::{is_label_name, is_text_name},
    source::{OpenError, Source},
    table::{MAX_TITLES, NO_VALUE, Table},
};

pub(crate) use active_learning_core::labels::missing::is_spreadsheet_error as is_error;

/// Of one that a person imports.
pub(crate) const LIMITS: Limits = Limits {
    bytes: 256 << 20,
    unpacked: 1 << 30,
};
/// Columns that are looked at; a cell far out makes no columns of its own.
const MAX_COLUMNS: usize = 1_000;

/// Told of a row whose text is an error of a spreadsheet.
pub(crate) const ERROR: &str = "the text is an error of the spreadsheet, such as `#N/A`";

/// A sheet: its rows with their numbers, from 1.
pub(crate) struct Sheet {
    pub name: String,
    pub rows: Vec<(u64, Vec<String>)>,
}

/// Reads the sheets with something in them into `collected`: the one that is named, or all with the columns
/// of the first. Returns their names.
pub(crate) fn read(source: Source<'_>, collected: &mut Collected<'_>) -> Result<Vec<String>, Refusal> {
    let bytes = bytes(source.content, LIMITS).map_err(OpenError::into_refusal)?;
    let sheets = sheets(&bytes)?;
    let names: Vec<String> = sheets.iter().map(|sheet| sheet.name.clone()).collect();
    let wanted: Vec<Sheet> = match &collected.options.sheet {
        Some(name) if !names.contains(name) => {
            return Err(Refusal::NoSheet {
                name: name.clone(),
                sheets: names,
            });
        }
        Some(name) => sheets.into_iter().filter(|sheet| sheet.name == *name).collect(),
        None => sheets
            .into_iter()
            .filter(|sheet| !sheet.rows.is_empty())
            .collect(),
    };
    let mut read: Vec<String> = Vec::new();
    let model = first_row(&wanted[model(&wanted)..]);
    for sheet in wanted {
        let first = first_row(std::slice::from_ref(&sheet));
        if model != first {
            let note = format!(
                "sheet `{}` has other columns and was not read; --sheet reads it",
                sheet.name
            );
            collected.notes.push(note);
            continue;
        }
        let columns = sheet.rows.iter().map(|(_, cells)| cells.len()).max().unwrap_or(0);
        let pad = |(line, mut cells): (u64, Vec<String>)| {
            cells.resize(columns, String::new());
            (line, cells)
        };
        let rows = sheet.rows.into_iter().map(pad).collect();
        Table::of_cells(rows, columns, collected)?.read(collected)?;
        read.push(sheet.name);
    }
    Ok(read)
}

fn first_row(sheets: &[Sheet]) -> Vec<String> {
    let row = sheets.first().and_then(|sheet| sheet.rows.first());
    row.map(|(_, cells)| cells.clone()).unwrap_or_default()
}

/// Returns the number of the sheet whose columns are read: the first, unless that has no row that names texts and labels,
/// such as a cover, and another has.
fn model(sheets: &[Sheet]) -> usize {
    let names_both = |sheet: &Sheet| {
        let mut rows = sheet.rows.iter().take(MAX_TITLES + 1);
        rows.any(|(_, cells)| has_both(cells, is_text_name, is_label_name))
    };
    sheets.iter().position(names_both).unwrap_or(0)
}

/// How large a workbook may be that is held in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Its bytes.
    pub bytes: u64,
    /// The bytes that its parts unpack to.
    pub unpacked: u64,
}

/// Reads a whole workbook into memory.
pub(crate) fn bytes(content: impl Read, limits: Limits) -> Result<Vec<u8>, OpenError> {
    let mut bytes = Vec::new();
    content
        .take(limits.bytes + 1)
        .read_to_end(&mut bytes)
        .map_err(OpenError::Read)?;
    check_workbook(&bytes)?;
    if bytes.len() as u64 > limits.bytes || unpacked_bytes(&bytes) > limits.unpacked {
        return Err(Refusal::Format {
            what: "a workbook that is too large",
            advice: "save it as CSV",
        }
        .into());
    }
    Ok(bytes)
}

/// Reads all sheets of a workbook, empty ones too.
pub(crate) fn sheets(bytes: &[u8]) -> Result<Vec<Sheet>, Refusal> {
    // The reader of a format as wide as this one has had panics of its own.
    let read = catch_unwind(AssertUnwindSafe(|| read_sheets(bytes)));
    let damaged =
        || Refusal::Damaged("the workbook is damaged; open it in Excel and save it again".to_owned());
    read.ok().flatten().ok_or_else(damaged)
}

/// Sums up the sizes that the archive's directory tells.
fn unpacked_bytes(bytes: &[u8]) -> u64 {
    let entries = bytes.windows(28).filter(|entry| entry.starts_with(b"PK\x01\x02"));
    entries
        .map(|entry| u64::from(u32::from_le_bytes([entry[24], entry[25], entry[26], entry[27]])))
        .sum()
}

fn read_sheets(bytes: &[u8]) -> Option<Vec<Sheet>> {
    let mut workbook: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).ok()?;
    let mut sheets = Vec::new();
    for name in workbook.sheet_names() {
        // Sheets of charts only have no cells.
        let Ok(mut cells) = workbook.worksheet_cells_reader(&name) else {
            continue;
        };
        let mut rows: Vec<(u64, Vec<String>)> = Vec::new();
        while let Some(cell) = cells.next_cell().ok()? {
            let (row, column) = cell.get_position();
            let (number, column) = (u64::from(row) + 1, column as usize);
            let value = shown(cell.get_value());
            if column >= MAX_COLUMNS || value.is_empty() {
                continue;
            }
            if rows.last().is_none_or(|(last, _)| *last != number) {
                rows.push((number, Vec::new()));
            }
            let (_, cells) = rows.last_mut()?;
            if cells.len() <= column {
                cells.resize(column + 1, String::new());
            }
            cells[column] = value;
        }
        drop(cells);
        mark_formulas(&mut workbook, &name, &mut rows);
        sheets.push(Sheet { name, rows });
    }
    Some(sheets)
}

/// Marks the cells that hold a formula and no value, as programs write workbooks that no spreadsheet has opened.
fn mark_formulas(workbook: &mut Xlsx<Cursor<&[u8]>>, sheet: &str, rows: &mut Vec<(u64, Vec<String>)>) {
    let Ok(formulas) = workbook.worksheet_formula(sheet) else {
        return;
    };
    let (first_row, first_column) = formulas.start().unwrap_or_default();
    for (row, column, _) in formulas.used_cells() {
        let (number, column) = (
            u64::from(first_row) + row as u64 + 1,
            first_column as usize + column,
        );
        if column >= MAX_COLUMNS {
            continue;
        }
        let place = match rows.binary_search_by_key(&number, |(row, _)| *row) {
            Ok(place) => place,
            Err(place) => {
                rows.insert(place, (number, Vec::new()));
                place
            }
        };
        let (_, cells) = &mut rows[place];
        cells.resize(cells.len().max(column + 1), String::new());
        if cells[column].is_empty() {
            NO_VALUE.clone_into(&mut cells[column]);
        }
    }
}

/// Returns a cell as it is shown: whole numbers without a point, dates as ISO 8601, errors by their
/// words.
fn shown(value: &DataRef<'_>) -> String {
    match value {
        DataRef::Int(number) => number.to_string(),
        DataRef::Float(number) => number.to_string(),
        DataRef::String(text) => text.clone(),
        DataRef::SharedString(text) => (*text).to_owned(),
        DataRef::Bool(flag) => flag.to_string().to_uppercase(),
        DataRef::DateTime(date) => shown_date(*date),
        DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => text.clone(),
        DataRef::Error(error) => error.to_string(),
        DataRef::Empty => String::new(),
    }
}

fn shown_date(date: ExcelDateTime) -> String {
    if date.is_duration() || date.as_f64() < 1.0 {
        return date.as_f64().to_string();
    }
    match date.to_ymd_hms_milli() {
        (year, month, day, 0, 0, 0, _) => format!("{year:04}-{month:02}-{day:02}"),
        (year, month, day, hour, minute, second, _) => {
            format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
        }
    }
}
