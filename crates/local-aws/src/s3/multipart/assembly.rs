//! The parts of an upload that become one object.

use std::io::{Read, Write};

use s3s::{crypto::Checksum as _, dto::*, s3_error};

use crate::s3::{
    backend::{Backend, now_ms},
    blobs::{self, Content},
    checksum::{Checksum, announced_checksum},
    index::{self, Failure, ObjectRecord, PartRecord, Tables, UploadRecord},
};

/// Smallest part but the last.
const LEAST_PART_BYTES: u64 = 5 * 1024 * 1024;
pub(super) const COPY_BUFFER_BYTES: usize = 256 * 1024;

/// Returns the parts of an upload that a client names, which must be there, in order, large enough, and named by their
/// checksums where these make the checksum of the whole.
pub(super) fn chosen_parts(
    tables: &impl Tables,
    (upload_id, upload): (&str, &UploadRecord),
    wanted: &[CompletedPart],
) -> Result<Vec<PartRecord>, Failure> {
    if wanted.is_empty() {
        return Err(s3_error!(MalformedXML, "You must specify at least one part").into());
    }
    let mut stored = index::parts(tables, upload_id)?;
    let mut chosen = Vec::with_capacity(wanted.len());
    let mut previous = 0;
    for part in wanted {
        let number = part
            .part_number
            .and_then(|number| u32::try_from(number).ok())
            .unwrap_or(0);
        if number <= previous {
            return Err(s3_error!(
                InvalidPartOrder,
                "The list of parts was not in ascending order. Parts must be ordered by part number."
            )
            .into());
        }
        previous = number;
        let announced = announced_checksum!(part);
        if let Some(algorithm) = upload.algorithm
            && upload.composite
            && announced.as_ref().is_none_or(|(named, _)| *named != algorithm)
        {
            return Err(s3_error!(
                InvalidRequest,
                "The upload was created using a {} checksum. The complete request must include the checksum for each part. It was missing for part {number} in the request.",
                algorithm.name().to_lowercase()
            )
            .into());
        }
        let record = stored.remove(&number).filter(|record| {
            let etag_matches = part
                .e_tag
                .as_ref()
                .is_some_and(|etag| etag.value() == record.etag);
            let checksum_matches = announced.as_ref().is_none_or(|(algorithm, value)| {
                let kept = record.checksum.as_ref();
                kept.is_some_and(|kept| *algorithm == kept.algorithm && *value == kept.value)
            });
            etag_matches && checksum_matches
        });
        chosen.push(record.ok_or_else(|| {
            s3_error!(
                InvalidPart,
                "One or more of the specified parts could not be found. The part may not have been uploaded, or the specified entity tag may not match the part's entity tag."
            )
        })?);
    }
    let all_but_last = &chosen[..chosen.len() - 1];
    if all_but_last.iter().any(|part| part.size < LEAST_PART_BYTES) {
        return Err(s3_error!(
            EntityTooSmall,
            "Your proposed upload is smaller than the minimum allowed size"
        )
        .into());
    }
    Ok(chosen)
}

/// Refuses a size that the client has counted and that is not that of the parts (`x-amz-mp-object-size`).
pub(super) fn check_size(counted: Option<i64>, parts: &[PartRecord]) -> Result<(), Failure> {
    let size: u64 = parts.iter().map(|part| part.size).sum();
    match counted {
        Some(counted) if u64::try_from(counted) != Ok(size) => Err(s3_error!(
            InvalidRequest,
            "The provided 'x-amz-mp-object-size' header value {counted} does not match what was computed: {size}"
        )
        .into()),
        _ => Ok(()),
    }
}

/// Writes the parts one after another into a file.
pub(super) fn assemble(
    backend: &Backend,
    upload: UploadRecord,
    parts: &[PartRecord],
) -> Result<(ObjectRecord, Content), Failure> {
    let mut file = blobs::new_file(&backend.folder())?;
    let mut hasher = upload.algorithm.map(|algorithm| (algorithm, algorithm.hasher()));
    let mut md5 = s3s::crypto::Md5::new();
    let mut buffer = vec![0; COPY_BUFFER_BYTES];
    for part in parts {
        md5.update(&hex::decode(&part.etag).unwrap_or_default());
        if let (true, Some((_, hasher)), Some(checksum)) = (upload.composite, &mut hasher, &part.checksum) {
            use base64::{Engine, prelude::BASE64_STANDARD};
            hasher.update(&BASE64_STANDARD.decode(&checksum.value).unwrap_or_default());
        }
        let mut source = std::fs::File::open(backend.folder().join(&part.blob))?;
        loop {
            let count = source.read(&mut buffer)?;
            if count == 0 {
                break;
            }
            file.write_all(&buffer[..count])?;
            if let (false, Some((_, hasher))) = (upload.composite, &mut hasher) {
                hasher.update(&buffer[..count]);
            }
        }
    }
    file.as_file().sync_all()?;
    let checksum = hasher.map(|(algorithm, hasher)| {
        let mut checksum = Checksum::finish(algorithm, hasher);
        if upload.composite {
            checksum.composite = true;
            checksum.value = format!("{}-{}", checksum.value, parts.len());
        }
        checksum
    });
    let record = ObjectRecord {
        size: parts.iter().map(|part| part.size).sum(),
        etag: format!("{}-{}", hex::encode(md5.finalize()), parts.len()),
        modified_ms: now_ms(),
        blob: None,
        part_sizes: parts.iter().map(|part| part.size).collect(),
        headers: upload.headers,
        checksum,
        version: None,
    };
    Ok((record, Content::File(file)))
}
