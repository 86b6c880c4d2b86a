//! `output.tar.gz`, as trainings and classification jobs leave it.

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
