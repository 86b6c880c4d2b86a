//! Many vectors in one object, found again by the text that they were made of.
//!
//! `u32` dimensions, then for each text the first 16 bytes of its SHA-256 and its vector in a byte a dimension,
//! little-endian.

use sha2::{Digest, Sha256};

use super::Vector;

const ID_BYTES: usize = 16;

/// What a vector is found by: the text's digest, so that a pack holds no text.
pub type VectorId = [u8; ID_BYTES];

/// Returns what the vector of a text is found by.
#[must_use]
pub fn vector_id(text: &str) -> VectorId {
    let hash: [u8; 32] = Sha256::digest(text).into();
    std::array::from_fn(|at| hash[at])
}

/// Packs vectors of so many dimensions; others are left out.
pub fn pack_vectors<'a>(
    dimensions: usize,
    vectors: impl IntoIterator<Item = (&'a VectorId, &'a Vector)>,
) -> Vec<u8> {
    let mut pack = (dimensions as u32).to_le_bytes().to_vec();
    for (id, vector) in vectors {
        if vector.dimensions() == dimensions {
            pack.extend(id);
            pack.extend(vector.bytes());
        }
    }
    pack
}

/// Returns what is in a pack; nothing of one that was cut short or is something else.
pub fn unpack_vectors(pack: &[u8]) -> impl Iterator<Item = (VectorId, Vector)> {
    let (dimensions, rows) = match pack.split_first_chunk() {
        Some((start, rows)) => (u32::from_le_bytes(*start) as usize, rows),
        None => (0, pack),
    };
    let length = ID_BYTES.saturating_add(dimensions);
    let rows = if dimensions > 0 && rows.len().is_multiple_of(length) {
        rows
    } else {
        &[]
    };
    rows.chunks_exact(length).filter_map(|row| {
        let (id, vector) = row.split_first_chunk()?;
        Some((*id, Vector::from_bytes(vector)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_are_found_again_by_their_texts() {
        let vectors = [Vector::of(&[1.0, -2.0, 0.5]), Vector::of(&[0.0, 0.25, 1.0])];
        let ids = ["one text", "another"].map(vector_id);

        let pack = pack_vectors(3, ids.iter().zip(&vectors));

        let found: Vec<(VectorId, Vector)> = unpack_vectors(&pack).collect();
        assert_eq!(found, ids.into_iter().zip(vectors).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_no_whole_pack_holds_nothing() {
        let vector = Vector::of(&[1.0, -2.0, 0.5]);
        let pack = pack_vectors(3, [(&vector_id("text"), &vector)]);

        for damaged in [&pack[..pack.len() - 1], &pack[..3], b"", b"\0\0\0\0"] {
            assert_eq!(unpack_vectors(damaged).count(), 0);
        }
        assert_eq!(pack_vectors(2, [(&vector_id("text"), &vector)]).len(), 4);
    }
}
