//! Copies of objects that were uploaded in parts: a copy has one part.
//!
//! Its `ETag` and its checksum are those of all bytes. They are computed before the change that makes the copy, since there is
//! one change at a time: a large object would hold up all others.

use std::io::Read;
use std::path::Path;

use s3s::crypto::Checksum as _;

use super::assembly::COPY_BUFFER_BYTES;
use crate::s3::{
    backend::Backend,
    checksum::Checksum,
    index::{self, Failure, ObjectRecord},
    objects::Copied,
    versions::{self, Located},
};

/// The hashes of all bytes of an object that was uploaded in parts.
#[derive(Debug)]
pub(in crate::s3) struct OnePart {
    /// Whose bytes they are.
    blob: Option<String>,
    etag: String,
    checksum: Option<Checksum>,
}

impl OnePart {
    fn of(folder: &Path, record: &ObjectRecord, inline: &[u8]) -> std::io::Result<Self> {
        let mut source: Box<dyn Read + '_> = match &record.blob {
            Some(blob) => Box::new(std::fs::File::open(folder.join(blob))?),
            None => Box::new(inline),
        };
        let algorithm = record.checksum.as_ref().map(|checksum| checksum.algorithm);
        let mut hasher = algorithm.map(|algorithm| (algorithm, algorithm.hasher()));
        let mut md5 = s3s::crypto::Md5::new();
        let mut buffer = vec![0; COPY_BUFFER_BYTES];
        loop {
            let count = source.read(&mut buffer)?;
            if count == 0 {
                break;
            }
            md5.update(&buffer[..count]);
            if let Some((_, hasher)) = &mut hasher {
                hasher.update(&buffer[..count]);
            }
        }
        Ok(Self {
            blob: record.blob.clone(),
            etag: hex::encode(md5.finalize()),
            checksum: hasher.map(|(algorithm, hasher)| Checksum::finish(algorithm, hasher)),
        })
    }
}

fn has_parts(record: &ObjectRecord) -> bool {
    !record.part_sizes.is_empty() || record.etag.contains('-')
}

impl Backend {
    /// Computes what a copy of an object needs, if it was uploaded in parts; none where it is not there.
    pub(in crate::s3) async fn hashed_ahead(&self, source: &Copied) -> Result<Option<OnePart>, Failure> {
        let reader = self.reader()?;
        let owner = index::bucket(&reader, &source.bucket)?;
        let found = versions::locate(&reader, &owner, &source.key, source.wanted.as_ref())?;
        drop(reader);
        let Located::Object((record, inline)) = found else {
            return Ok(None);
        };
        if !has_parts(&record) {
            return Ok(None);
        }
        let folder = self.folder();
        let hashing = tokio::task::spawn_blocking(move || OnePart::of(&folder, &record, &inline));
        // Its file may have gone with the object: then there is another one, or none.
        Ok(hashing.await.expect("hashing does not panic").ok())
    }
}

/// Makes the record of an object that was uploaded in parts that of a copy, by the hashes that were computed ahead unless
/// the object has other bytes by now.
pub(in crate::s3) fn make_one_part(
    folder: &Path,
    record: &mut ObjectRecord,
    inline: &[u8],
    ahead: Option<OnePart>,
) -> Result<(), Failure> {
    if !has_parts(record) {
        return Ok(());
    }
    let one_part = match ahead.filter(|ahead| ahead.blob.is_some() && ahead.blob == record.blob) {
        Some(ahead) => ahead,
        None => OnePart::of(folder, record, inline)?,
    };
    record.etag = one_part.etag;
    record.part_sizes.clear();
    record.checksum = one_part.checksum;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MD5_OF_HELLO: &str = "5d41402abc4b2a76b9719d911017c592";

    fn in_parts(blob: &str) -> ObjectRecord {
        ObjectRecord {
            size: 5,
            etag: "0123-2".to_owned(),
            modified_ms: 0,
            blob: Some(blob.to_owned()),
            part_sizes: vec![3, 2],
            headers: index::Headers::default(),
            checksum: None,
            version: None,
        }
    }

    #[test]
    fn a_copy_takes_the_hashes_of_the_bytes_that_it_has_and_of_no_others() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("new"), "hello").expect("written");
        let ahead = |blob: &str| OnePart {
            blob: Some(blob.to_owned()),
            etag: "ahead".to_owned(),
            checksum: None,
        };

        let etags = ["new", "replaced"].map(|hashed| {
            let mut record = in_parts("new");
            make_one_part(folder.path(), &mut record, &[], Some(ahead(hashed))).expect("hashed");
            assert!(record.part_sizes.is_empty());
            record.etag
        });

        assert_eq!(etags, ["ahead", MD5_OF_HELLO]);
    }
}
