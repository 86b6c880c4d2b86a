//! What is left of an object without what is to be erased.

use std::{
    io::{Read, Write},
    ops::ControlFlow,
};

use active_learning_core::{
    dataset::label_column,
    erasure::rows_without,
    feedback::prediction::LABEL_DELIMITER,
    text::{VectorId, pack_vectors, unpack_vectors},
};
use flate2::{Compression, read::MultiGzDecoder, write::GzEncoder};
use serde_json::json;
use text_import::feedback::{self, Item, Whole};

use crate::{
    json::{self as documents, Names, Places, Scrubber},
    wanted::Wanted,
};

/// First bytes of what is compressed with gzip. Source: RFC 1952.
pub(crate) const GZIP: [u8; 2] = [0x1f, 0x8b];

/// What stands between the cells of tables.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// How an object is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// JSON documents, one after the other; also lines of which some are none.
    Json,
    /// JSON that may hold the beginnings of texts only.
    Remarks,
    /// JSON of what people are asked, and of what they answered.
    Task,
    /// JSON of a labelling job, whose lists count by their places.
    JsonInPlace,
    /// JSON Lines of a labelling job's input, that count by their numbers.
    NumberedLines,
    /// A JSON list of texts.
    Texts,
    /// A training file: labels and texts, as its header says.
    Rows,
    /// Comprehend CSV of a dataset: labels, then a text.
    DatasetRows,
    /// Texts, one a line, also as lists of held-out texts have them.
    Lines,
    /// Packed vectors of texts.
    Vectors,
    /// Ids of vectors, 16 bytes each.
    Ids,
    /// What somebody uploaded: any format that is read.
    Upload,
}

/// What is left of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Left {
    /// All of it: it holds nothing to erase.
    All,
    /// Nothing.
    Nothing {
        /// Pieces that were in it.
        pieces: u64,
    },
    /// The rest.
    Rest {
        /// Its bytes.
        bytes: Vec<u8>,
        /// Pieces that were taken out.
        pieces: u64,
    },
}

impl Left {
    /// Returns what is left when so many pieces were taken out.
    pub(crate) fn of(bytes: Vec<u8>, pieces: u64) -> Self {
        match pieces {
            0 => Self::All,
            _ if bytes.iter().all(u8::is_ascii_whitespace) => Self::Nothing { pieces },
            _ => Self::Rest { bytes, pieces },
        }
    }

    /// Returns how many pieces were taken out.
    pub fn pieces(&self) -> u64 {
        match self {
            Self::All => 0,
            Self::Nothing { pieces } | Self::Rest { pieces, .. } => *pieces,
        }
    }
}

/// Returns what is left of an object, compressed as it was.
pub fn rewrite(shape: Shape, bytes: &[u8], wanted: &Wanted) -> Left {
    if bytes.starts_with(&GZIP) && shape != Shape::Vectors && shape != Shape::Ids {
        let Some(plain) = decompressed(bytes) else {
            return Left::All; // It is no gzip, or damaged: nobody can read it.
        };
        return match rewrite(shape, &plain, wanted) {
            Left::Rest { bytes, pieces } => Left::Rest {
                bytes: compressed(&bytes),
                pieces,
            },
            other => other,
        };
    }
    let scrubber = |names, places| Scrubber {
        wanted,
        names,
        places,
    };
    match shape {
        Shape::Json => scrubber(Names::Records, Places::Free).documents(bytes),
        Shape::Remarks => scrubber(Names::Remarks, Places::Free).documents(bytes),
        Shape::Task => scrubber(Names::Tasks, Places::Free).documents(bytes),
        Shape::JsonInPlace => scrubber(Names::Tasks, Places::Kept).documents(bytes),
        Shape::NumberedLines => scrubber(Names::Tasks, Places::Kept).numbered_lines(bytes),
        Shape::Texts => documents::texts(bytes, wanted),
        Shape::Rows => rows(bytes, wanted, label_column(bytes, Some(LABEL_DELIMITER))).0,
        Shape::DatasetRows => rows(bytes, wanted, 0).0,
        Shape::Lines => lines(bytes, wanted),
        Shape::Vectors => vectors(bytes, wanted),
        Shape::Ids => ids(bytes, wanted),
        Shape::Upload => upload(bytes, wanted),
    }
}

/// Decompresses what can be read of an object.
pub(crate) fn decompressed(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::new();
    // What was cut off still holds what came before.
    let read = MultiGzDecoder::new(bytes).read_to_end(&mut plain);
    (read.is_ok() || !plain.is_empty()).then_some(plain)
}

fn compressed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("a vector takes everything");
    encoder.finish().expect("a vector takes everything")
}

/// Returns what is left of Comprehend CSV, and the numbers of the rows that went, from 0.
///
/// A label that is called as a text is none: it stands in the column of labels.
pub(crate) fn rows(bytes: &[u8], wanted: &Wanted, label_column: usize) -> (Left, Vec<usize>) {
    let (rest, gone) = rows_without(bytes, |place, field| {
        place != label_column && wanted.is_text(field)
    });
    (Left::of(rest, gone.len() as u64), gone)
}

fn lines(bytes: &[u8], wanted: &Wanted) -> Left {
    let (mut rest, mut pieces) = (Vec::new(), 0);
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let text = String::from_utf8_lossy(line);
        match wanted.is_normalised(text.trim_end_matches(['\n', '\r'])) {
            true => pieces += 1,
            false => rest.extend_from_slice(line),
        }
    }
    Left::of(rest, pieces)
}

fn vectors(bytes: &[u8], wanted: &Wanted) -> Left {
    let all: Vec<_> = unpack_vectors(bytes).collect();
    let kept: Vec<_> = all.iter().filter(|(id, _)| !wanted.is_vector(id)).collect();
    let pieces = (all.len() - kept.len()) as u64;
    match kept.first() {
        None => Left::of(Vec::new(), pieces),
        Some((_, first)) => {
            let pairs = kept.iter().map(|(id, vector)| (id, vector));
            Left::of(pack_vectors(first.dimensions(), pairs), pieces)
        }
    }
}

fn ids(bytes: &[u8], wanted: &Wanted) -> Left {
    let is_kept = |id: &&[u8]| !VectorId::try_from(*id).is_ok_and(|id| wanted.is_vector(&id));
    let size = size_of::<VectorId>();
    let kept: Vec<u8> = bytes.chunks(size).filter(is_kept).flatten().copied().collect();
    let pieces = ((bytes.len() - kept.len()) / size) as u64;
    match pieces {
        0 => Left::All,
        _ if kept.is_empty() => Left::Nothing { pieces },
        _ => Left::Rest { bytes: kept, pieces },
    }
}

/// Rewrites an uploaded file by what it looks like.
fn upload(bytes: &[u8], wanted: &Wanted) -> Left {
    match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
        None => Left::All,
        Some(b'{' | b'[') => match sentences(bytes, wanted) {
            Left::All => uploaded_json(bytes, wanted),
            left => left,
        },
        Some(_) => table(bytes, wanted),
    }
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
    let Ok(mut document) = serde_json::from_slice::<serde_json::Value>(bytes) else {
        return Left::All;
    };
    let list = match document.get_mut("sentences") {
        Some(list) => list.as_array_mut(),
        None => document.as_array_mut(),
    };
    let Some(list) = list else { return Left::All };
    let before = list.len();
    list.retain(|text| !text.as_str().is_some_and(|text| wanted.is_text(text)));
    let pieces = (before - list.len()) as u64;
    if pieces == 0 {
        return Left::All;
    }
    let is_empty = list.is_empty();
    let rest = document.to_string().into_bytes();
    match uploaded_json(&rest, wanted) {
        _ if is_empty => Left::Nothing { pieces },
        Left::All => Left::Rest { bytes: rest, pieces },
        Left::Nothing { pieces: more } => Left::Nothing {
            pieces: pieces + more,
        },
        Left::Rest { bytes, pieces: more } => Left::Rest {
            bytes,
            pieces: pieces + more,
        },
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

/// Rewrites a table, with or without a header. Where its rows cannot be cut out of its bytes, as in a workbook, what is left
/// becomes JSON Lines.
fn table(bytes: &[u8], wanted: &Wanted) -> Left {
    let is_gone = |item: &Item| match &item.content {
        Ok(request) => {
            let is_of_user = request.user.as_deref().is_some_and(|user| wanted.is_user(user));
            is_of_user || wanted.is_text(&request.sentence)
        }
        Err(_) => documents::is_in_raw(&String::from_utf8_lossy(&item.raw), wanted),
    };
    let items = items(bytes);
    let gone = items.iter().filter(|item| is_gone(item)).count() as u64;
    if gone == 0 {
        // A column that is not read may hold it; a short one may be a label.
        let (rest, rows) = rows_without(bytes, |_, field| wanted.is_long_text(field));
        return Left::of(rest, rows.len() as u64);
    }

    let starts = line_starts(bytes);
    let mut rest = Vec::with_capacity(bytes.len());
    let mut begin = 0;
    for item in items.iter().filter(|item| is_gone(item)) {
        let number = usize::try_from(item.number).unwrap_or(usize::MAX);
        let start = starts.get(number.wrapping_sub(1)).copied().unwrap_or(bytes.len());
        let raw = item.raw.trim_ascii();
        let is_there = start >= begin && bytes[start..].trim_ascii_start().starts_with(raw);
        if raw.is_empty() || !is_there {
            return as_lines(&items, is_gone, gone);
        }
        rest.extend_from_slice(&bytes[begin..start]);
        let space = bytes[start..].len() - bytes[start..].trim_ascii_start().len();
        let end = start + space + raw.len();
        let feed = bytes[end..].iter().position(|byte| *byte == b'\n');
        begin = feed.map_or(bytes.len(), |at| end + at + 1);
    }
    rest.extend_from_slice(&bytes[begin..]);
    Left::of(rest, gone)
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

/// Returns where the lines begin.
fn line_starts(bytes: &[u8]) -> Vec<usize> {
    let feeds = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    std::iter::once(0).chain(feeds.map(|(at, _)| at + 1)).collect()
}

/// Writes what is left of a file as JSON Lines that mean the same.
fn as_lines(items: &[Item], is_gone: impl Fn(&Item) -> bool, gone: u64) -> Left {
    let mut lines = String::new();
    for item in items.iter().filter(|item| !is_gone(item)) {
        let line = match &item.content {
            Ok(request) => json!(request),
            Err(reason) => json!({"unusable": String::from_utf8_lossy(&item.raw), "reason": reason}),
        };
        lines += &format!("{line}\n");
    }
    Left::of(lines.into_bytes(), gone)
}
