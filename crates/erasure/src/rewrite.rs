//! What is left of an object without what is to be erased.

use std::io::{Read, Write};

use active_learning_core::{
    erasure::rows_without,
    sampling::selection::SelectedTexts,
    text::{pack_vectors, unpack_vectors},
};
use flate2::{Compression, read::MultiGzDecoder, write::GzEncoder};

use crate::{
    json::{self as documents, Names, Places, Scrubber},
    uploads,
    wanted::Wanted,
    written,
};

/// Where the state of a human loop holds what is asked.
const LOOP_INPUT: &str = "input";

/// First bytes of what is compressed with gzip. Source: RFC 1952.
pub(crate) const GZIP: [u8; 2] = [0x1f, 0x8b];

/// How an object is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// JSON documents, one after the other; also lines of which some are none.
    Json,
    /// JSON that may hold the beginnings of texts only.
    Remarks,
    /// JSON of what people are asked, and of what they answered.
    Task,
    /// The state of a human loop, which may hold what people are asked.
    HumanLoop,
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
    /// How texts were selected, by the ids of their vectors.
    Ids,
    /// What somebody uploaded: any format that is read.
    Upload,
    /// A file of a flywheel's lake: JSON, or labels and texts.
    Lake,
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
    /// All of it, of which nobody knows what it holds.
    Unread {
        /// Why it cannot be read.
        reason: String,
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

    /// Returns that nobody knows what an object holds.
    pub(crate) fn unread(reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self::Unread { reason }
    }

    /// Takes more out of what is left.
    pub(crate) fn then(self, more: impl FnOnce(&[u8]) -> Self) -> Self {
        let Self::Rest { bytes, pieces } = self else {
            return self;
        };
        match more(&bytes) {
            Self::All | Self::Unread { .. } => Self::Rest { bytes, pieces },
            Self::Nothing { pieces: others } => Self::Nothing {
                pieces: pieces + others,
            },
            Self::Rest {
                bytes,
                pieces: others,
            } => Self::Rest {
                bytes,
                pieces: pieces + others,
            },
        }
    }

    /// Returns how many pieces were taken out.
    pub fn pieces(&self) -> u64 {
        match self {
            Self::All | Self::Unread { .. } => 0,
            Self::Nothing { pieces } | Self::Rest { pieces, .. } => *pieces,
        }
    }
}

/// Returns what is left of an object, compressed as it was.
pub fn rewrite(shape: Shape, bytes: &[u8], wanted: &Wanted) -> Left {
    if bytes.starts_with(&GZIP) && shape != Shape::Vectors && shape != Shape::Ids {
        let Some(plain) = decompressed(bytes) else {
            return match shape {
                Shape::Upload | Shape::Rows => Left::unread("it is no gzip, or damaged"),
                _ => Left::All, // Nobody can read it.
            };
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
        Shape::HumanLoop => human_loop(bytes, wanted),
        Shape::JsonInPlace => scrubber(Names::Tasks, Places::Kept).documents(bytes),
        Shape::NumberedLines => scrubber(Names::Tasks, Places::Kept).numbered_lines(bytes),
        Shape::Texts => documents::texts(bytes, wanted),
        Shape::Rows => uploads::training_file(bytes, wanted),
        Shape::Lake => uploads::of_lake(bytes, wanted),
        Shape::DatasetRows => rows(bytes, wanted, 0).0,
        Shape::Lines => lines(bytes, wanted),
        Shape::Vectors => vectors(bytes, wanted),
        Shape::Ids => ids(bytes, wanted),
        Shape::Upload => uploads::upload(bytes, wanted),
    }
}

/// Rewrites the state of a human loop; nothing is left of one that asks only what is to be erased.
fn human_loop(bytes: &[u8], wanted: &Wanted) -> Left {
    let input = written::document(bytes).and_then(|state| state.member(LOOP_INPUT));
    let Some(input) = input else {
        return rewrite(Shape::Json, bytes, wanted);
    };
    let (before, after) = (&bytes[..input.start], &bytes[input.end..]);
    let (state, held) = match rewrite(Shape::Task, &bytes[input], wanted) {
        Left::All | Left::Unread { .. } => (bytes.to_vec(), 0),
        Left::Nothing { pieces } => return Left::Nothing { pieces },
        Left::Rest { bytes, pieces } => ([before, &bytes[..], after].concat(), pieces),
    };
    match rewrite(Shape::Json, &state, wanted) {
        Left::All | Left::Unread { .. } if held == 0 => Left::All,
        Left::All | Left::Unread { .. } => Left::Rest {
            bytes: state,
            pieces: held,
        },
        Left::Nothing { pieces } => Left::Nothing { pieces },
        Left::Rest { bytes, pieces } => Left::Rest {
            bytes,
            pieces: pieces + held,
        },
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
    let (kept, pieces) = SelectedTexts::without(bytes, |id| wanted.is_vector(id));
    match pieces {
        0 => Left::All,
        _ if kept.is_empty() => Left::Nothing { pieces },
        _ => Left::Rest { bytes: kept, pieces },
    }
}
