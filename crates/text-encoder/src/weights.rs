//! The numbers of a `model.safetensors`.

use std::{borrow::Cow, collections::BTreeMap, ops::Range, sync::Arc};

use safetensors::{Dtype, SafeTensors};

use crate::EncoderError;

/// Name of the file that holds them.
pub(crate) const FILE: &str = "model.safetensors";
/// What the name of a tensor in 8 bits is followed by for its scales, one a row; our own, as is the next.
const ROW_SCALES: &str = ".scale";
/// … and one a column.
const COLUMN_SCALES: &str = ".columns";

/// All tensors of a file; the file stays in memory as long as one of its tables does.
pub(crate) struct Weights {
    file: Arc<Cow<'static, [u8]>>,
    entries: BTreeMap<String, Entry>,
}

#[derive(Clone)]
struct Entry {
    kind: Kind,
    shape: Vec<usize>,
    range: Range<usize>,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    F64,
    F32,
    F16,
    Bf16,
    I64,
    I32,
    I8,
}

/// A matrix whose rows are made when they are asked for.
pub(crate) struct Table {
    file: Arc<Cow<'static, [u8]>>,
    kind: Kind,
    range: Range<usize>,
    /// What each row and each column is multiplied by; none unless it is in 8 bits.
    scales: Option<Scales>,
    pub rows: usize,
    pub columns: usize,
}

struct Scales {
    rows: Vec<f32>,
    columns: Vec<f32>,
}

impl Weights {
    pub(crate) fn read(file: Cow<'static, [u8]>) -> Result<Self, EncoderError> {
        let damaged = |error| {
            let reason = format!("it is damaged or not complete ({error}); get it again");
            EncoderError::invalid(FILE, reason)
        };
        let (header, _) = SafeTensors::read_metadata(&file).map_err(damaged)?;
        let data = size_of::<u64>() + header;
        let mut entries = BTreeMap::new();
        let tensors = SafeTensors::deserialize(&file).map_err(damaged)?;
        let start = file.as_ptr() as usize;
        for (name, tensor) in tensors.iter() {
            let Some(kind) = Kind::of(tensor.dtype()) else {
                continue;
            };
            let from = tensor.data().as_ptr() as usize - start;
            debug_assert!(from >= data);
            let range = from..from + tensor.data().len();
            let shape = tensor.shape().to_vec();
            entries.insert(name.to_owned(), Entry { kind, shape, range });
        }
        Ok(Self {
            file: Arc::new(file),
            entries,
        })
    }

    /// Returns the file as it was read.
    pub(crate) fn file(&self) -> &[u8] {
        &self.file
    }

    /// Returns a matrix of so many columns; `None` for any number.
    pub(crate) fn table(&self, name: &str, columns: Option<usize>) -> Result<Table, EncoderError> {
        let entry = self.entry(name)?;
        let &[rows, found] = entry.shape.as_slice() else {
            return Err(EncoderError::invalid(FILE, format!("{name} is not a matrix")));
        };
        if rows == 0 || found == 0 {
            return Err(EncoderError::invalid(FILE, format!("{name} is empty")));
        }
        if columns.is_some_and(|columns| columns != found) {
            return Err(EncoderError::invalid(FILE, format!("{name} has {found} columns")));
        }
        let row_scales = format!("{name}{ROW_SCALES}");
        let scales = match entry.kind {
            Kind::I8 if self.has(&row_scales) => Some(Scales {
                rows: self.vector(&row_scales, rows)?,
                columns: self.vector(&format!("{name}{COLUMN_SCALES}"), found)?,
            }),
            _ => None,
        };
        Ok(Table {
            file: Arc::clone(&self.file),
            kind: entry.kind,
            range: entry.range.clone(),
            scales,
            rows,
            columns: found,
        })
    }

    /// Returns so many numbers.
    pub(crate) fn vector(&self, name: &str, length: usize) -> Result<Vec<f32>, EncoderError> {
        let entry = self.entry(name)?;
        // The length may be what a folder says.
        let mut values = Vec::with_capacity(entry.range.len() / entry.kind.size());
        entry.kind.decode(&self.file[entry.range.clone()], &mut values);
        if values.len() == length {
            Ok(values)
        } else {
            let found = values.len();
            Err(EncoderError::invalid(
                FILE,
                format!("{name} has {found} numbers, not {length}"),
            ))
        }
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }

    /// Returns whether these numbers are whole ones.
    pub(crate) fn is_of_integers(&self, name: &str) -> bool {
        self.entries
            .get(name)
            .is_some_and(|entry| entry.kind.is_integer())
    }

    fn entry(&self, name: &str) -> Result<&Entry, EncoderError> {
        self.entries
            .get(name)
            .ok_or_else(|| EncoderError::invalid(FILE, format!("it has no {name}")))
    }
}

impl Table {
    /// Returns whether it is of whole numbers that nothing scales.
    pub(crate) fn lacks_scales(&self) -> bool {
        self.kind.is_integer() && self.scales.is_none()
    }

    /// Writes a row to `out`, instead of what is there.
    pub(crate) fn row(&self, row: usize, out: &mut Vec<f32>) {
        let bytes = self.columns * self.kind.size();
        let data = &self.file[self.range.clone()][row * bytes..][..bytes];
        out.clear();
        self.kind.decode(data, out);
        if let Some(scales) = &self.scales {
            let scale = scales.rows[row];
            for (value, column) in out.iter_mut().zip(&scales.columns) {
                *value *= scale * column;
            }
        }
    }

    /// Writes the matrix with rows for columns to the columns of `out` from a given one on.
    pub(crate) fn transpose_into(&self, out: &mut [f32], out_step: usize, first_column: usize) {
        let mut values = Vec::new();
        for row in 0..self.rows {
            self.row(row, &mut values);
            for (column, &value) in values.iter().enumerate() {
                out[column * out_step + first_column + row] = value;
            }
        }
    }
}

impl Kind {
    fn of(dtype: Dtype) -> Option<Self> {
        Some(match dtype {
            Dtype::F64 => Self::F64,
            Dtype::F32 => Self::F32,
            Dtype::F16 => Self::F16,
            Dtype::BF16 => Self::Bf16,
            Dtype::I64 => Self::I64,
            Dtype::I32 => Self::I32,
            Dtype::I8 => Self::I8,
            _ => return None,
        })
    }

    fn is_integer(self) -> bool {
        matches!(self, Self::I64 | Self::I32 | Self::I8)
    }

    fn size(self) -> usize {
        match self {
            Self::F64 | Self::I64 => 8,
            Self::F32 | Self::I32 => 4,
            Self::F16 | Self::Bf16 => 2,
            Self::I8 => 1,
        }
    }

    fn decode(self, data: &[u8], out: &mut Vec<f32>) {
        let eights = || data.as_chunks::<8>().0.iter();
        let fours = || data.as_chunks::<4>().0.iter();
        let twos = || data.as_chunks::<2>().0.iter().map(|&two| u16::from_le_bytes(two));
        match self {
            Self::F64 => out.extend(eights().map(|&bytes| f64::from_le_bytes(bytes) as f32)),
            Self::F32 => out.extend(fours().map(|&bytes| f32::from_le_bytes(bytes))),
            Self::F16 => out.extend(twos().map(from_half)),
            Self::Bf16 => out.extend(twos().map(|bits| f32::from_bits(u32::from(bits) << 16))),
            Self::I64 => out.extend(eights().map(|&bytes| i64::from_le_bytes(bytes) as f32)),
            Self::I32 => out.extend(fours().map(|&bytes| i32::from_le_bytes(bytes) as f32)),
            Self::I8 => out.extend(data.iter().map(|byte| f32::from(byte.cast_signed()))),
        }
    }
}

/// Reads a number of 16 bits: one of sign, five of exponent, ten of fraction.
fn from_half(bits: u16) -> f32 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let fraction = f32::from(bits & 0x3ff) / 1024.0;
    let magnitude = match (bits >> 10) & 0x1f {
        0 => fraction * 2.0_f32.powi(-14),
        0x1f if fraction == 0.0 => f32::INFINITY,
        0x1f => f32::NAN,
        exponent => (1.0 + fraction) * 2.0_f32.powi(i32::from(exponent) - 15),
    };
    sign * magnitude
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_precision_numbers_are_read() {
        for (bits, expected) in [
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x0001, 2.0_f32.powi(-24)),
            (0x7bff, 65_504.0),
            (0x3555, 0.333_251_95),
        ] {
            assert_eq!(from_half(bits), expected, "{bits:x}");
        }
    }

    #[test]
    fn a_file_that_is_no_safetensors_is_refused() {
        for file in [&b""[..], b"pickle", &[255; 40]] {
            assert!(Weights::read(Cow::Owned(file.to_vec())).is_err());
        }
    }
}
