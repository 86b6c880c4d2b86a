//! Excel workbooks: each sheet is a table, its cells read as they are shown, as far as the file says how.
//!
//! A merged cell stands for each row that it covers. Hidden rows are read as all others are, and told; hidden sheets are
//! read only where they are named, or where there is no other.

mod parts;

use std::{
    collections::BTreeSet,
    io::{Cursor, Read},
    panic::{AssertUnwindSafe, catch_unwind},
};

use active_learning_core::text::counted;
use calamine::{DataRef, Dimensions, ExcelDateTime, Reader, SheetVisible, Xlsx};
use flate2::read::DeflateDecoder;

use crate::{
    Options, Refusal,
    collected::Collected,
    container::check_workbook,
    header::{self, FirstRow, has_both},
    names::{is_label_name, is_text_name},
    source::{OpenError, Source},
    table::{LOOKED_AT, MAX_TITLES, NO_VALUE, Table},
};

pub(crate) use active_learning_core::labels::missing::is_spreadsheet_error as is_error;

/// Of one that a person imports.
pub(crate) const LIMITS: Limits = Limits {
    bytes: 256 << 20,
    unpacked: 1 << 30,
};
/// Columns that are looked at; a cell far out makes no columns of its own.
const MAX_COLUMNS: usize = 1_000;
/// Most memory that the values of merged cells may take in the rows that these cover, in bytes.
const MAX_MERGED: usize = 256 << 20;

/// Told of a row whose text is an error of a spreadsheet.
pub(crate) const ERROR: &str = "the text is an error of the spreadsheet, such as `#N/A`";

/// A sheet: its rows with their numbers, from 1.
pub(crate) struct Sheet {
    pub name: String,
    pub rows: Vec<(u64, Vec<String>)>,
    /// Whether people do not see it, and others there are.
    pub is_hidden: bool,
    /// What of it was read otherwise than it is seen.
    pub notes: Vec<String>,
}

/// Reads the sheets with something in them into `collected`: the one that is named, or all with the columns
/// of the first. Returns their names.
pub(crate) fn read(source: Source<'_>, collected: &mut Collected<'_>) -> Result<Vec<String>, Refusal> {
    let bytes = bytes(source.content, LIMITS).map_err(OpenError::into_refusal)?;
    let sheets = sheets(&bytes)?;
    let names: Vec<String> = sheets.iter().map(|sheet| sheet.name.clone()).collect();
    let mut hidden = Vec::new();
    let wanted: Vec<Sheet> = match &collected.options.sheet {
        Some(name) if !names.contains(name) => {
            return Err(Refusal::NoSheet {
                name: name.clone(),
                sheets: names,
            });
        }
        Some(name) => sheets.into_iter().filter(|sheet| sheet.name == *name).collect(),
        None => {
            let filled = sheets.into_iter().filter(|sheet| !sheet.rows.is_empty());
            let (unseen, seen) = filled.partition(|sheet| sheet.is_hidden);
            hidden = unseen;
            seen
        }
    };
    for Sheet { name, .. } in hidden {
        let note = format!("sheet `{name}` is hidden and was not read; --sheet reads it");
        collected.notes.push(note);
    }
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
        collected.notes.extend(sheet.notes);
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
    let is_too_large = bytes.len() as u64 > limits.bytes
        || unpacked_bytes(&bytes) > limits.unpacked
        || inflates_beyond(&bytes, limits.unpacked);
    if is_too_large {
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
    read.unwrap_or_else(|_| Err(damaged()))
}

fn damaged() -> Refusal {
    Refusal::Damaged("the workbook is damaged; open it in Excel and save it again".to_owned())
}

/// Sums up the sizes that the archive's directory tells.
fn unpacked_bytes(bytes: &[u8]) -> u64 {
    let entries = bytes.windows(28).filter(|entry| entry.starts_with(b"PK\x01\x02"));
    entries
        .map(|entry| u64::from(u32::from_le_bytes([entry[24], entry[25], entry[26], entry[27]])))
        .sum()
}

/// Times that the bytes of an archive are unpacked at most; an archive inside another one is unpacked twice.
const MOST_PASSES: u64 = 4;

/// Returns whether the parts of an archive unpack to more bytes than a limit, whatever its directory tells: wherever a part
/// may begin it is unpacked and forgotten. So does one whose parts lie in one another: unpacking would take hours.
fn inflates_beyond(bytes: &[u8], limit: u64) -> bool {
    const HEAD: usize = 30;
    let mut left = limit;
    let mut packed = MOST_PASSES * bytes.len() as u64;
    let begins = bytes
        .windows(HEAD)
        .enumerate()
        .filter(|(_, head)| head.starts_with(b"PK\x03\x04"));
    for (at, head) in begins {
        let [name, extra] = [26, 28].map(|at| usize::from(u16::from_le_bytes([head[at], head[at + 1]])));
        let part = bytes.get(at + HEAD + name + extra..).unwrap_or_default();
        let mut inflated = DeflateDecoder::new(part).take(left + 1);
        let mut buffer = [0; 16 * 1024];
        // What cannot be unpacked any further is damaged, or was not packed.
        while let Ok(length @ 1..) = inflated.read(&mut buffer) {
            match left.checked_sub(length as u64) {
                Some(rest) => left = rest,
                None => return true,
            }
        }
        match packed.checked_sub(inflated.get_ref().total_in()) {
            Some(rest) => packed = rest,
            None => return true,
        }
    }
    false
}

fn read_sheets(bytes: &[u8]) -> Result<Vec<Sheet>, Refusal> {
    let mut workbook: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).map_err(|_| damaged())?;
    let mut sheets = Vec::new();
    for name in workbook.sheet_names() {
        // Sheets of charts only have no cells.
        let Ok(mut cells) = workbook.worksheet_cells_reader(&name) else {
            continue;
        };
        let mut rows: Vec<(u64, Vec<String>)> = Vec::new();
        while let Some(cell) = cells.next_cell().map_err(|_| damaged())? {
            let (row, column) = cell.get_position();
            let (number, column) = (u64::from(row) + 1, column as usize);
            let value = shown(cell.get_value());
            if column >= MAX_COLUMNS || value.is_empty() {
                continue;
            }
            if rows.last().is_none_or(|(last, _)| *last != number) {
                rows.push((number, Vec::new()));
            }
            let (_, cells) = rows.last_mut().ok_or_else(damaged)?;
            if cells.len() <= column {
                cells.resize(column + 1, String::new());
            }
            cells[column] = value;
        }
        drop(cells);
        mark_formulas(&mut workbook, &name, &mut rows);
        let merged = workbook.merge_cells_by_sheet_name(&name).unwrap_or_default();
        let filled = fill_merged(&merged, &mut rows, MAX_MERGED)?;
        let mut hidden = parts::hidden_rows(bytes, &name);
        hidden.retain(|number| rows.binary_search_by_key(number, |(row, _)| *row).is_ok());
        let notes = [
            told(
                &name,
                &filled,
                "got the value of the merged cell that covers it",
                "got the values of the merged cells that cover them",
            ),
            told(
                &name,
                &hidden,
                "is hidden, and was read",
                "are hidden, and were read",
            ),
        ];
        sheets.push(Sheet {
            is_hidden: is_hidden(&workbook, &name),
            notes: notes.into_iter().flatten().collect(),
            name,
            rows,
        });
    }
    // Where nothing else is to be read, they are meant.
    if sheets
        .iter()
        .all(|sheet| sheet.is_hidden || sheet.rows.is_empty())
    {
        sheets.iter_mut().for_each(|sheet| sheet.is_hidden = false);
    }
    Ok(sheets)
}

fn is_hidden(workbook: &Xlsx<Cursor<&[u8]>>, name: &str) -> bool {
    let mut sheets = workbook.sheets_metadata().iter();
    sheets.any(|sheet| sheet.name == name && sheet.visible != SheetVisible::Visible)
}

/// Says how many rows of a sheet something was done with, and which is the first.
fn told(sheet: &str, rows: &BTreeSet<u64>, one: &str, several: &str) -> Option<String> {
    let first = rows.first()?;
    let what = if rows.len() == 1 { one } else { several };
    Some(format!(
        "sheet `{sheet}`: {} {what}, the first is row {first}",
        counted(rows.len(), "row")
    ))
}

/// Gives each row that a merged cell covers its value, as people see it, and returns these rows. Names of columns stand for
/// no rows, and a row without other cells is none. Of merged cells that lie over one another, as no spreadsheet makes them, the
/// first counts. Refuses what would take more bytes than a limit.
fn fill_merged(
    merged: &[Dimensions],
    rows: &mut [(u64, Vec<String>)],
    limit: usize,
) -> Result<BTreeSet<u64>, Refusal> {
    let first_is_row = !merged.is_empty() && begins_with_a_row(rows);
    let mut merged: Vec<&Dimensions> = merged.iter().collect();
    merged.sort_unstable_by_key(|cell| (cell.start.1, cell.start.0));
    let (mut filled, mut bytes, mut before) = (BTreeSet::new(), 0, (usize::MAX, 0));
    for Dimensions { start, end } in merged {
        let (first, last, column) = (u64::from(start.0) + 1, u64::from(end.0) + 1, start.1 as usize);
        if before.0 == column && first <= before.1 {
            continue;
        }
        before = (column, last);
        let Ok(place) = rows.binary_search_by_key(&first, |(row, _)| *row) else {
            continue;
        };
        let value = rows[place].1.get(column).filter(|value| !value.is_empty());
        let Some(value) = value.filter(|_| place > 0 || first_is_row).cloned() else {
            continue;
        };
        let covered = rows[place + 1..].iter_mut();
        for (number, cells) in covered.take_while(|(number, _)| *number <= last) {
            if cells.get(column).is_some_and(|cell| !cell.is_empty()) {
                continue;
            }
            let new_cells = (column + 2).saturating_sub(cells.len()).max(1);
            bytes += new_cells * size_of::<String>() + value.len();
            if bytes > limit {
                return Err(Refusal::Format {
                    what: "a workbook whose merged cells cover too much",
                    advice: "unmerge them, or save it as CSV",
                });
            }
            cells.resize(cells.len().max(column + 1), String::new());
            cells[column].clone_from(&value);
            filled.insert(*number);
        }
    }
    Ok(filled)
}

/// Returns whether the first row of a sheet is one like the others, neither a title nor one that names the columns.
fn begins_with_a_row(rows: &[(u64, Vec<String>)]) -> bool {
    let Some(((_, first), rest)) = rows.split_first() else {
        return false;
    };
    let filled = first.iter().filter(|cell| !cell.trim().is_empty());
    let rest: Vec<Vec<String>> = rest
        .iter()
        .take(LOOKED_AT)
        .map(|(_, cells)| cells.clone())
        .collect();
    filled.count() > 1 && header::first_row(first, &rest, &Options::default()) == FirstRow::Row
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

#[cfg(test)]
mod tests;
