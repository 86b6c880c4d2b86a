//! The parts of a job: input lines, and what became of their objects.

use active_learning_aws::bucket::{MAX_DOCUMENT_BYTES, Replaced};

use super::Jobs;
use super::drive::{Drive, DriveError};
use super::record::{Part, PartSummary, input_key, part_key};

impl Jobs<'_> {
    /// Reads what became of the objects of a part of this job; `None` where it is gone.
    pub(super) async fn find_part(
        &self,
        job: &str,
        number: usize,
    ) -> Result<Option<(Part, String)>, DriveError> {
        Ok(self.bucket.read_version(&part_key(job, number)).await?)
    }

    /// Reads the input lines of a part of this job; `None` where they are gone.
    pub(super) async fn find_lines(
        &self,
        job: &str,
        number: usize,
    ) -> Result<Option<Vec<Vec<u8>>>, DriveError> {
        let read = self
            .bucket
            .read(&input_key(job, number), MAX_DOCUMENT_BYTES)
            .await?;
        Ok(read.map(|object| {
            let lines = object.bytes.split(|byte| *byte == b'\n');
            lines
                .filter(|line| !line.is_empty())
                .map(<[u8]>::to_vec)
                .collect()
        }))
    }

    /// Writes a part of this job over the version that was read, and returns what the job remembers of it.
    pub(super) async fn write_part(
        &self,
        job: &str,
        number: usize,
        etag: &str,
        part: &Part,
    ) -> Result<PartSummary, DriveError> {
        let key = part_key(job, number);
        let replaced = self.bucket.replace_document(&key, Some(etag), part).await?;
        match replaced {
            Replaced::Changed => Err(DriveError::Lost),
            Replaced::Written { .. } => Ok(part.summary()),
        }
    }
}

impl Drive<'_> {
    /// Reads what became of a part's objects.
    pub(super) async fn part(&self, number: usize) -> Result<(Part, String), DriveError> {
        let found = self.jobs.find_part(&self.job.name, number).await?;
        found.ok_or_else(gone)
    }

    /// Writes a part over the version that was read, and returns what the job remembers of it.
    pub(super) async fn replace_part(
        &self,
        number: usize,
        etag: &str,
        part: &Part,
    ) -> Result<PartSummary, DriveError> {
        self.jobs.write_part(&self.job.name, number, etag, part).await
    }

    /// Reads the input lines of a part.
    pub(super) async fn lines(&self, number: usize) -> Result<Vec<Vec<u8>>, DriveError> {
        let found = self.jobs.find_lines(&self.job.name, number).await?;
        found.ok_or_else(gone)
    }
}

/// Says that a part is not there: whoever drives a job that has ended meanwhile writes no more of it.
fn gone() -> DriveError {
    let reason = "a part of it is gone from the review bucket: texts are kept for TextRetentionDays";
    DriveError::Job(reason.to_owned())
}
