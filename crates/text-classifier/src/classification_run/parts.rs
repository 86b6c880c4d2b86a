//! What a job has of its output before it is done: parts under its own prefix, and how far they reach.
//!
//! A part is written first and put down in the job's state afterwards. So a part that nobody has put down is made again, with
//! the same content, and parts expire if nobody takes them away.

use std::{
    fs::{self, File},
    io,
    path::PathBuf,
};

use aws_sdk_s3::error::DisplayErrorContext;
use futures::{StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};

use super::{JobError, input::Position};
use crate::{
    bucket::{Bucket, StoreError},
    output::{self, OneFile},
    s3_uri::S3Uri,
};

/// Folder of the parts, in the training bucket.
const FOLDER: &str = "text-classifier/parts/";
/// The one file of the output.
const PREDICTIONS: &str = "predictions.jsonl";
/// Parts that are deleted at a time.
const DELETIONS_AT_ONCE: usize = 16;
/// How often a job begins anew because its input has changed.
pub(super) const MAX_BEGUN_ANEW: u32 = 3;

/// How far a job is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Progress {
    /// Digest of the input that the parts are of.
    pub(super) input: String,
    /// Parts that are kept.
    pub(super) parts: u32,
    /// Bytes in them.
    pub(super) bytes: u64,
    /// What comes next.
    pub(super) next: Position,
    /// How often parts were thrown away because the input had changed.
    #[serde(default)]
    pub(super) begun_anew: u32,
}

impl Progress {
    /// Returns that of a job that has kept nothing.
    pub(super) fn none(input: String) -> Self {
        Self {
            input,
            parts: 0,
            bytes: 0,
            next: Position::default(),
            begun_anew: 0,
        }
    }

    /// Returns that of a job whose input is this by now: what it has if its parts are of that, and otherwise nothing. `None`
    /// where the input has changed so often that the job would not come to its end.
    pub(super) fn with_input(self, input: String) -> Option<Self> {
        if self.input == input {
            return Some(self);
        }
        let begun_anew = self.begun_anew + 1;
        (begun_anew <= MAX_BEGUN_ANEW).then(|| Self {
            begun_anew,
            ..Self::none(input)
        })
    }

    /// Keeps a part, up to this position of the input.
    pub(super) async fn keep(
        &mut self,
        bucket: &Bucket,
        id: &str,
        part: Vec<u8>,
        next: Position,
    ) -> Result<(), StoreError> {
        let bytes = part.len() as u64;
        bucket.put_bytes(&key(id, self.parts), part).await?;
        self.parts += 1;
        self.bytes += bytes;
        self.next = next;
        Ok(())
    }

    /// Puts the output together, of the parts and what comes after them. No more than a part is in memory.
    pub(super) async fn put_together(
        &self,
        bucket: &Bucket,
        id: &str,
        last: Vec<u8>,
        output: &S3Uri,
    ) -> Result<(), JobError> {
        if self.parts == 0 {
            let archive = output::archive(&[(PREDICTIONS, &last)]);
            return Ok(bucket.put_named(output, output::CONTENT_TYPE, archive).await?);
        }
        let file = Temporary::new();
        let size = self.bytes + last.len() as u64;
        let mut archive = OneFile::begin(file.create()?, PREDICTIONS, size).map_err(JobError::Disk)?;
        for number in 0..self.parts {
            let part = bucket.bytes(&key(id, number)).await.map_err(JobError::Store)?;
            archive = append(archive, part.ok_or(JobError::PartGone)?).await?;
        }
        let archive = append(archive, last).await?;
        archive.finish().map_err(JobError::Disk)?;
        let sent = bucket.put_named_file(output, output::CONTENT_TYPE, &file.0).await;
        Ok(sent?)
    }
}

/// Takes away what is kept of a job that is done. What stays expires.
pub(super) async fn clear(bucket: &Bucket, id: &str) {
    if let Err(error) = delete_all(bucket, id).await {
        tracing::warn!(error = %DisplayErrorContext(&error), job.id = id, "parts of a job stay until they expire");
    }
}

async fn delete_all(bucket: &Bucket, id: &str) -> Result<(), StoreError> {
    let parts = bucket.own_objects(&format!("{FOLDER}{id}/")).await?;
    let deletions: Vec<_> = parts.iter().map(|part| bucket.delete_bytes(&part.key)).collect();
    futures::stream::iter(deletions)
        .buffer_unordered(DELETIONS_AT_ONCE)
        .try_collect()
        .await
}

fn key(id: &str, number: u32) -> String {
    format!("{FOLDER}{id}/{number:06}.jsonl")
}

/// Packs a part, where it holds up nobody.
async fn append(mut archive: OneFile<File>, part: Vec<u8>) -> Result<OneFile<File>, JobError> {
    let packing = tokio::task::spawn_blocking(move || archive.append(&part).map(|()| archive));
    let packed = packing.await.expect("packing neither panics nor is cancelled");
    packed.map_err(JobError::Disk)
}

/// A file of this process that is gone with this.
struct Temporary(PathBuf);

impl Temporary {
    fn new() -> Self {
        let name = format!("classification-job-{}.tar.gz", uuid::Uuid::new_v4().simple());
        Self(std::env::temp_dir().join(name))
    }

    fn create(&self) -> Result<File, JobError> {
        let created: io::Result<File> = File::create_new(&self.0);
        created.map_err(JobError::Disk)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // What cannot be removed goes with the process's machine.
        let _ = fs::remove_file(&self.0);
    }
}
