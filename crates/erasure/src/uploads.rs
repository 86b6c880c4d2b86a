//! What is left of files that people put into buckets: of uploaded ones, and of training files, whether they were taken or
//! refused.

use std::{collections::BTreeSet, ops::ControlFlow};

use active_learning_core::{
    dataset::{TrainingRows, label_column},
    feedback::prediction::LABEL_DELIMITER,
};
use serde_json::json;
use text_import::{
    Refusal,
    feedback::{self, Item, RawRow, RawRows, Whole, decoded, is_table, raw_rows, transcoded, without_lines},
};

use crate::{
    json::{self as documents, Names, Places, SENTENCES, Scrubber},
    rewrite::{Left, rows},
    wanted::Wanted,
    written,
};

/// Why the row of a sheet is of no use.
const UNREAD_SHEET: &str = "the sheet was not read";

/// What stands between the cells of tables.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// Rewrites a file of a flywheel's lake: JSON, or labels and texts.
pub(crate) fn of_lake(bytes: &[u8], wanted: &Wanted) -> Left {
    match is_json(bytes) {
        true => upload(bytes, wanted),
        false => training_file(bytes, wanted),
    }
}

/// Rewrites a training file. One that is refused is looked through by every cell where nothing tells its columns.
pub(crate) fn training_file(bytes: &[u8], wanted: &Wanted) -> Left {
    let Ok(mut all) = TrainingRows::new(bytes, Some(LABEL_DELIMITER)) else {
        return upload(bytes, wanted);
    };
    let labels = label_column(bytes, Some(LABEL_DELIMITER));
    let of_csv = |bytes: &[u8]| rows(bytes, wanted, labels).0;
    if all.all(|row| row.is_ok()) {
        return of_csv(bytes);
    }
    let is_gone = |row: &RawRow| match row.cells.as_deref() {
        // A long label is a text that stands in the wrong column.
        Some(cells) if cells.len() == 2 => {
            wanted.is_text(&cells[1 - labels]) || wanted.is_long_text(&cells[labels])
        }
        _ => is_in_row(row, wanted),
    };
    let left = match raw_rows(bytes, false) {
        Ok(RawRows::Lines(rows)) => lines_left(bytes, &rows, is_gone),
        Ok(RawRows::Document | RawRows::Sheets(_)) => upload(bytes, wanted),
        Err(refusal) => Left::unread(why(&refusal)),
    };
    match left {
        Left::All => of_csv(bytes),
        left => left.then(of_csv),
    }
}

/// Rewrites an uploaded file by what it looks like.
pub(crate) fn upload(bytes: &[u8], wanted: &Wanted) -> Left {
    if !is_json(bytes) {
        return table(bytes, wanted);
    }
    match sentences(bytes, wanted) {
        Left::All => uploaded_json(bytes, wanted),
        left => left,
    }
}

/// Returns whether a file begins as JSON does, and is no table whose first text does. In other encodings it is read as it was
/// taken in.
pub(crate) fn is_json(bytes: &[u8]) -> bool {
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    let is_valid = || serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok();
    matches!(first, Some(b'{' | b'['))
        && std::str::from_utf8(bytes).is_ok()
        && (!is_table(bytes) || is_valid())
}

fn uploaded_json(bytes: &[u8], wanted: &Wanted) -> Left {
    let scrubber = Scrubber {
        wanted,
        names: Names::Uploads,
        places: Places::Free,
    };
    scrubber.documents(bytes)
}

/// Rewrites a document that lists texts as `sentences`.
fn sentences(bytes: &[u8], wanted: &Wanted) -> Left {
    let Some(mut document) = written::document(bytes) else {
        return Left::All;
    };
    let list = match document.value.get_mut(SENTENCES) {
        Some(list) => list.as_array_mut(),
        None => document.value.as_array_mut(),
    };
    let Some(list) = list else { return Left::All };
    let pieces = documents::take_texts_out(list, wanted);
    match pieces {
        0 => Left::All,
        _ if pieces == list.len() as u64 => Left::Nothing { pieces },
        _ => {
            let bytes = document.written_in(bytes);
            Left::Rest { bytes, pieces }.then(|rest| uploaded_json(rest, wanted))
        }
    }
}

/// Reads what is in a file as `batch-feedback` does.
pub(crate) fn items(bytes: &[u8]) -> Vec<Item> {
    let whole = match feedback::whole(bytes) {
        Ok(Ok(whole)) => whole,
        Ok(Err(_)) | Err(_) => Whole::default(),
    };
    let mut items = Vec::new();
    let mut take = |item| {
        items.push(item);
        ControlFlow::Continue(())
    };
    // A slice has no transport errors.
    let _ = feedback::read(bytes, &whole, "default", &mut take);
    items
}

/// Returns the rows of a file of which nothing is made.
pub(crate) fn unread_rows(bytes: &[u8], items: &[Item]) -> Vec<RawRow> {
    let is_read = is_read(items);
    match raw_rows(bytes, is_read) {
        Ok(RawRows::Sheets(rows)) => rows,
        Ok(RawRows::Lines(rows)) if !is_read => rows,
        Ok(RawRows::Lines(_) | RawRows::Document) | Err(_) => Vec::new(),
    }
}

fn is_read(items: &[Item]) -> bool {
    items.iter().any(|item| item.content.is_ok())
}

/// Rewrites what is no JSON: a table, with or without a header, or a file that is JSON in another encoding.
///
/// A file that was refused is looked through as a whole, cell by cell. Where rows cannot be cut out of its bytes, as in a
/// workbook, what is left becomes JSON Lines.
fn table(bytes: &[u8], wanted: &Wanted) -> Left {
    let items = items(bytes);
    let is_read = is_read(&items);
    let is_item_gone = |item: &Item| match &item.content {
        Ok(request) => {
            let is_of_user = request.user.as_deref().is_some_and(|user| wanted.is_user(user));
            is_of_user
                || wanted.is_text(&request.sentence)
                || documents::is_in_printed(&request.sentence, wanted)
        }
        Err(_) => documents::is_in_raw(&decoded(&item.raw), wanted),
    };
    match raw_rows(bytes, is_read) {
        // What comes behind damage, or in a list of another name, is in none of its items.
        Ok(RawRows::Document) if items.is_empty() || items.iter().any(|item| item.content.is_err()) => {
            match transcoded(bytes) {
                Some(text) => uploaded_json(&text, wanted),
                None => Left::unread("it is damaged"),
            }
        }
        Ok(RawRows::Document) => as_lines(&items, &[], 0, is_item_gone),
        Ok(RawRows::Sheets(rows)) => {
            let kept: Vec<RawRow> = rows
                .iter()
                .filter(|row| !is_in_row(row, wanted))
                .cloned()
                .collect();
            // A column that is not read may hold it; a short one may be a label.
            let is_within = |item: &Item| {
                let raw = decoded(&item.raw);
                raw.split('\t').any(|cell| wanted.is_long_text(cell))
            };
            let is_gone = |item: &Item| is_item_gone(item) || is_within(item);
            as_lines(&items, &kept, (rows.len() - kept.len()) as u64, is_gone)
        }
        Ok(RawRows::Lines(rows)) => {
            let numbers = items.iter().filter(|item| is_item_gone(item));
            let numbers: BTreeSet<u64> = numbers.map(|item| item.number).collect();
            lines_left(bytes, &rows, |row| match is_read {
                _ if numbers.contains(&row.number) => true,
                true => row.cells.iter().flatten().any(|cell| wanted.is_long_text(cell)),
                false => is_in_row(row, wanted),
            })
        }
        Err(refusal) if refusal.is_of_no_texts() => Left::All,
        Err(refusal) => Left::unread(why(&refusal)),
    }
}

/// Says why a file cannot be cut into rows.
fn why(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Format { what, .. } => format!("it is {what}"),
        other => other.to_string(),
    }
}

/// Returns whether a row of which nobody knows what its columns hold has a text or the name of a user.
fn is_in_row(row: &RawRow, wanted: &Wanted) -> bool {
    if documents::is_in_printed(&row.raw, wanted) {
        return true;
    }
    let is_gone = |cell: &String| {
        wanted.is_text(cell) || wanted.is_user(cell) || documents::is_in_printed(cell, wanted)
    };
    match row.cells.as_deref() {
        // Nothing tells what stands between its cells.
        Some([line]) => is_gone(line) || has_cell(line.as_bytes(), wanted),
        Some(cells) => cells.iter().any(is_gone),
        None => documents::is_in_raw(&row.raw, wanted),
    }
}

/// Cuts rows out of a file by their lines.
fn lines_left(bytes: &[u8], rows: &[RawRow], is_gone: impl Fn(&RawRow) -> bool) -> Left {
    let (gone, kept): (Vec<&RawRow>, Vec<&RawRow>) = rows.iter().partition(|row| is_gone(row));
    if gone.is_empty() {
        return match kept.iter().find(|row| row.is_cut_off) {
            Some(row) => Left::unread(format!("line {} is too long", row.number)),
            None => Left::All,
        };
    }
    let of_rows = gone.iter().flat_map(|row| row.number..row.number + row.lines);
    let lines: BTreeSet<u64> = of_rows.collect();
    let rest = without_lines(bytes, |line| lines.contains(&line));
    Left::of(rest, gone.len() as u64)
}

/// Returns whether a line of a table, whatever stands between its cells, has one that is a text or the name of a user.
pub(crate) fn has_cell(line: &[u8], wanted: &Wanted) -> bool {
    let is_gone = |cell: &[u8]| {
        let cell = String::from_utf8_lossy(cell);
        wanted.is_text(&cell) || wanted.is_user(&cell)
    };
    DELIMITERS.iter().any(|delimiter| {
        let mut reader = csv::ReaderBuilder::new();
        let reader = reader.has_headers(false).flexible(true).delimiter(*delimiter);
        let rows = reader.from_reader(line).into_byte_records().flatten();
        rows.filter(|row| row.len() > 1)
            .any(|row| row.iter().any(is_gone))
    })
}

/// Writes what is left of a file as JSON Lines that mean the same: of its items, and of rows of which nothing is made.
fn as_lines(items: &[Item], rows: &[RawRow], gone_rows: u64, is_gone: impl Fn(&Item) -> bool) -> Left {
    let pieces = gone_rows + items.iter().filter(|item| is_gone(item)).count() as u64;
    if pieces == 0 {
        return Left::All;
    }
    let mut lines = String::new();
    // That a file was refused is said where nothing of it is at hand otherwise.
    let is_told = |item: &&Item| !is_gone(item) && (rows.is_empty() || !item.raw.is_empty());
    for item in items.iter().filter(is_told) {
        let line = match &item.content {
            Ok(request) => json!(request),
            Err(reason) => json!({"unusable": decoded(&item.raw), "reason": reason}),
        };
        lines += &format!("{line}\n");
    }
    for row in rows {
        lines += &format!("{}\n", json!({"unusable": row.raw, "reason": UNREAD_SHEET}));
    }
    Left::of(lines.into_bytes(), pieces)
}
