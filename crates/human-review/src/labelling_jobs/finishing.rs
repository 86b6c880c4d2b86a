//! The end of a job: its output manifest, and what it leaves behind.

use active_learning_aws::bucket::{BucketError, JSON_LINES};
use futures::stream::{self, StreamExt, TryStreamExt};
use serde_json::Map;

use super::Jobs;
use super::consolidation::failed;
use super::drive::{Drive, DriveError};
use super::manifest::{output_line, parse};
use super::record::{Job, JobStatus, ObjectState, Part, input_key, open_mark, part_key};

/// Parts that are read, or removed, at a time.
const CONCURRENT: usize = 8;

impl Drive<'_> {
    /// Writes the output manifest: every input line in its order, with what was added to it.
    pub(super) async fn finish(&mut self) -> Result<(), DriveError> {
        let reads: Vec<_> = (0..self.job.parts.len())
            .map(|number| self.output_of(number))
            .collect();
        let parts: Vec<String> = stream::iter(reads).buffered(CONCURRENT).try_collect().await?;
        let manifest = parts.concat().into_bytes();
        self.access
            .write(&self.job.output_manifest(), JSON_LINES, manifest)
            .await?;

        self.job.status = match self.job.status {
            JobStatus::Stopping => JobStatus::Stopped,
            _ => JobStatus::Completed,
        };
        Ok(())
    }

    async fn output_of(&self, number: usize) -> Result<String, DriveError> {
        let lines = self.lines(number).await?;
        let part = self
            .jobs
            .bucket
            .read_document::<Part>(&part_key(&self.job.name, number))
            .await?;
        let states = part.ok_or(DriveError::Lost)?.objects;
        let mut output = String::new();
        for (line, state) in lines.iter().zip(states) {
            let line = parse(line).unwrap_or_default();
            let added = match state {
                ObjectState::Labelled { content, .. } => content,
                ObjectState::Failed { reason, tries } => failed(&self.job, &reason, tries, self.now),
                ObjectState::Waiting { .. }
                | ObjectState::Withheld
                | ObjectState::Asked { .. }
                | ObjectState::Passed => Map::new(),
            };
            output.push_str(&output_line(line, added));
        }
        Ok(output)
    }
}

impl Jobs<'_> {
    /// Removes what a job that is final no longer needs; its mark last, so that it is tried again.
    pub(super) async fn clean(&self, job: &Job) -> Result<(), BucketError> {
        let removals: Vec<_> = (0..job.parts.len())
            .map(|number| self.remove_part(&job.name, number))
            .collect();
        let removals = stream::iter(removals).buffered(CONCURRENT);
        removals.try_collect::<Vec<()>>().await?;
        self.bucket.delete(&open_mark(&job.name)).await
    }

    async fn remove_part(&self, job: &str, number: usize) -> Result<(), BucketError> {
        self.bucket.delete(&input_key(job, number)).await?;
        self.bucket.delete(&part_key(job, number)).await
    }
}
