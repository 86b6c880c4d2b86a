//! Object data: streamed in, checked, made durable, streamed out.

use std::{
    collections::HashSet,
    io::{self, SeekFrom, Write},
    ops::Range,
    path::Path,
};

use bytes::Bytes;
use futures::{Stream, StreamExt};
use s3s::{S3Error, StdError, crypto::Checksum as _, dto::StreamingBlob, s3_error};
use tempfile::NamedTempFile;
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt, BufWriter};
use tokio_util::io::ReaderStream;

use super::{
    checked::Checked,
    checksum::{Announced, Checksum},
    damage::Suspect,
    error::custom_error,
    index::{Failure, ObjectRecord},
};
use crate::store::{BLOB_PREFIX, is_blob};

/// Objects up to this size lie in the index: one fsync less each.
pub(super) const INLINE_LIMIT: usize = 16 * 1024;

pub(super) const BUFFER_BYTES: usize = 256 * 1024;

/// Data that is complete and, if it is a file, on the disk, but not yet an object's.
pub(super) enum Content {
    Inline(Vec<u8>),
    /// Removes itself unless it is kept.
    File(NamedTempFile),
}

/// A body that arrived whole and matched what was announced.
pub(super) struct Received {
    pub(super) content: Content,
    pub(super) size: u64,
    /// MD5, hexadecimal.
    pub(super) etag: String,
    pub(super) checksum: Option<Checksum>,
}

/// Streams a body to a file, or keeps it if it is at most `inline_limit` long.
pub(super) async fn receive(
    folder: &Path,
    body: Option<StreamingBlob>,
    announced: Announced,
    inline_limit: usize,
) -> Result<Received, Failure> {
    let mut md5 = s3s::crypto::Md5::new();
    let mut hasher = announced
        .algorithm
        .map(|algorithm| (algorithm, algorithm.hasher()));
    let mut size = 0;
    let mut small = Vec::new();
    let mut large: Option<(NamedTempFile, BufWriter<tokio::fs::File>)> = None;
    let mut body = body.unwrap_or_else(|| s3s::Body::empty().into());
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(refuse_body)?;
        size += chunk.len() as u64;
        md5.update(&chunk);
        if let Some((_, hasher)) = &mut hasher {
            hasher.update(&chunk);
        }
        if large.is_none() && small.len() + chunk.len() > inline_limit {
            let file = new_file(folder)?;
            let mut writer =
                BufWriter::with_capacity(BUFFER_BYTES, tokio::fs::File::from_std(file.reopen()?));
            writer.write_all(&small).await?;
            large = Some((file, writer));
        }
        match &mut large {
            Some((_, writer)) => writer.write_all(&chunk).await?,
            None => small.extend_from_slice(&chunk),
        }
    }
    let md5 = md5.finalize();
    let checksum = hasher.map(|(algorithm, hasher)| Checksum::finish(algorithm, hasher));
    announced.verify(size, md5.as_ref(), checksum.as_ref())?;
    let content = match large {
        Some((file, mut writer)) => {
            writer.flush().await?;
            writer.get_ref().sync_all().await?;
            Content::File(file)
        }
        None => Content::Inline(small),
    };
    Ok(Received {
        content,
        size,
        etag: hex::encode(md5.as_ref()),
        checksum,
    })
}

/// Says what was wrong with a body that could not be read to its end.
fn refuse_body(error: StdError) -> S3Error {
    // The types of these errors are private to s3s.
    let text = error.to_string();
    if text.contains("Sha256Mismatch") {
        custom_error(
            "XAmzContentSHA256Mismatch",
            http::StatusCode::BAD_REQUEST,
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
        )
    } else if text.contains("SignatureMismatch") {
        s3_error!(SignatureDoesNotMatch, "The signature of a chunk does not match.")
    } else {
        s3_error!(
            IncompleteBody,
            "You did not provide the number of bytes specified by the Content-Length HTTP header"
        )
    }
}

/// Makes `bytes` the content of an object to be: a file if it is large.
pub(super) fn from_bytes(folder: &Path, bytes: Vec<u8>) -> io::Result<Content> {
    if bytes.len() <= INLINE_LIMIT {
        return Ok(Content::Inline(bytes));
    }
    let mut file = new_file(folder)?;
    file.write_all(&bytes)?;
    file.as_file().sync_all()?;
    Ok(Content::File(file))
}

/// Makes an empty file that removes itself unless it is kept.
pub(super) fn new_file(folder: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new()
        .prefix(BLOB_PREFIX)
        .suffix(".tmp")
        .tempfile_in(folder)
}

/// Gives content its final place: the name of its file, if it is one, and its inline bytes.
pub(super) fn keep(folder: &Path, content: Content) -> io::Result<(Option<String>, Vec<u8>)> {
    match content {
        Content::Inline(bytes) => Ok((None, bytes)),
        Content::File(file) => {
            let name = new_name();
            file.persist(folder.join(&name)).map_err(|error| error.error)?;
            sync_folder(folder)?;
            Ok((Some(name), Vec::new()))
        }
    }
}

/// Gives the data of blob `name` a second name, so that two objects share it.
pub(super) fn link(folder: &Path, name: &str) -> io::Result<String> {
    let second = new_name();
    std::fs::hard_link(folder.join(name), folder.join(&second))?;
    sync_folder(folder)?;
    Ok(second)
}

fn new_name() -> String {
    format!("{BLOB_PREFIX}{}", uuid::Uuid::new_v4().simple())
}

/// A new name in a folder is durable only after this.
fn sync_folder(folder: &Path) -> io::Result<()> {
    std::fs::File::open(folder)?.sync_all()
}

/// Removes blobs that no record names any more. What stays because of an error goes at the next open.
pub(super) fn remove(folder: &Path, names: &[String]) {
    for name in names {
        if let Err(error) = std::fs::remove_file(folder.join(name)) {
            tracing::warn!(blob = name, %error, "a blob file could not be removed");
        }
    }
}

/// Removes the blob files that are not `used`: leavings of a process that was killed. Returns how many of the used ones
/// are missing.
pub(super) fn remove_unused(folder: &Path, mut used: HashSet<String>) -> io::Result<usize> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let is_used = name.to_str().is_some_and(|name| used.remove(name));
        if is_blob(&name) && !is_used {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(used.len())
}

/// Returns how many of the `used` blob files are missing, and removes nothing.
pub(super) fn missing(folder: &Path, mut used: HashSet<String>) -> io::Result<usize> {
    for entry in std::fs::read_dir(folder)? {
        if let Some(name) = entry?.file_name().to_str() {
            used.remove(name);
        }
    }
    Ok(used.len())
}

/// What the data of an object must be: its length, and the MD5 of it or of its parts.
pub(super) struct Expected {
    etag: String,
    part_sizes: Vec<u64>,
}

impl Expected {
    /// Returns what an object must be; `None` where its parts are not known.
    pub(super) fn of(record: &ObjectRecord) -> Option<Self> {
        let has_parts = !record.part_sizes.is_empty();
        (has_parts == record.etag.contains('-')).then(|| Self {
            etag: record.etag.clone(),
            part_sizes: record.part_sizes.clone(),
        })
    }
}

/// The `ETag` of data as it goes by.
pub(super) struct Seen {
    expected: Expected,
    /// Of the part that goes by, or of all.
    md5: s3s::crypto::Md5,
    left_of_part: u64,
    parts: usize,
    md5_of_parts: s3s::crypto::Md5,
}

impl Seen {
    pub(super) fn new(expected: Expected) -> Self {
        Self {
            left_of_part: expected.part_sizes.first().copied().unwrap_or(u64::MAX),
            expected,
            md5: s3s::crypto::Md5::new(),
            parts: 0,
            md5_of_parts: s3s::crypto::Md5::new(),
        }
    }

    pub(super) fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let of_part = usize::try_from(self.left_of_part)
                .unwrap_or(usize::MAX)
                .min(bytes.len());
            let (part, rest) = bytes.split_at(of_part);
            self.md5.update(part);
            self.left_of_part -= of_part as u64;
            bytes = rest;
            if self.left_of_part == 0 {
                self.end_part();
            }
        }
    }

    fn end_part(&mut self) {
        let md5 = std::mem::replace(&mut self.md5, s3s::crypto::Md5::new()).finalize();
        self.md5_of_parts.update(md5.as_ref());
        self.parts += 1;
        let next = self.expected.part_sizes.get(self.parts);
        self.left_of_part = next.copied().unwrap_or(u64::MAX);
    }

    pub(super) fn ends_as_expected(self) -> bool {
        let etag = match self.expected.part_sizes.len() {
            0 => hex::encode(self.md5.finalize().as_ref()),
            parts => format!("{}-{parts}", hex::encode(self.md5_of_parts.finalize().as_ref())),
        };
        etag == self.expected.etag
    }
}

/// An object's data, open for reading even if the object is replaced meanwhile.
pub(super) enum Source {
    Inline(Bytes),
    File(tokio::fs::File, Box<Suspect>),
}

impl Source {
    /// Streams a part of an object's data. All of it breaks off before its end where it is not what it must be; a part is
    /// refused, unless it is not known what that is.
    pub(super) async fn stream(
        self,
        range: Range<u64>,
        record: &ObjectRecord,
        checked: &Checked,
    ) -> io::Result<StreamingBlob> {
        match self {
            Self::Inline(bytes) => {
                if bytes.len() as u64 != record.size {
                    let problem = "the data of the object in the index is damaged";
                    return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
                }
                let (start, end) = (range.start as usize, range.end as usize);
                Ok(s3s::Body::from(bytes.slice(start..end)).into())
            }
            Self::File(mut file, suspect) => {
                if suspect.is_known() || file.metadata().await?.len() != record.size {
                    return Err(suspect.refuse());
                }
                let is_part = range != (0..record.size);
                let mut expected = Expected::of(record);
                let blob = record.blob.as_deref().filter(|_| is_part);
                if let Some((blob, expected)) = blob.and_then(|blob| Some((blob, expected.take()?)))
                    && !checked.is_whole(blob, &file, expected).await?
                {
                    return Err(suspect.refuse());
                }
                file.seek(SeekFrom::Start(range.start)).await?;
                let part = file.take(range.end - range.start);
                let data = ReaderStream::with_capacity(part, BUFFER_BYTES);
                Ok(match expected.filter(|_| !is_part) {
                    Some(expected) => StreamingBlob::wrap(verified(data, expected, *suspect)),
                    None => StreamingBlob::wrap(data),
                })
            }
        }
    }
}

/// Holds each piece back until the next has come, and the last until all is seen to be whole.
fn verified(
    data: impl Stream<Item = io::Result<Bytes>> + Send + Unpin + 'static,
    expected: Expected,
    suspect: Suspect,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    let start = Some((data, Seen::new(expected), Bytes::new(), suspect));
    futures::stream::unfold(start, async |state| {
        let (mut data, mut seen, held, suspect) = state?;
        match data.next().await {
            Some(Ok(bytes)) => {
                seen.update(&bytes);
                Some((Ok(held), Some((data, seen, bytes, suspect))))
            }
            Some(Err(error)) => Some((Err(error), None)),
            None if seen.ends_as_expected() => Some((Ok(held), None)),
            None => Some((Err(suspect.refuse()), None)),
        }
    })
    .filter(|piece| std::future::ready(!matches!(piece, Ok(bytes) if bytes.is_empty())))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn md5(bytes: &[u8]) -> [u8; 16] {
        s3s::crypto::Md5::checksum(bytes)
    }

    proptest! {
        #[test]
        fn data_is_known_by_its_etag_however_it_is_cut(
            parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 1..5),
            cut in 1usize..30,
            is_one in any::<bool>(),
        ) {
            let data = parts.concat();
            let of_parts: Vec<u8> = parts.iter().flat_map(|part| md5(part)).collect();
            let (etag, part_sizes) = match is_one {
                true => (hex::encode(md5(&data)), Vec::new()),
                false => (
                    format!("{}-{}", hex::encode(md5(&of_parts)), parts.len()),
                    parts.iter().map(|part| part.len() as u64).collect(),
                ),
            };
            let seen = |data: &[u8]| {
                let expected = Expected { etag: etag.clone(), part_sizes: part_sizes.clone() };
                let mut seen = Seen::new(expected);
                data.chunks(cut).for_each(|piece| seen.update(piece));
                seen.ends_as_expected()
            };
            let mut changed = data.clone();
            changed[data.len() / 2] ^= 1;

            prop_assert!(seen(&data));
            prop_assert!(!seen(&changed));
        }
    }
}
