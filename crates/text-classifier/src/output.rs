//! `output.tar.gz`, as trainings and classification jobs leave it.

use std::io::{self, Write};

use flate2::{Compression, write::GzEncoder};

use crate::s3_uri::S3Uri;

pub(crate) const CONTENT_TYPE: &str = "application/gzip";

/// Returns where the output lies: `<folder>/<account>-<kind>-<id>/output/output.tar.gz`.
pub(crate) fn uri(folder: &S3Uri, scope: &str, kind: &str, id: &str) -> S3Uri {
    let account = scope.rsplit(':').next().unwrap_or_default();
    folder.join(&format!("{account}-{kind}-{id}/output/output.tar.gz"))
}

/// Packs files, each a name and its content. The same content gives the same archive.
pub(crate) fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    let append = |(name, content): &(&str, &[u8])| {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, *content)
    };
    files
        .iter()
        .try_for_each(append)
        .and_then(|()| archive.into_inner()?.finish())
        .expect("writing to memory does not fail")
}

/// Bytes of a block of a tar.
const BLOCK: u64 = 512;

/// An archive of one file that is written piece by piece: the same bytes as [`archive`] of the whole.
pub(crate) struct OneFile<W: Write> {
    archive: GzEncoder<W>,
    /// Bytes of zeros after the content.
    zeros: u64,
}

impl<W: Write> OneFile<W> {
    /// Begins an archive of a file of so many bytes; just these are appended then.
    ///
    /// # Errors
    ///
    /// What is written to failed; so it is with the other steps.
    pub(crate) fn begin(to: W, name: &str, size: u64) -> io::Result<Self> {
        let mut header = tar::Header::new_gnu();
        header.set_path(name)?;
        header.set_size(size);
        header.set_mode(0o644);
        header.set_cksum();
        let mut archive = GzEncoder::new(to, Compression::default());
        archive.write_all(header.as_bytes())?;
        // To the end of a block, and the two blocks with which a tar ends.
        let zeros = size.next_multiple_of(BLOCK) - size + 2 * BLOCK;
        Ok(Self { archive, zeros })
    }

    pub(crate) fn append(&mut self, piece: &[u8]) -> io::Result<()> {
        self.archive.write_all(piece)
    }

    pub(crate) fn finish(mut self) -> io::Result<W> {
        io::copy(&mut io::Read::take(io::repeat(0), self.zeros), &mut self.archive)?;
        self.archive.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpacked(archive: &[u8]) -> Vec<u8> {
        let mut content = Vec::new();
        let mut decoder = flate2::read::GzDecoder::new(archive);
        io::Read::read_to_end(&mut decoder, &mut content).expect("gzip");
        content
    }

    #[test]
    fn an_archive_in_pieces_is_the_same_as_in_one() {
        for lines in [0, 1, 7, 3_000] {
            let content: Vec<u8> = (0..lines)
                .flat_map(|n: u64| {
                    format!("line {n}, {}\n", n.wrapping_mul(0x9E37_79B9_7F4A_7C15)).into_bytes()
                })
                .collect();

            for size in [1, 512, 10_007, 1 << 20] {
                let mut pieces =
                    OneFile::begin(Vec::new(), "predictions.jsonl", content.len() as u64).expect("in memory");
                for piece in content.chunks(size) {
                    pieces.append(piece).expect("in memory");
                }
                let pieces = pieces.finish().expect("in memory");

                let whole = archive(&[("predictions.jsonl", &content)]);
                // How they are packed may depend on the pieces.
                assert!(
                    unpacked(&pieces) == unpacked(&whole),
                    "{lines} lines in pieces of {size}"
                );
            }
        }
    }
}
