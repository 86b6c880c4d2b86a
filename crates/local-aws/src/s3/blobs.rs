//! Object data: streamed in, checked, made durable, streamed out.

use std::{
    io::{self, SeekFrom, Write},
    ops::Range,
    path::Path,
};

use bytes::Bytes;
use futures::StreamExt;
use s3s::{S3Error, StdError, crypto::Checksum as _, dto::StreamingBlob, s3_error};
use tempfile::NamedTempFile;
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt, BufWriter};
use tokio_util::io::ReaderStream;

use super::{
    checksum::{Announced, Checksum},
    index::Failure,
    objects::custom_error,
};

/// Objects up to this size lie in the index: one fsync less each.
pub(super) const INLINE_LIMIT: usize = 16 * 1024;

/// Names of blob files begin with it; what else lies in the folder is not ours.
const NAME_PREFIX: &str = "s3-";

const BUFFER_BYTES: usize = 256 * 1024;

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
    announced.verify(md5.as_ref(), checksum.as_ref())?;
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
        .prefix(NAME_PREFIX)
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
    format!("{NAME_PREFIX}{}", uuid::Uuid::new_v4().simple())
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

/// Removes the blob files that `is_used` does not know: leavings of a process that was killed.
pub(super) fn remove_unused(folder: &Path, is_used: impl Fn(&str) -> bool) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let ours = name.to_str().filter(|name| name.starts_with(NAME_PREFIX));
        if ours.is_some_and(|name| !is_used(name)) {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// An object's data, open for reading even if the object is replaced meanwhile.
pub(super) enum Source {
    Inline(Bytes),
    File(tokio::fs::File),
}

impl Source {
    /// Streams a part of the data.
    pub(super) async fn stream(self, range: Range<u64>) -> io::Result<StreamingBlob> {
        match self {
            Self::Inline(bytes) => {
                let (start, end) = (range.start as usize, range.end as usize);
                Ok(s3s::Body::from(bytes.slice(start..end)).into())
            }
            Self::File(mut file) => {
                file.seek(SeekFrom::Start(range.start)).await?;
                let part = file.take(range.end - range.start);
                Ok(StreamingBlob::wrap(ReaderStream::with_capacity(
                    part,
                    BUFFER_BYTES,
                )))
            }
        }
    }
}
